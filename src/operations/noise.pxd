# Layers that draw random numbers in training and, unless told otherwise, pass everything through unchanged in
# inference. Floor 1.
# Elements are numbered within the batch, so that blocks and threads draw what one sweep would.

from libc.stdint cimport uint64_t

from plan cimport (ALPHA_DROPOUT, DROPOUT, GAUSSIAN_DROPOUT, GAUSSIAN_NOISE, Operation, Sizes, Step, Workspace,
                   is_training)
from random cimport dropout_mask, normal_numbers
from rows cimport copy_rows
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


cdef inline void noise_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """A factor, or a term, for every element"""
    operation.scratch = s.output.rows * s.output.width


cdef inline bint is_drawing(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return operation.reals[STRENGTH] != 0 and (operation.integers[ALWAYS]
                                               or is_training(workspace) and workspace.live)


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


cdef inline void noise_forward(const Step *s, real **tensors) noexcept nogil:
    """y = x f: dropout, f = 0 with probability `rate`, else 1 / (1 - rate); Gaussian dropout, f = 1 + s N(0, 1)

    y = x + s N(0, 1): Gaussian noise. Alpha dropout: y = factor x + shift, or with probability `rate` the constant.
    """
    cdef const Operation *operation = s.operation
    cdef Py_ssize_t width = s.input.width, _r, c
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef real *f = <real *> s.scratch
    cdef real shift = <real> operation.reals[SHIFT], dropped = <real> operation.reals[DROPPED]
    if not is_drawing(operation, s.workspace):
        copy_rows(y, x, s.n_rows, width, s.y_row, s.x_row)
        return
    draw(f, operation, s.workspace, s.n_rows * width, s.workspace.first * s.input.rows * width)
    for _r in range(s.n_rows):
        if operation.kind == GAUSSIAN_NOISE:
            for c in range(width):
                y[c] = x[c] + f[c]
        elif operation.kind == ALPHA_DROPOUT:
            for c in range(width):
                y[c] = x[c] * f[c] + shift if f[c] != 0 else dropped
        else:
            for c in range(width):
                y[c] = x[c] * f[c]
        x += s.x_row
        y += s.y_row
        f += width


cdef inline void noise_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy f; Gaussian noise: dx (+)= dy"""
    cdef Py_ssize_t width = s.input.width, r, c
    cdef const real *dy = <const real *> s.dy
    cdef const real *f = <const real *> s.scratch
    cdef real *dx = <real *> s.dx
    cdef bint scales = is_drawing(s.operation, s.workspace) and s.operation.kind != GAUSSIAN_NOISE
    cdef real factor = 1
    if dx == NULL:
        return
    for r in range(s.n_rows):
        for c in range(width):
            if scales:
                factor = f[r * width + c]
            dx[c] = dy[c] * factor + (dx[c] if s.adds_dx else 0)
        dx += s.x_row
        dy += s.y_row
