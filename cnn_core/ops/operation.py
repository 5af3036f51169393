"""A function of symbols as a part of a graph: what it is called, which shapes it has, how it enters a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from weakref import ref

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.eager import returns_arrays
from cnn_core.foundation.numbering import unique_name
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.serialization import OPERATIONS, serialize, snake_case
from cnn_core.network.graph import Node, Symbol
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.tensors import Tensor
from cnn_core.network.tracing import follows_variables, is_recording
from cnn_core.network.variables import Constant, Variable
from cnn_core.ops.broadcasting import Shape
from cnn_core.ops.dtypes import is_float

# What functions compute with, numbers and lists of them aside.
Value: TypeAlias = Symbol | Variable | Tensor | np.ndarray[Any, np.dtype[Any]]


class Spec(NamedTuple):
    """Shape, batch axis included, and dtype of a value."""

    shape: Shape
    dtype: str


class Function:
    """A row of the table of functions: subclasses say which shapes a function gives and how it enters a plan.

    Parameters
    ----------
    name : str
        Under which `cnn_core.ops` has it.
    class_name : str
        Under which Keras writes it in files.
    module : {"numpy", "nn", "math", "core"}, default "numpy"
        Of `keras.src.ops`, where that class is.
    static : sequence of str, default ()
        Settings that Keras writes as arguments of the call, after the operands.
    """

    def __init__(self, name: str, class_name: str, module: str = "numpy", static: Sequence[str] = ()) -> None:
        self.name = name
        self.class_name = class_name
        self.module = OPERATIONS + module
        self.static = tuple(static)
        FUNCTIONS[name] = self

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "__call__" in vars(cls):
            setattr(cls, "__call__", returns_arrays(cls.__call__))  # noqa: B010  (mypy takes it for a redefinition)

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        """Return shape and dtype of each result, or say what does not fit."""
        raise NotImplementedError

    def add_to(self, plan: NetworkPlan, operation: Operation, inputs: list[int]) -> list[int]:
        """Enter the function into a plan, given the buffers of the symbols that it reads."""
        following = iter(inputs)
        buffers = []
        for position, operand in enumerate(operation.operands):
            if operand is None:
                buffers.append(next(following))
            else:
                buffers.append(plan.add_parameter(operation.variable(position), layer=operation.name))
        return self.enter(plan, operation, buffers)

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        """Enter the function of whole buffers, one for each operand, into a plan."""
        raise NotImplementedError

    def moved(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Any]:
        """Return the results for arrays of texts, which a function can only put elsewhere."""
        raise TypeError(
            f"`{self.name}` computes with numbers, not with texts: let StringLookup, Hashing or HashedCrossing read "
            "them first"
        )

    def on(self, operands: Sequence[Any], **settings: object) -> Any:
        """Apply the function to symbols, or to tensors while a tape records: one result, or a list of them."""
        symbols = [each for each in operands if isinstance(each, Symbol)]
        if is_recording() and not symbols:
            made: list[Any] = Operators.functions["recorded"](self, operands, settings)
        else:
            _refuse_tensors(operands, self.name)
            made = Operation(self, operands, settings).on(symbols)
        return made[0] if len(made) == 1 else made

    def __reduce__(self) -> tuple[Callable[[str], Function], tuple[str]]:
        return function_named, (self.name,)


FUNCTIONS: dict[str, Function] = {}


def function_named(name: str) -> Function:
    """Return the function that a pickle names."""
    return FUNCTIONS[name]


def is_symbolic(*values: object) -> bool:
    """Tell whether a function of these values, or lists of them, is remembered.

    Then one is a symbol; or a variable or tensor, while a function is traced or a tape records.
    """
    followed = (Symbol, Variable, Tensor) if follows_variables() else Symbol
    for value in values:
        if isinstance(value, followed) or (isinstance(value, (list, tuple)) and is_symbolic(*value)):
            return True
    return False


def shape_of(value: Any) -> Shape:
    """Return the shape of an operand, batch axis included."""
    return value.shape if isinstance(value, (Symbol, Variable, Tensor, np.ndarray)) else np.shape(value)


def _refuse_tensors(operands: Sequence[object], name: str) -> None:
    for each in operands:
        if isinstance(each, Tensor):
            raise TypeError(
                f"`{name}` would take the present value of a tensor for a constant of the graph: hand it to the layer, "
                f"model or function as an argument. Received: {each!r}"
            )


class Operation:
    """One use of a function in a graph, which stands there as layers do.

    Attributes
    ----------
    function : Function
    operands : tuple
        Variables, numbers and arrays in their places, None where a symbol enters.
    settings : dict
        What else the function is told, such as an axis.
    shapes : list of tuple
        Of the operands, the axis of the samples included.
    """

    n_inputs: int | None = None
    n_draws = 0
    index_limit: int | None = None
    is_operation = True
    defines_call = reads_values = False
    built = trainable = True

    def __init__(
        self, function: Function, operands: Sequence[Any], settings: Mapping[str, Any], name: str | None = None
    ) -> None:
        self.function = function
        self.operands = tuple(None if isinstance(each, Symbol) else each for each in operands)
        self.settings = dict(settings)
        self.name = self.next_name() if name is None else name
        self.dtype = _computed_in(operands)
        self.calls: list[ref[Node]] = []
        self.shapes: list[Shape] = []
        self._constants: dict[int, Variable] = {}

    def next_name(self) -> str:
        """Return a name of the function that no operation has been given yet."""
        return unique_name(snake_case(self.function.class_name))

    def on(self, symbols: Sequence[Symbol]) -> list[Symbol]:
        """Record the operation as made of symbols."""
        following = iter(symbols)
        operands = [next(following) if each is None else each for each in self.operands]
        self.shapes = list(map(shape_of, operands))
        specs = self.function.infer(operands, self.settings)
        outputs = [Symbol(spec.shape, f"{self.name}_output", spec.dtype) for spec in specs]
        Node.of(self, symbols, outputs)
        return outputs

    def __call__(self, inputs: Any, training: bool | None = None) -> list[Symbol]:
        """Record the operation once more, as a layer that is called."""
        return self.on(inputs if isinstance(inputs, (list, tuple)) else [inputs])

    @property
    def variables(self) -> list[Variable]:
        """The variables that it reads."""
        return list({id(each): each for each in self.operands if isinstance(each, Variable)}.values())

    weights = variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those of them that training changes."""
        return [variable for variable in self.variables if variable.trainable]

    def count_params(self) -> int:
        """Return how many numbers the variables hold."""
        return sum(variable.size for variable in self.variables)

    def inner_graph_of(self, inputs: Sequence[Symbol], arguments: object) -> None:
        """Return None: no calls are inside."""

    def add_call_to(
        self, plan: NetworkPlan, inputs: list[int], symbols: Sequence[Symbol], arguments: object = None
    ) -> list[int]:
        """Enter the operation as `add_to` does."""
        return self.add_to(plan, inputs)

    def ensure_built(self, shapes: object) -> None:
        """Do nothing: an operation has nothing to build."""

    def variable(self, position: int) -> Variable:
        """Return an operand that is no symbol as what a plan keeps: an array as a variable that is never trained."""
        operand = self.operands[position]
        if isinstance(operand, Variable):
            return operand
        if position not in self._constants:
            self._constants[position] = Constant(np.asarray(operand), f"{self.name}/{position}")
        return self._constants[position]

    def add_to(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the operation into a plan."""
        return self.function.add_to(plan, self, inputs)

    def moved(self, arrays: Sequence[Any]) -> list[Any]:
        """Return the results for arrays of texts in the places of symbols."""
        following = iter(arrays)
        return self.function.moved([next(following) if each is None else each for each in self.operands], self.settings)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("calls", "_constants")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, calls=[], _constants={})

    @property
    def registered_name(self) -> str:
        """Keras's name of the class."""
        return self.function.class_name

    @property
    def keras_module(self) -> str:
        """Keras's module of the class."""
        return self.function.module

    def get_config(self) -> dict[str, Any]:
        """Return name, settings and the operands that are no symbols, as plain data."""
        for each in self.operands:
            if isinstance(each, Variable):
                raise ValueError(
                    f"The operation {self.name!r} reads the variable {each.path!r}, which belongs to no layer of the "
                    "model: compute with it in the `call` of a layer that has made it by add_weight"
                )
        operands = [each if each is None else _written(each) for each in self.operands]
        return {"name": self.name, **{key: _written(each) for key, each in self.settings.items()}, "operands": operands}

    def again(self) -> Operation:
        """Return an equal operation, for another graph."""
        return Operation(self.function, self.operands, self.settings, self.name)

    @classmethod
    def from_config(cls, function: Function, written: Mapping[str, Any]) -> Operation:
        """Make the operation whose `get_config` returned `written`."""
        settings = {key: read_value(each) for key, each in written.items() if key not in ("name", "operands")}
        operands = [read_value(each) for each in written.get("operands", [None])]
        return cls(function, operands, settings, validation.text(written["name"], "name"))

    def __repr__(self) -> str:
        return f"<{self.function.class_name} name={self.name}>"


def _computed_in(operands: Sequence[object]) -> str:
    """Return the dtype of a model in which an operation can stand; "" if it fits into any."""
    dtypes = [str(each.dtype) for each in operands if isinstance(each, (Symbol, Variable))]
    return next(filter(is_float, dtypes), "")


def _written(value: object) -> Any:
    """Return an array, a slice or plain data as Keras writes it."""
    if isinstance(value, np.ndarray):
        return {"class_name": "__tensor__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, slice):
        parts = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": parts}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, (tuple, list)):
        return [_written(each) for each in value]
    return serialize(value)


def read_value(value: object) -> Any:
    """Return what Keras or `get_config` have written."""
    if isinstance(value, list):
        return [read_value(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    name, settings = value.get("class_name"), value.get("config") or {}
    if name in ("__tensor__", "__numpy__"):
        dtype = settings.get("dtype", "float32")
        if dtype not in ("bool", "float16", "float32", "float64") and not str(dtype).startswith(("int", "uint")):
            raise ValueError(f"An array of an operation must hold numbers. Received: dtype={validation.show(dtype)}")
        return np.asarray(settings["value"], dtype)
    if name == "__slice__":
        return slice(settings.get("start"), settings.get("stop"), settings.get("step"))
    if name in ("__ellipsis__", "__Ellipsis__"):
        return Ellipsis
    raise ValueError(f"An argument of an operation must be plain data. Received: {validation.show(value)}")
