# A matrix product, or a part of it, on one thread: cut into panels, row blocks and k blocks, packed where that pays.
# Floor 1. It knows nothing of layers; the tile that does the arithmetic is src/simd/tile.template.c.
#
# An element's sum runs over k in one order, cut into k blocks by n_k alone: so neither the number of threads nor the
# number of rows changes a bit of the result.

from libc.math cimport INFINITY
from libc.stdint cimport INT32_MIN, int32_t, uint32_t

from pairs cimport simd_pairs
from quads cimport simd_quads
from shares cimport LINE_BYTES, ROW_MULTIPLE, Grid, parts_of, whole_multiple
from simd cimport (LARGEST_PANEL, block_ahead, gather, pack_transposed, panel_product, panel_settings, panel_width,
                   real, row_product, transpose, two_panels_product)
from threads cimport thread_scratch

cdef enum:
    LONGEST_K_BLOCK = 320        # a packed panel of this many rows stays in the first-level cache with the rows of x
    PACKED_PANEL = LONGEST_K_BLOCK * LARGEST_PANEL  # elements
    ROW_BLOCK_BYTES = 640 * 1024  # rows of x are visited in blocks that stay in the second-level cache
    FEWEST_PANELS_TO_TRANSPOSE = 16  # below, transposing x costs more than it saves
    FEWEST_PANELS_TO_COPY = 8        # the same for a plain copy of x
    ALIASING_BYTES = 2048        # rows this far apart, or a multiple, fall on few sets of the first-level cache
    LINES_ELEMENTS = 224 * 320   # panels that stay packed while x^T is read by lines
    ROWS_OF_LINES = 32           # of x^T: two lines of the cache for every k
    SPARE_K_BLOCK = 32
    KEPT_PANEL = 64              # columns of a w kept in panels: whole ones of any instruction set, enough for one row
    IN_PLACE_BYTES = 24 * 1024   # w is read where it stands while all of it fits in the first-level cache
    MOST_FEW_ROWS = 3            # so many want two panels at a time
    LARGE_W_BYTES = 512 * 1024   # of one k block, of y and of x: what is smaller comes from a cache near enough
    LARGE_Y_BYTES = 8 * LARGE_W_BYTES
    LARGE_X_BYTES = 2 * LARGE_W_BYTES
    FEWEST_ROWS_TO_PACK = 24     # below, copying a panel costs more than it saves

# What the elements of x and w are.
cdef enum:
    NUMBERS
    PAIRS                        # of bfloat16
    HALVES                       # x is numbers, w pairs that become numbers panel by panel
    QUADS                        # of 8-bit numbers; y becomes sums of 32 bits

ctypedef struct Product:
    # Y (n_rows, n_cols) = X (n_rows, n_k) . W (n_k, n_cols), with any strides for X and W.
    void *y
    const void *x
    const void *w
    const void *panels           # w packed for all products to come, as `pack_panels` does it, or NULL
    const void *bias
    const void *gate
    Py_ssize_t n_rows
    Py_ssize_t n_cols
    Py_ssize_t n_k
    Py_ssize_t y_row
    Py_ssize_t x_row
    Py_ssize_t x_k
    Py_ssize_t w_k
    Py_ssize_t w_c
    Py_ssize_t w_panel           # how far apart panels of KEPT_PANEL columns are in w, or 0 where there are none
    Py_ssize_t gate_row
    Py_ssize_t spare_cols        # padding of y's rows, which may be overwritten
    int accumulate
    int clamp                    # whether the result is max(y, 0)
    int in_one_chain             # whether every sum goes over k one by one, as products of pairs do
    int form                     # one of the above
    Grid grid                    # how it is shared

ctypedef struct Block:
    # A part of the product: rows [row, row + n_rows) by columns [col, col + n_cols), summed over [k, k + n_k).
    Py_ssize_t row
    Py_ssize_t n_rows
    Py_ssize_t col
    Py_ssize_t n_cols
    Py_ssize_t k
    Py_ssize_t n_k

