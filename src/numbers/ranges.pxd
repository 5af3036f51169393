# Whether numbers are what they may be, told in one pass without a branch, so that it runs in vectors. Floor 1.

from libc.stdint cimport int32_t, int64_t, uint64_t

from simd cimport real

ctypedef fused whole_number:
    int32_t
    int64_t


cdef inline bint all_indices(const int64_t *order, Py_ssize_t n) noexcept nogil:
    """Whether each is one of 0 .. n - 1: neither it nor its distance from the last has the sign of the negative."""
    cdef Py_ssize_t i
    cdef int64_t signs = 0
    for i in range(n):
        signs |= order[i] | <int64_t> (<uint64_t> (n - 1) - <uint64_t> order[i])
    return signs >= 0


cdef inline bint all_labels(const int32_t *labels, Py_ssize_t n, Py_ssize_t n_classes, double ignored) noexcept nogil:
    """Whether each entry is one of 0 .. n_classes - 1, or the class that is ignored (NaN: there is none)."""
    cdef Py_ssize_t i
    cdef int32_t last = <int32_t> min(n_classes - 1, <Py_ssize_t> 2147483647)
    cdef int32_t passes = <int32_t> ignored if -2147483648.0 <= ignored <= 2147483647.0 else 0
    cdef int outside = n_classes < 1 and n > 0 and passes == 0
    for i in range(n):
        outside |= ((labels[i] < 0) | (labels[i] > last)) & (labels[i] != passes)
    return not outside


cdef inline bint narrowed_labels(int32_t *labels, const whole_number *given, Py_ssize_t n, int64_t last) noexcept nogil:
    """labels[i] = given[i], and whether each is one of 0 .. last"""
    cdef Py_ssize_t i
    cdef int outside = 0
    for i in range(n):
        outside |= (given[i] < 0) | (given[i] > last)
        labels[i] = <int32_t> given[i]
    return not outside


cdef inline bint all_within(const real *x, Py_ssize_t n, real low, real high) noexcept nogil:
    """Whether low <= x[i] <= high"""
    cdef Py_ssize_t i
    cdef int outside = 0
    for i in range(n):
        outside |= (x[i] < low) | (x[i] > high)
    return not outside


cdef inline bint all_of_two(const real *x, Py_ssize_t n, real one, real other) noexcept nogil:
    """Whether each is one of two numbers"""
    cdef Py_ssize_t i
    cdef int outside = 0
    for i in range(n):
        outside |= (x[i] != one) & (x[i] != other)
    return not outside


cdef inline bint rows_add_up(const real *x, Py_ssize_t n_rows, Py_ssize_t n, double rounding) noexcept nogil:
    """Whether the numbers of each row add up to 1"""
    cdef Py_ssize_t r, c
    cdef double total
    cdef int outside = 0
    for r in range(n_rows):
        total = 0
        for c in range(n):
            total += x[r * n + c]
        outside |= (total < 1 - rounding) | (total > 1 + rounding)
    return not outside
