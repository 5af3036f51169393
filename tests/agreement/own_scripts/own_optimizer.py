"""A custom optimizer, sign momentum, under clipping, weight decay and a schedule."""

import keras
from data import features
from keras import layers, ops


class SignMomentum(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01, momentum=0.9, name="sign_momentum", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        momentum = self.momentums[self._get_variable_index(variable)]
        self.assign(momentum, ops.add(ops.multiply(momentum, self.momentum), (1 - self.momentum) * gradient))
        self.assign_sub(variable, learning_rate * ops.tanh(20.0 * momentum))


def build_model():
    return keras.Sequential([keras.Input((8,)), layers.Dense(10, activation="tanh"), layers.Dense(1)])


def train(model):
    x, y = features()
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 20, 0.8)
    model.compile(optimizer=SignMomentum(rate, global_clipnorm=1.0, weight_decay=0.01), loss="mse", metrics=["mae"])
    history = model.fit(x, y, batch_size=16, epochs=17, shuffle=False, verbose=0).history
    return {"first": history["loss"][0], "last": history["loss"][-1], "mae": history["mae"][-1]}
