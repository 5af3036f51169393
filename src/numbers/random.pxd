# Random numbers by counting: word k of a stream is a function of (seed, stream, k) alone, so threads and blocks share
# a stream without a state, and training resumes anywhere. Floor 1. The generator is Philox4x32-10 of src/simd/random.h
# with the seed as key and (block, stream) as counter. Each use of words draws from blocks of its own, so that nothing
# that is drawn with one seed and stream repeats another use's bits.

from libc.math cimport M_PI, cos, fabs, log, sin, sqrt
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t

from simd cimport cosine_sine, philox_groups, real, vector_log

cdef extern from "simd/random.h" nogil:
    enum:
        PHILOX_BLOCKS
        PHILOX_WORDS
    void philox_block(uint32_t *block, uint64_t key) noexcept

# What words are drawn for.
cdef enum:
    FOR_SHUFFLE
    FOR_LONG_SHUFFLE
    FOR_DROPOUT
    FOR_NORMAL
    FOR_UNIFORM
    FOR_TRUNCATED_NORMAL

cdef enum:
    GROUPS_AT_ONCE = 4
    WORDS_AT_ONCE = 256  # GROUPS_AT_ONCE * PHILOX_WORDS: 1 KiB of stack
    NORMAL_PAIRS = 32    # of a group: PHILOX_WORDS / 2
    LARGEST_ATTEMPT = 64
    BLOCKS_OF_ATTEMPT = 50  # 2^50 numbers before the second attempts at the first ones: 2^56 blocks are a use's own


cdef inline void philox(uint32_t *words, uint64_t counter_low, uint64_t counter_high, uint64_t key) noexcept nogil:
    """words[0:4] = Philox4x32-10 of one counter"""
    words[0] = <uint32_t> counter_low
    words[1] = <uint32_t> (counter_low >> 32)
    words[2] = <uint32_t> counter_high
    words[3] = <uint32_t> (counter_high >> 32)
    philox_block(words, key)


cdef inline uint64_t first_group(int use) noexcept nogil:
    """The group of words with which a use begins: 2^52 groups lie between two uses"""
    return <uint64_t> use << 52


cdef inline uint64_t next_below(uint64_t bound, uint64_t *next_block, uint64_t seed, uint64_t stream) noexcept nogil:
    """An integer in [0, bound), each equally likely, bound > 2^32: 64 bits under the bound's mask until they fit"""
    cdef uint32_t[4] words
    cdef uint64_t drawn, mask = bound - 1
    cdef int shift = 1
    while shift < 64:
        mask |= mask >> shift
        shift *= 2
    while True:
        philox(words, next_block[0], stream, seed)
        next_block[0] += 1
        drawn = (<uint64_t> words[0] << 32 | words[1]) & mask
        if drawn < bound:
            return drawn


