"""Data of every kind and shape trains as plain arrays do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import callbacks, layers, losses, metrics, optimizers
from cnn_core.data.rows import SparseRows
from training_cases import (
    CLASSES,
    GENERATOR,
    PLACED,
    PLACED_LABELS,
    RARE,
    N,
    Numbered,
    X,
    Y,
    batches,
    compiled,
    endless,
    same_weights,
)


@pytest.mark.parametrize(
    "source",
    [
        lambda: (Numbered(), {}),
        lambda: (Numbered(workers=2), {}),
        lambda: (endless(X, Y), {"steps_per_epoch": 7}),
        lambda: (list(batches(8, X, Y)) and _Again(), {}),
    ],
    ids=["numbered", "workers", "generator", "iterable"],
)
def test_batches_from_outside_train_as_arrays_do(source: Any) -> None:
    arrays, outside = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    expected = arrays.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    x, arguments = source()
    history = outside.fit(x, epochs=2, shuffle=False, verbose=0, **arguments).history
    assert same_weights(arrays, outside)
    assert history == expected
    assert outside.evaluate(Numbered(), verbose=0) == arrays.evaluate(X, Y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(outside.predict(x[:1] for x, _ in batches(8, X, Y)), arrays.predict(X[::8]))


class _Again:
    def __iter__(self) -> Iterator[Any]:
        return batches(8, X, Y)


def test_batches_of_changing_size() -> None:
    sizes = [3, 9, 1, 9, 28]
    starts = np.cumsum([0, *sizes])
    parts = [(X[a:b], Y[a:b]) for a, b in itertools.pairwise(starts)]
    outside, looped = compiled(metrics=["mae", metrics.AUC()]), compiled(metrics=["mae", metrics.AUC()])
    outside.fit(iter(parts), verbose=0)
    for part in parts:
        looped.train_on_batch(*part)
    assert same_weights(outside, looped)
    assert outside.evaluate(iter(parts), verbose=0) == pytest.approx(
        looped.evaluate(X, Y, verbose=0), rel=tolerances.GOLDEN_FLOAT32
    )


def test_memory_map_of_another_type_is_read_batch_by_batch(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype("float64"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    arrays, lazy = compiled(), compiled()
    arrays.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    lazy.fit(mapped, Y, batch_size=8, epochs=2, verbose=0)
    assert same_weights(arrays, lazy)
    np.testing.assert_array_equal(lazy.predict(mapped), arrays.predict(X))
    assert lazy.evaluate(mapped, Y, verbose=0) == arrays.evaluate(X, Y, verbose=0)


@pytest.fixture
def compressed() -> Any:
    """RARE without its zeros."""
    return pytest.importorskip("scipy.sparse").csr_matrix(RARE)


@pytest.fixture
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rows: SparseRows) -> None:
        raise AssertionError("sparse rows were made dense")

    monkeypatch.setattr(SparseRows, "dense", refuse)


def nearly(first: Any, second: Any) -> None:
    """Sums over stored elements leave the zeros out, and so round differently."""
    one, another = (np.concatenate([part.ravel() for part in model.get_weights()]) for model in (first, second))
    tolerances.close(one, another, tolerances.GOLDEN_FLOAT32)


@pytest.mark.usefixtures("never_dense")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False},
        {"validation_split": 0.3},
        {"class_weight": {0: 3.0}, "validation_split": 0.2},
        {"sample_weight": np.linspace(0, 2, N)},
        {"steps_per_epoch": 7},
    ],
)
def test_sparse_rows_train_as_dense_ones_do(compressed: Any, options: dict[str, Any]) -> None:
    arrays, sparse = (compiled(optimizers.SGD(0.3), metrics=["accuracy", "AUC"]) for _ in range(2))
    expected = arrays.fit(RARE, Y, batch_size=8, epochs=3, verbose=0, **options).history
    history = sparse.fit(compressed, Y, batch_size=8, epochs=3, verbose=0, **options).history
    nearly(sparse, arrays)
    for name, values in expected.items():
        assert history[name] == pytest.approx(values, rel=tolerances.GOLDEN_FLOAT32)


@pytest.mark.usefixtures("never_dense")
def test_sparse_rows_everywhere_else(compressed: Any) -> None:
    arrays, sparse = compiled(optimizers.SGD(0.3)), compiled(optimizers.SGD(0.3))
    for x, model in ((RARE, arrays), (compressed, sparse)):
        for rows in (slice(0, 20), slice(20, 50), slice(5, 6)):
            model.train_on_batch(x[rows], Y[rows])
        model.fit(((x[i : i + 10], Y[i : i + 10]) for i in range(0, N, 10)), epochs=1, verbose=0)
    nearly(sparse, arrays)
    wanted = arrays.predict(RARE)
    follower = callbacks.LambdaCallback()
    for found in (
        sparse.predict(compressed),
        sparse.predict(compressed, batch_size=7, callbacks=[follower]),
        sparse.predict(compressed[i : i + 9] for i in range(0, N, 9)),
        sparse.predict_on_batch(compressed),
        sparse(compressed),
    ):
        tolerances.close(found, wanted, tolerances.GOLDEN_FLOAT32)
    expected = pytest.approx(arrays.evaluate(RARE, Y, verbose=0), rel=tolerances.GOLDEN_FLOAT32)
    assert sparse.evaluate(compressed, Y, verbose=0) == expected
    assert sparse.test_on_batch(compressed, Y) == expected


def test_sparse_and_dense_batches_in_turn(compressed: Any) -> None:
    arrays, mixed = compiled(optimizers.SGD(0.3)), compiled(optimizers.SGD(0.3))
    for turn in range(4):
        arrays.train_on_batch(RARE, Y)
        mixed.train_on_batch(compressed if turn % 2 else RARE, Y)
    nearly(mixed, arrays)


@pytest.mark.usefixtures("never_dense")
def test_sparse_rows_beside_dense_ones_and_for_lbfgs(compressed: Any) -> None:
    def wide_and_deep() -> Any:
        cnn_core.utils.set_random_seed(2)
        wide, deep = cnn_core.Input((4,), name="wide"), cnn_core.Input((4,), name="deep")
        hidden = layers.BatchNormalization()(layers.Dense(5, "relu")(deep))
        merged = layers.Add()([layers.Dense(1)(wide), layers.Dense(1)(wide), layers.Dense(1)(hidden)])
        model = cnn_core.Model({"wide": wide, "deep": deep}, layers.Activation("sigmoid")(merged))
        model.compile(optimizers.SGD(0.1), "binary_crossentropy")
        model.training_state()
        return model

    arrays, sparse = wide_and_deep(), wide_and_deep()
    arrays.fit({"wide": RARE, "deep": X}, Y, batch_size=8, epochs=2, verbose=0)
    sparse.fit({"wide": compressed, "deep": X}, Y, batch_size=8, epochs=2, verbose=0)
    nearly(sparse, arrays)
    dense_fit, sparse_fit = compiled(optimizers.LBFGS(max_iter=3)), compiled(optimizers.LBFGS(max_iter=3))
    dense_fit.fit(RARE, Y, epochs=1, verbose=0)
    sparse_fit.fit(compressed, Y, epochs=1, verbose=0)
    tolerances.close(sparse_fit.get_weights()[0], dense_fit.get_weights()[0], tolerances.SCRIPT_FLOAT32)


@pytest.mark.parametrize("first", ["dropout", "normalization", "reshape", "merged"])
def test_layers_that_cannot_read_sparse_rows_get_dense_ones(compressed: Any, first: str) -> None:
    def network_of() -> Any:
        cnn_core.utils.set_random_seed(2)
        x = cnn_core.Input((4,))
        below: Any = {
            "dropout": lambda: layers.Dropout(0.3)(x),
            "normalization": lambda: layers.BatchNormalization()(x),
            "reshape": lambda: layers.Flatten()(layers.Reshape((2, 2))(x)),
            "merged": lambda: layers.Concatenate()([x, layers.Dense(3)(x)]),
        }[first]()
        model = cnn_core.Model(x, layers.Dense(1, "sigmoid")(below))
        model.compile("adam", "binary_crossentropy")
        model.training_state()
        return model

    arrays, sparse = network_of(), network_of()
    arrays.fit(RARE, Y, batch_size=8, epochs=2, verbose=0)
    sparse.fit(compressed, Y, batch_size=8, epochs=2, verbose=0)
    assert same_weights(sparse, arrays)
    np.testing.assert_array_equal(sparse.predict(compressed), arrays.predict(RARE))


def test_what_looks_inside_makes_sparse_rows_dense(compressed: Any) -> None:
    model = compiled()
    for one, another in zip(model.gradients(compressed, Y), model.gradients(RARE, Y), strict=True):
        np.testing.assert_array_equal(one, another)
    np.testing.assert_array_equal(model(compressed, training=True), model(RARE, training=True))


def test_a_model_can_be_called_on_a_memory_map_of_another_type(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype("float64"))
    model = compiled()
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(model(mapped, training=True), model(X, training=True))


def labelled(loss: Any, **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(4)
    model = cnn_core.Sequential([cnn_core.Input((4, 3)), layers.Dense(6, "tanh"), layers.Dense(5, "softmax")])
    model.compile(optimizers.SGD(0.3), loss, **arguments)
    model.training_state()
    return model


@pytest.mark.parametrize("last", [(), (1,)])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, N * 4).reshape(N, 4)])
def test_labels_at_every_place_are_one_hot_rows(last: tuple[int, ...], weights: Any) -> None:
    sparse = labelled("sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    categorical = labelled("categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    options = {"epochs": 2, "batch_size": 8, "verbose": 0, "sample_weight": weights, "validation_split": 0.2}
    found = sparse.fit(PLACED, PLACED_LABELS.reshape(N, 4, *last), **options).history
    wanted = categorical.fit(PLACED, np.eye(5)[PLACED_LABELS], **options).history
    assert list(found) == list(wanted)
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=tolerances.GOLDEN_FLOAT32), name
    for one, another in zip(sparse.get_weights(), categorical.get_weights(), strict=True):
        tolerances.close(one, another, tolerances.GOLDEN_FLOAT32)


def test_ignored_labels_at_some_places() -> None:
    """By hand: the mean of the losses of those that count."""
    model = labelled(losses.SparseCategoricalCrossentropy(ignore_class=2))
    p = model.predict(PLACED)
    counts = PLACED_LABELS != 2
    chosen = np.take_along_axis(p, PLACED_LABELS[..., None], axis=-1)[..., 0]
    wanted = -np.log(chosen[counts].astype("float64")).mean()
    assert model.test_on_batch(PLACED, PLACED_LABELS) == pytest.approx(wanted, rel=tolerances.GOLDEN_FLOAT32)


def test_labels_at_the_wrong_places() -> None:
    model = labelled("sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"^y must hold one label per place, shape \(n, 4\) or \(n, 4, 1\)"):
        model.fit(PLACED, PLACED_LABELS[:, :3], verbose=0)
    with pytest.raises(ValueError, match=r"^y has label 5 at row 1, column 2; the output layer has 5 units"):
        model.fit(PLACED[:2], [[0, 0, 0, 0], [0, 0, 5, 0]], verbose=0)
    with pytest.raises(ValueError, match=r"^`class_weight` needs one label per sample"):
        model.fit(PLACED, PLACED_LABELS, class_weight={1: 2.0}, verbose=0)


# Shapes of more than one dimension


def sequence_model(loss: Any, **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(2)
    model = cnn_core.Sequential([cnn_core.Input((3, 4)), layers.Dense(5, "tanh"), layers.Dense(2)])
    model.compile("sgd", loss, **arguments)
    return model


def test_samples_of_several_rows() -> None:
    x, y = GENERATOR.normal(size=(9, 3, 4)), GENERATOR.normal(size=(9, 3, 2))
    model = sequence_model("mse", metrics=["mae", metrics.RootMeanSquaredError()])
    assert model.output_shape == (None, 3, 2)
    predicted = model.predict(x)
    logs = model.evaluate(x, y, return_dict=True, batch_size=4, verbose=0)
    assert logs["loss"] == pytest.approx(((predicted - y) ** 2).mean(), rel=tolerances.GOLDEN_FLOAT32)
    assert logs["mae"] == pytest.approx(np.abs(predicted - y).mean(), rel=tolerances.GOLDEN_FLOAT32)
    assert logs["root_mean_squared_error"] == pytest.approx(logs["loss"] ** 0.5, rel=tolerances.GOLDEN_FLOAT32)
    assert model.fit(x, y, epochs=20, verbose=0).history["loss"][-1] < logs["loss"]


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 3)])
def test_weights_of_samples_and_of_rows(shape: tuple[int, ...]) -> None:
    x, y = GENERATOR.normal(size=(9, 3, 4)), GENERATOR.normal(size=(9, 3, 2))
    weights = np.linspace(0, 2, int(np.prod(shape))).reshape(shape)
    model = sequence_model("mse", weighted_metrics=["mae", metrics.RootMeanSquaredError(name="rmse")])
    each = weights if shape == (9, 3) else np.broadcast_to(weights.reshape(9, 1), (9, 3))
    predicted = model.predict(x)
    logs = model.evaluate(x, y, sample_weight=weights, return_dict=True, batch_size=4, verbose=0)
    squares, errors = ((predicted - y) ** 2).mean(axis=2), np.abs(predicted - y).mean(axis=2)
    # Batches of 4, 4 and 1 samples: the mean over samples of the batches' means.
    assert logs["loss"] == pytest.approx((each * squares).sum() / 27, rel=tolerances.GOLDEN_FLOAT32)
    assert logs["mae"] == pytest.approx((each * errors).sum() / each.sum(), rel=tolerances.GOLDEN_FLOAT32)


# Several inputs and outputs


def two_by_two(loss: Any, outputs: str = "list", **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(4)
    left, right = cnn_core.Input((2,), name="left"), cnn_core.Input((2,), name="right")
    shared = layers.Dense(3, "tanh", name="shared")
    number, share = (
        layers.Dense(1, name="number")(shared(left)),
        layers.Dense(2, "softmax", name="share")(shared(right)),
    )
    given = {"list": [number, share], "dict": {"a": number, "b": share}}[outputs]
    model = cnn_core.Model([left, right], given)
    model.compile("sgd", loss, **arguments)
    return model


@pytest.mark.parametrize("form", ["list", "dict"])
def test_losses_weights_and_metrics_by_output(form: str) -> None:
    loss: Any = ["mse", "sparse_categorical_crossentropy"]
    model = two_by_two(loss, loss_weights=[1.0, 0.5], metrics=[["mae"], ["accuracy"]])
    x: Any = [X[:, :2], X[:, 2:]]
    y: Any = [Y, CLASSES]
    if form == "dict":
        loss = {"share": loss[1], "number": loss[0]}
        model = two_by_two(loss, loss_weights={"share": 0.5}, metrics={"number": "mae", "share": ["accuracy"]})
        x = {"right": X[:, 2:], "left": X[:, :2]}
        y = {"share": CLASSES, "number": Y}
    number, share = model.predict(x)
    logs = model.evaluate(x, y, return_dict=True, verbose=0)
    assert list(logs) == sorted(["loss", "number_loss", "share_loss", "number_mae", "share_accuracy"])
    squares = ((number - Y) ** 2).mean()
    entropy = -np.log(share[np.arange(N), CLASSES]).mean()
    assert logs["number_loss"] == pytest.approx(squares, rel=tolerances.GOLDEN_FLOAT32)
    assert logs["share_loss"] == pytest.approx(entropy, rel=tolerances.GOLDEN_FLOAT32)
    assert logs["loss"] == pytest.approx(squares + 0.5 * entropy, rel=tolerances.GOLDEN_FLOAT32)
    assert logs["share_accuracy"] == pytest.approx((share.argmax(axis=1) == CLASSES).mean())
    history = model.fit(x, y, epochs=3, verbose=0).history
    assert history["loss"][-1] < logs["loss"]


def test_outputs_in_a_dict() -> None:
    model = two_by_two({"a": "mse", "b": "sparse_categorical_crossentropy"}, outputs="dict")
    predicted = model.predict({"left": X[:, :2], "right": X[:, 2:]})
    assert {name: array.shape for name, array in predicted.items()} == {"a": (N, 1), "b": (N, 2)}
    called = model([X[:, :2], X[:, 2:]])
    np.testing.assert_array_equal(called["b"], predicted["b"])
    logs = model.evaluate([X[:, :2], X[:, 2:]], {"a": Y, "b": CLASSES}, return_dict=True, verbose=0)
    assert list(logs) == sorted(["loss", "a_loss", "b_loss"])


@pytest.mark.parametrize(
    "y", [lambda: Y, lambda: [Y, None], lambda: {"number": Y}, lambda: {"number": Y, "share": CLASSES}]
)
def test_an_output_without_a_loss_needs_no_targets(y: Any) -> None:
    model = two_by_two({"number": "mse"})
    x = [X[:, :2], X[:, 2:]]
    squares = ((model.predict(x)[0] - Y) ** 2).mean()
    assert model.evaluate(x, y(), verbose=0) == pytest.approx(squares, rel=tolerances.GOLDEN_FLOAT32)
    before = model.get_layer("share").get_weights()
    model.fit(x, y(), verbose=0)
    assert all(map(np.array_equal, before, model.get_layer("share").get_weights()))


def test_sample_weights_by_output() -> None:
    model = two_by_two(["mse", "sparse_categorical_crossentropy"])
    x, weights = [X[:, :2], X[:, 2:]], np.linspace(0, 2, N)
    plain = model.evaluate(x, [Y, CLASSES], return_dict=True, verbose=0)
    by_output = model.evaluate(x, [Y, CLASSES], sample_weight={"share": weights}, return_dict=True, verbose=0)
    for_all = model.evaluate(x, [Y, CLASSES], sample_weight=weights, return_dict=True, verbose=0)
    assert by_output["number_loss"] == plain["number_loss"] != for_all["number_loss"]
    assert by_output["share_loss"] == for_all["share_loss"] != plain["share_loss"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": ["mse"]}, "`loss` must have one entry for each of 2 outputs. Received: 1"),
        ({"loss": {"numbr": "mse"}}, "`loss` must have outputs as keys: 'number', 'share'. Received: 'numbr'"),
        ({"loss_weights": 2.0}, "`loss_weights` must be a list or dict for 2 outputs"),
        ({"metrics": ["mae"]}, "`metrics` must have one entry for each of 2 outputs. Received: 1"),
        ({"loss": {"number": "mse"}, "metrics": {"share": ["mae"]}}, "`metrics` can only measure outputs with a loss"),
    ],
)
def test_what_does_not_match_the_outputs_is_said(arguments: dict[str, Any], message: str) -> None:
    model = two_by_two(**{"loss": ["mse", "mse"], **arguments})
    with pytest.raises(ValueError, match=message):
        model.fit([X[:, :2], X[:, 2:]], [Y, np.ones((N, 2))], verbose=0)
