# What a plan is told about itself once all its operations stand: which buffers share memory, which derivatives are left
# to others, which deltas are needed. Floor 1.

from libc.stdlib cimport calloc, free

from plan cimport ACTIVATION, DENSE, MAX_TENSORS, MEMBERS, Operation, Plan, is_plain_relu


cdef inline int reads_of(const Plan *plan, int buffer) noexcept nogil:
    """How often a buffer is read: by operations, and as an output of the network."""
    cdef int count = 0, i, j
    for i in range(plan.n_operations):
        for j in range(plan.operations[i].n_inputs):
            count += plan.operations[i].inputs[j] == buffer
    for i in range(plan.n_outputs):
        count += plan.outputs[i] == buffer
    return count


cdef inline int writer_of(const Plan *plan, int buffer) noexcept nogil:
    """The operation that computes a buffer, the last one if others work on it in place; -1 for an input."""
    cdef int writer = -1, i
    for i in range(plan.n_operations):
        if plan.operations[i].output == buffer:
            writer = i
    return writer


cdef inline bint applies_activation(const Operation *operation) noexcept nogil:
    """Whether it computes an activation that another operation, or the loss, can take over."""
    return operation.kind == DENSE or operation.kind == MEMBERS or operation.kind == ACTIVATION


cdef inline Py_ssize_t most_members(const Plan *plan) noexcept nogil:
    """Of an ensemble in the plan; 1 where there is none."""
    cdef Py_ssize_t most = 1
    cdef int i
    for i in range(plan.n_operations):
        if plan.operations[i].kind == MEMBERS:
            most = max(most, plan.buffers[plan.operations[i].output].rows)
    return most


cdef inline void mark_gates(Plan *plan) noexcept nogil:
    """A dense layer whose input is a plain ReLU's output, read by nothing else, applies that ReLU's derivative."""
    cdef Operation *operation
    cdef int i, writer
    for i in range(plan.n_operations):
        operation = &plan.operations[i]
        if operation.kind != DENSE or reads_of(plan, operation.inputs[0]) != 1:
            continue
        writer = writer_of(plan, operation.inputs[0])
        if writer >= 0 and is_plain_relu(&plan.operations[writer]) and applies_activation(&plan.operations[writer]):
            operation.gates_input, plan.operations[writer].gated = True, True


cdef inline bint only_dense_reads(const Plan *plan, int buffer) noexcept nogil:
    """Whether sparse rows will do for an input: one row a sample, and nothing but dense layers reads it."""
    cdef int i, j
    for i in range(plan.n_operations):
        for j in range(plan.operations[i].n_inputs):
            if plan.operations[i].inputs[j] == buffer and plan.operations[i].kind != DENSE:
                return False
    for i in range(plan.n_outputs):
        if plan.outputs[i] == buffer:
            return False
    return plan.buffers[buffer].rows == 1


cdef inline void mark_deltas(const Plan *plan, void **gradients, bint *needs_delta) noexcept nogil:
    """Which buffers need dJ/dvalue besides those marked: all that a trained parameter, or a marked buffer, leads to."""
    cdef const Operation *operation
    cdef int i, j
    for i in range(plan.n_operations):
        operation = &plan.operations[i]
        for j in range(MAX_TENSORS):
            if operation.tensors[j] >= 0 and gradients[operation.tensors[j]] != NULL:
                needs_delta[operation.output] = True
        for j in range(operation.n_inputs):
            if needs_delta[operation.inputs[j]]:
                needs_delta[operation.output] = True


# Memory that buffers share in inference.

cdef inline int last_read(const Plan *plan, int buffer) noexcept nogil:
    """The last operation that reads or writes a buffer; of an output, none of them."""
    cdef int last = -1, i, j
    for i in range(plan.n_operations):
        if plan.operations[i].output == buffer:
            last = i
        for j in range(plan.operations[i].n_inputs):
            if plan.operations[i].inputs[j] == buffer:
                last = i
    for i in range(plan.n_outputs):
        if plan.outputs[i] == buffer:
            last = plan.n_operations
    return last


cdef inline bint suits_better(Py_ssize_t one, Py_ssize_t other, Py_ssize_t wanted) noexcept nogil:
    """Of two sizes the one that is large enough; of two such the smaller, else the larger."""
    if (one >= wanted) != (other >= wanted):
        return one >= wanted
    return one < other if one >= wanted else one > other


cdef inline int choose_slot(const Plan *plan, const bint *is_free, Py_ssize_t size) noexcept nogil:
    """The free slot that suits best; -1 if none is free."""
    cdef int best = -1, slot
    for slot in range(plan.n_slots):
        if is_free[slot] and (best < 0 or suits_better(plan.slot_sizes[slot], plan.slot_sizes[best], size)):
            best = slot
    return best


cdef inline void take_slot(Plan *plan, bint *is_free, int buffer) noexcept nogil:
    """Gives a buffer a slot, made larger or new where none is large enough."""
    cdef Py_ssize_t size = plan.buffers[buffer].rows * plan.buffers[buffer].stride
    cdef int slot = choose_slot(plan, is_free, size)
    if slot < 0:
        slot = plan.n_slots
        plan.n_slots += 1
    plan.slot_sizes[slot] = max(plan.slot_sizes[slot], size)
    is_free[slot], plan.slots[buffer] = False, slot


cdef inline bint share_memory(Plan *plan) noexcept nogil:
    """Lets a buffer take memory over when nothing reads any more what another left there; False if memory is short."""
    cdef bint *is_free = <bint *> calloc(plan.n_buffers + 1, sizeof(bint))
    cdef Operation *operation
    cdef int i, j, buffer
    plan.slots = <int *> calloc(plan.n_buffers + 1, sizeof(int))
    plan.slot_sizes = <Py_ssize_t *> calloc(plan.n_buffers + 1, sizeof(Py_ssize_t))
    if is_free == NULL or plan.slots == NULL or plan.slot_sizes == NULL:
        free(is_free)
        return False
    plan.n_slots = 0
    for i in range(plan.n_buffers):
        plan.slots[i] = -1
    for i in range(plan.n_operations):
        operation = &plan.operations[i]
        if plan.slots[operation.output] < 0:
            take_slot(plan, is_free, operation.output)
        for j in range(-1, operation.n_inputs):
            buffer = operation.output if j < 0 else operation.inputs[j]
            if plan.slots[buffer] >= 0 and last_read(plan, buffer) == i:
                is_free[plan.slots[buffer]] = True
    free(is_free)
    return True
