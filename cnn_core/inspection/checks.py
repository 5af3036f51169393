"""The gradients of backpropagation, checked by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.inspection.tracing import gradients, run_batch
from cnn_core.training.trainer import Trainer

__all__ = ["GradientCheck", "difference", "gradient_check"]


@dataclass(frozen=True)
class GradientCheck:
    """How backpropagation compares with central differences. True if every weight's error is within the tolerance.

    Attributes
    ----------
    relative_errors : dict of str to float
        For each weight, by its path: ``max |g - d| / max(max |g|, max |d|, 1e-4 |J|, 1e-6)``, where g is the gradient
        by backpropagation, d the one by differences, J the loss, and the maxima are over the weight's elements. The
        floor is there for gradients of zero, such as that of a bias before a BatchNormalization: rounding of J alone
        makes d some `1e-10 |J|`.
    tolerance : float
    """

    relative_errors: dict[str, float]
    tolerance: float

    @property
    def max_relative_error(self) -> float:
        """The largest of the errors, 0 for a model without weights."""
        return max(self.relative_errors.values(), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance."""
        return self.max_relative_error <= self.tolerance

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [f"{name}: {error:.2e}" for name, error in self.relative_errors.items()]
        return "\n".join([*lines, self._verdict()])

    def _verdict(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'} (tolerance {self.tolerance:g})"

    def _repr_html_(self) -> str:
        import cnn_core.foundation.notebook as notebook

        rows = [(name, f"{error:.2e}") for name, error in self.relative_errors.items()]
        return notebook.heading("Gradient check", self._verdict()) + notebook.table(["Weights", "Relative error"], rows)


@knows_its_arguments
def gradient_check(
    model: Trainer,
    x: object,
    y: object,
    sample_weight: object = None,
    *,
    step: float = 1e-6,
    tolerance: float = 1e-5,
    max_elements: int = 200,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of backpropagation with central differences ``(J(w + h) - J(w - h)) / 2h``.

    Parameters
    ----------
    model : Model
        Compiled, of dtype float64: float32 is too coarse for differences. Its weights are the same afterwards.
    x, y, sample_weight
        A small batch.
    step : float, default 1e-6
        h.
    tolerance : float, default 1e-5
    max_elements : int, default 200
        Elements of each weight to check, drawn at random where it has more.
    seed : int, default 0
        Of that drawing.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ValueError
        If the model is not float64.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "tanh", dtype="float64"), layers.Dense(1, dtype="float64")])
    >>> model.compile("sgd", "mse")
    >>> bool(gradient_check(model, [[0.5, 1.0]], [[2.0]]))
    True
    """
    model._build_for(x)
    if model.array_dtype != np.float64:
        raise ValueError(
            'gradient_check needs a model of float64: build its layers with dtype="float64", or after '
            f'config.set_floatx("float64"). Received: {model.array_dtype}'
        )

    def loss() -> float:
        return float(
            run_batch(model, x, y, sample_weight, "gradient_check", inputs=False, penalties=True).native.last_loss
        )

    computed = gradients(model, x, y, sample_weight)
    floor = max(1e-4 * abs(loss()), 1e-6)
    generator = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    for variable, gradient in zip(model.trainable_variables, computed, strict=True):
        chosen = np.arange(variable.size)
        if variable.size > max_elements:
            chosen = np.sort(generator.choice(variable.size, max_elements, replace=False))
        differences = [difference(loss, variable.array.reshape(-1), int(element), step) for element in chosen]
        name = variable.path if variable.path not in errors else f"{variable.path}#{len(errors)}"
        errors[name] = _relative_error(np.asarray(gradient).reshape(-1)[chosen], differences, floor)
    return GradientCheck(errors, tolerance)


def difference(loss: Callable[[], float], flat: Array, element: int, step: float) -> float:
    """Return the central difference of a loss by an element of an array that it reads in place."""
    kept = flat[element]
    try:
        flat[element] = kept + step
        above = loss()
        flat[element] = kept - step
        return float((above - loss()) / (2 * step))
    finally:
        flat[element] = kept


def _relative_error(gradient: Array, differences: Sequence[float], floor: float) -> float:
    found = np.asarray(differences)
    size = max(np.abs(gradient).max(initial=0), np.abs(found).max(initial=0), floor)
    return float(np.abs(gradient - found).max(initial=0) / size)
