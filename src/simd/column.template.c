/* The matrix product for one column. Vectors lie along k: of a tile all lanes but one would be idle. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

enum { NAMED(ROWS_AT_ONCE) = LANES < 8 ? 8 : LANES }; /* enough chains to keep the multipliers busy */

/* sums[r] = sum_k x[r,k] w[k] for `rows` rows, a constant of each instance. */
INLINE void NAMED(sum_rows)(const int rows, REAL *sums, const REAL *x, const REAL *w, ptrdiff_t n_k, ptrdiff_t x_row) {
    const lanes live = first_lanes(n_k % LANES);
    const REAL *x_of[] = {x, x + 4 * x_row, x + 8 * x_row, x + 12 * x_row};
    vector s[MOST_SUMS];

#define CLEAR(r) s[r] = (vector){0};
    EACH_SUM(CLEAR)
#undef CLEAR
#define ADD(r, ragged) \
    if (r < rows) s[r] = multiply_add(NAMED(load_part)(x_of[r / 4] + r % 4 * x_row, ragged, live), w_k, s[r]);
#define ADD_WHOLE(r) ADD(r, 0)
#define ADD_PART(r) ADD(r, 1)
    for (; n_k >= LANES; n_k -= LANES, w += LANES) {
        const vector w_k = load(w);
        EACH_SUM(ADD_WHOLE)
        x_of[0] += LANES, x_of[1] += LANES, x_of[2] += LANES, x_of[3] += LANES;
    }
    if (n_k > 0) {
        const vector w_k = load_lanes(w, live);
        EACH_SUM(ADD_PART)
    }
#undef ADD_PART
#undef ADD_WHOLE
#undef ADD
    for (int r = 0; r < rows; r += LANES) store(sums + r, lane_sums(s + r));
}

/* y[r] = max(sums[r] + (y[r] or bias), floor) */
INLINE void NAMED(finish_sums)(REAL *y, const REAL *sums, ptrdiff_t n_rows, REAL bias, const panel_settings *p) {
    const REAL floor = p->clamp ? 0 : LOWEST;
    for (ptrdiff_t r = 0; r < n_rows; r++, y += p->y_row) {
        const REAL sum = sums[r] + (p->accumulate ? *y : bias);
        *y = sum < floor ? floor : sum;
    }
}

/* The last rows are summed with some before them, if there are as many. */
static void NAMED(column_product)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, const panel_settings *p) {
    const ptrdiff_t most = p->n_rows < NAMED(ROWS_AT_ONCE) ? 1 : NAMED(ROWS_AT_ONCE);
    const REAL added = bias ? *bias : 0;
    REAL sums[MOST_SUMS];
    for (ptrdiff_t done = 0; done < p->n_rows; done += most) {
        const ptrdiff_t first = done + most <= p->n_rows ? done : p->n_rows - most;
        if (most == 1)
            NAMED(sum_rows)(1, sums, x + first * p->x_row, w, p->n_k, p->x_row);
        else
            NAMED(sum_rows)(NAMED(ROWS_AT_ONCE), sums, x + first * p->x_row, w, p->n_k, p->x_row);
        NAMED(finish_sums)(y + done * p->y_row, sums + done - first, first + most - done, added, p);
    }
}
