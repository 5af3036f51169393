# A plan bound to arrays, and predictions by it. Floor 2.

from libc.stdlib cimport free
from libc.string cimport memcpy
from cpython.exc cimport PyErr_CheckSignals

from activations cimport derivative_needs_z, is_plain_relu
from network cimport Source
from normalization cimport COLUMN_STATISTICS
from plan cimport *
from prediction cimport Prediction, predict_range
from simd cimport ACTIVATION_LINEAR, CUSTOM_ACTIVATION, ROW_GLU, activation_is_elementwise
from threads cimport pool_width

cdef Py_ssize_t WORK_PER_POLL = 1 << 30      # multiply-adds of prediction between two polls for signals
cdef Py_ssize_t WORK_WORTH_A_THREAD = 1 << 19
cdef Py_ssize_t MOST_ELEMENTS = <Py_ssize_t> 1 << 54  # of a workspace: far beyond any memory, far below an overflow
cdef enum:
    MAX_ENDS = 64   # inputs or outputs of a network
    MAX_TASKS = 256  # of one prediction
cdef Py_ssize_t INFERENCE_BLOCK_BYTES = 1 << 20  # of activations, which then stay in the second-level cache,
cdef Py_ssize_t FEWEST_ROWS = 480                # but not fewer rows, since W is packed again for every block,
cdef Py_ssize_t LARGEST_BLOCK_BYTES = 1 << 24    # unless they are very wide

