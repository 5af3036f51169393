"""Four libraries of boosted trees behind one face: fit with early stopping on held-out rows, or for a given length."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

MOST_TREES = 2000
PATIENCE = 50


class Library(Protocol):
    """How a library is used; `held_out` is (X, y), and `trees` how many there are without it (None: the default)."""

    def space(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw settings."""

    def fit(
        self, kind: str, seed: int, settings: dict[str, Any], X: pd.DataFrame, y: Any, **how: Any
    ) -> tuple[Any, int]:
        """Return the fitted model and how many trees (rounds) it has or is best with."""


def _log(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _log_integer(generator: np.random.Generator, low: int, high: int) -> int:
    return int(_log(generator, low, high + 1))


class LightGBM:
    """lightgbm, with TabArena's search space."""

    METRIC: ClassVar = {"binary": "binary_logloss", "multiclass": "multi_logloss", "regression": "rmse"}

    def space(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw settings."""
        return {
            "learning_rate": _log(generator, 5e-3, 1e-1),
            "feature_fraction": generator.uniform(0.4, 1),
            "bagging_fraction": generator.uniform(0.7, 1),
            "bagging_freq": 1,
            "num_leaves": _log_integer(generator, 2, 200),
            "min_data_in_leaf": _log_integer(generator, 1, 64),
            "extra_trees": bool(generator.integers(2)),
            "min_data_per_group": _log_integer(generator, 2, 100),
            "cat_l2": _log(generator, 5e-3, 2),
            "cat_smooth": _log(generator, 1e-3, 100),
            "max_cat_to_onehot": _log_integer(generator, 8, 100),
            "lambda_l1": generator.uniform(1e-4, 1),
            "lambda_l2": generator.uniform(1e-4, 2),
        }

    def fit(
        self,
        kind: str,
        seed: int,
        settings: dict[str, Any],
        X: pd.DataFrame,
        y: Any,
        held_out: tuple[Any, Any] | None = None,
        trees: int | None = None,
        deadline: float = np.inf,
    ) -> tuple[Any, int]:
        """Fit; of `held_out` rows the best number of trees is kept."""
        import lightgbm

        def stop_late(environment: Any) -> None:
            if time.process_time() > deadline:
                raise lightgbm.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list)

        made = lightgbm.LGBMRegressor if kind == "regression" else lightgbm.LGBMClassifier
        length = {"n_estimators": MOST_TREES} if held_out else {"n_estimators": trees} if trees else {}
        model = made(random_state=seed, n_jobs=1, verbose=-1, **length, **settings)
        if held_out is None:
            return model.fit(X, y), model.n_estimators
        callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False), stop_late]
        model.fit(X, y, eval_set=[held_out], eval_metric=self.METRIC[kind], callbacks=callbacks)
        return model, max(1, model.best_iteration_ or MOST_TREES)


class XGBoost:
    """xgboost, with TabArena's search space."""

    METRIC: ClassVar = {"binary": "logloss", "multiclass": "mlogloss", "regression": "rmse"}

    def space(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw settings."""
        return {
            "learning_rate": _log(generator, 5e-3, 1e-1),
            "max_depth": _log_integer(generator, 4, 10),
            "min_child_weight": _log(generator, 1e-3, 5),
            "subsample": generator.uniform(0.6, 1),
            "colsample_bylevel": generator.uniform(0.6, 1),
            "colsample_bynode": generator.uniform(0.6, 1),
            "reg_alpha": generator.uniform(1e-4, 5),
            "reg_lambda": generator.uniform(1e-4, 5),
            "grow_policy": ("depthwise", "lossguide")[generator.integers(2)],
            "max_cat_to_onehot": _log_integer(generator, 8, 100),
            "max_leaves": _log_integer(generator, 8, 1024),
        }

    def fit(
        self,
        kind: str,
        seed: int,
        settings: dict[str, Any],
        X: pd.DataFrame,
        y: Any,
        held_out: tuple[Any, Any] | None = None,
        trees: int | None = None,
        deadline: float = np.inf,
    ) -> tuple[Any, int]:
        """Fit; of `held_out` rows the best number of trees is kept."""
        import xgboost

        class StopLate(xgboost.callback.TrainingCallback):  # type: ignore[misc]
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                return time.process_time() > deadline

        made = xgboost.XGBRegressor if kind == "regression" else xgboost.XGBClassifier
        common = {"random_state": seed, "n_jobs": 1, "enable_categorical": True, "tree_method": "hist", **settings}
        if held_out is None:
            model = made(**({"n_estimators": trees} if trees else {}), **common)
            return model.fit(X, y), trees or 100
        stopping = xgboost.callback.EarlyStopping(PATIENCE, save_best=False)
        model = made(n_estimators=MOST_TREES, eval_metric=self.METRIC[kind], callbacks=[stopping, StopLate()], **common)
        model.fit(X, y, eval_set=[held_out], verbose=False)
        return model, model.best_iteration + 1


class _WithTexts:
    """A model of catboost's whose categories are texts."""

    def __init__(self, model: Any):
        self.model = model

    def predict(self, X: pd.DataFrame) -> Any:
        return self.model.predict(_texts(X))

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return self.model.predict_proba(_texts(X))


def _texts(X: pd.DataFrame) -> pd.DataFrame:
    categories = X.select_dtypes("category")
    return X.assign(**{name: categories[name].astype(object).fillna("missing") for name in categories})


class CatBoost:
    """catboost, with TabArena's search space."""

    METRIC: ClassVar = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}

    def space(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw settings."""
        return {
            "learning_rate": _log(generator, 5e-3, 1e-1),
            "bootstrap_type": "Bernoulli",
            "subsample": generator.uniform(0.7, 1),
            "grow_policy": ("SymmetricTree", "Depthwise")[generator.integers(2)],
            "depth": int(generator.integers(4, 9)),
            "colsample_bylevel": generator.uniform(0.85, 1),
            "l2_leaf_reg": _log(generator, 1e-4, 5),
            "leaf_estimation_iterations": _log_integer(generator, 1, 20),
            "one_hot_max_size": _log_integer(generator, 8, 100),
            "model_size_reg": _log(generator, 0.1, 1.5),
            "max_ctr_complexity": int(generator.integers(2, 6)),
            "boosting_type": "Plain",
        }

    def fit(
        self,
        kind: str,
        seed: int,
        settings: dict[str, Any],
        X: pd.DataFrame,
        y: Any,
        held_out: tuple[Any, Any] | None = None,
        trees: int | None = None,
        deadline: float = np.inf,
    ) -> tuple[Any, int]:
        """Fit; of `held_out` rows the best number of trees is kept."""
        import catboost

        class StopLate:
            def after_iteration(self, info: Any) -> bool:
                return time.process_time() < deadline

        made = catboost.CatBoostRegressor if kind == "regression" else catboost.CatBoostClassifier
        length = {"iterations": MOST_TREES} if held_out else {"iterations": trees} if trees else {}
        common = {"random_seed": seed, "thread_count": 1, "allow_writing_files": False, "verbose": False}
        model = made(**common, **length, **settings, **({"eval_metric": self.METRIC[kind]} if held_out else {}))
        fixed = {"cat_features": list(X.select_dtypes("category"))}
        if held_out is None:
            return _WithTexts(model.fit(_texts(X), y, **fixed)), model.tree_count_
        after = {"early_stopping_rounds": PATIENCE, "callbacks": [StopLate()]}
        model.fit(_texts(X), y, eval_set=(_texts(held_out[0]), held_out[1]), **fixed, **after)
        return _WithTexts(model), model.tree_count_


class HistGradientBoosting:
    """scikit-learn's boosting, with the search space of Grinsztajn, Oyallon and Varoquaux (NeurIPS 2022)."""

    def space(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw settings."""
        return {
            "learning_rate": min(1.0, float(np.exp(generator.normal(np.log(0.01), np.log(10))))),
            "max_leaf_nodes": max(2, round(generator.normal(31, 5))),
            "max_depth": (None, 2, 3, 4)[generator.choice(4, p=[0.1, 0.1, 0.7, 0.1])],
            "min_samples_leaf": max(1, round(generator.normal(20, 2))),
        }

    def fit(
        self,
        kind: str,
        seed: int,
        settings: dict[str, Any],
        X: pd.DataFrame,
        y: Any,
        held_out: tuple[Any, Any] | None = None,
        trees: int | None = None,
        deadline: float = np.inf,
    ) -> tuple[Any, int]:
        """Fit; with `held_out` rows it ends when their loss falls no more, and at the latest after 1000 rounds."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        made = HistGradientBoostingRegressor if kind == "regression" else HistGradientBoostingClassifier
        common = {"categorical_features": "from_dtype", "random_state": seed, **settings}
        if held_out is None:
            model = made(**common, **({"max_iter": trees, "early_stopping": False} if trees else {})).fit(X, y)
            return model, model.n_iter_
        model = made(**common, max_iter=1000, early_stopping=True, n_iter_no_change=20)
        model.fit(X, y, X_val=held_out[0], y_val=held_out[1])
        best = int(np.argmax(model.validation_score_[1:])) + 1
        return model, best
