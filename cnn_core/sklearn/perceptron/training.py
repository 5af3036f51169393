"""Epochs, evaluations and full-batch gradients of a dense network, over rows dense and sparse."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array, readable
from cnn_core.foundation.domains import Domain
from cnn_core.network.native import Status, native_pass, run_slices, run_whole
from cnn_core.sklearn.perceptron.network import DenseNetwork, native_rows

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import LossDescription

EVALUATION_ROWS = 4096
# A sparse matrix is made dense if it takes no more bytes then and stores this share of its entries: where fewer
# are stored, multiplying those alone is faster.
DENSE_BYTES = 1 << 26
DENSE_SHARE = 0.2


@dataclass
class SolverState:
    """What an optimizer is and remembers from batch to batch.

    Attributes
    ----------
    rule : str
    numbers : tuple of float
        Its hyperparameters in native order.
    slots : list of numpy.ndarray
    first_rate : float
        The learning rate that the state began with.
    learning_rate : float
        That of now.
    schedule : {"constant", "invscaling", "adaptive"}
    step : int
        Batches seen.
    """

    rule: str
    numbers: tuple[float, ...]
    slots: list[Array]
    first_rate: float
    learning_rate: float
    schedule: str = "constant"
    step: int = 0

    def fits(self, trained: Array, count: int) -> bool:
        """Whether it has so many vectors like `trained`."""
        return len(self.slots) == count and all(
            slot.shape == trained.shape and slot.dtype == trained.dtype for slot in self.slots
        )


@dataclass
class Objective:
    """A loss as native code is told of it.

    Attributes
    ----------
    description : dict
        See `cnn_core.losses.Loss.describe`.
    factor : float
        The loss to report is this times the native mean.
    takes_labels : bool
        Whether targets are class numbers.
    domain : Domain or None
        The targets that have a meaning; None for all.
    """

    description: LossDescription
    factor: float = 1.0
    takes_labels: bool = False
    domain: Domain | None = None

    def for_weights(self, weights: Array | None) -> LossDescription:
        """Return the description, averaging over the weights if there are any."""
        if weights is None or self.description["reduction"] == "sum":
            return self.description
        return {**self.description, "reduction": "mean_with_sample_weight"}


@dataclass
class Rows:
    """Checked rows of one input and one target, as native code reads them and as scikit-learn does.

    Attributes
    ----------
    data : Dataset
    x : numpy.ndarray or SciPy matrix
        The inputs for scorers and callbacks.
    original : numpy.ndarray or SciPy matrix
        The targets for scorers and callbacks.
    """

    data: Dataset
    x: Any = None
    original: Any = None

    @classmethod
    def of(cls, X: Any, targets: Array, weights: Array | None, y: Any, dtype: np.dtype[Any]) -> Rows:
        """Return rows, in a type, of a matrix and its targets as the network reads them.

        Sparse ones become dense where that is faster.
        """
        if not isinstance(X, np.ndarray):
            size = X.shape[0] * X.shape[1]
            X = X.toarray() if size * dtype.itemsize <= DENSE_BYTES and X.nnz >= DENSE_SHARE * size else X.tocsr()
        inputs = native_rows(X, dtype)
        data = Dataset.of_one(inputs, readable(targets), None if weights is None else readable(weights, dtype))
        return cls(data, inputs if isinstance(X, np.ndarray) else X, y)

    @property
    def n(self) -> int:
        return self.data.n

    @property
    def weights(self) -> Array | None:
        return self.data.weights[0]

    def take(self, chosen: Array) -> Rows:
        """Return some rows in the given order."""
        data = self.data.take(chosen)
        dense = isinstance(self.x, np.ndarray)
        return Rows(data, data.inputs[0] if dense else self.x[chosen], self.original[chosen])


@dataclass
class Outcome:
    """What passes have added up: sums over the samples."""

    loss: float = 0.0
    penalty: float = 0.0
    diverged: bool = False

    def add(self, other: Outcome) -> None:
        """Add what other passes have added up."""
        self.loss += other.loss
        self.penalty += other.penalty
        self.diverged |= other.diverged


@dataclass
class Patience:
    """What counts as progress of the training loss, and how long training goes on without.

    Attributes
    ----------
    best : float
        The least loss so far.
    tolerance : float
        An epoch is idle unless its loss is this much below.
    patience : float
        Training pauses after more idle epochs in a row than this.
    idle : int
        The idle epochs since the last other one.
    """

    best: float = math.inf
    tolerance: float = 0.0
    patience: float = math.inf
    idle: int = 0


class EpochRunner:
    """Epochs over rows, each in an order of its own.

    Orders are drawn natively, and many epochs are one native call. Objects that call back into Python, and callers
    that follow every batch, take the order from Python.

    Parameters
    ----------
    network : DenseNetwork
    rows : Rows
    objective : Objective
    batch_size : int
    optimizer : _core.Optimizer
    state : SolverState
    random_state : numpy.random.RandomState or None
        Shuffles, each time the order of the epoch before; None leaves the rows in place.
    seed : int, default 0
        Of the dropout masks.
    by_batch : bool, default False
        Whether `train_batches` will be called.
    """

    def __init__(
        self,
        network: DenseNetwork,
        rows: Rows,
        objective: Objective,
        batch_size: int,
        optimizer: object,
        state: SolverState,
        random_state: np.random.RandomState | None,
        seed: int = 0,
        by_batch: bool = False,
    ) -> None:
        self.network, self.rows, self.objective, self.batch_size = network, rows, objective, batch_size
        self.state, self.random_state = state, random_state
        self.n_batches = -(-rows.n // batch_size)
        self._rates = np.empty(self.n_batches)
        self._losses: list[float] = []
        self._diverged = False
        self._native = pass_over(network, rows, objective, batch_size, optimizer=optimizer, mode="training", seed=seed)
        self._epochs: Any = None
        self._order: Any = None
        if not by_batch and not self._calls_python():
            generator = None if random_state is None else random_state._bit_generator
            self._lock = nullcontext() if generator is None else generator.lock
            self._epochs = _core.Epochs(self._native, generator, objective.factor)

    def _calls_python(self) -> bool:
        """Whether code that is not ours would run while the bit generator is locked, or shuffles itself."""
        own_shuffle = self.random_state is not None and type(self.random_state) is not np.random.RandomState
        own_activation = any(activation.native is None for activation in self.network.stack.activations)
        return own_shuffle or own_activation or self.objective.description["custom"] is not None

    def run(self, most: int, progress: Patience) -> None:
        """Train for an epoch or, if that is possible without the interpreter, up to `most` while there is progress."""
        if self._diverged or self._epochs is None:
            self.begin_epoch()
            self.end_epoch(self.train_batches(0, self.n_batches))
            return
        self._rates.fill(self.state.learning_rate)
        status = ""
        while status != Status.DIVERGED and not self._epochs.n_done:
            try:
                with self._lock:
                    status = self._epochs(
                        most,
                        self._rates,
                        self.state.step,
                        progress.best,
                        progress.tolerance,
                        progress.patience,
                        progress.idle,
                    )
            finally:
                self.state.step = self._native.step
        if status == Status.DIVERGED:
            self._losses += self._epochs.take_losses()
            self._diverge()

    def take_losses(self) -> list[float]:
        """Return the mean losses, penalties included, of the epochs since the last call."""
        # An interrupt comes as soon as native code has returned: what has been done there is still there.
        done = [] if self._epochs is None else self._epochs.take_losses()
        losses, self._losses = self._losses + done, []
        return losses

    def begin_epoch(self) -> None:
        """Draw the order of the next epoch."""
        if self._order is None:
            self._order = np.arange(self.rows.n, dtype=np.int64) if self._epochs is None else self._epochs.order
        if self.random_state is not None:
            self.random_state.shuffle(self._order)

    def train_batches(self, first: int, last: int) -> Outcome:
        """Train on the batches from `first` to `last` of the epoch that has begun."""
        if self._diverged:
            return Outcome(diverged=True)
        self._rates.fill(self.state.learning_rate)
        native, state = self._native, self.state
        try:
            status, _, state.step = run_slices(native, first, last, state.step, self._order, lambda n: self._rates[:n])
        except KeyboardInterrupt:
            state.step = native.step
            raise
        _, penalty, losses, _ = native.take_totals()
        return Outcome(self.objective.factor * losses[0], penalty, status == Status.DIVERGED)

    def end_epoch(self, outcome: Outcome) -> None:
        """Record what the epoch has added up."""
        if outcome.diverged:
            self._diverge()
        else:
            self._losses.append((outcome.loss + outcome.penalty) / self.rows.n)

    def _diverge(self) -> None:
        """scikit-learn's weights turn to NaN and stay so, whatever the number of epochs to come."""
        self._diverged = True
        self._losses.append(math.nan)
        self.network.values.fill(np.nan)


