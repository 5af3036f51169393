"""Estimators with scikit-learn's face over dask arrays and data frames, trained on the workers that hold them.

They need scikit-learn and dask with its scheduler, the optional extra ``cnn_core[dask]``, which are imported when the
first of them is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_core.dask.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and dask with them, on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'cnn_core.dask' has no attribute {name!r}")
    for needed in ("sklearn", "dask", "distributed"):
        try:
            importlib.import_module(needed)
        except ImportError as error:
            raise ImportError(f"cnn_core.dask needs {needed}: pip install 'cnn_core[dask]'") from error
    found = globals()[name] = getattr(importlib.import_module("cnn_core.dask.estimators"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
