# The memory of a training run, and one batch forward and backward by hand. Floor 2.

from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from cython cimport critical_section

from activation cimport keeps_z
from compile cimport applies_activation, mark_deltas
from gathering cimport gather_samples
from normalization cimport move_statistics
from operations cimport backward, forward
from plan cimport *
from simd cimport ROW_GLU
from workspace cimport keep_memory, workspace_allocate, workspace_free


class Interruption:
    """Keeps what a signal's handler raised until native code has returned."""
    error = None


cdef class Workbench:
    """Workspace memory of a network in training layout, and what it held after the last run."""
    cdef readonly Network network
    cdef Plan plan         # the network's, with operations of its own: a run marks them while others predict
    cdef Workspace workspace
    cdef bint *needs_delta
    cdef bint *sparse      # buffers of inputs that come as sparse rows
    cdef void **tensors    # the network's as of the last run
    cdef void **gradients
    cdef list python_objects  # losses written in Python
    cdef list traced_losses   # those whose formula is a plan
    cdef object interruption  # of a long step, which polls for signals
    cdef bint busy

    def __cinit__(self, *arguments, **named):
        if type(self) is Workbench:
            raise TypeError("a Workbench is made as a Block or a Pass")

    cdef int open(self, Network network) except -1:
        self.network, self.plan = network, network.plan
        self.python_objects, self.traced_losses = [], []
        self.plan.operations = NULL
        self.plan.operations = <Operation *> allocate(network.plan.n_operations, sizeof(Operation))
        memcpy(self.plan.operations, network.plan.operations, network.plan.n_operations * sizeof(Operation))
        self.tensors = <void **> allocate(network.plan.n_tensors, sizeof(void *))
        self.gradients = <void **> allocate(network.plan.n_tensors, sizeof(void *))
        self.needs_delta = <bint *> allocate(network.plan.n_buffers, sizeof(bint))
        self.sparse = <bint *> allocate(network.plan.n_buffers, sizeof(bint))
        return 0

    def __dealloc__(self):
        if self.network is not None:
            with critical_section(self.network):
                keep_memory(&self.network.kept_memory, &self.workspace)
        workspace_free(&self.workspace)
        free(self.plan.operations)
        free(self.needs_delta)
        free(self.sparse)
        free(self.tensors)
        free(self.gradients)

    cdef tuple begin(self):
        """Takes the bench for one run; the arrays of the parameters live while the result does."""
        with critical_section(self):
            if self.busy:
                raise RuntimeError("another thread is using this memory")
            self.busy = True
        try:
            return self.network.tensors_now(self.tensors, self.gradients)
        except BaseException:
            self.end()
            raise

    cdef void end(self) noexcept:
        with critical_section(self):
            self.busy = False

    cdef int mark_deltas(self, bint training, bint input_gradients) except -1:
        """Which buffers need dJ/dvalue: those between a trained parameter (or a wanted input) and the losses."""
        cdef int i
        for i in range(self.plan.n_inputs):
            self.needs_delta[self.plan.inputs[i]] = input_gradients
        if training:
            mark_deltas(&self.plan, self.network.gradients, self.needs_delta)
        return 0

    cdef int allocate_workspace(self, Py_ssize_t n, str mode, uint64_t seed) except -1:
        cdef bint allocated
        self.network.check_capacity(n)
        with critical_section(self.network):
            allocated = workspace_allocate(&self.plan, &self.workspace, n, self.network.element_size, self.needs_delta,
                                           self.sparse, MODES[mode], &self.network.kept_memory)
        if not allocated:
            raise MemoryError(f"no memory for the activations of {n} samples")
        self.workspace.seed = seed
        return 0

    def value(self, int buffer):
        """A copy of what the buffer holds after the last block: (n * rows, width)."""
        if self.sparse[self.network.checked_buffer(buffer)]:
            raise ValueError(f"buffer {buffer} came as sparse rows, which are not kept")
        return self.rows(self.workspace.values[self.network.checked_buffer(buffer)], buffer)

    def delta(self, int buffer):
        """A copy of dJ/d(buffer), or dJ/dz for the output of an operation with an activation; None if not computed."""
        if self.workspace.deltas[self.network.checked_buffer(buffer)] == NULL:
            return None
        if not self.workspace.delta_written[buffer]:
            return np.zeros_like(self.value(buffer))
        return self.rows(self.workspace.deltas[buffer], buffer)

    def pre_activation(self, int operation):
        """A copy of z of an operation; None where z is not kept apart from a."""
        if not 0 <= operation < self.plan.n_operations:
            raise ValueError(f"the plan has no operation {operation}")
        cdef Operation *op = &self.plan.operations[operation]
        if not applies_activation(op) or op.activation == ROW_GLU or not keeps_z(op, self.workspace.mode):
            return None
        return self.rows(self.workspace.scratch[operation], op.output)

    cdef object rows(self, void *data, int buffer):
        cdef Buffer *b = &self.plan.buffers[buffer]
        cdef Py_ssize_t r, n_rows = self.workspace.n * b.rows, width = b.width * self.network.element_size
        cdef Py_ssize_t stride = self.workspace.strides[buffer] * self.network.element_size
        result = np.empty((n_rows, b.width), self.network.dtype)
        for r in range(n_rows):
            memcpy(<char *> cnp.PyArray_DATA(result) + r * width, <char *> data + r * stride, width)
        return result

    cdef int check_failure(self, Optimizer optimizer=None) except -1:
        # Nothing is made where nothing failed: to make a thing may begin a collection of garbage, which runs any code.
        if not (self.workspace.failed or optimizer is not None and optimizer.optimizer.failed):
            return 0
        return self.raise_failure(optimizer)

    cdef int raise_failure(self, Optimizer optimizer) except -1:
        cdef int culprit = self.workspace.out_of_range
        cdef list python_objects = [*(self.python_objects or ()), *(self.traced_losses or ()), self.interruption]
        if optimizer is not None and optimizer.optimizer.failed:
            optimizer.optimizer.failed, self.workspace.failed = False, True
            python_objects = python_objects + optimizer.python_objects
        if self.workspace.failed:
            self.workspace.failed, self.workspace.out_of_range = False, 0
            self.network.raise_error(culprit, python_objects)
        return 0


