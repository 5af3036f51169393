# What the estimators of tables compute beside their networks. Floor 2.

from means cimport weighted_sums
from number_features cimport NumberColumn, table_features


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


cdef class NumberFeatures:
    """The features that columns of numbers become.

    Parameters
    ----------
    n_numbers : int
        Columns of the matrices that are given.
    n_features : int
        Columns of those that are filled.
    columns : sequence of NumberColumn
        As cnn_core/sklearn/tabular/table_features.py describes them.
    """
    cdef NumberColumn *columns
    cdef Py_ssize_t n_columns, n_numbers, n_features
    cdef list kept_alive

    def __cinit__(self, Py_ssize_t n_numbers, Py_ssize_t n_features, columns):
        self.n_numbers, self.n_features, self.n_columns, self.kept_alive = n_numbers, n_features, len(columns), []
        self.columns = <NumberColumn *> allocate(self.n_columns, sizeof(NumberColumn))
        for i, column in enumerate(columns):
            self.fill(&self.columns[<Py_ssize_t> i], column)

    def __dealloc__(self):
        free(self.columns)

    def __reduce__(self):
        raise TypeError("It is memory of this process: pickle what it was made of")

    cdef int fill(self, NumberColumn *target, object column) except -1:
        cdef Py_ssize_t i
        target.source, target.place, target.first = column.source, column.place, column.first
        target.center, target.factor = column.center, column.factor
        target.n_pieces, target.count = len(column.places), column.steps.shape[1]
        target.steps = <const float *> self.held(column.steps, np.float32, (target.n_pieces + 1) * target.count)
        target.edges = <const double *> self.held(column.edges, np.float64, target.n_pieces + 1)
        target.places = <const Py_ssize_t *> self.held(column.places, np.intp, target.n_pieces)
        target.centers = <const double *> self.held(column.centers, np.float64, target.n_pieces)
        target.factors = <const double *> self.held(column.factors, np.float64, target.n_pieces)
        if not (0 <= target.source < self.n_numbers and target.n_pieces > 0 and target.place < self.n_features
                and 0 <= target.first <= self.n_features - target.count):
            raise ValueError("a column of numbers must lie in the matrices")
        for i in range(target.n_pieces):
            if target.places[i] >= self.n_features:
                raise ValueError("a feature of a piece must lie in the matrix")
        return 0

    cdef void *held(self, array, dtype, Py_ssize_t size) except? NULL:
        self.kept_alive.append(array)
        return data_of(array, np.dtype(dtype), size)

    def __call__(self, numbers, features):
        """Writes the features of rows of float64 into rows of float32; other features are left as they are."""
        cdef Py_ssize_t n = len(numbers)
        cdef const double *x = <const double *> data_of(numbers, np.dtype(np.float64), n * self.n_numbers)
        cdef float *y = <float *> data_of(features, np.dtype(np.float32), n * self.n_features, True)
        with nogil:
            table_features(y, x, self.columns, self.n_columns, n, self.n_numbers, self.n_features)
