# Losses: the value of every row and its derivative with respect to the prediction. Floor 1.
#
# A row is what one sample's target is compared with. A loss that knows the activation below it (softmax with
# cross-entropy, sigmoid with binary cross-entropy) works on logits z and yields delta = dJ/dz = p - y at once;
# every other one yields dJ/da and leaves g'(z) to the operation below.

from libc.math cimport exp, fabs, log, log1p, pow, sqrt
from libc.stdint cimport int32_t, int64_t

from compile cimport applies_activation, reads_of
from custom cimport custom_loss
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

cdef extern from *:
    """
    static const double CLIP = 1e-7; /* Keras's epsilon: probabilities are kept this far from 0 and 1 */
    """
    const double CLIP

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


cdef inline double squared_error_row(real *g, const real *y, const real *a, Py_ssize_t n, double factor) noexcept nogil:
    """factor * sum (a - y)^2;  g = 2 factor (a - y)"""
    cdef Py_ssize_t c
    cdef double total = 0, e
    for c in range(n):
        e = <double> a[c] - y[c]
        total += e * e
        if g != NULL:
            g[c] = <real> (2 * factor * e)
    return factor * total


cdef inline double absolute_error_row(real *g, const real *y, const real *a, Py_ssize_t n,
                                      bint relative) noexcept nogil:
    """mean |a - y|, or 100 mean |a - y| / max(|y|, 1e-7)"""
    cdef Py_ssize_t c
    cdef double total = 0, e, unit = 1.0 / n
    for c in range(n):
        e = <double> a[c] - y[c]
        unit = (100.0 / max(fabs(<double> y[c]), CLIP) if relative else 1.0) / n
        total += fabs(e) * unit
        if g != NULL:
            g[c] = <real> (unit if e > 0 else -unit if e < 0 else 0)
    return total


cdef inline double squared_logarithmic_error_row(real *g, const real *y, const real *a,
                                                 Py_ssize_t n) noexcept nogil:
    """mean (log(1 + a) - log(1 + y))^2, both kept from falling below 1e-7"""
    cdef Py_ssize_t c
    cdef double total = 0, e
    for c in range(n):
        e = log1p(max(<double> a[c], CLIP)) - log1p(max(<double> y[c], CLIP))
        total += e * e
        if g != NULL:
            g[c] = <real> (2 * e / ((1 + <double> a[c]) * n) if a[c] > CLIP else 0)
    return total / n


cdef inline double cosine_similarity_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """- y . a / (|y| |a|), norms kept from falling below 1e-7"""
    cdef Py_ssize_t c
    cdef double yy = 0, aa = 0, ya = 0, y_norm, a_norm
    for c in range(n):
        yy += <double> y[c] * y[c]
        aa += <double> a[c] * a[c]
        ya += <double> y[c] * a[c]
    y_norm, a_norm = max(sqrt(yy), CLIP), max(sqrt(aa), CLIP)
    if g != NULL:
        for c in range(n):
            g[c] = <real> (-y[c] / (y_norm * a_norm))
            if sqrt(aa) > CLIP:
                g[c] += <real> (ya * a[c] / (y_norm * a_norm * aa))
    return -ya / (y_norm * a_norm)


cdef inline double huber_row(real *g, const real *y, const real *a, Py_ssize_t n, double delta) noexcept nogil:
    """mean of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)"""
    cdef Py_ssize_t c
    cdef double total = 0, e
    for c in range(n):
        e = <double> a[c] - y[c]
        total += e * e / 2 if fabs(e) <= delta else delta * (fabs(e) - delta / 2)
        if g != NULL:
            g[c] = <real> (min(max(e, -delta), delta) / n)
    return total / n


cdef inline double log_cosh_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean log cosh e = mean (|e| + log1p(exp(-2|e|)) - log 2);  g = tanh(e) / n"""
    cdef Py_ssize_t c
    cdef double total = 0, e, decay
    for c in range(n):
        e = <double> a[c] - y[c]
        decay = exp(-2 * fabs(e))
        total += fabs(e) + log1p(decay) - 0.6931471805599453
        if g != NULL:
            g[c] = <real> ((1 - decay) / (1 + decay) / n * (1 if e > 0 else -1))
    return total / n


cdef inline double poisson_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean (a - y log(a + 1e-7))"""
    cdef Py_ssize_t c
    cdef double total = 0
    for c in range(n):
        total += a[c] - y[c] * log(<double> a[c] + CLIP)
        if g != NULL:
            g[c] = <real> ((1 - y[c] / (<double> a[c] + CLIP)) / n)
    return total / n


