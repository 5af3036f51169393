"""The metrics by hand, against scikit-learn where it has them, and in the corners."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from cnn_core import metrics
from metric_cases import data


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


def test_given_thresholds_need_no_number_of_them() -> None:
    y, p = np.array([0, 0, 1, 1]), np.array([0, 0.5, 0.3, 0.9])
    given = metrics.AUC(num_thresholds=None, thresholds=[0.5])
    assert given.num_thresholds == 3
    assert given(y, p) == metrics.AUC(num_thresholds=3)(y, p) == 0.75
    with pytest.raises(TypeError, match="`num_thresholds` must be an integer"):
        metrics.AUC(num_thresholds=None)


def test_certain_and_wrong_probabilities_are_kept_from_1_by_their_type():
    y, p = [[1.0, 0.0], [1.0, 0.0]], np.array([[1, 1], [1, 0]], "float32")
    assert metrics.BinaryCrossentropy()(y, p) == pytest.approx(-np.log(1 - np.float64(np.float32(1 - 1e-7))) / 4)
    assert metrics.BinaryCrossentropy()(y, p.astype("float64")) == pytest.approx(-np.log(1e-7) / 4, rel=1e-6)


# Intersection over union


def test_intersections_over_unions_as_scikit_learn():
    (labels, others), (one_hot, p) = data("labels", 60), data("one_hot", 60)
    each = sklearn.metrics.jaccard_score(labels, others, average=None)
    assert metrics.IoU(3, [2])(labels, others) == pytest.approx(each[2], rel=1e-6)
    assert metrics.MeanIoU(3)(labels[:, None], others) == pytest.approx(each.mean(), rel=1e-6)
    known = sklearn.metrics.jaccard_score(labels[labels != 1], others[labels != 1], average=None, labels=[0, 1, 2])
    assert metrics.MeanIoU(3, ignore_class=1)(labels, others) == pytest.approx(known.mean(), rel=1e-6)
    each = sklearn.metrics.jaccard_score(one_hot.argmax(axis=1), p.argmax(axis=1), average=None)
    assert metrics.OneHotIoU(3, [0, 1])(one_hot, p) == pytest.approx(each[:2].mean(), rel=1e-6)
    assert metrics.OneHotMeanIoU(3, axis=0)(one_hot.T, p.T) == pytest.approx(each.mean(), rel=1e-6)
    bits = sklearn.metrics.jaccard_score(one_hot.ravel(), p.ravel() >= 0.3)
    assert metrics.BinaryIoU([1], 0.3)(one_hot, p) == pytest.approx(bits, rel=1e-6)


def test_classes_that_do_not_occur_do_not_count():
    assert metrics.MeanIoU(9)([0, 0, 4], [0, 0, 4]) == pytest.approx(1)
    assert metrics.MeanIoU(2)([0, 3, -1, 0], [0, 1, 0, 7]) == pytest.approx(1)  # nor do pairs with what is no class
    assert metrics.MeanIoU(2).result() == 0
    weighted = metrics.MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.2, 0.3, 0.4, 0.1])
    assert weighted == pytest.approx((0.2 / 0.9 + 0.1 / 0.8) / 2, rel=1e-6)


def test_what_is_no_class_is_refused():
    with pytest.raises(ValueError, match=r"`target_class_ids` must be .* Received: target_class_ids=2"):
        metrics.IoU(2, [0, 2])
    with pytest.raises(ValueError, match=r"y_pred must hold whole numbers"):
        metrics.MeanIoU(2)([0, 1], [0.2, 0.7])
    with pytest.raises(ValueError, match=r"must have the same shape"):
        metrics.MeanIoU(2)([0, 1], [0, 1, 1])
