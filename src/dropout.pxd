# Dropout: inverted, so that inference passes everything through unchanged. Floor 1.

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from plan cimport Buffer, Operation, Plan, TRAINING, Workspace
from random cimport dropout_mask
from simd cimport real


cdef inline void dropout_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y = x * mask, mask = 0 with probability `rate`, else 1 / (1 - rate)"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], r, c
    cdef Py_ssize_t n_rows = workspace.n * input.rows
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    cdef real *mask = <real *> workspace.scratch[index]
    cdef double rate = operation.reals[0]
    if workspace.mode < TRAINING or rate == 0:
        for r in range(n_rows):
            memcpy(y + r * y_row, x + r * x_row, width * sizeof(real))
        return
    # Elements are numbered within the batch, so that blocks and threads draw what one sweep would.
    dropout_mask(mask, n_rows * width, workspace.first * input.rows * width, rate, <real> (1 / (1 - rate)),
                 workspace.seed + <uint64_t> operation.integers[0], workspace.step)
    for r in range(n_rows):
        for c in range(width):
            y[r * y_row + c] = x[r * x_row + c] * mask[r * width + c]


cdef inline void dropout_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """dx (+)= dy * mask"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], r, c
    cdef Py_ssize_t n_rows = workspace.n * input.rows
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef const real *mask = <const real *> workspace.scratch[index]
    cdef real *dx = <real *> workspace.deltas[source]
    cdef bint drops = workspace.mode >= TRAINING and operation.reals[0] != 0
    cdef real kept, keep = <real> (1 if workspace.delta_written[source] else 0)
    if dx == NULL:
        return
    for r in range(n_rows):
        for c in range(width):
            kept = dy[r * y_row + c] * (mask[r * width + c] if drops else 1)
            dx[r * x_row + c] = kept + (dx[r * x_row + c] if keep != 0 else 0)
    workspace.delta_written[source] = True
