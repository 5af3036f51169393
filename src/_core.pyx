# The one door between Python and native code: network, passes over batches, optimizer. Floor 2.
# It turns Python's plan into C structures and checks nothing but types and sizes that memory safety depends on:
# values, names and messages for users belong to Python.

cimport numpy as cnp
from libc.math cimport INFINITY, NAN, log, log1p
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer

import numpy as np

from activations cimport derivative_needs_z, keeps_z, is_plain_relu, activate_rows, derive_rows
from epochs cimport Epochs as EpochsStruct
from epochs cimport loss_of_epoch, run_epochs, totals_of_epoch
from losses cimport Loss, Targets, loss_on_logits, loss_row, works_on_logits
from matmul cimport Product, begin_plain, multiply
from metrics cimport Metric
from prediction cimport Prediction, predict_range, read_in_place
from normalization cimport COLUMN_STATISTICS, move_statistics
from network cimport (RUN_DIVERGED, RUN_FAILED, RUN_FINISHED, RUN_OUT_OF_TIME, Run, Source, backward, clear_totals,
                      copy_totals, forward, gather_samples, run_slice, totals_length)
from optimizers cimport MAX_HYPERPARAMETERS, MAX_SLOTS, Segment, TensorRange, TensorRule
from optimizers cimport Optimizer as OptimizerStruct
from plan cimport *
from random cimport dropout_mask as fill_dropout_mask
from random cimport count_up, normal_numbers, shuffle
from random cimport philox as fill_philox
from shuffling cimport BitGenerator
from simd cimport all_finite as check_finite
from simd cimport real, simd_available, simd_select
from threads cimport POOL_MAX_WIDTH, pool_set_width, pool_started, pool_width

cimport losses
cimport metrics
cimport optimizers
cimport constraints
cimport regularizers

cdef extern from "simd/kinds.h":
    int ACTIVATION_LINEAR, ACTIVATION_RELU, ACTIVATION_SIGMOID, ACTIVATION_TANH, ACTIVATION_ELU, ACTIVATION_SELU
    int ACTIVATION_CELU, ACTIVATION_SOFTPLUS, ACTIVATION_SOFTSIGN, ACTIVATION_SILU, ACTIVATION_GELU
    int ACTIVATION_GELU_TANH, ACTIVATION_MISH, ACTIVATION_EXPONENTIAL, ACTIVATION_LOG_SIGMOID
    int ACTIVATION_HARD_SIGMOID, ACTIVATION_HARD_SILU, ACTIVATION_HARD_TANH, ACTIVATION_SQUAREPLUS
    int ACTIVATION_SOFT_SHRINK, ACTIVATION_HARD_SHRINK, ACTIVATION_TANH_SHRINK, ACTIVATION_THRESHOLD
    int ACTIVATION_SPARSE_PLUS, ACTIVATION_SPARSE_SIGMOID

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
        uint64_t (*next_uint64)(void *state) noexcept nogil
        uint32_t (*next_uint32)(void *state) noexcept nogil

cnp.import_array()

ACTIVATIONS = {
    "linear": ACTIVATION_LINEAR, "relu": ACTIVATION_RELU, "sigmoid": ACTIVATION_SIGMOID, "tanh": ACTIVATION_TANH,
    "elu": ACTIVATION_ELU, "selu": ACTIVATION_SELU, "celu": ACTIVATION_CELU, "softplus": ACTIVATION_SOFTPLUS,
    "softsign": ACTIVATION_SOFTSIGN, "silu": ACTIVATION_SILU, "gelu": ACTIVATION_GELU,
    "gelu_tanh": ACTIVATION_GELU_TANH, "mish": ACTIVATION_MISH, "exponential": ACTIVATION_EXPONENTIAL,
    "log_sigmoid": ACTIVATION_LOG_SIGMOID, "hard_sigmoid": ACTIVATION_HARD_SIGMOID,
    "hard_silu": ACTIVATION_HARD_SILU, "hard_tanh": ACTIVATION_HARD_TANH, "squareplus": ACTIVATION_SQUAREPLUS,
    "soft_shrink": ACTIVATION_SOFT_SHRINK, "hard_shrink": ACTIVATION_HARD_SHRINK,
    "tanh_shrink": ACTIVATION_TANH_SHRINK, "threshold": ACTIVATION_THRESHOLD,
    "sparse_plus": ACTIVATION_SPARSE_PLUS, "sparse_sigmoid": ACTIVATION_SPARSE_SIGMOID,
    "softmax": ROW_SOFTMAX, "log_softmax": ROW_LOG_SOFTMAX, "glu": ROW_GLU, "sparsemax": ROW_SPARSEMAX,
    "custom": CUSTOM_ACTIVATION,
}
OPERATIONS = {
    "dense": DENSE, "activation": ACTIVATION, "prelu": PRELU, "reshape": RESHAPE, "permute": PERMUTE,
    "dropout": DROPOUT, "alpha_dropout": ALPHA_DROPOUT, "gaussian_dropout": GAUSSIAN_DROPOUT,
    "gaussian_noise": GAUSSIAN_NOISE, "batch_normalization": BATCH_NORMALIZATION,
    "layer_normalization": LAYER_NORMALIZATION, "rms_normalization": RMS_NORMALIZATION,
    "unit_normalization": UNIT_NORMALIZATION, "add": ADD, "subtract": SUBTRACT, "multiply": MULTIPLY,
    "average": AVERAGE, "maximum": MAXIMUM, "minimum": MINIMUM, "concatenate": CONCATENATE, "dot": DOT,
    "parametric_activation": PARAMETRIC_ACTIVATION, "periodic": PERIODIC, "embedding": EMBEDDING,
    "standardize": STANDARDIZE, "rescale": RESCALE, "encode": ENCODE, "discretize": DISCRETIZE,
    "activity_penalty": ACTIVITY_PENALTY, "custom": CUSTOM,
}
LOSSES = {
    "mean_squared_error": losses.MEAN_SQUARED_ERROR, "half_squared_error": losses.HALF_SQUARED_ERROR,
    "mean_absolute_error": losses.MEAN_ABSOLUTE_ERROR,
    "mean_absolute_percentage_error": losses.MEAN_ABSOLUTE_PERCENTAGE_ERROR,
    "mean_squared_logarithmic_error": losses.MEAN_SQUARED_LOGARITHMIC_ERROR,
    "cosine_similarity": losses.COSINE_SIMILARITY, "huber": losses.HUBER, "log_cosh": losses.LOG_COSH,
    "poisson": losses.POISSON, "kl_divergence": losses.KL_DIVERGENCE, "hinge": losses.HINGE,
    "squared_hinge": losses.SQUARED_HINGE, "categorical_hinge": losses.CATEGORICAL_HINGE,
    "quantile": losses.QUANTILE, "gaussian_nll": losses.GAUSSIAN_NLL,
    "half_poisson_deviance": losses.HALF_POISSON_DEVIANCE,
    "binary_crossentropy": losses.BINARY_CROSSENTROPY, "categorical_crossentropy": losses.CATEGORICAL_CROSSENTROPY,
    "sparse_categorical_crossentropy": losses.SPARSE_CATEGORICAL_CROSSENTROPY,
    "binary_focal_crossentropy": losses.BINARY_FOCAL_CROSSENTROPY,
    "categorical_focal_crossentropy": losses.CATEGORICAL_FOCAL_CROSSENTROPY, "custom": losses.CUSTOM_LOSS,
}
METRICS = {
    "binary_accuracy": metrics.BINARY_ACCURACY, "categorical_accuracy": metrics.CATEGORICAL_ACCURACY,
    "sparse_categorical_accuracy": metrics.SPARSE_CATEGORICAL_ACCURACY, "loss": metrics.LOSS_VALUE,
}
REDUCTIONS = {
    "sum_over_batch_size": losses.SUM_OVER_BATCH_SIZE, "sum": losses.SUM,
    "mean_with_sample_weight": losses.MEAN_WITH_SAMPLE_WEIGHT,
}
RULES = {
    "sgd": optimizers.SGD, "rmsprop": optimizers.RMSPROP, "adam": optimizers.ADAM, "nadam": optimizers.NADAM,
    "adamax": optimizers.ADAMAX, "adagrad": optimizers.ADAGRAD, "adadelta": optimizers.ADADELTA,
    "lion": optimizers.LION,
}
CONSTRAINTS = {
    None: constraints.UNCONSTRAINED, "non_negative": constraints.NON_NEGATIVE, "max_norm": constraints.MAX_NORM,
    "unit_norm": constraints.UNIT_NORM, "min_max_norm": constraints.MIN_MAX_NORM,
    "custom": constraints.CUSTOM_CONSTRAINT,
}
PENALTIES = {
    None: regularizers.NO_PENALTY, "l1_l2": regularizers.L1_L2, "orthogonal_rows": regularizers.ORTHOGONAL_ROWS,
    "orthogonal_columns": regularizers.ORTHOGONAL_COLUMNS, "custom": regularizers.CUSTOM_PENALTY,
}
MODES = {"evaluation": EVALUATION, "block": BLOCK, "training": TRAINING, "tracing": TRACING}
STATUS = {RUN_FINISHED: "finished", RUN_OUT_OF_TIME: "out of time", RUN_DIVERGED: "diverged", RUN_FAILED: "failed"}

