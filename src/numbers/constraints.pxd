# Constraints: projections applied to a parameter after the optimizer's step. Floor 1.

from libc.math cimport sqrt

from simd cimport real

cdef enum ConstraintKind:
    UNCONSTRAINED
    NON_NEGATIVE
    MAX_NORM       # parameters: maximum
    UNIT_NORM
    MIN_MAX_NORM   # parameters: minimum, maximum, rate
    CUSTOM_CONSTRAINT

cdef extern from *:
    """
    static const double NORM_EPSILON = 1e-7; /* Keras's: no norm is divided by zero */
    """
    const double NORM_EPSILON


cdef inline double norm_factor(double norm, int kind, const double *p) noexcept nogil:
    """What a vector of this norm is multiplied by."""
    cdef double wanted
    if kind == MAX_NORM:
        return min(max(norm, 0.0), p[0]) / (NORM_EPSILON + norm)
    if kind == UNIT_NORM:
        return 1 / (NORM_EPSILON + norm)
    wanted = p[2] * min(max(norm, p[0]), p[1]) + (1 - p[2]) * norm
    return wanted / (NORM_EPSILON + norm)


cdef inline void constrain(real *w, Py_ssize_t n_rows, Py_ssize_t n_cols, int kind, int axis,
                           const double *p) noexcept nogil:
    """w (n_rows, n_cols): every column (axis 0), every row (axis 1) or the whole (axis -1) is scaled to its norm."""
    cdef Py_ssize_t i, j, outer, inner, outer_step, inner_step
    cdef double squares, factor
    if kind == NON_NEGATIVE:
        for i in range(n_rows * n_cols):
            w[i] = w[i] if w[i] > 0 else 0
        return
    if axis == 0:
        outer, inner, outer_step, inner_step = n_cols, n_rows, 1, n_cols
    elif axis == 1:
        outer, inner, outer_step, inner_step = n_rows, n_cols, n_cols, 1
    else:
        outer, inner, outer_step, inner_step = 1, n_rows * n_cols, 0, 1
    for i in range(outer):
        squares = 0
        for j in range(inner):
            squares += <double> w[i * outer_step + j * inner_step] * w[i * outer_step + j * inner_step]
        factor = norm_factor(sqrt(squares), kind, p)
        for j in range(inner):
            w[i * outer_step + j * inner_step] = <real> (w[i * outer_step + j * inner_step] * factor)
