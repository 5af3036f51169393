# The formulas of the losses: the value of one row and, into g (if given), its derivative. Floor 1.
# y (n) is the target, a (n) the prediction, and all have one signature.

from libc.math cimport exp, fabs, log, log1p, pow, sqrt
from libc.stdint cimport int32_t

from loss cimport Loss
from simd cimport real

cdef extern from *:
    """
    static const double CLIP = 1e-7; /* Keras's epsilon: probabilities are kept this far from 0 and 1 */
    """
    const double CLIP


cdef inline double squared_errors(real *g, const real *y, const real *a, Py_ssize_t n, double factor) noexcept nogil:
    """factor * sum (a - y)^2;  g = 2 factor (a - y)"""
    cdef Py_ssize_t c
    cdef double total = 0, e
    for c in range(n):
        e = <double> a[c] - y[c]
        total += e * e
        if g != NULL:
            g[c] = <real> (2 * factor * e)
    return factor * total


cdef inline double mean_squared_error_row(const Loss *loss, real *g, const real *y, const real *a,
                                          Py_ssize_t n) noexcept nogil:
    """mean (a - y)^2"""
    return squared_errors(g, y, a, n, 1.0 / n)


cdef inline double half_squared_error_row(const Loss *loss, real *g, const real *y, const real *a,
                                          Py_ssize_t n) noexcept nogil:
    """sum (a - y)^2 / 2"""
    return squared_errors(g, y, a, n, 0.5)


cdef inline double absolute_errors(real *g, const real *y, const real *a, Py_ssize_t n, bint relative) noexcept nogil:
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


cdef inline double mean_absolute_error_row(const Loss *loss, real *g, const real *y, const real *a,
                                           Py_ssize_t n) noexcept nogil:
    """mean |a - y|"""
    return absolute_errors(g, y, a, n, False)


cdef inline double mean_absolute_percentage_error_row(const Loss *loss, real *g, const real *y, const real *a,
                                                      Py_ssize_t n) noexcept nogil:
    """100 mean |a - y| / max(|y|, 1e-7)"""
    return absolute_errors(g, y, a, n, True)


cdef inline double squared_logarithmic_error_row(const Loss *loss, real *g, const real *y, const real *a,
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


cdef inline double cosine_similarity_row(const Loss *loss, real *g, const real *y, const real *a,
                                         Py_ssize_t n) noexcept nogil:
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


cdef inline double huber_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)"""
    cdef double delta = loss.parameters[0]
    cdef Py_ssize_t c
    cdef double total = 0, e
    for c in range(n):
        e = <double> a[c] - y[c]
        total += e * e / 2 if fabs(e) <= delta else delta * (fabs(e) - delta / 2)
        if g != NULL:
            g[c] = <real> (min(max(e, -delta), delta) / n)
    return total / n


cdef inline double log_cosh_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
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


cdef inline double poisson_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean (a - y log(a + 1e-7))"""
    cdef Py_ssize_t c
    cdef double total = 0
    for c in range(n):
        total += a[c] - y[c] * log(<double> a[c] + CLIP)
        if g != NULL:
            g[c] = <real> ((1 - y[c] / (<double> a[c] + CLIP)) / n)
    return total / n


cdef inline double kl_divergence_row(const Loss *loss, real *g, const real *y, const real *a,
                                     Py_ssize_t n) noexcept nogil:
    """sum y log(y / a), both clipped to [1e-7, 1]"""
    cdef Py_ssize_t c
    cdef double total = 0, t, p
    for c in range(n):
        t, p = min(max(<double> y[c], CLIP), 1.0), min(max(<double> a[c], CLIP), 1.0)
        total += t * log(t / p)
        if g != NULL:
            g[c] = <real> (-t / p if CLIP <= a[c] <= 1 else 0)
    return total


cdef inline double hinges(real *g, const real *y, const real *a, Py_ssize_t n, bint squared) noexcept nogil:
    """mean max(1 - y a, 0), or its square; y is -1 or 1"""
    cdef Py_ssize_t c
    cdef double total = 0, margin
    for c in range(n):
        margin = max(1 - <double> y[c] * a[c], 0.0)
        total += margin * margin if squared else margin
        if g != NULL:
            g[c] = <real> (-y[c] * (2 * margin if squared else 1.0) / n if margin > 0 else 0)
    return total / n