_columns_dtype, _indices_dtype, _rates_dtype = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.float64)
cdef double SLICE_SECONDS = 0.05
cdef Py_ssize_t WORK_PER_GLANCE = 1 << 30    # multiply-adds of prediction between two looks for signals
cdef Py_ssize_t WORK_WORTH_A_THREAD = 1 << 19
cdef Py_ssize_t LONG_STEP = 1 << 29          # multiply-adds of a forward pass from which a step listens for signals
cdef Py_ssize_t MOST_ELEMENTS = <Py_ssize_t> 1 << 54  # of a workspace: far beyond any memory, far below an overflow
cdef enum:
    MAX_ENDS = 64   # inputs or outputs of a network
    MAX_LOSSES = 16  # as many as src/network.pxd has room for
    MAX_TASKS = 256  # of one prediction
    MAX_EPOCHS = 256  # whose totals one call records
cdef Py_ssize_t INFERENCE_BLOCK_BYTES = 1 << 20  # of activations, which then stay in the second-level cache,
cdef Py_ssize_t FEWEST_ROWS = 480                # but not fewer rows, since W is packed anew for every block,
cdef Py_ssize_t LARGEST_BLOCK_BYTES = 1 << 24    # unless they are very wide
cdef Py_ssize_t TRAINING_BLOCK_BYTES = 1 << 18
cdef Py_ssize_t SMALL_NETWORK = 1 << 15  # parameters; larger networks take a batch whole, so that W is packed once


