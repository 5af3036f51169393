# Products of matrices that stand in buffers, sample by sample. Floor 1.

from blocks cimport Product, begin_plain
from matmul cimport multiply
from plan cimport Buffer, Sizes, Step, most_elements
from simd cimport real
from step cimport cleared_delta_of, delta_of, input_of, input_row, value_of

# Integers: of each product; the operation's numbers are, product by product, which matrix of the first input and which
# of the second it multiplies.
cdef enum:
    ROWS   # m
    INNER  # k
    PAIR = 2


cdef inline bint matrices_fit(const Sizes *s) noexcept nogil:
    """The first input is matrices (m, k), the second (k, n), the output (m, n) for every pair."""
    cdef Py_ssize_t m = s.operation.integers[ROWS], k = s.operation.integers[INNER], i
    cdef const Buffer *second
    if s.operation.n_inputs != 2 or s.operation.n_numbers % PAIR or not (
            0 < m < most_elements() and 0 < k < most_elements()):
        return False
    second = &s.plan.buffers[s.operation.inputs[1]]
    if (s.input.width != k or second.width != s.output.width or s.input.rows % m or second.rows % k
            or s.output.rows % m or s.output.rows // m != s.operation.n_numbers // PAIR):
        return False
    for i in range(s.operation.n_numbers):
        if not 0 <= s.operation.numbers[i] < (second.rows // k if i % PAIR else s.input.rows // m):
            return False
    return True


cdef inline void shape_product(Product *p, const Step *s) noexcept nogil:
    """y (m, n) = x (m, k) . w (k, n)"""
    begin_plain(p)
    p.n_rows, p.n_cols, p.n_k = s.operation.integers[ROWS], s.output.width, s.operation.integers[INNER]
    p.y_row, p.x_row, p.x_k, p.w_k, p.w_c = s.y_row, s.x_row, 1, input_row(s, 1), 1


cdef inline void shape_first_gradient(Product *p, const Step *s) noexcept nogil:
    """dx (m, k) += dy (m, n) . w^T"""
    begin_plain(p)
    p.n_rows, p.n_cols, p.n_k = s.operation.integers[ROWS], s.operation.integers[INNER], s.output.width
    p.y_row, p.x_row, p.x_k, p.w_k, p.w_c = s.x_row, s.y_row, 1, 1, input_row(s, 1)
    p.accumulate = True


cdef inline void shape_second_gradient(Product *p, const Step *s) noexcept nogil:
    """dw (k, n) += x^T . dy (m, n)"""
    begin_plain(p)
    p.n_rows, p.n_cols, p.n_k = s.operation.integers[INNER], s.output.width, s.operation.integers[ROWS]
    p.y_row, p.x_row, p.x_k, p.w_k, p.w_c = input_row(s, 1), 1, s.x_row, s.y_row, 1
    p.accumulate = True


cdef inline Py_ssize_t first_place(const Step *s, Py_ssize_t i) noexcept nogil:
    """Where product i of all samples finds its first matrix; below, its second and its own."""
    cdef Py_ssize_t n_pairs = s.operation.n_numbers // PAIR
    return (i // n_pairs * s.input.rows
            + s.operation.numbers[i % n_pairs * PAIR] * s.operation.integers[ROWS]) * s.x_row


cdef inline Py_ssize_t second_place(const Step *s, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t n_pairs = s.operation.n_numbers // PAIR
    return (i // n_pairs * input_of(s, 1).rows
            + s.operation.numbers[i % n_pairs * PAIR + 1] * s.operation.integers[INNER]) * input_row(s, 1)


cdef inline Py_ssize_t own_place(const Step *s, Py_ssize_t i) noexcept nogil:
    return i * s.operation.integers[ROWS] * s.y_row


cdef inline void matrices_forward(const Step *s, real **tensors) noexcept nogil:
    """y[i] (m, n) = x[first of i] (m, k) . w[second of i] (k, n) for every pair i of every sample"""
    cdef Product product
    cdef Py_ssize_t i
    shape_product(&product, s)
    for i in range(s.workspace.n * (s.operation.n_numbers // PAIR)):
        product.x = <real *> s.x + first_place(s, i)
        product.w = value_of(s, 1, tensors) + second_place(s, i)
        multiply(&product, <real *> s.y + own_place(s, i))


cdef inline void matrices_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx[first of i] (+)= dy[i] . w^T;  dw[second of i] (+)= x^T . dy[i]"""
    cdef real *dx = cleared_delta_of(s, 0, tensors)
    cdef real *dw = cleared_delta_of(s, 1, tensors)
    cdef Product to_first, to_second
    cdef Py_ssize_t i
    shape_first_gradient(&to_first, s)
    shape_second_gradient(&to_second, s)
    for i in range(s.workspace.n * (s.operation.n_numbers // PAIR)):
        if dx != NULL:
            to_first.x = <real *> s.dy + own_place(s, i)
            to_first.w = value_of(s, 1, tensors) + second_place(s, i)
            multiply(&to_first, dx + first_place(s, i))
        if dw != NULL:
            to_second.x = <real *> s.x + first_place(s, i)
            to_second.w = <real *> s.dy + own_place(s, i)
            multiply(&to_second, dw + second_place(s, i))
