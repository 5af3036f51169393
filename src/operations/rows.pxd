# Rows of buffers copied and added, whatever lies between them. Floor 1.

from libc.string cimport memcpy

from simd cimport add_scaled, real


cdef inline void copy_rows(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                           Py_ssize_t x_row) noexcept nogil:
    """y = x"""
    cdef Py_ssize_t r
    for r in range(n_rows):
        memcpy(y + r * y_row, x + r * x_row, n_cols * sizeof(real))


cdef inline void add_rows(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                          Py_ssize_t x_row) noexcept nogil:
    """y += x"""
    cdef Py_ssize_t r
    for r in range(n_rows):
        add_scaled(y + r * y_row, x + r * x_row, n_cols, <real> 1)


cdef inline void put_rows(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                          Py_ssize_t x_row, bint accumulate) noexcept nogil:
    """y (+)= x"""
    if accumulate:
        add_rows(y, x, n_rows, n_cols, y_row, x_row)
    else:
        copy_rows(y, x, n_rows, n_cols, y_row, x_row)
