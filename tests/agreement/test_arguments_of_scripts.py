"""Arguments that scripts for Keras give: each is honoured, answered with a warning, or refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import cnn_core as keras
from cnn_core import layers

X, Y = np.ones((4, 3)), np.ones((4, 1))


def model() -> Any:
    made = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return iter([(X, Y)] * 3)


HONOURED: dict[str, tuple[Callable[[], Any], Any]] = {
    "LeakyReLU(alpha=)": (lambda: layers.LeakyReLU(alpha=0.1).negative_slope, 0.1),
    "Embedding(input_length=)": (lambda: layers.Embedding(5, 2, input_length=2).output_dim, 2),
    "InputLayer(input_shape=)": (lambda: layers.InputLayer(input_shape=(3,)).symbol.shape, (None, 3)),
    "Dense(input_dim=)": (lambda: keras.Sequential([layers.Dense(2, input_dim=3)]).input_shape, (None, 3)),
    "Dense(autocast=True)": (lambda: layers.Dense(2, autocast=True).units, 2),
    "Dropout(1.0)": (lambda: layers.Dropout(1.0)(X, training=True).max(), 0),
    "Dropout(noise_shape=)": (lambda: layers.Dropout(0.5, noise_shape=[None, 1]).noise_shape, (None, 1)),
    "ReduceLROnPlateau(epsilon=)": (lambda: keras.callbacks.ReduceLROnPlateau(epsilon=0.5).min_delta, 0.5),
    "SGD(decay=None)": (lambda: keras.optimizers.SGD(0.1, decay=None).learning_rate, 0.1),
    "predict of a dict with more keys": (lambda: two_inputs().predict({"b": Y, "a": Y, "c": X}).tolist(), [[2.0]] * 4),
    "predict of a dict for one input": (lambda: keras.Model(A, A).predict({"a": Y, "c": X}).tolist(), Y.tolist()),
}
A = keras.Input((1,), name="a")


def two_inputs() -> Any:
    b = keras.Input((1,), name="b")
    return keras.Model([A, b], layers.Add()([A, b]))


@pytest.mark.parametrize("name", HONOURED)
def test_what_older_scripts_give_is_honoured(name: str) -> None:
    make, value = HONOURED[name]
    assert make() == value


WARNED: dict[str, tuple[Callable[[], Any], str]] = {
    "SGD(decay=)": (lambda: keras.optimizers.SGD(0.1, decay=1e-3), r"`decay` has no effect.*InverseTimeDecay"),
    "Adam(decay=)": (lambda: keras.optimizers.Adam(decay=1e-3), r"`decay` has no effect.*Received: decay=0\.001"),
    "fit(generator, batch_size=)": (
        lambda: model().fit(batches(), batch_size=4, verbose=0),
        r"`batch_size` has no effect where x yields batches",
    ),
    "evaluate(generator, batch_size=)": (
        lambda: model().evaluate(batches(), batch_size=4, verbose=0),
        r"`batch_size` has no effect where x yields batches",
    ),
    "predict(generator, batch_size=)": (
        lambda: model().predict(batches(), batch_size=4),
        r"`batch_size` has no effect where x yields batches",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_has_no_effect_is_told(name: str) -> None:
    make, message = WARNED[name]
    with pytest.warns(UserWarning, match=message):
        make()


def test_batch_size_beside_a_generator_counts_for_the_validation() -> None:
    history = model().fit(batches(), batch_size=2, validation_data=(X, Y), verbose=0)
    assert "val_loss" in history.history


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "Dense(autocast=False)": (lambda: layers.Dense(2, autocast=False), r"`autocast` must be True: .*autocast=False"),
    "BatchNormalization(renorm=True)": (lambda: layers.BatchNormalization(renorm=True), r"`renorm` must be False"),
    "Dense(lora_rank=)": (lambda: layers.Dense(2, lora_rank=1), r"`lora_rank` must be None"),
    "GaussianDropout(1.0)": (lambda: layers.GaussianDropout(1.0), r"`rate` must be a number of at least 0 and below 1"),
    "AlphaDropout(1.0)": (lambda: layers.AlphaDropout(1.0), r"`rate` must be a number of at least 0 and below 1"),
    "Dropout(noise_shape=) of a batch": (
        lambda: layers.Dropout(0.5, noise_shape=(32, 1)),
        r"`noise_shape` must begin with None, a mask for every sample, or 1, .* noise_shape=\(32, 1\)",
    ),
    "Dropout(noise_shape=) of another rank": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 1, 3))(keras.Input((3,))),
        r"`noise_shape` must have 1, None or the size .* shape \(None, 3\)\. Received: noise_shape=\(None, 1, 3\)",
    ),
    "Dropout(noise_shape=) of another size": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 2))(X, training=True),
        r"`noise_shape` must have .* Received: noise_shape=\(None, 2\)",
    ),
    "ReduceLROnPlateau(epsilom=)": (
        lambda: keras.callbacks.ReduceLROnPlateau(facter=1e-4),
        r"ReduceLROnPlateau has the arguments .* Received: facter=0\.0001\. Did you mean `factor`\?",
    ),
    "predict of a dict without a key": (
        lambda: two_inputs().predict({"a": Y, "c": X}),
        r"x must have the keys 'a', 'b'\. Received: keys 'a', 'c'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_is_refused_by_name(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_layer_may_stand_twice_in_a_sequential() -> None:
    twice = layers.Dense(3, use_bias=False)
    made = keras.Sequential([keras.Input((3,)), twice, twice, layers.Dense(1)])
    kernel, last, bias = made.get_weights()
    np.testing.assert_allclose(made.predict(X), X @ kernel @ kernel @ last + bias, rtol=1e-5, atol=1e-6)
    assert made.layers[0] is made.layers[1]
    assert made.count_params() == 13
    for again in (keras.models.clone_model(made), keras.Sequential.from_config(made.get_config())):
        assert again.layers[0] is again.layers[1]
        again.set_weights(made.get_weights())
        np.testing.assert_array_equal(again.predict(X), made.predict(X))
    made.pop()
    made.pop()
    np.testing.assert_allclose(made.predict(X), X @ kernel, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="different names"):
        keras.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")])
