"""Activations as functions of symbols: those of one element in expressions, those of whole rows by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_core.activations import Activation
from cnn_core.activations.base import defaults
from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.dtypes import as_array, as_floats, as_value, promoted
from cnn_core.ops.elementwise import Draft, Elementwise
from cnn_core.ops.operation import FUNCTIONS, Function, Operation, Spec, is_symbolic


def _class_name(activation: Activation) -> str:
    return "".join(part.capitalize() for part in activation.name.split("_"))


class Activated(Elementwise):
    """An activation of single elements."""

    def __init__(self, activation: Activation) -> None:
        super().__init__(activation.name, _class_name(activation), activation.forward, module="nn", cheap=False)
        self._class = type(activation)

    def activation(self, settings: Mapping[str, Any]) -> Activation:
        """Return the activation with these settings."""
        return self._class(**settings)

    def of_arrays(self, operands: list[Any], settings: Mapping[str, Any]) -> Array:
        return self.activation(settings)(as_array(operands[0], self.computed_in(operands)))

    def write(self, draft: Draft, values: list[int], settings: Mapping[str, Any]) -> int:
        activation = self.activation(settings)
        if activation.native == "linear":
            return values[0]
        return draft.apply(str(activation.native), *values, parameters=activation.parameters)


class RowWise(Function):
    """An activation of whole rows, or one that only Python knows."""

    def __init__(self, name: str, class_name: str, known: type[Activation] | None = None) -> None:
        super().__init__(name, class_name, "nn")
        self._class = known

    def __call__(self, x: object, **settings: object) -> Any:
        if is_symbolic(x):
            return self.on([as_value(x)], **settings)
        value = as_value(x)
        return self.activation(settings)(as_array(value, as_floats(promoted([value]))))

    def activation(self, settings: Mapping[str, Any]) -> Activation:
        """Return the activation with these settings."""
        own: Activation = settings["activation"] if self._class is None else self._class(**settings)
        return own

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        (symbol,) = operands
        activation = self.activation(settings)
        if not symbol.shape or (symbol.batched and len(symbol.shape) < 2):
            raise ValueError(f"{activation.name} needs an axis of features. Received: shape={symbol.shape}")
        shape = symbol.shape
        if activation.native == "glu":
            if shape[-1] % 2:
                raise ValueError(f"{activation.name} needs an even number of features. Received: shape={shape}")
            shape = (*shape[:-1], shape[-1] // 2)
        return [Spec(shape, as_floats(symbol.dtype))]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        return [plan.add_activation(buffers[0], self.activation(operation.settings), operation.name)]


_custom = RowWise("custom_activation", "CustomActivation")
for _activation in defaults.values():
    if _activation.row_wise:
        RowWise(_activation.name, _class_name(_activation), type(_activation))
    else:
        Activated(_activation)


def of_symbol(x: Symbol, activation: Activation) -> Any:
    """Return what an activation makes of a symbol."""
    if activation.native is None:
        return _custom.on([x], activation=activation)
    return FUNCTIONS[activation.name](x, **activation.get_config())  # type: ignore[operator]
