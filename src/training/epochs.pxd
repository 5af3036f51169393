# Epochs of training, each in an order of its own, as many as wanted or until the loss makes no more progress. Floor 1.
# A network of a few thousand parameters passes a hundred samples in 30 us: less than a visit to the interpreter between
# two epochs would be worth.

from libc.stdint cimport int64_t, uint64_t

from run cimport RUN_FINISHED, RUN_OUT_OF_TIME, Run, clear_totals, copy_totals, run_slice, totals_length
from random cimport count_up, shuffle
from shuffling cimport BitGenerator, shuffle_order
from simd cimport real

cdef extern from "system/monotonic.h" nogil:
    double monotonic_seconds()

cdef struct Epochs:
    Run *run
    int64_t *order         # NULL: every epoch takes the samples as they stand
    BitGenerator *bits     # shuffles the order of the epoch before; NULL: (seed, stream) fixes every order, and the
    uint64_t seed          # stream counts on
    uint64_t stream
    bint begun             # an epoch is under way; the next slice goes on with it
    Py_ssize_t done
    Py_ssize_t most
    double *totals         # of each epoch done, as copy_totals leaves them
    double factor          # of the loss in the mean over samples that tells of progress
    # Progress is a loss below the best one by more than the tolerance; patience is how many epochs may lack it.
    double best
    double tolerance
    double patience
    Py_ssize_t idle


cdef inline void draw_order(Epochs *epochs) noexcept nogil:
    if epochs.bits != NULL:
        shuffle_order(epochs.bits, epochs.order, epochs.run.n_samples)
        return
    count_up(epochs.order, epochs.run.n_samples)
    shuffle(epochs.order, epochs.run.n_samples, epochs.seed, epochs.stream)
    epochs.stream += 1


cdef inline void begin_epoch(Epochs *epochs) noexcept nogil:
    if epochs.order != NULL:
        draw_order(epochs)
    epochs.run.next_batch = epochs.run.first_batch
    clear_totals(epochs.run)
    epochs.begun = True


cdef inline double *totals_of_epoch(const Epochs *epochs, Py_ssize_t index) noexcept nogil:
    return epochs.totals + index * totals_length(epochs.run)


cdef inline double loss_of_epoch(const Epochs *epochs, Py_ssize_t index) noexcept nogil:
    """The mean over the samples of the first loss, times its factor, and of the penalties."""
    cdef const double *totals = totals_of_epoch(epochs, index)
    return (epochs.factor * totals[2] + totals[1]) / epochs.run.n_samples


cdef inline void end_epoch(Epochs *epochs) noexcept nogil:
    cdef double loss
    copy_totals(totals_of_epoch(epochs, epochs.done), epochs.run)
    loss = loss_of_epoch(epochs, epochs.done)
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
