"""The layer that masks steps by their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.layers.base import Layer, registry
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape


@registry.register()
class Masking(Layer):
    """Mask the steps of which every feature has a value that stands for "nothing", and set them to 0.

    The mask, ``any(x != mask_value)`` along the features, goes with the output to layers that read it, such as
    `GlobalAveragePooling1D`; those before it, such as `Dense`, pass it on.

    Parameters
    ----------
    mask_value : float, default 0.0

    Notes
    -----
    dx is dy where a step counts, else 0. A model whose output still has a mask predicts, but is not trained.

    Examples
    --------
    >>> import numpy as np
    >>> Masking(-1.0)(np.array([[[1.0, -1.0], [-1.0, -1.0]]]))
    array([[[ 1., -1.],
            [ 0.,  0.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.mask_value = validation.number(mask_value, "mask_value")

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) < 2:
            raise ValueError(f"{self.name!r} needs an input with an axis of features. Received: shape={shapes}")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return True where a step counts."""
        return Operators.functions["any"](Operators.functions["not_equal"](inputs, self.mask_value), axis=-1)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        (source,) = inputs
        shape = plan.shapes[source]
        differs = Expression((Operand(source, shape),), (self.mask_value,), (Instruction("not_equal", (0, 1)),))
        found = plan.add_expression(differs, shape, layer=self.name)
        counts = plan.add_reduction("any", found, [len(shape) - 1], layer=self.name, keepdims=True)
        operands = (Operand(source, shape), Operand(counts, plan.shapes[counts]))
        kept = Expression(operands, (0.0,), (Instruction("where", (1, 0, 2)),))
        return [plan.add_expression(kept, shape, layer=self.name)]
