"""
One neuron is logistic regression
=================================

A single neuron with a sigmoid, trained with cross-entropy, is logistic regression, down to the digits.
"""

# %%
# Breast cancer biopsies, described by two of their measurements. The loss is the negative log-likelihood of the labels;
# its minimum is the maximum-likelihood fit that statisticians compute.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import cnn_core as cnn

data = load_breast_cancer(as_frame=True)
x = StandardScaler().fit_transform(data.data[["mean radius", "mean texture"]])
malignant = (data.target == 0).to_numpy(float)

cnn.config.set_floatx("float64")
cnn.utils.set_random_seed(0)
neuron = cnn.Sequential([cnn.Input((2,)), cnn.layers.Dense(1, activation="sigmoid")])
neuron.compile(cnn.optimizers.LBFGS(), loss="binary_crossentropy")
neuron.fit(x, malignant, epochs=200, verbose=0)
kernel, bias = neuron.get_weights()

regression = LogisticRegression(C=np.inf, tol=1e-8).fit(x, malignant)
print("the neuron:         ", np.round([*kernel[:, 0], bias[0]], 4))
print("logistic regression:", np.round([*regression.coef_[0], regression.intercept_[0]], 4))

# %%
# The neuron's weights stand at right angles to its boundary, along which it answers one half. Its output does not jump
# there: it is a probability.

side_1, side_2 = np.linspace(-2.5, 4.5, 200), np.linspace(-2.8, 5, 200)
plane = np.stack(np.meshgrid(side_1, side_2), axis=-1).reshape(-1, 2)
probability = neuron.predict(plane).reshape(200, 200)

figure, axis = plt.subplots(figsize=(7.2, 4.4))
filled = axis.contourf(side_1, side_2, probability, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6)
axis.contour(side_1, side_2, probability, levels=[0.5], colors="black")
for value, name, marker in ((0, "benign", "o"), (1, "malignant", "s")):
    axis.scatter(*x[malignant == value].T, s=14, marker=marker, label=name, color="C3" if value else "C0")
axis.annotate("", kernel[:, 0] / 2, (0, 0), arrowprops={"arrowstyle": "-|>", "linewidth": 2, "color": "black"})
axis.text(*(kernel[:, 0] / 2 + 0.1), "w / 2", weight="bold")
axis.set(xlabel="mean radius, standardized", ylabel="mean texture, standardized")
axis.legend(loc="upper right")
figure.colorbar(filled, label="probability of malignant")
cnn.config.set_floatx("float32")
