"""What predictions of unseen rows are worth, and the one score that a task is judged by."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

# A task's score as it is reported, and whether higher is better.
MAIN = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
LOWER_IS_BETTER = ("log_loss", "rmse")


def kind(task: str, y: np.ndarray[Any, Any]) -> str:
    """Return "binary", "multiclass" or "regression"."""
    if task == "regression":
        return task
    return "binary" if len(np.unique(y)) == 2 else "multiclass"


def of_probabilities(y: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> dict[str, float]:
    """Accuracy, log-loss and the area under the ROC curve, of several classes the mean of one against the rest."""
    probabilities = np.asarray(probabilities, np.float64)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    labels = np.arange(probabilities.shape[1])
    two = probabilities.shape[1] == 2
    area = metrics.roc_auc_score(y, probabilities[:, 1]) if two else _one_against_the_rest(y, probabilities)
    return {
        "accuracy": float(metrics.accuracy_score(y, probabilities.argmax(axis=1))),
        "log_loss": float(metrics.log_loss(y, probabilities, labels=labels)),
        "roc_auc": float(area),
    }


def _one_against_the_rest(y: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> float:
    present = np.unique(y)
    return float(np.mean([metrics.roc_auc_score(y == label, probabilities[:, label]) for label in present]))


def of_numbers(y: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]) -> dict[str, float]:
    """R^2, the root of the mean squared error, and the mean absolute error."""
    predicted = np.asarray(predicted, np.float64).reshape(len(y))
    return {
        "r2": float(metrics.r2_score(y, predicted)),
        "rmse": float(metrics.root_mean_squared_error(y, predicted)),
        "mae": float(metrics.mean_absolute_error(y, predicted)),
    }


def scores(estimator: Any, X: Any, y: np.ndarray[Any, Any], kind_of_task: str) -> dict[str, float]:
    """Return all scores of a fitted estimator."""
    if kind_of_task == "regression":
        return of_numbers(y, estimator.predict(X))
    return of_probabilities(y, estimator.predict_proba(X))


def error(found: dict[str, float], kind_of_task: str) -> float:
    """Return what methods are ranked and tuned by, lower is better: 1 - AUC, log-loss, or RMSE."""
    return 1 - found["roc_auc"] if kind_of_task == "binary" else found[MAIN[kind_of_task]]
