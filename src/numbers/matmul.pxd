# The matrix product of any size: one or few columns apart, small products at once, large ones shared among threads.
# Floor 1.

from blocks cimport (LONGEST_K_BLOCK, MOST_FEW_ROWS, NUMBERS, SPARE_K_BLOCK, Block, Matrix, Product, k_block_length,
                     multiply_panel, multiply_rows, reads_in_place, w_at)
from shares cimport Grid, is_worth_threads, parts_of, share_out
from simd cimport LARGEST_PANEL, column_product, pack_transposed, panel_settings, panel_width, real, transpose
from threads cimport pool_run, pool_width

cdef enum:
    MOST_FEW_COLUMNS = 23    # so many rows are multiplied with w in place
    TURNED_ELEMENTS = 1024   # of a part of y^T
    TURNING_STEPS = 24       # of k, which take about as long as to turn what they add to


cdef inline bint is_column(const Product *p, real *y) noexcept nogil:
    """Whether vectors are to lie along k, as no tile has them: for one column, of at least a vector."""
    return (p.n_cols == 1 and p.x_k == 1 and p.w_k == 1 and 2 * p.n_k >= panel_width(y)
            and p.form == NUMBERS and p.gate == NULL and not p.in_one_chain)


cdef inline void multiply_column(const Product *p, real *y, Py_ssize_t row, Py_ssize_t last_row) noexcept nogil:
    """Rows [row, last_row) of the only column, k block by k block."""
    cdef const real *x = <const real *> p.x + row * p.x_row
    cdef const real *w = <const real *> p.w
    cdef Py_ssize_t k = 0, longest = k_block_length(p.n_k)
    cdef panel_settings s
    s.n_rows, s.y_row, s.x_row = last_row - row, p.y_row, p.x_row
    while k < p.n_k:
        s.n_k = min(longest, p.n_k - k)
        s.accumulate, s.clamp = p.accumulate or k > 0, p.clamp and k + s.n_k >= p.n_k
        column_product(y + row * p.y_row, x + k, w + k, <const real *> p.bias, &s)
        k += s.n_k


