"""Tables as models: a preprocessing layer for every column, crosses of columns, and one row of numbers for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.layers as layers
from cnn_core.data.batches import Batches, is_batches
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.numbering import unique_name
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.base import serialize as serialize_layer
from cnn_core.layers.encoding import Encoder
from cnn_core.layers.index_lookup import IndexLookup
from cnn_core.models.model import Model
from cnn_core.network.graph import CallGraph, Symbol
from cnn_core.training.trainer import Trainer

_DTYPES = ("float32", "float64", "int32", "int64", "string")
_INTEGER = ("int", "one_hot")


class Feature(KnowsItsArguments):
    """A column: its dtype, the layer that prepares it, and the form in which it comes out.

    Parameters
    ----------
    dtype : {"float32", "float64", "int32", "int64", "string"}
    preprocessor : Layer
    output_mode : {"float", "int", "one_hot"}
    """

    def __init__(self, dtype: str, preprocessor: object, output_mode: str) -> None:
        self.dtype = validation.choice(dtype, "dtype", _DTYPES)
        self.preprocessor: Layer = layers.get(preprocessor)
        if not isinstance(self.preprocessor, Layer):
            raise TypeError(f"`preprocessor` must be a layer. Received: preprocessor={validation.show(preprocessor)}")
        self.output_mode = validation.choice(output_mode, "output_mode", ("float", *_INTEGER))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` makes an equal feature, as plain data."""
        preprocessor = serialize_layer(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the feature whose `get_config` returned `config`."""
        return cls(**config)


class Cross(KnowsItsArguments):
    """Columns whose values together are hashed into one number.

    Parameters
    ----------
    feature_names : sequence of str
    crossing_dim : int >= 1
        How many bins there are.
    output_mode : {"one_hot", "int"}, default "one_hot"
    """

    def __init__(self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(validation.text(name, "feature_names") for name in feature_names)
        if len(self.feature_names) < 2:
            raise ValueError(
                f"`feature_names` must be two names or more. Received: feature_names={validation.show(feature_names)}"
            )
        self.crossing_dim = validation.positive_integer(crossing_dim, "crossing_dim")
        self.output_mode = validation.choice(output_mode, "output_mode", _INTEGER)

    @property
    def name(self) -> str:
        """What the result is called: the names with "_X_" between them."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` makes an equal cross, as plain data."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the cross whose `get_config` returned `config`."""
        return cls(**config)


@registry.register()
class FeatureSpace(Model):
    """Prepare the columns of a table: each by a layer of its kind, and all as one row of numbers or by their names.

    It is a model of one input for each column, built by `adapt`, or at once if no layer has anything to learn.

    Parameters
    ----------
    features : dict of str to str or Feature
        What each column is: one of "float", "float_normalized", "float_rescaled", "float_discretized",
        "integer_categorical", "string_categorical", "integer_hashed" and "string_hashed", or what the class methods of
        these names return, which take settings; `FeatureSpace.feature` takes a layer of one's choice.
    output_mode : {"concat", "dict"}, default "concat"
        Whether a call gives one row of all columns, in the order of their names, crosses last, or a dict of them.
    crosses : list of tuple of str or Cross, default None
        Which columns to hash together: their names, or what `FeatureSpace.cross` returns.
    crossing_dim : int, default 32
        How many bins a cross has that does not say.
    hashing_dim : int, default 32
        The same for hashed columns.
    num_discretization_bins : int, default 32
        The same for "float_discretized".
    name : str, default None

    Attributes
    ----------
    preprocessors, crossers, one_hot_encoders : dict of str to Layer
        By the names of columns and crosses.

    Examples
    --------
    >>> space = FeatureSpace({"age": "float_normalized", "colour": "string_categorical"})
    >>> space.adapt({"age": [20.0, 40.0], "colour": ["red", "blue"]})
    >>> space({"age": [40.0, 30.0], "colour": ["blue", "green"]})
    array([[1., 0., 0., 1.],
           [0., 1., 0., 0.]], dtype=float32)
    >>> outputs = layers.Dense(1)(space.get_encoded_features())
    >>> Model(space.get_inputs(), outputs).predict({"age": [40.0], "colour": ["red"]}).shape
    (1, 1)
    """

    @classmethod
    def cross(cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Return columns to hash together: see `Cross`."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """Return a column with a layer of one's choice: see `Feature`."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Return a column of numbers as they are."""
        return Feature("float32", layers.Identity(name=_layer_name(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale: object = 1.0, offset: object = 0.0, name: str | None = None) -> Feature:
        """Return a column of numbers that `Rescaling` prepares."""
        return Feature("float32", layers.Rescaling(scale, offset, name=_layer_name(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Return a column of numbers that `Normalization` prepares."""
        return Feature("float32", layers.Normalization(name=_layer_name(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a column of numbers that `Discretization` puts into bins."""
        name = _layer_name(name, "float_discretized")
        return Feature("float32", layers.Discretization(bin_boundaries, num_bins, name=name), output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a column of whole numbers that `IntegerLookup` looks up."""
        name = _layer_name(name, "integer_categorical")
        return Feature("int32", layers.IntegerLookup(max_tokens, num_oov_indices, name=name), output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a column of texts that `StringLookup` looks up."""
        name = _layer_name(name, "string_categorical")
        return Feature("string", layers.StringLookup(max_tokens, num_oov_indices, name=name), output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Return a column of texts that `Hashing` puts into bins."""
        return Feature("string", layers.Hashing(num_bins, name=_layer_name(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Return a column of whole numbers that `Hashing` puts into bins."""
        return Feature("int32", layers.Hashing(num_bins, name=_layer_name(name, "integer_hashed")), output_mode)

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        Layer.__init__(self, name=name)
        Trainer.__init__(self)
        self._layers, self._graph = [], None
        self.output_mode = validation.choice(output_mode, "output_mode", ("concat", "dict"))
        self.crossing_dim = validation.positive_integer(crossing_dim, "crossing_dim")
        self.hashing_dim = validation.positive_integer(hashing_dim, "hashing_dim")
        self.num_discretization_bins = validation.integer(num_discretization_bins, "num_discretization_bins", minimum=2)
        if not isinstance(features, Mapping) or not features:
            raise ValueError(f"`features` must be a dict of columns. Received: features={validation.show(features)}")
        self.features = {key: self._feature(key, value) for key, value in features.items()}
        self.crosses = [self._checked_cross(each) for each in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.preprocessors = {key: feature.preprocessor for key, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, Layer] = {}
        if not self._to_adapt():
            self._connect()

    def _feature(self, name: str, value: object) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, Mapping):
            return Feature.from_config(value)
        settings = {
            "float_discretized": [self.num_discretization_bins],
            "integer_hashed": [self.hashing_dim],
            "string_hashed": [self.hashing_dim],
        }
        plain = ("float", "float_normalized", "float_rescaled", "integer_categorical", "string_categorical")
        kind = validation.choice(value, f"features[{name!r}]", (*plain, *settings))
        return cast(Feature, getattr(self, kind)(*settings.get(kind, ()), name=name))

    def _checked_cross(self, given: Any) -> Cross:
        if isinstance(given, Mapping):
            given = Cross.from_config(given)
        cross = given if isinstance(given, Cross) else Cross(given, self.crossing_dim)
        for name in cross.feature_names:
            if name not in self.features:
                raise ValueError(f"`crosses` must name features. Received: {name!r} in {cross.feature_names}")
        return cross

    # Learning

    def _to_adapt(self) -> list[str]:
        """Return the columns whose layers learn from data."""
        return [name for name, layer in self.preprocessors.items() if getattr(layer, "learns", hasattr(layer, "adapt"))]

    def adapt(self, dataset: object) -> None:
        """Let the layers of all columns learn from data, and build the model.

        Parameters
        ----------
        dataset : dict of arrays, frame, or iterable of batches that are dicts
            Columns that no layer learns from may be missing.

        Raises
        ------
        ValueError
            If a column is missing, or its layer refuses it.
        """
        columns = _columns(dataset, self._to_adapt())
        for name, values in columns.items():
            try:
                cast(Any, self.preprocessors[name]).adapt(values)
            except (TypeError, ValueError) as error:
                raise type(error)(f"column {name!r}: {error}") from error
        self._connect()

    def _build_for(self, x: object) -> None:
        if not self.built:
            raise ValueError(f"{self.name!r} must learn from data first: call adapt(dataset). Received: a call before")

    # The graph

    def _connect(self) -> None:
        if self.built:
            self._check_depths()
            self._forget_network()
            return
        for layer in self.preprocessors.values():
            if isinstance(layer, IndexLookup):
                layer.require_vocabulary()
        inputs = {
            name: layers.Input((1,), dtype=None if feature.dtype.startswith("float") else feature.dtype, name=name)
            for name, feature in self.features.items()
        }
        found = {name: self.preprocessors[name](symbol) for name, symbol in inputs.items()}
        crossed = {
            name: self.crossers[name]([found[each] for each in cross.feature_names])
            for name, cross in self.crosses_by_name.items()
        }
        encoded = {name: self._encoded(name, found[name], self.features[name]) for name in sorted(found)}
        encoded |= {name: self._encoded(name, crossed[name], self.crosses_by_name[name]) for name in sorted(crossed)}
        self._use(CallGraph(inputs, encoded if self.output_mode == "dict" else self._joined(encoded)))

    def _check_depths(self) -> None:
        """Refuse to have learned more or fewer values of a column than models may count on."""
        for name, encoder in self.one_hot_encoders.items():
            before, found = cast(Any, encoder).depth, cast(Any, self.preprocessors.get(name, encoder)).depth
            if found != before:
                raise ValueError(
                    f"`adapt` must find as many values of {name!r} as before, {before}, once models depend on it: make "
                    f"a new FeatureSpace. Received: {found}"
                )

    def _encoded(self, name: str, symbol: object, column: Feature | Cross) -> Any:
        """Return what is made of a column when its layer has prepared it."""
        if column.output_mode == "int" and self.output_mode == "concat":
            raise ValueError(
                f"`output_mode` of {name!r} must not be 'int' in a row of all columns: use 'one_hot', or "
                "output_mode='dict' for all. Received: output_mode='int'"
            )
        if column.output_mode != "one_hot":
            return symbol
        layer = self.preprocessors.get(name) or self.crossers[name]
        if not isinstance(layer, Encoder) or layer.output_mode != "int":
            raise ValueError(
                f"`output_mode` of {name!r} must be 'float', because its layer gives no numbers of a known range. "
                "Received: output_mode='one_hot'"
            )
        self.one_hot_encoders[name] = layers.CategoryEncoding(layer.depth, "multi_hot", name=f"{name}_one_hot")
        return self.one_hot_encoders[name](symbol)

    @staticmethod
    def _joined(encoded: Mapping[str, object]) -> Any:
        parts = list(encoded.values())
        return layers.Concatenate()(parts) if len(parts) > 1 else parts[0]

    def get_inputs(self) -> dict[str, Symbol]:
        """Return the symbol of each column, with which a model begins that takes columns as they are."""
        return dict(self.graph.input_structure)

    def get_encoded_features(self) -> Any:
        """Return the symbols of what comes out, a row or a dict, on which a model goes on."""
        return self.graph.output_structure

    # Calling

    def _apply(self, inputs: Any, training: bool | None = None) -> Any:
        if not isinstance(inputs, Mapping):
            inputs = dict(inputs) if validation.is_frame(inputs) else inputs
        if not isinstance(inputs, Mapping):
            raise TypeError(f"{self.name!r} takes a dict of columns. Received: {type(inputs).__name__}")
        if any(isinstance(value, Symbol) for value in inputs.values()):
            return super()._apply(inputs, training)
        self._build_for(inputs)
        is_row = all(np.ndim(inputs[name]) == 0 for name in self.features if name in inputs)
        given = {name: [value] if is_row else value for name, value in inputs.items() if name in self.features}
        made = super()._apply(given, training)
        if self.output_mode == "concat":
            return made[0] if is_row else made
        return {name: self._in_dtype(name, array[0] if is_row else array) for name, array in made.items()}

    def _in_dtype(self, name: str, array: Array) -> Array:
        column = self.features.get(name) or self.crosses_by_name[name]
        return array.astype(np.int64) if column.output_mode == "int" else array

    # Configuration

    @classmethod
    def has_own_constructor(cls) -> bool:
        """Tell that configurations hold the constructor's arguments, not the graph."""
        return True

    def _settings(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "features": {name: feature.get_config() for name, feature in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [cross.get_config() for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "is_adapted": self.built,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: object = None) -> Self:
        """Make the feature space whose `get_config` returned `config`; means and variances are weights."""
        given = dict(config)
        is_adapted = given.pop("is_adapted", False)
        made = cls(**given)
        if is_adapted and not made.built:
            made._connect()
        return made


def _layer_name(name: str | None, kind: str) -> str:
    return f"{unique_name(kind) if name is None else validation.text(name, 'name')}_preprocessor"


def _columns(dataset: object, names: Sequence[str]) -> dict[str, Any]:
    """Return columns of data, each with an axis for its rows and one for its values."""
    if validation.is_frame(dataset) or isinstance(dataset, Mapping):
        return {name: _column(dataset, name) for name in names}
    if not is_batches(dataset):
        raise TypeError(
            "`dataset` must be a dict of columns, a frame, or batches of such dicts. "
            f"Received: dataset={validation.show(dataset)}"
        )
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for batch in Batches(dataset, "dataset", "steps").walk():
        columns = batch[0] if isinstance(batch, tuple) else batch
        for name in names:
            parts[name].append(_column(columns, name))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _column(columns: Any, name: str) -> Array:
    if name not in columns:
        raise ValueError(f"`dataset` must have the column {name!r}. Received: columns {', '.join(map(str, columns))}")
    values = columns[name]
    read = validation.as_texts if validation.holds_texts(values) else validation.as_array
    array = read(values, f"dataset[{name!r}]")
    return array.reshape(len(array) if array.ndim else 1, -1)
