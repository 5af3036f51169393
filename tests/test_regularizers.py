"""Penalties and their gradients against Keras's vectors, by hand and by central differences."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
import tolerances
from cnn_core import regularizers
from golden import load

golden = load("penalties")
CASES = {name: case["regularizer"] for name, case in golden.cases.items() if "regularizer" in case}
ALL = [
    regularizers.L1(0.5), regularizers.L2(0.25), regularizers.L1L2(0.5, 0.25), regularizers.OrthogonalRegularizer(0.5),
    regularizers.OrthogonalRegularizer(0.5, "columns"),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_penalties_and_gradients_are_keras_s(name, dtype):
    case = CASES[name]
    regularizer = getattr(regularizers, case["object"].rpartition(".")[2])(**case["arguments"])
    w = golden("inputs", "w").astype(dtype)
    tolerances.close(regularizer(w), golden(name, dtype, "value"), tolerances.golden(dtype))
    tolerances.close(regularizer.gradient(w), golden(name, dtype, "gradient"), tolerances.golden(dtype))
    assert regularizer.gradient(w).dtype == dtype


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 100))
def test_gradients_are_slopes(regularizer, rows, columns, seed):
    w = np.random.default_rng(seed).normal(size=(rows, columns))
    slopes = reference.central_differences(lambda: regularizer(w), w, tolerances.DIFFERENCE_STEP)
    assert reference.relative_error(regularizer.gradient(w), slopes) < tolerances.GRADIENT_CHECK


def test_by_hand():
    w = np.array([[1.0, -2.0], [0.0, 4.0]])
    assert regularizers.L1(0.5)(w) == 3.5
    assert regularizers.L2(0.5)(w) == 10.5
    assert regularizers.L1L2(1.0, 2.0)(w) == 7 + 42
    np.testing.assert_array_equal(regularizers.L1L2(1.0, 2.0).gradient(w), [[5, -9], [0, 17]])
    # Rows at 0 and 90 degrees and one between: cosines 0, 0.6, 0.8, mean 7/15.
    w = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0]])
    tolerances.close(regularizers.OrthogonalRegularizer(1.5)(w), 0.7, tolerances.BY_HAND)


def test_weight_decay_of_the_derivation_is_half_the_factor():
    """On paper lambda / 2 sum w^2 has the gradient lambda w; Keras's L2 has no half."""
    w = np.array([1.0, -3.0])
    np.testing.assert_array_equal(regularizers.L2(0.5 / 2).gradient(w), 0.5 * w)


def test_degenerate_matrices_have_finite_penalties():
    for regularizer in ALL:
        for w in (np.zeros((3, 2)), np.ones((1, 1)), np.zeros((1, 3)), np.eye(3)):
            assert np.isfinite(regularizer(w))
            assert np.isfinite(regularizer.gradient(w)).all()
    assert regularizers.OrthogonalRegularizer()(np.ones((1, 4))) == 0


def test_what_the_core_is_told():
    assert [(each.native, each.l1, each.l2) for each in ALL] == [
        ("l1_l2", 0.5, 0.0),
        ("l1_l2", 0.0, 0.25),
        ("l1_l2", 0.5, 0.25),
        ("orthogonal", 0.0, 0.0),
        ("orthogonal", 0.0, 0.0),
    ]

    class Rooted(regularizers.L2):
        def __call__(self, x):
            return super().__call__(x) ** 0.5

    assert Rooted().native is None


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("l1", regularizers.L1),
        ("L2", regularizers.L2),
        ("l1_l2", regularizers.L1L2),
        ("l1l2", regularizers.L1L2),
        ("orthogonal_regularizer", regularizers.OrthogonalRegularizer),
    ],
)
def test_names_find_the_classes(name, cls):
    assert type(regularizers.get(name)) is cls
    assert regularizers.l1 is regularizers.L1


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
def test_regularizers_survive_data_and_pickle(regularizer):
    for again in (
        regularizers.deserialize(regularizers.serialize(regularizer)),
        pickle.loads(pickle.dumps(regularizer)),
    ):
        assert repr(again) == repr(regularizer)


class Cubic:
    def __call__(self, x):
        return float((np.abs(x) ** 3).sum())

    def gradient(self, x):
        return 3 * x * np.abs(x)

    def get_config(self):
        return {}


def test_an_object_of_ones_own_is_taken():
    cubic = Cubic()
    assert regularizers.get(cubic) is cubic
    assert isinstance(regularizers.deserialize(regularizers.serialize(cubic), {"Cubic": Cubic}), Cubic)
    assert not regularizers.has_own_gradient(regularizers.get(lambda x: 0.0))


def test_a_penalty_never_trains_with_the_gradient_of_another() -> None:
    class Fourth(regularizers.L2):
        def __call__(self, x):
            return float((np.asarray(x) ** 4).sum())

    class Alone(regularizers.Regularizer):
        def __call__(self, x):
            return 0.0

    class Scaled(regularizers.L2):
        def __init__(self):
            super().__init__(0.5)

    for cls in (Fourth, Alone):  # training traces them, or says that NumPy cannot be traced
        assert not regularizers.has_own_gradient(regularizers.get(cls()))
    assert regularizers.has_own_gradient(Scaled())
    assert regularizers.get(Scaled())([2.0]) == 2.0


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: regularizers.L1(-1), ValueError),
        (lambda: regularizers.L2(float("nan")), ValueError),
        (lambda: regularizers.L2(float("inf")), ValueError),
        (lambda: regularizers.L2("0.1"), TypeError),
        (lambda: regularizers.L1L2(l1=[0.1]), TypeError),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ValueError),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), ValueError),
        (lambda: regularizers.get("l3"), ValueError),
        (lambda: regularizers.get(0.01), TypeError),
        (lambda: regularizers.Regularizer()(1.0), NotImplementedError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()
