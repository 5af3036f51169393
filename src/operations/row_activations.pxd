# Activations over rows: the elementwise ones by the vector kernels, those of a whole row here. Floor 1.
# Formulas of the elementwise kinds: src/simd/kinds.h.

from libc.math cimport INFINITY
from libc.math cimport log as log_of

from simd cimport (ACTIVATION_LINEAR, ACTIVATION_SIGMOID, ROW_GLU, ROW_LOG_SOFTMAX, ROW_SOFTMAX, ROW_SPARSEMAX,
                   activation_backward, activation_forward, activation_is_elementwise, real, softmax_rows, vector_exp)


cdef inline void sparsemax_row(real *a, const real *z, Py_ssize_t n) noexcept nogil:
    """a = max(z - tau, 0) with tau such that a sums to one: the projection of z onto the simplex.

    tau is found by Newton's iteration on the convex, piecewise linear sum; it ends after at most n steps.
    """
    cdef Py_ssize_t i, count
    cdef double total, tau = -INFINITY, top = -INFINITY
    for i in range(n):
        top = max(top, <double> z[i])
    total, count = 0, 0
    for i in range(n):
        if z[i] > top - 1:
            total += z[i] - top
            count += 1
    tau = (total - 1) / count
    while True:
        total, count = 0, 0
        for i in range(n):
            if z[i] - top > tau:
                total += z[i] - top
                count += 1
        if (total - 1) / count <= tau:
            break
        tau = (total - 1) / count
    for i in range(n):
        a[i] = <real> max(z[i] - top - tau, <double> 0)


cdef inline void log_softmax_rows(real *a, const real *z, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t a_row,
                                  Py_ssize_t z_row) noexcept nogil:
    """a = z - log sum exp(z), row by row."""
    cdef Py_ssize_t r, c
    cdef real log_sum
    cdef real *out
    cdef const real *row
    cdef real exponentials[64]
    cdef real top
    cdef double total
    cdef Py_ssize_t first, n
    for r in range(n_rows):
        row, out = z + r * z_row, a + r * a_row
        top = row[0]
        for c in range(1, n_cols):
            if row[c] > top or row[c] != row[c]:
                top = row[c]
        total, first = 0, 0
        while first < n_cols:
            n = min(<Py_ssize_t> 64, n_cols - first)
            for c in range(n):
                exponentials[c] = row[first + c] - top
            vector_exp(exponentials, exponentials, n)
            for c in range(n):
                total += exponentials[c]
            first += n
        exponentials[0] = <real> total
        log_sum = <real> log_of(total)
        for c in range(n_cols):
            out[c] = row[c] - top - log_sum


cdef inline void glu_row(real *a, const real *z, Py_ssize_t n) noexcept nogil:
    """a = u * sigmoid(v), with u the first half of z and v the second."""
    cdef Py_ssize_t c
    cdef real p[3]
    activation_forward(a, z + n, n, ACTIVATION_SIGMOID, p)
    for c in range(n):
        a[c] *= z[c]


cdef inline void glu_row_backward(real *dz, const real *da, const real *z, Py_ssize_t n) noexcept nogil:
    """du = da sigmoid(v), dv = da u sigmoid(v) (1 - sigmoid(v))"""
    cdef Py_ssize_t c
    cdef real gate
    cdef real p[3]
    for c in range(n):
        activation_forward(&gate, z + n + c, 1, ACTIVATION_SIGMOID, p)
        dz[n + c] = da[c] * z[c] * gate * (1 - gate)
        dz[c] = da[c] * gate


cdef inline void softmax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = a * (da - sum(da * a))"""
    cdef Py_ssize_t c
    cdef double total = 0
    for c in range(n):
        total += <double> da[c] * a[c]
    for c in range(n):
        delta[c] = a[c] * (da[c] - <real> total)


cdef inline void log_softmax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = da - exp(a) * sum(da)"""
    cdef Py_ssize_t c, first = 0, m
    cdef real p[64]
    cdef double total = 0
    for c in range(n):
        total += da[c]
    while first < n:
        m = min(<Py_ssize_t> 64, n - first)
        vector_exp(p, a + first, m)
        for c in range(m):
            delta[first + c] = da[first + c] - p[c] * <real> total
        first += m


cdef inline void sparsemax_row_backward(real *delta, const real *da, const real *a, Py_ssize_t n) noexcept nogil:
    """delta = da - mean(da) over the support of a, 0 elsewhere"""
    cdef Py_ssize_t c, count = 0
    cdef double total = 0
    for c in range(n):
        if a[c] > 0:
            total += da[c]
            count += 1
    for c in range(n):
        delta[c] = da[c] - <real> (total / count) if a[c] > 0 else 0


cdef inline void activate_rows(int kind, const double *parameters, real *a, const real *z, Py_ssize_t n_rows,
                               Py_ssize_t n_cols, Py_ssize_t a_row, Py_ssize_t z_row) noexcept nogil:
    """a[r, :] = g(z[r, :]); a may be z. For glu, a has half as many columns: n_cols counts those of z."""
    cdef real p[3]
    cdef Py_ssize_t r
    for r in range(3):
        p[r] = <real> parameters[r]
    if activation_is_elementwise(kind):
        if a_row == z_row:
            # Padding takes part: it belongs to the buffer, and one long sweep beats many short ones.
            activation_forward(a, z, n_rows * a_row - (a_row - n_cols) if n_rows > 0 else 0, kind, p)
        else:
            for r in range(n_rows):
                activation_forward(a + r * a_row, z + r * z_row, n_cols, kind, p)
    elif kind == ROW_SOFTMAX:
        softmax_rows(a, <real *> NULL, z, n_rows, n_cols, a_row, z_row)
    elif kind == ROW_LOG_SOFTMAX:
        log_softmax_rows(a, z, n_rows, n_cols, a_row, z_row)
    elif kind == ROW_SPARSEMAX:
        for r in range(n_rows):
            sparsemax_row(a + r * a_row, z + r * z_row, n_cols)
    elif kind == ROW_GLU:
        for r in range(n_rows):
            glu_row(a + r * a_row, z + r * z_row, n_cols // 2)


cdef inline void derive_rows(int kind, const double *parameters, real *delta, const real *da, const real *z,
                             const real *a, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t row) noexcept nogil:
    """delta[r, :] = da[r, :] . dg/dz, all with the same stride; delta may be da."""
    cdef real p[3]
    cdef Py_ssize_t r
    for r in range(3):
        p[r] = <real> parameters[r]
    if kind == ACTIVATION_LINEAR and delta == da:
        return
    if activation_is_elementwise(kind):
        activation_backward(delta, da, z, a, n_rows * row - (row - n_cols) if n_rows > 0 else 0, kind, p)
        return
    for r in range(n_rows):
        if kind == ROW_SOFTMAX:
            softmax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)
        elif kind == ROW_LOG_SOFTMAX:
            log_softmax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)
        elif kind == ROW_SPARSEMAX:
            sparsemax_row_backward(delta + r * row, da + r * row, a + r * row, n_cols)
