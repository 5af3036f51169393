# The list of operations, and a network's way through them forward and backward. Floor 1.
# A row names an operation's functions: all have the same ones. What belongs to an operation stands in its own file.

from activation cimport *
from activity cimport *
from custom cimport *
from dense cimport *
from embedding cimport *
from expression cimport *
from matrices cimport *
from members cimport *
from merging cimport *
from nearness cimport *
from noise cimport *
from normalization cimport *
from ordering cimport *
from parametric_activation cimport *
from periodic cimport *
from plan cimport *
from prelu cimport *
from preprocessing cimport *
from reductions cimport *
from reshaping cimport *
from selection cimport *
from simd cimport real
from spectral cimport *
from origins cimport *
from step cimport same_shape, fill_step

ctypedef bint (*Fits)(const Sizes *s) noexcept nogil
ctypedef void (*Needs)(const Sizes *s, Operation *operation) noexcept nogil
ctypedef void (*Forward32)(const Step *s, float **tensors) noexcept nogil
ctypedef void (*Forward64)(const Step *s, double **tensors) noexcept nogil
ctypedef void (*Backward32)(const Step *s, float **tensors, float **gradients) noexcept nogil
ctypedef void (*Backward64)(const Step *s, double **tensors, double **gradients) noexcept nogil


cdef inline void add(OperationTraits *rows, int *n, const char *name, Fits fits, Needs needs, Forward32 forward_f32,
                     Forward64 forward_f64, Backward32 backward_f32, Backward64 backward_f64, int peculiarity=PLAIN,
                     int kind=UNNAMED) noexcept nogil:
    cdef OperationTraits *row = &rows[n[0]]
    n[0] += 1
    row.name, row.peculiarity, row.kind, row.fits, row.needs = name, peculiarity, kind, fits, needs
    row.forward_f32, row.forward_f64, row.backward_f32, row.backward_f64 = (
        forward_f32, forward_f64, backward_f32, backward_f64)