cdef inline void swap(int64_t *order, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    cdef int64_t moved = order[j]
    order[j] = order[i]
    order[i] = moved


cdef inline void count_up(int64_t *order, Py_ssize_t n) noexcept nogil:
    """order = 0, 1, ..., n - 1"""
    cdef Py_ssize_t i
    for i in range(n):
        order[i] = i


cdef inline void shuffle(int64_t *order, Py_ssize_t n, uint64_t seed, uint64_t stream) noexcept nogil:
    """order = order permuted, each permutation equally likely (Fisher and Yates)"""
    cdef uint32_t[WORDS_AT_ONCE] words
    cdef uint64_t group = first_group(FOR_SHUFFLE), block = first_group(FOR_LONG_SHUFFLE) * PHILOX_BLOCKS
    cdef uint64_t bound, product
    cdef Py_ssize_t i = n - 1
    cdef int n_groups, k
    while <int64_t> i > <int64_t> UINT32_MAX:
        swap(order, i, <Py_ssize_t> next_below(<uint64_t> i + 1, &block, seed, stream))
        i -= 1
    while i > 0:
        n_groups = <int> min(i // PHILOX_WORDS + 1, GROUPS_AT_ONCE)
        philox_groups(words, group, n_groups, stream, seed)
        group += n_groups
        for k in range(n_groups * PHILOX_WORDS):
            # Lemire, Fast random integer generation in an interval (2019): the upper half of word * bound, unless the
            # lower half is among the first 2^32 mod bound, which would give some integers one chance more than others.
            bound = <uint64_t> i + 1
            product = words[k] * bound
            if <uint32_t> product < bound and <uint32_t> product < ((<uint64_t> 1 << 32) - bound) % bound:
                continue
            swap(order, i, <Py_ssize_t> (product >> 32))
            i -= 1
            if i <= 0:
                break


cdef inline void dropout_mask(real *mask, Py_ssize_t n, Py_ssize_t first_index, double rate, real scale, uint64_t seed,
                              uint64_t stream) noexcept nogil:
    """mask[i] = 0 where word first_index + i of the stream is below rate * 2^32, else scale"""
    cdef uint32_t[WORDS_AT_ONCE] words
    cdef uint32_t threshold = <uint32_t> min(rate * 4294967296.0 + 0.5, 4294967295.0)
    cdef uint64_t group = first_group(FOR_DROPOUT) + <uint64_t> first_index // PHILOX_WORDS
    cdef Py_ssize_t skipped = first_index % PHILOX_WORDS, done = 0, count, i
    while done < n:
        count = min(n - done, WORDS_AT_ONCE - skipped)
        philox_groups(words, group, (skipped + count + PHILOX_WORDS - 1) // PHILOX_WORDS, stream, seed)
        for i in range(count):
            mask[done + i] = scale if words[skipped + i] >= threshold else 0
        done += count
        group += GROUPS_AT_ONCE
        skipped = 0


cdef inline void normal_group(double *numbers, const uint32_t *words) noexcept nogil:
    """numbers (2 i, 2 i + 1) = sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v), u in (0, 1] and v in [0, 1) from the same words

    (Box and Muller, 1958).
    """
    cdef double[NORMAL_PAIRS] radius, cosine, sine
    cdef Py_ssize_t i
    for i in range(NORMAL_PAIRS):
        radius[i] = (<double> words[2 * i] + 1) * (1 / 4294967296.0)
        cosine[i] = <double> words[2 * i + 1] * (1 / 4294967296.0)
    vector_log(radius, <const double *> radius, NORMAL_PAIRS)
    cosine_sine(cosine, sine, <const double *> cosine, NORMAL_PAIRS)
    for i in range(NORMAL_PAIRS):
        radius[i] = sqrt(-2 * radius[i])
        numbers[2 * i] = radius[i] * cosine[i]
        numbers[2 * i + 1] = radius[i] * sine[i]


cdef inline void normal_numbers(real *numbers, Py_ssize_t n, Py_ssize_t first_index, uint64_t seed,
                                uint64_t stream) noexcept nogil:
    """numbers[i] = number first_index + i of a stream of standard normal numbers"""
    cdef uint32_t[PHILOX_WORDS] words
    cdef double[PHILOX_WORDS] group_numbers
    cdef uint64_t group = first_group(FOR_NORMAL) + <uint64_t> first_index // PHILOX_WORDS
    cdef Py_ssize_t skipped = first_index % PHILOX_WORDS, done = 0, count, i
    while done < n:
        count = min(n - done, PHILOX_WORDS - skipped)
        philox_groups(words, group, 1, stream, seed)
        normal_group(group_numbers, words)
        for i in range(count):
            numbers[done + i] = <real> group_numbers[skipped + i]
        done += count
        group += 1
        skipped = 0


cdef inline void uniform_numbers(real *numbers, Py_ssize_t n, Py_ssize_t first_index, uint64_t seed,
                                 uint64_t stream) noexcept nogil:
    """numbers[i] = number first_index + i of a stream of numbers in [0, 1): a word's 32 bits, 24 of them in float"""
    cdef uint32_t[WORDS_AT_ONCE] words
    cdef int n_bits = 24 if real is float else 32
    cdef real unit = <real> (1.0 / (<uint64_t> 1 << n_bits))
    cdef uint64_t group = first_group(FOR_UNIFORM) + <uint64_t> first_index // PHILOX_WORDS
    cdef Py_ssize_t skipped = first_index % PHILOX_WORDS, done = 0, count, i
    while done < n:
        count = min(n - done, WORDS_AT_ONCE - skipped)
        philox_groups(words, group, (skipped + count + PHILOX_WORDS - 1) // PHILOX_WORDS, stream, seed)
        for i in range(count):
            numbers[done + i] = unit * <real> (words[skipped + i] >> (32 - n_bits))
        done += count
        group += GROUPS_AT_ONCE
        skipped = 0


cdef inline double truncated_normal(uint64_t block, uint64_t seed, uint64_t stream) noexcept nogil:
    """The first of a sequence of standard normal numbers within two standard deviations, one in twenty being outside"""
    cdef uint32_t[4] words
    cdef double radius, number
    cdef int attempt
    for attempt in range(LARGEST_ATTEMPT):
        philox(words, block + (<uint64_t> attempt << BLOCKS_OF_ATTEMPT), stream, seed)
        radius = sqrt(-2 * log((<double> words[0] + 1) * (1 / 4294967296.0)))
        number = radius * cos(2 * M_PI * words[1] * (1 / 4294967296.0))
        if fabs(number) > 2:
            number = radius * sin(2 * M_PI * words[1] * (1 / 4294967296.0))
        if fabs(number) <= 2:
            return number
    return 0


cdef inline void truncated_normal_numbers(real *numbers, Py_ssize_t n, Py_ssize_t first_index, uint64_t seed,
                                          uint64_t stream) noexcept nogil:
    """numbers[i] = number first_index + i of a stream of standard normal numbers within two standard deviations"""
    cdef uint64_t block = first_group(FOR_TRUNCATED_NORMAL) * PHILOX_BLOCKS + <uint64_t> first_index
    cdef Py_ssize_t i
    for i in range(n):
        numbers[i] = <real> truncated_normal(block + <uint64_t> i, seed, stream)
