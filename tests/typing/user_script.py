"""What a user writes, as type checkers see it: everything here is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import cnn_core as keras
from cnn_core import activations, callbacks, constraints, initializers, layers, losses, metrics, optimizers
from cnn_core import regularizers as penalties
from cnn_core.callbacks import History
from cnn_core.models import load_model
from cnn_core.optimizers.schedules import ExponentialDecay

Array = np.ndarray[Any, np.dtype[Any]]

x = np.zeros((8, 3), np.float32)
y = np.zeros((8, 1), np.float32)

# Sequential, with names and with objects

model = keras.Sequential(
    [
        keras.Input(shape=(3,)),
        layers.Dense(8, activation="relu", kernel_initializer="he_normal", kernel_regularizer="l2"),
        layers.Dense(8, activations.gelu, kernel_constraint=constraints.MaxNorm(2.0)),
        layers.Dense(8, activation=activations.ELU(0.5), kernel_initializer=initializers.HeNormal(seed=1)),
        layers.Dense(4, activation=None, kernel_regularizer=penalties.L1L2(1e-4, 1e-4), bias_constraint="non_neg"),
        layers.Dropout(0.1),
        layers.BatchNormalization(momentum=0.9),
        layers.Dense(1, "sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", metrics.AUC(name="auc")])
model.compile(optimizers.SGD(ExponentialDecay(0.1, 100, 0.9), momentum=0.9), losses.Huber(2.0), metrics="mae")
model.compile("rmsprop", losses.mean_squared_error, weighted_metrics=["mse"])

history = model.fit(
    x,
    y,
    epochs=2,
    batch_size=4,
    validation_split=0.25,
    callbacks=[callbacks.EarlyStopping(patience=3), callbacks.ModelCheckpoint("best.keras")],
    class_weight={0: 1.0, 1: 2.0},
    verbose=0,
)
assert_type(history, History)
last: float = history.history["loss"][-1]

results = model.evaluate(x, y, return_dict=True, verbose=False)
assert_type(results, dict[str, float])
loss, mae = model.evaluate(x, y)
assert_type(model.train_on_batch(x, y, return_dict=True), dict[str, float])
assert_type(model.test_on_batch(x, y, return_dict=True), dict[str, float])

labels = model.predict(x).argmax(axis=1)
outputs: Array = model.predict(x, batch_size=4)
same: Array = model(x)
predict_row = model.predictor()
assert_type(predict_row(x[0]), Array)

# The functional API

inputs = keras.Input(shape=(3,), name="features")
assert_type(inputs, keras.Symbol)
hidden = layers.Dense(8, "tanh")(inputs)
assert_type(hidden, keras.Symbol)
joined = layers.Concatenate()([inputs, hidden])
assert_type(joined, keras.Symbol)
assert_type(layers.add([hidden, hidden]), keras.Symbol)
functional = keras.Model(inputs, [layers.Dense(1, name="a")(joined), layers.Dense(1, name="b")(hidden)])
functional.compile("sgd", loss={"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"a": ["mae"]})
functional.compile("sgd", loss=["mse", "mae"], metrics=[["mae"], ["mse"]])
of_a, of_b = functional.predict(x)
of_layer: Array = layers.Dense(2)(x)

# Variables and results

optimizer = optimizers.Adam(0.1)
optimizer.learning_rate = 0.05
optimizer.learning_rate = ExponentialDecay(0.1, 10, 0.9)
optimizer = optimizers.Adam(0.1)
optimizer.learning_rate.assign(0.2)
optimizer.learning_rate *= 0.5
rate: float = optimizer.learning_rate
optimizer.iterations = 3
steps: int = optimizer.iterations.numpy().item()
optimizer.apply(model.gradients(x, y), model.trainable_variables)
optimizer.apply_gradients(zip(model.gradients(x, y), model.trainable_variables, strict=True))
for each in optimizer.variables:
    each.assign(each.numpy())
scale = keras.Variable([1.0, 2.0], name="scale")
scale.assign_add([1.0, 1.0])
number: float = float(keras.Variable(1.0)) + scale.numpy().sum()
print(model(x).numpy(), layers.Dense(2)(x).numpy(), activations.relu(x).numpy(), (2 * scale).numpy())
print(losses.MeanSquaredError()(y, y).numpy(), losses.mean_squared_error(y, y).numpy())
print(metrics.Mean()([1.0]).numpy(), metrics.Mean().result().numpy(), metrics.AUC().result().numpy())

# Files and copies

model.save(Path("model.keras"), metadata={"data": "2024-05"})
loaded = load_model("model.keras")
assert_type(loaded, keras.Model)
assert_type(keras.load_model(Path("model.keras"), compile=False), keras.Model)
loaded.summary()
assert_type(keras.model_from_json(model.to_json()), keras.Model)
assert_type(keras.models.clone_model(model), keras.Sequential)
first = loaded.get_layer(index=0)
assert_type(first, keras.Layer)

# Names that are known at run time only

chosen = {"activation": "relu", "initializer": "zeros", "optimizer": "sgd", "loss": "mse", "metric": "mae"}
activation, initializer = activations.get(chosen["activation"]), initializers.get(chosen["initializer"])
tuned = layers.Dense(8, activation=activation, kernel_initializer=initializer)
model.compile(optimizers.get(chosen["optimizer"]), losses.get(chosen["loss"]), [metrics.get(chosen["metric"])])

# Custom objects


class Cube:
    def forward(self, z: Array) -> Array:
        return np.asarray(z**3)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.asarray(3 * z**2)


class Cubic:
    def value(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray((np.abs(y_pred - y_true) ** 3).sum(axis=-1))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(3 * (y_pred - y_true) * np.abs(y_pred - y_true))


class Report(callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        print(epoch, logs)


def closeness(y_true: Array, y_pred: Array) -> Array:
    return np.asarray(np.abs(y_true - y_pred) < 0.5)


layers.Dense(3, activation=Cube())
model.compile("sgd", Cubic(), metrics=[closeness])
model.fit(x, y, callbacks=Report())
assert_type(keras.utils.set_random_seed(1), None)
