/* One step of each optimizer: a sweep over parameters, gradients and up to three vectors of state. Floor 0; knows
   neither schedules nor bias corrections. A rule works on one vector; `sweep` leads it over the arrays. */

/* The parameters w and the state of a rule at one place; each rule says what its state means. */
typedef struct {
    vector w, s0, s1, s2;
} NAMED(weights);

/* The scalars of a step, each in the name of the formulas in kernels.template.h; `rest` means 1 - the named one,
   rounded once from double. */
typedef struct {
    REAL lr, shrink, momentum, rho, rho_rest, beta_1, beta_1_rest, beta_2, beta_2_rest, epsilon, m_next, g_now, v_scale;
} NAMED(rates);

typedef NAMED(weights) NAMED(rule)(NAMED(weights) t, vector g, NAMED(rates) h);

/* Applies the rule to the next vector of parameters, or its first lanes where fewer are `left`; absent state is NULL.
 */
INLINE void NAMED(sweep_next)(REAL *w, REAL *s0, REAL *s1, REAL *s2, const REAL *g, ptrdiff_t left, NAMED(rates) h,
                              NAMED(rule) *rule) {
    NAMED(weights) t = {0};
    t.w = NAMED(load_next)(w, left) * h.shrink;
    if (s0) t.s0 = NAMED(load_next)(s0, left);
    if (s1) t.s1 = NAMED(load_next)(s1, left);
    if (s2) t.s2 = NAMED(load_next)(s2, left);
    t = rule(t, NAMED(load_next)(g, left), h);
    NAMED(store_next)(w, t.w, left);
    if (s0) NAMED(store_next)(s0, t.s0, left);
    if (s1) NAMED(store_next)(s1, t.s1, left);
    if (s2) NAMED(store_next)(s2, t.s2, left);
}

/* Applies the rule to n parameters. */
INLINE void NAMED(sweep)(REAL *w, REAL *s0, REAL *s1, REAL *s2, const REAL *g, ptrdiff_t n, NAMED(rates) h,
                         NAMED(rule) *rule) {
    ptrdiff_t i = 0;
#define FROM_I w + i, s0 ? s0 + i : s0, s1 ? s1 + i : s1, s2 ? s2 + i : s2, g + i
    for (; i + LANES <= n; i += LANES) NAMED(sweep_next)(FROM_I, LANES, h, rule);
    if (i < n) NAMED(sweep_next)(FROM_I, n - i, h, rule);
#undef FROM_I
}

#define RULE(name) INLINE NAMED(weights) NAMED(name)(NAMED(weights) t, vector g, NAMED(rates) h)

/* w -= lr g */
RULE(sgd) {
    t.w -= h.lr * g;
    return t;
}
static void NAMED(sgd_step)(REAL *w, const REAL *g, ptrdiff_t n, double lr, double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr, .shrink = (REAL)shrink};
    NAMED(sweep)(w, NULL, NULL, NULL, g, n, h, NAMED(sgd));
}

/* m = momentum m - lr g;  w += m */
RULE(momentum) {
    t.s0 = h.momentum * t.s0 - h.lr * g;
    t.w += t.s0;
    return t;
}
/* the same m;  w += momentum m - lr g */
RULE(nesterov) {
    t.s0 = h.momentum * t.s0 - h.lr * g;
    t.w += h.momentum * t.s0 - h.lr * g;
    return t;
}
static void NAMED(momentum_step)(REAL *w, REAL *m, const REAL *g, ptrdiff_t n, double lr, double momentum, int nesterov,
                                 double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr, .momentum = (REAL)momentum, .shrink = (REAL)shrink};
    if (nesterov)
        NAMED(sweep)(w, m, NULL, NULL, g, n, h, NAMED(nesterov));
    else
        NAMED(sweep)(w, m, NULL, NULL, g, n, h, NAMED(momentum));
}

