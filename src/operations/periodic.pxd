# Periodic embeddings of numbers: a small network of cosines for each feature, and the feature itself. Floor 1.
# After Holzmueller, Grinsztajn, Steinwart (2024) and Gorishniy, Rubachev, Babenko (2022). Cosines are not kept for the
# backward pass: to compute them again costs less than to read them back.

from libc.math cimport M_PI

from matmul cimport Product, begin_plain, multiply
from plan cimport Buffer, Operation, Plan, Workspace
from simd cimport column_sums, cosine_sine, real

# Tensors: f features, p frequencies, k numbers out of each feature beside itself.
cdef enum:
    FREQUENCIES  # w (f, p)
    PHASES       # b (f, p)
    WEIGHTS      # v (f, p, k)
    BIASES       # c (f, k)

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


cdef inline Waves waves_of(const Plan *plan, int index, const Workspace *workspace, real **typed) noexcept nogil:
    cdef const Operation *operation = &plan.operations[index]
    cdef const Buffer *input = &plan.buffers[operation.inputs[0]]
    cdef real *scratch = <real *> workspace.scratch[index]
    cdef Waves waves
    cdef Py_ssize_t size
    waves.n_rows, waves.n_waves = workspace.n * input.rows, operation.integers[0]
    waves.n_out = plan.buffers[operation.output].width // input.width - 1
    size = waves.n_rows * waves.n_waves
    waves.cosines, waves.sines, waves.deltas = scratch, scratch + size, scratch + 2 * size
    waves.columns = scratch + 3 * size
    waves.sums = scratch + 3 * size + 2 * waves.n_rows
    return waves


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


cdef inline void periodic_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """y[r, i] (k + 1) = [cos(2 pi x[r, i] w[i] + b[i]) . v[i] + c[i], x[r, i]] for every feature i"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef Py_ssize_t y_row = workspace.strides[operation.output], x_row = workspace.strides[source], i, r
    cdef Waves waves = waves_of(plan, index, workspace, tensors)
    cdef Py_ssize_t n_waves = waves.n_waves, n_out = waves.n_out
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    cdef Product product
    begin_plain(&product)
    product.x, product.x_row, product.x_k = waves.cosines, 1, waves.n_rows
    product.w_k, product.w_c, product.y_row = n_out, 1, y_row
    product.n_rows, product.n_cols, product.n_k = waves.n_rows, n_out, n_waves
    for i in range(plan.buffers[source].width):
        compute_waves(&waves, x + i, tensors[operation.tensors[FREQUENCIES]] + i * n_waves,
                      tensors[operation.tensors[PHASES]] + i * n_waves, x_row)
        product.w = tensors[operation.tensors[WEIGHTS]] + i * n_waves * n_out
        product.bias = tensors[operation.tensors[BIASES]] + i * n_out
        multiply(&product, y + i * (n_out + 1))
        for r in range(waves.n_rows):
            y[r * y_row + i * (n_out + 1) + n_out] = x[r * x_row + i]


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


cdef inline void input_gradient(const Waves *waves, real *dx, const real *dy, const real *w, Py_ssize_t dx_row,
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


cdef inline real *part(real **tensors, const Operation *operation, int number, Py_ssize_t offset) noexcept nogil:
    """What one feature has of a tensor, or of a gradient; NULL where there is none."""
    cdef real *tensor = tensors[operation.tensors[number]]
    return tensor + offset if tensor != NULL else NULL


cdef inline void periodic_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                   real **gradients) noexcept nogil:
    """The derivatives of `periodic_forward`, feature by feature."""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef Py_ssize_t dy_row = workspace.strides[operation.output], x_row = workspace.strides[source], i
    cdef Waves waves = waves_of(plan, index, workspace, tensors)
    cdef Py_ssize_t n_waves = waves.n_waves, n_out = waves.n_out
    cdef const real *x = <const real *> workspace.values[source]
    cdef const real *w
    cdef const real *dy
    cdef real *dx = <real *> workspace.deltas[source]
    cdef bint *written = workspace.tensor_written
    for i in range(plan.buffers[source].width):
        w = part(tensors, operation, FREQUENCIES, i * n_waves)
        dy = <const real *> workspace.deltas[operation.output] + i * (n_out + 1)
        compute_waves(&waves, x + i, w, <const real *> part(tensors, operation, PHASES, i * n_waves), x_row)
        weight_gradients(&waves, part(gradients, operation, WEIGHTS, i * n_waves * n_out),
                         part(gradients, operation, BIASES, i * n_out), dy, dy_row,
                         written[operation.tensors[WEIGHTS]], written[operation.tensors[BIASES]])
        angle_deltas(&waves, <const real *> part(tensors, operation, WEIGHTS, i * n_waves * n_out), dy, dy_row)
        angle_gradients(&waves, part(gradients, operation, FREQUENCIES, i * n_waves),
                        part(gradients, operation, PHASES, i * n_waves),
                        written[operation.tensors[FREQUENCIES]], written[operation.tensors[PHASES]])
        if dx != NULL:
            input_gradient(&waves, dx + i, dy, w, x_row, dy_row, workspace.delta_written[source])
    for i in range(BIASES + 1):
        if gradients[operation.tensors[i]] != NULL:
            written[operation.tensors[i]] = True
    if dx != NULL:
        workspace.delta_written[source] = True
