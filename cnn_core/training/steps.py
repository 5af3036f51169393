"""Keras's steps: what becomes of one batch. A subclass that overrides one is run batch by batch, at Python's speed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

import cnn_core.metrics as metrics
from cnn_core.data.batches import unpack
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.eager import eager
from cnn_core.foundation.structures import flatten
from cnn_core.network.gradient_tape import GradientTape
from cnn_core.network.tensors import Tensor
from cnn_core.training.compiled import Compiled
from cnn_core.training.epochs import NonFiniteLossError, measure_batch, step_on_batch
from cnn_core.training.objectives import Objectives, OutputLoss
from cnn_core.training.segments import SingleBatches
from cnn_core.training.totals import Totals
from cnn_core.training.trained_model import TrainedModel

_OF_LOSS = ("compute_loss", "_compute_loss", "compute_metrics")


class Steps(Compiled):
    """The part of a model that subclasses override to train and measure in their own way."""

    honours: ClassVar[tuple[str, ...]] = ()  # methods that are called where steps are overridden

    def __init_subclass__(cls, **keywords: object) -> None:
        own = {name for name in (*_STEPS, *_OF_LOSS) if getattr(cls, name) is not getattr(Steps, name)}
        cls.trains_by_steps = bool(own & {"train_step", *_OF_LOSS})
        cls.tests_by_steps = bool(own & {"test_step", *_OF_LOSS})
        cls.predicts_by_steps = "predict_step" in own
        cls.honours = ("reset_metrics",) if cls.trains_by_steps or cls.tests_by_steps else ()
        super().__init_subclass__(**keywords)

    if TYPE_CHECKING:  # a layer, which a model is as well, has it
        losses: list[Any]

        def attribute_metrics(self) -> list[Any]: ...

        def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

    # The steps

    def train_step(self, data: Any) -> dict[str, Any]:
        """Make one step on a batch.

        An override may compute in Python whatever it likes: `GradientTape` gives gradients of what layers, losses and
        functions of `cnn_core.ops` compute, `self.optimizer.apply(gradients, variables)` makes the step. `fit` and
        `train_on_batch` then call it for every batch.

        Parameters
        ----------
        data : tuple (x, y) or (x, y, sample_weight), or x
            A batch as NumPy arrays, in the structures given to `fit`.

        Returns
        -------
        dict of str to float
            The metrics so far in this epoch.

        Examples
        --------
        >>> import cnn_core as keras
        >>> class Clipped(keras.Sequential):
        ...     def train_step(self, data):
        ...         x, y = data
        ...         with keras.GradientTape() as tape:
        ...             loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        ...         gradients = tape.gradient(loss, self.trainable_variables)
        ...         self.optimizer.apply([np.clip(each, -1, 1) for each in gradients], self.trainable_variables)
        ...         return {"loss": loss}
        >>> model = Clipped([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=9, verbose=0).history["loss"]
        >>> history[-1] < history[0]
        True
        """
        x, y, sample_weight = unpack(data)
        if not self._measures_itself:
            return self._native_step(x, y, sample_weight, True)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=True)
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"`compute_loss` of {type(self).__name__} must be differentiable: compute with losses and functions of "
                f"cnn_core.ops instead of NumPy's, and return the result. Received: {type(loss).__name__}"
            )
        self._track(loss, x)
        variables = self.trainable_variables
        gradients = tape.gradient(self.optimizer.scale_loss(loss), variables)
        self.optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch, as `evaluate` and the validation of `fit` do; `data` as for `train_step`."""
        x, y, sample_weight = unpack(data)
        if not self._measures_itself:
            return self._native_step(x, y, sample_weight, False)
        y_pred = self(x, training=False)
        self._track(self._compute_loss(x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one batch, as `predict` does."""
        x, _, _ = unpack(data)
        return self(x, training=False)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the loss of a batch: the compiled losses, times their weights, and all of `losses`.

        Parameters
        ----------
        x, y, sample_weight
            The batch.
        y_pred : array or Tensor, or list or dict of them
            What the model has computed of it.
        training : bool, default True

        Returns
        -------
        float, or Tensor while a `GradientTape` records
            An override computes it with functions of `cnn_core.ops`.
        """
        terms: list[Any] = []
        if self._arguments is not None and self._arguments.loss is not None:
            terms += self._compiled_losses(y, y_pred, sample_weight)
        terms += self.losses
        if not terms:
            raise ValueError("There is no loss to compute: call compile(..., loss=...), or add_loss in a `call`")
        return eager(sum(terms[1:], terms[0]))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Add a batch to the compiled metrics, and return the values of all metrics so far."""
        if self._arguments is not None and self._arguments.loss is not None:
            objectives = self._objectives_for(y, "compute_metrics")
            predictions = [np.asarray(each) for each in flatten(y_pred)]
            targets, weights = self._by_loss(objectives, y, "y"), self._by_loss(objectives, sample_weight, "")
            for each in objectives.metrics:
                weight = weights[each.target] if each.weighted else None
                each.metric.update_state(targets[each.target], predictions[each.output], weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the values of all `metrics` by name."""
        labels = {} if self._objectives is None else {id(each.metric): each.label for each in self._objectives.metrics}
        found: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            found.update(value if isinstance(value, Mapping) else {labels.get(id(metric), metric.name): value})
        return found

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Call `compute_loss` as it was written, which may be without `training`."""
        given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
        if "training" in inspect.signature(self.compute_loss).parameters:
            given["training"] = training
        return self.compute_loss(**given)

    # Metrics

    @property
    def metrics(self) -> list[Any]:
        """The metrics in use; what "accuracy" stands for may change with the first data.

        Where steps are overridden the loss's comes first, and metrics that are attributes of layers last.
        """
        compiled = super().metrics
        if not (self._fits_by_steps or self.tests_by_steps):
            return compiled
        listed = [*self._loss_trackers(), *compiled, *self.attribute_metrics()]
        return list({id(each): each for each in listed}.values())

    def _loss_trackers(self) -> list[Any]:
        """The means of the loss and, where there are several, of each output's."""
        if self.compiled and not self._trackers:
            self._trackers["loss"] = metrics.Mean("loss")
        return list(self._trackers.values())

    def _track(self, loss: object, x: object) -> None:
        value = np.asarray(loss)
        if value.ndim:
            raise ValueError(f"`compute_loss` must return a single number. Received: shape {value.shape}")
        if not np.isfinite(value):
            raise NonFiniteLossError(
                f"The loss of this batch is {value}: a smaller learning rate or scaled inputs help"
            )
        self._loss_trackers()[0].update_state(value, sample_weight=len(flatten(x)[0]))

    def reset_metrics(self) -> None:
        """Reset every metric; `fit`, `evaluate` and the calls for one batch do so by themselves."""
        for tracker in self._trackers.values():
            tracker.reset_state()
        if self._objectives is not None:
            self._objectives.reset()
        if self._fits_by_steps or self.tests_by_steps:
            for metric in self.metrics:
                metric.reset_state()

    # What the default steps do natively

    @property
    def _measures_itself(self) -> bool:
        """Whether the class overrides what is computed of the outputs."""
        return any(getattr(type(self), name) is not getattr(Steps, name) for name in _OF_LOSS)

    def _native_step(self, x: object, y: object, sample_weight: object, training: bool) -> dict[str, Any]:
        """Measure a batch natively and, in training, make a step; add it all to the metrics."""
        objectives = self._objectives_of(x, y, "train_step" if training else "test_step")
        model = cast("TrainedModel", self)
        segment = SingleBatches.of(model, objectives, training).segment(x, y, sample_weight, None)
        totals = Totals(objectives, resets=False)
        measure_batch(model, segment, training, totals)
        if training and self.optimizer.steps_itself:
            parameters = self._bind()
            gradients = [self.optimizer.scale_loss(each.copy()) for each in parameters.split(parameters.gradients)]
            self.optimizer.apply(gradients, parameters.variables)
        elif training:
            step_on_batch(model, segment, totals)
        for name, value in totals.loss_logs().items():
            tracker = self._trackers.setdefault(name, metrics.Mean(name))
            tracker.update_state(value, sample_weight=totals.samples)
        return self.get_metrics_result()

    # Losses of single outputs

    def _compiled_losses(self, y: object, y_pred: object, sample_weight: object) -> list[Any]:
        objectives = self._objectives_for(y, "compute_loss")
        predictions, targets = flatten(y_pred), self._by_loss(objectives, y, "y")
        weights = self._by_loss(objectives, sample_weight, "sample_weight")
        terms = []
        for each, target, weight in zip(objectives.losses, targets, weights, strict=True):
            value = each.loss(target, predictions[each.output], weight)
            if len(objectives.losses) > 1:
                self._loss_trackers()
                tracker = self._trackers.setdefault(each.label, metrics.Mean(each.label))
                tracker.update_state(np.asarray(value), sample_weight=len(target))
            terms.append(each.weight * value if each.weight != 1 else value)
        return terms

    def _by_loss(self, objectives: Objectives, given: object, name: str) -> list[Any]:
        """Return what belongs to each loss of a structure as the outputs have."""
        losses: list[OutputLoss] = objectives.losses
        if given is None or len(self.output_names) == 1:
            return [given if not isinstance(given, (list, tuple, dict)) else flatten(given)[0]] * len(losses)
        given = self.interface.output_form.by_name(given, name)
        if isinstance(given, Mapping):
            return [given[each.name] for each in losses]
        if not isinstance(given, (list, tuple)):
            return [given] * len(losses)  # one array serves all outputs
        parts: list[Array] = list(given)
        return parts if len(parts) == len(losses) else [parts[each.output] for each in losses]


_STEPS = ("train_step", "test_step", "predict_step")
