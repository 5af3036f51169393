# The factors of a product rounded to bfloat16: what is left of mixed precision once sums, weights and results stay
# float. Floor 1.
#
# Where the processor multiplies pairs of bfloat16, factors become matrices of pairs along k, with half as many k;
# elsewhere they stay floats, rounded: the same mathematics by the float kernels.

from libc.stdint cimport uint32_t

from matmul cimport PAIRS, Product, padded_width
from pairs cimport simd_multiplies_pairs, simd_pairs
from simd cimport real
from threads cimport pool_run, pool_width

cdef enum:
    ELEMENTS_PER_TASK = 1 << 16   # some 10 us: waking a thread for less costs more than it saves

ctypedef struct Rounding:
    # n_lines lines of n contiguous floats each, and where they go.
    const float *begin
    float *to
    Py_ssize_t n_lines
    Py_ssize_t n
    Py_ssize_t line
    Py_ssize_t to_line
    bint across                   # pairs of two lines, and not of two neighbours in a line
    Py_ssize_t lines_per_task


cdef inline Py_ssize_t rounded_size(Py_ssize_t n_lines, Py_ssize_t n) noexcept nogil:
    """Elements of room for a matrix, whatever becomes of it."""
    return n_lines * padded_width(n)


cdef inline void round_lines(const Rounding *r, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Those of one task; two at a time, the first of them even, where pairs are of two lines."""
    cdef bint of_two_lines = simd_multiplies_pairs and r.across
    cdef Py_ssize_t i = first, step = 2 if of_two_lines else 1
    cdef const float *line
    cdef const float *none = NULL
    cdef float *to
    while i < last:
        line, to = r.begin + i * r.line, r.to + i // step * r.to_line
        if of_two_lines:
            simd_pairs.interleave(<uint32_t *> to, line, line + r.line if i + 1 < r.n_lines else none, r.n)
        elif simd_multiplies_pairs:
            simd_pairs.pair_up(<uint32_t *> to, line, r.n)
        else:
            simd_pairs.round_values(to, line, r.n)
        i += step


cdef inline void round_task(void *context, Py_ssize_t index) noexcept nogil:
    cdef Rounding *r = <Rounding *> context
    cdef Py_ssize_t first = index * r.lines_per_task
    round_lines(r, first, min(first + r.lines_per_task, r.n_lines))


cdef inline Py_ssize_t round_matrix(const void *begin, real *room, Py_ssize_t n_lines, Py_ssize_t n, Py_ssize_t line,
                                    bint across) noexcept nogil:
    """Fills `room` with the rounded lines, and returns how far apart they are there."""
    cdef Py_ssize_t tasks = min(<Py_ssize_t> pool_width(), n_lines * n // ELEMENTS_PER_TASK)
    cdef Rounding r
    r.begin, r.n_lines, r.n, r.line, r.across = <const float *> begin, n_lines, n, line, across
    r.to, r.to_line = <float *> room, padded_width((n + 1) // 2 if simd_multiplies_pairs and not across else n)
    if tasks < 2:
        round_lines(&r, 0, n_lines)
    else:
        r.lines_per_task = ((n_lines + tasks - 1) // tasks + 1) // 2 * 2
        pool_run(round_task, &r, (n_lines + r.lines_per_task - 1) // r.lines_per_task)
    return r.to_line


cdef inline void round_x(Product *p, real *room) noexcept nogil:
    """x of floats becomes a rounded copy in `room`; its rows or its columns are contiguous."""
    if p.x_k == 1:
        p.x_row = round_matrix(p.x, room, p.n_rows, p.n_k, p.x_row, False)
    else:
        p.x_k = round_matrix(p.x, room, p.n_k, p.n_rows, p.x_k, True)
    p.x = room


cdef inline void round_w(Product *p, real *room) noexcept nogil:
    """The same for w."""
    if p.w_c == 1:
        p.w_k = round_matrix(p.w, room, p.n_k, p.n_cols, p.w_k, True)
    else:
        p.w_c = round_matrix(p.w, room, p.n_cols, p.n_k, p.w_c, False)
    p.w = room


cdef inline void round_factors(Product *p, real *x_room, real *w_room, const void *rounded_w) noexcept nogil:
    """Has a product of floats computed from their values in bfloat16.

    The rooms hold `rounded_size` elements. `rounded_w` is what `round_w` has left of w before, or NULL.
    """
    round_x(p, x_room)
    if rounded_w == NULL:
        round_w(p, w_room)
    else:
        p.w, p.w_k = rounded_w, padded_width(p.n_cols)
    if simd_multiplies_pairs:
        p.n_k, p.form = (p.n_k + 1) // 2, PAIRS
