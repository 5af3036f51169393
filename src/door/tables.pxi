# The numbers behind the names by which Python asks for an activation, a loss, a rule and so on. Floor 2.

from constraints cimport MOST_CONSTRAINTS, ConstraintTraits, list_constraints
from dense cimport NOT_ROUNDED, TO_BFLOAT16, TO_INT8
from loss cimport LossTraits, ReductionTraits
from losses cimport MOST_KINDS, MOST_REDUCTIONS, list_losses, list_reductions
from metrics cimport MOST_METRICS, MetricTraits, list_metrics
from operations cimport list_operations
from plan cimport *
from quads cimport MOST_QUANTIZED as most_quantized
from regularizers cimport MOST_PENALTIES, PenaltyTraits, list_penalties
from reductions cimport AGGREGATE_COUNT, aggregate_name
from run cimport RUN_DIVERGED, RUN_FAILED, RUN_FINISHED, RUN_OUT_OF_TIME
from simd cimport (ACTIVATION_COUNT, FUNCTION_COUNT, RULE_COUNT, activation_is_elementwise, activation_name,
                   function_arity, function_name, rule_name)
from origins cimport DISTRIBUTION_COUNT, name_distributions

ACTIVATIONS = {activation_name(kind).decode(): kind for kind in range(ACTIVATION_COUNT)}
# What an expression is made of, activations and the functions behind them: numbers of instructions, and of operands.
INSTRUCTIONS = {name: kind for name, kind in ACTIVATIONS.items() if activation_is_elementwise(kind)} | {
    function_name(function).decode(): ACTIVATION_COUNT + function for function in range(FUNCTION_COUNT)}
ELEMENTWISE = {name: function_arity(kind - ACTIVATION_COUNT) if kind >= ACTIVATION_COUNT else 1
               for name, kind in INSTRUCTIONS.items()}
AGGREGATES = {aggregate_name(aggregate).decode(): aggregate for aggregate in range(AGGREGATE_COUNT)}
cdef const char *distribution_names[DISTRIBUTION_COUNT]
name_distributions(distribution_names)
DISTRIBUTIONS = {distribution_names[kind].decode(): kind for kind in range(DISTRIBUTION_COUNT)}
cdef OperationTraits operation_rows[MOST_OPERATIONS]
OPERATIONS = {operation_rows[row].name.decode(): row for row in range(list_operations(operation_rows))}
cdef LossTraits loss_rows[MOST_KINDS]
LOSSES = {loss_rows[kind].name.decode(): kind for kind in range(list_losses(loss_rows))}
cdef MetricTraits metric_rows[MOST_METRICS]
METRICS = {metric_rows[kind].name.decode(): kind for kind in range(list_metrics(metric_rows))}
cdef ReductionTraits reduction_rows[MOST_REDUCTIONS]
REDUCTIONS = {reduction_rows[kind].name.decode(): kind for kind in range(list_reductions(reduction_rows))}
cdef ConstraintTraits constraint_rows[MOST_CONSTRAINTS]
CONSTRAINTS = {constraint_rows[kind].name.decode(): kind for kind in range(list_constraints(constraint_rows))}
cdef PenaltyTraits penalty_rows[MOST_PENALTIES]
PENALTIES = {penalty_rows[kind].name.decode(): kind for kind in range(list_penalties(penalty_rows))}
RULES = {rule_name(rule).decode(): rule for rule in range(RULE_COUNT)}
# To what factors of a dense operation's products are rounded, by the type in which it computes.
ROUNDINGS = {"float32": NOT_ROUNDED, "float64": NOT_ROUNDED, "bfloat16": TO_BFLOAT16, "int8": TO_INT8}
MOST_QUANTIZED = most_quantized  # inputs of a product in int8
MODES = {"evaluation": EVALUATION, "block": BLOCK, "training": TRAINING, "tracing": TRACING}
STATUS = {RUN_FINISHED: "finished", RUN_OUT_OF_TIME: "out of time", RUN_DIVERGED: "diverged", RUN_FAILED: "failed"}
