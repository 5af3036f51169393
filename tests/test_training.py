"""Training, evaluation and prediction: what `fit` does with data, epochs, weights and callbacks, bit for bit."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tolerances

import cnn_core
import cnn_core.data as data
import cnn_core.schedules as schedules
from cnn_core import callbacks, layers, losses, metrics, optimizers

N = 50
GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(N, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2] > 0).astype("float32")
LABELS = GENERATOR.integers(0, 3, N)


def network(dropout: float = 0.0, units: int = 1, activation: str = "sigmoid", seed: int = 5) -> Any:
    """Make a network whose initial weights and random draws the seed fixes."""
    cnn_core.utils.set_random_seed(seed)
    middle = [layers.Dropout(dropout), layers.BatchNormalization()] if dropout else []
    return cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(6, "tanh"), *middle, layers.Dense(units, activation)]
    )


def compiled(optimizer: Any = "adam", loss: Any = "binary_crossentropy", **arguments: Any) -> Any:
    given = {name: arguments.pop(name) for name in ("dropout", "units", "activation", "seed") if name in arguments}
    model = network(**given)
    model.compile(optimizer, loss, **arguments)
    model.training_state()  # draws the model's seed, which the first fit would draw otherwise
    return model


def same_weights(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def batches(size: int, *arrays: Any) -> Iterator[Any]:
    for start in range(0, N, size):
        yield tuple(array[start : start + size] for array in arrays)


# Epochs


def test_history_has_every_epoch_under_sorted_names() -> None:
    model = compiled(metrics=["accuracy", "mae"])
    history = model.fit(X, Y, epochs=3, validation_data=(X[:9], Y[:9]), verbose=0)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["accuracy", "loss", "mae", "val_accuracy", "val_loss", "val_mae"]
    assert all(len(values) == 3 for values in history.history.values())
    assert history.history["loss"][2] < history.history["loss"][0]


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_fit_twice_continues(dropout: float) -> None:
    once, twice = compiled(dropout=dropout), compiled(dropout=dropout)
    once.fit(X, Y, epochs=4, batch_size=8, verbose=0)
    twice.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    twice.fit(X, Y, epochs=4, initial_epoch=1, batch_size=8, verbose=0)
    assert same_weights(once, twice)
    assert twice.history.epoch == [1, 2, 3]


def test_no_epochs_train_nothing() -> None:
    model, untouched = compiled(), compiled()
    history = model.fit(X, Y, epochs=0, verbose=0)
    assert history.epoch == []
    assert history.history == {}
    assert same_weights(model, untouched)


@pytest.mark.parametrize("options", [{}, {"callbacks": [callbacks.LambdaCallback()]}])
def test_steps_say_how_many_batches_are_predicted(options: dict[str, Any]) -> None:
    model = compiled()
    whole = model.predict(X)
    np.testing.assert_array_equal(model.predict(X, batch_size=8, steps=3, **options), whole[:24])
    np.testing.assert_array_equal(model.predict(X, batch_size=8, steps=99, **options), whole)
    np.testing.assert_array_equal(model.predict(iter([X[:8], X[8:16], X[16:]]), steps=2), whole[:16])


def test_epochs_is_the_number_of_the_last() -> None:
    model = compiled()
    assert model.fit(X, Y, initial_epoch=3, epochs=5, verbose=0).epoch == [3, 4]
    before = model.get_weights()
    assert model.fit(X, Y, initial_epoch=5, epochs=5, verbose=0).epoch == []
    assert all(map(np.array_equal, before, model.get_weights()))


def test_the_seed_fixes_everything_and_shuffling_matters() -> None:
    one, same, other, ordered = compiled(dropout=0.3), compiled(dropout=0.3), compiled(dropout=0.3, seed=6), compiled()
    for model in (one, same, other):
        model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    assert same_weights(one, same)
    assert not same_weights(one, other)
    shuffled = compiled()
    shuffled.fit(X, Y, batch_size=8, verbose=0)
    ordered.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert not same_weights(shuffled, ordered)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam", "rmsprop"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_loop_over_train_on_batch_is_fit_without_shuffling(optimizer: str, dropout: float) -> None:
    fitted, looped = (compiled(optimizer, metrics=["accuracy"], dropout=dropout) for _ in range(2))
    weights = np.linspace(0.5, 2, N)
    fitted.fit(X, Y, epochs=2, batch_size=8, shuffle=False, sample_weight=weights, verbose=0)
    for _ in range(2):
        for x, y, w in batches(8, X, Y, weights):
            looped.train_on_batch(x, y, sample_weight=w)
    assert same_weights(fitted, looped)
    assert fitted.optimizer.iterations == looped.optimizer.iterations == 14


def test_train_on_batch_returns_what_the_batch_gave_before_its_step() -> None:
    model = compiled(optimizers.SGD(0.5), metrics=["mae"])
    for rows in (slice(0, 8), slice(8, 40), slice(40, 41)):
        expected = model.evaluate(X[rows], Y[rows], verbose=0, batch_size=N)
        tested = model.test_on_batch(X[rows], Y[rows])
        trained = model.train_on_batch(X[rows], Y[rows])
        np.testing.assert_allclose(tested, expected, rtol=tolerances.GOLDEN_FLOAT32)
        assert trained == tested
    named = model.test_on_batch(X, Y, return_dict=True)
    assert list(named) == ["loss", "mae"]


def test_a_callable_learning_rate_is_asked_for_every_batch() -> None:
    rates = iter(np.linspace(0.01, 0.1, 14))
    asked, looped = compiled(optimizers.SGD(lambda: float(next(rates)))), compiled(optimizers.SGD(0.0))
    asked.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for step, rate in enumerate(np.linspace(0.01, 0.1, 14)):
        looped.optimizer.learning_rate = float(rate)
        looped.train_on_batch(X[step % 7 * 8 : step % 7 * 8 + 8], Y[step % 7 * 8 : step % 7 * 8 + 8])
    assert same_weights(asked, looped)
    assert list(rates) == []


# Epochs that nobody watches run many at a time, without Python between them


def assert_same_training(
    first: Any, second: Any, x: Any = X, y: Any = Y, epochs: int = 5, batch_size: int = 8, **arguments: Any
) -> None:
    """Fit one alone, the other with a callback that could look at every epoch, and compare all they leave."""
    arguments |= {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    alone = first.fit(x, y, **arguments)
    watched = second.fit(x, y, callbacks=[callbacks.Callback()], **arguments)
    assert same_weights(first, second)
    assert alone.history == watched.history
    assert alone.epoch == watched.epoch == list(range(epochs))
    assert first.optimizer.state.keys() == second.optimizer.state.keys()
    assert all(np.array_equal(vector, second.optimizer.state[name]) for name, vector in first.optimizer.state.items())
    ours, theirs = first.training_state(), second.training_state()
    assert ours["epochs_begun"] == theirs["epochs_begun"]
    assert first.optimizer.batches_seen == second.optimizer.batches_seen


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.4, "metrics": ["accuracy", "mse"], "weighted_metrics": ["mae"]},
        {"optimizer": optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.7), momentum=0.9)},
        {"optimizer": optimizers.Adam(use_ema=True, ema_overwrite_frequency=5, clipnorm=0.1)},
        {"optimizer": optimizers.Nadam(gradient_accumulation_steps=3)},
    ],
)
@pytest.mark.parametrize(
    "arguments", [{}, {"shuffle": False}, {"class_weight": {0: 1.0, 1: 3.0}, "sample_weight": np.arange(N)}]
)
def test_unwatched_epochs_are_like_others(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    first, second = (compiled(**copy.deepcopy(options)) for _ in range(2))
    for _ in range(2):
        assert_same_training(first, second, **arguments)


@pytest.mark.parametrize(("batch_size", "epochs"), [(N, 600), (8, 700), (1, 90)])
def test_unwatched_epochs_of_several_native_calls(batch_size: int, epochs: int) -> None:
    first, second = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    assert_same_training(first, second, epochs=epochs, batch_size=batch_size)


def test_unwatched_epochs_with_several_losses() -> None:
    def model() -> Any:
        cnn_core.utils.set_random_seed(3)
        x = cnn_core.Input((4,))
        hidden = layers.Dense(5, "relu", kernel_regularizer="l2")(x)
        model = cnn_core.Model(x, [layers.Dense(1, name="a")(hidden), layers.Dense(3, name="b")(hidden)])
        model.compile("rmsprop", ["mse", losses.SparseCategoricalCrossentropy(from_logits=True)], loss_weights=[1, 0.3])
        model.training_state()
        return model

    assert_same_training(model(), model(), y=[Y, LABELS])


def test_an_unwatched_epoch_longer_than_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no time native code runs a single batch; every call goes on with the epoch of the one before."""
    reached = []

    class Interrupted(cnn_core._core.Epochs):
        def __call__(self, *arguments: Any) -> Any:
            status = super().__call__(*arguments, seconds=0.0)
            reached.append(self.next_batch)
            return status

    def model() -> Any:
        cnn_core.utils.set_random_seed(3)
        model = cnn_core.Sequential([cnn_core.Input((4,)), *(layers.Dense(400, "tanh") for _ in range(2))])
        model.compile(optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.7)), "mse")
        model.training_state()
        return model

    monkeypatch.setattr(cnn_core._core, "Epochs", Interrupted)
    assert_same_training(model(), model(), y=np.ones((N, 400)), epochs=3)
    assert reached == [1, 2, 3, 4, 5, 6, 0] * 3


