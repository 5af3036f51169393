"""Where a network's inputs enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cnn_core.config as config
import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.numbering import unique_name
from cnn_core.layers.base import Layer, registry
from cnn_core.network.graph import Symbol

if TYPE_CHECKING:
    from cnn_core.network.graph import Shape


@registry.register()
class InputLayer(Layer):
    """Stand for an input in a list of layers.

    Parameters
    ----------
    shape, batch_size, dtype, sparse, ragged, batch_shape, input_tensor, optional, name
        As for `Input`, whose `tensor` is called `input_tensor` here.
    input_shape, batch_input_shape : default None
        Older names of `shape` and `batch_shape`.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | int | None = None,
        batch_size: int | None = None,
        dtype: object = None,
        *,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        input_shape: Sequence[int | None] | int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(name=name, **common)
        symbol = Input(
            _either(shape, input_shape, "shape", "input_shape"),
            batch_size,
            dtype,
            sparse=sparse,
            ragged=ragged,
            batch_shape=_either(batch_shape, batch_input_shape, "batch_shape", "batch_input_shape"),
            tensor=input_tensor,
            optional=optional,
            name=self.name,
        )
        self._stand_for(symbol)

    @classmethod
    def of(cls, symbol: Symbol) -> InputLayer:
        """Return the layer that stands for an existing symbol."""
        layer = cls.__new__(cls)
        Layer.__init__(layer, name=symbol.name)
        layer._stand_for(symbol)
        return layer

    def _stand_for(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.shape = symbol.shape[1:]
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.symbol.shape

    def _settings(self) -> dict[str, Any]:
        return {"name": self.name, "batch_shape": self.symbol.shape, "dtype": self.symbol.dtype}


def _either(value: object, older: object, name: str, older_name: str) -> Any:
    """Return the one of two arguments for the same thing that is given."""
    if value is not None and older is not None:
        raise ValueError(f"`{older_name}` must be None if `{name}` is given. Received: {older_name}={older}")
    return older if value is None else value


@knows_its_arguments
def Input(
    shape: Sequence[int | None] | int | None = None,
    batch_size: int | None = None,
    dtype: object = None,
    *,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> Symbol:
    """Make a symbol for an input.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch dimension.
    batch_size : int, default None
        Accepted because Keras has it; any number of samples fits.
    dtype : str, default None
        None: `config.floatx()`. "string" stands for texts, which `layers.StringLookup`, `Hashing` and `HashedCrossing`
        read.
    sparse : bool, default None
        Accepted because Keras has it; SciPy's matrices fit wherever a Dense layer reads the input.
    ragged, tensor, optional : default None, None, False
        Accepted with these values, because Keras writes them.
    batch_shape : tuple of int or None, default None
        Instead of `shape` and `batch_size`: with the batch dimension.
    name : str, default None

    Returns
    -------
    Symbol

    Raises
    ------
    ValueError
        If neither a shape nor a batch shape is given, or both are.

    Examples
    --------
    >>> Input((4,), name="features")
    <Symbol shape=(None, 4), dtype=float32, name=features>
    """
    if sparse is not None:
        validation.boolean(sparse, "sparse")
    if batch_size is not None:
        validation.positive_integer(batch_size, "batch_size")
    for argument, value in (("ragged", ragged), ("tensor", tensor), ("optional", optional)):
        if value is not None and value is not False:
            raise ValueError(
                f"`{argument}` must be None or False: an input is an array with a value for every row. "
                f"Received: {argument}={validation.show(value)}"
            )
    if batch_shape is not None:
        for argument, other in (("shape", shape), ("batch_size", batch_size)):
            if other is not None:
                raise ValueError(
                    f"`batch_shape` must be None if `{argument}` is given. Received: batch_shape={batch_shape}"
                )
        shape = validation.shape(batch_shape, "batch_shape", unknown=True)[1:]
    if shape is None:
        raise ValueError("`shape` must be given, such as (4,). Received: shape=None")
    checked = validation.shape(shape, "shape", unknown=True)
    named = str(getattr(dtype, "name", dtype))  # also of TensorFlow's
    if dtype is None or named == "string" or named.startswith(("int", "uint")):
        kind = config.floatx() if dtype is None else named
    else:
        kind = validation.float_dtype(dtype).name
    return Symbol((None, *checked), unique_name("input_layer") if name is None else validation.text(name, "name"), kind)
