"""The manners of metrics: over batches, in copies, by name, in native code."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import losses, metrics
from cnn_core.metrics import Accumulator, Metric
from metric_cases import CASES, data, fresh


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


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        (metrics.TruePositives(), ["true_positives"]),
        (metrics.FalseNegatives([0.2, 0.8]), ["false_negatives"]),
        (metrics.Precision(), ["true_positives", "false_positives"]),
        (metrics.Recall(top_k=1), ["true_positives", "false_negatives"]),
        (metrics.AUC(), ["true_positives", "false_positives", "true_negatives", "false_negatives"]),
    ],
)
def test_totals_are_those_that_the_result_needs(metric, names):
    assert [each.name for each in metric.variables] == names


def test_variables_of_a_custom_metric_are_found_and_reset():
    class Counting(Metric):
        def __init__(self):
            super().__init__()
            self.total = self.add_variable(name="total")
            self.more = {"seen": [cnn_core.Variable(3.0), cnn_core.Variable(np.ones(2))]}

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.more["seen"][0].assign_add(len(y_true))

        def result(self):
            return float(self.more["seen"][0])

    metric = Counting()
    assert len(metric.variables) == 3
    assert metric([1, 2], [3, 4]) == 5
    metric.reset_state()
    assert metric.result() == 0
    np.testing.assert_array_equal(metric.more["seen"][1], [0, 0])


def test_the_dtype_is_settled():
    metric = metrics.MeanSquaredError(dtype="float32")
    assert metric.dtype == "float32"
    with pytest.raises(AttributeError):
        metric.dtype = "float64"


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
    assert total.assign_add([1.0, 2.0]).tolist() == [1.0, 2.0]
    assert total.assign_sub(1.0).tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(total, [0, 1])
    np.testing.assert_array_equal(np.sqrt(total + 3), np.sqrt([3, 4]))
    np.testing.assert_array_equal(2 - total, [2, 1])
    assert (total.shape, len(total), total.dtype) == ((2,), 2, np.float64)
    assert (total.ndim, total.trainable, total.path) == (1, False, "total")
    assert [each.path for each in metrics.Mean(name="own").variables] == ["own/total", "own/count"]
    assert int(metrics.Mean().variables[0]) == 0
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
