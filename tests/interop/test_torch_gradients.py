"""Random expressions of up to thirty functions of `ops`: values and derivatives as PyTorch's autograd has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnn_core import GradientTape, Variable, layers, ops

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.doors
TOLERANCES = {"float32": 2e-4, "float64": 1e-10}
SEEDS, PART = 200, 25
Step = tuple[Callable[..., Any], tuple[int, ...]]


class Torch:
    """Functions of PyTorch under the names, and with the arguments, that they have in `ops`."""

    absolute, add, arctan, clip, cos, cosh = torch.abs, torch.add, torch.arctan, torch.clamp, torch.cos, torch.cosh
    divide, erf, exp, expm1, floor = torch.div, torch.erf, torch.exp, torch.expm1, torch.floor
    hypot, log1p, logaddexp, matmul = torch.hypot, torch.log1p, torch.logaddexp, torch.matmul
    maximum, minimum, multiply, negative = torch.maximum, torch.minimum, torch.multiply, torch.negative
    relu, rsqrt, sigmoid, sin, sinh = torch.relu, torch.rsqrt, torch.sigmoid, torch.sin, torch.sinh
    sqrt, square, subtract, tanh, where = torch.sqrt, torch.square, torch.subtract, torch.tanh, torch.where
    arctan2, arcsinh, reshape, transpose = torch.arctan2, torch.arcsinh, torch.reshape, torch.permute
    concatenate, stack = torch.cat, torch.stack
    elu, gelu, selu = torch.nn.functional.elu, torch.nn.functional.gelu, torch.nn.functional.selu
    silu, softplus, softsign = torch.nn.functional.silu, torch.nn.functional.softplus, torch.nn.functional.softsign
    log_sigmoid, softmax, log_softmax = torch.nn.functional.logsigmoid, torch.softmax, torch.log_softmax
    max, min, sum, mean, cumsum, logsumexp = (
        torch.amax,
        torch.amin,
        torch.sum,
        torch.mean,
        torch.cumsum,
        torch.logsumexp,
    )
    cumprod, stop_gradient = torch.cumprod, torch.detach

    @staticmethod
    def var(x: Any, axis: Any, keepdims: bool = False) -> Any:
        """Divide by how many there are."""
        return torch.mean((x - torch.mean(x, dim=axis, keepdim=True)) ** 2, dim=axis, keepdim=keepdims)

    @staticmethod
    def prod(x: Any, axis: int, keepdims: bool = False) -> Any:
        """Multiply along one axis."""
        return torch.prod(x, dim=axis, keepdim=keepdims)

    @staticmethod
    def flip(x: Any, axis: int) -> Any:
        """Reverse one axis."""
        return torch.flip(x, (axis,))

    @staticmethod
    def roll(x: Any, shift: int, axis: int) -> Any:
        """Move along one axis, around its end."""
        return torch.roll(x, shift, (axis,))

    @staticmethod
    def take(x: Any, indices: list[int], axis: int) -> Any:
        """Choose along one axis."""
        return torch.index_select(x, axis, torch.tensor(indices))

    @staticmethod
    def sort(x: Any, axis: int) -> Any:
        """Sort along one axis."""
        return torch.sort(x, dim=axis).values


def named(name: str, **settings: Any) -> Callable[..., Any]:
    """Return a function of a module, and of the operands, that calls what has a name there."""
    return lambda module, *operands: getattr(module, name)(*operands, **settings)


ALONE = [
    *map(named, (
        "absolute", "arctan", "arcsinh", "cos", "cosh", "elu", "erf", "exp", "expm1", "log_sigmoid", "negative", "relu",
        "selu", "sigmoid", "silu", "sin", "sinh", "softplus", "softsign", "square", "tanh", "stop_gradient",
    )),
    lambda module, x: module.gelu(x, approximate=(module is ops) or "tanh"),
    lambda module, x: module.gelu(x, approximate=False if module is ops else "none"),
    lambda module, x: module.sqrt(module.square(x) + 0.1),
    lambda module, x: module.rsqrt(module.square(x) + 0.1),
    lambda module, x: module.log1p(module.absolute(x)),
    lambda module, x: module.clip(x, -0.513, 0.787),
    lambda module, x: x - module.floor(3 * x + 0.137),
    lambda module, x: 1.0 / (1.0 + x**2) - x * 0.5,
    lambda module, x: (x * x + 0.2) ** 1.7,
    lambda module, x: x**3 - 2.0,
]  # fmt: skip
PAIRS = [
    *map(named, ("add", "subtract", "multiply", "logaddexp", "maximum", "minimum")),
    lambda module, x, y: x / (1.0 + module.absolute(y)),
    lambda module, x, y: module.where(x + 0.137 > y, x * y, y),
    lambda module, x, y: module.hypot(x, y * y + 1.0),
    lambda module, x, y: module.arctan2(x, y * y + 0.5),
    lambda module, x, y: (x * x + 0.3) ** y,
]
REDUCTIONS = ["sum", "mean", "var", "logsumexp", "max", "min", "prod"]


class Drawn:
    """A random expression: operands, of which the last three become variables, and steps, each of earlier values.

    Axes have up to four elements, and not seldom one, or at least `fewest`.
    """

    def __init__(self, seed: int, dtype: str, fewest: int) -> None:
        self.draw = np.random.default_rng(seed)
        rows, columns = (max(fewest, int(size)) for size in self.draw.choice([0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4], 2))
        self.n = int(self.draw.integers(1, 4))
        shapes = [(self.n, rows, columns), (self.n, 1, columns), (columns,), (rows, 1), (columns, 3)]
        self.operands = [self.draw.normal(size=shape).astype(dtype) for shape in shapes]
        self.steps: list[Step] = []
        self.leaves = [torch.tensor(each, requires_grad=True) for each in self.operands]
        self.values = list(self.leaves)
        for _ in range(int(self.draw.integers(1, 31))):
            self.grow()

    def among(self, options: Any) -> Any:
        return options[int(self.draw.integers(len(options)))]

    def grow(self) -> None:
        """Add a step; a wide function around it keeps its value small."""
        place = self.among([0, 1, *range(5, len(self.values))][-4:])
        x = self.values[place]
        make = self.among([self.alone, self.alone, self.paired, self.paired, self.reduced, self.placed, self.product])
        function, *others = make(x, place)
        width = float(self.draw.uniform(0.5, 1.5))
        bounded = self.draw.integers(4)

        def step(module: Any, *operands: Any) -> Any:
            made = function(module, *operands)
            return module.tanh(width * made) if bounded else made / (1.0 + module.square(made))

        places = (place, *others)
        self.values.append(step(Torch, *(self.values[each] for each in places)))
        self.steps.append((step, places))

    def alone(self, x: Any, place: int) -> tuple[Any, ...]:
        return (self.among(ALONE),)

    def paired(self, x: Any, place: int) -> tuple[Any, ...]:
        """Join two values, of which one may be broadcast to the other; or a value with itself."""
        others = [at for at, each in enumerate(self.values) if fits(x.shape, each.shape)]
        function, swapped = self.among(PAIRS), self.draw.integers(2)
        return (lambda module, x, y: function(module, y, x) if swapped else function(module, x, y), self.among(others))

    def reduced(self, x: Any, place: int) -> tuple[Any, ...]:
        """Reduce an axis, at times that of the samples, and subtract what is found."""
        axis = int(self.draw.integers(x.ndim))
        names = REDUCTIONS if x.shape[axis] else ["sum", "prod"]
        name, alone = self.among(names), axis and x.ndim == 3 and self.draw.integers(3)

        def reduced(module: Any, x: Any) -> Any:
            found = getattr(module, name)(x, axis=axis, keepdims=True)
            return found if alone else x - found

        return (reduced,)

    def placed(self, x: Any, place: int) -> tuple[Any, ...]:
        """Move, choose, join or sort along an axis of the samples."""
        axis = int(self.draw.integers(1, x.ndim))
        size = x.shape[axis]
        first = int(self.draw.integers(size)) if size else 0
        cut = (slice(None),) * axis + (slice(first, None, self.among([1, 2])),)
        options = [
            named("flip", axis=axis),
            named("roll", shift=1, axis=axis),
            named("cumsum", axis=axis),
            named("softmax", axis=axis) if size else named("exp"),
            named("log_softmax", axis=axis) if size else named("exp"),
            lambda module, x: x[cut],
            lambda module, x: module.concatenate([x[:, :1], module.sin(x)], axis=1) if size < 6 else x,
            lambda module, x: module.transpose(x, (0, 2, 1)),
            lambda module, x: module.reshape(x, (x.shape[0], *x.shape[:0:-1])),
            lambda module, x: module.sort(x + module.sin(3 * x), axis=axis),
            lambda module, x: module.cumprod(module.tanh(x), axis=axis),
            named("take", indices=self.draw.integers(size, size=3).tolist(), axis=axis) if size else named("tanh"),
        ]
        return (self.among(options),)

    def product(self, x: Any, place: int) -> tuple[Any, ...]:
        """Multiply matrices: by a variable if it fits, else by the value's own transpose."""
        if x.shape[-1] == self.values[4].shape[0] and self.draw.integers(2):
            return named("matmul"), 4
        return (lambda module, x: module.matmul(x, module.transpose(module.sin(x), (0, 2, 1))),)

    def run(self, module: Any, operands: list[Any]) -> Any:
        """Compute the steps; the end holds all operands."""
        values = list(operands)
        for function, places in self.steps:
            values.append(function(module, *(values[place] for place in places)))
        end = [module.sum(each * each, axis=(1, 2), keepdims=True) for each in values[:2]]
        end += [module.sum(values[2] ** 2), module.sum(values[3] ** 3), module.sum(values[4])]
        return values[-1] + 0.1 * (end[0] + end[1] + end[2] + end[3] + end[4])

    def answer(self, delta: Any) -> tuple[Any, list[Any]]:
        """Return PyTorch's value and derivatives."""
        value = self.run(Torch, self.leaves)
        value.backward(torch.from_numpy(delta))
        return value.detach().numpy(), [each.grad.numpy() for each in self.leaves]


