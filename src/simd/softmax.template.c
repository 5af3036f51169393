/* a[r,c] = exp(z[r,c] - m) / sum_c exp(z[r,c] - m), m = max_c z[r,c]; log_sum = m + log(sum). Floor 0.
   Wide rows run along the columns; of narrow ones (classes), as many as a vector has lanes run side by side. Which way
   a row goes depends on its width only, so its bits do not depend on its neighbours. */

enum { NAMED(NARROW_COLUMNS) = 16 };

/* One element of each of LANES rows; where fewer are left, the last of them again. */
INLINE vector NAMED(gather_column)(const REAL *z, ptrdiff_t z_row, ptrdiff_t n_rows) {
    vector v = {0};
    for (ptrdiff_t r = 0; r < LANES; r++) v[r] = z[(r < n_rows ? r : n_rows - 1) * z_row];
    return v;
}
INLINE void NAMED(scatter_column)(REAL *a, ptrdiff_t a_row, vector v, ptrdiff_t n_rows) {
    for (ptrdiff_t r = 0; r < LANES; r++)
        if (r < n_rows) a[r * a_row] = v[r];
}

/* n_rows <= LANES rows, one in each lane, at most NARROW_COLUMNS columns */
INLINE void NAMED(softmax_side_by_side)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                        ptrdiff_t a_row, ptrdiff_t z_row) {
    vector column[NAMED(NARROW_COLUMNS)], largest = broadcast(-INFINITY), sum = {0};
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        column[c] = NAMED(gather_column)(z + c, z_row, n_rows);
        largest = at_least(column[c], largest);
    }
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        column[c] = NAMED(exponential)(column[c] - largest);
        sum += column[c];
    }
    const vector inverse = 1 / sum;
    for (ptrdiff_t c = 0; c < n_cols; c++) NAMED(scatter_column)(a + c, a_row, column[c] * inverse, n_rows);
    if (log_sum) NAMED(store_next)(log_sum, largest + NAMED(logarithm)(sum), n_rows);
}

INLINE REAL NAMED(largest_lane)(vector v) {
    REAL largest = v[0];
    for (int i = 1; i < LANES; i++) largest = v[i] > largest ? v[i] : largest;
    return largest;
}

INLINE REAL NAMED(sum_of_lanes)(vector v) {
    REAL lane[LANES];
    store(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
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
    for (; n_rows >= LANES; n_rows -= LANES, a += LANES * a_row, z += LANES * z_row) {
        NAMED(softmax_side_by_side)(a, log_sum, z, LANES, n_cols, a_row, z_row);
        if (log_sum) log_sum += LANES;
    }
    if (n_rows > 0) NAMED(softmax_side_by_side)(a, log_sum, z, n_rows, n_cols, a_row, z_row);
}
