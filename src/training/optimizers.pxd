# Optimizers: one sweep over the flat vector of parameters a step. Floor 1.
# The order of a step is Keras's: penalties, clipping, weight decay, the rule, moving average, constraints.
# Parameter groups carry what differs between tensors; neighbours that do not differ are one group.

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from constraints cimport constrain
from custom cimport custom_constraint, custom_penalty
from optimizer cimport *
from regularizers cimport penalty_of
from shares cimport even_chunk, parts_of
from simd cimport (RULE_NADAM, add_scaled, all_finite, nadam_momentum, real, rule_is_of_tensors, scale_by,
                   sum_of_squares)
from tensor_steps cimport step_tensors
from threads cimport pool_run, pool_task, pool_width

cdef enum:
    LEAST_SWEPT = 1 << 15  # parameters that are worth waking a thread for

cdef inline double rule_penalty(Optimizer *optimizer, const TensorRule *rule, real *g, const real *w,
                                double scale) noexcept nogil:
    """scale times the penalty on one tensor w; where g is given, its gradient is added to g instead"""
    if rule.penalty.custom != NULL:
        return custom_penalty(rule.penalty.custom, &optimizer.failed, g, w, rule.n_rows, rule.n_cols, rule.n_cols,
                              rule.n_cols, scale, True)
    return penalty_of(&rule.penalty, g, w, rule.n_rows, rule.n_cols, scale)


cdef inline double total_penalty(Optimizer *optimizer, const real *w, double scale) noexcept nogil:
    cdef Py_ssize_t i
    cdef real *none = NULL
    cdef double total = 0
    for i in range(optimizer.n_rules):
        if optimizer.rules[i].penalty.traits != NULL:
            total += rule_penalty(optimizer, &optimizer.rules[i], none, w + optimizer.rules[i].offset, scale)
    return total


cdef inline void add_penalty_gradients(Optimizer *optimizer, real *g, const real *w, double scale) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(optimizer.n_rules):
        if optimizer.rules[i].penalty.traits != NULL:
            rule_penalty(optimizer, &optimizer.rules[i], g + optimizer.rules[i].offset,
                         w + optimizer.rules[i].offset, scale)


cdef inline void clip_gradients(const Optimizer *optimizer, real *g) noexcept nogil:
    """By each tensor's norm, else by the norm of all, else by value: Keras takes the first that is set."""
    cdef Py_ssize_t i
    cdef double norm
    cdef real limit
    cdef const TensorRange *tensor
    if optimizer.clip_norm > 0:
        for i in range(optimizer.n_tensors):
            tensor = &optimizer.tensors[i]
            norm = sqrt(sum_of_squares(g + tensor.offset, tensor.size))
            if norm > optimizer.clip_norm:
                scale_by(g + tensor.offset, g + tensor.offset, tensor.size, <real> (optimizer.clip_norm / norm))
    elif optimizer.global_clip_norm > 0:
        norm = sqrt(sum_of_squares(g, optimizer.n_parameters))
        if norm > optimizer.global_clip_norm:
            scale_by(g, g, optimizer.n_parameters, <real> (optimizer.global_clip_norm / norm))
    elif optimizer.clip_value > 0:
        limit = <real> optimizer.clip_value
        for i in range(optimizer.n_parameters):
            g[i] = min(max(g[i], -limit), limit)


ctypedef struct Sweep:
    # One pass over the flat vectors, cut into chunks that threads share.
    const Optimizer *optimizer
    void *w
    void *g
    double learning_rate
    int64_t t
    Py_ssize_t chunk
    bint finite


cdef inline void update_chunk(Sweep *sweep, real *w, Py_ssize_t index) noexcept nogil:
    """The update of the parameters [index * chunk, ...), group by group."""
    cdef const Optimizer *optimizer = sweep.optimizer
    cdef Py_ssize_t first = index * sweep.chunk, last = min(first + sweep.chunk, optimizer.n_parameters), i
    cdef ParameterGroup part
    for i in range(optimizer.n_groups):
        part = optimizer.groups[i]
        if part.offset >= last or part.offset + part.size <= first:
            continue
        part.size = min(part.offset + part.size, last)
        part.offset = max(part.offset, first)
        part.size -= part.offset
        step_group(optimizer, &part, w, <real *> sweep.g, sweep.learning_rate, sweep.t)


cdef inline void check_chunk(Sweep *sweep, real *g, Py_ssize_t index) noexcept nogil:
    cdef Py_ssize_t first = index * sweep.chunk
    if not all_finite(g + first, min(sweep.chunk, sweep.optimizer.n_parameters - first)):
        sweep.finite = False


cdef inline void update_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Sweep *sweep = <Sweep *> context
    update_chunk(sweep, <float *> sweep.w, index)


cdef inline void update_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Sweep *sweep = <Sweep *> context
    update_chunk(sweep, <double *> sweep.w, index)


cdef inline void check_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Sweep *sweep = <Sweep *> context
    check_chunk(sweep, <float *> sweep.g, index)


