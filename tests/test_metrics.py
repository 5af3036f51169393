"""The metrics by hand, against scikit-learn where it has them, and their manners over batches.

The comparison with Keras's recorded results is in test_golden_metrics.py.
"""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import sklearn.metrics
import tolerances
from hypothesis import given
from hypothesis import strategies as st

from cnn_core import losses, metrics
from cnn_core.metrics import Accumulator, Metric

# Every class, with arguments that are not the defaults where it has any; and the targets and predictions it takes.
CASES = {
    "Accuracy": (metrics.Accuracy(), "labels"),
    "BinaryAccuracy": (metrics.BinaryAccuracy(threshold=0.4), "bits"),
    "CategoricalAccuracy": (metrics.CategoricalAccuracy(), "one_hot"),
    "SparseCategoricalAccuracy": (metrics.SparseCategoricalAccuracy(), "sparse"),
    "TopKCategoricalAccuracy": (metrics.TopKCategoricalAccuracy(2), "one_hot"),
    "SparseTopKCategoricalAccuracy": (metrics.SparseTopKCategoricalAccuracy(2), "sparse"),
    "MeanSquaredError": (metrics.MeanSquaredError(), "real"),
    "RootMeanSquaredError": (metrics.RootMeanSquaredError(), "real"),
    "MeanAbsoluteError": (metrics.MeanAbsoluteError(), "real"),
    "MeanAbsolutePercentageError": (metrics.MeanAbsolutePercentageError(), "real"),
    "MeanSquaredLogarithmicError": (metrics.MeanSquaredLogarithmicError(), "bits"),
    "LogCoshError": (metrics.LogCoshError(), "real"),
    "Poisson": (metrics.Poisson(), "bits"),
    "KLDivergence": (metrics.KLDivergence(), "bits"),
    "Hinge": (metrics.Hinge(), "bits"),
    "SquaredHinge": (metrics.SquaredHinge(), "bits"),
    "CategoricalHinge": (metrics.CategoricalHinge(), "one_hot"),
    "BinaryCrossentropy": (metrics.BinaryCrossentropy(label_smoothing=0.1), "bits"),
    "CategoricalCrossentropy": (metrics.CategoricalCrossentropy(label_smoothing=0.1), "one_hot"),
    "SparseCategoricalCrossentropy": (metrics.SparseCategoricalCrossentropy(from_logits=True), "sparse"),
    "CosineSimilarity": (metrics.CosineSimilarity(), "real"),
    "PearsonCorrelation": (metrics.PearsonCorrelation(), "real"),
    "ConcordanceCorrelation": (metrics.ConcordanceCorrelation(), "real"),
    "R2Score": (metrics.R2Score("variance_weighted_average"), "real"),
    "TruePositives": (metrics.TruePositives(0.3), "bits"),
    "TrueNegatives": (metrics.TrueNegatives([0.3, 0.6]), "bits"),
    "FalsePositives": (metrics.FalsePositives(), "bits"),
    "FalseNegatives": (metrics.FalseNegatives(), "bits"),
    "Precision": (metrics.Precision(top_k=2), "bits"),
    "Recall": (metrics.Recall([0.25, 0.5], class_id=1), "bits"),
    "SensitivityAtSpecificity": (metrics.SensitivityAtSpecificity(0.6, 50), "bits"),
    "SpecificityAtSensitivity": (metrics.SpecificityAtSensitivity(0.6, class_id=0), "bits"),
    "PrecisionAtRecall": (metrics.PrecisionAtRecall(0.6), "bits"),
    "RecallAtPrecision": (metrics.RecallAtPrecision(0.6), "bits"),
    "AUC": (metrics.AUC(50, "PR", multi_label=True, label_weights=[1.0, 2.0, 3.0]), "bits"),
    "FBetaScore": (metrics.FBetaScore("macro", 2.0, 0.5), "bits"),
    "F1Score": (metrics.F1Score("weighted"), "one_hot"),
}


