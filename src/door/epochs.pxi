# Epochs of a training pass in one call, each in an order of its own. Floor 2.

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from epochs cimport Epochs as EpochsStruct
from epochs cimport loss_of_epoch, run_epochs, totals_of_epoch
from random cimport count_up
from run cimport Run, totals_length
from shuffling cimport BitGenerator

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
        uint64_t (*next_uint64)(void *state) noexcept nogil
        uint32_t (*next_uint32)(void *state) noexcept nogil

cdef enum:
    MAX_EPOCHS = 256  # whose totals one call records

cdef class Epochs:
    """Epochs of a training pass, each in an order of its own: so many, or until the loss makes no more progress.

    Parameters
    ----------
    training : Pass
        With an optimizer and a loss.
    shuffling : numpy.random.BitGenerator, pair of integers or None
        A bit generator shuffles the order of the epoch before, as numpy.random.RandomState does. (seed, stream): the
        order of the first epoch is shuffled(n, seed, stream), that of the next has the stream + 1, and so on. None
        leaves the samples in place.
    factor : float
        Of the loss in what progress is measured by, and in `take_losses`: both are for trainings with one loss.
    """
    cdef Pass training
    cdef EpochsStruct epochs
    cdef BitGenerator bits
    cdef object bit_generator
    cdef Py_ssize_t n_samples
    cdef readonly Py_ssize_t next_batch

    def __cinit__(self, Pass training not None, object shuffling, double factor=1.0):
        cdef bitgen_t *source
        if training.optimizer is None or training.run.n_losses == 0:
            raise ValueError("epochs need an optimizer and a loss")
        self.training, self.n_samples = training, training.run.n_samples
        self.epochs.run, self.epochs.factor = &training.run, factor
        self.epochs.totals = <double *> allocate(MAX_EPOCHS * totals_length(&training.run), sizeof(double))
        if shuffling is None:
            return
        if isinstance(shuffling, tuple):
            self.epochs.seed, self.epochs.stream = shuffling
        else:
            self.bit_generator = shuffling
            source = <bitgen_t *> PyCapsule_GetPointer(shuffling.capsule, "BitGenerator")
            self.bits.state, self.bits.next_32, self.bits.next_64 = source.state, source.next_uint32, source.next_uint64
            self.epochs.bits = &self.bits
        self.epochs.order = <int64_t *> allocate(self.n_samples, sizeof(int64_t))
        count_up(self.epochs.order, self.n_samples)

    def __dealloc__(self):
        free(self.epochs.totals)
        free(self.epochs.order)

    def __call__(self, Py_ssize_t most, object learning_rates, int64_t step, double best=INFINITY,
                 double tolerance=0, double patience=INFINITY, Py_ssize_t idle=0, double seconds=SLICE_SECONDS):
        """Runs at most `most` epochs: until more than `patience` in a row were idle, their loss no more than
        `tolerance` below the best one; or as many as the time allows. Returns the status of a Pass.

        The learning rates are those of an epoch's batches. An epoch that the time cut short, at `next_batch`, goes on
        with the next call. The caller holds the bit generator's lock.
        """
        cdef EpochsStruct *epochs = &self.epochs
        cdef Run *run = &self.training.run
        cdef const double *rates
        cdef int status
        epochs.done = 0
        if run.n_samples != self.n_samples:
            raise ValueError(f"the pass has {run.n_samples} samples, the order {self.n_samples}")
        if patience < INFINITY:
            self.check_one_loss()
        rates = <const double *> data_of(learning_rates, _rates_dtype, self.training.n_batches)
        _kept = self.training.ready(0, self.training.n_batches, rates, step, epochs.order, True)
        run.next_batch = self.next_batch
        epochs.most = min(most, <Py_ssize_t> MAX_EPOCHS)
        epochs.best, epochs.tolerance, epochs.patience, epochs.idle = best, tolerance, patience, idle
        with nogil:
            if self.training.network.element_size == 4:
                status = run_epochs(epochs, <float **> run.tensors, <float **> run.gradients, seconds)
            else:
                status = run_epochs(epochs, <double **> run.tensors, <double **> run.gradients, seconds)
        self.next_batch = run.next_batch if epochs.begun else 0
        self.training.end()
        self.training.check_failure(self.training.optimizer)
        PyErr_CheckSignals()  # here, and not where a collection of garbage might be what runs next, and swallow it
        return STATUS[status]

    @property
    def begun(self):
        """Whether an epoch is under way: cut short by the time, or by a loss that is not finite."""
        return self.epochs.begun

    @property
    def n_done(self):
        """The epochs that the last call finished and whose losses have not been taken."""
        return self.epochs.done

    cdef int check_one_loss(self) except -1:
        if self.training.run.n_losses != 1:
            raise ValueError(f"progress is that of one loss. Received: {self.training.run.n_losses} losses")
        return 0

    def take_losses(self):
        """The losses of those epochs, penalties included."""
        cdef list taken = [None] * self.epochs.done
        cdef Py_ssize_t i
        self.check_one_loss()
        for i in range(self.epochs.done):
            taken[i] = loss_of_epoch(&self.epochs, i)
        self.epochs.done = 0
        return taken

    def totals(self):
        """Of each of those epochs what Pass.take_totals returns."""
        cdef list taken = [None] * self.epochs.done
        cdef Py_ssize_t i
        for i in range(self.epochs.done):
            taken[i] = read_totals(&self.training.run, totals_of_epoch(&self.epochs, i))
        return taken

    @property
    def order(self):
        """A copy of the order of the last epoch; None where samples stay in place."""
        if self.epochs.order == NULL:
            return None
        order = np.empty(self.n_samples, _indices_dtype)
        memcpy(cnp.PyArray_DATA(order), self.epochs.order, self.n_samples * sizeof(int64_t))
        return order
