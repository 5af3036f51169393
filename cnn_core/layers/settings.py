"""Settings of layers that may be assigned later: checked as in the constructor, and seen by networks that exist."""

from __future__ import annotations

from typing import Any

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.foundation.dtype_policy import DTypePolicy, policy_of
from cnn_core.network.plan import NetworkPlan


class ActivationSetting:
    """The attribute `activation` of a layer: a name, an activation or None, which is linear.

    Models that hold the layer compute with another one from their next fit or prediction on.
    """

    def __get__(self, layer: object, owner: type | None = None) -> Any:
        if layer is None:
            return self
        try:
            return vars(layer)["activation"]
        except KeyError:
            raise AttributeError(f"{type(layer).__name__!r} has no activation yet") from None

    def __set__(self, layer: Any, value: Any) -> None:
        activation = activations.get(value)
        # Not `get`, which takes the lock of a new layer's attributes twice, and waits for itself, in CPython 3.13t.
        if "activation" in vars(layer):
            before = layer.activation
            if _width(activation) != _width(before):
                raise ValueError(
                    f"`activation` must keep the number of outputs of {layer.name!r}; glu halves it. "
                    f"Received: activation={activation.name!r} after {before.name!r}"
                )
            NetworkPlan.note_change()
        vars(layer)["activation"] = activation


class PolicySetting:
    """The attribute `dtype_policy` of a layer: the name of a policy, or a `DTypePolicy`.

    Models that hold the layer compute by another one from their next fit or prediction on.
    """

    def __get__(self, layer: object, owner: type | None = None) -> DTypePolicy:
        return self if layer is None else vars(layer)["dtype_policy"]  # type: ignore[return-value]  # of the class

    def __set__(self, layer: Any, value: object) -> None:
        policy = policy_of(value, "dtype_policy")
        if "dtype_policy" in vars(layer):
            for made in layer.own_variables():
                if made.dtype.kind == "f" and made.dtype != policy.variable_dtype:
                    raise ValueError(
                        f"`dtype_policy` must keep variables in {made.dtype}, in which {layer.name!r} has made "
                        f"{made.path!r}. Received: dtype_policy={policy.name!r}"
                    )
            NetworkPlan.note_change()
        vars(layer)["dtype_policy"] = policy


def _width(activation: Activation) -> int:
    return int(activation.output_shape((None, 2))[-1])
