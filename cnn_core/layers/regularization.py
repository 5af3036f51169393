"""Layers that act in training only, against overfitting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import cnn_core.foundation.validation as validation
import cnn_core.regularizers as regularizers
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.validation.messages import must
from cnn_core.layers.base import Layer, registry
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common, CommonWithoutPenalty
    from cnn_core.network.graph import Shape


class _Noise(Layer):
    """A layer that draws random numbers in training.

    What an element gets depends on the optimizer's step, the element's place in the batch and a stream, and on
    nothing else. A layer with a seed has a stream of its own; one without takes it from the model's seed and its place
    in the network, so that a model that was saved and loaded goes on with the same numbers. Where it draws otherwise,
    called on arrays or with `training=True` on symbols, runs count instead of steps.
    """

    supports_masking = True
    _kind: ClassVar[str]
    seed: int | None
    noise_shape: tuple[int | None, ...] | None = None

    def _numbers(self) -> list[float]:
        """What native code needs, the strength first: 0 draws nothing."""
        raise NotImplementedError

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        source = inputs[0]
        shared = self._shared_axes(plan.shapes[source])
        return [plan.add_noise(self._kind, source, self._numbers(), layer=self.name, seed=self.seed, shared=shared)]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Return the input's shape."""
        self._shared_axes(input_shape[1:])
        return input_shape

    def _shared_axes(self, shape: Sequence[int | None]) -> list[bool]:
        """Tell of every axis, that of the samples first, whether one number serves all elements along it."""
        if self.noise_shape is None:
            return []
        wanted = self.noise_shape
        if len(wanted) != len(shape) + 1 or any(
            mine not in (None, 1, size) and size is not None for mine, size in zip(wanted[1:], shape, strict=True)
        ):
            raise ValueError(
                f"`noise_shape` must have 1, None or the size of the input's axis at each place, the axis of the "
                f"samples first, for an input of shape {(None, *shape)}. Received: noise_shape={wanted}"
            )
        return [mine == 1 for mine in wanted]


def _checked_noise_shape(value: object) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    wanted = "None or a tuple of positive integers and None"
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(must("noise_shape", wanted, value))
    shape = validation.shape(value, "noise_shape", unknown=True)
    if not shape or shape[0] not in (None, 1):
        raise ValueError(
            "`noise_shape` must begin with None, a mask for every sample, or 1, one for all. "
            f"Received: noise_shape={shape}"
        )
    return shape


@registry.register()
class Dropout(_Noise):
    """Set inputs to zero at random in training: ``y = x * mask``; pass them unchanged otherwise.

    A mask's element is 0 with probability `rate`, else 1 / (1 - rate), so that the mean stays.

    Parameters
    ----------
    rate : float, 0 <= rate <= 1
        1 sets all inputs to zero.
    noise_shape : tuple of int or None, default None
        The mask's shape, the axis of the samples first: 1 where one element serves the whole axis, None or the axis's
        size where each has its own. ``(None, 1, 8)`` drops, for every sample, whole columns of a (n, 5, 8) input;
        ``(1, 8)`` drops the same features of all samples of a batch. None: every element is dropped by itself.
    seed : int, default None
        None: the masks follow from the model's seed and the layer's place in the model.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    >>> sorted(set(Dropout(0.75, seed=1)(np.ones((1, 99)), training=True).flat))
    [np.float32(0.0), np.float32(4.0)]
    """

    _kind = "dropout"

    def __init__(
        self, rate: float, noise_shape: object = None, seed: int | None = None, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.rate = validation.fraction(rate, "rate")
        self.noise_shape = _checked_noise_shape(noise_shape)
        self.seed = validation.seed(seed)

    def _numbers(self) -> list[float]:
        return [self.rate]


@registry.register()
class AlphaDropout(_Noise):
    """Replace inputs at random by the value at which SELU saturates, and keep mean 0 and variance 1.

    ``y = a * x + b``, or with probability `rate` ``y = a * s + b``, with ``s = -1.7580993408473766``,
    ``a = 1 / sqrt((1 - rate) * (1 + rate * s^2))`` and ``b = -a * rate * s``.

    Parameters
    ----------
    rate : float, 0 <= rate < 1
    noise_shape : tuple of int or None, default None
        See `Dropout`.
    seed : int, default None
        See `Dropout`.

    Notes
    -----
    Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks (2017).

    Examples
    --------
    >>> import numpy as np
    >>> y = AlphaDropout(0.5, seed=1)(np.zeros((1, 99)), training=True)
    >>> sorted(set(y.flat))
    [np.float32(-0.77919394), np.float32(0.77919394)]
    """

    _kind = "alpha_dropout"

    def __init__(
        self, rate: float, noise_shape: object = None, seed: int | None = None, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.rate = validation.fraction(rate, "rate", include_one=False)
        self.noise_shape = _checked_noise_shape(noise_shape)
        self.seed = validation.seed(seed)

    def _numbers(self) -> list[float]:
        saturated = -1.6732632423543772 * 1.0507009873554805
        factor = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * saturated**2))
        shift = -factor * saturated * self.rate
        return [self.rate, factor, shift, factor * saturated + shift]


@registry.register()
class GaussianDropout(_Noise):
    """Multiply inputs by random numbers around 1 in training: ``y = x * N(1, s^2)``, ``s = sqrt(rate / (1 - rate))``.

    Parameters
    ----------
    rate : float, 0 <= rate < 1
        The standard deviation is that of dropout at this rate.
    seed : int, default None
        See `Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> y = GaussianDropout(0.2, seed=1)(np.ones((1000, 100)), training=True)
    >>> print(f"{y.mean():.1f} {y.std():.1f}")
    1.0 0.5
    """

    _kind = "gaussian_dropout"

    def __init__(self, rate: float, seed: int | None = None, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.rate = validation.fraction(rate, "rate", include_one=False)
        self.seed = validation.seed(seed)

    def _numbers(self) -> list[float]:
        return [math.sqrt(self.rate / (1 - self.rate))]


@registry.register()
class GaussianNoise(_Noise):
    """Add random numbers in training: ``y = x + N(0, stddev^2)``.

    Parameters
    ----------
    stddev : float >= 0
    seed : int, default None
        See `Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> y = GaussianNoise(2.0, seed=1)(np.zeros((1000, 100)), training=True)
    >>> print(f"{abs(y.mean()):.1f} {y.std():.1f}")
    0.0 2.0
    """

    _kind = "gaussian_noise"

    def __init__(self, stddev: float, seed: int | None = None, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.stddev = validation.number(stddev, "stddev", minimum=0)
        self.seed = validation.seed(seed)

    def _numbers(self) -> list[float]:
        return [self.stddev]


@registry.register()
class ActivityRegularization(Layer):
    """Pass the input unchanged and add ``(l1 * sum |x| + l2 * sum x^2) / n`` to the loss, n the size of the batch.

    Parameters
    ----------
    l1, l2 : float >= 0, default 0.0

    Examples
    --------
    >>> import numpy as np
    >>> ActivityRegularization(l2=0.1)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **common: Unpack[CommonWithoutPenalty]) -> None:
        penalty = regularizers.L1L2(l1=l1, l2=l2)
        super().__init__(activity_regularizer=penalty, **common)
        self.l1, self.l2 = penalty.l1, penalty.l2

    def _settings(self) -> dict[str, Any]:
        config = super()._settings()
        del config["activity_regularizer"]
        return config

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return list(inputs)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
