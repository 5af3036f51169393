"""What the tests of the estimators share."""

from __future__ import annotations

from cnn_core.sklearn import MLPClassifier


def small(**settings):
    return MLPClassifier(**{"hidden_layer_sizes": (16,), "max_iter": 15, "random_state": 0, **settings})
