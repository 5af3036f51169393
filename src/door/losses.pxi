# From Python's description of a loss to its structure, and what its targets must be. Floor 2.

from libc.math cimport INFINITY, log, log1p
from libc.stdint cimport int32_t

from compile cimport writer_of
from loss cimport Loss, compares_labels, target_fits

cdef void set_bounds(Loss *loss, double clip):
    """Of a cross-entropy whose probability is kept `clip` away from 0 and 1; 0 for no bounds."""
    loss.least = -log1p(-clip) if clip > 0 else -INFINITY
    loss.most = -log(clip) if clip > 0 else INFINITY
    loss.clip = clip


cdef str name_of(const Loss *loss):
    return loss.traits.name.decode()


cdef int check_widths(const Loss *loss, Py_ssize_t width) except -1:
    """Whether the loss of a row reads targets, predictions and parameters only where there are any."""
    if loss.n_parameters < loss.traits.n_parameters:
        raise ValueError(f"loss {name_of(loss)!r} needs {loss.traits.n_parameters} parameters. "
                         f"Received: {loss.n_parameters}")
    if not target_fits(loss, width):
        raise ValueError(f"targets have {loss.target_width} columns, predictions {width}")
    return 0


cdef int fill_parameters(Loss *loss, object numbers) except -1:
    cdef int i
    loss.n_parameters = len(numbers)
    loss.parameters = <double *> allocate(loss.n_parameters, sizeof(double))
    for i, number in enumerate(numbers):
        loss.parameters[i] = number
    return 0


cdef int fill_loss(Loss *loss, object description, Network network) except -1:
    """A loss's structure from its Python description (cnn_core.losses gives one by `describe`)."""
    cdef int output = description["output"]
    if not 0 <= output < network.plan.n_outputs:
        raise ValueError(f"the network has no output {output}")
    output = network.plan.outputs[output]
    loss.traits = &loss_rows[<int> LOSSES[description["kind"]]]
    loss.output, loss.operation = output, writer_of(&network.plan, output)
    loss.from_logits = description["from_logits"]
    loss.has_labels = description["has_labels"]
    loss.target_width = description["target_width"]
    loss.smoothing, loss.ignored = description["smoothing"], description["ignored"]
    loss.weight, loss.reduction = description["weight"], &reduction_rows[<int> REDUCTIONS[description["reduction"]]]
    set_bounds(loss, description["clip"])
    fill_parameters(loss, description["parameters"])
    is_traced = "plan" in description
    if (description["custom"] is None and not is_traced) != (loss.traits.row_f32 != NULL):
        raise ValueError("a custom loss needs its object, a traced one its plan, and no other has any")
    if description["custom"] is not None:
        loss.custom = <void *> description["custom"]
        loss.couples_rows = getattr(description["custom"], "couples_rows", False)
    if loss.has_labels != compares_labels(loss.traits):
        raise ValueError(f"loss {name_of(loss)!r} compares with {'values' if loss.has_labels else 'labels'}")
    return 0
