# Penalties on numbers: their value, and their share of the gradient. Floor 1.

from libc.math cimport fabs, sqrt

from simd cimport add_scaled, real, sum_of_squares

cdef enum PenaltyKind:
    NO_PENALTY
    L1_L2
    ORTHOGONAL_ROWS
    ORTHOGONAL_COLUMNS
    CUSTOM_PENALTY

cdef extern from *:
    """
    static const double SHORTEST_ROW = 1e-7; /* Keras's: no row is divided by less to make its length 1 */
    """
    const double SHORTEST_ROW


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


cdef inline double dot_strided(const real *x, const real *y, Py_ssize_t n, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(n):
        total += <double> x[i * step] * y[i * step]
    return total


cdef inline void add_orthogonal_gradient(real *g, const real *u, const real *v, Py_ssize_t n, Py_ssize_t step,
                                         double u_length, double v_length, double cosine,
                                         double factor) noexcept nogil:
    """g += factor sign(cosine) (v / |v| - cosine u / |u|) / |u|: one pair's share of the gradient of row u

    A row too short to be scaled to length 1 is divided by the constant instead, and has no second term.
    """
    cdef Py_ssize_t i
    cdef double across = factor / (u_length * v_length), along = factor * cosine / (u_length * u_length)
    if cosine < 0:
        across, along = -across, -along
    if cosine == 0:
        return
    if u_length <= SHORTEST_ROW:
        along = 0
    for i in range(n):
        g[i * step] += <real> (across * v[i * step] - along * u[i * step])


cdef inline double orthogonal_penalty(real *g, const real *w, double *lengths, Py_ssize_t n_vectors, Py_ssize_t n,
                                      Py_ssize_t vector_step, Py_ssize_t step, double factor) noexcept nogil:
    """factor * mean over pairs i < j of |u_i . u_j|, u the vectors of w scaled to length 1; its gradient is added to g

    Vectors are rows or columns, as the steps say; lengths (n_vectors) is scratch memory; g may be NULL.
    """
    cdef Py_ssize_t i, j
    cdef double total = 0, cosine, share
    cdef const real *u
    cdef const real *v
    if n_vectors < 2:
        return 0
    share = factor / (0.5 * n_vectors * (n_vectors - 1))
    for i in range(n_vectors):
        lengths[i] = max(sqrt(dot_strided(w + i * vector_step, w + i * vector_step, n, step)), SHORTEST_ROW)
    for i in range(n_vectors):
        u = w + i * vector_step
        for j in range(i + 1, n_vectors):
            v = w + j * vector_step
            cosine = dot_strided(u, v, n, step) / (lengths[i] * lengths[j])
            total += fabs(cosine)
            if g != NULL:
                add_orthogonal_gradient(g + i * vector_step, u, v, n, step, lengths[i], lengths[j], cosine, share)
                add_orthogonal_gradient(g + j * vector_step, v, u, n, step, lengths[j], lengths[i], cosine, share)
    return share * total
