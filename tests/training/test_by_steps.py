"""`fit`, `evaluate` and `predict` by custom steps: arguments are checked as for the native loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core as keras
from cnn_core import layers

X, Y = np.ones((8, 2)), np.ones((8, 1))


class Own(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        return super().test_step(data)

    def predict_step(self, data: Any) -> Any:
        return super().predict_step(data)


def model_of(cls: Any = Own, optimizer: Any = "sgd") -> Any:
    model = cls([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def test_bad_arguments_are_named() -> None:
    model = model_of()
    with pytest.raises(ValueError, match="`validation_data` must be"):
        model.fit(X, Y, validation_data=X, verbose=0)
    with pytest.raises(ValueError, match="`y` must be None when x yields batches"):
        model.fit(iter([(X, Y)]), Y, verbose=0)
    with pytest.raises(ValueError, match="`epochs`"):
        model.fit(X, Y, epochs=-1)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((8, 2), np.nan), Y, verbose=0)
    with pytest.raises(ValueError, match="LBFGS needs all rows at once"):
        model_of(optimizer=keras.optimizers.LBFGS()).fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="needs a compiled model"):
        Own([keras.Input((2,)), layers.Dense(1)]).fit(X, Y)


def test_results_as_dict_list_and_number() -> None:
    model = model_of()
    assert sorted(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "mae"]
    assert len(model.evaluate(X, Y, verbose=0)) == 2
    model.compile("sgd", "mse")
    assert isinstance(model.evaluate(X, Y, verbose=0), float)
    assert model.predict(X, steps=1, batch_size=3).shape == (3, 1)


def test_dtypes_and_structures_of_predictions() -> None:
    class Doubling(keras.Model):
        def predict_step(self, data: Any) -> Any:
            return {"twice": [2 * self(data), data["a"]]}

    inputs = {"a": keras.Input((2,), name="a")}
    model = Doubling(inputs, layers.Dense(3)(inputs["a"]))
    found = model.predict({"a": X}, batch_size=3)["twice"]
    np.testing.assert_allclose(found[0], 2 * model({"a": X}), rtol=1e-6)
    assert found[1].dtype == np.float32


def test_a_subclass_may_reset_its_metrics_itself() -> None:
    class Resetting(Own):
        resets = 0

        def reset_metrics(self) -> None:
            self.resets += 1
            super().reset_metrics()

    model = model_of(Resetting)
    model.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    assert model.resets == 6


def test_an_evaluation_within_an_epoch_leaves_its_metrics_alone() -> None:
    class Evaluating(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.evaluate(3 * X, Y, verbose=0)

    histories = []
    for callbacks in ([], [Evaluating()]):
        keras.utils.set_random_seed(2)
        model = model_of()
        histories.append(model.fit(X, Y, batch_size=2, callbacks=callbacks, verbose=0).history)
    assert histories[0] == histories[1]
