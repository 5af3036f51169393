"""What each function of `cnn_core.ops` is in ONNX: one row for a function, of operators that opset 17 has.

Booleans are truth values where they are read as such, else 1 and 0; whole numbers are floats, as in native code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.calls import DRAWS, not_carried
from cnn_core.interop.onnx_activations import write_activation
from cnn_core.interop.onnx_graph import INT64, Nodes
from cnn_core.interop.selections import Cut, Picked, Step, Transposed, steps_to
from cnn_core.network.graph import CallGraph, Shape
from cnn_core.network.variables import Variable
from cnn_core.ops.activations import Activated, RowWise
from cnn_core.ops.dtypes import is_float
from cnn_core.ops.modes import is_choice, needed_calls, read_by
from cnn_core.ops.operation import Operation
from cnn_core.ops.reductions import Reduction
from cnn_core.ops.shapes import Selection

# By the nodes, the use of the function, and the names of its operands.
Row = Callable[[Nodes, Operation, list[str]], Any]


def _plain(operator: str) -> Row:
    return lambda g, o, x: g.add(operator, *x)


def _of_one(write: Callable[[Nodes, str], str]) -> Row:
    return lambda g, o, x: write(g, x[0])


def _truths(operator: str) -> Row:
    return lambda g, o, x: g.add(operator, *map(g.as_truth, x))


def _within(g: Nodes, x: str, low: str | float, high: str | float) -> str:
    return g.add("Min", g.add("Max", x, low), high)


def _power_of_2(g: Nodes, x: str) -> str:
    return g.add("Exp", g.add("Mul", x, math.log(2)))


def _exponential_less_1(g: Nodes, x: str) -> str:
    """``tanh(x / 2) * (exp(x) + 1)``, which is exact for small x, too."""
    return g.add("Mul", g.add("Tanh", g.add("Mul", x, 0.5)), g.add("Add", g.add("Exp", x), 1.0))


def _logarithm_of_1_more(g: Nodes, x: str) -> str:
    """``log(u) * x / (u - 1)`` of ``u = 1 + x`` where that counts: it takes the rounding of u back."""
    more = g.add("Add", x, 1.0)
    rounded = g.add("Sub", more, 1.0)
    plain = g.add("Log", more)
    exact = g.add("Mul", plain, g.add("Div", x, rounded))
    near = g.add("Where", g.add("Equal", rounded, 0.0), x, exact)
    return g.add("Where", g.add("Less", g.add("Abs", x), 1.0), near, plain)


def _logarithm_of_sum(g: Nodes, o: Operation, x: list[str]) -> str:
    larger, smaller = g.add("Max", *x), g.add("Min", *x)
    total = g.add("Add", larger, _logarithm_of_1_more(g, g.add("Exp", g.add("Sub", smaller, larger))))
    return g.add("Where", g.add("IsInf", larger), larger, total)


def _angle(g: Nodes, o: Operation, x: list[str]) -> str:
    y, x_ = x
    half = g.add("Where", g.add("Less", y, 0.0), -math.pi, math.pi)
    turned = g.add("Where", g.add("Less", x_, 0.0), half, 0.0)
    found = g.add("Add", g.add("Atan", g.add("Div", y, x_)), turned)
    nowhere = g.add("And", g.add("Equal", x_, 0.0), g.add("Equal", y, 0.0))
    return g.add("Where", nowhere, 0.0, found)


def _remainder(g: Nodes, o: Operation, x: list[str]) -> str:
    """The remainder with the sign of the divisor; that of the operator has the sign of the dividend."""
    rest = g.add("Mod", *x, fmod=1)
    other = g.add("Less", g.add("Mul", g.add("Sign", rest), g.add("Sign", x[1])), 0.0)
    return g.add("Where", other, g.add("Add", rest, x[1]), rest)


def _floor_divide(g: Nodes, o: Operation, x: list[str]) -> str:
    whole = g.add("Round", g.add("Div", g.add("Sub", x[0], _remainder(g, o, x)), x[1]))
    return g.add("Where", g.add("Equal", x[1], 0.0), g.add("Div", *x), whole)


def _truncated(g: Nodes, x: str) -> str:
    return g.add("Mul", g.add("Sign", x), g.add("Floor", g.add("Abs", x)))


def _rounded(g: Nodes, o: Operation, x: list[str]) -> str:
    scale = 10.0 ** o.settings.get("decimals", 0)
    return g.add("Round", *x) if scale == 1 else g.add("Div", g.add("Round", g.add("Mul", x[0], scale)), scale)


def _without_nan(g: Nodes, o: Operation, x: list[str]) -> str:
    found = g.add("Where", g.add("IsNaN", *x), float(o.settings["nan"]), *x)
    for name, infinity in (("posinf", math.inf), ("neginf", -math.inf)):
        found = g.add("Where", g.add("Equal", x[0], infinity), float(o.settings[name]), found)
    return found


def _cast(g: Nodes, o: Operation, x: list[str]) -> str:
    dtype = o.settings["dtype"]
    if dtype == "bool":
        return g.as_truth(x[0])
    number = g.as_number(x[0])
    return number if is_float(dtype) or number != x[0] else _truncated(g, number)


def _where(g: Nodes, o: Operation, x: list[str]) -> str:
    return g.add("Where", g.as_truth(x[0]), g.as_number(x[1]), g.as_number(x[2]))


def _finite(g: Nodes, x: str) -> str:
    return g.add("Not", g.add("Or", g.add("IsNaN", x), g.add("IsInf", x)))


def _product(g: Nodes, o: Operation, x: list[str]) -> str:
    return g.add("MatMul", *x)


def _concatenate(g: Nodes, o: Operation, x: list[str]) -> str:
    return g.add("Concat", *x, axis=o.settings["axis"] % len(o.shapes[0]))


def _filled(g: Nodes, o: Operation, x: list[str]) -> str:
    sizes = [1, *o.settings["shape"]]
    return g.over_batch(g.numbers(np.full(sizes, o.settings["value"]), o.name), sizes[1:])


def _running_sum(g: Nodes, o: Operation, x: list[str]) -> str:
    return g.add("CumSum", x[0], g.sizes(o.settings["axis"]))


def _running_product(g: Nodes, o: Operation, x: list[str]) -> str:
    """Every element times the one before it, then times the one that lies 2, 4, ... before it."""
    axis = o.settings["axis"]
    size, made = int(o.shapes[0][axis] or 0), x[0]
    for step in (1 << n for n in range((size - 1).bit_length())):
        first, later = g.cut(made, axis, 0, step), g.cut(made, axis, step, size)
        made = g.add("Concat", first, g.add("Mul", later, g.cut(made, axis, 0, size - step)), axis=axis)
    return made


def _sorted(g: Nodes, o: Operation, x: list[str]) -> list[str]:
    count: Any = o.shapes[0][-1] if o.settings["k"] is None else o.settings["k"]
    descending = int(o.settings["descending"])
    values, places = g.split(
        "TopK", x[0], g.sizes(int(count)), names=("values", "places"), axis=-1, largest=descending, sorted=1
    )
    return [values, g.counted(places)]


def _gathered(g: Nodes, o: Operation, x: list[str]) -> str:
    places = g.cast(x[1], INT64)
    if o.settings["along"]:
        return g.add("GatherElements", x[0], places, axis=o.settings["axis"])
    return g.add("GatherND", x[0], g.add("Unsqueeze", places, g.sizes(-1)), batch_dims=1)


_REDUCED = {
    "logsumexp": "ReduceLogSumExp",
    "max": "ReduceMax",
    "mean": "ReduceMean",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "all": "ReduceMin",
    "any": "ReduceMax",
}


def _reduced(g: Nodes, o: Operation, x: str) -> str:
    """Write a reduction: of truth values that of 1 and 0."""
    function, keepdims = o.function, int(o.settings["keepdims"])
    assert isinstance(function, Reduction)
    axes = function.axes_of(o.shapes[0], o.settings["axis"])
    x = g.as_number(g.as_truth(x) if function.name in ("all", "any") else x)
    if function.name in ("argmax", "argmin"):
        if len(axes) != 1:
            raise not_carried(o, "ONNX", f"there it has one axis. Received: axis={o.settings['axis']}")
        operator = "ArgMax" if function.name == "argmax" else "ArgMin"
        return g.counted(g.add(operator, x, axis=axes[0], keepdims=keepdims))
    if not axes:
        return x
    if function.name == "sum":
        return g.add("ReduceSum", x, g.sizes(*axes), keepdims=keepdims)
    return g.add(_REDUCED[function.name], x, axes=axes, keepdims=keepdims)


# Those that read numbers.
FUNCTIONS: dict[str, Row] = {
    "absolute": _plain("Abs"),
    "add": _plain("Add"),
    "arccos": _plain("Acos"),
    "arccosh": _plain("Acosh"),
    "arcsin": _plain("Asin"),
    "arcsinh": _plain("Asinh"),
    "arctan": _plain("Atan"),
    "arctan2": _angle,
    "arctanh": _plain("Atanh"),
    "ceil": _plain("Ceil"),
    "clip": lambda g, o, x: _within(g, x[0], float(o.settings["x_min"]), float(o.settings["x_max"])),
    "concatenate": _concatenate,
    "copy": lambda g, o, x: x[0],
    "cos": _plain("Cos"),
    "cosh": _plain("Cosh"),
    "cumprod": _running_product,
    "cumsum": _running_sum,
    "divide": _plain("Div"),
    "equal": _plain("Equal"),
    "erf": _plain("Erf"),
    "exp": _plain("Exp"),
    "exp2": _of_one(_power_of_2),
    "expm1": _of_one(_exponential_less_1),
    "floor": _plain("Floor"),
    "floor_divide": _floor_divide,
    "full": _filled,
    "gather": _gathered,
    "greater": _plain("Greater"),
    "greater_equal": _plain("GreaterOrEqual"),
    "isfinite": _of_one(_finite),
    "isinf": _plain("IsInf"),
    "isnan": _plain("IsNaN"),
    "less": _plain("Less"),
    "less_equal": _plain("LessOrEqual"),
    "log": _plain("Log"),
    "log10": lambda g, o, x: g.add("Mul", g.add("Log", *x), 1 / math.log(10)),
    "log1p": _of_one(_logarithm_of_1_more),
    "log2": lambda g, o, x: g.add("Mul", g.add("Log", *x), 1 / math.log(2)),
    "logaddexp": _logarithm_of_sum,
    "matmul": _product,
    "maximum": _plain("Max"),
    "minimum": _plain("Min"),
    "mod": _remainder,
    "multiply": _plain("Mul"),
    "nan_to_num": _without_nan,
    "negative": _plain("Neg"),
    "not_equal": lambda g, o, x: g.add("Not", g.add("Equal", *x)),
    "power": _plain("Pow"),
    "reciprocal": _plain("Reciprocal"),
    "round": _rounded,
    "rsqrt": lambda g, o, x: g.add("Reciprocal", g.add("Sqrt", *x)),
    "sign": _plain("Sign"),
    "sin": _plain("Sin"),
    "sinh": _plain("Sinh"),
    "sorted": _sorted,
    "sqrt": _plain("Sqrt"),
    "square": lambda g, o, x: g.add("Mul", x[0], x[0]),
    "stop_gradient": lambda g, o, x: x[0],
    "subtract": _plain("Sub"),
    "tan": _plain("Tan"),
    "trunc": _of_one(_truncated),
}

# Those that read truth values, or whatever comes.
OF_TRUTHS: dict[str, Row] = {
    "cast": _cast,
    "logical_and": _truths("And"),
    "logical_not": _truths("Not"),
    "logical_or": _truths("Or"),
    "logical_xor": _truths("Xor"),
    "where": _where,
}


def write_function(g: Nodes, operation: Operation, sources: Sequence[str], results: Sequence[Shape]) -> list[str]:
    """Add the nodes of a function; return the names of its results.

    Parameters
    ----------
    g : Nodes
    operation : Operation
    sources : sequence of str
        Of the symbols that it reads.
    results : sequence of tuple
        The shapes of its results.

    Raises
    ------
    ValueError
        If ONNX cannot express it.
    """
    function, following = operation.function, iter(sources)
    x = [
        next(following) if operand is None else _constant(g, operation, position)
        for position, operand in enumerate(operation.operands)
    ]
    if function.name in OF_TRUTHS:
        return [OF_TRUTHS[function.name](g, operation, x)]
    if isinstance(function, Reduction):
        return [_reduced(g, operation, x[0])]
    x = list(map(g.as_number, x))
    if function.name == "reshape":
        return [g.reshape(x[0], results[0])]
    if isinstance(function, Selection):
        shape = operation.shapes[0]
        return [_selected(g, x[0], steps_to(shape, each)) for each in function.elements(shape, operation.settings)]
    if isinstance(function, (Activated, RowWise)):
        return [_activated(g, operation, x[0])]
    if function.name == "random":
        raise not_carried(operation, "ONNX", DRAWS)
    if function.name not in FUNCTIONS:
        raise not_carried(operation, "ONNX")
    made = FUNCTIONS[function.name](g, operation, x)
    return made if isinstance(made, list) else [made]


def _selected(g: Nodes, x: str, steps: Sequence[Step]) -> str:
    for step in steps:
        if isinstance(step, Cut):
            x = g.cut(x, *step)
        elif isinstance(step, Picked):
            x = g.add("Gather", x, g.sizes(*step.places), axis=step.axis)
        elif isinstance(step, Transposed):
            x = g.add("Transpose", x, perm=step.order)
        else:
            x = g.reshape(x, step.shape)
    return x


def _activated(g: Nodes, operation: Operation, x: str) -> str:
    function = operation.function
    assert isinstance(function, (Activated, RowWise))
    activation = function.activation(operation.settings)
    made = write_activation(g, x, activation)
    if made is None:
        raise not_carried(operation, "ONNX", f"the activation {activation.name!r} has no counterpart there")
    return made


def _constant(g: Nodes, operation: Operation, position: int) -> str:
    operand = operation.operands[position]
    if isinstance(operand, Variable):
        return g.variable(operand, operand.path)
    array: Array = np.asarray(operand)
    return g.number(float(array)) if array.ndim == 0 else g.numbers(array, f"{operation.name}/{position}")


def write_functions(g: Nodes, graph: CallGraph, sources: Sequence[str]) -> str:
    """Add the nodes of a graph of functions that gives one result; return its name."""
    names = {id(symbol): name for symbol, name in zip(graph.inputs, sources, strict=True)}
    for node in needed_calls(graph, graph.outputs, training=False):
        read = [names[id(symbol)] for symbol in read_by(node, training=False)]
        assert isinstance(node.layer, Operation)
        made = read if is_choice(node) else write_function(g, node.layer, read, [each.shape for each in node.outputs])
        names.update({id(symbol): name for symbol, name in zip(node.outputs, made, strict=True)})
    return g.as_number(names[id(graph.outputs[0])])