cdef class Block(Workbench):
    """One batch forward, and backward from given derivatives of the outputs: the derivation's network block.

    In training, layers that draw random numbers do so only if the block is `live`.
    """

    def __cinit__(self, Network network not None, Py_ssize_t n, bint training=True, uint64_t seed=0, uint64_t step=0,
                  bint live=True, uint64_t first_draw=0):
        if n < 0:
            raise ValueError(f"`n` must not be negative. Received: {n}")
        self.open(network)
        self.mark_deltas(True, True)
        for i in range(network.plan.n_outputs):
            self.needs_delta[network.plan.outputs[i]] = True
        self.allocate_workspace(max(n, <Py_ssize_t> 1), "tracing" if training else "block", seed)
        self.workspace.n, self.workspace.step, self.workspace.live = n, step, training and live
        self.workspace.first_draw = first_draw

    def forward(self, list inputs):
        """The outputs for the inputs, each (n, elements)."""
        cdef int i, buffer
        cdef Network network = self.network
        cdef void *data
        check_length(inputs, network.plan.n_inputs, network.plan.n_inputs, "inputs")
        for i in range(self.plan.n_operations):
            self.plan.operations[i].left_to_loss = False
        for i in range(network.plan.n_inputs):
            buffer = network.plan.inputs[i]
            data = data_of(inputs[i], network.dtype, self.workspace.n * network.sample_size(buffer))
            if network.element_size == 4:
                gather_samples(<float *> self.workspace.values[buffer], <float *> data, NULL, 0, self.workspace.n, 0,
                               &self.plan.buffers[buffer], self.workspace.strides[buffer])
            else:
                gather_samples(<double *> self.workspace.values[buffer], <double *> data, NULL, 0, self.workspace.n, 0,
                               &self.plan.buffers[buffer], self.workspace.strides[buffer])
        _kept = self.begin()
        with nogil:
            if network.element_size == 4:
                forward(&self.plan, &self.workspace, <float **> self.tensors)
            else:
                forward(&self.plan, &self.workspace, <double **> self.tensors)
        self.end()
        self.check_failure()
        outputs = [None] * network.plan.n_outputs
        for i in range(network.plan.n_outputs):
            outputs[i] = self.value(network.plan.outputs[i])
        return outputs

    def move_statistics(self):
        """Moves the moving statistics towards those of this batch, if it is one of training."""
        _kept = self.begin()
        if self.network.element_size == 4:
            move_statistics(&self.plan, &self.workspace, <float **> self.tensors)
        else:
            move_statistics(&self.plan, &self.workspace, <double **> self.tensors)
        self.end()

    def backward(self, list deltas):
        """From dJ/doutputs: fills the bound gradients and returns dJ/dinputs."""
        cdef int i, buffer
        cdef Network network = self.network
        cdef void *data
        check_length(deltas, network.plan.n_outputs, network.plan.n_outputs, "deltas")
        memset(self.workspace.delta_written, 0, network.plan.n_buffers * sizeof(bint))
        memset(self.workspace.tensor_written, 0, network.plan.n_tensors * sizeof(bint))
        for i in range(network.plan.n_outputs):
            buffer = network.plan.outputs[i]
            data = data_of(deltas[i], network.dtype, self.workspace.n * network.sample_size(buffer))
            if network.element_size == 4:
                gather_samples(<float *> self.workspace.deltas[buffer], <float *> data, NULL, 0, self.workspace.n, 0,
                               &self.plan.buffers[buffer], self.workspace.strides[buffer])
            else:
                gather_samples(<double *> self.workspace.deltas[buffer], <double *> data, NULL, 0, self.workspace.n, 0,
                               &self.plan.buffers[buffer], self.workspace.strides[buffer])
            self.workspace.delta_written[buffer] = True
        _kept = self.begin()
        with nogil:
            if network.element_size == 4:
                backward(&self.plan, &self.workspace, <float **> self.tensors, <float **> self.gradients)
            else:
                backward(&self.plan, &self.workspace, <double **> self.tensors, <double **> self.gradients)
        self.end()
        self.check_failure()
        input_deltas = [None] * network.plan.n_inputs
        for i in range(network.plan.n_inputs):
            input_deltas[i] = self.delta(network.plan.inputs[i])
        return input_deltas
