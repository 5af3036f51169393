# The numbers behind the names by which Python asks for an activation, a loss, a rule and so on. Floor 2.

from operations cimport list_operations
from plan cimport *
from run cimport RUN_DIVERGED, RUN_FAILED, RUN_FINISHED, RUN_OUT_OF_TIME
from simd cimport ACTIVATION_COUNT, RULE_COUNT, activation_name, rule_name

cimport constraints
cimport losses
cimport metrics
cimport regularizers

ACTIVATIONS = {activation_name(kind).decode(): kind for kind in range(ACTIVATION_COUNT)}
cdef OperationTraits operation_rows[OPERATION_COUNT]
list_operations(operation_rows)
OPERATIONS = {operation_rows[kind].name.decode(): kind for kind in range(OPERATION_COUNT)}
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
RULES = {rule_name(rule).decode(): rule for rule in range(RULE_COUNT)}
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
