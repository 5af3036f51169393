# How near rows are to centres: minus a weighted sum of absolute differences, of which the exponential is the Laplace
# kernel. Floor 1.

from libc.string cimport memset

from plan cimport Sizes, Step
from simd cimport nearness, real
from step cimport adds_gradient, gradient_is_written, has_shape, tensor_of

# Tensors: f features, m centres.
cdef enum:
    CENTERS  # c (f, m)
    FACTORS  # a (f)


cdef inline bint nearness_fits(const Sizes *s) noexcept nogil:
    return (s.input.rows == s.output.rows and s.input.width > 0 and s.output.width > 0
            and has_shape(s, CENTERS, s.input.width, s.output.width) and has_shape(s, FACTORS, s.input.width, 1))


cdef inline void nearness_forward(const Step *s, real **tensors) noexcept nogil:
    """y (n, m) = -sum over i of a[i] |x[i] - c[i]|"""
    nearness(<real *> s.y, <const real *> s.x, tensor_of(s, tensors, CENTERS), tensor_of(s, tensors, FACTORS), s.n_rows,
             s.input.width, s.output.width, s.y_row, s.x_row)


cdef inline real slope_at(real difference) noexcept nogil:
    """Of |difference|, 0 in its kink."""
    return <real> (difference > 0) - <real> (difference < 0)


cdef inline void nearness_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dc (+)= a dy sign(x - c);  da (+)= -sum of dy |x - c|;  dx (+)= -a sum of dy sign(x - c)"""
    cdef Py_ssize_t width = s.input.width, m = s.output.width, _r, i, k
    cdef const real *c
    cdef const real *x = <const real *> s.x
    cdef const real *dy = <const real *> s.dy
    cdef const real *a = tensor_of(s, tensors, FACTORS)
    cdef real *dc = tensor_of(s, gradients, CENTERS)
    cdef real *da = tensor_of(s, gradients, FACTORS)
    cdef real *dx = <real *> s.dx
    cdef real difference, slope, sum_of_slopes, sum_of_distances
    if dc != NULL and not adds_gradient(s, CENTERS):
        memset(dc, 0, width * m * sizeof(real))
        gradient_is_written(s, CENTERS)
    if da != NULL and not adds_gradient(s, FACTORS):
        memset(da, 0, width * sizeof(real))
        gradient_is_written(s, FACTORS)
    for _r in range(s.n_rows):
        for i in range(width):
            c = <const real *> tensor_of(s, tensors, CENTERS) + i * m
            sum_of_slopes, sum_of_distances = 0, 0
            for k in range(m):
                difference = x[i] - c[k]
                slope = dy[k] * slope_at(difference)
                sum_of_slopes += slope
                sum_of_distances += slope * difference
                if dc != NULL:
                    dc[i * m + k] += a[i] * slope
            if da != NULL:
                da[i] -= sum_of_distances
            if dx != NULL:
                dx[i] = (dx[i] if s.adds_dx else 0) - a[i] * sum_of_slopes
        x += s.x_row
        dy += s.y_row
        if dx != NULL:
            dx += s.x_row
