"""The losses against the float64 oracle and Keras's recorded vectors: values, gradients, weights and reductions."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.losses
import reference
import tolerances
from cnn_core import layers, losses
from cnn_core.losses import Loss
from golden import load

DTYPES = ["float32", "float64"]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight"]
golden = load("losses")


def build(case):
    cls = getattr(cnn_core.losses, case["loss"]["object"].rpartition(".")[2])
    return lambda **keywords: cls(**case["loss"]["arguments"], **keywords)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", golden.cases.values(), ids=list(golden.cases))
def test_values_and_gradients_are_keras_s(case, dtype):
    name, make = case["name"], build(case)
    y, p = golden(name, "y"), golden(name, "p").astype(dtype)
    for weighting, weights in (("plain", None), ("weighted", golden("inputs", "sample_weight").astype(dtype))):
        values = make(reduction=None)(y, p, sample_weight=weights)
        tolerances.close(values, golden(name, dtype, weighting, "values"), tolerances.golden(dtype), weighting)
        reduced = [make(reduction=each)(y, p, sample_weight=weights) for each in REDUCTIONS]
        tolerances.close(reduced, golden(name, dtype, weighting, "reduced"), tolerances.golden(dtype), weighting)
        gradient = reduced_gradient(make(), y, p, weights)
        tolerances.close(gradient, golden(name, dtype, weighting, "gradient"), tolerances.golden(dtype), weighting)


def reduced_gradient(loss, y, p, weights):
    """Differentiate the reduced loss by the predictions; a traced one by a tape."""
    if not loss.is_traced:
        return loss.coefficients((len(p),), y, weights)[:, None] * loss.gradient(y, p)
    prediction = cnn_core.Variable(p)
    with cnn_core.GradientTape() as tape:
        reduced = loss(y.astype(p.dtype), prediction + 0, sample_weight=weights)
    return tape.gradient(reduced, prediction)


def positive(rng, n, k):
    return rng.uniform(0.1, 2.0, (n, k))


def distribution(rng, n, k):
    """Up to a factor, which keeps the only class of a row away from the corner at 1."""
    p = positive(rng, n, k)
    return 0.9 * p / p.sum(axis=1, keepdims=True)


def probability(rng, n, k):
    return rng.uniform(0.05, 0.95, (n, k))


def normal(rng, n, k):
    return rng.normal(size=(n, k))


def bits(rng, n, k):
    return rng.integers(0, 2, (n, k)).astype(float)


def one_hot(rng, n, k):
    return np.eye(k)[rng.integers(0, k, n)]


def labels(rng, n, k):
    return rng.integers(0, k, n)


def signs(rng, n, k):
    return 2 * bits(rng, n, k) - 1


# name: (the loss, how the oracle calls it and its options, how targets and predictions are drawn)
CASES = {
    "mean_squared_error": (losses.MeanSquaredError(), {}, normal, normal),
    "half_squared_error": (losses.HalfSquaredError(), {}, normal, normal),
    "mean_absolute_error": (losses.MeanAbsoluteError(), {}, normal, normal),
    "mean_absolute_percentage_error": (losses.MeanAbsolutePercentageError(), {}, positive, normal),
    "mean_squared_logarithmic_error": (losses.MeanSquaredLogarithmicError(), {}, positive, positive),
    "cosine_similarity": (losses.CosineSimilarity(), {}, normal, normal),
    "huber": (losses.Huber(0.75), {"delta": 0.75}, normal, normal),
    "log_cosh": (losses.LogCosh(), {}, normal, normal),
    "poisson": (losses.Poisson(), {}, positive, positive),
    "kl_divergence": (losses.KLDivergence(), {}, distribution, distribution),
    "hinge": (losses.Hinge(), {}, signs, normal),
    "squared_hinge": (losses.SquaredHinge(), {}, bits, normal),
    "categorical_hinge": (losses.CategoricalHinge(), {}, one_hot, normal),
    "quantile": (losses.Quantile(0.3), {"quantile": 0.3}, normal, normal),
    "binary_crossentropy": (losses.BinaryCrossentropy(), {}, bits, probability),
    "binary_crossentropy logits": (
        losses.BinaryCrossentropy(True, 0.1), {"from_logits": True, "label_smoothing": 0.1}, bits, normal,
    ),
    "categorical_crossentropy": (losses.CategoricalCrossentropy(), {}, one_hot, probability),
    "categorical_crossentropy logits": (
        losses.CategoricalCrossentropy(True, 0.1), {"from_logits": True, "label_smoothing": 0.1}, one_hot, normal,
    ),
    "sparse_categorical_crossentropy": (losses.SparseCategoricalCrossentropy(), {}, labels, probability),
    "sparse_categorical_crossentropy logits": (
        losses.SparseCategoricalCrossentropy(True, 0), {"from_logits": True, "ignore_class": 0}, labels, normal,
    ),
    "categorical_generalized_cross_entropy": (
        losses.CategoricalGeneralizedCrossEntropy(0.7), {"q": 0.7}, labels, probability,
    ),
    "binary_focal_crossentropy": (
        losses.BinaryFocalCrossentropy(True, 0.4, 1.5, label_smoothing=0.1),
        {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1}, bits, probability,
    ),
    "binary_focal_crossentropy logits": (
        losses.BinaryFocalCrossentropy(from_logits=True), {"from_logits": True}, bits, normal,
    ),
    "categorical_focal_crossentropy": (
        losses.CategoricalFocalCrossentropy(0.4, 1.5, label_smoothing=0.1),
        {"alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1}, one_hot, distribution,
    ),
    "categorical_focal_crossentropy logits": (
        losses.CategoricalFocalCrossentropy(from_logits=True), {"from_logits": True}, one_hot, normal,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@given(n=st.integers(1, 6), k=st.integers(1, 19), seed=st.integers(0, 1000))
def test_values_and_gradients_are_the_oracle_s(name, dtype, n, k, seed):
    loss, options, draw_y, draw_p = CASES[name]
    rng = np.random.default_rng(seed)
    y, p = draw_y(rng, n, k), draw_p(rng, n, k).astype(dtype)
    y = y if loss.expects_labels else y.astype(dtype)
    kind, exact = name.split()[0], p.astype(float)
    y_exact = y if loss.expects_labels else y.astype(float)
    # Conditioned on the inputs of float32, the oracle differs by rounding only, magnified where a logarithm is steep.
    tolerance = 1e2 * tolerances.kernel(dtype)
    expected = reference.loss_values(kind, y_exact, exact, **options)
    np.testing.assert_allclose(loss.call(y, p), expected, rtol=tolerance, atol=tolerance)
    expected = reference.loss_gradient(kind, y_exact, exact, **options)
    np.testing.assert_allclose(loss.gradient(y, p), expected, rtol=tolerance, atol=tolerance)
    assert loss.call(y, p).dtype == loss.gradient(y, p).dtype == dtype


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 2), (3, 4)])
def test_gradients_are_slopes(name, n, k):
    loss, _, draw_y, draw_p = CASES[name]
    rng = np.random.default_rng(7)
    y, p = draw_y(rng, n, k), draw_p(rng, n, k)
    step = tolerances.DIFFERENCE_STEP
    slopes = np.empty_like(p)
    for j in range(k):
        shift = np.zeros_like(p)
        shift[:, j] = step
        slopes[:, j] = (loss.call(y, p + shift) - loss.call(y, p - shift)) / (2 * step)
    np.testing.assert_allclose(loss.gradient(y, p), slopes, rtol=0, atol=tolerances.GRADIENT_CHECK)


def test_every_loss_of_the_module_has_a_case():
    tested = {type(loss) for loss, *_ in CASES.values()} | {losses.GaussianNLL, losses.CrossentropyByTarget}
    # Those whose rows depend on each other: test_overlap.py, test_pairs.py.
    tested |= {losses.Circle, losses.Dice, losses.Tversky}
    named = {
        each for each in vars(losses).values() if isinstance(each, type) and issubclass(each, Loss) and each is not Loss
    }
    assert {each for each in named if not each.__name__.startswith("_")} - {losses.CustomLoss} == tested


def test_by_hand():
    y, p = [[1.0, 2.0], [0.0, 4.0]], [[2.0, 2.0], [0.0, 1.0]]  # errors (1, 0) and (0, -3)
    for cls, values in (
        (losses.MeanSquaredError, [0.5, 4.5]),
        (losses.HalfSquaredError, [0.5, 4.5]),
        (losses.MeanAbsoluteError, [0.5, 1.5]),
        (losses.MeanAbsolutePercentageError, [50.0, 37.5]),
        (losses.Huber, [0.25, 1.25]),
    ):
        tolerances.close(cls().call(y, p), values, tolerances.BY_HAND, cls.__name__)
    tolerances.close(losses.HalfSquaredError().gradient(y, p), [[1, 0], [0, -3]], tolerances.BY_HAND)
    tolerances.close(losses.MeanSquaredError().gradient(y, p), [[1, 0], [0, -3]], tolerances.BY_HAND)
    tolerances.close(losses.Huber().gradient(y, p), [[0.5, 0], [0, -0.5]], tolerances.BY_HAND)
    # -log(1/4) = 2 log 2; -(log(3/4) + log(1/2)) / 2.
    tolerances.close(losses.sparse_categorical_crossentropy([2], [[0.25, 0.5, 0.25]]), [2 * np.log(2)], 1e-14)
    tolerances.close(losses.binary_crossentropy([[1, 0]], [[0.75, 0.5]]), [-np.log(0.375) / 2], 1e-14)


@pytest.mark.parametrize("loss", [losses.BinaryCrossentropy(True), losses.CategoricalCrossentropy(True)])
def test_crossentropy_from_logits_has_the_gradient_p_minus_y(loss):
    """The joint gradient of the last activation and the loss: delta = a - y (over k where the loss is a mean)."""
    rng = np.random.default_rng(1)
    y, z = one_hot(rng, 5, 3), normal(rng, 5, 3)
    binary = isinstance(loss, losses.BinaryCrossentropy)
    a = reference.activate("sigmoid" if binary else "softmax", z)
    tolerances.close(loss.gradient(y, z), (a - y) / (3 if binary else 1), tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (losses.BinaryCrossentropy(True), [[1, 0, 1, 0, 1]]),
        (losses.CategoricalCrossentropy(True), [[0, 0, 0, 1, 0]]),
        (losses.SparseCategoricalCrossentropy(True), [3]),
        (losses.BinaryFocalCrossentropy(from_logits=True), [[1, 0, 1, 0, 1]]),
        (losses.CategoricalFocalCrossentropy(from_logits=True), [[0, 0, 0, 1, 0]]),
    ],
)
def test_extreme_logits_have_finite_values_and_gradients(loss, y, dtype):
    z = np.array([[0.0, 1e4, -1e4, 1e37, -1e37]], dtype)
    assert np.isfinite(loss.call(y, z)).all()
    assert np.isfinite(loss.gradient(y, z)).all()


@pytest.mark.parametrize("name", CASES)
def test_exact_answers_have_finite_values_and_gradients(name):
    """Probabilities of exactly 0 and 1, errors of exactly 0."""
    loss, _, draw_y, _ = CASES[name]
    y = draw_y(np.random.default_rng(3), 4, 3)
    for p in (np.tile([0.0, 1.0, 0.0], (4, 1)), np.zeros((4, 3)) if not loss.expects_labels else np.eye(3)[y]):
        if p.sum(axis=1).min() == 0 and "categorical" in name and "logits" not in name and "hinge" not in name:
            continue  # probabilities without a sum
        assert np.isfinite(loss.call(y, p)).all(), name
        assert np.isfinite(loss.gradient(y, p)).all(), name


def test_gaussian_nll_against_the_density():
    rng = np.random.default_rng(2)
    y, mean, log_variance = rng.normal(size=(3, 4, 2))
    density = np.exp(-((y - mean) ** 2) / (2 * np.exp(log_variance))) / np.sqrt(2 * np.pi * np.exp(log_variance))
    p = np.hstack([mean, log_variance])
    tolerances.close(losses.gaussian_nll(y, p), -np.log(density).mean(axis=1), tolerances.KERNEL_FLOAT64)
    tolerances.close(
        losses.GaussianNLL().gradient(y, p), reference.loss_gradient("gaussian_nll", y, p), tolerances.KERNEL_FLOAT64
    )
    with pytest.raises(ValueError, match="4 outputs"):
        losses.GaussianNLL()(y, mean)


def test_quantiles_of_several_levels_and_targets():
    y = np.array([[10.0, 0.0]])
    p = np.array([[4.0, 16.0, 0.0, 1.0]])  # two levels of the first target, then two of the second
    # 0.25 * 6, (0.75 - 1) * (10 - 16), 0, (0.75 - 1) * (0 - 1)
    tolerances.close(losses.Quantile((0.25, 0.75)).call(y, p), [(1.5 + 1.5 + 0 + 0.25) / 4], tolerances.BY_HAND)
    tolerances.close(losses.Quantile((0.25, 0.75)).gradient([[2.0]], [[1.0, 3.0]]), [[-0.125, 0.125]], 1e-14)
    with pytest.raises(ValueError, match="3 outputs for each target"):
        losses.Quantile((0.1, 0.5, 0.9))(y, p)


@given(st.floats(0.05, 0.95), st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_the_quantile_loss_is_least_at_the_quantile(level, sample):
    y = np.array(sample)[:, None]
    loss = losses.Quantile(level)
    best = np.quantile(sample, level, method="inverted_cdf")
    at_best = loss(y, np.full_like(y, best))
    for other in sample:
        assert at_best <= loss(y, np.full_like(y, other)) + 1e-9


@given(
    reduction=st.sampled_from([*REDUCTIONS, "mean", "none", None]),
    weights=st.none() | st.lists(st.floats(0, 5), min_size=4, max_size=4),
    ignore=st.booleans(),
)
def test_reductions_are_their_formulas(reduction, weights, ignore):
    y, p = np.array([0, 1, 2, 1]), np.random.default_rng(0).normal(size=(4, 3))
    loss = losses.SparseCategoricalCrossentropy(True, ignore_class=1 if ignore else None, reduction=reduction)
    counted = y != 1 if ignore else np.ones(4, bool)
    values = -np.log(reference.softmax(p))[np.arange(4), y] * counted
    w = np.ones(4) if weights is None else np.array(weights)
    if reduction in ("none", None):
        expected = w * values
    elif reduction == "sum":
        expected = (w * values).sum()
    elif reduction == "mean_with_sample_weight" and weights is not None:
        expected = (w * values).sum() / max((w * counted).sum(), 1e-300)
    else:
        expected = (w * values).sum() / counted.sum()
    np.testing.assert_allclose(loss(y, p, sample_weight=weights), expected, rtol=1e-12, atol=1e-12)


def test_weights_of_zero_and_rows_that_are_all_ignored_give_zero():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert loss([[1.0]], [[2.0]], sample_weight=[0.0]) == 0
    assert losses.SparseCategoricalCrossentropy(ignore_class=-1)([-1, -1], np.full((2, 2), 0.5)) == 0
    assert losses.MeanSquaredError()(np.zeros((0, 2)), np.zeros((0, 2))) == 0


def test_weights_may_stand_in_a_column_or_fit_every_position():
    y, p = np.zeros((2, 3, 4)), np.random.default_rng(0).normal(size=(2, 3, 4))
    per_position = (p**2).mean(axis=-1)
    loss = losses.MeanSquaredError()
    w = np.array([1.0, 3.0])
    expected = (per_position * w[:, None]).mean()
    for weights in (w, w[:, None], w[:, None, None] * np.ones((2, 3, 1)), np.repeat(w[:, None], 3, axis=1)):
        np.testing.assert_allclose(loss(y, p, sample_weight=weights), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"one weight per row.*Received: sample_weight.shape=\(3,\)"):
        losses.MeanSquaredError()([[0.0], [0.0]], [[1.0], [1.0]], sample_weight=[1.0, 1.0, 1.0])


def test_vectors_and_columns_may_stand_for_each_other():
    y, p = np.array([1.0, 2.0, 3.0]), np.array([[1.5], [2.0], [1.0]])
    assert losses.MeanSquaredError()(y, p) == losses.MeanSquaredError()(y[:, None], p)
    np.testing.assert_array_equal(losses.mean_squared_error(y, p), [0.25, 0.0, 4.0])
    assert losses.mean_squared_error(y, p[:, 0]) == pytest.approx(4.25 / 3)  # one row, as in Keras
    for labels_shape in ((2,), (2, 1)):
        value = losses.sparse_categorical_crossentropy(np.array([0, 1]).reshape(labels_shape), [[0.5, 0.5]] * 2)
        np.testing.assert_allclose(value, [np.log(2)] * 2)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_any_axis_can_hold_the_outputs(axis):
    rng = np.random.default_rng(0)
    y, z = one_hot(rng, 4, 4), normal(rng, 4, 4)
    loss = losses.CategoricalCrossentropy(True, axis=axis)
    flip = (lambda a: a.T) if axis == 0 else (lambda a: a)
    expected = reference.loss_values("categorical_crossentropy", flip(y), flip(z), from_logits=True)
    tolerances.close(loss.call(y, z), expected, tolerances.KERNEL_FLOAT64)
    expected = reference.loss_gradient("categorical_crossentropy", flip(y), flip(z), from_logits=True)
    tolerances.close(loss.gradient(y, z), flip(expected), tolerances.KERNEL_FLOAT64)
    assert (loss.native is not None) == (axis == -1)


ALIASES = {
    "mse": losses.MeanSquaredError, "mae": losses.MeanAbsoluteError, "mape": losses.MeanAbsolutePercentageError,
    "msle": losses.MeanSquaredLogarithmicError, "bce": losses.BinaryCrossentropy, "kld": losses.KLDivergence,
    "MSE": losses.MeanSquaredError, "mean_squared_error": losses.MeanSquaredError, "huber": losses.Huber,
    "MeanSquaredError": losses.MeanSquaredError, "log_cosh": losses.LogCosh, "logcosh": losses.LogCosh,
    "sparse_categorical_crossentropy": losses.SparseCategoricalCrossentropy, "ce": losses.CrossentropyByTarget,
    "kl_divergence": losses.KLDivergence, "categorical_hinge": losses.CategoricalHinge,
}  # fmt: skip


@pytest.mark.parametrize("name", ALIASES)
def test_names_and_aliases_find_the_classes(name):
    assert type(losses.as_loss(name)) is ALIASES[name]


@pytest.mark.parametrize("name", CASES)
def test_functions_stand_for_their_classes(name):
    function = getattr(losses, name.split()[0])
    assert type(losses.as_loss(function)) is type(CASES[name][0])
    assert losses.get(function) is losses.get(name.split()[0]) is function


@pytest.mark.parametrize("name", CASES)
def test_losses_survive_data_and_pickle(name):
    loss = CASES[name][0]
    for again in (losses.deserialize(json.loads(json.dumps(losses.serialize(loss)))), pickle.loads(pickle.dumps(loss))):
        assert type(again) is type(loss)
        assert again.get_config() == loss.get_config()
        assert again.native_parameters == pytest.approx(loss.native_parameters, nan_ok=True)


def test_crossentropy_is_resolved_by_the_target():
    def resolved(width, shape):
        return type(losses.resolve("crossentropy", width, shape))

    assert resolved(1, (5,)) is resolved(1, (5, 1)) is losses.BinaryCrossentropy
    assert resolved(3, (5,)) is resolved(3, (5, 1)) is losses.SparseCategoricalCrossentropy
    assert resolved(3, (5, 3)) is losses.CategoricalCrossentropy
    assert type(losses.resolve("mse", 3, (5, 3))) is losses.MeanSquaredError
    assert losses.resolve(None, 3, (5, 3)) is None
    loss = losses.CrossentropyByTarget(from_logits=True, reduction="sum")
    assert loss([0, 1], np.zeros((2, 4))) == pytest.approx(2 * np.log(4))
    assert loss.for_shapes(4, (2,)).reduction == "sum"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: losses.Huber(0.0), ValueError),
        (lambda: losses.Huber("1"), TypeError),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), ValueError),
        (lambda: losses.BinaryCrossentropy(from_logits=1), TypeError),
        (lambda: losses.MeanSquaredError(reduction="avg"), ValueError),
        (lambda: losses.MeanSquaredError(name=""), ValueError),
        (lambda: losses.MeanSquaredError(dtype="int32"), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class=0.5), TypeError),
        (lambda: losses.Quantile([]), ValueError),
        (lambda: losses.Quantile([0.5, 1.0]), ValueError),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), ValueError),
        (lambda: losses.CosineSimilarity(axis=0.5), TypeError),
        (lambda: losses.get("mean_square_error"), ValueError),
        (lambda: losses.as_loss(3), TypeError),
        (lambda: losses.get(3), TypeError),
        (lambda: losses.get([]), TypeError),
        (lambda: losses.MeanSquaredError()([[1.0, 2.0]], [[1.0]]), ValueError),
        (lambda: losses.MeanSquaredError()([[1.0]] * 3, [[1.0]] * 2), ValueError),
        (lambda: losses.MeanSquaredError()([["a"]], [[1.0]]), TypeError),
        (lambda: losses.MeanSquaredError()(1.0, 1.0), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy()([3], [[0.5, 0.5]]), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy()([-1], [[0.5, 0.5]]), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy()([0.5], [[0.5, 0.5]]), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy()([0, 1], [[0.5, 0.5]]), ValueError),
        (lambda: losses.CategoricalCrossentropy(axis=2)([[1.0]], [[1.0]]), ValueError),
        (lambda: losses.MeanSquaredError(reduction=None).describe(1), ValueError),
        (lambda: losses.SparseCategoricalCrossentropy(axis=0).describe(1), ValueError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()


def test_a_misspelt_name_proposes_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'MeanSquaredError'"):
        losses.get("mean_square_error")


class Quartic:
    def __init__(self, scale=1.0):
        self.scale = scale

    def value(self, y_true, y_pred):
        return self.scale * ((y_pred - y_true) ** 4).sum(axis=-1)

    def gradient(self, y_true, y_pred):
        return 4 * self.scale * (y_pred - y_true) ** 3

    def get_config(self):
        return {"scale": self.scale}


def test_an_object_of_ones_own_becomes_a_loss():
    loss = losses.get(Quartic(2.0))
    y, p = np.zeros((2, 2)), np.array([[1.0, 0.0], [2.0, 1.0]])
    assert (loss.native, loss.name, loss.expects_labels) == (None, "quartic", False)
    assert loss(y, p) == (2 + 34) / 2
    np.testing.assert_array_equal(loss.gradient(y, p), [[8, 0], [64, 8]])
    np.testing.assert_array_equal(loss.value(y, p), [2, 34])
    data = losses.serialize(loss)
    assert losses.deserialize(data, {"Quartic": Quartic}).target.scale == 2.0
    assert loss.describe(2)["custom"] is loss


@pytest.mark.parametrize("method", ["value", "gradient"])
def test_an_object_of_ones_own_must_keep_the_shape(method):
    class Mean(Quartic):
        pass

    setattr(Mean, method, lambda self, y_true, y_pred: 0.0)
    loss = losses.get(Mean())
    with pytest.raises(ValueError, match=rf"Mean\.{method} must return"):
        getattr(loss, method)(np.zeros((2, 2)), np.zeros((2, 2)))


def test_a_subclass_with_its_own_formula_is_not_trained_with_the_built_in_one():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

        def gradient(self, y_true, y_pred):
            return 2 * super().gradient(y_true, y_pred)

    class Half(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 0.5 * ((y_pred - y_true) ** 2).mean(axis=-1)

    class Renamed(losses.MeanSquaredError):
        pass

    assert Doubled().native is None
    assert losses.get(Doubled()) is not None
    assert Renamed().native == "mean_squared_error"
    model = cnn_core.Sequential([cnn_core.Input((1,)), cnn_core.layers.Dense(1)])
    model.compile("sgd", Half())  # its gradient would come from `call`, which computes with arrays
    with pytest.raises(TypeError, match="The loss 'mean_squared_error' needs its gradient"):
        model.fit([[1.0]], [[1.0]], verbose=0)


def test_what_the_core_is_told():
    told = losses.SparseCategoricalCrossentropy(True, 2).describe(1, output=1, weight=0.5)
    assert told == {
        "kind": "sparse_categorical_crossentropy", "from_logits": True, "smoothing": 0.0, "ignored": 2.0,
        "parameters": (), "output": 1, "has_labels": True, "target_width": 1, "weight": 0.5,
        "reduction": "sum_over_batch_size", "custom": None, "clip": 0.0,
    }  # fmt: skip
    told = losses.BinaryFocalCrossentropy(True, 0.4, 1.5, label_smoothing=0.1, reduction="mean").describe(3)
    assert (told["smoothing"], told["parameters"], told["reduction"]) == (0.1, (1.0, 0.4, 1.5), "sum_over_batch_size")


@pytest.mark.parametrize("weights", [[-1.0, -2.0], [-3.0, 1.0], [1.0, -1.0]])
def test_weights_below_zero_are_divided_by_their_sum_in_training_too(weights):
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model = cnn_core.Sequential([cnn_core.Input((1,)), cnn_core.layers.Dense(1, use_bias=False, dtype="float64")])
    model.compile("sgd", loss)
    model.layers[0].kernel.assign([[2.0]])
    x, y = np.array([[1.0], [3.0]]), np.array([[1.0], [-1.0]])
    # (w_1 (2 - 1)^2 + w_2 (6 + 1)^2) / (w_1 + w_2), or without the division where that is 0
    total = sum(weights) or 1.0
    expected = (weights[0] + 49 * weights[1]) / total
    assert model.train_on_batch(x, y, sample_weight=np.array(weights)) == pytest.approx(expected, rel=1e-12)
    slope = (weights[0] * 2 * 1 * 1 + weights[1] * 2 * 7 * 3) / total
    np.testing.assert_allclose(model.layers[0].kernel.numpy(), [[2 - 0.01 * slope]], rtol=1e-12)


@pytest.mark.parametrize("base", [Loss, losses.MeanSquaredError, losses.SparseCategoricalCrossentropy])
def test_a_loss_that_training_would_compute_otherwise_is_refused(base):
    with pytest.raises(TypeError, match=r"^Own defines __call__, which training never calls: define call"):
        losses.get(type("Own", (base,), {"__call__": lambda self, y_true, y_pred: 0.0})())


@pytest.mark.parametrize("base", [Loss, losses.MeanSquaredError, losses.SparseCategoricalCrossentropy])
@pytest.mark.parametrize("method", ["call", "value"])
def test_a_loss_that_says_what_it_computes_and_no_more_is_traced(base, method):
    assert losses.get(type("Own", (base,), {method: lambda self, y_true, y_pred: 0.0})()).is_traced
    both = {method: lambda self, y_true, y_pred: 0.0, "gradient": lambda self, y_true, y_pred: y_pred}
    assert not losses.get(type("Own", (base,), both)()).is_traced
    assert not base().is_traced


def test_a_built_in_loss_with_another_value_trains_by_it():
    class Doubled(losses.MeanSquaredError):
        def value(self, y_true, y_pred):
            return 2 * ((y_pred - y_true) ** 2).mean(axis=-1)

        def gradient(self, y_true, y_pred):
            return 4 * (y_pred - y_true) / y_pred.shape[-1]

    model = cnn_core.Sequential([cnn_core.Input((1,)), cnn_core.layers.Dense(1, "linear", False, "ones")])
    model.compile("sgd", Doubled())
    assert model.train_on_batch(np.array([[1.0]]), np.array([[4.0]])) == 18.0  # 2 (1 - 4)^2
    np.testing.assert_allclose(model.get_weights()[0], [[1.12]], rtol=1e-6)  # 1 - 0.01 * 2 * 2 (1 - 4)


@pytest.mark.parametrize(
    ("parent", "arguments"),
    [
        (losses.MeanSquaredError, {}),
        (losses.Huber, {"delta": 0.3}),
        (losses.BinaryCrossentropy, {"from_logits": True}),
        (losses.CategoricalCrossentropy, {"label_smoothing": 0.1}),
        (losses.SparseCategoricalCrossentropy, {}),
        (losses.CosineSimilarity, {}),
    ],
)
def test_a_subclass_may_build_on_the_formulas_of_its_parent(parent, arguments):
    """Three times a loss trains as the loss with three times the weight."""

    class Thrice(parent):
        def call(self, y_true, y_pred):
            return 3 * super().call(y_true, y_pred)

        def gradient(self, y_true, y_pred):
            return 3 * super().gradient(y_true, y_pred)

    generator = np.random.default_rng(2)
    x, chosen = generator.normal(size=(20, 4)), generator.integers(0, 3, 20)
    y = chosen if parent is losses.SparseCategoricalCrossentropy else np.eye(3)[chosen]
    trained = []
    for loss, factor in ((Thrice(**arguments), 1.0), (parent(**arguments), 3.0)):
        cnn_core.utils.set_random_seed(1)
        model = cnn_core.Sequential(
            [cnn_core.Input((4,), dtype="float64"), layers.Dense(3, "softmax", dtype="float64")]
        )
        model.compile(cnn_core.optimizers.SGD(0.1), loss, loss_weights=[factor])
        model.fit(x, y, epochs=3, batch_size=6, verbose=0)
        trained.append(model.get_weights())
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_what_super_computes_is_known_below_several_classes_too():
    class First(losses.MeanAbsoluteError):
        def call(self, y_true, y_pred):
            return super().call(y_true, y_pred) + 1

    class Second(First):
        def call(self, y_true, y_pred):
            return super().call(y_true, y_pred) * 2

    assert Second()([[1.0]], [[4.0]]) == 8
