"""Settings of layers that may be assigned later: checked as in the constructor, and seen by networks that exist."""

from __future__ import annotations

from typing import Any

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.network.plan import NetworkPlan


class ActivationSetting:
    """The attribute `activation` of a layer: a name, an activation or None, which is linear.

    Models that hold the layer compute with another one from their next fit or prediction on.
    """

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        try:
            return vars(layer)["activation"]
        except KeyError:
            raise AttributeError(f"{type(layer).__name__!r} has no activation yet") from None

    def __set__(self, layer: Any, value: Any) -> None:
        activation = activations.get(value)
        before = vars(layer).get("activation")
        if before is not None:
            if _width(activation) != _width(before):
                raise ValueError(
                    f"`activation` must keep the number of outputs of {layer.name!r}; glu halves it. "
                    f"Received: activation={activation.name!r} after {before.name!r}"
                )
            NetworkPlan.note_change()
        vars(layer)["activation"] = activation


def _width(activation: Activation) -> int:
    return int(activation.output_shape((None, 2))[-1])