cdef inline int list_operations(OperationTraits *rows) noexcept nogil:
    """A row for every operation; returns how many.

    Its name, its checks, its memory, forward and backward for float and for double; then what sets it apart, and the
    kind by which other code asks for it, if any.
    """
    cdef int n = 0
    add(rows, &n, "dense", dense_fits, dense_needs, dense_forward, dense_forward, dense_backward, dense_backward,
        ALL_BUT_GLU, DENSE)
    add(rows, &n, "members", members_fit, members_need, members_forward, members_forward, members_backward,
        members_backward, ALL_BUT_GLU, MEMBERS)
    add(rows, &n, "activation", activation_fits, activation_needs, activation_operation_forward,
        activation_operation_forward, activation_operation_backward, activation_operation_backward, ALL_ACTIVATIONS,
        ACTIVATION)
    add(rows, &n, "prelu", prelu_fits, prelu_needs, prelu_forward, prelu_forward, prelu_backward, prelu_backward)
    add(rows, &n, "reshape", reshape_fits, NULL, reshape_forward, reshape_forward, reshape_backward, reshape_backward)
    add(rows, &n, "permute", permutation_fits, NULL, permute_forward, permute_forward, permute_backward,
        permute_backward)
    add(rows, &n, "dropout", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward, noise_backward,
        PLAIN, DROPOUT)
    add(rows, &n, "alpha_dropout", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward,
        noise_backward, PLAIN, ALPHA_DROPOUT)
    add(rows, &n, "gaussian_dropout", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward,
        noise_backward, PLAIN, GAUSSIAN_DROPOUT)
    add(rows, &n, "gaussian_noise", noise_fits, noise_needs, noise_forward, noise_forward, noise_backward,
        noise_backward, PLAIN, GAUSSIAN_NOISE)
    add(rows, &n, "batch_normalization", batch_normalization_fits, batch_normalization_needs,
        batch_normalization_forward, batch_normalization_forward, batch_normalization_backward,
        batch_normalization_backward, MANY_INPUTS, BATCH_NORMALIZATION)
    add(rows, &n, "layer_normalization", row_normalization_fits, row_normalization_needs, row_normalization_forward,
        row_normalization_forward, row_normalization_backward, row_normalization_backward, PLAIN, LAYER_NORMALIZATION)
    add(rows, &n, "rms_normalization", row_normalization_fits, row_normalization_needs, row_normalization_forward,
        row_normalization_forward, row_normalization_backward, row_normalization_backward)
    add(rows, &n, "spectral_normalization", spectral_fits, spectral_needs, spectral_forward, spectral_forward,
        spectral_backward, spectral_backward)
    add(rows, &n, "unit_normalization", row_normalization_fits, row_normalization_needs, row_normalization_forward,
        row_normalization_forward, row_normalization_backward, row_normalization_backward, PLAIN, UNIT_NORMALIZATION)
    add(rows, &n, "add", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, ADD)
    add(rows, &n, "subtract", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, SUBTRACT)
    add(rows, &n, "multiply", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, MULTIPLY)
    add(rows, &n, "average", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, AVERAGE)
    add(rows, &n, "maximum", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, MAXIMUM)
    add(rows, &n, "minimum", merge_fits, merge_needs, merge_forward, merge_forward, merge_backward, merge_backward,
        MANY_INPUTS, MINIMUM)
    add(rows, &n, "concatenate", concatenate_fits, NULL, concatenate_forward, concatenate_forward,
        concatenate_backward, concatenate_backward, MANY_INPUTS)
    add(rows, &n, "dot", dot_fits, NULL, dot_forward, dot_forward, dot_backward, dot_backward, MANY_INPUTS)
    add(rows, &n, "parametric_activation", parametric_activation_fits, parametric_activation_needs,
        parametric_activation_forward, parametric_activation_forward, parametric_activation_backward,
        parametric_activation_backward, ELEMENTWISE_ACTIVATIONS)
    add(rows, &n, "periodic", periodic_fits, periodic_needs, periodic_forward, periodic_forward, periodic_backward,
        periodic_backward)
    add(rows, &n, "nearness", nearness_fits, NULL, nearness_forward, nearness_forward, nearness_backward,
        nearness_backward)
    add(rows, &n, "embedding", embedding_fits, NULL, embedding_forward, embedding_forward, embedding_backward,
        embedding_backward, INDICES, EMBEDDING)
    add(rows, &n, "standardize", scaling_fits, NULL, scaling_forward, scaling_forward, scaling_backward,
        scaling_backward)
    add(rows, &n, "rescale", scaling_fits, NULL, scaling_forward, scaling_forward, scaling_backward, scaling_backward,
        PLAIN, RESCALE)
    add(rows, &n, "encode", encode_fits, NULL, encode_forward, encode_forward, NULL, NULL)
    add(rows, &n, "discretize", discretize_fits, NULL, discretize_forward, discretize_forward, NULL, NULL)
    add(rows, &n, "activity_penalty", activity_fits, activity_needs, activity_forward, activity_forward,
        activity_backward, activity_backward, IN_PLACE)
    add(rows, &n, "custom", custom_operation_fits, custom_operation_needs, custom_operation_forward,
        custom_operation_forward, custom_operation_backward, custom_operation_backward)
    add(rows, &n, "expression", expression_fits, expression_needs, expression_forward, expression_forward,
        expression_backward, expression_backward, ANY_INPUTS)
    add(rows, &n, "reduction", reduction_fits, NULL, reduction_forward, reduction_forward, reduction_backward,
        reduction_backward)
    add(rows, &n, "batch_reduction", batch_reduction_fits, batch_reduction_needs, batch_reduction_forward,
        batch_reduction_forward, batch_reduction_backward, batch_reduction_backward, PLAIN, BATCH_REDUCTION)
    add(rows, &n, "selection", selection_fits, selection_needs, selection_forward, selection_forward,
        selection_backward, selection_backward)
    add(rows, &n, "gathering", gathering_fits, NULL, gathering_forward, gathering_forward, gathering_backward,
        gathering_backward, MANY_INPUTS, GATHERING)
    add(rows, &n, "choice", choice_fits, NULL, choice_forward, choice_forward, choice_backward, choice_backward,
        MANY_INPUTS)
    add(rows, &n, "matrices", matrices_fit, NULL, matrices_forward, matrices_forward, matrices_backward,
        matrices_backward, MANY_INPUTS)
    add(rows, &n, "scan", scan_fits, NULL, scan_forward, scan_forward, scan_backward, scan_backward)
    add(rows, &n, "sort", sort_fits, sort_needs, sort_forward, sort_forward, NULL, NULL)
    add(rows, &n, "constant", constant_fits, NULL, constant_forward, constant_forward, NULL, NULL, ANY_INPUTS)
    add(rows, &n, "random", random_fits, random_needs, random_forward, random_forward, NULL, NULL, ANY_INPUTS)
    add(rows, &n, "added_loss", activity_fits, NULL, added_loss_forward, added_loss_forward, added_loss_backward,
        added_loss_backward, IN_PLACE)
    return n


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
