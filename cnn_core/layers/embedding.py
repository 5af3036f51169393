"""The layer that looks vectors up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.dense import ADAPTERS
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike

# Beyond, float32 no longer holds every whole number.
_LARGEST_IN_FLOAT32 = 2**24


@registry.register()
class Embedding(Layer):
    """Turn whole numbers into vectors: ``y[i] = embeddings[x[i]]``.

    Parameters
    ----------
    input_dim : int >= 1
        Numbers range from 0 to input_dim - 1.
    output_dim : int >= 1
    embeddings_initializer : default "uniform"
    embeddings_regularizer, embeddings_constraint : default None
    mask_zero : bool, default False
        Whether the number 0 stands for a step that does not count, such as what fills up a short sentence: the output
        has a mask then, which `GlobalAveragePooling1D` reads.
    weights : array of shape (input_dim, output_dim), or list of one, default None
        The vectors to begin with.
    input_length : int, default None
        Accepted because older Keras scripts have it; the input tells its length.

    Attributes
    ----------
    embeddings : Variable of shape (input_dim, output_dim)

    Notes
    -----
    An input of shape (n, length) gives an output of shape (n, length, output_dim), one of shape (n,) one of (n,
    output_dim). dJ/dembeddings has dy summed up in the rows looked up, in the order of the batch, and zeros elsewhere.
    The numbers themselves have no gradient. As an input of a model they may be integers or whole floats, and are
    checked; a float in between is rounded down.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Embedding(3, 2, weights=[[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    >>> layer(np.array([[2, 0]]))
    array([[[2. , 2.5],
            [0. , 0.5]]], dtype=float32)
    """

    only_default = ADAPTERS

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: object = None,
        *,
        input_length: int | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if input_length is not None:  # once the length of a sample, which the input tells
            validation.positive_integer(input_length, "input_length")
        self.input_dim = validation.positive_integer(input_dim, "input_dim")
        self.output_dim = validation.positive_integer(output_dim, "output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = validation.boolean(mask_zero, "mask_zero")
        self.supports_masking = self.mask_zero
        if self.dtype == "float32" and self.input_dim > _LARGEST_IN_FLOAT32:
            raise ValueError(
                f"`input_dim` must be at most {_LARGEST_IN_FLOAT32} in float32, which holds no larger whole numbers "
                f'exactly: use dtype="float64". Received: input_dim={input_dim}'
            )
        if weights is not None:
            matrix = weights[0] if isinstance(weights, list) and np.ndim(weights[0]) == 2 else weights
            self.build((None, 1))
            self.set_weights([validation.as_array(matrix, "weights")])

    @property
    def index_limit(self) -> int:  # type: ignore[override]
        """The smallest whole number that cannot be looked up."""
        return self.input_dim

    def _settings(self) -> dict[str, Any]:
        config = super()._settings()
        config.pop("weights", None)
        return {**config, "input_dim": self.input_dim}

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        self.built = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where numbers are not 0, if those do not count; else None."""
        return Operators.functions["not_equal"](inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape, self.output_dim)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = (*plan.shapes[inputs[0]], self.output_dim)
        return [
            plan.add(
                "embedding", inputs, shape, layer=self.name, variables=[self.embeddings], integers=[self.input_dim]
            )
        ]
