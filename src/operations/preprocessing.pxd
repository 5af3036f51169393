# What prepares numbers and categories inside a network: scaling by known statistics, bins, indicators. Floor 1.
# Encoding and discretizing are steps: no gradient passes them.

from libc.math cimport sqrt
from libc.string cimport memset

from embedding cimport report_out_of_range, row_number
from plan cimport RESCALE, Operation, Sizes, Step
from simd cimport real
from step cimport has_shape, same_shape, tensor_of

cdef extern from *:
    """
    static const double SMALLEST_DEVIATION = 1e-7; /* Keras's: nothing is divided by less */
    """
    const double SMALLEST_DEVIATION

# Tensors of scaling; as integers, the size of each: one for each column, or one for all.
cdef enum:
    FACTORS = 0   # rescale
    OFFSETS
    MEANS = 0     # standardize
    VARIANCES
    UNDONE        # integers: whether it is undone

# Integers.
cdef enum:
    ENCODING = 0  # encode: how
    TOGETHER      # and how many numbers make one row of y
    N_BOUNDARIES = 0  # discretize

cdef enum:
    BOUNDARIES = 0  # tensors of discretize

cdef enum Encoding:
    INDICATORS   # 1 where a number occurs
    COUNTS       # how often it occurs


cdef inline bint column_values_fit(const Sizes *s, int which) noexcept nogil:
    cdef Py_ssize_t size = s.operation.integers[which]
    return (size == 1 or size == s.input.width) and has_shape(s, which, size, 1)


cdef inline bint scaling_fits(const Sizes *s) noexcept nogil:
    return same_shape(s) and column_values_fit(s, 0) and column_values_fit(s, 1)


cdef inline double column_value(const Step *s, real **tensors, int which, Py_ssize_t c) noexcept nogil:
    """What a column has of a tensor."""
    return tensor_of(s, tensors, which)[c if s.operation.integers[which] > 1 else 0]


cdef inline double scaling_factor(const Step *s, real **tensors, Py_ssize_t c) noexcept nogil:
    """dy/dx of a column."""
    cdef double deviation
    if s.operation.kind == RESCALE:
        return column_value(s, tensors, FACTORS, c)
    deviation = max(sqrt(column_value(s, tensors, VARIANCES, c)), SMALLEST_DEVIATION)
    return deviation if s.operation.integers[UNDONE] else 1 / deviation


cdef inline void scaling_forward(const Step *s, real **tensors) noexcept nogil:
    """Rescale: y = x scale + offset. Standardize: y = (x - mean) / s, s = max(deviation, 1e-7); undone: x s + mean"""
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef Py_ssize_t r, c
    cdef double factor, before, after
    for c in range(s.input.width):
        factor, before, after = scaling_factor(s, tensors, c), 0, 0
        if s.operation.kind == RESCALE:
            after = column_value(s, tensors, OFFSETS, c)
        elif s.operation.integers[UNDONE]:
            after = column_value(s, tensors, MEANS, c)
        else:
            before = column_value(s, tensors, MEANS, c)
        for r in range(s.n_rows):
            y[r * s.y_row + c] = <real> ((x[r * s.x_row + c] - before) * factor + after)


cdef inline void scaling_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy times the column's factor"""
    cdef const real *dy = <const real *> s.dy
    cdef real *dx = <real *> s.dx
    cdef Py_ssize_t r, c
    cdef double factor
    if dx == NULL:
        return
    for c in range(s.input.width):
        factor = scaling_factor(s, tensors, c)
        for r in range(s.n_rows):
            dx[r * s.x_row + c] = <real> (dy[r * s.y_row + c] * factor + (dx[r * s.x_row + c] if s.adds_dx else 0))


cdef inline bint encode_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t together = s.operation.integers[TOGETHER]
    return (together > 0 and s.input.width % together == 0
            and s.input.rows * (s.input.width // together) == s.output.rows)


cdef inline void encode_forward(const Step *s, real **tensors) noexcept nogil:
    """y[t] = 1 if t is among the row's numbers, else 0; or how often it is"""
    cdef Py_ssize_t n_tokens = s.output.width, together = s.operation.integers[TOGETHER], r, c, number
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    for r in range(s.n_rows):
        for c in range(s.input.width):
            if c % together == 0:
                memset(y, 0, n_tokens * sizeof(real))
            number = row_number(x[r * s.x_row + c], n_tokens)
            if number < 0:
                report_out_of_range(s)
            elif s.operation.integers[ENCODING] == COUNTS:
                y[number] += 1
            else:
                y[number] = 1
            if c % together == together - 1:
                y += s.y_row


cdef inline bint discretize_fits(const Sizes *s) noexcept nogil:
    return same_shape(s) and has_shape(s, BOUNDARIES, s.operation.integers[N_BOUNDARIES], 1)


cdef inline Py_ssize_t boundaries_up_to(real x, const real *boundaries, Py_ssize_t n) noexcept nogil:
    """How many boundaries, which ascend, are not above x."""
    cdef Py_ssize_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) // 2
        if boundaries[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void discretize_forward(const Step *s, real **tensors) noexcept nogil:
    """y = number of boundaries that are not above x"""
    cdef const real *boundaries = tensor_of(s, tensors, BOUNDARIES)
    cdef const real *x = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef Py_ssize_t r, c
    for r in range(s.n_rows):
        for c in range(s.input.width):
            y[r * s.y_row + c] = <real> boundaries_up_to(x[r * s.x_row + c], boundaries,
                                                         s.operation.integers[N_BOUNDARIES])
