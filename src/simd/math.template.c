/* exp, log, tanh and their kin on vectors. Floor 0. Each is right within a few units in the last place, for every
   argument: infinities give the limits, NaN stays NaN, subnormal numbers count. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
INLINE vector NAMED(polynomial)(vector x, const REAL *c, const int n) {
    vector sum = broadcast(c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = multiply_add(sum, x, broadcast(c[i]));
    return sum;
}
#define POLYNOMIAL(x, c) NAMED(polynomial)(x, NAMED(c), sizeof NAMED(c) / sizeof *NAMED(c))

/* x = n ln 2 + r with |r| <= ln(2) / 2. n + 2 EXPONENT_BIAS stands in the low bits of *n. */
INLINE vector NAMED(reduce)(vector x, integers *n) {
    const vector rounded = multiply_add(x, broadcast(NAMED(LOG2_E)), broadcast(NAMED(ROUNDING)));
    const vector minus_n = NAMED(ROUNDING) - rounded;
    *n = (integers)rounded;
    const vector r = multiply_add(minus_n, broadcast(NAMED(LN2_HIGH)), x);
    return multiply_add(minus_n, broadcast(NAMED(LN2_LOW)), r);
}

/* exp(r) - 1 for |r| <= ln(2) / 2 */
INLINE vector NAMED(exp_less_one)(vector r) { return multiply_add(r * r, POLYNOMIAL(r, EXP_POLYNOMIAL), r); }

/* 2^n exp(r), n as `reduce` leaves it. The power is applied in two halves, each of which is a normal number also where
   the result is subnormal or infinite. */
INLINE vector NAMED(scaled_exponential)(integers n, vector r) {
    const integers half = n >> 1;
    const vector power_1 = (vector)(half << NAMED(MANTISSA_BITS));
    const vector power_2 = (vector)((n - half) << NAMED(MANTISSA_BITS));
    return (1 + NAMED(exp_less_one)(r)) * power_1 * power_2;
}

INLINE vector NAMED(exponential)(vector x) {
    integers n;
    x = at_least(at_most(x, broadcast(NAMED(EXP_HIGHEST))), broadcast(NAMED(EXP_LOWEST)));
    const vector r = NAMED(reduce)(x, &n);
    return NAMED(scaled_exponential)(n, r);
}

/* exp(x) - 1 for x <= 0: 2^n (exp(r) - 1) + (2^n - 1); below -40 it is -1 in either format. */
INLINE vector NAMED(expm1_of_negative)(vector x) {
    integers n;
    const vector r = NAMED(reduce)(at_least(x, broadcast(-40)), &n);
    const vector power = (vector)((n - NAMED(EXPONENT_BIAS)) << NAMED(MANTISSA_BITS));
    return multiply_add(power, NAMED(exp_less_one)(r), power - 1);
}

/* k ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2): with s = f / (2 + f), log(1 + f) = 2 atanh(s), and what
   exceeds f - f^2 / 2 is added last. */
INLINE vector NAMED(log_of_parts)(vector k, vector f) {
    const vector s = f / (2 + f), w = s * s, half_square = (REAL)0.5 * f * f;
    const vector excess = s * multiply_add(w, POLYNOMIAL(w, LOG_POLYNOMIAL), half_square);
    const vector low = multiply_add(k, broadcast(NAMED(LN2_LOW)), excess);
    return multiply_add(k, broadcast(NAMED(LN2_HIGH)), f - (half_square - low));
}

/* log(x) = k ln 2 + log(m), x = 2^k m, sqrt(1/2) <= m < sqrt(2); a subnormal x is made normal first. */
INLINE vector NAMED(logarithm)(vector x) {
    const integers one = (integers)broadcast(1), sqrt_half = (integers)broadcast((REAL)0.70710678118654752440);
    const integers shift = (integers)broadcast((REAL)((uint64_t)1 << NAMED(MANTISSA_BITS)));
    const mask tiny = greater(broadcast(NAMED(SMALLEST_NORMAL)), x);
    const integers bits = (integers)select(tiny, x * (vector)shift, x) + (one - sqrt_half);
    const vector m = (vector)((bits & NAMED(MANTISSA))+sqrt_half);
    /* The exponent, set as the low bits of 2^MANTISSA_BITS, becomes a number without a conversion. */
    const vector biased = (vector)(bits >> NAMED(MANTISSA_BITS) | shift) - (vector)shift;
    const vector k =
        biased - select(tiny, broadcast(NAMED(EXPONENT_BIAS) + NAMED(MANTISSA_BITS)), broadcast(NAMED(EXPONENT_BIAS)));
    const vector zero = {0}, positive = select(greater(x, broadcast(NAMED(LARGEST))), x, NAMED(log_of_parts)(k, m - 1));
    const vector otherwise = select(not_less(x, zero), broadcast(-INFINITY), broadcast(NAN));
    return select(greater(x, zero), positive, otherwise);
}

