/* a[r,c] = exp(z[r,c] - m) / sum_c exp(z[r,c] - m), m = max_c z[r,c]; log_sum = m + log(sum). Floor 0.
   Wide rows run along the columns; of narrow ones (classes), as many as a vector has lanes run side by side, and what
   is left over alone by the same operations in the same order: a row's bits do not depend on its neighbours. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

enum { NAMED(NARROW_COLUMNS) = 16 };

/* columns[c * step][r] = z[r,c] of LANES rows and as many columns as are transposed at once, and back. */
#ifdef COLUMNS_IN_REGISTERS
enum { NAMED(COLUMN_BLOCK) = COLUMNS_AT_ONCE };
INLINE void NAMED(load_block)(vector *columns, ptrdiff_t step, const REAL *z, ptrdiff_t z_row) {
    vector v[COLUMNS_AT_ONCE];
    for (int i = 0; i < COLUMNS_AT_ONCE; i++) v[i] = pieces_of_rows(z + i * z_row, z_row);
    transpose_pieces(v);
    for (int i = 0; i < COLUMNS_AT_ONCE; i++) columns[i * step] = v[i];
}
INLINE void NAMED(store_block)(REAL *a, ptrdiff_t a_row, const vector *columns, ptrdiff_t step) {
    vector v[COLUMNS_AT_ONCE];
    for (int i = 0; i < COLUMNS_AT_ONCE; i++) v[i] = columns[i * step];
    transpose_pieces(v);
    for (int i = 0; i < COLUMNS_AT_ONCE; i++) pieces_to_rows(a + i * a_row, a_row, v[i]);
}
#else
enum { NAMED(COLUMN_BLOCK) = TRANSPOSE_WIDTH };
INLINE void NAMED(load_block)(vector *columns, ptrdiff_t step, const REAL *z, ptrdiff_t z_row) {
    for (ptrdiff_t r = 0; r < LANES; r += TRANSPOSE_WIDTH)
        transpose_block((REAL *)columns + r, step * LANES, z + r * z_row, z_row);
}
INLINE void NAMED(store_block)(REAL *a, ptrdiff_t a_row, const vector *columns, ptrdiff_t step) {
    for (ptrdiff_t r = 0; r < LANES; r += TRANSPOSE_WIDTH)
        transpose_block(a + r * a_row, a_row, (const REAL *)columns + r, step * LANES);
}
#endif
_Static_assert(NAMED(NARROW_COLUMNS) % NAMED(COLUMN_BLOCK) == 0, "narrow rows are transposed in whole blocks");

/* The columns of as many blocks as hold n_cols. */
INLINE ptrdiff_t NAMED(whole_blocks)(ptrdiff_t n_cols) {
    const ptrdiff_t block = NAMED(COLUMN_BLOCK);
    return (n_cols + block - 1) / block * block;
}

/* columns[c * step][r] = z[r,c] of LANES rows. Rows whose padding reaches to the next whole block are transposed
   block by block. */
INLINE void NAMED(load_columns)(vector *columns, ptrdiff_t step, const REAL *z, ptrdiff_t n_cols, ptrdiff_t z_row) {
    if (z_row < NAMED(whole_blocks)(n_cols)) {
        for (ptrdiff_t c = 0; c < n_cols; c++)
            for (ptrdiff_t r = 0; r < LANES; r++) columns[c * step][r] = z[r * z_row + c];
        return;
    }
    for (ptrdiff_t c = 0; c < n_cols; c += NAMED(COLUMN_BLOCK))
        NAMED(load_block)(columns + c * step, step, z + c, z_row);
}

/* a[r,c] = columns[c * step][r]; where blocks are transposed, zeros reach into the padding. */
INLINE void NAMED(store_columns)(REAL *a, vector *columns, ptrdiff_t step, ptrdiff_t n_cols, ptrdiff_t a_row) {
    const ptrdiff_t whole = NAMED(whole_blocks)(n_cols);
    if (a_row < whole) {
        for (ptrdiff_t r = 0; r < LANES; r++)
            for (ptrdiff_t c = 0; c < n_cols; c++) a[r * a_row + c] = columns[c * step][r];
        return;
    }
    for (ptrdiff_t c = n_cols; c < whole; c++) columns[c * step] = (vector){0};
    for (ptrdiff_t c = 0; c < n_cols; c += NAMED(COLUMN_BLOCK))
        NAMED(store_block)(a + c, a_row, columns + c * step, step);
}

/* columns[c * step] = exp(columns[c * step] - largest); returns their sum. */
INLINE vector NAMED(exponentials)(vector *columns, ptrdiff_t step, ptrdiff_t n_cols, vector largest) {
    vector sum = {0};
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        const vector e = NAMED(exponential)(columns[c * step] - largest);
        columns[c * step] = e;
        sum += e;
    }
    return sum;
}

/* One row in each lane of one or two vectors, and at most NARROW_COLUMNS columns: two vectors keep the machine busy
   while each waits for its own exponentials. */
