"""
One training step, drawn
========================

Everything that one step of training computes, from the inputs to the gradients, as pictures.
"""

# %%
# A small network and three samples. ``trace`` runs one step without changing a weight, and keeps what it computes.

import numpy as np

import cnn_core as cnn

cnn.utils.set_random_seed(4)
model = cnn.Sequential(
    [
        cnn.Input((3,)),
        cnn.layers.Dense(4, activation="tanh", name="hidden"),
        cnn.layers.Dense(2, activation="softmax", name="output"),
    ]
)
model.compile("sgd", loss="sparse_categorical_crossentropy")
x = np.array([[1.0, 2.0, -1.0], [0.0, -1.0, 1.0], [0.5, 0.5, 0.0]])
trace = model.trace(x, [0, 1, 1])

# %%
# The network as a graph: in every unit its activation above and its delta below, every weight a line, as wide as it is
# large. Blue is positive, orange negative.

figure = trace.plot()

# %%
# The same step as blocks, as one draws them on paper: forward in the upper row, and below each array its derivative,
# which always has the same shape.

figure = trace.plot("blocks")

# %%
# As text: the last layer's delta is what came out minus what should have.

print(trace.layers[-1].delta.round(4))
print(((trace.layers[-1].a - np.eye(2)[[0, 1, 1]]) / len(x)).round(4))

# %%
# ``trace.to_html("step.html")`` writes a page on which one goes through the step with the arrow keys; `this
# one <../../step.html>`_ shows this very step.
