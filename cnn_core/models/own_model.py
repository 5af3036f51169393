"""Models of a user's own: `call` says what they compute, and the first data, or `build`, of which shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, ClassVar

import cnn_core.config as config
import cnn_core.foundation.validation as validation
from cnn_core.data.adapt import feature_dtype, feature_shape
from cnn_core.foundation.given_arguments import accepts, argument, arguments, keeps, tells_its_arguments
from cnn_core.foundation.structures import flatten, like, map_structure
from cnn_core.models.nesting import Nested
from cnn_core.network.graph import CallGraph, Symbol
from cnn_core.network.shapes import map_shapes, symbol_for


class OwnModel(Nested):
    """The part of a model that a user's `call` gives it."""

    honours_call: ClassVar[bool] = True
    _graph: CallGraph | None
    _has_run_build = False  # a user's own, which may make variables
    _use: Callable[[CallGraph], None]

    def lets_steps_compute(self) -> None:
        """Be made of the layers among the attributes, of which a custom `train_step` computes what it likes."""
        self.defines_call = True  # type: ignore[misc]  # the class may also be given inputs and outputs
        self.call = partial(_refuse_call, type(self).__name__)

    def build_own(self, input_shape: object) -> None:
        """Trace `call` for inputs of shapes, in a structure of tuples that begin with the batch dimension."""
        if self._graph is None:
            self._trace_for(map_shapes(lambda shape: symbol_for(shape, config.floatx()), input_shape))

    def build_own_for(self, x: object) -> None:
        """Trace `call` for data."""
        if self._graph is None:
            self._trace_for(
                _map_data(
                    lambda part: symbol_for((None, *feature_shape(part)), feature_dtype(part) or config.floatx()), x
                )
            )

    def _build_own(self, given: Any) -> None:
        """Trace `call` for the symbols that it is given alone, of their dtypes."""
        arguments = given["args"]
        if self._graph is None and len(arguments) == 1 and not given["kwargs"] and _all_symbols(arguments[0]):
            self._trace_for(map_structure(lambda symbol: symbol_for(symbol.shape, symbol.dtype), arguments[0]))
        super()._build_own(given)

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "build" in vars(cls) and not cls.__module__.startswith("cnn_core."):
            setattr(cls, "build", _and_trace(cls.build))  # noqa: B010  (mypy takes an assignment for a redefinition)

    @classmethod
    def has_own_constructor(cls) -> bool:
        """Whether a subclass of a user's makes its layers itself, from arguments of its own."""
        ours = next(each for each in cls.__mro__ if each.__module__.startswith("cnn_core."))
        return cls.__init__ is not ours.__init__ and not cls.takes_symbols()  # type: ignore[misc]

    @classmethod
    def takes_symbols(cls) -> bool:
        """Whether the constructor takes inputs and outputs, as that of `Model` does, by name or among any arguments."""
        parameters = inspect.signature(cls.__init__).parameters
        kinds = {each.kind for each in parameters.values()}
        takes_any = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds
        return takes_any or {"inputs", "outputs"} <= set(parameters)

    def arguments_beside_symbols(self) -> dict[str, Any]:
        """Return the arguments that a subclass's constructor takes beside those of `Model` and `Sequential`."""
        return {name: argument(self, name) for name in self.names_beside_symbols() if keeps(self, name)}

    @classmethod
    def names_beside_symbols(cls) -> list[str]:
        """Return the names of those arguments."""
        return [name for name in cls._own_arguments() if name not in ("inputs", "outputs", "layers")]

    def constructor_settings(self) -> dict[str, Any]:
        """Return the arguments with which a subclass's own constructor makes an equal model."""
        common = [name for name in ("name", "trainable") if accepts(type(self), name)]
        own = {} if tells_its_arguments(type(self)) else arguments(self, "name", "trainable", "dtype")
        return {name: getattr(self, name) for name in common} | own

    def _trace_for(self, structure: object) -> None:
        own = next(each for each in type(self).__mro__ if "build" in vars(each))
        if not own.__module__.startswith("cnn_core.") and not self._has_run_build:
            self.build(map_structure(lambda symbol: symbol.shape, structure))
        if self._graph is None:
            self._take(structure, self.graph_of_call(structure))

    def _take(self, structure: object, graph: CallGraph) -> None:
        following = iter(graph.inputs)
        inputs = map_structure(lambda symbol: next(following), structure)
        for inner, outer in zip(graph.inputs, flatten(structure), strict=True):
            inner.name = outer.name
        # Losses of the graph are symbols that have been added already.
        self._use(CallGraph(inputs, graph.output_structure, graph.losses))

    def input_description(self) -> Any:
        """Return shapes and dtypes of the inputs as plain data, from which `build_described` builds an equal model."""
        assert self._graph is not None
        return map_structure(
            lambda symbol: {"shape": list(symbol.shape), "dtype": symbol.dtype}, self._graph.input_structure
        )

    def build_described(self, description: object) -> None:
        """Build the model for inputs that `input_description` has described."""
        self._trace_for(_map_described(description))


def _refuse_call(name: str, *_: object, **__: object) -> None:
    raise NotImplementedError(f"{name} must define call(self, x) to be called: its train_step says what it trains")


def _and_trace(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Let the `build` of a user's model end with a model that is built, whether it calls that of the base or not."""

    @wraps(build)
    def build_and_trace(self: Any, input_shape: object = None) -> None:
        self._has_run_build = True
        build(self, input_shape)
        self.build_own(input_shape)

    return build_and_trace


def _all_symbols(structure: object) -> bool:
    return all(isinstance(leaf, Symbol) for leaf in flatten(structure))


def _map_data(function: Callable[[object], Any], x: object) -> Any:
    if isinstance(x, Mapping) and not validation.is_sparse(x) and not validation.is_frame(x):
        return {key: _map_data(function, part) for key, part in x.items()}
    if isinstance(x, (tuple, list)) and any(hasattr(part, "shape") for part in flatten(x)):
        return like(x, [_map_data(function, part) for part in x])
    return function(x)


def _map_described(description: object) -> Any:
    if isinstance(description, Mapping) and set(description) == {"shape", "dtype"}:
        return symbol_for(description["shape"], validation.text(description["dtype"], "dtype"))
    if isinstance(description, Mapping):
        return {key: _map_described(part) for key, part in description.items()}
    if isinstance(description, (tuple, list)):
        return [_map_described(part) for part in description]
    raise ValueError(f"A description of inputs must hold shapes and dtypes. Received: {validation.show(description)}")