def data(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, (n, 3))
    labels = rng.integers(0, 3, n)
    return {
        "labels": (labels, rng.integers(0, 3, n)),
        "bits": (rng.integers(0, 2, (n, 3)), p),
        "one_hot": (np.eye(3)[labels], p),
        "sparse": (labels, p),
        "real": (rng.normal(size=(n, 3)), rng.normal(size=(n, 3))),
    }[kind]


def fresh(metric):
    return metrics.deserialize(metrics.serialize(metric))


def test_every_metric_of_the_module_has_a_case():
    named = {
        name
        for name, each in vars(metrics).items()
        if isinstance(each, type) and issubclass(each, Metric) and not name.startswith("_")
    }
    assert named - {"Metric", "Mean", "Sum", "MeanMetricWrapper"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_split_into_batches_does_not_matter(name):
    metric, kind = CASES[name]
    y, p = data(kind, 40)
    whole, parts = fresh(metric), fresh(metric)
    whole.update_state(y, p)
    for start, stop in ((0, 1), (1, 18), (18, 40)):
        parts.update_state(y[start:stop], p[start:stop])
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_weight_of_two_is_the_row_twice_and_of_zero_is_no_row(name):
    metric, kind = CASES[name]
    y, p = data(kind, 30)
    if name == "R2Score":
        metric = metrics.R2Score()
    counts = np.random.default_rng(1).integers(0, 3, 30)
    weighted, repeated = fresh(metric), fresh(metric)
    if kind == "labels":
        y, p = y[:, None], p[:, None]
    weighted.update_state(y, p, sample_weight=counts.astype(float))
    repeated.update_state(np.repeat(y, counts, axis=0), np.repeat(p, counts, axis=0))
    np.testing.assert_allclose(weighted.result(), repeated.result(), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_reset_forgets_everything(name):
    metric, kind = CASES[name]
    metric = fresh(metric)
    first = metric(*data(kind, 20))
    metric.update_state(*data(kind, 20, seed=1))
    metric.reset_state()
    assert all((each.value == 0).all() for each in metric.variables)
    np.testing.assert_array_equal(metric(*data(kind, 20)), first)


@pytest.mark.parametrize("name", CASES)
def test_metrics_survive_data_and_pickle(name):
    metric, kind = CASES[name]
    y, p = data(kind, 20)
    config = json.loads(json.dumps(metrics.serialize(metric)))
    expected = fresh(metric)(y, p)
    for again in (metrics.deserialize(config), pickle.loads(pickle.dumps(fresh(metric)))):
        assert again.get_config() == metric.get_config()
        np.testing.assert_array_equal(again(y, p), expected)


@pytest.mark.parametrize("name", CASES)
def test_nothing_seen_gives_a_number(name):
    metric = fresh(CASES[name][0])
    assert np.isfinite(metric.result()).all()


@pytest.mark.parametrize("name", CASES)
def test_types_and_strides_do_not_matter(name):
    metric, kind = CASES[name]
    y, p = data(kind, 12)
    expected = fresh(metric)(y, p)
    for form in (lambda a: a.tolist(), np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]):
        np.testing.assert_allclose(fresh(metric)(form(y), form(p)), expected, rtol=1e-12)
    big = fresh(metric)(y.astype(y.dtype.newbyteorder(">")), p.astype(p.dtype.newbyteorder(">")))
    np.testing.assert_allclose(big, expected, rtol=1e-12)


# By hand


def test_accuracies_by_hand():
    assert metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1.0], [0.0], [0.6]]) == 0.75
    assert metrics.BinaryAccuracy()([1, 0], [0.5, 0.5]) == 0.5  # the threshold itself is not exceeded
    assert metrics.BinaryAccuracy(threshold=0.2)([[1, 0]], [[0.3, 0.3]]) == 0.5
    assert metrics.CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]) == 0.5
    assert metrics.SparseCategoricalAccuracy()([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]) == 0.5
    y, p = [2, 1, 0], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6]]
    assert [metrics.SparseTopKCategoricalAccuracy(k)(y, p) for k in (1, 2, 3, 9)] == [0, 2 / 3, 1, 1]
    assert metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True)([3, 7], [[1, 3, 7], [1, 3, 7]]) == 0.5
    assert metrics.Accuracy()([[1, 2], [3, 4]], [[1, 0], [3, 4]]) == 0.75