cdef inline double kl_divergence_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """sum y log(y / a), both clipped to [1e-7, 1]"""
    cdef Py_ssize_t c
    cdef double total = 0, t, p
    for c in range(n):
        t, p = min(max(<double> y[c], CLIP), 1.0), min(max(<double> a[c], CLIP), 1.0)
        total += t * log(t / p)
        if g != NULL:
            g[c] = <real> (-t / p if CLIP <= a[c] <= 1 else 0)
    return total


cdef inline double hinge_row(real *g, const real *y, const real *a, Py_ssize_t n, bint squared) noexcept nogil:
    """mean max(1 - y a, 0), or its square; y is -1 or 1"""
    cdef Py_ssize_t c
    cdef double total = 0, margin
    for c in range(n):
        margin = max(1 - <double> y[c] * a[c], 0.0)
        total += margin * margin if squared else margin
        if g != NULL:
            g[c] = <real> (-y[c] * (2 * margin if squared else 1.0) / n if margin > 0 else 0)
    return total / n


cdef inline double categorical_hinge_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """max(0, 1 + max_c (1 - y_c) a_c - sum y a)"""
    cdef Py_ssize_t c, worst = 0
    cdef double positive = 0, negative, value
    for c in range(n):
        positive += <double> y[c] * a[c]
        if (1 - y[c]) * a[c] > (1 - y[worst]) * a[worst]:
            worst = c
    negative = (1 - <double> y[worst]) * a[worst]
    value = max(negative - positive + 1, 0.0)
    if g != NULL:
        for c in range(n):
            g[c] = -y[c] if value > 0 else 0
        if value > 0:
            g[worst] += 1 - y[worst]
    return value


