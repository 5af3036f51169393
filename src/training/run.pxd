# A run over batches: forward pass, losses, delta recursion, the optimizer's step, for as long as a slice of time lasts.
# Floor 1.

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.string cimport memset

from gathering cimport Source, copy_output, load_inputs
from loss cimport Loss, Targets, values_per_sample
from losses cimport loss_block, loss_denominator, or_one
from metrics cimport Metric, metric_block
from normalization cimport move_statistics, statistics_are_finite
from operations cimport backward, forward
from optimizers cimport (Optimizer, add_penalty_gradients, gradients_are_finite, step_is_bounded, take_step,
                         total_penalty)
from plan cimport MAX_LOSSES, WORK_PER_ELEMENT, Plan, Workspace
from simd cimport real

cdef extern from "system/monotonic.h" nogil:
    double monotonic_seconds()

cdef enum:
    WORK_PER_CLOCK = 1 << 20  # multiply-adds between two looks at the clock

cdef enum RunStatus:
    RUN_FINISHED
    RUN_OUT_OF_TIME        # the slice ended; call again from `next_batch`
    RUN_DIVERGED           # the loss or a gradient of batch `next_batch` is not finite; parameters are untouched
    RUN_FAILED             # a Python callback raised

cdef struct Share:
    # The samples of a batch that a run computes: all, or those of this process where several share a batch.
    Py_ssize_t first       # in the order of training
    Py_ssize_t n
    Py_ssize_t place       # of the first in the whole batch
    Py_ssize_t whole       # samples of the whole batch
    bint penalizes         # the penalties on weights count here
    double denominators[MAX_LOSSES]  # of the whole batch

cdef enum:  # what Python says of a share, before the denominators
    SHARE_FIRST
    SHARE_COUNT
    SHARE_PLACE
    SHARE_WHOLE
    SHARE_PENALIZES
    SHARE_NUMBERS

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
    const double *shares   # SHARE_NUMBERS and the denominators of every batch; NULL: a batch is computed whole


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


cdef inline double run_block(Run *run, real **tensors, real **gradients, const Share *share, Py_ssize_t first,
                             Py_ssize_t n) noexcept nogil:
    """Forward, losses, metrics and backward for n samples; returns their share of the batch's weighted loss."""
    cdef const double *denominators = &share.denominators[0]
    cdef Workspace *workspace = run.workspace
    cdef double loss, total = 0
    cdef int i
    load_inputs(run.plan, workspace, tensors, run.inputs, run.order, first, n, run.n_samples - first - n)
    workspace.first = first - share.first + share.place
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
    for i in range(run.plan.n_outputs):
        if run.predictions[i] != NULL:
            copy_output(run.plan, workspace, tensors, i, run.predictions[i], first)
    # Where processes exchange statistics all go the whole way, or others would wait for this one.
    if gradients != NULL and not workspace.failed and (isfinite(total) or workspace.exchange != NULL):
        backward(run.plan, workspace, tensors, gradients)
    return total


cdef inline void clear_unwritten(const Run *run, real **gradients) noexcept nogil:
    """A parameter that no loss depends on has a gradient of zero."""
    cdef int i
    for i in range(run.plan.n_tensors):
        if gradients[i] != NULL and not run.workspace.tensor_written[i]:
            memset(gradients[i], 0, run.tensor_sizes[i] * sizeof(real))


cdef inline int update(Run *run, real **tensors, double learning_rate, bint checks) noexcept nogil:
    """The optimizer's step with the gradients that a batch has left, unless that would leave the finite numbers, or,
    where it `checks`, gradients have left them already."""
    cdef real *w = <real *> run.parameters
    cdef real *g = <real *> run.flat_gradients
    if not ((not checks or gradients_are_finite(run.optimizer, g))
            and statistics_are_finite(run.plan, run.workspace, tensors)
            and step_is_bounded(run.optimizer, g, learning_rate)):
        return RUN_DIVERGED
    take_step(run.optimizer, w, g, learning_rate, run.step)
    move_statistics(run.plan, run.workspace, tensors)
    run.step += 1
    return RUN_FAILED if run.optimizer.failed else RUN_FINISHED


cdef inline void whole_batch(Share *share, Run *run, real **typed) noexcept nogil:
    """A batch that is computed whole."""
    cdef int i
    share.first = run.next_batch * run.batch_size
    share.n = share.whole = min(run.batch_size, run.n_samples - share.first)
    share.place, share.penalizes = 0, True
    for i in range(run.n_losses):
        run.targets[i].first = share.first
        share.denominators[i] = or_one(loss_denominator(
            &run.losses[i], <const real *> run.targets[i].weights, &run.targets[i], share.n,
            values_per_sample(&run.losses[i], run.plan)))


