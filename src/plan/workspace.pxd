# The memory of one run through a plan: values, deltas and scratch memory in one block. Floor 1.
# In inference buffers share memory; in training each keeps its own until the backward pass.

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from plan cimport INFERENCE, Buffer, Operation, Plan, SparseRows, Workspace

cdef extern from "system/memory.h" nogil:
    void use_large_pages(void *memory, size_t n_bytes)

cdef enum:
    VALUE_ALIGNMENT = 64
    LEAST_KEPT = 1 << 20          # bytes; less is had again from the allocator, without asking the system
    MOST_KEPT = 128 << 20

cdef struct KeptMemory:
    # Of a workspace that is no more, for the next one: the system takes as long to clear pages as a training to use
    # them a few times.
    char *memory
    size_t n_bytes


cdef inline void keep_memory(KeptMemory *kept, Workspace *workspace) noexcept nogil:
    """Takes the workspace's memory, and frees what was kept before, unless it is too small or too large to keep."""
    if LEAST_KEPT <= workspace.n_bytes <= MOST_KEPT:
        free(kept.memory)
        kept.memory, kept.n_bytes = workspace.memory, workspace.n_bytes
        workspace.memory = NULL


cdef inline void forget_memory(KeptMemory *kept) noexcept nogil:
    free(kept.memory)
    kept.memory, kept.n_bytes = NULL, 0


cdef inline char *cleared_memory(KeptMemory *kept, size_t n_bytes) noexcept nogil:
    """Zeros: what is kept (by nobody where it is NULL) if that is large enough, else new memory; NULL if there is none.

    Padding columns must hold finite numbers, and large new blocks come zeroed from the system anyway.
    """
    cdef char *memory
    if kept == NULL or kept.n_bytes < n_bytes:
        memory = <char *> calloc(n_bytes, 1)
        if memory != NULL:
            use_large_pages(memory, n_bytes)
        return memory
    memory, kept.memory, kept.n_bytes = kept.memory, NULL, 0
    memset(memory, 0, n_bytes)
    return memory


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


cdef inline Py_ssize_t aligned_size(Py_ssize_t n_bytes) noexcept nogil:
    return (n_bytes + VALUE_ALIGNMENT - 1) // VALUE_ALIGNMENT * VALUE_ALIGNMENT


cdef inline char *aligned(void *memory) noexcept nogil:
    """Where the first aligned value stands in a block of memory that has room for VALUE_ALIGNMENT bytes more."""
    return <char *> ((<size_t> memory + VALUE_ALIGNMENT - 1) & ~<size_t> (VALUE_ALIGNMENT - 1))


cdef inline char *place(char *memory, Py_ssize_t *used, Py_ssize_t n_bytes) noexcept nogil:
    """The next aligned part of `memory`, or NULL while sizes are only being added up."""
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
                                    int mode, KeptMemory *kept) noexcept nogil:
    """Makes room for `capacity` samples, in kept memory if it can; False when memory is short (it has none then).

    Buffers that are `sparse` (NULL: none is) get no memory of their own.
    """
    cdef Py_ssize_t n_bytes
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
        workspace.n_bytes = n_bytes + VALUE_ALIGNMENT
        workspace.memory = cleared_memory(kept, workspace.n_bytes)
        if workspace.memory != NULL:
            workspace_layout(plan, workspace, aligned(workspace.memory), element_size, needs_delta)
            return True
    workspace_free(workspace)
    return False
