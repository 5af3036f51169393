"""`fit`, `evaluate`, `predict` and the calls for one batch of models that override steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks import History
from cnn_core.data.batches import Batches, is_batches
from cnn_core.data.samples import Samples
from cnn_core.optimizers import LBFGS
from cnn_core.training.arguments import refuse_beside_batches, unpacked_validation
from cnn_core.training.loops import FitPlan, concatenated, evaluate, fit, predict
from cnn_core.training.step_loops import StepSource, StepTotals, step_results
from cnn_core.training.steps import Steps
from cnn_core.training.trained_model import TrainedModel


class BySteps(Steps):
    """The part of a model that hands batches to custom steps."""

    @property
    def step_dtype(self) -> np.dtype[Any]:
        """The dtype in which steps are given floats."""
        return np.dtype(self.dtype)

    def _fit_by_steps(
        self,
        data: tuple[Any, Any, Any],
        validation_data: object,
        validation_split: float,
        class_weight: Mapping[int, float] | None,
        plan: FitPlan,
        callbacks: object,
    ) -> History:
        if isinstance(self.optimizer, LBFGS):
            raise ValueError(
                "LBFGS needs all rows at once, and has no custom steps. Received: a model that overrides one"
            )
        source = self._step_data(data, "steps_per_epoch", validation_split=validation_split or None)
        held_out: Samples | Batches | None = None
        if isinstance(source, Samples):
            if validation_split and validation_data is None:
                source, held_out = source.split(validation_split)
            source = source.weigh_classes(class_weight)
        if validation_data is not None:
            held_out = self._step_validation_data(validation_data)
        batches = StepSource(self, source, plan.batch_size, True, plan.steps_per_epoch, class_weight)
        measured = None
        if held_out is not None:
            measured = StepSource(self, held_out, plan.validation_batch_size, False, plan.validation_steps)
        return fit(cast("TrainedModel", self), batches, measured, plan, callbacks)

    def _step_validation_data(self, validation_data: object) -> Samples | Batches:
        if is_batches(validation_data):
            return Batches(validation_data, "validation_data", "validation_steps")
        return Samples(*unpacked_validation(validation_data), self.step_dtype)

    def _step_data(self, data: tuple[Any, Any, Any], steps_name: str, **beside: object) -> Samples | Batches:
        x, y, sample_weight = data
        if not is_batches(x):
            return Samples(x, y, sample_weight, self.step_dtype)
        refuse_beside_batches(y=y, sample_weight=sample_weight, **beside)
        return Batches(x, steps_name=steps_name)

    def _evaluate_by_steps(
        self,
        data: tuple[Any, Any, Any],
        batch_size: int,
        verbose: object,
        steps: int | None,
        callbacks: object,
        return_dict: bool,
    ) -> Any:
        source = StepSource(self, self._step_data(data, "steps"), batch_size, False, steps)
        logs = evaluate(cast("TrainedModel", self), source, verbose, callbacks)
        return step_results(logs, self.metrics_names, return_dict)

    def _predict_by_steps(
        self, x: object, batch_size: int, verbose: object, steps: int | None, callbacks: object
    ) -> Any:
        source = StepSource(self, self._step_data((x, None, None), "steps"), batch_size, False, steps)
        model, n = cast("TrainedModel", self), source.n_batches
        return concatenated(predict(model, source.batches(), n, verbose, callbacks, self.predict_step))

    def _batch_by_steps(
        self, step: Callable[[object], Any], batch: tuple[Any, Any, Any], class_weight: Any, return_dict: bool
    ) -> Any:
        """Hand one batch to a step, as an epoch of its own."""
        samples = Samples(*batch, self.step_dtype).weigh_classes(class_weight)
        totals = StepTotals(self)
        totals.take(step(samples.take(slice(None))), step.__name__)
        return step_results(totals.logs(), self.metrics_names, validation.boolean(return_dict, "return_dict"))

    def _predict_batch_by_steps(self, x: object) -> Any:
        return self.predict_step(Samples(x, None, None, self.step_dtype).take(slice(None)))
