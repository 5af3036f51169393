/* Elementwise sweeps over arrays: a formula of one vector led over all of them, and the plainest formulas. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* Up to three parameters of a formula. */
typedef struct {
    REAL p0, p1, p2;
} NAMED(parameters);

typedef vector NAMED(formula)(vector z, NAMED(parameters) p);

/* y[i] = f(x[i], p). Inlined with f, so that the call is none. */
INLINE void NAMED(map)(REAL *y, const REAL *x, ptrdiff_t n, NAMED(parameters) p, NAMED(formula) *f) {
    for (; n >= LANES; n -= LANES, x += LANES, y += LANES) store(y, f(load(x), p));
    if (n > 0) NAMED(store_next)(y, f(NAMED(load_next)(x, n), p), n);
}

INLINE vector NAMED(scaled)(vector x, NAMED(parameters) p) { return p.p0 * x; }

/* y[i] = scale x[i] */
static void NAMED(scale)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale) {
    NAMED(map)(y, x, n, (NAMED(parameters)){scale, 0, 0}, NAMED(scaled));
}

/* y[i] += scale x[i] */
static void NAMED(add_scaled)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale) {
    const vector factor = broadcast(scale);
    for (; n >= LANES; n -= LANES, x += LANES, y += LANES) store(y, multiply_add(factor, load(x), load(y)));
    if (n > 0) NAMED(store_next)(y, multiply_add(factor, NAMED(load_next)(x, n), NAMED(load_next)(y, n)), n);
}
