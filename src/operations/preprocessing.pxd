# What prepares numbers and categories inside a network: scaling by known statistics, bins, indicators. Floor 1.

from libc.math cimport sqrt
from libc.string cimport memset

from embedding cimport row_number
from plan cimport DISCRETIZE, ENCODE, RESCALE, STANDARDIZE, Buffer, Operation, Plan, Workspace
from simd cimport real

cdef extern from *:
    """
    static const double SMALLEST_DEVIATION = 1e-7; /* Keras's: nothing is divided by less */
    """
    const double SMALLEST_DEVIATION

cdef enum EncodingMode:
    INDICATORS   # 1 where a number occurs
    COUNTS       # how often it occurs


cdef inline double column_of(const real *values, Py_ssize_t size, Py_ssize_t c) noexcept nogil:
    """Element c of a tensor that has one element for each column, or one for all."""
    return values[c if size > 1 else 0]


cdef inline double scaling_factor(const Operation *operation, real **tensors, Py_ssize_t c) noexcept nogil:
    """dy/dx of a column. integers: sizes of the two tensors, whether the scaling is undone."""
    cdef double deviation
    if operation.kind == RESCALE:
        return column_of(tensors[operation.tensors[0]], operation.integers[0], c)
    deviation = max(sqrt(column_of(tensors[operation.tensors[1]], operation.integers[1], c)), SMALLEST_DEVIATION)
    return deviation if operation.integers[2] else 1 / deviation


cdef inline void scaling_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """Rescale: y = x scale + offset. Standardize: y = (x - mean) / s, s = max(deviation, 1e-7); undone: x s + mean"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output], r, c
    cdef double factor, before, after
    for c in range(input.width):
        factor, before, after = scaling_factor(operation, tensors, c), 0, 0
        if operation.kind == RESCALE:
            after = column_of(tensors[operation.tensors[1]], operation.integers[1], c)
        elif operation.integers[2]:
            after = column_of(tensors[operation.tensors[0]], operation.integers[0], c)
        else:
            before = column_of(tensors[operation.tensors[0]], operation.integers[0], c)
        for r in range(workspace.n * input.rows):
            y[r * y_row + c] = <real> ((x[r * x_row + c] - before) * factor + after)


cdef inline void scaling_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """dx (+)= dy times the column's factor"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef real *dx = <real *> workspace.deltas[source]
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output], r, c
    cdef bint add = workspace.delta_written[source]
    cdef double factor
    if dx == NULL:
        return
    for c in range(plan.buffers[source].width):
        factor = scaling_factor(operation, tensors, c)
        for r in range(workspace.n * plan.buffers[source].rows):
            dx[r * x_row + c] = <real> (dy[r * y_row + c] * factor + (dx[r * x_row + c] if add else 0))
    workspace.delta_written[source] = True


cdef inline void encode_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y[t] = 1 if t is among the row's numbers, else 0; or how often it is

    integers: the mode, and how many numbers make one row of y.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_tokens = plan.buffers[operation.output].width, together = operation.integers[1], r, c, number
    cdef Py_ssize_t y_row = workspace.strides[operation.output]
    cdef const real *x
    cdef real *y = <real *> workspace.values[operation.output]
    for r in range(workspace.n * input.rows):
        x = <const real *> workspace.values[source] + r * workspace.strides[source]
        for c in range(input.width):
            if c % together == 0:
                memset(y, 0, n_tokens * sizeof(real))
            number = row_number(x[c], n_tokens)
            if number < 0:
                workspace.failed, workspace.out_of_range = True, index + 1
            elif operation.integers[0] == COUNTS:
                y[number] += 1
            else:
                y[number] = 1
            if c % together == together - 1:
                y += y_row


cdef inline void discretize_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y = number of boundaries that are not above x; the boundaries ascend. integers: their number."""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef const real *boundaries = tensors[operation.tensors[0]]
    cdef Py_ssize_t r, c, low, high, middle
    cdef real x
    for r in range(workspace.n * input.rows):
        for c in range(input.width):
            x = (<const real *> workspace.values[source])[r * workspace.strides[source] + c]
            low, high = 0, operation.integers[0]
            while low < high:
                middle = (low + high) // 2
                if boundaries[middle] <= x:
                    low = middle + 1
                else:
                    high = middle
            (<real *> workspace.values[operation.output])[r * workspace.strides[operation.output] + c] = <real> low
