/* Sums over arrays and columns, and whether numbers are finite: in one order whatever the instruction set. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

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

/* sum_i x[i]^2 in double: eight partial sums, element i in the sum i % 8, on every instruction set. */
static double NAMED(sum_of_squares)(const REAL *x, ptrdiff_t n) {
    double s[8] = {0};
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) s[j] += (double)x[i + j] * (double)x[i + j];
    for (int j = 0; i + j < n; j++) s[j] += (double)x[i + j] * (double)x[i + j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

INLINE REAL NAMED(sum_of_lanes)(vector v) {
    REAL lane[LANES];
    store(lane, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
}

/* Whether every x[i] is finite: 0 x is 0 for finite numbers and NaN for the others, and a NaN stays in a sum. */
static int NAMED(all_finite)(const REAL *x, ptrdiff_t n) {
    const vector zero = {0};
    vector s[4] = {zero, zero, zero, zero};
    ptrdiff_t i = 0;
    for (; i + 8 * LANES <= n; i += 8 * LANES)
        for (int j = 0; j < 4; j++)
            s[j] += multiply_add(load(x + i + j * LANES), zero, load(x + i + (j + 4) * LANES) * zero);
    for (; i + LANES <= n; i += LANES) s[1] += load(x + i) * zero;
    if (i < n) s[0] += NAMED(load_next)(x + i, n - i) * zero;
    return NAMED(sum_of_lanes)((s[0] + s[1]) + (s[2] + s[3])) == 0;
}
