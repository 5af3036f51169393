"""Models: layers put together, and compiled into one native network. Floor 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from cnn_core import _core, config, validation
from cnn_core.arrays import Array
from cnn_core.data import InputSpec, feature_shape
from cnn_core.graph import Node, Symbol, flatten, map_structure, nodes_between
from cnn_core.inspection import Trace, gradients, trace
from cnn_core.layers.base import Layer, registry, unique_name
from cnn_core.layers.input import Input, InputLayer
from cnn_core.parameters import aligned_copy
from cnn_core.plan import NetworkPlan
from cnn_core.summary import format_summary
from cnn_core.training import Trainer
from cnn_core.variables import Variable


@registry.register("Functional")
class Model(Trainer, Layer):
    """A network from inputs to outputs, put together by calling layers on symbols.

    Parameters
    ----------
    inputs : Symbol, or list or dict of Symbol
        As `Input` returns them.
    outputs : Symbol, or list or dict of Symbol
    name : str, default None
    trainable : bool, default True

    Raises
    ------
    ValueError
        If an output depends on an input that is not listed.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> x = Input((4,))
    >>> hidden = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Dense(3, activation="softmax")(hidden))
    >>> model.output_shape
    (None, 3)
    """

    n_inputs = None

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        Layer.__init__(self, name=name, trainable=trainable)
        Trainer.__init__(self)
        self._set_graph(inputs, outputs)

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        for symbol in (*flatten(inputs), *flatten(outputs)):
            if not isinstance(symbol, Symbol):
                raise TypeError(f"`inputs` and `outputs` must be symbols, as Input() and layers return. Received: {symbol!r}")
        self._input_structure = inputs
        self._output_structure = outputs
        self._nodes = nodes_between(flatten(inputs), flatten(outputs))
        self._native: Any = None
        self._plan: NetworkPlan | None = None
        self.built = True

    # Structure

    @property
    def inputs(self) -> list[Symbol]:
        return list(flatten(self._input_structure))

    @property
    def outputs(self) -> list[Symbol]:
        return list(flatten(self._output_structure))

    @property
    def input(self) -> Any:
        return self._input_structure

    @property
    def output(self) -> Any:
        return self._output_structure

    @property
    def input_shape(self) -> Any:
        shapes = [symbol.shape for symbol in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = self.output_shapes
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:  # type: ignore[override]
        return [symbol.shape for symbol in self.outputs]

    @property
    def output_names(self) -> list[str]:  # type: ignore[override]
        """The names by which losses, metrics and targets can be given: dict keys, or the layers' names."""
        if isinstance(self._output_structure, Mapping):
            return list(self._output_structure)
        names: list[str] = []
        for symbol in self.outputs:
            name = symbol.node.layer.name if symbol.node is not None else symbol.name
            names.append(name if name not in names else f"{name}_{len(names)}")
        return names

    @property
    def input_names(self) -> list[str]:
        if isinstance(self._input_structure, Mapping):
            return list(self._input_structure)
        return [symbol.name for symbol in self.inputs]

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order in which they compute, inputs first."""
        found: list[Layer] = [InputLayer.of(symbol) for symbol in self.inputs]
        for node in self._nodes:
            if node.layer not in found:
                found.append(node.layer)
        return found

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index."""
        if (name is None) == (index is None):
            raise ValueError(f"`get_layer` takes either a name or an index. Received: name={name!r}, index={index!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"`index` must be smaller than {len(self.layers)}. Received: index={index}")
            return self.layers[index]
        names = [layer.name for layer in self.layers]
        return self.layers[names.index(validation.choice(name, "name", names))]

    # Variables

    @property
    def variables(self) -> list[Variable]:
        return _unique(variable for layer in self.layers for variable in layer.variables)

    @property
    def trainable_variables(self) -> list[Variable]:  # type: ignore[override]
        if not self.trainable:
            return []
        return _unique(variable for layer in self.layers for variable in layer.trainable_variables)

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        """The dtype of the layers, which must agree."""
        dtypes = {layer.dtype for layer in self.layers if not isinstance(layer, InputLayer)} or {config.floatx()}
        if len(dtypes) > 1:
            raise ValueError(f"All layers of a model must have the same dtype. Received: {', '.join(sorted(dtypes))}")
        return np.dtype(dtypes.pop())

    # Plan

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        buffers = {id(symbol): buffer for symbol, buffer in zip(self.inputs, inputs, strict=True)}
        for node in self._nodes:
            outputs = node.layer.emit(plan, [buffers[id(symbol)] for symbol in node.inputs])
            buffers.update({id(symbol): buffer for symbol, buffer in zip(node.outputs, outputs, strict=True)})
        return [buffers[id(symbol)] for symbol in self.outputs]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.output_shape

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations."""
        plan = NetworkPlan()
        for symbol in self.inputs:
            if None in symbol.shape[1:]:
                raise ValueError(f"The shape of {symbol.name!r} must be known but for the batch. Received: {symbol.shape}")
        inputs = [plan.add_input(symbol.shape[1:]) for symbol in self.inputs]
        plan.outputs = self.emit(plan, inputs)
        return plan

    def _network(self) -> Any:
        if self._native is None:
            self._plan = self.plan()
            self._native = _core.Network(self.compute_dtype.name, self._plan)
            self._bound_moves = -1
        return self._native

    def _plan_variables(self) -> list[Variable]:
        self._network()
        assert self._plan is not None
        return self._plan.variables

    def _input_specs(self) -> list[InputSpec]:
        readers: dict[int, list[Layer]] = {}
        for node in self._nodes:
            for symbol in node.inputs:
                readers.setdefault(id(symbol), []).append(node.layer)
        return [
            InputSpec(name, symbol.shape[1:], limit=None, sparse=True)
            for name, symbol in zip(self.input_names, self.inputs, strict=True)
        ]

    def _build_for(self, x: Any) -> None:
        """A model made of symbols is built from the start."""

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        if isinstance(self._output_structure, Symbol):
            return arrays[0]
        iterator = iter(arrays)
        return map_structure(lambda symbol: next(iterator), self._output_structure)

    # Calling

    def __call__(self, inputs: Any, *, training: bool = False) -> Any:
        """Apply the model to symbols, as a layer, or to arrays: one batch through `predict`'s path."""
        leaves = flatten(inputs)
        if any(isinstance(leaf, Symbol) for leaf in leaves):
            return self._call_model_on_symbols(leaves)
        if training:
            return Layer.__call__(self, inputs, training=True)
        self._build_for(inputs)
        return self._pack_outputs(self._predict_arrays(inputs))

    def _call_model_on_symbols(self, leaves: list[Any]) -> Any:
        self._build_for_shapes([leaf.shape for leaf in leaves])
        if len(leaves) != len(self.inputs):
            raise ValueError(f"{self.name!r} takes {len(self.inputs)} inputs. Received: {len(leaves)}")
        for symbol, leaf in zip(self.inputs, leaves, strict=True):
            if symbol.shape[1:] != leaf.shape[1:]:
                raise ValueError(f"{self.name!r} expects an input of shape {symbol.shape}. Received: shape={leaf.shape}")
        node = Node(self, leaves)
        node.outputs = tuple(
            Symbol(symbol.shape, unique_name(f"{self.name}_output"), symbol.dtype, node) for symbol in self.outputs
        )
        iterator = iter(node.outputs)
        return map_structure(lambda symbol: next(iterator), self._output_structure)

    def _build_for_shapes(self, shapes: list[Any]) -> None:
        """A model made of symbols is built from the start."""

    # Looking inside

    def trace(self, x: Any, y: Any = None, sample_weight: Any = None) -> Trace:
        """Show z, a, delta, dW and db of every layer for a batch: see `inspection.trace`."""
        return trace(self, x, y, sample_weight)

    def gradients(self, x: Any, y: Any, sample_weight: Any = None, *, with_inputs: bool = False) -> Any:
        """Return dJ/dw for every trainable weight, in their order: see `inspection.gradients`."""
        return gradients(self, x, y, sample_weight, with_inputs=with_inputs)

    def predictor(self) -> Any:
        """Return a function that predicts few rows with the least delay.

        It works on a copy of the weights: training goes on without changing it, and any number of threads may call
        it. NaN in x gives NaN; nothing but the shape and the type is checked.

        Returns
        -------
        callable ``(x, out=None) -> numpy.ndarray``
            `x` of shape (n, features) or (features,); `out`, if given, is filled and returned. An array of the model's
            dtype in C order is read in place, anything else is converted first.

        Raises
        ------
        ValueError
            If the model has several inputs or outputs.

        Examples
        --------
        >>> import numpy as np
        >>> from cnn_core import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones")])
        >>> model.predictor()(np.array([1.0, 2.0], "float32"))
        array([3.], dtype=float32)
        """
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise ValueError(
                f"A predictor needs one input and one output. Received: {len(self.inputs)} and {len(self.outputs)}"
            )
        plan = self.plan()
        network = _core.Network(self.compute_dtype.name, plan)
        network.bind([aligned_copy(variable.array) for variable in plan.variables], [None] * len(plan.variables))
        return _core.Predictor(network, tuple(self.output_shapes[0][1:]))

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and numbers of parameters."""
        text = format_summary(self, line_length, positions, expand_nested, show_trainable, layer_range)
        (print_fn or print)(text)

    # Configuration and files

    def get_config(self) -> dict[str, Any]:
        """Return the layers and the calls that connect them."""
        layers = [layer for layer in self.layers if not isinstance(layer, InputLayer)]
        numbers = {id(symbol): number for number, symbol in enumerate(self._symbols())}
        return {
            "name": self.name,
            "trainable": self.trainable,
            "inputs": [{"name": s.name, "shape": list(s.shape[1:]), "dtype": s.dtype} for s in self.inputs],
            "layers": layers,
            "calls": [
                {
                    "layer": layers.index(node.layer),
                    "inputs": [numbers[id(symbol)] for symbol in node.inputs],
                    "outputs": [numbers[id(symbol)] for symbol in node.outputs],
                }
                for node in self._nodes
            ],
            "input_structure": map_structure(lambda symbol: numbers[id(symbol)], self._input_structure),
            "output_structure": map_structure(lambda symbol: numbers[id(symbol)], self._output_structure),
        }

    def _symbols(self) -> list[Symbol]:
        return [*self.inputs, *(symbol for node in self._nodes for symbol in node.outputs)]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        layers = [_layer(each, custom_objects) for each in config["layers"]]
        symbols: dict[int, Symbol] = {
            number: Input(tuple(each["shape"]), name=each["name"], dtype=each["dtype"])
            for number, each in enumerate(config["inputs"])
        }
        for call in config["calls"]:
            layer, sources = layers[call["layer"]], [symbols[number] for number in call["inputs"]]
            made = layer(sources[0] if layer.n_inputs == 1 or (isinstance(layer, Model) and len(sources) == 1) else sources)
            symbols.update(dict(zip(call["outputs"], flatten(made), strict=True)))
        find = symbols.__getitem__
        model = cls.__new__(cls)
        Model.__init__(
            model,
            map_structure(find, config["input_structure"]),
            map_structure(find, config["output_structure"]),
            config.get("name"),
            config.get("trainable", True),
        )
        return model

    def to_json(self, **arguments: Any) -> str:
        """Return the architecture as JSON, for `model_from_json`."""
        from cnn_core import saving

        return saving.to_json(self, **arguments)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write architecture, weights, compile arguments and optimizer state to one file of data: see `saving`."""
        from cnn_core import saving

        saving.save_model(self, filepath, overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone."""
        from cnn_core import saving

        saving.save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights` or `save` wrote."""
        from cnn_core import saving

        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch)

    _TRANSIENT = ("_native", "_plan", "_parameters", "_training", "_binding", "_batch_totals", "history")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in self._TRANSIENT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Trainer.__init__(self)
        self._native = self._plan = None
        self.__dict__.update(state)
        self._bound_moves = -1


@registry.register()
class Sequential(Model):
    """Layers one after the other.

    Parameters
    ----------
    layers : list of Layer, default None
        May begin with an `Input`. Without one, and without `input_shape` in the first layer, the model is built by the
        first data it sees.
    name : str, default None
    trainable : bool, default True

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    >>> model.count_params()
    67
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, trainable: bool = True) -> None:
        Layer.__init__(self, name=name, trainable=trainable)
        Trainer.__init__(self)
        self._stack: list[Layer] = []
        self._first: Symbol | None = None
        self._native = self._plan = None
        self._nodes = []
        self._input_structure = self._output_structure = None
        for layer in layers or ():
            self._append(layer)
        self._try_to_build()

    def add(self, layer: Any) -> None:
        """Put a layer on top."""
        self._append(layer)
        self._try_to_build()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, (InputLayer, Symbol)):
            if self._stack or self._first is not None:
                raise ValueError(f"An Input must be the first layer of a Sequential. Received: {layer!r}")
            self._first = layer if isinstance(layer, Symbol) else layer.symbol
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"`layers` must hold layers. Received: {layer!r} of type {type(layer).__name__}")
        if any(known.name == layer.name for known in self._stack):
            raise ValueError(f"Layers must have different names. Received: {layer.name!r} twice")
        if not self._stack and self._first is None and layer._first_shape is not None:
            self._first = Input(layer._first_shape)
        self._stack.append(layer)

    def pop(self) -> Layer:
        """Take the topmost layer off and return it."""
        if not self._stack:
            raise ValueError("`pop` needs a layer. Received: a Sequential without layers")
        layer = self._stack.pop()
        self.built = False
        self._try_to_build()
        return layer

    def _try_to_build(self) -> None:
        self._native = self._plan = None
        self._nodes = []
        self._input_structure = self._output_structure = None
        self._objectives = None
        self.built = False
        if self._first is None or not self._stack:
            return
        value: Any = self._first
        for layer in self._stack:
            value = layer(value)
        self._set_graph(self._first, value)

    def build(self, input_shape: Any = None) -> None:
        """Make the variables for inputs of this shape, batch dimension included."""
        if input_shape is None:
            raise ValueError("`input_shape` must be given, such as (None, 4). Received: input_shape=None")
        if not self.built:
            self._build_for_shapes([tuple(input_shape)])

    def _build_for(self, x: Any) -> None:
        if not self.built:
            self._build_for_shapes([(None, *feature_shape(x))])

    def _build_for_shapes(self, shapes: list[Any]) -> None:
        if self.built:
            return
        if not self._stack:
            raise ValueError("A model needs layers: add some. Received: a Sequential without layers")
        self._first = Input(tuple(shapes[0][1:]) or (1,))
        self._try_to_build()

    @property
    def layers(self) -> list[Layer]:
        """The layers from the bottom to the top, without the input."""
        return list(self._stack)

    @property
    def inputs(self) -> list[Symbol]:
        self._require_built("inputs")
        return super().inputs

    @property
    def outputs(self) -> list[Symbol]:
        self._require_built("outputs")
        return super().outputs

    def _require_built(self, purpose: str) -> None:
        if not self.built:
            raise ValueError(f"`{purpose}` are not known yet: begin the model with Input(shape), or call build or fit")

    def get_config(self) -> dict[str, Any]:
        """Return the layers and the shape of the input."""
        shape = None if self._first is None else [None, *self._first.shape[1:]]
        return {"name": self.name, "trainable": self.trainable, "layers": self.layers, "build_input_shape": shape}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        model = cls(
            [_layer(each, custom_objects) for each in config["layers"]], config.get("name"), config.get("trainable", True)
        )
        if config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        return model


def clone_model(model: Model) -> Any:
    """Build a model of the same layers with new weights and new names.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> clone_model(model).count_params()
    3
    """
    return registry.deserialize(registry.serialize(model))


def _layer(value: Any, custom_objects: Any) -> Layer:
    layer: Layer = value if isinstance(value, Layer) else registry.deserialize(value, custom_objects)
    return layer


def _unique(variables: Any) -> list[Variable]:
    found: dict[int, Variable] = {}
    for variable in variables:
        found.setdefault(id(variable), variable)
    return list(found.values())
