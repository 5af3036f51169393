# A network at work: the forward pass, the delta recursion and the loop over batches, all along a plan. Floor 1.
# It knows no Python object but through src/operations/custom.pxd.

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from activations cimport (activation_operation_backward, activation_operation_forward, prelu_backward,
                          prelu_forward)
from custom cimport custom_operation_backward, custom_operation_forward, look_for_signals
from dense cimport dense_backward, dense_forward
from embedding cimport embedding_backward, embedding_forward
from losses cimport Loss, Targets, loss_block, loss_denominator
from merging cimport (concatenate_backward, concatenate_forward, dot_backward, dot_forward, merge_backward,
                      merge_forward)
from metrics cimport Metric, metric_block
from noise cimport noise_backward, noise_forward
from normalization cimport (batch_normalization_backward, batch_normalization_forward, move_statistics,
                            row_normalization_backward, row_normalization_forward, statistics_are_finite)
from optimizers cimport (Optimizer, add_penalty_gradients, gradients_are_finite, step_is_bounded, take_step,
                         total_penalty)
from parametric_activation cimport parametric_activation_backward, parametric_activation_forward
from periodic cimport periodic_backward, periodic_forward
from plan cimport *
from preprocessing cimport discretize_forward, encode_forward, scaling_backward, scaling_forward
from regularizers cimport activity_backward, activity_forward
from reshaping cimport permute_backward, permute_forward, reshape_backward, reshape_forward
from simd cimport gather, real
from sparse cimport read_sparse
from threads cimport pool_run

cdef extern from "system/monotonic.h" nogil:
    double monotonic_seconds()

cdef enum:
    WORK_PER_GLANCE = 1 << 20  # multiply-adds between two looks at the clock
    GATHERED_ROWS = 32         # rows that a thread brings in at a time,
    SMALL_BLOCK = 1 << 16      # unless the whole block has fewer elements

cdef struct Source:
    const void *data       # (n_samples, width) of the network's type, C order
    Py_ssize_t width       # elements a sample
    bint is_sparse
    SparseRows rows        # instead of data

cdef enum RunStatus:
    RUN_FINISHED
    RUN_OUT_OF_TIME        # the slice ended; call again from `next_batch`
    RUN_DIVERGED           # the loss or a gradient of batch `next_batch` is not finite; parameters are untouched
    RUN_FAILED             # a Python callback raised

cdef struct Run:
    # A pass over batches: what a slice of fit or evaluate needs and what it adds up.
    const Plan *plan
    Workspace *workspace
    void **tensors
    void **gradients
    Source *inputs         # one for each input of the plan
    Targets *targets       # one for each loss; `first` is set here
    Loss *losses
    int n_losses
    Metric *metrics
    int n_metrics
    int *metric_targets    # the loss whose targets a metric reads
    void **predictions     # where each output's predictions are copied to, in the order of training; NULL where not
    Optimizer *optimizer   # NULL: evaluate only
    const Py_ssize_t *tensor_sizes
    void *parameters       # flat
    void *flat_gradients
    const double *learning_rates  # one a batch, the first for `first_batch`
    const int64_t *order
    Py_ssize_t n_samples
    Py_ssize_t batch_size
    Py_ssize_t block_size
    Py_ssize_t first_batch
    Py_ssize_t next_batch
    Py_ssize_t last_batch  # the one after the last
    int64_t step           # of the optimizer at next_batch
    double *loss_totals    # for each loss: sum over samples of the unweighted batch means; then those of a batch
    double penalty_total   # sum over samples of the batches' penalties
    double last_loss       # of the last batch, penalties included
    double samples         # samples seen
    bint updates           # False: gradients are left in place and no step is made


cdef inline Py_ssize_t totals_length(const Run *run) noexcept nogil:
    return 2 + run.n_losses + 2 * run.n_metrics


