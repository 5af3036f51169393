"""What goes wrong, and what is left afterwards: bad numbers, divergence, exceptions, Ctrl-C, calls at the same time."""

from __future__ import annotations

import _thread
import gc
import math
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import callbacks, layers, optimizers
from cnn_core.network.custom import CustomLossCalls

N = 50
GENERATOR = np.random.default_rng(21)
X = GENERATOR.normal(size=(N, 4)).astype("float32")
Y = GENERATOR.normal(size=(N, 2)).astype("float32")


def compiled(optimizer: Any = "adam", loss: Any = "mse", activation: Any = "tanh", **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(5)
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(6, activation), layers.Dense(2)])
    model.compile(optimizer, loss, **arguments)
    model.training_state()  # draws the model's seed
    return model


def same(first: list[Any], second: list[Any]) -> bool:
    return all(map(np.array_equal, first, second))


def is_usable(model: Any) -> bool:
    """Whether the model predicts finite numbers, measures, and learns."""
    before = model.get_weights()
    assert np.isfinite(model.predict(X)).all()
    assert math.isfinite(np.sum(model.evaluate(X, Y, verbose=0)))
    model.fit(X, Y, batch_size=8, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    return not same(before, model.get_weights())


# Numbers that are none


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("argument", ["x", "y", "sample_weight"])
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch", "gradients", "trace"])
def test_what_is_not_finite_is_named_before_anything_happens(call: str, argument: str, bad: float) -> None:
    model = compiled()
    before = model.get_weights()
    data = {"x": X.copy(), "y": Y.copy(), "sample_weight": np.ones(N, "float32")}
    data[argument].reshape(-1)[3] = bad
    with pytest.raises(
        ValueError, match=rf"^{argument} has 1 value that is NaN or infinite; the first is {bad} at row"
    ):
        getattr(model, call)(**data)
    assert same(before, model.get_weights())
    assert is_usable(model)


def test_predict_names_what_is_not_finite() -> None:
    model, x = compiled(), X.copy()
    x[7, 2] = np.nan
    for call in (model.predict, model, model.predict_on_batch):
        with pytest.raises(ValueError, match=r"x has 1 value that is NaN or infinite; .* nan at row 7, column 2"):
            call(x)


def test_validation_data_is_checked_before_training() -> None:
    model = compiled()
    before, x = model.get_weights(), X.copy()
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.fit(X, Y, validation_data=(x, Y), verbose=0)
    assert same(before, model.get_weights())


def test_a_bad_batch_of_a_generator_is_named_by_its_number() -> None:
    model, bad = compiled(), X[:5].copy()
    bad[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"^Batch 1: x has 1 value that is NaN or infinite"):
        model.fit(iter([(X[:5], Y[:5]), (bad, Y[:5])]), verbose=0)
    assert model.optimizer.iterations == 1
    assert is_usable(model)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    model = compiled()
    before = model.get_weights()
    weights = model.get_weights()
    weights[2][1, 1] = bad
    with pytest.raises(ValueError, match=r"dense.*/kernel has 1 value that is NaN or infinite"):
        model.set_weights(weights)
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.layers[0].bias.assign([bad] * 6)
    assert same(before, model.get_weights())


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_weights_that_somebody_spoils_are_named(when: str) -> None:
    model = compiled()
    kept = model.get_weights()

    def spoil(batch: int = 3, logs: Any = None) -> None:
        if batch == 3:
            model.layers[1].kernel.array[0, 0] = np.nan

    called = [callbacks.LambdaCallback(on_train_batch_end=spoil)] if when == "in the middle" else []
    if not called:
        spoil()
        assert np.isnan(model.predict(X)).any()
    batch = 4 if called else 0
    message = rf"The loss of batch {batch} is nan in epoch 1\. The weights '.*/kernel' hold 1 values that are NaN"
    with pytest.raises(cnn_core.NonFiniteLossError, match=message):
        model.fit(X, Y, batch_size=8, callbacks=called, verbose=0)
    with pytest.raises(cnn_core.NonFiniteLossError, match="hold 1 values that are NaN or infinite: set them again"):
        model.evaluate(X, Y, verbose=0)
    model.set_weights(kept)
    model.compile("adam", "mse")
    assert is_usable(model)


# Divergence


RATES = [1e3, 1e15, 1e30, 1e38, 1e200]
# Those that divide by the gradient's size make steps of a fixed length, which it takes more to carry to infinity.
DIVERGING = [
    *((lambda rate: optimizers.SGD(rate), rate) for rate in RATES),
    *((lambda rate: optimizers.SGD(rate, momentum=0.9, nesterov=True), rate) for rate in RATES),
    *((each, 1e200) for each in (optimizers.Adam, optimizers.RMSprop, optimizers.Nadam, optimizers.Adagrad)),
    *((each, 1e200) for each in (optimizers.Adadelta, optimizers.Adamax, optimizers.Lion)),
    *((each, 1e200) for each in (optimizers.Ftrl, optimizers.ScheduleFreeAdamW, optimizers.Lamb, optimizers.Muon)),
]


@pytest.mark.parametrize(("optimizer", "rate"), DIVERGING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_names_the_batch_and_keeps_the_weights_before_it(
    optimizer: Callable[[float], Any], rate: float, dtype: str, floatx: None
) -> None:
    diverging, twin = compiled(optimizer(rate)), compiled(optimizer(rate))
    twin.set_weights(diverging.get_weights())
    with pytest.raises(cnn_core.NonFiniteLossError) as caught:
        diverging.fit(X, Y, batch_size=8, epochs=1000, shuffle=False, verbose=0)
    done = diverging.optimizer.batches_seen
    words = str(caught.value)
    assert f"of batch {done % 7} " in words
    assert f" in epoch {done // 7 + 1}." in words
    assert "The weights are those before that batch. A smaller learning rate" in words
    assert all(np.isfinite(w).all() for w in diverging.get_weights())
    for step in range(done):
        rows = slice(step % 7 * 8, step % 7 * 8 + 8)
        twin.train_on_batch(X[rows], Y[rows])
    assert same(diverging.get_weights(), twin.get_weights())
    diverging.set_weights(compiled().get_weights())
    diverging.compile("adam", "mse")
    assert is_usable(diverging)


def test_terminate_on_nan_stops_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled(optimizers.SGD(1e20))
    history = model.fit(X, Y, batch_size=8, epochs=5, callbacks=[callbacks.TerminateOnNaN()], verbose=0)
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    assert len(history.history["loss"]) == 1
    assert math.isnan(history.history["loss"][0])
    assert all(np.isfinite(w).all() for w in model.get_weights())


# Objects that people write


class Failing:
    """Raises when a counter has run down, in whichever method is asked."""

    def __init__(self, method: str, after: int = 0, error: BaseException | None = None) -> None:
        self.method, self.left, self.error = method, after, error or RuntimeError("mine")

    def _maybe(self, method: str) -> None:
        if method == self.method:
            self.left -= 1
            if self.left < 0:
                raise self.error


class FailingActivation(Failing):
    def forward(self, z: Any) -> Any:
        self._maybe("forward")
        return np.tanh(z)

    def derivative(self, z: Any, a: Any) -> Any:
        self._maybe("derivative")
        return 1 - a**2


class FailingLoss(Failing):
    def value(self, y_true: Any, y_pred: Any) -> Any:
        self._maybe("value")
        return ((y_pred - y_true) ** 2).mean(axis=-1)

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        self._maybe("gradient")
        return 2 * (y_pred - y_true) / y_pred.shape[-1]


class FailingMetric(Failing):
    __name__ = "failing"

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        self._maybe("metric")
        return 0.0


class FailingRegularizer(Failing):
    def __call__(self, w: Any) -> float:
        self._maybe("penalty")
        return float((w**2).sum())

    def gradient(self, w: Any) -> Any:
        self._maybe("penalty gradient")
        return 2 * w


class FailingConstraint(Failing):
    def __call__(self, w: Any) -> Any:
        self._maybe("constraint")
        return w


def failing_model(method: str, after: int, error: BaseException | None = None) -> tuple[Any, Failing]:
    """A model one of whose parts fails in `method`."""
    part: Any
    cnn_core.utils.set_random_seed(5)
    hidden, loss, measured = layers.Dense(6, "tanh"), "mse", []
    if method in ("forward", "derivative"):
        part = FailingActivation(method, after, error)
        hidden = layers.Dense(6, part)
    elif method in ("value", "gradient"):
        part = loss = FailingLoss(method, after, error)
    elif method == "metric":
        part = FailingMetric(method, after, error)
        measured = [part]
    elif method == "constraint":
        part = FailingConstraint(method, after, error)
        hidden = layers.Dense(6, "tanh", kernel_constraint=part)
    else:
        part = FailingRegularizer(method, after, error)
        hidden = layers.Dense(6, "tanh", kernel_regularizer=part)
    model = cnn_core.Sequential([cnn_core.Input((4,)), hidden, layers.Dense(2)])
    model.compile(optimizers.SGD(0.1), loss, metrics=measured)
    return model, part


METHODS = ["forward", "derivative", "value", "gradient", "metric", "penalty", "penalty gradient", "constraint"]


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt("mine"), MemoryError("mine")])
@pytest.mark.parametrize("method", METHODS)
def test_what_a_custom_object_raises_comes_out(method: str, error: BaseException) -> None:
    model, part = failing_model(method, 3, error)
    with pytest.raises(type(error), match="mine") as caught:
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert caught.value is error
    assert all(np.isfinite(w).all() for w in model.get_weights())
    part.left = 10**9
    assert is_usable(model)


