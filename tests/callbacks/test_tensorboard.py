"""Event files, as TensorBoard's own reader finds them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_core import Input, Sequential, callbacks, layers

X = np.random.default_rng(0).normal(size=(32, 3))
Y = X[:, :1]


def model():
    made = Sequential([Input((3,)), layers.Dense(4, "tanh", name="hidden"), layers.Dense(1, name="out")])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


def events(folder: Path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulators.EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return found


def series(folder: Path, name: str):
    return [(event.step, event.tensor_proto.float_val[0]) for event in events(folder).Tensors(name)]


def test_epochs_are_what_history_holds(tmp_path):
    pytest.importorskip("tensorboard")
    history = (
        model()
        .fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
        .history
    )
    for name in ("loss", "mae"):
        for part, key in (("train", name), ("validation", f"val_{name}")):
            steps, values = zip(*series(tmp_path / part, f"epoch_{name}"), strict=True)
            assert steps == (0, 1, 2)
            np.testing.assert_allclose(values, history[key], rtol=1e-6)
    assert series(tmp_path / "train", "epoch_learning_rate") == [(n, pytest.approx(0.01)) for n in range(3)]


def test_batches_histograms_and_the_graph(tmp_path):
    pytest.importorskip("tensorboard")
    trained = model()
    callback = callbacks.TensorBoard(tmp_path, histogram_freq=2, update_freq=2, write_steps_per_second=True)
    trained.fit(X, Y, epochs=3, batch_size=4, verbose=0, callbacks=[callback])
    found = events(tmp_path / "train")
    assert [step for step, _ in series(tmp_path / "train", "batch_loss")] == list(range(2, 25, 2))
    assert [event.step for event in found.Tensors("hidden/kernel/histogram")] == [0, 2]
    assert len(series(tmp_path / "train", "epoch_steps_per_second")) == 3
    (graph,) = found.Tensors("keras")
    assert json.loads(graph.tensor_proto.string_val[0])["class_name"] == "Sequential"


def test_evaluation_is_over_the_steps_of_the_optimizer(tmp_path):
    pytest.importorskip("tensorboard")
    trained = model()
    trained.fit(X, Y, batch_size=8, verbose=0)
    loss, _ = trained.evaluate(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    ((step, value),) = series(tmp_path / "validation", "evaluation_loss_vs_iterations")
    assert (step, value) == (4, pytest.approx(loss))


@pytest.mark.parametrize(
    "arguments",
    [{"histogram_freq": -1}, {"update_freq": 0}, {"update_freq": "step"}, {"write_images": True}, {"profile_batch": 2},
     {"embeddings_freq": 1}, {"write_graph": "yes"}],
)  # fmt: skip
def test_what_is_refused(arguments):
    with pytest.raises((ValueError, TypeError), match=next(iter(arguments))):
        callbacks.TensorBoard("logs", **arguments)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"`callbacks.TensorBoard` needs tensorboard: pip install 'cnn_core\[tensor"):
        model().fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])


def test_layers_of_one_name_have_histograms_of_their_own(tmp_path):
    pytest.importorskip("tensorboard")
    inner = Sequential([Input((3,)), layers.Dense(4, name="same")])
    made = Sequential([Input((3,)), inner, layers.Dense(1, name="same")])
    made.compile("sgd", "mse")
    made.fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=1)])
    found = events(tmp_path / "train")
    for name in ("same/kernel", "same/kernel#1"):
        assert [event.step for event in found.Tensors(f"{name}/histogram")] == [0, 1]