cdef inline void check_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Sweep *sweep = <Sweep *> context
    check_chunk(sweep, <double *> sweep.g, index)


cdef inline Py_ssize_t sweep_chunk(Py_ssize_t n_parameters, int n_threads) noexcept nogil:
    return even_chunk(n_parameters, LEAST_SWEPT, n_threads)


cdef inline void run_sweep(Sweep *sweep, pool_task task) noexcept nogil:
    sweep.chunk = sweep_chunk(sweep.optimizer.n_parameters, pool_width())
    pool_run(task, sweep, parts_of(sweep.optimizer.n_parameters, sweep.chunk))


cdef inline bint gradients_are_finite(const Optimizer *optimizer, real *g) noexcept nogil:
    cdef Sweep sweep
    sweep.optimizer, sweep.g, sweep.finite = optimizer, g, True
    run_sweep(&sweep, check_task_f32 if real is float else check_task_f64)
    return sweep.finite


cdef inline void update_parameters(const Optimizer *optimizer, real *w, real *g, double learning_rate,
                                   int64_t t) noexcept nogil:
    cdef Sweep sweep
    if rule_is_of_tensors(optimizer.rule):
        step_tensors(optimizer, w, g, learning_rate, t)
        return
    sweep.optimizer, sweep.w, sweep.g, sweep.learning_rate, sweep.t = optimizer, w, g, learning_rate, t
    run_sweep(&sweep, update_task_f32 if real is float else update_task_f64)


cdef inline void update_average(const Optimizer *optimizer, real *w, int64_t t) noexcept nogil:
    """average = momentum average + (1 - momentum) w (the first time: w), which every `period` steps overwrites w"""
    cdef real *average = <real *> optimizer.average
    cdef double momentum = 0 if t == 1 else optimizer.average_momentum
    cdef Py_ssize_t i
    for i in range(optimizer.n_parameters):
        average[i] = <real> (momentum * average[i] + (1 - momentum) * w[i])
    if optimizer.average_period > 0 and t % optimizer.average_period == 0:
        for i in range(optimizer.n_parameters):
            w[i] = average[i]


cdef inline bint gather_gradients(const Optimizer *optimizer, real *g, int64_t step) noexcept nogil:
    """Adds g to the accumulator; at the end of a period g becomes the mean. Returns whether an update is due."""
    cdef real *sums = <real *> optimizer.accumulator
    cdef Py_ssize_t i
    add_scaled(sums, g, optimizer.n_parameters, <real> 1)
    if (step + 1) % optimizer.accumulation != 0:
        return False
    for i in range(optimizer.n_parameters):
        g[i] = sums[i] / <real> optimizer.accumulation
        sums[i] = 0
    return True


cdef inline bint step_is_bounded(const Optimizer *optimizer, const real *g, double learning_rate) noexcept nogil:
    """Whether no step of this length can take a parameter out of the finite numbers; up to 1 none does.

    A rule adds up to a few thousand such steps in its momentum.
    """
    cdef double limit = 1e-4 * (3.4028235e38 if real is float else 1.7976931348623157e308)
    cdef Py_ssize_t i
    if learning_rate <= 1:
        return True
    for i in range(optimizer.n_parameters):
        if g[i] > limit / learning_rate or g[i] < -limit / learning_rate:
            return False
    return learning_rate < limit


cdef inline void take_step(Optimizer *optimizer, real *w, real *g, double learning_rate,
                           int64_t step) noexcept nogil:
    """One update of w (flat) from its gradients g, which are consumed; `step` counts batches from 0.

    While gradients are gathered, average and constraints follow every batch all the same, as in Keras.
    """
    cdef int64_t t = step // max(optimizer.accumulation, <Py_ssize_t> 1) + 1
    cdef Py_ssize_t i
    cdef const TensorRule *rule
    if optimizer.accumulation <= 1 or gather_gradients(optimizer, g, step):
        clip_gradients(optimizer, g)
        if optimizer.rule == RULE_NADAM:
            optimizer.nadam_product *= nadam_momentum(optimizer.numbers.beta_1, t)
        update_parameters(optimizer, w, g, learning_rate, t)
    if optimizer.average != NULL:
        update_average(optimizer, w, t)
    for i in range(optimizer.n_rules):
        rule = &optimizer.rules[i]
        if rule.constraint.custom != NULL:
            custom_constraint(rule.constraint.custom, &optimizer.failed, w + rule.offset, rule.n_rows, rule.n_cols)
        elif rule.constraint.traits != NULL:
            constrain(w + rule.offset, rule.n_rows, rule.n_cols, &rule.constraint)


cdef inline bint take_bounded_step(Optimizer *optimizer, real *w, real *g, double learning_rate,
                                   int64_t step) noexcept nogil:
    """A step from gradients that anybody may have computed, unless it would leave the finite numbers."""
    if not (gradients_are_finite(optimizer, g) and step_is_bounded(optimizer, g, learning_rate)):
        return False
    take_step(optimizer, w, g, learning_rate, step)
    return True
