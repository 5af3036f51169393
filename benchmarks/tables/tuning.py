"""Boosting untuned, and tuned by random search within a limit of processor time.

The first trial is the library's defaults, the others are drawn. Every trial stops early on held-out rows: a fifth of
the training rows, or of fewer than 1,000 each of three folds in turn. The settings of the lowest error are fitted again
to all training rows, for as many trees as were best on average.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from tables import scoring
from tables.boosting import CatBoost, HistGradientBoosting, Library, LightGBM, XGBoost

MOST_TRIALS = 30
FEW_ROWS = 1000
SHARE_OF_SEARCH = 0.85  # the rest of the limit is for the refit

LIGHTGBM, CATBOOST, XGBOOST, HIST_GRADIENT_BOOSTING = LightGBM(), CatBoost(), XGBoost(), HistGradientBoosting()


class _Answers:
    model: Any

    def predict(self, X: pd.DataFrame) -> Any:
        """Return the predictions."""
        return self.model.predict(X)

    def predict_proba(self, X: pd.DataFrame) -> Any:
        """Return the probabilities."""
        return self.model.predict_proba(X)


class Untuned(_Answers):
    """A library with its defaults."""

    def __init__(self, library: Library, kind: str, seed: int):
        self.library, self.kind, self.seed = library, kind, seed

    def fit(self, X: pd.DataFrame, y: Any) -> Untuned:
        """Fit to all rows."""
        self.model, _ = self.library.fit(self.kind, self.seed, {}, X, y)
        return self


@dataclass
class Trial:
    """Settings, the mean error of their held-out rows, and the mean number of trees."""

    settings: dict[str, Any]
    error: float
    trees: int


class Tuned(_Answers):
    """A library with the best of up to 30 random settings."""

    def __init__(self, library: Library, kind: str, seed: int, limit: float):
        self.library, self.kind, self.seed, self.limit = library, kind, seed, limit

    def fit(self, X: pd.DataFrame, y: Any) -> Tuned:
        """Search, and fit the best settings to all rows."""
        began = time.process_time()
        deadline = began + SHARE_OF_SEARCH * self.limit
        generator, trials = np.random.default_rng(self.seed), list[Trial]()
        while len(trials) < MOST_TRIALS and time.process_time() < deadline:
            settings = self.library.space(generator) if trials else {}
            trial = self._trial(settings, X, y, deadline, may_be_partial=not trials)
            if trial is None:
                break
            trials.append(trial)
        best = min(trials, key=lambda each: each.error)
        self.n_trials_, self.settings_ = len(trials), best.settings
        self.model, _ = self.library.fit(self.kind, self.seed, best.settings, X, y, trees=best.trees)
        return self

    def _trial(
        self, settings: dict[str, Any], X: pd.DataFrame, y: Any, deadline: float, may_be_partial: bool
    ) -> Trial | None:
        errors, trees = [], []
        folds = self._folds(X, y)
        for number, (training, held_out) in enumerate(folds):
            if number and time.process_time() > deadline:
                if not may_be_partial:
                    return None
                break
            held = X.iloc[held_out], y[held_out]
            model, length = self.library.fit(
                self.kind, self.seed, settings, X.iloc[training], y[training], held_out=held, deadline=deadline
            )
            errors.append(scoring.error(scoring.scores(model, *held, self.kind), self.kind))
            trees.append(length)
        return Trial(settings, float(np.mean(errors)), max(1, round(float(np.mean(trees)))))

    def _folds(self, X: pd.DataFrame, y: Any) -> list[tuple[Any, Any]]:
        stratified = self.kind != "regression"
        if len(X) < FEW_ROWS:
            splitter = StratifiedKFold if stratified else KFold
            return list(splitter(3, shuffle=True, random_state=self.seed).split(X, y))
        parts = train_test_split(
            np.arange(len(X)), test_size=0.2, random_state=self.seed, stratify=y if stratified else None
        )
        return [(parts[0], parts[1])]
