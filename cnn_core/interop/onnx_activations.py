"""What each activation is in ONNX: one row for a kind, of operators that opset 17 has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.interop.onnx_graph import Nodes

# By the nodes, x, and the activation.


def _relu(g: Nodes, x: str, a: Any) -> str:
    if (a.negative_slope, a.max_value, a.threshold) == (0, None, 0):
        return g.add("Relu", x)
    kept = x if a.max_value is None else g.add("Min", x, float(a.max_value))
    below = g.add("Mul", g.add("Sub", x, float(a.threshold)), float(a.negative_slope))
    return g.add("Where", g.add("Greater", x, float(a.threshold)), kept, below)


def _exponential_below(g: Nodes, x: str, alpha: float, inner: float = 1.0, scale: float = 1.0) -> str:
    """``scale * (max(x, 0) + alpha * (exp(min(x, 0) / inner) - 1))``."""
    low = g.add("Min", x, 0.0)
    grown = g.add("Sub", g.add("Exp", low if inner == 1 else g.add("Div", low, inner)), 1.0)
    total = g.add("Add", g.add("Max", x, 0.0), g.add("Mul", grown, alpha))
    return total if scale == 1 else g.add("Mul", total, scale)


def _softplus(g: Nodes, x: str) -> str:
    tail = g.add("Log", g.add("Add", g.add("Exp", g.add("Neg", g.add("Abs", x))), 1.0))
    return g.add("Add", g.add("Max", x, 0.0), tail)


def _clip(g: Nodes, x: str, low: float, high: float) -> str:
    return g.add("Clip", x, low, high)


def _hard_sigmoid(g: Nodes, x: str) -> str:
    return _clip(g, g.add("Add", g.add("Div", x, 6.0), 0.5), 0.0, 1.0)


def _gelu(g: Nodes, x: str, a: Any) -> str:
    if a.approximate:
        cube = g.add("Mul", g.add("Mul", g.add("Mul", x, x), x), 0.044715)
        inner = g.add("Tanh", g.add("Mul", g.add("Add", x, cube), math.sqrt(2 / math.pi)))
    else:
        inner = g.add("Erf", g.add("Div", x, math.sqrt(2.0)))
    return g.add("Mul", g.add("Mul", x, 0.5), g.add("Add", inner, 1.0))


def _soft_shrink(g: Nodes, x: str, a: Any) -> str:
    return g.add("Sub", x, _clip(g, x, -float(a.threshold), float(a.threshold)))


def _hard_shrink(g: Nodes, x: str, a: Any) -> str:
    return g.add("Where", g.add("Greater", g.add("Abs", x), float(a.threshold)), x, 0.0)


def _glu(g: Nodes, x: str, a: object) -> str:
    first, second = g.split("Split", x, names=("first", "second"), axis=-1)
    return g.add("Mul", first, g.add("Sigmoid", second))


def _sparse_plus(g: Nodes, x: str, a: object) -> str:
    raised = g.add("Max", g.add("Add", x, 1.0), 0.0)
    curve = g.add("Div", g.add("Mul", raised, raised), 4.0)
    return g.add("Where", g.add("Less", x, 1.0), curve, x)


def _squareplus(g: Nodes, x: str, a: Any) -> str:
    root = g.add("Sqrt", g.add("Add", g.add("Mul", x, x), float(a.b)))
    return g.add("Div", g.add("Add", x, root), 2.0)


def _sparsemax(g: Nodes, x: str, a: object) -> str:
    """``max(x - threshold, 0)``, the threshold from the largest elements: as many as lie above it."""
    size = g.add("Shape", x, start=-1)
    ordered, _ = g.split("TopK", x, size, names=("values", "places"), axis=-1)
    counts = g.add("CumSum", g.add("Add", g.add("Mul", ordered, 0.0), 1.0), g.sizes(-1))
    above = g.add("Sub", g.add("CumSum", ordered, g.sizes(-1)), 1.0)
    is_in = g.as_number(g.add("Greater", g.add("Mul", ordered, counts), above))
    total = g.add("Sub", g.add("ReduceSum", g.add("Mul", ordered, is_in), g.sizes(-1)), 1.0)
    threshold = g.add("Div", total, g.add("ReduceSum", is_in, g.sizes(-1)))
    return g.add("Max", g.add("Sub", x, threshold), 0.0)


_SELU = (1.6732632423543772, 1.0507009873554805)

ACTIVATIONS: dict[type[Activation], Callable[[Nodes, str, Any], str]] = {
    activations.Linear: lambda g, x, a: x,
    activations.ReLU: _relu,
    activations.ReLU6: lambda g, x, a: _clip(g, x, 0.0, 6.0),
    activations.LeakyReLU: lambda g, x, a: g.add(
        "Where", g.add("Greater", x, 0.0), x, g.add("Mul", x, float(a.negative_slope))
    ),
    activations.Sigmoid: lambda g, x, a: g.add("Sigmoid", x),
    activations.Tanh: lambda g, x, a: g.add("Tanh", x),
    activations.ELU: lambda g, x, a: _exponential_below(g, x, float(a.alpha)),
    activations.SELU: lambda g, x, a: _exponential_below(g, x, _SELU[0], scale=_SELU[1]),
    activations.CELU: lambda g, x, a: _exponential_below(g, x, float(a.alpha), float(a.alpha)),
    activations.Softplus: lambda g, x, a: _softplus(g, x),
    activations.Softsign: lambda g, x, a: g.add("Div", x, g.add("Add", g.add("Abs", x), 1.0)),
    activations.SiLU: lambda g, x, a: g.add("Mul", x, g.add("Sigmoid", x)),
    activations.GELU: _gelu,
    activations.Mish: lambda g, x, a: g.add("Mul", x, g.add("Tanh", _softplus(g, x))),
    activations.Exponential: lambda g, x, a: g.add("Exp", x),
    activations.LogSigmoid: lambda g, x, a: g.add("Neg", _softplus(g, g.add("Neg", x))),
    activations.HardSigmoid: lambda g, x, a: _hard_sigmoid(g, x),
    activations.HardSiLU: lambda g, x, a: g.add("Mul", x, _hard_sigmoid(g, x)),
    activations.HardTanh: lambda g, x, a: _clip(g, x, -1.0, 1.0),
    activations.Squareplus: _squareplus,
    activations.SoftShrink: _soft_shrink,
    activations.HardShrink: _hard_shrink,
    activations.TanhShrink: lambda g, x, a: g.add("Sub", x, g.add("Tanh", x)),
    activations.Threshold: lambda g, x, a: g.add(
        "Where", g.add("Greater", x, float(a.threshold)), x, float(a.default_value)
    ),
    activations.SparsePlus: _sparse_plus,
    activations.SparseSigmoid: lambda g, x, a: _clip(g, g.add("Div", g.add("Add", x, 1.0), 2.0), 0.0, 1.0),
    activations.Softmax: lambda g, x, a: g.add("Softmax", x, axis=-1),
    activations.LogSoftmax: lambda g, x, a: g.add("LogSoftmax", x, axis=-1),
    activations.GLU: _glu,
    activations.Sparsemax: _sparsemax,
}


# Operators of their own, which ONNX Runtime has in float32 only.
NAMED: dict[type[Activation], Callable[[Any], tuple[str, dict[str, Any]]]] = {
    activations.LeakyReLU: lambda a: ("LeakyRelu", {"alpha": float(a.negative_slope)}),
    activations.ELU: lambda a: ("Elu", {"alpha": float(a.alpha)}),
    activations.SELU: lambda a: ("Selu", {}),
    activations.CELU: lambda a: ("Celu", {"alpha": float(a.alpha)}),
    activations.Softplus: lambda a: ("Softplus", {}),
    activations.Softsign: lambda a: ("Softsign", {}),
    activations.HardSigmoid: lambda a: ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    activations.SparseSigmoid: lambda a: ("HardSigmoid", {"alpha": 0.5, "beta": 0.5}),
    activations.HardSiLU: lambda a: ("HardSwish", {}),
}


def write_activation(g: Nodes, x: str, activation: Activation) -> str | None:
    """Add the nodes of an activation; return the name of its output, None if ONNX cannot express it."""
    if g.dtype == np.float32 and type(activation) in NAMED:
        operator, attributes = NAMED[type(activation)](activation)
        return g.add(operator, x, **attributes)
    if type(activation) not in ACTIVATIONS or activation.native is None:
        return None
    return ACTIVATIONS[type(activation)](g, x, activation)