/* s0 = v = rho v + (1 - rho) g^2;  the increment is lr g / sqrt(v + epsilon) */
RULE(rmsprop) {
    t.s0 = h.rho * t.s0 + h.rho_rest * (g * g);
    t.w -= h.lr * g / square_root(t.s0 + h.epsilon);
    return t;
}
/* s1 = m = momentum m + increment;  w -= m */
RULE(rmsprop_momentum) {
    t.s0 = h.rho * t.s0 + h.rho_rest * (g * g);
    t.s1 = h.momentum * t.s1 + h.lr * g / square_root(t.s0 + h.epsilon);
    t.w -= t.s1;
    return t;
}
/* s2 = mean = rho mean + (1 - rho) g;  lr g / sqrt(v - mean^2 + epsilon) */
RULE(rmsprop_centred) {
    t.s0 = h.rho * t.s0 + h.rho_rest * (g * g);
    t.s2 = h.rho * t.s2 + h.rho_rest * g;
    t.w -= h.lr * g / square_root(t.s0 - t.s2 * t.s2 + h.epsilon);
    return t;
}
RULE(rmsprop_centred_momentum) {
    t.s0 = h.rho * t.s0 + h.rho_rest * (g * g);
    t.s2 = h.rho * t.s2 + h.rho_rest * g;
    t.s1 = h.momentum * t.s1 + h.lr * g / square_root(t.s0 - t.s2 * t.s2 + h.epsilon);
    t.w -= t.s1;
    return t;
}
static void NAMED(rmsprop_step)(REAL *w, REAL *v, REAL *m, REAL *mean, const REAL *g, ptrdiff_t n, double lr,
                                double rho, double momentum, double epsilon, double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr,
                            .rho = (REAL)rho,
                            .rho_rest = (REAL)(1 - rho),
                            .momentum = (REAL)momentum,
                            .epsilon = (REAL)epsilon,
                            .shrink = (REAL)shrink};
    if (mean && m)
        NAMED(sweep)(w, v, m, mean, g, n, h, NAMED(rmsprop_centred_momentum));
    else if (mean)
        NAMED(sweep)(w, v, NULL, mean, g, n, h, NAMED(rmsprop_centred));
    else if (m)
        NAMED(sweep)(w, v, m, NULL, g, n, h, NAMED(rmsprop_momentum));
    else
        NAMED(sweep)(w, v, NULL, NULL, g, n, h, NAMED(rmsprop));
}

/* s0 = m += (1 - beta_1)(g - m);  s1 = v += (1 - beta_2)(g^2 - v) */
INLINE NAMED(weights) NAMED(moments)(NAMED(weights) t, vector g, NAMED(rates) h) {
    t.s0 += (g - t.s0) * h.beta_1_rest;
    t.s1 += (g * g - t.s1) * h.beta_2_rest;
    return t;
}
/* w -= alpha m / (sqrt(v) + epsilon) */
RULE(adam) {
    t = NAMED(moments)(t, g, h);
    t.w -= h.lr * t.s0 / (square_root(t.s1) + h.epsilon);
    return t;
}
/* s2 = v_max = max(v_max, v) stands for v */
RULE(adam_amsgrad) {
    t = NAMED(moments)(t, g, h);
    t.s2 = at_least(t.s1, t.s2);
    t.w -= h.lr * t.s0 / (square_root(t.s2) + h.epsilon);
    return t;
}
static void NAMED(adam_step)(REAL *w, REAL *m, REAL *v, REAL *v_max, const REAL *g, ptrdiff_t n, double alpha,
                             double beta_1, double beta_2, double epsilon, double shrink) {
    const NAMED(rates) h = {.lr = (REAL)alpha,
                            .beta_1_rest = (REAL)(1 - beta_1),
                            .beta_2_rest = (REAL)(1 - beta_2),
                            .epsilon = (REAL)epsilon,
                            .shrink = (REAL)shrink};
    if (v_max)
        NAMED(sweep)(w, m, v, v_max, g, n, h, NAMED(adam_amsgrad));
    else
        NAMED(sweep)(w, m, v, NULL, g, n, h, NAMED(adam));
}

/* w -= lr (m_next m + g_now g) / (sqrt(v v_scale) + epsilon) */
RULE(nadam) {
    t = NAMED(moments)(t, g, h);
    t.w -= h.lr * (h.m_next * t.s0 + h.g_now * g) / (square_root(t.s1 * h.v_scale) + h.epsilon);
    return t;
}
static void NAMED(nadam_step)(REAL *w, REAL *m, REAL *v, const REAL *g, ptrdiff_t n, double lr, double m_next,
                              double g_now, double v_scale, double beta_1, double beta_2, double epsilon,
                              double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr,
                            .m_next = (REAL)m_next,
                            .g_now = (REAL)g_now,
                            .v_scale = (REAL)v_scale,
                            .beta_1_rest = (REAL)(1 - beta_1),
                            .beta_2_rest = (REAL)(1 - beta_2),
                            .epsilon = (REAL)epsilon,
                            .shrink = (REAL)shrink};
    NAMED(sweep)(w, m, v, NULL, g, n, h, NAMED(nadam));
}

