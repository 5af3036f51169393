"""Batches in the training loop: how an epoch walks through its source, ends, and what it refuses to read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import callbacks, layers, optimizers

N = 50
GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(N, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2] > 0).astype("float32")


def compiled(optimizer: Any = "adam", **arguments: Any) -> Any:
    """Make a network whose initial weights and random draws are always the same."""
    cnn_core.utils.set_random_seed(5)
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(6, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile(optimizer, "binary_crossentropy", **arguments)
    model.training_state()  # draws the model's seed, which the first fit would draw otherwise
    return model


def same_weights(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def batches(size: int, *arrays: Any) -> Iterator[Any]:
    for start in range(0, len(arrays[0]), size):
        yield tuple(array[start : start + size] for array in arrays)


class Numbered(cnn_core.utils.PyDataset):
    """The rows by the number of a batch."""

    def __len__(self) -> int:
        return -(-N // 8)

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * 8, (index + 1) * 8)
        return X[rows], Y[rows]


class Again:
    """The rows as an iterable that can be walked again and does not know its length."""

    def __iter__(self) -> Iterator[Any]:
        return batches(8, X, Y)


def every_kind_of_source() -> dict[str, Any]:
    """The same seven batches; arguments for `fit` without shuffling."""
    return {
        "arrays": {"x": X, "y": Y, "batch_size": 8},
        "numbered": {"x": Numbered()},
        "workers": {"x": Numbered(workers=2)},
        "iterable": {"x": Again()},
    }


KINDS = list(every_kind_of_source())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("steps", "taken"),
    [(3, [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]), (7, [0, 1, 2, 3, 4, 5, 6] * 4), (10, [0, 1, 2, 3, 4, 5, 6] * 4)],
)
@pytest.mark.filterwarnings("ignore:x ran out of batches")
def test_steps_per_epoch_go_on_through_the_data_as_in_keras(kind: str, steps: int, taken: list[int]) -> None:
    fitted, looped = compiled(), compiled()
    history = fitted.fit(**every_kind_of_source()[kind], epochs=4, steps_per_epoch=steps, shuffle=False, verbose=0)
    whole = list(batches(8, X, Y))
    for batch in taken:
        looped.train_on_batch(*whole[batch])
    assert same_weights(fitted, looped)
    assert history.epoch == [0, 1, 2, 3]
    assert 0 not in history.history["loss"]


@pytest.mark.parametrize("kind", ["arrays", "numbered"])
def test_an_epoch_with_fewer_batches_than_steps_warns(kind: str) -> None:
    with pytest.warns(UserWarning, match="x ran out of batches after 7 of this epoch.*`steps_per_epoch`"):
        compiled().fit(**every_kind_of_source()[kind], steps_per_epoch=8, verbose=0)


def test_passes_over_arrays_are_drawn_again_where_steps_divide_them() -> None:
    parts, wholes = compiled(), compiled()
    with pytest.warns(UserWarning, match="after 3 of this epoch"):
        parts.fit(X, Y, batch_size=8, epochs=4, steps_per_epoch=4, verbose=0)
    wholes.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert same_weights(parts, wholes)


@pytest.mark.parametrize("held_out", [lambda: (X, Y), Numbered, lambda: Numbered(workers=2), Again])
def test_validation_steps_are_the_same_in_every_epoch(held_out: Any) -> None:
    model = compiled(optimizers.SGD(0.0))
    history = model.fit(
        X, Y, epochs=3, validation_data=held_out(), validation_steps=2, validation_batch_size=8, verbose=0
    ).history
    expected = model.evaluate(X[:16], Y[:16], verbose=0)
    assert history["val_loss"] == pytest.approx([expected] * 3, rel=tolerances.GOLDEN_FLOAT32)


# An epoch without a batch


def test_a_validation_that_ran_dry_has_no_value() -> None:
    model, stopping = compiled(), callbacks.EarlyStopping("val_loss", restore_best_weights=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(X, Y, epochs=3, validation_data=batches(8, X, Y), callbacks=[stopping], verbose=0).history
    assert len(history["loss"]) == 3
    assert len(history["val_loss"]) == 1
    assert stopping.best == history["val_loss"][0] > 0
    messages = [str(each.message) for each in caught]
    assert [message.partition(",")[0] for message in messages] == [
        "validation_data ran out of batches after 0 of this epoch",
        "EarlyStopping watches `val_loss`",
    ] * 2


def test_training_ends_where_a_generator_ends() -> None:
    model, looped, begun = compiled(), compiled(), []
    follow = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    with pytest.warns(UserWarning, match="x ran out of batches: training ends after epoch 1"):
        history = model.fit(batches(8, X, Y), epochs=3, callbacks=[follow], verbose=0)
    looped.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert same_weights(model, looped)
    assert history.epoch == begun == [0]
    assert len(history.history["loss"]) == 1


@pytest.mark.filterwarnings("ignore:x ran out of batches")
def test_steps_that_find_no_batch_have_no_value() -> None:
    model = compiled(metrics=["accuracy"])
    history = model.fit(batches(8, X[:32], Y[:32]), epochs=5, steps_per_epoch=2, verbose=0)
    assert history.epoch == [0, 1, 2]
    assert {name: len(values) for name, values in history.history.items()} == {"accuracy": 2, "loss": 2}


def test_an_iterator_that_begins_again_trains_on() -> None:
    class Rewound:
        def __iter__(self) -> Any:
            self.rest = batches(8, X, Y)
            return self

        def __next__(self) -> Any:
            return next(self.rest)

    model, arrays = compiled(), compiled()
    history = model.fit(Rewound(), epochs=3, verbose=0).history
    assert history == arrays.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0).history
    assert same_weights(model, arrays)


# A data set's own hooks


class Prepared(cnn_core.utils.PyDataset):
    """A data set that can be read only between its hooks, and says what happens to it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.log: list[Any] = []
        self.rows: Any = None

    def __len__(self) -> int:
        return 3

    def on_epoch_begin(self) -> None:
        self.log.append("begin")
        self.rows = X[:24]

    def on_epoch_end(self) -> None:
        self.log.append("end")
        self.rows = None

    def __getitem__(self, index: int) -> Any:
        self.log.append(index)
        return self.rows[index * 8 : index * 8 + 8], Y[index * 8 : index * 8 + 8]


