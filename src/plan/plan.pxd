# What a network looks like to native code: a straight list of operations over numbered buffers. Floor 1.
# A plan holds sizes and indices, no dtype and no pointers to data; src/plan/workspace.pxd has the memory of a run.

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from simd cimport ACTIVATION_RELU

cdef enum:                        # operations that code asks for; src/operations/operations.pxd lists all
    UNNAMED
    DENSE
    MEMBERS
    ACTIVATION
    DROPOUT
    ALPHA_DROPOUT
    GAUSSIAN_DROPOUT
    GAUSSIAN_NOISE
    BATCH_NORMALIZATION
    LAYER_NORMALIZATION
    UNIT_NORMALIZATION
    ADD
    SUBTRACT
    MULTIPLY
    AVERAGE
    MAXIMUM
    MINIMUM
    EMBEDDING
    RESCALE
    GATHERING
    BATCH_REDUCTION

cdef enum:
    MOST_OPERATIONS = 128         # kinds
    MAX_TENSORS = 6
    MAX_REALS = 6
    MAX_INTEGERS = 14
    MAX_RANK = 6                  # of a sample whose axes are permuted
    MAX_LOSSES = 16               # of a network
    WORK_PER_ELEMENT = 32         # multiply-adds that take as long as to sort a number, or to raise it to a power

cdef enum:                        # what sets a kind of operation apart
    PLAIN
    ELEMENTWISE_ACTIVATIONS       # it applies one of these to its result,
    ALL_BUT_GLU                   # or one of these: glu halves its rows,
    ALL_ACTIVATIONS               # or any
    MANY_INPUTS
    ANY_INPUTS                    # or none: it may read parameters alone
    IN_PLACE                      # its output is its input: it writes nothing, and adds to the loss
    INDICES                       # what it reads are numbers of rows: there is no dJ/dx

cdef struct Operation
cdef struct OperationTraits
cdef struct Plan

cdef struct Buffer:
    Py_ssize_t rows      # rows per sample
    Py_ssize_t width     # elements that count in a row
    Py_ssize_t stride    # elements from one row to the next in the arena

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
    size_t n_bytes
    Py_ssize_t capacity           # samples it has room for
    Py_ssize_t n                  # samples it holds now
    Py_ssize_t first              # the first one's place in its batch
    int mode
    void **values                 # one pointer a buffer: to its rows, or to a SparseRows
    bint *sparse                  # buffers of the second kind
    SparseRows *sparse_inputs     # one an input of the plan
    void **deltas                 # dJ/dvalue; NULL where nothing depends on it
    Py_ssize_t *strides
    void **scratch                # one an operation
    bint *delta_written
    bint *tensor_written
    uint64_t seed
    uint64_t step                 # of the optimizer; with the seed and `first` it fixes every random draw
    uint64_t first_draw           # added to the step for layers with a seed of their own; 0 in training
    bint live                     # random layers draw and statistics move; not so when a batch is only looked at
    Py_ssize_t batch_size         # samples of the whole batch; 0 where no penalties are added up
    double activity_penalty       # of the batch so far, divided by its size
    bint failed                   # a Python callback or a signal's handler raised, or a number is no index
    void *interruption            # keeps what a signal's handler raised during a long step; NULL: no polls
    void *exchange                # adds up batch statistics over processes that share a batch; NULL: there are none
    int out_of_range              # 1 + the operation that met such a number

cdef struct Sizes:
    # What an operation is checked by, and its memory measured, when the plan is built.
    const Operation *operation
    const Plan *plan
    const Buffer *input           # the first of its inputs
    const Buffer *output
    const Py_ssize_t *tensor_sizes
    Py_ssize_t element_size       # bytes

cdef struct Step:
    # One operation at work on the samples of a workspace, forward or backward; filled by src/operations/step.pxd.
    const Plan *plan
    Workspace *workspace
    const Operation *operation
    int index                     # of the operation
    const Buffer *input           # the first of its inputs
    const Buffer *output
    Py_ssize_t n_rows             # of x: of all samples
    Py_ssize_t x_row              # elements from one row to the next, of dx too
    Py_ssize_t y_row
    void *x
    void *y
    void *dx                      # NULL where nothing depends on it
    void *dy
    void *scratch
    bint adds_dx                  # dx holds what others have added to it

