"""Callbacks around the epochs of a tabular estimator: cnn_core's, and scikit-learn's own from 1.9 on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_core.callbacks import CallbackList, History
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.fit_tasks import FitTasks
from cnn_core.sklearn.tabular.training import TabularTraining

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


class _Rate:
    """The optimizer as callbacks know it: the learning rate of the schedule's crests."""

    def __init__(self, training: TabularTraining) -> None:
        self._training = training

    @property
    def learning_rate(self) -> float:
        return self._training.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._training.learning_rate = float(value)


@dataclass(frozen=True)
class _LowerIsBetter:
    """A metric as callbacks ask for its direction."""

    name: str
    higher_is_better: bool = False


class TrainedTable:
    """A tabular network in training as callbacks know a model.

    Parameters
    ----------
    estimator : object
    training : TabularTraining

    Attributes
    ----------
    stop_training : bool
        A callback sets it to end training after the epoch.
    optimizer : object with `learning_rate`
        That of the schedule's crests.
    estimator : object
        Not fitted yet.
    """

    def __init__(self, estimator: object, training: TabularTraining) -> None:
        self.stop_training = False
        self.history: History | None = None
        self.metrics = [_LowerIsBetter(training.plan.metric)]
        self.estimator, self.optimizer = estimator, _Rate(training)
        self._network = training.network

    def get_weights(self) -> list[Array]:
        """Return copies of all parameters, one member's after another's."""
        return [array.copy() for array in self._network.weights().values()]

    def set_weights(self, weights: list[Array]) -> None:
        """Set them."""
        for array, value in zip(self._network.weights().values(), weights, strict=True):
            array[...] = value


class EpochCallbacks:
    """All callbacks of a `fit`, called around each epoch.

    Parameters
    ----------
    estimator : TabularEstimator
        With `callbacks`, and those of `set_callbacks`.
    fitted_attributes : callable without arguments
        What would be fitted if training ended now, by name.
    X, y : object
        What is trained on.

    Raises
    ------
    ValueError
        If a callback wants to be called around batches, many of which are one native call.
    """

    def __init__(
        self, estimator: BaseEstimator, fitted_attributes: Callable[[], dict[str, Any]], X: object, y: object
    ) -> None:
        self._callbacks = CallbackList(estimator.callbacks)
        batchwise = [each for each in self._callbacks if CallbackList([each]).needs_batch_hooks("train")]
        if batchwise:
            raise ValueError(
                "`callbacks` must be content with hooks around epochs: many batches are one native call. "
                f"Received: {type(batchwise[0]).__name__}, which has hooks around batches"
            )
        self._estimator = estimator
        self._tasks = FitTasks(estimator, fitted_attributes, X, y)
        self._logs: dict[str, float] = {}

    @staticmethod
    def are_wanted(estimator: BaseEstimator) -> bool:
        """Whether an estimator has any callbacks."""
        return bool(estimator.callbacks) or FitTasks.are_wanted(estimator)

    def begin(self, training: TabularTraining) -> None:
        """Tell that training begins."""
        self._model = TrainedTable(self._estimator, training)
        self._callbacks.set_model(self._model)
        self._callbacks.set_params({"verbose": 0, "epochs": training.plan.epochs, "steps": training.n_batches})
        self._callbacks.on_train_begin()
        self._tasks.begin(training.plan.epochs)

    def begin_epoch(self, epoch: int) -> None:
        """Tell that an epoch begins, counted from 0."""
        self._callbacks.on_epoch_begin(epoch)
        self._tasks.begin_epoch()

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> bool:
        """Tell that an epoch has ended and return whether training is to end."""
        self._logs = logs
        self._callbacks.on_epoch_end(epoch, dict(logs))
        return self._tasks.end_epoch() | self._model.stop_training

    def end(self) -> None:
        """Tell that training has ended."""
        self._callbacks.on_train_end(dict(self._logs))
        self._tasks.end()