cdef inline double quantile_row(real *g, const real *y, const real *a, Py_ssize_t n, const double *levels,
                                int n_levels, Py_ssize_t y_width) noexcept nogil:
    """mean max(q e, (q - 1) e), e = y - a; a target of one column is compared with every quantile"""
    cdef Py_ssize_t c
    cdef double total = 0, e, q
    for c in range(n):
        q = levels[c % n_levels]
        e = <double> y[c if y_width == n else c // n_levels] - a[c]
        total += max(q * e, (q - 1) * e)
        if g != NULL:
            g[c] = <real> ((-q if e > 0 else 1 - q if e < 0 else 0) / n)
    return total / n


cdef inline double gaussian_nll_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean of (s + (y - m)^2 / exp(s) + log 2 pi) / 2; a holds the means m, then the log variances s"""
    cdef Py_ssize_t c, k = n // 2
    cdef double total = 0, e, precision
    for c in range(k):
        e = <double> a[c] - y[c]
        precision = exp(-<double> a[k + c])
        total += (a[k + c] + e * e * precision + 1.8378770664093453) / 2
        if g != NULL:
            g[c] = <real> (e * precision / k)
            g[k + c] = <real> ((1 - e * e * precision) / (2 * k))
    return total / k


cdef inline double half_poisson_deviance_row(real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """sum (y log y - y a - y + exp(a));  a is the logarithm of the mean"""
    cdef Py_ssize_t c
    cdef double total = 0, mean, t
    for c in range(n):
        mean, t = exp(<double> a[c]), y[c]
        total += mean - t * (1 + a[c]) + (t * log(t) if t > 0 else 0)
        if g != NULL:
            g[c] = <real> (mean - t)
    return total


cdef inline double binary_crossentropy_row(real *g, const real *y, const real *a, Py_ssize_t n,
                                           double smoothing) noexcept nogil:
    """- mean (y log a + (1 - y) log(1 - a)), a clipped to [1e-7, 1 - 1e-7]"""
    cdef Py_ssize_t c
    cdef double total = 0, t, p
    for c in range(n):
        t = y[c] * (1 - smoothing) + smoothing / 2
        p = min(max(<double> a[c], CLIP), 1 - CLIP)
        total -= t * log(p) + (1 - t) * log(1 - p)
        if g != NULL:
            g[c] = <real> ((p - t) / (p * (1 - p) * n) if p == a[c] else 0)
    return total / n


cdef inline double categorical_crossentropy_row(real *g, const real *y, const real *a, Py_ssize_t n,
                                                double smoothing) noexcept nogil:
    """- sum y log(a / sum a), clipped to [1e-7, 1 - 1e-7]"""
    cdef Py_ssize_t c
    cdef double total = 0, sum_a = 0, sum_y = 0, t, p
    for c in range(n):
        sum_a += a[c]
    for c in range(n):
        t = y[c] * (1 - smoothing) + smoothing / n
        p = a[c] / sum_a
        total -= t * log(min(max(p, CLIP), 1 - CLIP))
        if CLIP <= p <= 1 - CLIP:
            sum_y += t
        if g != NULL:
            g[c] = <real> (-t / a[c] if CLIP <= p <= 1 - CLIP else 0)
    if g != NULL:
        for c in range(n):
            g[c] += <real> (sum_y / sum_a)
    return total


cdef inline double label_crossentropy_row(real *g, int32_t label, const real *a, Py_ssize_t n) noexcept nogil:
    """- log(a[label] / sum a), clipped to [1e-7, 1 - 1e-7]"""
    cdef Py_ssize_t c
    cdef double sum_a = 0, p
    for c in range(n):
        sum_a += a[c]
    p = a[label] / sum_a
    if g != NULL:
        for c in range(n):
            g[c] = <real> (1 / sum_a if CLIP <= p <= 1 - CLIP else 0)
        if CLIP <= p <= 1 - CLIP:
            g[label] -= 1 / a[label]
    return -log(min(max(p, CLIP), 1 - CLIP))


cdef inline double binary_focal_row(real *g, const real *y, const real *a, Py_ssize_t n, bint from_logits,
                                    double smoothing, bint balanced, double alpha, double gamma) noexcept nogil:
    """mean of alpha_t (1 - p_t)^gamma times the binary cross-entropy, p_t = y p + (1 - y)(1 - p)"""
    cdef Py_ssize_t c
    cdef double total = 0, t, p, p_t, entropy, focus, weight, unclipped, slope
    for c in range(n):
        t = y[c] * (1 - smoothing) + smoothing / 2
        unclipped = 1 / (1 + exp(-<double> a[c])) if from_logits else <double> a[c]
        p = min(max(unclipped, CLIP), 1 - CLIP)
        slope = p * (1 - p) if from_logits else 1.0
        p_t = t * p + (1 - t) * (1 - p)
        weight = t * alpha + (1 - t) * (1 - alpha) if balanced else 1.0
        entropy = -(t * log(p) + (1 - t) * log(1 - p))
        focus = pow(1 - p_t, gamma)
        total += weight * focus * entropy
        if g != NULL:
            g[c] = <real> (weight / n * slope * (focus * (p - t) / (p * (1 - p))
                                                 - gamma * pow(1 - p_t, gamma - 1) * (2 * t - 1) * entropy)
                           if p == unclipped else 0)
    return total / n


cdef inline double categorical_focal_row(real *g, const real *y, const real *a, Py_ssize_t n, bint from_logits,
                                         double smoothing, double alpha, double gamma) noexcept nogil:
    """sum of alpha (1 - p)^gamma (- y log p), clipped to [1e-7, 1 - 1e-7]; p = a / sum a, or softmax(a)"""
    cdef Py_ssize_t c
    cdef double total = 0, divisor = 0, top = 0, t, p, clipped, slope, inner = 0
    if from_logits:
        top = a[0]
        for c in range(1, n):
            top = max(top, <double> a[c])
    for c in range(n):
        divisor += exp(a[c] - top) if from_logits else <double> a[c]
    for c in range(n):
        t = y[c] * (1 - smoothing) + smoothing / n
        p = (exp(a[c] - top) if from_logits else <double> a[c]) / divisor
        clipped = min(max(p, CLIP), 1 - CLIP)
        total -= alpha * pow(1 - clipped, gamma) * t * log(clipped)
        if g != NULL:
            slope = 0
            if clipped == p:
                slope = alpha * t * (gamma * pow(1 - p, gamma - 1) * log(p) - pow(1 - p, gamma) / p)
            inner += slope * p
            g[c] = <real> slope
    if g != NULL:
        for c in range(n):
            g[c] = <real> ((g[c] - inner) * (exp(a[c] - top) if from_logits else 1.0) / divisor)
    return total


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
    """Whether the loss can apply the activation of the operation that wrote its prediction, which nothing else reads."""
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
