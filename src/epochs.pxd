# Epochs of training, each in an order of its own, until the loss makes no more progress. Floor 1.
# A network of some thousand parameters passes a hundred samples in 30 us: less than a visit to the interpreter between
# two epochs would be worth.

from libc.stdint cimport int64_t

from network cimport RUN_FINISHED, RUN_OUT_OF_TIME, Run, run_slice
from shuffling cimport BitGenerator, shuffle_order
from simd cimport real

cdef extern from "monotonic.h" nogil:
    double monotonic_seconds()

cdef struct Epochs:
    Run *run
    BitGenerator *bits     # NULL: every epoch takes the samples as they stand
    int64_t *order
    bint begun             # an epoch is under way; the next slice goes on with it
    Py_ssize_t done
    Py_ssize_t most
    double *losses         # of each epoch done: the mean over the samples, penalties included
    double factor          # of the loss in that mean
    # Progress is a loss below the best one by more than the tolerance; patience is how many epochs may lack it.
    double best
    double tolerance
    double patience
    Py_ssize_t idle


cdef inline void begin_epoch(Epochs *epochs) noexcept nogil:
    cdef Run *run = epochs.run
    if epochs.bits != NULL:
        shuffle_order(epochs.bits, epochs.order, run.n_samples)
    run.next_batch, run.loss_totals[0], run.penalty_total = run.first_batch, 0, 0
    epochs.begun = True


cdef inline void end_epoch(Epochs *epochs) noexcept nogil:
    cdef Run *run = epochs.run
    cdef double loss = (epochs.factor * run.loss_totals[0] + run.penalty_total) / run.n_samples
    epochs.losses[epochs.done] = loss
    epochs.done += 1
    epochs.idle = epochs.idle + 1 if loss > epochs.best - epochs.tolerance else 0
    epochs.best = min(epochs.best, loss)
    epochs.begun = False


cdef inline int run_epochs(Epochs *epochs, real **tensors, real **gradients, double seconds) noexcept nogil:
    """Epochs until the last one, until patience ends, or until the time is up: at least one, or a part of one."""
    cdef double until = monotonic_seconds() + seconds
    cdef int status
    while epochs.done < epochs.most:
        if not epochs.begun:
            begin_epoch(epochs)
        status = run_slice(epochs.run, tensors, gradients, until - monotonic_seconds())
        if status != RUN_FINISHED:
            return status
        end_epoch(epochs)
        if epochs.idle > epochs.patience:
            return RUN_FINISHED
        if monotonic_seconds() >= until:
            return RUN_OUT_OF_TIME
    return RUN_FINISHED
