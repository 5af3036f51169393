# Penalties on numbers: their value, and their share of the gradient. Floor 1.

from libc.math cimport fabs, sqrt

from simd cimport add_scaled, real, sum_of_squares

cdef enum:
    MOST_PENALTIES = 8  # kinds

cdef extern from *:
    """
    static const double SHORTEST_ROW = 1e-7; /* Keras's: no row is divided by less to make its length 1 */
    """
    const double SHORTEST_ROW

cdef struct PenaltyTraits

cdef struct Penalty:
    # What is asked of one tensor.
    const PenaltyTraits *traits  # NULL for nothing
    double l1                    # the factor of an orthogonal penalty
    double l2
    double *lengths              # scratch memory of an orthogonal penalty
    void *custom                 # the Python object of a custom one

ctypedef double (*Penalty32)(const Penalty *p, float *g, const float *w, Py_ssize_t n_rows, Py_ssize_t n_cols,
                             double scale) noexcept nogil
ctypedef double (*Penalty64)(const Penalty *p, double *g, const double *w, Py_ssize_t n_rows, Py_ssize_t n_cols,
                             double scale) noexcept nogil

cdef struct PenaltyTraits:
    const char *name
    Penalty32 of_f32             # NULL for a custom one
    Penalty64 of_f64
    bint takes_lengths


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


# Kinds: scale times the penalty on w (n_rows, n_cols); where g is given, the gradient is added to it instead.

cdef inline double l1_l2_penalty(const Penalty *p, real *g, const real *w, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                 double scale) noexcept nogil:
    if g == NULL:
        return scale * penalty(w, n_rows * n_cols, p.l1, p.l2)
    add_penalty_gradient(g, w, n_rows * n_cols, <real> (scale * p.l1), <real> (scale * p.l2))
    return 0


cdef inline double orthogonal_rows_penalty(const Penalty *p, real *g, const real *w, Py_ssize_t n_rows,
                                           Py_ssize_t n_cols, double scale) noexcept nogil:
    return orthogonal_penalty(g, w, p.lengths, n_rows, n_cols, n_cols, 1, scale * p.l1)


cdef inline double orthogonal_columns_penalty(const Penalty *p, real *g, const real *w, Py_ssize_t n_rows,
                                              Py_ssize_t n_cols, double scale) noexcept nogil:
    return orthogonal_penalty(g, w, p.lengths, n_cols, n_rows, 1, n_cols, scale * p.l1)


cdef inline PenaltyTraits traits(const char *name, Penalty32 of_f32, Penalty64 of_f64,
                                 bint takes_lengths) noexcept nogil:
    cdef PenaltyTraits row
    row.name, row.of_f32, row.of_f64, row.takes_lengths = name, of_f32, of_f64, takes_lengths
    return row


cdef inline int list_penalties(PenaltyTraits *rows) noexcept nogil:
    """A row for every penalty: its name, itself for float and for double, and whether it takes lengths."""
    rows[0] = traits("l1_l2", l1_l2_penalty, l1_l2_penalty, False)
    rows[1] = traits("orthogonal_rows", orthogonal_rows_penalty, orthogonal_rows_penalty, True)
    rows[2] = traits("orthogonal_columns", orthogonal_columns_penalty, orthogonal_columns_penalty, True)
    rows[3] = traits("custom", NULL, NULL, False)
    return 4


cdef inline double penalty_of(const Penalty *p, real *g, const real *w, Py_ssize_t n_rows, Py_ssize_t n_cols,
                              double scale) noexcept nogil:
    if real is float:
        return p.traits.of_f32(p, g, w, n_rows, n_cols, scale)
    else:
        return p.traits.of_f64(p, g, w, n_rows, n_cols, scale)
