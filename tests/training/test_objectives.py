"""Losses and metrics matched to outputs, and targets laid out for native code and for metrics."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import layers, losses, metrics, ops
from cnn_core.network.custom import CustomLossCalls
from cnn_core.training.objectives import CompileArguments, Objectives

GENERATOR = np.random.default_rng(61)


def objectives(y: Any, shapes: Any = ((None, 3),), names: Any = ("out",), **arguments: Any) -> Objectives:
    return Objectives(CompileArguments(**arguments), list(names), list(shapes), y)


# Which metrics native code adds up: those that compare what the loss compares.


@pytest.mark.parametrize(
    ("loss", "metric", "native"),
    [
        ("mse", "mae", True),
        ("mse", metrics.MeanSquaredError(), True),
        ("categorical_crossentropy", "accuracy", True),
        ("categorical_crossentropy", "categorical_crossentropy", True),
        ("sparse_categorical_crossentropy", "accuracy", True),
        ("sparse_categorical_crossentropy", "categorical_accuracy", False),
        ("categorical_crossentropy", "sparse_categorical_accuracy", False),
        ("hinge", "mae", False),
        (losses.Quantile(0.5), "mae", False),
        ("mse", metrics.AUC(), False),
        ("mse", metrics.RootMeanSquaredError(), True),
        ("mse", lambda y_true, y_pred: abs(y_true - y_pred), False),
        ("categorical_crossentropy", metrics.CategoricalCrossentropy(from_logits=True), False),
        ("mse", metrics.TopKCategoricalAccuracy(2), False),
    ],
)
def test_what_is_added_up_natively(loss: Any, metric: Any, native: bool) -> None:
    y = np.zeros(5, int) if loss == "sparse_categorical_crossentropy" else np.zeros((5, 3))
    (matched,) = objectives(y, loss=loss, metrics=[metric]).metrics
    assert matched.native == native


def native_and_python(loss: Any, measured: Any, model: Any, x: Any, y: Any, weights: Any) -> tuple[float, float]:
    """Measure a native metric in a pass, and by itself on the predictions."""
    model.compile("sgd", loss, weighted_metrics=[measured()])
    value = model.evaluate(x, y, sample_weight=weights, batch_size=7, verbose=0)[1]
    alone = measured()
    alone.update_state(y, model.predict(x), weights)
    return value, alone.result()


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 30)])
@pytest.mark.parametrize(
    "measured",
    [
        metrics.MeanSquaredError, metrics.MeanAbsoluteError, metrics.MeanAbsolutePercentageError,
        metrics.MeanSquaredLogarithmicError, metrics.LogCoshError, metrics.Poisson, metrics.KLDivergence,
        metrics.CategoricalHinge, metrics.CategoricalCrossentropy, metrics.CategoricalAccuracy, metrics.BinaryAccuracy,
        lambda: metrics.BinaryAccuracy(threshold=0.3), metrics.BinaryCrossentropy,
        lambda: metrics.CategoricalCrossentropy(label_smoothing=0.2),
    ],
)  # fmt: skip
def test_native_metrics_are_the_metrics(measured: Any, weights: Any) -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, "softmax")])
    x, y = GENERATOR.normal(size=(30, 4)), np.eye(3)[GENERATOR.integers(0, 3, 30)]
    native, python = native_and_python("categorical_crossentropy", measured, model, x, y, weights)
    assert native == pytest.approx(python, rel=tolerances.GOLDEN_METRIC)


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 30)])
@pytest.mark.parametrize("measured", [metrics.SparseCategoricalAccuracy, metrics.SparseCategoricalCrossentropy])
def test_native_metrics_of_labels_are_the_metrics(measured: Any, weights: Any) -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, "softmax")])
    x, y = GENERATOR.normal(size=(30, 4)), GENERATOR.integers(0, 3, 30)
    native, python = native_and_python("sparse_categorical_crossentropy", measured, model, x, y, weights)
    assert native == pytest.approx(python, rel=tolerances.GOLDEN_METRIC)


def test_binary_accuracy_compares_with_the_target_itself() -> None:
    """A target that is neither 0 nor 1 is never right, as in Keras."""
    model = cnn_core.Sequential([cnn_core.Input((1,)), layers.Dense(1, "sigmoid", kernel_initializer="zeros")])
    model.compile("sgd", "mse", metrics=["binary_accuracy"])
    x, y = np.zeros((4, 1)), np.array([0.0, 0.5, 1.0, 0.25])
    assert model.evaluate(x, y, verbose=0)[1] == 0.25


# Targets


def test_targets_for_native_code_and_for_metrics() -> None:
    y = GENERATOR.normal(size=(5, 2, 3)).astype("float32")
    each = objectives(y, shapes=[(None, 2, 3)], loss="mse").losses[0]
    flat = y.reshape(5, 6)
    assert each.rows == 2
    assert each.lay_out(flat, np.dtype("float32")).shape == (10, 3)
    np.testing.assert_array_equal(each.target_spec(()).in_shape(flat), y)
    labels = objectives(np.zeros(5), loss="sparse_categorical_crossentropy").losses[0]
    laid_out = labels.lay_out(np.arange(5) % 3, np.dtype("float64"))
    assert laid_out.dtype == np.int32
    assert laid_out.shape == (5,)
    hinge = objectives(np.zeros((5, 3)), loss="hinge").losses[0]
    binary = np.eye(3)[[0, 1, 2, 0, 1]]
    np.testing.assert_array_equal(hinge.lay_out(binary, np.dtype("float64")), 2 * binary - 1)
    np.testing.assert_array_equal(hinge.target_spec(()).in_shape(binary), binary)


def test_specifications_of_targets() -> None:
    arguments = {
        "a": "mse", "b": "sparse_categorical_crossentropy", "c": "categorical_crossentropy",
        "d": losses.Quantile([0.1, 0.9]),
    }  # fmt: skip
    specs = objectives(
        {name: np.zeros((5, 2)) for name in arguments}, shapes=[(None, 2)] * 4, names=list(arguments), loss=arguments
    ).target_specs
    assert [(spec.name, spec.shape, spec.kind) for spec in specs] == [
        ("a", (2,), "values"), ("b", (2,), "labels"), ("c", (2,), "one_hot"), ("d", None, "values"),
    ]  # fmt: skip


# Losses that only Python knows


class Shapes:
    """A loss that keeps the shapes it was given, and may return others than it should."""

    def __init__(self, value: Any = None, gradient: Any = None, expects_labels: bool = False) -> None:
        self.seen: list[Any] = []
        self.wrong_value, self.wrong_gradient, self.expects_labels = value, gradient, expects_labels

    def value(self, y_true: Any, y_pred: Any) -> Any:
        self.seen.append((y_true.shape, y_true.dtype.kind, y_pred.shape))
        return np.zeros(y_pred.shape[:-1]) if self.wrong_value is None else self.wrong_value

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return np.zeros_like(y_pred) if self.wrong_gradient is None else self.wrong_gradient


@pytest.mark.parametrize(
    ("output", "y", "seen"),
    [
        ((3,), np.zeros((5, 3)), ((5, 3), "f", (5, 3))),
        ((3,), np.zeros(5), ((5, 1), "f", (5, 3))),
        ((3,), np.zeros((5, 7)), ((5, 7), "f", (5, 3))),
        ((2, 3), np.zeros((5, 2, 3)), ((5, 2, 3), "f", (5, 2, 3))),
        ((2, 3), np.zeros((5, 2)), ((5, 2), "f", (5, 2, 3))),
    ],
)
def test_a_custom_loss_sees_the_output_s_shape(output: Any, y: Any, seen: Any) -> None:
    model = cnn_core.Sequential([cnn_core.Input((*output[:-1], 4)), layers.Dense(3)])
    loss = Shapes()
    model.compile("sgd", loss)
    model.fit(np.zeros((5, *output[:-1], 4)), y, verbose=0)
    assert loss.seen == [seen]


def test_a_custom_loss_may_ask_for_labels() -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3)])
    loss = Shapes(expects_labels=True)
    model.compile("sgd", loss)
    model.fit(np.zeros((5, 4)), np.arange(5) % 3, verbose=0)
    assert loss.seen == [((5,), "i", (5, 3))]
    with pytest.raises(ValueError, match="y has label 3"):
        model.fit(np.zeros((5, 4)), np.arange(5), verbose=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"value": np.zeros((5, 3))}, r"value must return one value per row, shape \(5,\). Received: shape \(5, 3\)"),
        ({"value": np.zeros(4)}, r"shape \(5,\). Received: shape \(4,\)"),
        ({"gradient": np.zeros(5)}, r"gradient must return an array of the shape of y_pred, shape \(5, 3\)"),
    ],
)
def test_wrong_shapes_of_a_custom_loss_are_named(wrong: Any, message: str) -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3)])
    model.compile("sgd", Shapes(**wrong))
    with pytest.raises(ValueError, match=message):
        model.fit(np.zeros((5, 4)), np.zeros((5, 3)), verbose=0)


def test_custom_loss_calls_check_what_a_loss_returns() -> None:
    class Careless(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return np.zeros(2)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            return np.zeros(2)

    calls = CustomLossCalls(Careless(), (3,))
    for method in (calls.value, calls.gradient):
        with pytest.raises(
            ValueError, match=r"of the loss 'careless' must return an array of shape .* Received: shape"
        ):
            method(np.zeros((5, 3)), np.zeros((5, 3)))


def test_a_custom_loss_trains_as_the_built_in_one_does() -> None:
    """Over rows, weights, batches and an order of its own."""

    class Squares:
        def value(self, y_true: Any, y_pred: Any) -> Any:
            return ((y_pred - y_true) ** 2).mean(axis=-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * (y_pred - y_true) / y_pred.shape[-1]

    x, y = GENERATOR.normal(size=(40, 2, 4)), GENERATOR.normal(size=(40, 2, 3))
    weights = np.linspace(0, 2, 80).reshape(40, 2)
    results = []
    for loss in (Squares(), "mse", losses.get(Squares())):
        cnn_core.utils.set_random_seed(9)
        model = cnn_core.Sequential([cnn_core.Input((2, 4)), layers.Dense(5, "tanh"), layers.Dense(3)])
        model.compile("sgd", loss, metrics=["mae"])
        history = model.fit(x, y, sample_weight=weights, batch_size=16, epochs=3, verbose=0).history
        results.append((model.get_weights(), history["loss"], model.evaluate(x, y, verbose=0)[0]))
    for got, history, loss in (results[0], results[2]):
        for ours, theirs in zip(got, results[1][0], strict=True):
            tolerances.close(ours, theirs, tolerances.GOLDEN_FLOAT32)
        assert history == pytest.approx(results[1][1], rel=tolerances.GOLDEN_FLOAT32)
        assert loss == pytest.approx(results[1][2], rel=tolerances.GOLDEN_FLOAT32)


def test_a_custom_target_must_divide_among_rows() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2, 4)), layers.Dense(3)])
    model.compile("sgd", Shapes())
    with pytest.raises(ValueError, match="y must have a multiple of 2 values per sample for output"):
        model.fit(np.zeros((5, 2, 4)), np.zeros((5, 3)), verbose=0)


# State of the metrics


def test_metrics_are_kept_and_given_back() -> None:
    matched = objectives(np.zeros((4, 3)), loss="mse", metrics=["mae", metrics.AUC(), metrics.F1Score()])
    predictions, y = GENERATOR.random((4, 3)), np.eye(3)[[0, 1, 2, 0]]
    for each in matched.metrics:
        each.metric.update_state(y, predictions)
    before = matched.results()
    with matched.kept():
        matched.reset()
        for each in matched.metrics:
            each.metric.update_state(y, 1 - predictions)
        assert matched.results()["auc"] != before["auc"]
    after = matched.results()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert matched.labels == ["loss", "mae", "auc", "f1_score"]


# What a loss or metric can mean


def outcome(y: Any, loss: Any = "mse", metrics: Any = None, units: int = 1, activation: str = "sigmoid") -> Any:
    y = np.asarray(y, np.float64)
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(units, activation)])
    model.compile("sgd", loss, metrics=metrics)
    x = np.ones((len(y), 2))

    def batches() -> Any:
        yield x, y

    return model, x, y, batches


REFUSED = [
    ("binary_crossentropy", [[0.0], [2.0]], "from 0 to 1 for the loss 'binary_crossentropy'.*2.0 at row 1"),
    ("binary_crossentropy", [[-1.0], [1.0]], "-1.0 at row 0"),
    ("binary_focal_crossentropy", [[0.5], [1.5]], "from 0 to 1"),
    ("categorical_crossentropy", [[0.0, 1.0], [1.0, 1.0]], "add up to 1 .* a sum of 2.0 at row 1"),
    ("categorical_crossentropy", [[0.0, 0.0], [1.0, 0.0]], "a sum of 0.0 at row 0"),
    ("categorical_crossentropy", [[2.0, -1.0], [1.0, 0.0]], "2.0 at row 0"),
    ("categorical_focal_crossentropy", [[0.5, 0.6]], "add up to 1"),
    ("kl_divergence", [[0.5, 0.6]], "add up to 1"),
    ("poisson", [[1.0], [-0.5]], "at least 0"),
    ("mean_squared_logarithmic_error", [[-3.0]], "at least 0"),
    ("hinge", [[-1.0], [0.0], [1.0]], "all -1 or 1, or all 0 or 1"),
    ("squared_hinge", [[2.0]], "all -1 or 1"),
    ("categorical_hinge", [[1.0, 1.0]], "one-hot rows"),
    ("categorical_hinge", [[0.5, 0.5]], "one-hot rows"),
]


@pytest.mark.parametrize(("loss", "y", "message"), REFUSED)
def test_targets_without_a_meaning_are_refused(loss: str, y: Any, message: str) -> None:
    model, x, y, batches = outcome(y, loss, units=len(y[0]))
    before = model.get_weights()
    for call in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.fit(batches(), verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.evaluate(batches(), verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.test_on_batch(x, y),
    ):
        with pytest.raises(ValueError, match=f"y must be .*{message}"):
            call()
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_validation_targets_are_checked_before_training() -> None:
    model, x, y, _ = outcome([[0.0], [1.0]], "binary_crossentropy")
    before = model.get_weights()[0]
    with pytest.raises(ValueError, match="from 0 to 1"):
        model.fit(x, y, validation_data=(x, y + 1), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


TAKEN = [
    ("binary_crossentropy", [[0.1], [0.9]]),
    ("categorical_crossentropy", [[0.335, 0.335, 0.34], [0.0, 1.0, 0.0]]),
    ("kl_divergence", [[0.25, 0.75]]),
    ("poisson", [[0.0], [2.5]]),
    ("msle", [[0.0], [7.0]]),
    ("hinge", [[-1.0], [1.0]]),
    ("hinge", [[0.0], [1.0]]),
    ("categorical_hinge", [[0.0, 1.0]]),
    ("mse", [[-7.0]]),
    ("cosine_similarity", [[-7.0, 0.0]]),
]


@pytest.mark.parametrize(("loss", "y"), TAKEN)
def test_targets_with_a_meaning_are_taken(loss: str, y: Any) -> None:
    model, x, y, _ = outcome(y, loss, units=len(y[0]))
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    ("metric", "units", "y"),
    [
        ("accuracy", 1, [[-1.0], [1.0]]),
        ("accuracy", 1, [[0.3], [17.0]]),
        (metrics.AUC(), 1, [[0.0], [0.5]]),
        (metrics.Precision(), 1, [[-1.0], [1.0]]),
        (metrics.TruePositives(), 1, [[2.0]]),
        (metrics.F1Score(), 2, [[2.0, 0.0]]),
        ("poisson", 1, [[-1.0]]),
        (metrics.KLDivergence(), 2, [[1.0, 1.0]]),
        (metrics.Hinge(), 1, [[0.5]]),
    ],
)
def test_metrics_ask_for_targets_too(metric: Any, units: int, y: Any) -> None:
    model, x, y, _ = outcome(y, "mse", [metric], units)
    with pytest.raises(ValueError, match="for the metric"):
        model.fit(x, y, verbose=0)


def test_rows_of_no_weight_may_hold_anything() -> None:
    model, x, y, _ = outcome([[0.0], [1.0], [-1.0]], "binary_crossentropy", ["accuracy"])
    model.fit(x, y, sample_weight=np.array([1.0, 1.0, 0.0]), verbose=0)
    with pytest.raises(ValueError, match=r"-1\.0 at row 1"):
        model.fit(x[1:], y[1:], sample_weight=np.array([0.0, 1.0]), verbose=0)


def test_rows_that_stay_on_disk_are_checked(tmp_path: Any) -> None:
    model, x, y, _ = outcome(np.zeros((5000, 1)), "poisson")
    stored = np.memmap(tmp_path / "y", np.float64, "w+", shape=y.shape)
    model.evaluate(x, stored, verbose=0)
    stored[4500] = -1
    with pytest.raises(ValueError, match=r"y must be at least 0 .* row 4500"):
        model.evaluate(x, stored, verbose=0)


def test_a_loss_of_another_formula_has_another_domain() -> None:
    class Signed(losses.Poisson):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return np.abs(y_true - y_pred).mean(-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            return np.sign(y_pred - y_true) / y_pred.shape[-1]

    model, x, y, _ = outcome([[-1.0]], Signed())
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("loss", "activation", "message"),
    [
        ("mse", "softmax", "softmax over the single unit of '.*' is always 1"),
        ("mse", "log_softmax", "is always 0"),
        ("mse", "sparsemax", "is always 1"),
        ("categorical_crossentropy", "sigmoid", "compares several outputs"),
        ("cosine_similarity", "linear", "compares several outputs"),
    ],
)
def test_outputs_that_cannot_learn_are_warned_of_once(loss: str, activation: str, message: str) -> None:
    model, x, y, _ = outcome([[1.0], [1.0]], loss, activation=activation)
    with pytest.warns(UserWarning, match=message):
        model.fit(x, y, verbose=0)
    model.fit(x, y, verbose=0)


class Reconstructing(cnn_core.Model):
    """A model whose only loss is what its `call` adds."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3, kernel_regularizer="l2")

    def call(self, x: Any) -> Any:
        made = self.dense(x)
        self.add_loss(ops.mean(ops.square(made - x)))
        return made


