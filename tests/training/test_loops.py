"""Callbacks around training, going on after an interruption, and which weights train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.optimizers.schedules as schedules
import tolerances
from cnn_core import callbacks, layers, metrics, optimizers
from training_cases import N, Numbered, X, Y, compiled, same_weights


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
    observed, plain = compiled(dropout=0.2, metrics=["mae"]), compiled(dropout=0.2, metrics=["mae"])
    first = observed.fit(X, Y, epochs=2, batch_size=8, callbacks=[Diary()], verbose=0).history
    second = plain.fit(X, Y, epochs=2, batch_size=8, verbose=0).history
    assert same_weights(observed, plain)
    assert first == second


def test_stopping_after_a_batch_and_after_an_epoch() -> None:
    model = compiled()
    stop = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 2))
    history = model.fit(X, Y, epochs=5, batch_size=8, callbacks=[stop], verbose=0)
    assert model.optimizer.iterations == 3
    assert history.epoch == [0]
    later = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    assert model.fit(X, Y, epochs=5, callbacks=[later], verbose=0).epoch == [0, 1]
    assert model.fit(X, Y, epochs=3, verbose=0).epoch == [0, 1, 2], "the next fit starts again"


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


def test_frozen_layers_stay_and_unfrozen_ones_go_on() -> None:
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
