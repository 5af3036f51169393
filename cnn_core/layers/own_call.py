"""Layers of a user's own: `call`, run once with symbols for each kind of inputs, is what they compute."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.network.block as block
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.eager import eager
from cnn_core.foundation.structures import filled, flatten, like, map_structure
from cnn_core.layers.added_losses import AddsLosses
from cnn_core.layers.masks import masks_of, refuse_masks_across
from cnn_core.metrics import Metric
from cnn_core.network.graph import TEXT, CallGraph, Node, Symbol, enter_graph
from cnn_core.network.intake import Intake
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.shapes import map_shapes, shapes_for, symbol_for
from cnn_core.network.tensors import Tensor
from cnn_core.network.tracing import current_scope
from cnn_core.network.variables import Variable

# Attributes of the package's own, which say again what others say.
_BOOKS = frozenset(
    {
        "_layers", "_variables", "_traces", "_holders", "_graph", "_trained", "_on_batch", "_losses_of_call", "calls",
        "_arguments", "_trackers", "_unmeasured", "_remembered",
    }
)  # fmt: skip
_PLACE = "symbol"  # the only key of what stands in a call's arguments in the place of a symbol


class OwnCall(AddsLosses):
    """The part of a layer that a user's `call` gives it: its graph, its inner layers, its calls.

    Attributes
    ----------
    defines_call : bool
        Whether the class is a user's that defines `call`.
    """

    is_operation: ClassVar[bool] = False
    defines_call: ClassVar[bool] = False
    call: Callable[..., Any]
    name: str
    activity_regularizer: Any
    _variables: list[Variable]

    if TYPE_CHECKING:  # every layer has it

        @property
        def dtype(self) -> str: ...

    # Inner layers and variables

    def attribute_layers(self) -> list[Any]:
        """Return the layers among the attributes, also in lists and dicts, in the order in which they were set."""
        return self._attributes_of(OwnCall)

    def attribute_variables(self) -> list[Variable]:
        """Return the variables among the attributes."""
        return self._attributes_of(Variable)

    def attribute_metrics(self) -> list[Any]:
        """Return the metrics among the attributes, then those of inner layers."""
        inner = [metric for layer in self._inner_layers() for metric in layer.attribute_metrics()]  # type: ignore[attr-defined]
        return list({id(each): each for each in (*self._attributes_of(Metric), *inner)}.values())

    def _attributes_of(self, kind: type) -> list[Any]:
        values = [value for name, value in vars(self).items() if name not in _BOOKS]
        return list({id(each): each for each in _found(values, kind)}.values())

    def own_variables(self) -> list[Variable]:
        """Return the variables that it keeps, the trained ones first as in Keras, then those of inner layers."""
        inner = [variable for layer in self.attribute_layers() for variable in layer.variables]
        own = sorted((*self._variables, *self.attribute_variables()), key=lambda variable: variable.rank)
        return list({id(each): each for each in (*own, *inner)}.values())

    def own_trainable_variables(self) -> list[Variable]:
        """Return those of them that training changes."""
        kept = {id(variable) for layer in self.attribute_layers() for variable in layer.non_trainable_variables}
        return [variable for variable in self.own_variables() if variable.trainable and id(variable) not in kept]

    # Calling

    def call_own(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Apply the layer to symbols or arrays, given as the user's `call` takes them."""
        keywords = dict(keywords)
        training = keywords.pop("training", None)
        training = None if training is None else validation.boolean(training, "training")
        given = {"args": list(arguments), "kwargs": keywords}
        on_symbols = any(isinstance(leaf, Symbol) for leaf in flatten(given))
        given = self._with_masks(given)
        made = (self._call_own_on_symbols if on_symbols else self._call_own_on_arrays)(given, training)
        first = next(iter((*given["args"], *given["kwargs"].values())))
        self.pass_mask_on(first, made, given["kwargs"].get("mask"))  # type: ignore[attr-defined]
        return made

    def _call_own_on_symbols(self, given: object, training: bool | None) -> Any:
        training = self.mode_of_call(training)
        symbols = [leaf for leaf in flatten(given) if isinstance(leaf, Symbol)]
        self._build_own(given)
        arguments = _without_symbols(given)
        graph = self._graph_for(symbols, arguments)
        outputs = [Symbol(each.shape, f"{self.name}_output", each.dtype) for each in graph.outputs]
        Node.of(self, symbols, outputs, training, None if _is_plain(arguments) else arguments)  # type: ignore[arg-type]
        made = outputs[0] if isinstance(graph.output_structure, Symbol) else filled(graph.output_structure, outputs)
        refuse_masks_across(self.name, (), graph.outputs)
        return made

    def shape_of_call(self, input_shape: object) -> Any:
        """Return the shapes of what `call` gives for inputs of a shape; builds the layer, if it is not."""
        symbols = map_shapes(lambda shape: symbol_for(shape, self.dtype, "input"), input_shape)
        return shapes_for(input_shape, self._call_own_on_symbols({"args": [symbols], "kwargs": {}}, None))

    def _with_masks(self, given: Any) -> Any:
        """Add the masks of arguments where `call` asks for them and is given none.

        It asks by the name `mask` for that of its first argument, by `x_mask` for that of the argument `x`.
        """
        parameters = inspect.signature(self.call).parameters
        if not any(name.endswith("mask") for name in parameters):
            return given
        bound = inspect.signature(self.call).bind_partial(*given["args"], **given["kwargs"]).arguments
        found = {}
        for place, (name, value) in enumerate(bound.items()):
            for asked in (f"{name}_mask", *(("mask",) if place == 0 else ())):
                masks = masks_of(value) if asked in parameters and bound.get(asked) is None else None
                if any(mask is not None for mask in flatten(masks)):
                    found[asked] = masks
        return {**given, "kwargs": {**given["kwargs"], **found}} if found else given

    def _call_own_on_arrays(self, given: object, training: bool | None) -> Any:
        cache, graph = self._cache_of(given, bool(training), losses_apart=True)
        results, losses = cache.results()
        self.keep_losses(losses)
        outputs = [eager(_as_symbol(result, symbol)) for result, symbol in zip(results, graph.outputs, strict=True)]
        return outputs[0] if isinstance(graph.output_structure, Symbol) else filled(graph.output_structure, outputs)

    def forward_own(self, x: object, training: bool) -> tuple[Any, block.Cache]:
        """Compute the output of one argument, and keep what `backward` needs."""
        cache, _ = self._cache_of({"args": [x], "kwargs": {}}, training)
        return cache.a, cache

    def _cache_of(self, given: Any, training: bool, losses_apart: bool = False) -> tuple[block.Cache, CallGraph]:
        given = {**given, "args": [_as_arrays(each, self.dtype) for each in given["args"]]}
        arrays: list[Any] = [leaf for leaf in flatten(given) if isinstance(leaf, (np.ndarray, Tensor))]
        inputs = {id(array): Symbol((None, *array.shape[1:]), "input", _kind(array, self.dtype)) for array in arrays}
        given = map_structure(lambda leaf: inputs.get(id(leaf), leaf), given)
        self._build_own(given)
        symbols, arguments = [inputs[id(array)] for array in arrays], _without_symbols(given)
        graph = self._graph_for(symbols, arguments)
        intake = Intake.of(graph)
        if intake is not None:
            arrays = intake.rows(arrays)

        def enter(plan: NetworkPlan, buffers: list[int]) -> list[int]:
            if intake is not None:
                return enter_graph(plan, intake.graph, buffers)
            return self.add_call_to(plan, buffers, symbols, arguments)

        cache = block.Cache(self, arrays, len(arrays) > 1, training, enter, losses_apart)  # type: ignore[arg-type]
        return cache, graph

    def _build_own(self, given: object) -> None:
        """Call the user's `build` with the shapes of what `call` is given."""
        shapes = map_structure(lambda leaf: leaf.shape if isinstance(leaf, Symbol) else None, given)
        parameters = inspect.signature(self.build).parameters.values()  # type: ignore[attr-defined]
        names = [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        if len(names) < 2:
            self.ensure_built(shapes["args"][0] if shapes["args"] else next(iter(shapes["kwargs"].values()), None))  # type: ignore[attr-defined]
            return
        bound = inspect.signature(self.call).bind(*shapes["args"], **shapes["kwargs"]).arguments
        by_name = {f"{name}_shape": shape for name, shape in bound.items()}
        self.ensure_built({name: by_name.get(name) for name in names})  # type: ignore[attr-defined]

    @staticmethod
    def mode_of_call(training: bool | None) -> bool | None:
        """Return what a call says of its mode; nothing, if it hands on what the function being traced was told."""
        scope = current_scope()
        return None if scope is not None and scope.training == training else training

    # The graph

    def graph_of_call(self, argument: object) -> CallGraph:
        """Return what `call` computes of one argument, a structure of symbols."""
        given = {"args": [argument], "kwargs": {}}
        return self._graph_for(flatten(argument), _without_symbols(given))

    def _graph_for(self, symbols: Sequence[Symbol], arguments: object) -> CallGraph:
        """Return what `call` computes of inputs like these, traced once."""
        key = (tuple((symbol.shape, symbol.dtype) for symbol in symbols), repr(arguments))
        traces: dict[Any, CallGraph] = self.__dict__.setdefault("_traces", {})
        if key not in traces:
            traces[key] = self._trace(symbols, arguments)
        return traces[key]

    def _trace(self, symbols: Sequence[Symbol], arguments: object) -> CallGraph:
        from cnn_core.ops.tracing import trace  # which layers without a `call` never need

        inner = [Symbol(each.shape, f"{self.name}_input_{at}", each.dtype) for at, each in enumerate(symbols)]
        given = with_symbols(arguments, inner)
        asks = "training" in inspect.signature(self.call).parameters

        def called(training: bool | None) -> Any:
            told = {"training": training} if asks else {}
            return self.call(*given["args"], **given["kwargs"], **told)

        graph = trace(called, inner, asks_for_training=asks, name=self.name)
        self._refuse_strangers(graph)
        return graph

    def _refuse_strangers(self, graph: CallGraph) -> None:
        """Refuse variables that the layer does not keep: nobody would train or save them."""
        kept = set(map(id, self.variables))  # type: ignore[attr-defined]
        for layer in graph.layers:
            what = "variable" if layer.is_operation else f"layer {layer.name!r} with the variable"
            for variable in layer.variables:
                if id(variable) not in kept:
                    raise ValueError(
                        f"`call` of {self.name!r} uses a {what} {variable.path!r} that is no attribute of it: make "
                        "layers and variables in `__init__` or `build`, and keep them in attributes, lists or dicts"
                    )

    def add_call_to(
        self, plan: NetworkPlan, inputs: list[int], symbols: Sequence[Symbol], arguments: object = None
    ) -> list[int]:
        """Enter what a call of the layer computes into a plan, with the penalty on its outputs."""
        with plan.computing_in(self.compute_dtype):  # type: ignore[attr-defined]
            outputs = enter_graph(plan, self._graph_for(symbols, _PLAIN if arguments is None else arguments), inputs)
        if self.activity_regularizer is not None:
            for output in outputs:
                plan.add_activity_penalty(output, self.activity_regularizer, self.name)
        return outputs

    def inner_graph_of(self, inputs: Sequence[Symbol], arguments: object) -> CallGraph | None:
        """Return the calls inside of a call."""
        if not self.defines_call:
            return self.inner_graph  # type: ignore[attr-defined,no-any-return]
        return self._graph_for(inputs, _PLAIN if arguments is None else arguments)


def _found(values: Iterable[object], kind: type, around: tuple[int, ...] = ()) -> Iterator[Any]:
    """Find objects of a kind, in lists and dicts too, also in those that hold themselves: `around` are their ids."""
    for value in values:
        if isinstance(value, kind):
            yield value
        elif (parts := _parts_of(type(value))) is not None and id(value) not in around:  # type: ignore[arg-type]
            yield from _found(parts(value), kind, (*around, id(value)))


@lru_cache
def _parts_of(cls: type) -> Callable[[Any], Iterable[Any]] | None:
    """Return what gives the parts of a list or dict; None for other types. Asked for every attribute of every layer."""
    if issubclass(cls, (list, tuple)):
        return iter
    return Mapping.values if issubclass(cls, Mapping) else None


_PLAIN = {"args": [{_PLACE: 0}], "kwargs": {}}


def _is_plain(arguments: object) -> bool:
    return bool(arguments == _PLAIN)


def _without_symbols(given: object) -> Any:
    """Replace symbols by their numbers, in the order of `flatten`."""
    numbers = iter(range(len(flatten(given))))
    return map_structure(lambda leaf: {_PLACE: next(numbers)} if isinstance(leaf, Symbol) else leaf, given)


def with_symbols(arguments: object, symbols: Sequence[Symbol]) -> Any:
    """Put symbols into the arguments of a call, where their numbers stand."""
    if isinstance(arguments, Mapping):
        if set(arguments) == {_PLACE}:
            return symbols[arguments[_PLACE]]
        return {key: with_symbols(part, symbols) for key, part in arguments.items()}
    if isinstance(arguments, (list, tuple)):
        return like(arguments, [with_symbols(part, symbols) for part in arguments])
    return arguments


def _as_arrays(value: object, dtype: str) -> Any:
    """Turn array-likes into arrays, in lists and dicts of them too."""
    if isinstance(value, Mapping):
        return {key: _as_arrays(part, dtype) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and any(hasattr(part, "shape") for part in flatten(value)):
        return like(value, [_as_arrays(part, dtype) for part in value])
    if value is None or isinstance(value, (bool, int, float, str, Tensor)):
        return value
    return validation.as_texts(value, "x") if validation.holds_texts(value) else validation.as_array(value, "x")


def _as_symbol(array: Any, symbol: Symbol) -> Any:
    """Return what native code has computed, an array or a tensor, in the shape and dtype of its symbol."""
    wanted = (len(array), *symbol.shape[1:]) if symbol.batched else symbol.shape
    if isinstance(array, Tensor):
        given = array.value
        return array if given.shape == wanted else array.derived(_as_symbol(given, symbol), _from_symbol(given, symbol))
    return (array if symbol.batched else array[0]).reshape(wanted).astype(symbol.dtype, copy=False)


def _from_symbol(given: Array, symbol: Symbol) -> Callable[[Array], Array]:
    """Return what brings a derivative from a symbol's shape back to that of native code."""

    def backward(delta: Array) -> Array:
        if symbol.batched:
            return delta.reshape(given.shape)
        back = np.zeros_like(given)
        back[0] = delta.reshape(given.shape[1:])
        return back

    return backward


def _kind(array: Any, dtype: str) -> str:
    return {"f": dtype, "O": TEXT}.get(array.dtype.kind, str(array.dtype))
