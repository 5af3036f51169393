# Losses: what a batch of predictions costs, and its derivative with respect to them. Floor 1.
# The formula of each loss, for one row, is in loss_rows.pxd.
#
# A row is what one sample's target is compared with. A loss that knows the activation below it (softmax with
# cross-entropy, sigmoid with binary cross-entropy) works on logits z and yields delta = dJ/dz = p - y at once;
# every other one yields dJ/da and leaves g'(z) to the operation below.

from libc.math cimport exp, log
from libc.stdint cimport int32_t

from compile cimport applies_activation, reads_of
from custom cimport custom_loss
from loss cimport *
from loss_rows cimport *
from plan cimport EVALUATION, Plan, Workspace
from simd cimport (ACTIVATION_SIGMOID, ACTIVATION_SOFTPLUS, ROW_SOFTMAX, activation_forward, real, scale_by,
                   softmax_rows)
from traced cimport traced_loss_block

cdef enum:
    ROW_CHUNK = 64
    MOST_KINDS = 64      # of losses
    MOST_REDUCTIONS = 4


ctypedef double (*Row32)(const Loss *loss, float *g, const float *y, const float *a, Py_ssize_t n) noexcept nogil
ctypedef double (*Row64)(const Loss *loss, double *g, const double *y, const double *a, Py_ssize_t n) noexcept nogil


cdef inline void add(LossTraits *rows, int *n, const char *name, Row32 row_f32, Row64 row_f64, int n_parameters=0,
                     int parameters_begin=NUMBERS, int target_width=AS_MANY, int activation=-1) noexcept nogil:
    cdef LossTraits *row = &rows[n[0]]
    n[0] += 1
    row.name, row.row_f32, row.row_f64 = name, row_f32, row_f64
    row.n_parameters, row.parameters_begin = n_parameters, parameters_begin
    row.target_width, row.activation = target_width, activation


cdef inline int list_losses(LossTraits *rows) noexcept nogil:
    """A row for every loss: its name, the loss of one row for float and for double; returns how many.

    Then the fewest parameters, what they begin with, the width of the target, and the activation with which it is
    computed from logits, where they are not what most losses have.
    """
    cdef int n = 0
    add(rows, &n, "mean_squared_error", mean_squared_error_row, mean_squared_error_row)
    add(rows, &n, "half_squared_error", half_squared_error_row, half_squared_error_row)
    add(rows, &n, "mean_absolute_error", mean_absolute_error_row, mean_absolute_error_row)
    add(rows, &n, "mean_absolute_percentage_error",
        mean_absolute_percentage_error_row, mean_absolute_percentage_error_row)
    add(rows, &n, "mean_squared_logarithmic_error", squared_logarithmic_error_row, squared_logarithmic_error_row)
    add(rows, &n, "cosine_similarity", cosine_similarity_row, cosine_similarity_row)
    add(rows, &n, "huber", huber_row, huber_row, 1)
    add(rows, &n, "log_cosh", log_cosh_row, log_cosh_row)
    add(rows, &n, "poisson", poisson_row, poisson_row)
    add(rows, &n, "kl_divergence", kl_divergence_row, kl_divergence_row)
    add(rows, &n, "hinge", hinge_row, hinge_row)
    add(rows, &n, "squared_hinge", squared_hinge_row, squared_hinge_row)
    add(rows, &n, "categorical_hinge", categorical_hinge_row, categorical_hinge_row)
    add(rows, &n, "quantile", quantile_row, quantile_row, 1, NUMBERS, EACH_QUANTILE)
    add(rows, &n, "gaussian_nll", gaussian_nll_row, gaussian_nll_row, 0, NUMBERS, HALF_AS_MANY)
    add(rows, &n, "half_poisson_deviance", half_poisson_deviance_row, half_poisson_deviance_row)
    add(rows, &n, "binary_crossentropy",
        binary_crossentropy_row, binary_crossentropy_row, 0, SMOOTHED, AS_MANY, ACTIVATION_SIGMOID)
    add(rows, &n, "categorical_crossentropy",
        categorical_crossentropy_row, categorical_crossentropy_row, 0, SMOOTHED, AS_MANY, ROW_SOFTMAX)
    add(rows, &n, "sparse_categorical_crossentropy",
        sparse_crossentropy_row, sparse_crossentropy_row, 0, LABELS, ONE_LABEL, ROW_SOFTMAX)
    add(rows, &n, "categorical_generalized_cross_entropy",
        generalized_crossentropy_row, generalized_crossentropy_row, 1, LABELS, ONE_LABEL)
    add(rows, &n, "binary_focal_crossentropy", binary_focal_row, binary_focal_row, 3, SMOOTHED)
    add(rows, &n, "categorical_focal_crossentropy", categorical_focal_row, categorical_focal_row, 2, SMOOTHED)
    add(rows, &n, "custom", NULL, NULL, 0, NUMBERS, ANY_NUMBER)
    add(rows, &n, "traced", NULL, NULL, 0, NUMBERS, ANY_NUMBER)
    return n


