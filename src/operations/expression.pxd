# Elementwise functions of buffers and parameters, any number of them in one pass over the rows. Floor 1.
# Rows are cut into tiles, so that the values of all instructions on a tile stay in the first cache. The backward pass
# computes them again, tile by tile, which costs less than to read them back, and then goes through the instructions in
# reverse. Operands that have fewer rows or columns than the output are repeated; what their copies give is summed.

from libc.string cimport memcpy, memset

from plan cimport MAX_RANK, MAX_TENSORS, Buffer, Operation, Sizes, Step, most_elements
from rows cimport add_rows, copy_rows
from simd cimport (ACTIVATION_COUNT, FUNCTION_COUNT, activation_backward, activation_forward, activation_is_elementwise,
                   activation_slope_needs_z, add_scaled, column_sums, function_arity, function_backward,
                   function_forward, function_is_flat, real, row_sum)

cdef enum:
    MAX_VALUES = 128       # operands, constants and instructions of an expression
    MAX_PARAMETERS = 3     # of an activation
    TILE_BYTES = 1 << 15   # of all values on a tile
    SMALLEST_TILE = 64     # elements
    LARGEST_TILE = 1024

# An operation's numbers: the head, the operands, the instructions.
cdef struct Head:
    Py_ssize_t n_operands
    Py_ssize_t n_constants
    Py_ssize_t n_instructions
    Py_ssize_t n_axes                  # of the output's rows, as far as operands differ in them
    Py_ssize_t axes[MAX_RANK]

cdef struct Operand:
    Py_ssize_t source                  # an input; or, from -1 downwards, a tensor
    Py_ssize_t rows                    # of a sample, or of the tensor
    Py_ssize_t width
    Py_ssize_t row_steps[MAX_RANK]     # rows from one index of an axis to the next: 0 where the operand is repeated

cdef struct Instruction:
    Py_ssize_t kind                    # an activation; or, from ACTIVATION_COUNT on, a function
    Py_ssize_t operands[3]             # values: operands, constants, results of earlier instructions
    Py_ssize_t parameters              # the first of an activation's, among the constants; -1 for none

cdef struct Evaluation:
    # An expression at work on a tile: rows from `row` on, columns from `column` on.
    const Step *s
    const Head *head
    const Operand *operands
    const Instruction *instructions
    int n_values
    int n_given                        # operands and constants: the values that no instruction computes
    Py_ssize_t piece                   # elements that a tile has at most
    Py_ssize_t tile_rows
    Py_ssize_t row, column, n_rows, n_columns
    void *pieces
    void *values[MAX_VALUES]
    void *deltas[MAX_VALUES]
    bint active[MAX_VALUES]            # on the way from the output back to what has a gradient
    bint written[MAX_VALUES]
    bint adds[MAX_VALUES]              # of an operand: its gradient holds something
    double totals[MAX_VALUES]          # of an operand that is one number: the gradient so far


# Sizes.

cdef inline const Head *head_of(const Operation *operation) noexcept nogil:
    return <const Head *> operation.numbers


cdef inline const Operand *operands_of(const Operation *operation) noexcept nogil:
    return <const Operand *> (head_of(operation) + 1)


cdef inline const Instruction *instructions_of(const Operation *operation) noexcept nogil:
    return <const Instruction *> (operands_of(operation) + head_of(operation).n_operands)


cdef inline int arity_of(const Instruction *instruction) noexcept nogil:
    return 1 if instruction.kind < ACTIVATION_COUNT else function_arity(<int> instruction.kind - ACTIVATION_COUNT)


