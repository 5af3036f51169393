# Several buffers into one: elementwise, side by side, and products of rows. Floor 1.
# An input with one row a sample or one column is repeated where the output has more.

from libc.string cimport memset

from activations cimport add_rows, copy_rows
from plan cimport ADD, AVERAGE, MAXIMUM, MINIMUM, MULTIPLY, SUBTRACT, Buffer, Operation, Plan, Workspace
from simd cimport real


cdef inline const real *merged_row(const Plan *plan, const Operation *operation, const Workspace *workspace, int i,
                                   Py_ssize_t row, const real *typed) noexcept nogil:
    """The row of input i that meets row `row` of the output; `typed` only says which type."""
    cdef int source = operation.inputs[i]
    if plan.buffers[source].rows != plan.buffers[operation.output].rows:
        row //= plan.buffers[operation.output].rows
    return <const real *> workspace.values[source] + row * workspace.strides[source]


cdef inline Py_ssize_t merged_step(const Plan *plan, const Operation *operation, int i) noexcept nogil:
    """From one column of input i to the next: 0 where its only column is repeated."""
    return 1 if plan.buffers[operation.inputs[i]].width == plan.buffers[operation.output].width else 0


cdef inline void merge_into(real *y, const real *x, Py_ssize_t n, Py_ssize_t step, int kind) noexcept nogil:
    """y = y . x, with . the operation"""
    cdef Py_ssize_t c
    if kind == ADD or kind == AVERAGE:
        for c in range(n):
            y[c] += x[c * step]
    elif kind == SUBTRACT:
        for c in range(n):
            y[c] -= x[c * step]
    elif kind == MULTIPLY:
        for c in range(n):
            y[c] *= x[c * step]
    elif kind == MAXIMUM:
        for c in range(n):
            y[c] = x[c * step] if x[c * step] > y[c] else y[c]
    else:
        for c in range(n):
            y[c] = x[c * step] if x[c * step] < y[c] else y[c]


