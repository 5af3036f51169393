# The list of operations, and a network's way through them forward and backward. Floor 1.
# A row names a kind's functions: all kinds have the same ones. What belongs to a kind stands in its own file.

from activation cimport (activation_fits, activation_needs, activation_operation_backward,
                         activation_operation_forward)
from activity cimport (activity_backward, activity_fits, activity_forward, activity_needs, added_loss_backward,
                       added_loss_forward)
from custom cimport (custom_operation_backward, custom_operation_fits, custom_operation_forward,
                     custom_operation_needs, poll_signals)
from dense cimport dense_backward, dense_fits, dense_forward, dense_needs
from embedding cimport embedding_backward, embedding_fits, embedding_forward
from expression cimport expression_backward, expression_fits, expression_forward, expression_needs
from matrices cimport matrices_backward, matrices_fit, matrices_forward
from merging cimport (concatenate_backward, concatenate_fits, concatenate_forward, dot_backward, dot_fits, dot_forward,
                      merge_backward, merge_fits, merge_forward, merge_needs)
from noise cimport noise_backward, noise_fits, noise_forward, noise_needs
from normalization cimport (batch_normalization_backward, batch_normalization_fits, batch_normalization_forward,
                            batch_normalization_needs, row_normalization_backward, row_normalization_fits,
                            row_normalization_forward, row_normalization_needs)
from ordering cimport scan_backward, scan_fits, scan_forward, sort_fits, sort_forward, sort_needs
from parametric_activation cimport (parametric_activation_backward, parametric_activation_fits,
                                    parametric_activation_forward, parametric_activation_needs)
from periodic cimport periodic_backward, periodic_fits, periodic_forward, periodic_needs
from plan cimport *
from prelu cimport prelu_backward, prelu_fits, prelu_forward, prelu_needs
from preprocessing cimport (discretize_fits, discretize_forward, encode_fits, encode_forward, scaling_backward,
                            scaling_fits, scaling_forward)
from reductions cimport (batch_reduction_backward, batch_reduction_fits, batch_reduction_forward, batch_reduction_needs,
                         reduction_backward, reduction_fits, reduction_forward)
from reshaping cimport (permutation_fits, permute_backward, permute_forward, reshape_backward, reshape_fits,
                        reshape_forward)
from selection cimport (choice_backward, choice_fits, choice_forward, gathering_backward, gathering_fits,
                        gathering_forward, selection_backward, selection_fits, selection_forward, selection_needs)
from simd cimport real
from sources cimport constant_fits, constant_forward, random_fits, random_forward, random_needs
from step cimport same_shape, fill_step

ctypedef bint (*Fits)(const Sizes *s) noexcept nogil
ctypedef void (*Needs)(const Sizes *s, Operation *operation) noexcept nogil
ctypedef void (*Forward32)(const Step *s, float **tensors) noexcept nogil
ctypedef void (*Forward64)(const Step *s, double **tensors) noexcept nogil
ctypedef void (*Backward32)(const Step *s, float **tensors, float **gradients) noexcept nogil
ctypedef void (*Backward64)(const Step *s, double **tensors, double **gradients) noexcept nogil


cdef inline OperationTraits traits(const char *name, Fits fits, Needs needs, Forward32 forward_f32,
                                   Forward64 forward_f64, Backward32 backward_f32, Backward64 backward_f64,
                                   int peculiarity=PLAIN) noexcept nogil:
    cdef OperationTraits row
    row.name, row.peculiarity, row.fits, row.needs = name, peculiarity, fits, needs
    row.forward_f32, row.forward_f64, row.backward_f32, row.backward_f64 = (
        forward_f32, forward_f64, backward_f32, backward_f64)
    return row


