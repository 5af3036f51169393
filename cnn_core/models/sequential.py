"""A chain of layers, which is built as soon as its input is known."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Self, cast

from cnn_core.data.adapt import feature_dtype, feature_shape
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.input import Input, InputLayer
from cnn_core.models.calls_again import layer_of
from cnn_core.models.model import Model
from cnn_core.models.nesting import unchanged_by_failure
from cnn_core.network.graph import TEXT, CallGraph, Node, Symbol
from cnn_core.training.trainer import Trainer


@registry.register()
class Sequential(Model):
    """Layers one after the other.

    Parameters
    ----------
    layers : list of Layer, default None
        May begin with an `Input`; a layer that stands there twice shares its weights. Without an input, and without
        `input_shape` in the first layer, the model is built by the first data it sees.
    name : str, default None
    trainable : bool, default True

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    >>> model.count_params()
    67
    """

    honours_call = False

    def __init__(self, layers: Sequence[object] | None = None, name: str | None = None, trainable: bool = True) -> None:
        Layer.__init__(self, name=name, trainable=trainable)
        Trainer.__init__(self)
        self._layers = []
        self._graph = None
        self._first: Symbol | None = None
        self._connect(*self._with(layers or ()))

    @knows_its_arguments
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
        self._connect(*self._with([layer]))

    def _with(self, added: Sequence[object]) -> tuple[list[Layer], Symbol | None]:
        """Return the layers and the input that there would be with more on top."""
        layers, first = list(self._layers), self._first
        taken = {layer.name: layer for layer in layers}
        for layer in added:
            if isinstance(layer, (InputLayer, Symbol)):
                if layers or first is not None:
                    raise ValueError(f"An Input must be the first layer of a Sequential. Received: {layer!r}")
                first = layer if isinstance(layer, Symbol) else layer.symbol
                continue
            if not isinstance(layer, Layer):
                raise TypeError(f"`layers` must hold layers. Received: {layer!r} of type {type(layer).__name__}")
            if taken.setdefault(layer.name, layer) is not layer:
                raise ValueError(f"Layers of one model must have different names. Received: {layer.name!r} twice")
            self.check_holding([layer])
            if not layers and first is None:
                first = _input_of(layer)
            layers.append(layer)
        return layers, first

    @knows_its_arguments
    def pop(self, rebuild: bool = True) -> Layer:
        """Take the topmost layer off and return it, but not while the model trains; `rebuild` is Keras's."""
        self._refuse_change("pop")
        if not self._layers:
            raise ValueError("`pop` needs a layer. Received: a Sequential without layers")
        layer = self._layers[-1]
        self._connect(self._layers[:-1], self._first)
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

    def _connect(self, layers: list[Layer], first: Symbol | None) -> None:
        """Be made of these layers from now on, called one after the other if the input is known; or stay as before."""
        graph = None
        kept = self._calls_kept(layers, first)
        added = layers[len(kept) :]
        with unchanged_by_failure(added):
            if first is not None and layers:
                value: Any = kept[-1].outputs[0] if kept else first
                for layer in added:
                    value = layer(value)
                graph = CallGraph(first, value)
            before = [] if self._graph is None else self._graph.nodes
            if graph is not None:
                self._use(graph)
            else:
                self.hold(layers)
                self._layers, self._graph, self.built = layers, None, False
                self._forget_network()
        self._first = first
        self._objectives = None
        in_use = set() if graph is None else set(map(id, graph.nodes))
        for node in before:
            if id(node) not in in_use:
                node.forget()

    def _calls_kept(self, layers: list[Layer], first: Symbol | None) -> list[Node]:
        """Return the calls of the layers with which the model begins now and will begin with others on top."""
        if self._graph is None or first is not self._graph.input_structure:
            return []
        calls = (node for node in self._graph.nodes if not node.layer.is_operation)  # of masks
        return [call for call, _ in takewhile(lambda pair: pair[0].layer is pair[1], zip(calls, layers, strict=False))]

    def _use(self, graph: CallGraph) -> None:
        super()._use(graph)
        self._layers = [cast("Layer", node.layer) for node in graph.nodes if not node.layer.is_operation]  # of masks

    def _shape_unbuilt(self, input_shape: Any) -> tuple[Any, ...]:
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return tuple(input_shape)

    @knows_its_arguments
    def build(self, input_shape: Any = None) -> None:
        """Make the variables for inputs of this shape, batch dimension included."""
        if input_shape is None:
            raise ValueError("`input_shape` must be given, such as (None, 4). Received: input_shape=None")
        if self.built and tuple(input_shape)[1:] != tuple(self.input_shape[1:]):
            raise ValueError(
                f"`input_shape` must be {self.input_shape}, for which {self.name!r} is built. "
                f"Received: input_shape={input_shape}"
            )
        self._build_for_input(tuple(input_shape[1:]) or (1,))

    def _build_for(self, x: object) -> None:
        if not self.built:
            self._build_for_input(feature_shape(x), feature_dtype(x))

    def _build_for_symbols(self, symbols: list[Symbol]) -> None:
        self._build_for_input(symbols[0].shape[1:], symbols[0].dtype)

    def _build_for_input(self, shape: tuple[int | None, ...], dtype: str | None = None) -> None:
        if self.built:
            return
        if not self._layers:
            raise ValueError("A model needs layers: add some. Received: a Sequential without layers")
        self._connect(self._layers, Input(shape, dtype=TEXT if dtype == TEXT else None))

    @property
    def layers(self) -> list[Layer]:
        """The layers from the bottom to the top, without the input."""
        return list(self._layers)

    def _settings(self) -> dict[str, Any]:
        """Return the layers and the shape of the input, with its dtype if it is text."""
        if self.has_own_constructor():
            return self.constructor_settings()
        first = self._first
        shape = None if first is None else [None, *first.shape[1:]]
        config = {"name": self.name, "trainable": self.trainable, "layers": self.layers, "build_input_shape": shape}
        config |= self.arguments_beside_symbols()
        return config if first is None or first.dtype != TEXT else {**config, "build_input_dtype": TEXT}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:
        """Build the model whose `get_config` returned `config`, with new weights."""
        if cls.has_own_constructor():
            return cls(**config)
        layers = _with_repetitions([layer_of(each, custom_objects) for each in config["layers"]])
        own = {name: config[name] for name in cls.names_beside_symbols() if name in config}
        model = cls(layers, config.get("name"), config.get("trainable", True), **own)
        if config.get("build_input_shape") and layers:
            model._build_for_input(tuple(config["build_input_shape"][1:]), config.get("build_input_dtype"))
        return model


def _with_repetitions(layers: Sequence[Layer]) -> list[Layer]:
    """Make one layer again of those that a configuration describes several times, because the model has it so often."""
    first: dict[str, Layer] = {}
    for layer in layers:
        known = first.setdefault(layer.name, layer)
        if known is not layer and (type(known) is not type(layer) or known.get_config() != layer.get_config()):
            return list(layers)  # refused for their names
    return [first[layer.name] for layer in layers]


def _input_of(layer: Layer) -> Symbol | None:
    """Make the input that the first layer of a Sequential asks for, if it does: by its shape, or as a built model."""
    if layer._first_shape is not None:
        return Input(layer._first_shape)
    if isinstance(layer, Model) and layer.built and layer.n_inputs == 1:
        return Input(layer.input_shape[1:])
    return None
