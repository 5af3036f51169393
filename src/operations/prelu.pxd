# PReLU: the slope below zero is learned, one for each element of a sample or shared by rows, columns or all. Floor 1.

from libc.string cimport memset

from plan cimport Operation, Sizes, Step
from simd cimport add_scaled, real
from step cimport adds_gradient, doubles, gradient_is_written, has_shape, same_shape, tensor_of

cdef extern from "simd/by_sign.h" nogil:
    float by_sign_f32(float x, float above, float below)
    double by_sign_f64(double x, double above, double below)

cdef enum:
    ALPHA = 0      # tensors
    ALPHA_ROWS = 0  # integers: the slopes' rows and columns, 1 where they are shared
    ALPHA_COLS


cdef inline real by_sign(real x, real above, real below) noexcept nogil:
    """above where x > 0, else below"""
    if real is float:
        return by_sign_f32(x, above, below)
    else:
        return by_sign_f64(x, above, below)


cdef inline bint prelu_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t n_rows = s.operation.integers[ALPHA_ROWS], n_cols = s.operation.integers[ALPHA_COLS]
    return (same_shape(s) and (n_rows == 1 or n_rows == s.input.rows) and (n_cols == 1 or n_cols == s.input.width)
            and has_shape(s, ALPHA, n_rows, n_cols))


cdef inline void prelu_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """The sums for dalpha, and dx of one row"""
    operation.fixed_scratch = doubles(s, s.tensor_sizes[operation.tensors[ALPHA]]) + s.output.width


cdef inline Py_ssize_t slope_step(const Operation *operation) noexcept nogil:
    """From the slope of one column to that of the next; 0 repeats the only one."""
    return 1 if operation.integers[ALPHA_COLS] > 1 else 0


cdef inline Py_ssize_t slopes_of_row(const Step *s, Py_ssize_t row) noexcept nogil:
    """Where the slopes of a row begin."""
    if s.operation.integers[ALPHA_ROWS] <= 1:
        return 0
    return row % s.input.rows * s.operation.integers[ALPHA_COLS]


cdef inline void prelu_row(real *y, const real *x, const real *dy, const real *alpha, Py_ssize_t n,
                           Py_ssize_t step) noexcept nogil:
    """y = dy where x > 0, alpha dy where x < 0, else 0"""
    cdef Py_ssize_t c
    for c in range(n):
        y[c] = by_sign(x[c], dy[c], alpha[c * step] * dy[c]) if x[c] != 0 else 0


cdef inline void add_prelu_slopes(double *sums, const real *x, const real *da, Py_ssize_t n,
                                  Py_ssize_t step) noexcept nogil:
    """sums += da min(x, 0), element by element or all into one"""
    cdef Py_ssize_t c
    for c in range(n):
        sums[c * step] += <double> da[c] * by_sign(x[c], <real> 0, x[c])


cdef inline void prelu_forward(const Step *s, real **tensors) noexcept nogil:
    """a = x above 0, else alpha x"""
    cdef const real *alpha = tensor_of(s, tensors, ALPHA)
    cdef const real *x = <const real *> s.x
    cdef real *a = <real *> s.y
    cdef Py_ssize_t r
    for r in range(s.n_rows):
        prelu_row(a + r * s.y_row, x + r * s.x_row, x + r * s.x_row, alpha + slopes_of_row(s, r), s.input.width,
                  slope_step(s.operation))


cdef inline void prelu_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= da above 0, alpha da below, 0 at 0;  dalpha = sum of da x where x < 0, over what shares the slope"""
    cdef Py_ssize_t step = slope_step(s.operation), width = s.input.width, place, r, c
    cdef Py_ssize_t size = s.operation.integers[ALPHA_ROWS] * s.operation.integers[ALPHA_COLS]
    cdef const real *alpha = tensor_of(s, tensors, ALPHA)
    cdef real *dalpha = tensor_of(s, gradients, ALPHA)
    cdef const real *x = <const real *> s.x
    cdef const real *da = <const real *> s.dy
    cdef real *dx = <real *> s.dx
    cdef double *sums = <double *> s.scratch
    cdef real *row = <real *> (sums + size)
    memset(sums, 0, size * sizeof(double))
    for r in range(s.n_rows):
        place = slopes_of_row(s, r)
        add_prelu_slopes(sums + place, x, da, width, step)
        if dx != NULL:
            prelu_row(row if s.adds_dx else dx, x, da, alpha + place, width, step)
            if s.adds_dx:
                add_scaled(dx, row, width, <real> 1)
            dx += s.x_row
        x += s.x_row
        da += s.y_row
    if dalpha != NULL:
        for c in range(size):
            dalpha[c] = <real> (sums[c] + (dalpha[c] if adds_gradient(s, ALPHA) else 0))
        gradient_is_written(s, ALPHA)
