/* The elementwise functions of expressions, y = f(a, b, c), and their adjoints, vector by vector; kinds.h lists them.
   Floor 0. An adjoint is what dJ/dy gives to dJ/da, dJ/db or dJ/dc, as `which` says. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

#define UNUSED __attribute__((unused))
#define FUNCTION(name) INLINE vector NAMED(name##_function)(vector a UNUSED, vector b UNUSED, vector c UNUSED)
#define ADJOINT(name) \
    INLINE vector NAMED(name##_adjoint)(const int which UNUSED, vector dy UNUSED, vector y UNUSED, vector a UNUSED, \
                                        vector b UNUSED, vector c UNUSED)

/* What no vector formula is worth is computed lane by lane, in double. */
NOT_INLINE static vector NAMED(by_lane)(vector x, double (*f)(double)) {
    for (int i = 0; i < LANES; i++) x[i] = (REAL)f(x[i]);
    return x;
}
/* The same, kept out of the loops that seldom need it: what they hold in registers is put aside only then. */
__attribute__((cold)) NOT_INLINE static vector NAMED(seldom_by_lane)(vector x, double (*f)(double)) {
    return NAMED(by_lane)(x, f);
}
NOT_INLINE static vector NAMED(by_pair)(vector x, vector y, double (*f)(double, double)) {
    for (int i = 0; i < LANES; i++) x[i] = (REAL)f(x[i], y[i]);
    return x;
}

INLINE vector NAMED(truth)(mask m) { return select(m, broadcast(1), (vector){0}); }
INLINE vector NAMED(falsehood)(mask m) { return select(m, (vector){0}, broadcast(1)); }
/* x == 0 */
INLINE mask NAMED(is_zero)(vector x) { return not_less((vector){0}, magnitude(x)); }
#ifdef MASK_REGISTERS
INLINE int NAMED(any)(mask m) { return m != 0; }
#else
INLINE int NAMED(any)(mask m) {
    int found = 0;
    for (int i = 0; i < LANES; i++) found |= m[i] != 0;
    return found;
}
#endif
/* x where m, else 0 */
INLINE vector NAMED(only)(mask m, vector x) { return select(m, x, (vector){0}); }

FUNCTION(identity) { return a; }
ADJOINT(identity) { return dy; }
FUNCTION(stop_gradient) { return a; }
FUNCTION(negative) { return -a; }
ADJOINT(negative) { return -dy; }

/* What is neither above nor below zero is zero or NaN, and stays so. */
FUNCTION(sign) {
    return select(greater(a, (vector){0}), broadcast(1), select(greater((vector){0}, a), broadcast(-1), a));
}
FUNCTION(abs) { return magnitude(a); }
ADJOINT(abs) { return dy * NAMED(sign_function)(a, b, c); }
FUNCTION(square) { return a * a; }
ADJOINT(square) { return 2 * a * dy; }
FUNCTION(sqrt) { return square_root(a); }
ADJOINT(sqrt) { return (REAL)0.5 * dy / y; }
FUNCTION(rsqrt) { return 1 / square_root(a); }
ADJOINT(rsqrt) { return (REAL)-0.5 * dy * (y * y * y); }
FUNCTION(reciprocal) { return 1 / a; }
ADJOINT(reciprocal) { return -dy * y * y; }

FUNCTION(exp) { return NAMED(exponential)(a); }
ADJOINT(exp) { return dy * y; }
/* Above one nothing cancels. */
FUNCTION(expm1) {
    const vector one = broadcast(1);
    return select(greater(a, one), NAMED(exponential)(a) - 1, NAMED(expm1_of_negative)(at_most(a, one)));
}
ADJOINT(expm1) { return dy * (y + 1); }
FUNCTION(exp2) { return NAMED(by_lane)(a, exp2); }
ADJOINT(exp2) { return (REAL)0.69314718055994530942 * dy * y; }
FUNCTION(log) { return NAMED(logarithm)(a); }
ADJOINT(log) { return dy / a; }
/* With u = 1 + a rounded, log(u) a / (u - 1) makes up for the rounding. */
FUNCTION(log1p) {
    const vector u = 1 + a, off = u - 1;
    const vector corrected = NAMED(logarithm)(u) * (a / off);
    return select(NAMED(is_zero)(off), a, select(greater(u, broadcast(NAMED(LARGEST))), a, corrected));
}
ADJOINT(log1p) { return dy / (1 + a); }
FUNCTION(log2) { return NAMED(by_lane)(a, log2); }
ADJOINT(log2) { return (REAL)1.4426950408889634074 * dy / a; }
FUNCTION(log10) { return NAMED(by_lane)(a, log10); }
ADJOINT(log10) { return (REAL)0.43429448190325182765 * dy / a; }

