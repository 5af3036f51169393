/* The lists of kinds: a row a kind, from which its number, its name and the switches over all kinds follow. Floor 0. */
#ifndef CNN_CORE_KINDS_H
#define CNN_CORE_KINDS_H

/* Elementwise activations: DO(KIND, name, source). The slope g' is computed from `source`: from z, from a = g(z), or
   (relu) from z where it is given, else from a. The comment gives g(z) and the meaning of the parameters p0, p1, p2. */
/* clang-format off */
#define EACH_ACTIVATION(DO) \
    DO(LINEAR, linear, A)                 /* z */ \
    DO(RELU, relu, Z_OR_A)                /* min(z, p1) above p2, p0 (z - p2) below: slope, maximum, threshold */ \
    DO(SIGMOID, sigmoid, A)               /* 1 / (1 + exp(-z)) */ \
    DO(TANH, tanh, A)                     /* tanh(z) */ \
    DO(ELU, elu, A)                       /* z > 0 ? z : p0 (exp(z) - 1) */ \
    DO(SELU, selu, A)                     /* 1.0507009873554805 * elu(z, 1.6732632423543772) */ \
    DO(CELU, celu, A)                     /* max(z, 0) + min(0, p0 (exp(z / p0) - 1)) */ \
    DO(SOFTPLUS, softplus, A)             /* log(1 + exp(z)) */ \
    DO(SOFTSIGN, softsign, Z)             /* z / (1 + |z|) */ \
    DO(SILU, silu, Z)                     /* z sigmoid(z) */ \
    DO(GELU, gelu, Z)                     /* z Phi(z), Phi the normal distribution function */ \
    DO(GELU_TANH, gelu_tanh, Z)           /* z / 2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) */ \
    DO(MISH, mish, Z)                     /* z tanh(softplus(z)) */ \
    DO(EXPONENTIAL, exponential, A)       /* exp(z) */ \
    DO(LOG_SIGMOID, log_sigmoid, A)       /* -log(1 + exp(-z)) */ \
    DO(HARD_SIGMOID, hard_sigmoid, A)     /* clip(z / 6 + 1/2, 0, 1) */ \
    DO(HARD_SILU, hard_silu, Z)           /* z clip(z / 6 + 1/2, 0, 1) */ \
    DO(HARD_TANH, hard_tanh, A)           /* clip(z, -1, 1) */ \
    DO(SQUAREPLUS, squareplus, A)         /* (z + sqrt(z^2 + p0)) / 2 */ \
    DO(SOFT_SHRINK, soft_shrink, A)       /* z - p0 above p0, z + p0 below -p0, else 0 */ \
    DO(HARD_SHRINK, hard_shrink, A)       /* z where |z| > p0, else 0 */ \
    DO(TANH_SHRINK, tanh_shrink, Z)       /* z - tanh(z) */ \
    DO(THRESHOLD, threshold, Z)           /* z > p0 ? z : p1 */ \
    DO(SPARSE_PLUS, sparse_plus, A)       /* 0 below -1, z above 1, (z + 1)^2 / 4 between */ \
    DO(SPARSE_SIGMOID, sparse_sigmoid, A) /* clip((z + 1) / 2, 0, 1) */

/* Activations of a whole row, which floor 1 computes: DO(KIND, name). */
#define EACH_ROW_ACTIVATION(DO) DO(SOFTMAX, softmax) DO(LOG_SOFTMAX, log_softmax) DO(GLU, glu) DO(SPARSEMAX, sparsemax)

/* Elementwise functions of expressions besides the activations: DO(KIND, name, arity, adjoint). What is FLAT passes no
   derivative on; what is SLOPED has an adjoint. Truth is 1 or 0, and every number but 0 is true. */