cdef struct OperationTraits:
    # The row of an operation in src/operations/operations.pxd.
    const char *name
    int kind
    int peculiarity
    bint (*fits)(const Sizes *s) noexcept nogil
    void (*needs)(const Sizes *s, Operation *operation) noexcept nogil  # its memory; NULL where it needs none
    void (*forward_f32)(const Step *s, float **tensors) noexcept nogil
    void (*forward_f64)(const Step *s, double **tensors) noexcept nogil
    void (*backward_f32)(const Step *s, float **tensors, float **gradients) noexcept nogil
    void (*backward_f64)(const Step *s, double **tensors, double **gradients) noexcept nogil

cdef struct Operation:
    int kind
    const OperationTraits *traits  # what is true of every operation of this kind
    int output
    int n_inputs
    int *inputs
    int tensors[MAX_TENSORS]      # indices of parameters, -1 where there is none
    int activation
    double activation_parameters[3]
    double reals[MAX_REALS]
    Py_ssize_t integers[MAX_INTEGERS]
    Py_ssize_t n_numbers          # what has no place among the integers: instructions, lists of elements
    Py_ssize_t *numbers
    Py_ssize_t n_constants
    double *constants
    Py_ssize_t scratch            # elements of scratch memory per sample
    Py_ssize_t fixed_scratch      # and for the whole batch
    bint keeps_z                  # z is kept apart from a, because g' or the loss needs it
    bint gates_input              # its input is the output of a ReLU that nothing else reads: its backward product
    bint gated                    # applies that ReLU's derivative, and the ReLU's own operation leaves it out
    bint left_to_loss             # training leaves its activation and derivative to the loss, which knows p - y
    bint whole_batch              # it looks across samples, and must see all of a batch
    bint frozen                   # it keeps to what it has learned even in training
    void *custom                  # the Python object of a CUSTOM operation or activation
    const void *rounded           # a dense operation's kernel in bfloat16, kept where parameters never change, or NULL
    const void *panels            # a dense operation's kernel in panels, kept likewise, or NULL; and how wide these are
    Py_ssize_t panel_width
    const void *quantized         # the QuantizedMatrix of a dense operation in int8, or NULL

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
    bint joins_samples            # and does so in inference as well


cdef inline Py_ssize_t most_elements() noexcept nogil:
    """Of a workspace: far beyond any memory, far below an overflow; where an index has 32 bits, what they leave."""
    return <Py_ssize_t> 1 << (54 if sizeof(Py_ssize_t) == 8 else 25)


cdef inline bint is_plain_relu(const Operation *operation) noexcept nogil:
    """max(z, 0), whose derivative follows from the sign of its output."""
    return (operation.activation == ACTIVATION_RELU and operation.activation_parameters[0] == 0
            and operation.activation_parameters[1] == INFINITY and operation.activation_parameters[2] == 0)


cdef inline bint is_in_place(const Operation *operation) noexcept nogil:
    return operation.traits.peculiarity == IN_PLACE


cdef inline bint is_input(const Plan *plan, int buffer) noexcept nogil:
    cdef int i
    for i in range(plan.n_inputs):
        if plan.inputs[i] == buffer:
            return True
    return False


cdef inline void plan_free(Plan *plan) noexcept nogil:
    cdef int i
    if plan.operations != NULL:
        for i in range(plan.n_operations):
            free(plan.operations[i].inputs)
            free(plan.operations[i].numbers)
            free(plan.operations[i].constants)
    free(plan.operations)
    free(plan.buffers)
    free(plan.inputs)
    free(plan.outputs)
    free(plan.slots)
    free(plan.slot_sizes)
    memset(plan, 0, sizeof(Plan))


cdef inline bint is_training(const Workspace *workspace) noexcept nogil:
    return workspace.mode == TRAINING or workspace.mode == TRACING
