# The same numbers of a sample in another shape or another order. Floor 1.

from activations cimport add_rows, copy_rows
from plan cimport MAX_RANK, Buffer, Operation, Plan, Workspace
from simd cimport real


cdef inline void copy_reshaped(real *y, const real *x, Py_ssize_t n, const Buffer *output, const Buffer *input,
                               Py_ssize_t y_row, Py_ssize_t x_row, bint add) noexcept nogil:
    """The same elements a sample, cut into rows of another width."""
    cdef Py_ssize_t sample, i, x_left, y_left, count
    if input.width == output.width:
        if add:
            add_rows(y, x, n * input.rows, input.width, y_row, x_row)
        else:
            copy_rows(y, x, n * input.rows, input.width, y_row, x_row)
        return
    for sample in range(n * input.rows * input.width // max(input.rows * input.width, <Py_ssize_t> 1)):
        i = 0
        while i < input.rows * input.width:
            # As far as both rows go.
            x_left, y_left = input.width - i % input.width, output.width - i % output.width
            count = min(x_left, y_left)
            if add:
                add_rows(y + (sample * output.rows + i // output.width) * y_row + i % output.width,
                         x + (sample * input.rows + i // input.width) * x_row + i % input.width, 1, count, 0, 0)
            else:
                copy_rows(y + (sample * output.rows + i // output.width) * y_row + i % output.width,
                          x + (sample * input.rows + i // input.width) * x_row + i % input.width, 1, count, 0, 0)
            i += count


cdef inline void reshape_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    cdef int source = plan.operations[index].inputs[0], output = plan.operations[index].output
    copy_reshaped(<real *> workspace.values[output], <const real *> workspace.values[source], workspace.n,
                  &plan.buffers[output], &plan.buffers[source], workspace.strides[output], workspace.strides[source],
                  False)


cdef inline void reshape_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    cdef int source = plan.operations[index].inputs[0], output = plan.operations[index].output
    if workspace.deltas[source] == NULL:
        return
    copy_reshaped(<real *> workspace.deltas[source], <const real *> workspace.deltas[output], workspace.n,
                  &plan.buffers[source], &plan.buffers[output], workspace.strides[source], workspace.strides[output],
                  workspace.delta_written[source])
    workspace.delta_written[source] = True


# Axes in another order. integers: the rank, the input's shape, then for each axis of the output the input's axis.

cdef inline void axis_strides(Py_ssize_t *strides, const Py_ssize_t *shape, int rank, Py_ssize_t row) noexcept nogil:
    """How far apart neighbours along each axis stand in a buffer whose rows are `row` elements apart."""
    cdef int axis
    strides[rank - 1] = 1
    if rank > 1:
        strides[rank - 2] = row
    for axis in range(rank - 3, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]


cdef inline void copy_permuted(real *y, const real *x, const Operation *operation, Py_ssize_t y_row, Py_ssize_t x_row,
                               bint backwards, bint add) noexcept nogil:
    """y[i_p(0), i_p(1), ...] = x[i_0, i_1, ...] for one sample; backwards: x (+)= y, both called what they are there"""
    cdef int rank = <int> operation.integers[0], axis
    cdef const Py_ssize_t *shape = &operation.integers[1]
    cdef const Py_ssize_t *order = &operation.integers[1 + rank]
    cdef Py_ssize_t[MAX_RANK] x_strides, y_strides, y_shape, place
    cdef Py_ssize_t x_at = 0, y_at = 0
    for axis in range(rank):
        y_shape[axis] = shape[order[axis]]
        place[axis] = 0
    axis_strides(x_strides, shape, rank, x_row)
    axis_strides(y_strides, y_shape, rank, y_row)
    while True:
        if not backwards:
            y[y_at] = x[x_at]
        elif add:
            y[x_at] += x[y_at]
        else:
            y[x_at] = x[y_at]
        axis = rank - 1
        while axis >= 0:
            place[axis] += 1
            x_at += x_strides[order[axis]]
            y_at += y_strides[axis]
            if place[axis] < y_shape[axis]:
                break
            x_at -= y_shape[axis] * x_strides[order[axis]]
            y_at -= y_shape[axis] * y_strides[axis]
            place[axis] = 0
            axis -= 1
        if axis < 0:
            return


cdef inline void permute_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y = x with its axes in another order"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], output = operation.output
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[output], sample
    for sample in range(workspace.n):
        copy_permuted(<real *> workspace.values[output] + sample * plan.buffers[output].rows * y_row,
                      <const real *> workspace.values[source] + sample * plan.buffers[source].rows * x_row, operation,
                      y_row, x_row, False, False)


cdef inline void permute_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """dx (+)= dy with its axes in the input's order"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], output = operation.output
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[output], sample
    if workspace.deltas[source] == NULL:
        return
    for sample in range(workspace.n):
        copy_permuted(<real *> workspace.deltas[source] + sample * plan.buffers[source].rows * x_row,
                      <const real *> workspace.deltas[output] + sample * plan.buffers[output].rows * y_row, operation,
                      y_row, x_row, True, workspace.delta_written[source])
    workspace.delta_written[source] = True
