# Penalties on activities: an operation in place that only adds to the loss and to the delta of what it reads. Floor 1.
# With a Python object instead of the two numbers, the whole batch is handed over at once.

from libc.string cimport memset

from custom cimport custom_penalty
from plan cimport Operation, Sizes, Step
from regularizers cimport add_penalty_gradient, penalty
from simd cimport real

# Reals.
cdef enum:
    L1
    L2


cdef inline bint activity_fits(const Sizes *s) noexcept nogil:
    return s.operation.inputs[0] == s.operation.output


cdef inline void activity_needs(const Sizes *s, Operation *operation) noexcept nogil:
    operation.whole_batch = operation.custom != NULL


cdef inline void activity_forward(const Step *s, real **tensors) noexcept nogil:
    """J += (l1 sum |a| + l2 sum a^2) / n, n the size of the batch"""
    cdef const Operation *operation = s.operation
    cdef const real *a = <const real *> s.y
    cdef real *none = NULL
    cdef double total = 0
    cdef Py_ssize_t r
    if s.workspace.batch_size == 0:
        return
    if operation.custom != NULL:
        total = custom_penalty(operation.custom, &s.workspace.failed, none, a, s.n_rows, s.output.width, 0, s.y_row, 1,
                               False)
    else:
        for r in range(s.n_rows):
            total += penalty(a + r * s.y_row, s.output.width, operation.reals[L1], operation.reals[L2])
    s.workspace.activity_penalty += total / s.workspace.batch_size


cdef inline void activity_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """da (+)= (l1 sign(a) + 2 l2 a) / n"""
    cdef const Operation *operation = s.operation
    cdef Py_ssize_t batch_size = s.workspace.batch_size, r
    cdef const real *a = <const real *> s.y
    cdef real *da = <real *> s.dy
    if batch_size == 0 or da == NULL:
        return
    if not s.adds_dx:
        memset(da, 0, s.n_rows * s.y_row * sizeof(real))
        s.workspace.delta_written[operation.output] = True
    if operation.custom != NULL:
        custom_penalty(operation.custom, &s.workspace.failed, da, a, s.n_rows, s.output.width, s.y_row, s.y_row,
                       1.0 / batch_size, True)
        return
    for r in range(s.n_rows):
        add_penalty_gradient(da + r * s.y_row, a + r * s.y_row, s.output.width,
                             <real> (operation.reals[L1] / batch_size), <real> (operation.reals[L2] / batch_size))
