# Normalization over the batch (a column's statistics) and over a sample (a row's). Floor 1.
# Sums are in double precision and centred before they are squared, so that a large mean costs no digits.
# The batch's statistics move into the moving ones after the optimizer's step, once a batch: a batch whose loss is not
# finite must leave no trace. Batch normalization may have a second input, a mask: 0 where an element does not count in
# the statistics of its column.

from libc.math cimport isfinite, sqrt
from libc.string cimport memset

from custom cimport exchange_sums
from plan cimport (BATCH_NORMALIZATION, LAYER_NORMALIZATION, UNIT_NORMALIZATION, Buffer, Operation, Plan, Sizes, Step,
                   Workspace, is_training)
from shares cimport parts_of
from simd cimport (add_row_gradients, centred_squares, column_moments, column_products, differentiate_columns,
                   differentiate_row, normalize_columns, normalize_row, real, row_products, row_sum)
from step cimport (adds_gradient, cleared_delta_of, doubles, gradient_is_written, has_shape, has_tensor, input_row,
                   may_have_size, same_shape, tensor_of, value_of)
from threads cimport pool_run

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

# What the scratch memory of batch normalization holds, a row each.
cdef enum:
    MEAN         # doubles
    VARIANCE
    INVERSE      # of the standard deviation
    TOTAL        # of dy
    PRODUCT      # of dy with x - mean
    CENTRE       # of the network's type: the mean rounded; OFFSET makes up for what is lost
    FACTOR       # gamma / standard deviation
    OFFSET       # what is added
    SLOPE        # d(dx) / dx, through mean and variance
    COUNT        # how many elements count, a double
    ROWS         # doubles: how many rows the statistics are of; behind it, room for products
    COLUMN_STATISTICS

cdef enum:
    COLUMNS_OF_A_TASK = 64
    WORTH_THREADS = 1 << 16  # elements

ctypedef struct BatchNormalization:
    # One use of the layer: forward y from x, backward dx from dy and x. NULL where there is no such tensor or no dx.
    void *y
    void *dx
    const void *x
    const void *dy
    const void *mask    # NULL: every element counts
    const void *gamma
    const void *beta
    double *statistics
    double epsilon
    Py_ssize_t n_rows
    Py_ssize_t width
    Py_ssize_t x_row
    Py_ssize_t y_row
    Py_ssize_t mask_row
    bint of_batch       # mean and variance are the batch's own
    bint shared         # with other processes: sums over rows are there before what is computed with them
    bint accumulate


cdef inline bint row_normalization_fits(const Sizes *s) noexcept nogil:
    return same_shape(s) and may_have_size(s, GAMMA, s.output.width) and may_have_size(s, BETA, s.output.width)


cdef inline bint batch_normalization_fits(const Sizes *s) noexcept nogil:
    cdef const Buffer *mask
    if s.operation.n_inputs > 2:
        return False
    mask = &s.plan.buffers[s.operation.inputs[s.operation.n_inputs - 1]]
    return (row_normalization_fits(s) and has_shape(s, MOVING_MEAN, s.output.width, 1)
            and has_shape(s, MOVING_VARIANCE, s.output.width, 1)
            and mask.rows == s.input.rows and mask.width == s.input.width)


cdef inline void batch_normalization_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """Statistics of the columns"""
    operation.fixed_scratch = doubles(s, COLUMN_STATISTICS * s.output.width + 1)
    operation.whole_batch = True


cdef inline void row_normalization_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """Mean and 1 / s of every row; the sums for dgamma and dbeta"""
    operation.scratch, operation.fixed_scratch = doubles(s, 2 * s.output.rows), doubles(s, 2 * s.output.width)


cdef inline bint moves_tensor(const Operation *operation, int tensor) noexcept nogil:
    """Whether a tensor is a moving statistic of the operation, which training writes."""
    return operation.kind == BATCH_NORMALIZATION and (
        tensor == operation.tensors[MOVING_MEAN] or tensor == operation.tensors[MOVING_VARIANCE])


cdef inline bint uses_batch(const Operation *operation, const Workspace *workspace) noexcept nogil:
    return is_training(workspace) and not operation.frozen


cdef inline double *statistic(const BatchNormalization *b, int which, Py_ssize_t column) noexcept nogil:
    return b.statistics + which * b.width + column


