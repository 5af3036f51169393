# What a network looks like to native code: a straight list of operations over numbered buffers, and the memory that
# one run through it needs. Floor 1. A plan holds sizes and indices, no dtype and no pointers to data.

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef extern from "system/memory.h" nogil:
    void use_large_pages(void *memory, size_t n_bytes)

cdef enum OperationKind:
    DENSE
    ACTIVATION
    PRELU
    RESHAPE
    PERMUTE
    DROPOUT
    ALPHA_DROPOUT
    GAUSSIAN_DROPOUT
    GAUSSIAN_NOISE
    BATCH_NORMALIZATION
    LAYER_NORMALIZATION
    RMS_NORMALIZATION
    UNIT_NORMALIZATION
    ADD
    SUBTRACT
    MULTIPLY
    AVERAGE
    MAXIMUM
    MINIMUM
    CONCATENATE
    DOT
    PARAMETRIC_ACTIVATION
    PERIODIC
    EMBEDDING
    STANDARDIZE
    RESCALE
    ENCODE
    DISCRETIZE
    ACTIVITY_PENALTY  # writes nothing: its output is its input
    CUSTOM

cdef enum:
    MAX_TENSORS = 6
    MAX_REALS = 6
    MAX_INTEGERS = 14
    MAX_RANK = 6                  # of a sample whose axes are permuted
    VALUE_ALIGNMENT = 64

cdef struct Buffer:
    Py_ssize_t rows      # rows per sample
    Py_ssize_t width     # elements that count in a row
    Py_ssize_t stride    # elements from one row to the next in the arena

cdef struct Operation:
    int kind
    int output
    int n_inputs
    int *inputs
    int tensors[MAX_TENSORS]      # indices of parameters, -1 where there is none
    int activation
    double activation_parameters[3]
    double reals[MAX_REALS]
    Py_ssize_t integers[MAX_INTEGERS]
    Py_ssize_t scratch            # elements of scratch memory per sample
    Py_ssize_t fixed_scratch      # and for the whole batch
    bint keeps_z                  # z is kept apart from a, because g' or the loss needs it
    bint gates_input              # its input is the output of a ReLU that nothing else reads: its backward product
    bint gated                    # applies that ReLU's derivative, and the ReLU's own operation leaves it out
    bint left_to_loss             # training leaves its activation and derivative to the loss, which knows p - y
    bint frozen                   # it keeps to what it has learned even in training
    void *custom                  # the Python object of a CUSTOM operation or activation

cdef struct Plan:
    int n_buffers
    int n_operations
    int n_tensors
    int n_inputs
    int n_outputs
    Buffer *buffers
    Operation *operations
    int *inputs                   # buffers
    int *outputs
    int n_slots                   # in inference buffers share memory: which one each uses, -1 for an input, and
    int *slots                    # how many elements a sample each of these has
    Py_ssize_t *slot_sizes
    bint needs_whole_batch        # an operation looks across samples: batches cannot be cut into blocks

cdef struct SparseRows:
    # Rows in compressed form: sample s has data[indptr[s] .. indptr[s + 1]) in the columns `indices`.
    const void *data
    const int32_t *indices
    const int64_t *indptr
    Py_ssize_t n_stored
    Py_ssize_t n_rows
    const int64_t *order          # the samples in the order of training, or NULL
    Py_ssize_t first              # where in that order the block begins

cdef enum Mode:
    INFERENCE
    EVALUATION                    # inference, but losses are computed
    BLOCK                         # the same, with every z kept for a backward step
    TRAINING
    TRACING                       # training, with every z kept for the reader

cdef struct Workspace:
    char *memory
    Py_ssize_t capacity           # samples it has room for
    Py_ssize_t n                  # samples it holds now
    Py_ssize_t first              # the first one's place in its batch
    int mode
    void **values                 # one pointer a buffer: to its rows, or to a SparseRows
    bint *sparse                  # buffers of the second kind
    SparseRows *sparse_inputs     # one an input of the plan
    void **deltas                 # dJ/dvalue; NULL where nobody asks
    Py_ssize_t *strides
    void **scratch                # one a operation
    bint *delta_written
    bint *tensor_written
    uint64_t seed
    uint64_t step                 # of the optimizer; with the seed and `first` it fixes every random draw
    uint64_t first_draw           # added to the step for layers with a seed of their own; 0 in training
    bint live                     # random layers draw and statistics move; not so when a batch is only looked at
    Py_ssize_t batch_size         # samples of the whole batch; 0 where nobody adds up penalties
    double activity_penalty       # of the batch so far, divided by its size
    bint failed                   # a Python callback or a signal's handler raised, or a number is no index
    void *listener                # keeps what a signal's handler raised amid a long step; NULL: nobody listens
    int out_of_range              # 1 + the operation that met such a number


cdef inline Py_ssize_t padded_width(Py_ssize_t width) noexcept nogil:
    """Rows start on vector boundaries; large powers of two are avoided, because they fall into few cache sets."""
    cdef Py_ssize_t stride = 8 if width <= 8 else (width + 15) // 16 * 16
    return stride + 16 if stride % 256 == 0 else stride


cdef inline void plan_free(Plan *plan) noexcept nogil:
    cdef int i
    if plan.operations != NULL:
        for i in range(plan.n_operations):
            free(plan.operations[i].inputs)
    free(plan.operations)
    free(plan.buffers)
    free(plan.inputs)
    free(plan.outputs)
    free(plan.slots)
    free(plan.slot_sizes)
    memset(plan, 0, sizeof(Plan))


