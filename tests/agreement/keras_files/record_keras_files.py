"""Record files that Keras writes, with what its models compute before and after ten more steps of training.

Run once under Keras 3 and once under TensorFlow 2.15, whose Keras is version 2:

    KERAS_BACKEND=torch python tests/agreement/keras_files/record_keras_files.py

It writes keras_3.npz or keras_2.npz beside itself: "manifest", JSON with the version and the names of the cases; the
arrays "x", "codes" and "y", which all cases share; and of each case "<name>/file", the file's bytes, "<name>/before"
and "<name>/after", what the model predicts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, optimizers

MAJOR = int(keras.__version__.partition(".")[0])
FORMATS = (".keras", ".h5", ".weights.h5")
STEPS = 10

draw = np.random.default_rng(0)
X = draw.normal(size=(16, 3)).astype("float32")
CODES = draw.integers(0, 5, size=(16, 1)).astype("int32")
Y = np.eye(2, dtype="float32")[draw.integers(0, 2, size=16)]


def schedule() -> Any:
    return optimizers.schedules.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.8)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optimizers.SGD(0.05),
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5),
    "schedule": lambda: optimizers.SGD(schedule(), momentum=0.8),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.5),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": lambda: optimizers.Adam(0.01, beta_1=0.8),
    "amsgrad": lambda: optimizers.Adam(schedule(), amsgrad=True, clipvalue=0.1),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "adamax": lambda: optimizers.Adamax(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "lion": lambda: optimizers.Lion(0.01),
    "average": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
}
if MAJOR == 3:
    OPTIMIZERS["nadam"] = lambda: optimizers.Nadam(0.01)  # Keras 2 multiplies its schedule once for every variable
    OPTIMIZERS["accumulated"] = lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2)
    OPTIMIZERS["ftrl"] = lambda: optimizers.Ftrl(0.1, l1_regularization_strength=0.01)
    OPTIMIZERS["lamb"] = lambda: optimizers.Lamb(0.01)
    OPTIMIZERS["adafactor"] = lambda: optimizers.Adafactor(0.1)
    OPTIMIZERS["muon"] = lambda: optimizers.Muon(0.01, exclude_layers=["first"])
else:
    OPTIMIZERS["old adam"] = lambda: optimizers.legacy.Adam(0.01, decay=0.1)
    OPTIMIZERS["old sgd"] = lambda: optimizers.legacy.SGD(0.05, momentum=0.9)
    OPTIMIZERS["old rmsprop"] = lambda: optimizers.legacy.RMSprop(0.01, momentum=0.5, centered=True)
    OPTIMIZERS["old adadelta"] = lambda: optimizers.legacy.Adadelta(1.0)


def chain(optimizer: Any) -> Any:
    inner = [layers.Dense(4, "tanh", name="first"), layers.BatchNormalization(momentum=0.8), layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), *inner], name="chain")
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def branches() -> Any:
    """Two inputs, a shared layer, a frozen one, and a model inside."""
    x, code = keras.Input((3,), name="x"), keras.Input((1,), dtype="int32", name="code")
    shared = layers.Dense(3, "gelu", use_bias=False)
    frozen = layers.Dense(3)
    frozen.trainable = False
    inner = keras.Sequential([layers.Dense(3), layers.PReLU(), layers.LayerNormalization()], name="inner")
    ways = [shared(x), inner(shared(layers.Flatten()(layers.Embedding(5, 3)(code))))]
    joined = layers.Concatenate()([layers.Add()(ways), frozen(x)])
    model = keras.Model([x, code], layers.Dense(2, "softmax")(joined), name="branches")
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizers.Adam(0.01), loss, metrics=["accuracy", keras.metrics.AUC(name="area")])
    return model


def prepared() -> Any:
    """Constants instead of weights, and layers as activations."""
    normalization = layers.Normalization()
    normalization.adapt(X)
    inner = [
        normalization,
        layers.Rescaling(0.5, 0.1),
        layers.Dense(4, activation=layers.LeakyReLU(0.2)),
        layers.ReLU(2.0),
    ]
    inner += [
        layers.ELU(0.5),
        layers.Dropout(0.0),
        layers.Dense(2, kernel_regularizer="l2", kernel_constraint="max_norm"),
    ]
    model = keras.Sequential([keras.Input((3,)), *inner])
    model.compile("rmsprop", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def operations() -> Any:
    """Sums, products and functions of symbols, as Keras 3 keeps them in a functional model."""
    x = keras.Input((3,))
    h = keras.ops.gelu(layers.Dense(3)(x), approximate=True) + x
    h = keras.ops.concatenate([2.0 * h - 0.5, 1.0 - h, -h / 4.0], axis=-1)
    h = keras.ops.maximum(layers.Dense(4, "tanh")(h), keras.ops.leaky_relu(layers.Dense(4)(h), 0.3))
    model = keras.Model(x, layers.Dense(2)(keras.ops.reshape(h, (-1, 4))))
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def cases() -> Iterator[tuple[str, Any, str]]:
    for name, make in OPTIMIZERS.items():
        yield name, chain(make()), ".h5" if name.startswith("old") else ".keras"
    for ending in FORMATS:
        yield f"chain{ending}", chain(optimizers.Adam(0.01)), ending
        yield f"branches{ending}", branches(), ending
    yield "prepared", prepared(), ".keras"
    yield "prepared.h5", prepared(), ".h5"
    if MAJOR == 3:
        yield "operations", operations(), ".keras"


def main() -> None:
    arrays: dict[str, np.ndarray] = {"x": X, "codes": CODES, "y": Y}
    names = []
    for name, model, ending in cases():
        keras.utils.set_random_seed(len(names))
        inputs = [X, CODES] if len(model.inputs) == 2 else X
        model.fit(inputs, Y, batch_size=16, epochs=3, shuffle=False, verbose=0)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / f"model{ending}"
            (model.save_weights if ending == ".weights.h5" else model.save)(path)
            arrays[f"{name}/file"] = np.frombuffer(path.read_bytes(), "uint8")
        arrays[f"{name}/before"] = model.predict(inputs, verbose=0)
        model.fit(inputs, Y, batch_size=16, epochs=STEPS, shuffle=False, verbose=0)
        arrays[f"{name}/after"] = model.predict(inputs, verbose=0)
        names.append(name)
    manifest = json.dumps({"version": keras.__version__, "cases": names})
    np.savez_compressed(Path(__file__).with_name(f"keras_{MAJOR}.npz"), manifest=np.array(manifest), **arrays)


if __name__ == "__main__":
    main()
