# The numbers behind the names by which Python asks for an activation, a loss, a rule and so on. Floor 2.

from network cimport RUN_DIVERGED, RUN_FAILED, RUN_FINISHED, RUN_OUT_OF_TIME
from plan cimport *

cimport constraints
cimport losses
cimport metrics
cimport optimizers
cimport regularizers

cdef extern from "simd/kinds.h":
    int ACTIVATION_TANH, ACTIVATION_ELU, ACTIVATION_SELU
    int ACTIVATION_CELU, ACTIVATION_SOFTPLUS, ACTIVATION_SOFTSIGN, ACTIVATION_SILU, ACTIVATION_GELU
    int ACTIVATION_GELU_TANH, ACTIVATION_MISH, ACTIVATION_EXPONENTIAL, ACTIVATION_LOG_SIGMOID
    int ACTIVATION_HARD_SIGMOID, ACTIVATION_HARD_SILU, ACTIVATION_HARD_TANH, ACTIVATION_SQUAREPLUS
    int ACTIVATION_SOFT_SHRINK, ACTIVATION_HARD_SHRINK, ACTIVATION_TANH_SHRINK, ACTIVATION_THRESHOLD
    int ACTIVATION_SPARSE_PLUS, ACTIVATION_SPARSE_SIGMOID

ACTIVATIONS = {
    "linear": ACTIVATION_LINEAR, "relu": ACTIVATION_RELU, "sigmoid": ACTIVATION_SIGMOID, "tanh": ACTIVATION_TANH,
    "elu": ACTIVATION_ELU, "selu": ACTIVATION_SELU, "celu": ACTIVATION_CELU, "softplus": ACTIVATION_SOFTPLUS,
    "softsign": ACTIVATION_SOFTSIGN, "silu": ACTIVATION_SILU, "gelu": ACTIVATION_GELU,
    "gelu_tanh": ACTIVATION_GELU_TANH, "mish": ACTIVATION_MISH, "exponential": ACTIVATION_EXPONENTIAL,
    "log_sigmoid": ACTIVATION_LOG_SIGMOID, "hard_sigmoid": ACTIVATION_HARD_SIGMOID,
    "hard_silu": ACTIVATION_HARD_SILU, "hard_tanh": ACTIVATION_HARD_TANH, "squareplus": ACTIVATION_SQUAREPLUS,
    "soft_shrink": ACTIVATION_SOFT_SHRINK, "hard_shrink": ACTIVATION_HARD_SHRINK,
    "tanh_shrink": ACTIVATION_TANH_SHRINK, "threshold": ACTIVATION_THRESHOLD,
    "sparse_plus": ACTIVATION_SPARSE_PLUS, "sparse_sigmoid": ACTIVATION_SPARSE_SIGMOID,
    "softmax": ROW_SOFTMAX, "log_softmax": ROW_LOG_SOFTMAX, "glu": ROW_GLU, "sparsemax": ROW_SPARSEMAX,
    "custom": CUSTOM_ACTIVATION,
}
OPERATIONS = {
    "dense": DENSE, "activation": ACTIVATION, "prelu": PRELU, "reshape": RESHAPE, "permute": PERMUTE,
    "dropout": DROPOUT, "alpha_dropout": ALPHA_DROPOUT, "gaussian_dropout": GAUSSIAN_DROPOUT,
    "gaussian_noise": GAUSSIAN_NOISE, "batch_normalization": BATCH_NORMALIZATION,
    "layer_normalization": LAYER_NORMALIZATION, "rms_normalization": RMS_NORMALIZATION,
    "unit_normalization": UNIT_NORMALIZATION, "add": ADD, "subtract": SUBTRACT, "multiply": MULTIPLY,
    "average": AVERAGE, "maximum": MAXIMUM, "minimum": MINIMUM, "concatenate": CONCATENATE, "dot": DOT,
    "parametric_activation": PARAMETRIC_ACTIVATION, "periodic": PERIODIC, "embedding": EMBEDDING,
    "standardize": STANDARDIZE, "rescale": RESCALE, "encode": ENCODE, "discretize": DISCRETIZE,
    "activity_penalty": ACTIVITY_PENALTY, "custom": CUSTOM,
}
LOSSES = {
    "mean_squared_error": losses.MEAN_SQUARED_ERROR, "half_squared_error": losses.HALF_SQUARED_ERROR,
    "mean_absolute_error": losses.MEAN_ABSOLUTE_ERROR,
    "mean_absolute_percentage_error": losses.MEAN_ABSOLUTE_PERCENTAGE_ERROR,
    "mean_squared_logarithmic_error": losses.MEAN_SQUARED_LOGARITHMIC_ERROR,
    "cosine_similarity": losses.COSINE_SIMILARITY, "huber": losses.HUBER, "log_cosh": losses.LOG_COSH,
    "poisson": losses.POISSON, "kl_divergence": losses.KL_DIVERGENCE, "hinge": losses.HINGE,
    "squared_hinge": losses.SQUARED_HINGE, "categorical_hinge": losses.CATEGORICAL_HINGE,
    "quantile": losses.QUANTILE, "gaussian_nll": losses.GAUSSIAN_NLL,
    "half_poisson_deviance": losses.HALF_POISSON_DEVIANCE,
    "binary_crossentropy": losses.BINARY_CROSSENTROPY, "categorical_crossentropy": losses.CATEGORICAL_CROSSENTROPY,
    "sparse_categorical_crossentropy": losses.SPARSE_CATEGORICAL_CROSSENTROPY,
    "binary_focal_crossentropy": losses.BINARY_FOCAL_CROSSENTROPY,
    "categorical_focal_crossentropy": losses.CATEGORICAL_FOCAL_CROSSENTROPY, "custom": losses.CUSTOM_LOSS,
}
METRICS = {
    "binary_accuracy": metrics.BINARY_ACCURACY, "categorical_accuracy": metrics.CATEGORICAL_ACCURACY,
    "sparse_categorical_accuracy": metrics.SPARSE_CATEGORICAL_ACCURACY, "loss": metrics.LOSS_VALUE,
}
REDUCTIONS = {
    "sum_over_batch_size": losses.SUM_OVER_BATCH_SIZE, "sum": losses.SUM,
    "mean_with_sample_weight": losses.MEAN_WITH_SAMPLE_WEIGHT,
}
RULES = {
    "sgd": optimizers.SGD, "rmsprop": optimizers.RMSPROP, "adam": optimizers.ADAM, "nadam": optimizers.NADAM,
    "adamax": optimizers.ADAMAX, "adagrad": optimizers.ADAGRAD, "adadelta": optimizers.ADADELTA,
    "lion": optimizers.LION,
}
CONSTRAINTS = {
    None: constraints.UNCONSTRAINED, "non_negative": constraints.NON_NEGATIVE, "max_norm": constraints.MAX_NORM,
    "unit_norm": constraints.UNIT_NORM, "min_max_norm": constraints.MIN_MAX_NORM,
    "custom": constraints.CUSTOM_CONSTRAINT,
}
PENALTIES = {
    None: regularizers.NO_PENALTY, "l1_l2": regularizers.L1_L2, "orthogonal_rows": regularizers.ORTHOGONAL_ROWS,
    "orthogonal_columns": regularizers.ORTHOGONAL_COLUMNS, "custom": regularizers.CUSTOM_PENALTY,
}
MODES = {"evaluation": EVALUATION, "block": BLOCK, "training": TRAINING, "tracing": TRACING}
STATUS = {RUN_FINISHED: "finished", RUN_OUT_OF_TIME: "out of time", RUN_DIVERGED: "diverged", RUN_FAILED: "failed"}
