"""What Keras wrote of a training: the arguments of `compile`, and the optimizer's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.network.parameters import laid_out
from cnn_core.network.variables import Variable

# Arguments of optimizers before Keras 3 that mean nothing here.
_OF_ITS_BACKEND = ("jit_compile", "is_legacy_optimizer")
# What a `LossScaleOptimizer` keeps: its steps, a learning rate, finite steps, the scale; by their kinds.
_OF_LOSS_SCALE = ("i", "f", "i", "f")


def modern(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Return the arguments of `compile` as Keras 3 writes them, whichever version wrote these.

    Examples
    --------
    >>> modern({"optimizer_config": {"class_name": "Custom>SGD", "config": {"lr": 0.1, "jit_compile": True}},
    ...         "loss": "mse", "metrics": None})
    {'loss': 'mse', 'metrics': None, 'optimizer': {'class_name': 'SGD', 'config': {'learning_rate': 0.1}}}
    """
    changed = {name: _modern_objects(value) for name, value in arguments.items() if name != "optimizer_config"}
    optimizer = arguments.get("optimizer_config", changed.get("optimizer"))
    changed["optimizer"] = _modern_optimizer(optimizer) if isinstance(optimizer, Mapping) else optimizer
    for name in ("metrics", "weighted_metrics"):
        value = changed.get(name)
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            changed[name] = value[0]  # of the only output
    return changed


def _modern_objects(value: object) -> Any:
    """Name losses and metrics by what they compute, not by the class that wraps it."""
    if isinstance(value, list):
        return [_modern_objects(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value or not isinstance(value.get("config"), Mapping):
        return {name: _modern_objects(part) for name, part in value.items()}
    config = dict(value["config"])
    function = config.pop("fn", None)
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    wraps = value["class_name"] in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(function, str)
    if wraps:
        return {"class_name": "".join(word.capitalize() for word in function.split("_")), "config": config}
    return {**value, "config": config}


def _modern_optimizer(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    inner = optimizer["config"].get("inner_optimizer")
    if optimizer["class_name"] == "LossScaleOptimizer" and isinstance(inner, Mapping):
        return _modern_optimizer(inner)  # what it scales the loss by changes no step
    config = {name: value for name, value in optimizer["config"].items() if name not in _OF_ITS_BACKEND}
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    decay = config.pop("decay", None)
    if decay:
        rate = {"initial_learning_rate": config["learning_rate"], "decay_steps": 1, "decay_rate": decay}
        config["learning_rate"] = {"class_name": "InverseTimeDecay", "config": rate}
    return {**optimizer, "class_name": str(optimizer["class_name"]).rpartition(">")[2], "config": config}


def _begins_with_loss_scale(arrays: Sequence[Array]) -> bool:
    """Tell whether the numbers of a `LossScaleOptimizer` come before the count of steps of the one inside it."""
    kinds = [array.dtype.kind if array.shape == () else "" for array in arrays[: len(_OF_LOSS_SCALE) + 1]]
    return kinds == [*_OF_LOSS_SCALE, "i"]


def restore(model: Any, order: Sequence[tuple[str, Variable]], arrays: Sequence[Array]) -> None:
    """Let the optimizer of a compiled model go on where Keras left it; as Keras, warn if the state is another's.

    Parameters
    ----------
    model : Model
    order : sequence of (slot, variable)
    arrays : sequence of array
        The state, the count of steps first.
    """
    if not arrays:
        return
    count, *others = arrays[len(_OF_LOSS_SCALE) :] if _begins_with_loss_scale(arrays) else arrays
    # Single numbers are what Keras keeps besides: the learning rate, which is among the arguments, and products.
    optimizer = model.optimizer
    wanted = [optimizer.slot_shape(name, variable) for name, variable in order]
    slots = [array for array in others if array.shape != () or () in wanted]
    slots = slots[max(len(slots) - len(wanted), 0) :]
    if not slots and count.shape == () and count == 0:
        return  # it has not trained yet
    if [array.shape for array in slots] != wanted or count.shape != () or count.dtype.kind not in "iu":
        warn_caller(
            "the optimizer begins again from nothing: its state in the file is not that of what the model trains"
        )
        return
    dtype = model.array_dtype
    trained = model.trainable_variables
    offsets, size = laid_out([variable.size for variable in trained], dtype.itemsize)
    begins = {id(variable): offset for variable, offset in zip(trained, offsets, strict=True)}
    vectors = {name: np.zeros(size, dtype) for name, _ in (*optimizer.slots(), *optimizer.tail_slots())}
    for array, (name, variable) in zip(slots, order, strict=True):
        offset = begins[id(variable)]
        value = validation.finite(array.astype(dtype), f"{name} of {variable.path}")
        if name in vectors:  # Keras keeps more than there is need for
            vectors[name][offset : offset + value.size] = value.ravel()
    state = model.training_state()
    state["optimizer"] = {"batches_seen": int(count), "learning_rate": None, "slots": vectors}
    model.restore_training_state(state)
