"""What picks elements of a sample goes by the plainest steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Model, ops
from cnn_core.interop.selections import Cut, Picked, Reshaped, Transposed, steps_to
from onnx_checks import operators

EVERY = np.arange(24).reshape(2, 3, 4)
SHAPE = (None, 2, 3, 4)


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        (EVERY, []),
        (EVERY.reshape(6, 4), [Reshaped((None, 6, 4))]),
        (EVERY[:, 1:], [Cut(2, 1, 3, 1)]),
        (EVERY[:, :, ::-2], [Cut(3, 3, 0, -2)]),
        (EVERY[:, :, 2::-1], [Cut(3, 2, -1, -1)]),
        (EVERY[1], [Cut(1, 1, 2, 1), Reshaped((None, 3, 4))]),
        (EVERY[:, [2, 0, 1]], [Picked(2, [2, 0, 1])]),
        (EVERY[:, [1, 1]], [Picked(2, [1, 1])]),
        (EVERY.repeat(2, axis=0), [Picked(1, [0, 0, 1, 1])]),
        (EVERY.transpose(2, 0, 1), [Transposed([0, 3, 1, 2])]),
        (EVERY[:, None, 1], [Cut(2, 1, 2, 1)]),
        (np.diagonal(EVERY, axis1=1, axis2=2)[1], [Reshaped((None, 24)), Picked(1, [12, 17, 22])]),
    ],
)
def test_the_plainest_steps(numbers: Any, wanted: list[Any]):
    assert steps_to(SHAPE, numbers) == wanted


def done(steps: list[Any], x: Any) -> Any:
    """Do the steps with NumPy."""
    for step in steps:
        match step:
            case Cut(axis, start, end, by):
                x = x[(slice(None),) * axis + (slice(start, None if end < 0 else end, by),)]
            case Picked(axis, places):
                x = x.take(places, axis)
            case Transposed(order):
                x = x.transpose(order)
            case Reshaped(shape):
                x = x.reshape([len(x) if size is None else size for size in shape])
    return x


def test_steps_pick_what_they_should():
    draw = np.random.default_rng(0)
    samples = np.stack([EVERY, EVERY + 100])
    for _ in range(300):
        numbers = EVERY
        for _ in range(draw.integers(1, 4)):
            axis = int(draw.integers(numbers.ndim)) if numbers.ndim else 0
            changes = [
                lambda x, axis: x[::-1],
                lambda x, axis: x.take(draw.integers(x.shape[axis], size=2), axis),
                lambda x, axis: x.swapaxes(axis, 0),
                lambda x, axis: np.roll(x, 1, axis),
                lambda x, axis: np.expand_dims(x, axis),
                lambda x, axis: x.reshape(-1),
                lambda x, axis: x.take(range(x.shape[axis])[:: int(draw.choice([1, 2, -1]))], axis),
            ]
            numbers = changes[draw.integers(len(changes))](numbers, axis)
        np.testing.assert_array_equal(done(steps_to(SHAPE, numbers), samples), np.stack([numbers, numbers + 100]))
        np.testing.assert_array_equal(done(steps_to(SHAPE[1:], numbers), EVERY), numbers)


def test_slices_in_a_model():
    x = Input((6,))
    assert operators(Model(x, x[:, 4:1:-1] + x[:, 0:1])) == ["Slice", "Slice", "Add"]
    assert operators(Model(x, ops.roll(x, 1, axis=1))) == ["Gather"]
