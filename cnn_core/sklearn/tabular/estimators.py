"""Both tabular estimators, and `load`, which reads either from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_core.sklearn.tabular.classifier import TabularClassifier
from cnn_core.sklearn.tabular.loading import estimator_of
from cnn_core.sklearn.tabular.regressor import TabularRegressor

if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike


def load(path: FileLike) -> TabularClassifier | TabularRegressor:
    """Read a tabular estimator from a file; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    TabularClassifier or TabularRegressor

    Raises
    ------
    ValueError
        If the file holds something else, or is damaged.
    """
    estimator: TabularClassifier | TabularRegressor = estimator_of(
        path, {"classification": TabularClassifier, "regression": TabularRegressor}
    )
    return estimator