def fits(shape: Any, other: Any) -> bool:
    """Tell whether the other shape is broadcast to a shape."""
    padded = (1,) * (len(shape) - len(other)) + tuple(other)
    return len(padded) == len(shape) and all(b in (1, a) for a, b in zip(shape, padded, strict=True))


class Written(layers.Layer):
    """The layer whose `call` is an expression of two inputs and three variables."""

    def __init__(self, drawn: Drawn, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.drawn = drawn

    def build(self, shapes: Any) -> None:
        """Make the variables."""
        self.kept = [self.add_weight(each.shape, name=f"w{at}") for at, each in enumerate(self.drawn.operands[2:])]
        for variable, value in zip(self.kept, self.drawn.operands[2:], strict=True):
            variable.assign(value)

    def call(self, inputs: Any) -> Any:
        return self.drawn.run(ops, [*inputs, *self.kept])


def close(ours: Any, theirs: Any, dtype: str, what: str) -> None:
    found = np.zeros_like(theirs) if ours is None else np.asarray(ours)
    assert (found.shape, found.dtype) == (theirs.shape, theirs.dtype), what
    scale = 1 + np.max(np.abs(theirs), initial=0)
    np.testing.assert_allclose(found, theirs, rtol=0, atol=TOLERANCES[dtype] * scale, err_msg=what)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_function_by_function(first: int, dtype: str):
    for seed in range(first, first + PART):
        drawn = Drawn(seed, dtype, fewest=0)
        tape = GradientTape()
        operands = [tape.watch(each) for each in drawn.operands[:2]]
        operands += [Variable(each, dtype=dtype) for each in drawn.operands[2:]]
        with tape:
            value = drawn.run(ops, operands)
            delta = np.random.default_rng(seed).normal(size=value.shape).astype(dtype)
            scalar = ops.sum(value * delta)
        known, derivatives = drawn.answer(delta)
        close(value, known, dtype, f"seed {seed}: value")
        for at, (ours, theirs) in enumerate(zip(tape.gradient(scalar, operands), derivatives, strict=True)):
            close(ours, theirs, dtype, f"seed {seed}: derivative of operand {at}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_as_one_layer(first: int, dtype: str):
    for seed in range(first, first + PART):
        drawn = Drawn(seed, dtype, fewest=1)
        layer = Written(drawn, dtype)
        value, cache = layer.forward(drawn.operands[:2])
        delta = np.random.default_rng(seed).normal(size=value.shape).astype(dtype)
        made, *of_variables = layer.backward(delta, cache)
        known, derivatives = drawn.answer(delta)
        close(value, known, dtype, f"seed {seed}: value")
        for at, (ours, theirs) in enumerate(zip([*made, *of_variables], derivatives, strict=True)):
            close(ours, theirs, dtype, f"seed {seed}: derivative of operand {at}")
