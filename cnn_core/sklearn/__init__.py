"""Estimators with scikit-learn's face, trained by cnn_core. Floor 5.

Importing this package imports scikit-learn, the optional extra ``cnn_core[sklearn]``; nothing else in cnn_core does.
"""

from __future__ import annotations

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:  # pragma: no cover - the tests run with scikit-learn
    raise ImportError("cnn_core.sklearn needs scikit-learn: pip install 'cnn_core[sklearn]'") from error

from cnn_core.sklearn.mlp import MLPClassifier, MLPRegressor
from cnn_core.sklearn.tabular import TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]
