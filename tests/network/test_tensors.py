"""Tensors: what they give away of their value, what they refuse, and derivatives back along any way."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core import GradientTape, Tensor, ops
from cnn_core.network.tensors import Step, gradients


def watched(*values: float) -> Tensor:
    return GradientTape.watch(np.array(values))


def test_a_tensor_gives_its_value() -> None:
    number = GradientTape.watch(np.float64(2.5))
    assert (float(number), int(number), bool(number), f"{number:.2f}") == (2.5, 2, True, "2.50")
    rows = GradientTape.watch(np.arange(6.0).reshape(2, 3))
    assert (rows.shape, rows.ndim, rows.size, len(rows), rows.dtype) == ((2, 3), 2, 6, 2, np.float64)
    np.testing.assert_array_equal(np.asarray(rows), rows.numpy())
    rows.numpy()[...] = 0
    assert rows.value[1, 2] == 5
    assert "shape=(2, 3)" in repr(rows)


def test_numpy_would_forget() -> None:
    x = watched(1.0, 2.0)
    for forgetful in (lambda: np.exp(x), lambda: np.mean(x), lambda: np.add.reduce(x)):
        with pytest.raises(TypeError, match=r"would forget how its argument was computed.*shape \(2,\)"):
            forgetful()


def test_operators_with_arrays_on_either_side() -> None:
    x, tape = watched(1.0, 2.0), GradientTape()
    with tape:
        left, right = np.array([3.0, 4.0]) * x, x * np.array([3.0, 4.0])
    for value in (left, right):
        assert isinstance(value, Tensor)
        assert tape.gradient(value, x).tolist() == [3, 4]


def test_outside_of_a_tape_nothing_is_remembered() -> None:
    assert isinstance(watched(1.0, 2.0) * 2, np.ndarray)


def test_rows_are_iterated_over_with_their_derivatives() -> None:
    x, tape = watched(1.0, 2.0, 3.0), GradientTape()
    with tape:
        total = sum(place * part for place, part in enumerate(x))
    assert tape.gradient(total, x).tolist() == [0, 1, 2]


def test_ways_that_part_and_meet_again_are_added_up() -> None:
    x, tape = watched(3.0), GradientTape()
    with tape:
        square = x * x
        value = square * square + square
    assert tape.gradient(value, x).item() == pytest.approx(4 * 3**3 + 2 * 3)
    assert tape.gradient(value, square).item() == pytest.approx(2 * 9 + 1)


def test_only_the_ways_to_what_is_wanted_are_gone() -> None:
    x, other = watched(1.0), watched(2.0)

    def never(deltas: list[np.ndarray]) -> list[np.ndarray]:
        raise AssertionError

    aside = Step.results([other], [np.ones(1)], never)[0]
    value = Step.results([x, aside], [np.ones(1)], lambda deltas: [3 * deltas[0], deltas[0]])[0]
    assert gradients(value, [x])[0].item() == 3
    with pytest.raises(AssertionError):
        gradients(value, [other])


def test_a_derivative_that_nobody_knows_is_an_error_where_it_is_needed() -> None:
    x, target = watched(1.0), watched(2.0)
    value = x.derived(np.ones(1), lambda delta: delta, beside=[target])
    assert gradients(value, [x])[0].item() == 1
    with pytest.raises(TypeError, match="has no derivative by its targets"):
        gradients(value, [target])


def test_deep_chains_need_no_recursion() -> None:
    x, tape = watched(1.0), GradientTape()
    with tape:
        value = x
        for _ in range(3000):
            value = value * 1.0
    assert tape.gradient(value, x).item() == 1


def test_a_tensor_does_not_become_a_constant_of_a_graph() -> None:
    from cnn_core import Input

    with pytest.raises(TypeError, match="would take the present value of a tensor for a constant"):
        ops.add(Input((1,)), watched(1.0))
