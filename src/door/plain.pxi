# What users pass, where native code can take it as it stands: nothing is converted, and nothing is wrong. Floor 2.

from libc.stdint cimport int32_t, int64_t

from ranges cimport narrowed_labels
from simd cimport all_finite as check_finite


cdef bint is_plain(object x, int kind, Py_ssize_t width) noexcept:
    """Whether x is an array of shape (n > 0, width), finite, of a real dtype, and its memory what native code assumes.

    Subclasses mean more than their memory says: a masked array has its mask.
    """
    cdef cnp.ndarray array
    cdef Py_ssize_t n
    cdef void *data
    cdef bint finite
    if not (cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(x) == kind and cnp.PyArray_NDIM(x) == 2
            and cnp.PyArray_ISCARRAY_RO(x)):
        return False
    array = x
    n = cnp.PyArray_SIZE(array)
    if cnp.PyArray_DIM(array, 1) != width or n == 0:
        return False
    data = cnp.PyArray_DATA(array)
    with nogil:
        finite = check_finite(<float *> data, n) if kind == cnp.NPY_FLOAT32 else check_finite(<double *> data, n)
    return finite


cdef object plain_labels(object y, Py_ssize_t n_classes):
    """A vector or column of labels from 0 to n_classes - 1 as a new vector of int32; None if y is anything else."""
    cdef cnp.ndarray given, labels
    cdef Py_ssize_t n
    cdef int64_t last = min(n_classes - 1, <Py_ssize_t> 2147483647)
    cdef bint fits
    if not (cnp.PyArray_CheckExact(y) and cnp.PyArray_TYPE(y) in (cnp.NPY_INT32, cnp.NPY_INT64)
            and cnp.PyArray_ISCARRAY_RO(y) and 1 <= cnp.PyArray_NDIM(y) <= 2):
        return None
    given = y
    n = cnp.PyArray_DIM(given, 0)
    if n == 0 or cnp.PyArray_SIZE(given) != n:
        return None
    labels = np.empty(n, _columns_dtype)
    if cnp.PyArray_TYPE(given) == cnp.NPY_INT32:
        fits = narrowed_labels(<int32_t *> cnp.PyArray_DATA(labels), <int32_t *> cnp.PyArray_DATA(given), n, last)
    else:
        fits = narrowed_labels(<int32_t *> cnp.PyArray_DATA(labels), <int64_t *> cnp.PyArray_DATA(given), n, last)
    return labels if fits else None


def reads_in_place(object x, object dtype, Py_ssize_t width):
    """Whether x is a plain array of finite rows of this width and real dtype, which native code reads in place."""
    return is_plain(x, real_dtype(dtype).num, width)


def labels_as_they_are(object y, Py_ssize_t n_classes):
    """Plain labels from 0 to n_classes - 1 as a new vector of int32; None if y is anything else."""
    return plain_labels(y, n_classes)
