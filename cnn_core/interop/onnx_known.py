"""Which layer a formula is: a function is known by what it makes of sample rows, however it is written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.interop.onnx_formulas import Formula
from cnn_core.layers.activation import Activation as ActivationLayer
from cnn_core.layers.activation import PReLU
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.normalization import LayerNormalization, RMSNormalization, UnitNormalization
from cnn_core.layers.preprocessing import Discretization, Rescaling
from cnn_core.layers.reshaping import Flatten, Reshape
from cnn_core.layers.tabular import ParametricActivation, PeriodicEmbedding
from cnn_core.network.graph import Symbol

_ARGUMENTS = 12  # formulas inside one that may be what its layer reads
_SCALARS = 8  # constants that may be a layer's settings
LARGEST = 1 << 22  # numbers in a matrix that stands for a formula
_SIZE = 32  # numbers that are compared before all are


class Step(NamedTuple):
    """A layer, and its weights."""

    layer: Layer
    weights: list[Array]


class Known(NamedTuple):
    """Layers one after another, and what the first of them reads."""

    argument: Formula | Symbol
    steps: list[Step]


class Pair(NamedTuple):
    """What a formula makes of an argument: the sample rows of both, and the formula's constants."""

    formula: Formula
    argument: Formula | Symbol
    x: Array
    y: Array
    scalars: list[float]
    vectors: list[Array]


ALONE: tuple[Activation, ...] = (
    activations.relu,
    activations.sigmoid,
    activations.tanh,
    activations.silu,
    activations.gelu,
    activations.GELU(approximate=True),
    activations.mish,
    activations.softplus,
    activations.softsign,
    activations.selu,
    activations.relu6,
    activations.hard_sigmoid,
    activations.hard_silu,
    activations.hard_tanh,
    activations.log_sigmoid,
    activations.exponential,
    activations.elu,
    activations.squareplus,
    activations.tanh_shrink,
    activations.sparse_plus,
    activations.sparse_sigmoid,
    activations.LeakyReLU(-1.0),  # the absolute value
)
# Activations with settings, by how many they have.
SET: tuple[tuple[int, Callable[..., Activation]], ...] = (
    (1, activations.LeakyReLU),
    (1, activations.ELU),
    (1, activations.CELU),
    (1, activations.SoftShrink),
    (1, activations.HardShrink),
    (1, activations.Squareplus),
    (1, lambda highest: activations.ReLU(max_value=highest)),
    (2, activations.Threshold),
    (2, lambda slope, threshold: activations.ReLU(slope, None, threshold)),
    (3, activations.ReLU),
)


def _candidates(scalars: list[float]) -> Iterator[Activation]:
    yield from ALONE
    for n, make in SET:
        for settings in itertools.permutations(scalars, n):
            try:
                yield make(*settings)
            except ValueError:  # settings that it does not take
                continue


