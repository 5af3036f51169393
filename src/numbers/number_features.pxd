# Numbers of tables as features for a network: scaled and bent to lie within limits, and cut into pieces. Floor 1.

from libc.math cimport isnan, sqrt
from libc.string cimport memcpy

ctypedef struct NumberColumn:
    Py_ssize_t source           # its column of the matrix
    Py_ssize_t place            # of the number itself among the features; negative for none
    double center, factor
    Py_ssize_t first            # of the features that are the same for all numbers of a piece, side by side,
    Py_ssize_t count
    const float *steps          # and what they are: (pieces, count), with one more row for a missing number
    Py_ssize_t n_pieces         # at least 1
    const double *edges         # (pieces + 1), between which they lie
    const Py_ssize_t *places    # (pieces) of the feature that grows along each; negative for none
    const double *centers       # (pieces) of these
    const double *factors


cdef inline float scaled(double x, double center, double factor) noexcept nogil:
    """z / sqrt(1 + (z / 3)^2), z = (x - center) factor; 0 for NaN"""
    cdef double far = 1e100  # beyond, z is at its limit, and squares would leave the range of double
    cdef double z = (x - center) * factor
    cdef double part
    if isnan(z):
        return 0
    z = min(max(z, -far), far)
    part = z / 3
    return <float> (z / sqrt(1 + part * part))


cdef inline Py_ssize_t piece_of(const double *edges, Py_ssize_t n, double x) noexcept nogil:
    """The last of n pieces that begins at or before x, else the first: as many steps for every x, without a branch."""
    cdef Py_ssize_t first = 0, half
    while n > 1:
        half = n // 2
        first += half if edges[first + half] <= x else 0
        n -= half
    return first


cdef inline void number_features(float *y, const NumberColumn *column, double x) noexcept nogil:
    """The features y of one number"""
    cdef Py_ssize_t piece = column.n_pieces if isnan(x) else piece_of(column.edges, column.n_pieces, x)
    cdef double share
    memcpy(y + column.first, column.steps + piece * column.count, column.count * sizeof(float))
    if column.place >= 0:
        y[column.place] = scaled(x, column.center, column.factor)
    if piece < column.n_pieces and column.places[piece] >= 0:
        share = (x - column.edges[piece]) / (column.edges[piece + 1] - column.edges[piece])
        y[column.places[piece]] = scaled(min(max(share, 0.0), 1.0), column.centers[piece], column.factors[piece])


cdef inline void table_features(float *y, const double *x, const NumberColumn *columns, Py_ssize_t n_columns,
                                Py_ssize_t n_rows, Py_ssize_t x_width, Py_ssize_t y_width) noexcept nogil:
    """Rows y of features from rows x of numbers"""
    cdef Py_ssize_t _r, i
    for _r in range(n_rows):
        for i in range(n_columns):
            number_features(y, &columns[i], x[columns[i].source])
        x += x_width
        y += y_width
