# A loss whose formula is a plan: its network, and the memory in which a pass runs it. Floor 2.

from libc.stdlib cimport free

from compile cimport mark_deltas
from loss cimport Loss, TracedLoss
from plan cimport *
from traced cimport PREDICTIONS, TARGETS
from workspace cimport workspace_allocate, workspace_free


cdef class TracedLossPlan:
    """The plan of a loss, from targets and predictions to one value a row or a sample, at work for one pass."""
    cdef Network network
    cdef Workspace workspace
    cdef TracedLoss native
    cdef void **tensors
    cdef void **gradients
    cdef tuple kept_alive

    def __dealloc__(self):
        workspace_free(&self.workspace)
        free(self.tensors)
        free(self.gradients)

    cdef int open(self, Network of_model, object plan, Loss *loss) except -1:
        """Binds the plan to its constants and lets the loss, of an output of that network, know of it."""
        cdef const Plan *own
        cdef const Buffer *predictions = &of_model.plan.buffers[loss.output]
        self.network = Network(of_model.dtype.name, plan)
        own = &self.network.plan
        if own.n_inputs != 2 or own.n_outputs != 1:
            raise ValueError("a traced loss reads targets and predictions and has one output")
        if (self.network.sample_size(own.inputs[TARGETS]) != predictions.rows * loss.target_width
                or own.buffers[own.inputs[PREDICTIONS]].rows != predictions.rows
                or own.buffers[own.inputs[PREDICTIONS]].width != predictions.width):
            raise ValueError(f"a traced loss must read targets of {loss.target_width} columns and predictions of "
                             f"shape ({predictions.rows}, {predictions.width})")
        self.network.bind([variable.array for variable in plan.variables], [None] * len(plan.variables))
        self.tensors = <void **> allocate(own.n_tensors, sizeof(void *))
        self.gradients = <void **> allocate(own.n_tensors, sizeof(void *))
        self.kept_alive = self.network.tensors_now(self.tensors, NULL)
        self.native.plan, self.native.workspace = own, &self.workspace
        self.native.tensors, self.native.gradients = self.tensors, self.gradients
        self.native.n_values = self.network.sample_size(own.outputs[0])
        loss.traced = &self.native
        return 0

    cdef int allocate(self, Py_ssize_t n, str mode) except -1:
        """Memory for n samples, with deltas where the mode has a backward pass."""
        cdef bint *needs_delta = <bint *> allocate(self.network.plan.n_buffers, sizeof(bint))
        cdef bint allocated
        if mode != "evaluation":
            needs_delta[self.network.plan.inputs[PREDICTIONS]] = True
            mark_deltas(&self.network.plan, self.gradients, needs_delta)
        self.network.check_capacity(n)
        allocated = workspace_allocate(&self.network.plan, &self.workspace, n, self.network.element_size, needs_delta,
                                       NULL, MODES[mode], NULL)
        free(needs_delta)
        if not allocated:
            raise MemoryError(f"no memory for the values of a loss of {n} samples")
        return 0

    cdef bint needs_whole_batch(self):
        return self.network.plan.needs_whole_batch

    @property
    def error(self):
        """What its last run has failed of, or None."""
        cdef int culprit = self.workspace.out_of_range
        if not self.workspace.failed:
            return None
        try:
            self.network.raise_error(culprit)
        except BaseException as error:
            return error

    @error.setter
    def error(self, _):
        self.workspace.failed, self.workspace.out_of_range = False, 0


cdef TracedLossPlan traced_loss(Network of_model, object plan, Loss *loss):
    cdef TracedLossPlan traced = TracedLossPlan.__new__(TracedLossPlan)
    traced.open(of_model, plan, loss)
    return traced
