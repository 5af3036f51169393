# Layers that draw random numbers in training and, unless told otherwise, pass everything through unchanged in
# inference. Floor 1.
# Elements are numbered within the batch, so that blocks and threads draw what one sweep would.

from libc.stdint cimport uint64_t

from activations cimport copy_rows
from plan cimport (ALPHA_DROPOUT, DROPOUT, GAUSSIAN_DROPOUT, GAUSSIAN_NOISE, Buffer, Operation, Plan, TRAINING,
                   Workspace)
from random cimport dropout_mask, normal_numbers
from simd cimport real

# Numbers of an operation.
cdef enum:
    STRENGTH       # reals: the rate, or the standard deviation
    FACTOR         # of what alpha dropout keeps
    SHIFT          # added to it
    DROPPED        # what alpha dropout writes for what it does not keep
    STREAM = 0     # integers
    HAS_SEED       # whether the stream is the layer's own, whatever the model's seed
    ALWAYS         # whether it draws in inference, too


cdef inline bint is_drawing(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return operation.reals[STRENGTH] != 0 and (operation.integers[ALWAYS]
                                               or workspace.mode >= TRAINING and workspace.live)


cdef inline void draw(real *factors, const Operation *operation, const Workspace *workspace, Py_ssize_t n,
                      Py_ssize_t first) noexcept nogil:
    """factors (n): 0 or the factor of what is kept; 1 + s N(0, 1); or s N(0, 1)"""
    cdef uint64_t seed = <uint64_t> operation.integers[STREAM] + (0 if operation.integers[HAS_SEED] else workspace.seed)
    cdef uint64_t step = workspace.step + (workspace.first_draw if operation.integers[HAS_SEED] else 0)
    cdef double strength = operation.reals[STRENGTH]
    cdef real offset = 1 if operation.kind == GAUSSIAN_DROPOUT else 0
    cdef Py_ssize_t i
    if operation.kind == DROPOUT:
        dropout_mask(factors, n, first, strength, <real> (1 / (1 - strength)), seed, step)
    elif operation.kind == ALPHA_DROPOUT:
        dropout_mask(factors, n, first, strength, <real> operation.reals[FACTOR], seed, step)
    else:
        normal_numbers(factors, n, first, seed, step)
        for i in range(n):
            factors[i] = offset + <real> strength * factors[i]


cdef inline void noise_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y = x f: dropout, f = 0 with probability `rate`, else 1 / (1 - rate); Gaussian dropout, f = 1 + s N(0, 1)

    y = x + s N(0, 1): Gaussian noise. Alpha dropout: y = factor x + shift, or with probability `rate` the constant.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], r, c
    cdef Py_ssize_t n_rows = workspace.n * input.rows
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    cdef real *factors = <real *> workspace.scratch[index]
    cdef const real *f
    cdef real shift = <real> operation.reals[SHIFT], dropped = <real> operation.reals[DROPPED]
    if not is_drawing(operation, workspace):
        copy_rows(y, x, n_rows, width, y_row, x_row)
        return
    draw(factors, operation, workspace, n_rows * width, workspace.first * input.rows * width)
    for r in range(n_rows):
        f = factors + r * width
        if operation.kind == GAUSSIAN_NOISE:
            for c in range(width):
                y[r * y_row + c] = x[r * x_row + c] + f[c]
        elif operation.kind == ALPHA_DROPOUT:
            for c in range(width):
                y[r * y_row + c] = x[r * x_row + c] * f[c] + shift if f[c] != 0 else dropped
        else:
            for c in range(width):
                y[r * y_row + c] = x[r * x_row + c] * f[c]


cdef inline void noise_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """dx (+)= dy f; Gaussian noise: dx (+)= dy"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t width = input.width, x_row = workspace.strides[source]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], r, c
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef const real *factors = <const real *> workspace.scratch[index]
    cdef real *dx = <real *> workspace.deltas[source]
    cdef bint scales = is_drawing(operation, workspace) and operation.kind != GAUSSIAN_NOISE
    cdef bint add = workspace.delta_written[source]
    cdef real factor = 1
    if dx == NULL:
        return
    for r in range(workspace.n * input.rows):
        for c in range(width):
            if scales:
                factor = factors[r * width + c]
            dx[r * x_row + c] = dy[r * y_row + c] * factor + (dx[r * x_row + c] if add else 0)
    workspace.delta_written[source] = True
