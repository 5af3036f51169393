/* The numbers by which plan, Cython and C name an elementwise activation. Floor 0.
   softmax, log_softmax, glu and sparsemax look at a whole row and are therefore not elementwise. */
#ifndef CNN_CORE_KINDS_H
#define CNN_CORE_KINDS_H

/* The comment gives g(z) and the meaning of the parameters p0, p1, p2. */
enum activation_kind {
    ACTIVATION_LINEAR,         /* z */
    ACTIVATION_RELU,           /* min(max(z, p2) , p1), p0 (z - p2) below p2: p0 slope, p1 maximum, p2 threshold */
    ACTIVATION_SIGMOID,        /* 1 / (1 + exp(-z)) */
    ACTIVATION_TANH,           /* tanh(z) */
    ACTIVATION_ELU,            /* z > 0 ? z : p0 (exp(z) - 1) */
    ACTIVATION_SELU,           /* 1.0507009873554805 * elu(z, 1.6732632423543772) */
    ACTIVATION_CELU,           /* max(z, 0) + min(0, p0 (exp(z / p0) - 1)) */
    ACTIVATION_SOFTPLUS,       /* log(1 + exp(z)) */
    ACTIVATION_SOFTSIGN,       /* z / (1 + |z|) */
    ACTIVATION_SILU,           /* z sigmoid(z) */
    ACTIVATION_GELU,           /* z Phi(z), Phi the normal distribution function */
    ACTIVATION_GELU_TANH,      /* z / 2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) */
    ACTIVATION_MISH,           /* z tanh(softplus(z)) */
    ACTIVATION_EXPONENTIAL,    /* exp(z) */
    ACTIVATION_LOG_SIGMOID,    /* -log(1 + exp(-z)) */
    ACTIVATION_HARD_SIGMOID,   /* clip(z / 6 + 1/2, 0, 1) */
    ACTIVATION_HARD_SILU,      /* z clip(z / 6 + 1/2, 0, 1) */
    ACTIVATION_HARD_TANH,      /* clip(z, -1, 1) */
    ACTIVATION_SQUAREPLUS,     /* (z + sqrt(z^2 + p0)) / 2 */
    ACTIVATION_SOFT_SHRINK,    /* z - p0 above p0, z + p0 below -p0, else 0 */
    ACTIVATION_HARD_SHRINK,    /* z where |z| > p0, else 0 */
    ACTIVATION_TANH_SHRINK,    /* z - tanh(z) */
    ACTIVATION_THRESHOLD,      /* z > p0 ? z : p1 */
    ACTIVATION_SPARSE_PLUS,    /* 0 below -1, z above 1, (z + 1)^2 / 4 between */
    ACTIVATION_SPARSE_SIGMOID, /* clip((z + 1) / 2, 0, 1) */
    ACTIVATION_COUNT
};

#endif