/* sin(x), or cos(x) where `ahead` is 1, the sine a quarter of a turn ahead: with q the nearest number of quarters,
   x = q pi / 2 + r, it is one of +-sin(r) and +-cos(r). Very large x, whose r has too few digits left, and what is no
   number are computed lane by lane. */
INLINE vector NAMED(sine_of_radians)(vector x, const int ahead) {
    const vector q = multiply_add(x, broadcast((REAL)0.63661977236758134308), broadcast(NAMED(WHOLE))) - NAMED(WHOLE);
    vector r = x;
    for (int i = 0; i < 4; i++) r -= q * NAMED(QUARTER)[i];
    const vector turns = r * (REAL)0.15915494309189533577, square = turns * turns;
    const integers number = (integers)(q + NAMED(WHOLE))+ahead, exchange = 0 - (number & 1);
    const integers s = (integers)(turns * POLYNOMIAL(square, SINE_POLYNOMIAL));
    const integers c = (integers)multiply_add(square, POLYNOMIAL(square, COSINE_POLYNOMIAL), broadcast(1));
    const int sign = 8 * sizeof(REAL) - 2; /* from bit 1 to the sign's */
    const vector result = (vector)(((s & ~exchange) | (c & exchange)) ^ ((number & 2) << sign));
    const mask beyond = greater(NAMED(falsehood)(not_less(broadcast(NAMED(MOST_QUARTERS)), magnitude(q))), (vector){0});
    return NAMED(any)(beyond) ? select(beyond, NAMED(seldom_by_lane)(x, ahead ? cos : sin), result) : result;
}

FUNCTION(sin) { return NAMED(sine_of_radians)(a, 0); }
ADJOINT(sin) { return dy * NAMED(sine_of_radians)(a, 1); }
FUNCTION(cos) { return NAMED(sine_of_radians)(a, 1); }
ADJOINT(cos) { return -dy * NAMED(sine_of_radians)(a, 0); }
FUNCTION(tan) { return NAMED(by_lane)(a, tan); }
ADJOINT(tan) { return dy * (1 + y * y); }
FUNCTION(arcsin) { return NAMED(by_lane)(a, asin); }
ADJOINT(arcsin) { return dy / square_root((1 - a) * (1 + a)); }
FUNCTION(arccos) { return NAMED(by_lane)(a, acos); }
ADJOINT(arccos) { return -dy / square_root((1 - a) * (1 + a)); }
FUNCTION(arctan) { return NAMED(by_lane)(a, atan); }
ADJOINT(arctan) { return dy / (1 + a * a); }
FUNCTION(sinh) { return NAMED(by_lane)(a, sinh); }
ADJOINT(sinh) { return dy * NAMED(by_lane)(a, cosh); }
FUNCTION(cosh) { return NAMED(by_lane)(a, cosh); }
ADJOINT(cosh) { return dy * NAMED(by_lane)(a, sinh); }
FUNCTION(arcsinh) { return NAMED(by_lane)(a, asinh); }
ADJOINT(arcsinh) { return dy / square_root(1 + a * a); }
FUNCTION(arccosh) { return NAMED(by_lane)(a, acosh); }
ADJOINT(arccosh) { return dy / square_root((a - 1) * (a + 1)); }
FUNCTION(arctanh) { return NAMED(by_lane)(a, atanh); }
ADJOINT(arctanh) { return dy / ((1 - a) * (1 + a)); }
/* 1 - 2 Q(sqrt(2) |a|) with the sign of a, and near zero, where that cancels, a polynomial. */
FUNCTION(erf) {
    const vector m = magnitude(a), half = broadcast((REAL)0.5), bounded = at_most(m, half);
    vector density;
    const vector near = a * POLYNOMIAL(bounded * bounded, ERF_POLYNOMIAL);
    const vector far = 1 - 2 * NAMED(normal_tail)((REAL)1.4142135623730950488 * m, &density);
    return select(greater(m, half), with_sign_of(far, a), near);
}
ADJOINT(erf) { return (REAL)1.1283791670955125739 * dy * NAMED(exponential)(-a * a); }

