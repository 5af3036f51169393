"""What `fit` and `evaluate` do with validation, weights, metrics, types and arguments."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import callbacks, layers, losses, metrics, optimizers
from training_cases import LABELS, N, Numbered, X, Y, compiled, endless, network, same_weights


def test_validation_split_takes_the_last_rows() -> None:
    split, given = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    first = split.fit(X, Y, validation_split=0.3, epochs=2, verbose=0).history
    second = given.fit(X[:35], Y[:35], validation_data=(X[35:], Y[35:]), epochs=2, verbose=0).history
    assert same_weights(split, given)
    assert first == second
    assert first["val_loss"][-1] == pytest.approx(split.evaluate(X[35:], Y[35:], verbose=0)[0])


@pytest.mark.parametrize(("frequency", "validated"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), ([1, 5], [1, 5]), ({3}, [3])])
def test_validation_frequency(frequency: Any, validated: list[int]) -> None:
    model, seen = compiled(), []
    follow = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch + 1) if "val_loss" in logs else None
    )
    model.fit(X, Y, epochs=5, validation_data=(X, Y), validation_freq=frequency, callbacks=[follow], verbose=0)
    assert seen == validated


def test_validation_steps_and_generators() -> None:
    model = compiled()
    first = model.fit(X, Y, validation_data=endless(X, Y), validation_steps=2, verbose=0).history["val_loss"][0]
    assert first == pytest.approx(model.evaluate(X[:16], Y[:16], verbose=0), rel=tolerances.GOLDEN_FLOAT32)
    second = model.fit(X, Y, validation_data=(X, Y), validation_steps=2, validation_batch_size=8, verbose=0).history[
        "val_loss"
    ][0]
    assert second == pytest.approx(model.evaluate(X[:16], Y[:16], verbose=0), rel=tolerances.GOLDEN_FLOAT32)


def test_validation_with_weights() -> None:
    model, weights = compiled(), np.linspace(0, 2, N)
    history = model.fit(X, Y, validation_data=(X, Y, weights), verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X, Y, sample_weight=weights, verbose=0))


# Weights


def test_class_weights_are_sample_weights() -> None:
    by_class, by_sample, from_batches = (compiled(weighted_metrics=["accuracy"]) for _ in range(3))
    weights = np.where(Y[:, 0] == 1, 3.0, 0.5)
    first = by_class.fit(X, Y, class_weight={0: 0.5, 1: 3.0}, batch_size=8, shuffle=False, verbose=0).history
    second = by_sample.fit(X, Y, sample_weight=weights, batch_size=8, shuffle=False, verbose=0).history
    third = from_batches.fit(Numbered(), class_weight={0: 0.5, 1: 3.0}, shuffle=False, verbose=0).history
    assert same_weights(by_class, by_sample)
    assert same_weights(by_class, from_batches)
    assert first == second == third


def test_a_validation_split_is_not_weighed_by_class() -> None:
    model = compiled()
    history = model.fit(X, Y, class_weight={1: 10.0}, validation_split=0.5, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X[25:], Y[25:], verbose=0))


def test_the_weighted_mean_divides_by_the_number_of_samples() -> None:
    model, weights = compiled(loss="mse"), np.linspace(0, 3, N)
    values = ((model.predict(X) - Y) ** 2).mean(axis=1)
    expected = float((weights * values).sum() / N)
    assert model.evaluate(X, Y, sample_weight=weights, batch_size=N, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_metrics_with_and_without_weights() -> None:
    model = compiled(loss="mse", metrics=["mae"], weighted_metrics=["mae"])
    weights = np.linspace(0, 3, N)
    errors = np.abs(model.predict(X) - Y).mean(axis=1)
    logs = model.evaluate(X, Y, sample_weight=weights, return_dict=True, batch_size=8, verbose=0)
    assert list(logs) == sorted(["loss", "mae", "weighted_mae"])
    assert logs["mae"] == pytest.approx(errors.mean(), rel=tolerances.GOLDEN_METRIC)
    assert logs["weighted_mae"] == pytest.approx((errors * weights).sum() / weights.sum(), rel=tolerances.GOLDEN_METRIC)


# Metrics


class PythonAccuracy(metrics.BinaryAccuracy):
    """The accuracy, computed from predictions instead of natively."""

    native = None


@pytest.mark.parametrize("shuffle", [True, False])
def test_native_and_python_metrics_agree(shuffle: bool) -> None:
    model = compiled(metrics=["accuracy", PythonAccuracy(name="again")], weighted_metrics=[PythonAccuracy(name="w")])
    weights = np.where(np.arange(N) % 3, 1.0, 2.0)
    history = model.fit(X, Y, sample_weight=weights, epochs=3, batch_size=8, shuffle=shuffle, verbose=0).history
    assert history["accuracy"] == history["again"]
    assert history["w"] != history["again"]
    logs = model.evaluate(X, Y, sample_weight=weights, return_dict=True, verbose=0)
    right = (model.predict(X) > 0.5) == Y
    assert logs["again"] == pytest.approx(right.mean())
    assert logs["w"] == pytest.approx((right[:, 0] * weights).sum() / weights.sum())


def test_a_function_is_a_metric() -> None:
    def worst(y_true: Any, y_pred: Any) -> Any:
        assert y_true.shape == y_pred.shape
        return np.abs(y_true - y_pred).max()

    model = compiled(metrics=[worst])
    expected = np.abs(model.predict(X) - Y)
    assert model.evaluate(X, Y, batch_size=N, verbose=0)[1] == pytest.approx(expected.max(), rel=1e-6)
    # One number for a batch counts as one sample: the mean over batches.
    per_batch = [expected[start : start + 8].max() for start in range(0, N, 8)]
    assert model.evaluate(X, Y, batch_size=8, verbose=0)[1] == pytest.approx(np.mean(per_batch), rel=1e-6)


def test_metrics_see_targets_as_they_were_given() -> None:
    """Hinge turns 0 and 1 into -1 and 1 for itself; the accuracy still compares with 0 and 1."""
    model = compiled(loss="hinge", metrics=["accuracy"])
    right = ((model.predict(X) > 0.5) == Y).mean()
    assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(right)


# Return values and display


def test_what_evaluate_returns() -> None:
    plain, measured = compiled(), compiled(metrics=["accuracy", "mae"])
    assert isinstance(plain.evaluate(X, Y, verbose=0), float)
    assert plain.metrics_names == ["loss"]
    values = measured.evaluate(X, Y, verbose=0)
    assert measured.metrics_names == ["loss", "accuracy", "mae"]
    assert measured.evaluate(X, Y, verbose=0, return_dict=True) == dict(
        zip(measured.metrics_names, values, strict=True)
    )
    assert list(measured.evaluate(X, Y, verbose=0, return_dict=True)) == ["accuracy", "loss", "mae"]
    assert list(measured.train_on_batch(X, Y, return_dict=True)) == ["accuracy", "loss", "mae"]
    values = measured.evaluate(X, Y, verbose=0)
    assert [metric.name for metric in measured.metrics] == ["accuracy", "mae"]
    assert [metric.result() for metric in measured.metrics] == values[1:]


LABELS_OF_ACCURACY = [
    ("sparse_categorical_crossentropy", 3, [0, 1, 2], metrics.SparseCategoricalAccuracy),
    ("categorical_crossentropy", 3, np.eye(3), metrics.CategoricalAccuracy),
    ("binary_crossentropy", 1, [0, 1, 1], metrics.BinaryAccuracy),
    ("crossentropy", 3, [0, 1, 2], metrics.SparseCategoricalAccuracy),
]


@pytest.mark.parametrize(("loss", "units", "y", "kind"), LABELS_OF_ACCURACY)
def test_metrics_are_known_before_the_first_batch(loss: str, units: int, y: Any, kind: type) -> None:
    model = cnn_core.Sequential([layers.Dense(units, "sigmoid")])
    assert (model.metrics, model.metrics_names) == ([], ["loss"])
    own = metrics.MeanSquaredError(name="own")
    model.compile("sgd", loss, metrics=["accuracy", own][: 2 if units > 1 and np.ndim(y) == 2 else 1])
    expected = ["loss", "accuracy", "own"][: len(model.metrics) + 1]
    for x in (None, np.zeros((3, 2))):
        if x is not None:
            model.build((None, 2))
        assert model.metrics_names == expected
    before = model.metrics
    values = model.evaluate(np.zeros((3, 2)), y, verbose=0)
    assert model.metrics_names == expected
    assert len(values) == len(expected)
    assert type(model.metrics[0]) is kind
    if loss != "crossentropy":
        assert all(a is b for a, b in zip(before, model.metrics, strict=True))


def test_metrics_that_fit_no_output_have_no_names_yet() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(1)])
    model.compile("sgd", {"nowhere": "mse"})
    assert not hasattr(model, "metrics_names")
    with pytest.raises(AttributeError, match="`loss` must have outputs as keys"):
        model.metrics  # noqa: B018


def test_names_of_equal_metrics_are_numbered() -> None:
    model = compiled(metrics=["mae", metrics.MeanAbsoluteError(name="mae")], weighted_metrics=["mae", "mse"])
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "mae", "mae_1", "mse", "weighted_mae"]


def test_display(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled(metrics=["accuracy"])
    model.fit(X, Y, epochs=2, batch_size=8, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert re.search(r" - 7/7 - .* - accuracy: \d\.\d{4} - loss: \d\.\d{4}$", lines[0])
    model.evaluate(X, Y, verbose="auto")
    assert "accuracy" in capsys.readouterr().out
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert capsys.readouterr().out == ""
    model.predict(X, verbose=1, batch_size=8)
    assert "7/7" in capsys.readouterr().out


def test_what_a_callback_adds_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled(optimizers.SGD(0.25))
    model.fit(X, Y, callbacks=[callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)], verbose=2)
    assert "learning_rate: 0.1250" in capsys.readouterr().out
    assert model.history.history["learning_rate"] == [0.125]


# Types


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_type_of_the_package(dtype: str, floatx: None) -> None:
    model = compiled()
    model.fit(X, Y, verbose=0)
    assert model.compute_dtype == dtype
    assert all(w.dtype == dtype for w in model.get_weights())
    assert all(vector.dtype == dtype for vector in model.optimizer.state.values())
    assert model.predict(X).dtype == model(X).dtype == dtype


def test_types_do_not_mix() -> None:
    for upper in (layers.Dense(1, dtype="float64"), layers.Softmax(dtype="float64")):
        with pytest.raises(ValueError, match=r"must have the same dtype\. Received: float32 and float64"):
            cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(2), upper])


def test_layers_without_variables_compute_in_the_type_of_those_below(tmp_path: Any) -> None:
    model = cnn_core.Sequential([layers.Dense(3, input_shape=(4,), dtype="float64"), layers.Softmax()])
    assert model.compute_dtype == model.predict(X).dtype == "float64"
    expected = X.astype("float64") @ model.layers[0].kernel.numpy()
    expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-14)
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(cnn_core.load_model(tmp_path / name).predict(X), model.predict(X))


# Arguments


def test_compile_arguments_are_checked_at_once() -> None:
    model = network()
    for arguments, message in (
        ({"loss": "mss"}, "`loss` must be one of .* Did you mean 'mse'"),
        ({"optimizer": "adamm"}, "`optimizer` must be one of .* Did you mean 'Adam'"),
        ({"metrics": ["acuracy"]}, "`metric` must be one of"),
        ({"weighted_metrics": [["maee"]]}, "`metric` must be one of"),
        ({"loss": {"a": "mse", "b": "nothing"}}, "`loss` must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            model.compile(**arguments)
    with pytest.raises(TypeError, match="`loss` must be a name, a loss, a function"):
        model.compile(loss=3)
    assert not model.compiled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": -1}, "`epochs` must be an integer of at least 0. Received: epochs=-1"),
        ({"batch_size": -1}, "`batch_size` must be a positive integer. Received: batch_size=-1"),
        ({"initial_epoch": -1}, "`initial_epoch` must be"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be a positive integer"),
        ({"validation_freq": 0}, "`validation_freq` must be a positive integer"),
        ({"validation_split": 1.0}, "`validation_split` must be"),
        ({"validation_split": 0.999}, "`validation_split` leaves no row for training"),
        ({"validation_data": 3}, r"`validation_data` must be \(x, y\)"),
        ({"validation_data": (X, Y[:-1])}, "same number of rows"),
        ({"verbose": 3}, "`verbose` must be"),
        ({"y": None}, "y must be given"),
        ({"y": Y[:-1]}, "same number of rows"),
        ({"y": np.ones((N, 2))}, r"y must have the shape of the model's output, \(n, 1\)"),
        ({"x": X[:, :3]}, "x has 3 features; the model expects 4"),
        ({"sample_weight": np.ones(3)}, "same number of rows"),
        ({"x": Numbered()}, "`y` must be None when x yields batches"),
        ({"x": Numbered(), "y": None, "validation_split": 0.5}, "`validation_split` must be None when x yields"),
    ],
)
def test_arguments_of_fit_are_checked_and_the_model_stays_usable(arguments: dict[str, Any], message: str) -> None:
    model = compiled()
    before = model.get_weights()
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
    assert all(map(np.array_equal, before, model.get_weights()))
    model.fit(X, Y, verbose=0)


def test_what_is_missing_is_said() -> None:
    model = network()
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch, model.gradients):
        with pytest.raises(ValueError, match="needs a compiled model: call compile"):
            call(X, Y)
    model.compile("sgd")
    with pytest.raises(ValueError, match="`fit` needs a loss"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match="There is no average of the weights"):
        model.swap_average_weights()


# Losses


def test_crossentropy_by_name_takes_its_form_from_the_targets() -> None:
    x = X
    for units, y, same in (
        (1, Y, "binary_crossentropy"),
        (3, LABELS, "sparse_categorical_crossentropy"),
        (3, np.eye(3)[LABELS], "categorical_crossentropy"),
    ):
        activation = "sigmoid" if units == 1 else "softmax"
        first = compiled(loss="crossentropy", metrics=["accuracy"], units=units, activation=activation)
        second = compiled(loss=same, metrics=["accuracy"], units=units, activation=activation)
        assert first.evaluate(x, y, verbose=0) == second.evaluate(x, y, verbose=0)


def test_ignored_class() -> None:
    labels = np.where(LABELS == 2, -1, LABELS)
    model = compiled(loss=losses.SparseCategoricalCrossentropy(ignore_class=-1), units=3, activation="softmax")
    kept = labels >= 0
    expected = -np.log(model.predict(X)[np.arange(N), labels][kept]).mean()
    assert model.evaluate(X, labels, batch_size=N, verbose=0) == pytest.approx(expected, rel=tolerances.GOLDEN_FLOAT32)
    model.fit(X, labels, verbose=0)