PASS = ["begin", 0, 1, 2, "end"]


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("purpose", ["fit", "evaluate", "predict"])
def test_a_data_set_is_read_only_within_its_epochs(purpose: str, built: bool) -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,))] * built + [layers.Dense(1)])
    model.compile("sgd", "mse")
    source = Prepared()
    getattr(model, purpose)(source, verbose=0, **({"epochs": 2, "shuffle": False} if purpose == "fit" else {}))
    assert source.log == PASS * (2 if purpose == "fit" else 1)


@pytest.mark.parametrize("steps", [None, 2])
def test_a_validating_data_set_is_read_only_within_its_epochs(steps: int | None) -> None:
    source = Prepared()
    compiled().fit(X, Y, epochs=3, validation_data=source, validation_steps=steps, verbose=0)
    assert source.log == (PASS if steps is None else ["begin", 0, 1, "end"]) * 3


# Ends by a callback


class Ending(callbacks.Callback):
    """Ends whatever goes on after its second batch, and hears what else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(f"test {batch}")
        self.model.stop_evaluating = batch == 1

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(f"predict {batch} {len(logs['outputs'])}")
        self.model.stop_predicting = batch == 1

    def on_test_end(self, logs: Any = None) -> None:
        self.calls.append("test end")

    def on_predict_end(self, logs: Any = None) -> None:
        self.calls.append("predict end")


@pytest.mark.parametrize("kind", KINDS)
def test_evaluating_stops_where_a_callback_says_so(kind: str) -> None:
    model, ending = compiled(), Ending()
    found = model.evaluate(**every_kind_of_source()[kind], callbacks=[ending], verbose=0)
    assert ending.calls == ["test 0", "test 1", "test end"]
    assert found == pytest.approx(model.evaluate(X[:16], Y[:16], verbose=0), rel=tolerances.GOLDEN_FLOAT32)
    assert model.evaluate(X, Y, verbose=0) != found


def test_validation_stops_again_in_every_epoch() -> None:
    ending = Ending()
    compiled().fit(X, Y, epochs=2, validation_data=Numbered(), callbacks=[ending], verbose=0)
    assert ending.calls == ["test 0", "test 1", "test end"] * 2


@pytest.mark.parametrize("kind", [*KINDS, "generator"])
def test_callbacks_follow_predictions_and_stop_them(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, ending = compiled(), Ending()
    source = {**every_kind_of_source(), "generator": {"x": batches(8, X, Y)}}[kind]
    source.pop("y", None)
    found = model.predict(**source, callbacks=[ending], verbose=2)
    assert ending.calls == ["predict 0 8", "predict 1 8", "predict end"]
    np.testing.assert_array_equal(found, model.predict(X[:16]))
    assert capsys.readouterr().out.startswith("2/")


@pytest.mark.parametrize("source", [Numbered, lambda: Numbered(workers=2), lambda: batches(8, X, Y)])
def test_predictions_of_batches_show_their_progress(source: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled()
    np.testing.assert_array_equal(model.predict(source(), verbose=2), model.predict(X))
    assert capsys.readouterr().out.startswith("7/7 - ")


# What x is


def generator_function() -> Iterator[Any]:
    yield X, Y


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("purpose", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (generator_function, TypeError, r"^x must be .* Received: the function generator_function\. Call it"),
        (Numbered, TypeError, r"^x must be .* Received: the class Numbered\. Call it"),
        ([(X, Y), (X, Y)], TypeError, r"^x must be .* Received: a list of batches \(x, y\)\. Pass iter\(x\)"),
        (object(), TypeError, r"^x must be .* Received: x of type object"),
        (None, TypeError, r"^x must be .* Received: x of type NoneType"),
        (3, ValueError, r"^x must "),
        (X, ValueError, r"^y must be given"),
        ([X], ValueError, r"^y must be given"),
    ],
)
def test_errors_say_what_x_is(purpose: str, x: Any, error: Any, message: str, built: bool) -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,))] * built + [layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(error, match=message):
        getattr(model, purpose)(x)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda model: model.predict([(X, Y)]), TypeError, r"^x must be .*Received: a list of batches"),
        (
            lambda model: model.fit([(X, Y), (X, Y)], Y, verbose=0),
            TypeError,
            r"^x must be .*Received: a list of batches",
        ),
        (
            lambda model: model.fit(X, Y, validation_data=[(X, Y), (X, Y)], verbose=0),
            ValueError,
            r"^x must be one array, .*Received: a list of 2 arrays of the shapes \(50, 4\), \(50, 1\)",
        ),
        (lambda model: model.predict([X, X]), ValueError, r"^x must be one array"),
        (lambda model: model.fit(X, [Y, Y], verbose=0), ValueError, r"^y must be one array"),
    ],
)
def test_lists_where_one_array_belongs_are_refused(use: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        use(compiled())


def test_a_list_of_rows_is_an_array() -> None:
    model = compiled()
    np.testing.assert_array_equal(model.predict(list(X)), model.predict(X))
    assert model.evaluate(list(X), list(Y), verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x: model(x),
        lambda model, x: model.predict_on_batch(x),
        lambda model, x: model.train_on_batch(x, Y),
        lambda model, x: model.fit(X, x, verbose=0),
        lambda model, x: model.fit(X, Y, sample_weight=x, verbose=0),
        lambda model, x: model.fit(X, Y, validation_data=(x, Y), verbose=0),
        lambda model, x: model.evaluate(X, x, verbose=0),
    ],
)
@pytest.mark.parametrize("source", [Numbered, lambda: batches(8, X, Y)])
def test_batches_where_arrays_belong_are_refused_unread(use: Any, source: Any) -> None:
    with pytest.raises(TypeError, match="must be an array of numbers; only the x of `fit`"):
        use(compiled(), source())


def test_lbfgs_takes_no_part_of_the_rows() -> None:
    with pytest.raises(ValueError, match=r"LBFGS needs all rows at once.*steps_per_epoch=3"):
        compiled(optimizers.LBFGS()).fit(X, Y, steps_per_epoch=3, verbose=0)


@pytest.mark.parametrize("name", ["epochs", "initial_epoch", "batch_size", "steps_per_epoch", "validation_freq"])
def test_numbers_beyond_every_machine_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of at most"):
        compiled().fit(X, Y, verbose=0, **{name: 2**70})


@pytest.mark.parametrize(
    ("purpose", "change"),
    [
        ("add", lambda model: model.add(layers.Dense(1))),
        ("pop", lambda model: model.pop()),
        ("compile", lambda model: model.compile("adam", "mse")),
    ],
)
@pytest.mark.parametrize(
    "hook",
    ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_test_batch_end", "on_epoch_end", "on_train_end"],
)
def test_callbacks_cannot_change_the_model_under_way(purpose: str, change: Any, hook: str) -> None:
    model = compiled()
    names = [layer.name for layer in model.layers]
    changing = callbacks.Callback()
    setattr(changing, hook, lambda *arguments, **named: change(model))
    with pytest.raises(RuntimeError, match=f"^`{purpose}` cannot be called while the model trains or evaluates"):
        model.fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=[changing], verbose=0)
    assert [layer.name for layer in model.layers] == names
    assert len(model.fit(X, Y, verbose=0).epoch) == 1
    change(model)


def test_a_part_of_another_model_keeps_its_layers() -> None:
    part = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(4)])
    whole = cnn_core.Sequential([cnn_core.Input((4,)), part, layers.Dense(1)])
    for purpose, change in (("add", lambda: part.add(layers.Dense(4))), ("pop", part.pop)):
        with pytest.raises(RuntimeError, match=f"`{purpose}` cannot change .* part of another model"):
            change()
    assert len(part.layers) == 1
    whole.pop()
    del whole
    part.add(layers.Dense(4))
    assert part.predict(X).shape == (N, 4)
