"""A stack of dense layers over one flat vector, its optimizer, and passes over data dense and sparse. Floor 5.

It builds the plan and the native objects directly: an estimator's `fit` on a small table takes a few milliseconds, of
which layers and models as Python objects would be a good part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from cnn_core import _core
from cnn_core.activations import Activation
from cnn_core.arrays import Array
from cnn_core.parameters import ALIGNMENT, aligned_zeros
from cnn_core.plan import NetworkPlan

CHUNK_BYTES = 1 << 26  # rows of a sparse matrix are made dense in chunks of about this size
EVALUATION_ROWS = 4096

Tail = dict[str, Any]


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

    def plan(self, coefs: Sequence[Array], intercepts: Sequence[Array]) -> NetworkPlan:
        """Lay out the plan with these arrays as its variables."""
        plan = NetworkPlan()
        buffer = plan.add_input((self.widths[0],))
        rates = [*self.dropout, 0.0]
        for i, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
            buffer = plan.add(
                "dense",
                [buffer],
                (coef.shape[1],),
                layer=f"layer_{i}",
                variables=[coef, intercept],  # type: ignore[list-item]  # of a variable, a plan asks the size only
                activation=self.activations[i],
            )
            if i < len(self.dropout) and rates[i] > 0:
                reals, integers = [rates[i]], [self.streams[i]]
                buffer = plan.add("dropout", [buffer], (coef.shape[1],), layer="", reals=reals, integers=integers)
        plan.outputs = [buffer]
        return plan


def predict(stack: Stack, coefs: Sequence[Array], intercepts: Sequence[Array], x: Any, dtype: np.dtype[Any]) -> Array:
    """Compute the network's outputs for rows of a dense or sparse matrix.

    Parameters
    ----------
    stack : Stack
    coefs, intercepts : sequences of numpy.ndarray
    x : numpy.ndarray or scipy.sparse matrix of shape (n, features)
    dtype : numpy.dtype
        To compute in.

    Returns
    -------
    numpy.ndarray of shape (n, outputs)
    """
    coefs = [np.ascontiguousarray(coef, dtype) for coef in coefs]
    intercepts = [np.ascontiguousarray(intercept, dtype) for intercept in intercepts]
    plan = stack.plan(coefs, intercepts)
    native = _core.Network(dtype.name, plan)
    tensors: list[Array] = plan.variables  # type: ignore[assignment]
    native.bind(tensors, [None] * len(tensors))
    outputs = np.empty((x.shape[0], intercepts[-1].size), dtype)
    if isinstance(x, np.ndarray):
        native.predict([np.ascontiguousarray(x, dtype)], [outputs])
        return outputs
    rows = x.tocsr()
    step = chunk_rows(x.shape[1], dtype)
    for first in range(0, x.shape[0], step):
        part = rows[first : first + step].toarray().astype(dtype, copy=False)
        native.predict([np.ascontiguousarray(part)], [outputs[first : first + step]])
    return outputs


def chunk_rows(width: int, dtype: np.dtype[Any]) -> int:
    """Return how many rows of a sparse matrix are made dense at once."""
    return max(1, CHUNK_BYTES // max(1, width * dtype.itemsize))


class DenseNetwork:
    """The trained parameters in one flat vector, kernels first, and the native network bound to them.

    Parameters
    ----------
    stack : Stack
    coefs, intercepts : sequences of numpy.ndarray
        Copied.
    dtype : numpy.dtype
    packed : bool, default False
        Whether tensors follow each other without gaps, as L-BFGS wants them; otherwise each starts on a cache line.

    Attributes
    ----------
    values, gradients : numpy.ndarray of shape (size,)
    coefs, intercepts : lists of numpy.ndarray
        Views of `values`.
    """

    def __init__(
        self,
        stack: Stack,
        coefs: Sequence[Array],
        intercepts: Sequence[Array],
        dtype: np.dtype[Any],
        packed: bool = False,
    ) -> None:
        unit = 1 if packed else ALIGNMENT // dtype.itemsize
        self.stack = stack
        self.dtype = dtype
        self.ranges: list[tuple[int, int]] = []
        size = 0
        for tensor in chain(coefs, intercepts):
            self.ranges.append((size, tensor.size))
            size += -(-tensor.size // unit) * unit
        self.coefs_end = self.ranges[len(coefs)][0]
        self.values = aligned_zeros(size, dtype)
        self.gradients = aligned_zeros(size, dtype)
        views = self._views(self.values, [*coefs, *intercepts])
        for view, tensor in zip(views, chain(coefs, intercepts), strict=True):
            view[...] = tensor
        self.coefs, self.intercepts = views[: len(coefs)], views[len(coefs) :]
        gradients = self._views(self.gradients, views)
        plan = stack.plan(self.coefs, self.intercepts)
        self.native = _core.Network(dtype.name, plan)
        paired = zip(gradients[: len(coefs)], gradients[len(coefs) :], strict=True)
        tensors: list[Any] = list(plan.variables)
        self.native.bind(tensors, list(chain.from_iterable(paired)))

    def _views(self, vector: Array, like: Sequence[Array]) -> list[Array]:
        return [
            vector[first : first + size].reshape(tensor.shape)
            for (first, size), tensor in zip(self.ranges, like, strict=True)
        ]

    def optimizer(self, rule: str, numbers: Sequence[float], slots: list[Array], alpha: float, clipnorm: float) -> Any:
        """Build the native optimizer; the penalty ``alpha / 2 sum w^2`` counts once a batch, over its samples."""
        tail: Tail = dict.fromkeys(
            ("weight_decay", "clip_value", "global_clip_norm", "average_momentum", "average_period"), 0
        )
        tail |= {"clip_norm": clipnorm, "accumulation": 1, "penalties_over_batch": True}
        # Gaps hold zeros, so that all kernels together are one range with one penalty.
        penalty = {"offset": 0, "n_rows": self.coefs_end, "n_cols": 1, "penalty": "l1_l2", "l1": 0.0, "l2": alpha / 2}
        rules = [penalty] if alpha else []
        segments = [(0, self.values.size, 1.0, 1.0, False)]
        return _core.Optimizer(
            rule,
            tuple(numbers),
            tail,
            segments,
            rules,
            self.ranges,
            self.values,
            self.gradients,
            slots,
            None,
            None,
        )

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return bool(np.isfinite(self.values).all())


@dataclass
class SolverState:
    """What an optimizer is and remembers from batch to batch.

    Attributes
    ----------
    rule : str
    numbers : tuple of float
        Its hyperparameters in native order.
    slots : list of numpy.ndarray
    learning_rate : float
    schedule : {"constant", "invscaling", "adaptive"}
    step : int
        Batches seen.
    """

    rule: str
    numbers: tuple[float, ...]
    slots: list[Array]
    learning_rate: float
    schedule: str = "constant"
    step: int = 0


@dataclass
class Objective:
    """A loss as native code is told of it.

    Attributes
    ----------
    description : dict
        See `cnn_core.losses.Loss.describe`.
    factor : float
        The loss to report is this times the native mean.
    """

    description: dict[str, Any]
    factor: float = 1.0

    def for_weights(self, weights: Array | None) -> dict[str, Any]:
        """Return the description, averaging over the weights if there are any."""
        if weights is None or self.description["reduction"] == "sum":
            return self.description
        return self.description | {"reduction": "mean_with_sample_weight"}


@dataclass
class Rows:
    """Inputs, targets and weights, row by row."""

    x: Any
    targets: Array
    weights: Array | None = None
    original: Any = None

    @property
    def n(self) -> int:
        return int(self.x.shape[0])

    @property
    def is_dense(self) -> bool:
        return isinstance(self.x, np.ndarray)


@dataclass
class Outcome:
    """What passes have added up: sums over the samples."""

    loss: float = 0.0
    penalty: float = 0.0
    diverged: bool = False


@dataclass
class Trainer:
    """Epochs over rows: one native call each for dense rows, one a chunk for sparse ones.

    Parameters
    ----------
    network : DenseNetwork
    rows : Rows
    objective : Objective
    batch_size : int
    optimizer : _core.Optimizer
    state : SolverState
    seed : int
        Of the dropout masks.
    """

    network: DenseNetwork
    rows: Rows
    objective: Objective
    batch_size: int
    optimizer: Any
    state: SolverState
    seed: int = 0
    _whole: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.n_batches = -(-self.rows.n // self.batch_size)
        self._rates = np.empty(self.n_batches)
        self._start = np.arange(self.rows.n, dtype=np.int64)
        if self.rows.is_dense:
            self._whole = self._pass(self.rows)

    def _pass(self, rows: Rows) -> Any:
        return native_pass(self.network, rows, self.objective, self.batch_size, self.optimizer, "training", self.seed)

    def epoch(self, order: Array | None, first: int = 0, last: int | None = None) -> Outcome:
        """Train on the batches from `first` to `last` of all rows in this order, or in their own."""
        self._rates.fill(self.state.learning_rate)
        last = self.n_batches if last is None else last
        outcome = Outcome()
        if self._whole is not None:
            self._run(self._whole, first, last, order, outcome)
            return outcome
        per_chunk = max(1, chunk_rows(self.rows.x.shape[1], self.network.dtype) // self.batch_size)
        while first < last and not outcome.diverged:
            count = min(per_chunk, last - first)
            chosen = slice(first * self.batch_size, (first + count) * self.batch_size)
            rows = take(self.rows, self._start[chosen] if order is None else order[chosen], self.network.dtype)
            self._run(self._pass(rows), 0, count, None, outcome)
            first += count
        return outcome

    def _run(self, native: Any, first: int, last: int, order: Array | None, outcome: Outcome) -> None:
        status, state = "", self.state
        try:
            while first < last and status != "diverged":
                status, first, state.step = native(first, last, self._rates[: last - first], state.step, order)
        except KeyboardInterrupt:
            state.step = native.step
            raise
        _, penalty, losses, _ = native.take_totals()
        outcome.loss += self.objective.factor * losses[0]
        outcome.penalty += penalty
        outcome.diverged = status == "diverged"


def native_pass(
    network: DenseNetwork,
    rows: Rows,
    objective: Objective,
    batch_size: int,
    optimizer: Any = None,
    mode: str = "evaluation",
    seed: int = 0,
    predictions: Array | None = None,
) -> Any:
    """Build a native pass over dense rows."""
    return _core.Pass(
        network.native,
        [rows.x],
        [rows.targets],
        [rows.weights],
        batch_size,
        [objective.for_weights(rows.weights)],
        [],
        optimizer,
        [predictions],
        mode,
        seed,
    )


def take(rows: Rows, chosen: Any, dtype: np.dtype[Any]) -> Rows:
    """Return the chosen rows, dense."""
    weights = None if rows.weights is None else rows.weights[chosen]
    part = rows.x[chosen]
    dense = part if isinstance(part, np.ndarray) else part.toarray()
    return Rows(np.ascontiguousarray(dense, dtype), np.ascontiguousarray(rows.targets[chosen]), weights)


class Evaluator:
    """Predictions for held-out rows, and their loss, after each epoch.

    Parameters
    ----------
    network : DenseNetwork
    rows : Rows
    objective : Objective
    """

    def __init__(self, network: DenseNetwork, rows: Rows, objective: Objective) -> None:
        self.network, self.rows, self.objective = network, rows, objective
        self.predictions = np.empty((rows.n, network.intercepts[-1].size), network.dtype)
        step = rows.n if rows.is_dense else min(EVALUATION_ROWS, chunk_rows(rows.x.shape[1], network.dtype))
        self._chunks = [slice(first, min(first + step, rows.n)) for first in range(0, rows.n, step)]
        self._whole = self._pass(take(rows, slice(None), network.dtype), self.predictions) if rows.is_dense else None

    def _pass(self, rows: Rows, predictions: Array) -> Any:
        return native_pass(
            self.network, rows, self.objective, min(rows.n, EVALUATION_ROWS), None, "evaluation", 0, predictions
        )

    def run(self) -> float:
        """Fill `predictions` and return the weighted mean of the loss, without penalties; NaN if it is not finite."""
        total = weight = 0.0
        for chunk in self._chunks:
            native = self._whole
            if native is None:
                native = self._pass(take(self.rows, chunk, self.network.dtype), self.predictions[chunk])
            for batch in range(native.n_batches):
                if native(batch, batch + 1, None, 0, None, False, float("inf"))[0] == "diverged":
                    native.take_totals()
                    self.predictions.fill(np.nan)
                    return float("nan")
                samples, _, losses, _ = native.take_totals()
                share = samples if self.rows.weights is None else self._weight(chunk.start + batch * EVALUATION_ROWS)
                total += losses[0] / samples * share
                weight += share
        return self.objective.factor * total / weight if weight else float("nan")

    def _weight(self, first: int) -> float:
        assert self.rows.weights is not None
        return float(self.rows.weights[first : first + EVALUATION_ROWS].sum())


class FullBatch:
    """The loss over all rows and its gradient, as a function of the packed parameters: what L-BFGS minimises.

    Parameters
    ----------
    network : DenseNetwork
        Packed.
    rows : Rows
    objective : Objective
    alpha : float
        The penalty is ``alpha / 2 sum w^2`` over the weight of all rows.
    """

    def __init__(self, network: DenseNetwork, rows: Rows, objective: Objective, alpha: float) -> None:
        self.network, self.rows, self.objective, self.alpha = network, rows, objective, alpha
        self._optimizer = network.optimizer("sgd", (0.0, 0.0), [], 0.0, 0.0)
        self._weight = float(rows.n if rows.weights is None else rows.weights.sum()) or 1.0
        step = rows.n if rows.is_dense else chunk_rows(rows.x.shape[1], network.dtype)
        self._chunks = [slice(first, min(first + step, rows.n)) for first in range(0, rows.n, step)]
        self._whole = self._pass(rows) if rows.is_dense else None

    def _pass(self, rows: Rows) -> Any:
        return native_pass(self.network, rows, self.objective, rows.n, self._optimizer, "training")

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return the loss and a new array with its gradient at `vector`."""
        self.network.values[...] = vector
        kernels = self.network.values[: self.network.coefs_end]
        loss = self.alpha / 2 * float(kernels @ kernels) / self._weight
        gradient = np.zeros_like(self.network.gradients)
        gradient[: kernels.size] = self.alpha / self._weight * kernels
        for chunk in self._chunks:
            value = self._add_chunk(chunk, gradient)
            loss += value
        return loss, gradient

    def _add_chunk(self, chunk: slice, gradient: Array) -> float:
        """Add the chunk's share of the gradient; return its share of the loss."""
        rows = self.rows
        native = self._whole or self._pass(take(rows, chunk, self.network.dtype))
        weight = chunk.stop - chunk.start if rows.weights is None else float(rows.weights[chunk].sum())
        status, _, _ = native(0, 1, None, 0, None, False)
        samples, _, losses, _ = native.take_totals()
        if status == "diverged":
            gradient.fill(np.nan)
            return float(native.last_loss)
        share = weight / self._weight
        gradient += share * self.network.gradients
        return float(self.objective.factor * losses[0] / samples * share)
