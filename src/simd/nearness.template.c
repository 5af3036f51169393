/* How near rows are to centres: a sum over features of absolute differences. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* `count` vectors of y, a constant of each instance: each next one is of the next row, or of the next centres, as the
   steps say. Eight chains keep the multipliers busy, and fit into sixteen registers. */
INLINE void NAMED(add_distances)(const int count, REAL *y, ptrdiff_t y_step, const REAL *x, ptrdiff_t x_step,
                                 const REAL *c, ptrdiff_t c_step, const REAL *factors, ptrdiff_t n_features,
                                 ptrdiff_t n_centers, const int ragged, lanes live) {
    vector s[ROW_VECTORS];

#define CLEAR(j) s[j] = (vector){0};
    EACH_VECTOR(CLEAR)
#undef CLEAR
#define DIFFERENCE(j) (broadcast(x[j * x_step]) - NAMED(load_part)(c + j * c_step, ragged, live))
#define ADD(j) \
    if (j < count) s[j] = multiply_add(factor, magnitude(DIFFERENCE(j)), s[j]);
    for (ptrdiff_t i = 0; i < n_features; i++, x++, c += n_centers) {
        const vector factor = broadcast(-factors[i]);
        EACH_VECTOR(ADD)
    }
#undef ADD
#undef DIFFERENCE
#define STORE(j) \
    if (j < count) NAMED(store_part)(y + j * y_step, s[j], ragged, live);
    EACH_VECTOR(STORE)
#undef STORE
}

/* Many rows by one vector of centres; the last rows are done with some before them. */
INLINE void NAMED(near_rows)(REAL *y, ptrdiff_t y_row, const REAL *x, ptrdiff_t x_row, const REAL *c,
                             const REAL *factors, ptrdiff_t n_rows, ptrdiff_t n_features, ptrdiff_t n_centers,
                             const int ragged, lanes live) {
    for (ptrdiff_t done = 0; done < n_rows; done += ROW_VECTORS) {
        const ptrdiff_t first = done + ROW_VECTORS <= n_rows ? done : n_rows - ROW_VECTORS;
        NAMED(add_distances)
        (ROW_VECTORS, y + first * y_row, y_row, x + first * x_row, x_row, c, 0, factors, n_features, n_centers, ragged,
         live);
    }
}

static void NAMED(nearness)(REAL *y, const REAL *x, const REAL *c, const REAL *factors, ptrdiff_t n_rows,
                            ptrdiff_t n_features, ptrdiff_t n_centers, ptrdiff_t y_row, ptrdiff_t x_row) {
    const ptrdiff_t whole = n_centers - n_centers % LANES;
    const lanes live = first_lanes(n_centers % LANES);

    if (n_rows >= ROW_VECTORS) {
        for (ptrdiff_t k = 0; k < whole; k += LANES)
            NAMED(near_rows)(y + k, y_row, x, x_row, c + k, factors, n_rows, n_features, n_centers, 0, live);
        if (whole < n_centers)
            NAMED(near_rows)(y + whole, y_row, x, x_row, c + whole, factors, n_rows, n_features, n_centers, 1, live);
        return;
    }
    for (; n_rows > 0; n_rows--, x += x_row, y += y_row) {
        ptrdiff_t k = 0;
        for (; k + ROW_VECTORS * LANES <= whole; k += ROW_VECTORS * LANES)
            NAMED(add_distances)(ROW_VECTORS, y + k, LANES, x, 0, c + k, LANES, factors, n_features, n_centers, 0,
                                 live);
        for (; k < whole; k += LANES)
            NAMED(add_distances)(1, y + k, 0, x, 0, c + k, 0, factors, n_features, n_centers, 0, live);
        if (k < n_centers) NAMED(add_distances)(1, y + k, 0, x, 0, c + k, 0, factors, n_features, n_centers, 1, live);
    }
}