cdef inline real *coefficient(const BatchNormalization *b, int which, Py_ssize_t column,
                              const real *typed) noexcept nogil:
    return <real *> (b.statistics + which * b.width) + column


cdef inline void counted_moments(const BatchNormalization *b, const real *x, Py_ssize_t first,
                                 Py_ssize_t n) noexcept nogil:
    """Mean and variance of the elements that count in columns [first, first + n); of none, 0"""
    cdef const real *mask = <const real *> b.mask + first
    cdef double *mean = statistic(b, MEAN, first)
    cdef double *variance = statistic(b, VARIANCE, first)
    cdef double *count = statistic(b, COUNT, first)
    cdef Py_ssize_t r, c
    for c in range(n):
        mean[c] = variance[c] = count[c] = 0
    for r in range(b.n_rows):
        for c in range(n):
            if mask[r * b.mask_row + c] != 0:
                mean[c] += x[r * b.x_row + c]
                count[c] += 1
    for c in range(n):
        mean[c] /= max(count[c], 1.0)
    for r in range(b.n_rows):
        for c in range(n):
            if mask[r * b.mask_row + c] != 0:
                variance[c] += (x[r * b.x_row + c] - mean[c]) * (x[r * b.x_row + c] - mean[c])
    for c in range(n):
        variance[c] /= max(count[c], 1.0)


