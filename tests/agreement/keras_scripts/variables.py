"""Variables and results: a learning rate and weights that a callback assigns, and what tensors are asked for."""

import keras
import numpy as np
from keras import ops


class Steer(keras.callbacks.Callback):
    """Warm the learning rate up, then halve it; keep an average of the weights, and a count of epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = keras.Variable(0, trainable=False, dtype="int32", name="epochs")
        self.loss = keras.metrics.Mean(name="loss")
        self.rates: list[float] = []

    def on_train_begin(self, logs=None):
        self.average = [keras.Variable(weight.numpy(), trainable=False) for weight in self.model.weights]

    def on_epoch_begin(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        if epoch < 3:
            rate.assign(0.01 * (epoch + 1))
        elif epoch % 2:
            rate.assign(rate * 0.5)
        self.rates.append(float(rate.numpy()))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.assign_add(1)
        self.loss.update_state(logs["loss"])
        for average, weight in zip(self.average, self.model.weights, strict=True):
            average.assign(0.5 * average + 0.5 * weight)
        if epoch == 4:
            self.model.layers[-1].bias.assign_sub(ops.ones_like(self.model.layers[-1].bias) * 0.25)


def build_model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(1)])


def train(model):
    random = np.random.default_rng(11)
    x = random.normal(size=(120, 3)).astype("float32")
    y = (np.sin(x[:, :1]) + x[:, 1:2] * 0.5).astype("float32")
    steer = Steer()
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
    model.fit(x, y, batch_size=40, epochs=8, shuffle=False, verbose=0, callbacks=[steer])
    optimizer = model.optimizer
    predicted = ops.convert_to_numpy(model(x))
    for average, weight in zip(steer.average, model.weights, strict=True):
        weight.assign(average)
    averaged = keras.losses.MeanSquaredError()(y, model(x))
    norm = ops.sqrt(sum(ops.sum(ops.square(weight)) for weight in model.trainable_variables))
    return {
        "epochs": int(steer.epochs),
        "iterations": int(optimizer.iterations.numpy()),
        "rate_sum": sum(steer.rates),
        "rate": float(optimizer.variables[1]),
        "state": len(optimizer.variables),
        "momentum": float(np.abs(ops.convert_to_numpy(optimizer.variables[2])).sum()),
        "mean_loss": float(steer.loss.result()),
        "predicted": float(predicted.mean()),
        "averaged": float(averaged),
        "norm": float(norm),
    }