cdef inline void list_operations(OperationTraits *rows) noexcept nogil:
    """A row for every kind: its name, its checks, its memory, forward and backward for float and for double."""
    rows[DENSE] = traits("dense", dense_fits, dense_needs, dense_forward, dense_forward, dense_backward, dense_backward,
                         ALL_BUT_GLU)
    rows[ACTIVATION] = traits("activation", activation_fits, activation_needs, activation_operation_forward,
                              activation_operation_forward, activation_operation_backward,
                              activation_operation_backward, ALL_ACTIVATIONS)
    rows[PRELU] = traits("prelu", prelu_fits, prelu_needs, prelu_forward, prelu_forward, prelu_backward, prelu_backward)
    rows[RESHAPE] = traits("reshape", reshape_fits, NULL, reshape_forward, reshape_forward, reshape_backward,
                           reshape_backward)
    rows[PERMUTE] = traits("permute", permutation_fits, NULL, permute_forward, permute_forward, permute_backward,
                           permute_backward)
    rows[DROPOUT] = traits("dropout", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward,
                           noise_backward)
    rows[ALPHA_DROPOUT] = traits("alpha_dropout", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward,
                                 noise_backward)
    rows[GAUSSIAN_DROPOUT] = traits("gaussian_dropout", noise_fits, noise_needs, noise_forward, noise_forward,
                                    noise_backward, noise_backward)
    rows[GAUSSIAN_NOISE] = traits("gaussian_noise", noise_fits, noise_needs, noise_forward, noise_forward,
                                  noise_backward, noise_backward)
    rows[BATCH_NORMALIZATION] = traits("batch_normalization", batch_normalization_fits, batch_normalization_needs,
                                       batch_normalization_forward, batch_normalization_forward,
                                       batch_normalization_backward, batch_normalization_backward)
    rows[LAYER_NORMALIZATION] = traits("layer_normalization", row_normalization_fits, row_normalization_needs,
                                       row_normalization_forward, row_normalization_forward, row_normalization_backward,
                                       row_normalization_backward)
    rows[RMS_NORMALIZATION] = traits("rms_normalization", row_normalization_fits, row_normalization_needs,
                                     row_normalization_forward, row_normalization_forward, row_normalization_backward,
                                     row_normalization_backward)
    rows[UNIT_NORMALIZATION] = traits("unit_normalization", row_normalization_fits, row_normalization_needs,
                                      row_normalization_forward, row_normalization_forward, row_normalization_backward,
                                      row_normalization_backward)
    rows[ADD] = traits("add", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
                       MANY_INPUTS)
    rows[SUBTRACT] = traits("subtract", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward,
                            merge_backward, MANY_INPUTS)
    rows[MULTIPLY] = traits("multiply", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward,
                            merge_backward, MANY_INPUTS)
    rows[AVERAGE] = traits("average", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward,
                           merge_backward, MANY_INPUTS)
    rows[MAXIMUM] = traits("maximum", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward,
                           merge_backward, MANY_INPUTS)
    rows[MINIMUM] = traits("minimum", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward,
                           merge_backward, MANY_INPUTS)
    rows[CONCATENATE] = traits("concatenate", concatenate_fits, NULL, concatenate_forward, concatenate_forward,
                               concatenate_backward, concatenate_backward, MANY_INPUTS)
    rows[DOT] = traits("dot", dot_fits, NULL, dot_forward, dot_forward, dot_backward, dot_backward, MANY_INPUTS)
    rows[PARAMETRIC_ACTIVATION] = traits("parametric_activation", parametric_activation_fits,
                                         parametric_activation_needs, parametric_activation_forward,
                                         parametric_activation_forward, parametric_activation_backward,
                                         parametric_activation_backward, ELEMENTWISE_ACTIVATIONS)
    rows[PERIODIC] = traits("periodic", periodic_fits, periodic_needs, periodic_forward, periodic_forward,
                            periodic_backward, periodic_backward)
    rows[EMBEDDING] = traits("embedding", embedding_fits, NULL, embedding_forward, embedding_forward,
                             embedding_backward, embedding_backward, INDICES)
    rows[STANDARDIZE] = traits("standardize", scaling_fits, NULL, scaling_forward, scaling_forward, scaling_backward,
                               scaling_backward)
    rows[RESCALE] = traits("rescale", scaling_fits, NULL, scaling_forward, scaling_forward, scaling_backward,
                           scaling_backward)
    rows[ENCODE] = traits("encode", encode_fits, NULL, encode_forward, encode_forward, NULL, NULL)
    rows[DISCRETIZE] = traits("discretize", discretize_fits, NULL, discretize_forward, discretize_forward, NULL, NULL)
    rows[ACTIVITY_PENALTY] = traits("activity_penalty", activity_fits, activity_needs, activity_forward,
                                    activity_forward, activity_backward, activity_backward, IN_PLACE)
    rows[CUSTOM] = traits("custom", custom_operation_fits, custom_operation_needs, custom_operation_forward,
                          custom_operation_forward, custom_operation_backward, custom_operation_backward)
    rows[EXPRESSION] = traits("expression", expression_fits, expression_needs, expression_forward, expression_forward,
                              expression_backward, expression_backward, ANY_INPUTS)
    rows[REDUCTION] = traits("reduction", reduction_fits, NULL, reduction_forward, reduction_forward,
                             reduction_backward, reduction_backward)
    rows[BATCH_REDUCTION] = traits("batch_reduction", batch_reduction_fits, batch_reduction_needs,
                                   batch_reduction_forward, batch_reduction_forward, batch_reduction_backward,
                                   batch_reduction_backward)
    rows[SELECTION] = traits("selection", selection_fits, selection_needs, selection_forward, selection_forward,
                             selection_backward, selection_backward)
    rows[GATHERING] = traits("gathering", gathering_fits, NULL, gathering_forward, gathering_forward,
                             gathering_backward, gathering_backward, MANY_INPUTS)
    rows[CHOICE] = traits("choice", choice_fits, NULL, choice_forward, choice_forward, choice_backward, choice_backward,
                          MANY_INPUTS)
    rows[MATRICES] = traits("matrices", matrices_fit, NULL, matrices_forward, matrices_forward, matrices_backward,
                            matrices_backward, MANY_INPUTS)
    rows[SCAN] = traits("scan", scan_fits, NULL, scan_forward, scan_forward, scan_backward, scan_backward)
    rows[SORT] = traits("sort", sort_fits, sort_needs, sort_forward, sort_forward, NULL, NULL)
    rows[CONSTANT] = traits("constant", constant_fits, NULL, constant_forward, constant_forward, NULL, NULL, ANY_INPUTS)
    rows[RANDOM] = traits("random", random_fits, random_needs, random_forward, random_forward, NULL, NULL, ANY_INPUTS)
    rows[ADDED_LOSS] = traits("added_loss", activity_fits, NULL, added_loss_forward, added_loss_forward,
                              added_loss_backward, added_loss_backward, IN_PLACE)