class StoppingLoss:
    """The mean squared error, which ends the training when it is asked for the hundredth time."""

    def __init__(self) -> None:
        self.model: Any = None
        self.asked = 0

    def value(self, y: Any, prediction: Any) -> Any:
        self.asked += 1
        if self.asked == 100:
            self.model.stop_training = True
        return ((prediction - y) ** 2).mean(-1)

    def gradient(self, y: Any, prediction: Any) -> Any:
        return 2 * (prediction - y) / y.shape[-1]


class Observed(metrics.MeanAbsoluteError):
    """The mean absolute error, which notes the optimizer's steps when it is asked for."""

    def __init__(self) -> None:
        super().__init__(name="observed")
        self.model: Any = None
        self.seen: list[int] = []

    def result(self) -> Any:
        if self.model is not None:
            self.seen.append(self.model.optimizer.batches_seen)
        return super().result()


class Slower(schedules.LearningRateSchedule):
    """Halves the rate every seven batches and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, step: int) -> float:
        self.asked.append(step)
        return float(0.1 * 0.5 ** (step // 7))


def test_python_of_others_runs_when_it_would_in_watched_epochs() -> None:
    def trained(**arguments: Any) -> Any:
        loss, metric, schedule = StoppingLoss(), Observed(), Slower()
        stopping, slowed = compiled("adam", loss), compiled(optimizers.SGD(schedule))
        observed = compiled("adam", "mse", metrics=[metric])
        loss.model, metric.model = stopping, observed
        for model in (stopping, observed, slowed):
            model.fit(X, Y, epochs=40, batch_size=8, verbose=0, **arguments)
        return stopping.history.epoch, stopping.get_weights()[0].tolist(), metric.seen, schedule.asked

    alone, watched = trained(), trained(callbacks=[callbacks.Callback()])
    assert alone == watched
    assert alone[0] == list(range(15))  # 7 batches an epoch, so that it ends after the 105th
    assert alone[2] == list(range(7, 7 * 41, 7))
    assert alone[3] == list(range(7 * 40))


def test_no_epochs_leave_everything_as_it_was() -> None:
    model = compiled(optimizers.Adam(use_ema=True))
    model.optimizer.iterations = 10
    before, state = model.get_weights(), model.training_state()
    model.fit(X, Y, epochs=3, initial_epoch=3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert model.training_state() == state


def test_an_unwatched_epoch_that_diverges() -> None:
    def outcome(**arguments: Any) -> tuple[Any, ...]:
        model = compiled(optimizers.SGD(1e18), "mse", activation="linear")
        with pytest.raises(cnn_core.NonFiniteLossError) as caught:
            model.fit(X, Y, epochs=50, batch_size=8, verbose=0, **arguments)
        history = model.history
        state = model.training_state()["epochs_begun"], model.optimizer.batches_seen
        return str(caught.value), history.history, history.epoch, state, [each.tolist() for each in model.get_weights()]

    assert outcome() == outcome(callbacks=[callbacks.Callback()])


# Kinds of data


class Numbered(cnn_core.utils.PyDataset):
    """The data set by the number of a batch."""

    def __len__(self) -> int:
        return -(-N // 8)

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * 8, (index + 1) * 8)
        return X[rows], Y[rows]


def endless(*arrays: Any) -> Iterator[Any]:
    while True:
        yield from batches(8, *arrays)


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


RARE = X * (X > 0.7)


@pytest.fixture
def compressed() -> Any:
    """RARE without its zeros."""
    return pytest.importorskip("scipy.sparse").csr_matrix(RARE)


@pytest.fixture
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rows: data.SparseRows) -> None:
        raise AssertionError("sparse rows were made dense")

    monkeypatch.setattr(data.SparseRows, "dense", refuse)


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


# Labels at several places of a sample

PLACED = GENERATOR.normal(size=(N, 4, 3)).astype("float32")
PLACED_LABELS = GENERATOR.integers(0, 5, (N, 4))


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


# Validation


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


# Callbacks


class Diary(callbacks.Callback):
    """Writes down every hook."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.entries.append("train")

    def on_train_end(self, logs: Any = None) -> None:
        self.entries.append(("end", sorted(logs)))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.entries.append(("epoch", epoch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.entries.append(("epoch end", epoch, sorted(logs)))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.entries.append(("batch", batch))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.entries.append(("batch end", batch, sorted(logs)))

    def on_test_begin(self, logs: Any = None) -> None:
        self.entries.append("test")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.entries.append(("test batch end", batch))

    def on_test_end(self, logs: Any = None) -> None:
        self.entries.append(("test end", sorted(logs)))

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.entries.append(("predicted", batch, logs["outputs"].shape))


def test_every_hook_in_its_order() -> None:
    model, diary = compiled(metrics=["mae"]), Diary()
    model.fit(X[:10], Y[:10], batch_size=5, validation_data=(X[:4], Y[:4]), callbacks=[diary], verbose=0)
    names = ["loss", "mae"]
    both = ["loss", "mae", "val_loss", "val_mae"]
    assert diary.entries == [
        "train", ("epoch", 0),
        ("batch", 0), ("batch end", 0, names), ("batch", 1), ("batch end", 1, names),
        "test", ("test batch end", 0), ("test end", names),
        ("epoch end", 0, both), ("end", both),
    ]  # fmt: skip
    assert diary.params == {"verbose": 0, "epochs": 1, "steps": 2}
    diary.entries.clear()
    model.evaluate(X[:10], Y[:10], batch_size=5, callbacks=[diary], verbose=0)
    assert diary.entries == ["test", ("test batch end", 0), ("test batch end", 1), ("test end", names)]
    diary.entries.clear()
    model.predict(X[:10], batch_size=4, callbacks=[diary])
    assert diary.entries == [("predicted", 0, (4, 1)), ("predicted", 1, (4, 1)), ("predicted", 2, (2, 1))]


def test_batch_hooks_change_nothing() -> None:
    heard, unheard = compiled(dropout=0.2, metrics=["mae"]), compiled(dropout=0.2, metrics=["mae"])
    first = heard.fit(X, Y, epochs=2, batch_size=8, callbacks=[Diary()], verbose=0).history
    second = unheard.fit(X, Y, epochs=2, batch_size=8, verbose=0).history
    assert same_weights(heard, unheard)
    assert first == second


def test_stopping_after_a_batch_and_after_an_epoch() -> None:
    model = compiled()
    stop = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 2))
    history = model.fit(X, Y, epochs=5, batch_size=8, callbacks=[stop], verbose=0)
    assert model.optimizer.iterations == 3
    assert history.epoch == [0]
    later = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    assert model.fit(X, Y, epochs=5, callbacks=[later], verbose=0).epoch == [0, 1]
    assert model.fit(X, Y, epochs=3, verbose=0).epoch == [0, 1, 2], "the next fit starts afresh"


