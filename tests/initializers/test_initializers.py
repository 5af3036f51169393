"""First values: their distributions, their seeds, and the shapes from which they are scaled."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import cnn_core.foundation.random_state as random_state
from cnn_core import initializers

RANDOM = {
    "random_normal": initializers.RandomNormal,
    "truncated_normal": initializers.TruncatedNormal,
    "random_uniform": initializers.RandomUniform,
    "variance_scaling": initializers.VarianceScaling,
    "glorot_uniform": initializers.GlorotUniform,
    "glorot_normal": initializers.GlorotNormal,
    "he_uniform": initializers.HeUniform,
    "he_normal": initializers.HeNormal,
    "lecun_uniform": initializers.LecunUniform,
    "lecun_normal": initializers.LecunNormal,
    "orthogonal": initializers.Orthogonal,
}
FIXED = {
    "zeros": initializers.Zeros,
    "ones": initializers.Ones,
    "constant": initializers.Constant,
    "identity": initializers.Identity,
}
SHAPE = (300, 200)
# The standard error of a deviation estimated from 60,000 draws is 0.3 %; four of them.
SPREAD = 0.012

# What each promises of a kernel with 300 inputs and 200 units: deviation, and the largest magnitude.
PROMISES = {
    "random_normal": (0.05, math.inf),
    "truncated_normal": (0.05 * 0.8796256610342398, 0.1),
    "random_uniform": (0.05 / math.sqrt(3), 0.05),
    "variance_scaling": (math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / 0.8796256610342398),
    "glorot_uniform": (math.sqrt(2 / 500), math.sqrt(6 / 500)),
    "glorot_normal": (math.sqrt(2 / 500), 2 * math.sqrt(2 / 500) / 0.8796256610342398),
    "he_uniform": (math.sqrt(2 / 300), math.sqrt(6 / 300)),
    "he_normal": (math.sqrt(2 / 300), 2 * math.sqrt(2 / 300) / 0.8796256610342398),
    "lecun_uniform": (math.sqrt(1 / 300), math.sqrt(3 / 300)),
    "lecun_normal": (math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / 0.8796256610342398),
    "orthogonal": (math.sqrt(1 / 300), 1.0),
}


@pytest.mark.parametrize("name", RANDOM)
def test_draws_have_the_deviation_and_range_they_promise(name):
    draws = RANDOM[name](seed=11)(SHAPE, "float64")
    deviation, largest = PROMISES[name]
    assert abs(draws.std() / deviation - 1) < SPREAD
    assert abs(draws.mean()) < SPREAD * deviation * 2
    assert np.abs(draws).max() <= largest
    if math.isfinite(largest) and name != "orthogonal":
        assert np.abs(draws).max() > 0.99 * largest


def distribution_distance(draws, distribution):
    """Measure the largest distance between the share of draws below a value and the promised one."""
    draws = np.sort(draws.ravel())
    return np.abs(np.arange(1, draws.size + 1) / draws.size - distribution(draws)).max()


def normal_share(z):
    return 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


@pytest.mark.parametrize(
    ("initializer", "distribution"),
    [
        (initializers.RandomNormal(1.0, 2.0, seed=5), lambda x: normal_share((x - 1) / 2)),
        (
            initializers.TruncatedNormal(1.0, 2.0, seed=5),
            lambda x: (normal_share((x - 1) / 2) - normal_share(-2.0)) / (1 - 2 * normal_share(-2.0)),
        ),
        (initializers.RandomUniform(-1.0, 3.0, seed=5), lambda x: (x + 1) / 4),
        (
            initializers.VarianceScaling(300.0, distribution="untruncated_normal", seed=5),
            normal_share,
        ),
    ],
    ids=["normal", "truncated", "uniform", "untruncated"],
)
def test_draws_follow_their_distribution(initializer, distribution):
    """Kolmogorov's distance of 60,000 draws exceeds 1.95 / sqrt(60000) in one of a thousand samples."""
    assert distribution_distance(initializer(SHAPE, "float64"), distribution) < 1.95 / math.sqrt(60_000)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_fixes_the_draws(name):
    first, again, other = (RANDOM[name](seed=seed)((5, 4)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    seeded = RANDOM[name](seed=3)
    np.testing.assert_array_equal(seeded((5, 4)), seeded((5, 4)))
    np.testing.assert_array_equal(seeded((5, 4)), seeded((5, 4), "float64").astype("float32"))


def test_the_numbers_of_a_seed_do_not_change():
    """Recorded when this was written: a model built from a seed stays the same model."""
    draws = initializers.GlorotUniform(seed=1)((2, 2), "float64")
    expected = [[-1.0611140347167949, -1.0312033815665462], [-1.210593880032345, 0.7509074778650892]]
    np.testing.assert_allclose(draws, expected, rtol=1e-15)


def test_draws_are_scaled_as_the_formulas_say_to_the_last_bit():
    normal, evenly = random_state.generator(1).standard_normal((3, 4)), random_state.generator(1).random((3, 4))
    limit, deviation = np.sqrt(3) * np.sqrt(2 / 3.5), np.sqrt(2 / 3.5)
    for initializer, expected in (
        (initializers.RandomNormal(0.5, 0.2, seed=1), 0.5 + 0.2 * normal),
        (initializers.RandomUniform(-0.5, 0.2, seed=1), -0.5 + (0.2 - -0.5) * evenly),
        (initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=1), limit * (2 * evenly - 1)),
        (initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal", seed=1), deviation * normal),
    ):
        np.testing.assert_array_equal(initializer((3, 4), "float64"), expected)


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_seed_the_package_s_seed_decides(name):
    initializer = RANDOM[name]()
    random_state.set_seed(1)
    first, second = initializer((3, 3)), initializer((3, 3))
    random_state.set_seed(1)
    np.testing.assert_array_equal(initializer((3, 3)), first)
    assert (first != second).any()


def test_a_generator_may_be_handed_in():
    def draw():
        return initializers.HeNormal()((3, 3), generator=random_state.generator(8))

    np.testing.assert_array_equal(draw(), draw())
    seeded = initializers.HeNormal(seed=1)
    np.testing.assert_array_equal(seeded((3, 3), generator=random_state.generator(8)), seeded((3, 3)))


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.5, 2.0), st.integers(0, 100))
def test_orthogonal_matrices_are_orthogonal(rows, columns, gain, seed):
    w = initializers.Orthogonal(gain, seed)((rows, columns), "float64")
    product = w.T @ w if rows >= columns else w @ w.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_matrices_prefer_no_sign():
    """Without the signs of R's diagonal, LAPACK's first element would always be negative."""
    first = [initializers.Orthogonal(seed=seed)((1, 1))[0, 0] for seed in range(40)]
    assert {-1.0, 1.0} == {round(float(each), 6) for each in first}


