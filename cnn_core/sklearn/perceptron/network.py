"""A stack of dense layers over one flat vector, and its optimizer.

It builds the plan and the native objects directly: an estimator's `fit` on a small table takes a few milliseconds, of
which layers and models as Python objects would be a good part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
from cnn_core.activations import Activation
from cnn_core.data.rows import SparseRows
from cnn_core.foundation.arrays import ALIGNMENT, Array, aligned_zeros, readable
from cnn_core.network.native import ParameterGroup, TensorRange, bound_network, optimizer_over
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import TensorRule

# Of batch normalization: an estimator makes some hundred steps, in which Keras's 0.99 would hardly forget the start.
MOMENTUM = 0.9
EPSILON = 1e-5


@dataclass(frozen=True)
class Weights:
    """The arrays of a network, layer by layer.

    Attributes
    ----------
    coefs, intercepts : sequences of numpy.ndarray of shape (inputs, units) and (units,)
    scales, shifts : sequences of numpy.ndarray of shape (units,)
        Of batch normalization, one for each hidden layer; empty without.
    means, variances : sequences of numpy.ndarray of shape (units,)
        What it subtracts and divides by (the root of) in prediction. They follow the batches, no gradient.
    """

    coefs: Sequence[Array]
    intercepts: Sequence[Array]
    scales: Sequence[Array] = ()
    shifts: Sequence[Array] = ()
    means: Sequence[Array] = ()
    variances: Sequence[Array] = ()

    def __iter__(self) -> Iterator[Array]:
        """Go through all arrays, those that gradients move first."""
        return chain(*self._groups)

    @property
    def _groups(self) -> tuple[Sequence[Array], ...]:
        return self.coefs, self.intercepts, self.scales, self.shifts, self.means, self.variances

    @property
    def n_trained(self) -> int:
        """How many of them, from the first, gradients move."""
        return len(self.coefs) + len(self.intercepts) + len(self.scales) + len(self.shifts)

    def like(self, arrays: Sequence[Array]) -> Weights:
        """Return other arrays in the same groups."""
        waiting = iter(arrays)
        return Weights(*([next(waiting) for _ in group] for group in self._groups))

    def normalization(self, layer: int) -> list[Array]:
        """Return the arrays of the batch normalization behind a layer's product; none if there is none."""
        groups = (self.scales, self.shifts, self.means, self.variances)
        return [group[layer] for group in groups] if layer < len(self.scales) else []


@dataclass
class Stack:
    """What the layers are, without their weights.

    Attributes
    ----------
    widths : sequence of int
        Features, units of each hidden layer, outputs.
    activations : sequence of Activation
        One for each layer but the input.
    dropout : sequence of float
        The rate behind each hidden layer.
    streams : sequence of int
        The random stream of each dropout.
    """

    widths: Sequence[int]
    activations: Sequence[Activation]
    dropout: Sequence[float] = ()
    streams: Sequence[int] = ()

    def plan(self, weights: Weights) -> NetworkPlan:
        """Lay out the plan with these arrays as its variables: product, normalization, activation, dropout."""
        plan = NetworkPlan()
        buffer = plan.add_input((self.widths[0],))
        for i, pair in enumerate(zip(weights.coefs, weights.intercepts, strict=True)):
            shape, layer, activation = (self.widths[i + 1],), f"layer_{i}", self.activations[i]
            normalization: list[Any] = weights.normalization(i)
            fused = None if normalization else activation
            variables: list[Any] = list(pair)  # of a variable, a plan asks the size only
            buffer = plan.add("dense", [buffer], shape, layer=layer, variables=variables, activation=fused)
            if normalization:
                reals = [EPSILON, MOMENTUM]
                buffer = plan.add(
                    "batch_normalization", [buffer], shape, layer=layer, variables=normalization, reals=reals
                )
                buffer = plan.add_activation(buffer, activation, layer)
            if i < len(self.dropout) and self.dropout[i] > 0:
                buffer = plan.add(
                    "dropout", [buffer], shape, layer=layer, reals=[self.dropout[i]], integers=[self.streams[i]]
                )
        plan.outputs = [buffer]
        return plan


