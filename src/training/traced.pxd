# Losses whose formula is a plan of its own: from targets and predictions to values, run on every block of samples in a
# workspace of its own, forward and, from the derivatives of the values, backward to the predictions. Floor 1.

from libc.string cimport memset

from gathering cimport gather_samples
from loss cimport Loss, Targets, row_weight, target_row
from operations cimport backward, forward
from plan cimport Buffer, Plan, Workspace
from simd cimport real

# Inputs of the plan.
cdef enum:
    TARGETS
    PREDICTIONS


cdef inline void open_block(const Loss *loss, const Workspace *outer, const real *a, real *delta,
                            const Targets *targets) noexcept nogil:
    """Brings the block's targets in; predictions, and where their derivatives go, are those of the network."""
    cdef const Plan *plan = loss.traced.plan
    cdef Workspace *inner = loss.traced.workspace
    cdef int y = plan.inputs[TARGETS], predictions = plan.inputs[PREDICTIONS]
    inner.n, inner.first, inner.batch_size, inner.live = outer.n, outer.first, outer.batch_size, outer.live
    inner.seed, inner.step, inner.first_draw = outer.seed, outer.step, outer.first_draw
    memset(inner.delta_written, 0, plan.n_buffers * sizeof(bint))
    gather_samples(<real *> inner.values[y], <const real *> targets.values, targets.order, targets.first, outer.n, 0,
                   &plan.buffers[y], inner.strides[y])
    inner.values[predictions] = <void *> a
    if inner.deltas[predictions] != NULL:
        inner.deltas[predictions] = delta


cdef inline double weigh_values(const Loss *loss, real *typed, const Targets *targets, double scale) noexcept nogil:
    """The sum of w v over the block's values v; dJ/dv = scale w, where derivatives are wanted"""
    cdef Workspace *inner = loss.traced.workspace
    cdef int output = loss.traced.plan.outputs[0]
    cdef const Buffer *buffer = &loss.traced.plan.buffers[output]
    cdef const real *values = <const real *> inner.values[output]
    cdef real *slopes = <real *> inner.deltas[output]
    cdef Py_ssize_t i, at
    cdef double total = 0, weight
    for i in range(inner.n * loss.traced.n_values):
        at = i // buffer.width * inner.strides[output] + i % buffer.width
        weight = row_weight(targets, <const real *> targets.weights, target_row(targets, i, loss.traced.n_values),
                            loss.traced.n_values)
        total += weight * values[at]
        if slopes != NULL:
            slopes[at] = <real> (weight * scale)
    inner.delta_written[output] = slopes != NULL
    return total


cdef inline double traced_loss_block(const Loss *loss, Workspace *outer, real *delta, const real *a,
                                     const Targets *targets, double scale) noexcept nogil:
    """The weighted sum of the block's values;  delta = scale d(that)/da"""
    cdef const Plan *plan = loss.traced.plan
    cdef Workspace *inner = loss.traced.workspace
    cdef int predictions = plan.inputs[PREDICTIONS]
    cdef double total
    open_block(loss, outer, a, delta, targets)
    forward(plan, inner, <real **> loss.traced.tensors)
    total = weigh_values(loss, delta, targets, scale)
    if inner.deltas[predictions] != NULL:
        backward(plan, inner, <real **> loss.traced.tensors, <real **> loss.traced.gradients)
        if not inner.delta_written[predictions]:
            memset(delta, 0, outer.n * plan.buffers[predictions].rows * inner.strides[predictions] * sizeof(real))
    outer.failed |= inner.failed
    return total