INLINE void NAMED(softmax_side_by_side)(const int two, REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_cols,
                                        ptrdiff_t a_row, ptrdiff_t z_row) {
    vector columns[2 * NAMED(NARROW_COLUMNS)], largest[2], sum[2];
    NAMED(load_columns)(columns, 2, z, n_cols, z_row);
    if (two) NAMED(load_columns)(columns + 1, 2, z + LANES * z_row, n_cols, z_row);
    largest[0] = largest[1] = broadcast(-INFINITY);
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        largest[0] = at_least(columns[2 * c], largest[0]);
        if (two) largest[1] = at_least(columns[2 * c + 1], largest[1]);
    }
    sum[0] = NAMED(exponentials)(columns, 2, n_cols, largest[0]);
    if (two) sum[1] = NAMED(exponentials)(columns + 1, 2, n_cols, largest[1]);
    const vector inverse[2] = {1 / sum[0], two ? 1 / sum[1] : sum[0]};
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        columns[2 * c] *= inverse[0];
        if (two) columns[2 * c + 1] *= inverse[1];
    }
    NAMED(store_columns)(a, columns, 2, n_cols, a_row);
    if (two) NAMED(store_columns)(a + LANES * a_row, columns + 1, 2, n_cols, a_row);
    if (log_sum) {
        store(log_sum, largest[0] + NAMED(logarithm)(sum[0]));
        if (two) store(log_sum + LANES, largest[1] + NAMED(logarithm)(sum[1]));
    }
}

/* Functions of their own: inside the loop over rows their many vectors would crowd each other out of the registers. */
static NOT_INLINE void NAMED(softmax_one_vector)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_cols,
                                                 ptrdiff_t a_row, ptrdiff_t z_row) {
    NAMED(softmax_side_by_side)(0, a, log_sum, z, n_cols, a_row, z_row);
}
static NOT_INLINE void NAMED(softmax_two_vectors)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_cols,
                                                  ptrdiff_t a_row, ptrdiff_t z_row) {
    NAMED(softmax_side_by_side)(1, a, log_sum, z, n_cols, a_row, z_row);
}

/* One row of at most NARROW_COLUMNS columns by the same operations in the same order, so with the same bits; for what
   is left over, and the single row of a prediction. */
static NOT_INLINE void NAMED(softmax_narrow_row)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_cols) {
    REAL e[NAMED(NARROW_COLUMNS)], largest = -INFINITY, sum = 0;
    for (ptrdiff_t c = 0; c < n_cols; c++) largest = z[c] > largest ? z[c] : largest;
    for (ptrdiff_t c = 0; c < n_cols; c += LANES)
        NAMED(store_next)(e + c, NAMED(exponential)(NAMED(load_next)(z + c, n_cols - c) - broadcast(largest)),
                          n_cols - c);
    for (ptrdiff_t c = 0; c < n_cols; c++) sum += e[c];
    const REAL inverse = 1 / sum;
    for (ptrdiff_t c = 0; c < n_cols; c++) a[c] = e[c] * inverse;
    if (log_sum) *log_sum = largest + NAMED(logarithm)(broadcast(sum))[0];
}

INLINE REAL NAMED(largest_lane)(vector v) {
    REAL largest = v[0];
    for (int i = 1; i < LANES; i++) largest = v[i] > largest ? v[i] : largest;
    return largest;
}

/* One row; returns the sum of its exponentials. NaN anywhere makes that sum NaN, so the maximum may pass over it. */
INLINE REAL NAMED(softmax_row)(REAL *a, REAL *shift, const REAL *z, ptrdiff_t n_cols) {
    const ptrdiff_t n_whole = n_cols - n_cols % LANES;
    vector largest = broadcast(-INFINITY), sum = {0};
    ptrdiff_t c;
    for (c = 0; c < n_whole; c += LANES) largest = at_least(largest, load(z + c));
    *shift = NAMED(largest_lane)(largest);
    for (; c < n_cols; c++) *shift = z[c] > *shift ? z[c] : *shift;
    const vector m = broadcast(*shift);
    for (c = 0; c < n_whole; c += LANES) {
        const vector e = NAMED(exponential)(load(z + c) - m);
        sum += e;
        store(a + c, e);
    }
    REAL total = NAMED(sum_of_lanes)(sum);
    if (c < n_cols) {
        const lanes live = first_lanes(n_cols - c);
        store_lanes(a + c, NAMED(exponential)(load_lanes(z + c, live) - m), live);
        for (; c < n_cols; c++) total += a[c];
    }
    const REAL inverse = 1 / total;
    for (c = 0; c < n_whole; c += LANES) store(a + c, load(a + c) * inverse);
    for (; c < n_cols; c++) a[c] *= inverse;
    return total;
}

/* Any number of rows one after the other, the logarithms of LANES of them together. */
INLINE void NAMED(softmax_one_by_one)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                      ptrdiff_t a_row, ptrdiff_t z_row) {
    REAL shift[LANES] = {0}, sum[LANES] = {0};
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        const ptrdiff_t lane = r % LANES;
        sum[lane] = NAMED(softmax_row)(a + r * a_row, &shift[lane], z + r * z_row, n_cols);
        if (log_sum && (lane == LANES - 1 || r == n_rows - 1))
            NAMED(store_next)(log_sum + r - lane, load(shift) + NAMED(logarithm)(load(sum)), lane + 1);
    }
}

static void NAMED(softmax)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t a_row,
                           ptrdiff_t z_row) {
    if (n_cols <= 0) return;
    if (n_cols > NAMED(NARROW_COLUMNS)) {
        NAMED(softmax_one_by_one)(a, log_sum, z, n_rows, n_cols, a_row, z_row);
        return;
    }
    while (n_rows >= LANES) {
        const int two = n_rows >= 2 * LANES;
        const ptrdiff_t n = two ? 2 * LANES : LANES;
        (two ? NAMED(softmax_two_vectors) : NAMED(softmax_one_vector))(a, log_sum, z, n_cols, a_row, z_row);
        n_rows -= n, a += n * a_row, z += n * z_row;
        if (log_sum) log_sum += n;
    }
    for (ptrdiff_t r = 0; r < n_rows; r++)
        NAMED(softmax_narrow_row)(a + r * a_row, log_sum ? log_sum + r : log_sum, z + r * z_row, n_cols);
}
