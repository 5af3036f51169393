"""Tests of callbacks' hooks of batches, at every batch and at every few."""

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Sequential, callbacks, layers

X = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)
Y = X[:, :1] - X[:, 1:]


class Told(callbacks.Callback):
    """Notes the batches that it is told of, and the logs at their ends."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.logs: list[dict[str, Any]] = []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append(batch)
        self.logs.append(dict(logs))

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin
    on_test_batch_end = on_predict_batch_end = on_train_batch_end


class OwnStep(Sequential):
    def train_step(self, data):
        return super().train_step(data)

    def test_step(self, data):
        return super().test_step(data)


def model(steps_per_execution=1, kind=Sequential):
    cnn_core.utils.set_random_seed(3)
    made = kind([Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    return made


def batches():
    for first in range(0, 20, 4):
        yield X[first : first + 4], Y[first : first + 4]


@pytest.mark.parametrize("kind", [Sequential, OwnStep])
def test_callbacks_are_told_of_the_first_and_last_of_every_few_batches(kind):
    told = Told()
    model(2, kind).fit(X, Y, batch_size=4, verbose=0, callbacks=[told])  # five batches: two, two, one
    assert told.begun == [0, 2, 4]
    assert told.ended == [1, 3, 5]  # the last few are numbered as if they were complete, as in Keras


def test_batches_of_a_generator_are_counted_over_segments():
    told = Told()
    model(3).fit(batches(), verbose=0, callbacks=[told])
    assert (told.begun, told.ended) == ([0, 3], [2, 5])


@pytest.mark.parametrize("kind", [Sequential, OwnStep])
def test_steps_per_execution_changes_no_number(kind):
    single, few = model(1, kind), model(3, kind)
    each, grouped = Told(), Told()
    one = single.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False, callbacks=[each])
    three = few.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False, callbacks=[grouped])
    assert one.history == three.history
    assert np.array_equal(single.get_weights()[0], few.get_weights()[0])
    assert grouped.logs == [each.logs[batch] for batch in (2, 4, 7, 9)]  # what had been measured by then


def test_evaluate_and_predict_group_their_batches():
    measured, predicted = Told(), Told()
    made = model(2)
    made.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[measured])
    assert (measured.begun, measured.ended) == ([0, 2, 4], [1, 3, 5])
    outputs = made.predict(X, batch_size=4, callbacks=[predicted])
    assert (predicted.begun, predicted.ended) == ([0, 2, 4], [1, 3, 5])
    assert [len(logs["outputs"]) for logs in predicted.logs] == [8, 8, 4]
    assert np.array_equal(np.concatenate([logs["outputs"] for logs in predicted.logs]), outputs)


def test_outputs_that_are_a_dict_stay_together():
    x = Input((2,))
    told = Told()
    made = cnn_core.Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(3)(x)})
    made.predict(X, batch_size=8, callbacks=[told])
    assert [logs["outputs"]["b"].shape for logs in told.logs] == [(8, 3), (8, 3), (4, 3)]


@pytest.mark.parametrize("kind", [Sequential, OwnStep])
def test_training_stops_after_the_few_batches_under_way(kind):
    class Stop(Told):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            self.model.stop_training = True

    stop = Stop()
    made = model(2, kind)
    made.fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[stop])
    assert stop.ended == [1]
    assert made.optimizer.iterations == 2


def test_steps_per_execution_is_kept_by_files(tmp_path):
    for name in ("model.safetensors", "model.keras"):
        model(4).save(tmp_path / name)
        assert cnn_core.load_model(tmp_path / name).steps_per_execution == 4


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "two", True])
def test_what_is_no_number_of_batches_is_refused(wrong):
    with pytest.raises((ValueError, TypeError), match="`steps_per_execution` must be a positive integer"):
        model(wrong)


def test_a_model_that_is_not_compiled_calls_at_every_batch():
    assert Sequential([Input((2,)), layers.Dense(1)]).steps_per_execution == 1
