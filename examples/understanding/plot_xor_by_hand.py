"""
XOR by hand
===========

Forward and backward propagation in a dozen lines of NumPy, and the same step in cnn_core: the same digits.
"""

# %%
# No straight line separates the two classes of XOR, so one neuron cannot learn it. Two hidden ones can. On paper a step
# is: forward ``z = a W + b`` and ``a = g(z)``; backward ``delta = da * g'(z)``, ``dW = a^T delta``, ``db = sum delta``.

import matplotlib.pyplot as plt
import numpy as np

import cnn_core as cnn

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
y = np.array([[0], [1], [1], [0]], dtype=float)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def step(W1, b1, W2, b2):
    """Return the gradients of the mean cross-entropy, in the order of the weights."""
    a1 = np.tanh(x @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    delta2 = (a2 - y) / len(x)  # of sigmoid and cross-entropy together
    delta1 = (delta2 @ W2.T) * (1 - a1**2)
    return [x.T @ delta1, delta1.sum(axis=0), a1.T @ delta2, delta2.sum(axis=0)]


# %%
# The same network as a model, in float64, with the same weights.

cnn.config.set_floatx("float64")
cnn.utils.set_random_seed(3)
model = cnn.Sequential(
    [cnn.Input((2,)), cnn.layers.Dense(2, activation="tanh"), cnn.layers.Dense(1, activation="sigmoid")]
)
model.compile(cnn.optimizers.SGD(0.5), loss="binary_crossentropy")
weights = model.get_weights()

for by_hand, by_model in zip(step(*weights), model.gradients(x, y), strict=True):
    print(f"gradient of shape {by_hand.shape}: largest difference {np.abs(by_hand - by_model).max():.1e}")

# %%
# Gradient descent by hand: two thousand steps. The model takes the same ones, and ends at the same weights.

for _ in range(2000):
    weights = [weight - 0.5 * gradient for weight, gradient in zip(weights, step(*weights), strict=True)]
model.fit(x, y, epochs=2000, batch_size=4, shuffle=False, verbose=0)
difference = max(np.abs(ours - theirs).max() for ours, theirs in zip(weights, model.get_weights(), strict=True))
print(f"after 2,000 steps the weights differ by {difference:.1e}")

# %%
# Left, what the network says everywhere in the plane. Right, how it does it: the hidden layer moves the four points to
# places that a straight line separates.

side = np.linspace(-0.5, 1.5, 200)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
answer = model.predict(plane).reshape(200, 200)
hidden = model.trace(x).layers[0].a

figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5))
left.contourf(side, side, answer, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.7)
left.contour(side, side, answer, levels=[0.5], colors="black", linewidths=1)
left.set(title="The answer", xlabel="$x_1$", ylabel="$x_2$", xticks=[0, 1], yticks=[0, 1])
right.set(title="What the hidden layer sees", xlabel="$a_1$", ylabel="$a_2$", xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
for axis, points in ((left, x), (right, hidden)):
    for value, marker in ((0, "o"), (1, "s")):
        chosen = points[y[:, 0] == value]
        axis.scatter(*chosen.T, s=90, marker=marker, edgecolor="black", color="C3" if value else "C0", zorder=3)
w, b = model.layers[-1].get_weights()
line = np.array([-1.3, 1.3])
right.plot(line, -(w[0, 0] * line + b[0]) / w[1, 0], color="black", linewidth=1)
cnn.config.set_floatx("float32")