/* s0 = m as Adam;  s1 = u = max(beta_2 u, |g|);  w -= alpha m / (u + epsilon) */
RULE(adamax) {
    t.s0 += (g - t.s0) * h.beta_1_rest;
    t.s1 = at_least(magnitude(g), h.beta_2 * t.s1);
    t.w -= h.lr * t.s0 / (t.s1 + h.epsilon);
    return t;
}
static void NAMED(adamax_step)(REAL *w, REAL *m, REAL *u, const REAL *g, ptrdiff_t n, double alpha, double beta_1,
                               double beta_2, double epsilon, double shrink) {
    const NAMED(rates) h = {.lr = (REAL)alpha,
                            .beta_1_rest = (REAL)(1 - beta_1),
                            .beta_2 = (REAL)beta_2,
                            .epsilon = (REAL)epsilon,
                            .shrink = (REAL)shrink};
    NAMED(sweep)(w, m, u, NULL, g, n, h, NAMED(adamax));
}

/* s0 = v += g^2;  w -= lr g / sqrt(v + epsilon) */
RULE(adagrad) {
    t.s0 += g * g;
    t.w -= h.lr * g / square_root(t.s0 + h.epsilon);
    return t;
}
static void NAMED(adagrad_step)(REAL *w, REAL *v, const REAL *g, ptrdiff_t n, double lr, double epsilon,
                                double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr, .epsilon = (REAL)epsilon, .shrink = (REAL)shrink};
    NAMED(sweep)(w, v, NULL, NULL, g, n, h, NAMED(adagrad));
}

/* s0 = v = rho v + (1 - rho) g^2;  d = sqrt(u + epsilon) / sqrt(v + epsilon) g;  s1 = u = rho u + (1 - rho) d^2;
   w -= lr d */
RULE(adadelta) {
    t.s0 = h.rho * t.s0 + h.rho_rest * (g * g);
    const vector d = square_root(t.s1 + h.epsilon) * g / square_root(t.s0 + h.epsilon);
    t.s1 = h.rho * t.s1 + h.rho_rest * (d * d);
    t.w -= h.lr * d;
    return t;
}
static void NAMED(adadelta_step)(REAL *w, REAL *v, REAL *u, const REAL *g, ptrdiff_t n, double lr, double rho,
                                 double epsilon, double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr,
                            .rho = (REAL)rho,
                            .rho_rest = (REAL)(1 - rho),
                            .epsilon = (REAL)epsilon,
                            .shrink = (REAL)shrink};
    NAMED(sweep)(w, v, u, NULL, g, n, h, NAMED(adadelta));
}

/* w -= lr sign(beta_1 m + (1 - beta_1) g), sign(0) = 0;  s0 = m = beta_2 m + (1 - beta_2) g */
RULE(lion) {
    const vector zero = {0}, mixed = h.beta_1 * t.s0 + h.beta_1_rest * g;
    const vector step = with_sign_of(broadcast(h.lr), mixed);
    t.w -= select(greater(magnitude(mixed), zero), step, mixed);
    t.s0 = h.beta_2 * t.s0 + h.beta_2_rest * g;
    return t;
}
static void NAMED(lion_step)(REAL *w, REAL *m, const REAL *g, ptrdiff_t n, double lr, double beta_1, double beta_2,
                             double shrink) {
    const NAMED(rates) h = {.lr = (REAL)lr,
                            .beta_1 = (REAL)beta_1,
                            .beta_1_rest = (REAL)(1 - beta_1),
                            .beta_2 = (REAL)beta_2,
                            .beta_2_rest = (REAL)(1 - beta_2),
                            .shrink = (REAL)shrink};
    NAMED(sweep)(w, m, NULL, NULL, g, n, h, NAMED(lion));
}
#undef RULE

/* y[i] += scale x[i] */
INLINE NAMED(weights) NAMED(addition)(NAMED(weights) t, vector g, NAMED(rates) h) {
    t.w = multiply_add(broadcast(h.lr), g, t.w);
    return t;
}
static void NAMED(add_scaled)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale) {
    const NAMED(rates) h = {.lr = scale, .shrink = 1};
    NAMED(sweep)(y, NULL, NULL, NULL, x, n, h, NAMED(addition));
}

/* y[i] *= scale */
INLINE vector NAMED(scaled)(vector z, NAMED(parameters) p) { return p.p0 * z; }
static void NAMED(scale)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale) {
    NAMED(map)(y, x, n, (NAMED(parameters)){scale, 0, 0}, NAMED(scaled));
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

/* Whether every x[i] is finite: 0 x is 0 for finite numbers and NaN for the others, and a NaN stays in a sum. */
static int NAMED(all_finite)(const REAL *x, ptrdiff_t n) {
    const vector zero = {0};
    vector s[4] = {zero, zero, zero, zero};
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int j = 0; j < 4; j++) s[j] = multiply_add(load(x + i + j * LANES), zero, s[j]);
    REAL rest = 0;
    for (; i < n; i++) rest += x[i] * 0;
    s[0] = (s[0] + s[1]) + (s[2] + s[3]);
    for (int j = 0; j < LANES; j++) rest += s[0][j];
    return rest == 0;
}
