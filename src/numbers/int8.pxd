# Products with a matrix quantized to 8 bits for good: the rows of x are quantized as they come, each by a unit of its
# own. Floor 1.
#
#     y = x . w = (x f) . (w / f),   where the factors f make columns of large numbers smaller, and their weights larger

from libc.math cimport INFINITY
from libc.stdint cimport int32_t

from blocks cimport QUADS, Product, begin_plain, padded_width
from matmul cimport multiply
from quads cimport simd_quads

ctypedef struct QuantizedMatrix:
    # w (n_k, n_cols) as cnn_core/models/quantization.py makes it.
    const int32_t *quads          # (n_quads, n_cols), filled up with zeros
    const float *factors          # of x's columns
    const int32_t *sums           # of w's columns, in units
    const float *units            # of w's columns
    const float *bias


cdef inline Py_ssize_t quads_of(Py_ssize_t n) noexcept nogil:
    return (n + 3) // 4


cdef inline Py_ssize_t quantized_row(Py_ssize_t n_k) noexcept nogil:
    """How far apart rows of quads are: whole lines of the cache, as tiles load them."""
    return padded_width(quads_of(n_k))


cdef inline Py_ssize_t quantized_size(Py_ssize_t n_k) noexcept nogil:
    """Elements of room for a row of x: its quads, and behind those of all rows its unit."""
    return quantized_row(n_k) + 1


cdef inline void multiply_quantized(const Product *given, const QuantizedMatrix *w, float *y,
                                    float *room) noexcept nogil:
    """y = max(x . w + bias, 0 or -inf), of the sizes, strides and `clamp` of a product whose w is that matrix.

    The room holds `quantized_size` elements for every row.
    """
    cdef Py_ssize_t i, x_row = quantized_row(given.n_k)
    cdef float *x_units = room + given.n_rows * x_row
    cdef const float *x = <const float *> given.x
    cdef float floor = 0 if given.clamp else <float> -INFINITY
    cdef Product p
    begin_plain(&p)
    for i in range(given.n_rows):
        x_units[i] = simd_quads.quantize(<int32_t *> (room + i * x_row), x + i * given.x_row, w.factors, given.n_k)
    p.x, p.x_row, p.x_k, p.w, p.w_k, p.w_c = room, x_row, 1, w.quads, given.n_cols, 1
    p.n_rows, p.n_cols, p.n_k, p.form = given.n_rows, given.n_cols, quads_of(given.n_k), QUADS
    p.y_row, p.spare_cols = given.y_row, given.spare_cols
    multiply(&p, y)
    for i in range(given.n_rows):
        simd_quads.restore(y + i * given.y_row, w.sums, w.units, w.bias, x_units[i], floor, given.n_cols)