@pytest.mark.parametrize("method", ["forward", "derivative", "value", "gradient", "penalty", "penalty gradient"])
def test_a_batch_that_fails_changes_no_weight(method: str) -> None:
    model, part = failing_model(method, 0)
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="mine"):
        model.train_on_batch(X, Y)
    assert same(before, model.get_weights())
    assert model.optimizer.batches_seen == 0
    part.left = 10**9
    assert is_usable(model)


def test_an_activation_that_fails_in_predict() -> None:
    model, part = failing_model("forward", 0)
    for call in (model.predict, model, model.predict_on_batch):
        part.left = 0
        with pytest.raises(RuntimeError, match="mine"):
            call(X)
    part.left = 10**9
    assert is_usable(model)


def test_results_of_another_shape_are_named() -> None:
    class Wrong:
        def forward(self, z: Any) -> Any:
            return z[:, :1]

        def derivative(self, z: Any, a: Any) -> Any:
            return np.ones_like(z)

        def value(self, y_true: Any, y_pred: Any) -> Any:
            return 0.0

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            return y_pred

    with pytest.raises(ValueError, match=r"forward must return an array of the shape of z\. Received: shape \(50, 1\)"):
        compiled(activation=Wrong()).predict(X)
    with pytest.raises(ValueError, match=r"value must return .* shape \(50,\)"):
        compiled(loss=Wrong()).train_on_batch(X, Y)