cdef inline void differentiate_counted(const BatchNormalization *b, real *dx, const real *x, const real *dy,
                                       Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """dx (+)= dy factor, + (x - centre) slope + offset where an element counts, for columns [first, first + n)"""
    cdef const real *mask = <const real *> b.mask + first
    cdef const real *centre = coefficient(b, CENTRE, first, x)
    cdef const real *factor = coefficient(b, FACTOR, first, x)
    cdef const real *slope = coefficient(b, SLOPE, first, x)
    cdef const real *offset = coefficient(b, OFFSET, first, x)
    cdef Py_ssize_t r, c
    cdef real through
    for r in range(b.n_rows):
        for c in range(n):
            through = dy[r * b.y_row + c] * factor[c]
            if mask[r * b.mask_row + c] != 0:
                through += (x[r * b.x_row + c] - centre[c]) * slope[c] + offset[c]
            dx[r * b.x_row + c] = through + (dx[r * b.x_row + c] if b.accumulate else 0)


cdef inline void normalize_part(const BatchNormalization *b, real *y, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """Columns [first, first + n) of y = (x - centre) factor + offset, factor = gamma / sqrt(variance + epsilon)"""
    cdef const real *x = <const real *> b.x + first
    cdef const real *gamma = <const real *> b.gamma
    cdef const real *beta = <const real *> b.beta
    cdef double *mean = statistic(b, MEAN, first)
    cdef double *variance = statistic(b, VARIANCE, first)
    cdef double *inverse = statistic(b, INVERSE, first)
    cdef real *centre = coefficient(b, CENTRE, first, x)
    cdef real *factor = coefficient(b, FACTOR, first, x)
    cdef real *offset = coefficient(b, OFFSET, first, x)
    cdef Py_ssize_t c
    cdef double scale
    if b.of_batch and not b.shared and b.mask != NULL:
        counted_moments(b, x, first, n)
    elif b.of_batch and not b.shared:
        column_moments(mean, variance, x, b.n_rows, n, b.x_row)
    for c in range(n):
        inverse[c] = 1 / sqrt(variance[c] + b.epsilon)
        scale = inverse[c] * (gamma[first + c] if gamma != NULL else 1)
        centre[c], factor[c] = <real> mean[c], <real> scale
        offset[c] = <real> ((beta[first + c] if beta != NULL else 0) + (centre[c] - mean[c]) * scale)
    normalize_columns(y + first, x, centre, factor, offset, b.n_rows, n, b.y_row, b.x_row)


cdef inline void differentiate_part(const BatchNormalization *b, real *dx, Py_ssize_t first,
                                    Py_ssize_t n) noexcept nogil:
    """Columns [first, first + n) of dx (+)= dy factor + (x - centre) slope + offset, and the sums for both gradients"""
    cdef const real *x = <const real *> b.x + first
    cdef const real *dy = <const real *> b.dy + first
    cdef const real *gamma = <const real *> b.gamma
    cdef const double *mean = statistic(b, MEAN, first)
    cdef const double *inverse = statistic(b, INVERSE, first)
    cdef double *total = statistic(b, TOTAL, first)
    cdef double *product = statistic(b, PRODUCT, first)
    cdef const real *centre = coefficient(b, CENTRE, first, x)
    cdef const real *factor = coefficient(b, FACTOR, first, x)
    cdef real *slope = coefficient(b, SLOPE, first, x)
    cdef real *offset = coefficient(b, OFFSET, first, x)
    cdef const double *count = statistic(b, COUNT, first)
    cdef double share = 1.0 / (statistic(b, ROWS, 0)[0] if b.shared else b.n_rows) if b.of_batch else 0, scale
    cdef bint masked = b.of_batch and b.mask != NULL
    cdef Py_ssize_t c
    if not b.shared:
        column_products(total, product, dy, x, mean, b.n_rows, n, b.y_row, b.x_row)
    for c in range(n):
        if masked:
            share = 1 / max(count[c], 1.0)
        scale = share * inverse[c] * (gamma[first + c] if gamma != NULL else 1)
        slope[c] = <real> (-scale * inverse[c] * inverse[c] * product[c])
        offset[c] = <real> (-scale * total[c] - (centre[c] - mean[c]) * scale * inverse[c] * inverse[c] * product[c])
        product[c] *= inverse[c]
    if dx != NULL and masked:
        differentiate_counted(b, dx + first, x, dy, first, n)
    elif dx != NULL:
        differentiate_columns(dx + first, dy, x, centre, factor, slope, offset, b.n_rows, n, b.x_row, b.y_row,
                              b.accumulate)


cdef inline Py_ssize_t columns_of(const BatchNormalization *b, Py_ssize_t index) noexcept nogil:
    return min(<Py_ssize_t> COLUMNS_OF_A_TASK, b.width - index * COLUMNS_OF_A_TASK)


cdef inline void normalize_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef BatchNormalization *b = <BatchNormalization *> context
    normalize_part(b, <float *> b.y, index * COLUMNS_OF_A_TASK, columns_of(b, index))


cdef inline void normalize_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef BatchNormalization *b = <BatchNormalization *> context
    normalize_part(b, <double *> b.y, index * COLUMNS_OF_A_TASK, columns_of(b, index))


cdef inline void differentiate_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef BatchNormalization *b = <BatchNormalization *> context
    differentiate_part(b, <float *> b.dx, index * COLUMNS_OF_A_TASK, columns_of(b, index))


cdef inline void differentiate_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef BatchNormalization *b = <BatchNormalization *> context
    differentiate_part(b, <double *> b.dx, index * COLUMNS_OF_A_TASK, columns_of(b, index))


cdef inline void describe(BatchNormalization *b, const Step *s, real **tensors) noexcept nogil:
    b.n_rows, b.width, b.x_row, b.y_row = s.n_rows, s.input.width, s.x_row, s.y_row
    b.x, b.dx, b.y, b.dy = s.x, s.dx, s.y, s.dy
    b.gamma, b.beta = tensor_of(s, tensors, GAMMA), tensor_of(s, tensors, BETA)
    b.statistics, b.epsilon = <double *> s.scratch, s.operation.reals[EPSILON]
    b.of_batch, b.accumulate = uses_batch(s.operation, s.workspace), s.adds_dx
    b.shared = b.of_batch and s.workspace.exchange != NULL
    b.mask, b.mask_row = NULL, 0
    if s.operation.n_inputs > 1:
        b.mask, b.mask_row = value_of(s, 1, tensors), input_row(s, 1)


cdef inline void share_moments(const BatchNormalization *b, Workspace *workspace, const real *x) noexcept nogil:
    """Mean and variance of the rows of all processes; the sums that are exchanged stand where the backward pass has its
    own.

    First the means, then the squares about them: so a large mean costs no digits here either.
    """
    cdef double *mean = statistic(b, MEAN, 0)
    cdef double *variance = statistic(b, VARIANCE, 0)
    cdef double *sums = statistic(b, TOTAL, 0)
    cdef double *n_rows = statistic(b, ROWS, 0)
    cdef Py_ssize_t c
    cdef double common
    if b.n_rows > 0:
        column_moments(mean, variance, x, b.n_rows, b.width, b.x_row)
    else:
        memset(mean, 0, b.width * sizeof(double))
        memset(variance, 0, b.width * sizeof(double))
    for c in range(b.width):
        sums[c] = b.n_rows * mean[c]
    sums[b.width] = b.n_rows
    exchange_sums(workspace, sums, b.width + 1)
    n_rows[0] = max(sums[b.width], 1.0)
    for c in range(b.width):
        common = sums[c] / n_rows[0]
        sums[c] = b.n_rows * (variance[c] + (mean[c] - common) * (mean[c] - common))
        mean[c] = common
    exchange_sums(workspace, sums, b.width)
    for c in range(b.width):
        variance[c] = sums[c] / n_rows[0]


cdef inline void share_counted_moments(const BatchNormalization *b, Workspace *workspace, const real *x) noexcept nogil:
    """The same where not every element counts: every column has a number of its own."""
    cdef double *mean = statistic(b, MEAN, 0)
    cdef double *variance = statistic(b, VARIANCE, 0)
    cdef double *count = statistic(b, COUNT, 0)
    cdef double *sums = statistic(b, TOTAL, 0)
    cdef double *counts = statistic(b, PRODUCT, 0)
    cdef Py_ssize_t c
    cdef double common
    counted_moments(b, x, 0, b.width)
    for c in range(b.width):
        sums[c], counts[c] = count[c] * mean[c], count[c]
    exchange_sums(workspace, sums, 2 * b.width)
    for c in range(b.width):
        common = sums[c] / max(counts[c], 1.0)
        sums[c] = count[c] * (variance[c] + (mean[c] - common) * (mean[c] - common))
        mean[c], count[c] = common, counts[c]
    exchange_sums(workspace, sums, b.width)
    for c in range(b.width):
        variance[c] = sums[c] / max(count[c], 1.0)


cdef inline void batch_normalization_forward(const Step *s, real **tensors) noexcept nogil:
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, column by column

    Mean and variance are the batch's in training, those of the elements that count; else the moving ones.
    """
    cdef BatchNormalization b
    cdef Py_ssize_t c
    describe(&b, s, tensors)
    if not b.of_batch:
        for c in range(b.width):
            statistic(&b, MEAN, c)[0] = tensor_of(s, tensors, MOVING_MEAN)[c]
            statistic(&b, VARIANCE, c)[0] = tensor_of(s, tensors, MOVING_VARIANCE)[c]
    if b.shared and b.mask != NULL:
        share_counted_moments(&b, s.workspace, <const real *> b.x)
    elif b.shared:
        share_moments(&b, s.workspace, <const real *> b.x)
    if b.n_rows * b.width < WORTH_THREADS:
        normalize_part(&b, <real *> b.y, 0, b.width)
    else:
        pool_run(normalize_task_f32 if real is float else normalize_task_f64, &b,
                 parts_of(b.width, COLUMNS_OF_A_TASK))


cdef inline void store_gradient(const Step *s, real **gradients, int which, const double *sums) noexcept nogil:
    """The gradient of gamma or beta (+)= sums, where it is trained"""
    cdef real *gradient = tensor_of(s, gradients, which)
    cdef Py_ssize_t c
    if gradient == NULL:
        return
    for c in range(s.input.width):
        gradient[c] = <real> (sums[c] + (gradient[c] if adds_gradient(s, which) else 0))
    gradient_is_written(s, which)


cdef inline void store_share(const Step *s, real **gradients, const BatchNormalization *b) noexcept nogil:
    """The gradients of gamma and beta from this process's rows alone: they are added up later, with all others."""
    cdef double *scaled = statistic(b, ROWS, 1)
    cdef Py_ssize_t c
    for c in range(b.width):
        scaled[c] = statistic(b, PRODUCT, c)[0] * statistic(b, INVERSE, c)[0]
    store_gradient(s, gradients, GAMMA, scaled)
    store_gradient(s, gradients, BETA, statistic(b, TOTAL, 0))


cdef inline void batch_normalization_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dbeta = sum dy;  dgamma = sum dy n, n = (x - mean) / s;  dx = gamma / s (dy - dbeta / m - n dgamma / m)

    m is the number of rows; the last two terms are there only if mean and variance s^2 are the batch's own. With a
    mask, m is the number of those that count, and only they have the last two terms. The mask has no derivative.
    """
    cdef BatchNormalization b
    describe(&b, s, tensors)
    if b.shared:
        column_products(statistic(&b, TOTAL, 0), statistic(&b, PRODUCT, 0), <const real *> b.dy, <const real *> b.x,
                        statistic(&b, MEAN, 0), b.n_rows, b.width, b.y_row, b.x_row)
        store_share(s, gradients, &b)
        exchange_sums(s.workspace, statistic(&b, TOTAL, 0), 2 * b.width)
    if b.mask != NULL:
        cleared_delta_of(s, 1, tensors)
    if b.n_rows * b.width < WORTH_THREADS:
        differentiate_part(&b, <real *> b.dx, 0, b.width)
    else:
        pool_run(differentiate_task_f32 if real is float else differentiate_task_f64, &b,
                 parts_of(b.width, COLUMNS_OF_A_TASK))
    if not b.shared:
        store_gradient(s, gradients, GAMMA, statistic(&b, PRODUCT, 0))
        store_gradient(s, gradients, BETA, statistic(&b, TOTAL, 0))


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


cdef inline double inverse_scale(int kind, double squares, Py_ssize_t n, double epsilon) noexcept nogil:
    """1 / s: s the norm of the row, not below epsilon, or its root mean square with epsilon under the root."""
    if kind == UNIT_NORMALIZATION:
        return 1 / max(sqrt(squares), epsilon)
    return 1 / sqrt(squares / n + epsilon)


cdef inline void row_normalization_forward(const Step *s, real **tensors) noexcept nogil:
    """y = gamma (x - mean) / s + beta, row by row

    Layer: mean of the row, s^2 = its variance + epsilon. RMS: mean 0, s^2 = sum x^2 / n + epsilon. Unit: mean 0,
    s = max(|x|, epsilon), neither gamma nor beta.
    """
    cdef int kind = s.operation.kind
    cdef Py_ssize_t width = s.input.width, r
    cdef const real *gamma = tensor_of(s, tensors, GAMMA)
    cdef const real *beta = tensor_of(s, tensors, BETA)
    cdef double *statistics = <double *> s.scratch + 2 * width
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef double mean, inverse
    for r in range(s.n_rows):
        mean = row_sum(x, width) / width if kind == LAYER_NORMALIZATION else 0
        inverse = inverse_scale(kind, centred_squares(x, width, mean), width, s.operation.reals[EPSILON])
        statistics[2 * r], statistics[2 * r + 1] = mean, inverse
        normalize_row(y, x, gamma, beta, width, mean, inverse)
        x += s.x_row
        y += s.y_row


cdef inline void row_normalization_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dbeta = sum dy;  dgamma = sum dy n, n = (x - mean) / s;  dx = (g - mean of g - n (g . n) / d) / s, g = dy gamma

    d is the row's length, 1 for unit normalization; only layer normalization subtracts the mean of g. A row shorter
    than epsilon has no direction, and unit normalization passes no gradient through it.
    """
    cdef int kind = s.operation.kind
    cdef Py_ssize_t width = s.input.width, r
    cdef const real *gamma = tensor_of(s, tensors, GAMMA)
    cdef double *d_gamma = <double *> s.scratch
    cdef double *d_beta = d_gamma + width
    cdef const double *statistics = d_gamma + 2 * width
    cdef const real *x = <const real *> s.x
    cdef const real *dy = <const real *> s.dy
    cdef double mean, inverse, total, product
    cdef bint has_weights = has_tensor(s.operation, GAMMA) or has_tensor(s.operation, BETA)
    memset(d_gamma, 0, 2 * width * sizeof(double))
    for r in range(s.n_rows):
        mean, inverse = statistics[2 * r], statistics[2 * r + 1]
        if has_weights:
            add_row_gradients(d_gamma, d_beta, dy, x, width, mean, inverse)
        if s.dx != NULL:
            row_products(&total, &product, dy, x, gamma, width, mean)
            product *= inverse * inverse
            if kind != UNIT_NORMALIZATION:
                product /= width
            elif inverse >= 1 / s.operation.reals[EPSILON]:
                inverse = 0
            total = total / width if kind == LAYER_NORMALIZATION else 0
            differentiate_row(<real *> s.dx + r * s.x_row, dy, x, gamma, width, mean, inverse, -inverse * product,
                              -inverse * total, s.adds_dx)
        x += s.x_row
        dy += s.y_row
    store_gradient(s, gradients, GAMMA, d_gamma)
    store_gradient(s, gradients, BETA, d_beta)
