/* One step of each optimizer: a sweep over parameters, gradients and up to three vectors of state. Floor 0. It
   knows no schedule. A rule works on one vector; `sweep` leads it over the arrays; a step says with which of its
   forms. A rule of tensors moves no parameter: it leaves in place of the gradient the direction of a step, whose length
   src/training/tensor_steps.pxd knows. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* The parameters w and the state of a rule at one place; each rule says what its state means. */
typedef struct {
    vector w, s0, s1, s2, direction;
} NAMED(weights);

/* The scalars of a step; `rest` means 1 - the named one, rounded once from double. */
typedef struct {
    REAL lr, shrink, momentum, rho, rho_rest, beta_1, beta_1_rest, beta_2, beta_2_rest, epsilon, m_next, g_now, m_scale,
        v_scale, share, share_rest, l1, curvature, pull, row_scale;
} NAMED(rates);

INLINE NAMED(rates) NAMED(rates_of)(const hyperparameters *h, const step_scalars *s) {
    return (NAMED(rates)){.lr = (REAL)s->lr,
                          .shrink = (REAL)s->shrink,
                          .momentum = (REAL)h->momentum,
                          .rho = (REAL)h->rho,
                          .rho_rest = (REAL)(1 - h->rho),
                          .beta_1 = (REAL)h->beta_1,
                          .beta_1_rest = (REAL)(1 - h->beta_1),
                          .beta_2 = (REAL)h->beta_2,
                          .beta_2_rest = (REAL)(1 - h->beta_2),
                          .epsilon = (REAL)(h->epsilon * s->epsilon_factor)};
}

/* The arrays of a step; the pointers stand in it, for stores may change any that memory holds. */
typedef struct {
    REAL *w, *slots[MAX_SLOTS], *g;
    ptrdiff_t n;
} NAMED(arrays);

typedef NAMED(weights) NAMED(rule)(NAMED(weights) t, vector g, NAMED(rates) r);

/* Applies the rule to the next vector of parameters from i on, or to what is `left` of it. */
INLINE void NAMED(sweep_next)(const int n_slots, const int directs, NAMED(arrays) a, ptrdiff_t i, ptrdiff_t left,
                              NAMED(rates) r, NAMED(rule) *rule) {
    NAMED(weights) t = {0};
    t.w = NAMED(load_next)(a.w + i, left) * r.shrink;
    if (n_slots > 0) t.s0 = NAMED(load_next)(a.slots[0] + i, left);
    if (n_slots > 1) t.s1 = NAMED(load_next)(a.slots[1] + i, left);
    if (n_slots > 2) t.s2 = NAMED(load_next)(a.slots[2] + i, left);
    t = rule(t, NAMED(load_next)(a.g + i, left), r);
    NAMED(store_next)(a.w + i, t.w, left);
    if (n_slots > 0) NAMED(store_next)(a.slots[0] + i, t.s0, left);
    if (n_slots > 1) NAMED(store_next)(a.slots[1] + i, t.s1, left);
    if (n_slots > 2) NAMED(store_next)(a.slots[2] + i, t.s2, left);
    if (directs) NAMED(store_next)(a.g + i, t.direction, left);
}

/* Applies the rule to all parameters. */
INLINE void NAMED(sweep)(const int n_slots, const int directs, NAMED(arrays) a, NAMED(rates) r, NAMED(rule) *rule) {
    ptrdiff_t i = 0;
    for (; i + LANES <= a.n; i += LANES) NAMED(sweep_next)(n_slots, directs, a, i, LANES, r, rule);
    if (i < a.n) NAMED(sweep_next)(n_slots, directs, a, i, a.n - i, r, rule);
}

#define RULE(name) INLINE NAMED(weights) NAMED(name##_rule)(NAMED(weights) t, vector g, NAMED(rates) r)
#define STEP(name) \
    INLINE void NAMED(name##_step)(const int n_slots, NAMED(arrays) a, NAMED(rates) r, const hyperparameters *h, \
                                   const step_scalars *s)
#define SWEEP(n_slots, name) NAMED(sweep)(n_slots, 0, a, r, NAMED(name##_rule))
#define SWEEP_FOR_DIRECTION(n_slots, name) NAMED(sweep)(n_slots, 1, a, r, NAMED(name##_rule))

