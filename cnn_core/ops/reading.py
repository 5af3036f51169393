"""Functions of symbols in files, ours and Keras's: by Keras's names of classes and modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cnn_core.foundation.validation as validation
import cnn_core.ops.elementwise as elementwise
import cnn_core.ops.functions as functions
from cnn_core.foundation.suggestions import did_you_mean
from cnn_core.network.graph import Symbol
from cnn_core.ops.operation import FUNCTIONS, Operation, read_value

_MODULES = "keras.src.ops."
# Classes of Keras's whose functions are made of others here; settings are their arguments.
_COMPOSED: dict[str, Callable[..., Any]] = {
    "Average": functions.average,
    "CountNonzero": functions.count_nonzero,
    "DivideNoNan": functions.divide_no_nan,
    "Dot": functions.dot,
    "Isclose": functions.isclose,
    "Logaddexp2": functions.logaddexp2,
    "Moments": functions.moments,
    "Norm": functions.norm,
    "Normalize": functions.normalize,
    "OneHot": functions.one_hot,
    "OnesLike": functions.ones_like,
    "Outer": functions.outer,
    "Std": functions.std,
    "TrueDivide": elementwise.divide,
    "Var": functions.var,
    "ZerosLike": functions.zeros_like,
}
_OF_LISTS: dict[str, Callable[..., Any]] = {"Stack": functions.stack, "Hstack": functions.hstack}


class _Composed:
    """A function that is made of others, as what a model's configuration calls."""

    n_inputs = None

    def __init__(self, config: Mapping[str, Any], class_name: str) -> None:
        self.name = validation.text(config["name"], "name")
        self._of_list = class_name in _OF_LISTS
        self._function = (_OF_LISTS if self._of_list else _COMPOSED)[class_name]
        self._operands = [read_value(each) for each in config.get("operands", [None])]
        self._settings = {key: read_value(each) for key, each in config.items() if key not in ("name", "operands")}

    def __call__(self, inputs: Sequence[Symbol], training: bool | None = None) -> Any:
        following = iter(inputs)
        operands = [next(following) if each is None else each for each in self._operands]
        return self._function(*([operands] if self._of_list else operands), **self._settings)


def is_operation(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration is that of a function."""
    return str(config.get("module")).startswith(_MODULES)


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
    if class_name in _COMPOSED or class_name in _OF_LISTS:
        return _Composed(settings, class_name)
    known = [function.class_name for function in FUNCTIONS.values()]
    raise ValueError(
        f"A function of `ops` in a file must be one of cnn_core.ops. Received: {class_name[:200]!r}"
        f"{did_you_mean(class_name, known)}"
    )


def static_arguments(class_name: str) -> Sequence[str]:
    """Return the settings that Keras writes as arguments of the call, after the operands."""
    return next((each.static for each in FUNCTIONS.values() if each.class_name == class_name), ())
