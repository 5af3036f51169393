# Rows of a table, looked up by number. Floor 1.
# Numbers arrive as the network's floats: they are whole, and exact up to 2^24 in float32, which Python sees to.

from libc.string cimport memcpy, memset

from plan cimport EMBEDDING, GATHERING, Operation, Plan, Sizes, Step, most_elements
from simd cimport add_scaled, real
from step cimport adds_gradient, gradient_is_written, has_shape, tensor_of

cdef enum:
    TABLE = 0      # tensors
    N_ENTRIES = 0  # integers: the table's rows
    GATHERED_SIZE = 1  # of a gathering: see selection.pxd


cdef inline Py_ssize_t row_number(real number, Py_ssize_t limit) noexcept nogil:
    """The number as an index, -1 if it is none of 0 .. limit - 1; NaN is none."""
    return <Py_ssize_t> number if number >= 0 and number < limit else -1


cdef inline void report_out_of_range(const Step *s) noexcept nogil:
    """Lets the run end, and tell which operation met the number."""
    s.workspace.failed, s.workspace.out_of_range = True, s.index + 1


cdef inline Py_ssize_t index_limit(const Plan *plan, int index) noexcept nogil:
    """How many numbers an operation knows whose input is out of range: rows of a table, places along an axis, or
    columns of an encoding."""
    cdef const Operation *operation = &plan.operations[index]
    if operation.kind == GATHERING:
        return operation.integers[GATHERED_SIZE]
    return operation.integers[N_ENTRIES] if operation.kind == EMBEDDING else plan.buffers[operation.output].width


cdef inline bint embedding_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t n_entries = s.operation.integers[N_ENTRIES]
    return (s.input.rows * s.input.width == s.output.rows and 0 < n_entries < most_elements() and s.output.width > 0
            and has_shape(s, TABLE, n_entries, s.output.width))


cdef inline void embedding_forward(const Step *s, real **tensors) noexcept nogil:
    """y[i] = w[x[i]]: one row of y for every element of x"""
    cdef Py_ssize_t width = s.output.width, r, c, number
    cdef const real *w = tensor_of(s, tensors, TABLE)
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    for r in range(s.n_rows):
        for c in range(s.input.width):
            number = row_number(x[r * s.x_row + c], s.operation.integers[N_ENTRIES])
            if number >= 0:
                memcpy(y, w + number * width, width * sizeof(real))
            else:
                memset(y, 0, width * sizeof(real))
                report_out_of_range(s)
            y += s.y_row


cdef inline void embedding_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dw[x[i]] (+)= dy[i], in the order of i"""
    cdef Py_ssize_t n_entries = s.operation.integers[N_ENTRIES], width = s.output.width, r, c, number
    cdef real *dw = tensor_of(s, gradients, TABLE)
    cdef const real *x = <const real *> s.x
    cdef const real *dy = <const real *> s.dy
    if dw == NULL:
        return
    if not adds_gradient(s, TABLE):
        memset(dw, 0, n_entries * width * sizeof(real))
        gradient_is_written(s, TABLE)
    for r in range(s.n_rows):
        for c in range(s.input.width):
            number = row_number(x[r * s.x_row + c], n_entries)
            if number >= 0:
                add_scaled(dw + number * width, dy, width, <real> 1)
            dy += s.y_row
