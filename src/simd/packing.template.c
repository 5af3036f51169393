/* Rows and panels brought to where the product wants them, packed[k, c] padded by zeros; and sums of columns. Floor 0.
 */

/* One row of at least a vector; the last vector overlaps the one before it rather than be ragged. If `next` is given,
   it is asked for along the way, into the second-level cache: that one has more requests on the way at a time. */
INLINE void NAMED(copy_row)(REAL *y, const REAL *x, const REAL *next, ptrdiff_t n) {
    for (ptrdiff_t c = 0; c + LANES < n; c += LANES) {
        if (next) __builtin_prefetch(next + c, 0, 2);
        store(y + c, load(x + c));
    }
    store(y + n - LANES, load(x + n - LANES));
}

/* y[i,c] = x[order[i],c]; long rows in a drawn order come as a surprise to the memory, unless they were asked for. */
static void NAMED(gather)(REAL *y, const REAL *x, const int64_t *order, ptrdiff_t n_rows, ptrdiff_t n_coming,
                          ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row) {
    enum { ROWS_AHEAD = 3 };
    if (n_cols <= 0) return;
    const lanes live = first_lanes(n_cols < LANES ? n_cols : LANES);
    const ptrdiff_t n_known = order && n_cols * sizeof(REAL) >= LONG_ROW_BYTES ? n_rows + n_coming : 0;
    for (ptrdiff_t i = 0; i < n_rows; i++, y += y_row) {
        const REAL *row = x + (order ? order[i] : i) * x_row;
        if (n_cols < LANES)
            NAMED(store_part)(y, load_lanes(row, live), y_row < LANES, live);
        else if (i + ROWS_AHEAD < n_known)
            NAMED(copy_row)(y, row, x + order[i + ROWS_AHEAD] * x_row, n_cols);
        else
            NAMED(copy_row)(y, row, NULL, n_cols);
    }
}

/* packed[k,c] = w[c,k] */
static void NAMED(pack_transposed)(REAL *packed, const REAL *w, ptrdiff_t n_k, ptrdiff_t n_cols, ptrdiff_t w_c) {
    const ptrdiff_t width = PANEL_VECTORS * LANES;
    for (ptrdiff_t c = 0; c < width; c += TRANSPOSE_WIDTH) {
        const ptrdiff_t n_live = n_cols - c < TRANSPOSE_WIDTH ? (n_cols > c ? n_cols - c : 0) : TRANSPOSE_WIDTH;
        ptrdiff_t k = 0;
        if (n_live == TRANSPOSE_WIDTH)
            for (; k + TRANSPOSE_WIDTH <= n_k; k += TRANSPOSE_WIDTH)
                transpose_block(packed + k * width + c, width, w + c * w_c + k, w_c);
        for (; k < n_k; k++)
            for (ptrdiff_t i = 0; i < TRANSPOSE_WIDTH; i++)
                packed[k * width + c + i] = i < n_live ? w[(c + i) * w_c + k] : 0;
    }
}

/* y[c,r] = x[r,c] */
static void NAMED(transpose)(REAL *y, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t y_row,
                             ptrdiff_t x_row) {
    for (ptrdiff_t r = 0; r < n_rows; r += TRANSPOSE_WIDTH) {
        const int whole = r + TRANSPOSE_WIDTH <= n_rows;
        ptrdiff_t c = 0;
        for (; whole && c + TRANSPOSE_WIDTH <= n_cols; c += TRANSPOSE_WIDTH)
            transpose_block(y + c * y_row + r, y_row, x + r * x_row + c, x_row);
        for (; c < n_cols; c++)
            for (ptrdiff_t i = r; i < n_rows && i < r + TRANSPOSE_WIDTH; i++) y[c * y_row + i] = x[i * x_row + c];
    }
}

/* y[c] = (accumulate ? y[c] : 0) + sum_r x[r,c], r ascending, for `vectors` vectors of columns, the last one ragged
   where `live` lanes are fewer than all. */
INLINE void NAMED(sum_columns)(const int vectors, const int ragged, lanes live, REAL *y, const REAL *x,
                               ptrdiff_t n_rows, ptrdiff_t x_row, int accumulate) {
    vector s[ROW_VECTORS];
    const vector zero = {0};
#define PART(v, p) NAMED(load_part)(p + v * LANES, ragged && v == vectors - 1, live)
#define CLEAR(v) \
    if (v < vectors) s[v] = zero;
    EACH_VECTOR(CLEAR)
#undef CLEAR
    for (ptrdiff_t r = 0; r < n_rows; r++, x += x_row) {
#define STEP(v) \
    if (v < vectors) s[v] += PART(v, x);
        EACH_VECTOR(STEP)
#undef STEP
    }
#define FINISH(v) \
    if (v < vectors) \
        NAMED(store_part)(y + v * LANES, accumulate ? PART(v, y) + s[v] : s[v], ragged && v == vectors - 1, live);
    EACH_VECTOR(FINISH)
#undef FINISH
#undef PART
}

static void NAMED(column_sums)(REAL *y, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t x_row,
                               int accumulate) {
    const lanes all = first_lanes(LANES);
    ptrdiff_t c = 0;
    for (; c + ROW_VECTORS * LANES <= n_cols; c += ROW_VECTORS * LANES)
        NAMED(sum_columns)(ROW_VECTORS, 0, all, y + c, x + c, n_rows, x_row, accumulate);
    for (; c + 2 * LANES <= n_cols; c += 2 * LANES)
        NAMED(sum_columns)(2, 0, all, y + c, x + c, n_rows, x_row, accumulate);
    const ptrdiff_t rest = n_cols - c;
    if (rest > LANES)
        NAMED(sum_columns)(2, 1, first_lanes(rest - LANES), y + c, x + c, n_rows, x_row, accumulate);
    else if (rest > 0)
        NAMED(sum_columns)(1, 1, first_lanes(rest), y + c, x + c, n_rows, x_row, accumulate);
}