def test_added_losses_alone_are_minimised() -> None:
    """As the same loss compiled, by every way of training."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    found = []
    for added in (True, False):
        if added:
            model = Reconstructing()
            model.build((None, 3))
        else:
            model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(3, kernel_regularizer="l2")])
        model.set_weights([np.eye(3) / 2, np.zeros(3)])
        model.compile("adam", None if added else "mse")
        y = () if added else (x,)
        history = model.fit(x, *y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
        on_batch = [model.train_on_batch(x, *y) for _ in range(2)]
        batches = [(x[:20],) if added else (x[:20], x[:20])] * 2
        later = model.fit(iter(batches), verbose=0).history["loss"]
        found.append([*history["loss"], *on_batch, *later, model.evaluate(x, *y, verbose=0), *model.get_weights()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_a_model_without_any_loss_is_told_so() -> None:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(3)])
    model.compile("sgd")
    for call in (lambda: model.fit(np.ones((4, 3))), lambda: model.evaluate(np.ones((4, 3)), np.ones((4, 3)))):
        with pytest.raises(ValueError, match=r"needs a loss: call compile\(.*\), or add_loss in a `call`"):
            call()


# Losses given in lists


def test_a_loss_may_stand_in_a_list_of_its_own() -> None:
    x = cnn_core.Input((2,))
    model = cnn_core.Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(1)(x)})
    rows, y = GENERATOR.normal(size=(6, 2)), {"a": np.ones((6, 1)), "b": np.zeros((6, 1))}
    values = []
    for loss, weights in (({"a": ["mse"], "b": "mae"}, {"a": [0.5], "b": 2}), ({"a": "mse", "b": "mae"}, [0.5, 2])):
        model.compile("sgd", loss, loss_weights=weights)
        values.append(model.evaluate(rows, y, verbose=0, return_dict=True))
    assert values[0] == values[1]
    assert sorted(values[0]) == ["a_loss", "b_loss", "loss"]


def test_several_losses_of_one_output_add_up() -> None:
    x = cnn_core.Input((2,))
    model = cnn_core.Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(1)(x)})
    rows, y = GENERATOR.normal(size=(6, 2)), {"a": np.ones((6, 1)), "b": np.zeros((6, 1))}
    model.compile("sgd", {"a": ["mse", losses.Huber()], "b": "mae"}, {"a": [2.0, 0.5], "b": 1.0}, metrics={"a": "mse"})
    found, p = model.evaluate(rows, y, verbose=0, return_dict=True), model.predict(rows)
    expected = 2.0 * losses.MeanSquaredError()(y["a"], p["a"]) + 0.5 * losses.Huber()(y["a"], p["a"])
    assert found["a_loss"] == pytest.approx(expected, rel=1e-5)
    assert found["loss"] == pytest.approx(expected + losses.MeanAbsoluteError()(y["b"], p["b"]), rel=1e-5)
    before = model.get_weights()[0].copy()
    model.fit(rows, y, verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])
    assert pickle.loads(pickle.dumps(model)).evaluate(rows, y, verbose=0) == model.evaluate(rows, y, verbose=0)
    for wrong in ([], ["mse", None]):
        with pytest.raises(ValueError, match="A list of losses of an output must hold losses"):
            objectives(np.zeros((5, 1)), [(None, 1)] * 2, ["a", "b"], loss=["mse", wrong])
    single = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(1, "sigmoid")])
    single.compile("sgd", [["mse", "binary_crossentropy"]])
    with pytest.raises(ValueError, match="must be from 0 to 1 for the loss"):
        single.evaluate(rows, 3 * np.ones((6, 1)), verbose=0)
    with pytest.raises(ValueError, match="`loss_weights` must have one entry for each of 2 losses of an output"):
        objectives(
            np.zeros((5, 1)), [(None, 1)] * 2, ["a", "b"], loss=["mse", ["mse", "mae"]], loss_weights=[1, [1] * 3]
        )
