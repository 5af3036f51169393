# The shuffle of numpy.random.RandomState, whose stream NumPy promises never to change. Floor 1.
# Estimators that must visit samples in the order in which scikit-learn does draw it here, without the interpreter.

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct BitGenerator:
    # As NumPy's bit generators hand them out; their lock is the caller's business.
    void *state
    uint32_t (*next_32)(void *state) noexcept nogil
    uint64_t (*next_64)(void *state) noexcept nogil


cdef inline uint64_t draw_up_to(BitGenerator *bits, uint64_t most, uint64_t mask) noexcept nogil:
    """A number of 0 .. most: words under the smallest mask that covers `most`, until one is not too large."""
    cdef uint64_t word = most + 1
    while word > most:
        if mask >> 32 == 0:
            word = bits.next_32(bits.state) & mask
        else:
            word = bits.next_64(bits.state) & mask
    return word


cdef inline void shuffle_order(BitGenerator *bits, int64_t *order, Py_ssize_t n) noexcept nogil:
    """Swaps the last entry with one drawn from all, then the one before it with one up to there, and so on."""
    cdef uint64_t mask = 1
    cdef Py_ssize_t i, j
    while mask < <uint64_t> n:
        mask = 2 * mask + 1
    for i in range(n - 1, 0, -1):
        while mask >> 1 >= <uint64_t> i:
            mask >>= 1
        j = <Py_ssize_t> draw_up_to(bits, i, mask)
        order[i], order[j] = order[j], order[i]
