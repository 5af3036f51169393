# Random numbers that a seed and a stream fix. Floor 2.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from random cimport dropout_mask as fill_dropout_mask
from random cimport count_up, normal_numbers, shuffle
from random cimport philox as fill_philox


def shuffled(Py_ssize_t n, uint64_t seed, uint64_t stream, object out=None):
    """The numbers 0 .. n - 1 in an order that (seed, stream) fixes."""
    order = np.empty(n, np.int64) if out is None else out
    cdef int64_t *data = <int64_t *> data_of(order, _indices_dtype, n, True)
    if out is None:
        count_up(data, n)
    with nogil:
        shuffle(data, n, seed, stream)
    return order


def philox(object counter, object key):
    """One block of Philox4x32-10: four 32-bit words from a counter (128 bits) and a key (64 bits)."""
    cdef uint32_t words[4]
    cdef object low = counter & 0xFFFFFFFFFFFFFFFF, high = counter >> 64
    fill_philox(words, low, high, key)
    return [words[0], words[1], words[2], words[3]]


cdef int check_stream(Py_ssize_t first_index) except -1:
    if first_index < 0:
        raise ValueError(f"`first_index` must not be negative. Received: {first_index}")
    return 0


def dropout_mask(Py_ssize_t n, double rate, uint64_t seed, uint64_t stream, str dtype="float32",
                 Py_ssize_t first_index=0):
    """A dropout mask: 0 with probability `rate`, else 1 / (1 - rate)."""
    check_stream(first_index)
    mask = np.empty(n, real_dtype(dtype))
    if mask.dtype == np.float32:
        fill_dropout_mask(<float *> cnp.PyArray_DATA(mask), n, first_index, rate, <float> (1 / (1 - rate)), seed,
                          stream)
    else:
        fill_dropout_mask(<double *> cnp.PyArray_DATA(mask), n, first_index, rate, 1 / (1 - rate), seed, stream)
    return mask


def normal(Py_ssize_t n, uint64_t seed, uint64_t stream, str dtype="float64", Py_ssize_t first_index=0):
    """Standard normal numbers."""
    check_stream(first_index)
    numbers = np.empty(n, real_dtype(dtype))
    if numbers.dtype == np.float32:
        normal_numbers(<float *> cnp.PyArray_DATA(numbers), n, first_index, seed, stream)
    else:
        normal_numbers(<double *> cnp.PyArray_DATA(numbers), n, first_index, seed, stream)
    return numbers
