"""What layers have in common that turn texts, and whole numbers of any size, into the numbers of their places.

No such value fits into an activation, so these layers look at data while it is read, in NumPy; native code gets the
numbers that they found, and encodes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.validation as validation
import cnn_core.network.block as block
from cnn_core.data.batches import Batches, is_batches
from cnn_core.foundation.arrays import Array
from cnn_core.layers.encoding import Encoder, not_sparse, output_mode_among
from cnn_core.network.graph import TEXT, Symbol
from cnn_core.network.plan import NetworkPlan

_INTEGERS = ("int32", "int64")


class TokenReader(Encoder):
    """A layer that reads texts or whole numbers, and gives numbers from 0 on, or encodes them."""

    reads_values: ClassVar[bool] = True
    modes: ClassVar[tuple[str, ...]]
    wants: ClassVar[str]  # kinds of symbols, for messages: "string", "int" or both

    def __init__(self, output_mode: object, sparse: object, dtype: object, **common: Any) -> None:
        named = _named(dtype)
        super().__init__(dtype=config.floatx() if named in (*_INTEGERS, TEXT) else dtype, **common)
        self.output_mode = output_mode_among(output_mode, self.modes)
        self.sparse = not_sparse(sparse)
        self._number_dtype = named if named in _INTEGERS else "int64"

    @property
    def dtype(self) -> str:
        """Its type: "int64", or "int32", where it gives numbers, else that of its rows of indicators."""
        return self._number_dtype if self.output_mode == "int" else super().dtype

    @property
    def drops(self) -> bool:
        """Whether the number `depth` stands for values that leave no trace in encoded rows."""
        return False

    @property
    def index_limit(self) -> int:  # type: ignore[override]
        """The smallest number that native code does not get."""
        return self.depth + self.drops

    def read(self, values: list[Array]) -> Array:
        """Return the numbers of values, one array for each input, as int64 of the same shape."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = input_shape if self.n_inputs == 1 else input_shape[0]
        if self.output_mode == "int":
            return tuple(first)
        return (first[0], *self.encoded_shape(first[1:], self.depth))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the encoding of the numbers that `read` has found."""
        if self.output_mode == "int":
            return inputs[:1]
        return [self.encode(plan, inputs[0], self.depth, drops_last=self.drops)]

    def _settings(self) -> dict[str, Any]:
        config = super()._settings()
        return {**config, "dtype": self.dtype} if self.output_mode == "int" else config

    def _apply(self, inputs: object, training: bool | None = None) -> Any:
        if _has_symbols(inputs):
            return super()._apply(inputs, training)
        found = self.read(self._values(inputs))
        if self.output_mode == "int":
            return found.astype(self.dtype, copy=False)
        self.built = True
        return block.Cache(self, [found], False, False, self.emit).a  # type: ignore[arg-type]

    def _values(self, inputs: object) -> list[Array]:
        return [validation.as_tokens(inputs, "x")]

    def _call_on_symbols(self, inputs: object, leaves: list[Any], training: bool | None) -> Any:
        for leaf in leaves:
            if isinstance(leaf, Symbol) and (leaf.dtype == TEXT and "string" not in self.wants):
                raise TypeError(f"{self.name!r} reads whole numbers, not texts: use StringLookup. Received: {leaf!r}")
            if isinstance(leaf, Symbol) and (leaf.dtype != TEXT and self.wants == "string"):
                raise TypeError(
                    f'{self.name!r} reads texts: begin the model with Input(shape, dtype="string"). Received: {leaf!r}'
                )
        return super()._call_on_symbols(inputs, leaves, training)


def _named(dtype: object) -> Any:
    """Return the name of a dtype, which Keras may have written as a policy."""
    return dtype["config"].get("name") if isinstance(dtype, Mapping) and "config" in dtype else dtype


def _has_symbols(inputs: object) -> bool:
    if isinstance(inputs, Mapping):
        inputs = list(inputs.values())
    return isinstance(inputs, Symbol) or (
        isinstance(inputs, (list, tuple)) and any(isinstance(each, Symbol) for each in inputs)
    )


def batches_of(data: object, steps: int | None) -> Iterator[Any]:
    """Yield the batches of data that yields batches, at most `steps`, of pairs the first; other data as one batch."""
    count = None if steps is None else validation.positive_integer(steps, "steps")
    if not is_batches(data):
        yield data
        return
    for number, batch in enumerate(Batches(data, "data", "steps").walk(count)):
        if number != count:
            yield batch[0] if isinstance(batch, tuple) else batch


def checked_salt(salt: object) -> tuple[int, int] | None:
    """Return the key of a keyed hash: two whole numbers, one that is both, or none."""
    if salt is None:
        return None
    if isinstance(salt, (list, tuple)) and len(salt) == 2:
        return validation.integer(salt[0], "salt"), validation.integer(salt[1], "salt")
    if isinstance(salt, (int, np.integer)) and not isinstance(salt, bool):
        return int(salt), int(salt)
    raise ValueError(f"`salt` must be a whole number or two of them. Received: salt={validation.show(salt)}")
