"""Against Keras itself, version 3: what it computes, and how it trains on, is what we do."""

from __future__ import annotations

import io
import os
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, layers, optimizers
from cnn_core.interop import from_keras, to_keras
from keras_cases import OWN
from random_keras_models import random_keras_model
from random_models import random_model, random_rows

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
pytestmark = [pytest.mark.doors, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

STEPS = 10

OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.05}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "clipnorm": 0.5}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.01, "use_ema": True, "ema_momentum": 0.9}),
    ("Adam", {"learning_rate": 0.01, "gradient_accumulation_steps": 2}),
    ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1, "global_clipnorm": 1.0}),
    ("Nadam", {"learning_rate": 0.01}),
    ("Adamax", {"learning_rate": 0.01}),
    ("Adagrad", {"learning_rate": 0.1}),
    ("Adadelta", {"learning_rate": 1.0}),
]


def computed(model: Any, x: Any) -> Any:
    return np.asarray(model(x).detach())


def close(ours: Any, theirs: Any) -> None:
    """Compare: in float64, too, Keras multiplies matrices of PyTorch in float32."""
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(theirs).max())))


def carried(seed: int) -> Any:
    """Return a random model and what Keras makes of it; None if it says what it cannot take."""
    model = random_model(seed, ("float32", "float64")[seed % 2])
    try:
        return model, to_keras(model)
    except ValueError as error:
        if "cannot be carried to Keras" in str(error):
            return None
        raise


def test_random_models_go_out_and_come_back(n_architectures: int):
    found = (pair for seed in count() if (pair := carried(seed)) is not None)
    for model, theirs in islice(found, n_architectures):
        x = random_rows(model)
        close(model(x), computed(theirs, x))
        back = from_keras(theirs)
        np.testing.assert_array_equal(back(x), model(x))
        assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5 file.*")
def test_random_models_of_keras_come_in(ending: str, tmp_path: Path, n_architectures: int):
    for seed in range(n_architectures):
        theirs, x = random_keras_model(keras, seed)
        path = tmp_path / f"model{ending}"
        if ending == ".weights.h5":
            theirs.save_weights(path)
            model = from_keras(theirs)
            model.set_weights([np.ones(variable.shape) for variable in model.variables])
            model.load_weights(path)
        else:
            theirs.save(path)
            model = cnn_core.load_model(path)
        close(model(x), computed(theirs, x))


def small(make: Any, optimizer: Any) -> Any:
    inner = [make.Dense(4, "tanh"), make.BatchNormalization(), make.Dense(3, "softmax")]
    first = Input if make is layers else keras.Input
    model = (Sequential if make is layers else keras.Sequential)([first((3,)), *inner])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model: Any, n_steps: int) -> list[float]:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(12, 3)).astype("float32"), np.eye(3, dtype="float32")[draw.integers(0, 3, 12)]
    return model.fit(x, y, batch_size=12, epochs=n_steps, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS)
@pytest.mark.parametrize("before", [0, 3])
def test_training_goes_on_over_there_and_back_here(name: str, arguments: dict[str, Any], before: int):
    model = small(layers, getattr(optimizers, name)(**arguments))
    if before:
        train(model, before)
    theirs = to_keras(model)
    np.testing.assert_allclose(train(theirs, STEPS), train(model, STEPS), rtol=1e-5, atol=1e-6)
    back = from_keras(theirs)
    np.testing.assert_allclose(train(theirs, STEPS), train(back, STEPS), rtol=1e-5, atol=1e-6)


def test_schedules_losses_and_metrics_go_along():
    rate = optimizers.schedules.CosineDecay(0.1, 20)
    model = small(layers, optimizers.SGD(rate, momentum=0.5))
    area = cnn_core.metrics.AUC(name="area")
    model.compile(model.optimizer, cnn_core.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=[area, "mae"])
    train(model, 3)
    theirs = to_keras(model)
    assert isinstance(theirs.optimizer._learning_rate, keras.optimizers.schedules.CosineDecay)
    assert theirs.loss.label_smoothing == 0.1
    np.testing.assert_allclose(train(theirs, STEPS), train(model, STEPS), rtol=1e-5, atol=1e-6)
    assert not to_keras(model, compile=False).compiled


def test_several_inputs_and_outputs_and_calls_in_training_mode():
    first, second = Input((3,), name="a"), Input((2,), name="b")
    noisy = layers.Dropout(0.5)(layers.Dense(4)(first), training=False)
    joined = layers.Concatenate()([noisy, layers.Dense(4)(second)])
    inner = Model({"x": (x := Input((8,), name="x"))}, layers.Dense(2)(x))
    model = Model({"a": first, "b": second}, {"left": inner({"x": joined}), "right": layers.Dense(1)(joined)})
    theirs = to_keras(model)
    draw = np.random.default_rng(0)
    given = {"a": draw.normal(size=(5, 3)).astype("f"), "b": draw.normal(size=(5, 2)).astype("f")}
    ours, answer = model(given), theirs(given)
    for name in ("left", "right"):
        close(ours[name], np.asarray(answer[name].detach()))
    close(from_keras(theirs)(given)["left"], ours["left"])


@pytest.mark.parametrize("kind", OWN)
def test_own_models_and_operations_go_out(kind: str):
    model = OWN[kind]()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    ours = model(x)
    theirs = to_keras(model)(x)
    for name in ours if isinstance(ours, dict) else [...]:
        close(ours[name], np.asarray(theirs[name].detach()))


def test_a_model_that_is_called_twice_and_gives_outputs():
    draw = np.random.default_rng(0)
    x = Input((3,))
    inner = Model(x, layers.Dense(3, "tanh")(x))
    first = Input((3,))
    once = inner(first)
    model = Model(first, [inner(once), once])
    theirs = to_keras(model)
    rows = draw.normal(size=(4, 3)).astype("float32")
    for back in (from_keras(theirs), cnn_core.models.model_from_json(theirs.to_json())):
        back.set_weights(model.get_weights())
        for ours, again, answer in zip(model(rows), back(rows), theirs(rows), strict=True):
            np.testing.assert_array_equal(ours, again)
            close(ours, np.asarray(answer.detach()))


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")  # said of all weights without a state
def test_weights_of_ours_are_loaded_by_keras(tmp_path: Path):
    model = small(layers, "adam")
    train(model, 2)
    model.save_weights(tmp_path / "w.weights.h5")
    theirs = small(keras.layers, "adam")
    theirs.load_weights(tmp_path / "w.weights.h5")
    x = np.ones((2, 3), "float32")
    close(model(x), computed(theirs, x))


def test_files_saved_under_keras_names_are_those_of_keras(tmp_path: Path):
    model = small(layers, "adam")
    train(model, 2)
    model.save(tmp_path / "m.keras", metadata={"data": "May"})
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(train(theirs, STEPS), train(model, STEPS), rtol=1e-5, atol=1e-6)
    buffer = io.BytesIO((tmp_path / "m.keras").read_bytes())
    assert cnn_core.load_model(buffer).metadata == {"data": "May"}
