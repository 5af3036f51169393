"""Layers whose output counts or marks whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.layers.base import Layer, registry
from cnn_core.network.graph import Symbol
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape

ENCODINGS = ("multi_hot", "one_hot", "count")
_OLDER_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class Encoder(Layer):
    """A layer whose output may count or mark whole numbers.

    Attributes
    ----------
    output_mode : str
        One of `ENCODINGS`, or of what else the class has.
    """

    output_mode: str

    @property
    def depth(self) -> int:
        """How many numbers there are, which is how wide encoded rows are."""
        raise NotImplementedError

    @property
    def takes_vectors_whole(self) -> bool:  # type: ignore[override]
        """Whether an array of one axis is a sample: numbers that are encoded together."""
        return self.output_mode not in ("int", "one_hot")

    def encoded_shape(self, shape: Sequence[Any], n_tokens: int) -> tuple[Any, ...]:
        """Without the batch: a row of tokens for every number, or for all numbers along the first axis of a sample."""
        if self.output_mode != "one_hot":
            return (*shape[1:], n_tokens)
        return (*(shape[:-1] if tuple(shape[-1:]) == (1,) else shape), n_tokens)

    def encode(self, plan: NetworkPlan, source: int, n_tokens: int, *, drops_last: bool = False) -> int:
        """Enter the encoding of a buffer into a plan; with `drops_last`, the number `n_tokens` leaves no trace."""
        shape = plan.shapes[source]
        one_by_one = self.output_mode == "one_hot"
        if not one_by_one:
            source = plan.add_permutation(source, [*range(1, len(shape)), 0], self.name)
        together = 1 if one_by_one else shape[0]
        encoded = self.encoded_shape(shape, n_tokens + drops_last)
        made = plan.add(
            "encode", [source], encoded, layer=self.name, integers=[self.output_mode in ("count", "tf_idf"), together]
        )
        if not drops_last:
            return made
        kept = np.arange(math.prod(encoded)).reshape(encoded)[..., :n_tokens]
        return plan.add_selection(made, kept, kept.shape, layer=self.name)


def output_mode_among(output_mode: object, modes: Sequence[str]) -> str:
    """Check an output mode; older names are taken, too.

    Examples
    --------
    >>> output_mode_among("binary", ENCODINGS)
    'multi_hot'
    """
    known = _OLDER_NAMES.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
    return validation.choice(known, "output_mode", modes)


def not_sparse(sparse: object) -> bool:
    """Refuse to give sparse rows."""
    if validation.boolean(sparse, "sparse"):
        raise ValueError("`sparse` must be False: activations are dense. Received: sparse=True")
    return False


@registry.register()
class CategoryEncoding(Encoder):
    """Turn whole numbers into rows of indicators or counts.

    Parameters
    ----------
    num_tokens : int >= 1
        Numbers range from 0 to num_tokens - 1.
    output_mode : {"multi_hot", "one_hot", "count"}, default "multi_hot"
        For a row of numbers: one row with 1 where a number occurs; a row for every number (of which a single one needs
        no axis of its own); or one row with how often each number occurs. "binary" is an older name of "multi_hot".
        Of samples with several axes, numbers along the first belong together, as in Keras.

    Notes
    -----
    No gradient passes. As an input of a model the numbers may be integers or whole floats, and are checked. A call with
    `count_weights`, of the numbers' shape, sums these up in the place of counting; as functions of `ops`, in a model,
    where other numbers than tokens count nothing.

    Examples
    --------
    >>> import numpy as np
    >>> CategoryEncoding(4, "count")(np.array([[0, 3, 3]]), count_weights=np.array([[0.5, 1.0, 0.25]]))
    array([[0.5 , 0.  , 0.  , 1.25]], dtype=float32)
    >>> CategoryEncoding(4, "count")(np.array([[0, 3, 3]]))
    array([[1., 0., 0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.num_tokens = validation.positive_integer(num_tokens, "num_tokens")
        self.output_mode = output_mode_among(output_mode, ENCODINGS)
        self.sparse = not_sparse(sparse)

    @property
    def depth(self) -> int:
        return self.num_tokens

    @property
    def index_limit(self) -> int:  # type: ignore[override]
        """The smallest whole number that is no token."""
        return self.num_tokens

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], *self.encoded_shape(input_shape[1:], self.num_tokens))

    def _apply(self, inputs: object, training: bool | None = None, count_weights: object = None) -> Any:
        if count_weights is None:
            return super()._apply(inputs, training)
        if self.output_mode != "count":
            raise ValueError(
                "`count_weights` must be None unless `output_mode` is 'count'. "
                f"Received: output_mode={self.output_mode!r}"
            )
        import cnn_core.ops as ops  # few need it

        numbers = inputs if isinstance(inputs, Symbol) else validation.as_indices(inputs, "x", self.num_tokens)
        marked = ops.one_hot(numbers, self.num_tokens, dtype=self.dtype)
        together = min(len(numbers.shape) - 1, 1)
        return ops.sum(marked * ops.expand_dims(ops.cast(count_weights, self.dtype), -1), axis=together)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [self.encode(plan, inputs[0], self.num_tokens)]