#define EACH_FUNCTION(DO) \
    DO(IDENTITY, identity, 1, SLOPED)           /* a */ \
    DO(STOP_GRADIENT, stop_gradient, 1, FLAT)   /* a */ \
    DO(NEGATIVE, negative, 1, SLOPED)           /* -a */ \
    DO(ABS, abs, 1, SLOPED)                     /* |a| */ \
    DO(SIGN, sign, 1, FLAT)                     /* -1, 0 or 1 */ \
    DO(SQUARE, square, 1, SLOPED)               /* a^2 */ \
    DO(SQRT, sqrt, 1, SLOPED)                   /* square root */ \
    DO(RSQRT, rsqrt, 1, SLOPED)                 /* 1 / square root */ \
    DO(RECIPROCAL, reciprocal, 1, SLOPED)       /* 1 / a */ \
    DO(EXP, exp, 1, SLOPED)                     /* e^a */ \
    DO(EXPM1, expm1, 1, SLOPED)                 /* e^a - 1 */ \
    DO(EXP2, exp2, 1, SLOPED)                   /* 2^a */ \
    DO(LOG, log, 1, SLOPED)                     /* natural logarithm */ \
    DO(LOG1P, log1p, 1, SLOPED)                 /* log(1 + a) */ \
    DO(LOG2, log2, 1, SLOPED) \
    DO(LOG10, log10, 1, SLOPED) \
    DO(SIN, sin, 1, SLOPED) \
    DO(COS, cos, 1, SLOPED) \
    DO(TAN, tan, 1, SLOPED) \
    DO(ARCSIN, arcsin, 1, SLOPED) \
    DO(ARCCOS, arccos, 1, SLOPED) \
    DO(ARCTAN, arctan, 1, SLOPED) \
    DO(SINH, sinh, 1, SLOPED) \
    DO(COSH, cosh, 1, SLOPED) \
    DO(ARCSINH, arcsinh, 1, SLOPED) \
    DO(ARCCOSH, arccosh, 1, SLOPED) \
    DO(ARCTANH, arctanh, 1, SLOPED) \
    DO(ERF, erf, 1, SLOPED)                     /* 2 / sqrt(pi) * integral of exp(-t^2) from 0 to a */ \
    DO(FLOOR, floor, 1, FLAT) \
    DO(CEIL, ceil, 1, FLAT) \
    DO(TRUNC, trunc, 1, FLAT) \
    DO(ROUND, round, 1, FLAT)                   /* halves to the even neighbour */ \
    DO(IS_NAN, isnan, 1, FLAT) \
    DO(IS_INFINITE, isinf, 1, FLAT) \
    DO(IS_FINITE, isfinite, 1, FLAT) \
    DO(LOGICAL_NOT, logical_not, 1, FLAT) \
    DO(ADD, add, 2, SLOPED) \
    DO(SUBTRACT, subtract, 2, SLOPED) \
    DO(MULTIPLY, multiply, 2, SLOPED) \
    DO(DIVIDE, divide, 2, SLOPED) \
    DO(POWER, power, 2, SLOPED)                 /* a^b */ \
    DO(MAXIMUM, maximum, 2, SLOPED)             /* NaN where either is; equals share the derivative */ \
    DO(MINIMUM, minimum, 2, SLOPED) \
    DO(FLOOR_DIVIDE, floor_divide, 2, FLAT)     /* floor(a / b), as whole as Python's */ \
    DO(REMAINDER, remainder, 2, SLOPED)         /* a - b floor(a / b), with the sign of b */ \
    DO(ARCTAN2, arctan2, 2, SLOPED)             /* the angle of (b, a) */ \
    DO(LOGADDEXP, logaddexp, 2, SLOPED)         /* log(e^a + e^b) */ \
    DO(EQUAL, equal, 2, FLAT) \
    DO(NOT_EQUAL, not_equal, 2, FLAT) \
    DO(GREATER, greater, 2, FLAT) \
    DO(GREATER_EQUAL, greater_equal, 2, FLAT) \
    DO(LESS, less, 2, FLAT) \
    DO(LESS_EQUAL, less_equal, 2, FLAT) \
    DO(LOGICAL_AND, logical_and, 2, FLAT) \
    DO(LOGICAL_OR, logical_or, 2, FLAT) \
    DO(LOGICAL_XOR, logical_xor, 2, FLAT) \
    DO(WHERE, where, 3, SLOPED)                 /* a ? b : c */ \
    DO(CLIP, clip, 3, SLOPED)                   /* min(max(a, b), c) */
/* clang-format on */

#define ELEMENTWISE(KIND, name, source) ACTIVATION_##KIND,
#define ROW_WISE(KIND, name) ROW_##KIND,
enum activation_kind {
    EACH_ACTIVATION(ELEMENTWISE) EACH_ROW_ACTIVATION(ROW_WISE) CUSTOM_ACTIVATION, /* an object of Python's */
    ACTIVATION_COUNT
};
#undef ELEMENTWISE
#undef ROW_WISE

#define FUNCTION(KIND, name, arity, adjoint) FUNCTION_##KIND,
enum function_kind { EACH_FUNCTION(FUNCTION) FUNCTION_COUNT };
#undef FUNCTION

/* The name by which Python asks for an activation of this kind. */
const char *activation_name(int kind);

/* Whether the slope of an elementwise activation needs z (1) or follows from a alone (0). */
int activation_slope_needs_z(int kind);

/* Of an elementwise function: its name, how many operands it has, whether it passes no derivative on. */
const char *function_name(int function);
int function_arity(int function);
int function_is_flat(int function);

static inline int activation_is_elementwise(int kind) {
    switch (kind) {
#define CASE(KIND, name, source) case ACTIVATION_##KIND:
        EACH_ACTIVATION(CASE)
#undef CASE
        return 1;
    default: return 0;
    }
}

#endif
