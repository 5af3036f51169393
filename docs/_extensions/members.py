"""Which methods and attributes of a class its page shows: those that are for users, told where they are told first.

Layers, models, optimizers, losses, metrics and activations also have methods by which the package's rooms talk with one
another. Of these classes a page shows what Keras has, too, as the tests have recorded it, and what is listed here.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

import cnn_core
from cnn_core import activations, layers, losses, metrics, optimizers

RECORDED = Path(__file__).resolve().parents[2] / "tests" / "agreement" / "golden" / "keras_surface.json"
WITH_INNER_METHODS = (
    activations.Activation,
    cnn_core.Model,
    cnn_core.Symbol,
    cnn_core.Tensor,
    cnn_core.Variable,
    layers.Layer,
    losses.Loss,
    metrics.Metric,
    optimizers.Optimizer,
)
BEYOND_KERAS = {
    *("array", "backward", "call", "clip_gradients", "compiled", "derivative", "forward", "gradient", "gradients"),
    *("graph", "input_names", "input_shape", "inputs", "metadata", "numpy", "output_names", "output_shape", "outputs"),
    *("overwrite_with_gradient", "predictor", "pullback", "reset_state", "result", "swap_average_weights", "trace"),
    *("assign", "assign_add", "assign_sub", "update_state", "value"),
}


@cache
def keras_names() -> set[str]:
    """Return the names of what Keras's classes have."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))["names"]
    return {name for owner, names in recorded.items() for name in names if owner.rpartition(".")[2].istitle()}


def shown_members(cls: type, documented: Collection[type]) -> list[str]:
    """Return the members that a class's page shows, where other classes have pages, too."""
    foreign = [each for each in cls.__mro__[1:] if not each.__module__.startswith("cnn_core.")]
    told = {name for parent in [*foreign, *documented_parents(cls, documented)] for name in dir(parent)}
    names = [name for name in dir(cls) if not name.startswith("_") and name not in told and _says_what_it_is(cls, name)]
    if issubclass(cls, WITH_INNER_METHODS):
        names = [name for name in names if name in keras_names() | BEYOND_KERAS]
    return names


def documented_parents(cls: type, documented: Collection[type]) -> list[type]:
    """Return the parents of a class that have pages of their own, the nearest first."""
    return [each for each in cls.__mro__[1:] if each in documented]


def _says_what_it_is(cls: type, name: str) -> bool:
    member = inspect.getattr_static(cls, name)
    described = isinstance(member, property | classmethod | staticmethod) or inspect.isfunction(member)
    return described and bool(inspect.getdoc(getattr(cls, name)))
