"""First values that are drawn, scaled by the number of inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.initializers.base import Initializer, float_type, registry, sizes_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


# The standard deviation of a standard normal variable that is cut off at -2 and 2.
TRUNCATED_DEVIATION = 0.87962566103423978


class RandomInitializer(Initializer):
    """Draw random numbers.

    With a seed, every call gives the same numbers for the same shape. Without one, every call draws others, from the
    generator that it is given or from the package's own.

    Parameters
    ----------
    seed : int or None, default None
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = validation.seed(seed)

    def __call__(
        self, shape: int | Sequence[int], dtype: DTypeLike | None = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of random numbers: see `Initializer`."""
        if self.seed is not None:
            generator = random_state.generator(self.seed)
        elif generator is None:
            generator = random_state.generator(random_state.next_seed())
        return np.asarray(self._draw(generator, sizes_of(shape)), dtype=float_type(dtype), order="C")

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer."""
        return {**super().get_config(), "seed": self.seed}


def _scaled(numbers: Any, factor: float, shift: float | None = None) -> Array:
    """Return ``factor * numbers + shift``, in place: a kernel may be large, and memory that is new is slow."""
    numbers *= factor
    if shift is not None:
        numbers += shift
    return np.asarray(numbers)


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw standard normal numbers from -2 to 2: those beyond are drawn again."""
    draws = generator.standard_normal(math.prod(shape))
    beyond = np.flatnonzero(np.abs(draws) > 2)
    while beyond.size:
        draws[beyond] = generator.standard_normal(beyond.size)
        beyond = beyond[np.abs(draws[beyond]) > 2]
    return draws.reshape(shape)


@registry.register("normal")
class RandomNormal(RandomInitializer):
    """Draw from a normal distribution.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0.
    seed : int or None, default None

    Examples
    --------
    >>> bool((RandomNormal(seed=1)((2, 3)) == RandomNormal(seed=1)((2, 3))).all())
    True
    """

    _options = ("mean", "stddev")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = validation.number(mean, "mean")
        self.stddev = validation.number(stddev, "stddev", minimum=0)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _scaled(generator.standard_normal(shape), self.stddev, self.mean)


@registry.register()
class TruncatedNormal(RandomInitializer):
    """Draw from a normal distribution, and draw again what is more than two standard deviations from the mean.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0. Of the distribution before it is cut off; what remains has 0.8796 times as much.
    seed : int or None, default None

    Examples
    --------
    >>> bool((abs(TruncatedNormal(stddev=1.0, seed=1)((1000,))) <= 2).all())
    True
    """

    _options = ("mean", "stddev")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = validation.number(mean, "mean")
        self.stddev = validation.number(stddev, "stddev", minimum=0)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _scaled(_truncated_normal(generator, shape), self.stddev, self.mean)


@registry.register("uniform")
class RandomUniform(RandomInitializer):
    """Draw evenly from `minval` to `maxval`.

    Parameters
    ----------
    minval : float, default -0.05
    maxval : float, default 0.05
        At least `minval`.
    seed : int or None, default None

    Examples
    --------
    >>> bool((abs(RandomUniform(seed=1)((1000,))) <= 0.05).all())
    True
    """

    _options = ("minval", "maxval")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = validation.number(minval, "minval")
        self.maxval = validation.number(maxval, "maxval", minimum=self.minval)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _scaled(generator.random(shape), self.maxval - self.minval, self.minval)


@registry.register()
class RandomSign(RandomInitializer):
    """Draw 1 or -1, each as often: factors by which the members of an ensemble differ.

    Parameters
    ----------
    seed : int or None, default None

    Examples
    --------
    >>> sorted(set(RandomSign(seed=1)((100,)).tolist()))
    [-1.0, 1.0]
    """

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.where(generator.random(shape) < 0.5, -1.0, 1.0)


@registry.register()
class VarianceScaling(RandomInitializer):
    """Draw with a variance of `scale / n`, n the number of inputs, of outputs or the mean of both.

    "truncated_normal" has the standard deviation `sqrt(scale / n) / 0.87962566` before it is cut off at twice that;
    "untruncated_normal" has `sqrt(scale / n)`; "uniform" reaches from -limit to limit with
    `limit = sqrt(3 scale / n)`.

    Parameters
    ----------
    scale : float, default 1.0
        Above 0.
    mode : "fan_in", "fan_out" or "fan_avg", default "fan_in"
    distribution : "truncated_normal" (also "normal"), "untruncated_normal" or "uniform", default "truncated_normal"
    seed : int or None, default None
    input_axes, output_axes : sequence of int, default None
        The axes whose sizes are multiplied to count inputs and outputs; None: see `fans`.

    Examples
    --------
    >>> bool((abs(VarianceScaling(3.0, "fan_in", "uniform", seed=1)((9, 2))) <= 1).all())
    True
    """

    _options: ClassVar[tuple[str, ...]] = ("scale", "mode", "distribution", "input_axes", "output_axes")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        self.input_axes, self.output_axes = _axes(input_axes, "input_axes"), _axes(output_axes, "output_axes")
        self.scale = validation.number(scale, "scale", above=0)
        self.mode = validation.choice(mode, "mode", ("fan_in", "fan_out", "fan_avg"))
        if isinstance(distribution, str):
            distribution = {"normal": "truncated_normal"}.get(distribution.lower(), distribution.lower())
        self.distribution = validation.choice(
            distribution, "distribution", ("truncated_normal", "untruncated_normal", "uniform")
        )

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "truncated_normal":
            return _scaled(_truncated_normal(generator, shape), deviation / TRUNCATED_DEVIATION)
        if self.distribution == "untruncated_normal":
            return _scaled(generator.standard_normal(shape), deviation)
        return _scaled(_scaled(generator.random(shape), 2, -1), math.sqrt(3) * deviation)


def _axes(axes: Sequence[int] | None, name: str) -> list[int] | None:
    return None if axes is None else validation.integers(axes, name)


@knows_its_arguments
def fans(
    shape: Sequence[int], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Count the inputs and outputs of a unit from the shape of its parameter, as Keras does.

    A kernel (inputs, units) has what it says, a vector its length for both, and of a shape with more axes the leading
    ones multiply both of the last two. If both `input_axes` and `output_axes` are given, they decide instead.

    Examples
    --------
    >>> fans((3, 4)), fans((5,)), fans((2, 2, 3, 4)), fans(())
    ((3, 4), (5, 5), (12, 16), (1, 1))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    positions = math.prod(shape[:-2])
    return shape[-2] * positions, shape[-1] * positions


class _NamedScaling(VarianceScaling):
    """A variance scaling whose scale, mode and distribution its name fixes."""

    _options = ("input_axes", "output_axes")

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        RandomInitializer.__init__(self, seed)
        self.input_axes, self.output_axes = _axes(input_axes, "input_axes"), _axes(output_axes, "output_axes")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer: those that are given."""
        return {name: value for name, value in super().get_config().items() if name == "seed" or value is not None}


@registry.register()
class GlorotUniform(_NamedScaling):
    """Draw evenly from -limit to limit, `limit = sqrt(6 / (inputs + outputs))`. Also called Xavier.

    (Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".)

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> bool((abs(GlorotUniform(seed=1)((2, 4))) <= 1).all())
    True
    """

    scale, mode, distribution = 1.0, "fan_avg", "uniform"


@registry.register()
class GlorotNormal(_NamedScaling):
    """Draw truncated normal numbers of standard deviation `sqrt(2 / (inputs + outputs))`. Also called Xavier.

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> GlorotNormal(seed=1)((2, 4)).shape
    (2, 4)
    """

    scale, mode, distribution = 1.0, "fan_avg", "truncated_normal"


@registry.register()
class HeUniform(_NamedScaling):
    """Draw evenly from -limit to limit, `limit = sqrt(6 / inputs)`.

    (He et al. 2015, "Delving Deep into Rectifiers".)

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> bool((abs(HeUniform(seed=1)((6, 4))) <= 1).all())
    True
    """

    scale, mode, distribution = 2.0, "fan_in", "uniform"


@registry.register()
class HeNormal(_NamedScaling):
    """Draw truncated normal numbers of standard deviation `sqrt(2 / inputs)`.

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> HeNormal(seed=1)((2, 4)).shape
    (2, 4)
    """

    scale, mode, distribution = 2.0, "fan_in", "truncated_normal"


@registry.register()
class LecunUniform(_NamedScaling):
    """Draw evenly from -limit to limit, `limit = sqrt(3 / inputs)`.

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> bool((abs(LecunUniform(seed=1)((3, 4))) <= 1).all())
    True
    """

    scale, mode, distribution = 1.0, "fan_in", "uniform"


@registry.register()
class LecunNormal(_NamedScaling):
    """Draw truncated normal numbers of standard deviation `sqrt(1 / inputs)`; goes with SELU.

    Parameters
    ----------
    seed, input_axes, output_axes
        See `VarianceScaling`.

    Examples
    --------
    >>> LecunNormal(seed=1)((2, 4)).shape
    (2, 4)
    """

    scale, mode, distribution = 1.0, "fan_in", "truncated_normal"


@registry.register("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """Draw a matrix with orthogonal rows or columns, whichever are fewer, each of length `gain`.

    Q of the QR decomposition of normal numbers, its columns' signs those of R's diagonal, which makes every such
    matrix equally likely. More than two axes are taken as (all but the last, the last).

    Parameters
    ----------
    gain : float, default 1.0
    seed : int or None, default None

    Examples
    --------
    >>> w = Orthogonal(seed=1)((3, 2), "float64")
    >>> abs(w.T @ w).round(6)
    array([[1., 0.],
           [0., 1.]])
    """

    _options = ("gain",)

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = validation.number(gain, "gain")

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least two dimensions. Received: shape={shape}")
        n_rows, n_columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(n_rows, n_columns), min(n_rows, n_columns))))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.asarray(self.gain * (q if n_rows >= n_columns else q.T).reshape(shape))
