# Losses: what a batch of predictions costs, and its derivative with respect to them. Floor 1.
# The formula of each loss, for one row, is in loss_rows.pxd.
#
# A row is what one sample's target is compared with. A loss that knows the activation below it (softmax with
# cross-entropy, sigmoid with binary cross-entropy) works on logits z and yields delta = dJ/dz = p - y at once;
# every other one yields dJ/da and leaves g'(z) to the operation below.

from libc.math cimport exp, log
from libc.stdint cimport int32_t, int64_t

from compile cimport applies_activation, reads_of
from custom cimport custom_loss
from loss_rows cimport (absolute_error_row, binary_crossentropy_row, binary_focal_row, categorical_crossentropy_row,
                        categorical_focal_row, categorical_hinge_row, cosine_similarity_row, gaussian_nll_row,
                        half_poisson_deviance_row, hinge_row, huber_row, kl_divergence_row, label_crossentropy_row,
                        log_cosh_row, poisson_row, quantile_row, squared_error_row, squared_logarithmic_error_row)
from plan cimport EVALUATION, Plan, Workspace
from simd cimport (ACTIVATION_SIGMOID, ACTIVATION_SOFTPLUS, ROW_SOFTMAX, activation_forward, real, scale_by,
                   softmax_rows)

cdef enum LossKind:
    MEAN_SQUARED_ERROR
    HALF_SQUARED_ERROR
    MEAN_ABSOLUTE_ERROR
    MEAN_ABSOLUTE_PERCENTAGE_ERROR
    MEAN_SQUARED_LOGARITHMIC_ERROR
    COSINE_SIMILARITY
    HUBER
    LOG_COSH
    POISSON
    KL_DIVERGENCE
    HINGE
    SQUARED_HINGE
    CATEGORICAL_HINGE
    QUANTILE
    GAUSSIAN_NLL
    HALF_POISSON_DEVIANCE
    BINARY_CROSSENTROPY
    CATEGORICAL_CROSSENTROPY
    SPARSE_CATEGORICAL_CROSSENTROPY
    BINARY_FOCAL_CROSSENTROPY
    CATEGORICAL_FOCAL_CROSSENTROPY
    CUSTOM_LOSS

cdef enum Reduction:
    SUM_OVER_BATCH_SIZE
    SUM
    MEAN_WITH_SAMPLE_WEIGHT

cdef enum:
    ROW_CHUNK = 64

cdef struct Loss:
    int kind
    int output             # the buffer that holds the prediction
    int operation          # the operation that wrote it
    bint left_to_loss      # that operation left its activation to this loss: its scratch holds z
    bint from_logits       # the prediction is itself z
    bint has_labels        # targets are class indices, int32
    Py_ssize_t target_width
    int n_parameters
    double *parameters     # as the Python class orders them, without from_logits
    double smoothing       # label smoothing
    double ignored         # the class that does not count, NaN for none
    double least           # a class's cross-entropy on logits is reported within these bounds; its gradient is not cut
    double most
    double clip            # the probability behind `most`
    double weight
    int reduction
    void *custom

cdef struct Targets:
    const void *values     # (n, rows, target_width) of the network's type, or (n, rows) of int32 labels
    const void *weights    # one a row, or NULL
    bint weight_per_sample  # one a sample instead
    const int64_t *order   # the samples in the order of training, or NULL for their own
    Py_ssize_t first       # where in that order the block begins


cdef inline double loss_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """The value of one row, and into g (if given) its derivative with respect to a (n)."""
    cdef int kind = loss.kind
    cdef const double *p = loss.parameters
    if kind == MEAN_SQUARED_ERROR:
        return squared_error_row(g, y, a, n, 1.0 / n)
    if kind == HALF_SQUARED_ERROR:
        return squared_error_row(g, y, a, n, 0.5)
    if kind == MEAN_ABSOLUTE_ERROR:
        return absolute_error_row(g, y, a, n, False)
    if kind == MEAN_ABSOLUTE_PERCENTAGE_ERROR:
        return absolute_error_row(g, y, a, n, True)
    if kind == MEAN_SQUARED_LOGARITHMIC_ERROR:
        return squared_logarithmic_error_row(g, y, a, n)
    if kind == COSINE_SIMILARITY:
        return cosine_similarity_row(g, y, a, n)
    if kind == HUBER:
        return huber_row(g, y, a, n, p[0])
    if kind == LOG_COSH:
        return log_cosh_row(g, y, a, n)
    if kind == POISSON:
        return poisson_row(g, y, a, n)
    if kind == KL_DIVERGENCE:
        return kl_divergence_row(g, y, a, n)
    if kind == HINGE:
        return hinge_row(g, y, a, n, False)
    if kind == SQUARED_HINGE:
        return hinge_row(g, y, a, n, True)
    if kind == CATEGORICAL_HINGE:
        return categorical_hinge_row(g, y, a, n)
    if kind == QUANTILE:
        return quantile_row(g, y, a, n, p, loss.n_parameters, loss.target_width)
    if kind == GAUSSIAN_NLL:
        return gaussian_nll_row(g, y, a, n)
    if kind == HALF_POISSON_DEVIANCE:
        return half_poisson_deviance_row(g, y, a, n)
    if kind == BINARY_CROSSENTROPY:
        return binary_crossentropy_row(g, y, a, n, loss.smoothing)
    if kind == CATEGORICAL_CROSSENTROPY:
        return categorical_crossentropy_row(g, y, a, n, loss.smoothing)
    if kind == SPARSE_CATEGORICAL_CROSSENTROPY:
        return label_crossentropy_row(g, (<const int32_t *> <const void *> y)[0], a, n)
    if kind == BINARY_FOCAL_CROSSENTROPY:
        return binary_focal_row(g, y, a, n, loss.from_logits, loss.smoothing, p[0] != 0, p[1], p[2])
    return categorical_focal_row(g, y, a, n, loss.from_logits, loss.smoothing, p[0], p[1])