ctypedef struct Matrix:
    # Where a factor's elements (i, j) stand: at i * row + j * col from the beginning.
    const void *begin
    Py_ssize_t row
    Py_ssize_t col


cdef inline void begin_plain(Product *p) noexcept nogil:
    """No bias, gate or floor; y is overwritten, its padding left alone."""
    p.panels, p.bias, p.gate = NULL, NULL, NULL
    p.gate_row, p.spare_cols, p.w_panel = 0, 0, 0
    p.accumulate, p.clamp, p.in_one_chain, p.form = False, False, False, NUMBERS


cdef inline Py_ssize_t padded_width(Py_ssize_t width) noexcept nogil:
    """Rows start on vector boundaries; large powers of two are avoided, because they fall into few cache sets."""
    cdef Py_ssize_t stride = 8 if width <= 8 else parts_of(width, 16) * 16
    return stride + 16 if stride % 256 == 0 else stride


cdef inline const real *w_at(const Product *p, real *y, Py_ssize_t k, Py_ssize_t col) noexcept nogil:
    """Where the columns from `col` on begin in row k of w."""
    cdef const real *row = <const real *> p.w + (k // 2 if p.form == HALVES else k) * p.w_k
    return row + (col // KEPT_PANEL * p.w_panel + col % KEPT_PANEL if p.w_panel > 0 else col * p.w_c)


cdef inline Py_ssize_t k_block_length(Py_ssize_t n_k) noexcept nogil:
    """Equal blocks of at most LONGEST_K_BLOCK, but of whole lines of the cache; a function of n_k alone."""
    cdef Py_ssize_t n_blocks = parts_of(n_k, LONGEST_K_BLOCK)
    return parts_of(parts_of(n_k, n_blocks), 16) * 16 if n_blocks > 1 else max(n_k, <Py_ssize_t> 1)


cdef inline Py_ssize_t block_length(const Product *p) noexcept nogil:
    """The same for a product: widened pairs are cut where their numbers would be, for the same bits."""
    if p.form == PAIRS and simd_pairs.widen_panel != NULL:
        return (k_block_length(2 * p.n_k) + 1) // 2
    return k_block_length(p.n_k)


cdef inline bint wants_rows(const Product *p) noexcept nogil:
    """Whether the kernel loads rows of x, and these are not contiguous: a copy pays always."""
    return p.form == PAIRS and p.x_k != 1 and simd_pairs.reads_rows


cdef inline bint reads_in_place(const Product *p, Py_ssize_t n_rows, Py_ssize_t element_size) noexcept nogil:
    if p.w_c != 1 or p.form == HALVES or wants_rows(p):
        return False
    return n_rows < FEWEST_ROWS_TO_PACK or p.n_k * p.w_k * element_size <= IN_PLACE_BYTES


cdef inline bint reads_by_lines(const Product *p, Py_ssize_t n_cols, Py_ssize_t width) noexcept nogil:
    """Whether x is transposed, too few panels share it for a copy, and all of a k block find room in the scratch."""
    if wants_rows(p):
        return False
    return (p.x_row == 1 and p.x_k != 1 and width < n_cols < FEWEST_PANELS_TO_TRANSPOSE * width
            and parts_of(n_cols, width) * width * block_length(p) <= LINES_ELEMENTS)


cdef inline bint transposes_x(const Product *p, Py_ssize_t n_rows, Py_ssize_t n_cols,
                              Py_ssize_t width) noexcept nogil:
    """Whether x^T is worth a copy: column by column it uses a part of every cache line that it loads."""
    return p.x_k != 1 and n_cols >= FEWEST_PANELS_TO_TRANSPOSE * width and n_rows >= FEWEST_ROWS_TO_PACK


cdef inline bint copies_x(const Product *p, real *y, Py_ssize_t n_rows, Py_ssize_t n_cols) noexcept nogil:
    """Whether x is read from a copy: transposed, or because its rows would drive each other out of the cache."""
    cdef Py_ssize_t width = panel_width(y)
    if wants_rows(p):
        return True
    return (transposes_x(p, n_rows, n_cols, width)
            or (p.x_k == 1 and p.x_row * <Py_ssize_t> sizeof(real) % ALIASING_BYTES == 0
                and n_cols >= FEWEST_PANELS_TO_COPY * width and n_rows >= FEWEST_ROWS_TO_PACK))


cdef inline void copy_x(const Product *p, real *copy, const real *x, Py_ssize_t n_rows, Py_ssize_t n_k) noexcept nogil:
    """copy (n_rows, n_k) = x, row-major whatever x's strides"""
    if p.x_k == 1:
        gather(copy, x, NULL, n_rows, 0, n_k, n_k, p.x_row)
    else:
        transpose(copy, x, n_k, n_rows, n_k, p.x_k)


cdef inline Py_ssize_t scratch_bytes(Py_ssize_t element_size) noexcept nogil:
    """Room for a packed panel and for a copy of the tallest block of rows."""
    return ROW_BLOCK_BYTES + (PACKED_PANEL + ROW_MULTIPLE * LONGEST_K_BLOCK) * element_size


cdef inline void multiply_panel(const Product *p, real *y, const Matrix *x, const real *panel, Py_ssize_t w_k,
                                real *packed, const Block *b, const block_ahead *ahead,
                                Py_ssize_t next_panel=0) noexcept nogil:
    """A block one panel wide, of which x begins at the block's first row and k, and y at its very beginning.

    Or two panels, the second of which begins `next_panel` elements behind the first.
    """
    cdef const real *none = NULL
    cdef const real *bias = none
    cdef const real *gate = none
    cdef bint last = b.k + b.n_k >= p.n_k
    cdef panel_settings settings
    settings.n_rows, settings.n_cols, settings.n_k = b.n_rows, b.n_cols, b.n_k
    settings.y_row, settings.x_row, settings.x_k, settings.w_k = p.y_row, x.row, x.col, w_k
    settings.gate_row, settings.spare_cols = p.gate_row, p.spare_cols
    settings.accumulate, settings.clamp, settings.ahead = p.accumulate or b.k > 0, p.clamp and last, ahead
    if p.bias != NULL and b.k == 0:
        bias = <const real *> p.bias + b.col
    if p.gate != NULL and last:
        gate = <const real *> p.gate + b.row * p.gate_row + b.col
    y += b.row * p.y_row + b.col
    if next_panel > 0:
        two_panels_product(y, <const real *> x.begin, panel, next_panel, bias, &settings)
    elif real is float and p.form == PAIRS:
        simd_pairs.panel_product(y, <const real *> x.begin, panel, packed, bias, gate, &settings)
    elif real is float and p.form == QUADS:
        simd_quads.panel_product(<int32_t *> y, <const int32_t *> x.begin, <const int32_t *> panel, <int32_t *> packed,
                                 NULL, NULL, &settings)
    else:
        panel_product(y, <const real *> x.begin, panel, packed, bias, gate, &settings)


cdef inline const real *panel_of(const Product *p, real *y, Py_ssize_t col, Py_ssize_t k) noexcept nogil:
    """Where the panel that begins at a column, of w packed before, has its row k."""
    return <const real *> p.panels + col * p.n_k + k * panel_width(y)


cdef inline bint finds_next_panel(const Product *p, real *y, const Block *b, block_ahead *ahead) noexcept nogil:
    """Where the panel after the block's stands in w, if the product is large enough to prefetch it."""
    cdef const real *w
    cdef bint is_last = b.col + b.n_cols >= p.n_cols
    if (b.n_k * p.n_cols * <Py_ssize_t> sizeof(real) < LARGE_W_BYTES
            and p.n_rows * p.y_row * <Py_ssize_t> sizeof(real) < LARGE_Y_BYTES):
        return False
    if p.panels != NULL:
        w = panel_of(p, y, 0 if is_last else b.col + b.n_cols, b.k + b.n_k if is_last else b.k)
    else:
        w = w_at(p, y, b.k + b.n_k, 0) if is_last else w_at(p, y, b.k, b.col + b.n_cols)
    ahead.row = <const char *> w
    if p.panels != NULL:
        ahead.n_rows, ahead.n_bytes = b.n_k, panel_width(y) * sizeof(real)
        ahead.stride = ahead.n_bytes
    elif p.w_c == 1:
        ahead.n_rows = b.n_k // 2 if p.form == HALVES else b.n_k
        ahead.n_bytes, ahead.stride = panel_width(y) * sizeof(real), p.w_k * sizeof(real)
        if ahead.stride % LINE_BYTES != 0 or <size_t> w % LINE_BYTES != 0:
            ahead.n_bytes += LINE_BYTES - sizeof(real)  # the last line, wherever the row begins
    else:
        ahead.n_rows, ahead.n_bytes, ahead.stride = panel_width(y), b.n_k * sizeof(real), p.w_c * sizeof(real)
    return True


cdef inline bint finds_rows_below(const Product *p, real *y, const Matrix *x, const Block *b,
                                  block_ahead *ahead) noexcept nogil:
    """Where the block's rows of x stand below its first tile, if they come from afar."""
    if x.col != 1 or x.row != p.x_row or p.n_rows * p.x_row * <Py_ssize_t> sizeof(real) < LARGE_X_BYTES:
        return False
    ahead.row = <const char *> (<const real *> x.begin + ROW_MULTIPLE * x.row)
    ahead.n_rows, ahead.n_bytes, ahead.stride = b.n_rows - ROW_MULTIPLE, b.n_k * sizeof(real), x.row * sizeof(real)
    return ahead.n_rows > 0


cdef inline Py_ssize_t panels_size(Py_ssize_t n_k, Py_ssize_t n_cols, Py_ssize_t width) noexcept nogil:
    """Elements of w in panels of that width."""
    return parts_of(n_cols, width) * width * n_k


cdef inline bint is_worth_panels(Py_ssize_t n_k, Py_ssize_t n_cols, Py_ssize_t width,
                                 Py_ssize_t element_size) noexcept nogil:
    """Whether products of some rows would pack w: it is no panel itself, and too large to be read where it stands."""
    return n_cols > width and n_k * n_cols * element_size > IN_PLACE_BYTES


cdef inline void pack_panels(real *panels, const real *w, Py_ssize_t n_k, Py_ssize_t n_cols) noexcept nogil:
    """Panel by panel the rows of w (n_k, n_cols), as wide as the instruction set in use likes them."""
    cdef Py_ssize_t width = panel_width(panels), col = 0
    while col < n_cols:
        gather(panels + col * n_k, w + col, NULL, n_k, 0, min(width, n_cols - col), width, n_cols)
        col += width


cdef inline void multiply_and_pack(const Product *p, real *y, const Matrix *x, real *packed, const Block *b,
                                   bint reads_x_first) noexcept nogil:
    """The same, w's own panel left in `packed` (NULL: nowhere) unless it is packed already."""
    cdef const real *w = w_at(p, y, b.k, b.col)
    cdef real *nowhere = NULL
    cdef block_ahead coming
    cdef const block_ahead *ahead = NULL
    if (reads_x_first and finds_rows_below(p, y, x, b, &coming)) or finds_next_panel(p, y, b, &coming):
        ahead = &coming
    if p.panels != NULL:
        multiply_panel(p, y, x, panel_of(p, y, b.col, b.k), panel_width(y), nowhere, b, ahead)
    elif p.form == HALVES:
        simd_pairs.widen_panel(<float *> packed, <const uint32_t *> w, b.n_k, b.n_cols, p.w_k)
        multiply_panel(p, y, x, <const real *> packed, panel_width(y), nowhere, b, ahead)
    elif p.w_c == 1:
        multiply_panel(p, y, x, w, p.w_k, packed, b, ahead)
    else:
        pack_transposed(packed, w, b.n_k, b.n_cols, p.w_c)
        multiply_panel(p, y, x, <const real *> packed, panel_width(y), nowhere, b, ahead)


cdef inline bint takes_two_panels(const Product *p) noexcept nogil:
    return 1 < p.n_rows <= MOST_FEW_ROWS and p.form == NUMBERS and p.x_k == 1 and p.w_c == 1 and p.gate == NULL


cdef inline void multiply_two_panels(const Product *p, real *y, const Matrix *x, const Block *b) noexcept nogil:
    """A block two panels wide, of few rows."""
    cdef Py_ssize_t width = panel_width(y)
    if p.panels != NULL:
        multiply_panel(p, y, x, panel_of(p, y, b.col, b.k), width, <real *> NULL, b, NULL, width * p.n_k)
    else:
        multiply_panel(p, y, x, w_at(p, y, b.k, b.col), p.w_k, <real *> NULL, b, NULL, width)


cdef inline void multiply_panels(const Product *p, real *y, const Matrix *x, real *packed,
                                 const Block *b) noexcept nogil:
    """A block of any width, panel by panel."""
    cdef Py_ssize_t width = panel_width(y), last_col = b.col + b.n_cols
    cdef Block panel = b[0]
    if takes_two_panels(p):
        panel.n_cols = 2 * width
        while panel.col + 2 * width <= last_col:
            multiply_two_panels(p, y, x, &panel)
            panel.col += 2 * width
    while panel.col < last_col:
        panel.n_cols = min(width, last_col - panel.col)
        multiply_and_pack(p, y, x, packed, &panel, panel.col == b.col)
        panel.col += width


cdef inline void multiply_lines(const Product *p, real *y, const Matrix *x, real *packed,
                                const Block *b) noexcept nogil:
    """The same for x^T where all panels stay packed: every line of x comes near once, and not once a panel."""
    cdef Py_ssize_t width = panel_width(y), last_row = b.row + b.n_rows, last_col = b.col + b.n_cols
    cdef real *nowhere = NULL
    cdef real *panel
    cdef Block part = b[0]
    cdef Matrix rows = x[0]
    while part.row < last_row:
        part.n_rows, part.col, panel = min(<Py_ssize_t> ROWS_OF_LINES, last_row - part.row), b.col, packed
        while part.col < last_col:
            part.n_cols = min(width, last_col - part.col)
            if part.row == b.row:
                multiply_and_pack(p, y, &rows, panel, &part, False)
            else:
                multiply_panel(p, y, &rows, <const real *> panel, width, nowhere, &part, NULL)
            part.col += width
            panel += width * b.n_k
        part.row += ROWS_OF_LINES
        rows.begin = <const real *> rows.begin + ROWS_OF_LINES


cdef inline void multiply_part(const Product *p, real *y, Py_ssize_t row, Py_ssize_t n_rows, Py_ssize_t col,
                               Py_ssize_t n_cols) noexcept nogil:
    """Computes rows [row, row + n_rows) by columns [col, col + n_cols) of the product, k block by k block."""
    cdef const real *x = <const real *> p.x
    cdef real *packed = NULL
    cdef real *copy = NULL
    cdef Py_ssize_t longest = block_length(p)
    cdef Block b = Block(row, n_rows, col, n_cols, 0, 0)
    cdef Matrix rows = Matrix(x + row * p.x_row, p.x_row, p.x_k), copied
    cdef bint by_lines = False
    cdef real spare[SPARE_K_BLOCK * LARGEST_PANEL]
    if not reads_in_place(p, n_rows, sizeof(real)):
        packed = <real *> thread_scratch(scratch_bytes(sizeof(real)))
        by_lines = packed != NULL and reads_by_lines(p, n_cols, panel_width(y))
        if packed != NULL and copies_x(p, y, n_rows, n_cols):
            copy = packed + PACKED_PANEL
        if packed == NULL and (p.w_c != 1 or p.form == HALVES):  # out of memory: shorter blocks will do
            packed, longest = spare, min(longest, SPARE_K_BLOCK)
    while True:
        b.n_k = min(longest, p.n_k - b.k)
        if by_lines:
            multiply_lines(p, y, &rows, packed, &b)
        elif copy != NULL:
            copy_x(p, copy, <const real *> rows.begin, n_rows, b.n_k)
            copied = Matrix(copy, b.n_k, 1)
            multiply_panels(p, y, &copied, packed, &b)
        else:
            multiply_panels(p, y, &rows, packed, &b)
        b.k += b.n_k
        if b.k >= p.n_k:
            return
        rows.begin = <const real *> rows.begin + b.n_k * p.x_k


cdef inline void multiply_row(const Product *p, real *y, Py_ssize_t row, Py_ssize_t col,
                              Py_ssize_t n_cols) noexcept nogil:
    """The same for a single row of x, with w read in place."""
    cdef const real *bias = <const real *> p.bias
    cdef const real *none = NULL
    cdef const real *x = <const real *> p.x + row * p.x_row
    cdef const real *w
    cdef Py_ssize_t block = block_length(p)
    cdef real floor = <real> -INFINITY
    cdef Py_ssize_t k = 0, n_k
    cdef bint add = p.accumulate
    y += row * p.y_row + col
    if bias != NULL:
        bias += col
    while True:
        n_k = min(block, p.n_k - k)
        if p.clamp and k + n_k >= p.n_k:
            floor = 0
        w = w_at(p, y, k, col)
        if real is float and p.form == PAIRS:
            simd_pairs.row_product(y, x + k, w, bias if k == 0 else none, n_cols, n_k, p.w_k, add, floor)
        elif real is float and p.form == QUADS:
            simd_quads.row_product(<int32_t *> y, <const int32_t *> (x + k), <const int32_t *> w, NULL, n_cols,
                                   n_k, p.w_k, add, INT32_MIN)
        else:
            row_product(y, x + k, w, bias if k == 0 else none, n_cols, n_k, p.w_k, add, floor)
        add = True
        k += n_k
        if k >= p.n_k:
            return


cdef inline Py_ssize_t row_block_length(const Product *p, real *y, Py_ssize_t n_rows) noexcept nogil:
    """Blocks of equal height, which with their share of x stay in the second-level cache."""
    cdef Py_ssize_t longest, n_blocks
    if n_rows * min(p.n_k, <Py_ssize_t> LONGEST_K_BLOCK) * <Py_ssize_t> sizeof(real) <= ROW_BLOCK_BYTES:
        return n_rows
    else:
        longest = max(<Py_ssize_t> ROW_MULTIPLE, ROW_BLOCK_BYTES // (<Py_ssize_t> sizeof(real) * block_length(p)))
    n_blocks = parts_of(n_rows, longest)
    return whole_multiple(parts_of(n_rows, n_blocks)) if n_blocks > 1 else n_rows


cdef inline void multiply_single_rows(const Product *p, real *y, Py_ssize_t col, Py_ssize_t n_cols) noexcept nogil:
    """Few rows with a w kept in panels, each of which comes near once."""
    cdef Py_ssize_t row, n, last_col = col + n_cols
    while col < last_col:
        n = min(KEPT_PANEL - col % KEPT_PANEL, last_col - col)
        for row in range(p.n_rows):
            multiply_row(p, y, row, col, n)
        col += n


cdef inline void multiply_rows(const Product *p, real *y, Py_ssize_t row, Py_ssize_t last_row, Py_ssize_t col,
                               Py_ssize_t n_cols) noexcept nogil:
    """Rows [row, last_row) by columns [col, col + n_cols) of the product, block by block."""
    cdef Py_ssize_t step
    if p.n_rows == 1 and p.w_c == 1 and p.x_k == 1 and p.gate == NULL and p.w_panel == 0:
        multiply_row(p, y, 0, col, n_cols)
        return
    if p.w_panel > 0 and p.n_rows <= simd_pairs.most_single_rows:
        multiply_single_rows(p, y, col, n_cols)
        return
    step = row_block_length(p, y, last_row - row)
    while row < last_row:
        multiply_part(p, y, row, min(step, last_row - row), col, n_cols)
        row += step