cdef void *data_of(object array, object dtype, Py_ssize_t size, bint written=False) except? NULL:
    """The address of an array in the order, dtype and size that native code will assume; a negative size is any."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or not cnp.PyArray_ISCARRAY_RO(array):
        raise TypeError(f"expected an aligned, C-contiguous array of {dtype}. Received: {array!r}")
    if written and not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError("expected an array that can be written. Received: a read-only one")
    if size >= 0 and array.size != size:
        raise ValueError(f"expected {size} elements. Received: shape={array.shape}")
    return cnp.PyArray_DATA(array)


cdef bint is_sparse(object rows):
    """Whether an input is cnn_core.data.SparseRows."""
    return not isinstance(rows, np.ndarray) and hasattr(rows, "indptr")


cdef list fill_sparse_rows(SparseRows *target, object rows, object dtype, Py_ssize_t n):
    """Points at n sparse rows, whose indices are looked at when they are used; returns what must stay alive."""
    data, indices, indptr = rows.data, rows.indices, rows.indptr
    target.data = data_of(data, dtype, -1)
    target.indices = <const int32_t *> data_of(indices, _columns_dtype, -1)
    target.indptr = <const int64_t *> data_of(indptr, _indices_dtype, n + 1)
    target.n_stored, target.n_rows = min(len(data), len(indices)), n
    target.order, target.first = NULL, 0
    return [data, indices, indptr]


cdef object real_dtype(object dtype):
    """The dtype, if native code computes in it."""
    found = np.dtype(dtype)
    if found != np.float32 and found != np.float64:
        raise TypeError(f"expected float32 or float64. Received: {dtype!r}")
    return found


cdef int check_length(object values, Py_ssize_t least, Py_ssize_t most, str name) except -1:
    """For arrays of a fixed size in native structures."""
    if not least <= len(values) <= most:
        raise ValueError(f"`{name}` must have {least} to {most} entries. Received: {len(values)}")
    return 0


cdef void *allocate(Py_ssize_t count, size_t size) except NULL:
    cdef void *memory = calloc(max(count, <Py_ssize_t> 1), size)
    if memory == NULL:
        raise MemoryError
    return memory


# ---------------------------------------------------------------------------------------------- configuration

def select_instruction_set(str name=None):
    """Chooses the instruction set by name (None: the best); returns the one in use."""
    cdef const char *chosen = simd_select(NULL) if name is None else simd_select(name.encode())
    if chosen == NULL:
        raise ValueError(f"CNN_CORE_ISA must be one of {instruction_sets()}. Received: {name!r}")
    global _instruction_set
    _instruction_set = chosen.decode()
    return _instruction_set


def instruction_set():
    return _instruction_set


def instruction_sets():
    """Those that can run here, best first."""
    cdef const char *names[8]
    return [names[i].decode() for i in range(simd_available(names, 8))]


def set_num_threads(int n):
    pool_set_width(n)


def get_num_threads():
    return pool_width()


def threads_started():
    return pool_started()


def max_threads():
    return POOL_MAX_WIDTH


# ---------------------------------------------------------------------------------------------------- network

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
    cdef bint bound
    cdef Py_ssize_t elements_per_sample
    cdef readonly list takes_sparse  # of each input, whether SparseRows will do

    def __cinit__(self, str dtype not None, object plan):
        self.dtype = real_dtype(dtype)
        self.element_size = self.dtype.itemsize
        self.customs, self.kept_alive, self.spares = [], (), []
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
                or operation.activation >= ACTIVATION_COUNT and operation.kind == PARAMETRIC_ACTIVATION):
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
        cdef Py_ssize_t n, i, n_tasks, rows_per_glance
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
        rows_per_glance = max(n_tasks * p.block, n_tasks * WORK_PER_GLANCE // self.work_per_sample())
        scratches = [self.take_scratch(p.block) for _ in range(n_tasks)]
        p.tensors = (<Scratch> scratches[0]).tensors
        _kept = self.tensors_now(p.tensors, NULL)
        for i in range(n_tasks):
            workspaces[i] = &(<Scratch> scratches[i]).workspace
        p.first = 0
        while p.first < n:
            p.last = min(n, p.first + rows_per_glance)
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


cdef class Predictor:
    """Predictions for few rows with the least delay, from a network that nobody else uses.

    Parameters
    ----------
    network : Network
        With one input and one output; bound to arrays that stay as they are.
    """
    cdef Network network
    cdef Scratch scratch
    cdef bint busy, passes_on
    cdef int typenum
    cdef Py_ssize_t n_in, n_out, most_rows
    cdef tuple out_shape

    def __cinit__(self, Network network not None, tuple out_shape not None):
        if network.plan.n_inputs != 1 or network.plan.n_outputs != 1:
            raise ValueError("a predictor needs a network of one input and one output")
        if not network.bound:
            raise ValueError("the network has no parameters: bind them first")
        self.network, self.out_shape = network, out_shape
        self.typenum = cnp.NPY_FLOAT32 if network.element_size == 4 else cnp.NPY_FLOAT64
        self.n_in = network.sample_size(network.plan.inputs[0])
        self.n_out = network.sample_size(network.plan.outputs[0])
        # A network that passes its input on computes nothing into `out`: the general way copies.
        self.passes_on = is_input(&network.plan, network.plan.outputs[0])
        # Up to here the call keeps the interpreter's lock: giving it up costs more than the others would gain.
        self.most_rows = max(<Py_ssize_t> 1, min(<Py_ssize_t> 64, WORK_WORTH_A_THREAD // network.work_per_sample()))
        self.scratch = network.take_scratch(self.most_rows)

    def __call__(self, x, out=None):
        """The outputs for x of shape (n, ...), or (...) for one sample."""
        cdef cnp.ndarray array, result
        cdef cnp.npy_intp shape[2]
        cdef Py_ssize_t n
        cdef bint single
        if not (isinstance(x, np.ndarray) and cnp.PyArray_TYPE(x) == self.typenum
                and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_NDIM(x) <= 2 and len(self.out_shape) == 1):
            return self.general(x, out)
        array = x
        single = cnp.PyArray_NDIM(array) < 2
        n = 1 if single else cnp.PyArray_DIM(array, 0)
        if cnp.PyArray_SIZE(array) != n * self.n_in or n > self.most_rows or n == 0 or (
                self.busy or self.passes_on):
            return self.general(x, out)
        if out is None:
            shape[0], shape[1] = n, self.n_out
            result = cnp.PyArray_EMPTY(1 if single else 2, &shape[1] if single else shape, self.typenum, 0)
        else:
            result = self.checked_out(out, n)
        self.busy = True
        try:
            if self.typenum == cnp.NPY_FLOAT32:
                self.run(<float *> cnp.PyArray_DATA(array), <float *> cnp.PyArray_DATA(result), n)
            else:
                self.run(<double *> cnp.PyArray_DATA(array), <double *> cnp.PyArray_DATA(result), n)
        finally:
            self.busy = False
        if self.scratch.workspace.failed:
            culprit = self.scratch.workspace.out_of_range
            self.scratch.workspace.failed, self.scratch.workspace.out_of_range = False, 0
            self.network.raise_error(culprit)
        return result

    cdef void run(self, real *x, real *out, Py_ssize_t n):
        cdef Plan *plan = &self.network.plan
        cdef Workspace *workspace = &self.scratch.workspace
        cdef int output = plan.outputs[0]
        cdef void *kept = workspace.values[output]
        cdef Source source
        source.data, source.width, source.is_sparse = x, self.n_in, False
        workspace.n = n
        read_in_place(plan, workspace, <real **> self.network.tensors, &source, 0)
        workspace.values[output] = out
        workspace.strides[output] = plan.buffers[output].width
        forward(plan, workspace, <real **> self.network.tensors)
        workspace.values[output] = kept

    cdef cnp.ndarray checked_out(self, object out, Py_ssize_t n):
        if not isinstance(out, np.ndarray) or cnp.PyArray_TYPE(out) != self.typenum or not cnp.PyArray_ISCARRAY(out):
            raise TypeError(f"`out` must be a writable, C-contiguous array of {self.network.dtype}. "
                            f"Received: {type(out)}")
        if cnp.PyArray_SIZE(out) != n * self.n_out:
            raise ValueError(f"`out` must have {n * self.n_out} elements. Received: out.shape={out.shape}")
        return out

    cdef object general(self, object x, object out):
        """Any array-like, any number of rows."""
        array = np.require(x, self.network.dtype, ("C", "A"))
        if array.size == self.n_in and (array.ndim < 2 or array.shape[0] != 1):
            rows, shape = 1, self.out_shape
        else:
            rows = array.shape[0] if array.ndim else 0
            shape = (rows, *self.out_shape)
        if array.size != rows * self.n_in:
            raise ValueError(f"x must have {self.n_in} features a row. Received: x.shape={array.shape}")
        result = np.empty(shape, self.network.dtype) if out is None else self.checked_out(out, rows)
        if rows == 0 or self.n_in > 0:
            self.network.predict([array.reshape(rows, self.n_in)], [result])
        return result


# -------------------------------------------------------------------------------------------------- optimizer

cdef Py_ssize_t n_slots(str rule, tuple h):
    """How many vectors of state a rule with these hyperparameters uses."""
    h += (0.0,) * (4 - len(h))
    if rule == "sgd":
        return int(h[0] != 0)
    if rule == "adam":
        return 2 + (h[3] != 0)
    if rule == "rmsprop":
        return 1 + (h[1] > 0) + (h[3] != 0)
    return {"nadam": 2, "adamax": 2, "adagrad": 1, "adadelta": 2, "lion": 1}[rule]


cdef class Optimizer:
    """An optimizer's rule and state over one flat vector of parameters.

    Parameters
    ----------
    rule : str
    hyperparameters : sequence of float, as the rule orders them
    tail : mapping with weight_decay, clip_value, clip_norm, global_clip_norm, average_momentum, average_period,
        accumulation, and optionally penalties_over_batch
    segments : sequence of (offset, size, multiplier, epsilon_factor, decay)
    rules : sequence of dicts with offset, n_rows, n_cols and, where there are such, penalty, l1, l2, custom_penalty,
        constraint, axis, parameters, custom_constraint
    tensors : sequence of (offset, size)
    parameters, gradients : flat arrays
    slots : list of flat arrays
    average, accumulator : flat arrays or None
    """
    cdef OptimizerStruct optimizer
    cdef object parameters, gradients, kept_alive, dtype
    cdef list customs
    cdef double weight_decay  # as it was given

    def __cinit__(self, str rule, object hyperparameters, dict tail not None, object segments, object rules,
                  object tensors, object parameters, object gradients, list slots not None, object average,
                  object accumulator):
        cdef int i
        cdef OptimizerStruct *o = &self.optimizer
        self.dtype = dtype = real_dtype(parameters.dtype)
        self.customs = []
        self.parameters, self.gradients = parameters, gradients
        self.kept_alive = (tuple(slots), average, accumulator)
        o.rule = RULES[rule]
        hyperparameters = tuple(hyperparameters)
        check_length(hyperparameters, 0, MAX_HYPERPARAMETERS, "hyperparameters")
        check_length(slots, n_slots(rule, hyperparameters), MAX_SLOTS, "slots")
        for i, number in enumerate(hyperparameters):
            o.hyperparameters[i] = number
        self.weight_decay = o.weight_decay = tail["weight_decay"]
        o.clip_value = tail["clip_value"]
        o.clip_norm, o.global_clip_norm = tail["clip_norm"], tail["global_clip_norm"]
        o.average_momentum, o.average_period = tail["average_momentum"], tail["average_period"]
        o.accumulation, o.nadam_product = tail["accumulation"], 1
        o.penalties_over_batch = tail.get("penalties_over_batch", False)
        o.n_parameters, o.n_segments, o.n_rules = parameters.size, len(segments), len(rules)
        o.n_tensors = len(tensors)
        o.segments = <Segment *> allocate(o.n_segments, sizeof(Segment))
        o.rules = <TensorRule *> allocate(o.n_rules, sizeof(TensorRule))
        o.tensors = <TensorRange *> allocate(o.n_tensors, sizeof(TensorRange))
        for i, (offset, size, multiplier, epsilon_factor, decay) in enumerate(segments):
            self.check_range(offset, size)
            o.segments[i] = Segment(offset, size, multiplier, epsilon_factor, decay)
        for i, (offset, size) in enumerate(tensors):
            self.check_range(offset, size)
            o.tensors[i] = TensorRange(offset, size)
        for i, description in enumerate(rules):
            self.fill_rule(&o.rules[i], description)
        for i, slot in enumerate(slots):
            o.slots[i] = data_of(slot, dtype, o.n_parameters, True)
        data_of(parameters, dtype, o.n_parameters, True)
        data_of(gradients, dtype, o.n_parameters, True)
        if average is not None:
            o.average = data_of(average, dtype, o.n_parameters, True)
        if accumulator is not None:
            o.accumulator = data_of(accumulator, dtype, o.n_parameters, True)
        elif o.accumulation > 1:
            raise ValueError("accumulation needs an accumulator")

    cdef int fill_rule(self, TensorRule *rule, dict description) except -1:
        cdef int i
        rule.offset, rule.n_rows, rule.n_cols = description["offset"], description["n_rows"], description["n_cols"]
        if rule.n_rows < 0 or rule.n_cols < 0:
            raise ValueError(f"a rule is for ({rule.n_rows}, {rule.n_cols}) parameters")
        self.check_range(rule.offset, description["n_rows"] * description["n_cols"])
        rule.penalty = PENALTIES[description.get("penalty")]
        rule.l1, rule.l2 = description.get("l1", 0.0), description.get("l2", 0.0)
        rule.constraint = CONSTRAINTS[description.get("constraint")]
        rule.constraint_axis = description.get("axis", 0)
        for i, number in enumerate(description.get("parameters", ())[:3]):
            rule.constraint_parameters[i] = number
        if rule.penalty in (regularizers.ORTHOGONAL_ROWS, regularizers.ORTHOGONAL_COLUMNS):
            rule.lengths = <double *> allocate(max(rule.n_rows, rule.n_cols), sizeof(double))
        penalty, constraint = description.get("custom_penalty"), description.get("custom_constraint")
        self.customs += [penalty, constraint]
        rule.custom_penalty, rule.custom_constraint = <void *> penalty, <void *> constraint
        if (rule.penalty == regularizers.CUSTOM_PENALTY and penalty is None
                or rule.constraint == constraints.CUSTOM_CONSTRAINT and constraint is None):
            raise ValueError("a custom penalty or constraint needs its object")
        return 0

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.optimizer.rules != NULL:
            for i in range(self.optimizer.n_rules):
                free(self.optimizer.rules[i].lengths)
        free(self.optimizer.segments)
        free(self.optimizer.rules)
        free(self.optimizer.tensors)

    cdef int check_range(self, Py_ssize_t offset, Py_ssize_t size) except -1:
        if offset < 0 or size < 0 or size > self.optimizer.n_parameters - offset:
            raise ValueError(f"range ({offset}, {size}) lies outside {self.optimizer.n_parameters} parameters")
        return 0

    @property
    def nadam_product(self):
        return self.optimizer.nadam_product

    @nadam_product.setter
    def nadam_product(self, double value):
        self.optimizer.nadam_product = value


# ----------------------------------------------------------------------------------------------------- passes

cdef void set_bounds(Loss *loss, double clip):
    """Of a cross-entropy whose probability is kept `clip` away from 0 and 1; 0 for no bounds."""
    loss.least = -log1p(-clip) if clip > 0 else -INFINITY
    loss.most = -log(clip) if clip > 0 else INFINITY
    loss.clip = clip


cdef int check_widths(const Loss *loss, Py_ssize_t width) except -1:
    """Whether the loss of a row reads targets, predictions and parameters only where there are any."""
    cdef Py_ssize_t least = 1 if loss.kind in (losses.HUBER, losses.QUANTILE) else 0
    cdef bint fits = loss.target_width == width
    if loss.kind == losses.BINARY_FOCAL_CROSSENTROPY:
        least = 3
    elif loss.kind == losses.CATEGORICAL_FOCAL_CROSSENTROPY:
        least = 2
    if loss.n_parameters < least:
        raise ValueError(f"loss {loss.kind} needs {least} parameters. Received: {loss.n_parameters}")
    if loss.kind == losses.CUSTOM_LOSS:
        fits = loss.target_width >= 0
    elif loss.kind == losses.SPARSE_CATEGORICAL_CROSSENTROPY:
        fits = width > 0
    elif loss.kind == losses.QUANTILE:
        fits = fits or loss.target_width > 0 and loss.target_width * loss.n_parameters >= width
    elif loss.kind == losses.GAUSSIAN_NLL:
        fits = width == 2 * loss.target_width
    if not fits:
        raise ValueError(f"targets have {loss.target_width} columns, predictions {width}")
    return 0


cdef int fill_loss(Loss *loss, object description, Network network) except -1:
    """A loss's structure from its Python description (cnn_core.losses gives one by `describe`)."""
    cdef int i, output = description["output"]
    if not 0 <= output < network.plan.n_outputs:
        raise ValueError(f"the network has no output {output}")
    output = network.plan.outputs[output]
    loss.kind = LOSSES[description["kind"]]
    loss.output, loss.operation = output, -1
    for i in range(network.plan.n_operations):
        if network.plan.operations[i].output == output:
            loss.operation = i
    loss.from_logits = description["from_logits"]
    loss.has_labels = description["has_labels"]
    loss.target_width = description["target_width"]
    loss.smoothing, loss.ignored = description["smoothing"], description["ignored"]
    loss.weight, loss.reduction = description["weight"], REDUCTIONS[description["reduction"]]
    set_bounds(loss, description.get("clip", 0.0))
    loss.n_parameters = len(description["parameters"])
    loss.parameters = <double *> allocate(loss.n_parameters, sizeof(double))
    for i, number in enumerate(description["parameters"]):
        loss.parameters[i] = number
    if description["custom"] is not None:
        loss.custom = <void *> description["custom"]
    elif loss.kind == losses.CUSTOM_LOSS:
        raise ValueError("a custom loss needs its object")
    if loss.has_labels != (loss.kind == losses.SPARSE_CATEGORICAL_CROSSENTROPY):
        raise ValueError(f"loss {loss.kind} compares with {'values' if loss.has_labels else 'labels'}")
    return 0