/* w -= lr g */
RULE(sgd) {
    t.w -= r.lr * g;
    return t;
}

/* m = momentum m - lr g;  w += m */
RULE(momentum) {
    t.s0 = r.momentum * t.s0 - r.lr * g;
    t.w += t.s0;
    return t;
}
/* the same m;  w += momentum m - lr g */
RULE(nesterov) {
    t.s0 = r.momentum * t.s0 - r.lr * g;
    t.w += r.momentum * t.s0 - r.lr * g;
    return t;
}
STEP(sgd) {
    (void)s;
    if (n_slots == 0)
        SWEEP(0, sgd);
    else if (h->nesterov != 0)
        SWEEP(1, nesterov);
    else
        SWEEP(1, momentum);
}

/* s0 = v = rho v + (1 - rho) g^2;  the increment is lr g / sqrt(v + epsilon) */
RULE(rmsprop) {
    t.s0 = r.rho * t.s0 + r.rho_rest * (g * g);
    t.w -= r.lr * g / square_root(t.s0 + r.epsilon);
    return t;
}
/* s1 = m = momentum m + increment;  w -= m */
RULE(rmsprop_momentum) {
    t.s0 = r.rho * t.s0 + r.rho_rest * (g * g);
    t.s1 = r.momentum * t.s1 + r.lr * g / square_root(t.s0 + r.epsilon);
    t.w -= t.s1;
    return t;
}
/* s1 = mean = rho mean + (1 - rho) g;  the increment is lr g / sqrt(v - mean^2 + epsilon) */
RULE(rmsprop_centred) {
    t.s0 = r.rho * t.s0 + r.rho_rest * (g * g);
    t.s1 = r.rho * t.s1 + r.rho_rest * g;
    t.w -= r.lr * g / square_root(t.s0 - t.s1 * t.s1 + r.epsilon);
    return t;
}
/* s1 = m, s2 = mean */
RULE(rmsprop_centred_momentum) {
    t.s0 = r.rho * t.s0 + r.rho_rest * (g * g);
    t.s2 = r.rho * t.s2 + r.rho_rest * g;
    t.s1 = r.momentum * t.s1 + r.lr * g / square_root(t.s0 - t.s2 * t.s2 + r.epsilon);
    t.w -= t.s1;
    return t;
}
STEP(rmsprop) {
    (void)s;
    if (n_slots == 3)
        SWEEP(3, rmsprop_centred_momentum);
    else if (h->centered != 0)
        SWEEP(2, rmsprop_centred);
    else if (n_slots == 2)
        SWEEP(2, rmsprop_momentum);
    else
        SWEEP(1, rmsprop);
}

/* s0 = m += (1 - beta_1)(g - m);  s1 = v += (1 - beta_2)(g^2 - v) */
INLINE NAMED(weights) NAMED(moments)(NAMED(weights) t, vector g, NAMED(rates) r) {
    t.s0 += (g - t.s0) * r.beta_1_rest;
    t.s1 += (g * g - t.s1) * r.beta_2_rest;
    return t;
}
/* w -= alpha m / (sqrt(v) + epsilon), alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t) */
RULE(adam) {
    t = NAMED(moments)(t, g, r);
    t.w -= r.lr * t.s0 / (square_root(t.s1) + r.epsilon);
    return t;
}
/* s2 = v_max = max(v_max, v) stands for v */
RULE(adam_amsgrad) {
    t = NAMED(moments)(t, g, r);
    t.s2 = at_least(t.s1, t.s2);
    t.w -= r.lr * t.s0 / (square_root(t.s2) + r.epsilon);
    return t;
}
STEP(adam) {
    const double t = (double)s->t;
    r.lr = (REAL)(s->lr * sqrt(1 - pow(h->beta_2, t)) / (1 - pow(h->beta_1, t)));
    if (n_slots == 3)
        SWEEP(3, adam_amsgrad);
    else
        SWEEP(2, adam);
}

/* w -= lr m_hat / (sqrt(v / (1 - beta_2^t)) + epsilon), with momenta u_t that grow with t:
   m_hat = u_next m / (1 - product u_next) + (1 - u) g / (1 - product), product = u_1 ... u_t */