cdef inline bint works_on_logits(const Loss *loss) noexcept nogil:
    return ((loss.left_to_loss or loss.from_logits)
            and (loss.kind == BINARY_CROSSENTROPY or loss.kind == CATEGORICAL_CROSSENTROPY
                 or loss.kind == SPARSE_CATEGORICAL_CROSSENTROPY))


cdef inline bint takes_activation_over(const Loss *loss, const Plan *plan) noexcept nogil:
    """Whether the loss can apply the activation of the operation behind its prediction, which nothing else reads."""
    cdef int activation
    if loss.operation < 0 or loss.from_logits or not applies_activation(&plan.operations[loss.operation]):
        return False
    activation = plan.operations[loss.operation].activation
    if not (loss.kind == BINARY_CROSSENTROPY and activation == ACTIVATION_SIGMOID
            or (loss.kind == CATEGORICAL_CROSSENTROPY or loss.kind == SPARSE_CATEGORICAL_CROSSENTROPY)
            and activation == ROW_SOFTMAX):
        return False
    return reads_of(plan, loss.output) == 1


cdef inline Py_ssize_t target_row(const Targets *targets, Py_ssize_t row, Py_ssize_t rows) noexcept nogil:
    """Where the target of the block's row stands among all rows."""
    cdef Py_ssize_t sample
    if rows == 1:  # spares two divisions
        return targets.order[targets.first + row] if targets.order != NULL else targets.first + row
    sample = targets.first + row // rows
    if targets.order != NULL:
        sample = targets.order[sample]
    return sample * rows + row % rows


cdef inline double row_weight(const Targets *targets, const real *weights, Py_ssize_t target,
                              Py_ssize_t rows) noexcept nogil:
    if weights == NULL:
        return 1
    return weights[target // rows if targets.weight_per_sample else target]


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
    """Softmax or sigmoid and its cross-entropy together; p may be delta when nobody reads the probabilities."""
    cdef real log_sum[ROW_CHUNK]
    cdef real none[3]
    cdef double total = 0, weight, value
    cdef Py_ssize_t first = 0, count, r, target
    cdef int32_t label = 0
    cdef const real *y = <const real *> targets.values
    cdef const real *weights = <const real *> targets.weights
    cdef bint binary = loss.kind == BINARY_CROSSENTROPY
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
    if loss.kind == CUSTOM_LOSS:
        values = custom_loss(loss.custom, &workspace.failed, <real *> NULL if workspace.mode == EVALUATION else delta,
                             <const real *> targets.values, targets.order, targets.first, workspace.n,
                             rows * loss.target_width, a, n_rows, n, row)
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
            value = label_crossentropy_row(delta + r * row, label, a + r * row, n)
        else:
            value = loss_row(loss, delta + r * row, <const real *> targets.values + target * loss.target_width,
                             a + r * row, n)
        total += weight * value
        scale_by(delta + r * row, delta + r * row, n, <real> (weight * scale))
    return total


cdef inline double loss_denominator(const Loss *loss, const real *weights, const Targets *targets, Py_ssize_t n_samples,
                                    Py_ssize_t rows) noexcept nogil:
    """What the weighted sum of a whole batch's values is divided by."""
    cdef double total = 0
    cdef Py_ssize_t r, target
    if loss.reduction == SUM:
        return 1
    if loss.reduction == SUM_OVER_BATCH_SIZE and loss.ignored != loss.ignored:
        return n_samples * rows
    for r in range(n_samples * rows):
        target = target_row(targets, r, rows)
        if loss.has_labels and (<const int32_t *> targets.values)[target] == loss.ignored:
            continue
        total += row_weight(targets, weights, target, rows) if loss.reduction == MEAN_WITH_SAMPLE_WEIGHT else 1.0
    return total if total != 0 else 1


cdef inline double loss_block(const Loss *loss, const Plan *plan, Workspace *workspace, real **tensors,
                              const Targets *targets, double denominator) noexcept nogil:
    """The weighted sum of the block's values; its derivative, divided by the denominator, goes to the deltas."""
    cdef real *a = <real *> workspace.values[loss.output]
    cdef real *delta = <real *> workspace.deltas[loss.output]
    cdef Py_ssize_t rows = plan.buffers[loss.output].rows, n = plan.buffers[loss.output].width
    cdef Py_ssize_t row = workspace.strides[loss.output]
    cdef double scale = loss.weight / denominator
    workspace.delta_written[loss.output] = True
    if not works_on_logits(loss):
        return loss_on_values(loss, workspace, delta, a, targets, workspace.n * rows, rows, n, row, scale)
    if loss.left_to_loss:
        return loss_on_logits(loss, a, delta, <const real *> workspace.scratch[loss.operation], targets,
                              workspace.n * rows, rows, n, row, scale)
    return loss_on_logits(loss, delta, delta, a, targets, workspace.n * rows, rows, n, row, scale)