cdef bint all_labels(const int32_t *labels, Py_ssize_t n, Py_ssize_t n_classes, double ignored) noexcept:
    """Whether each entry is one of 0 .. n_classes - 1, or the class that is ignored."""
    cdef Py_ssize_t i
    for i in range(n):
        if not 0 <= labels[i] < n_classes and labels[i] != ignored:
            return False
    return True


cdef bint all_indices(const int64_t *order, Py_ssize_t n) noexcept:
    """Whether each is one of 0 .. n - 1: neither it nor its distance from the last has the sign of the negative."""
    cdef Py_ssize_t i
    cdef int64_t signs = 0
    for i in range(n):
        signs |= order[i] | <int64_t> (<uint64_t> (n - 1) - <uint64_t> order[i])
    return signs >= 0


cdef bint knows_activation(const Loss *loss, Plan *plan):
    """Whether the loss can take the activation over from the operation that wrote its prediction."""
    cdef int i, j, readers = 0, activation
    if loss.operation < 0 or plan.operations[loss.operation].kind not in (DENSE, ACTIVATION) or loss.from_logits:
        return False
    activation = plan.operations[loss.operation].activation
    if not (loss.kind == losses.BINARY_CROSSENTROPY and activation == ACTIVATION_SIGMOID
            or loss.kind in (losses.CATEGORICAL_CROSSENTROPY, losses.SPARSE_CATEGORICAL_CROSSENTROPY)
            and activation == ROW_SOFTMAX):
        return False
    for i in range(plan.n_operations):
        for j in range(plan.operations[i].n_inputs):
            readers += plan.operations[i].inputs[j] == loss.output
    for i in range(plan.n_outputs):
        readers += plan.outputs[i] == loss.output
    return readers == 1