def close(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether numbers are the same up to the rounding of constants to float32."""
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance / 10, equal_nan=True))


def _activation(pair: Pair) -> list[Step] | None:
    if pair.x.shape != pair.y.shape:
        return None
    places = np.linspace(0, pair.x.size - 1, _SIZE).astype(int)
    x, y = pair.x.reshape(-1)[places], pair.y.reshape(-1)[places]
    for activation in _candidates(pair.scalars):
        if close(activation(x), y) and close(activation(pair.x), pair.y):
            return [Step(ActivationLayer(activation), [])]
    return None


def _of_rows(pair: Pair) -> list[Step] | None:
    for activation in (activations.softmax, activations.log_softmax, activations.glu):
        if pair.x.shape[-1] > 1 and pair.x.shape[-1] % 2 and activation is activations.glu:
            continue
        if pair.x.shape[:-1] == pair.y.shape[:-1] and pair.x.shape[-1] > 1:
            found = activation(pair.x)
            if found.shape == pair.y.shape and close(found, pair.y):
                return [Step(ActivationLayer(activation), [])]
    return None


def _normalization(pair: Pair) -> list[Step] | None:
    x = pair.x
    if x.shape != pair.y.shape or x.size == len(x):
        return None
    for first in range(x.ndim - 1, 0, -1):
        axes = tuple(range(first, x.ndim))
        squares = np.mean(x * x, axis=axes, keepdims=True)
        if close(x / np.maximum(np.sqrt(squares * math.prod(x.shape[first:])), 1e-12), pair.y):
            return [Step(UnitNormalization(axes), [])]
        centred = x - x.mean(axis=axes, keepdims=True)
        variance = np.mean(centred * centred, axis=axes, keepdims=True)
        for epsilon in (each for each in pair.scalars if 0 < each < 1):
            if close(centred / np.sqrt(variance + epsilon), pair.y):
                return [Step(LayerNormalization(axes, epsilon, center=False, scale=False), [])]
            if close(x / np.sqrt(squares + epsilon), pair.y):
                return [Step(RMSNormalization(axes, epsilon), [np.ones(x.shape[first:])])]
    return None


def _by_feature(pair: Pair) -> list[Step] | None:
    """Layers with a number for each feature: slopes of PReLU, or shares of an activation."""
    if pair.x.shape != pair.y.shape or pair.x.ndim != 2:
        return None
    for vector in pair.vectors:
        if vector.size != pair.x.shape[-1]:
            continue
        factor = vector.reshape(-1)
        for slope in (factor, -factor):
            if close(np.where(pair.x < 0, slope * pair.x, pair.x), pair.y):
                return [Step(PReLU(), [slope])]
        for activation in ALONE:
            if close(pair.x[:2] + factor * (activation(pair.x[:2]) - pair.x[:2]), pair.y[:2]) and close(
                pair.x + factor * (activation(pair.x) - pair.x), pair.y
            ):
                return [Step(ParametricActivation(activation), [factor])]
    return None


def _bins(pair: Pair) -> list[Step] | None:
    for vector in pair.vectors:
        bounds = vector.reshape(-1)
        if pair.x.shape == pair.y.shape and (np.diff(bounds) > 0).all():
            found = np.searchsorted(bounds, pair.x, side="right")
            if np.array_equal(found, pair.y):
                return [Step(Discretization(bounds.tolist()), [])]
    return None


def _periodic(pair: Pair) -> list[Step] | None:
    weights = [each for each in pair.formula.constants() if each.ndim == 3]
    if len(weights) != 4 or pair.x.ndim != 2 or any(len(each) != pair.x.shape[1] for each in weights):
        return None
    frequencies, phases, coefficients, offsets = weights
    numbers = pair.x[:, :, None, None]
    turn = float(frequencies.dtype.type(2 * math.pi))
    sums = np.cos(turn * numbers * frequencies + phases) @ coefficients + offsets
    if not close(np.concatenate([sums, numbers], axis=3).reshape(len(numbers), -1), pair.y):
        return None
    n, waves, width = coefficients.shape
    shapes = ((n, waves), (n, waves), (n, waves, width), (n, width))
    layer = PeriodicEmbedding(waves, width)
    return [Step(layer, [each.reshape(shape) for each, shape in zip(weights, shapes, strict=True)])]


def _rescaling(pair: Pair) -> list[Step] | None:
    """``a x + b`` with numbers, or one for each position of the last axis."""
    if pair.x.shape != pair.y.shape or pair.y.dtype.kind != "f":
        return None
    sizes = (1, *pair.x.shape[1:])
    offset, end = (pair.formula.at(pair.argument, make(sizes), LARGEST) for make in (np.zeros, np.ones))
    factor = end - offset
    if not close(pair.x * factor + offset, pair.y, 1e-7):
        return None
    settings = []
    for each in (factor, offset):
        rows = each.reshape(-1, each.shape[-1])
        if (rows != rows[0]).any():
            return None
        settings.append(float(rows[0, 0]) if (rows[0] == rows[0, 0]).all() else rows[0].tolist())
    return [Step(Rescaling(*settings), [])]


# The first that fits is taken.
ROWS: tuple[Callable[[Pair], list[Step] | None], ...] = (
    _activation,
    _of_rows,
    _normalization,
    _by_feature,
    _bins,
    _periodic,
    _rescaling,
)


def recognize(formula: Formula) -> Known | None:
    """Return the layer that a formula is, None if it is none.

    Examples
    --------
    >>> from cnn_core import Input
    >>> from cnn_core.interop.onnx_formulas import Samples
    >>> x, samples = Input((3,)), Samples([], 10**6)
    >>> (half,) = samples.formulas("a", "Sigmoid", {}, [x], 1)
    >>> (formula,) = samples.formulas("b", "Mul", {}, [x, half], 1)
    >>> recognize(formula).steps[0].layer.activation
    silu
    """
    if formula.values.dtype.kind == "b":
        return None
    scalars, vectors = _settings(formula)
    with np.errstate(all="ignore"):
        for argument, x in _arguments(formula):
            if x.shape == formula.values.shape and np.array_equal(x, formula.values, equal_nan=True):
                return Known(argument, [])
            pair = Pair(formula, argument, x, formula.values, scalars, vectors)
            for row in ROWS:
                if (steps := _found(row, pair)) is not None:
                    return Known(argument, steps)
    return None


def _found(row: Callable[[Pair], list[Step] | None], pair: Pair) -> list[Step] | None:
    try:
        return row(pair)
    except (ValueError, TypeError, IndexError, ArithmeticError):  # it cannot be computed for this argument
        return None


def _arguments(formula: Formula) -> Iterator[tuple[Formula | Symbol, Array]]:
    """Yield what the layer may read, and its sample rows: the base first, then formulas inside."""
    base_rows = formula.base_rows
    yield formula.base, base_rows
    for each in formula.inner()[:-1][-_ARGUMENTS:]:
        if each.values.dtype.kind != "b":
            yield each, each.values


def _settings(formula: Formula) -> tuple[list[float], list[Array]]:
    """The constants of a formula: numbers, and arrays of which each position may have one."""
    numbers: dict[float, None] = {}
    vectors = []
    for each in formula.constants():
        if each.size == 1:
            numbers[float(each.reshape(-1)[0])] = None
        else:
            vectors.append(each)
    for inner in formula.inner():
        numbers.update(dict.fromkeys(each for each in inner.attributes.values() if isinstance(each, float)))
    return list(numbers)[:_SCALARS], vectors[:_SCALARS]


def as_product(formula: Formula) -> Known | None:
    """Return a formula of the whole sample that is ``x . W + b`` as a Dense layer that is not trained, else None."""
    if formula.values.ndim == 1:
        return None  # a number for each sample, where a Dense layer gives a row of one
    operand = next((each for each in formula.operands if isinstance(each, (Formula, Symbol))), formula.base)
    for argument in dict.fromkeys([operand, formula.base]):
        x = formula.base_rows if isinstance(argument, Symbol) else argument.values
        width, made = math.prod(x.shape[1:]), math.prod(formula.values.shape[1:])
        is_linear_at_all = formula.values.dtype.kind == x.dtype.kind == "f" and np.isfinite(formula.values).all()
        if not is_linear_at_all or not np.isfinite(x).all() or (width + 1) * max(width, made) > LARGEST:
            continue
        rows = np.concatenate([np.zeros((1, width)), np.eye(width)]).reshape(-1, *x.shape[1:])
        try:
            values = formula.at(argument, rows, LARGEST).reshape(width + 1, made)
        except ValueError:
            continue
        with np.errstate(all="ignore"):
            kernel, bias = values[1:] - values[0], values[0]
            product = x.reshape(len(x), -1) @ kernel + bias
        values = formula.values.reshape(len(x), -1)
        if np.allclose(product, values, rtol=1e-7, atol=1e-9 * max(1.0, np.abs(values).max())):
            return Known(argument, _product(kernel, bias, x.ndim, formula.values.shape[1:]))
    return None


def _product(kernel: Array, bias: Array, rank: int, sizes: tuple[int, ...]) -> list[Step]:
    use_bias = bool(bias.any())
    dense = Step(Dense(len(bias), use_bias=use_bias, trainable=False), [kernel, bias] if use_bias else [kernel])
    before = [Step(Flatten(), [])] if rank > 2 else []
    after = [Step(Reshape(sizes), [])] if len(sizes) > 1 else []
    return [*before, dense, *after]