def test_a_callback_may_use_the_model_in_the_middle_of_an_epoch() -> None:
    measured = [metrics.AUC(), "accuracy"]
    used, unused = compiled(metrics=measured, dropout=0.2), compiled(metrics=[metrics.AUC(), "accuracy"], dropout=0.2)

    def use(batch: int, logs: Any) -> None:
        used.evaluate(X[:7], Y[:7], verbose=0)
        used.predict(X[:3])
        used.test_on_batch(X[:5], Y[:5])
        used.gradients(X[:5], Y[:5])
        used.trace(X[:5], Y[:5])

    use_it = callbacks.LambdaCallback(on_train_batch_end=use, on_train_batch_begin=use)
    first = used.fit(X, Y, epochs=2, batch_size=8, callbacks=[use_it], verbose=0).history
    second = unused.fit(X, Y, epochs=2, batch_size=8, verbose=0).history
    assert same_weights(used, unused)
    assert first == second


def test_weights_that_a_callback_sets_count_at_once() -> None:
    model = compiled(optimizers.SGD(0.0))
    zeros = [np.zeros_like(w) for w in model.get_weights()]
    model.fit(
        X,
        Y,
        batch_size=8,
        callbacks=[
            callbacks.LambdaCallback(
                on_train_batch_begin=lambda batch, logs: model.set_weights(zeros) if batch == 0 else None
            )
        ],
        verbose=0,
    )
    assert all(not w.any() for w in model.get_weights())
    assert model.history.history["loss"] == [pytest.approx(np.log(2))]