class Listener:
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
    cdef list customs      # losses written in Python
    cdef object listener   # hears of signals in long steps
    cdef bint busy

    def __cinit__(self, *arguments, **named):
        if type(self) is Workbench:
            raise TypeError("a Workbench is made as a Block or a Pass")

    cdef int open(self, Network network) except -1:
        self.network, self.customs, self.plan = network, [], network.plan
        self.plan.operations = NULL
        self.plan.operations = <Operation *> allocate(network.plan.n_operations, sizeof(Operation))
        memcpy(self.plan.operations, network.plan.operations, network.plan.n_operations * sizeof(Operation))
        self.tensors = <void **> allocate(network.plan.n_tensors, sizeof(void *))
        self.gradients = <void **> allocate(network.plan.n_tensors, sizeof(void *))
        self.needs_delta = <bint *> allocate(network.plan.n_buffers, sizeof(bint))
        self.sparse = <bint *> allocate(network.plan.n_buffers, sizeof(bint))
        return 0

    def __dealloc__(self):
        workspace_free(&self.workspace)
        free(self.plan.operations)
        free(self.needs_delta)
        free(self.sparse)
        free(self.tensors)
        free(self.gradients)

    cdef tuple begin(self):
        """Takes the bench for one run; the arrays of the parameters live while the result does."""
        if self.busy:
            raise RuntimeError("another thread is using this memory")
        kept = self.network.tensors_now(self.tensors, self.gradients)
        self.busy = True
        return kept

    cdef int mark_deltas(self, bint training, bint input_gradients) except -1:
        """Which buffers need dJ/dvalue: those between a trained parameter (or a wanted input) and the losses."""
        cdef Plan *plan = &self.plan
        cdef Operation *operation
        cdef int i, j
        for i in range(plan.n_inputs):
            self.needs_delta[plan.inputs[i]] = input_gradients
        for i in range(plan.n_operations if training else 0):
            operation = &plan.operations[i]
            for j in range(MAX_TENSORS):
                if operation.tensors[j] >= 0 and self.network.gradients[operation.tensors[j]] != NULL:
                    self.needs_delta[operation.output] = True
            for j in range(operation.n_inputs):
                if self.needs_delta[operation.inputs[j]]:
                    self.needs_delta[operation.output] = True
        return 0

    cdef int allocate_workspace(self, Py_ssize_t n, str mode, uint64_t seed) except -1:
        self.network.check_capacity(n)
        if not workspace_allocate(&self.plan, &self.workspace, n, self.network.element_size, self.needs_delta,
                                  self.sparse, MODES[mode]):
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
        if op.kind not in (DENSE, ACTIVATION) or op.activation == ROW_GLU or not keeps_z(op, self.workspace.mode):
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
        cdef int culprit = self.workspace.out_of_range
        cdef list customs = [*(self.customs or ()), self.listener]
        if optimizer is not None and optimizer.optimizer.failed:
            optimizer.optimizer.failed, self.workspace.failed = False, True
            customs = customs + optimizer.customs
        if self.workspace.failed:
            self.workspace.failed, self.workspace.out_of_range = False, 0
            self.network.raise_error(culprit, customs)
        return 0


cdef class Block(Workbench):
    """One batch forward, and backward from given derivatives of the outputs: the derivation's network block.

    In training, layers that draw random numbers do so only if the block is `live`.
    """

    def __cinit__(self, Network network not None, Py_ssize_t n, bint training=True, uint64_t seed=0, uint64_t step=0,
                  bint live=True):
        if n < 0:
            raise ValueError(f"`n` must not be negative. Received: {n}")
        self.open(network)
        self.mark_deltas(True, True)
        for i in range(network.plan.n_outputs):
            self.needs_delta[network.plan.outputs[i]] = True
        self.allocate_workspace(max(n, <Py_ssize_t> 1), "tracing" if training else "block", seed)
        self.workspace.n, self.workspace.step, self.workspace.live = n, step, training and live

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
        self.busy = False
        self.check_failure()
        return [self.value(network.plan.outputs[i]) for i in range(network.plan.n_outputs)]

    def move_statistics(self):
        """Moves the moving statistics towards those of this batch, if it is one of training."""
        _kept = self.begin()
        if self.network.element_size == 4:
            move_statistics(&self.plan, &self.workspace, <float **> self.tensors)
        else:
            move_statistics(&self.plan, &self.workspace, <double **> self.tensors)
        self.busy = False

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
        self.busy = False
        self.check_failure()
        return [self.delta(network.plan.inputs[i]) for i in range(network.plan.n_inputs)]


