# An activation of which a column may keep as much as it likes: the factor alpha is learnt. Floor 1.

from activations cimport activate_rows
from plan cimport Buffer, Operation, Plan, Workspace
from simd cimport activation_backward, real


cdef inline void parametric_activation_forward(const Plan *plan, int index, Workspace *workspace,
                                               real **tensors) noexcept nogil:
    """y (n, width) = x + alpha (g(x) - x), alpha (width); g(x) stays in the scratch memory"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], _r, c
    cdef const real *alpha = tensors[operation.tensors[0]]
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *g = <real *> workspace.scratch[index]
    cdef real *y = <real *> workspace.values[operation.output]
    activate_rows(operation.activation, operation.activation_parameters, g, x, n_rows, input.width, row, row)
    for _r in range(n_rows):
        for c in range(input.width):
            y[c] = x[c] + alpha[c] * (g[c] - x[c])
        x += row
        g += row
        y += y_row


cdef inline void parametric_activation_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                                real **gradients) noexcept nogil:
    """dx (+)= dy (1 - alpha) + alpha dy g'(x);  dalpha (+)= sum of dy (g(x) - x) over rows"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], factors = operation.tensors[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, width = input.width, row = workspace.strides[source]
    cdef Py_ssize_t dy_row = workspace.strides[operation.output], _r, c
    cdef const real *alpha = tensors[factors]
    cdef const real *x = <const real *> workspace.values[source]
    cdef const real *g = <const real *> workspace.scratch[index]
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef real *through = <real *> workspace.scratch[index] + n_rows * row  # alpha dy g'(x) of one row
    cdef real *dx = <real *> workspace.deltas[source]
    cdef real *dalpha = gradients[factors]
    cdef bint adds = workspace.delta_written[source]
    cdef real p[3]
    for c in range(3):
        p[c] = <real> operation.activation_parameters[c]
    if dalpha != NULL and not workspace.tensor_written[factors]:
        for c in range(width):
            dalpha[c] = 0
    for _r in range(n_rows):
        if dalpha != NULL:
            for c in range(width):
                dalpha[c] += dy[c] * (g[c] - x[c])
        if dx != NULL:
            for c in range(width):
                through[c] = alpha[c] * dy[c]
            activation_backward(through, through, x, g, width, operation.activation, p)
            for c in range(width):
                dx[c] = dy[c] - alpha[c] * dy[c] + through[c] + (dx[c] if adds else 0)
            dx += row
        x += row
        g += row
        dy += dy_row
    if dalpha != NULL:
        workspace.tensor_written[factors] = True
    if dx != NULL:
        workspace.delta_written[source] = True
