/* Elementwise activations, a = g(z), and delta = da g'(z), vector by vector; kinds.h numbers them. Floor 0.
   A slope is g' of one vector: of z, of a, or of either; a row of kinds.h that says otherwise does not compile. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

#define FORMULA(name) INLINE vector NAMED(name##_formula)(vector z, NAMED(parameters) p)
#define SLOPE_OF_Z(name) INLINE vector NAMED(name##_slope_of_Z)(vector z, NAMED(parameters) p)
#define SLOPE_OF_A(name) INLINE vector NAMED(name##_slope_of_A)(vector a, NAMED(parameters) p)
#define SLOPE_OF_Z_OR_A(name) INLINE vector NAMED(name##_slope_of_Z_OR_A)(vector z, NAMED(parameters) p)

INLINE vector NAMED(negative_part)(vector z) { return at_most(z, (vector){0}); }

/* z > 0 ? yes : no */
INLINE vector NAMED(where_positive)(vector z, vector yes, vector no) {
    return select(greater(z, (vector){0}), yes, no);
}

/* low <= v <= high; NaN stays NaN */
INLINE vector NAMED(clip)(vector v, REAL low, REAL high) {
    return at_most(at_least(v, broadcast(low)), broadcast(high));
}

/* middle where low < v < high, below where v <= low, above where v >= high */
INLINE vector NAMED(piecewise)(vector v, REAL low, REAL high, REAL below, vector middle, REAL above) {
    return select(not_less(broadcast(low), v), broadcast(below),
                  select(not_less(v, broadcast(high)), broadcast(above), middle));
}

/* For z at or above the lowest finite number products with a vanishing factor vanish: -inf * 0 does not arise. */
INLINE vector NAMED(finite_below)(vector z) { return at_least(z, broadcast(-NAMED(LARGEST))); }

FORMULA(linear) { return (void)p, z; }
SLOPE_OF_A(linear) { return (void)a, (void)p, broadcast(1); }

/* z > p2 ? min(z, p1) : p0 (z - p2), and 0 for the second where p0 = 0, whatever z */
FORMULA(relu) {
    const vector zero = {0}, below = p.p0 == 0 ? select(not_less(magnitude(z), zero), zero, z) : p.p0 * (z - p.p2);
    return select(greater(z, broadcast(p.p2)), at_most(z, broadcast(p.p1)), below);
}
FORMULA(plain_relu) { return at_most(at_least(z, (vector){0}), broadcast(p.p1)); }
/* Of z; or of a, which lies on the same side of p2 as z does if p0 >= 0 and p2 >= 0. */
SLOPE_OF_Z_OR_A(relu) {
    const vector above = select(greater(broadcast(p.p1), z), broadcast(1), (vector){0});
    return select(greater(z, broadcast(p.p2)), above, broadcast(p.p0));
}

/* What sigmoid and its kin share: e = exp(z), held below exp(40), where sigmoid = e / (1 + e) is 1 in either format and
   e^2 still a finite number. */
enum { NAMED(SATURATION) = 40 };
INLINE vector NAMED(bounded_exponential)(vector z) {
    return NAMED(exponential)(at_most(z, broadcast(NAMED(SATURATION))));
}
INLINE vector NAMED(logistic)(vector z) {
    const vector e = NAMED(bounded_exponential)(z);
    return e / (1 + e);
}

FORMULA(sigmoid) { return (void)p, NAMED(logistic)(z); }
SLOPE_OF_A(sigmoid) { return (void)p, a * (1 - a); }

FORMULA(tanh) { return (void)p, NAMED(hyperbolic_tangent)(z); }
SLOPE_OF_A(tanh) { return (void)p, (1 - a) * (1 + a); }

FORMULA(elu) { return NAMED(where_positive)(z, z, p.p0 * NAMED(expm1_of_negative)(NAMED(negative_part)(z))); }
/* g' = a + p0 below zero, p0 >= 0 */
SLOPE_OF_A(elu) { return NAMED(where_positive)(a, broadcast(1), a + p.p0); }

