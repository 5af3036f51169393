"""The arguments of `compile` as data and as objects: as files of ours hold them, and as Keras writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cnn_core.losses as losses
import cnn_core.metrics as metrics
import cnn_core.optimizers as optimizers
from cnn_core.foundation.serialization import serialize

# What turns each argument into objects, which know how they are written.
KINDS: dict[str, Callable[[Any], Any]] = {
    "loss": losses.as_loss,
    "loss_weights": lambda weight: weight,
    "metrics": metrics.as_metric,
    "weighted_metrics": metrics.as_metric,
    "steps_per_execution": lambda steps: steps,
}


def each_object(value: object, get: Callable[[object], Any]) -> Any:
    """Turn every object in an argument of `compile`, or its configuration, by `get`; names stay names.

    "accuracy" and "crossentropy" have no meaning before data is seen, and a function is written as a metric or loss.

    Examples
    --------
    >>> each_object({"first": "mse", "second": None}, losses.as_loss)
    {'first': 'mse', 'second': None}
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "class_name" not in value:
        return {name: each_object(part, get) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [each_object(part, get) for part in value]
    return get(value)


def compile_arguments_of(model: Any) -> dict[str, Any]:
    """Return what a compiled model was compiled with, but for the optimizer, as data."""
    given = model._arguments._asdict()
    return {name: serialize(each_object(value, KINDS[name])) for name, value in given.items()}


def compile_as_in_keras(model: Any, arguments: Mapping[str, Any]) -> None:
    """Compile a model with the arguments that Keras has written, the optimizer among them."""
    given = {name: each_object(arguments[name], get) for name, get in KINDS.items() if arguments.get(name) is not None}
    model.compile(optimizers.get(arguments["optimizer"]), **given)


def compile_like(model: Any, other: Any) -> None:
    """Compile a model as another one, with an optimizer and metrics of its own that know nothing yet."""
    given = {name: each_object(value, _begun_again) for name, value in other._arguments._asdict().items()}
    model.compile(_begun_again(other.optimizer), **given)


def _begun_again(value: object) -> Any:
    """Return a metric or an optimizer of the same settings; what has no state is the same."""
    if isinstance(value, (metrics.Metric, optimizers.Optimizer)):
        return type(value).from_config(value.get_config())
    return value
