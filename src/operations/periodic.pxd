# Periodic embeddings of numbers: a small network of cosines for each feature, and the feature itself. Floor 1.
# After Holzmueller, Grinsztajn, Steinwart (2024) and Gorishniy, Rubachev, Babenko (2022). Cosines are not kept for the
# backward pass: to compute them again costs less than to read them back.

from libc.math cimport M_PI

from blocks cimport Product, begin_plain
from matmul cimport multiply
from plan cimport Operation, Sizes, Step, most_elements
from simd cimport column_sums, cosine_sine, real
from step cimport adds_gradient, gradient_is_written, has_shape, tensor_of

# Tensors: f features, p frequencies, k numbers out of each feature besides itself.
cdef enum:
    FREQUENCIES  # w (f, p)
    PHASES       # b (f, p)
    WEIGHTS      # v (f, p, k)
    BIASES       # c (f, k)

cdef enum:
    N_WAVES = 0  # integers: p

ctypedef struct Waves:
    # One feature at work: sizes, and scratch memory for its rows.
    Py_ssize_t n_rows
    Py_ssize_t n_waves
    Py_ssize_t n_out
    void *cosines       # (p, n_rows), as the next two
    void *sines
    void *deltas
    void *columns       # (n_rows, 2): 1 and x, side by side as the product with them wants it
    void *sums          # (p, 2)


cdef inline bint periodic_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t n_waves = s.operation.integers[N_WAVES], width = s.input.width, n_more = s.output.width - width
    return (width > 0 and n_more > 0 and n_more % width == 0 and s.input.rows == s.output.rows
            and 0 < n_waves < most_elements() // s.output.width
            and has_shape(s, FREQUENCIES, width, n_waves) and has_shape(s, PHASES, width, n_waves)
            and has_shape(s, WEIGHTS, n_more, n_waves) and has_shape(s, BIASES, n_more, 1))


cdef inline void periodic_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """Waves of one feature"""
    operation.scratch = s.output.rows * (3 * operation.integers[N_WAVES] + 2)
    operation.fixed_scratch = 2 * operation.integers[N_WAVES]


cdef inline Waves waves_of(const Step *s, real **typed) noexcept nogil:
    """One feature's use of the scratch memory."""
    cdef real *scratch = <real *> s.scratch
    cdef Waves waves
    cdef Py_ssize_t size
    waves.n_rows, waves.n_waves = s.n_rows, s.operation.integers[N_WAVES]
    waves.n_out = s.output.width // s.input.width - 1
    size = waves.n_rows * waves.n_waves
    waves.cosines, waves.sines, waves.deltas = scratch, scratch + size, scratch + 2 * size
    waves.columns = scratch + 3 * size
    waves.sums = scratch + 3 * size + 2 * waves.n_rows
    return waves


cdef inline real *part(const Step *s, real **tensors, int which, Py_ssize_t offset) noexcept nogil:
    """What one feature has of a tensor, or of a gradient; NULL where there is none."""
    cdef real *tensor = tensor_of(s, tensors, which)
    return tensor + offset if tensor != NULL else NULL


cdef inline void compute_waves(const Waves *waves, const real *x, const real *w, const real *b,
                               Py_ssize_t x_row) noexcept nogil:
    """cosines, sines (p, n_rows) = cos, sin(2 pi w x + b), the angles counted in turns;  columns = [1, x]"""
    cdef real *turns = <real *> waves.cosines
    cdef real *columns = <real *> waves.columns
    cdef real *column = <real *> waves.sines
    cdef Py_ssize_t p, r, n = waves.n_rows
    cdef real phase
    for r in range(n):
        columns[2 * r], columns[2 * r + 1] = 1, x[r * x_row]
    for p in range(waves.n_waves):
        phase = b[p] * <real> (0.5 / M_PI)
        for r in range(n):
            turns[p * n + r] = columns[2 * r + 1] * w[p] + phase
    cosine_sine(turns, column, turns, waves.n_waves * n)


cdef inline void periodic_forward(const Step *s, real **tensors) noexcept nogil:
    """y[r, i] (k + 1) = [cos(2 pi x[r, i] w[i] + b[i]) . v[i] + c[i], x[r, i]] for every feature i"""
    cdef Waves waves = waves_of(s, tensors)
    cdef Py_ssize_t n_waves = waves.n_waves, n_out = waves.n_out, i, r
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef Product product
    begin_plain(&product)
    product.x, product.x_row, product.x_k = waves.cosines, 1, waves.n_rows
    product.w_k, product.w_c, product.y_row = n_out, 1, s.y_row
    product.n_rows, product.n_cols, product.n_k = waves.n_rows, n_out, n_waves
    for i in range(s.input.width):
        compute_waves(&waves, x + i, <const real *> part(s, tensors, FREQUENCIES, i * n_waves),
                      <const real *> part(s, tensors, PHASES, i * n_waves), s.x_row)
        product.w = part(s, tensors, WEIGHTS, i * n_waves * n_out)
        product.bias = part(s, tensors, BIASES, i * n_out)
        multiply(&product, y + i * (n_out + 1))
        for r in range(waves.n_rows):
            y[r * s.y_row + i * (n_out + 1) + n_out] = x[r * s.x_row + i]