def reading_network(stack: Stack, weights: Weights, dtype: np.dtype[Any]) -> _core.Network:
    """Return a native network that predicts with these weights, in this type."""
    weights = weights.like([readable(array, dtype) for array in weights])
    plan = stack.plan(weights)
    return bound_network(plan, dtype, values=list(plan.variables))  # type: ignore[arg-type]  # arrays themselves


def predict(native: Any, width: int, x: Any, dtype: np.dtype[Any]) -> Array:
    """Compute a network's outputs, `width` columns, for rows of a dense or sparse matrix."""
    outputs = np.empty((x.shape[0], width), dtype)
    native.predict([native_rows(x, dtype)], [outputs])
    return outputs


def native_rows(x: Any, dtype: np.dtype[Any]) -> SparseRows | Array:
    """Return rows of a dense or sparse matrix in the form and type that native code reads."""
    if isinstance(x, np.ndarray):
        return readable(x, dtype)
    return SparseRows.read(x.astype(dtype, copy=False), "X", dtype)


class DenseNetwork:
    """The parameters in one flat vector, kernels first, and the native network bound to them.

    Parameters
    ----------
    stack : Stack
    weights : Weights
        Copied.
    dtype : numpy.dtype
    packed : bool, default False
        Whether tensors follow each other without gaps, as L-BFGS wants them; otherwise each starts on a cache line.

    Attributes
    ----------
    values : numpy.ndarray of shape (size,)
    trained, gradients : numpy.ndarray of shape (trained size,)
        What gradients move, the first part of `values`; and those gradients.
    weights : Weights
        Views of `values`.
    """

    def __init__(self, stack: Stack, weights: Weights, dtype: np.dtype[Any], packed: bool = False) -> None:
        unit = 1 if packed else ALIGNMENT // dtype.itemsize
        self.stack = stack
        self.dtype = dtype
        ranges: list[tuple[int, int]] = []
        ends = [0]
        for array in weights:
            ranges.append((ends[-1], array.size))
            ends.append(ends[-1] + -(-array.size // unit) * unit)
        self.coefs_end = ends[len(weights.coefs)]
        self.trained_ranges = [TensorRange(*each) for each in ranges[: weights.n_trained]]
        self.values = aligned_zeros(ends[-1], dtype)
        self.trained = self.values[: ends[weights.n_trained]]
        self.gradients = aligned_zeros(self.trained.size, dtype)
        views, gradients = [], {}
        for (first, size), array in zip(ranges, weights, strict=True):
            views.append(self.values[first : first + size].reshape(array.shape))
            views[-1][...] = array
            gradients[id(views[-1])] = self.gradients[first : first + size] if first < self.trained.size else None
        self.weights = weights.like(views)
        plan = stack.plan(self.weights)
        tensors: list[Any] = list(plan.variables)
        self.native = bound_network(plan, dtype, values=tensors, gradients=[gradients[id(each)] for each in tensors])

    def reads_like(self, stack: Stack) -> bool:
        """Whether it predicts what a network of these layers would."""
        return self.stack.widths == stack.widths and self.stack.activations == stack.activations

    def has(self, weights: Weights) -> bool:
        """Whether these arrays are the network's own views."""
        ours, theirs = [*self.weights], [*weights]
        return len(ours) == len(theirs) and all(our is their for our, their in zip(ours, theirs, strict=True))

    def optimizer(
        self, rule: str, numbers: Sequence[float], slots: list[Array], alpha: float, clipnorm: float
    ) -> _core.Optimizer:
        """Build the native optimizer; the penalty ``alpha / 2 sum w^2`` counts once a batch, over its samples."""
        # Gaps hold zeros, so that all kernels together are one range with one penalty.
        penalty: TensorRule = {
            "offset": 0, "n_rows": self.coefs_end, "n_cols": 1, "penalty": "l1_l2", "l1": 0.0, "l2": alpha / 2,
        }  # fmt: skip
        return optimizer_over(
            self.trained,
            self.gradients,
            rule=rule,
            numbers=numbers,
            slots=slots,
            groups=[ParameterGroup(0, self.trained.size)],
            rules=[penalty] if alpha else [],
            tensors=self.trained_ranges,
            clip_norm=clipnorm,
            penalties_over_batch=True,
        )