cdef inline Py_ssize_t whole_vectors(real *y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t lanes = panel_width(y) // 2
    return parts_of(n, lanes) * lanes


cdef inline Py_ssize_t few_columns(const Product *p, real *y, Py_ssize_t n_rows, Py_ssize_t n_cols) noexcept nogil:
    """How many of the last columns take less time as rows of the transposed product, y^T = w^T . x^T.

    Vectors lie along columns, and what is ragged leaves lanes idle. Of a transposed x the rows are vectors in place.
    """
    cdef Py_ssize_t n
    if (p.x_k == 1 or n_rows < panel_width(y) or p.x_row != 1 or p.w_c != 1 or p.form != NUMBERS or p.panels != NULL
            or p.bias != NULL or p.gate != NULL or p.clamp):
        return 0
    n = n_cols % panel_width(y)
    if n > MOST_FEW_COLUMNS:
        return 0
    return n if n * whole_vectors(y, n_rows) * (p.n_k + TURNING_STEPS) < n_rows * whole_vectors(y, n) * p.n_k else 0


cdef inline void multiply_turned(const Product *p, real *turned, Py_ssize_t step, Py_ssize_t row, Py_ssize_t n,
                                 Py_ssize_t col, Py_ssize_t n_cols) noexcept nogil:
    """Rows [row, row + n) by columns [col, col + n_cols) of the product, as the columns and rows of `turned`."""
    cdef real factors[MOST_FEW_ROWS * LONGEST_K_BLOCK]
    cdef const real *x = <const real *> p.x + row
    cdef const real *w = w_at(p, turned, 0, col)
    cdef Py_ssize_t k = 0, longest = k_block_length(p.n_k)
    cdef Product q = p[0]
    q.n_rows, q.n_cols, q.y_row, q.w_k, q.accumulate, q.spare_cols = n_cols, n, step, p.x_k, False, 0
    while k < p.n_k:
        q.w, q.n_k = x + k * p.x_k, min(longest, p.n_k - k)
        q.x, q.x_row, q.x_k = w + k * p.w_k, 1, p.w_k
        if n_cols <= MOST_FEW_ROWS:  # there are kernels for so few rows, if they are contiguous
            transpose(factors, <const real *> q.x, q.n_k, n_cols, q.n_k, p.w_k)
            q.x, q.x_row, q.x_k = factors, q.n_k, 1
        multiply_rows(&q, turned, 0, n_cols, 0, n)
        q.accumulate = True
        k += longest


cdef inline void multiply_columns(const Product *p, real *y, Py_ssize_t row, Py_ssize_t last_row, Py_ssize_t col,
                                  Py_ssize_t n_cols) noexcept nogil:
    """Rows [row, last_row) by few columns, some rows at a time: with the bits that any other way would give."""
    cdef real turned[TURNED_ELEMENTS]
    cdef Py_ssize_t step = TURNED_ELEMENTS // (n_cols * panel_width(y)) * panel_width(y), r, c, n
    while row < last_row:
        n = min(step, last_row - row)
        multiply_turned(p, <real *> turned, step, row, n, col, n_cols)
        if p.accumulate:
            for r in range(n):
                for c in range(n_cols):
                    y[(row + r) * p.y_row + col + c] += turned[c * step + r]
        else:
            transpose(y + row * p.y_row + col, <const real *> turned, n_cols, n, p.y_row, step)
        row += n


cdef inline void multiply_share(const Product *p, real *y, Py_ssize_t row, Py_ssize_t last_row, Py_ssize_t col,
                                Py_ssize_t n_cols) noexcept nogil:
    """Rows [row, last_row) by columns [col, col + n_cols) of the product."""
    cdef Py_ssize_t few
    if is_column(p, y):
        multiply_column(p, y, row, last_row)
        return
    few = few_columns(p, y, last_row - row, n_cols)
    if few < n_cols:
        multiply_rows(p, y, row, last_row, col, n_cols - few)
    if few > 0:
        multiply_columns(p, y, row, last_row, col + n_cols - few, few)


cdef inline void multiply_task(const Product *p, real *y, Py_ssize_t index) noexcept nogil:
    cdef const Grid *g = &p.grid
    cdef Py_ssize_t row = (index % g.row_tasks) * g.rows_per_task, col = (index // g.row_tasks) * g.cols_per_task
    multiply_share(p, y, row, min(row + g.rows_per_task, p.n_rows), col, min(g.cols_per_task, p.n_cols - col))


cdef inline void multiply_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Product *p = <Product *> context
    multiply_task(p, <float *> p.y, index)


cdef inline void multiply_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Product *p = <Product *> context
    multiply_task(p, <double *> p.y, index)


cdef inline void multiply_blocks(Product *p, real *y) noexcept nogil:
    """A product of any size, shared among threads where it is worth it."""
    p.y = y
    if p.n_rows <= 0 or p.n_cols <= 0:
        return
    if pool_width() == 1 or not is_worth_threads(p.n_rows, p.n_cols, p.n_k):
        multiply_share(p, y, 0, p.n_rows, 0, p.n_cols)
        return
    p.grid = share_out(p.n_rows, p.n_cols, p.n_k, y, pool_width())
    pool_run(multiply_task_f32 if real is float else multiply_task_f64, p, p.grid.n_tasks)


cdef inline bint is_one_block(const Product *p, real *y) noexcept nogil:
    """Whether there is nothing to cut, share out or copy, but a w that is transposed and short."""
    return (p.n_rows > 1 and p.n_cols <= panel_width(y) and p.n_k <= LONGEST_K_BLOCK
            and not is_worth_threads(p.n_rows, p.n_cols, p.n_k) and p.form == NUMBERS and p.panels == NULL
            and (reads_in_place(p, p.n_rows, sizeof(real)) if p.w_c == 1 else p.n_k <= SPARE_K_BLOCK)
            and not is_column(p, y) and few_columns(p, y, p.n_rows, p.n_cols) == 0)


cdef inline void multiply_block(const Product *p, real *y) noexcept nogil:
    """The whole product as one block: in a small network the way to the panels would take as long as the panel."""
    cdef real transposed[SPARE_K_BLOCK * LARGEST_PANEL]
    cdef real *nowhere = NULL
    cdef const real *w = <const real *> p.w
    cdef Py_ssize_t w_k = p.w_k
    cdef Block whole = Block(0, p.n_rows, 0, p.n_cols, 0, p.n_k)
    cdef Matrix x = Matrix(p.x, p.x_row, p.x_k)
    if p.w_c != 1:
        pack_transposed(transposed, w, p.n_k, p.n_cols, p.w_c)
        w, w_k = transposed, panel_width(y)
    multiply_panel(p, y, &x, w, w_k, nowhere, &whole, NULL)


cdef inline void multiply(Product *p, real *y) noexcept nogil:
    """Y = max(X.W + bias, 0 or -inf) where gate > 0, or Y += X.W; y is p.y with its type."""
    if is_one_block(p, y):
        multiply_block(p, y)
    else:
        multiply_blocks(p, y)
