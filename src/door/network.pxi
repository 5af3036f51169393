# A plan bound to arrays, and predictions by it. Floor 2.

from libc.stdlib cimport free
from libc.string cimport memcpy
from cpython.exc cimport PyErr_CheckSignals
from cython cimport critical_section

from activation cimport derivative_needs_z
from bfloat16 cimport keep_w, kept_size
from blocks cimport padded_width, panels_size
from compile cimport mark_gates, only_dense_reads, share_memory
from dense cimport can_be_quantized, can_keep_panels, can_keep_rounded, keep_panels, rounds_factors
from embedding cimport index_limit
from gathering cimport Source
from int8 cimport QuantizedMatrix, quads_of
from normalization cimport moves_tensor
from plan cimport *
from prediction cimport Prediction, predict_range
from simd cimport ACTIVATION_LINEAR, CUSTOM_ACTIVATION, ROW_GLU, activation_is_elementwise, activation_name, panel_width
from threads cimport pool_width
from workspace cimport VALUE_ALIGNMENT, KeptMemory, aligned, forget_memory, workspace_allocate, workspace_free

cdef Py_ssize_t WORK_PER_POLL = 1 << 30      # multiply-adds of prediction between two polls for signals
cdef Py_ssize_t WORK_WORTH_A_THREAD = 1 << 19
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
    plan : cnn_core.network.plan.NetworkPlan
    """
    cdef Plan plan
    cdef readonly object dtype
    cdef Py_ssize_t element_size
    cdef void **tensors
    cdef void **gradients
    cdef Py_ssize_t *tensor_sizes
    cdef tuple kept_alive
    cdef list python_objects
    cdef list names
    cdef list frozen
    cdef list free_scratch
    cdef KeptMemory kept_memory  # of the last run of training or evaluation
    cdef object next_seed   # makes a seed for each run where inference draws random numbers, or None
    cdef uint64_t n_draws   # runs of this kind: layers with a seed draw from other steps in each
    cdef bint bound
    cdef Py_ssize_t elements_per_sample
    cdef readonly list takes_sparse  # of each input, whether SparseRows will do

    def __cinit__(self, str dtype not None, object plan):
        self.dtype = real_dtype(dtype)
        self.element_size = self.dtype.itemsize
        self.python_objects, self.kept_alive, self.free_scratch = [], (), []
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
            if not filled.issuperset(operation.inputs) or (
                    operation.output in filled and not self.works_in_place(operation)):
                raise ValueError(f"operation {i} must read what is computed before it and write a buffer of its own")
            self.add_operation(&self.plan.operations[i], operation)
            filled.add(operation.output)
        for i, buffer in enumerate(plan.outputs):
            if buffer not in filled:
                raise ValueError(f"nothing computes buffer {buffer}, an output")
            self.plan.outputs[i] = buffer
        mark_gates(&self.plan)
        if not share_memory(&self.plan):
            raise MemoryError
        self.takes_sparse = [False] * self.plan.n_inputs
        for i in range(self.plan.n_inputs):
            self.takes_sparse[i] = only_dense_reads(&self.plan, self.plan.inputs[i])
        self.update_frozen(self.plan.operations)

    def __dealloc__(self):
        free(self.kept_memory.memory)
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
            if elements > most_elements():
                raise MemoryError(f"a sample takes more than {most_elements()} numbers")
            self.plan.buffers[i].rows, self.plan.buffers[i].width = rows, width
            self.plan.buffers[i].stride = padded_width(width)
        self.elements_per_sample = elements
        return 0

    cdef int check_capacity(self, Py_ssize_t n) except -1:
        """The bytes of values, deltas and four times as much scratch memory must not leave the range of an index."""
        if n > most_elements() // self.elements_per_sample:
            raise MemoryError(f"no memory for the activations of {n} samples")
        return 0

    cdef int checked_buffer(self, int buffer) except -1:
        if not 0 <= buffer < self.plan.n_buffers:
            raise ValueError(f"the plan has no buffer {buffer}")
        return buffer

    cdef int add_operation(self, Operation *target, object operation) except -1:
        cdef int i
        check_length(operation.inputs, 0, 1 << 20, "inputs")
        check_length(operation.tensors, 0, MAX_TENSORS, "tensors")
        check_length(operation.activation_parameters, 0, 3, "activation_parameters")
        check_length(operation.reals, 0, MAX_REALS, "reals")
        check_length(operation.integers, 0, MAX_INTEGERS, "integers")
        target.traits = &operation_rows[<int> OPERATIONS[operation.kind]]
        target.kind = target.traits.kind
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
        target.n_numbers, target.n_constants = len(operation.numbers), len(operation.constants)
        target.numbers = <Py_ssize_t *> allocate(target.n_numbers, sizeof(Py_ssize_t))
        for i in range(target.n_numbers):
            target.numbers[i] = operation.numbers[i]
        target.constants = <double *> allocate(target.n_constants, sizeof(double))
        for i in range(target.n_constants):
            target.constants[i] = operation.constants[i]
        if operation.custom is not None:
            self.python_objects.append(operation.custom)
            target.custom = <void *> operation.custom
        self.check_kind(target)
        target.keeps_z = derivative_needs_z(target)
        self.check_sizes(target)
        self.plan.needs_whole_batch |= target.whole_batch
        self.plan.joins_samples |= target.kind == BATCH_REDUCTION
        return 0

    cdef bint works_in_place(self, object operation):
        return (operation_rows[<int> OPERATIONS[operation.kind]].peculiarity == IN_PLACE
                and tuple(operation.inputs) == (operation.output,))

    cdef int check_kind(self, Operation *operation) except -1:
        """What would otherwise follow a pointer or an index that is not there."""
        cdef int peculiarity = operation.traits.peculiarity, activation = operation.activation
        cdef str kind = operation.traits.name.decode()
        if peculiarity != ANY_INPUTS and (
                operation.n_inputs == 0 or operation.n_inputs > 1 and peculiarity != MANY_INPUTS):
            raise ValueError(f"operation {kind!r} has one input. Received: {operation.n_inputs}")
        if activation != ACTIVATION_LINEAR and (
                peculiarity not in (ELEMENTWISE_ACTIVATIONS, ALL_BUT_GLU, ALL_ACTIVATIONS)
                or peculiarity == ALL_BUT_GLU and activation == ROW_GLU
                or peculiarity == ELEMENTWISE_ACTIVATIONS and not activation_is_elementwise(activation)):
            raise ValueError(f"operation {kind!r} cannot apply activation {activation_name(activation).decode()!r}")
        if operation.custom == NULL and activation == CUSTOM_ACTIVATION:
            raise ValueError("a custom activation needs its object")
        return 0

    cdef int check_sizes(self, Operation *operation) except -1:
        """What would otherwise read or write out of bounds; then how much scratch memory the operation needs."""
        cdef Sizes s
        s.operation, s.plan = operation, &self.plan
        s.tensor_sizes, s.element_size = self.tensor_sizes, self.element_size
        s.output = s.input = &self.plan.buffers[operation.output]
        if operation.n_inputs > 0:
            s.input = &self.plan.buffers[operation.inputs[0]]
        if not operation.traits.fits(&s):
            raise ValueError(f"the sizes of operation {operation.traits.name.decode()} do not fit: "
                             f"input ({s.input.rows}, {s.input.width}), output ({s.output.rows}, {s.output.width})")
        if operation.traits.needs != NULL:
            operation.traits.needs(&s, operation)
        if rounds_factors(operation):
            simd_prepare_pairs()
        return 0

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

    cdef int update_frozen(self, Operation *operations) except -1:
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
        with critical_section(self):
            for i in range(n):
                self.tensors[i] = cnp.PyArray_DATA(kept[i])
                self.gradients[i] = NULL if kept[n + i] is None else cnp.PyArray_DATA(kept[n + i])
            self.kept_alive, self.bound = kept, True

    @property
    def kept_bytes(self):
        """Memory of an earlier run of training or evaluation that waits for the next one."""
        return self.kept_memory.n_bytes

    def release_kept(self):
        """Gives this memory back: no such run is expected any more."""
        with critical_section(self):
            forget_memory(&self.kept_memory)

    def keep_kernels(self):
        """Rounds the kernels of operations in bfloat16, and packs large ones of others, once and for all: the bound
        arrays stay as they are."""
        cdef Operation *operation
        cdef Py_ssize_t n_in, n_out
        cdef void *kernel
        cdef void *room
        cdef int i
        if not self.bound:
            raise ValueError("the network has no parameters: bind them first")
        for i in range(self.plan.n_operations):
            operation = &self.plan.operations[i]
            n_in = self.plan.buffers[operation.inputs[0]].width if operation.n_inputs else 0
            n_out = self.plan.buffers[operation.output].width
            if can_keep_rounded(operation):
                operation.rounded = self.kept_room(kept_size(n_in, n_out))
                keep_w(<float *> operation.rounded, <const float *> self.tensors[operation.tensors[0]], n_in, n_out)
            elif can_keep_panels(operation, n_in, n_out, self.panel_width(), self.element_size):
                kernel = self.tensors[operation.tensors[0]]
                room = self.kept_room(panels_size(n_in, n_out, self.panel_width()))
                if self.element_size == 4:
                    keep_panels(operation, n_in, n_out, <const float *> kernel, <float *> room)
                else:
                    keep_panels(operation, n_in, n_out, <const double *> kernel, <double *> room)

    cdef Py_ssize_t panel_width(self):
        """Of the instruction set in use."""
        return panel_width(<const float *> NULL) if self.element_size == 4 else panel_width(<const double *> NULL)

    cdef void *kept_room(self, Py_ssize_t size) except NULL:
        """Aligned memory of so many elements, as long as the network lives."""
        room = np.empty(size + VALUE_ALIGNMENT // self.element_size, self.dtype)
        self.kept_alive += (room,)
        return aligned(cnp.PyArray_DATA(room))

    def keep_quantized(self, int index, quads, factors, sums, units, bias):
        """Has a dense operation in int8 multiply with this matrix, as cnn_core/models/quantization.py makes it."""
        cdef Operation *operation
        cdef Py_ssize_t n_in, n_out
        cdef QuantizedMatrix *matrix
        if not 0 <= index < self.plan.n_operations or not can_be_quantized(&self.plan.operations[index]):
            raise ValueError(f"operation {index} does not compute in int8")
        simd_prepare_quads()
        operation = &self.plan.operations[index]
        n_in = self.plan.buffers[operation.inputs[0]].width
        n_out = self.plan.buffers[operation.output].width
        room = np.empty(sizeof(QuantizedMatrix), np.uint8)
        matrix = <QuantizedMatrix *> cnp.PyArray_DATA(room)
        matrix.quads = <const int32_t *> data_of(quads, np.dtype(np.int32), quads_of(n_in) * n_out)
        matrix.factors = <const float *> data_of(factors, self.dtype, n_in)
        matrix.sums = <const int32_t *> data_of(sums, np.dtype(np.int32), n_out)
        matrix.units = <const float *> data_of(units, self.dtype, n_out)
        matrix.bias = <const float *> data_of(bias, self.dtype, n_out)
        self.kept_alive += (room, quads, factors, sums, units, bias)
        operation.quantized = matrix

    cdef bint is_moved(self, int tensor):
        """Whether the forward pass of training writes it: a moving mean or variance."""
        cdef int i
        for i in range(self.plan.n_operations):
            if moves_tensor(&self.plan.operations[i], tensor):
                return True
        return False

    cdef tuple tensors_now(self, void **tensors, void **gradients):
        """Copies the parameters' addresses for a run without the interpreter's lock, because another thread may bind
        others meanwhile; the arrays live while the result does."""
        with critical_section(self):
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
        rows_per_poll = max(n_tasks * p.block, n_tasks * WORK_PER_POLL // self.most_work_per_sample())
        scratches = [None] * n_tasks
        for i in range(n_tasks):
            scratches[i] = self.take_scratch(p.block)
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
        self.free_scratch.extend(scratches)

    cdef uint64_t next_draw(self):
        """The first step of a run from which no other draws."""
        with critical_section(self):
            self.n_draws += 1
            return self.n_draws << 32

    cdef Py_ssize_t rows_in_block(self, Py_ssize_t n):
        """How many of n rows go through the network at a time, in whole tiles; all where one looks at the others."""
        cdef Py_ssize_t size = self.bytes_per_sample()
        cdef Py_ssize_t rows = max(INFERENCE_BLOCK_BYTES // size, min(FEWEST_ROWS, LARGEST_BLOCK_BYTES // size))
        cdef Py_ssize_t n_blocks
        if self.plan.joins_samples:
            return n
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

    cdef Py_ssize_t most_work_per_sample(self):
        """With what its numbers may take besides products, by which it is decided when to look for signals."""
        return self.work_per_sample() + WORK_PER_ELEMENT * self.elements_per_sample

    cdef Py_ssize_t sample_size(self, int buffer):
        return self.plan.buffers[buffer].rows * self.plan.buffers[buffer].width

    cdef Scratch take_scratch(self, Py_ssize_t capacity):
        cdef Scratch scratch
        try:
            scratch = self.free_scratch.pop()
        except IndexError:
            scratch = Scratch()
            scratch.tensors = <void **> allocate(self.plan.n_tensors, sizeof(void *))
        if scratch.workspace.capacity < capacity:
            self.check_capacity(capacity)
            workspace_free(&scratch.workspace)
            if not workspace_allocate(&self.plan, &scratch.workspace, capacity, self.element_size, NULL, NULL,
                                      INFERENCE, NULL):
                raise MemoryError(f"no memory for the activations of {capacity} samples")
        return scratch

    cdef int raise_error(self, int out_of_range, list python_objects=None) except -1:
        """Raises what a custom object raised inside native code, or says which operation met a number out of range."""
        if out_of_range > 0:
            raise ValueError(f"{self.names[out_of_range - 1]!r} takes whole numbers from 0 to "
                             f"{index_limit(&self.plan, out_of_range - 1) - 1}. Received: one outside")
        raise_kept_error(self.python_objects + (python_objects or []))


cdef class Scratch:
    """Workspace memory that one call at a time uses."""
    cdef Workspace workspace
    cdef void **tensors

    def __dealloc__(self):
        workspace_free(&self.workspace)
        free(self.tensors)