cdef class Pass(Workbench):
    """Passes over batches of samples: training with an optimizer, evaluation without.

    Parameters
    ----------
    network : Network
    inputs, targets, weights : lists of arrays, one for each input of the plan and each loss; weights may be None
    batch_size : int
    losses, metrics : lists of descriptions
    optimizer : Optimizer or None
    predictions : list with an array or None for each output
    mode : "evaluation", "training" or "tracing"
    input_gradients : bool
    """
    cdef Optimizer optimizer
    cdef Run run
    cdef list kept_alive
    cdef object checked_order
    cdef readonly Py_ssize_t n_batches
    cdef Py_ssize_t most_samples

    def __cinit__(self, Network network not None, list inputs not None, list targets not None,
                  list weights not None, object batch_size,
                  list losses not None, list metrics not None,  # no-cython-lint: modules of these names, not needed here
                  Optimizer optimizer=None, list predictions=None, str mode="evaluation",
                  uint64_t seed=0, bint input_gradients=False):
        cdef int i
        cdef Py_ssize_t n
        cdef Run *run = &self.run
        self.open(network)
        check_length(inputs, network.plan.n_inputs, network.plan.n_inputs, "inputs")
        check_length(losses, 0, MAX_LOSSES, "losses")
        check_length(targets, len(losses), len(losses), "targets")
        check_length(weights, len(losses), len(losses), "weights")
        n = len(inputs[0])
        self.optimizer = optimizer
        run.plan, run.workspace, run.tensors = &self.plan, &self.workspace, self.tensors
        run.tensor_sizes = network.tensor_sizes
        run.n_samples, run.batch_size = n, max(<Py_ssize_t> 1, min(batch_size, n))
        self.most_samples = n
        run.n_losses, run.n_metrics = len(losses), len(metrics)
        run.inputs = <Source *> allocate(network.plan.n_inputs, sizeof(Source))
        run.targets = <Targets *> allocate(run.n_losses, sizeof(Targets))
        run.losses = <Loss *> allocate(run.n_losses, sizeof(Loss))
        run.metrics = <Metric *> allocate(run.n_metrics, sizeof(Metric))
        run.metric_targets = <int *> allocate(run.n_metrics, sizeof(int))
        run.predictions = <void **> allocate(network.plan.n_outputs, sizeof(void *))
        run.loss_totals = <double *> allocate(2 * run.n_losses, sizeof(double))
        for i in range(run.n_losses):
            fill_loss(&run.losses[i], losses[i], network)
            check_widths(&run.losses[i], network.plan.buffers[run.losses[i].output].width)
        for i in range(run.n_metrics):
            self.fill_metric(i, metrics[i])
        self.customs = [description["custom"] for description in losses if description["custom"] is not None]
        for i in range(network.plan.n_inputs):
            self.sparse[network.plan.inputs[i]] = is_sparse(inputs[i])
            if is_sparse(inputs[i]) and input_gradients:
                raise ValueError("there is no gradient with respect to sparse rows")
        self.point_at(inputs, targets, weights, predictions)
        if optimizer is not None:
            if optimizer.dtype != network.dtype:
                raise TypeError(f"the optimizer is of {optimizer.dtype}, the network of {network.dtype}")
            if optimizer.optimizer.penalties_over_batch and run.n_losses == 0:
                raise ValueError("penalties over a batch need a loss")
            run.optimizer = &optimizer.optimizer
            run.gradients = self.gradients if mode != "evaluation" else NULL
            run.parameters = cnp.PyArray_DATA(optimizer.parameters)
            run.flat_gradients = cnp.PyArray_DATA(optimizer.gradients)
        self.mark_deltas(mode != "evaluation", input_gradients)
        for i in range(run.n_losses):
            self.needs_delta[run.losses[i].output] = True
        run.block_size = self.block_size(mode)
        self.allocate_workspace(min(run.block_size, max(n, <Py_ssize_t> 1)), mode, seed)
        if run.batch_size * network.work_per_sample() > LONG_STEP:
            self.listener = Listener()
            self.workspace.listener = <void *> self.listener
        self.workspace.live = mode == "training"  # a trace only looks at a batch

    def __dealloc__(self):
        cdef int i
        for i in range(self.run.n_losses):
            if self.run.losses != NULL:
                free(self.run.losses[i].parameters)
        for i in range(self.run.n_metrics):
            if self.run.metrics != NULL:
                free(self.run.metrics[i].loss.parameters)
        free(self.run.inputs)
        free(self.run.targets)
        free(self.run.losses)
        free(self.run.metrics)
        free(self.run.metric_targets)
        free(self.run.predictions)
        free(self.run.loss_totals)

    def feed(self, list inputs, list targets, list weights, list predictions=None):
        """Points the pass at other data, of at most as many samples as it was made for."""
        self.point_at(inputs, targets, weights, predictions)

    cdef int point_at(self, list inputs, list targets, list weights, list predictions) except -1:
        cdef Run *run = &self.run
        cdef Network network = self.network
        cdef list kept
        cdef Py_ssize_t n, i
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        check_length(inputs, network.plan.n_inputs, network.plan.n_inputs, "inputs")
        check_length(targets, run.n_losses, run.n_losses, "targets")
        check_length(weights, run.n_losses, run.n_losses, "weights")
        if predictions is not None:
            check_length(predictions, network.plan.n_outputs, network.plan.n_outputs, "predictions")
        n = len(inputs[0])
        if n > self.most_samples:
            raise ValueError(f"expected at most {self.most_samples} samples. Received: {n}")
        for i in range(network.plan.n_inputs):
            if is_sparse(inputs[i]) != self.sparse[network.plan.inputs[i]]:
                raise ValueError(f"input {i} must be sparse or not, as it was when the pass was made")
        # Not the lists, from which a caller could take arrays away.
        kept = [*weights, *(predictions or ())]
        self.kept_alive, self.checked_order = kept, None
        run.n_samples, self.n_batches = n, 0  # no batch can be run until all of it is checked
        kept += network.fill_sources(run.inputs, inputs, n)
        for i in range(run.n_losses):
            self.fill_targets(i, targets[i], weights[i])
        for i in range(network.plan.n_outputs):
            run.predictions[i] = NULL
            if predictions is not None and predictions[i] is not None:
                run.predictions[i] = data_of(predictions[i], network.dtype,
                                             n * network.sample_size(network.plan.outputs[i]), True)
        self.n_batches = (n + run.batch_size - 1) // run.batch_size
        return 0

    cdef int fill_targets(self, int i, object target, object weight) except -1:
        cdef Loss *loss = &self.run.losses[i]
        cdef Py_ssize_t rows = self.plan.buffers[loss.output].rows, n = self.run.n_samples * rows
        cdef Py_ssize_t width = self.plan.buffers[loss.output].width
        if loss.has_labels:
            target = np.array(target, order="C")  # a copy: labels that change after this check would be wild indices
            self.run.targets[i].values = data_of(target, np.dtype(np.int32), n)
            if not all_labels(<const int32_t *> self.run.targets[i].values, n, width, loss.ignored):
                raise ValueError(f"labels must be 0..{width - 1}")
        else:
            self.run.targets[i].values = data_of(target, self.network.dtype, n * loss.target_width)
        self.kept_alive.append(target)
        self.run.targets[i].weights = NULL
        if weight is not None:
            self.run.targets[i].weight_per_sample = weight.size != n
            self.run.targets[i].weights = data_of(weight, self.network.dtype,
                                                  self.run.n_samples if weight.size != n else n)
        return 0

    cdef int fill_metric(self, int i, object description) except -1:
        cdef Metric *metric = &self.run.metrics[i]
        cdef int target = description["target"]
        if not 0 <= target < self.run.n_losses:
            raise ValueError(f"metric {i} reads the targets of loss {target}, of which there are {self.run.n_losses}")
        metric.kind = METRICS[description["kind"]]
        metric.weighted, metric.threshold = description["weighted"], description["threshold"]
        fill_loss(&metric.loss, description["loss"], self.network)
        self.check_metric(metric, &self.run.losses[target])
        metric.loss.has_labels = self.run.losses[target].has_labels
        metric.loss.target_width = self.run.losses[target].target_width
        self.run.metric_targets[i] = target
        return 0

    cdef int check_metric(self, Metric *metric, const Loss *compared) except -1:
        """Whether it can read the targets of that loss, for its own output."""
        cdef const Buffer *output = &self.plan.buffers[metric.loss.output]
        cdef bint reads_labels = metric.kind == metrics.SPARSE_CATEGORICAL_ACCURACY
        cdef bint fits = output.rows == self.plan.buffers[compared.output].rows
        if metric.kind == metrics.LOSS_VALUE:
            reads_labels = metric.loss.has_labels
            metric.loss.target_width = compared.target_width
            check_widths(&metric.loss, output.width)
            fits = fits and metric.loss.kind != losses.CUSTOM_LOSS
        elif not reads_labels:
            fits = fits and compared.target_width == output.width
        if compared.has_labels:  # each is within the width of the output it was checked for
            fits = fits and output.width >= self.plan.buffers[compared.output].width
        if not fits or reads_labels != compared.has_labels or output.width == 0:
            raise ValueError(f"metric {metric.kind} cannot read the targets of loss {compared.kind}")
        return 0

    cdef Py_ssize_t block_size(self, str mode):
        """Small networks take blocks of samples through all layers while they are in cache; others a whole batch."""
        cdef Py_ssize_t parameters = 0, block
        cdef int i
        for i in range(self.plan.n_tensors):
            parameters += self.network.tensor_sizes[i]
        if mode == "tracing" or self.plan.needs_whole_batch or self.customs or parameters > SMALL_NETWORK:
            return min(self.run.batch_size, max(self.run.n_samples, <Py_ssize_t> 1))
        block = max(<Py_ssize_t> 96, TRAINING_BLOCK_BYTES // self.network.bytes_per_sample() // 12 * 12)
        return min(self.run.batch_size, block)

    def __call__(self, Py_ssize_t first_batch, Py_ssize_t last_batch, object learning_rates=None, int64_t step=0,
                 object order=None, bint updates=True, double seconds=SLICE_SECONDS):
        """Runs batches [first_batch, last_batch) or as many as the time allows.

        Returns (status, next_batch, step): status is "finished", "out of time", "diverged" or "failed".
        """
        cdef int status
        cdef const int64_t *indices = self.checked_indices(order)
        cdef const double *rates = NULL
        if self.optimizer is not None and updates:
            rates = <const double *> data_of(learning_rates, _rates_dtype, last_batch - first_batch)
        _kept = self.ready(first_batch, last_batch, rates, step, indices, updates)
        with nogil:
            if self.network.element_size == 4:
                status = run_slice(&self.run, <float **> self.run.tensors, <float **> self.run.gradients, seconds)
            else:
                status = run_slice(&self.run, <double **> self.run.tensors, <double **> self.run.gradients, seconds)
        self.busy = False
        self.check_failure(self.optimizer)
        return STATUS[status], self.run.next_batch, self.run.step

    cdef const int64_t *checked_indices(self, object order) except? NULL:
        """The order's address, once each of its entries is known to be a sample's number."""
        cdef const int64_t *indices
        if order is None:
            return NULL
        indices = <const int64_t *> data_of(order, _indices_dtype, -1)
        if order.size < self.run.n_samples:
            raise ValueError(f"`order` must hold {self.run.n_samples} indices. Received: {order.size}")
        if order is not self.checked_order:
            if not all_indices(indices, self.run.n_samples):
                raise ValueError(f"`order` must hold indices from 0 to {self.run.n_samples - 1}")
            self.checked_order = order
        return indices

    cdef tuple ready(self, Py_ssize_t first_batch, Py_ssize_t last_batch, const double *learning_rates, int64_t step,
                     const int64_t *order, bint updates):
        """Takes the pass for a run over these batches; the arrays of the parameters live while the result does."""
        cdef Run *run = &self.run
        cdef Plan *plan = &self.plan
        cdef int i
        self.network.ask_what_is_frozen(self.plan.operations)
        if not 0 <= first_batch <= last_batch <= self.n_batches:
            raise ValueError(f"batches {first_batch} to {last_batch} of {self.n_batches}")
        kept = self.begin()
        run.order, run.learning_rates = order, learning_rates
        run.first_batch = run.next_batch = first_batch
        run.last_batch, run.step, run.updates = last_batch, step, updates
        for i in range(run.n_losses):
            run.targets[i].order = run.order
        for i in range(plan.n_operations):
            plan.operations[i].left_to_loss = False
        for i in range(run.n_losses):
            run.losses[i].left_to_loss = knows_activation(&run.losses[i], plan)
            if run.losses[i].left_to_loss:
                plan.operations[run.losses[i].operation].left_to_loss = True
        return kept

    def set_regularization(self, double share):
        """From the next batch on, rates of dropout and weight decay are `share` times those that were given."""
        cdef int i
        if not 0 <= share <= 1:
            raise ValueError(f"`share` must lie between 0 and 1. Received: {share}")
        if self.busy:
            raise RuntimeError("another thread is running this pass")
        for i in range(self.plan.n_operations):
            if self.plan.operations[i].kind == DROPOUT:
                self.plan.operations[i].reals[0] = share * self.network.plan.operations[i].reals[0]
        if self.optimizer is not None:
            self.optimizer.optimizer.weight_decay = share * self.optimizer.weight_decay

    def take_totals(self):
        """What has been added up since the last call: (samples, sum over samples of the batches' penalties, the same
        of each loss, (total, count) of each metric)."""
        cdef double *totals = <double *> allocate(totals_length(&self.run), sizeof(double))
        copy_totals(totals, &self.run)
        clear_totals(&self.run)
        try:
            return read_totals(&self.run, totals)
        finally:
            free(totals)

    @property
    def calls_python(self):
        """Whether an operation, loss, penalty or constraint is written in Python."""
        customs = self.customs + self.network.customs + ([] if self.optimizer is None else self.optimizer.customs)
        return any(custom is not None for custom in customs)

    @property
    def last_loss(self):
        """Of the last batch, penalties included."""
        return self.run.last_loss

    @property
    def step(self):
        """The optimizer's step after the last finished batch."""
        return self.run.step


cdef tuple read_totals(const Run *run, const double *totals):
    """What copy_totals left, as Pass.take_totals returns it."""
    cdef const double *of_losses = totals + 2
    cdef const double *of_metrics = of_losses + run.n_losses
    cdef int i
    return (totals[0], totals[1], [of_losses[i] for i in range(run.n_losses)],
            [(of_metrics[2 * i], of_metrics[2 * i + 1]) for i in range(run.n_metrics)])


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
        Of the loss where progress is asked for, and in `take_losses`: both are for trainings with one loss.
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
        self.training.busy = False
        self.training.check_failure(self.training.optimizer)
        return STATUS[status]

    @property
    def begun(self):
        """Whether an epoch is under way: cut short by the time, or by a loss that is not finite."""
        return self.epochs.begun

    @property
    def n_done(self):
        """The epochs that the last call finished and whose losses nobody has taken."""
        return self.epochs.done

    cdef int check_one_loss(self) except -1:
        if self.training.run.n_losses != 1:
            raise ValueError(f"progress is that of one loss. Received: {self.training.run.n_losses} losses")
        return 0

    def take_losses(self):
        """The losses of those epochs, penalties included."""
        self.check_one_loss()
        taken = [loss_of_epoch(&self.epochs, i) for i in range(self.epochs.done)]
        self.epochs.done = 0
        return taken

    def totals(self):
        """Of each of those epochs what Pass.take_totals returns."""
        return [read_totals(&self.training.run, totals_of_epoch(&self.epochs, i)) for i in range(self.epochs.done)]

    @property
    def order(self):
        """A copy of the order of the last epoch; None where samples stay in place."""
        if self.epochs.order == NULL:
            return None
        order = np.empty(self.n_samples, _indices_dtype)
        memcpy(cnp.PyArray_DATA(order), self.epochs.order, self.n_samples * sizeof(int64_t))
        return order


# --------------------------------------------------------------------------------- single kernels, for descriptions

cdef void multiply_arrays(Product *p, real *y, const real *x, const real *w) noexcept nogil:
    p.x, p.w = x, w
    multiply(p, y)


def product(object x, object w, bint transposed_x=False, bint transposed_w=False, object y=None):
    """x . w, x^T . w or x . w^T of C-contiguous matrices by the blocked product; added to y if it is given."""
    cdef Product p
    begin_plain(&p)
    if not x.ndim == w.ndim == 2:
        raise ValueError(f"x and w must be matrices. Received: x.shape={x.shape}, w.shape={w.shape}")
    p.n_rows, p.n_k = x.shape[1 if transposed_x else 0], x.shape[0 if transposed_x else 1]
    p.n_cols = w.shape[0 if transposed_w else 1]
    if w.shape[1 if transposed_w else 0] != p.n_k:
        raise ValueError(f"x {x.shape} and w {w.shape} cannot be multiplied")
    p.x_row, p.x_k = (1, x.shape[1]) if transposed_x else (x.shape[1], 1)
    p.w_k, p.w_c = (1, w.shape[1]) if transposed_w else (w.shape[1], 1)
    p.y_row, p.accumulate = p.n_cols, y is not None
    if y is None:
        y = np.empty((p.n_rows, p.n_cols), x.dtype)
    data_of(x, y.dtype, p.n_rows * p.n_k)
    data_of(w, y.dtype, p.n_k * p.n_cols)
    data_of(y, y.dtype, p.n_rows * p.n_cols, True)
    if y.dtype == np.float32:
        multiply_arrays(&p, <float *> cnp.PyArray_DATA(y), <float *> cnp.PyArray_DATA(x), <float *> cnp.PyArray_DATA(w))
    elif y.dtype == np.float64:
        multiply_arrays(&p, <double *> cnp.PyArray_DATA(y), <double *> cnp.PyArray_DATA(x),
                        <double *> cnp.PyArray_DATA(w))
    else:
        raise TypeError(f"x must be float32 or float64. Received: {y.dtype}")
    return y


cdef double *real_parameters(object parameters, double *target) except NULL:
    cdef int i
    for i, number in enumerate(parameters[:3]):
        target[i] = number
    return target


def activation_forward(str kind, object z, tuple parameters=()):
    """a = g(z) for a C-contiguous float array of any shape; row-wise kinds work on the last axis."""
    cdef double p[3]
    cdef Py_ssize_t width = z.shape[z.ndim - 1] if z.ndim else 1
    cdef int number = ACTIVATIONS[kind]
    memset(p, 0, sizeof(p))
    real_parameters(parameters, p)
    data_of(z, real_dtype(z.dtype), -1)
    if number == CUSTOM_ACTIVATION or kind == "glu" and width % 2:
        raise ValueError(f"{kind!r} cannot be applied to rows of {width}")
    a = np.empty(z.shape[:z.ndim - 1] + (width // 2,) if kind == "glu" else z.shape, z.dtype)
    cdef Py_ssize_t n = z.size // width if width else 0
    cdef Py_ssize_t a_row = a.shape[a.ndim - 1] if a.ndim else 1
    if n == 0:
        return a
    if z.dtype == np.float32:
        activate_rows(number, p, <float *> cnp.PyArray_DATA(a), <float *> cnp.PyArray_DATA(z), n, width, a_row, width)
    else:
        activate_rows(number, p, <double *> cnp.PyArray_DATA(a), <double *> cnp.PyArray_DATA(z), n, width, a_row, width)
    return a


def activation_backward(str kind, object da, object z, tuple parameters=()):
    """delta = da * g'(z), computed from z and a = g(z)."""
    cdef double p[3]
    cdef Py_ssize_t width = z.shape[z.ndim - 1] if z.ndim else 1
    cdef int number = ACTIVATIONS[kind]
    memset(p, 0, sizeof(p))
    real_parameters(parameters, p)
    a = activation_forward(kind, z, parameters)
    data_of(da, z.dtype, a.size)
    if number == ROW_GLU:
        raise ValueError("'glu' is an operation of its own: its derivative has another shape than `da`")
    delta = np.empty_like(z)
    if z.size == 0:
        return delta
    cdef Py_ssize_t n = z.size // width
    if z.dtype == np.float32:
        derive_rows(number, p, <float *> cnp.PyArray_DATA(delta), <float *> cnp.PyArray_DATA(da),
                    <float *> cnp.PyArray_DATA(z), <float *> cnp.PyArray_DATA(a), n, width, width)
    else:
        derive_rows(number, p, <double *> cnp.PyArray_DATA(delta), <double *> cnp.PyArray_DATA(da),
                    <double *> cnp.PyArray_DATA(z), <double *> cnp.PyArray_DATA(a), n, width, width)
    return delta


cdef int fill_row_loss(Loss *loss, str kind, object parameters, Py_ssize_t target_width) except -1:
    """A loss by itself: the parameters as cnn_core.losses orders them, from_logits taken care of by the caller."""
    cdef int i
    cdef dict own = loss_parameters(kind, parameters)
    memset(loss, 0, sizeof(Loss))
    loss.kind = LOSSES[kind]
    loss.has_labels = kind == "sparse_categorical_crossentropy"
    loss.smoothing, loss.ignored, loss.target_width = own["smoothing"], own["ignored"], target_width
    loss.from_logits = own["from_logits"]
    set_bounds(loss, 0)
    if loss.kind == losses.CUSTOM_LOSS:
        raise ValueError("a custom loss is not native")
    numbers = [float(number) for number in own["parameters"]]
    loss.n_parameters = len(numbers)
    loss.parameters = <double *> allocate(loss.n_parameters, sizeof(double))
    for i in range(loss.n_parameters):
        loss.parameters[i] = numbers[i]
    return 0


def loss_parameters(str kind, object parameters):
    """Sorts a loss's native parameters into from_logits, smoothing, ignored and the rest."""
    parameters = tuple(parameters)
    cdef dict result = {"from_logits": False, "smoothing": 0.0, "ignored": NAN, "parameters": parameters}
    if kind.endswith("crossentropy"):
        check_length(parameters, 2, MAX_HYPERPARAMETERS, "parameters")
    if kind == "sparse_categorical_crossentropy":
        result["from_logits"], result["ignored"] = bool(parameters[0]), parameters[1]
        result["parameters"] = ()
    elif kind.endswith("crossentropy"):
        result["from_logits"], result["smoothing"] = bool(parameters[0]), parameters[1]
        result["parameters"] = parameters[2:]
    return result


cdef void row_losses(const Loss *loss, double *values, real *gradient, const real *y, const int32_t *labels,
                     const real *a, Py_ssize_t n, Py_ssize_t y_width, Py_ssize_t width) noexcept nogil:
    """Value and gradient of every row, each for itself."""
    cdef Targets targets
    cdef Py_ssize_t r
    memset(&targets, 0, sizeof(Targets))
    for r in range(n):
        if loss.has_labels:
            targets.values = labels + r
        else:
            targets.values = y + r * y_width
        if works_on_logits(loss):
            values[r] = loss_on_logits(loss, gradient + r * width, gradient + r * width, a + r * width, &targets, 1, 1,
                                       width, width, 1)
        elif loss.has_labels and labels[r] == loss.ignored:
            values[r] = 0
            memset(gradient + r * width, 0, width * sizeof(real))
        else:
            values[r] = loss_row(loss, gradient + r * width, <const real *> targets.values, a + r * width, width)


cdef object losses_of_rows(str kind, object y, object a, object parameters):
    cdef Loss loss
    cdef Py_ssize_t n, width, y_width
    if not a.ndim == y.ndim == 2 or y.shape[0] != a.shape[0]:
        raise ValueError(f"y and a must be matrices of as many rows. Received: y.shape={y.shape}, a.shape={a.shape}")
    n, width, y_width = a.shape[0], a.shape[1], y.shape[1]
    data_of(a, real_dtype(a.dtype), n * width)
    fill_row_loss(&loss, kind, parameters, y_width)
    try:
        values, gradient = np.zeros(n), np.zeros(a.shape, a.dtype)
        if width == 0 or n == 0:
            return values, gradient
        check_widths(&loss, width)
        if loss.has_labels:
            labels = np.array(y, np.int32, order="C")
            if y_width != 1 or not all_labels(<const int32_t *> cnp.PyArray_DATA(labels), n, width, loss.ignored):
                raise ValueError(f"labels must be one column of 0..{width - 1}")
        else:
            labels = np.empty(0, np.int32)
        y = np.require(y, a.dtype, ("C", "A"))
        if a.dtype == np.float32:
            row_losses(&loss, <double *> cnp.PyArray_DATA(values), <float *> cnp.PyArray_DATA(gradient),
                       <float *> cnp.PyArray_DATA(y), <int32_t *> cnp.PyArray_DATA(labels),
                       <float *> cnp.PyArray_DATA(a), n, y_width, width)
        else:
            row_losses(&loss, <double *> cnp.PyArray_DATA(values), <double *> cnp.PyArray_DATA(gradient),
                       <double *> cnp.PyArray_DATA(y), <int32_t *> cnp.PyArray_DATA(labels),
                       <double *> cnp.PyArray_DATA(a), n, y_width, width)
    finally:
        free(loss.parameters)
    return values, gradient


def loss_values(str kind, object y, object a, object parameters=()):
    """The value of every row: (n,) of the predictions' type."""
    return losses_of_rows(kind, y, a, parameters)[0].astype(a.dtype)


def loss_gradient(str kind, object y, object a, object parameters=()):
    """The derivative of every row's value with respect to its predictions: an array like a."""
    return losses_of_rows(kind, y, a, parameters)[1]


def all_finite(cnp.ndarray array not None):
    """Whether a C-contiguous array of float32 or float64 holds neither NaN nor infinity."""
    cdef int kind = cnp.PyArray_TYPE(array)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(array)
    cdef void *data = cnp.PyArray_DATA(array)
    cdef bint finite
    if not cnp.PyArray_ISCARRAY_RO(array) or kind not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
        raise TypeError(f"expected a C-contiguous array of float32 or float64. Received: {array.dtype}")
    with nogil:
        finite = check_finite(<float *> data, n) if kind == cnp.NPY_FLOAT32 else check_finite(<double *> data, n)
    return finite


# ------------------------------------------------------------------------------------------------ random numbers

def shuffled(Py_ssize_t n, uint64_t seed, uint64_t stream, object out=None):
    """The numbers 0 .. n - 1 in an order that (seed, stream) fixes."""
    order = np.empty(n, np.int64) if out is None else out
    cdef int64_t *data = <int64_t *> data_of(order, _indices_dtype, n, True)
    if out is None:
        count_up(data, n)
    with nogil:
        shuffle(data, n, seed, stream)
    return order


def philox(object counter, object key):
    """One block of Philox4x32-10: four 32-bit words from a counter (128 bits) and a key (64 bits)."""
    cdef uint32_t words[4]
    cdef object low = counter & 0xFFFFFFFFFFFFFFFF, high = counter >> 64
    fill_philox(words, low, high, key)
    return [words[i] for i in range(4)]


cdef int check_stream(Py_ssize_t first_index) except -1:
    if first_index < 0:
        raise ValueError(f"`first_index` must not be negative. Received: {first_index}")
    return 0


def dropout_mask(Py_ssize_t n, double rate, uint64_t seed, uint64_t stream, str dtype="float32",
                 Py_ssize_t first_index=0):
    """A dropout mask: 0 with probability `rate`, else 1 / (1 - rate)."""
    check_stream(first_index)
    mask = np.empty(n, real_dtype(dtype))
    if mask.dtype == np.float32:
        fill_dropout_mask(<float *> cnp.PyArray_DATA(mask), n, first_index, rate, <float> (1 / (1 - rate)), seed,
                          stream)
    else:
        fill_dropout_mask(<double *> cnp.PyArray_DATA(mask), n, first_index, rate, 1 / (1 - rate), seed, stream)
    return mask


def normal(Py_ssize_t n, uint64_t seed, uint64_t stream, str dtype="float64", Py_ssize_t first_index=0):
    """Standard normal numbers."""
    check_stream(first_index)
    numbers = np.empty(n, real_dtype(dtype))
    if numbers.dtype == np.float32:
        normal_numbers(<float *> cnp.PyArray_DATA(numbers), n, first_index, seed, stream)
    else:
        normal_numbers(<double *> cnp.PyArray_DATA(numbers), n, first_index, seed, stream)
    return numbers


def softmax(object z):
    """Row-wise softmax."""
    return activation_forward("softmax", z)


select_instruction_set(__import__("os").environ.get("CNN_CORE_ISA") or None)