cdef inline void copy_totals(double *totals, const Run *run) noexcept nogil:
    """What has been added up: samples, penalties, each loss, each metric's total and count."""
    cdef int i
    totals[0], totals[1] = run.samples, run.penalty_total
    totals += 2
    for i in range(run.n_losses):
        totals[i] = run.loss_totals[i]
    totals += run.n_losses
    for i in range(run.n_metrics):
        totals[2 * i], totals[2 * i + 1] = run.metrics[i].total, run.metrics[i].count


cdef inline void clear_totals(Run *run) noexcept nogil:
    cdef int i
    run.samples = run.penalty_total = 0
    memset(run.loss_totals, 0, run.n_losses * sizeof(double))
    for i in range(run.n_metrics):
        run.metrics[i].total = run.metrics[i].count = 0


cdef inline void python_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    cdef int source = plan.operations[index].inputs[0], output = plan.operations[index].output
    custom_operation_forward(plan.operations[index].custom, workspace, <real *> workspace.values[output],
                             <const real *> workspace.values[source], workspace.n * plan.buffers[source].rows,
                             plan.buffers[output].width, plan.buffers[source].width, workspace.strides[output],
                             workspace.strides[source])


cdef inline void python_backward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    cdef int source = plan.operations[index].inputs[0], output = plan.operations[index].output
    if workspace.deltas[source] == NULL:
        return
    custom_operation_backward(plan.operations[index].custom, workspace, <real *> workspace.deltas[source],
                              <const real *> workspace.deltas[output], <const real *> workspace.values[source],
                              workspace.n * plan.buffers[source].rows, plan.buffers[output].width,
                              plan.buffers[source].width, workspace.strides[source], workspace.strides[output],
                              workspace.strides[source], workspace.delta_written[source])
    workspace.delta_written[source] = True


cdef inline void other_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """The kinds beside dense layers and activations."""
    cdef int kind = plan.operations[index].kind
    if kind == PRELU:
        prelu_forward(plan, index, workspace, tensors)
    elif kind == RESHAPE:
        reshape_forward(plan, index, workspace, tensors)
    elif kind == PERMUTE:
        permute_forward(plan, index, workspace, tensors)
    elif kind <= GAUSSIAN_NOISE:
        noise_forward(plan, index, workspace, tensors)
    elif kind == BATCH_NORMALIZATION:
        batch_normalization_forward(plan, index, workspace, tensors)
    elif kind <= UNIT_NORMALIZATION:
        row_normalization_forward(plan, index, workspace, tensors)
    elif kind <= MINIMUM:
        merge_forward(plan, index, workspace, tensors)
    elif kind == CONCATENATE:
        concatenate_forward(plan, index, workspace, tensors)
    elif kind == DOT:
        dot_forward(plan, index, workspace, tensors)
    elif kind == PARAMETRIC_ACTIVATION:
        parametric_activation_forward(plan, index, workspace, tensors)
    elif kind == PERIODIC:
        periodic_forward(plan, index, workspace, tensors)
    elif kind == EMBEDDING:
        embedding_forward(plan, index, workspace, tensors)
    elif kind <= RESCALE:
        scaling_forward(plan, index, workspace, tensors)
    elif kind == ENCODE:
        encode_forward(plan, index, workspace, tensors)
    elif kind == DISCRETIZE:
        discretize_forward(plan, index, workspace, tensors)
    elif kind == ACTIVITY_PENALTY:
        activity_forward(plan, index, workspace, tensors)
    else:
        python_forward(plan, index, workspace, tensors)