def test_means_by_hand():
    mean = metrics.Mean()
    mean.update_state([1.0, 3.0])
    mean.update_state(8.0)
    assert mean.result() == 4.0
    # Two values a sample: the mean of each sample counts, weighted.
    assert metrics.Mean()([[1.0, 3.0], [5.0, 7.0]], sample_weight=[3.0, 1.0]) == (3 * 2 + 6) / 4
    # Two weights a sample: each value has its own; the count is the sum of their means.
    assert metrics.Mean()([[1.0, 3.0], [5.0, 7.0]], sample_weight=[[1, 0], [0, 1]]) == (0.5 + 3.5) / 1
    assert metrics.Sum()([[1.0, 3.0], [5.0, 7.0]], sample_weight=[1.0, 0.5]) == 4 + 6


def test_errors_by_hand():
    y, p = [[1.0, 2.0], [0.0, 4.0]], [[2.0, 2.0], [0.0, 1.0]]  # errors (1, 0) and (0, -3)
    assert metrics.MeanSquaredError()(y, p) == 2.5
    assert metrics.RootMeanSquaredError()(y, p) == np.sqrt(2.5)
    assert metrics.MeanAbsoluteError()(y, p) == 1.0
    assert metrics.MeanSquaredError()(y, p, sample_weight=[3, 1]) == (3 * 0.5 + 4.5) / 4
    assert metrics.RootMeanSquaredError()(y, p, sample_weight=[[1, 0], [0, 0]]) == 1.0
    assert metrics.CosineSimilarity()([[1, 0], [1, 1]], [[1, 0], [-1, -1]]) == pytest.approx(0)


def test_counts_by_hand():
    y, p = [[0, 1, 1, 0]], [[0.1, 0.4, 0.8, 0.6]]
    for cls, single, several in (
        (metrics.TruePositives, 1, [2, 2, 1, 0]),
        (metrics.FalsePositives, 1, [2, 1, 1, 0]),
        (metrics.TrueNegatives, 1, [0, 1, 1, 2]),
        (metrics.FalseNegatives, 1, [0, 0, 1, 2]),
    ):
        assert cls()(y, p) == single
        np.testing.assert_array_equal(cls(thresholds=[0.0, 0.3, 0.5, 0.9])(y, p), several)
        # Thresholds in any order.
        np.testing.assert_array_equal(cls(thresholds=[0.9, 0.0, 0.5, 0.3])(y, p), [several[i] for i in (3, 0, 2, 1)])


def test_precision_and_recall_by_hand():
    y, p = [[1, 0, 1, 0], [0, 1, 0, 0]], [[0.9, 0.8, 0.2, 0.1], [0.3, 0.2, 0.6, 0.1]]
    assert (metrics.Precision()(y, p), metrics.Recall()(y, p)) == (1 / 3, 1 / 3)
    assert (metrics.Precision(top_k=1)(y, p), metrics.Recall(top_k=1)(y, p)) == (1 / 2, 1 / 3)
    assert (metrics.Precision(top_k=3)(y, p), metrics.Recall(top_k=3)(y, p)) == (3 / 6, 1)
    assert (metrics.Precision(class_id=0)(y, p), metrics.Recall(class_id=1)(y, p)) == (1, 0)
    assert metrics.Precision(thresholds=1.0)(y, p) == 0
    np.testing.assert_array_equal(metrics.Recall(thresholds=[0.15, 0.85])(y, p), [1, 1 / 3])


