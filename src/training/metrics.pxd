# Metrics that are a weighted mean of a value per row: the three accuracies and every built-in loss. Floor 1.
# Others (areas under curves, scores) are computed in Python from the predictions that a run hands out.

from libc.stdint cimport int32_t

from losses cimport Loss, Targets, loss_row, label_crossentropy_row, row_weight, target_row
from plan cimport Plan, Workspace
from simd cimport real

cdef enum MetricKind:
    BINARY_ACCURACY
    CATEGORICAL_ACCURACY
    SPARSE_CATEGORICAL_ACCURACY
    LOSS_VALUE

cdef struct Metric:
    int kind
    bint weighted      # whether sample weights count
    double threshold   # of binary accuracy
    Loss loss          # what LOSS_VALUE averages; its output names the buffer for every kind
    double total
    double count


cdef inline Py_ssize_t index_of_largest(const real *a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t c, best = 0
    for c in range(1, n):
        if a[c] > a[best]:
            best = c
    return best


cdef inline double binary_accuracy_row(const real *y, const real *a, Py_ssize_t n, double threshold) noexcept nogil:
    cdef Py_ssize_t c, right = 0
    for c in range(n):
        right += y[c] == <real> (a[c] > threshold)
    return <double> right / n


cdef inline double metric_row(const Metric *metric, const real *y, const int32_t *label, const real *a,
                              Py_ssize_t n) noexcept nogil:
    if metric.kind == BINARY_ACCURACY:
        return binary_accuracy_row(y, a, n, metric.threshold)
    if metric.kind == CATEGORICAL_ACCURACY:
        return index_of_largest(y, n) == index_of_largest(a, n)
    if metric.kind == SPARSE_CATEGORICAL_ACCURACY:
        return label[0] == index_of_largest(a, n)
    if metric.loss.has_labels:
        return label_crossentropy_row(<real *> NULL, label[0], a, n)
    return loss_row(&metric.loss, <real *> NULL, y, a, n)


cdef inline void metric_block(Metric *metric, const Plan *plan, Workspace *workspace, real **tensors,
                              const Targets *targets) noexcept nogil:
    """Adds the block's rows to the metric's weighted total and count."""
    cdef int output = metric.loss.output
    cdef const real *a = <const real *> workspace.values[output]
    cdef const real *y = <const real *> targets.values
    cdef const int32_t *labels = <const int32_t *> targets.values
    cdef const real *weights = <const real *> targets.weights if metric.weighted else NULL
    cdef Py_ssize_t rows = plan.buffers[output].rows, row = workspace.strides[output], r, target
    cdef Py_ssize_t width = metric.loss.target_width
    cdef double weight, total = 0, count = 0
    for r in range(workspace.n * rows):
        target = target_row(targets, r, rows)
        if metric.kind == LOSS_VALUE and metric.loss.has_labels and (
                labels[target] == metric.loss.ignored or not 0 <= labels[target] < plan.buffers[output].width):
            continue  # a class that the model's loss ignores need not be one of the prediction's
        weight = row_weight(targets, weights, target, rows)
        total += weight * metric_row(metric, y + target * width, labels + target, a + r * row,
                                     plan.buffers[output].width)
        count += weight
    metric.total += total
    metric.count += count
