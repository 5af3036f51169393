"""Models: layers put together, and compiled into one native network. Floor 4."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

import cnn_core.keras_format as keras_format
import cnn_core.left_out as left_out
import cnn_core.validation as validation
from cnn_core.arrays import Array
from cnn_core.data import feature_shape
from cnn_core.display import show
from cnn_core.graph import CallGraph, Node, Symbol, filled, flatten, map_structure
from cnn_core.interface import Interface
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.input import Input, InputLayer
from cnn_core.plan import NetworkPlan
from cnn_core.predictor import compile_predictor
from cnn_core.summary import format_summary
from cnn_core.training import Trainer
from cnn_core.variables import Variable

if TYPE_CHECKING:
    from cnn_core.inspection import Trace

# Keras has these here too.
_OF_SAVING = ("load_model", "model_from_json", "save_model")


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
        If an output depends on an input that is not listed, two layers have the same name, or dtypes differ.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> x = Input((4,))
    >>> hidden = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Dense(3, activation="softmax")(hidden))
    >>> model.output_shape
    (None, 3)
    """

    builds_once = False

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        Layer.__init__(self, name=name, trainable=trainable)
        Trainer.__init__(self)
        self._use(CallGraph(inputs, outputs))

    def _use(self, graph: CallGraph) -> None:
        """Take a graph over: from now on it is what the model computes."""
        parts = cast("list[Symbol | Layer]", graph.in_order())
        layers = [InputLayer.of(part) if isinstance(part, Symbol) else part for part in parts]
        names = Counter(layer.name for layer in layers)
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"Layers of one model must have different names. Received: {name!r} twice")
        self._interface = Interface.of(graph)
        self._graph: CallGraph | None = graph
        self._layers: list[Layer] = layers
        self.n_inputs = 1 if isinstance(graph.input_structure, Symbol) else None
        self.dtype = self._interface.dtype.name
        self._forget_network()
        self.built = True

    # Structure

    @property
    def graph(self) -> CallGraph:
        """The calls of layers that lead from the inputs to the outputs."""
        if self._graph is None:
            raise ValueError(f"{self.name!r} has no input yet: begin it with Input(shape), or call build or fit")
        return self._graph

    @property
    def inner_graph(self) -> CallGraph:
        """What a graph around this model sees of its inside."""
        return self.graph

    @property
    def inputs(self) -> list[Symbol]:
        """The inputs' symbols."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Symbol]:
        """The outputs' symbols."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Any:
        """The inputs as they were given: a symbol, or a list or dict of symbols."""
        return self.graph.input_structure

    @property
    def output(self) -> Any:
        """The outputs as they were given."""
        return self.graph.output_structure

    @property
    def input_shape(self) -> Any:
        """The input's shape, or a list of shapes."""
        shapes = [symbol.shape for symbol in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The output's shape, or a list of shapes."""
        shapes = self.output_shapes
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        """The shape of every output."""
        return list(self.interface.output_shapes)

    @property
    def output_names(self) -> list[str]:
        """The names by which losses, metrics and targets can be given: dict keys, or the layers' names."""
        return list(self.interface.output_names)

    @property
    def input_names(self) -> list[str]:
        """The names by which inputs can be given: dict keys, or those of the symbols."""
        return [spec.name for spec in self.interface.inputs]

    @property
    def interface(self) -> Interface:
        """What the model takes and gives."""
        if self._graph is None:
            self.graph  # noqa: B018 - says what is missing
        return self._interface

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        """The dtype in which the model computes, that of all its layers."""
        return self.interface.dtype

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order in which they compute, inputs first."""
        return list(self._layers)

    def _inner_layers(self) -> Sequence[Layer]:
        return self._layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index.

        Raises
        ------
        ValueError
            If there is no such layer, or not exactly one of the two is given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"`get_layer` takes either a name or an index. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"`index` must be smaller than {len(layers)}. Received: index={index}")
            return layers[index]
        names = [layer.name for layer in layers]
        return layers[names.index(validation.choice(name, "name", names))]

    # Variables

    @property
    def variables(self) -> list[Variable]:
        """All variables, in the order of the layers; one that several layers share counts once."""
        return _unique(variable for layer in self._layers for variable in layer.variables)

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those that training changes."""
        if self._trained[0] != Variable.changes:
            listed = (variable for layer in self._layers for variable in layer.trainable_variables)
            self._trained = Variable.changes, _unique(listed) if self.trainable else []
        return list(self._trained[1])

    # Plan

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the operations of all layers into a plan."""
        buffers = {id(symbol): buffer for symbol, buffer in zip(self.graph.inputs, inputs, strict=True)}
        for node in self.graph.nodes:
            with plan.called_with(node.training):
                outputs = node.layer.add_to(plan, [buffers[id(symbol)] for symbol in node.inputs])
            buffers.update({id(symbol): buffer for symbol, buffer in zip(node.outputs, outputs, strict=True)})
        return [buffers[id(symbol)] for symbol in self.graph.outputs]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, which the model's own inputs fix."""
        return self.output_shape

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations.

        Raises
        ------
        ValueError
            If the shape of an input is not known.
        """
        plan = NetworkPlan()
        inputs = []
        for symbol in self.graph.inputs:
            sizes = [size for size in symbol.shape[1:] if size is not None]
            if len(sizes) < len(symbol.shape) - 1:
                raise ValueError(
                    f"The shape of {symbol.name!r} must be known but for the batch. Received: {symbol.shape}"
                )
            inputs.append(plan.add_input(sizes))
        for output in self.add_to(plan, inputs):
            # Every output has a buffer of its own: a loss writes its derivative there, a predictor its result.
            again = output in plan.outputs or output in plan.inputs
            plan.outputs.append(
                plan.add("activation", [output], plan.shapes[output], layer=self.name) if again else output
            )
        return plan

    def _build_for(self, x: Any) -> None:
        """Take the shape of the input from data, where it is not known yet."""

    def _build_for_shapes(self, shapes: list[Any]) -> None:
        """Take the shape of the input from a symbol, where it is not known yet."""

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        structure = self.graph.output_structure
        return arrays[0] if isinstance(structure, Symbol) else filled(structure, arrays)

    # Calling

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the model to symbols, as a layer, or to arrays: one batch through `predict`'s path.

        With `training`, layers such as Dropout behave as in training: see `Layer.__call__`.
        """
        training = None if training is None else validation.boolean(training, "training")
        if not isinstance(inputs, np.ndarray) and not validation.is_sparse(inputs):  # one of SciPy's is a dict
            leaves = self._in_order(inputs)
            if any(isinstance(leaf, Symbol) for leaf in leaves):
                return self._call_model_on_symbols(leaves, training)
        self._build_for(inputs)
        if training:
            return self._pack_outputs(flatten(Layer.__call__(self, self._batch_of(inputs), training=True)))
        return self._pack_outputs(self._predict_arrays(inputs))

    def _in_order(self, inputs: Any) -> list[Any]:
        if self.built:
            inputs = self.interface.input_form.by_name(inputs, "x")
        if isinstance(inputs, Mapping) and self.built and set(inputs) == set(self.input_names):
            return [inputs[name] for name in self.input_names]
        return flatten(inputs)

    def _batch_of(self, inputs: Any) -> Any:
        """Return arrays of the model's dtype in the inputs' full shapes."""
        data = self._dataset(inputs).dense()
        arrays = [
            np.asarray(rows).reshape(data.n, *symbol.shape[1:])
            for rows, symbol in zip(data.inputs, self.graph.inputs, strict=True)
        ]
        return arrays[0] if self.n_inputs == 1 else arrays

    def _call_model_on_symbols(self, leaves: list[Any], training: bool | None) -> Any:
        for leaf in leaves:
            if not isinstance(leaf, Symbol):
                raise TypeError(
                    f"{self.name!r} must be called on symbols or on arrays, not on both. Received: {leaf!r}"
                )
        self._build_for_shapes([leaf.shape for leaf in leaves])
        if len(leaves) != len(self.graph.inputs):
            raise ValueError(f"{self.name!r} takes {len(self.graph.inputs)} inputs. Received: {len(leaves)}")
        for symbol, leaf in zip(self.graph.inputs, leaves, strict=True):
            if symbol.shape[1:] != leaf.shape[1:]:
                raise ValueError(
                    f"{self.name!r} expects an input of shape {symbol.shape}. Received: shape={leaf.shape}"
                )
        outputs = [Symbol(symbol.shape, f"{self.name}_output", symbol.dtype) for symbol in self.graph.outputs]
        Node.of(self, leaves, outputs, training)
        return filled(self.graph.output_structure, outputs)

    # Looking inside

    def trace(self, x: Any, y: Any = None, sample_weight: Any = None) -> Trace:
        """Show z, a, delta, dW and db of every layer for a batch: see `inspection.trace`."""
        import cnn_core.inspection as inspection

        return inspection.trace(self, x, y, sample_weight)

    def gradients(self, x: Any, y: Any, sample_weight: Any = None, *, with_inputs: bool = False) -> Any:
        """Return dJ/dw for every trainable weight, in their order: see `inspection.gradients`."""
        import cnn_core.inspection as inspection

        return inspection.gradients(self, x, y, sample_weight, with_inputs=with_inputs)

    def predictor(self) -> Any:
        """Return a function that predicts few rows with the least delay.

        It works on a copy of the weights: training goes on without changing it, and any number of threads may call
        it. NaN in x gives NaN; whatever else `predict` would refuse is refused here too.

        Returns
        -------
        callable ``(x, out=None) -> numpy.ndarray``
            `x` of shape (n, features) or (features,); `out`, if given, is filled and returned. An array of the model's
            dtype in C order is read in place, anything else that resembles an array of numbers is converted first.

        Raises
        ------
        ValueError
            If the model has several inputs or outputs; by a call, if `x` or `out` has another shape, or `x` holds a
            masked or missing value or one that the dtype cannot hold.
        TypeError
            By a call, if `x` holds texts, dates, complex numbers or other objects, or is sparse.

        Examples
        --------
        >>> import numpy as np
        >>> from cnn_core import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones")])
        >>> model.predictor()(np.array([1.0, 2.0], "float32"))
        array([3.], dtype=float32)
        """
        return compile_predictor(self)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and numbers of parameters, in ASCII where the output has no more."""
        text = format_summary(self, line_length, positions, expand_nested, show_trainable, layer_range)
        (print_fn or show)(text)

    # Configuration and files

    def _settings(self) -> dict[str, Any]:
        """Return the layers and the calls that connect them."""
        graph = self.graph
        return {
            "name": self.name,
            "trainable": self.trainable,
            "inputs": [{"name": s.name, "shape": list(s.shape[1:]), "dtype": s.dtype} for s in graph.inputs],
            "layers": graph.layers,
            "calls": graph.calls(),
            "input_structure": graph.numbered(graph.input_structure),
            "output_structure": graph.numbered(graph.output_structure),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        if keras_format.is_keras_functional(config):
            config = keras_format.from_keras(config)
        layers = [_layer(each, custom_objects) for each in config["layers"]]
        symbols: dict[int, Symbol] = {
            number: Input(tuple(each["shape"]), name=each["name"], dtype=each["dtype"])
            for number, each in enumerate(config["inputs"])
        }
        for call in config["calls"]:
            layer, sources = layers[call["layer"]], [symbols[number] for number in call["inputs"]]
            made = layer(sources[0] if layer.n_inputs == 1 else sources, training=call.get("training"))
            symbols.update(dict(zip(call["outputs"], flatten(made), strict=True)))
        inputs, outputs = (
            map_structure(symbols.__getitem__, config[name]) for name in ("input_structure", "output_structure")
        )
        model = cls.__new__(cls)
        Model.__init__(model, inputs, outputs, config.get("name"), config.get("trainable", True))
        return model

    def to_json(self, **arguments: Any) -> str:
        """Return the architecture as JSON, for `model_from_json`."""
        import cnn_core.saving as saving

        return saving.to_json(self, **arguments)

    def save(self, filepath: Any, overwrite: bool = True, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write architecture, weights, compile arguments and optimizer state to one file: see `saving.save_model`."""
        import cnn_core.saving as saving

        saving.save_model(self, filepath, overwrite=overwrite, metadata=metadata)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone."""
        import cnn_core.saving as saving

        saving.save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights` or `save` wrote."""
        import cnn_core.saving as saving

        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy and a pickle carry: all but native memory, locks and what follows from the rest."""
        return {name: value for name, value in self.__dict__.items() if name not in self._transient}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Trainer.__init__(self)
        Layer.__setstate__(self, state)
        if self._graph is not None:
            self._use(self._graph)


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
        self._layers = []
        self._graph = None
        self._first: Symbol | None = None
        taken: set[str] = set()
        for layer in layers or ():
            self._append(layer, taken)
        self._connect()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top; `rebuild` is there because Keras has it.

        Raises
        ------
        TypeError, ValueError
            If it is no layer, has the name of another one, or does not fit what is below it; then it is not added.
        RuntimeError
            If the model trains or evaluates meanwhile, as for a callback, or is part of another model.
        """
        self._refuse_change("add")
        before, first = list(self._layers), self._first
        try:
            self._append(layer, {known.name for known in before})
            self._connect()
        except BaseException:
            self._layers, self._first = before, first
            self._connect()
            raise

    def _append(self, layer: Any, taken: set[str]) -> None:
        if isinstance(layer, (InputLayer, Symbol)):
            if self._layers or self._first is not None:
                raise ValueError(f"An Input must be the first layer of a Sequential. Received: {layer!r}")
            self._first = layer if isinstance(layer, Symbol) else layer.symbol
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"`layers` must hold layers. Received: {layer!r} of type {type(layer).__name__}")
        if layer.name in taken:
            raise ValueError(f"Layers of one model must have different names. Received: {layer.name!r} twice")
        if not self._layers and self._first is None:
            self._first = _input_of(layer)
        self._layers.append(layer)
        taken.add(layer.name)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the topmost layer off and return it, but not while the model trains; `rebuild` is Keras's."""
        self._refuse_change("pop")
        if not self._layers:
            raise ValueError("`pop` needs a layer. Received: a Sequential without layers")
        layer = self._layers.pop()
        self._connect()
        return layer

    def _refuse_change(self, purpose: str) -> None:
        """Keep layers as they are where others count on them: a training under way, and models that hold this one."""
        self._refuse_while_training(purpose)
        if any(call() is not None for call in self.calls):
            gc.collect()  # a model that was let go may not be gone yet
        if any(call() is not None for call in self.calls):
            raise RuntimeError(
                f"`{purpose}` cannot change {self.name!r}, which was called and is part of another model: change it "
                f"before that, or clone it"
            )

    def _connect(self) -> None:
        """Call the layers one after the other, if the input is known."""
        for node in [] if self._graph is None else self._graph.nodes:
            node.forget()
        self._graph = None
        self._objectives = None
        self._forget_network()
        self.built = False
        if self._first is None or not self._layers:
            return
        value: Any = self._first
        for layer in self._layers:
            value = layer(value)
        self._use(CallGraph(self._first, value))

    def _use(self, graph: CallGraph) -> None:
        super()._use(graph)
        self._layers = cast("list[Layer]", graph.layers)

    def build(self, input_shape: Any = None) -> None:
        """Make the variables for inputs of this shape, batch dimension included."""
        if input_shape is None:
            raise ValueError("`input_shape` must be given, such as (None, 4). Received: input_shape=None")
        if self.built and tuple(input_shape)[1:] != tuple(self.input_shape[1:]):
            raise ValueError(
                f"`input_shape` must be {self.input_shape}, for which {self.name!r} is built. "
                f"Received: input_shape={input_shape}"
            )
        self._build_for_shapes([tuple(input_shape)])

    def _build_for(self, x: Any) -> None:
        if not self.built:
            self._build_for_shapes([(None, *feature_shape(x))])

    def _build_for_shapes(self, shapes: list[Any]) -> None:
        if self.built:
            return
        if not self._layers:
            raise ValueError("A model needs layers: add some. Received: a Sequential without layers")
        self._first = Input(tuple(shapes[0][1:]) or (1,))
        try:
            self._connect()
        except BaseException:
            self._first = None
            raise

    @property
    def layers(self) -> list[Layer]:
        """The layers from the bottom to the top, without the input."""
        return list(self._layers)

    def _settings(self) -> dict[str, Any]:
        """Return the layers and the shape of the input."""
        shape = None if self._first is None else [None, *self._first.shape[1:]]
        return {"name": self.name, "trainable": self.trainable, "layers": self.layers, "build_input_shape": shape}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        layers = [_layer(each, custom_objects) for each in config["layers"]]
        model = cls(layers, config.get("name"), config.get("trainable", True))
        if config.get("build_input_shape") and layers:
            model.build(tuple(config["build_input_shape"]))
        return model


