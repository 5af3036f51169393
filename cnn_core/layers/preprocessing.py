"""Layers that prepare numbers and categories inside a model, with what they learned from data beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.layers.axes import checked_axis, over_axes, sample_axes
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.encoding import Encoder, not_sparse
from cnn_core.layers.tokens import batches_of
from cnn_core.network.graph import UndefinedError
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape


def _batch(data: object) -> Array:
    """Return a batch as checked float64 rows."""
    array = validation.convert(validation.as_array(data, "data"), "data", np.dtype(np.float64))
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"`data` must have rows and columns. Received: data.shape={array.shape}")
    return validation.finite(array, "data")


def _is_list_of_batches(data: object) -> bool:
    """Whether data is a list of arrays of rows, or of pairs that begin with one."""
    if not isinstance(data, (list, tuple)) or not data:
        return False
    first = data[0][0] if isinstance(data[0], tuple) and data[0] else data[0]
    return getattr(first, "ndim", 0) >= 2


@registry.register()
class Normalization(Layer):
    """Standardize features by known statistics: ``y = (x - mean) / max(sqrt(variance), 1e-7)``.

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        The axes that have a mean and a variance for each position; None: one pair for everything.
    mean, variance : float or array, default None
        Given both, or learned from data by `adapt`.
    invert : bool, default False
        Whether to undo it instead: ``y = x * max(sqrt(variance), 1e-7) + mean``.

    Attributes
    ----------
    mean, variance : Variable
        0 and 1 until `adapt` is called. Not trained; saved with the model.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer(np.array([[1.0, 30.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: object = -1,
        mean: object = None,
        variance: object = None,
        invert: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.axis = None if axis is None else checked_axis(axis)
        self.invert = validation.boolean(invert, "invert")
        if (mean is None) != (variance is None):
            raise ValueError(
                "`mean` and `variance` must both be given or both be left out. "
                f"Received: mean={validation.show(mean)}, variance={validation.show(variance)}"
            )
        self._given = None if mean is None else (_constant(mean, "mean"), _constant(variance, "variance", 0.0))
        self._constants: list[Variable] = []

    @property
    def takes_vectors_whole(self) -> bool:  # type: ignore[override]
        """Whether an array of one axis is a sample."""
        return self.axis is not None

    def _sizes(self, input_shape: Any) -> tuple[int, ...]:
        axes = () if self.axis is None else sample_axes(self.axis, input_shape, self.name)
        sizes = tuple(input_shape[1:][axis] for axis in axes)
        if None in sizes:
            raise ValueError(f"The axes of {self.name!r} must be known. Received: shape={input_shape}")
        return sizes

    @property
    def learns(self) -> bool:
        """Whether `adapt` finds mean and variance: they were not given."""
        return self._given is None

    @property
    def mean(self) -> Variable:
        return self._moments()[0]

    @property
    def variance(self) -> Variable:
        return self._moments()[1]

    def _moments(self) -> list[Variable]:
        if not (moments := self._constants or self._variables):
            raise UndefinedError(f"{self.name!r} has no mean and variance yet: give them, or call adapt or build")
        return moments

    def check_inputs(self, shapes: Shape) -> None:
        sizes = self._sizes(shapes)
        if self.built and self.mean.shape != sizes:
            raise ValueError(f"{self.name!r} has a mean of shape {self.mean.shape}. Received: shape={shapes}")

    def build(self, input_shape: Shape) -> None:
        sizes = self._sizes(input_shape)
        if self._given is None:
            self.add_weight(sizes, "zeros", name="mean", trainable=False)
            self.add_weight(sizes, "ones", name="variance", trainable=False)
            self.count = self.add_weight((), "zeros", name="count", trainable=False)
        else:
            self._constants = [
                _fixed(_spread(value, sizes, name), name, self)
                for value, name in zip(self._given, ("mean", "variance"), strict=True)
            ]
        self.built = True

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from data; what was learned before is forgotten.

        Parameters
        ----------
        data : array-like of shape (n, ...), or iterable or PyDataset of such batches
            A list of arrays of two axes or more is a list of batches; of pairs the first is taken.

        Raises
        ------
        ValueError
            If mean and variance were given, or the data is empty, not finite or misshapen.
        """
        if self._given is not None:
            raise ValueError("`adapt` has nothing to learn: mean and variance were given to the layer")
        count, mean, squares = 0, np.float64(0), np.float64(0)
        for batch in map(_batch, batches_of(iter(data) if _is_list_of_batches(data) else data, None)):
            self.ensure_built((None, *batch.shape[1:]))
            kept = () if self.axis is None else sample_axes(self.axis, batch.shape, self.name)
            others = tuple(axis for axis in range(batch.ndim) if axis - 1 not in kept)
            seen = math.prod(batch.shape[axis] for axis in others)
            # Chan, Golub and LeVeque (1979): sums of squares around means join without cancellation.
            difference = batch.mean(axis=others) - mean
            squares = squares + batch.var(axis=others) * seen + difference**2 * (count * seen / (count + seen))
            mean, count = mean + difference * (seen / (count + seen)), count + seen
        if count == 0:
            raise ValueError("`data` must hold at least one batch. Received: none")
        self.mean.assign(mean)
        self.variance.assign(squares / count)
        self.count.assign(count)

    def _settings(self) -> dict[str, Any]:
        config = super()._settings()  # what was adapted are weights
        mean, variance = self._given or (None, None)
        return {**config, "mean": mean, "variance": variance}

    @classmethod
    def _own_arguments(cls) -> list[str]:
        return ["axis", "invert"]

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        variables = [self.mean, self.variance]

        def apply(rows: int) -> int:
            integers = [self.mean.size, self.variance.size, self.invert]
            shape = plan.shapes[rows]
            return plan.add("standardize", [rows], shape, layer=self.name, variables=variables, integers=integers)

        if self.axis is None:
            return [apply(inputs[0])]
        axes = sample_axes(self.axis, (None, *plan.shapes[inputs[0]]), self.name)
        return [over_axes(plan, inputs[0], axes, self.name, apply)]


def _constant(value: object, name: str, minimum: float | None = None) -> Array:
    array = validation.finite(validation.convert(validation.as_array(value, name), name, np.dtype(np.float64)), name)
    if minimum is not None and array.size and array.min() < minimum:
        raise ValueError(f"`{name}` must be at least {minimum:g}. Received: {name}={validation.show(value)}")
    return array


def _spread(value: Array, sizes: tuple[int, ...], name: str) -> Array:
    """Repeat what a constructor was given until it has these sizes."""
    try:
        return np.broadcast_to(value, sizes)
    except ValueError:
        raise ValueError(f"`{name}` must fit the shape {sizes}. Received: {name}.shape={value.shape}") from None


def _fixed(value: Array, name: str, layer: Layer) -> Variable:
    """A constant in the form in which plans take numbers by the row."""
    return Variable(np.array(value, layer.dtype, order="C"), trainable=False, name=name, path=f"{layer.name}/{name}")


@registry.register()
class Rescaling(Layer):
    """Multiply and add constants: ``y = x * scale + offset``.

    Parameters
    ----------
    scale : float or sequence of float, one for each feature
    offset : float or sequence of float, default 0.0

    Examples
    --------
    >>> import numpy as np
    >>> Rescaling(0.5, offset=-0.5)(np.array([[0, 2]]))
    array([[-0.5,  0.5]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: object, offset: object = 0.0, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.scale = _number_or_list(scale, "scale")
        self.offset = _number_or_list(offset, "offset")

    def check_inputs(self, shapes: Shape) -> None:
        for name in ("scale", "offset"):
            if np.size(getattr(self, name)) not in (1, shapes[-1]):
                raise ValueError(
                    f"`{name}` of {self.name!r} must be a number or one for each of {shapes[-1]} features. "
                    f"Received: {np.size(getattr(self, name))} numbers"
                )

    def build(self, input_shape: Shape) -> None:
        self._constants = [_fixed(getattr(self, name), name, self) for name in ("scale", "offset")]
        self.built = True

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape, integers = plan.shapes[inputs[0]], [variable.size for variable in self._constants]
        return [plan.add("rescale", inputs, shape, layer=self.name, variables=self._constants, integers=integers)]


def _number_or_list(value: Any, name: str) -> float | list[float]:
    if np.ndim(value) == 0 and isinstance(value, (int, float, np.generic)):
        return validation.number(value, name)
    array = _constant(value, name)
    if array.ndim > 1 or array.size == 0:
        raise ValueError(f"`{name}` must be a number or a sequence of them. Received: {name}={validation.show(value)}")
    result: float | list[float] = array.tolist()
    return result


@registry.register()
class Discretization(Encoder):
    """Turn numbers into the numbers of their bins: how many boundaries are not above x.

    Parameters
    ----------
    bin_boundaries : sequence of float, default None
        Ascending. k boundaries make k + 1 bins.
    num_bins : int >= 2, default None
        Instead of boundaries: how many bins, of about equally many samples each, `adapt` shall find.
    epsilon : float, 0 < epsilon < 1, default 0.01
        How finely `adapt` looks: quantiles are exact to this share of the samples.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        The bin's number (as a float, as all activations are), or as `CategoryEncoding` has them.

    Notes
    -----
    No gradient passes. Where there are fewer samples than bins, `adapt` finds fewer boundaries and some bins stay
    empty.

    Examples
    --------
    >>> import numpy as np
    >>> Discretization([0.0, 1.0])(np.array([[-0.5, 0.0, 0.5, 7.0]]))
    array([[0., 1., 1., 2.]], dtype=float32)
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                "Either `bin_boundaries` or `num_bins` must be given. "
                f"Received: bin_boundaries={bin_boundaries}, num_bins={num_bins}"
            )
        self.num_bins = None if num_bins is None else validation.integer(num_bins, "num_bins", minimum=2)
        self.epsilon = validation.fraction(epsilon, "epsilon", include_zero=False, include_one=False)
        modes = ("int", "one_hot", "multi_hot", "count")
        self.output_mode = validation.choice(output_mode, "output_mode", modes)
        self.sparse = not_sparse(sparse)
        self.bin_boundaries: list[float] | None = None if bin_boundaries is None else _ascending(bin_boundaries)

    @property
    def learns(self) -> bool:
        """Whether `adapt` finds boundaries: none were given."""
        return self.num_bins is not None

    @property
    def depth(self) -> int:
        return self.num_bins or len(self.bin_boundaries or ()) + 1

    def adapt(self, data: object, steps: int | None = None) -> None:
        """Find boundaries between which about equally many samples lie; what was found before is forgotten.

        Parameters
        ----------
        data : array-like, or iterable or PyDataset of arrays
        steps : int, default None
            How many batches to take of data that yields batches; None: all.

        Raises
        ------
        ValueError
            If boundaries were given, or the data is empty or not finite.
        """
        if self.num_bins is None:
            raise ValueError("`adapt` has nothing to learn: bin_boundaries were given to the layer")
        summary = np.zeros((2, 0), np.float32)
        for batch in map(_batch, batches_of(data, steps)):
            summary = _join(_summarize(batch.astype(np.float32), self.epsilon), summary, self.epsilon)
        if summary.size == 0:
            raise ValueError("`data` must hold at least one batch. Received: none")
        self.bin_boundaries = [float(boundary) for boundary in _compress(summary, 1 / self.num_bins)[0, :-1]]
        if self.built:
            self._boundaries.array[...] = self._padded()

    def _padded(self) -> Array:
        """The boundaries, as many as bins need: infinite ones leave the bins above them empty."""
        padded = np.full(self.depth - 1, np.inf, self.dtype)
        found = self.bin_boundaries or []
        padded[: len(found)] = found
        return padded

    def build(self, input_shape: Shape) -> None:
        self._boundaries = _fixed(self._padded(), "bin_boundaries", self)
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Any:
        if self.output_mode == "int":
            return input_shape
        return (input_shape[0], *self.encoded_shape(input_shape[1:], self.depth))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        if self.bin_boundaries is None:
            raise ValueError(f"{self.name!r} has no boundaries yet: call adapt(data) first")
        shape, count = plan.shapes[inputs[0]], [self._boundaries.size]
        bins = plan.add("discretize", inputs, shape, layer=self.name, variables=[self._boundaries], integers=count)
        return [bins if self.output_mode == "int" else self.encode(plan, bins, self.depth)]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the layer whose `get_config` returned `config`: after `adapt` it has both bins and boundaries."""
        config = dict(config)
        adapted = config.pop("bin_boundaries", None) if config.get("num_bins") is not None else None
        layer = cls(**config)
        if adapted is not None:
            layer.bin_boundaries = _ascending(adapted)
        return layer


def _ascending(boundaries: object) -> list[float]:
    array = _constant(boundaries, "bin_boundaries").reshape(-1)
    if array.size == 0 or (np.diff(array) < 0).any():
        raise ValueError(
            f"`bin_boundaries` must be numbers that ascend. Received: bin_boundaries={validation.show(boundaries)}"
        )
    return [float(boundary) for boundary in array]


# A summary of samples: some of them in order, each with how many it stands for. Row 0 values, row 1 counts.


def _summarize(values: Array, epsilon: float) -> Array:
    """About 1 / epsilon equally spaced order statistics."""
    ordered = np.sort(values.reshape(-1))
    step = max(ordered.size * epsilon, 1)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _join(first: Array, second: Array, epsilon: float) -> Array:
    both = np.concatenate([first, second], axis=1)
    return _compress(both[:, np.argsort(both[0])], epsilon)


def _compress(summary: Array, epsilon: float) -> Array:
    """Interpolate about 1 / epsilon values at equal shares of the whole count."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    reached = counts / counts[-1]
    values, counts = np.interp(shares, reached, summary[0]), np.interp(shares, reached, counts)
    return np.stack([values, np.diff(counts, prepend=0)]).astype(np.float32)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