def test_scores_by_hand():
    y, p = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.7, 0.3, 0], [0, 0.1, 0.9]]
    # Class 0: precision 2/3, recall 1; class 1: neither; class 2: both 1.
    np.testing.assert_allclose(metrics.F1Score()(y, p), [0.8, 0, 1], atol=1e-6)
    assert metrics.F1Score("macro")(y, p) == pytest.approx(0.6, abs=1e-6)
    assert metrics.F1Score("micro")(y, p) == pytest.approx(0.75, abs=1e-6)
    assert metrics.F1Score("weighted")(y, p) == pytest.approx((2 * 0.8 + 1) / 4, abs=1e-6)
    np.testing.assert_allclose(metrics.FBetaScore(beta=2.0)(y, p), [5 * (2 / 3) / (8 / 3 + 1), 0, 1], atol=1e-6)
    assert metrics.R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]]) == 0.5
    assert metrics.R2Score(num_regressors=1)([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]]) == 0.0


def test_a_flat_target_scores_zero_unless_it_is_met():
    assert metrics.R2Score()([[1.0], [1.0]], [[1.0], [2.0]]) == 0
    assert np.isnan(metrics.R2Score()([[1.0], [1.0]], [[1.0], [1.0]]))


def test_rates_under_a_bound_by_hand():
    y, p = [0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]
    # Above 0.3: sensitivity 1/2, specificity 2/3. Below: 1 and 1/3 (0 is above none).
    assert metrics.SensitivityAtSpecificity(0.5)(y, p) == 0.5
    assert metrics.SensitivityAtSpecificity(0.3)(y, p) == 1.0
    assert metrics.SpecificityAtSensitivity(0.6)(y, p) == pytest.approx(1 / 3)
    assert metrics.PrecisionAtRecall(0.9)(y, p) == 0.5
    assert metrics.RecallAtPrecision(0.9)(y, p) == 0.0
    assert metrics.SensitivityAtSpecificity(0.5, num_thresholds=1)(y, p) == 0.5


# Against scikit-learn


def probabilities(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    return y, np.clip(rng.normal(0.4 + 0.2 * y, 0.2, n), 0.001, 0.999), rng.uniform(0.1, 2.0, n)


@given(n=st.integers(4, 60), seed=st.integers(0, 500))
def test_the_area_under_the_curve_is_exact_between_dense_thresholds(n, seed):
    y, p, w = probabilities(n, seed)
    p = np.round(p, 2) + 0.005  # one threshold of 1001 between any two predictions
    for weight in (None, w):
        expected = sklearn.metrics.roc_auc_score(y, p, sample_weight=weight)
        auc = metrics.AUC(num_thresholds=1001)
        assert auc(y, p, sample_weight=weight) == pytest.approx(expected, rel=1e-9)


def test_the_area_under_precision_and_recall_is_near():
    y, p, _ = probabilities(2000, 3)
    expected = sklearn.metrics.average_precision_score(y, p)
    for method in ("interpolation", "majoring"):  # minoring takes the precision of no predictions for 0
        assert metrics.AUC(2000, "PR", method)(y, p) == pytest.approx(expected, abs=5e-3)


@given(n=st.integers(4, 40), seed=st.integers(0, 500), threshold=st.sampled_from([0.25, 0.5, 0.75]))
def test_precision_recall_and_f_are_scikit_learn_s(n, seed, threshold):
    y, p, w = probabilities(n, seed)
    predicted = p > threshold
    for metric, function in (
        (metrics.Precision(threshold), sklearn.metrics.precision_score),
        (metrics.Recall(threshold), sklearn.metrics.recall_score),
    ):
        assert metric(y, p, sample_weight=w) == pytest.approx(function(y, predicted, sample_weight=w, zero_division=0))
    expected = sklearn.metrics.fbeta_score(y, predicted, beta=0.5, zero_division=0)
    score = metrics.FBetaScore(beta=0.5, threshold=threshold)(y[:, None], p[:, None])
    np.testing.assert_allclose(score, [expected], atol=1e-6)


@given(n=st.integers(3, 40), k=st.integers(1, 4), seed=st.integers(0, 500))
def test_r2_is_scikit_learn_s(n, k, seed):
    rng = np.random.default_rng(seed)
    y, p, w = rng.normal(size=(n, k)), rng.normal(size=(n, k)), rng.uniform(0.1, 2, n)
    for ours, theirs in (
        (None, "raw_values"),
        ("uniform_average", "uniform_average"),
        ("variance_weighted_average", "variance_weighted"),
    ):
        expected = sklearn.metrics.r2_score(y, p, sample_weight=w, multioutput=theirs)
        np.testing.assert_allclose(metrics.R2Score(ours)(y, p, sample_weight=w), expected, rtol=1e-9)


@given(n=st.integers(3, 40), k=st.integers(1, 3), seed=st.integers(0, 500))
def test_top_k_accuracy_is_scikit_learn_s(n, k, seed):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 5, n), rng.random((n, 5))
    expected = sklearn.metrics.top_k_accuracy_score(y, p, k=k, labels=range(5))
    assert metrics.SparseTopKCategoricalAccuracy(k)(y, p) == pytest.approx(expected)
    assert metrics.TopKCategoricalAccuracy(k)(np.eye(5)[y], p) == pytest.approx(expected)


