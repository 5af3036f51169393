"""Constraints against Keras's vectors, the oracle, and what they promise of the norms they leave."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
import tolerances
from cnn_core import constraints
from golden import load

golden = load("penalties")
CASES = {name: case["constraint"] for name, case in golden.cases.items() if "constraint" in case}
ALL = [
    constraints.MaxNorm(1.5), constraints.MaxNorm(1.5, axis=1), constraints.UnitNorm(), constraints.UnitNorm((0, 1)),
    constraints.MinMaxNorm(0.5, 1.0, 0.25), constraints.NonNeg(),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_results_are_keras_s(name, dtype):
    case = CASES[name]
    constraint = getattr(constraints, case["object"].rpartition(".")[2])(**case["arguments"])
    result = constraint(golden("inputs", "w").astype(dtype))
    tolerances.close(result, golden(name, dtype, "result"), tolerances.golden(dtype))
    assert result.dtype == dtype


@pytest.mark.parametrize("axis", [0, 1, (0, 1), -1])
@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 100))
def test_results_are_the_oracle_s(axis, rows, columns, seed):
    w = 3 * np.random.default_rng(seed).normal(size=(rows, columns))
    for constraint, expected in (
        (constraints.MaxNorm(1.5, axis), reference.CONSTRAINTS["max_norm"](w, 1.5, axis)),
        (constraints.UnitNorm(axis), reference.CONSTRAINTS["unit_norm"](w, axis)),
        (constraints.MinMaxNorm(1, 2, 0.5, axis), reference.CONSTRAINTS["min_max_norm"](w, 1, 2, 0.5, axis)),
        (constraints.NonNeg(), np.maximum(w, 0)),
    ):
        tolerances.close(constraint(w), expected, tolerances.KERNEL_FLOAT64)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.floats(0.1, 10.0))
def test_norms_end_where_they_should(values, bound):
    w = np.array(values)[:, None]
    length = np.linalg.norm(w)
    assert np.linalg.norm(constraints.MaxNorm(bound)(w)) <= bound
    if length > 1e-3:
        np.testing.assert_allclose(np.linalg.norm(constraints.UnitNorm()(w)), 1.0, rtol=1e-3)
        inside = np.linalg.norm(constraints.MinMaxNorm(bound, 2 * bound)(w))
        assert bound * (1 - 1e-3) <= inside <= 2 * bound
    assert (constraints.NonNeg()(w) >= 0).all()


def test_by_hand():
    w = np.array([[3.0, 0.3], [4.0, -0.4]])
    np.testing.assert_allclose(constraints.MaxNorm(2)(w), [[1.2, 0.3], [1.6, -0.4]], rtol=1e-6)
    np.testing.assert_allclose(constraints.UnitNorm()(w), [[0.6, 0.6], [0.8, -0.8]], rtol=1e-6)
    # Lengths 5 and 0.5 are moved half the way to 2 and 1.
    np.testing.assert_allclose(constraints.MinMaxNorm(1, 2, 0.5)(w), [[2.1, 0.45], [2.8, -0.6]], rtol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(w), [[3.0, 0.3], [4.0, 0.0]])


def test_nothing_stays_nothing():
    for constraint in ALL:
        np.testing.assert_array_equal(constraint(np.zeros((2, 2))), np.zeros((2, 2)))


def test_vectors_are_constrained_as_a_whole():
    np.testing.assert_allclose(constraints.MaxNorm(1)([3.0, 4.0]), [0.6, 0.8], rtol=1e-6)


def test_what_the_core_is_told():
    assert [(each.native, each.native_parameters, each.axis) for each in ALL] == [
        ("max_norm", (1.5,), 0),
        ("max_norm", (1.5,), 1),
        ("unit_norm", (), 0),
        ("unit_norm", (), (0, 1)),
        ("min_max_norm", (0.5, 1.0, 0.25), 0),
        ("non_negative", (), 0),
    ]

    class Capped(constraints.NonNeg):
        def __call__(self, w):
            return np.minimum(super().__call__(w), 1)

    assert Capped().native is None


@pytest.mark.parametrize("name", ["MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"])
def test_names_find_the_classes(name):
    cls = getattr(constraints, name)
    assert type(constraints.get(name)) is cls
    snake = {"MaxNorm": "max_norm", "NonNeg": "non_neg", "UnitNorm": "unit_norm", "MinMaxNorm": "min_max_norm"}[name]
    assert type(constraints.get(snake)) is cls
    assert getattr(constraints, snake) is cls


@pytest.mark.parametrize("constraint", ALL, ids=repr)
def test_constraints_survive_data_and_pickle(constraint):
    data = constraints.serialize(constraint)
    for again in (constraints.deserialize(data), pickle.loads(pickle.dumps(constraint))):
        assert type(again) is type(constraint)
        np.testing.assert_array_equal(again(np.eye(3) * 7), constraint(np.eye(3) * 7))


def test_a_function_of_ones_own_is_taken():
    assert constraints.get(np.abs) is np.abs


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: constraints.MaxNorm(-1), ValueError),
        (lambda: constraints.MaxNorm(axis="rows"), TypeError),
        (lambda: constraints.MinMaxNorm(2, 1), ValueError),
        (lambda: constraints.MinMaxNorm(rate=2), ValueError),
        (lambda: constraints.get("max_nrom"), ValueError),
        (lambda: constraints.get(2.0), TypeError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()
