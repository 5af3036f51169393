/* Rows and panels brought to where the product wants them. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* One row of at least a vector; the last vector overlaps the one before it rather than be ragged. If `next` is given,
   it is prefetched along the way, into the second-level cache: that one has more requests in flight at a time. */
INLINE void NAMED(copy_row)(REAL *y, const REAL *x, const REAL *next, ptrdiff_t n) {
    for (ptrdiff_t c = 0; c + LANES < n; c += LANES) {
        if (next) __builtin_prefetch(next + c, 0, 2);
        store(y + c, load(x + c));
    }
    store(y + n - LANES, load(x + n - LANES));
}

/* Rows shorter than a vector, each as two pieces that may overlap: whole pieces, unlike the live lanes of a vector, can
   be read again while they are still on their way to the memory. */
INLINE void NAMED(copy_short_rows)(const size_t piece, REAL *y, const REAL *x, const int64_t *order, ptrdiff_t n_rows,
                                   ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row) {
    const size_t second = n_cols * sizeof(REAL) - piece;
    for (ptrdiff_t i = 0; i < n_rows; i++, y += y_row) {
        const char *row = (const char *)(x + (order ? order[i] : i) * x_row);
        __builtin_memcpy(y, row, piece);
        __builtin_memcpy((char *)y + second, row + second, piece);
    }
}

/* The same with pieces of the size that suits. */
static void NAMED(gather_short_rows)(REAL *y, const REAL *x, const int64_t *order, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                     ptrdiff_t y_row, ptrdiff_t x_row) {
    const size_t n_bytes = n_cols * sizeof(REAL);
    if (n_bytes >= 32)
        NAMED(copy_short_rows)(32, y, x, order, n_rows, n_cols, y_row, x_row);
    else if (n_bytes >= 16)
        NAMED(copy_short_rows)(16, y, x, order, n_rows, n_cols, y_row, x_row);
    else if (n_bytes >= 8)
        NAMED(copy_short_rows)(8, y, x, order, n_rows, n_cols, y_row, x_row);
    else
        NAMED(copy_short_rows)(4, y, x, order, n_rows, n_cols, y_row, x_row);
}

/* y[i,c] = x[order[i],c]; long rows in a drawn order come as a surprise to the memory, unless they are prefetched. */
static void NAMED(gather)(REAL *y, const REAL *x, const int64_t *order, ptrdiff_t n_rows, ptrdiff_t n_coming,
                          ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row) {
    enum { ROWS_AHEAD = 3 };
    if (n_cols <= 0) return;
    if (n_cols < LANES) {
        NAMED(gather_short_rows)(y, x, order, n_rows, n_cols, y_row, x_row);
        return;
    }
    const ptrdiff_t n_known = order && n_cols * sizeof(REAL) >= LONG_ROW_BYTES ? n_rows + n_coming : 0;
    for (ptrdiff_t i = 0; i < n_rows; i++, y += y_row) {
        const REAL *row = x + (order ? order[i] : i) * x_row;
        if (i + ROWS_AHEAD < n_known)
            NAMED(copy_row)(y, row, x + order[i + ROWS_AHEAD] * x_row, n_cols);
        else
            NAMED(copy_row)(y, row, NULL, n_cols);
    }
}

/* Where the next block of a transposition begins: the last one of a line overlaps the one before it, rather than be
   copied element by element. */
INLINE ptrdiff_t NAMED(next_block)(ptrdiff_t at, ptrdiff_t n) {
    const ptrdiff_t next = at + TRANSPOSE_WIDTH;
    return next < n && next + TRANSPOSE_WIDTH > n ? n - TRANSPOSE_WIDTH : next;
}

/* y[c,r] = x[r,c] */
static void NAMED(transpose)(REAL *y, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t y_row,
                             ptrdiff_t x_row) {
    if (n_rows < TRANSPOSE_WIDTH || n_cols < TRANSPOSE_WIDTH) {
        for (ptrdiff_t r = 0; r < n_rows; r += TRANSPOSE_WIDTH, x += TRANSPOSE_WIDTH * x_row, y += TRANSPOSE_WIDTH) {
            const ptrdiff_t n = n_rows - r < TRANSPOSE_WIDTH ? n_rows - r : TRANSPOSE_WIDTH;
            for (ptrdiff_t c = 0; c < n_cols; c++)
                for (ptrdiff_t i = 0; i < n; i++) y[c * y_row + i] = x[i * x_row + c];
        }
        return;
    }
    for (ptrdiff_t r = 0; r < n_rows; r = NAMED(next_block)(r, n_rows))
        for (ptrdiff_t c = 0; c < n_cols; c = NAMED(next_block)(c, n_cols))
            transpose_block(y + c * y_row + r, y_row, x + r * x_row + c, x_row);
}

/* packed[k,c] = w[c,k] */
static void NAMED(pack_transposed)(REAL *packed, const REAL *w, ptrdiff_t n_k, ptrdiff_t n_cols, ptrdiff_t w_c) {
    NAMED(transpose)(packed, w, n_cols, n_k, PANEL_VECTORS * LANES, w_c);
}
