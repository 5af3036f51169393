# What every operation is handed: one step of it, filled once, and the few questions that all of them ask. Floor 1.

from libc.string cimport memset

from plan cimport Buffer, Operation, Plan, Sizes, Step, Workspace, most_elements
from simd cimport real


cdef inline void fill_step(Step *s, const Plan *plan, Workspace *workspace, int index) noexcept nogil:
    """Operation `index` on the samples that the workspace holds. In place: a copy would cost as much as the rest."""
    cdef const Operation *operation = &plan.operations[index]
    cdef int output = operation.output, source = operation.inputs[0] if operation.n_inputs else output
    s.plan, s.workspace, s.operation, s.index = plan, workspace, operation, index
    s.input, s.output = &plan.buffers[source], &plan.buffers[output]
    s.n_rows = workspace.n * s.input.rows
    s.x_row, s.y_row = workspace.strides[source], workspace.strides[output]
    s.x, s.y = workspace.values[source], workspace.values[output]
    s.dx, s.dy = workspace.deltas[source], workspace.deltas[output]
    s.scratch, s.adds_dx = workspace.scratch[index], workspace.delta_written[source]


cdef inline bint reads_sparse_rows(const Step *s) noexcept nogil:
    """Whether x is SparseRows."""
    return s.workspace.sparse[s.operation.inputs[0]]


# Inputs, of an operation that has several.

cdef inline const Buffer *input_of(const Step *s, int i) noexcept nogil:
    return &s.plan.buffers[s.operation.inputs[i]]


cdef inline Py_ssize_t input_row(const Step *s, int i) noexcept nogil:
    return s.workspace.strides[s.operation.inputs[i]]


cdef inline real *value_of(const Step *s, int i, real **typed) noexcept nogil:
    return <real *> s.workspace.values[s.operation.inputs[i]]


cdef inline real *delta_of(const Step *s, int i, real **typed) noexcept nogil:
    """NULL where nothing depends on it."""
    return <real *> s.workspace.deltas[s.operation.inputs[i]]


cdef inline real *cleared_delta_of(const Step *s, int i, real **typed) noexcept nogil:
    """The same, 0 unless others have added to it; an input may be there twice."""
    cdef int source = s.operation.inputs[i]
    cdef real *dx = delta_of(s, i, typed)
    if dx != NULL and not s.workspace.delta_written[source]:
        memset(dx, 0, s.workspace.n * s.plan.buffers[source].rows * input_row(s, i) * sizeof(real))
        s.workspace.delta_written[source] = True
    return dx


# Parameters, and gradients of them, by the operation's own names for its tensors.

cdef inline bint has_tensor(const Operation *operation, int which) noexcept nogil:
    return operation.tensors[which] >= 0


cdef inline real *tensor_of(const Step *s, real **tensors, int which) noexcept nogil:
    """NULL where there is no such parameter; of gradients, also where it is not trained."""
    cdef int tensor = s.operation.tensors[which]
    return tensors[tensor] if tensor >= 0 else NULL


cdef inline bint adds_gradient(const Step *s, int which) noexcept nogil:
    """Whether the gradient holds what earlier blocks or operations have left there."""
    return s.workspace.tensor_written[s.operation.tensors[which]]


cdef inline void gradient_is_written(const Step *s, int which) noexcept nogil:
    s.workspace.tensor_written[s.operation.tensors[which]] = True


# Sizes.

cdef inline bint same_shape(const Sizes *s) noexcept nogil:
    return s.input.rows == s.output.rows and s.input.width == s.output.width


cdef inline bint has_shape(const Sizes *s, int which, Py_ssize_t n_rows, Py_ssize_t n_cols) noexcept nogil:
    """Whether the operation has this parameter, of n_rows * n_cols elements, a number that does not overflow."""
    if not has_tensor(s.operation, which) or n_rows < 0 or n_cols < 0 or (
            n_cols > 0 and n_rows > most_elements() // n_cols):
        return False
    return s.tensor_sizes[s.operation.tensors[which]] == n_rows * n_cols


cdef inline bint may_have_size(const Sizes *s, int which, Py_ssize_t size) noexcept nogil:
    return not has_tensor(s.operation, which) or has_shape(s, which, size, 1)


cdef inline Py_ssize_t doubles(const Sizes *s, Py_ssize_t n) noexcept nogil:
    """The room of n doubles, in elements of the network's type."""
    return n * <Py_ssize_t> sizeof(double) // s.element_size