RULE(nadam) {
    t = NAMED(moments)(t, g, r);
    t.w -= r.lr * (r.m_next * t.s0 + r.g_now * g) / (square_root(t.s1 * r.v_scale) + r.epsilon);
    return t;
}
STEP(nadam) {
    const double u = nadam_momentum(h->beta_1, s->t), u_next = nadam_momentum(h->beta_1, s->t + 1);
    r.m_next = (REAL)(u_next / (1 - s->nadam_product * u_next));
    r.g_now = (REAL)((1 - u) / (1 - s->nadam_product));
    r.v_scale = (REAL)(1 / (1 - pow(h->beta_2, (double)s->t)));
    SWEEP(n_slots, nadam);
}

/* s0 = m as Adam;  s1 = u = max(beta_2 u, |g|);  w -= alpha m / (u + epsilon),
   alpha = lr / (1 - beta_1^t) */
RULE(adamax) {
    t.s0 += (g - t.s0) * r.beta_1_rest;
    t.s1 = at_least(magnitude(g), r.beta_2 * t.s1);
    t.w -= r.lr * t.s0 / (t.s1 + r.epsilon);
    return t;
}
STEP(adamax) {
    r.lr = (REAL)(s->lr / (1 - pow(h->beta_1, (double)s->t)));
    SWEEP(n_slots, adamax);
}

/* s0 = v += g^2;  w -= lr g / sqrt(v + epsilon) */
RULE(adagrad) {
    t.s0 += g * g;
    t.w -= r.lr * g / square_root(t.s0 + r.epsilon);
    return t;
}
STEP(adagrad) {
    (void)h, (void)s;
    SWEEP(n_slots, adagrad);
}

/* s0 = v = rho v + (1 - rho) g^2;  d = sqrt(u + epsilon) / sqrt(v + epsilon) g;  s1 = u = rho u + (1 - rho) d^2;
   w -= lr d */
RULE(adadelta) {
    t.s0 = r.rho * t.s0 + r.rho_rest * (g * g);
    const vector d = square_root(t.s1 + r.epsilon) * g / square_root(t.s0 + r.epsilon);
    t.s1 = r.rho * t.s1 + r.rho_rest * (d * d);
    t.w -= r.lr * d;
    return t;
}
STEP(adadelta) {
    (void)h, (void)s;
    SWEEP(n_slots, adadelta);
}

/* w -= lr sign(beta_1 m + (1 - beta_1) g), sign(0) = 0;  s0 = m = beta_2 m + (1 - beta_2) g */
RULE(lion) {
    const vector zero = {0}, mixed = r.beta_1 * t.s0 + r.beta_1_rest * g;
    const vector step = with_sign_of(broadcast(r.lr), mixed);
    t.w -= select(greater(magnitude(mixed), zero), step, mixed);
    t.s0 = r.beta_2 * t.s0 + r.beta_2_rest * g;
    return t;
}
STEP(lion) {
    (void)h, (void)s;
    SWEEP(n_slots, lion);
}

/* s0 = n += g^2;  s1 = z += g + 2 shrinkage w - (n^p - (n before)^p) / lr w, p = -learning_rate_power, root = n^p;
   w = (clip(z, -l1, l1) - z) / (root / lr + curvature), curvature = 2 l2 + beta / lr; where no gradient has come yet, w
   stays */
INLINE NAMED(weights) NAMED(follow_leader)(NAMED(weights) t, vector g, vector root_before, vector root, NAMED(rates) r) {
    t.s1 += (g + r.pull * t.w) - (root - root_before) / r.lr * t.w;
    const vector zero = {0}, l1 = broadcast(r.l1), curvature = root / r.lr + r.curvature;
    t.w = select(greater(curvature, zero), (at_most(at_least(t.s1, -l1), l1) - t.s1) / curvature, t.w);
    return t;
}
RULE(ftrl) {
    const vector before = t.s0;
    t.s0 += g * g;
    return NAMED(follow_leader)(t, g, square_root(before), square_root(t.s0), r);
}
/* with a power other than -1/2, in `rho` */
RULE(ftrl_power) {
    const vector before = t.s0, power = broadcast(r.rho);
    t.s0 += g * g;
    return NAMED(follow_leader)(t, g, NAMED(by_pair)(before, power, pow), NAMED(by_pair)(t.s0, power, pow), r);
}
/* Without a learning rate there is no step. */
STEP(ftrl) {
    if (s->lr == 0) return;
    r.l1 = (REAL)h->l1;
    r.curvature = (REAL)(2 * h->l2 + h->beta / s->lr);
    r.pull = (REAL)(2 * h->shrinkage);
    r.rho = (REAL)-h->learning_rate_power;
    if (h->learning_rate_power == -0.5)
        SWEEP(n_slots, ftrl);
    else
        SWEEP(n_slots, ftrl_power);
}

