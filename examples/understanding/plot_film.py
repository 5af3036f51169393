"""
Training as a film
==================

How a network finds the border between two classes, from the first epoch to the last.
"""

# %%
# Two classes that interlock. ``film`` trains the model and keeps a trace of all its values before the first epoch and
# after each one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import cnn_core as cnn

x, y = make_moons(200, noise=0.15, random_state=0)
cnn.utils.set_random_seed(1)
model = cnn.Sequential(
    [
        cnn.Input((2,)),
        cnn.layers.Dense(8, activation="tanh", name="hidden_1"),
        cnn.layers.Dense(8, activation="tanh", name="hidden_2"),
        cnn.layers.Dense(1, activation="sigmoid", name="output"),
    ]
)
model.compile(cnn.optimizers.Adam(0.02), loss="binary_crossentropy")
film = cnn.inspection.film(model, x, y[:, None], epochs=30)

# %%
# Four of its frames: the answer everywhere in the plane, computed with the weights of that epoch. First a straight
# line, as good as one neuron can do; then the line bends.

side = np.linspace(-1.8, 2.8, 150)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
frames = (0, 3, 10, 30)
figure, axes = plt.subplots(2, 2, figsize=(7.2, 6.2), sharex=True, sharey=True)
for axis, epoch in zip(axes.flat, frames, strict=True):
    model.set_weights([array for layer in film.traces[epoch].layers for array in (layer.W, layer.b)])
    answer = model.predict(plane).reshape(len(side), -1)
    axis.contourf(side, side, answer, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.7)
    for value, marker in ((0, "o"), (1, "s")):
        axis.scatter(*x[y == value].T, s=10, marker=marker, color="C3" if value else "C0")
    axis.set(title=f"Epoch {epoch}, loss {film.losses[epoch]:.2f}", xticks=[], yticks=[], ylim=(-1.3, 1.8))

# %%
# ``film.to_html("film.html")`` writes a page with a slider over the epochs: loss, weights, activations and deltas of
# each layer, and the border; `this one <../../film.html>`_ shows this very training.