cdef class Network:
    """A plan in native form, bound to the arrays of its parameters.

    Parameters
    ----------
    dtype : "float32" or "float64"
    plan : cnn_core.plan.NetworkPlan
    """
    cdef Plan plan
    cdef readonly object dtype
    cdef Py_ssize_t element_size
    cdef void **tensors
    cdef void **gradients
    cdef Py_ssize_t *tensor_sizes
    cdef tuple kept_alive
    cdef list customs
    cdef list names
    cdef list frozen
    cdef list spares
    cdef object next_seed   # makes a seed for each run where inference draws random numbers, or None
    cdef uint64_t n_draws   # runs of this kind: layers with a seed draw from other steps in each
    cdef bint bound
    cdef Py_ssize_t elements_per_sample
    cdef readonly list takes_sparse  # of each input, whether SparseRows will do

    def __cinit__(self, str dtype not None, object plan):
        self.dtype = real_dtype(dtype)
        self.element_size = self.dtype.itemsize
        self.customs, self.kept_alive, self.spares = [], (), []
        self.next_seed, self.n_draws = getattr(plan, "next_seed", None), 0
        self.names = [operation.layer for operation in plan.operations]
        self.frozen = [
            (i, operation.frozen) for i, operation in enumerate(plan.operations) if operation.frozen is not None]
        self.plan.n_buffers, self.plan.n_operations = len(plan.buffers), len(plan.operations)
        self.plan.n_inputs, self.plan.n_outputs = len(plan.inputs), len(plan.outputs)
        self.plan.n_tensors = len(plan.tensor_sizes)
        if not (1 <= self.plan.n_inputs <= MAX_ENDS and 1 <= self.plan.n_outputs <= MAX_ENDS):
            raise ValueError(f"a network must have 1 to {MAX_ENDS} inputs and outputs")
        self.plan.buffers = <Buffer *> allocate(self.plan.n_buffers, sizeof(Buffer))
        self.plan.operations = <Operation *> allocate(self.plan.n_operations, sizeof(Operation))
        self.plan.inputs = <int *> allocate(self.plan.n_inputs, sizeof(int))
        self.plan.outputs = <int *> allocate(self.plan.n_outputs, sizeof(int))
        self.tensors = <void **> allocate(self.plan.n_tensors, sizeof(void *))
        self.gradients = <void **> allocate(self.plan.n_tensors, sizeof(void *))
        self.tensor_sizes = <Py_ssize_t *> allocate(self.plan.n_tensors, sizeof(Py_ssize_t))
        for i, size in enumerate(plan.tensor_sizes):
            if size < 0:
                raise ValueError(f"tensor {i} of the plan has {size} elements")
            self.tensor_sizes[i] = size
        self.fill_buffers(plan.buffers)
        filled = set()
        for i, buffer in enumerate(plan.inputs):
            self.plan.inputs[i] = self.checked_buffer(buffer)
            filled.add(buffer)
        for i, operation in enumerate(plan.operations):
            in_place = operation.kind == "activity_penalty" and tuple(operation.inputs) == (operation.output,)
            if not filled.issuperset(operation.inputs) or operation.output in filled and not in_place:
                raise ValueError(f"operation {i} must read what is computed before it and write a buffer of its own")
            self.add_operation(&self.plan.operations[i], operation)
            filled.add(operation.output)
        for i, buffer in enumerate(plan.outputs):
            if buffer not in filled:
                raise ValueError(f"nothing computes buffer {buffer}, an output")
            self.plan.outputs[i] = buffer
        self.mark_gates()
        self.share_memory()
        self.takes_sparse = [self.none_but_dense_reads(self.plan.inputs[i]) for i in range(self.plan.n_inputs)]
        self.ask_what_is_frozen(self.plan.operations)

    def __dealloc__(self):
        plan_free(&self.plan)
        free(self.tensors)
        free(self.gradients)
        free(self.tensor_sizes)

    cdef int fill_buffers(self, object buffers) except -1:
        """Sizes are bounded so that no product of them leaves the range of an index."""
        elements = 0
        for i, (rows, width) in enumerate(buffers):
            if rows < 0 or width < 0:
                raise ValueError(f"buffer {i} of the plan has the shape ({rows}, {width})")
            elements += max(rows, 1) * (max(width, 1) + 32)
            if elements > MOST_ELEMENTS:
                raise MemoryError(f"a sample takes more than {MOST_ELEMENTS} numbers")
            self.plan.buffers[i].rows, self.plan.buffers[i].width = rows, width
            self.plan.buffers[i].stride = padded_width(width)
        self.elements_per_sample = elements
        return 0

    cdef int check_capacity(self, Py_ssize_t n) except -1:
        """The bytes of values, deltas and four times as much scratch memory must not leave the range of an index."""
        if n > MOST_ELEMENTS // self.elements_per_sample:
            raise MemoryError(f"no memory for the activations of {n} samples")
        return 0

    cdef int checked_buffer(self, int buffer) except -1:
        if not 0 <= buffer < self.plan.n_buffers:
            raise ValueError(f"the plan has no buffer {buffer}")
        return buffer

    cdef int add_operation(self, Operation *target, object operation) except -1:
        cdef int i
        check_length(operation.inputs, 1, 1 << 20, "inputs")
        check_length(operation.tensors, 0, MAX_TENSORS, "tensors")
        check_length(operation.activation_parameters, 0, 3, "activation_parameters")
        check_length(operation.reals, 0, MAX_REALS, "reals")
        check_length(operation.integers, 0, MAX_INTEGERS, "integers")
        target.kind = OPERATIONS[operation.kind]
        target.output = self.checked_buffer(operation.output)
        target.inputs = <int *> allocate(len(operation.inputs), sizeof(int))
        target.n_inputs = len(operation.inputs)
        for i, buffer in enumerate(operation.inputs):
            target.inputs[i] = self.checked_buffer(buffer)
        for i in range(MAX_TENSORS):
            target.tensors[i] = -1
        for i, tensor in enumerate(operation.tensors):
            if tensor is not None:
                if not 0 <= tensor < self.plan.n_tensors:
                    raise ValueError(f"the plan has no tensor {tensor}")
                target.tensors[i] = tensor
        target.activation = ACTIVATIONS[operation.activation]
        for i, parameter in enumerate(operation.activation_parameters):
            target.activation_parameters[i] = parameter
        for i, number in enumerate(operation.reals):
            target.reals[i] = number
        for i, number in enumerate(operation.integers):
            target.integers[i] = number
        if operation.custom is not None:
            self.customs.append(operation.custom)
            target.custom = <void *> operation.custom
        self.check_kind(target)
        target.keeps_z = derivative_needs_z(target) or target.activation == CUSTOM_ACTIVATION
        self.check_sizes(target)
        self.size_scratch(target)
        self.plan.needs_whole_batch |= (target.kind in (BATCH_NORMALIZATION, CUSTOM)
                                        or target.kind == ACTIVITY_PENALTY and target.custom != NULL)
        return 0

    cdef int size_scratch(self, Operation *operation) except -1:
        """How much scratch memory the operation needs, in elements of the network's type."""
        cdef Buffer *output = &self.plan.buffers[operation.output]
        cdef Py_ssize_t double_size = <Py_ssize_t> sizeof(double) // self.element_size
        operation.scratch = operation.fixed_scratch = 0
        if operation.kind in (DENSE, ACTIVATION) and operation.activation != ACTIVATION_LINEAR:
            operation.scratch = output.rows * output.stride * (4 if operation.activation == ROW_GLU else 1)
        if operation.kind == DENSE and operation.tensors[2] >= 0:  # the scaled kernel and its gradient
            operation.fixed_scratch = 2 * self.tensor_sizes[operation.tensors[0]]
        elif DROPOUT <= operation.kind <= GAUSSIAN_NOISE:
            operation.scratch = output.rows * output.width
        elif operation.kind == BATCH_NORMALIZATION:
            operation.fixed_scratch = COLUMN_STATISTICS * output.width * double_size
        elif BATCH_NORMALIZATION < operation.kind <= UNIT_NORMALIZATION:
            operation.scratch = 2 * output.rows * double_size
            operation.fixed_scratch = 2 * output.width * double_size
        elif ADD <= operation.kind <= MINIMUM:
            operation.fixed_scratch = output.width
        elif operation.kind == PARAMETRIC_ACTIVATION:
            operation.scratch, operation.fixed_scratch = output.rows * output.stride, output.width
        elif operation.kind == PERIODIC:  # src/periodic.pxd: Waves
            operation.scratch = output.rows * (3 * operation.integers[0] + 2)
            operation.fixed_scratch = 2 * operation.integers[0]
        elif operation.kind == PRELU:
            operation.fixed_scratch = self.tensor_sizes[operation.tensors[0]] * double_size + output.width
        return 0

    cdef int check_kind(self, Operation *operation) except -1:
        """What would otherwise follow a pointer or an index that is not there."""
        if operation.n_inputs > 1 and not (ADD <= operation.kind <= DOT):
            raise ValueError(f"operation {operation.kind} has one input. Received: {operation.n_inputs}")
        if operation.activation != ACTIVATION_LINEAR and (
                operation.kind not in (DENSE, ACTIVATION, PARAMETRIC_ACTIVATION)
                or operation.activation == ROW_GLU and operation.kind == DENSE
                or not activation_is_elementwise(operation.activation)
                and operation.kind == PARAMETRIC_ACTIVATION):
            raise ValueError(f"operation {operation.kind} cannot apply activation {operation.activation}")
        if operation.custom == NULL and operation.activation == CUSTOM_ACTIVATION:
            raise ValueError("a custom activation needs its object")
        return 0

    cdef int check_sizes(self, Operation *operation) except -1:
        """What would otherwise read or write out of bounds."""
        cdef Buffer *input = &self.plan.buffers[operation.inputs[0]]
        cdef Buffer *output = &self.plan.buffers[operation.output]
        cdef bint same = input.rows == output.rows and input.width == output.width
        cdef bint fits = same
        cdef int kind = operation.kind
        if kind == DENSE:
            fits = input.rows == output.rows and self.has_size(operation, 0, input.width * output.width)
            fits = fits and (operation.tensors[1] < 0 or self.has_size(operation, 1, output.width))
            fits = fits and (operation.tensors[2] < 0 or self.has_size(operation, 2, input.width))
        elif kind == ACTIVATION and operation.activation == ROW_GLU:
            fits = input.rows == output.rows and input.width == 2 * output.width
        elif kind == PRELU:
            fits = (same and operation.integers[0] in (1, input.rows) and operation.integers[1] in (1, input.width)
                    and self.has_size(operation, 0, operation.integers[0] * operation.integers[1]))
        elif kind == RESHAPE:
            fits = input.rows * input.width == output.rows * output.width
        elif kind == PERMUTE:
            fits = self.permutation_fits(operation)
        elif kind == BATCH_NORMALIZATION:
            fits = same and self.has_size(operation, 2, output.width) and self.has_size(operation, 3, output.width)
        elif kind in (MULTIPLY, ADD, SUBTRACT, AVERAGE, MAXIMUM, MINIMUM, CONCATENATE, DOT):
            fits = self.merging_fits(operation)
        elif kind == PARAMETRIC_ACTIVATION:
            fits = same and self.has_size(operation, 0, input.width)
        elif kind == PERIODIC:
            fits = self.waves_fit(operation)
        elif kind == EMBEDDING:
            fits = (input.rows * input.width == output.rows and 0 < operation.integers[0] < MOST_ELEMENTS
                    and output.width > 0 and operation.integers[0] <= MOST_ELEMENTS // output.width
                    and self.has_size(operation, 0, operation.integers[0] * output.width))
        elif kind in (STANDARDIZE, RESCALE):
            fits = same and all([operation.integers[i] in (1, input.width)
                                and self.has_size(operation, i, operation.integers[i]) for i in range(2)])
        elif kind == ENCODE:
            fits = (operation.integers[1] > 0 and input.width % operation.integers[1] == 0
                    and input.rows * (input.width // operation.integers[1]) == output.rows)
        elif kind == DISCRETIZE:
            fits = same and operation.integers[0] >= 0 and self.has_size(operation, 0, operation.integers[0])
        elif kind == ACTIVITY_PENALTY:
            fits = operation.inputs[0] == operation.output
        elif kind == CUSTOM:
            fits = operation.custom != NULL and input.rows == output.rows
        if BATCH_NORMALIZATION <= kind <= UNIT_NORMALIZATION:  # gamma and beta, where they are
            fits = fits and all([operation.tensors[i] < 0 or self.has_size(operation, i, output.width)
                                 for i in range(2)])
        if not fits:
            raise ValueError(f"the sizes of operation {operation.kind} do not fit: "
                             f"input ({input.rows}, {input.width}), output ({output.rows}, {output.width})")
        return 0

    cdef bint has_size(self, Operation *operation, int i, Py_ssize_t size):
        return operation.tensors[i] >= 0 and self.tensor_sizes[operation.tensors[i]] == size

    cdef bint waves_fit(self, Operation *operation):
        cdef Buffer *input = &self.plan.buffers[operation.inputs[0]]
        cdef Buffer *output = &self.plan.buffers[operation.output]
        cdef Py_ssize_t n_waves = operation.integers[0], width = input.width
        if (width == 0 or output.width % width or output.width == width or input.rows != output.rows
                or not 0 < n_waves < MOST_ELEMENTS // output.width):
            return False
        return (self.has_size(operation, 0, width * n_waves) and self.has_size(operation, 1, width * n_waves)
                and self.has_size(operation, 2, (output.width - width) * n_waves)
                and self.has_size(operation, 3, output.width - width))

    cdef bint permutation_fits(self, Operation *operation):
        cdef Buffer *input = &self.plan.buffers[operation.inputs[0]]
        cdef Buffer *output = &self.plan.buffers[operation.output]
        cdef int rank = <int> min(max(operation.integers[0], <Py_ssize_t> 0), <Py_ssize_t> MAX_RANK + 1)
        cdef object size = 1
        if not 1 <= rank <= MAX_RANK:
            return False
        shape = [operation.integers[1 + i] for i in range(rank)]
        order = [operation.integers[1 + rank + i] for i in range(rank)]
        if sorted(order) != list(range(rank)) or min(shape) < 1:
            return False
        for length in shape:
            size *= length
        return (shape[rank - 1] == input.width and shape[order[rank - 1]] == output.width
                and size == input.rows * input.width == output.rows * output.width)

    cdef bint merging_fits(self, Operation *operation):
        cdef Buffer *output = &self.plan.buffers[operation.output]
        cdef Py_ssize_t stretches = operation.integers[0]
        rows = [self.plan.buffers[operation.inputs[i]].rows for i in range(operation.n_inputs)]
        widths = [self.plan.buffers[operation.inputs[i]].width for i in range(operation.n_inputs)]
        if operation.kind == DOT:
            return len(rows) == 2 and rows == [output.rows, output.width] and widths[0] == widths[1]
        if operation.kind != CONCATENATE:
            return set(rows) <= {1, output.rows} and set(widths) <= {1, output.width}
        if stretches == 0:
            return set(rows) == {output.rows} and sum(widths) == output.width
        return (stretches > 0 and set(widths) == {output.width} and sum(rows) == output.rows
                and not any([each % stretches for each in rows]))

    cdef int share_memory(self) except -1:
        """Lets a buffer take memory over, in inference, when nobody reads any more what another buffer left there."""
        cdef int i, j, slot
        cdef Operation *operation
        cdef list sizes = [], free_slots = [], last = [-1] * self.plan.n_buffers
        cdef list slots = [-1] * self.plan.n_buffers
        for i in range(self.plan.n_operations):
            operation = &self.plan.operations[i]
            last[operation.output] = i
            for j in range(operation.n_inputs):
                last[operation.inputs[j]] = i
        for i in range(self.plan.n_outputs):
            last[self.plan.outputs[i]] = self.plan.n_operations
        for i in range(self.plan.n_operations):
            operation = &self.plan.operations[i]
            if slots[operation.output] < 0:
                slots[operation.output] = self.take_slot(operation.output, sizes, free_slots)
            for j in {operation.output, *[operation.inputs[j] for j in range(operation.n_inputs)]}:
                if last[j] == i and slots[j] >= 0:
                    free_slots.append(slots[j])
        self.plan.n_slots = len(sizes)
        self.plan.slots = <int *> allocate(self.plan.n_buffers, sizeof(int))
        self.plan.slot_sizes = <Py_ssize_t *> allocate(self.plan.n_slots, sizeof(Py_ssize_t))
        for i in range(self.plan.n_buffers):
            self.plan.slots[i] = slots[i]
        for slot in range(self.plan.n_slots):
            self.plan.slot_sizes[slot] = sizes[slot]
        return 0

    cdef int take_slot(self, int buffer, list sizes, list free_slots) except -1:
        """The free slot that fits best, the largest one made larger, or a new one."""
        cdef Py_ssize_t size = self.plan.buffers[buffer].rows * self.plan.buffers[buffer].stride
        fitting = [slot for slot in free_slots if sizes[slot] >= size]
        if not free_slots:
            sizes.append(size)
            return len(sizes) - 1
        if fitting:
            slot = sorted(fitting, key=sizes.__getitem__)[0]
        else:
            slot = sorted(free_slots, key=sizes.__getitem__)[len(free_slots) - 1]
        free_slots.remove(slot)
        sizes[slot] = max(sizes[slot], size)
        return slot

    cdef int mark_gates(self) except -1:
        """A dense layer whose input is a plain ReLU's output, read by nobody else, applies that ReLU's derivative."""
        cdef int i, j, readers, producer
        cdef Operation *operation
        for i in range(self.plan.n_operations):
            operation = &self.plan.operations[i]
            if operation.kind != DENSE:
                continue
            readers, producer = 0, -1
            for j in range(self.plan.n_outputs):
                readers += self.plan.outputs[j] == operation.inputs[0]
            for j in range(self.plan.n_operations):
                for k in range(self.plan.operations[j].n_inputs):
                    readers += self.plan.operations[j].inputs[k] == operation.inputs[0]
                if self.plan.operations[j].output == operation.inputs[0]:
                    producer = j
            if readers == 1 and producer >= 0 and is_plain_relu(&self.plan.operations[producer]) and (
                    self.plan.operations[producer].kind in (DENSE, ACTIVATION)):
                operation.gates_input = True
                self.plan.operations[producer].gated = True
        return 0

    cdef bint none_but_dense_reads(self, int buffer):
        cdef int i, j
        for i in range(self.plan.n_operations):
            for j in range(self.plan.operations[i].n_inputs):
                if self.plan.operations[i].inputs[j] == buffer and self.plan.operations[i].kind != DENSE:
                    return False
        for i in range(self.plan.n_outputs):
            if self.plan.outputs[i] == buffer:
                return False
        return self.plan.buffers[buffer].rows == 1

    cdef list fill_sources(self, Source *sources, list inputs, Py_ssize_t n):
        """Points the sources at n samples of each input; returns what must stay alive while they are read."""
        cdef int i
        cdef list kept = []
        for i in range(self.plan.n_inputs):
            sources[i].width = self.sample_size(self.plan.inputs[i])
            sources[i].is_sparse = is_sparse(inputs[i])
            if sources[i].is_sparse:
                if not self.takes_sparse[i]:
                    raise ValueError(f"input {i} cannot be sparse: something else than a dense layer reads it")
                kept += fill_sparse_rows(&sources[i].rows, inputs[i], self.dtype, n)
            else:
                kept.append(self.as_numbers(inputs[i]))
                sources[i].data = data_of(kept[len(kept) - 1], self.dtype, n * sources[i].width)
        return kept

    cdef int ask_what_is_frozen(self, Operation *operations) except -1:
        for i, frozen in self.frozen:
            operations[<int> i].frozen = frozen()
        return 0

    cdef object as_numbers(self, object array):
        """Indices, which arrive as int32, in the network's type; everything else as it is."""
        return array.astype(self.dtype) if isinstance(array, np.ndarray) and array.dtype == np.int32 else array

    def bind(self, list values, list gradients):
        """Points the parameters at these arrays; a gradient of None marks a parameter that is not trained."""
        cdef int i
        cdef tuple kept = tuple(values) + tuple(gradients)  # not the lists, from which a caller could take arrays away
        cdef int n = self.plan.n_tensors
        if len(values) != n or len(gradients) != n:
            raise ValueError(f"expected {n} arrays")
        for i in range(n):
            data_of(kept[i], self.dtype, self.tensor_sizes[i], self.is_moved(i))
            if kept[n + i] is not None:
                data_of(kept[n + i], self.dtype, self.tensor_sizes[i], True)
        for i in range(n):
            self.tensors[i] = cnp.PyArray_DATA(kept[i])
            self.gradients[i] = NULL if kept[n + i] is None else cnp.PyArray_DATA(kept[n + i])
        self.kept_alive, self.bound = kept, True

    cdef bint is_moved(self, int tensor):
        """Whether the forward pass of training writes it: a moving mean or variance."""
        cdef int i
        for i in range(self.plan.n_operations):
            if self.plan.operations[i].kind == BATCH_NORMALIZATION and tensor in (
                    self.plan.operations[i].tensors[2], self.plan.operations[i].tensors[3]):
                return True
        return False

    cdef tuple tensors_now(self, void **tensors, void **gradients):
        """Copies the parameters' addresses for a run without the interpreter's lock, because another thread may bind
        anew meanwhile; the arrays live while the result does."""
        if not self.bound:
            raise ValueError("the network has no parameters: bind them first")
        memcpy(tensors, self.tensors, self.plan.n_tensors * sizeof(void *))
        if gradients != NULL:
            memcpy(gradients, self.gradients, self.plan.n_tensors * sizeof(void *))
        return self.kept_alive

    cdef Py_ssize_t bytes_per_sample(self):
        cdef Py_ssize_t total = 0
        cdef int i
        for i in range(self.plan.n_buffers):
            total += self.plan.buffers[i].rows * self.plan.buffers[i].stride
        return max(total, <Py_ssize_t> 1) * self.element_size

    def predict(self, list inputs, list outputs):
        """Writes the network's outputs for all samples into `outputs`; reads the parameters only.

        Looks for signals every 50 ms or so.
        """
        cdef Prediction p
        cdef Py_ssize_t n, i, n_tasks, rows_per_poll
        cdef Source sources[MAX_ENDS]
        cdef void *targets[MAX_ENDS]
        cdef Workspace *workspaces[MAX_TASKS]
        cdef bint is_float = self.element_size == 4
        if len(inputs) != self.plan.n_inputs or len(outputs) != self.plan.n_outputs:
            raise ValueError(f"expected {self.plan.n_inputs} inputs and {self.plan.n_outputs} outputs")
        n = len(inputs[0])
        _arrays = self.fill_sources(sources, inputs, n)
        results = tuple(outputs)  # not the list, from which a caller could take arrays away
        for i in range(self.plan.n_outputs):
            targets[i] = data_of(results[i], self.dtype, n * self.sample_size(self.plan.outputs[i]), True)
        if n == 0:
            return
        p.plan, p.sources, p.targets = &self.plan, sources, targets
        p.workspaces = workspaces
        p.block = self.rows_in_block(n)
        n_tasks = max(<Py_ssize_t> 1, min(<Py_ssize_t> min(pool_width(), MAX_TASKS), n // p.block))
        if n * self.work_per_sample() < WORK_WORTH_A_THREAD:
            n_tasks = 1
        rows_per_poll = max(n_tasks * p.block, n_tasks * WORK_PER_POLL // self.work_per_sample())
        scratches = [self.take_scratch(p.block) for _ in range(n_tasks)]
        p.tensors = (<Scratch> scratches[0]).tensors
        _kept = self.tensors_now(p.tensors, NULL)
        for i in range(n_tasks):
            workspaces[i] = &(<Scratch> scratches[i]).workspace
        if self.next_seed is not None:
            seed, first_draw = self.next_seed(), self.next_draw()
            for i in range(n_tasks):
                workspaces[i].seed, workspaces[i].first_draw = seed, first_draw
        p.first = 0
        while p.first < n:
            p.last = min(n, p.first + rows_per_poll)
            with nogil:
                predict_range(&p, is_float, n_tasks)
            p.first = p.last
            for i in range(n_tasks):
                if workspaces[i].failed:
                    culprit = workspaces[i].out_of_range
                    workspaces[i].failed, workspaces[i].out_of_range = False, 0
                    self.raise_error(culprit)
            PyErr_CheckSignals()
        self.spares.extend(scratches)

    cdef uint64_t next_draw(self):
        """The first step of a run that nobody else draws from."""
        self.n_draws += 1
        return self.n_draws << 32

    cdef Py_ssize_t rows_in_block(self, Py_ssize_t n):
        """How many of n rows go through the network at a time, in whole tiles."""
        cdef Py_ssize_t size = self.bytes_per_sample()
        cdef Py_ssize_t rows = max(INFERENCE_BLOCK_BYTES // size, min(FEWEST_ROWS, LARGEST_BLOCK_BYTES // size))
        cdef Py_ssize_t n_blocks
        rows = max(<Py_ssize_t> 48, min(<Py_ssize_t> 4096, rows) // 48 * 48)
        n_blocks = (n + rows - 1) // rows
        return min(n, ((n + n_blocks - 1) // n_blocks + 11) // 12 * 12)

    cdef Py_ssize_t work_per_sample(self):
        """Multiply-adds, roughly: every parameter is used once for every row."""
        cdef Py_ssize_t total = 1
        cdef int i
        for i in range(self.plan.n_tensors):
            total += self.tensor_sizes[i]
        return total

    cdef Py_ssize_t sample_size(self, int buffer):
        return self.plan.buffers[buffer].rows * self.plan.buffers[buffer].width

    cdef Scratch take_scratch(self, Py_ssize_t capacity):
        cdef Scratch scratch
        try:
            scratch = self.spares.pop()
        except IndexError:
            scratch = Scratch()
            scratch.tensors = <void **> allocate(self.plan.n_tensors, sizeof(void *))
        if scratch.workspace.capacity < capacity:
            self.check_capacity(capacity)
            workspace_free(&scratch.workspace)
            if not workspace_allocate(&self.plan, &scratch.workspace, capacity, self.element_size, NULL, NULL,
                                      INFERENCE):
                raise MemoryError(f"no memory for the activations of {capacity} samples")
        return scratch

    cdef int raise_error(self, int out_of_range, list customs=None) except -1:
        """Raises what a custom object raised inside native code, or says which operation met a number out of range."""
        if out_of_range > 0:
            raise ValueError(f"{self.names[out_of_range - 1]!r} takes whole numbers from 0 to "
                             f"{self.limit(&self.plan.operations[out_of_range - 1]) - 1}. Received: one outside")
        for custom in self.customs + (customs or []):
            error = getattr(custom, "error", None)
            if error is not None:
                custom.error = None
                raise error
        raise RuntimeError("a custom object failed without leaving an error")

    cdef Py_ssize_t limit(self, Operation *operation):
        return operation.integers[0] if operation.kind == EMBEDDING else self.plan.buffers[operation.output].width


cdef class Scratch:
    """Workspace memory that one call at a time uses."""
    cdef Workspace workspace
    cdef void **tensors

    def __dealloc__(self):
        workspace_free(&self.workspace)
        free(self.tensors)