def test_custom_losses_are_not_kept() -> None:
    def kept() -> int:
        gc.collect()
        return sum(isinstance(each, CustomLossCalls) for each in gc.get_objects())

    model, _ = failing_model("value", 10**9)
    before = kept()
    for rows in range(1, 40):
        model.train_on_batch(X[:rows], Y[:rows])
        model.test_on_batch(X[:rows], Y[:rows])
    assert kept() - before <= 2, "one for training, one for evaluation"


def test_a_custom_loss_is_called_once_for_every_batch() -> None:
    shapes = []

    class Counting(FailingLoss):
        def value(self, y_true: Any, y_pred: Any) -> Any:
            shapes.append(y_pred.shape)
            return super().value(y_true, y_pred)

    custom, native = compiled(loss=Counting("none")), compiled(loss="mse")
    custom.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    native.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    assert shapes == [(20, 2), (20, 2), (10, 2)] * 2
    for ours, theirs in zip(custom.get_weights(), native.get_weights(), strict=True):
        tolerances.close(ours, theirs, tolerances.GOLDEN_FLOAT32)


# Ctrl-C


def whole_after(model: Any, twin: Any, batches: int) -> bool:
    """Whether the model is what the twin is after so many batches of 8."""
    twin.fit(X, Y, batch_size=8, shuffle=False, epochs=max(batches // 7, 1), verbose=0) if batches >= 7 else None
    for batch in range(batches % 7):
        twin.train_on_batch(X[batch * 8 : batch * 8 + 8], Y[batch * 8 : batch * 8 + 8])
    return same(model.get_weights(), twin.get_weights())


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
def test_interrupt_between_batches(hook: str) -> None:
    model, twin = compiled(), compiled()

    def interrupt(batch: int, logs: Any) -> None:
        if model.optimizer.batches_seen == 10:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            Y,
            batch_size=8,
            epochs=9,
            shuffle=False,
            verbose=0,
            callbacks=[callbacks.LambdaCallback(**{hook: interrupt})],
        )
    assert model.optimizer.batches_seen == 10
    assert whole_after(model, twin, 10)
    assert is_usable(model)


@pytest.mark.parametrize("round_number", range(5))
def test_interrupt_while_native_code_runs(round_number: int) -> None:
    """Another thread interrupts the main one as soon as an epoch has begun, which lasts until it is interrupted."""
    model, twin = compiled(), compiled()
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait()
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    begin = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begun.set() if epoch == 3 * round_number else None
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, shuffle=False, epochs=10**9, callbacks=[begin], verbose=0)
    thread.join()
    assert model.optimizer.batches_seen >= 21 * round_number
    assert whole_after(model, twin, model.optimizer.batches_seen)
    assert is_usable(model)