static const REAL NAMED(SELU_SCALE) = (REAL)1.0507009873554805, NAMED(SELU_DEPTH) = (REAL)1.7580993408473766;
FORMULA(selu) {
    const vector below = NAMED(SELU_DEPTH) *NAMED(expm1_of_negative)(NAMED(negative_part)(z));
    return (void)p, NAMED(where_positive)(z, NAMED(SELU_SCALE) *z, below);
}
SLOPE_OF_A(selu) { return (void)p, NAMED(where_positive)(a, broadcast(NAMED(SELU_SCALE)), a + NAMED(SELU_DEPTH)); }

FORMULA(celu) {
    const vector below = p.p0 * NAMED(expm1_of_negative)(NAMED(negative_part)(z) / p.p0);
    return NAMED(where_positive)(z, z, below);
}
SLOPE_OF_A(celu) { return NAMED(where_positive)(a, broadcast(1), 1 + a / p.p0); }

/* log(1 + exp(-|z|)) */
INLINE vector NAMED(softplus_excess)(vector z) { return NAMED(log1p_of_unit)(NAMED(exponential)(-magnitude(z))); }

/* max(z, 0) + log(1 + exp(-|z|)) */
FORMULA(softplus) { return (void)p, at_least(z, (vector){0}) + NAMED(softplus_excess)(z); }
/* g' = sigmoid(z) = 1 - exp(-a) */
SLOPE_OF_A(softplus) { return (void)p, -NAMED(expm1_of_negative)(-a); }

FORMULA(softsign) {
    const vector m = at_most(magnitude(z), broadcast(NAMED(LARGEST)));
    return (void)p, with_sign_of(m / (1 + m), z);
}
SLOPE_OF_Z(softsign) {
    const vector root = 1 / (1 + magnitude(z));
    return (void)p, root * root;
}

FORMULA(silu) { return (void)p, NAMED(finite_below)(z) * NAMED(logistic)(z); }
/* g' = s + z s (1 - s), s = sigmoid(z), s (1 - s) = e / (1 + e)^2; below -1000 it is 0 */
SLOPE_OF_Z(silu) {
    const vector bounded = NAMED(clip)(z, -1000, NAMED(SATURATION)), e = NAMED(exponential)(bounded);
    const vector inverse = 1 / (1 + e), s = e * inverse;
    return (void)p, multiply_add(bounded, s * inverse, s);
}

FORMULA(gelu) {
    vector density;
    const vector tail = NAMED(normal_tail)(magnitude(z), &density);
    return (void)p, NAMED(finite_below)(z) * NAMED(where_positive)(z, 1 - tail, tail);
}
/* g' = Phi(z) + z phi(z) */
SLOPE_OF_Z(gelu) {
    vector density;
    const vector bounded = NAMED(clip)(z, -NAMED(TAIL_END), NAMED(TAIL_END));
    const vector tail = NAMED(normal_tail)(magnitude(bounded), &density);
    const vector below = NAMED(where_positive)(z, 1 - tail, tail);
    return (void)p, multiply_add(bounded * (REAL)0.39894228040143267794, density, below);
}

/* g = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3) */
INLINE vector NAMED(gelu_tanh_twice_u)(vector z) {
    return (REAL)1.5957691216057307117 * z * (1 + (REAL)0.044715 * z * z);
}
FORMULA(gelu_tanh) { return (void)p, NAMED(finite_below)(z) * NAMED(logistic)(NAMED(gelu_tanh_twice_u)(z)); }
/* g' = s + z s (1 - s) 2 u', s = sigmoid(2 u); below -32 it is 0, above 8 it is 1 */
SLOPE_OF_Z(gelu_tanh) {
    const vector bounded = NAMED(clip)(z, -32, 8);
    const vector e = NAMED(exponential)(NAMED(gelu_tanh_twice_u)(bounded)), inverse = 1 / (1 + e);
    const vector s = e * inverse, square = bounded * bounded;
    const vector twice_u_slope = (REAL)1.5957691216057307117 * (1 + (REAL)0.134145 * square);
    return (void)p, multiply_add(bounded * twice_u_slope, s * inverse, s);
}