def test_another_model_trained_by_a_callback_shares_layers() -> None:
    """The variables move to the other model's vector and back, in the middle of an epoch."""
    x = cnn_core.Input((4,))
    shared = layers.Dense(3, "tanh")
    whole = cnn_core.Model(x, layers.Dense(1)(shared(x)))
    part = cnn_core.Model(x, shared(x))
    whole.compile(optimizers.SGD(0.0), "mse")
    part.compile(optimizers.SGD(0.1), "mse")
    expected = cnn_core.models.clone_model(part)
    expected.set_weights(part.get_weights())
    expected.compile(optimizers.SGD(0.1), "mse")
    targets = np.ones((N, 3))
    whole.fit(
        X,
        Y,
        batch_size=25,
        callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: part.train_on_batch(X, targets))],
        verbose=0,
    )
    for _ in range(2):
        expected.train_on_batch(X, targets)
    assert same_weights(part, expected)
    assert np.array_equal(whole.get_weights()[0], expected.get_weights()[0])


# Going on after an interruption


class KilledError(Exception):
    """Stands for a process that ends."""


class Kill(callbacks.Callback):
    """Ends the training after so many batches, behind the callback that saves."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise KilledError


OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(schedules.CosineDecay(0.01, 30)),
    "everything": lambda: optimizers.Nadam(
        0.01, use_ema=True, ema_overwrite_frequency=3, gradient_accumulation_steps=2, weight_decay=0.01, clipnorm=1.0
    ),
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
}


@pytest.mark.parametrize("data", ["arrays", "numbered"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("save_freq", "killed_after"), [("epoch", 17), (3, 17), (3, 7), (1, 14), (5, 3)])
def test_a_killed_training_goes_on_bit_for_bit(
    tmp_path: Path, optimizer: str, data: str, save_freq: Any, killed_after: int
) -> None:
    def begin(seed: int) -> Any:
        return compiled(OPTIMIZERS[optimizer](), dropout=0.3, seed=seed, metrics=["accuracy", metrics.AUC(name="auc")])

    def fit(model: Any, *called: Any) -> Any:
        arrays = {"x": X, "y": Y, "batch_size": 8} if data == "arrays" else {"x": Numbered()}
        return model.fit(**arrays, epochs=4, callbacks=list(called), verbose=0).history

    def backup() -> Any:
        return callbacks.BackupAndRestore(tmp_path / "backup", save_freq=save_freq, delete_checkpoint=False)

    whole, killed, resumed = begin(5), begin(5), begin(99)
    expected = fit(whole)
    with pytest.raises(KilledError):
        fit(killed, backup(), Kill(killed_after))
    history = fit(resumed, backup())
    if (save_freq, killed_after) == (5, 3):
        assert len(history["loss"]) == 4, "nothing was saved yet: the training starts from its own weights"
        return
    assert same_weights(whole, resumed)
    # An epoch that was saved after its last batch is ended after the restart.
    saved = 7 * (killed_after // 7) if save_freq == "epoch" else killed_after // save_freq * save_freq - 1
    n = 4 - saved // 7
    assert len(history["loss"]) == n
    assert {name: values[-n:] for name, values in expected.items()} == history
    assert resumed.optimizer.iterations == whole.optimizer.iterations


def test_a_backup_of_a_finished_training_trains_no_more(tmp_path: Path) -> None:
    model = compiled()
    model.fit(
        X, Y, epochs=2, callbacks=[callbacks.BackupAndRestore(tmp_path / "b", delete_checkpoint=False)], verbose=0
    )
    again = compiled(seed=99)
    history = again.fit(X, Y, epochs=2, callbacks=[callbacks.BackupAndRestore(tmp_path / "b")], verbose=0)
    assert history.epoch == []
    assert same_weights(model, again)
    assert not (tmp_path / "b").exists()


# Which weights train, and with what state


def test_frozen_layers_stay_and_thawed_ones_go_on() -> None:
    model = compiled(optimizers.SGD(0.1, momentum=0.9))
    first, last = model.layers[0], model.layers[-1]
    model.fit(X, Y, verbose=0)
    first.trainable = False
    kept, before = first.get_weights(), last.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, first.get_weights(), kept))
    assert not np.array_equal(last.get_weights()[0], before[0])
    assert model.non_trainable_variables == first.variables
    first.trainable = True
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(first.get_weights()[0], kept[0])


def test_state_stays_with_its_variable_when_others_are_frozen() -> None:
    """Momentum of the last layer goes on as if the first had been frozen by a learning rate of 0."""
    model = compiled(optimizers.SGD(0.1, momentum=0.9))
    model.fit(X, Y, verbose=0, shuffle=False)
    slot = model.optimizer.state["momentum"].copy()
    kept = [part.copy() for part in model._parameters.split(slot)]
    model.layers[0].trainable = False
    model.optimizer.learning_rate = 0.0
    model.fit(X, Y, verbose=0, shuffle=False, batch_size=N)
    now = model._parameters.split(model.optimizer.state["momentum"])
    assert len(now) == 2
    for before, after in zip(kept[2:], now, strict=True):
        tolerances.close(after, before * np.float32(0.9), tolerances.GOLDEN_FLOAT32)


def test_a_model_that_does_not_train_cannot_change() -> None:
    model = compiled()
    model.trainable = False
    assert model.trainable_variables == []
    assert all(not layer.trainable for layer in model.layers)
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_state_survives_fits_and_a_second_compile_with_the_same_optimizer() -> None:
    optimizer = optimizers.Adam(0.01)
    model, steady = compiled(optimizer), compiled(optimizers.Adam(0.01))
    model.fit(X, Y, shuffle=False, verbose=0)
    model.compile(optimizer, "binary_crossentropy", metrics=["mae"])
    model.fit(X, Y, shuffle=False, verbose=0)
    steady.fit(X, Y, shuffle=False, verbose=0, epochs=2)
    assert same_weights(model, steady)
    model.compile("adam", "binary_crossentropy")
    assert model.optimizer.iterations == 0
    assert model.optimizer.state == {}


def test_adding_and_taking_layers_after_training() -> None:
    model = compiled(optimizers.SGD(0.1, momentum=0.9), activation="linear", loss="mse")
    model.fit(X, Y, verbose=0)
    hidden = model.layers[0].get_weights()
    last = model.pop()
    assert model.predict(X).shape == (N, 6)
    assert all(map(np.array_equal, model.get_weights(), hidden))
    model.add(layers.Dense(2))
    model.fit(X, np.ones((N, 2)), verbose=0)
    assert not np.array_equal(model.layers[0].get_weights()[0], hidden[0])
    model.pop()
    model.add(last)
    assert np.array_equal(model.layers[-1].get_weights()[0], last.get_weights()[0])
    assert model.fit(X, Y, verbose=0).history["loss"][0] > 0


def test_models_that_share_layers_train_in_turn_with_optimizers_of_their_own() -> None:
    def pair() -> tuple[Any, Any]:
        cnn_core.utils.set_random_seed(3)
        x = cnn_core.Input((4,))
        encode, decode = layers.Dense(2, "tanh"), layers.Dense(4)
        auto, encoder = cnn_core.Model(x, decode(encode(x))), cnn_core.Model(x, encode(x))
        auto.compile(optimizers.Adam(0.01), "mse")
        encoder.compile(optimizers.Adam(0.02), "mse")
        return auto, encoder

    auto, encoder = pair()
    alone, _ = pair()
    auto.fit(X, X, epochs=2, verbose=0, shuffle=False)
    alone.fit(X, X, epochs=2, verbose=0, shuffle=False)
    assert same_weights(auto, alone)
    encode, decode = auto.layers[1], auto.layers[2]
    np.testing.assert_array_equal(encoder.predict(X), encode(X))
    encoder.fit(X, X[:, :2], verbose=0)
    np.testing.assert_array_equal(auto.predict(X), decode(encode(X)))
    assert auto.optimizer.iterations == 4
    assert encoder.optimizer.iterations == 2
    # The state of the first optimizer has not moved: from the same weights it makes the same step as one that never
    # saw the other model.
    alone.set_weights(auto.get_weights())
    auto.fit(X, X, verbose=0, shuffle=False)
    alone.fit(X, X, verbose=0, shuffle=False)
    assert same_weights(auto, alone)
    np.testing.assert_array_equal(encoder.predict(X), encode(X))


def test_an_optimizer_serves_one_model() -> None:
    optimizer = optimizers.Adam()
    first, second = compiled(optimizer), compiled(optimizer)
    first.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="has trained another model, whose state it keeps: give every model"):
        second.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="has trained another model"):
        second.train_on_batch(X, Y)
    first.fit(X, Y, verbose=0)


def test_multipliers_and_decay_may_change_between_batches() -> None:
    model = compiled(optimizers.SGD(0.1, weight_decay=0.5))
    model.train_on_batch(X, Y)
    kernel = model.layers[0].kernel
    kernel.learning_rate_multiplier = 0.0
    before = kernel.numpy()
    model.train_on_batch(X, Y)
    assert np.array_equal(kernel.numpy(), before)
    kernel.learning_rate_multiplier = 1.0
    model.optimizer.exclude_from_weight_decay(var_names=["bias", "kernel"])
    plain = compiled(optimizers.SGD(0.1))
    plain.set_weights(model.get_weights())
    model.train_on_batch(X, Y)
    plain.train_on_batch(X, Y)
    assert same_weights(model, plain)


# All rows at once


def test_lbfgs_finds_the_least_squares() -> None:
    model = compiled(optimizers.LBFGS(gradient_tolerance=1e-9), "mse", activation="linear")
    model.pop()
    model.pop()
    model.add(layers.Dense(1, dtype="float64"))
    target = X.astype("float64") @ np.array([[1.0], [-2.0], [0.5], [0.0]]) + 0.25
    history = model.fit(X, target, verbose=0)
    tolerances.close(model.get_weights()[0][:, 0], [1, -2, 0.5, 0], tolerances.GOLDEN_METRIC)
    assert history.history["loss"][0] == pytest.approx(0, abs=1e-10)
    assert 0 < model.optimizer.iterations < 50


def test_what_lbfgs_cannot_do_is_said() -> None:
    model = compiled("lbfgs")
    with pytest.raises(ValueError, match="LBFGS needs all rows at once: use fit"):
        model.train_on_batch(X, Y)
    with pytest.raises(ValueError, match="LBFGS needs all rows at once: pass arrays"):
        model.fit(Numbered(), verbose=0)
    bound = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(1, kernel_constraint="non_neg")])
    bound.compile("lbfgs", "mse")
    with pytest.raises(ValueError, match="LBFGS cannot keep constraints"):
        bound.fit(X, Y, verbose=0)


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
    with pytest.raises(ValueError, match=r"same dtype\. Received: float32 and float64"):
        cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(2), layers.Dense(1, dtype="float64")])


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
    with pytest.raises(TypeError, match="A function of your own needs its gradient"):
        model.compile(loss=lambda y_true, y_pred: 0.0)
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


CLASSES = GENERATOR.integers(0, 2, N)


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
