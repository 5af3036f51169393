"""Functions of one element of each operand: NumPy's for arrays; for symbols native code's, in one pass over rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.variables import Variable
from cnn_core.ops.broadcasting import broadcast
from cnn_core.ops.dtypes import as_array, as_floats, as_value, is_float, promoted
from cnn_core.ops.operation import Function, Spec, is_symbolic, shape_of

Kind = Literal["float", "same", "bool"]
# Reads the operands' values, writes instructions and returns the value of the result.
Writing = Callable[["Draft", list[int], Mapping[str, Any]], int]


class Draft:
    """An expression being written; values are numbered from 0 for operands, from -1 downwards for all others."""

    def __init__(self) -> None:
        self.operands: list[Operand] = []
        self._constants: list[float] = []
        self._steps: list[tuple[str, tuple[int, ...], tuple[float, ...]] | float] = []

    def operand(self, source: int | Variable, shape: tuple[int, ...]) -> int:
        """Return the value of a buffer or a variable, read once however often it is used."""
        for number, known in enumerate(self.operands):
            is_buffer = isinstance(source, int) and isinstance(known.source, int)
            same = known.source == source if is_buffer else known.source is source
            if same and known.shape == shape:
                return number
        self.operands.append(Operand(source, shape))
        return len(self.operands) - 1

    def constant(self, value: float) -> int:
        """Return the value of a number."""
        return self._step(float(value))

    def number(self, value: int) -> float | None:
        """Return the number that a value is, if it is a constant."""
        step = None if value >= 0 else self._steps[-1 - value]
        return step if isinstance(step, float) else None

    def apply(self, name: str, *values: int, parameters: Sequence[float] = ()) -> int:
        """Return the value that an instruction gives."""
        return self._step((name, values, tuple(parameters)))

    def _step(self, step: Any) -> int:
        for number, known in enumerate(self._steps):
            if known == step and type(known) is type(step):
                return -1 - number
        self._steps.append(step)
        return -len(self._steps)

    def finished(self, result: int) -> Expression:
        """Return the expression, which ends with `result`."""
        if result >= 0 or isinstance(self._steps[-1 - result], float):
            result = self.apply("identity", result)
        constants = [step for step in self._steps if isinstance(step, float)]
        place: dict[int, int] = {number: number for number in range(len(self.operands))}
        n_constants, n_instructions = 0, 0
        for number, step in enumerate(self._steps):
            if isinstance(step, float):
                place[-1 - number] = len(self.operands) + n_constants
                n_constants += 1
            else:
                place[-1 - number] = len(self.operands) + len(constants) + n_instructions
                n_instructions += 1
        instructions = [
            Instruction(step[0], tuple(place[value] for value in step[1]), step[2])
            for step in self._steps
            if not isinstance(step, float)
        ]
        return Expression(tuple(self.operands), tuple(constants), tuple(instructions))


class Elementwise(Function):
    """A function of one element of each operand.

    Parameters
    ----------
    name, class_name, module
        See `Function`.
    compute : callable
        What NumPy computes.
    kind : {"float", "same", "bool"}, default "float"
        The result's dtype: a float, that of the operands, or bool.
    write : callable, default None
        Writes the function into an expression; None: the instruction of this name.
    cheap : bool, default True
        Whether computing it twice costs less than to store and load the result.
    """

    def __init__(
        self,
        name: str,
        class_name: str,
        compute: Callable[..., Any],
        kind: Kind = "float",
        *,
        module: str = "numpy",
        write: Writing | None = None,
        cheap: bool = True,
        static: Sequence[str] = (),
    ) -> None:
        super().__init__(name, class_name, module, static)
        self._compute = compute
        self.kind = kind
        self._write = write
        self.cheap = cheap

    def __call__(self, *operands: object, **settings: object) -> Any:
        """Compute with arrays, or add the function to the graph of symbols."""
        if is_symbolic(*operands):
            return self.on([as_value(operand) for operand in operands], **settings)
        return self.of_arrays(list(map(as_value, operands)), settings)

    def result(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> str:
        """Return the result's dtype."""
        if self.kind == "bool":
            return "bool"
        dtype = promoted(operands)
        return as_floats(dtype) if self.kind == "float" else dtype

    def computed_in(self, operands: Sequence[Any]) -> str:
        """Return the dtype that NumPy computes in."""
        return as_floats(promoted(operands)) if self.kind == "float" else promoted(operands)

    def of_arrays(self, operands: list[Any], settings: Mapping[str, Any]) -> Array:
        """Compute with NumPy; infinities and NaN come without a warning."""
        arrays = [as_array(operand, self.computed_in(operands)) for operand in operands]
        with np.errstate(all="ignore"):
            return np.asarray(self._compute(*arrays, **settings), self.result(operands, settings))

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec(broadcast(list(map(shape_of, operands)), self.name), self.result(operands, settings))]

    def write(self, draft: Draft, values: list[int], settings: Mapping[str, Any]) -> int:
        """Write the function into an expression and return the value of its result."""
        if self._write is not None:
            return self._write(draft, values, settings)
        return draft.apply(self.name, *values)


