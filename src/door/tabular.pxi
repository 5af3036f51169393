# What the estimators of tables compute beside their networks. Floor 2.

from means cimport weighted_sums


def weighted_mean(x, shares, low, high):
    """The weighted mean of x between `low` and `high`: float64 of shape (n, columns), the same of one row as of many.

    x is float32 of shape (n, members, columns); `low` and `high` are float32 of shape (members, columns).
    """
    n, members, columns = x.shape
    result = np.empty((n, columns))
    cdef double *sums = <double *> cnp.PyArray_DATA(result)
    cdef const float *values = <const float *> data_of(x, np.dtype(np.float32), -1)
    cdef const double *factors = <const double *> data_of(shares, np.dtype(np.float64), members)
    cdef const float *least = <const float *> data_of(low, np.dtype(np.float32), members * columns)
    cdef const float *most = <const float *> data_of(high, np.dtype(np.float32), members * columns)
    cdef Py_ssize_t n_rows = n, n_members = members, n_cols = columns
    with nogil:
        weighted_sums(sums, values, factors, least, most, n_rows, n_members, n_cols)
    return result
