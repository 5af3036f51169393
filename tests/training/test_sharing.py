"""Sharing on one rank, with shards of its own: what is refused, who writes files, and what a callback computes."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core.distribution.launch as launch
from cnn_core import Input, Model, Sequential, callbacks, layers, ops, optimizers
from cnn_core.distribution import DataParallel
from cnn_core.distribution.communicator import OneProcess
from cnn_core.training.sharing import Sharing

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = X[:, :1]


@pytest.fixture
def in_shards(monkeypatch):
    """Share trainings among four shards, all of this process."""
    monkeypatch.setattr(launch, "_communicator", OneProcess())
    with DataParallel(deterministic=True).scope():
        yield


def compiled(model: Model, optimizer="sgd", loss="mse") -> Model:
    model.compile(optimizer, loss)
    return model


def test_a_step_of_the_users_own_is_refused(in_shards):
    class Own(Sequential):
        def train_step(self, data):
            return {"loss": 0.0}

    with pytest.raises(TypeError, match=r"A model that overrides a step.*: train it with set_distribution\(None\)"):
        compiled(Own([Input((4,)), layers.Dense(1)])).fit(X, Y, verbose=0)


def test_what_looks_across_a_batch_is_refused(in_shards):
    x = Input((4,))
    model = compiled(Model(x, layers.Dense(1)(x - ops.mean(x, axis=0, keepdims=True))))
    with pytest.raises(ValueError, match=r"something looks at all their samples at once.* Received: batch_reduction"):
        model.fit(X, Y, verbose=0)


def test_the_weights_stay_those_before_a_batch_that_diverges(in_shards):
    model = compiled(Sequential([Input((4,)), layers.Dense(1)]), optimizers.SGD(1e30))
    history = model.fit(X, Y, verbose=0, epochs=9, callbacks=[callbacks.TerminateOnNaN()]).history
    assert len(history["loss"]) == 1
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_callback_may_evaluate_by_itself(in_shards):
    found = []

    class Evaluate(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(self.model.evaluate(X, Y, verbose=0))

    model = compiled(Sequential([Input((4,)), layers.BatchNormalization(), layers.Dense(1)]))
    model.fit(X, Y, verbose=0, epochs=2, callbacks=[Evaluate()])
    assert found[-1] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)


def test_only_the_first_rank_has_callbacks_that_write(in_shards, tmp_path):
    class Writing(callbacks.Callback):
        writes_files = True

    listed = callbacks.CallbackList(
        [Writing(), callbacks.EarlyStopping(), callbacks.CSVLogger(tmp_path / "log"), callbacks.History()]
    )
    chosen = DataParallel(deterministic=True)
    model = compiled(Sequential([Input((4,)), layers.Dense(1)]))
    assert [*Sharing(model, chosen).callbacks(listed)] == [*listed]
    chosen.communicator = type("Second", (OneProcess,), {"rank": 1, "size": 2})()
    kept = Sharing(model, chosen).callbacks(listed)
    assert [type(each).__name__ for each in kept] == ["EarlyStopping", "History"]


def test_gradients_go_back_to_the_model(in_shards):
    model = compiled(Sequential([Input((4,)), layers.Dense(1)]))
    model.fit(X, Y, verbose=0)
    before = model.get_weights()[0].copy()
    model.train_on_batch(X, Y)
    assert (model.get_weights()[0] != before).any()