def number_of(value: object) -> float | None:
    """Return the number that an operand is, if it is one."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    return float(value.reshape(-1)[0]) if isinstance(value, np.ndarray) and value.size == 1 else None


def _unary(
    name: str, class_name: str, compute: Callable[..., object], kind: Kind = "float", **more: Any
) -> Elementwise:
    return Elementwise(name, class_name, compute, kind, **more)


def _inverse_root(x: Array) -> Array:
    return 1 / np.sqrt(x)


def _erf(x: Array) -> Array:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), x.dtype)


def _write_cast(draft: Draft, values: list[int], settings: Mapping[str, object]) -> int:
    (value,) = values
    if settings["dtype"] == "bool":
        return draft.apply("not_equal", value, draft.constant(0))
    return value if is_float(settings["dtype"]) else draft.apply("trunc", value)


class _Cast(Elementwise):
    def result(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> str:
        return str(settings["dtype"])

    def computed_in(self, operands: Sequence[Any]) -> str:
        return promoted(operands)


class _Where(Elementwise):
    def result(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> str:
        return promoted(operands[1:])

    def of_arrays(self, operands: list[Any], settings: Mapping[str, Any]) -> Array:
        dtype = promoted(operands[1:])
        return np.where(as_array(operands[0], "bool"), as_array(operands[1], dtype), as_array(operands[2], dtype))


def _write_clip(draft: Draft, values: list[int], settings: Mapping[str, Any]) -> int:
    return draft.apply("clip", values[0], draft.constant(settings["x_min"]), draft.constant(settings["x_max"]))


def _clip(x: Array, x_min: float, x_max: float) -> Array:
    return np.minimum(np.maximum(x, x_min), x_max)


def _write_round(draft: Draft, values: list[int], settings: Mapping[str, Any]) -> int:
    scale = 10.0 ** settings.get("decimals", 0)
    if scale == 1:
        return draft.apply("round", *values)
    scaled = draft.apply("round", draft.apply("multiply", values[0], draft.constant(scale)))
    return draft.apply("divide", scaled, draft.constant(scale))


# Powers that have a function of their own, which costs less.
_POWERS = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt"}


def _write_power(draft: Draft, values: list[int], settings: Mapping[str, object]) -> int:
    base, exponent = values
    number = draft.number(exponent)
    if number == 1:
        return base
    if number == 3:
        return draft.apply("multiply", draft.apply("square", base), base)
    return draft.apply(_POWERS[number], base) if number in _POWERS else draft.apply("power", base, exponent)


def _write_without_nan(draft: Draft, values: list[int], settings: Mapping[str, Any]) -> int:
    (value,) = values
    for test, bound, found in (
        ("isnan", value, settings["nan"]),
        ("equal", draft.constant(math.inf), settings["posinf"]),
        ("equal", draft.constant(-math.inf), settings["neginf"]),
    ):
        met = draft.apply("isnan", values[0]) if test == "isnan" else draft.apply("equal", values[0], bound)
        value = draft.apply("where", met, draft.constant(found), value)
    return value


def _without_nan(x: Array, nan: float, posinf: float | None, neginf: float | None) -> Array:
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


absolute = _unary(
    "absolute", "Absolute", np.abs, "same", write=lambda draft, values, settings: draft.apply("abs", *values)
)
add = Elementwise("add", "Add", np.add, "same")
arccos = _unary("arccos", "Arccos", np.arccos, cheap=False)
arccosh = _unary("arccosh", "Arccosh", np.arccosh, cheap=False)
arcsin = _unary("arcsin", "Arcsin", np.arcsin, cheap=False)
arcsinh = _unary("arcsinh", "Arcsinh", np.arcsinh, cheap=False)
arctan = _unary("arctan", "Arctan", np.arctan, cheap=False)
arctan2 = Elementwise("arctan2", "Arctan2", np.arctan2, cheap=False)
arctanh = _unary("arctanh", "Arctanh", np.arctanh, cheap=False)
ceil = _unary("ceil", "Ceil", np.ceil)
cos = _unary("cos", "Cos", np.cos, cheap=False)
cosh = _unary("cosh", "Cosh", np.cosh, cheap=False)
divide = Elementwise("divide", "Divide", np.true_divide)
equal = Elementwise("equal", "Equal", np.equal, "bool")
erf = _unary("erf", "Erf", _erf, module="math", cheap=False)
exp = _unary("exp", "Exp", np.exp, cheap=False)
exp2 = _unary("exp2", "Exp2", np.exp2, cheap=False)
expm1 = _unary("expm1", "Expm1", np.expm1, cheap=False)
floor = _unary("floor", "Floor", np.floor)
floor_divide = Elementwise("floor_divide", "FloorDivide", np.floor_divide, "same")
greater = Elementwise("greater", "Greater", np.greater, "bool")
greater_equal = Elementwise("greater_equal", "GreaterEqual", np.greater_equal, "bool")
isfinite = _unary("isfinite", "Isfinite", np.isfinite, "bool")
isinf = _unary("isinf", "Isinf", np.isinf, "bool")
isnan = _unary("isnan", "Isnan", np.isnan, "bool")
less = Elementwise("less", "Less", np.less, "bool")
less_equal = Elementwise("less_equal", "LessEqual", np.less_equal, "bool")
log = _unary("log", "Log", np.log, cheap=False)
log10 = _unary("log10", "Log10", np.log10, cheap=False)
log1p = _unary("log1p", "Log1p", np.log1p, cheap=False)
log2 = _unary("log2", "Log2", np.log2, cheap=False)
logaddexp = Elementwise("logaddexp", "Logaddexp", np.logaddexp, cheap=False)
logical_and = Elementwise("logical_and", "LogicalAnd", np.logical_and, "bool")
logical_not = _unary("logical_not", "LogicalNot", np.logical_not, "bool")
logical_or = Elementwise("logical_or", "LogicalOr", np.logical_or, "bool")
logical_xor = Elementwise("logical_xor", "LogicalXor", np.logical_xor, "bool")
maximum = Elementwise("maximum", "Maximum", np.maximum, "same")
minimum = Elementwise("minimum", "Minimum", np.minimum, "same")
mod = Elementwise("mod", "Mod", np.mod, "same", write=lambda draft, values, settings: draft.apply("remainder", *values))
multiply = Elementwise("multiply", "Multiply", np.multiply, "same")
negative = _unary("negative", "Negative", np.negative, "same")
not_equal = Elementwise("not_equal", "NotEqual", np.not_equal, "bool")
power = Elementwise("power", "Power", np.power, "same", write=_write_power, cheap=False)
reciprocal = _unary("reciprocal", "Reciprocal", np.reciprocal)
rsqrt = _unary("rsqrt", "Rsqrt", _inverse_root, module="math")
sign = _unary("sign", "Sign", np.sign, "same")
sin = _unary("sin", "Sin", np.sin, cheap=False)
sinh = _unary("sinh", "Sinh", np.sinh, cheap=False)
sqrt = _unary("sqrt", "Sqrt", np.sqrt)
square = _unary("square", "Square", np.square, "same")
stop_gradient = _unary("stop_gradient", "StopGradient", np.asarray, "same", module="core")
subtract = Elementwise("subtract", "Subtract", np.subtract, "same")
tan = _unary("tan", "Tan", np.tan, cheap=False)
trunc = _unary("trunc", "Trunc", np.trunc, "same")
copy = _unary("copy", "Copy", np.copy, "same", write=lambda draft, values, settings: values[0])
cast_function = _Cast("cast", "Cast", lambda x, dtype: x, module="core", write=_write_cast)
where_function = _Where("where", "Where", np.where)
clip_function = Elementwise("clip", "Clip", _clip, "same", write=_write_clip)
round_function = Elementwise("round", "Round", np.round, "same", write=_write_round)
nan_to_num_function = Elementwise("nan_to_num", "NanToNum", _without_nan, "same", write=_write_without_nan)