/* z tanh(log(1 + e)) = z n / (n + 2), n = e (e + 2), e = exp(z) */
FORMULA(mish) {
    const vector e = NAMED(bounded_exponential)(z), n = e * (e + 2);
    return (void)p, NAMED(finite_below)(z) * (n / (n + 2));
}
/* g' = t + z (1 - t^2) sigmoid(z), t = n / (n + 2), which is (n + 4 z e (1 + e) / (n + 2)) / (n + 2); below -1000 it
   is 0 */
SLOPE_OF_Z(mish) {
    const vector bounded = NAMED(clip)(z, -1000, NAMED(SATURATION)), e = NAMED(exponential)(bounded);
    const vector n = e * (e + 2), inverse = 1 / (n + 2);
    return (void)p, multiply_add(4 * bounded * inverse, e * (1 + e), n) * inverse;
}

FORMULA(exponential) { return (void)p, NAMED(exponential)(z); }
SLOPE_OF_A(exponential) { return (void)p, a; }

/* min(z, 0) - log(1 + exp(-|z|)) */
FORMULA(log_sigmoid) { return (void)p, NAMED(negative_part)(z) - NAMED(softplus_excess)(z); }
/* g' = sigmoid(-z) = 1 - exp(a) */
SLOPE_OF_A(log_sigmoid) { return (void)p, -NAMED(expm1_of_negative)(a); }

INLINE vector NAMED(hard_logistic)(vector z) { return NAMED(clip)(z + 3, 0, 6) * (REAL)(1.0 / 6); }
FORMULA(hard_sigmoid) { return (void)p, NAMED(hard_logistic)(z); }
SLOPE_OF_A(hard_sigmoid) { return (void)p, NAMED(piecewise)(a, 0, 1, 0, broadcast((REAL)(1.0 / 6)), 0); }

FORMULA(hard_silu) { return (void)p, at_least(z, broadcast(-3)) * NAMED(hard_logistic)(z); }
SLOPE_OF_Z(hard_silu) { return (void)p, NAMED(piecewise)(z, -3, 3, 0, z / 3 + (REAL)0.5, 1); }

FORMULA(hard_tanh) { return (void)p, NAMED(clip)(z, -1, 1); }
SLOPE_OF_A(hard_tanh) { return (void)p, NAMED(piecewise)(a, -1, 1, 0, broadcast(1), 0); }

/* (z + root) / 2; for z < 0, where that cancels, (p0 / 4) / ((root - z) / 2). One bound replaces an overflown root, the
   other keeps 0 / 0 away for p0 = 0, the relu. */
FORMULA(squareplus) {
    const vector m = magnitude(z), b = broadcast(p.p0);
    const vector root = at_most(square_root(multiply_add(z, z, b)), m + square_root(b));
    const vector half_sum = (REAL)0.5 * m + (REAL)0.5 * root;
    return select(not_less(z, (vector){0}), half_sum,
                  (REAL)0.25 * p.p0 / at_least(half_sum, broadcast(NAMED(SMALLEST_NORMAL))));
}
/* g' = (1 + z / sqrt(z^2 + p0)) / 2 = a^2 / (a^2 + p0 / 4) */
SLOPE_OF_A(squareplus) { return NAMED(where_positive)(a, 1 / (1 + (REAL)0.25 * p.p0 / a / a), a * 0); }

FORMULA(soft_shrink) {
    return NAMED(where_positive)(z, at_least(z - p.p0, (vector){0}), at_most(z + p.p0, (vector){0}));
}
INLINE vector NAMED(one_unless_zero)(vector a) {
    return NAMED(where_positive)(magnitude(a), broadcast(1), (vector){0});
}
SLOPE_OF_A(soft_shrink) { return (void)p, NAMED(one_unless_zero)(a); }

