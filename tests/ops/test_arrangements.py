"""Parts, turns, grids and places: arrays as NumPy has them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core import Input, Variable, ops

X = np.random.default_rng(0).normal(size=(4, 6))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("array_split", (X, 3)),
        ("array_split", (X, 4, 1)),
        ("array_split", (X, [1, 3], 1)),
        ("hsplit", (X, 2)),
        ("hsplit", (X[0], 3)),
        ("vsplit", (X, [1])),
        ("dstack", ([X, X],)),
        ("dstack", ([X[0], X[0]],)),
        ("fliplr", (X,)),
        ("flipud", (X,)),
        *(("rot90", (X, k)) for k in range(-2, 5)),
        ("rot90", (X, 1, (1, 0))),
        ("trapezoid", (X,)),
        ("trapezoid", (X, np.arange(6.0) ** 2)),
        ("trapezoid", (X, np.arange(4.0) ** 2, 1.0, 0)),
        ("searchsorted", (np.array([1.0, 2.0, 2.0]), np.array([[0.0, 2.0, 5.0]]))),
        ("searchsorted", (np.array([1.0, 2.0, 2.0]), np.array([2.0]), "right")),
        ("digitize", (X, np.array([-0.5, 0.5]))),
        ("logspace", (0, 2, 5)),
        ("geomspace", (1, 8, 4)),
        ("tri", (3, 4, -1)),
        ("meshgrid", (np.arange(3), np.arange(2))),
    ],
)
def test_arrays_as_numpy(name: str, arguments: tuple[object, ...]) -> None:
    found, expected = getattr(ops, name)(*arguments), getattr(np, name)(*arguments)
    pairs = zip(found, expected, strict=True) if isinstance(expected, (list, tuple)) else [(found, expected)]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_empty_arrays_hold_zeros() -> None:
    assert ops.empty((2, 3)).tolist() == ops.empty_like(np.ones((2, 3))).tolist() == [[0] * 3] * 2
    assert ops.empty_like(np.ones(2, "int8")).dtype == np.int8


def test_what_a_tensor_is() -> None:
    assert all(map(ops.is_tensor, (np.ones(2), ops.ones(2), Input((2,)), Variable([1.0]))))
    assert not any(map(ops.is_tensor, (1.0, [1.0], "one")))


def test_samples_stay_in_order() -> None:
    x = Input((4,))
    for call in (lambda: ops.flipud(x), lambda: ops.rot90(x), lambda: ops.vsplit(x, 3)):
        with pytest.raises(ValueError, match="samples"):
            call()
    with pytest.raises(ValueError, match=r"`side` must be 'left' or 'right'\. Received: side='up'"):
        ops.searchsorted([1.0], [2.0], "up")
