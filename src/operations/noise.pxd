# Layers that draw random numbers in training and, unless told otherwise, pass everything through unchanged in
# inference. Floor 1.
# Elements are numbered within the batch, so that blocks and threads draw what one sweep would.

from libc.stdint cimport uint64_t

from plan cimport (ALPHA_DROPOUT, DROPOUT, GAUSSIAN_DROPOUT, GAUSSIAN_NOISE, MAX_INTEGERS, Operation, Sizes, Step,
                   Workspace, is_training)
from random cimport dropout_mask, normal_numbers
from rows cimport copy_rows
from simd cimport real
from step cimport same_shape

# Numbers of an operation.
cdef enum:
    STRENGTH       # reals: the rate, or the standard deviation
    FACTOR         # of what alpha dropout keeps
    SHIFT          # added to it
    DROPPED        # what alpha dropout writes for what it does not keep
    STREAM = 0     # integers
    HAS_SEED       # whether the stream is the layer's own, whatever the model's seed
    ALWAYS         # whether it draws in inference, too
    ONE_SAMPLE     # whether all samples of a batch have one mask
    RUN_COUNT      # 0 where every element of a sample is drawn by itself
    RUNS           # sizes whose product is a sample's: along every other one, from the second on, the mask is repeated


cdef inline bint noise_fits(const Sizes *s) noexcept nogil:
    """The output like the input; the sizes along which a mask repeats itself are those of a sample"""
    cdef Py_ssize_t size = 1, n_runs = s.operation.integers[RUN_COUNT]
    cdef int i
    if not 0 <= n_runs <= MAX_INTEGERS - RUNS:
        return False
    for i in range(<int> n_runs):
        if not 0 < s.operation.integers[RUNS + i] <= s.input.rows * s.input.width:
            return False
        size *= s.operation.integers[RUNS + i]
    return same_shape(s) and (s.operation.integers[RUN_COUNT] == 0 or size == s.input.rows * s.input.width)


cdef inline void noise_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """A factor, or a term, for every element"""
    operation.scratch = s.output.rows * s.output.width


cdef inline bint is_drawing(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return operation.reals[STRENGTH] != 0 and (operation.integers[ALWAYS]
                                               or is_training(workspace) and workspace.live)


cdef inline uint64_t seed_of(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return <uint64_t> operation.integers[STREAM] + (0 if operation.integers[HAS_SEED] else workspace.seed)


cdef inline uint64_t step_of(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return workspace.step + (workspace.first_draw if operation.integers[HAS_SEED] else 0)


cdef inline void draw(real *factors, const Operation *operation, const Workspace *workspace, Py_ssize_t n,
                      Py_ssize_t first) noexcept nogil:
    """factors (n): 0 or the factor of what is kept; 1 + s N(0, 1); or s N(0, 1)"""
    cdef uint64_t seed = seed_of(operation, workspace), step = step_of(operation, workspace)
    cdef double strength = operation.reals[STRENGTH]
    cdef real offset = 1 if operation.kind == GAUSSIAN_DROPOUT else 0
    cdef Py_ssize_t i
    if operation.kind == DROPOUT:
        dropout_mask(factors, n, first, strength, <real> (1 / (1 - strength) if strength < 1 else 0), seed, step)
    elif operation.kind == ALPHA_DROPOUT:
        dropout_mask(factors, n, first, strength, <real> operation.reals[FACTOR], seed, step)
    else:
        normal_numbers(factors, n, first, seed, step)
        for i in range(n):
            factors[i] = offset + <real> strength * factors[i]


cdef inline Py_ssize_t place_in_mask(const Operation *operation, Py_ssize_t element) noexcept nogil:
    """Never behind the element's own place."""
    cdef Py_ssize_t place = 0, factor = 1, size
    cdef int i
    for i in range(<int> operation.integers[RUN_COUNT] - 1, -1, -1):
        size = operation.integers[RUNS + i]
        if i % 2 == 0:
            place += element % size * factor
            factor *= size
        element //= size
    return place


cdef inline void draw_shared(real *factors, const Operation *operation, const Workspace *workspace,
                             Py_ssize_t n_samples, Py_ssize_t size) noexcept nogil:
    """factors (n_samples, size): masks of fewer elements, repeated along some axes

    They are drawn to the front and spread from the back, so that none is overwritten before it is read.
    """
    cdef Py_ssize_t mask_size = place_in_mask(operation, size - 1) + 1, s, e
    cdef bint one = operation.integers[ONE_SAMPLE] != 0
    draw(factors, operation, workspace, mask_size * (1 if one else n_samples),
         0 if one else workspace.first * mask_size)
    for s in range(n_samples - 1, -1, -1):
        for e in range(size - 1, -1, -1):
            factors[s * size + e] = factors[(0 if one else s * mask_size) + place_in_mask(operation, e)]


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
    if operation.integers[RUN_COUNT]:
        draw_shared(f, operation, s.workspace, s.n_rows // s.input.rows, s.input.rows * width)
    else:
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