FORMULA(hard_shrink) { return select(not_less(broadcast(p.p0), magnitude(z)), (vector){0}, z); }
SLOPE_OF_A(hard_shrink) { return (void)p, NAMED(one_unless_zero)(a); }

FORMULA(tanh_shrink) { return (void)p, z - NAMED(hyperbolic_tangent)(z); }
SLOPE_OF_Z(tanh_shrink) {
    const vector t = NAMED(hyperbolic_tangent)(z);
    return (void)p, t * t;
}

FORMULA(threshold) { return select(not_less(broadcast(p.p0), z), broadcast(p.p1), z); }
SLOPE_OF_Z(threshold) { return select(greater(z, broadcast(p.p0)), broadcast(1), (vector){0}); }

FORMULA(sparse_plus) {
    const vector middle = (REAL)0.25 * (z + 1) * (z + 1);
    return (void)p, select(not_less(broadcast(-1), z), (vector){0}, select(not_less(z, broadcast(1)), z, middle));
}
/* g' = (z + 1) / 2 = sqrt(a) between the bends */
SLOPE_OF_A(sparse_plus) { return (void)p, NAMED(piecewise)(a, 0, 1, 0, square_root(a), 1); }

FORMULA(sparse_sigmoid) { return (void)p, NAMED(clip)((REAL)0.5 * (z + 1), 0, 1); }
SLOPE_OF_A(sparse_sigmoid) { return (void)p, NAMED(piecewise)(a, 0, 1, 0, broadcast((REAL)0.5), 0); }

#undef FORMULA
#undef SLOPE_OF_Z
#undef SLOPE_OF_A
#undef SLOPE_OF_Z_OR_A

static NAMED(parameters) NAMED(parameters_from)(const REAL *p) {
    return p ? (NAMED(parameters)){p[0], p[1], p[2]} : (NAMED(parameters)){0};
}

/* a[i] = g(z[i]) */
static void NAMED(activation_forward)(REAL *a, const REAL *z, ptrdiff_t n, int kind, const REAL *p) {
    const NAMED(parameters) c = NAMED(parameters_from)(p);
    if (kind == ACTIVATION_RELU && c.p0 == 0 && c.p2 == 0) {
        NAMED(map)(a, z, n, c, NAMED(plain_relu_formula));
        return;
    }
#define FORWARD(KIND, name, source) \
    case ACTIVATION_##KIND: NAMED(map)(a, z, n, c, NAMED(name##_formula)); return;
    switch (kind) { EACH_ACTIVATION(FORWARD) }
#undef FORWARD
}

/* delta[i] = da[i] slope(source[i]), source either z or a */
INLINE void NAMED(map_slope)(REAL *delta, const REAL *da, const REAL *source, ptrdiff_t n, NAMED(parameters) p,
                             NAMED(formula) *slope) {
    for (; n >= LANES; n -= LANES, delta += LANES, da += LANES, source += LANES)
        store(delta, load(da) * slope(load(source), p));
    if (n > 0) NAMED(store_next)(delta, NAMED(load_next)(da, n) * slope(NAMED(load_next)(source, n), p), n);
}

/* delta[i] = da[i] g'(z[i]) */
static void NAMED(activation_backward)(REAL *delta, const REAL *da, const REAL *z, const REAL *a, ptrdiff_t n, int kind,
                                       const REAL *p) {
    const NAMED(parameters) c = NAMED(parameters_from)(p);
#define SOURCE_A a
#define SOURCE_Z z
#define SOURCE_Z_OR_A (z ? z : a)
#define BACKWARD(KIND, name, source) \
    case ACTIVATION_##KIND: NAMED(map_slope)(delta, da, SOURCE_##source, n, c, NAMED(name##_slope_of_##source)); return;
    switch (kind) { EACH_ACTIVATION(BACKWARD) }
#undef SOURCE_A
#undef SOURCE_Z
#undef SOURCE_Z_OR_A
#undef BACKWARD
}
