/* The matrix product of two or three rows of x with two panels of w side by side: on one panel so few sums would spend
   most of their time waiting for each other. Floor 0. Bit for bit what tile.template.c computes. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

#define EACH_OF_3(DO) DO(0) DO(1) DO(2)

/* `rows` is a constant of each instance. The second panel begins `next` elements behind the first. */
INLINE void NAMED(few_rows)(const int rows, REAL *y, const REAL *x, const REAL *w, ptrdiff_t next, const REAL *bias,
                            const panel_settings *p) {
    const vector zero = {0}, floor = broadcast(p->clamp ? 0 : LOWEST);
    const REAL *w_of[] = {w, w + LANES, w + next, w + next + LANES};
    vector s[3][2 * PANEL_VECTORS];

#define CLEAR(r) s[r][0] = s[r][1] = s[r][2] = s[r][3] = zero;
    EACH_OF_3(CLEAR)
#undef CLEAR
    for (ptrdiff_t k = 0, at = 0; k < p->n_k; k++, at += p->w_k) {
        const vector x_0 = broadcast(x[k]), x_1 = broadcast(x[p->x_row + k]);
        const vector x_2 = rows == 3 ? broadcast(x[2 * p->x_row + k]) : zero;
#define STEP(v) \
    { \
        const vector w_v = load(w_of[v] + at); \
        s[0][v] = multiply_add(x_0, w_v, s[0][v]); \
        s[1][v] = multiply_add(x_1, w_v, s[1][v]); \
        if (rows == 3) s[2][v] = multiply_add(x_2, w_v, s[2][v]); \
    }
        STEP(0) STEP(1) STEP(2) STEP(3)
#undef STEP
    }
#define FINISH_PART(r, v) \
    { \
        const REAL *added = p->accumulate ? y + r * p->y_row : bias; \
        const vector sum = s[r][v] + (added ? load(added + v * LANES) : zero); \
        store(y + r * p->y_row + v * LANES, at_least(sum, floor)); \
    }
#define FINISH(r) \
    if (r < rows) { \
        FINISH_PART(r, 0) FINISH_PART(r, 1) FINISH_PART(r, 2) FINISH_PART(r, 3) \
    }
    EACH_OF_3(FINISH)
#undef FINISH
#undef FINISH_PART
}
#undef EACH_OF_3

static void NAMED(two_panels_product)(REAL *y, const REAL *x, const REAL *w, ptrdiff_t next, const REAL *bias,
                                      const panel_settings *p) {
    if (p->n_rows == 3)
        NAMED(few_rows)(3, y, x, w, next, bias, p);
    else
        NAMED(few_rows)(2, y, x, w, next, bias, p);
}
