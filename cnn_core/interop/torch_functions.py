"""What each function of `cnn_core.ops` is in PyTorch: one row for a function, of functions that torch.fx records.

Booleans are tensors of booleans where they are read as such, else 1 and 0; whole numbers are floats, as in native code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from cnn_core.interop.calls import DRAWS, not_carried
from cnn_core.interop.selections import Cut, Picked, Step, Transposed, steps_to
from cnn_core.interop.torch_expressions import Kept
from cnn_core.network.graph import CallGraph, Shape
from cnn_core.network.variables import Variable
from cnn_core.ops.activations import Activated, RowWise
from cnn_core.ops.broadcasting import is_batched
from cnn_core.ops.dtypes import is_float
from cnn_core.ops.modes import is_choice, needed_calls, read_by
from cnn_core.ops.operation import Operation
from cnn_core.ops.reductions import Reduction
from cnn_core.ops.shapes import Selection

# Of whom the name in torch is another than here.
_NAMES = {
    "absolute": "abs",
    "equal": "eq",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "mod": "remainder",
    "negative": "neg",
    "not_equal": "ne",
    "power": "pow",
}
_TRUTHS = {"equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "not_equal"}
_OF_TRUTHS = {"logical_and", "logical_not", "logical_or", "logical_xor"}
_PLAIN = {
    *("absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "ceil", "cos"),
    *("cosh", "divide", "erf", "exp", "exp2", "expm1", "floor", "floor_divide", "log", "log10", "log1p", "log2"),
    *("logaddexp", "matmul", "maximum", "minimum", "mod", "multiply", "negative", "power", "reciprocal", "rsqrt"),
    *("sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "trunc"),
}


class Functions:
    """Writes functions into a graph of torch.fx.

    Parameters
    ----------
    kept : Kept
        Where constants, variables and modules go.
    graph : torch.fx.Graph
    dtype : str
        Of the model's numbers.
    module_of : callable
        Takes an activation, the operation that applies it, a shape and `torch`, and returns a module.

    Attributes
    ----------
    samples : Proxy
        What has the samples along axis 0: the first input.
    """

    samples: Any

    def __init__(self, kept: Kept, graph: Any, dtype: str, module_of: Callable[[Any, Any, Shape, Any], Any]) -> None:
        self.torch, self.kept, self.graph = kept.torch, kept, graph
        self.dtype = getattr(self.torch, dtype)
        self._module_of = module_of
        self._tracer = self.torch.fx.proxy.GraphAppendingTracer(graph)
        self._truths: set[int] = set()

    def input(self, name: str) -> Any:
        """Add an input."""
        made = self._proxy(self.graph.placeholder(name))
        self.samples = getattr(self, "samples", made)
        return made

    def through(self, module: str, x: Any) -> Any:
        """Apply a module that is kept under a name."""
        return self._proxy(self.graph.call_module(module, (self.as_number(x).node,)))

    def finished(self, outputs: Sequence[Any], shapes: Sequence[Shape]) -> Any:
        """Return the graph as a module, given its outputs and their shapes."""
        results = tuple(self._of_samples(x, shape).node for x, shape in zip(outputs, shapes, strict=True))
        self.graph.output(results[0] if len(results) == 1 else results)
        return self.kept.around(self.graph)

    def _proxy(self, node: object) -> Any:
        return self.torch.fx.Proxy(node, self._tracer)

    def write(self, operation: Operation, sources: Sequence[Any], results: Sequence[Shape]) -> list[Any]:
        """Return what a function makes of proxies, given the shapes of its results.

        Raises
        ------
        ValueError
            If PyTorch cannot express it.
        """
        function, following = operation.function, iter(sources)
        x = [
            next(following) if operand is None else self._operand(operation, position)
            for position, operand in enumerate(operation.operands)
        ]
        name, t = function.name, self.torch
        if name in _TRUTHS or name in _OF_TRUTHS:
            read = self.as_truth if name in _OF_TRUTHS else self.as_number
            return [self._truth(getattr(t, _NAMES.get(name, name))(*map(read, x)))]
        if name == "cast":
            return [self._cast(x[0], operation.settings["dtype"])]
        if name == "where":
            return [t.where(self.as_truth(x[0]), self.as_number(x[1]), self.as_number(x[2]))]
        if isinstance(function, Reduction):
            return [self._reduced(operation, x[0])]
        x = list(map(self.as_number, x))
        if isinstance(function, Selection):
            shape = operation.shapes[0]
            return [
                self._selected(x[0], steps_to(shape, each)) for each in function.elements(shape, operation.settings)
            ]
        if isinstance(function, (Activated, RowWise)):
            activation = function.activation(operation.settings)
            module = self._module_of(activation, operation, operation.shapes[0], t)
            return [self.through(self.kept.keep(operation.name, module), x[0])]
        if name in _PLAIN:
            return [getattr(t, _NAMES.get(name, name))(*x)]
        if name == "random":
            raise not_carried(operation, "PyTorch", DRAWS)
        if name not in FUNCTIONS:
            raise not_carried(operation, "PyTorch")
        made = FUNCTIONS[name](self, operation, x, results)
        return made if isinstance(made, list) else [made]

    def _of_samples(self, value: object, shape: Shape) -> Any:
        """Return a result as numbers, one that all samples share once for each."""
        number = self.as_number(value)
        return number if is_batched(shape) else number.expand(self.samples.size(0), *shape)

    def as_number(self, x: Any) -> Any:
        """Return truth values as 1 and 0."""
        return x.to(self.dtype) if id(x.node) in self._truths else x

    def as_truth(self, x: Any) -> Any:
        """Return whether a value is not 0."""
        return x if id(x.node) in self._truths else self._truth(self.torch.ne(x, 0))

    def _truth(self, x: Any) -> Any:
        self._truths.add(id(x.node))
        return x

    def _operand(self, operation: Operation, position: int) -> Any:
        operand = operation.operands[position]
        if isinstance(operand, (bool, int, float)):
            return self.samples.new_full((), float(operand))
        if isinstance(operand, Variable):
            return self._proxy(self.graph.get_attr(self.kept.keep_variable(operand)))
        return self._constant(self.torch.tensor(operand, dtype=self.dtype), f"{operation.name}_{position}")

    def _constant(self, tensor: Any, name: str) -> Any:
        return self._proxy(self.graph.get_attr(self.kept.keep(name, tensor)))

    def _cast(self, x: object, dtype: str) -> Any:
        if dtype == "bool":
            return self.as_truth(x)
        number = self.as_number(x)
        return number if is_float(dtype) or number is not x else self.torch.trunc(number)

    def _reduced(self, operation: Operation, x: object) -> Any:
        function, keepdim, t = operation.function, operation.settings["keepdims"], self.torch
        assert isinstance(function, Reduction)
        axes = function.axes_of(operation.shapes[0], operation.settings["axis"])
        x = self.as_number(self.as_truth(x) if function.name in ("all", "any") else x)
        if function.name in ("argmax", "argmin"):
            if len(axes) != 1:
                raise not_carried(
                    operation, "PyTorch", f"there it has one axis. Received: {operation.settings['axis']}"
                )
            return getattr(t, function.name)(x, axes[0], keepdim).to(self.dtype)
        if not axes:
            return x
        if function.name == "prod":
            for axis in reversed(axes):
                x = t.prod(x, axis, keepdim)
            return x
        names = {"max": "amax", "min": "amin", "all": "amin", "any": "amax"}
        return getattr(t, names.get(function.name, function.name))(x, axes, keepdim)

    def _selected(self, x: Any, steps: Sequence[Step]) -> Any:
        for step in steps:
            if isinstance(step, Cut) and step.step > 0:
                x = x[(slice(None),) * step.axis + (slice(step.start, step.end, step.step),)]
            elif isinstance(step, (Cut, Picked)):
                places = list(range(step.start, step.end, step.step)) if isinstance(step, Cut) else step.places
                x = self.torch.index_select(x, step.axis, self._constant(self.torch.tensor(places), "places"))
            elif isinstance(step, Transposed):
                x = self.torch.permute(x, step.order)
            else:
                x = self.torch.reshape(x, _sizes(step.shape))
        return x

    def filled(self, shape: Sequence[int], value: float) -> Any:
        """Return a number in every place of every sample."""
        return self.samples.new_full((self.samples.size(0), *shape), value)


def _sizes(shape: Shape) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _sorted(f: Functions, o: Operation, x: list[Any], results: Sequence[Shape]) -> list[Any]:
    ordered = f.torch.sort(x[0], dim=-1, descending=o.settings["descending"], stable=True)
    count = results[0][-1]
    parts = [ordered[place] if o.settings["k"] is None else ordered[place][..., :count] for place in (0, 1)]
    return [parts[0], parts[1].to(f.dtype)]


def _gathered(f: Functions, o: Operation, x: list[Any], results: Sequence[Shape]) -> Any:
    t, (source, places), axis = f.torch, o.shapes, o.settings["axis"]
    numbers = x[1].to(t.int64)
    numbers = t.where(t.lt(numbers, 0), numbers + source[axis], numbers)
    if o.settings["along"]:
        return t.gather(x[0], axis, numbers)
    inner = source[axis + 1 :]
    count = math.prod(places[1:])  # type: ignore[arg-type]
    rows = t.reshape(numbers, (-1, count, *[1] * len(inner))).expand(-1, count, *inner)
    return t.reshape(t.gather(x[0], 1, rows), _sizes(results[0]))


def _rounded(f: Functions, o: Operation, x: list[Any], results: Sequence[Shape]) -> Any:
    scale = 10.0 ** o.settings.get("decimals", 0)
    return f.torch.round(x[0]) if scale == 1 else f.torch.round(x[0] * scale) / scale


# By the writer, the use of the function, its operands, and the shapes of its results.
FUNCTIONS: dict[str, Callable[[Functions, Operation, list[Any], Sequence[Shape]], Any]] = {
    "clip": lambda f, o, x, results: f.torch.clamp(x[0], float(o.settings["x_min"]), float(o.settings["x_max"])),
    "concatenate": lambda f, o, x, results: f.torch.cat(x, o.settings["axis"]),
    "copy": lambda f, o, x, results: x[0],
    "cumprod": lambda f, o, x, results: f.torch.cumprod(x[0], o.settings["axis"]),
    "cumsum": lambda f, o, x, results: f.torch.cumsum(x[0], o.settings["axis"]),
    "full": lambda f, o, x, results: f.filled(o.settings["shape"], o.settings["value"]),
    "gather": _gathered,
    "nan_to_num": lambda f, o, x, results: f.torch.nan_to_num(
        x[0], *(float(o.settings[name]) for name in ("nan", "posinf", "neginf"))
    ),
    "reshape": lambda f, o, x, results: f.torch.reshape(x[0], _sizes(results[0])),
    "round": _rounded,
    "sorted": _sorted,
    "stop_gradient": lambda f, o, x, results: x[0].detach(),
}


def write_graph(functions: Functions, graph: CallGraph, sources: Sequence[object]) -> list[Any]:
    """Write a graph of functions alone, given what it reads; return its outputs."""
    values = {id(symbol): x for symbol, x in zip(graph.inputs, sources, strict=True)}
    for node in needed_calls(graph, graph.outputs, training=False):
        read = [values[id(symbol)] for symbol in read_by(node, training=False)]
        assert isinstance(node.layer, Operation)
        shapes = [each.shape for each in node.outputs]
        made = read if is_choice(node) else functions.write(node.layer, read, shapes)
        values.update({id(symbol): x for symbol, x in zip(node.outputs, made, strict=True)})
    return [values[id(symbol)] for symbol in graph.outputs]
