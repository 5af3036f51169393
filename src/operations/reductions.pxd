# Reductions: many numbers of a sample to one, or those of all samples of a batch to one for each. Floor 1.
# What a batch is reduced to stands in the output once for every sample, and its delta is the sum of theirs.

from libc.math cimport INFINITY, exp, isinf, log

from plan cimport Operation, Sizes, Step
from simd cimport real, row_sum, vector_exp

# Integers.
cdef enum:
    AGGREGATE
    GROUP       # rows of the input that make one number

cdef enum:      # what numbers are reduced to
    SUM
    MEAN
    PRODUCT
    LARGEST
    SMALLEST
    LOG_SUM_EXP
    ANY
    ALL
    PLACE_OF_LARGEST
    PLACE_OF_SMALLEST
    AGGREGATE_COUNT

cdef enum:
    CHUNK = 64  # elements of a row at a time


cdef inline const char *aggregate_name(int aggregate) noexcept nogil:
    """NumPy's names."""
    if aggregate == SUM:
        return "sum"
    if aggregate == MEAN:
        return "mean"
    if aggregate == PRODUCT:
        return "prod"
    if aggregate == LARGEST:
        return "max"
    if aggregate == SMALLEST:
        return "min"
    if aggregate == LOG_SUM_EXP:
        return "logsumexp"
    if aggregate == ANY:
        return "any"
    if aggregate == ALL:
        return "all"
    return "argmax" if aggregate == PLACE_OF_LARGEST else "argmin"


cdef struct Group:
    # Numbers that are reduced to one: rows of n_cols elements, `row` elements apart.
    Py_ssize_t n_rows
    Py_ssize_t n_cols
    Py_ssize_t row


# Forward.

cdef inline double total_of(const real *x, const Group *g) noexcept nogil:
    cdef Py_ssize_t r
    cdef double total = 0
    for r in range(g.n_rows):
        total += row_sum(x + r * g.row, g.n_cols) if g.n_cols > 1 else x[r * g.row]
    return total


cdef inline double product_of(const real *x, const Group *g) noexcept nogil:
    cdef Py_ssize_t r, c
    cdef double product = 1
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            product *= x[r * g.row + c]
    return product


cdef inline double extremum_of(const real *x, const Group *g, double sign, Py_ssize_t *at) noexcept nogil:
    """The first of the largest numbers, and its place; of the smallest where `sign` is -1. NaN comes before all."""
    cdef double best = -INFINITY, value
    cdef Py_ssize_t r, c
    at[0] = 0
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            value = sign * x[r * g.row + c]
            if value > best or value != value and best == best:
                best, at[0] = value, r * g.n_cols + c
    return sign * best


cdef inline double log_sum_exp(const real *x, const Group *g) noexcept nogil:
    """top + log sum exp(x - top)"""
    cdef real[CHUNK] exponentials
    cdef Py_ssize_t at, r, first, c, n
    cdef double top = extremum_of(x, g, 1, &at), total = 0
    if isinf(top):
        return top
    for r in range(g.n_rows):
        first = 0
        while first < g.n_cols:
            n = min(<Py_ssize_t> CHUNK, g.n_cols - first)
            for c in range(n):
                exponentials[c] = <real> (x[r * g.row + first + c] - top)
            vector_exp(exponentials, <const real *> exponentials, n)
            for c in range(n):
                total += exponentials[c]
            first += n
    return top + log(total)


cdef inline Py_ssize_t count_of_true(const real *x, const Group *g) noexcept nogil:
    cdef Py_ssize_t r, c, count = 0
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            count += x[r * g.row + c] != 0
    return count


cdef inline double reduced(const real *x, const Group *g, int aggregate) noexcept nogil:
    cdef Py_ssize_t size = g.n_rows * g.n_cols, at
    if aggregate == SUM:
        return total_of(x, g)
    if aggregate == MEAN:
        return total_of(x, g) / size
    if aggregate == PRODUCT:
        return product_of(x, g)
    if aggregate == LOG_SUM_EXP:
        return log_sum_exp(x, g)
    if aggregate == ANY:
        return count_of_true(x, g) > 0
    if aggregate == ALL:
        return count_of_true(x, g) == size
    if aggregate == LARGEST or aggregate == SMALLEST:
        return extremum_of(x, g, 1 if aggregate == LARGEST else -1, &at)
    extremum_of(x, g, 1 if aggregate == PLACE_OF_LARGEST else -1, &at)
    return at


# Backward.

cdef inline void share_evenly(real *dx, const Group *g, double d, bint add) noexcept nogil:
    """dx (+)= d"""
    cdef Py_ssize_t r, c
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            dx[r * g.row + c] = <real> d + (dx[r * g.row + c] if add else 0)


cdef inline void share_among_extrema(real *dx, const real *x, const Group *g, double d, real y,
                                     bint add) noexcept nogil:
    """dx (+)= d / m where x = y, m the number of these"""
    cdef Py_ssize_t r, c, count = 0
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            count += x[r * g.row + c] == y
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            dx[r * g.row + c] = (<real> (d / count) if x[r * g.row + c] == y else 0) + (dx[r * g.row + c] if add else 0)


cdef inline void share_by_other_factors(real *dx, const real *x, const Group *g, double d, bint add) noexcept nogil:
    """dx (+)= d times the product of all others, which a factor of zero does not divide"""
    cdef Py_ssize_t r, c, zeros = 0
    cdef double product = 1, value
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            if x[r * g.row + c] == 0:
                zeros += 1
            else:
                product *= x[r * g.row + c]
    for r in range(g.n_rows):
        for c in range(g.n_cols):
            value = x[r * g.row + c]
            if zeros == 0:
                value = d * (product / value)
            else:
                value = d * product if zeros == 1 and value == 0 else 0
            dx[r * g.row + c] = <real> value + (dx[r * g.row + c] if add else 0)


