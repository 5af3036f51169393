"""
Vanishing gradients
===================

In a deep network of sigmoids the first layers hardly learn: what comes back to them is almost nothing.
"""

# %%
# Eight hidden layers, before any training. ``trace`` keeps the gradient of every layer.

import matplotlib.pyplot as plt
import numpy as np

import cnn_core as cnn

(x, y), _ = cnn.datasets.load_digits()
x = x.reshape(-1, 64) / 16
depth = 8


def deep_network(activation, initializer):
    cnn.utils.set_random_seed(0)
    hidden = [cnn.layers.Dense(32, activation, kernel_initializer=initializer) for _ in range(depth)]
    model = cnn.Sequential([cnn.Input((64,)), *hidden, cnn.layers.Dense(10, "softmax")])
    model.compile(cnn.optimizers.SGD(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


networks = {
    "sigmoid, Glorot's weights": deep_network("sigmoid", "glorot_uniform"),
    "tanh, Glorot's weights": deep_network("tanh", "glorot_uniform"),
    "ReLU, He's weights": deep_network("relu", "he_normal"),
}
sizes = {
    name: [np.abs(layer.dW).mean() for layer in model.trace(x[:256], y[:256])][:depth]
    for name, model in networks.items()
}

# %%
# Each layer back multiplies by the slope of its activation and by its weights. A sigmoid's slope is a quarter at most,
# so eight layers make the gradient smaller by a factor of a million. tanh has slope 1 at zero, and He's weights make up
# for the half of its inputs that a ReLU cuts off.

histories = {name: model.fit(x, y, epochs=30, verbose=0).history for name, model in networks.items()}

figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.6))
for (name, size), marker in zip(sizes.items(), "osD", strict=True):
    left.semilogy(range(1, depth + 1), size, marker=marker, label=name)
left.set(title="Before training", xlabel="layer", ylabel="mean |dJ/dW|", xticks=range(1, depth + 1))
for (name, history), marker in zip(histories.items(), "osD", strict=True):
    right.plot(range(1, 31), history["accuracy"], marker=marker, markersize=4, label=name)
right.set(title="Training", xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), xticks=[1, 10, 20, 30])
right.legend(loc="center right", fontsize=9)

# %%
# After thirty epochs the network of sigmoids still guesses.

for name, history in histories.items():
    print(f"{name:28} {history['accuracy'][-1]:.2f}")
