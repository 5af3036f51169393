"""The loop around custom steps: batches, orders, hooks and epochs are those of the native loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnn_core as keras
from cnn_core import layers
from cnn_core.callbacks import Callback

X = np.arange(24.0, dtype="float32").reshape(12, 2) / 10
Y = np.arange(12.0, dtype="float32")


class Seeing(keras.Sequential):
    """Notes the batches that it is given."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: list[Any] = []

    def train_step(self, data: Any) -> Any:
        self.seen.append(data)
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        self.seen.append(data)
        return super().test_step(data)


def seeing() -> Seeing:
    keras.utils.set_random_seed(1)
    model = Seeing([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def targets(model: Seeing) -> list[list[float]]:
    return [np.asarray(batch[1]).reshape(-1).tolist() for batch in model.seen]


def test_rows_in_order_and_shuffled() -> None:
    model = seeing()
    model.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    assert targets(model) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    model.seen.clear()
    model.fit(X, Y, batch_size=12, epochs=2, verbose=0)
    first, second = targets(model)
    assert sorted(first) == sorted(second) == Y.tolist()
    assert first != second


def test_steps_per_epoch_go_on_through_the_data() -> None:
    model = seeing()
    with pytest.warns(UserWarning, match="ran out of batches after 1 of this epoch"):
        model.fit(X, Y, batch_size=4, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0)
    assert targets(model)[:3] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_batches_of_generators_and_data_sets() -> None:
    class Halves(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            rows = slice(6 * index, 6 * index + 6)
            return X[rows], Y[rows]

    def generated() -> Iterator[Any]:
        yield X[:3], Y[:3], np.ones(3)
        yield X[3:], Y[3:], np.ones(9)

    model = seeing()
    model.fit(Halves(), epochs=2, shuffle=False, verbose=0)
    assert list(map(len, targets(model))) == [6, 6, 6, 6]
    model.seen.clear()
    model.evaluate(generated(), verbose=0)
    assert [len(batch) for batch in model.seen] == [3, 3]
    model.seen.clear()
    with pytest.warns(UserWarning, match="ran out of batches"):
        model.fit(generated(), epochs=3, verbose=0)
    assert len(model.seen) == 2


def test_class_weights_come_as_sample_weights() -> None:
    model = seeing()
    model.fit(X, (Y > 5).astype(int), batch_size=12, class_weight={1: 3.0}, shuffle=False, verbose=0)
    assert model.seen[0][2].tolist() == [1] * 6 + [3] * 6


def test_hooks_and_stopping() -> None:
    class Stopping(Callback):
        def __init__(self) -> None:
            super().__init__()
            self.told: list[Any] = []

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.told.append(("begin", batch))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.told.append(("end", batch, sorted(logs)))
            self.model.stop_training = batch == 1

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.told.append(("test", batch))
            self.model.stop_evaluating = True

    model, stopping = seeing(), Stopping()
    model.fit(X, Y, batch_size=4, epochs=3, validation_data=(X, Y), callbacks=[stopping], verbose=0)
    assert stopping.told == [("begin", 0), ("end", 0, ["loss"]), ("begin", 1), ("end", 1, ["loss"]), ("test", 0)]


def test_a_training_that_was_interrupted_goes_on(tmp_path: Any) -> None:
    class Interrupting(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.optimizer.iterations == 5:
                raise KeyboardInterrupt

    def backed_up() -> Any:
        return keras.callbacks.BackupAndRestore(tmp_path / "state", save_freq=1)

    whole = seeing()
    history = whole.fit(X, Y, batch_size=3, epochs=3, verbose=0).history
    broken = seeing()
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X, Y, batch_size=3, epochs=3, callbacks=[backed_up(), Interrupting()], verbose=0)
    again = seeing()
    later = again.fit(X, Y, batch_size=3, epochs=3, callbacks=[backed_up()], verbose=0).history
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert later["loss"] == pytest.approx(history["loss"][1:])
