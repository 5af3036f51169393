# The numbers behind the names by which Python asks for an activation, a loss, a rule and so on. Floor 2.

from loss cimport LossTraits
from losses cimport MOST_KINDS, list_losses
from metrics cimport MOST_METRICS, MetricTraits, list_metrics
from operations cimport list_operations
from plan cimport *
from run cimport RUN_DIVERGED, RUN_FAILED, RUN_FINISHED, RUN_OUT_OF_TIME
from simd cimport ACTIVATION_COUNT, RULE_COUNT, activation_name, rule_name

cimport constraints
cimport losses
cimport regularizers

ACTIVATIONS = {activation_name(kind).decode(): kind for kind in range(ACTIVATION_COUNT)}
cdef OperationTraits operation_rows[OPERATION_COUNT]


cdef dict numbers_of_operations():
    """By name; a kind without a row does not import."""
    cdef int kind
    list_operations(operation_rows)
    for kind in range(OPERATION_COUNT):
        if operation_rows[kind].name == NULL:
            raise ImportError(f"operation {kind} of plan.pxd has no row in operations.pxd")
    return {operation_rows[kind].name.decode(): kind for kind in range(OPERATION_COUNT)}


OPERATIONS = numbers_of_operations()
cdef LossTraits loss_rows[MOST_KINDS]
LOSSES = {loss_rows[kind].name.decode(): kind for kind in range(list_losses(loss_rows))}
cdef MetricTraits metric_rows[MOST_METRICS]
METRICS = {metric_rows[kind].name.decode(): kind for kind in range(list_metrics(metric_rows))}
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
