# Normalization over the batch (a column's statistics) and over a sample (a row's). Floor 1.
# Sums are in double precision and centred before they are squared, so that a large mean costs no digits.
# The batch's statistics move into the moving ones after the optimizer's step, once a batch: a batch whose loss is not
# finite must leave no trace.

from libc.math cimport isfinite, sqrt
from libc.string cimport memset

from plan cimport (BATCH_NORMALIZATION, LAYER_NORMALIZATION, TRAINING, UNIT_NORMALIZATION, Buffer, Operation, Plan,
                   Workspace)
from simd cimport real

# Tensors.
cdef enum:
    GAMMA
    BETA
    MOVING_MEAN
    MOVING_VARIANCE

# Numbers of an operation.
cdef enum:
    EPSILON      # reals
    MOMENTUM

# What the scratch memory of batch normalization holds, a row of doubles each.
cdef enum:
    MEAN
    VARIANCE
    INVERSE      # of the standard deviation
    FACTOR       # gamma times it
    SUM          # of dy; forward: what is added
    PRODUCT      # of dy with normalized x
    COLUMN_STATISTICS


cdef inline bint uses_batch(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return workspace.mode >= TRAINING and not operation.frozen


cdef inline void column_moments(double *mean, double *variance, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                Py_ssize_t x_row) noexcept nogil:
    """mean (n_cols) = sum x / n_rows;  variance (n_cols) = sum (x - mean)^2 / n_rows"""
    cdef Py_ssize_t r, c
    memset(mean, 0, n_cols * sizeof(double))
    memset(variance, 0, n_cols * sizeof(double))
    for r in range(n_rows):
        for c in range(n_cols):
            mean[c] += x[r * x_row + c]
    for c in range(n_cols):
        mean[c] /= n_rows
    for r in range(n_rows):
        for c in range(n_cols):
            variance[c] += (x[r * x_row + c] - mean[c]) * (x[r * x_row + c] - mean[c])
    for c in range(n_cols):
        variance[c] /= n_rows


cdef inline void batch_normalization_forward(const Plan *plan, int index, Workspace *workspace,
                                             real **tensors) noexcept nogil:
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, column by column

    Mean and variance are the batch's in training, else the moving ones.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, width = input.width, r, c
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output]
    cdef const real *x = <const real *> workspace.values[source]
    cdef real *y = <real *> workspace.values[operation.output]
    cdef double *statistics = <double *> workspace.scratch[index]
    cdef double *mean = statistics + MEAN * width
    cdef double *variance = statistics + VARIANCE * width
    cdef double *inverse = statistics + INVERSE * width
    cdef double *factor = statistics + FACTOR * width
    cdef double *shift = statistics + SUM * width
    if uses_batch(operation, workspace):
        column_moments(mean, variance, x, n_rows, width, x_row)
    else:
        for c in range(width):
            mean[c] = tensors[operation.tensors[MOVING_MEAN]][c]
            variance[c] = tensors[operation.tensors[MOVING_VARIANCE]][c]
    for c in range(width):
        inverse[c] = 1 / sqrt(variance[c] + operation.reals[EPSILON])
        factor[c] = inverse[c] * (tensors[operation.tensors[GAMMA]][c] if operation.tensors[GAMMA] >= 0 else 1)
        shift[c] = tensors[operation.tensors[BETA]][c] if operation.tensors[BETA] >= 0 else 0
    for r in range(n_rows):
        for c in range(width):
            y[r * y_row + c] = <real> ((x[r * x_row + c] - mean[c]) * factor[c] + shift[c])


cdef inline void store_sums(real *gradient, const double *sums, Py_ssize_t n, bint add) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        gradient[c] = <real> (sums[c] + (gradient[c] if add else 0))


cdef inline void store_gradients(const Operation *operation, Workspace *workspace, real **gradients,
                                 const double *d_gamma, const double *d_beta, Py_ssize_t n) noexcept nogil:
    cdef int gamma = operation.tensors[GAMMA], beta = operation.tensors[BETA]
    if gamma >= 0 and gradients[gamma] != NULL:
        store_sums(gradients[gamma], d_gamma, n, workspace.tensor_written[gamma])
        workspace.tensor_written[gamma] = True
    if beta >= 0 and gradients[beta] != NULL:
        store_sums(gradients[beta], d_beta, n, workspace.tensor_written[beta])
        workspace.tensor_written[beta] = True


