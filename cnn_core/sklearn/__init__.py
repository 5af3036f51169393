"""Estimators with scikit-learn's face, trained by cnn_core.

The estimators need scikit-learn, the optional extra ``cnn_core[sklearn]``, which is imported when the first of them is
asked for; `cnn_core.load_predictor` does without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_core.sklearn.perceptron.classifier import MLPClassifier
    from cnn_core.sklearn.perceptron.regressor import MLPRegressor
    from cnn_core.sklearn.tabular.estimators import TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]

_HOMES = {
    "MLPClassifier": "cnn_core.sklearn.perceptron.classifier",
    "MLPRegressor": "cnn_core.sklearn.perceptron.regressor",
    "TabularClassifier": "cnn_core.sklearn.tabular.estimators",
    "TabularRegressor": "cnn_core.sklearn.tabular.estimators",
}


def __getattr__(name: str) -> Any:
    """Import an estimator, and scikit-learn with it, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cnn_core.sklearn' has no attribute {name!r}")
    try:
        importlib.import_module("sklearn")
    except ImportError as error:
        raise ImportError("cnn_core.sklearn needs scikit-learn: pip install 'cnn_core[sklearn]'") from error
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
