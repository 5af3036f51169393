# Values that come from no buffer: constants, and random numbers that are drawn in every run, training or not. Floor 1.

from libc.math cimport floor
from libc.stdint cimport uint64_t

from noise cimport seed_of, step_of
from plan cimport Operation, Sizes, Step
from random cimport normal_numbers, truncated_normal_numbers, uniform_numbers
from rows cimport copy_rows
from simd cimport real

# Constants.

cdef inline bint constant_fits(const Sizes *s) noexcept nogil:
    return s.operation.n_inputs == 0 and s.operation.n_constants == s.output.rows * s.output.width


cdef inline void constant_forward(const Step *s, real **tensors) noexcept nogil:
    """y = the constants, the same for every sample"""
    cdef Py_ssize_t r, c
    for r in range(s.n_rows):
        for c in range(s.output.width):
            (<real *> s.y)[r * s.y_row + c] = <real> s.operation.constants[r % s.output.rows * s.output.width + c]


# Random numbers. Integers are numbered as those of noise: stream, whether it is the layer's own; then the kind.

cdef enum:
    DISTRIBUTION = 2

cdef enum:
    NORMAL
    TRUNCATED_NORMAL  # numbers within two standard deviations of the mean
    UNIFORM           # the highest is not drawn
    BERNOULLI         # 1 with some probability, else 0
    WHOLE             # the highest is not drawn
    DISTRIBUTION_COUNT


# What the reals are, by the distribution.
cdef enum:
    MEAN = 0
    DEVIATION = 1

cdef enum:
    LOWEST = 0
    HIGHEST = 1

cdef enum:
    PROBABILITY = 0


cdef inline void name_distributions(const char **names) noexcept nogil:
    names[NORMAL] = "normal"
    names[TRUNCATED_NORMAL] = "truncated_normal"
    names[UNIFORM] = "uniform"
    names[BERNOULLI] = "bernoulli"
    names[WHOLE] = "integers"


cdef inline bint random_fits(const Sizes *s) noexcept nogil:
    return s.operation.n_inputs == 0 and 0 <= s.operation.integers[DISTRIBUTION] < DISTRIBUTION_COUNT


cdef inline void random_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """The numbers side by side, before they are spread over padded rows"""
    operation.scratch = s.output.rows * s.output.width


cdef inline void shape_numbers(real *numbers, Py_ssize_t n, int distribution, const double *reals) noexcept nogil:
    """From standard normal numbers, or uniform ones in [0, 1), to those of the distribution"""
    cdef Py_ssize_t i
    for i in range(n):
        if distribution == BERNOULLI:
            numbers[i] = numbers[i] < <real> reals[PROBABILITY]
        elif distribution == NORMAL or distribution == TRUNCATED_NORMAL:
            numbers[i] = <real> (reals[MEAN] + reals[DEVIATION] * numbers[i])
        else:
            numbers[i] = <real> (reals[LOWEST] + (reals[HIGHEST] - reals[LOWEST]) * numbers[i])
            if distribution == WHOLE:
                numbers[i] = <real> min(floor(numbers[i]), reals[HIGHEST] - 1)


cdef inline void random_forward(const Step *s, real **tensors) noexcept nogil:
    """y = random numbers; element i of a batch is number i of the operation's stream"""
    cdef int distribution = <int> s.operation.integers[DISTRIBUTION]
    cdef uint64_t seed = seed_of(s.operation, s.workspace), step = step_of(s.operation, s.workspace)
    cdef Py_ssize_t size = s.output.rows * s.output.width, n = s.workspace.n * size, first = s.workspace.first * size
    cdef real *numbers = <real *> s.scratch
    if distribution == NORMAL:
        normal_numbers(numbers, n, first, seed, step)
    elif distribution == TRUNCATED_NORMAL:
        truncated_normal_numbers(numbers, n, first, seed, step)
    else:
        uniform_numbers(numbers, n, first, seed, step)
    shape_numbers(numbers, n, distribution, s.operation.reals)
    copy_rows(<real *> s.y, <const real *> numbers, s.n_rows, s.output.width, s.y_row, s.output.width)
