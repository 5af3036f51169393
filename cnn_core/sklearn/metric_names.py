"""Names of what held-out rows are measured with: short ones and scikit-learn's, the same for all estimators."""

from __future__ import annotations

from typing import Any

# Lower is better on the left, higher on the right.
SCORERS = {
    "error": "accuracy",
    "log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
    "auc": "roc_auc",
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
}
# scikit-learn's names of the same, which ours also know what to do with where a class is missing.
SYNONYMS = {scorer: name for name, scorer in SCORERS.items()} | {"roc_auc_ovr": "auc"}


def scorer_of(metric: object, n_classes: int = 2) -> Any:
    """Return scikit-learn's scorer of what a name means; anything else stays as it is.

    Examples
    --------
    >>> scorer_of("mae"), scorer_of("auc", 3), scorer_of("f1_macro")
    ('neg_mean_absolute_error', 'roc_auc_ovr', 'f1_macro')
    """
    if not isinstance(metric, str):
        return metric
    return "roc_auc_ovr" if metric == "auc" and n_classes > 2 else SCORERS.get(metric, metric)


def chosen(metric: object, usual: object, of_loss: object) -> Any:
    """Return what None and "auto", and "loss", stand for.

    Examples
    --------
    >>> chosen(None, "error", "log_loss"), chosen("loss", "error", "log_loss"), chosen("auc", "error", "log_loss")
    ('error', 'log_loss', 'auc')
    """
    if metric is None or (isinstance(metric, str) and metric == "auto"):
        return usual
    return of_loss if isinstance(metric, str) and metric == "loss" else metric
