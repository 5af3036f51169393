# An activation of which a column may keep as much as it likes: the factor alpha is learned. Floor 1.

from plan cimport Operation, Sizes, Step
from row_activations cimport activate_rows
from simd cimport activation_backward, real
from step cimport adds_gradient, gradient_is_written, has_shape, same_shape, tensor_of

cdef enum:
    ALPHA = 0  # tensors


cdef inline bint parametric_activation_fits(const Sizes *s) noexcept nogil:
    return same_shape(s) and has_shape(s, ALPHA, s.input.width, 1)


cdef inline void parametric_activation_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """g(x), and alpha dy g'(x) of one row"""
    operation.scratch, operation.fixed_scratch = s.output.rows * s.output.stride, s.output.width


cdef inline void parametric_activation_forward(const Step *s, real **tensors) noexcept nogil:
    """y (n, width) = x + alpha (g(x) - x), alpha (width); g(x) stays in the scratch memory"""
    cdef Py_ssize_t _r, c
    cdef const real *alpha = tensor_of(s, tensors, ALPHA)
    cdef const real *x = <const real *> s.x
    cdef real *g = <real *> s.scratch
    cdef real *y = <real *> s.y
    activate_rows(s.operation.activation, s.operation.activation_parameters, g, x, s.n_rows, s.input.width, s.x_row,
                  s.x_row)
    for _r in range(s.n_rows):
        for c in range(s.input.width):
            y[c] = x[c] + alpha[c] * (g[c] - x[c])
        x += s.x_row
        g += s.x_row
        y += s.y_row


cdef inline void parametric_activation_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy (1 - alpha) + alpha dy g'(x);  dalpha (+)= sum of dy (g(x) - x) over rows"""
    cdef Py_ssize_t width = s.input.width, _r, c
    cdef const real *alpha = tensor_of(s, tensors, ALPHA)
    cdef const real *x = <const real *> s.x
    cdef const real *g = <const real *> s.scratch
    cdef const real *dy = <const real *> s.dy
    cdef real *through = <real *> s.scratch + s.n_rows * s.x_row  # alpha dy g'(x) of one row
    cdef real *dx = <real *> s.dx
    cdef real *dalpha = tensor_of(s, gradients, ALPHA)
    cdef real p[3]
    for c in range(3):
        p[c] = <real> s.operation.activation_parameters[c]
    if dalpha != NULL and not adds_gradient(s, ALPHA):
        for c in range(width):
            dalpha[c] = 0
        gradient_is_written(s, ALPHA)
    for _r in range(s.n_rows):
        if dalpha != NULL:
            for c in range(width):
                dalpha[c] += dy[c] * (g[c] - x[c])
        if dx != NULL:
            for c in range(width):
                through[c] = alpha[c] * dy[c]
            activation_backward(through, <const real *> through, x, g, width, s.operation.activation, <const real *> p)
            for c in range(width):
                dx[c] = dy[c] - alpha[c] * dy[c] + through[c] + (dx[c] if s.adds_dx else 0)
            dx += s.x_row
        x += s.x_row
        g += s.x_row
        dy += s.y_row
