"""Epochs draw the order that numpy.random.RandomState.shuffle draws, and leave its stream where that would leave it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

import cnn_core._core as _core
import cnn_core.sklearn.perceptron.estimator_losses as estimator_losses
from cnn_core import activations
from cnn_core.data.dataset import Dataset
from cnn_core.sklearn.perceptron.network import DenseNetwork, Stack, Weights
from cnn_core.sklearn.perceptron.training import Rows, pass_over

# One sample has nothing to draw; around powers of two the mask that numbers are drawn under changes.
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 257, 1000]
FLOAT64 = np.dtype("float64")


def training(n, batch_size=7, alpha=0.5):
    """Return a pass of half squares over `n` rows of a linear unit, and its network."""
    generator = np.random.default_rng(n)
    weights = Weights([generator.standard_normal((2, 1))], [np.zeros(1)])
    network = DenseNetwork(Stack([2, 1], [activations.linear]), weights, FLOAT64)
    rows = Rows(Dataset.of_one(generator.standard_normal((n, 2)), generator.standard_normal((n, 1))))
    optimizer = network.optimizer("sgd", (0.0, 0.0), [], alpha, 0.0)
    objective = estimator_losses.regression_loss("squared_error", 1)
    native = pass_over(network, rows, objective, batch_size, optimizer=optimizer, mode="training")
    return native, network, rows


def rates(native, rate=0.01):
    return np.full(native.n_batches, rate)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.PCG64, np.random.SFC64])
def test_order_and_stream_are_those_of_numpy(n, generator):
    ours, theirs = (np.random.RandomState(generator(3)) for _ in range(2))
    native, _, _ = training(n)
    epochs = _core.Epochs(native, ours._bit_generator, 0.5)
    order = np.arange(n)
    for _ in range(3):
        theirs.shuffle(order)
        assert epochs(1, rates(native), native.step) == "finished"
        np.testing.assert_array_equal(epochs.order, order)
    assert ours.randint(2**31) == theirs.randint(2**31)


def test_rows_stay_in_place_without_a_generator():
    native, _, _ = training(5)
    epochs = _core.Epochs(native, None)
    epochs(1, rates(native), 0)
    assert epochs.order is None


def by_hand(network, rows, order, batch_size, alpha, rate):
    """One epoch of plain gradient descent; returns the mean loss."""
    w, b = network.weights.coefs[0].copy(), network.weights.intercepts[0].copy()
    total = 0.0
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        x, y = rows.data.inputs[0][chosen], rows.data.targets[0][chosen]
        error = x @ w + b - y
        total += 0.5 * (error**2).sum() + 0.5 * alpha * (w**2).sum()
        w -= rate * (x.T @ error + alpha * w) / len(chosen)
        b -= rate * error.mean(axis=0)
    return total / len(order), w, b


def test_an_epoch_is_gradient_descent_in_that_order():
    native, network, rows = training(20)
    state = np.random.RandomState(1)
    epochs = _core.Epochs(native, np.random.RandomState(1)._bit_generator, 1.0)
    order = np.arange(20)
    for _ in range(3):
        state.shuffle(order)
        loss, w, b = by_hand(network, rows, order, 7, 0.5, 0.01)
        epochs(1, rates(native), 0)
        np.testing.assert_allclose(epochs.take_losses(), [loss], rtol=1e-13)
        np.testing.assert_allclose(network.weights.coefs[0], w, rtol=1e-12)
        np.testing.assert_allclose(network.weights.intercepts[0], b, rtol=1e-12)


def test_patience_is_counted_in_idle_epochs():
    native, _, _ = training(20)
    epochs = _core.Epochs(native, None)
    assert epochs(100, rates(native), 0, best=0.0, patience=3) == "finished"  # no loss is below 0
    assert len(epochs.take_losses()) == 4
    assert epochs.take_losses() == []
    epochs(100, rates(native), 0, best=0.0, patience=3, idle=2)
    assert len(epochs.take_losses()) == 2
    epochs(100, rates(native), 0, best=0.0, patience=3, idle=50)
    assert len(epochs.take_losses()) == 1
    epochs(100, rates(native), 0, tolerance=1e9, patience=3)
    assert len(epochs.take_losses()) == 5  # the first is better than none
    epochs(5, rates(native), 0, best=0.0)
    assert len(epochs.take_losses()) == 5


def test_a_slice_that_ends_during_an_epoch_goes_on_there():
    state = np.random.RandomState(1)
    whole, network, _ = training(3000, 1)
    _core.Epochs(whole, state._bit_generator)(2, rates(whole), 0, seconds=1e9)
    sliced, other, _ = training(3000, 1)
    epochs = _core.Epochs(sliced, np.random.RandomState(1)._bit_generator)
    losses = []
    while len(losses) < 2:
        epochs(2 - len(losses), rates(sliced), sliced.step, seconds=0.0)
        losses += epochs.take_losses()
    np.testing.assert_array_equal(network.values, other.values)
    assert sliced.step == whole.step == 6000


def test_wrong_arguments_are_refused():
    native, _, rows = training(20)
    with pytest.raises(ValueError, match="epochs need an optimizer and a loss"):
        _core.Epochs(pass_over(*evaluation(rows)), None)
    with pytest.raises(AttributeError):
        _core.Epochs(native, object())
    with pytest.raises(TypeError):
        _core.Epochs(None, None)
    epochs = _core.Epochs(native, np.random.RandomState(1)._bit_generator)
    with pytest.raises(ValueError, match="expected 3 elements"):
        epochs(1, np.zeros(2), 0)
    native.feed([rows.data.inputs[0][:10].copy()], [rows.data.targets[0][:10].copy()], [None])
    with pytest.raises(ValueError, match="the pass has 10 samples, the order 20"):
        epochs(1, rates(native), 0)


def evaluation(rows):
    _, network, _ = training(20)
    return network, rows, estimator_losses.regression_loss("squared_error", 1), 7
