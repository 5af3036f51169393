# NumPy arrays as the memory that native code reads and writes. Floor 2.
# Checks types and sizes, on which memory safety depends; messages for users are Python's.

from libc.stdlib cimport calloc
from plan cimport SparseRows

# Lists are filled in place: where a list comprehension finds no memory to grow, Cython 3.3.1 gives its last object up
# twice, and a later allocation crashes.

_columns_dtype, _indices_dtype, _rates_dtype = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.float64)

cdef void *data_of(object array, object dtype, Py_ssize_t size, bint written=False) except? NULL:
    """The address of an array in the order, dtype and size that native code will assume; a negative size is any."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or not cnp.PyArray_ISCARRAY_RO(array):
        raise TypeError(f"expected an aligned, C-contiguous array of {dtype}. Received: {array!r}")
    if written and not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError("expected an array that can be written. Received: a read-only one")
    if size >= 0 and array.size != size:
        raise ValueError(f"expected {size} elements. Received: shape={array.shape}")
    return cnp.PyArray_DATA(array)


def address_of(cnp.ndarray array not None):
    """Where an array begins in memory: NumPy's own ways to ask take as long as making the array."""
    return <size_t> cnp.PyArray_DATA(array)


cdef bint is_sparse(object rows):
    """Whether an input is cnn_core.data.rows.SparseRows."""
    return not isinstance(rows, np.ndarray) and hasattr(rows, "indptr")


cdef list fill_sparse_rows(SparseRows *target, object rows, object dtype, Py_ssize_t n):
    """Points at n sparse rows, whose indices are looked at when they are used; returns what must stay alive."""
    data, indices, indptr = rows.data, rows.indices, rows.indptr
    target.data = data_of(data, dtype, -1)
    target.indices = <const int32_t *> data_of(indices, _columns_dtype, -1)
    target.indptr = <const int64_t *> data_of(indptr, _indices_dtype, n + 1)
    target.n_stored, target.n_rows = min(len(data), len(indices)), n
    target.order, target.first = NULL, 0
    return [data, indices, indptr]


cdef object real_dtype(object dtype):
    """The dtype, if native code computes in it."""
    found = np.dtype(dtype)
    if found != np.float32 and found != np.float64:
        raise TypeError(f"expected float32 or float64. Received: {dtype!r}")
    return found


cdef int check_length(object values, Py_ssize_t least, Py_ssize_t most, str name) except -1:
    """For arrays of a fixed size in native structures."""
    if not least <= len(values) <= most:
        raise ValueError(f"`{name}` must have {least} to {most} entries. Received: {len(values)}")
    return 0


cdef void *allocate(Py_ssize_t count, size_t size) except NULL:
    cdef void *memory = calloc(max(count, <Py_ssize_t> 1), size)
    if memory == NULL:
        raise MemoryError
    return memory


cdef extern from "Python.h":
    ctypedef struct PyFloatObject:
        double ob_fval


def set_float(object number, double value):
    """Gives a float of a subclass another value, as NumPy does with its own; a plain float may be shared by anybody."""
    if type(number) is float or not isinstance(number, float):
        raise TypeError(f"expected a float of a subclass. Received: {number!r}")
    (<PyFloatObject *> number).ob_fval = value


cdef int raise_kept_error(list custom_objects) except -1:
    """Raises what a custom object raised while native code was calling it."""
    for custom in custom_objects:
        error = getattr(custom, "error", None)
        if error is not None:
            custom.error = None
            raise error
    raise RuntimeError("a custom object failed without leaving an error")
