# The same numbers of a sample in another shape or another order. Floor 1.

from plan cimport MAX_RANK, Buffer, Operation, Sizes, Step, most_elements
from rows cimport put_rows
from simd cimport real

# Integers of a permutation: then come the input's shape and, for each axis of the output, the input's axis.
cdef enum:
    RANK
    SHAPE


cdef inline void put_reshaped(real *y, const real *x, Py_ssize_t n, const Buffer *output, const Buffer *input,
                              Py_ssize_t y_row, Py_ssize_t x_row, bint accumulate) noexcept nogil:
    """y (+)= x, the same elements a sample, cut into rows of another width"""
    cdef Py_ssize_t size = input.rows * input.width, sample, i, count
    if input.width == output.width:
        put_rows(y, x, n * input.rows, input.width, y_row, x_row, accumulate)
        return
    for sample in range(n if size > 0 else 0):
        i = 0
        while i < size:
            # As far as both rows go.
            count = min(input.width - i % input.width, output.width - i % output.width)
            put_rows(y + (sample * output.rows + i // output.width) * y_row + i % output.width,
                     x + (sample * input.rows + i // input.width) * x_row + i % input.width, 1, count, 0, 0, accumulate)
            i += count


cdef inline bint reshape_fits(const Sizes *s) noexcept nogil:
    return s.input.rows * s.input.width == s.output.rows * s.output.width


cdef inline void reshape_forward(const Step *s, real **tensors) noexcept nogil:
    """y = x in rows of another width"""
    put_reshaped(<real *> s.y, <const real *> s.x, s.workspace.n, s.output, s.input, s.y_row, s.x_row, False)


cdef inline void reshape_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy in rows of the input's width"""
    if s.dx != NULL:
        put_reshaped(<real *> s.dx, <const real *> s.dy, s.workspace.n, s.input, s.output, s.x_row, s.y_row, s.adds_dx)


# Axes in another order.

cdef inline bint is_order(const Py_ssize_t *order, Py_ssize_t rank) noexcept nogil:
    """Whether each of 0 .. rank - 1 occurs once."""
    cdef Py_ssize_t seen = 0, axis
    for axis in range(rank):
        if not 0 <= order[axis] < rank:
            return False
        seen |= <Py_ssize_t> 1 << order[axis]
    return seen == (<Py_ssize_t> 1 << rank) - 1


cdef inline bint permutation_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t rank = s.operation.integers[RANK], size = 1, axis
    cdef const Py_ssize_t *shape = &s.operation.integers[SHAPE]
    if not 1 <= rank <= MAX_RANK or not is_order(shape + rank, rank):
        return False
    for axis in range(rank):
        if shape[axis] < 1 or size > most_elements() // shape[axis]:
            return False
        size *= shape[axis]
    return (shape[rank - 1] == s.input.width and shape[shape[rank + rank - 1]] == s.output.width
            and size == s.input.rows * s.input.width and size == s.output.rows * s.output.width)


cdef inline void axis_strides(Py_ssize_t *strides, const Py_ssize_t *shape, int rank, Py_ssize_t row) noexcept nogil:
    """How far apart neighbours along each axis stand in a buffer whose rows are `row` elements apart."""
    cdef int axis
    strides[rank - 1] = 1
    if rank > 1:
        strides[rank - 2] = row
    for axis in range(rank - 3, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]


cdef inline void copy_permuted(real *y, const real *x, const Operation *operation, Py_ssize_t y_row, Py_ssize_t x_row,
                               bint backwards, bint add) noexcept nogil:
    """y[i_p(0), i_p(1), ...] = x[i_0, i_1, ...] for one sample; backwards: x (+)= y, both called what they are there"""
    cdef int rank = <int> operation.integers[RANK], axis
    cdef const Py_ssize_t *shape = &operation.integers[SHAPE]
    cdef const Py_ssize_t *order = &operation.integers[SHAPE + rank]
    cdef Py_ssize_t[MAX_RANK] x_strides, y_strides, y_shape, place
    cdef Py_ssize_t x_at = 0, y_at = 0
    for axis in range(rank):
        y_shape[axis] = shape[order[axis]]
        place[axis] = 0
    axis_strides(x_strides, shape, rank, x_row)
    axis_strides(y_strides, y_shape, rank, y_row)
    while True:
        if not backwards:
            y[y_at] = x[x_at]
        elif add:
            y[x_at] += x[y_at]
        else:
            y[x_at] = x[y_at]
        axis = rank - 1
        while axis >= 0:
            place[axis] += 1
            x_at += x_strides[order[axis]]
            y_at += y_strides[axis]
            if place[axis] < y_shape[axis]:
                break
            x_at -= y_shape[axis] * x_strides[order[axis]]
            y_at -= y_shape[axis] * y_strides[axis]
            place[axis] = 0
            axis -= 1
        if axis < 0:
            return


cdef inline void permute_forward(const Step *s, real **tensors) noexcept nogil:
    """y = x with its axes in another order"""
    cdef Py_ssize_t sample
    for sample in range(s.workspace.n):
        copy_permuted(<real *> s.y + sample * s.output.rows * s.y_row,
                      <const real *> s.x + sample * s.input.rows * s.x_row, s.operation, s.y_row, s.x_row, False, False)


cdef inline void permute_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy with its axes in the input's order"""
    cdef Py_ssize_t sample
    for sample in range(s.workspace.n if s.dx != NULL else 0):
        copy_permuted(<real *> s.dx + sample * s.input.rows * s.x_row,
                      <const real *> s.dy + sample * s.output.rows * s.y_row, s.operation, s.y_row, s.x_row, True,
                      s.adds_dx)
