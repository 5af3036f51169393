# Rows of a table, looked up by number. Floor 1.
# Numbers arrive as the network's floats: they are whole, and exact up to 2^24 in float32, which Python sees to.

from libc.string cimport memcpy, memset

from plan cimport Buffer, Operation, Plan, Workspace
from simd cimport add_scaled, real


cdef inline Py_ssize_t row_number(real number, Py_ssize_t limit) noexcept nogil:
    """The number as an index, -1 if it is none of 0 .. limit - 1; NaN is none."""
    return <Py_ssize_t> number if number >= 0 and number < limit else -1


cdef inline real *numbers_row(const Plan *plan, int index, const Workspace *workspace, Py_ssize_t row,
                              real **typed) noexcept nogil:
    cdef int source = plan.operations[index].inputs[0]
    return <real *> workspace.values[source] + row * workspace.strides[source]


cdef inline void embedding_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y[i] = w[x[i]]: one row of y for every element of x"""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *input = &plan.buffers[operation.inputs[0]]
    cdef Py_ssize_t width = plan.buffers[operation.output].width, r, c, number
    cdef const real *w = tensors[operation.tensors[0]]
    cdef real *y = <real *> workspace.values[operation.output]
    for r in range(workspace.n * input.rows):
        for c in range(input.width):
            number = row_number(numbers_row(plan, index, workspace, r, tensors)[c], operation.integers[0])
            if number >= 0:
                memcpy(y, w + number * width, width * sizeof(real))
            else:
                memset(y, 0, width * sizeof(real))
                workspace.failed, workspace.out_of_range = True, index + 1
            y += workspace.strides[operation.output]


cdef inline void embedding_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                    real **gradients) noexcept nogil:
    """dw[x[i]] (+)= dy[i], in the order of i"""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *input = &plan.buffers[operation.inputs[0]]
    cdef Py_ssize_t width = plan.buffers[operation.output].width, r, c, number
    cdef int table = operation.tensors[0]
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    if gradients[table] == NULL:
        return
    if not workspace.tensor_written[table]:
        memset(gradients[table], 0, operation.integers[0] * width * sizeof(real))
        workspace.tensor_written[table] = True
    for r in range(workspace.n * input.rows):
        for c in range(input.width):
            number = row_number(numbers_row(plan, index, workspace, r, tensors)[c], operation.integers[0])
            if number >= 0:
                add_scaled(gradients[table] + number * width, dy, width, <real> 1)
            dy += workspace.strides[operation.output]