cdef inline void other_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                real **gradients) noexcept nogil:
    """The kinds beside dense layers and activations. Encoding and discretizing are steps: no gradient passes them."""
    cdef int kind = plan.operations[index].kind
    if kind == PRELU:
        prelu_backward(plan, index, workspace, tensors, gradients)
    elif kind == RESHAPE:
        reshape_backward(plan, index, workspace, tensors)
    elif kind == PERMUTE:
        permute_backward(plan, index, workspace, tensors)
    elif kind <= GAUSSIAN_NOISE:
        noise_backward(plan, index, workspace, tensors)
    elif kind == BATCH_NORMALIZATION:
        batch_normalization_backward(plan, index, workspace, tensors, gradients)
    elif kind <= UNIT_NORMALIZATION:
        row_normalization_backward(plan, index, workspace, tensors, gradients)
    elif kind <= MINIMUM:
        merge_backward(plan, index, workspace, tensors)
    elif kind == CONCATENATE:
        concatenate_backward(plan, index, workspace, tensors)
    elif kind == DOT:
        dot_backward(plan, index, workspace, tensors)
    elif kind == PARAMETRIC_ACTIVATION:
        parametric_activation_backward(plan, index, workspace, tensors, gradients)
    elif kind == PERIODIC:
        periodic_backward(plan, index, workspace, tensors, gradients)
    elif kind == EMBEDDING:
        embedding_backward(plan, index, workspace, tensors, gradients)
    elif kind <= RESCALE:
        scaling_backward(plan, index, workspace, tensors)
    elif kind == ACTIVITY_PENALTY:
        activity_backward(plan, index, workspace, tensors)
    elif kind == CUSTOM:
        python_backward(plan, index, workspace, tensors)


cdef inline void forward(const Plan *plan, Workspace *workspace, real **tensors) noexcept nogil:
    """Every operation in its order."""
    cdef int index, kind
    for index in range(plan.n_operations):
        kind = plan.operations[index].kind
        if kind == DENSE:
            dense_forward(plan, index, workspace, tensors)
        elif kind == ACTIVATION:
            activation_operation_forward(plan, index, workspace, tensors)
        else:
            other_forward(plan, index, workspace, tensors)
        if workspace.listener != NULL:
            look_for_signals(workspace)
            if workspace.failed:
                return


cdef inline void backward(const Plan *plan, Workspace *workspace, real **tensors, real **gradients) noexcept nogil:
    """The delta recursion: every operation in reverse, from dJ/doutput to dJ/dinput and dJ/dparameters.

    An operation whose output no loss depends on is passed over.
    """
    cdef int index, kind
    for index in range(plan.n_operations - 1, -1, -1):
        kind = plan.operations[index].kind
        if not workspace.delta_written[plan.operations[index].output] and kind != ACTIVITY_PENALTY:
            continue
        if kind == DENSE:
            dense_backward(plan, index, workspace, tensors, gradients)
        elif kind == ACTIVATION:
            activation_operation_backward(plan, index, workspace, tensors)
        else:
            other_backward(plan, index, workspace, tensors, gradients)
        if workspace.listener != NULL:
            look_for_signals(workspace)
            if workspace.failed:
                return


cdef inline void gather_samples(real *y, const real *x, const int64_t *order, Py_ssize_t first, Py_ssize_t n,
                                Py_ssize_t n_coming, const Buffer *buffer, Py_ssize_t y_row) noexcept nogil:
    """y (n * rows, width) = x[order[first + i]], row by row into the padded buffer.

    The next n_coming entries of the order tell what will be wanted soon.
    """
    cdef const int64_t *none = NULL
    cdef Py_ssize_t i, rows = buffer.rows, width = buffer.width
    if order == NULL:
        gather(y, x + first * rows * width, none, n * rows, 0, width, y_row, width)
    elif rows == 1:
        gather(y, x, order + first, n, n_coming, width, y_row, width)
    else:
        for i in range(n):
            gather(y + i * rows * y_row, x + order[first + i] * rows * width, none, rows, 0, width, y_row, width)


ctypedef struct Gathering:
    # One input's rows of a block, shared among threads.
    void *y
    const void *x
    const int64_t *order
    Py_ssize_t first
    Py_ssize_t n
    Py_ssize_t n_coming
    const Buffer *buffer
    Py_ssize_t y_row


