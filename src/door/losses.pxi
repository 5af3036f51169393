# From Python's description of a loss to its structure, and what its targets must be. Floor 2.

from libc.math cimport INFINITY, log, log1p
from libc.stdint cimport int32_t
from compile cimport writer_of
from losses cimport Loss

cimport losses

cdef void set_bounds(Loss *loss, double clip):
    """Of a cross-entropy whose probability is kept `clip` away from 0 and 1; 0 for no bounds."""
    loss.least = -log1p(-clip) if clip > 0 else -INFINITY
    loss.most = -log(clip) if clip > 0 else INFINITY
    loss.clip = clip


cdef int check_widths(const Loss *loss, Py_ssize_t width) except -1:
    """Whether the loss of a row reads targets, predictions and parameters only where there are any."""
    cdef Py_ssize_t least = 1 if loss.kind in (losses.HUBER, losses.QUANTILE) else 0
    cdef bint fits = loss.target_width == width
    if loss.kind == losses.BINARY_FOCAL_CROSSENTROPY:
        least = 3
    elif loss.kind == losses.CATEGORICAL_FOCAL_CROSSENTROPY:
        least = 2
    if loss.n_parameters < least:
        raise ValueError(f"loss {loss.kind} needs {least} parameters. Received: {loss.n_parameters}")
    if loss.kind == losses.CUSTOM_LOSS:
        fits = loss.target_width >= 0
    elif loss.kind == losses.SPARSE_CATEGORICAL_CROSSENTROPY:
        fits = width > 0
    elif loss.kind == losses.QUANTILE:
        fits = fits or loss.target_width > 0 and loss.target_width * loss.n_parameters >= width
    elif loss.kind == losses.GAUSSIAN_NLL:
        fits = width == 2 * loss.target_width
    if not fits:
        raise ValueError(f"targets have {loss.target_width} columns, predictions {width}")
    return 0


cdef int fill_loss(Loss *loss, object description, Network network) except -1:
    """A loss's structure from its Python description (cnn_core.losses gives one by `describe`)."""
    cdef int i, output = description["output"]
    if not 0 <= output < network.plan.n_outputs:
        raise ValueError(f"the network has no output {output}")
    output = network.plan.outputs[output]
    loss.kind = LOSSES[description["kind"]]
    loss.output, loss.operation = output, writer_of(&network.plan, output)
    loss.from_logits = description["from_logits"]
    loss.has_labels = description["has_labels"]
    loss.target_width = description["target_width"]
    loss.smoothing, loss.ignored = description["smoothing"], description["ignored"]
    loss.weight, loss.reduction = description["weight"], REDUCTIONS[description["reduction"]]
    set_bounds(loss, description.get("clip", 0.0))
    loss.n_parameters = len(description["parameters"])
    loss.parameters = <double *> allocate(loss.n_parameters, sizeof(double))
    for i, number in enumerate(description["parameters"]):
        loss.parameters[i] = number
    if description["custom"] is not None:
        loss.custom = <void *> description["custom"]
    elif loss.kind == losses.CUSTOM_LOSS:
        raise ValueError("a custom loss needs its object")
    if loss.has_labels != (loss.kind == losses.SPARSE_CATEGORICAL_CROSSENTROPY):
        raise ValueError(f"loss {loss.kind} compares with {'values' if loss.has_labels else 'labels'}")
    return 0


cdef bint all_labels(const int32_t *labels, Py_ssize_t n, Py_ssize_t n_classes, double ignored) noexcept:
    """Whether each entry is one of 0 .. n_classes - 1, or the class that is ignored."""
    cdef Py_ssize_t i
    for i in range(n):
        if not 0 <= labels[i] < n_classes and labels[i] != ignored:
            return False
    return True