/* Adding a number whose last bit counts as one rounds; from that number on all are whole. */
FUNCTION(round) {
    const vector m = magnitude(a), unit = broadcast((REAL)((uint64_t)1 << NAMED(MANTISSA_BITS)));
    return select(not_less(m, unit), a, with_sign_of((m + unit) - unit, a));
}
FUNCTION(floor) {
    const vector whole = NAMED(round_function)(a, b, c);
    return whole - NAMED(truth)(greater(whole, a));
}
FUNCTION(ceil) {
    const vector whole = NAMED(round_function)(a, b, c);
    return with_sign_of(whole + NAMED(truth)(greater(a, whole)), a);
}
FUNCTION(trunc) { return with_sign_of(NAMED(floor_function)(magnitude(a), b, c), a); }
FUNCTION(isnan) { return NAMED(falsehood)(not_less(a, a)); }
FUNCTION(isinf) { return NAMED(truth)(greater(magnitude(a), broadcast(NAMED(LARGEST)))); }
FUNCTION(isfinite) { return NAMED(truth)(not_less(broadcast(NAMED(LARGEST)), magnitude(a))); }
FUNCTION(logical_not) { return NAMED(truth)(NAMED(is_zero)(a)); }

FUNCTION(add) { return a + b; }
ADJOINT(add) { return dy; }
FUNCTION(subtract) { return a - b; }
ADJOINT(subtract) { return which == 0 ? dy : -dy; }
FUNCTION(multiply) { return a * b; }
ADJOINT(multiply) { return dy * (which == 0 ? b : a); }
FUNCTION(divide) { return a / b; }
ADJOINT(divide) { return which == 0 ? dy / b : -dy * (y / b); }

FUNCTION(power) { return NAMED(by_pair)(a, b, pow); }
/* Where a^0 is constant in a, and 0^b in b >= 0, the derivative is 0, whatever the other factor. */
ADJOINT(power) {
    const vector zero = {0};
    if (which == 0) return select(NAMED(is_zero)(b), zero, dy * (b * NAMED(by_pair)(a, b - 1, pow)));
    const vector slope = dy * (y * NAMED(logarithm)(a));
    return select(NAMED(is_zero)(a), select(not_less(b, zero), zero, slope), slope);
}

/* The sum of what cannot be compared is NaN. */
FUNCTION(maximum) { return select(greater(a, b), a, select(not_less(b, a), b, a + b)); }
FUNCTION(minimum) { return select(greater(b, a), a, select(not_less(a, b), b, a + b)); }
/* dy to the larger of two, half of it to equals */
INLINE vector NAMED(share_of_larger)(vector dy, vector own, vector other) {
    return select(greater(own, other), dy, select(greater(other, own), (vector){0}, (REAL)0.5 * dy));
}
ADJOINT(maximum) { return which == 0 ? NAMED(share_of_larger)(dy, a, b) : NAMED(share_of_larger)(dy, b, a); }
ADJOINT(minimum) { return which == 0 ? NAMED(share_of_larger)(dy, b, a) : NAMED(share_of_larger)(dy, a, b); }

FUNCTION(floor_divide) { return NAMED(by_pair)(a, b, floor_quotient); }
FUNCTION(remainder) { return NAMED(by_pair)(a, b, floor_remainder); }
ADJOINT(remainder) { return which == 0 ? dy : -dy * NAMED(by_pair)(a, b, floor_quotient); }
FUNCTION(arctan2) { return NAMED(by_pair)(a, b, atan2); }
ADJOINT(arctan2) { return dy * ((which == 0 ? b : -a) / (a * a + b * b)); }
/* max(a, b) + log(1 + exp(-|a - b|)); of equal infinities the difference is none */
FUNCTION(logaddexp) {
    const vector larger = NAMED(maximum_function)(a, b, c), gap = magnitude(a - b);
    const vector excess = NAMED(log1p_of_unit)(NAMED(exponential)(-gap));
    return select(greater(magnitude(larger), broadcast(NAMED(LARGEST))), larger, larger + excess);
}
ADJOINT(logaddexp) {
    const vector own = which == 0 ? a : b, other = which == 0 ? b : a;
    return dy * NAMED(logistic)(own - other);
}

