# The factors of a product rounded to bfloat16: what is left of mixed precision once sums, weights and results stay
# float. Floor 1.
#
# Where the processor multiplies pairs of bfloat16, factors become matrices of pairs along k, with half as many k;
# elsewhere they stay floats, rounded: the same mathematics by the float kernels. A w that is kept for many products is
# one of pairs on every processor, and where that does not multiply them becomes floats again on the way: half as much
# to read, with the same bits.

from libc.stdint cimport uint32_t

from blocks cimport FEWEST_ROWS_TO_PACK, HALVES, KEPT_PANEL, PAIRS, Product, padded_width
from pairs cimport simd_multiplies_pairs, simd_pairs
from shares cimport parts_of
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
    bint as_pairs                 # and not as floats
    bint across                   # pairs of two lines, and not of two neighbours in a line
    Py_ssize_t lines_per_task


cdef inline Py_ssize_t rounded_size(Py_ssize_t n_lines, Py_ssize_t n) noexcept nogil:
    """Elements of room for a matrix, whatever becomes of it."""
    return n_lines * padded_width(n)


cdef inline void round_lines(const Rounding *r, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Those of one task; two at a time, the first of them even, where pairs are of two lines."""
    cdef bint of_two_lines = r.as_pairs and r.across
    cdef Py_ssize_t i = first, step = 2 if of_two_lines else 1
    cdef const float *line
    cdef const float *none = NULL
    cdef float *to
    while i < last:
        line, to = r.begin + i * r.line, r.to + i // step * r.to_line
        if of_two_lines:
            simd_pairs.interleave(<uint32_t *> to, line, line + r.line if i + 1 < r.n_lines else none, r.n)
        elif r.as_pairs:
            simd_pairs.pair_up(<uint32_t *> to, line, r.n)
        else:
            simd_pairs.round_values(to, line, r.n)
        i += step


cdef inline void round_task(void *context, Py_ssize_t index) noexcept nogil:
    cdef Rounding *r = <Rounding *> context
    cdef Py_ssize_t first = index * r.lines_per_task
    round_lines(r, first, min(first + r.lines_per_task, r.n_lines))


cdef inline Py_ssize_t rounded_line(Py_ssize_t n, bint as_pairs, bint across) noexcept nogil:
    """How far apart rounded lines of n numbers are."""
    return padded_width((n + 1) // 2 if as_pairs and not across else n)


cdef inline Py_ssize_t round_matrix(const void *begin, real *room, Py_ssize_t n_lines, Py_ssize_t n, Py_ssize_t line,
                                    Py_ssize_t to_line, bint as_pairs, bint across) noexcept nogil:
    """Fills `room` with the rounded lines, `to_line` apart, which is returned."""
    cdef Py_ssize_t tasks = min(<Py_ssize_t> pool_width(), n_lines * n // ELEMENTS_PER_TASK)
    cdef Rounding r
    r.begin, r.n_lines, r.n, r.line, r.as_pairs, r.across = <const float *> begin, n_lines, n, line, as_pairs, across
    r.to, r.to_line = <float *> room, to_line
    if tasks < 2:
        round_lines(&r, 0, n_lines)
    else:
        r.lines_per_task = parts_of(parts_of(n_lines, tasks), 2) * 2
        pool_run(round_task, &r, parts_of(n_lines, r.lines_per_task))
    return r.to_line


cdef inline void round_x(Product *p, real *room, bint as_pairs, bint is_rounded) noexcept nogil:
    """x of floats becomes a rounded copy in `room`; its rows or its columns are contiguous.

    `is_rounded` if x or its transpose is there already, which as floats are the same.
    """
    cdef bint across = p.x_k != 1, is_there = is_rounded and not as_pairs
    cdef Py_ssize_t n_lines = p.n_k if across else p.n_rows, n = p.n_rows if across else p.n_k
    cdef Py_ssize_t *line = &p.x_k if across else &p.x_row
    line[0] = round_matrix(p.x, room, 0 if is_there else n_lines, n, line[0], rounded_line(n, as_pairs, across),
                           as_pairs, across)
    p.x = room


cdef inline void round_w(Product *p, real *room, bint as_pairs, bint is_rounded) noexcept nogil:
    """The same for w."""
    cdef bint across = p.w_c == 1, is_there = is_rounded and not as_pairs
    cdef Py_ssize_t n_lines = p.n_k if across else p.n_cols, n = p.n_cols if across else p.n_k
    cdef Py_ssize_t *line = &p.w_k if across else &p.w_c
    line[0] = round_matrix(p.w, room, 0 if is_there else n_lines, n, line[0], rounded_line(n, as_pairs, across),
                           as_pairs, across)
    p.w = room


# A w that is kept: panels of columns, one behind the other, as few rows are multiplied with it in the order of memory.

cdef inline Py_ssize_t kept_width(Py_ssize_t n_cols) noexcept nogil:
    """Of a panel."""
    return min(<Py_ssize_t> KEPT_PANEL, padded_width(n_cols))


cdef inline Py_ssize_t kept_panel(Py_ssize_t n_k, Py_ssize_t n_cols) noexcept nogil:
    """Elements of one, of pairs."""
    return (n_k + 1) // 2 * kept_width(n_cols)


cdef inline Py_ssize_t kept_size(Py_ssize_t n_k, Py_ssize_t n_cols) noexcept nogil:
    """Elements of room for w (n_k, n_cols)."""
    return parts_of(n_cols, KEPT_PANEL) * kept_panel(n_k, n_cols)


cdef inline void keep_w(real *room, const real *w, Py_ssize_t n_k, Py_ssize_t n_cols) noexcept nogil:
    """Fills a room of `kept_size` with w rounded to pairs, for many products."""
    cdef Py_ssize_t col = 0
    while col < n_cols:
        round_matrix(w + col, room, n_k, min(<Py_ssize_t> KEPT_PANEL, n_cols - col), n_cols, kept_width(n_cols), True,
                     True)
        room += kept_panel(n_k, n_cols)
        col += KEPT_PANEL


cdef inline void round_factors(Product *p, real *x_room, real *w_room, const void *kept_w, bint x_is_rounded,
                               bint w_is_rounded) noexcept nogil:
    """Has a product of floats computed from their values in bfloat16.

    The rooms hold `rounded_size` elements, and may hold a factor already. `kept_w` is what `keep_w` has made of w
    before, or NULL.
    """
    cdef bint as_pairs = simd_multiplies_pairs or (kept_w != NULL and p.n_rows < FEWEST_ROWS_TO_PACK)
    p.in_one_chain = True
    round_x(p, x_room, as_pairs, x_is_rounded)
    if kept_w == NULL:
        round_w(p, w_room, as_pairs, w_is_rounded)
    else:
        p.w, p.w_k, p.w_c = kept_w, kept_width(p.n_cols), 1
        p.w_panel, p.form = kept_panel(p.n_k, p.n_cols), HALVES
    if as_pairs:
        p.n_k, p.form = (p.n_k + 1) // 2, PAIRS
