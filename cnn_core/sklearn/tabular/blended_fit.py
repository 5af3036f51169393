"""How the tabular estimators fit a blend: presets that train many networks and weigh them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.display import show
from cnn_core.sklearn.tabular.blend import Blend, JoinedPreprocessor
from cnn_core.sklearn.tabular.blend_training import BlendTask, BlendTraining
from cnn_core.sklearn.tabular.callbacks import EpochCallbacks
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.portfolios import AUTO_BLEND, PORTFOLIOS, Portfolio
from cnn_core.sklearn.tabular.presets import AUTO, AUTO_SINGLE, EPOCHS, PRESETS, VALIDATION_FRACTION
from cnn_core.sklearn.tabular.training_rows import LEAST_ROWS_TO_HOLD_OUT, TrainingTable, ordered, rows_and_weights

_OF_RECIPES = ("hidden_layer_sizes", "activation", "learning_rate", "n_members", "callbacks")


class FitsBlends:
    """What the tabular estimators have for presets that blend."""

    _task: str
    _head: str
    preset: str
    validation_fraction: float
    predictor_: Any
    best_epochs_: list[int]
    loss_curve_: list[float]
    validation_curve_: list[float]

    def _preset_for(self, table: TrainingTable) -> str:
        """The preset, of "auto" the blend unless something is asked for that a single network alone has."""
        preset = validation.choice(self.preset, "preset", (AUTO, *PRESETS, *PORTFOLIOS))
        if preset != AUTO:
            return preset
        is_single = (
            any(getattr(self, name) is not None for name in _OF_RECIPES)
            or self.validation_fraction != VALIDATION_FRACTION
            or EpochCallbacks.are_wanted(self)
            or table.X_val is not None
            or table.y_val is not None
        )
        return AUTO_SINGLE if is_single else AUTO_BLEND

    def _check_blend_arguments(self, table: TrainingTable) -> None:
        for name in _OF_RECIPES:
            value = getattr(self, name)
            if value is not None:
                raise ValueError(
                    f"`{name}` must be None with preset={self.preset!r}, whose networks have recipes of their own. "
                    f"Received: {name}={value!r}"
                )
        if EpochCallbacks.are_wanted(self):
            raise ValueError(f"Callbacks watch a single network, and preset={self.preset!r} trains many")
        if table.X_val is not None or table.y_val is not None:
            raise ValueError(
                f"`X_val` and `y_val` must be None with preset={self.preset!r}: every row is held out from a fold"
            )

    def _fit_blend(self: Any, table: TrainingTable, portfolio: Portfolio) -> None:
        """Train a portfolio and take the blend over."""
        began = time.monotonic()
        self._check_blend_arguments(table)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        rows, weights = rows_and_weights(table.X, table.y, table.weights)
        rows = np.sort(rows)  # the same folds of an array and of a frame
        columns = TablePreprocessor(self.categorical_features).learn_kinds(table.X)
        if len(rows) < LEAST_ROWS_TO_HOLD_OUT:  # and of the same rows in whatever order
            rows = ordered(rows, self._plain_features(columns, rows), table.y[rows])
        y, weights = table.y[rows], None if weights is None else weights[rows]
        targets = self._fit_targets(y, weights, partial(self._plain_features, columns, rows), seed)
        stand_in = self._new_predictor(JoinedPreprocessor([]), Blend([], [], None))
        classes = self._task == "classification"

        def score_of(places: Array) -> Any:
            return self._score_function(stand_in, y[places], None if weights is None else weights[places])

        def blend_score_of(places: Array) -> Any:
            return self._blend_score(y[places], None if weights is None else weights[places]) or score_of(places)

        task = BlendTask(
            self._task,
            self._head,
            rows,
            targets,
            y if classes else None,
            weights,
            self._n_outputs(targets.shape[1]),
            self._loss,
            score_of,
            blend_score_of,
            None if classes else (self._scale.lowest, self._scale.highest),
            EPOCHS if self.epochs is None else self.epochs,
            self.batch_size,
            seed,
            self.patience,
            self.time_limit,
            began,
            show if self.verbose else None,
        )
        training = BlendTraining(portfolio, task, columns, self.categorical_features)
        preprocessor, blend = training.run()
        self.n_iter_, self.best_epochs_, self.loss_curve_, self.validation_curve_ = (
            training.n_epochs,
            [],
            [],
            [],
        )  # each network has its own
        predictor = self._new_predictor(preprocessor, blend)
        held_out = training.out_of_fold[training.known][None]
        self._learn_from_held_out(predictor, held_out, y[training.known], training.error_factor)
        self._take(predictor)

    def leaderboard(self) -> list[dict[str, Any]]:
        """Return what a blend was made of: a dict for each model and for the blend, the best first.

        "score" is `eval_metric` on rows that the model had not seen, lower is better; "weight" its share of the blend;
        "folds", "epochs" and "seconds" are those of its training. ``pandas.DataFrame(estimator.leaderboard())`` shows
        it as a table.

        Raises
        ------
        ValueError
            If the preset is no blend.
        """
        check_is_fitted(self)
        network = self.predictor_.network
        if not isinstance(network, Blend):
            raise ValueError(
                f"`leaderboard` needs a preset that blends, {', '.join(map(repr, PORTFOLIOS))}. "
                f"Received: preset={self.preset!r}"
            )
        return [dict(row) for row in network.leaderboard]