cdef inline void forward(const Plan *plan, Workspace *workspace, real **tensors) noexcept nogil:
    """Every operation in its order."""
    cdef Step s
    cdef int index
    for index in range(plan.n_operations):
        fill_step(&s, plan, workspace, index)
        if real is float:
            s.operation.traits.forward_f32(&s, tensors)
        else:
            s.operation.traits.forward_f64(&s, tensors)
        if workspace.interruption != NULL:
            poll_signals(workspace)
            if workspace.failed:
                return


cdef inline void inputs_are_written(const Step *s) noexcept nogil:
    """Notes that dx of every input holds something; what works in place sees to that itself."""
    cdef int i, source
    if s.operation.traits.peculiarity == INDICES:
        return
    for i in range(s.operation.n_inputs):
        source = s.operation.inputs[i]
        if s.workspace.deltas[source] != NULL and source != s.operation.output:
            s.workspace.delta_written[source] = True


cdef inline void backward(const Plan *plan, Workspace *workspace, real **tensors, real **gradients) noexcept nogil:
    """The delta recursion: every operation in reverse, from dJ/doutput to dJ/dinput and dJ/dparameters.

    An operation whose output no loss depends on is passed over, unless it adds to the loss itself, in place.
    """
    cdef Step s
    cdef int index
    for index in range(plan.n_operations - 1, -1, -1):
        fill_step(&s, plan, workspace, index)
        if s.operation.traits.backward_f32 == NULL or not (
                workspace.delta_written[s.operation.output] or is_in_place(s.operation)):
            continue
        if real is float:
            s.operation.traits.backward_f32(&s, tensors, gradients)
        else:
            s.operation.traits.backward_f64(&s, tensors, gradients)
        inputs_are_written(&s)
        if workspace.interruption != NULL:
            poll_signals(workspace)
            if workspace.failed:
                return
