"""cnn_core's callbacks around an estimator's epochs. Floor 5."""

from __future__ import annotations

from typing import Any

from cnn_core.arrays import Array
from cnn_core.callbacks import CallbackList, History
from cnn_core.sklearn.network import DenseNetwork
from cnn_core.sklearn.training import SolverState


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


class Followed:
    """The network in training as callbacks know a model.

    Parameters
    ----------
    estimator : object
    network : DenseNetwork
    state : SolverState

    Attributes
    ----------
    stop_training : bool
        A callback sets it to end training after the epoch.
    optimizer : object with `learning_rate`
    estimator : object
    """

    def __init__(self, estimator: Any, network: DenseNetwork, state: SolverState) -> None:
        self.stop_training = False
        self.history: History | None = None
        self.metrics: list[Any] = []
        self.estimator = estimator
        self.optimizer = _Rate(state)
        self._network = network

    def get_weights(self) -> list[Array]:
        """Return copies of all kernels, then all intercepts, then what batch normalization has."""
        return [array.copy() for array in self._network.weights]

    def set_weights(self, weights: list[Array]) -> None:
        """Set them."""
        for array, value in zip(self._network.weights, weights, strict=True):
            array[...] = value


def begin(callbacks: Any, followed: Followed, epochs: int, steps: int) -> CallbackList:
    """Tell callbacks that training begins."""
    heard = CallbackList(callbacks)
    heard.set_model(followed)
    heard.set_params({"verbose": 0, "epochs": epochs, "steps": steps})
    heard.on_train_begin()
    return heard