def test_orthogonal_takes_more_axes_as_rows():
    w = initializers.Orthogonal(seed=1)((2, 3, 4), "float64").reshape(6, 4)
    np.testing.assert_allclose(w.T @ w, np.eye(4), atol=1e-12)


def test_fixed_values():
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()(3), np.ones(3))
    np.testing.assert_array_equal(initializers.Constant(0.5)((2, 1)), [[0.5], [0.5]])
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0])((2, 2)), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(initializers.Identity(3)((2, 3)), [[3, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float64])
@pytest.mark.parametrize("name", [*RANDOM, *FIXED])
def test_shape_and_type_are_as_asked(name, dtype):
    result = initializers.get(name)((4, 3), dtype)
    assert result.shape == (4, 3)
    assert result.dtype == dtype
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert initializers.get(name)((4, 3)).dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 4), (3, 4)), ((5, 3, 4), (15, 20)), ((2, 5, 3, 4), (30, 40))],
)
def test_fans_are_counted_as_in_keras(shape, expected):
    assert initializers.fans(shape) == expected


def test_axes_may_say_what_counts_as_input():
    assert initializers.fans((2, 3, 4), [0, 2], [1]) == (8, 3)
    given_axes = initializers.VarianceScaling(8.0, "fan_in", "uniform", 1, [0, 2], [1])((2, 3, 4))
    assert 1.2 < np.abs(given_axes).max() <= math.sqrt(3)
    assert initializers.GlorotUniform(1, [0], [1]).get_config() == {"seed": 1, "input_axes": [0], "output_axes": [1]}


@pytest.mark.parametrize("name", [*RANDOM, *FIXED])
def test_names_find_the_classes(name):
    cls = {**RANDOM, **FIXED}[name]
    assert type(initializers.get(name)) is type(initializers.get(cls.__name__)) is cls
    assert getattr(initializers, name) is cls


@pytest.mark.parametrize(
    ("alias", "cls"),
    [
        ("normal", initializers.RandomNormal),
        ("uniform", initializers.RandomUniform),
        ("zero", initializers.Zeros),
        ("Zeros", initializers.Zeros),
        ("one", initializers.Ones),
        ("IdentityInitializer", initializers.Identity),
        ("OrthogonalInitializer", initializers.Orthogonal),
    ],
)
def test_aliases_find_the_classes(alias, cls):
    assert type(initializers.get(alias)) is cls