cdef inline double hinge_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean max(1 - y a, 0)"""
    return hinges(g, y, a, n, False)


cdef inline double squared_hinge_row(const Loss *loss, real *g, const real *y, const real *a,
                                     Py_ssize_t n) noexcept nogil:
    """mean max(1 - y a, 0)^2"""
    return hinges(g, y, a, n, True)


cdef inline double categorical_hinge_row(const Loss *loss, real *g, const real *y, const real *a,
                                         Py_ssize_t n) noexcept nogil:
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


cdef inline double quantile_row(const Loss *loss, real *g, const real *y, const real *a, Py_ssize_t n) noexcept nogil:
    """mean max(q e, (q - 1) e), e = y - a; a target of one column is compared with every quantile"""
    cdef const double *levels = loss.parameters
    cdef int n_levels = loss.n_parameters
    cdef Py_ssize_t y_width = loss.target_width
    cdef Py_ssize_t c
    cdef double total = 0, e, q
    for c in range(n):
        q = levels[c % n_levels]
        e = <double> y[c if y_width == n else c // n_levels] - a[c]
        total += max(q * e, (q - 1) * e)
        if g != NULL:
            g[c] = <real> ((-q if e > 0 else 1 - q if e < 0 else 0) / n)
    return total / n


cdef inline double gaussian_nll_row(const Loss *loss, real *g, const real *y, const real *a,
                                    Py_ssize_t n) noexcept nogil:
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


cdef inline double half_poisson_deviance_row(const Loss *loss, real *g, const real *y, const real *a,
                                             Py_ssize_t n) noexcept nogil:
    """sum (y log y - y a - y + exp(a));  a is the logarithm of the mean"""
    cdef Py_ssize_t c
    cdef double total = 0, mean, t
    for c in range(n):
        mean, t = exp(<double> a[c]), y[c]
        total += mean - t * (1 + a[c]) + (t * log(t) if t > 0 else 0)
        if g != NULL:
            g[c] = <real> (mean - t)
    return total


cdef inline double binary_crossentropy_row(const Loss *loss, real *g, const real *y, const real *a,
                                           Py_ssize_t n) noexcept nogil:
    """- mean (y log a + (1 - y) log(1 - a)), a clipped to [1e-7, 1 - 1e-7], rounded: 1 - a is what that has left"""
    cdef double smoothing = loss.smoothing, most = <real> (1 - CLIP)
    cdef Py_ssize_t c
    cdef double total = 0, t, p
    for c in range(n):
        t = y[c] * (1 - smoothing) + smoothing / 2
        p = min(max(<double> a[c], CLIP), most)
        total -= t * log(p) + (1 - t) * log(1 - p)
        if g != NULL:
            g[c] = <real> ((p - t) / (p * (1 - p) * n) if p == a[c] else 0)
    return total / n


cdef inline double categorical_crossentropy_row(const Loss *loss, real *g, const real *y, const real *a,
                                                Py_ssize_t n) noexcept nogil:
    """- sum y log(a / sum a), clipped to [1e-7, 1 - 1e-7]"""
    cdef double smoothing = loss.smoothing
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


cdef inline double sparse_crossentropy_row(const Loss *loss, real *g, const real *y, const real *a,
                                           Py_ssize_t n) noexcept nogil:
    """The same; y points at the label, an int32"""
    return label_crossentropy_row(g, (<const int32_t *> <const void *> y)[0], a, n)


cdef inline double generalized_crossentropy_row(const Loss *loss, real *g, const real *y, const real *a,
                                                Py_ssize_t n) noexcept nogil:
    """(1 - p^q) / q, p = a[label], from 0 on; its slope is that of 1e-7 below; y points at the label, an int32"""
    cdef int32_t label = (<const int32_t *> <const void *> y)[0]
    cdef double q = loss.parameters[0], p = max(<double> a[label], 0.0)
    cdef Py_ssize_t c
    if g != NULL:
        for c in range(n):
            g[c] = 0
        g[label] = <real> -pow(max(p, CLIP), q - 1)
    return (1 - pow(p, q)) / q


cdef inline double binary_focal_row(const Loss *loss, real *g, const real *y, const real *a,
                                    Py_ssize_t n) noexcept nogil:
    """mean of alpha_t (1 - p_t)^gamma times the binary cross-entropy, p_t = y p + (1 - y)(1 - p)"""
    cdef bint from_logits = loss.from_logits, balanced = loss.parameters[0] != 0
    cdef double smoothing = loss.smoothing, alpha = loss.parameters[1], gamma = loss.parameters[2]
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


cdef inline double categorical_focal_row(const Loss *loss, real *g, const real *y, const real *a,
                                         Py_ssize_t n) noexcept nogil:
    """sum of alpha (1 - p)^gamma (- y log p), clipped to [1e-7, 1 - 1e-7]; p = a / sum a, or softmax(a)"""
    cdef bint from_logits = loss.from_logits
    cdef double smoothing = loss.smoothing, alpha = loss.parameters[0], gamma = loss.parameters[1]
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
