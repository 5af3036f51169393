"""Estimators with scikit-learn's face, trained by cnn_core.

The estimators need scikit-learn, the optional extra ``cnn_core[sklearn]``, which is imported when the first of them is
asked for; `cnn_core.load_predictor` does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.extras as extras

if TYPE_CHECKING:
    from cnn_core.sklearn.perceptron.classifier import MLPClassifier
    from cnn_core.sklearn.perceptron.regressor import MLPRegressor
    from cnn_core.sklearn.tabular.classifier import TabularClassifier
    from cnn_core.sklearn.tabular.regressor import TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]

_HOMES = {
    "MLPClassifier": "cnn_core.sklearn.perceptron.classifier",
    "MLPRegressor": "cnn_core.sklearn.perceptron.regressor",
    "TabularClassifier": "cnn_core.sklearn.tabular.classifier",
    "TabularRegressor": "cnn_core.sklearn.tabular.regressor",
}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = extras.answer_for(__name__, _HOMES, {"sklearn": "scikit-learn"})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