cdef inline void merge_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y = x_0 . x_1 . x_2 ..., with . one of +, -, *, max, min; or the mean"""
    cdef const Operation *operation = &plan.operations[index]
    cdef Py_ssize_t width = plan.buffers[operation.output].width, r, c, step
    cdef Py_ssize_t y_row = workspace.strides[operation.output]
    cdef const real *x
    cdef real *y
    cdef int i
    for r in range(workspace.n * plan.buffers[operation.output].rows):
        y = <real *> workspace.values[operation.output] + r * y_row
        x, step = merged_row(plan, operation, workspace, 0, r, y), merged_step(plan, operation, 0)
        for c in range(width):
            y[c] = x[c * step]
        for i in range(1, operation.n_inputs):
            merge_into(y, merged_row(plan, operation, workspace, i, r, y), width, merged_step(plan, operation, i),
                       operation.kind)
        if operation.kind == AVERAGE:
            for c in range(width):
                y[c] /= operation.n_inputs


cdef inline void share_among_equals(real *g, const Plan *plan, const Operation *operation, const Workspace *workspace,
                                    Py_ssize_t row, int i) noexcept nogil:
    """g /= number of inputs that are the extremum; 0 where input i is not one of them"""
    cdef const real *y = (<const real *> workspace.values[operation.output]
                          + row * workspace.strides[operation.output])
    cdef const real *x = merged_row(plan, operation, workspace, i, row, y)
    cdef Py_ssize_t step = merged_step(plan, operation, i), c
    cdef int j, equal
    for c in range(plan.buffers[operation.output].width):
        if x[c * step] != y[c]:
            g[c] = 0
            continue
        equal = 0
        for j in range(operation.n_inputs):
            equal += (merged_row(plan, operation, workspace, j, row, y)[c * merged_step(plan, operation, j)] == y[c])
        g[c] /= equal


cdef inline void merge_row_gradient(real *g, const Plan *plan, const Operation *operation, const Workspace *workspace,
                                    Py_ssize_t row, int i) noexcept nogil:
    """g = dJ/dx_i for one row of the output, before repeated rows and columns are summed"""
    cdef const real *dy = (<const real *> workspace.deltas[operation.output]
                           + row * workspace.strides[operation.output])
    cdef Py_ssize_t width = plan.buffers[operation.output].width, c
    cdef real factor = 1
    cdef int j
    if operation.kind == AVERAGE:
        factor = <real> (1.0 / operation.n_inputs)
    elif operation.kind == SUBTRACT and i > 0:
        factor = -1
    for c in range(width):
        g[c] = factor * dy[c]
    if operation.kind == MULTIPLY:
        for j in range(operation.n_inputs):
            if j != i:
                merge_into(g, merged_row(plan, operation, workspace, j, row, dy), width,
                           merged_step(plan, operation, j), MULTIPLY)
    elif operation.kind == MAXIMUM or operation.kind == MINIMUM:
        share_among_equals(g, plan, operation, workspace, row, i)


cdef inline void merge_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """dx_i (+)= dy d(y)/d(x_i), summed over what repeats x_i; equal maxima or minima share dy among them"""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *output = &plan.buffers[operation.output]
    cdef real *g = <real *> workspace.scratch[index]
    cdef Py_ssize_t r, c, x_row, target, step
    cdef real *dx
    cdef double total
    cdef int i, source
    for i in range(operation.n_inputs):
        source = operation.inputs[i]
        if workspace.deltas[source] == NULL:
            continue
        x_row, step = workspace.strides[source], merged_step(plan, operation, i)
        if not workspace.delta_written[source]:
            memset(workspace.deltas[source], 0, workspace.n * plan.buffers[source].rows * x_row * sizeof(real))
            workspace.delta_written[source] = True
        for r in range(workspace.n * output.rows):
            target = r if plan.buffers[source].rows == output.rows else r // output.rows
            dx = <real *> workspace.deltas[source] + target * x_row
            merge_row_gradient(g, plan, operation, workspace, r, i)
            if step == 1:
                for c in range(output.width):
                    dx[c] += g[c]
            else:
                total = 0
                for c in range(output.width):
                    total += g[c]
                dx[0] += <real> total


# Side by side. integers: 0 to join columns; else how many stretches of rows a sample has, each of which takes the
# rows of every input in turn.

cdef inline void join(const Plan *plan, int index, Workspace *workspace, real **typed, bint backwards) noexcept nogil:
    """y = [x_0, x_1, ...] along columns or rows; backwards: dx_i (+)= its part of dy"""
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *output = &plan.buffers[operation.output]
    cdef Py_ssize_t stretches = max(operation.integers[0], <Py_ssize_t> 1), stretch, rows, place = 0, step, width
    cdef Py_ssize_t y_row = workspace.strides[operation.output], x_row
    cdef bint by_columns = operation.integers[0] == 0
    cdef real *y = <real *> (workspace.deltas if backwards else workspace.values)[operation.output]
    cdef real *x
    cdef real *part
    cdef int i, source
    for i in range(operation.n_inputs):
        source = operation.inputs[i]
        x, x_row = <real *> (workspace.deltas if backwards else workspace.values)[source], workspace.strides[source]
        rows, width = plan.buffers[source].rows // stretches, plan.buffers[source].width
        step = y_row * (output.rows // stretches)
        for stretch in range(workspace.n * stretches if x != NULL else 0):
            part = y + stretch * step + (place if by_columns else place * y_row)
            if not backwards:
                copy_rows(part, x + stretch * rows * x_row, rows, width, y_row, x_row)
            elif workspace.delta_written[source]:
                add_rows(x + stretch * rows * x_row, part, rows, width, x_row, y_row)
            else:
                copy_rows(x + stretch * rows * x_row, part, rows, width, x_row, y_row)
        if backwards and x != NULL:
            workspace.delta_written[source] = True
        place += width if by_columns else rows


cdef inline void concatenate_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    join(plan, index, workspace, tensors, False)


cdef inline void concatenate_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    join(plan, index, workspace, tensors, True)


# Products of rows.

cdef inline void dot_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y[i, j] = u[i] . v[j] for the rows u of the first input and v of the second, sample by sample"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int first = operation.inputs[0], second = operation.inputs[1]
    cdef Py_ssize_t n_u = plan.buffers[first].rows, n_v = plan.buffers[second].rows, sample, i, j, c
    cdef const real *u
    cdef const real *v
    cdef real *y
    cdef double total
    for sample in range(workspace.n):
        for i in range(n_u):
            u = <const real *> workspace.values[first] + (sample * n_u + i) * workspace.strides[first]
            y = <real *> workspace.values[operation.output] + (sample * n_u + i) * workspace.strides[operation.output]
            for j in range(n_v):
                v = <const real *> workspace.values[second] + (sample * n_v + j) * workspace.strides[second]
                total = 0
                for c in range(plan.buffers[first].width):
                    total += <double> u[c] * v[c]
                y[j] = <real> total


cdef inline void dot_input_backward(const Plan *plan, int index, Workspace *workspace, real **typed,
                                    int which) noexcept nogil:
    """du[i] (+)= sum over j of dy[i, j] v[j]; for the second input dv[j] (+)= sum over i of dy[i, j] u[i]"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[which], other = operation.inputs[1 - which]
    cdef Py_ssize_t n_own = plan.buffers[source].rows, n_other = plan.buffers[other].rows, sample, i, j, c
    cdef Py_ssize_t width = plan.buffers[source].width, y_row = workspace.strides[operation.output]
    cdef const real *dy
    cdef const real *v
    cdef real *du
    cdef real d
    if workspace.deltas[source] == NULL:
        return
    if not workspace.delta_written[source]:
        memset(workspace.deltas[source], 0, workspace.n * n_own * workspace.strides[source] * sizeof(real))
        workspace.delta_written[source] = True
    for sample in range(workspace.n):
        for i in range(n_own):
            du = <real *> workspace.deltas[source] + (sample * n_own + i) * workspace.strides[source]
            for j in range(n_other):
                v = <const real *> workspace.values[other] + (sample * n_other + j) * workspace.strides[other]
                dy = <const real *> workspace.deltas[operation.output]
                d = (dy[(sample * n_own + i) * y_row + j] if which == 0
                     else dy[(sample * n_other + j) * y_row + i])
                for c in range(width):
                    du[c] += d * v[c]


cdef inline void dot_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    dot_input_backward(plan, index, workspace, tensors, 0)
    dot_input_backward(plan, index, workspace, tensors, 1)
