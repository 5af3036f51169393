"""Elementwise functions as NumPy has them, where to try them, and expressions run by native code alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from plan_bench import PlanBench


class Case(NamedTuple):
    """NumPy's function, and for each operand the interval in which it is defined and smooth enough to be tried."""

    function: Callable[..., Any]
    domains: tuple[tuple[float, float], ...]


_EVERYWHERE, _POSITIVE, _UNIT = (-3.0, 3.0), (0.1, 4.0), (-0.9, 0.9)
_erf = np.frompyfunc(math.erf, 1, 1)


def _one(function: Callable[..., Any], domain: tuple[float, float] = _EVERYWHERE) -> Case:
    return Case(function, (domain,))


def _two(function: Callable[..., Any], first=_EVERYWHERE, second=_EVERYWHERE) -> Case:
    return Case(function, (first, second))


FUNCTIONS = {
    "identity": _one(np.positive),
    "stop_gradient": _one(np.positive),
    "negative": _one(np.negative),
    "abs": _one(np.abs),
    "sign": _one(np.sign),
    "square": _one(np.square),
    "sqrt": _one(np.sqrt, _POSITIVE),
    "rsqrt": _one(lambda x: 1 / np.sqrt(x), _POSITIVE),
    "reciprocal": _one(lambda x: 1 / x, _POSITIVE),
    "exp": _one(np.exp),
    "expm1": _one(np.expm1),
    "exp2": _one(np.exp2),
    "log": _one(np.log, _POSITIVE),
    "log1p": _one(np.log1p, _UNIT),
    "log2": _one(np.log2, _POSITIVE),
    "log10": _one(np.log10, _POSITIVE),
    "sin": _one(np.sin),
    "cos": _one(np.cos),
    "tan": _one(np.tan, _UNIT),
    "arcsin": _one(np.arcsin, _UNIT),
    "arccos": _one(np.arccos, _UNIT),
    "arctan": _one(np.arctan),
    "sinh": _one(np.sinh),
    "cosh": _one(np.cosh),
    "arcsinh": _one(np.arcsinh),
    "arccosh": _one(np.arccosh, (1.1, 4.0)),
    "arctanh": _one(np.arctanh, _UNIT),
    "erf": _one(lambda x: _erf(x).astype(x.dtype)),
    "floor": _one(np.floor),
    "ceil": _one(np.ceil),
    "trunc": _one(np.trunc),
    "round": _one(np.round),
    "isnan": _one(np.isnan),
    "isinf": _one(np.isinf),
    "isfinite": _one(np.isfinite),
    "logical_not": _one(np.logical_not),
    "add": _two(np.add),
    "subtract": _two(np.subtract),
    "multiply": _two(np.multiply),
    "divide": _two(np.divide, _EVERYWHERE, _POSITIVE),
    "power": _two(np.power, _POSITIVE, _EVERYWHERE),
    "maximum": _two(np.maximum),
    "minimum": _two(np.minimum),
    "floor_divide": _two(np.floor_divide, _EVERYWHERE, (0.5, 4.0)),
    "remainder": _two(np.remainder, _EVERYWHERE, (0.5, 4.0)),
    "arctan2": _two(np.arctan2, _EVERYWHERE, _POSITIVE),
    "logaddexp": _two(np.logaddexp),
    "equal": _two(np.equal),
    "not_equal": _two(np.not_equal),
    "greater": _two(np.greater),
    "greater_equal": _two(np.greater_equal),
    "less": _two(np.less),
    "less_equal": _two(np.less_equal),
    "logical_and": _two(np.logical_and),
    "logical_or": _two(np.logical_or),
    "logical_xor": _two(np.logical_xor),
    "where": Case(lambda a, b, c: np.where(a != 0, b, c), (_EVERYWHERE, _EVERYWHERE, _EVERYWHERE)),
    "clip": Case(lambda a, b, c: np.minimum(np.maximum(a, b), c), (_EVERYWHERE, (-2.0, 0.0), (0.1, 2.0))),
}
# Those that pass no derivative on.
FLAT = {
    *("stop_gradient", "sign", "floor", "ceil", "trunc", "round", "isnan", "isinf", "isfinite", "logical_not"),
    *("floor_divide", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
    *("logical_and", "logical_or", "logical_xor"),
}


class Bench(PlanBench):
    """An expression of buffers, and of parameters where there are any, at work on n samples.

    `shapes` are those of a sample of each buffer; the operands are the buffers, then the parameters.
    """

    def __init__(
        self,
        shapes: list[tuple[int, ...]],
        shape: tuple[int, ...],
        instructions: list[Instruction],
        *,
        constants: tuple[float, ...] = (),
        **more: Any,
    ) -> None:
        def build(plan: NetworkPlan, sources: list[int], variables: list[Variable]) -> int:
            operands = [Operand(source, each) for source, each in zip(sources, shapes, strict=True)]
            operands += [Operand(variable, variable.array.shape) for variable in variables]
            expression = Expression(tuple(operands), constants, tuple(instructions))
            return plan.add_expression(expression, shape, layer="expression")

        super().__init__(shapes, build, **more)
        self.shape = shape  # () for a number


def drawn(generator: np.random.Generator, domain: tuple[float, float], shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of an interval that are whole eighths, a sixteenth beside where functions jump or bend."""
    low, high = domain
    return np.clip(
        np.round(generator.uniform(low, high, shape) * 8) / 8 + 1 / 16 + generator.uniform(0, 0.01, shape), low, high
    )


def evaluated(instructions: list[Instruction], operands: list[np.ndarray], constants: tuple[float, ...]) -> np.ndarray:
    """Return what instructions give by NumPy."""
    values: list[Any] = [*operands, *constants]
    for instruction in instructions:
        result = FUNCTIONS[instruction.name].function(*(np.asarray(values[i]) for i in instruction.operands))
        values.append(np.asarray(result, np.float64))
    return np.asarray(values[-1])