cdef inline bint head_fits(const Sizes *s) noexcept nogil:
    """Whether the numbers are as many as the head says, and its axes those of the output."""
    cdef const Head *head = head_of(s.operation)
    cdef Py_ssize_t size = <Py_ssize_t> sizeof(Py_ssize_t), rows = 1
    cdef int axis
    if s.operation.n_numbers * size < <Py_ssize_t> sizeof(Head):
        return False
    if (head.n_operands < 0 or head.n_constants < 0 or head.n_instructions < 1
            or head.n_operands > MAX_VALUES or head.n_constants > MAX_VALUES or head.n_instructions > MAX_VALUES
            or head.n_operands + head.n_constants + head.n_instructions > MAX_VALUES
            or head.n_constants > s.operation.n_constants or not 0 <= head.n_axes <= MAX_RANK):
        return False
    for axis in range(<int> head.n_axes):
        if head.axes[axis] < 0 or head.axes[axis] > 0 and rows > most_elements() // head.axes[axis]:
            return False
        rows *= head.axes[axis]
    return rows == s.output.rows and s.operation.n_numbers * size == (
        <Py_ssize_t> sizeof(Head) + head.n_operands * <Py_ssize_t> sizeof(Operand)
        + head.n_instructions * <Py_ssize_t> sizeof(Instruction))