cdef inline void gather_part(const Gathering *g, real *y, Py_ssize_t index) noexcept nogil:
    cdef Py_ssize_t done = index * GATHERED_ROWS, n = min(<Py_ssize_t> GATHERED_ROWS, g.n - done)
    gather_samples(y + done * g.buffer.rows * g.y_row, <const real *> g.x, g.order, g.first + done, n,
                   g.n + g.n_coming - done - n, g.buffer, g.y_row)


cdef inline void gather_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Gathering *g = <Gathering *> context
    gather_part(g, <float *> g.y, index)


cdef inline void gather_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Gathering *g = <Gathering *> context
    gather_part(g, <double *> g.y, index)


cdef inline void load_block(const Run *run, real **tensors, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """Brings the inputs of samples [first, first + n) of the order into the workspace."""
    cdef const Plan *plan = run.plan
    cdef Workspace *workspace = run.workspace
    cdef Gathering g
    cdef int i, buffer
    workspace.n = n
    g.order, g.first, g.n, g.n_coming = run.order, first, n, run.n_samples - first - n
    for i in range(plan.n_inputs):
        buffer = plan.inputs[i]
        if run.inputs[i].is_sparse:
            read_sparse(plan, workspace, i, &run.inputs[i].rows, run.order, first)
            continue
        g.y, g.x = workspace.values[buffer], run.inputs[i].data
        g.buffer, g.y_row = &plan.buffers[buffer], workspace.strides[buffer]
        if n * g.buffer.rows * g.buffer.width < SMALL_BLOCK:
            gather_samples(<real *> g.y, <const real *> g.x, g.order, first, n, g.n_coming, g.buffer, g.y_row)
        else:
            pool_run(gather_task_f32 if real is float else gather_task_f64, &g,
                     (n + GATHERED_ROWS - 1) // GATHERED_ROWS)


cdef inline void store_predictions(const Run *run, real **tensors, Py_ssize_t first) noexcept nogil:
    """Copies each wanted output to its place in the order of training."""
    cdef const Plan *plan = run.plan
    cdef Workspace *workspace = run.workspace
    cdef const Buffer *buffer
    cdef const int64_t *none = NULL
    cdef int i, output
    for i in range(plan.n_outputs):
        if run.predictions == NULL or run.predictions[i] == NULL:
            continue
        output = plan.outputs[i]
        buffer = &plan.buffers[output]
        gather(<real *> run.predictions[i] + first * buffer.rows * buffer.width, <real *> workspace.values[output],
               none, workspace.n * buffer.rows, 0, buffer.width, buffer.width, workspace.strides[output])


cdef inline double run_block(Run *run, real **tensors, real **gradients, Py_ssize_t batch_first, Py_ssize_t first,
                             Py_ssize_t n, const double *denominators) noexcept nogil:
    """Forward, losses, metrics and backward for n samples; returns their share of the batch's weighted loss."""
    cdef Workspace *workspace = run.workspace
    cdef double loss, total = 0
    cdef int i
    load_block(run, tensors, first, n)
    workspace.first = first - batch_first
    memset(workspace.delta_written, 0, run.plan.n_buffers * sizeof(bint))
    forward(run.plan, workspace, tensors)
    for i in range(run.n_losses):
        run.targets[i].first = first
        loss = loss_block(&run.losses[i], run.plan, workspace, tensors, &run.targets[i],
                          denominators[i]) / denominators[i]
        run.loss_totals[run.n_losses + i] += loss
        total += run.losses[i].weight * loss
    for i in range(run.n_metrics):
        run.targets[run.metric_targets[i]].first = first
        metric_block(&run.metrics[i], run.plan, workspace, tensors, &run.targets[run.metric_targets[i]])
    store_predictions(run, tensors, first)
    if gradients != NULL and not workspace.failed and isfinite(total):
        backward(run.plan, workspace, tensors, gradients)
    return total


cdef inline void clear_unwritten(const Run *run, real **gradients) noexcept nogil:
    """A parameter that no loss depends on has a gradient of zero."""
    cdef int i
    for i in range(run.plan.n_tensors):
        if gradients[i] != NULL and not run.workspace.tensor_written[i]:
            memset(gradients[i], 0, run.tensor_sizes[i] * sizeof(real))


cdef inline int run_batch(Run *run, real **tensors, real **gradients) noexcept nogil:
    """One batch: blocks of samples, penalties, and the optimizer's step."""
    cdef Py_ssize_t batch_first = run.next_batch * run.batch_size
    cdef Py_ssize_t n = min(run.batch_size, run.n_samples - batch_first), first = batch_first
    cdef real *w = <real *> run.parameters
    cdef real *g = <real *> run.flat_gradients
    cdef double denominators[16]
    cdef double total = 0, penalties = 0, penalty_scale = 1, learning_rate
    cdef int i
    for i in range(run.n_losses):
        run.targets[i].first = batch_first
        run.loss_totals[run.n_losses + i] = 0
        denominators[i] = loss_denominator(&run.losses[i], <const real *> run.targets[i].weights, &run.targets[i], n,
                                           run.plan.buffers[run.losses[i].output].rows)
    memset(run.workspace.tensor_written, 0, run.plan.n_tensors * sizeof(bint))
    run.workspace.step = run.step if gradients != NULL else run.next_batch
    run.workspace.batch_size, run.workspace.activity_penalty = n, 0
    while first < batch_first + n:
        total += run_block(run, tensors, gradients, batch_first, first,
                           min(run.block_size, batch_first + n - first), denominators)
        first += run.block_size
    if run.workspace.failed:
        return RUN_FAILED
    penalties = run.workspace.activity_penalty
    if run.optimizer != NULL:
        if run.optimizer.penalties_over_batch:
            penalty_scale = 1 / denominators[0]
        penalties += total_penalty(run.optimizer, w, penalty_scale)
        if run.optimizer.failed:
            return RUN_FAILED
    total += penalties
    run.last_loss = total
    if not isfinite(total):
        return RUN_DIVERGED
    if gradients != NULL:
        clear_unwritten(run, gradients)
        add_penalty_gradients(run.optimizer, g, w, penalty_scale)
        if run.optimizer.failed:
            return RUN_FAILED
        if not gradients_are_finite(run.optimizer, g):
            return RUN_DIVERGED
        if run.updates:
            learning_rate = run.learning_rates[run.next_batch - run.first_batch]
            if not (statistics_are_finite(run.plan, run.workspace, tensors)
                    and step_is_bounded(run.optimizer, g, learning_rate)):
                return RUN_DIVERGED
            take_step(run.optimizer, w, g, learning_rate, run.step)
            move_statistics(run.plan, run.workspace, tensors)
            run.step += 1
            if run.optimizer.failed:
                return RUN_FAILED
    for i in range(run.n_losses):
        run.loss_totals[i] += run.loss_totals[run.n_losses + i] * n
    run.penalty_total += penalties * n
    run.samples += n
    run.next_batch += 1
    return RUN_FINISHED


cdef inline int run_slice(Run *run, real **tensors, real **gradients, double seconds) noexcept nogil:
    """Batches until the last one, or until the time is up, whichever comes first."""
    cdef double until = monotonic_seconds() + seconds
    cdef Py_ssize_t work = run.batch_size, period, i
    cdef int status
    for i in range(run.plan.n_tensors):
        work += run.batch_size * run.tensor_sizes[i]
    period = max(<Py_ssize_t> 1, WORK_PER_GLANCE // work)
    while run.next_batch < run.last_batch:
        status = run_batch(run, tensors, gradients)
        if status != RUN_FINISHED:
            return status
        if run.next_batch % period == 0 and monotonic_seconds() >= until:
            return RUN_OUT_OF_TIME if run.next_batch < run.last_batch else RUN_FINISHED
    return RUN_FINISHED
