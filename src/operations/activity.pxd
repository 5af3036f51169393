# Penalties on activities, and values that are added to the loss as they are: operations in place that only add to the
# loss and to the delta of what they read. Floor 1.
# With a Python object instead of the two numbers, the whole batch of activities is handed over at once.

from libc.string cimport memset

from custom cimport custom_penalty
from plan cimport Operation, Sizes, Step
from regularizers cimport add_penalty_gradient, penalty
from simd cimport real, row_sum

# Reals.
cdef enum:
    L1
    L2
    FACTOR = 0  # of an added loss


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


cdef inline void clear_unless_written(const Step *s, real *da) noexcept nogil:
    if not s.adds_dx:
        memset(da, 0, s.n_rows * s.y_row * sizeof(real))
        s.workspace.delta_written[s.operation.output] = True


cdef inline void activity_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """da (+)= (l1 sign(a) + 2 l2 a) / n"""
    cdef const Operation *operation = s.operation
    cdef Py_ssize_t batch_size = s.workspace.batch_size, r
    cdef const real *a = <const real *> s.y
    cdef real *da = <real *> s.dy
    if batch_size == 0 or da == NULL:
        return
    clear_unless_written(s, da)
    if operation.custom != NULL:
        custom_penalty(operation.custom, &s.workspace.failed, da, a, s.n_rows, s.output.width, s.y_row, s.y_row,
                       1.0 / batch_size, True)
        return
    for r in range(s.n_rows):
        add_penalty_gradient(da + r * s.y_row, a + r * s.y_row, s.output.width,
                             <real> (operation.reals[L1] / batch_size), <real> (operation.reals[L2] / batch_size))


# What is added to the loss.

cdef inline void added_loss_forward(const Step *s, real **tensors) noexcept nogil:
    """J += factor sum a / n, n the size of the batch"""
    cdef double total = 0
    cdef Py_ssize_t r
    if s.workspace.batch_size == 0:
        return
    for r in range(s.n_rows):
        total += row_sum(<const real *> s.y + r * s.y_row, s.output.width)
    s.workspace.activity_penalty += s.operation.reals[FACTOR] * total / s.workspace.batch_size


cdef inline void added_loss_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """da (+)= factor / n"""
    cdef real *da = <real *> s.dy
    cdef Py_ssize_t r, c
    cdef real share
    if s.workspace.batch_size == 0 or da == NULL:
        return
    clear_unless_written(s, da)
    share = <real> (s.operation.reals[FACTOR] / s.workspace.batch_size)
    for r in range(s.n_rows):
        for c in range(s.output.width):
            da[r * s.y_row + c] += share