cdef inline bint source_fits(const Sizes *s, const Operand *operand) noexcept nogil:
    cdef const Buffer *buffer
    cdef Py_ssize_t tensor = -1 - operand.source
    if operand.source >= 0:
        if operand.source >= s.operation.n_inputs:
            return False
        buffer = &s.plan.buffers[s.operation.inputs[operand.source]]
        return operand.rows == buffer.rows and operand.width == buffer.width
    return (tensor < MAX_TENSORS and s.operation.tensors[tensor] >= 0 and operand.rows >= 0 and operand.width >= 0
            and (operand.width == 0 or operand.rows <= most_elements() // operand.width)
            and s.tensor_sizes[s.operation.tensors[tensor]] == operand.rows * operand.width)


cdef inline bint operand_fits(const Sizes *s, const Operand *operand) noexcept nogil:
    """Whether it is there, and no row or column of the output leads beyond it."""
    cdef const Head *head = head_of(s.operation)
    cdef Py_ssize_t last = 0
    cdef int axis
    if not source_fits(s, operand) or operand.width != s.output.width and operand.width != 1:
        return False
    for axis in range(<int> head.n_axes if s.output.rows > 0 else 0):
        if not 0 <= operand.row_steps[axis] <= operand.rows:
            return False
        last += (head.axes[axis] - 1) * operand.row_steps[axis]
    return s.output.rows == 0 or last < operand.rows


cdef inline bint instruction_fits(const Operation *operation, const Instruction *instruction,
                                  int n_before) noexcept nogil:
    cdef int i
    if not 0 <= instruction.kind < ACTIVATION_COUNT + FUNCTION_COUNT or (
            instruction.kind < ACTIVATION_COUNT and not activation_is_elementwise(<int> instruction.kind)):
        return False
    for i in range(arity_of(instruction)):
        if not 0 <= instruction.operands[i] < n_before:
            return False
    return instruction.parameters == -1 or 0 <= instruction.parameters <= operation.n_constants - MAX_PARAMETERS


cdef inline bint expression_fits(const Sizes *s) noexcept nogil:
    cdef const Head *head = head_of(s.operation)
    cdef int i
    if not head_fits(s):
        return False
    for i in range(<int> head.n_operands):
        if not operand_fits(s, operands_of(s.operation) + i):
            return False
    for i in range(<int> head.n_instructions):
        if not instruction_fits(s.operation, instructions_of(s.operation) + i,
                                <int> (head.n_operands + head.n_constants) + i):
            return False
    return True


cdef inline Py_ssize_t piece_of(const Operation *operation, Py_ssize_t element_size) noexcept nogil:
    """How many elements a tile has at most: as many as let all values and their deltas stay in the first cache."""
    cdef const Head *head = head_of(operation)
    cdef Py_ssize_t n_pieces = 2 * (head.n_operands + head.n_constants + head.n_instructions)
    cdef Py_ssize_t piece = TILE_BYTES // (n_pieces * element_size) // SMALLEST_TILE * SMALLEST_TILE
    return min(max(piece, <Py_ssize_t> SMALLEST_TILE), <Py_ssize_t> LARGEST_TILE)


cdef inline void expression_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """A piece for every value and for its delta, and one for what is added to a delta"""
    cdef const Head *head = head_of(operation)
    operation.fixed_scratch = (2 * (head.n_operands + head.n_constants + head.n_instructions) + 1) * piece_of(
        operation, s.element_size)


# Operands on a tile.

cdef inline real *value_piece(const Evaluation *e, int value, real **typed) noexcept nogil:
    return <real *> e.pieces + value * e.piece


cdef inline real *delta_piece(const Evaluation *e, int value, real **typed) noexcept nogil:
    """With n_values for `value`, the piece for what is added to a delta."""
    return <real *> e.pieces + (e.n_values + value) * e.piece


cdef inline bint stands_still(const Operand *operand) noexcept nogil:
    """Whether every row of the output meets the same row: one of a parameter."""
    return operand.source < 0 and operand.rows == 1


cdef inline Py_ssize_t operand_row(const Evaluation *e, const Operand *operand, Py_ssize_t row) noexcept nogil:
    """The operand's row that meets this row of the output."""
    cdef Py_ssize_t rows = e.s.output.rows, sample, at = 0
    cdef int axis
    if stands_still(operand):
        return 0
    if operand.rows == rows and operand.source >= 0:
        return row
    sample = row // rows
    if operand.rows > 1:
        row -= sample * rows
        for axis in range(<int> e.head.n_axes - 1, -1, -1):
            at += row % e.head.axes[axis] * operand.row_steps[axis]
            row //= e.head.axes[axis]
    return sample * operand.rows + at if operand.source >= 0 else at


cdef inline Py_ssize_t row_stride(const Evaluation *e, const Operand *operand) noexcept nogil:
    return e.s.workspace.strides[e.s.operation.inputs[operand.source]] if operand.source >= 0 else operand.width


cdef inline bint is_in_place(const Evaluation *e, const Operand *operand) noexcept nogil:
    """Whether a tile of the operand is a run of elements where it stands."""
    if operand.width != e.s.output.width:
        return False
    return e.tile_rows == 1 or (operand.source >= 0 and operand.rows == e.s.output.rows
                                and row_stride(e, operand) == operand.width)


cdef inline real *operand_data(const Evaluation *e, const Operand *operand, real **tensors) noexcept nogil:
    if operand.source >= 0:
        return <real *> e.s.workspace.values[e.s.operation.inputs[operand.source]]
    return tensors[e.s.operation.tensors[-1 - operand.source]]


cdef inline void fill(real *y, real x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x


cdef inline void load_operand(Evaluation *e, int i, real **tensors) noexcept nogil:
    """The operand's tile: where it stands, or brought together and repeated in its piece."""
    cdef const Operand *operand = e.operands + i
    cdef real *data = operand_data(e, operand, tensors)
    cdef real *piece = value_piece(e, i, tensors)
    cdef Py_ssize_t stride = row_stride(e, operand), r
    if is_in_place(e, operand):
        e.values[i] = data + operand_row(e, operand, e.row) * stride + e.column
        return
    e.values[i] = piece
    for r in range(e.n_rows):
        if operand.width == e.s.output.width:
            memcpy(piece, data + operand_row(e, operand, e.row + r) * stride + e.column, e.n_columns * sizeof(real))
        else:
            fill(piece, data[operand_row(e, operand, e.row + r) * stride], e.n_columns)
        piece += e.n_columns


cdef inline bint is_loaded_once(const Evaluation *e, const Operand *operand) noexcept nogil:
    """Whether the operand's piece is the same for all tiles."""
    return stands_still(operand) and (operand.width == 1 or e.tile_rows > 1)


cdef inline void load_fixed(Evaluation *e, real **tensors) noexcept nogil:
    """Constants, and the parameters that are the same on all tiles."""
    cdef int i
    e.row = e.column = 0
    e.n_rows = min(e.tile_rows, e.s.workspace.n * e.s.output.rows)
    e.n_columns = min(e.piece, e.s.output.width)
    for i in range(<int> e.head.n_operands):
        if is_loaded_once(e, e.operands + i):
            load_operand(e, i, tensors)
    for i in range(<int> e.head.n_operands, e.n_given):
        e.values[i] = value_piece(e, i, tensors)
        fill(value_piece(e, i, tensors), <real> e.s.operation.constants[i - e.head.n_operands],
             e.n_rows * e.n_columns)


cdef inline void load_operands(Evaluation *e, real **tensors) noexcept nogil:
    cdef int i
    for i in range(<int> e.head.n_operands):
        if not is_loaded_once(e, e.operands + i):
            load_operand(e, i, tensors)


# Tiles.

cdef inline void begin(Evaluation *e, const Step *s, real **tensors) noexcept nogil:
    e.s, e.head = s, head_of(s.operation)
    e.operands, e.instructions = operands_of(s.operation), instructions_of(s.operation)
    e.n_given = <int> (e.head.n_operands + e.head.n_constants)
    e.n_values = e.n_given + <int> e.head.n_instructions
    e.piece, e.pieces = piece_of(s.operation, sizeof(real)), s.scratch
    e.tile_rows = max(e.piece // max(s.output.width, <Py_ssize_t> 1), <Py_ssize_t> 1)
    load_fixed(e, tensors)
    e.row = e.column = e.n_rows = e.n_columns = 0


cdef inline bint next_tile(Evaluation *e) noexcept nogil:
    """Goes on to the next tile, along a wide row first; False after the last."""
    cdef Py_ssize_t n_rows = e.s.workspace.n * e.s.output.rows, width = e.s.output.width
    e.column += e.n_columns
    if e.column >= width:
        e.column = 0
        e.row += e.n_rows
    if e.n_rows == 0 and width == 0:
        return False
    e.n_rows = min(e.tile_rows, n_rows - e.row)
    e.n_columns = min(e.piece, width - e.column)
    return e.n_rows > 0


cdef inline bint output_is_in_place(const Evaluation *e) noexcept nogil:
    return e.tile_rows == 1 or e.s.y_row == e.s.output.width


cdef inline real *on_output(const Evaluation *e, void *buffer, real **typed) noexcept nogil:
    """Where the tile begins in the output, or in its delta."""
    return <real *> buffer + e.row * e.s.y_row + e.column


cdef inline real *parameters_of(const Evaluation *e, const Instruction *instruction, real *p) noexcept nogil:
    cdef int i
    for i in range(MAX_PARAMETERS):
        p[i] = <real> e.s.operation.constants[instruction.parameters + i] if instruction.parameters >= 0 else 0
    return p


cdef inline void evaluate(Evaluation *e, int value, real **typed) noexcept nogil:
    """One instruction on a tile."""
    cdef const Instruction *instruction = e.instructions + (value - e.n_given)
    cdef real *y = <real *> e.values[value]
    cdef const real *operands[3]
    cdef real p[MAX_PARAMETERS]
    cdef Py_ssize_t n = e.n_rows * e.n_columns
    cdef int i
    for i in range(arity_of(instruction)):
        operands[i] = <const real *> e.values[instruction.operands[i]]
    if instruction.kind < ACTIVATION_COUNT:
        activation_forward(y, operands[0], n, <int> instruction.kind, parameters_of(e, instruction, p))
    else:
        function_forward(y, operands[0], operands[1], operands[2], n, <int> instruction.kind - ACTIVATION_COUNT)


cdef inline void expression_forward(const Step *s, real **tensors) noexcept nogil:
    """y = f(operands), element by element"""
    cdef Evaluation e
    cdef bint in_place
    cdef int value
    begin(&e, s, tensors)
    in_place = output_is_in_place(&e)
    while next_tile(&e):
        load_operands(&e, tensors)
        for value in range(e.n_given, e.n_values):
            e.values[value] = value_piece(&e, value, tensors)
            if in_place and value == e.n_values - 1:
                e.values[value] = on_output(&e, s.y, tensors)
            evaluate(&e, value, tensors)
        if not in_place:
            copy_rows(on_output(&e, s.y, tensors), <const real *> e.values[e.n_values - 1], e.n_rows, e.n_columns,
                      s.y_row, e.n_columns)


# Back through the instructions.

cdef inline real *gradient_data(const Evaluation *e, const Operand *operand, real **gradients) noexcept nogil:
    """NULL where there is none."""
    if operand.source >= 0:
        return <real *> e.s.workspace.deltas[e.s.operation.inputs[operand.source]]
    return gradients[e.s.operation.tensors[-1 - operand.source]]


cdef inline bint passes_on(const Instruction *instruction) noexcept nogil:
    """Whether an operand has a derivative."""
    return instruction.kind < ACTIVATION_COUNT or not function_is_flat(<int> instruction.kind - ACTIVATION_COUNT)


cdef inline void mark_active(Evaluation *e, real **gradients) noexcept nogil:
    """What lies on a way from something with a gradient to the output."""
    cdef bint reached[MAX_VALUES]
    cdef const Instruction *instruction
    cdef int value, i
    memset(reached, 0, sizeof(reached))
    reached[e.n_values - 1] = True
    for value in range(e.n_values - 1, e.n_given - 1, -1):
        instruction = e.instructions + (value - e.n_given)
        for i in range(arity_of(instruction)):
            reached[instruction.operands[i]] |= reached[value] and passes_on(instruction)
    for value in range(e.n_given):
        e.active[value] = (value < e.head.n_operands and reached[value]
                           and gradient_data(e, e.operands + value, gradients) != NULL)
    for value in range(e.n_given, e.n_values):
        e.active[value] = False
        instruction = e.instructions + (value - e.n_given)
        for i in range(arity_of(instruction)):
            e.active[value] |= reached[value] and passes_on(instruction) and e.active[instruction.operands[i]]


cdef inline bint is_repeated(const Evaluation *e, const Operand *operand) noexcept nogil:
    """Whether several elements of the output meet one of the operand."""
    return operand.source < 0 or operand.rows != e.s.output.rows or operand.width != e.s.output.width


cdef inline void open_gradients(Evaluation *e, real **gradients) noexcept nogil:
    """Clears what sums are added to, and notes which gradients hold something."""
    cdef const Operand *operand
    cdef bint *written
    cdef Py_ssize_t size
    cdef real *gradient
    cdef int i
    for i in range(<int> e.head.n_operands):
        operand = e.operands + i
        gradient = gradient_data(e, operand, gradients)
        e.totals[i] = 0
        if gradient == NULL:
            continue
        if operand.source >= 0:
            written = &e.s.workspace.delta_written[e.s.operation.inputs[operand.source]]
            size = e.s.workspace.n * operand.rows * row_stride(e, operand)
        else:
            written = &e.s.workspace.tensor_written[e.s.operation.tensors[-1 - operand.source]]
            size = operand.rows * operand.width
        e.adds[i] = written[0] or is_repeated(e, operand) or not e.active[i]
        if e.adds[i] and not written[0]:
            memset(gradient, 0, size * sizeof(real))
        written[0] = True


cdef inline void load_delta(Evaluation *e, real **typed) noexcept nogil:
    """dJ/dy on a tile, and y itself, which the forward pass has left."""
    cdef int last = e.n_values - 1
    cdef real *y = on_output(e, e.s.y, typed)
    cdef real *dy = on_output(e, e.s.dy, typed)
    e.values[last], e.deltas[last] = y, dy
    if not output_is_in_place(e):
        e.values[last], e.deltas[last] = value_piece(e, last, typed), delta_piece(e, last, typed)
        copy_rows(value_piece(e, last, typed), <const real *> y, e.n_rows, e.n_columns, e.n_columns, e.s.y_row)
        copy_rows(delta_piece(e, last, typed), <const real *> dy, e.n_rows, e.n_columns, e.n_columns, e.s.y_row)


cdef inline void place_deltas(Evaluation *e, real **gradients) noexcept nogil:
    """Where each delta of the tile goes: its piece, or at once where the operand's own gradient stands."""
    cdef int value
    for value in range(e.n_values - 1):
        e.written[value] = False
        e.deltas[value] = delta_piece(e, value, gradients)
        if value < e.head.n_operands and e.active[value] and not e.adds[value] and is_in_place(e, e.operands + value):
            e.deltas[value] = gradient_data(e, e.operands + value, gradients) + e.row * row_stride(
                e, e.operands + value) + e.column


cdef inline void differentiate(Evaluation *e, int value, int which, real **typed) noexcept nogil:
    """Adds to the delta of operand `which` what the instruction's own delta gives."""
    cdef const Instruction *instruction = e.instructions + (value - e.n_given)
    cdef int target = <int> instruction.operands[which], i
    cdef real *d = <real *> (delta_piece(e, e.n_values, typed) if e.written[target] else e.deltas[target])
    cdef const real *dy = <const real *> e.deltas[value]
    cdef const real *y = <const real *> e.values[value]
    cdef const real *operands[3]
    cdef real p[MAX_PARAMETERS]
    cdef Py_ssize_t n = e.n_rows * e.n_columns
    for i in range(arity_of(instruction)):
        operands[i] = <const real *> e.values[instruction.operands[i]]
    if instruction.kind < ACTIVATION_COUNT:
        activation_backward(d, dy, operands[0], y, n, <int> instruction.kind, parameters_of(e, instruction, p))
    else:
        function_backward(d, dy, y, operands[0], operands[1], operands[2], n,
                          <int> instruction.kind - ACTIVATION_COUNT, which)
    if e.written[target]:
        add_scaled(<real *> e.deltas[target], <const real *> d, n, <real> 1)
    e.written[target] = True


cdef inline void sum_up(Evaluation *e, int i, real *gradient, real **typed) noexcept nogil:
    """Adds the tile's delta of an operand to the gradient, row by row."""
    cdef const Operand *operand = e.operands + i
    cdef const real *d = <const real *> e.deltas[i]
    cdef Py_ssize_t stride = row_stride(e, operand), r, at
    if stands_still(operand) and operand.width == 1:
        e.totals[i] += row_sum(d, e.n_rows * e.n_columns)
        return
    if stands_still(operand):
        column_sums(gradient + e.column, d, e.n_rows, e.n_columns, e.n_columns, True)
        return
    for r in range(e.n_rows):
        at = operand_row(e, operand, e.row + r) * stride
        if operand.width == e.s.output.width:
            add_scaled(gradient + at + e.column, d, e.n_columns, <real> 1)
        else:
            gradient[at] += <real> row_sum(d, e.n_columns)
        d += e.n_columns


cdef inline void store_gradients(Evaluation *e, real **gradients) noexcept nogil:
    """Of all operands on a tile, unless they stand where they belong already."""
    cdef real *gradient
    cdef int i
    for i in range(<int> e.head.n_operands):
        if not e.active[i]:
            continue
        gradient = gradient_data(e, e.operands + i, gradients)
        if e.adds[i]:
            sum_up(e, i, gradient, gradients)
        elif not is_in_place(e, e.operands + i):
            copy_rows(gradient + e.row * row_stride(e, e.operands + i) + e.column, <const real *> e.deltas[i], e.n_rows,
                      e.n_columns, row_stride(e, e.operands + i), e.n_columns)


cdef inline void close_gradients(Evaluation *e, real **gradients) noexcept nogil:
    """The totals of operands that are one number."""
    cdef int i
    for i in range(<int> e.head.n_operands):
        if e.active[i] and stands_still(e.operands + i) and e.operands[i].width == 1:
            gradient_data(e, e.operands + i, gradients)[0] += <real> e.totals[i]


cdef inline void expression_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """The derivatives with respect to all operands, (+)= dy df/doperand, summed over what repeats them"""
    cdef Evaluation e
    cdef const Instruction *instruction
    cdef int value, i
    begin(&e, s, tensors)
    mark_active(&e, gradients)
    open_gradients(&e, gradients)
    while e.active[e.n_values - 1] and next_tile(&e):
        load_operands(&e, tensors)
        load_delta(&e, tensors)
        place_deltas(&e, gradients)
        for value in range(e.n_given, e.n_values - 1):
            e.values[value] = value_piece(&e, value, tensors)
            evaluate(&e, value, tensors)
        for value in range(e.n_values - 1, e.n_given - 1, -1):
            instruction = e.instructions + (value - e.n_given)
            for i in range(arity_of(instruction) if e.active[value] else 0):
                if e.active[instruction.operands[i]] and passes_on(instruction):
                    differentiate(&e, value, i, tensors)
        store_gradients(&e, gradients)
    close_gradients(&e, gradients)
