# What a loss is to native code, and the targets that it compares predictions with. Floor 1.

from libc.stdint cimport int64_t

from plan cimport Plan, Workspace
from simd cimport real

cdef struct LossTraits
cdef struct TracedLoss

cdef enum:             # what Python's parameters of a loss begin with
    NUMBERS            # nothing but numbers of its own
    SMOOTHED           # from_logits, then the label smoothing
    LABELS             # from_logits, then the class that is ignored: targets are class indices

cdef enum:             # columns of the target, next to those of the prediction
    AS_MANY
    HALF_AS_MANY
    EACH_QUANTILE      # as many, or one for as many columns as there are quantiles
    ONE_LABEL
    ANY_NUMBER

cdef struct ReductionTraits:
    # How the values of rows become one number: their weighted sum over what this says.
    const char *name
    bint divides            # by the number of rows, or
    bint divides_by_weight  # by the sum of their weights

cdef struct Loss:
    const LossTraits *traits
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
    const ReductionTraits *reduction
    void *custom
    bint couples_rows      # its derivatives count the weights of rows, which depend on each other
    TracedLoss *traced     # of a loss whose formula is a plan, else NULL

cdef struct TracedLoss:
    # A plan from targets and predictions to values, and the memory in which it runs.
    const Plan *plan
    Workspace *workspace
    void **tensors
    void **gradients       # all NULL: a loss trains nothing of its own
    Py_ssize_t n_values    # of a sample

cdef struct LossTraits:
    # The row of a loss in src/training/losses.pxd.
    const char *name
    int n_parameters           # at least
    int parameters_begin
    int target_width
    int activation             # sigmoid or softmax, with which it is computed from logits; -1 for none
    double (*row_f32)(const Loss *loss, float *g, const float *y, const float *a, Py_ssize_t n) noexcept nogil
    double (*row_f64)(const Loss *loss, double *g, const double *y, const double *a, Py_ssize_t n) noexcept nogil

cdef struct Targets:
    const void *values     # (n, rows, target_width) of the network's type, or (n, rows) of int32 labels
    const void *weights    # one a row, or NULL
    bint weight_per_sample  # one a sample instead
    const int64_t *order   # the samples in the order of training, or NULL for their own
    Py_ssize_t first       # where in that order the block begins


cdef inline bint compares_labels(const LossTraits *traits) noexcept nogil:
    return traits.parameters_begin == LABELS


cdef inline bint target_fits(const Loss *loss, Py_ssize_t width) noexcept nogil:
    """Whether a row of the target is as wide as the loss of a prediction of this width will read."""
    cdef int wanted = loss.traits.target_width
    if wanted == HALF_AS_MANY:
        return width == 2 * loss.target_width
    if wanted == ONE_LABEL:
        return width > 0
    if wanted == ANY_NUMBER:
        return loss.target_width >= 0
    return loss.target_width == width or (
        wanted == EACH_QUANTILE and loss.target_width > 0 and loss.target_width * loss.n_parameters >= width)


cdef inline Py_ssize_t target_row(const Targets *targets, Py_ssize_t row, Py_ssize_t rows) noexcept nogil:
    """Where the target of the block's row stands among all rows."""
    cdef Py_ssize_t sample
    if rows == 1:  # saves two divisions
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


cdef inline Py_ssize_t values_per_sample(const Loss *loss, const Plan *plan) noexcept nogil:
    """How many values are averaged for each sample: one a row, unless a traced loss says otherwise."""
    return loss.traced.n_values if loss.traced != NULL else plan.buffers[loss.output].rows