cdef inline int list_reductions(ReductionTraits *rows) noexcept nogil:
    """A row for every reduction; returns how many."""
    rows[0] = ReductionTraits("sum_over_batch_size", True, False)
    rows[1] = ReductionTraits("sum", False, False)
    rows[2] = ReductionTraits("mean_with_sample_weight", True, True)
    return 3


cdef inline double loss_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """The value of one row, and into g (if given) its derivative with respect to a (n)."""
    if real is float:
        return loss.traits.row_f32(loss, g, y, a, n)
    else:
        return loss.traits.row_f64(loss, g, y, a, n)


cdef inline bint works_on_logits(const Loss *loss) noexcept nogil:
    return (loss.left_to_loss or loss.from_logits) and loss.traits.activation >= 0


cdef inline bint takes_activation_over(const Loss *loss, const Plan *plan) noexcept nogil:
    """Whether the loss can apply the activation of what wrote its prediction, which nothing else reads."""
    return (loss.operation >= 0 and not loss.from_logits and applies_activation(&plan.operations[loss.operation])
            and plan.operations[loss.operation].activation == loss.traits.activation
            and reads_of(plan, loss.output) == 1)


cdef inline double softmax_crossentropy_row(const Loss *loss, real *delta, const real *p, const real *z, double log_sum,
                                            const real *y, int32_t label, Py_ssize_t n, double scale) noexcept nogil:
    """sum y (log_sum - z);  delta = scale (p sum y - y)"""
    cdef Py_ssize_t c
    cdef double total = 0, sum_y = 0, t
    if loss.has_labels:
        if delta != NULL:
            for c in range(n):
                delta[c] = <real> scale * p[c]
            delta[label] -= <real> scale
        return min(max(log_sum - z[label], loss.least), loss.most)
    for c in range(n):
        t = y[c] * (1 - loss.smoothing) + loss.smoothing / n
        sum_y += t
        total += t * min(max(log_sum - z[c], loss.least), loss.most)
    if delta != NULL:
        for c in range(n):
            delta[c] = <real> (scale * (p[c] * sum_y - (y[c] * (1 - loss.smoothing) + loss.smoothing / n)))
    return total


cdef inline double clipped_crossentropy(real p, real z, double t, const Loss *loss) noexcept nogil:
    """- t log p - (1 - t) log(1 - p), where p is kept `clip` away from 0 and 1; 1 - p is what rounding p has left"""
    cdef real one = 1
    cdef real rest = one - p
    if z > 4:  # the last bit of p counts: it is that of the plain formula
        rest = one - one / (one + <real> exp(-<double> z))
    return max(-t * log(max(<double> p, loss.clip)) - (1 - t) * log(max(<double> rest, loss.clip)), loss.least)


