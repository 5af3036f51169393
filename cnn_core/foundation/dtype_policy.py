"""In which type a layer computes, and in which type its variables are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.validation.messages import must

_MIXED = "mixed_bfloat16"
_REFUSED = {
    "mixed_float16": "small gradients vanish in float16; 'mixed_bfloat16' has float32's range",
    "bfloat16": "weights kept in bfloat16 lose small steps; 'mixed_bfloat16' keeps them in float32",
    "float16": "'mixed_bfloat16' has its size and float32's range",
}


class DTypePolicy(KnowsItsArguments):
    """In which type a layer computes, and in which type its variables are.

    Under ``"mixed_bfloat16"`` the factors of a `Dense` layer's products, forward and backward, are rounded to bfloat16
    (8 bits of precision, the range of float32). Everything else stays float32: sums, variables, the optimizer's state,
    activations, normalizations, losses, metrics and outputs; products with sparse rows, too. It needs no scaling of the
    loss. A number beyond 3.39e38, bfloat16's largest, is infinite as a factor. Processors with an instruction for it
    train large layers up to 1.7 times as fast; `show_config` tells which way this one goes.

    Parameters
    ----------
    name : {"float32", "float64", "mixed_bfloat16"}

    Attributes
    ----------
    compute_dtype, variable_dtype : str

    Raises
    ------
    ValueError
        If the name is another one.

    Examples
    --------
    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')

    References
    ----------
    Micikevicius et al., "Mixed Precision Training", 2018; Kalamkar et al., "A Study of BFLOAT16 for Deep Learning
    Training", 2019.
    """

    def __init__(self, name: str) -> None:
        if isinstance(name, str) and name in _REFUSED:
            raise ValueError(f"The policy {name!r} is not offered: {_REFUSED[name]}")
        if name == _MIXED:
            self.name, self.compute_dtype, self.variable_dtype = _MIXED, "bfloat16", "float32"
        else:
            self.name = self.compute_dtype = self.variable_dtype = _float_name(name, "name")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` makes an equal policy."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the policy whose `get_config` returned `config`."""
        return cls(**config)

    def as_setting(self) -> dict[str, dict[str, Any] | str | None] | str:
        """Return what a layer's configuration says of it: a name of a type, or the policy as Keras writes it."""
        if self.name != _MIXED:
            return self.name
        return {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": self.get_config(),
            "registered_name": None,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def policy_of(value: object, name: str = "dtype") -> DTypePolicy:
    """Read a policy: one, its name, a floating-point type, or what Keras writes into configurations.

    Examples
    --------
    >>> policy_of("mixed_bfloat16"), policy_of({"class_name": "DTypePolicy", "config": {"name": "float64"}})
    (<DTypePolicy "mixed_bfloat16">, <DTypePolicy "float64">)
    """
    if isinstance(value, DTypePolicy):
        return value
    value = validation.name_in_policy(value)
    if isinstance(value, str) and (value == _MIXED or value in _REFUSED):
        return DTypePolicy(value)
    return DTypePolicy(_float_name(value, name))


def _float_name(value: object, name: str) -> str:
    try:
        return validation.float_dtype(value).name
    except ValueError:
        raise ValueError(must(name, "'float32', 'float64' or 'mixed_bfloat16'", value)) from None
