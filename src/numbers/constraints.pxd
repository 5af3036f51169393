# Constraints: projections applied to a parameter after the optimizer's step. Floor 1.

from libc.math cimport sqrt

from simd cimport real

cdef enum:
    MOST_CONSTRAINTS = 8           # kinds
    MOST_CONSTRAINT_PARAMETERS = 3

cdef extern from *:
    """
    static const double NORM_EPSILON = 1e-7; /* Keras's: no norm is divided by zero */
    """
    const double NORM_EPSILON

ctypedef double (*WantedNorm)(double norm, const double *p) noexcept nogil

cdef struct ConstraintTraits:
    const char *name
    WantedNorm wanted_norm         # NULL for what does not go by the norm
    int n_parameters

cdef struct Constraint:
    # What is asked of one tensor.
    const ConstraintTraits *traits  # NULL for nothing
    int axis
    double parameters[MOST_CONSTRAINT_PARAMETERS]
    void *custom                   # the Python object of a custom one


# The norm that a vector gets instead of its own; p the parameters.

cdef inline double norm_below(double norm, const double *p) noexcept nogil:
    """p: maximum"""
    return min(max(norm, 0.0), p[0])


cdef inline double norm_of_one(double norm, const double *p) noexcept nogil:
    return 1


cdef inline double norm_between(double norm, const double *p) noexcept nogil:
    """p: minimum, maximum, rate"""
    return p[2] * min(max(norm, p[0]), p[1]) + (1 - p[2]) * norm


cdef inline int list_constraints(ConstraintTraits *rows) noexcept nogil:
    """A row for every constraint: its name, the norm that it wants, how many parameters; returns how many rows."""
    rows[0] = ConstraintTraits("non_negative", NULL, 0)
    rows[1] = ConstraintTraits("max_norm", norm_below, 1)
    rows[2] = ConstraintTraits("unit_norm", norm_of_one, 0)
    rows[3] = ConstraintTraits("min_max_norm", norm_between, 3)
    rows[4] = ConstraintTraits("custom", NULL, 0)
    return 5


cdef inline void constrain(real *w, Py_ssize_t n_rows, Py_ssize_t n_cols, const Constraint *constraint) noexcept nogil:
    """w (n_rows, n_cols): every column (axis 0), every row (axis 1) or the whole (axis -1) is scaled to its norm.

    What does not go by the norm makes negative numbers 0.
    """
    cdef Py_ssize_t i, j, outer, inner, outer_step, inner_step
    cdef double squares, norm, factor
    if constraint.traits.wanted_norm == NULL:
        for i in range(n_rows * n_cols):
            w[i] = w[i] if w[i] > 0 else 0
        return
    if constraint.axis == 0:
        outer, inner, outer_step, inner_step = n_cols, n_rows, 1, n_cols
    elif constraint.axis == 1:
        outer, inner, outer_step, inner_step = n_rows, n_cols, n_cols, 1
    else:
        outer, inner, outer_step, inner_step = 1, n_rows * n_cols, 0, 1
    for i in range(outer):
        squares = 0
        for j in range(inner):
            squares += <double> w[i * outer_step + j * inner_step] * w[i * outer_step + j * inner_step]
        norm = sqrt(squares)
        factor = constraint.traits.wanted_norm(norm, constraint.parameters) / (NORM_EPSILON + norm)
        for j in range(inner):
            w[i * outer_step + j * inner_step] = <real> (w[i * outer_step + j * inner_step] * factor)
