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
/* clang-format on */

#define ELEMENTWISE(KIND, name, source) ACTIVATION_##KIND,
#define ROW_WISE(KIND, name) ROW_##KIND,
enum activation_kind {
    EACH_ACTIVATION(ELEMENTWISE) EACH_ROW_ACTIVATION(ROW_WISE) CUSTOM_ACTIVATION, /* an object of Python's */
    ACTIVATION_COUNT
};
#undef ELEMENTWISE
#undef ROW_WISE

/* The name by which Python asks for an activation of this kind. */
const char *activation_name(int kind);

/* Whether the slope of an elementwise activation needs z (1) or follows from a alone (0). */
int activation_slope_needs_z(int kind);

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