@pytest.mark.parametrize(
    "initializer",
    [
        *(cls(seed=2) for cls in RANDOM.values()),
        *(cls() for cls in FIXED.values()),
        initializers.Constant([[1.0, 2.0]]),
    ],
    ids=repr,
)
def test_initializers_survive_data_pickle_and_clone(initializer):
    for again in (
        initializers.deserialize(json.loads(json.dumps(initializers.serialize(initializer)))),
        pickle.loads(pickle.dumps(initializer)),
        copy.deepcopy(initializer),
        initializer.clone(),
    ):
        np.testing.assert_array_equal(again((2, 2)), initializer((2, 2)))


def test_what_keras_writes_is_read():
    config = {
        "module": "keras.initializers", "class_name": "GlorotUniform", "registered_name": None,
        "config": {"seed": None, "input_axes": None, "output_axes": None},
    }  # fmt: skip
    assert isinstance(initializers.deserialize(config), initializers.GlorotUniform)


def sevens(shape, dtype=None):
    return np.full(shape, 7, dtype)


def test_functions_and_arrays_are_taken():
    np.testing.assert_array_equal(initializers.get(sevens)((2,), "float64"), [7, 7])
    np.testing.assert_array_equal(initializers.get(np.array([1, 2]))((2,)), [1, 2])
    data = initializers.serialize(initializers.get(sevens))
    np.testing.assert_array_equal(initializers.deserialize(data, {"sevens": sevens})((1,)), [7])
    with pytest.raises(ValueError, match="sevens"):
        initializers.deserialize(data)


class Half(initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return np.full(shape, 0.5)


class WithKeywords(initializers.Initializer):
    def __call__(self, shape, dtype=None, **kwargs):
        assert not kwargs
        return np.full(shape, 0.5).tolist()


class Halved(initializers.GlorotUniform):
    def __call__(self, shape, dtype=None):
        return super().__call__(shape, dtype) / 2


class Drawn(initializers.Initializer):
    def __call__(self, shape, dtype=None, *, generator):
        return generator.standard_normal(shape)


def kernel_of(initializer):
    layer = cnn_core.layers.Dense(2, kernel_initializer=initializer)
    layer.build((None, 3))
    return layer.kernel.numpy()


@pytest.mark.parametrize("cls", [Half, WithKeywords])
def test_subclasses_have_the_signature_of_keras(cls):
    for initializer in (cls, cls()):
        kernel = kernel_of(initializer)
        assert kernel.dtype == np.float32
        np.testing.assert_array_equal(kernel, np.full((3, 2), 0.5))


def test_subclasses_may_build_on_a_random_initializer():
    np.testing.assert_array_equal(kernel_of(Halved(seed=1)), kernel_of(initializers.GlorotUniform(seed=1)) / 2)
    assert not np.array_equal(kernel_of(Halved()), kernel_of(Halved()))
    assert not np.array_equal(kernel_of(Drawn()), kernel_of(Drawn()))


def test_subclasses_are_held_to_the_shape():
    class Short(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.zeros(3)

    with pytest.raises(ValueError, match=r"^Short must return an array of the shape that it is given, \(3, 2\)\."):
        kernel_of(Short())


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: initializers.RandomNormal(stddev=-1), ValueError),
        (lambda: initializers.RandomUniform(1, 0), ValueError),
        (lambda: initializers.VarianceScaling(0), ValueError),
        (lambda: initializers.VarianceScaling(mode="fan"), ValueError),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), ValueError),
        (lambda: initializers.GlorotUniform(seed=-1), ValueError),
        (lambda: initializers.GlorotUniform(seed=1.5), TypeError),
        (lambda: initializers.GlorotUniform(seed=True), TypeError),
        (lambda: initializers.Constant("a"), TypeError),
        (lambda: initializers.Constant([1.0, 2.0])((3,)), ValueError),
        (lambda: initializers.Identity()((3,)), ValueError),
        (lambda: initializers.Orthogonal()((3,)), ValueError),
        (lambda: initializers.Zeros()((-1,)), ValueError),
        (lambda: initializers.Zeros()((2,), "int32"), ValueError),
        (lambda: initializers.get("glorot"), ValueError),
        (lambda: initializers.get(3), TypeError),
        (lambda: initializers.get(lambda shape, dtype: np.zeros(5))((2,)), ValueError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()