def clone_model(model: Model, clone_function: Callable[[Layer], Layer] | None = None) -> Any:
    """Build a model of the same layers, under the same names, with new weights.

    Parameters
    ----------
    model : Model
    clone_function : callable, default None
        Makes each layer of the clone from that of the model. None: a layer of the same configuration.

    Returns
    -------
    Model
        Not compiled.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> clone_model(model).count_params()
    3
    """
    config = model._settings()
    clone = clone_function or _clone_of
    return type(model).from_config({**config, "layers": [clone(layer) for layer in config["layers"]]})


def _clone_of(layer: Layer) -> Layer:
    if isinstance(layer, Model):
        clone: Layer = clone_model(layer)
        return clone
    # A class of the user's tells its arguments itself; for the package's, objects of the user's need no names.
    told = not type(layer).get_config.__module__.startswith("cnn_core.")
    return type(layer).from_config(layer.get_config() if told else layer._settings())


def _input_of(layer: Layer) -> Symbol | None:
    """Make the input that the first layer of a Sequential asks for, if it does: by its shape, or as a built model."""
    if layer._first_shape is not None:
        return Input(layer._first_shape)
    if isinstance(layer, Model) and layer.built and layer.n_inputs == 1:
        return Input(layer.input_shape[1:])
    return None


def _layer(value: Any, custom_objects: Any) -> Layer:
    layer: Layer = value if isinstance(value, Layer) else registry.deserialize(value, custom_objects)
    return layer


def _unique(variables: Iterable[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())


def __getattr__(name: str) -> Any:
    """Find here too what Keras has in this place; imported on first use, like cnn_core.saving itself."""
    if name in _OF_SAVING:
        import cnn_core.saving as saving

        return getattr(saving, name)
    raise left_out.missing(__name__, name, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_SAVING})