cdef inline void sigmoid_rows(real *p, const real *z, Py_ssize_t n_rows, Py_ssize_t n, Py_ssize_t row) noexcept nogil:
    """p = sigmoid(z); a single column is brought together first, because rows are padded"""
    cdef real column[ROW_CHUNK]
    cdef real none[3]
    cdef Py_ssize_t r
    if n > 1:
        activation_forward(p, z, n_rows * row - (row - n), ACTIVATION_SIGMOID, none)
        return
    for r in range(n_rows):
        column[r] = z[r * row]
    activation_forward(column, column, n_rows, ACTIVATION_SIGMOID, none)
    for r in range(n_rows):
        p[r * row] = column[r]


cdef inline double sigmoid_crossentropy_row(const Loss *loss, real *delta, const real *p, const real *z, const real *y,
                                            Py_ssize_t n, double scale) noexcept nogil:
    """mean (softplus(z) - y z);  delta = scale (p - y) / n;  delta comes in as softplus(z), p = delta if unknown"""
    cdef Py_ssize_t c
    cdef double total = 0, t, probability
    for c in range(n):
        t = y[c] * (1 - loss.smoothing) + loss.smoothing / 2
        total += clipped_crossentropy(p[c], z[c], t, loss) if loss.clip > 0 else delta[c] - t * z[c]
        probability = p[c] if p != delta else 1 / (1 + exp(-<double> z[c]))
        delta[c] = <real> (scale / n * (probability - t))
    return total / n


cdef inline double label_crossentropy_rows(const Loss *loss, real *delta, const real *p, const real *z,
                                           const real *log_sum, const Targets *targets, Py_ssize_t first,
                                           Py_ssize_t count, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row,
                                           real scale) noexcept nogil:
    """Softmax and cross-entropy with labels where every row counts the same: one sweep, then a step at each label."""
    cdef const int32_t *labels = <const int32_t *> targets.values
    cdef Py_ssize_t r, at
    cdef double total = 0
    scale_by(delta, p, count * row - (row - n), scale)
    for r in range(count):
        at = r * row + labels[target_row(targets, first + r, rows)]
        delta[at] -= scale
        total += min(max(<double> log_sum[r] - z[at], loss.least), loss.most)
    return total


cdef inline double loss_on_logits(const Loss *loss, real *p, real *delta, const real *z,
                                  const Targets *targets, Py_ssize_t n_rows, Py_ssize_t rows, Py_ssize_t n,
                                  Py_ssize_t row, double scale) noexcept nogil:
    """Softmax or sigmoid and its cross-entropy together; p may be delta when nothing reads the probabilities."""
    cdef real log_sum[ROW_CHUNK]
    cdef real none[3]
    cdef double total = 0, weight, value
    cdef Py_ssize_t first = 0, count, r, target
    cdef int32_t label = 0
    cdef const real *y = <const real *> targets.values
    cdef const real *weights = <const real *> targets.weights
    cdef bint binary = loss.traits.activation == ACTIVATION_SIGMOID
    while first < n_rows:
        count = min(<Py_ssize_t> ROW_CHUNK, n_rows - first)
        if binary:
            if loss.clip == 0:
                activation_forward(delta + first * row, z + first * row, count * row - (row - n), ACTIVATION_SOFTPLUS,
                                   none)
            if p != delta:
                sigmoid_rows(p + first * row, z + first * row, count, n, row)
        else:
            softmax_rows(p + first * row, log_sum, z + first * row, count, n, row, row)
            if loss.has_labels and weights == NULL and loss.ignored != loss.ignored:
                total += label_crossentropy_rows(loss, delta + first * row, p + first * row, z + first * row,
                                                 log_sum, targets, first, count, rows, n, row, <real> scale)
                first += count
                continue
        for r in range(first, first + count):
            target = target_row(targets, r, rows)
            weight = row_weight(targets, weights, target, rows)
            if binary:
                value = sigmoid_crossentropy_row(loss, delta + r * row, p + r * row, z + r * row,
                                                 y + target * loss.target_width, n, weight * scale)
            else:
                if loss.has_labels:
                    label = (<const int32_t *> targets.values)[target]
                    if label == loss.ignored:
                        weight, label = 0, 0
                value = softmax_crossentropy_row(loss, delta + r * row, p + r * row, z + r * row, log_sum[r - first],
                                                 y + target * loss.target_width, label, n, weight * scale)
            total += weight * value
        first += count
    return total


