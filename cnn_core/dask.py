"""Estimators with scikit-learn's face over dask arrays and data frames, trained on the workers that hold them.

They need scikit-learn and dask with its scheduler, the optional extra ``cnn_core[dask]``, which are imported when the
first of them is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.extras as extras

if TYPE_CHECKING:
    from cnn_core.sklearn.dask.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]


_PACKAGES = {"sklearn": "scikit-learn", "dask": "dask", "distributed": "distributed"}

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = extras.answer_for(__name__, dict.fromkeys(__all__, "cnn_core.sklearn.dask.estimators"), _PACKAGES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
