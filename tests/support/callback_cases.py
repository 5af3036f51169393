"""What the tests of callbacks share: a small stand-in for a model, and a callback that records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnn_core import optimizers
from cnn_core.callbacks import Callback, CallbackList

HOOKS = [
    "on_train_begin", "on_train_end", "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end",
]  # fmt: skip
NUMBERED_HOOKS = [
    "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end",
]  # fmt: skip


class FakeModel:
    """What callbacks use of a model. Its one weight counts the batches that it was trained with."""

    def __init__(self, optimizer: optimizers.Optimizer | None = None, measured: list[Any] | None = None):
        self.optimizer = optimizer if optimizer is not None else optimizers.SGD(0.1)
        self.metrics = measured or []
        self.weight = np.zeros(1)
        self.stop_training = False
        self.history: Any = None
        self.saved: list[tuple[str, str]] = []
        self.restored: dict[str, Any] = {}

    def get_weights(self) -> list[np.ndarray]:
        return [self.weight.copy()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weight = weights[0].copy()

    def save(self, path: str) -> None:
        self.saved.append(("model", path))

    def save_weights(self, path: str) -> None:
        self.saved.append(("weights", path))
        Path(path).write_bytes(self.weight.tobytes())

    def load_weights(self, path: str) -> None:
        self.weight = np.frombuffer(Path(path).read_bytes()).copy()

    def training_state(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.training_state(), "random": {"key": 2**64 - 1, "position": [1, 2]}}

    def restore_training_state(self, state: dict[str, Any]) -> None:
        self.restored = state
        self.optimizer.restore_training_state(state["optimizer"])

    def swap_average_weights(self) -> None:
        average = self.optimizer.state["average"]
        self.weight, average[...] = average.copy(), self.weight


def train(model: FakeModel, called: Any, values: list[dict[str, Any]], n_batches: int = 1) -> CallbackList:
    """Train one epoch for each entry of `values`, its logs at the epoch's end, until a callback stops it."""
    together = CallbackList(called, add_history=True, model=model, epochs=len(values), steps=n_batches, verbose=0)
    model.stop_training = False
    together.on_train_begin()
    first = model.restored.get("epoch", 0)
    logs: dict[str, Any] = {}
    for epoch in range(first, len(values)):
        together.on_epoch_begin(epoch)
        for batch in range(model.restored.pop("batch", 0) if epoch == first else 0, n_batches):
            together.on_train_batch_begin(batch)
            model.weight += 1
            model.optimizer.batches_seen += 1
            together.on_train_batch_end(batch, {"loss": 1.0})
        logs = together.on_epoch_end(epoch, values[epoch])
        if model.stop_training:
            break
    together.on_train_end(logs)
    return together


def epochs_of(values: list[float], name: str = "val_loss") -> list[dict[str, float]]:
    return [{name: value} for value in values]


class Recorder(Callback):
    """Writes down which hooks were called with what."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []


def _recording(hook: str) -> Any:
    def method(self, *arguments: Any) -> None:
        self.calls.append((hook, *arguments))

    return method


for _hook in HOOKS + NUMBERED_HOOKS:
    setattr(Recorder, _hook, _recording(_hook))
