"""Native objects by keyword."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core import _core
from cnn_core.data.dataset import Dataset
from cnn_core.losses.base import description
from cnn_core.network.native import Status, bound_network, native_pass, optimizer_over, run_slices, run_whole
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.regularizers import L2

X = np.arange(1.0, 7.0).reshape(6, 1)


def line(slope):
    """A plan of y = slope * x, and its variable."""
    plan, kernel = NetworkPlan(), np.array([[slope]])
    plan.outputs = [plan.add("dense", [plan.add_input((1,))], (1,), layer="line", variables=[kernel, None])]
    return plan, kernel


def training(slope=0.0, rate_of_penalty=0.0):
    plan, kernel = line(slope)
    gradient = np.zeros(1)
    network = bound_network(plan, "float64", values=[kernel], gradients=[gradient.reshape(1, 1)])
    penalty = {"offset": 0, "n_rows": 1, "n_cols": 1, "penalty": "l1_l2", "l1": 0.0, "l2": rate_of_penalty}
    native = native_pass(
        network,
        Dataset.of_one(X, 3 * X),
        batch_size=2,
        losses=[description("half_squared_error", 1)],
        optimizer=optimizer_over(
            kernel.reshape(1), gradient, groups=[(0, 1, 1.0, 1.0, False)], rules=[penalty] if rate_of_penalty else []
        ),
        mode="training",
    )
    return native, kernel, gradient


def test_a_plan_takes_others_over_with_their_variables():
    both = NetworkPlan()
    source = both.add_input((1,))
    slopes = []
    for slope in (2.0, 3.0):
        plan, kernel = line(slope)
        plan.add_activity_penalty(plan.outputs[0], L2(0.5), "line")
        both.outputs += both.join(plan, [source])
        slopes.append(kernel)
    network = bound_network(both, np.dtype("float64"), values=slopes)
    found = [np.empty_like(X), np.empty_like(X)]
    network.predict([X], found)
    np.testing.assert_array_equal(found, [2 * X, 3 * X])
    assert [each.output in both.outputs for each in both.operations] == [True] * 4
    with pytest.raises(ValueError, match="zip"):
        both.join(line(1.0)[0], [])


def test_a_network_reads_the_arrays_that_it_is_bound_to():
    plan, kernel = line(2.0)
    network = bound_network(plan, np.dtype("float64"), values=[kernel])
    out = np.empty((6, 1))
    network.predict([X], [out])
    np.testing.assert_array_equal(out, 2 * X)
    kernel[...] = -1.0
    network.predict([X], [out])
    np.testing.assert_array_equal(out, -X)


def test_slices_are_steps_by_hand():
    native, kernel, _ = training()
    asked, slope = [], 0.0
    status, reached, step = run_slices(native, 0, 3, 5, None, lambda n: asked.append(n) or np.full(n, 0.01))
    for first in (0, 2, 4):
        x = X[first : first + 2, 0]
        slope -= 0.01 * np.mean((slope - 3) * x**2)
    assert (status, reached, step, asked[0]) == (Status.FINISHED, 3, 8, 3)
    assert kernel[0, 0] == pytest.approx(slope, rel=1e-12)
    taken = native.take_totals()
    assert taken[0] == 6


def test_slices_end_where_they_are_told_to_or_diverge():
    native, _, _ = training()
    steps = []
    status, reached, _ = run_slices(native, 0, 1, 0, None, lambda n: np.full(n, 0.01), lambda step: steps.append(step))
    assert (status, reached, steps) == (Status.FINISHED, 1, [1])
    native, _, _ = training(slope=np.inf)
    status, _, _ = run_slices(native, 0, 3, 0, None, lambda n: np.full(n, 0.01))
    assert status == Status.DIVERGED


def test_a_whole_batch_moves_nothing():
    native, kernel, gradient = training(slope=1.0, rate_of_penalty=0.5)
    assert run_whole(native)
    assert kernel[0, 0] == 1.0
    assert gradient[0] == pytest.approx((1 - 3) * (1 + 4) / 2 + 2 * 0.5 * 1.0, rel=1e-12)  # (p - y) x, and 2 l2 w
    assert not run_whole(training(slope=np.inf)[0])


def test_an_optimizers_tail_has_known_names():
    with pytest.raises(TypeError, match=r"clip_norm.* Received: clipnorm"):
        optimizer_over(np.zeros(1), np.zeros(1), clipnorm=1.0)
    assert set(Status) == set(_core.STATUS.values())


def wide_evaluation(network, x):
    """A pass over all rows at once, and the mean loss that it finds."""
    native = native_pass(
        network,
        Dataset.of_one(x, np.zeros((len(x), 1))),
        batch_size=len(x),
        losses=[description("half_squared_error", 1)],
        mode="tracing",
    )
    run_whole(native)
    return native, native.last_loss


def test_a_network_keeps_the_memory_of_its_last_pass_for_the_next():
    plan, kernel = line(1.0)
    network = bound_network(plan, "float64", values=[kernel])
    few, many = np.ones((10, 1)), np.ones((40_000, 1))
    for x, least in ((few, 0), (many, 1 << 20)):
        native, loss = wide_evaluation(network, x)
        assert (loss, network.kept_bytes) == (0.5, 0)
        del native
        assert network.kept_bytes >= least
        assert (network.kept_bytes > 0) == (least > 0)
    of_one = network.kept_bytes
    first, loss = wide_evaluation(network, 2 * many)  # takes what is kept
    assert (loss, network.kept_bytes) == (2.0, 0)
    second, loss = wide_evaluation(network, 3 * many)  # at the same time, in memory of its own
    assert loss == 4.5
    del first, second
    assert network.kept_bytes == of_one
    network.release_kept()
    assert network.kept_bytes == 0
    _, loss = wide_evaluation(network, many)
    assert loss == 0.5


def test_nothing_is_left_in_kept_memory():
    plan, kernel = line(1.0)
    network = bound_network(plan, "float64", values=[kernel])
    spoilt, loss = wide_evaluation(network, np.full((40_000, 1), np.nan))
    assert np.isnan(loss)
    del spoilt
    assert wide_evaluation(network, np.ones((30_000, 1)))[1] == 0.5


def test_a_variable_has_one_number_however_often_it_is_entered():
    plan, entered = NetworkPlan(), [Variable([1.0], name="equal") for _ in range(3)]
    assert [plan.tensor(each) for each in (*entered, None, *reversed(entered))] == [0, 1, 2, None, 2, 1, 0]
    assert list(map(id, plan.variables)) == list(map(id, entered))