FUNCTION(equal) { return NAMED(only)(not_less(a, b), NAMED(truth)(not_less(b, a))); }
FUNCTION(not_equal) { return 1 - NAMED(equal_function)(a, b, c); }
FUNCTION(greater) { return NAMED(truth)(greater(a, b)); }
FUNCTION(greater_equal) { return NAMED(truth)(not_less(a, b)); }
FUNCTION(less) { return NAMED(truth)(greater(b, a)); }
FUNCTION(less_equal) { return NAMED(truth)(not_less(b, a)); }
FUNCTION(logical_and) { return select(NAMED(is_zero)(a), (vector){0}, NAMED(falsehood)(NAMED(is_zero)(b))); }
FUNCTION(logical_or) { return select(NAMED(is_zero)(a), NAMED(falsehood)(NAMED(is_zero)(b)), broadcast(1)); }
FUNCTION(logical_xor) {
    return select(NAMED(is_zero)(a), NAMED(falsehood)(NAMED(is_zero)(b)), NAMED(truth)(NAMED(is_zero)(b)));
}

FUNCTION(where) { return select(NAMED(is_zero)(a), c, b); }
/* A condition has no derivative: a truth does not move by little. */
ADJOINT(where) {
    const vector zero = {0};
    if (which == 0) return zero;
    return which == 1 ? select(NAMED(is_zero)(a), zero, dy) : NAMED(only)(NAMED(is_zero)(a), dy);
}
FUNCTION(clip) { return NAMED(minimum_function)(NAMED(maximum_function)(a, b, c), c, a); }
/* dy to what was taken: a within the bounds, the bounds included, else the bound */
ADJOINT(clip) {
    if (which == 0) return NAMED(only)(not_less(a, b), NAMED(only)(not_less(c, a), dy));
    if (which == 2) return NAMED(only)(greater(NAMED(maximum_function)(a, b, c), c), dy);
    return NAMED(only)(greater(b, a), NAMED(only)(not_less(c, b), dy));
}

#undef FUNCTION
#undef ADJOINT
#undef UNUSED

typedef vector NAMED(function)(vector a, vector b, vector c);
typedef vector NAMED(adjoint)(const int which, vector dy, vector y, vector a, vector b, vector c);

/* The next vector of an operand, where the function has that many. */
#define OPERAND(number, p) (arity > number ? NAMED(load_next)(p + i, n - i) : (vector){0})

/* y = f(a, b, c). Inlined with f; `arity` is a constant of the caller, as `which` below is. */
INLINE void NAMED(map_function)(const int arity, REAL *y, const REAL *a, const REAL *b, const REAL *c, ptrdiff_t n,
                                NAMED(function) *f) {
    for (ptrdiff_t i = 0; i < n; i += LANES)
        NAMED(store_next)(y + i, f(OPERAND(0, a), OPERAND(1, b), OPERAND(2, c)), n - i);
}

/* d = dy df/d(operand `which`) */
INLINE void NAMED(map_adjoint)(const int arity, const int which, REAL *d, const REAL *dy, const REAL *y, const REAL *a,
                               const REAL *b, const REAL *c, ptrdiff_t n, NAMED(adjoint) *f) {
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const vector part = f(which, NAMED(load_next)(dy + i, n - i), NAMED(load_next)(y + i, n - i), OPERAND(0, a),
                              OPERAND(1, b), OPERAND(2, c));
        NAMED(store_next)(d + i, part, n - i);
    }
}
#undef OPERAND

/* y[i] = f(a[i], b[i], c[i]) */
static void NAMED(function_forward)(REAL *y, const REAL *a, const REAL *b, const REAL *c, ptrdiff_t n, int function) {
#define FORWARD(KIND, name, arity, adjoint) \
    case FUNCTION_##KIND: NAMED(map_function)(arity, y, a, b, c, n, NAMED(name##_function)); return;
    switch (function) { EACH_FUNCTION(FORWARD) }
#undef FORWARD
}

/* d[i] = dy[i] df/d(operand `which`) */
static void NAMED(function_backward)(REAL *d, const REAL *dy, const REAL *y, const REAL *a, const REAL *b,
                                     const REAL *c, ptrdiff_t n, int function, int which) {
#define BY_OPERAND(arity, number, f) \
    if (arity > number && which == number) NAMED(map_adjoint)(arity, number, d, dy, y, a, b, c, n, f)
#define FLAT(KIND, name, arity)
#define SLOPED(KIND, name, arity) \
    case FUNCTION_##KIND: \
        BY_OPERAND(arity, 0, NAMED(name##_adjoint)); \
        BY_OPERAND(arity, 1, NAMED(name##_adjoint)); \
        BY_OPERAND(arity, 2, NAMED(name##_adjoint)); \
        return;
#define BACKWARD(KIND, name, arity, adjoint) adjoint(KIND, name, arity)
    switch (function) { EACH_FUNCTION(BACKWARD) }
#undef BY_OPERAND
#undef FLAT
#undef SLOPED
#undef BACKWARD
}
