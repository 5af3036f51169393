"""
An autoencoder
==============

A network that must reproduce its input through a bottleneck of two numbers draws a map of the digits.
"""

# %%
# The encoder presses 64 pixels into two numbers, the decoder makes 64 pixels of them again. Nobody says which digit is
# which: the targets are the images themselves.

import matplotlib.pyplot as plt
import numpy as np

import cnn_core as cnn
from cnn_core import layers

(x, digits), (x_new, digits_new) = cnn.datasets.load_digits()
x, x_new = x.reshape(-1, 64) / 16, x_new.reshape(-1, 64) / 16

cnn.utils.set_random_seed(0)
images = cnn.Input((64,))
code = layers.Dense(2, name="code")(layers.Dense(64, "gelu")(layers.Dense(128, "gelu")(images)))
pixels = layers.Dense(64, "sigmoid")(layers.Dense(128, "gelu")(layers.Dense(64, "gelu")(code)))
autoencoder = cnn.Model(images, pixels)
encoder = cnn.Model(images, code)  # shares the layers, and so the weights

autoencoder.compile(cnn.optimizers.Adam(2e-3), loss="binary_crossentropy")
autoencoder.fit(x, x, epochs=120, batch_size=64, verbose=0)

# %%
# Images that the network has not seen, as two numbers each. The same digits lie together.

places = encoder.predict(x_new)
figure, axis = plt.subplots(figsize=(7.2, 5.2))
colours = plt.get_cmap("tab10")
for digit in range(10):
    chosen = places[digits_new == digit]
    axis.scatter(*chosen.T, s=8, color=colours(digit), alpha=0.5)
    for place in chosen[::3]:
        axis.text(*place, str(digit), color=colours(digit), ha="center", va="center", weight="bold", fontsize=9)
axis.set(title="Unseen digits, by their two numbers", xticks=[], yticks=[])

# %%
# What is left of the images after the bottleneck: above as they were, below as they come out.

figure, axes = plt.subplots(2, 10, figsize=(7.2, 1.8))
for digit, column in enumerate(axes.T):
    image = x_new[np.flatnonzero(digits_new == digit)[0]]
    for axis, shown in zip(column, (image, autoencoder.predict(image[None])[0]), strict=True):
        axis.imshow(shown.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.axis("off")