def test_correlation_is_numpy_s():
    y, p = data("real", 20)
    expected = np.mean([np.corrcoef(y[i], p[i])[0, 1] for i in range(20)])
    assert metrics.PearsonCorrelation()(y, p) == pytest.approx(expected)
    expected = np.mean([np.corrcoef(y[:, j], p[:, j])[0, 1] for j in range(3)])
    assert metrics.PearsonCorrelation(axis=0)(y, p) == pytest.approx(expected)


# Corners of the counting


@pytest.mark.parametrize("n_thresholds", [2, 3, 5, 129, 200])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_even_thresholds_count_as_if_compared_one_by_one(n_thresholds, dtype):
    """The short cut for evenly placed thresholds, predictions on the thresholds included where they are exact."""
    y, p, w = probabilities(300, 1)
    if n_thresholds != 200:
        p[:100] = np.random.default_rng(0).integers(0, n_thresholds, 100) / (n_thresholds - 1)
    p = p.astype(dtype)
    grid = [i / (n_thresholds - 1) for i in range(n_thresholds)]
    expected = [(w * (y == 1) * (p > t)).sum() for t in grid]
    np.testing.assert_allclose(metrics.TruePositives(grid)(y, p, sample_weight=w), expected, rtol=1e-9)


def test_predictions_outside_of_the_range_and_nan_count_where_they_belong():
    y, p = [1, 1, 1, 0], [2.0, -1.0, np.nan, np.inf]
    assert metrics.TruePositives()(y, p) == 1
    assert metrics.FalseNegatives()(y, p) == 2
    assert metrics.FalsePositives([0.0, 0.5, 1.0])(y, p).tolist() == [1, 1, 0]
    assert np.isfinite(metrics.AUC()(y, p))


def test_labels_apart_and_together():
    y, p = data("bits", 50)
    apart = np.mean([metrics.AUC()(y[:, j], p[:, j]) for j in range(3)])
    assert metrics.AUC(multi_label=True)(y, p) == pytest.approx(apart)
    assert metrics.AUC()(y, p) == pytest.approx(metrics.AUC()(y.ravel(), p.ravel()))
    only_first = metrics.AUC(label_weights=[1.0, 0.0, 0.0])(y, p)
    assert only_first == pytest.approx(metrics.AUC()(y[:, 0], p[:, 0]))