cdef inline void share_by_weights(real *dx, const real *x, const Group *g, double d, double y, bint add) noexcept nogil:
    """dx (+)= d exp(x - y)"""
    cdef real[CHUNK] weights
    cdef Py_ssize_t r, c, first, n
    for r in range(g.n_rows):
        first = 0
        while first < g.n_cols:
            n = min(<Py_ssize_t> CHUNK, g.n_cols - first)
            for c in range(n):
                weights[c] = <real> (x[r * g.row + first + c] - y)
            vector_exp(weights, <const real *> weights, n)
            for c in range(n):
                dx[r * g.row + first + c] = <real> (d * weights[c]) + (dx[r * g.row + first + c] if add else 0)
            first += n


cdef inline void share(real *dx, const real *x, const Group *g, double d, real y, int aggregate,
                       bint add) noexcept nogil:
    """dx (+)= d dy/dx of the numbers x that were reduced to y"""
    if aggregate == SUM:
        share_evenly(dx, g, d, add)
    elif aggregate == MEAN:
        share_evenly(dx, g, d / (g.n_rows * g.n_cols), add)
    elif aggregate == LARGEST or aggregate == SMALLEST:
        share_among_extrema(dx, x, g, d, y, add)
    elif aggregate == PRODUCT:
        share_by_other_factors(dx, x, g, d, add)
    elif aggregate == LOG_SUM_EXP:
        share_by_weights(dx, x, g, d, y, add)
    else:
        share_evenly(dx, g, 0, add)


# Of a sample's rows.

cdef inline bint has_extremum(const Operation *operation) noexcept nogil:
    return operation.integers[AGGREGATE] in (LARGEST, SMALLEST, PLACE_OF_LARGEST, PLACE_OF_SMALLEST)


cdef inline bint reduction_fits(const Sizes *s) noexcept nogil:
    """The output has one number for each group of rows, and nothing is the largest of none"""
    cdef Py_ssize_t group = s.operation.integers[GROUP], size = s.output.rows * s.output.width
    return (0 <= s.operation.integers[AGGREGATE] < AGGREGATE_COUNT and 0 <= group <= s.input.rows
            and (s.input.rows == group * size if group > 0 else s.input.rows == 0)
            and (size == 0 or group * s.input.width > 0 or not has_extremum(s.operation)))


cdef inline Py_ssize_t place_of_number(const Step *s, Py_ssize_t i) noexcept nogil:
    """Where number i of all samples stands in the output."""
    return i // s.output.width * s.y_row + i % s.output.width


cdef inline Group group_of(const Step *s) noexcept nogil:
    cdef Group g
    g.n_rows, g.n_cols, g.row = s.operation.integers[GROUP], s.input.width, s.x_row
    return g


cdef inline void reduction_forward(const Step *s, real **tensors) noexcept nogil:
    """y[i] = the aggregate of group i of rows"""
    cdef Group g = group_of(s)
    cdef Py_ssize_t i
    for i in range(s.workspace.n * s.output.rows * s.output.width):
        (<real *> s.y)[place_of_number(s, i)] = <real> reduced(
            <const real *> s.x + i * g.n_rows * g.row, &g, <int> s.operation.integers[AGGREGATE])


cdef inline void reduction_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy[i] dy[i]/dx for every group i"""
    cdef Group g = group_of(s)
    cdef Py_ssize_t i, at
    for i in range(s.workspace.n * s.output.rows * s.output.width if s.dx != NULL else 0):
        at = place_of_number(s, i)
        share(<real *> s.dx + i * g.n_rows * g.row, <const real *> s.x + i * g.n_rows * g.row, &g,
              (<const real *> s.dy)[at], (<const real *> s.y)[at], <int> s.operation.integers[AGGREGATE], s.adds_dx)


# Over all samples.

cdef inline bint batch_reduction_fits(const Sizes *s) noexcept nogil:
    return (0 <= s.operation.integers[AGGREGATE] < AGGREGATE_COUNT and s.input.rows == s.output.rows
            and s.input.width == s.output.width)


cdef inline void batch_reduction_needs(const Sizes *s, Operation *operation) noexcept nogil:
    operation.whole_batch = True


cdef inline Group samples_of(const Step *s) noexcept nogil:
    """One element of every sample."""
    cdef Group g
    g.n_rows, g.n_cols, g.row = s.workspace.n, 1, s.input.rows * s.x_row
    return g


cdef inline void batch_reduction_forward(const Step *s, real **tensors) noexcept nogil:
    """y[., e] = the aggregate of x[., e], the same for every sample"""
    cdef Group g = samples_of(s)
    cdef Py_ssize_t r, c, sample
    cdef real value
    for r in range(s.input.rows if g.n_rows > 0 else 0):
        for c in range(s.input.width):
            value = <real> reduced(<const real *> s.x + r * s.x_row + c, &g, <int> s.operation.integers[AGGREGATE])
            for sample in range(g.n_rows):
                (<real *> s.y)[(sample * s.output.rows + r) * s.y_row + c] = value


cdef inline void batch_reduction_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx[., e] (+)= the sum of dy[., e] over samples, times dy/dx[., e]"""
    cdef Group g = samples_of(s)
    cdef Py_ssize_t r, c, at
    for r in range(s.input.rows if s.dx != NULL else 0):
        for c in range(s.input.width):
            at = r * s.x_row + c
            share(<real *> s.dx + at, <const real *> s.x + at, &g, total_of(<const real *> s.dy + at, &g),
                  (<const real *> s.y)[at], <int> s.operation.integers[AGGREGATE], s.adds_dx)
