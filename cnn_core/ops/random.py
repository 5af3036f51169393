"""Random numbers, drawn at once or, of a shape that begins with the number of samples, in every run of a network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.foundation.eager import returns_arrays
from cnn_core.foundation.numbering import unique_name
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.tracing import current_scope
from cnn_core.ops.dtypes import as_value, standardized
from cnn_core.ops.elementwise import divide, less, log, negative
from cnn_core.ops.functions import cast, expand_dims, shape, where
from cnn_core.ops.operation import Function, Operation, Spec, is_symbolic, shape_of
from cnn_core.ops.reductions import argmax_function
from cnn_core.ops.shapes import of_samples

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array


class SeedGenerator:
    """Give seeds one after the other, each for another draw.

    Parameters
    ----------
    seed : int, default None
        None: one drawn from what `utils.set_random_seed` has set.
    name : str, default None

    Examples
    --------
    >>> bool((normal((3,), seed=SeedGenerator(1)) == normal((3,), seed=SeedGenerator(1))).all())
    True
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed: int = random_state.next_seed() if seed is None else validation.seed(seed) or 0
        self.name = unique_name("seed_generator") if name is None else validation.text(name, "name")
        self._following = itertools.count()

    def next(self) -> int:
        """Return the next seed."""
        return int(np.random.SeedSequence([self.seed, next(self._following)]).generate_state(1, np.uint64)[0] >> 4)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, from which `from_config` makes a generator that begins with its first seed."""
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SeedGenerator:
        """Make the generator whose `get_config` returned `config`."""
        return cls(**config)


class _Random(Function):
    """Random numbers of a shape for every sample, drawn again in every run."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec((None, *settings["shape"]), settings["dtype"])]

    def add_to(self, plan: NetworkPlan, operation: Operation, inputs: list[int]) -> list[int]:
        settings = operation.settings
        reals, seed = settings["reals"], settings["seed"]
        sizes = tuple(settings["shape"]) or (1,)
        return [plan.add_random(settings["kind"], sizes, reals, layer=operation.name, seed=seed)]


_random = _Random("random", "Random", "core")


@returns_arrays
def _drawn(kind: str, shape: Any, reals: Sequence[float], dtype: object, seed: object) -> Any:
    """Return numbers, or a symbol for those of every sample."""
    batched, sizes = of_samples(shape)
    wanted = config.floatx() if dtype is None else standardized(dtype)
    number = seed.next() if isinstance(seed, SeedGenerator) else validation.seed(seed)
    reals = [float(each) for each in reals]
    if batched:
        return _random.on([], kind=kind, shape=list(sizes), reals=reals, dtype=wanted, seed=number)
    if current_scope() is not None:
        raise ValueError(
            "`shape` of random numbers in `call` must begin with the number of samples, ops.shape(x)[0]: others would "
            f"be drawn but once. Received: shape={shape}"
        )
    return np.asarray(_draw(_generator(number), kind, sizes, reals), wanted)


def _draw(generator: np.random.Generator, kind: str, sizes: tuple[int, ...], reals: Sequence[float]) -> Array:
    first, second = reals
    if kind == "normal":
        return generator.normal(first, second, sizes)
    if kind == "uniform":
        return generator.uniform(first, second, sizes)
    if kind == "integers":
        return generator.integers(int(first), int(second), sizes)
    numbers = generator.standard_normal(sizes)
    while (far := np.abs(numbers) > 2).any():
        numbers = np.where(far, generator.standard_normal(sizes), numbers)
    return first + second * numbers


def normal(shape: object, mean: float = 0.0, stddev: float = 1.0, dtype: object = None, seed: object = None) -> Any:
    """Return normal numbers.

    Parameters
    ----------
    shape : tuple of int
        May begin with the number of samples, `ops.shape(x)[0]` of a symbol.
    mean, stddev : float
    dtype : default None
        None: `config.floatx()`.
    seed : int or SeedGenerator, default None
        Of a symbol's numbers: the stream from which every run draws on.

    Examples
    --------
    >>> normal((2, 3)).shape
    (2, 3)
    """
    return _drawn("normal", shape, (mean, stddev), dtype, seed)


def uniform(shape: object, minval: float = 0.0, maxval: float = 1.0, dtype: object = None, seed: object = None) -> Any:
    """Return numbers from the least on to below the largest, all equally probable; arguments as those of `normal`."""
    return _drawn("uniform", shape, (minval, maxval), dtype, seed)


def truncated_normal(
    shape: object, mean: float = 0.0, stddev: float = 1.0, dtype: object = None, seed: object = None
) -> Any:
    """Return normal numbers within two standard deviations of the mean; arguments as those of `normal`."""
    return _drawn("truncated_normal", shape, (mean, stddev), dtype, seed)


def randint(shape: object, minval: int, maxval: int, dtype: object = "int32", seed: object = None) -> Any:
    """Return whole numbers from the least on to below the largest."""
    return _drawn("integers", shape, (minval, maxval), dtype, seed)


def dropout(inputs: object, rate: float, noise_shape: None = None, seed: object = None) -> Any:
    """Return the inputs with a share of zeros at random, the others divided by ``1 - rate``."""
    rate = validation.number(rate, "rate", minimum=0)
    if noise_shape is not None or rate >= 1:
        raise ValueError(
            f"`rate` must be below 1, `noise_shape` None. Received: rate={rate}, noise_shape={noise_shape}"
        )
    dropped = less(uniform(shape(inputs), seed=seed), rate)
    return where(dropped, 0.0, divide(inputs, 1 - rate))


def categorical(logits: object, num_samples: int, dtype: object = "int32", seed: object = None) -> Any:
    """Return the numbers of classes drawn with the probabilities whose logarithms, but for a constant, are given."""
    sizes = shape(logits)
    drawn = uniform((sizes[0], num_samples, *sizes[1:]), float(np.finfo(np.float32).tiny), 1.0, seed=seed)
    noisy = expand_dims(logits, 1) + negative(log(negative(log(drawn))))
    return cast(argmax_function(noisy, -1), dtype)


def _generator(seed: object) -> np.random.Generator:
    number = seed.next() if isinstance(seed, SeedGenerator) else validation.seed(seed)
    return random_state.generator(random_state.next_seed() if number is None else number)


@returns_arrays
def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Return numbers of a beta distribution, at once."""
    return _generator(seed).beta(alpha, beta, shape).astype(dtype or config.floatx())


@returns_arrays
def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Return how many of so many trials succeed, at once."""
    return _generator(seed).binomial(counts, probabilities, shape).astype(dtype or config.floatx())


@returns_arrays
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Return numbers of a gamma distribution of scale 1, at once."""
    return _generator(seed).gamma(alpha, 1.0, shape).astype(dtype or config.floatx())


@returns_arrays
def shuffle(x: object, axis: int = 0, seed: object = None) -> Array:
    """Return an array with its slices along an axis in random order."""
    if is_symbolic(x):
        raise ValueError(f"`shuffle` takes arrays: samples of a symbol are apart. Received: shape={shape_of(x)}")
    return np.asarray(_generator(seed).permutation(as_value(x), axis=axis))