cdef inline void workspace_free(Workspace *workspace) noexcept nogil:
    free(workspace.memory)
    free(workspace.values)
    free(workspace.sparse)
    free(workspace.sparse_inputs)
    free(workspace.deltas)
    free(workspace.strides)
    free(workspace.scratch)
    free(workspace.delta_written)
    free(workspace.tensor_written)
    memset(workspace, 0, sizeof(Workspace))


cdef inline bint is_input(const Plan *plan, int buffer) noexcept nogil:
    cdef int i
    for i in range(plan.n_inputs):
        if plan.inputs[i] == buffer:
            return True
    return False


cdef inline Py_ssize_t aligned_size(Py_ssize_t n_bytes) noexcept nogil:
    return (n_bytes + VALUE_ALIGNMENT - 1) // VALUE_ALIGNMENT * VALUE_ALIGNMENT


cdef inline char *place(char *memory, Py_ssize_t *used, Py_ssize_t n_bytes) noexcept nogil:
    """The next aligned stretch of `memory`, or NULL while sizes are only being added up."""
    cdef char *at = NULL if memory == NULL else memory + used[0]
    used[0] += aligned_size(n_bytes)
    return at


cdef inline Py_ssize_t place_shared(const Plan *plan, Workspace *workspace, char *memory,
                                    Py_ssize_t element_size) noexcept nogil:
    """Gives every buffer the memory of its slot; inputs get none, because they are read where they stand."""
    cdef Py_ssize_t used = 0
    cdef char *at
    cdef int i, slot
    for slot in range(plan.n_slots):
        at = place(memory, &used, workspace.capacity * plan.slot_sizes[slot] * element_size)
        for i in range(plan.n_buffers):
            if plan.slots[i] == slot:
                workspace.values[i] = at
    return used


cdef inline Py_ssize_t workspace_layout(const Plan *plan, Workspace *workspace, char *memory, Py_ssize_t element_size,
                                        const bint *needs_delta) noexcept nogil:
    """Sets every pointer of the workspace into `memory` and returns how many bytes that takes."""
    cdef Py_ssize_t used = 0, n_bytes
    cdef const Buffer *buffer
    cdef const Operation *operation
    cdef int i
    if workspace.mode == INFERENCE:
        used = place_shared(plan, workspace, memory, element_size)
    for i in range(plan.n_buffers):
        buffer = &plan.buffers[i]
        n_bytes = workspace.capacity * buffer.rows * buffer.stride * element_size
        workspace.strides[i] = buffer.stride
        if workspace.mode != INFERENCE and not workspace.sparse[i]:
            workspace.values[i] = place(memory, &used, n_bytes)
        if needs_delta != NULL and needs_delta[i]:
            workspace.deltas[i] = place(memory, &used, n_bytes)
    for i in range(plan.n_operations):
        operation = &plan.operations[i]
        n_bytes = (workspace.capacity * operation.scratch + operation.fixed_scratch) * element_size
        workspace.scratch[i] = place(memory, &used, n_bytes)
    return used


cdef inline bint workspace_allocate(const Plan *plan, Workspace *workspace, Py_ssize_t capacity,
                                    Py_ssize_t element_size, const bint *needs_delta, const bint *sparse,
                                    int mode) noexcept nogil:
    """Makes room for `capacity` samples; False when memory is short (nothing is kept then).

    Buffers that are `sparse` (NULL: none is) get no memory of their own.
    """
    cdef Py_ssize_t n_bytes
    cdef size_t address
    memset(workspace, 0, sizeof(Workspace))
    workspace.capacity = (capacity + 7) // 8 * 8
    workspace.mode = mode
    workspace.values = <void **> calloc(plan.n_buffers + 1, sizeof(void *))
    workspace.sparse = <bint *> calloc(plan.n_buffers + 1, sizeof(bint))
    workspace.sparse_inputs = <SparseRows *> calloc(plan.n_inputs + 1, sizeof(SparseRows))
    workspace.deltas = <void **> calloc(plan.n_buffers + 1, sizeof(void *))
    workspace.strides = <Py_ssize_t *> calloc(plan.n_buffers + 1, sizeof(Py_ssize_t))
    workspace.scratch = <void **> calloc(plan.n_operations + 1, sizeof(void *))
    workspace.delta_written = <bint *> calloc(plan.n_buffers + 1, sizeof(bint))
    workspace.tensor_written = <bint *> calloc(plan.n_tensors + 1, sizeof(bint))
    if (workspace.values != NULL and workspace.deltas != NULL and workspace.strides != NULL
            and workspace.scratch != NULL and workspace.delta_written != NULL
            and workspace.tensor_written != NULL and workspace.sparse != NULL
            and workspace.sparse_inputs != NULL):
        if sparse != NULL:
            memcpy(workspace.sparse, sparse, plan.n_buffers * sizeof(bint))
        n_bytes = workspace_layout(plan, workspace, NULL, element_size, needs_delta)
        # calloc: padding columns must hold finite numbers, and large blocks come zeroed from the system anyway
        workspace.memory = <char *> calloc(n_bytes + VALUE_ALIGNMENT, 1)
        if workspace.memory != NULL:
            use_large_pages(workspace.memory, n_bytes)
            address = (<size_t> workspace.memory + VALUE_ALIGNMENT - 1) & ~<size_t> (VALUE_ALIGNMENT - 1)
            workspace_layout(plan, workspace, <char *> address, element_size, needs_delta)
            return True
    workspace_free(workspace)
    return False