def pass_over(network: DenseNetwork, rows: Rows, objective: Objective, batch_size: int, **more: Any) -> _core.Pass:
    """Return a native pass over the rows; see `cnn_core.network.native.native_pass`."""
    losses = [objective.for_weights(rows.weights)]
    return native_pass(network.native, rows.data, batch_size=batch_size, losses=losses, **more)


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
        self.predictions = np.empty((rows.n, network.stack.widths[-1]), network.dtype)
        self._native = pass_over(network, rows, objective, min(rows.n, EVALUATION_ROWS), predictions=[self.predictions])

    def run(self) -> float:
        """Fill `predictions` and return the weighted mean of the loss, without penalties; NaN if it is not finite."""
        total = weight = 0.0
        for batch in range(self._native.n_batches):
            if self._native(batch, batch + 1, None, 0, None, False, float("inf"))[0] == Status.DIVERGED:
                self._native.take_totals()
                self.predictions.fill(np.nan)
                return float("nan")
            samples, _, losses, _ = self._native.take_totals()
            share = samples if self.rows.weights is None else self._weight(batch * EVALUATION_ROWS)
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
        self.loss = float("nan")  # of the last evaluation
        self._optimizer = network.optimizer("sgd", (0.0, 0.0), [], 0.0, 0.0)
        self._weight = float(rows.n if rows.weights is None else rows.weights.sum()) or 1.0
        self._native = pass_over(network, rows, objective, rows.n, optimizer=self._optimizer, mode="training")

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return the loss and a new array with its gradient at `vector`."""
        self.network.values[...] = vector
        kernels = self.network.values[: self.network.coefs_end]
        is_finite = run_whole(self._native)
        samples, _, losses, _ = self._native.take_totals()
        if not is_finite:
            self.loss = float(self._native.last_loss)
            return self.loss, np.full_like(vector, np.nan)
        loss = float(self.objective.factor * losses[0] / samples)
        gradient = self.network.gradients.copy()
        gradient[: kernels.size] += self.alpha / self._weight * kernels
        self.loss = loss + self.alpha / 2 * float(kernels @ kernels) / self._weight
        return self.loss, gradient
