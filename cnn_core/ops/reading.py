"""Functions of symbols in files, ours and Keras's: by Keras's names of classes and modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cnn_core.foundation.validation as validation
import cnn_core.ops.elementwise as elementwise
import cnn_core.ops.functions as functions
import cnn_core.ops.nn as nn
import cnn_core.ops.selecting as selecting
from cnn_core.foundation.serialization import snake_case
from cnn_core.foundation.structures import flatten
from cnn_core.foundation.suggestions import did_you_mean
from cnn_core.network.graph import Symbol, nodes_between
from cnn_core.ops.operation import FUNCTIONS, Operation, read_value

_OF_LISTS = ("Stack", "Hstack", "Vstack")
# Names of Keras's classes that do not follow from those of the functions.
_OTHERWISE: dict[str, Callable[..., Any]] = {
    "Einsum": lambda *operands, subscripts: selecting.einsum(subscripts, *operands),
    "TrueDivide": elementwise.divide,
}


def _composed(class_name: str) -> Callable[..., Any] | None:
    """Return a function that is made of others here, by the name of Keras's class."""
    name = snake_case(class_name)
    homes = (functions, selecting, nn)
    known = next((vars(home)[name] for home in homes if name in vars(home) and not name.startswith("_")), None)
    found: Callable[..., Any] | None = _OTHERWISE.get(class_name, known)
    return found


class _Composed:
    """A function that is made of others, as what a model's configuration calls."""

    n_inputs = None

    def __init__(self, function: Callable[..., Any], config: Mapping[str, Any], of_list: bool) -> None:
        self.name = validation.text(config["name"], "name")
        self._function, self._of_list = function, of_list
        self._operands = [read_value(each) for each in config.get("operands", [None])]
        self._settings = {key: read_value(each) for key, each in config.items() if key not in ("name", "operands")}

    def __call__(self, inputs: Sequence[Symbol], training: bool | None = None) -> Any:
        following = iter(inputs)
        operands = [next(following) if each is None else each for each in self._operands]
        made = self._function(*([operands] if self._of_list else operands), **self._settings)
        nodes = nodes_between(inputs, flatten(made))
        for node in nodes:  # whose own names another function in the file may have
            node.layer.name = f"{self.name}/{node.layer.name}"
        if nodes:
            nodes[-1].layer.name = self.name
        return made


def read_operation(config: Mapping[str, Any]) -> Any:
    """Return the function that a configuration describes.

    Raises
    ------
    ValueError
        If it is unknown.
    """
    class_name = validation.text(config.get("class_name"), "class_name")
    settings = config["config"]
    for function in FUNCTIONS.values():
        if function.class_name == class_name and function.module == config["module"]:
            return Operation.from_config(function, settings)
    composed = _composed(class_name)
    if composed is not None:
        return _Composed(composed, settings, class_name in _OF_LISTS)
    known = [function.class_name for function in FUNCTIONS.values()]
    raise ValueError(
        f"A function of `ops` in a file must be one of cnn_core.ops. Received: {class_name[:200]!r}"
        f"{did_you_mean(class_name, known)}"
    )


def static_arguments(class_name: str) -> Sequence[str]:
    """Return the settings that Keras writes as arguments of the call, after the operands."""
    return next((each.static for each in FUNCTIONS.values() if each.class_name == class_name), ())
