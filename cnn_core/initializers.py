"""First values of parameters: constants and random draws. Floor 3.

Draws come from NumPy's Philox, in float64, and are rounded to the wanted type afterwards: one seed gives the same
numbers on every machine and in both types.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.config as config
import cnn_core.left_out as left_out
import cnn_core.random_state as random_state
import cnn_core.validation as validation
from cnn_core.arrays import Array, as_float
from cnn_core.serialization import CustomObjects, Registry
from cnn_core.serialization import serialize as _as_data

_registry = Registry("initializer")

# The standard deviation of a standard normal variable that is cut off at -2 and 2.
TRUNCATED_DEVIATION = 0.87962566103423978


class Initializer:
    """Make the first value of a parameter.

    A subclass defines `__call__(shape, dtype=None)`, as in Keras. One that draws may take a third argument,
    `generator`, and gets the generator that the layer's place in the program gives it.

    Examples
    --------
    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.full(shape, 7, dtype or "float32")
    >>> get(Sevens())((2,))
    array([7., 7.], dtype=float32)
    """

    _options: ClassVar[tuple[str, ...]] = ()

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array.

        Parameters
        ----------
        shape : int or tuple of int
        dtype : str or dtype, default None
            "float32" or "float64"; None is `config.floatx()`.
        generator : numpy.random.Generator, default None
            What a random initializer without a seed draws from; None is the package's own, which
            `utils.set_random_seed` sets.

        Returns
        -------
        numpy.ndarray
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer."""
        return {each: getattr(self, each) for each in self._options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        """Build the initializer whose `get_config` returned `config`."""
        return cls(**config)

    def clone(self) -> Initializer:
        """Build an equal initializer."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, (tuple, list)) and len(shape) == 0:
        return ()
    return tuple(int(size or 0) for size in validation.shape(shape, "shape"))


def _type(dtype: Any) -> np.dtype[Any]:
    return validation.float_dtype(config.floatx() if dtype is None else dtype)


def initial_value(
    initializer: Initializer, shape: tuple[int, ...], dtype: str, generator: np.random.Generator
) -> Array:
    """Make the first value of a parameter; only an initializer that asks for the generator gets it.

    Raises
    ------
    TypeError, ValueError
        If the initializer returns no numbers, or not of this shape.

    Examples
    --------
    >>> initial_value(Ones(), (2,), "float64", random_state.generator(1))
    array([1., 1.])
    """
    call = type(initializer).__call__
    if call.__module__ == __name__ or "generator" in inspect.signature(call).parameters:
        value = initializer(shape, dtype=dtype, generator=generator)
    else:
        value = initializer(shape, dtype=dtype)
    return _checked(value, shape, np.dtype(dtype), type(initializer).__name__)


def _checked(value: Any, shape: tuple[int, ...], dtype: np.dtype[Any], maker: str) -> Array:
    array = as_float(value, "the initial value", dtype)
    if array.shape != shape:
        raise ValueError(
            f"{maker} must return an array of the shape that it is given, {shape}. Received: shape {array.shape}"
        )
    return array


# Constants


@_registry.register()
class Constant(Initializer):
    """Fill with a value.

    Parameters
    ----------
    value : float or array-like, default 0.0
        An array is repeated to the wanted shape as NumPy broadcasts it.

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    _options = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        self.value = validation.number(value, "value") if np.ndim(value) == 0 else as_float(value, "value")

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array filled with the value."""
        value = np.asarray(self.value)
        try:
            return np.broadcast_to(value, _sizes(shape)).astype(_type(dtype))
        except ValueError:
            raise ValueError(
                f"`value` cannot be repeated to the wanted shape. Received: value.shape={value.shape}, shape={shape}"
            ) from None


@_registry.register("zero")
class Zeros(Initializer):
    """Fill with 0.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of zeros."""
        return np.zeros(_sizes(shape), _type(dtype))


@_registry.register("one")
class Ones(Initializer):
    """Fill with 1.

    Examples
    --------
    >>> Ones()((2,), "float64")
    array([1., 1.])
    """

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of ones."""
        return np.ones(_sizes(shape), _type(dtype))


@_registry.register("IdentityInitializer")
class Identity(Initializer):
    """Make a matrix with `gain` on the diagonal and 0 elsewhere.

    Parameters
    ----------
    gain : float, default 1.0

    Examples
    --------
    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    _options = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = validation.number(gain, "gain")

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make the matrix; ValueError if the shape is not two-dimensional."""
        sizes = _sizes(shape)
        if len(sizes) != 2:
            raise ValueError(f"The identity needs a shape of two dimensions. Received: shape={shape}")
        return np.asarray(np.eye(*sizes) * self.gain, _type(dtype))


# Random draws


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
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of random numbers: see `Initializer`."""
        if self.seed is not None:
            generator = random_state.generator(self.seed)
        elif generator is None:
            generator = random_state.generator(random_state.next_seed())
        return np.ascontiguousarray(self._draw(generator, _sizes(shape)), dtype=_type(dtype))

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer."""
        return {**super().get_config(), "seed": self.seed}


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw standard normal numbers from -2 to 2: those beyond are drawn again."""
    draws = generator.standard_normal(math.prod(shape))
    beyond = np.flatnonzero(np.abs(draws) > 2)
    while beyond.size:
        draws[beyond] = generator.standard_normal(beyond.size)
        beyond = beyond[np.abs(draws[beyond]) > 2]
    return draws.reshape(shape)


@_registry.register("normal")
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
        return np.asarray(self.mean + self.stddev * generator.standard_normal(shape))


@_registry.register()
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
        return np.asarray(self.mean + self.stddev * _truncated_normal(generator, shape))


@_registry.register("uniform")
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
        return np.asarray(self.minval + (self.maxval - self.minval) * generator.random(shape))


@_registry.register()
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
            return np.asarray(deviation / TRUNCATED_DEVIATION * _truncated_normal(generator, shape))
        if self.distribution == "untruncated_normal":
            return np.asarray(deviation * generator.standard_normal(shape))
        return np.asarray(math.sqrt(3) * deviation * (2 * generator.random(shape) - 1))


def _axes(axes: Sequence[int] | None, name: str) -> list[int] | None:
    return None if axes is None else validation.integers(axes, name)


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
    """A variance scaling whose arguments its name fixes."""

    _options = ("input_axes", "output_axes")
    _arguments: ClassVar[tuple[float, str, str]]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._arguments, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal initializer: those that are given."""
        return {name: value for name, value in super().get_config().items() if name == "seed" or value is not None}


@_registry.register()
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

    _arguments = (1.0, "fan_avg", "uniform")


@_registry.register()
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

    _arguments = (1.0, "fan_avg", "truncated_normal")


@_registry.register()
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

    _arguments = (2.0, "fan_in", "uniform")


@_registry.register()
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

    _arguments = (2.0, "fan_in", "truncated_normal")


@_registry.register()
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

    _arguments = (1.0, "fan_in", "uniform")


@_registry.register()
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

    _arguments = (1.0, "fan_in", "truncated_normal")


@_registry.register("OrthogonalInitializer")
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


class CustomInitializer(Initializer):
    """Wrap a function of a shape and a dtype.

    Parameters
    ----------
    target : callable
        `target(shape, dtype=dtype)` returns an array of that shape.

    Examples
    --------
    >>> get(lambda shape, dtype: np.full(shape, 7.0))((2,))
    array([7., 7.], dtype=float32)
    """

    def __init__(self, target: Any) -> None:
        self.target = target

    @property
    def registered_name(self) -> str:
        """The name under which `custom_objects` must hold the function."""
        return str(getattr(self.target, "__name__", type(self.target).__name__))

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Return what the function returns, checked for its shape."""
        result = self.target(_sizes(shape), dtype=_type(dtype).name)
        return _checked(result, _sizes(shape), _type(dtype), self.registered_name)

    def get_config(self) -> dict[str, Any]:
        """Return the function's own configuration."""
        return dict(self.target.get_config()) if hasattr(self.target, "get_config") else {}


constant = Constant
zeros = Zeros
ones = Ones
identity = Identity
random_normal = RandomNormal
truncated_normal = TruncatedNormal
random_uniform = RandomUniform
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal


def get(identifier: Any) -> Initializer | None:
    """Return the initializer that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, array, Initializer or callable
        A name; what `serialize` returned; the values themselves; an initializer or its class; or a function of
        (shape, dtype).

    Returns
    -------
    Initializer or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("he_normal"), get("zeros"), get("uniform")
    (HeNormal(seed=None), Zeros(), RandomUniform(minval=-0.05, maxval=0.05, seed=None))
    """
    return deserialize(identifier)


def deserialize(config: Any, custom_objects: CustomObjects | None = None) -> Initializer | None:
    """Return the initializer that a configuration describes; `custom_objects` maps further names to classes.

    Examples
    --------
    >>> deserialize({"class_name": "Constant", "config": {"value": 0.5}})
    Constant(value=0.5)
    """
    if isinstance(config, np.ndarray):
        return Constant(config)
    found = _registry.get(config, custom_objects)
    if found is None or isinstance(found, Initializer):
        return found
    if callable(found):
        return CustomInitializer(found)
    raise TypeError(f"`initializer` must be a name, an initializer or a function. Received: {validation.show(found)}")


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return an initializer as data.

    Examples
    --------
    >>> serialize(HeNormal(seed=3))
    {'class_name': 'HeNormal', 'config': {'seed': 3}}
    """
    data: dict[str, Any] = _as_data(initializer)
    return data


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