/* log(1 + u) for 0 <= u <= 1, exact to the last places also for the smallest u. */
INLINE vector NAMED(log1p_of_unit)(vector u) {
    const mask large = greater(u, broadcast((REAL)0.41421356237309504880));
    return NAMED(log_of_parts)(select(large, broadcast(1), (vector){0}), select(large, (REAL)0.5 * (u - 1), u));
}

/* tanh(x) = -e / (2 + e) with e = exp(-2 |x|) - 1, and the sign of x */
INLINE vector NAMED(hyperbolic_tangent)(vector x) {
    const vector e = NAMED(expm1_of_negative)(-2 * magnitude(x));
    return with_sign_of(e / (2 + e), x);
}

/* cos(2 pi t) and sin(2 pi t): with q the nearest number of quarters and r = t - q / 4, which rounds nothing, they are
   cos(2 pi r) and sin(2 pi r), exchanged and with the signs that q says. Where turns are too many to have a fraction
   finer than a half, whole ones are left. */
INLINE void NAMED(cosine_and_sine)(vector t, vector *cosine, vector *sine) {
    t = select(greater(magnitude(t), broadcast(NAMED(MOST_TURNS))), t - t, t);
    t -= (t + NAMED(WHOLE))-NAMED(WHOLE);
    const vector rounded = multiply_add(t, broadcast(4), broadcast(NAMED(WHOLE)));
    const vector r = t - (REAL)0.25 * (rounded - NAMED(WHOLE)), square = r * r;
    const integers q = (integers)rounded, exchange = 0 - (q & 1);
    const integers s = (integers)(r * POLYNOMIAL(square, SINE_POLYNOMIAL));
    const integers c = (integers)multiply_add(square, POLYNOMIAL(square, COSINE_POLYNOMIAL), broadcast(1));
    const int sign = 8 * sizeof(REAL) - 2; /* from bit 1 to the sign's */
    *cosine = (vector)(((c & ~exchange) | (s & exchange)) ^ (((q + 1) & 2) << sign));
    *sine = (vector)(((s & ~exchange) | (c & exchange)) ^ ((q & 2) << sign));
}

/* Q(v) = 1 - Phi(v) for v >= 0, and *density = exp(-v^2 / 2). The square is split so that its rounding, which the
   exponential would magnify, is kept: v^2 = h^2 + (v - h)(v + h), h the leading half of v's digits. */
INLINE vector NAMED(normal_tail)(vector v, vector *density) {
    v = at_most(v, broadcast(NAMED(TAIL_END)));
    const vector h = (vector)((integers)v & NAMED(LEADING_HALF));
    const vector low = (REAL)-0.5 * ((v - h) * (v + h));
    integers n;
    const vector r = NAMED(reduce)((REAL)-0.5 * (h * h), &n) + low;
    *density = NAMED(scaled_exponential)(n, r);
    return *density * (POLYNOMIAL(v, TAIL_NUMERATOR) / POLYNOMIAL(v, TAIL_DENOMINATOR));
}

INLINE vector NAMED(exp_formula)(vector x, NAMED(parameters) p) { return (void)p, NAMED(exponential)(x); }
INLINE vector NAMED(log_formula)(vector x, NAMED(parameters) p) { return (void)p, NAMED(logarithm)(x); }

static void NAMED(exp_array)(REAL *y, const REAL *x, ptrdiff_t n) {
    NAMED(map)(y, x, n, (NAMED(parameters)){0}, NAMED(exp_formula));
}

static void NAMED(log_array)(REAL *y, const REAL *x, ptrdiff_t n) {
    NAMED(map)(y, x, n, (NAMED(parameters)){0}, NAMED(log_formula));
}

static void NAMED(cosine_sine_array)(REAL *c, REAL *s, const REAL *turns, ptrdiff_t n) {
    vector cosine, sine;
    for (; n > 0; n -= LANES, turns += LANES, c += LANES, s += LANES) {
        NAMED(cosine_and_sine)(NAMED(load_next)(turns, n), &cosine, &sine);
        NAMED(store_next)(c, cosine, n);
        NAMED(store_next)(s, sine, n);
    }
}
