/* a[r,c] = exp(z[r,c] - m) / sum_c exp(z[r,c] - m), m = max_c z[r,c]; log_sum = m + log(sum). Floor 0.
   Wide rows run along the columns; of narrow ones (classes), as many as a vector has lanes run side by side. Which way
   a row goes depends on its width only, so its bits do not depend on its neighbours. */

enum { NAMED(NARROW_COLUMNS) = 16 };

/* n_rows <= LANES rows, one in each lane, at most NARROW_COLUMNS columns */
INLINE void NAMED(softmax_side_by_side)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                        ptrdiff_t a_row, ptrdiff_t z_row)
{
    REAL column[NAMED(NARROW_COLUMNS)][LANES] __attribute__((aligned(VECTOR_BYTES)));
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        for (ptrdiff_t r = 0; r < LANES; r++) column[c][r] = r < n_rows ? z[r * z_row + c] : 0;
    }
    vector largest = load(column[0]), sum = {0};
    for (ptrdiff_t c = 1; c < n_cols; c++) largest = at_least(load(column[c]), largest);
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        const vector e = NAMED(exponential)(load(column[c]) - largest);
        sum += e;
        store(column[c], e);
    }
    const vector inverse = 1 / sum;
    for (ptrdiff_t c = 0; c < n_cols; c++) store(column[c], load(column[c]) * inverse);
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        for (ptrdiff_t c = 0; c < n_cols; c++) a[r * a_row + c] = column[c][r];
    }
    if (log_sum) {
        const vector total = largest + NAMED(logarithm)(sum);
        if (n_rows == LANES)
            store(log_sum, total);
        else
            store_lanes(log_sum, total, first_lanes(n_rows));
    }
}

INLINE REAL NAMED(largest_lane)(vector v)
{
    REAL largest = v[0];
    for (int i = 1; i < LANES; i++) largest = v[i] > largest ? v[i] : largest;
    return largest;
}

INLINE REAL NAMED(sum_of_lanes)(vector v)
{
    REAL lane[LANES];
    store(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
}

/* One row. NaN anywhere makes every exponential or the sum NaN, so the maximum may pass over it. */
INLINE void NAMED(softmax_row)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_cols)
{
    const ptrdiff_t n_whole = n_cols - n_cols % LANES;
    vector largest = broadcast(-INFINITY), sum = {0};
    ptrdiff_t c;
    for (c = 0; c < n_whole; c += LANES) largest = at_least(largest, load(z + c));
    REAL shift = NAMED(largest_lane)(largest);
    for (; c < n_cols; c++) shift = z[c] > shift ? z[c] : shift;
    const vector m = broadcast(shift);
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
    if (log_sum) *log_sum = shift + NAMED(logarithm)(broadcast(total))[0];
}

static void NAMED(softmax)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t a_row,
                           ptrdiff_t z_row)
{
    if (n_cols <= 0) return;
    const ptrdiff_t step = n_cols <= NAMED(NARROW_COLUMNS) ? LANES : 1;
    for (ptrdiff_t r = 0; r < n_rows; r += step, a += step * a_row, z += step * z_row) {
        REAL *log_sum_r = log_sum ? log_sum + r : NULL;
        if (step == 1)
            NAMED(softmax_row)(a, log_sum_r, z, n_cols);
        else
            NAMED(softmax_side_by_side)(a, log_sum_r, z, n_rows - r < LANES ? n_rows - r : LANES, n_cols, a_row, z_row);
    }
}
