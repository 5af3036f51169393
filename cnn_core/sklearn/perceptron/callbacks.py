"""Callbacks around a perceptron's epochs: cnn_core's, and scikit-learn's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_core.callbacks import CallbackList, History
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.fit_tasks import FitTasks
from cnn_core.sklearn.perceptron.network import DenseNetwork
from cnn_core.sklearn.perceptron.training import Rows, SolverState

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from cnn_core.foundation.model_file import FileLike


class _Rate:
    """The optimizer as callbacks know it: its learning rate."""

    def __init__(self, state: SolverState) -> None:
        self._state = state

    @property
    def learning_rate(self) -> float:
        return self._state.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._state.learning_rate = float(value)


@dataclass(frozen=True)
class _Score:
    """The score of held-out rows as callbacks ask for its direction."""

    name: str = "score"
    higher_is_better: bool = True


class CallbackModel:
    """The network in training as callbacks know a model.

    Parameters
    ----------
    estimator : object
    network : DenseNetwork
    state : SolverState or None
        None of L-BFGS, which has no learning rate.

    Attributes
    ----------
    stop_training : bool
        A callback sets it to end training after the epoch.
    optimizer : object with `learning_rate`
    estimator : object
    """

    def __init__(self, estimator: BaseEstimator, network: DenseNetwork, state: SolverState | None) -> None:
        self.stop_training = False
        self.history: History | None = None
        self.metrics = [_Score()]
        self.estimator = estimator
        if state is not None:
            self.optimizer = _Rate(state)
        self._network = network

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"A perceptron in training has no {name!r}. Callbacks can use stop_training, optimizer.learning_rate (not "
            "of 'lbfgs'), get_weights(), set_weights(...), save(path) and estimator"
        )

    def get_weights(self) -> list[Array]:
        """Return copies of all kernels, then all intercepts, then what batch normalization has."""
        return [array.copy() for array in self._network.weights]

    def set_weights(self, weights: list[Array]) -> None:
        """Set them."""
        for array, value in zip(self._network.weights, weights, strict=True):
            array[...] = value

    def save(self, filepath: FileLike) -> None:
        """Save the estimator as it is now."""
        self.estimator.save(filepath)


class FitCallbacks:
    """All callbacks of one `fit`.

    Parameters
    ----------
    estimator : Perceptron
        With `callbacks`, and those of `set_callbacks`.
    network : DenseNetwork
    state : SolverState or None
    rows : Rows
        What is trained on.
    """

    def __init__(self, estimator: BaseEstimator, network: DenseNetwork, state: SolverState | None, rows: Rows) -> None:
        self.model = CallbackModel(estimator, network, state)
        self._callbacks = CallbackList(estimator.callbacks or ())
        self._tasks = FitTasks(estimator, estimator._fitted_copies, rows.x, rows.original, rows.weights)
        self.by_batch = self._callbacks.needs_batch_hooks("train")
        self.batch_begins, self.batch_ends = self._callbacks.on_train_batch_begin, self._callbacks.on_train_batch_end

    @staticmethod
    def are_wanted(estimator: BaseEstimator) -> bool:
        """Whether an estimator has any."""
        return bool(estimator.callbacks) or FitTasks.are_wanted(estimator)

    @staticmethod
    def need_batches(estimator: BaseEstimator) -> bool:
        """Whether one of them wants to be called around every batch."""
        return CallbackList(estimator.callbacks or ()).needs_batch_hooks("train")

    def begin(self, epochs: int, steps: int) -> None:
        """Tell that training begins, with so many epochs at most, of so many batches."""
        self._callbacks.set_model(self.model)
        self._callbacks.set_params({"verbose": 0, "epochs": epochs, "steps": steps})
        self._callbacks.on_train_begin()
        self._tasks.begin(epochs)

    def begin_epoch(self, epoch: int) -> None:
        """Tell that an epoch begins, counted from 0."""
        self._callbacks.on_epoch_begin(epoch)
        self._tasks.begin_epoch()

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> bool:
        """Tell that an epoch has ended and return whether training is to end."""
        self._callbacks.on_epoch_end(epoch, logs)
        return self._tasks.end_epoch() | self.model.stop_training

    def end(self, logs: dict[str, float]) -> None:
        """Tell that training has ended."""
        self._callbacks.on_train_end(logs)
        self._tasks.end()