cdef inline void weight_gradients(const Waves *waves, real *dv, real *dc, const real *dy, Py_ssize_t dy_row,
                                  bint adds_dv, bint adds_dc) noexcept nogil:
    """dv (p, k) (+)= cosines (p, n_rows) . dy (n_rows, k);  dc (k) (+)= sum of dy over rows"""
    cdef Product product
    begin_plain(&product)
    if dv != NULL:
        product.x, product.x_row, product.x_k = waves.cosines, waves.n_rows, 1
        product.w, product.w_k, product.w_c, product.y_row = dy, dy_row, 1, waves.n_out
        product.n_rows, product.n_cols, product.n_k = waves.n_waves, waves.n_out, waves.n_rows
        product.accumulate = adds_dv
        multiply(&product, dv)
    if dc != NULL:
        column_sums(dc, dy, waves.n_rows, waves.n_out, dy_row, adds_dc)


cdef inline void angle_deltas(const Waves *waves, const real *v, const real *dy, Py_ssize_t dy_row) noexcept nogil:
    """deltas (p, n_rows) = dJ/d(angle) = -sines * (v (p, k) . dy^T (k, n_rows))"""
    cdef real *deltas = <real *> waves.deltas
    cdef const real *sines = <const real *> waves.sines
    cdef Py_ssize_t i
    cdef Product product
    begin_plain(&product)
    product.x, product.x_row, product.x_k = v, waves.n_out, 1
    product.w, product.w_k, product.w_c, product.y_row = dy, 1, dy_row, waves.n_rows
    product.n_rows, product.n_cols, product.n_k = waves.n_waves, waves.n_rows, waves.n_out
    multiply(&product, deltas)
    for i in range(waves.n_waves * waves.n_rows):
        deltas[i] *= -sines[i]


cdef inline void angle_gradients(const Waves *waves, real *dw, real *db, bint adds_dw, bint adds_db) noexcept nogil:
    """dw (p) (+)= 2 pi deltas . x;  db (p) (+)= sum of deltas over rows"""
    cdef real *sums = <real *> waves.sums
    cdef Py_ssize_t p
    cdef Product product
    begin_plain(&product)
    product.x, product.x_row, product.x_k = waves.deltas, waves.n_rows, 1
    product.w, product.w_k, product.w_c, product.y_row = waves.columns, 2, 1, 2
    product.n_rows, product.n_cols, product.n_k = waves.n_waves, 2, waves.n_rows
    multiply(&product, sums)
    for p in range(waves.n_waves):
        if db != NULL:
            db[p] = sums[2 * p] + (db[p] if adds_db else 0)
        if dw != NULL:
            dw[p] = <real> (2 * M_PI) * sums[2 * p + 1] + (dw[p] if adds_dw else 0)


cdef inline void number_gradient(const Waves *waves, real *dx, const real *dy, const real *w, Py_ssize_t dx_row,
                                 Py_ssize_t dy_row, bint adds) noexcept nogil:
    """dx (n_rows) (+)= 2 pi w . deltas + dy[k]"""
    cdef const real *deltas = <const real *> waves.deltas
    cdef Py_ssize_t p, r
    cdef real slope
    for r in range(waves.n_rows):
        dx[r * dx_row] = dy[r * dy_row + waves.n_out] + (dx[r * dx_row] if adds else 0)
    for p in range(waves.n_waves):
        slope = <real> (2 * M_PI) * w[p]
        for r in range(waves.n_rows):
            dx[r * dx_row] += slope * deltas[p * waves.n_rows + r]


cdef inline void periodic_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """The derivatives of `periodic_forward`, feature by feature."""
    cdef Waves waves = waves_of(s, tensors)
    cdef Py_ssize_t n_waves = waves.n_waves, n_out = waves.n_out, i
    cdef const real *x = <const real *> s.x
    cdef const real *w
    cdef const real *dy
    cdef real *dx = <real *> s.dx
    for i in range(s.input.width):
        w = part(s, tensors, FREQUENCIES, i * n_waves)
        dy = <const real *> s.dy + i * (n_out + 1)
        compute_waves(&waves, x + i, w, <const real *> part(s, tensors, PHASES, i * n_waves), s.x_row)
        weight_gradients(&waves, part(s, gradients, WEIGHTS, i * n_waves * n_out),
                         part(s, gradients, BIASES, i * n_out), dy, s.y_row, adds_gradient(s, WEIGHTS),
                         adds_gradient(s, BIASES))
        angle_deltas(&waves, <const real *> part(s, tensors, WEIGHTS, i * n_waves * n_out), dy, s.y_row)
        angle_gradients(&waves, part(s, gradients, FREQUENCIES, i * n_waves), part(s, gradients, PHASES, i * n_waves),
                        adds_gradient(s, FREQUENCIES), adds_gradient(s, PHASES))
        if dx != NULL:
            number_gradient(&waves, dx + i, dy, w, s.x_row, s.y_row, s.adds_dx)
    for i in range(BIASES + 1):
        if tensor_of(s, gradients, <int> i) != NULL:
            gradient_is_written(s, <int> i)
