"""Configurations of layers: the arguments that make an equal one, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from cnn_core.foundation.dtype_policy import policy_of
from cnn_core.foundation.given_arguments import (
    RemembersArguments,
    accepts,
    argument,
    arguments,
    given_names,
    has_custom_constructor,
    keeps,
    names_taken,
    tells_its_arguments,
)
from cnn_core.foundation.serialization import serialize as as_data

if TYPE_CHECKING:
    from cnn_core.foundation.dtype_policy import DTypePolicy

# What all layers take beside arguments of their own.
_COMMON = {
    "self",
    "name",
    "dtype",
    "trainable",
    "activity_regularizer",
    "input_shape",
    "input_dim",
    "batch_input_shape",
}


class Configured(RemembersArguments):
    """The part of a layer that says how it was made."""

    name: str
    trainable: bool
    dtype_policy: DTypePolicy
    activity_regularizer: Any

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal layer, as plain data, without its weights.

        Examples
        --------
        >>> from cnn_core import layers
        >>> layers.Dropout(0.5, name="drop").get_config()
        {'name': 'drop', 'dtype': 'float32', 'trainable': True, 'rate': 0.5, 'noise_shape': None, 'seed': None}
        """
        data: dict[str, Any] = as_data(self._settings())
        return data

    def _settings(self) -> dict[str, Any]:
        """Return the constructor's arguments with the objects that they have become."""
        config: dict[str, Any] = {
            "name": self.name,
            "dtype": self.dtype_policy.as_setting(),
            "trainable": self.trainable,
        }
        named = self._own_arguments()
        if has_custom_constructor(type(self)):
            own = self._custom_settings(named)
        else:
            own = {name: getattr(self, name) for name in named if hasattr(self, name)}
        if self.activity_regularizer is not None and "activity_regularizer" not in own:
            config["activity_regularizer"] = self.activity_regularizer
        return config | own

    def _custom_settings(self, named: list[str]) -> dict[str, Any]:
        """Return what a custom constructor was given; below a custom `get_config`, what our class takes of it."""
        cls = type(self)
        if not tells_its_arguments(cls):
            return arguments(self, *(_COMMON - set(named)))
        ours: Any = next(each for each in cls.__mro__ if each.__module__.startswith("cnn_core."))
        known = set(ours._own_arguments()) - (_COMMON - set(named))
        return {name: argument(self, name) for name in given_names(self) if name in known and keeps(self, name)}

    @classmethod
    def _own_arguments(cls) -> list[str]:
        """The constructor's named arguments, which are attributes of the same name."""
        return [name for name in names_taken(cls) if name not in _COMMON or name == "activity_regularizer"]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the layer whose `get_config` returned `config`."""
        config = _without_batch_shape(config)
        later = {name: config[name] for name in ("name", "trainable") if name in config and not accepts(cls, name)}
        if later and "dtype" in config and not accepts(cls, "dtype"):
            later["dtype"] = config["dtype"]
        layer = cls(**{name: value for name, value in config.items() if name not in later})
        layer._take_common(**later)
        return layer

    def _take_common(self, name: str | None = None, trainable: bool = True, dtype: object = None) -> None:
        """Take what a constructor that has no such arguments could not be given."""
        if dtype is not None and policy_of(dtype) != self.dtype_policy:
            raise ValueError(f"`dtype` must be {self.dtype_policy.name!r}, for {type(self).__name__} takes no other")
        self.name = self.name if name is None else name
        if not trainable:
            self.trainable = False


def _without_batch_shape(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say `input_shape` where Keras 2 noted the shape of a batch, for every layer that could stand first."""
    if "batch_input_shape" not in config:
        return config
    given = {name: value for name, value in config.items() if name != "batch_input_shape"}
    _, *shape = config["batch_input_shape"] or (None,)
    return {**given, "input_shape": shape} if shape and None not in shape else given