cdef inline void batch_normalization_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                              real **gradients) noexcept nogil:
    """dbeta = sum dy;  dgamma = sum dy n, n = (x - mean) / s;  dx = gamma / s (dy - dbeta / m - n dgamma / m)

    m is the number of rows; the last two terms are there only if mean and variance s^2 are the batch's own.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, width = input.width, r, c
    cdef Py_ssize_t x_row = workspace.strides[source], y_row = workspace.strides[operation.output]
    cdef const real *x = <const real *> workspace.values[source]
    cdef const real *dy = <const real *> workspace.deltas[operation.output]
    cdef real *dx = <real *> workspace.deltas[source]
    cdef double *statistics = <double *> workspace.scratch[index]
    cdef const double *mean = statistics + MEAN * width
    cdef const double *inverse = statistics + INVERSE * width
    cdef const double *factor = statistics + FACTOR * width
    cdef double *total = statistics + SUM * width
    cdef double *product = statistics + PRODUCT * width
    cdef double share = 1.0 / n_rows if uses_batch(operation, workspace) else 0
    cdef bint add = workspace.delta_written[source]
    cdef double back
    memset(total, 0, 2 * width * sizeof(double))
    for r in range(n_rows):
        for c in range(width):
            total[c] += dy[r * y_row + c]
            product[c] += dy[r * y_row + c] * ((x[r * x_row + c] - mean[c]) * inverse[c])
    store_gradients(operation, workspace, gradients, product, total, width)
    if dx == NULL:
        return
    for c in range(width):
        total[c] *= share
        product[c] *= share * inverse[c]
    for r in range(n_rows):
        for c in range(width):
            back = factor[c] * (dy[r * y_row + c] - total[c] - (x[r * x_row + c] - mean[c]) * product[c])
            dx[r * x_row + c] = <real> (back + dx[r * x_row + c] if add else back)
    workspace.delta_written[source] = True


cdef inline double moved(double moving, double seen, double momentum) noexcept nogil:
    return momentum * moving + (1 - momentum) * seen


cdef inline bint statistics_are_finite(const Plan *plan, const Workspace *workspace, real **tensors) noexcept nogil:
    """Whether every moving mean and variance would still be a finite number after this batch."""
    cdef const Operation *operation
    cdef const double *statistics
    cdef Py_ssize_t c, width
    cdef int index
    for index in range(plan.n_operations):
        operation = &plan.operations[index]
        if operation.kind != BATCH_NORMALIZATION or not uses_batch(operation, workspace):
            continue
        statistics, width = <const double *> workspace.scratch[index], plan.buffers[operation.output].width
        for c in range(width):
            if not (isfinite(<real> statistics[MEAN * width + c])
                    and isfinite(<real> statistics[VARIANCE * width + c])):
                return False
    return True


cdef inline void move_statistics(const Plan *plan, const Workspace *workspace, real **tensors) noexcept nogil:
    """moving = momentum moving + (1 - momentum) batch, for mean and variance"""
    cdef const Operation *operation
    cdef const double *statistics
    cdef real *moving_mean
    cdef real *moving_variance
    cdef double momentum
    cdef Py_ssize_t c, width
    cdef int index
    for index in range(plan.n_operations):
        operation = &plan.operations[index]
        if operation.kind != BATCH_NORMALIZATION or not uses_batch(operation, workspace):
            continue
        statistics, width = <const double *> workspace.scratch[index], plan.buffers[operation.output].width
        moving_mean = tensors[operation.tensors[MOVING_MEAN]]
        moving_variance = tensors[operation.tensors[MOVING_VARIANCE]]
        momentum = operation.reals[MOMENTUM]
        for c in range(width):
            moving_mean[c] = <real> moved(moving_mean[c], statistics[MEAN * width + c], momentum)
            moving_variance[c] = <real> moved(moving_variance[c], statistics[VARIANCE * width + c], momentum)


# Over a row. Scratch memory: the sums for dgamma and dbeta, then mean and 1 / s of every row.

cdef enum:
    LANES = 8  # partial sums that do not wait for each other, always added in the same order


cdef inline double row_sum(const real *x, Py_ssize_t n) noexcept nogil:
    cdef double lanes[LANES]
    cdef double total = 0
    cdef Py_ssize_t c = 0, lane
    memset(lanes, 0, sizeof(lanes))
    while c + LANES <= n:
        for lane in range(LANES):
            lanes[lane] += x[c + lane]
        c += LANES
    while c < n:
        total += x[c]
        c += 1
    for lane in range(LANES):
        total += lanes[lane]
    return total


cdef inline double centred_squares(const real *x, double mean, Py_ssize_t n) noexcept nogil:
    """sum (x - mean)^2"""
    cdef double lanes[LANES]
    cdef double total = 0
    cdef Py_ssize_t c = 0, lane
    memset(lanes, 0, sizeof(lanes))
    while c + LANES <= n:
        for lane in range(LANES):
            lanes[lane] += (x[c + lane] - mean) * (x[c + lane] - mean)
        c += LANES
    while c < n:
        total += (x[c] - mean) * (x[c] - mean)
        c += 1
    for lane in range(LANES):
        total += lanes[lane]
    return total


cdef inline void project(double *total, double *product, const real *dy, const real *x, const real *gamma, double mean,
                         double inverse, Py_ssize_t n) noexcept nogil:
    """total = sum g;  product = sum g normalized x, with g = dy gamma"""
    cdef double totals[LANES], products[LANES]
    cdef double g
    cdef Py_ssize_t c = 0, lane
    memset(totals, 0, sizeof(totals))
    memset(products, 0, sizeof(products))
    while c + LANES <= n:
        for lane in range(LANES):
            g = <double> dy[c + lane] * (gamma[c + lane] if gamma != NULL else 1)
            totals[lane] += g
            products[lane] += g * (x[c + lane] - mean)
        c += LANES
    total[0] = product[0] = 0
    while c < n:
        g = <double> dy[c] * (gamma[c] if gamma != NULL else 1)
        total[0] += g
        product[0] += g * (x[c] - mean)
        c += 1
    for lane in range(LANES):
        total[0] += totals[lane]
        product[0] += products[lane]
    product[0] *= inverse


cdef inline double inverse_scale(int kind, double squares, Py_ssize_t n, double epsilon) noexcept nogil:
    """1 / s: s the norm of the row, not below epsilon, or its root mean square with epsilon under the root."""
    if kind == UNIT_NORMALIZATION:
        return 1 / max(sqrt(squares), epsilon)
    return 1 / sqrt(squares / n + epsilon)


cdef inline void row_normalization_forward(const Plan *plan, int index, Workspace *workspace,
                                           real **tensors) noexcept nogil:
    """y = gamma (x - mean) / s + beta, row by row

    Layer: mean of the row, s^2 = its variance + epsilon. RMS: mean 0, s^2 = sum x^2 / n + epsilon. Unit: mean 0,
    s = max(|x|, epsilon), neither gamma nor beta.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, width = input.width, r, c
    cdef const real *gamma = tensors[operation.tensors[GAMMA]] if operation.tensors[GAMMA] >= 0 else NULL
    cdef const real *beta = tensors[operation.tensors[BETA]] if operation.tensors[BETA] >= 0 else NULL
    cdef double *statistics = <double *> workspace.scratch[index] + 2 * width
    cdef const real *x
    cdef real *y
    cdef double mean, inverse
    for r in range(n_rows):
        x = <const real *> workspace.values[source] + r * workspace.strides[source]
        y = <real *> workspace.values[operation.output] + r * workspace.strides[operation.output]
        mean = row_sum(x, width) / width if operation.kind == LAYER_NORMALIZATION else 0
        inverse = inverse_scale(operation.kind, centred_squares(x, mean, width), width, operation.reals[EPSILON])
        statistics[2 * r], statistics[2 * r + 1] = mean, inverse
        for c in range(width):
            y[c] = <real> ((x[c] - mean) * inverse)
        if gamma != NULL:
            for c in range(width):
                y[c] *= gamma[c]
        if beta != NULL:
            for c in range(width):
                y[c] += beta[c]


