# Activations of operations: where z is kept, g applied and g' multiplied in; and the activation that is an operation of
# its own. Floor 1. The arithmetic on rows is src/operations/row_activations.pxd.

from libc.math cimport INFINITY

from custom cimport custom_activation_backward, custom_activation_forward
from plan cimport BLOCK, INFERENCE, TRACING, Operation, Sizes, Step, is_plain_relu
from row_activations cimport activate_rows, derive_rows, glu_row_backward
from rows cimport copy_rows, put_rows
from simd cimport ACTIVATION_LINEAR, ACTIVATION_RELU, CUSTOM_ACTIVATION, ROW_GLU, activation_slope_needs_z, real
from step cimport same_shape


cdef inline bint derivative_needs_z(const Operation *operation) noexcept nogil:
    """Whether g' cannot be told from a alone."""
    if operation.activation == ACTIVATION_RELU:
        return (operation.activation_parameters[1] != INFINITY or operation.activation_parameters[2] != 0
                or operation.activation_parameters[0] < 0)
    return (operation.activation == ROW_GLU or operation.activation == CUSTOM_ACTIVATION
            or activation_slope_needs_z(operation.activation))


cdef inline bint keeps_z(const Operation *operation, int mode) noexcept nogil:
    """Whether z is stored apart from a: for g', for a loss that works on logits, or for a reader."""
    return (mode != INFERENCE and operation.activation != ACTIVATION_LINEAR
            and (operation.keeps_z or operation.left_to_loss or mode == TRACING or mode == BLOCK))


cdef inline bint leaves_activation(const Step *s) noexcept nogil:
    """Whether the loss applies the activation, and its derivative, in this operation's place."""
    return s.operation.left_to_loss and s.workspace.mode != INFERENCE


cdef inline void activate(const Step *s, real *a, const real *z) noexcept nogil:
    """a = g(z), the operation's output (a may be z)"""
    cdef const Operation *operation = s.operation
    cdef Py_ssize_t n_rows = s.workspace.n * s.output.rows
    if operation.activation == CUSTOM_ACTIVATION:
        custom_activation_forward(operation.custom, s.workspace, a, z, n_rows, s.output.width, s.y_row)
    elif operation.activation != ACTIVATION_LINEAR or a != z:
        activate_rows(operation.activation, operation.activation_parameters, a, z, n_rows, s.output.width, s.y_row,
                      s.y_row)


cdef inline void derive(const Step *s, real *delta) noexcept nogil:
    """delta = dJ/da becomes dJ/dz of the operation, in place, unless the loss or the operation above has seen to it."""
    cdef const Operation *operation = s.operation
    cdef Py_ssize_t n_rows = s.workspace.n * s.output.rows
    cdef const real *a = <const real *> s.y
    cdef const real *z = <const real *> s.scratch if keeps_z(operation, s.workspace.mode) else NULL
    if operation.left_to_loss or operation.gated:
        return
    if operation.activation == CUSTOM_ACTIVATION:
        custom_activation_backward(operation.custom, s.workspace, delta, z, a, n_rows, s.output.width, s.y_row)
    else:
        derive_rows(operation.activation, operation.activation_parameters, delta, delta, z, a, n_rows, s.output.width,
                    s.y_row)


cdef inline bint activation_fits(const Sizes *s) noexcept nogil:
    if s.operation.activation == ROW_GLU:
        return s.input.rows == s.output.rows and s.input.width == 2 * s.output.width
    return same_shape(s)


cdef inline void activation_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """z; of glu its derivative, which is twice as wide"""
    if operation.activation != ACTIVATION_LINEAR:
        operation.scratch = s.output.rows * s.output.stride * (4 if operation.activation == ROW_GLU else 1)


cdef inline void activation_operation_forward(const Step *s, real **tensors) noexcept nogil:
    """a = g(x)"""
    cdef const Operation *operation = s.operation
    cdef real *a = <real *> s.y
    cdef real *z = a
    if operation.activation == ROW_GLU:
        activate_rows(ROW_GLU, operation.activation_parameters, a, <const real *> s.x, s.n_rows, s.input.width, s.y_row,
                      s.x_row)
        return
    if keeps_z(operation, s.workspace.mode):
        z = <real *> s.scratch
    copy_rows(z, <const real *> s.x, s.n_rows, s.input.width, s.y_row, s.x_row)
    if not leaves_activation(s):
        activate(s, a, z)


cdef inline void glu_backward(const Step *s, real **tensors) noexcept nogil:
    cdef real *delta = <real *> s.scratch
    cdef Py_ssize_t width = s.input.width, r
    for r in range(s.n_rows):
        glu_row_backward(delta + r * width, <const real *> s.dy + r * s.y_row, <const real *> s.x + r * s.x_row,
                         width // 2)
    put_rows(<real *> s.dx, delta, s.n_rows, width, s.x_row, width, s.adds_dx)


cdef inline void activation_operation_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= da . dg/dx"""
    cdef real *delta = <real *> s.dy
    if s.dx == NULL:
        return
    if s.operation.activation == ROW_GLU:
        glu_backward(s, tensors)
        return
    derive(s, delta)
    put_rows(<real *> s.dx, delta, s.n_rows, s.input.width, s.x_row, s.y_row, s.adds_dx)
