"""What every initializer is: first values of a tensor of a given shape."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float
from cnn_core.foundation.eager import returns_arrays
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments
from cnn_core.foundation.serialization import Registry

registry = Registry("initializer")


class Initializer(KnowsItsArguments):
    """Make the first value of a parameter.

    A subclass defines `__call__(shape, dtype=None)`, as in Keras. One that draws may take a third argument,
    `generator`, and gets the generator that the layer's place in the program gives it.

    Examples
    --------
    >>> from cnn_core.initializers import get
    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.full(shape, 7, dtype or "float32")
    >>> get(Sevens())((2,))
    array([7., 7.], dtype=float32)
    """

    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "__call__" in vars(cls):
            setattr(cls, "__call__", returns_arrays(cls.__call__))  # noqa: B010  (mypy takes it for a redefinition)

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array.

        Parameters
        ----------
        shape : int or tuple of int
        dtype : str or dtype, default None
            "float32" or "float64"; None is `config.floatx()`.
        generator : numpy.random.Generator, default None
            What a random initializer without a seed draws from; None is the package's own, which
            `utils.set_random_seed` sets.

        Returns
        -------
        numpy.ndarray
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer."""
        return {each: getattr(self, each) for each in self._options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """Build the initializer whose `get_config` returned `config`."""
        return cls(**config)

    def clone(self) -> Initializer:
        """Build an equal initializer."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"


def sizes_of(shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, (tuple, list)) and len(shape) == 0:
        return ()
    return cast("tuple[int, ...]", validation.shape(shape, "shape"))


def float_type(dtype: object) -> np.dtype[Any]:
    return validation.float_dtype(config.floatx() if dtype is None else dtype)


@knows_its_arguments
def initial_value(initializer: Initializer, shape: tuple[int, ...], dtype: str) -> Array:
    """Make the first value of a parameter; only an initializer that draws gets a generator.

    Both take one seed from the package's source: what is drawn elsewhere does not depend on which initializers draw.

    Raises
    ------
    TypeError, ValueError
        If the initializer returns no numbers, or not of this shape.

    Examples
    --------
    >>> from cnn_core.initializers import Ones
    >>> initial_value(Ones(), (2,), "float64")
    array([1., 1.])
    """
    call = type(initializer).__call__
    if _draws(call):
        value = initializer(shape, dtype=dtype, generator=random_state.generator(random_state.next_seed()))
    else:
        random_state.skip_seed()
        value = initializer(shape, dtype=dtype)
    return checked(value, shape, np.dtype(dtype), type(initializer).__name__)


def _draws(call: Callable[..., object]) -> bool:
    """Whether an initializer's `__call__` draws numbers: of the package's own all do but those of constants."""
    if call.__module__.startswith("cnn_core.initializers."):
        return not call.__module__.endswith(".constants")
    return "generator" in inspect.signature(call).parameters


def checked(value: object, shape: tuple[int, ...], dtype: np.dtype[Any], maker: str) -> Array:
    array = as_float(value, "the initial value", dtype)
    if array.shape != shape:
        raise ValueError(
            f"{maker} must return an array of the shape that it is given, {shape}. Received: shape {array.shape}"
        )
    return array