cdef inline void row_normalization_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                            real **gradients) noexcept nogil:
    """dbeta = sum dy;  dgamma = sum dy n, n = (x - mean) / s;  dx = (g - mean of g - n (g . n) / d) / s, g = dy gamma

    d is the row's length, 1 for unit normalization; only layer normalization subtracts the mean of g. A row shorter
    than epsilon has no direction, and unit normalization passes no gradient through it.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0], kind = operation.kind
    cdef const Buffer *input = &plan.buffers[source]
    cdef Py_ssize_t n_rows = workspace.n * input.rows, width = input.width, r, c
    cdef const real *gamma = tensors[operation.tensors[GAMMA]] if operation.tensors[GAMMA] >= 0 else NULL
    cdef double *d_gamma = <double *> workspace.scratch[index]
    cdef double *d_beta = d_gamma + width
    cdef const double *statistics = d_gamma + 2 * width
    cdef const real *x
    cdef const real *dy
    cdef real *dx = NULL
    cdef double mean, inverse, total, product, back
    cdef bint add = workspace.delta_written[source]
    cdef bint has_weights = operation.tensors[GAMMA] >= 0 or operation.tensors[BETA] >= 0
    memset(d_gamma, 0, 2 * width * sizeof(double))
    for r in range(n_rows):
        x = <const real *> workspace.values[source] + r * workspace.strides[source]
        dy = <const real *> workspace.deltas[operation.output] + r * workspace.strides[operation.output]
        mean, inverse = statistics[2 * r], statistics[2 * r + 1]
        if has_weights:
            for c in range(width):
                d_gamma[c] += dy[c] * ((x[c] - mean) * inverse)
                d_beta[c] += dy[c]
        if workspace.deltas[source] == NULL:
            continue
        project(&total, &product, dy, x, gamma, mean, inverse, width)
        dx = <real *> workspace.deltas[source] + r * workspace.strides[source]
        total = total / width if kind == LAYER_NORMALIZATION else 0
        if kind != UNIT_NORMALIZATION:
            product /= width
        elif inverse >= 1 / operation.reals[EPSILON]:
            inverse = 0
        product *= statistics[2 * r + 1]
        for c in range(width):
            back = inverse * (<double> dy[c] * (gamma[c] if gamma != NULL else 1) - total - (x[c] - mean) * product)
            dx[c] = <real> (back + dx[c] if add else back)
    store_gradients(operation, workspace, gradients, d_gamma, d_beta, width)
    if dx != NULL:
        workspace.delta_written[source] = True
