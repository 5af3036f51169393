# A learnable factor for every feature: the front layer of networks for tables. Floor 1.

from plan cimport Buffer, Operation, Plan, Workspace
from simd cimport real


cdef inline void scale_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y (n, width) = x * s, s (width)"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], _r, c
    cdef const real *s = tensors[operation.tensors[0]]
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    for _r in range(workspace.n * input.rows):
        for c in range(width):
            y[c] = x[c] * s[c]
        x += x_row
        y += y_row


cdef inline void scale_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                real **gradients) noexcept nogil:
    """ds (+)= sum of dy * x over rows;  dx (+)= dy * s"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], tensor = operation.tensors[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t dy_row = workspace.strides[operation.output], r, c
    cdef Py_ssize_t n_rows = workspace.n * input.rows
    cdef const real *s = tensors[tensor]
    cdef const real *x = <const real *> workspace.values[source]
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef real *dx = <real *> workspace.deltas[source]
    cdef real *ds = gradients[tensor]
    if ds != NULL:
        if not workspace.tensor_written[tensor]:
            for c in range(width):
                ds[c] = 0
        for r in range(n_rows):
            for c in range(width):
                ds[c] += dy[r * dy_row + c] * x[r * x_row + c]
        workspace.tensor_written[tensor] = True
    if dx == NULL:
        return
    for r in range(n_rows):
        for c in range(width):
            if workspace.delta_written[source]:
                dx[r * x_row + c] += dy[r * dy_row + c] * s[c]
            else:
                dx[r * x_row + c] = dy[r * dy_row + c] * s[c]
    workspace.delta_written[source] = True
