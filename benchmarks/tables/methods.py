"""Who is compared: every method makes an estimator from the kind of task, a seed and a limit of processor time.

All get the same rows: numbers with gaps, and categories. Those that take neither stand behind the same preparation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tables import tuning

SECONDS = 30.0  # of processor time: of every tuned rival, search and refit together, and of our blends
MOST_ROWS_OF_TABM = 1500
BLENDS = ("balanced", "best")  # presets that are given the limit

Make = Callable[[str, int, float], Any]


def encoded(estimator: Any) -> Any:
    """Gaps filled with medians and marked, numbers standardised, categories one-hot: what matrices need."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    chosen = make_column_selector(dtype_include=np.number), make_column_selector(dtype_exclude=np.number)
    return make_pipeline(make_column_transformer((numbers, chosen[0]), (one_hot, chosen[1])), estimator)


class Filled(BaseEstimator):
    """Pass frames without gaps on: medians and columns that mark them for numbers, a category for missing ones."""

    def __init__(self, estimator: Any):
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: Any) -> Filled:
        """Learn the medians and fit the estimator."""
        numbers = X.select_dtypes("number")
        self.medians_, self.marked_ = numbers.median(), [name for name in numbers if numbers[name].isna().any()]
        self.estimator.fit(self._filled(X), y)
        return self

    def _filled(self, X: pd.DataFrame) -> pd.DataFrame:
        marks = {f"{name}_missing": X[name].isna().astype(np.float32) for name in self.marked_}
        columns = {}
        for name in X:
            if name in self.medians_:
                columns[name] = X[name].fillna(self.medians_[name])
            else:
                columns[name] = X[name].cat.add_categories("missing").fillna("missing")
        return pd.DataFrame({**columns, **marks})

    def predict(self, X: pd.DataFrame) -> Any:
        """Return the estimator's predictions."""
        return self.estimator.predict(self._filled(X))

    def predict_proba(self, X: pd.DataFrame) -> Any:
        """Return the estimator's probabilities."""
        return self.estimator.predict_proba(self._filled(X))


OUR_METRIC = {"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}


def ours(kind: str, seed: int, limit: float, preset: str | None = None) -> Any:
    """Return our estimator; it is told what it is judged by, and the limit where it is a blend."""
    from cnn_core.sklearn import TabularClassifier, TabularRegressor

    settings: dict[str, Any] = {"random_state": seed, "eval_metric": OUR_METRIC[kind]}
    if preset is not None:
        settings["preset"] = preset
    if preset in BLENDS:
        settings["time_limit"] = limit
    return (TabularRegressor if kind == "regression" else TabularClassifier)(**settings)


def pytabkit_model(kind: str, seed: int, limit: float, name: str) -> Any:
    """Return a network of pytabkit, for probabilities set as its documentation advises for AUC and log-loss."""
    import pytabkit
    import torch

    torch.set_num_threads(1)
    made = getattr(pytabkit, f"{name}_{'Regressor' if kind == 'regression' else 'Classifier'}")
    settings: dict[str, Any] = {}
    if kind != "regression":
        settings["val_metric_name"] = "cross_entropy"
        if name.startswith("RealMLP"):
            settings["use_ls"] = False
    return Filled(made(random_state=seed, n_threads=1, device="cpu", verbosity=0, **settings))


def sklearn_mlp(kind: str, seed: int, limit: float) -> Any:
    """Return scikit-learn's perceptron with its defaults."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return encoded((MLPRegressor if kind == "regression" else MLPClassifier)(random_state=seed))


def linear(kind: str, seed: int, limit: float) -> Any:
    """Return a logistic regression or a ridge regression with their defaults."""
    from sklearn.linear_model import LogisticRegression, Ridge

    return encoded(Ridge() if kind == "regression" else LogisticRegression(max_iter=1000))


def _preset(name: str) -> Make:
    return lambda kind, seed, limit: ours(kind, seed, limit, name)


def _pytabkit(name: str) -> Make:
    return lambda kind, seed, limit: pytabkit_model(kind, seed, limit, name)


def _untuned(library: tuning.Library) -> Make:
    return lambda kind, seed, limit: tuning.Untuned(library, kind, seed)


def _tuned(library: tuning.Library) -> Make:
    return lambda kind, seed, limit: tuning.Tuned(library, kind, seed, limit)


OURS: dict[str, Make] = {"cnn_core": ours} | {f"cnn_core {name}": _preset(name) for name in (*BLENDS, "tabm")}
RIVALS: dict[str, Make] = {
    "LightGBM": _untuned(tuning.LIGHTGBM),
    "LightGBM tuned": _tuned(tuning.LIGHTGBM),
    "CatBoost": _untuned(tuning.CATBOOST),
    "CatBoost tuned": _tuned(tuning.CATBOOST),
    "XGBoost": _untuned(tuning.XGBOOST),
    "XGBoost tuned": _tuned(tuning.XGBOOST),
    "HistGradientBoosting": _untuned(tuning.HIST_GRADIENT_BOOSTING),
    "HistGradientBoosting tuned": _tuned(tuning.HIST_GRADIENT_BOOSTING),
    "linear": linear,
    "scikit-learn MLP": sklearn_mlp,
    "pytabkit RealMLP TD-S": _pytabkit("RealMLP_TD_S"),
    "pytabkit RealMLP TD": _pytabkit("RealMLP_TD"),
    "pytabkit TabM": _pytabkit("TabM_D"),
}
METHODS = OURS | RIVALS
LIMITED = (*(f"cnn_core {name}" for name in BLENDS), *(name for name in RIVALS if name.endswith(" tuned")))
FEW_ROWS_ONLY = ("cnn_core tabm", "pytabkit TabM")  # minutes each on larger tables