cdef inline void given_share(Share *share, const Run *run) noexcept nogil:
    cdef const double *numbers = run.shares + run.next_batch * (SHARE_NUMBERS + run.n_losses)
    cdef int i
    share.first, share.n = <Py_ssize_t> numbers[SHARE_FIRST], <Py_ssize_t> numbers[SHARE_COUNT]
    share.place, share.whole = <Py_ssize_t> numbers[SHARE_PLACE], <Py_ssize_t> numbers[SHARE_WHOLE]
    share.penalizes = numbers[SHARE_PENALIZES] != 0
    for i in range(run.n_losses):
        share.denominators[i] = numbers[SHARE_NUMBERS + i]


cdef inline double forward_and_backward(Run *run, real **tensors, real **gradients, const Share *share) noexcept nogil:
    """The share's blocks of samples; returns its part of the batch's weighted loss."""
    cdef Py_ssize_t done = 0, n
    cdef double total = 0
    cdef int i
    for i in range(run.n_losses):
        run.loss_totals[run.n_losses + i] = 0
    memset(run.workspace.tensor_written, 0, run.plan.n_tensors * sizeof(bint))
    run.workspace.step = run.step if gradients != NULL else run.next_batch
    run.workspace.batch_size, run.workspace.activity_penalty = share.whole, 0
    # A share without samples takes part all the same, in exchanges of statistics and in what is done once a batch.
    while done < share.n or (done == 0 and run.shares != NULL):
        n = min(run.block_size, share.n - done)
        total += run_block(run, tensors, gradients, share, share.first + done, n)
        done += run.block_size
    return total


cdef inline int run_batch(Run *run, real **tensors, real **gradients) noexcept nogil:
    """One batch: blocks of samples, penalties, and the optimizer's step."""
    cdef real *w = <real *> run.parameters
    cdef real *g = <real *> run.flat_gradients
    cdef Share share
    cdef double total, penalties, penalty_scale = 1
    cdef int i, status
    if run.shares == NULL:
        whole_batch(&share, run, tensors)
    else:
        given_share(&share, run)
    total = forward_and_backward(run, tensors, gradients, &share)
    if run.workspace.failed:
        return RUN_FAILED
    penalties = run.workspace.activity_penalty
    if run.optimizer != NULL and share.penalizes:
        if run.optimizer.penalties_over_batch:
            penalty_scale = 1 / share.denominators[0]
        penalties += total_penalty(run.optimizer, w, penalty_scale)
        if run.optimizer.failed:
            return RUN_FAILED
    total += penalties
    run.last_loss = total
    if not isfinite(total):
        return RUN_DIVERGED
    if gradients != NULL:
        clear_unwritten(run, gradients)
        if share.penalizes:
            add_penalty_gradients(run.optimizer, g, w, penalty_scale)
        if run.optimizer.failed:
            return RUN_FAILED
        if (run.shares == NULL or run.updates) and not gradients_are_finite(run.optimizer, g):
            return RUN_DIVERGED
        if run.updates:
            status = update(run, tensors, run.learning_rates[run.next_batch - run.first_batch], False)
            if status != RUN_FINISHED:
                return status
    for i in range(run.n_losses):
        run.loss_totals[i] += run.loss_totals[run.n_losses + i] * share.whole
    run.penalty_total += penalties * share.whole
    run.samples += share.n
    run.next_batch += 1
    return RUN_FINISHED


cdef inline int run_slice(Run *run, real **tensors, real **gradients, double seconds) noexcept nogil:
    """Batches until the last one, or until the time is up, whichever comes first."""
    cdef double until = monotonic_seconds() + seconds
    cdef Py_ssize_t work = run.batch_size, period, i
    cdef int status
    for i in range(run.plan.n_tensors):
        work += run.batch_size * run.tensor_sizes[i]
    for i in range(run.plan.n_buffers):
        work += run.batch_size * WORK_PER_ELEMENT * run.plan.buffers[i].rows * run.plan.buffers[i].stride
    period = max(<Py_ssize_t> 1, WORK_PER_CLOCK // work)
    while run.next_batch < run.last_batch:
        status = run_batch(run, tensors, gradients)
        if status != RUN_FINISHED:
            return status
        if run.next_batch % period == 0 and monotonic_seconds() >= until:
            return RUN_OUT_OF_TIME if run.next_batch < run.last_batch else RUN_FINISHED
    return RUN_FINISHED