/* s1 = v as Adam;  s0 = z -= lr g / (sqrt(v / (1 - beta_2^t)) + epsilon);  w = beta_1 x + (1 - beta_1) z, where x is the
   mean of all z:  x += (z - x) / t, the x before being (w - (1 - beta_1) z) / beta_1 */
RULE(schedule_free_adamw) {
    const vector x = (t.w - r.beta_1_rest * t.s0) / r.beta_1;
    t.s1 += (g * g - t.s1) * r.beta_2_rest;
    t.s0 -= r.lr * g / (square_root(t.s1 * r.v_scale) + r.epsilon);
    t.w = r.beta_1_rest * t.s0 + r.beta_1 * (r.share_rest * x + r.share * t.s0);
    return t;
}
STEP(schedule_free_adamw) {
    const double t = (double)s->t;
    r.lr = (REAL)(s->lr * (t < h->warmup_steps ? t / h->warmup_steps : 1));
    r.v_scale = (REAL)(1 / (1 - pow(h->beta_2, t)));
    r.share = (REAL)(1 / t);
    r.share_rest = (REAL)(1 - 1 / t);
    SWEEP(n_slots, schedule_free_adamw);
}

/* m, v as Adam;  direction = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) */
RULE(lamb) {
    t = NAMED(moments)(t, g, r);
    t.direction = t.s0 * r.m_scale / (square_root(t.s1 * r.v_scale) + r.epsilon);
    return t;
}
STEP(lamb) {
    r.m_scale = (REAL)(1 / (1 - pow(h->beta_1, (double)s->t)));
    r.v_scale = (REAL)(1 / (1 - pow(h->beta_2, (double)s->t)));
    SWEEP_FOR_DIRECTION(n_slots, lamb);
}

/* Of one row:  direction = g / sqrt(row_scale s0), s0 the mean squares of the columns; 0 where there were none */
RULE(adafactor) {
    const vector zero = {0}, v = r.row_scale * t.s0;
    t.direction = select(greater(v, zero), g / square_root(v), zero);
    return t;
}
STEP(adafactor) {
    (void)n_slots, (void)h;
    r.row_scale = (REAL)s->row_scale;
    SWEEP_FOR_DIRECTION(1, adafactor);
}

/* s0 = m = momentum m + g;  direction = m */
RULE(muon) {
    t.direction = t.s0 = r.momentum * t.s0 + g;
    return t;
}
/* direction = g + momentum m */
RULE(muon_nesterov) {
    t.s0 = r.momentum * t.s0 + g;
    t.direction = g + r.momentum * t.s0;
    return t;
}
STEP(muon) {
    (void)n_slots, (void)s;
    if (h->nesterov != 0)
        SWEEP_FOR_DIRECTION(1, muon_nesterov);
    else
        SWEEP_FOR_DIRECTION(1, muon);
}
#undef RULE
#undef STEP
#undef SWEEP
#undef SWEEP_FOR_DIRECTION

/* One step of the rule, in place. */
static void NAMED(optimizer_step)(REAL *w, REAL *const *slots, REAL *g, ptrdiff_t n, int rule,
                                  const hyperparameters *h, const step_scalars *s) {
    const NAMED(arrays) a = {w, {slots[0], slots[1], slots[2]}, g, n};
    const NAMED(rates) r = NAMED(rates_of)(h, s);
#define STEP(RULE, name, hyperparameters, slots) \
    case RULE_##RULE: NAMED(name##_step)(slots, a, r, h, s); return;
    switch (rule) { EACH_RULE(STEP) EACH_RULE_OF_TENSORS(STEP) }
#undef STEP
}