def test_logits_are_probabilities_through_a_sigmoid():
    y, z = data("bits", 50)[0], np.random.default_rng(0).normal(size=(50, 3))
    assert metrics.AUC(from_logits=True)(y, z) == pytest.approx(metrics.AUC()(y, 1 / (1 + np.exp(-z))))


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_a_perfect_order_has_the_area_one(curve, method):
    # The precision of no predictions counts as 0: the lower sum loses the last half of the recall.
    expected = 0.5 if (curve, method) == ("PR", "minoring") else 1.0
    auc = metrics.AUC(curve=curve, summation_method=method)
    assert auc([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == pytest.approx(expected)


@given(seed=st.integers(0, 300))
def test_minoring_is_below_majoring(seed):
    y, p, w = probabilities(30, seed)
    lower, middle, upper = (
        metrics.AUC(20, summation_method=each)(y, p, sample_weight=w)
        for each in ("minoring", "interpolation", "majoring")
    )
    assert lower <= middle <= upper


# Names


@pytest.mark.parametrize("name", CASES)
def test_names_find_the_classes(name):
    cls = getattr(metrics, name)
    try:
        found = metrics.get(name)
    except ValueError as error:
        assert "required positional argument" in str(error)  # noqa: PT017
        return
    assert type(found) is cls


@pytest.mark.parametrize(
    ("alias", "cls"),
    [
        ("mse", metrics.MeanSquaredError),
        ("MAE", metrics.MeanAbsoluteError),
        ("mape", metrics.MeanAbsolutePercentageError),
        ("msle", metrics.MeanSquaredLogarithmicError),
        ("bce", metrics.BinaryCrossentropy),
        ("top_k_categorical_accuracy", metrics.TopKCategoricalAccuracy),
        ("root_mean_squared_error", metrics.RootMeanSquaredError),
        ("auc", metrics.AUC),
        ("f1_score", metrics.F1Score),
        ("accuracy", metrics.Accuracy),
    ],
)
def test_aliases_find_the_classes(alias, cls):
    assert type(metrics.get(alias)) is cls


@pytest.mark.parametrize("word", ["accuracy", "acc", "Accuracy"])
def test_accuracy_takes_the_form_of_the_targets(word):
    def form(y_shape, p_shape):
        metric = metrics.resolve(word, y_shape, p_shape)
        assert metric.name == word
        return type(metric)

    assert form((9,), (9, 1)) is form((9, 1), (9, 1)) is metrics.BinaryAccuracy
    assert form((9,), (9, 4)) is form((9, 1), (9, 4)) is metrics.SparseCategoricalAccuracy
    assert form((9, 4), (9, 4)) is metrics.CategoricalAccuracy
    assert form((None, 4), (None, 4)) is metrics.CategoricalAccuracy


def test_resolve_takes_what_compile_takes():
    assert metrics.resolve("mae", (9, 2), (9, 2)).name == "mae"
    assert type(metrics.resolve("ce", (9,), (9, 2))) is metrics.SparseCategoricalCrossentropy
    named = metrics.AUC(name="area")
    assert metrics.resolve(named, (9, 1), (9, 1)) is named
    assert metrics.resolve(None, (9, 1), (9, 1)) is None
    wrapped = metrics.resolve(losses.mean_squared_error, (9, 2), (9, 2))
    assert (wrapped.name, wrapped([[0.0]], [[2.0]])) == ("mean_squared_error", 4.0)
    assert metrics.resolve(losses.Huber(), (9, 2), (9, 2))([[0.0]], [[2.0]]) == 1.5


def worst(y_true, y_pred, power=1):
    return np.abs(y_true - y_pred).max(axis=-1) ** power


def test_a_function_of_ones_own_is_averaged():
    metric = metrics.as_metric(worst)
    y, p = np.zeros((2, 2)), np.array([[1.0, 3.0], [5.0, 0.0]])
    assert (metric.name, metric.native) == ("worst", None)
    assert metric(y, p, sample_weight=[1.0, 3.0]) == (3 + 15) / 4
    squared = metrics.MeanMetricWrapper(worst, name="w2", power=2)
    assert squared(y, p) == (9 + 25) / 2
    again = metrics.deserialize(metrics.serialize(squared), {"worst": worst})
    assert (again.name, again(y, p)) == ("w2", 17)
    with pytest.raises(ValueError, match="worst"):
        metrics.deserialize(metrics.serialize(squared))
    with pytest.raises(ValueError, match="one weight per value"):
        metrics.as_metric(lambda y, p: 1.0)(y, p, sample_weight=[1.0, 1.0])


def test_get_returns_functions_as_they_are() -> None:
    assert metrics.get(worst) is worst
    assert metrics.get(losses.huber) is losses.huber
    assert metrics.get(None) is None


class Scattered(metrics.Metric):
    """Keep totals in lists, dicts and metrics inside them."""

    def __init__(self, name: str = "scattered") -> None:
        super().__init__(name=name)
        self.total = self.add_variable(name="total")
        self.listed = [self.total, self.add_variable((2,), name="second"), (self.add_variable(initializer="ones"),)]
        self.named = {"inner": {"third": self.add_variable()}, "mean": metrics.Mean(), "none": None}

    def update_state(self, y_true, y_pred, sample_weight=None):
        for variable in self.variables:
            variable.assign_add(1.0)

    def result(self):
        return float(sum(np.sum(variable.numpy()) for variable in self.variables))


def test_totals_in_lists_and_dicts_are_reset_and_kept() -> None:
    metric = Scattered()
    assert len(metric.variables) == 6
    assert metric.result() == 1.0
    metric.update_state([0.0], [1.0])
    assert metric.result() == 8.0
    twin = pickle.loads(pickle.dumps(metric))
    metric.reset_state()
    assert (metric.result(), twin.result()) == (1.0, 8.0)


def test_a_function_of_a_whole_batch_counts_batches():
    metric = metrics.as_metric(lambda y, p: float(np.mean(p)))
    metric.update_state([[0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0]])
    metric.update_state([[0.0]], [[4.0]])
    assert metric.result() == 2.5


def test_metrics_in_keras_s_manner_work():
    class Balance(Metric):
        def __init__(self, name="balance", **keywords):
            super().__init__(name=name, **keywords)
            self.above = self.add_weight(name="above", initializer="zeros")
            self.seen = self.add_variable(shape=(2,), initializer="ones", name="seen")
            self.inner = metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.above.assign_add(np.sum(y_pred > y_true))
            self.seen.assign(self.seen + len(y_pred))
            self.inner.update_state(y_pred)

        def result(self):
            return float(self.above / self.seen[0])

    metric = Balance()
    assert metric(np.zeros(4), np.array([1.0, -1.0, 1.0, 1.0])) == 3 / 5
    assert len(metric.variables) == 4
    metric.reset_state()
    assert metric.seen.numpy().tolist() == [1, 1]
    assert metric.inner.result() == 0
    assert isinstance(metrics.deserialize(metrics.serialize(metric), {"Balance": Balance}), Balance)


def test_totals_behave_as_arrays():
    total = Accumulator("total", (2,))
    total.assign_add([1.0, 2.0])
    total.assign_sub(1.0)
    np.testing.assert_array_equal(total, [0, 1])
    np.testing.assert_array_equal(np.sqrt(total + 3), np.sqrt([3, 4]))
    np.testing.assert_array_equal(2 - total, [2, 1])
    assert (total.shape, len(total), total.dtype) == ((2,), 2, np.float64)
    with pytest.raises(ValueError, match="broadcast"):
        total.assign([1.0, 2.0, 3.0])


# Native


def test_what_the_core_is_told():
    told = metrics.BinaryAccuracy(threshold=0.3).describe(2, output=1, target=0, weighted=True)
    assert {key: told[key] for key in ("kind", "target", "weighted", "threshold")} == {
        "kind": "binary_accuracy", "target": 0, "weighted": True, "threshold": 0.3,
    }  # fmt: skip
    assert told["loss"]["output"] == 1
    told = metrics.BinaryCrossentropy(label_smoothing=0.1).describe(2)
    assert (told["kind"], told["loss"]["kind"], told["loss"]["smoothing"]) == ("loss", "binary_crossentropy", 0.1)


def test_what_the_core_cannot_add_up_is_not_offered_to_it():
    for metric in (
        metrics.BinaryCrossentropy(from_logits=True),
        metrics.CategoricalCrossentropy(axis=1),
        metrics.SparseCategoricalCrossentropy(ignore_class=0),
        metrics.Hinge(),
        metrics.CosineSimilarity(),
        metrics.AUC(),
        metrics.as_metric(worst),
    ):
        assert metric.native is None, metric
    assert metrics.SparseCategoricalAccuracy().native == "sparse_categorical_accuracy"

    class Halved(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, np.asarray(y_pred) / 2, sample_weight)

    assert Halved().native is None


def test_native_totals_are_taken_in():
    metric = metrics.RootMeanSquaredError()
    metric.accumulate(18.0, 2.0)
    assert metric.result() == 3.0


def test_sums_of_many_batches_do_not_drift():
    mean = metrics.Mean()
    for _ in range(20_000):
        mean.update_state(np.float32(0.1))
    tolerances.close(mean.result(), np.float32(0.1), 1e-12)


def test_ignored_rows_count_as_in_keras():
    """Without weights an ignored row counts with the value 0; with weights it does not count."""
    y, p = [0, 1], np.array([[0.5, 0.5], [0.5, 0.5]])
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=1)
    assert metric(y, p) == pytest.approx(np.log(2) / 2)
    metric.reset_state()
    assert metric(y, p, sample_weight=[1.0, 1.0]) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: metrics.BinaryAccuracy(threshold="a"), TypeError),
        (lambda: metrics.TopKCategoricalAccuracy(0), ValueError),
        (lambda: metrics.Precision(thresholds=1.5), ValueError),
        (lambda: metrics.Precision(thresholds=[0.5, None]), TypeError),
        (lambda: metrics.Precision(top_k=0), ValueError),
        (lambda: metrics.Recall(class_id=-1), ValueError),
        (lambda: metrics.AUC(1), ValueError),
        (lambda: metrics.AUC(curve="ROK"), ValueError),
        (lambda: metrics.AUC(summation_method="mean"), ValueError),
        (lambda: metrics.AUC(num_labels=3), ValueError),
        (lambda: metrics.F1Score("mean"), ValueError),
        (lambda: metrics.FBetaScore(beta=0.0), ValueError),
        (lambda: metrics.FBetaScore(threshold=2.0), ValueError),
        (lambda: metrics.R2Score("mean"), ValueError),
        (lambda: metrics.R2Score(num_regressors=-1), ValueError),
        (lambda: metrics.SensitivityAtSpecificity(2.0), ValueError),
        (lambda: metrics.Mean(name=""), ValueError),
        (lambda: metrics.MeanSquaredError(dtype="int8"), ValueError),
        (lambda: metrics.MeanMetricWrapper("mse"), TypeError),
        (lambda: metrics.get("acuracy"), ValueError),
        (lambda: metrics.get("PrecisionAtRecall"), ValueError),
        (lambda: metrics.get(3), TypeError),
        (lambda: metrics.CategoricalAccuracy()([0, 1], [[0.5, 0.5]] * 2), ValueError),
        (lambda: metrics.SparseCategoricalAccuracy()([0], [[0.5, 0.5]] * 2), ValueError),
        (lambda: metrics.SparseTopKCategoricalAccuracy()([7], [[0.5, 0.5]]), ValueError),
        (lambda: metrics.MeanSquaredError()([[1.0]], [[1.0, 2.0]]), ValueError),
        (lambda: metrics.Precision()([[1.0, 0.0]], [[1.0]]), ValueError),
        (lambda: metrics.Precision(class_id=3)([[1.0, 0.0]], [[1.0, 0.0]]), ValueError),
        (lambda: metrics.Precision()([1, 0], [1, 0], sample_weight=[1, 1, 1]), ValueError),
        (lambda: metrics.F1Score()([1.0], [1.0]), ValueError),
        (lambda: metrics.R2Score()([[[1.0]]], [[[1.0]]]), ValueError),
        (lambda: metrics.AUC(multi_label=True)([1, 0], [1, 0]), ValueError),
        (lambda: metrics.Metric().result(), NotImplementedError),
        (lambda: metrics.Metric().add_weight(initializer="random"), ValueError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()
