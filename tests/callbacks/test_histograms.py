"""Histograms of weights and gradients over the epochs, and their picture."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_core import Input, Sequential, callbacks, layers
from cnn_core.callbacks.histograms import HistogramLogger, histogram_of
from cnn_core.utils import set_random_seed

X = np.random.default_rng(0).normal(size=(32, 3))
Y = X[:, :1]


def model():
    set_random_seed(0)
    made = Sequential(
        [Input((3,)), layers.Dense(4, "tanh", name="hidden"), layers.Dropout(0.25), layers.Dense(1, name="out")]
    )
    made.compile("sgd", "mse")
    return made


def trained(logger: HistogramLogger, epochs: int = 3):
    made = model()
    made.fit(X, Y, epochs=epochs, verbose=0, callbacks=[logger])
    return logger


def test_weights_of_the_last_epoch_are_the_models():
    logger = trained(HistogramLogger(bins=7))
    assert logger.epochs == [0, 1, 2]
    assert not logger.gradients
    kernel = logger.model.layers[0].kernel.numpy().astype(np.float64)
    counts, edges = np.histogram(kernel, 7)
    found = logger.weights["hidden/kernel"][-1]
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.edges, edges)
    assert logger.weights["hidden/kernel"][0].edges.tolist() != found.edges.tolist()


def test_gradients_are_those_of_the_batch():
    made = Sequential([Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones", name="out")])
    made.compile("sgd", "half_squared_error")
    made.optimizer.learning_rate = 0.0
    logger = HistogramLogger([[2.0]], [[5.0]], bins=1)
    made.fit([[1.0]], [[1.0]], epochs=1, verbose=0, callbacks=[logger])
    (histogram,) = logger.gradients["out/kernel"]
    assert histogram.edges.mean() == (2.0 - 5.0) * 2.0  # (a - y) x
    assert histogram.counts.tolist() == [1]


def test_training_is_the_same_with_a_logger():
    plain = model()
    history = plain.fit(X, Y, epochs=3, verbose=0).history
    logger = HistogramLogger(X, Y)
    watched = model()
    assert watched.fit(X, Y, epochs=3, verbose=0, callbacks=[logger]).history == history
    for mine, theirs in zip(watched.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_layers_of_one_name_are_told_apart():
    inner = Sequential([Input((3,)), layers.Dense(4, name="same")])
    made = Sequential([Input((3,)), inner, layers.Dense(1, name="same")])
    made.compile("sgd", "mse")
    logger = HistogramLogger(X, Y)
    made.fit(X, Y, epochs=2, verbose=0, callbacks=[logger])
    sizes = {name: [each.counts.sum() for each in found] for name, found in logger.gradients.items()}
    assert sizes == {"same/kernel": [12] * 2, "same/bias": [4] * 2, "same/kernel#1": [4] * 2, "same/bias#1": [1] * 2}
    assert list(logger.weights) == list(logger.gradients)


def test_every_so_many_epochs_and_another_training():
    logger = trained(HistogramLogger(X, Y, freq=2), epochs=5)
    assert logger.epochs == [0, 2, 4]
    assert {len(each) for each in (*logger.weights.values(), *logger.gradients.values())} == {3}
    kept = copy.copy(logger)
    trained(logger, epochs=1)
    assert logger.epochs == [0]
    assert kept.epochs == [0, 2, 4]


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, np.nextafter(1.0, 2.0)], [np.nan, np.inf, 3.0]])
def test_values_that_have_no_width(values: list[float]):
    histogram = histogram_of(values, 5)
    assert histogram.counts.sum() == np.isfinite(values).sum()
    assert (np.diff(histogram.edges) > 0).all()


def test_plot(tmp_path: Path):
    pytest.importorskip("matplotlib")
    logger = trained(HistogramLogger(X, Y, bins=6, freq=2), epochs=4)
    figure = logger.plot("gradients", path=tmp_path / "gradients.png")
    assert (tmp_path / "gradients.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == ["hidden/kernel", "hidden/bias", "out/kernel", "out/bias"]
    assert figure._repr_png_().startswith(b"\x89PNG")
    (mesh,) = figure.axes[0].collections
    corners = mesh.get_coordinates()
    for column, histogram in enumerate(logger.gradients["hidden/kernel"]):
        shares = histogram.counts / histogram.counts.max()
        np.testing.assert_allclose(mesh.get_array()[:, 2 * column], shares)
        np.testing.assert_allclose(corners[:, 2 * column, 1], histogram.edges)
        np.testing.assert_allclose(corners[:, 2 * column + 1, 1], histogram.edges)
    assert corners[0, :, 0].tolist() == [-1, 1, 1, 3]  # epochs 0 and 2, each as wide as there are epochs to the next


def test_plot_in_axes_of_ones_own():
    figures = pytest.importorskip("matplotlib.figure")
    logger = trained(HistogramLogger())
    axes = figures.Figure().subplots()
    assert logger.plot(names=["out/kernel"], ax=axes) is axes.get_figure()
    assert (axes.get_title(), axes.get_ylabel()) == ("out/kernel", "weight")


def test_errors(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="`x` must be given where `y` is"):
        HistogramLogger(y=Y)
    with pytest.raises(ValueError, match="`freq` must be"):
        HistogramLogger(freq=0)
    with pytest.raises(ValueError, match="at least one finished epoch"):
        HistogramLogger().plot()
    logger = trained(callbacks.HistogramLogger())
    with pytest.raises(ValueError, match="give HistogramLogger x and y"):
        logger.plot("gradients")
    with pytest.raises(ValueError, match="`kind` must be"):
        logger.plot("deltas")
    with pytest.raises(ValueError, match=r"`names` must be .* Did you mean 'out/kernel'"):
        logger.plot(names=["out/kernl"])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'cnn_core\[plot\]'"):
        logger.plot()