cdef inline double loss_on_values(const Loss *loss, Workspace *workspace, real *delta, const real *a,
                                  const Targets *targets, Py_ssize_t n_rows, Py_ssize_t rows, Py_ssize_t n,
                                  Py_ssize_t row, double scale) noexcept nogil:
    """Any loss of the prediction itself: delta = dJ/da."""
    cdef const real *weights = <const real *> targets.weights
    cdef const double *values = NULL
    cdef double total = 0, weight, value
    cdef Py_ssize_t r, target
    cdef int32_t label
    if loss.custom != NULL:
        values = custom_loss(loss.custom, &workspace.failed, <real *> NULL if workspace.mode == EVALUATION else delta,
                             <const real *> targets.values, targets.order, targets.first, workspace.n,
                             rows * loss.target_width, weights, 1 if targets.weight_per_sample else rows, a, n_rows, n,
                             row)
        if values == NULL:
            return 0
    for r in range(n_rows):
        target = target_row(targets, r, rows)
        weight = row_weight(targets, weights, target, rows)
        if values != NULL:
            value = values[r]
        elif loss.has_labels:
            label = (<const int32_t *> targets.values)[target]
            if label == loss.ignored:
                weight, label = 0, 0
            value = loss_row(loss, delta + r * row, <const real *> <const void *> &label, a + r * row, n)
        else:
            value = loss_row(loss, delta + r * row, <const real *> targets.values + target * loss.target_width,
                             a + r * row, n)
        total += weight * value
        scale_by(delta + r * row, delta + r * row, n, <real> (scale if loss.couples_rows else weight * scale))
    return total


cdef inline double loss_denominator(const Loss *loss, const real *weights, const Targets *targets, Py_ssize_t n_samples,
                                    Py_ssize_t rows) noexcept nogil:
    """What the weighted sum of these samples' values is divided by; 0 stands for 1, and adds nothing to other parts."""
    cdef double total = 0
    cdef Py_ssize_t r, target
    if not loss.reduction.divides:
        return 0
    if not loss.reduction.divides_by_weight and loss.ignored != loss.ignored:
        return n_samples * rows
    for r in range(n_samples * rows):
        target = target_row(targets, r, rows)
        if loss.has_labels and (<const int32_t *> targets.values)[target] == loss.ignored:
            continue
        total += row_weight(targets, weights, target, rows) if loss.reduction.divides_by_weight else 1.0
    return total


cdef inline double or_one(double denominator) noexcept nogil:
    return denominator if denominator != 0 else 1


cdef inline double loss_block(const Loss *loss, const Plan *plan, Workspace *workspace, real **tensors,
                              const Targets *targets, double denominator) noexcept nogil:
    """The weighted sum of the block's values; its derivative, divided by the denominator, goes to the deltas."""
    cdef real *a = <real *> workspace.values[loss.output]
    cdef real *delta = <real *> workspace.deltas[loss.output]
    cdef Py_ssize_t rows = plan.buffers[loss.output].rows, n = plan.buffers[loss.output].width
    cdef Py_ssize_t row = workspace.strides[loss.output]
    cdef double scale = loss.weight / denominator
    workspace.delta_written[loss.output] = True
    if loss.traced != NULL:
        return traced_loss_block(loss, workspace, delta, <const real *> a, targets, scale)
    if not works_on_logits(loss):
        return loss_on_values(loss, workspace, delta, a, targets, workspace.n * rows, rows, n, row, scale)
    if loss.left_to_loss:
        return loss_on_logits(loss, a, delta, <const real *> workspace.scratch[loss.operation], targets,
                              workspace.n * rows, rows, n, row, scale)
    return loss_on_logits(loss, delta, delta, a, targets, workspace.n * rows, rows, n, row, scale)
