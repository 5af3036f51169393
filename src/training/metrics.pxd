# Metrics that are a weighted mean of a value per row: the three accuracies and every built-in loss. Floor 1.
# Others (areas under curves, scores) are computed in Python from the predictions that a run hands out.

from libc.stdint cimport int32_t

from loss cimport Loss, Targets, row_weight, target_row
from loss_rows cimport label_crossentropy_row
from losses cimport loss_row
from plan cimport Plan, Workspace
from simd cimport real

cdef struct MetricTraits

cdef enum:
    MOST_METRICS = 16  # kinds

cdef enum:             # what a metric compares with
    VALUES
    CLASSES            # labels
    AS_ITS_LOSS        # what the loss whose values it averages compares with

cdef struct Metric:
    const MetricTraits *traits
    bint weighted      # whether sample weights count
    double threshold   # of binary accuracy
    Loss loss          # what is averaged by a metric that is a loss; its output names the buffer for every metric
    double total
    double count

cdef struct MetricTraits:
    const char *name
    int compares_with
    double (*row_f32)(const Metric *m, const float *y, const int32_t *label, const float *a,
                      Py_ssize_t n) noexcept nogil
    double (*row_f64)(const Metric *m, const double *y, const int32_t *label, const double *a,
                      Py_ssize_t n) noexcept nogil

ctypedef double (*Row32)(const Metric *m, const float *y, const int32_t *label, const float *a,
                         Py_ssize_t n) noexcept nogil
ctypedef double (*Row64)(const Metric *m, const double *y, const int32_t *label, const double *a,
                         Py_ssize_t n) noexcept nogil


cdef inline Py_ssize_t index_of_largest(const real *a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t c, best = 0
    for c in range(1, n):
        if a[c] > a[best]:
            best = c
    return best


# The value of one row: y (n) or the label is the target, a (n) the prediction.

cdef inline double binary_accuracy_row(const Metric *m, const real *y, const int32_t *label, const real *a,
                                       Py_ssize_t n) noexcept nogil:
    """The share of columns in which a > threshold says what y does"""
    cdef Py_ssize_t c, right = 0
    for c in range(n):
        right += y[c] == <real> (a[c] > m.threshold)
    return <double> right / n


cdef inline double categorical_accuracy_row(const Metric *m, const real *y, const int32_t *label, const real *a,
                                            Py_ssize_t n) noexcept nogil:
    """1 if y and a are largest in the same column, else 0"""
    return index_of_largest(y, n) == index_of_largest(a, n)


cdef inline double sparse_categorical_accuracy_row(const Metric *m, const real *y, const int32_t *label, const real *a,
                                                   Py_ssize_t n) noexcept nogil:
    """1 if a is largest in the column of the label, else 0"""
    return label[0] == index_of_largest(a, n)


cdef inline double loss_value_row(const Metric *m, const real *y, const int32_t *label, const real *a,
                                  Py_ssize_t n) noexcept nogil:
    """The loss's value"""
    if m.loss.has_labels:
        return label_crossentropy_row(<real *> NULL, label[0], a, n)
    return loss_row(&m.loss, <real *> NULL, y, a, n)


cdef inline MetricTraits traits(const char *name, Row32 row_f32, Row64 row_f64, int compares_with) noexcept nogil:
    cdef MetricTraits row
    row.name, row.row_f32, row.row_f64, row.compares_with = name, row_f32, row_f64, compares_with
    return row


cdef inline int list_metrics(MetricTraits *rows) noexcept nogil:
    """A row for every metric; returns how many."""
    rows[0] = traits("binary_accuracy", binary_accuracy_row, binary_accuracy_row, VALUES)
    rows[1] = traits("categorical_accuracy", categorical_accuracy_row, categorical_accuracy_row, VALUES)
    rows[2] = traits("sparse_categorical_accuracy", sparse_categorical_accuracy_row, sparse_categorical_accuracy_row,
                     CLASSES)
    rows[3] = traits("loss", loss_value_row, loss_value_row, AS_ITS_LOSS)
    return 4


cdef inline double metric_row(const Metric *metric, const real *y, const int32_t *label, const real *a,
                              Py_ssize_t n) noexcept nogil:
    if real is float:
        return metric.traits.row_f32(metric, y, label, a, n)
    else:
        return metric.traits.row_f64(metric, y, label, a, n)


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
        if metric.traits.compares_with == AS_ITS_LOSS and metric.loss.has_labels and (
                labels[target] == metric.loss.ignored or not 0 <= labels[target] < plan.buffers[output].width):
            continue  # a class that the model's loss ignores need not be one of the prediction's
        weight = row_weight(targets, weights, target, rows)
        total += weight * metric_row(metric, y + target * width, labels + target, a + r * row,
                                     plan.buffers[output].width)
        count += weight
    metric.total += total
    metric.count += count
