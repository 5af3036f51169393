"""The loops of `fit`, `evaluate` and `predict`: epochs, validation, callbacks, the progress display."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from cnn_core.callbacks import CallbackList, History
from cnn_core.callbacks.base import plain_logs
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.structures import filled, flatten
from cnn_core.network.native import run_whole
from cnn_core.network.parameters import ParameterVector, native_optimizer
from cnn_core.optimizers import LBFGS
from cnn_core.training.batch_hooks import BatchHooks
from cnn_core.training.epochs import run_epoch, run_epochs
from cnn_core.training.progress import Progress
from cnn_core.training.segments import Segment
from cnn_core.training.sources import BatchSource, Epoch
from cnn_core.training.step_loops import StepSource, run_steps
from cnn_core.training.totals import Totals
from cnn_core.training.trained_model import Resumption, TrainedModel


class FitPlan(NamedTuple):
    """The checked arguments of `fit` that are not data; see `Trainer.fit`."""

    epochs: int
    initial_epoch: int
    batch_size: int
    validation_batch_size: int
    steps_per_epoch: int | None
    validation_steps: int | None
    validation_freq: Callable[[int], bool]
    shuffle: bool
    verbose: Any


def fit(
    model: TrainedModel,
    batches: BatchSource | StepSource,
    measured: BatchSource | StepSource | None,
    plan: FitPlan,
    callbacks: object,
) -> History:
    """Train for the epochs of the plan, and measure held-out data in between; see `Trainer.fit`."""
    model.stop_training = False
    sharing = batches.sharing
    progress = Progress(plan.verbose, plan.epochs, batches.n_batches)
    callback_list = _callback_list(model, callbacks)
    if sharing is not None:
        callback_list = sharing.callbacks(callback_list)
    batches.undisturbed = callback_list.only_records and not model.optimizer.asks_every_batch
    callback_list.set_params({"verbose": progress.verbose, "epochs": plan.epochs, "steps": batches.n_batches})
    callback_list.on_train_begin()
    if sharing is not None:
        sharing.begin()
    resumption = model._take_resumption()
    first = plan.initial_epoch if resumption is None else resumption.epoch
    epochs = range(first, plan.epochs)
    watched = measured is not None or progress.verbose or resumption is not None or not batches.undisturbed
    logs: dict[str, Any] = {}
    try:
        segment = batches.sole_segment() if epochs and not watched else None
        if segment is not None:
            logs = _fit_unwatched(model, segment, plan, callback_list, epochs)
        else:
            for number in epochs:
                if batches.has_ended(number):
                    break
                logs = _fit_epoch(model, batches, measured, plan, callback_list, progress, number, resumption)
                resumption = None
                if sharing is not None:
                    model.stop_training = sharing.any(model.stop_training)
                if model.stop_training:
                    break
    finally:
        progress.end()
        for each in (batches, measured):
            if each is not None:
                each.close()
        if sharing is not None:
            sharing.end()
    model.overwrite_with_average()
    callback_list.on_train_end(logs)
    assert callback_list.history is not None
    return callback_list.history


def _callback_list(model: TrainedModel, callbacks: object) -> CallbackList:
    """Return the callbacks as one, with a History among them, and tell them the model."""
    result = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks, True)
    if result.history is None:
        result = CallbackList([*result], add_history=True)
    result.set_model(model)
    return result


def _fit_unwatched(
    model: TrainedModel, segment: Segment, plan: FitPlan, callbacks: CallbackList, epochs: range
) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    def record(done: int, logs: list[dict[str, Any]]) -> None:
        if logs:
            plain = [plain_logs(each) for each in logs]
            callbacks.record(done, epochs[done : done + len(logs)], plain)
            latest.update(plain[-1])

    run_epochs(model, segment, len(epochs), plan.shuffle, record)
    return latest


def _fit_epoch(
    model: TrainedModel,
    batches: BatchSource | StepSource,
    measured: BatchSource | StepSource | None,
    plan: FitPlan,
    callbacks: CallbackList,
    progress: Progress,
    number: int,
    resumption: Resumption | None,
) -> dict[str, Any]:
    callbacks.on_epoch_begin(number)
    progress.epoch_begin(number)
    totals = batches.totals()
    epoch = _begin_epoch(model, totals, plan, number, resumption)
    if isinstance(totals, Totals) and isinstance(batches, BatchSource) and isinstance(model.optimizer, LBFGS):
        _minimize(model, batches, totals)
    else:
        _run(model, batches, totals, True, callbacks, progress, epoch)
    logs = dict(sorted(totals.logs().items()))
    done = totals.batches
    if measured is not None and plan.validation_freq(number + 1):
        results = evaluate(model, measured, 0, callbacks)
        logs |= {f"val_{name}": value for name, value in sorted(results.items())}
    logs = callbacks.on_epoch_end(number, logs)
    progress.epoch_end(logs, done)
    return logs


def _run(
    model: TrainedModel,
    source: BatchSource | StepSource,
    totals: Any,
    training: bool,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    epoch: Epoch | None = None,
) -> None:
    """Run an epoch natively, or step by step, or shared among ranks."""
    if isinstance(source, StepSource):
        run_steps(source, totals, callbacks, progress, epoch)
    elif source.sharing is not None:
        import cnn_core.training.shared_epochs as shared_epochs  # with what only a shared training needs

        shared_epochs.run_shared_epoch(source.sharing, source, totals, training, callbacks, progress, epoch)
    else:
        run_epoch(model, source, totals, training, callbacks, progress, epoch)


def _begin_epoch(model: TrainedModel, totals: Any, plan: FitPlan, number: int, resumption: Resumption | None) -> Epoch:
    """Count the epoch, unless it was begun before the interruption, and say which batches it has."""
    first = 0
    if resumption is not None and resumption.batch:
        first = resumption.batch
        if resumption.totals is not None:
            from cnn_core.foundation.model_header import refused_by_name  # only a resumed training needs it

            with refused_by_name("The state of an epoch under way"):
                totals.restore(resumption.totals)
    else:
        model._epochs_begun += 1
    model._totals = totals
    return Epoch(number, first, number - plan.initial_epoch, model._epochs_begun if plan.shuffle else None)


def evaluate(model: TrainedModel, batches: BatchSource | StepSource, verbose: Any, callbacks: Any) -> dict[str, Any]:
    """Measure loss and metrics over a source for evaluation; see `Trainer.evaluate`."""
    progress = Progress(verbose, 1, batches.n_batches)
    nested = isinstance(callbacks, CallbackList)  # in the callbacks of `fit`
    callbacks = callbacks if nested else CallbackList(callbacks, model=model)
    if not nested:
        callbacks.set_params({"verbose": progress.verbose, "epochs": 1, "steps": batches.n_batches})
    model.stop_evaluating = False
    callbacks.on_test_begin()
    progress.epoch_begin(0)
    totals = batches.totals()
    _run(model, batches, totals, False, callbacks, progress)
    batches.rewind()
    logs = totals.logs()
    progress.epoch_end(dict(sorted(logs.items())), totals.batches)
    callbacks.on_test_end(logs)
    return logs


def predict(
    model: TrainedModel,
    parts: Iterable[object],
    n_batches: int | None,
    verbose: Any,
    callbacks: object,
    step: Callable[[object], Any],
) -> list[Any]:
    """Predict batch by batch, so that callbacks and the progress display can follow; see `Trainer.predict`.

    `step` takes a part to its outputs, all of which are returned.
    """
    model.stop_predicting = False
    progress = Progress(verbose, 1, n_batches)
    callbacks = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks, model=model)
    callbacks.set_params({"verbose": progress.verbose, "epochs": 1, "steps": n_batches})
    callbacks.on_predict_begin()
    progress.epoch_begin(0)
    hooks = BatchHooks(callbacks, "predict", model.steps_per_execution)
    outputs: list[Any] = []

    def logs() -> dict[str, Any]:
        return {"outputs": concatenated(outputs[told:])}

    told = 0
    for batch, part in enumerate(parts):
        hooks.begin(batch)
        outputs.append(step(part))
        hooks.done(batch + 1, logs)
        progress.update(batch + 1)
        if hooks.between:
            told = batch + 1
            if model.stop_predicting:
                break
    hooks.close(logs)
    progress.epoch_end(batches_done=len(outputs))
    callbacks.on_predict_end()
    return outputs


def concatenated(outputs: Sequence[object]) -> Any:
    """Return what was predicted for batches as one structure of arrays."""
    columns = zip(*map(flatten, outputs), strict=True)
    return filled(outputs[0], [np.concatenate(list(map(np.asarray, column))) for column in columns])


def _minimize(model: TrainedModel, source: BatchSource, totals: Totals) -> None:
    """One epoch of L-BFGS: all rows are one batch, of which as many steps are made as the optimizer allows."""
    import cnn_core.optimizers.lbfgs as lbfgs  # few programs need it

    optimizer, parameters = model.optimizer, model._bind()
    assert isinstance(optimizer, LBFGS)
    if any(variable.constraint is not None for variable in parameters.variables):
        raise ValueError("LBFGS cannot keep constraints: use another optimizer, or layers without constraints")
    whole = source.whole()
    segment = Segment(model, source.objectives, whole, whole.n, True, native_optimizer(parameters, None))
    measure: Callable[[], tuple[float, Array]] = partial(_value_and_gradient, parameters, segment)
    if source.sharing is not None:
        import cnn_core.training.shared_epochs as shared_epochs

        measure = shared_epochs.SharedRun.of_one_batch(source.sharing, source, totals, segment).value_and_gradient

    def value_and_gradient(x: Array) -> tuple[float, Array]:
        parameters.values[...] = x
        return measure()

    result = lbfgs.minimize(
        value_and_gradient,
        parameters.values,
        optimizer.max_iter,
        optimizer.max_fun,
        optimizer.gradient_tolerance,
        optimizer.history_size,
        optimizer.function_tolerance,
    )
    parameters.values[...] = result.x
    optimizer.batches_seen += result.n_iterations
    _run(model, source.evaluation(), totals, False)


def _value_and_gradient(parameters: ParameterVector, segment: Segment) -> tuple[float, Array]:
    """Return the loss of a segment's only batch, and its gradient; infinity where they are not finite."""
    is_finite = run_whole(segment.native)
    gradient = parameters.gradients.astype(np.float64)
    return (segment.native.last_loss, gradient) if is_finite else (float("inf"), np.zeros_like(gradient))
