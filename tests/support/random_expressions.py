"""Random graphs of functions of `ops`, for the tests of the doors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core import Input, Model, layers, ops

SMOOTH: list[Callable[[Any], Any]] = [
    ops.tanh,
    ops.sin,
    ops.cos,
    ops.sigmoid,
    ops.softplus,
    ops.relu,
    ops.silu,
    lambda x: ops.gelu(x, approximate=True),
    lambda x: ops.exp(-ops.absolute(x)),
    lambda x: ops.sqrt(ops.square(x) + 0.1),
    lambda x: ops.log1p(ops.absolute(x)),
    lambda x: ops.expm1(ops.tanh(x)),
    lambda x: ops.absolute(x - ops.round(x)),
    lambda x: (x - 0.2) * ops.cast(x > 0.2, x.dtype),
    lambda x: ops.clip(x, -0.5, 0.8),
    lambda x: 1.0 / (1.0 + x**2) - 0.5 * x,
    lambda x: ops.softmax(x, axis=-1),
    lambda x: ops.log_softmax(x, axis=-1),
    lambda x: ops.normalize(x + 0.3, axis=-1),
    lambda x: x - ops.stop_gradient(ops.rsqrt(1.0 + ops.absolute(x))),
]
PAIRS: list[Callable[[Any, Any], Any]] = [
    ops.add,
    ops.subtract,
    ops.multiply,
    ops.maximum,
    ops.minimum,
    ops.logaddexp,
    lambda x, y: x / (1.0 + ops.absolute(y)),
    lambda x, y: ops.where(x > y, x, y) - 0.5,
    lambda x, y: ops.where(ops.logical_and(x > 0, y > 0), ops.minimum(x, y), 0.0),
    lambda x, y: ops.hypot(x, y + 1.0),
]
REDUCTIONS = [
    ops.sum,
    ops.mean,
    ops.max,
    ops.min,
    ops.logsumexp,
    ops.var,
    lambda x, **how: ops.prod(ops.tanh(x), **how),
]


class _Growing:
    """A graph that grows by one function at a time; its values stay small."""

    def __init__(self, draw: np.random.Generator, weight: Callable[[tuple[int, ...]], Any]) -> None:
        self.draw, self.weight = draw, weight

    def among(self, options: list[Any]) -> Any:
        return options[self.draw.integers(len(options))]

    def axis(self, x: Any) -> int:
        return int(self.draw.integers(1, x.ndim))

    def step(self, pool: list[Any]) -> Any:
        """Return one more value of two or three axes."""
        x = self.among(pool[-4:])
        made = self.among([self.alone, self.paired, self.reduced, self.placed, self.product, self.ordered])(x, pool)
        return ops.tanh(made) if self.draw.integers(3) else 0.5 * made

    def alone(self, x: Any, pool: list[Any]) -> Any:
        return self.among(SMOOTH)(x)

    def paired(self, x: Any, pool: list[Any]) -> Any:
        y = self.among([each for each in pool if each.shape == x.shape])
        other = self.among([y, self.weight(x.shape[1:]), self.weight((x.shape[-1],)), 0.7])
        return self.among(PAIRS)(*(x, other) if self.draw.integers(2) else (other, x))

    def reduced(self, x: Any, pool: list[Any]) -> Any:
        keepdims = x.ndim == 2 or bool(self.draw.integers(2))
        made = self.among(REDUCTIONS)(x, axis=self.axis(x), keepdims=keepdims)
        return x - made if keepdims and self.draw.integers(2) else made

    def placed(self, x: Any, pool: list[Any]) -> Any:
        axis, size = (at := self.axis(x)), x.shape[at]
        first = int(self.draw.integers(size))
        cut = (slice(None),) * axis + (slice(first, None, int(self.draw.integers(1, 3))),)
        options = [
            lambda: x[cut],
            lambda: ops.flip(x, axis=axis),
            lambda: ops.roll(x, 1, axis=axis),
            lambda: ops.take(x, self.draw.integers(size, size=3).tolist(), axis=axis),
            lambda: ops.repeat(x, 2, axis=axis) if size < 6 else x,
            lambda: ops.concatenate([x, ops.exp(-ops.absolute(x))], axis=axis) if size < 6 else x,
            lambda: ops.split(x, [first], axis=axis)[1] if first else x,
            lambda: ops.transpose(x, (0, 2, 1)) if x.ndim == 3 else ops.expand_dims(x, self.draw.integers(1, 3)),
            lambda: ops.reshape(x, (-1, *x.shape[1:][::-1])),
            lambda: ops.pad(x, [[0, 0], *[[1, 0]] * (x.ndim - 1)]) if size < 6 else x,
            lambda: ops.tril(x) if x.ndim == 3 else ops.tile(x, (1, 2)) if size < 6 else x,
        ]
        return self.among(options)()

    def product(self, x: Any, pool: list[Any]) -> Any:
        kernel = self.weight((x.shape[-1], int(self.draw.integers(1, 5))))
        if x.ndim == 2 or self.draw.integers(2):
            return ops.matmul(x, kernel)
        return ops.matmul(x, ops.transpose(self.among([x, ops.tanh(x)]), (0, 2, 1)))

    def ordered(self, x: Any, pool: list[Any]) -> Any:
        axis = self.axis(x)
        places = ops.argsort(ops.sin(3 * x), axis=axis)
        options = [
            lambda: ops.cumsum(x, axis=axis),
            lambda: ops.cumprod(ops.tanh(x), axis=axis),
            lambda: ops.sort(x, axis=axis),
            lambda: ops.top_k(x, 1)[0],
            lambda: ops.take_along_axis(x, places, axis=axis),
        ]
        return self.among(options)()


class Expressions(layers.Layer):
    """A layer of random functions, with weights of its own."""

    def __init__(self, seed: int, **common: Any) -> None:
        super().__init__(**common)
        self.seed = seed
        self.kept: list[Any] = []

    def build(self, shape: Any) -> None:
        """Make what the weights of all steps are cut out of."""
        self.kept = [self.add_weight((8, 8), initializer="random_normal") for _ in range(3)]

    def call(self, inputs: Any) -> Any:
        draw = np.random.default_rng(self.seed)

        def weight(shape: tuple[int, ...]) -> Any:
            kernel = self.kept[draw.integers(3)]
            known = 5.0 * kernel if shape == (8, 8) else 5.0 * ops.take(ops.reshape(kernel, (-1,)), np.arange(64))
            count = int(np.prod(shape))
            return ops.reshape(known if count == 64 else ops.take(known, np.arange(count) % 64), shape)

        return _grown(draw, weight, [inputs])[-1]


def _grown(draw: np.random.Generator, weight: Any, pool: list[Any]) -> list[Any]:
    graph = _Growing(draw, weight)
    for _ in range(draw.integers(4, 12)):
        made = graph.step(pool)
        if made.ndim in (2, 3) and 0 < np.prod(made.shape[1:]) <= 200:
            pool.append(made)
    return pool


def random_expressions(seed: int, dtype: str = "float32", *, across: bool = False) -> Model:
    """Return a model of some layers and many functions, with one to three outputs.

    Parameters
    ----------
    seed : int
    dtype : str
    across : bool, default False
        Whether something may be standardized over the samples of a batch.
    """
    draw = np.random.default_rng(seed)
    first = Input((int(draw.integers(2, 6)),), dtype=dtype)
    second = Input((int(draw.integers(2, 4)), int(draw.integers(2, 5))), dtype=dtype)
    hidden = layers.Dense(int(draw.integers(2, 6)), dtype=dtype)(first)

    def weight(shape: tuple[int, ...]) -> Any:
        return draw.normal(size=shape).astype(dtype)

    pool = _grown(draw, weight, [first, second, hidden])
    if draw.integers(2):
        pool.append(Expressions(seed, dtype=dtype)(pool[-1]))
    if across:
        pool.append(pool[-1] - ops.mean(pool[-1], axis=0))
    outputs = [pool[-1], *(pool[draw.integers(2, len(pool))] * 1.0 for _ in range(draw.integers(3)))]
    return Model([first, second], outputs if len(outputs) > 1 else outputs[0])


def rows_for(model: Model, n: int = 5, seed: int = 0) -> list[Any]:
    """Return random rows for every input of a model."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(n, *symbol.shape[1:])).astype(model.dtype) for symbol in model.inputs]