@pytest.mark.parametrize("batch_size", [8, 50])
@pytest.mark.parametrize("delay", [0.05, 0.0505, 0.051, 0.0515, 0.052])
def test_interrupt_of_epochs_that_nobody_watches(delay: float, batch_size: int) -> None:
    """The epochs that were whole are in the history, and training goes on where the weights are."""
    model, twin = compiled(), compiled()
    thread = threading.Timer(delay, _thread.interrupt_main)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=batch_size, shuffle=False, epochs=10**9, verbose=0)
    thread.join()
    seen, n_batches = model.optimizer.batches_seen, -(-len(X) // batch_size)
    assert len(model.history.epoch) == len(model.history.history["loss"]) == seen // n_batches > 0
    assert model.training_state()["epochs_begun"] in (seen // n_batches, seen // n_batches + 1)
    if batch_size == 8:
        assert whole_after(model, twin, seen)
    assert is_usable(model)


def test_interrupt_of_a_generator_stops_its_workers() -> None:
    class Batches(cnn_core.utils.PyDataset):
        def __len__(self) -> int:
            return 100

        def __getitem__(self, index: int) -> Any:
            return X, Y

    model = compiled()
    stop = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: signal.raise_signal(signal.SIGINT) if batch == 3 else None
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(Batches(workers=2), callbacks=[stop], verbose=0)
    for thread in threading.enumerate():
        if thread.name.startswith("cnn_core-batches"):
            thread.join(timeout=60)
            assert not thread.is_alive()
    assert is_usable(model)


# At the same time


def during_fit(model: Any, body: Callable[[], None]) -> None:
    """Run `body` in this thread while another one is in the middle of training the model."""
    begun, ended = threading.Event(), threading.Event()

    def wait(batch: int, logs: Any) -> None:
        begun.set()
        ended.wait()

    waiting = callbacks.LambdaCallback(on_train_batch_end=wait)
    thread = threading.Thread(target=model.fit, args=(X, Y), kwargs={"callbacks": [waiting], "verbose": 0})
    thread.start()
    begun.wait()
    try:
        body()
    finally:
        ended.set()
        thread.join()


def test_a_second_fit_raises_and_predictions_go_on() -> None:
    model = compiled(metrics=["mae"])

    def body() -> None:
        for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch, model.gradients):
            with pytest.raises(RuntimeError, match="was called while another thread trains or evaluates this model"):
                call(X, Y)
        np.testing.assert_array_equal(model.predict(X), model(X))
        assert model.trace(X).layers[0].a.shape == (N, 6)

    during_fit(model, body)
    assert len(model.history.history["loss"]) == 1
    assert is_usable(model)


def test_two_models_that_share_nothing_train_at_the_same_time() -> None:
    first, second, alone = compiled(), compiled(), compiled()
    during_fit(first, lambda: second.fit(X, Y, verbose=0))
    alone.fit(X, Y, verbose=0)
    assert same(second.get_weights(), alone.get_weights())
    assert same(first.get_weights(), alone.get_weights())


def test_eight_threads_predict_the_same_bits() -> None:
    class Softer:
        def forward(self, z: Any) -> Any:
            return np.tanh(z)

        def derivative(self, z: Any, a: Any) -> Any:
            return 1 - a**2

    for activation in ("relu", Softer()):
        model = compiled(activation=activation)
        expected = model.predict(X)
        found: list[bool] = []

        def work(model: Any = model, expected: Any = expected, found: Any = found) -> None:
            found.extend(np.array_equal(model.predict(X), expected) for _ in range(50))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 400
        assert all(found)


def test_first_predictions_of_many_threads() -> None:
    """The native network is made by the first call; eight calls at once make one."""
    for _ in range(20):
        model = cnn_core.models.clone_model(compiled())
        barrier, found = threading.Barrier(8), []

        def work(model: Any = model, barrier: Any = barrier, found: Any = found) -> None:
            barrier.wait()
            found.append(model.predict(X))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert all(np.array_equal(each, found[0]) for each in found)


def test_models_made_while_others_predict() -> None:
    """A variable that moves makes every model look where its own are; predictions must not notice."""
    model = compiled()
    expected, done, wrong = model.predict(X), threading.Event(), []

    def predict() -> None:
        while not done.is_set():
            if not np.array_equal(model.predict(X), expected):
                wrong.append(1)

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        compiled().fit(X, Y, verbose=0)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
