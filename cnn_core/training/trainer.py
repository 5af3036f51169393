"""Training, evaluation and prediction: the loop around the native loop over batches.

Python decides what a batch is, when callbacks run and what the user sees; an epoch, or many that no callback observes,
is one native call, cut into slices of 50 ms after which it checks for signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.optimizers as optimizers
from cnn_core.callbacks import Callback, History
from cnn_core.data.batches import Batches, is_batches
from cnn_core.data.dataset import Dataset
from cnn_core.data.rows import ROWS_AT_A_TIME
from cnn_core.distribution.current import distribution
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.network.applying import recognise
from cnn_core.network.parameters import adopt_state
from cnn_core.training.arguments import (
    checked_batch_size,
    checked_steps,
    is_one_batch,
    refuse_beside_batches,
    results,
    unpacked_validation,
    validation_due,
    warn_of_batch_size,
)
from cnn_core.training.by_steps import BySteps
from cnn_core.training.epochs import measure_batch, step_on_batch
from cnn_core.training.loops import FitPlan, concatenated, evaluate, fit, predict
from cnn_core.training.objectives import Objectives
from cnn_core.training.progress import checked_verbose
from cnn_core.training.segments import SingleBatches
from cnn_core.training.sharing import refuse_steps, shared_call
from cnn_core.training.sources import source_of
from cnn_core.training.totals import Totals
from cnn_core.training.trained_model import Resumption

Verbosity: TypeAlias = Literal["auto", 0, 1, 2] | bool


class Trainer(BySteps):
    """The part of a model that trains, evaluates and predicts. `Model` adds layers and the plan."""

    # fit

    @knows_its_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Verbosity = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        x : array-like, list or dict of them, generator or PyDataset
        y : array-like, or list or dict of them
            None where `x` yields (x, y) or (x, y, sample_weight).
        batch_size : int, default 32
            Of arrays: batches of a generator or PyDataset have their own size, and a warning tells so.
        epochs : int, default 1
            The number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 silent, 1 a bar, 2 a line per epoch; "auto" is 1.
        callbacks : list of Callback, default None
        validation_split : float, default 0
            The share of the last rows that is set apart before shuffling.
        validation_data : tuple (x, y) or (x, y, sample_weight), generator or PyDataset
        shuffle : bool, default True
            Whether the order of samples is drawn again for every epoch.
        class_weight : dict from class to float, default None
        sample_weight : array-like, default None
        initial_epoch : int, default 0
        steps_per_epoch, validation_steps : int, default None
            Batches per epoch, which an endless generator needs. An epoch of training goes on where the one before it
            ended; if the data ends first, a warning says so and the next epoch starts over. Every validation begins
            with the first batch, unless a generator gives them.
        validation_batch_size : int, default None
            None: `batch_size`.
        validation_freq : int or list of int, default 1
            Validate every so many epochs, or after these.

        Returns
        -------
        History
            Its `history` maps each measure to its values, one for each epoch.

        Raises
        ------
        ValueError, TypeError
            If arguments or data are not as they should be.
        NonFiniteLossError
            If the loss or a gradient is no longer finite. The weights are those before the batch named.
        RuntimeError
            If another thread is training this model.
        """
        self._require_compiled("fit")
        plan = FitPlan(
            epochs=validation.non_negative_integer(epochs, "epochs"),
            initial_epoch=validation.non_negative_integer(initial_epoch, "initial_epoch"),
            batch_size=checked_batch_size(batch_size, "batch_size"),
            validation_batch_size=checked_batch_size(validation_batch_size or batch_size, "validation_batch_size"),
            steps_per_epoch=checked_steps(steps_per_epoch, "steps_per_epoch"),
            validation_steps=checked_steps(validation_steps, "validation_steps"),
            validation_freq=validation_due(validation_freq),
            shuffle=validation.boolean(shuffle, "shuffle"),
            verbose=verbose,
        )
        with self._exclusive("fit"), shared_call(self, "fit") as sharing:
            if self._fits_by_steps or self.tests_by_steps:
                refuse_steps(sharing)
                if validation_data is not None or validation_split:
                    self._refuse_evaluation_of_its_own()
                data = (x, y, sample_weight)
                return self._fit_by_steps(data, validation_data, validation_split, class_weight, plan, callbacks)
            beside = {"validation_split": validation_split or None}
            source, objectives = self._source("fit", x, y, sample_weight, "steps_per_epoch", **beside)
            held_out: Dataset | Batches | None = None
            if isinstance(source, Batches):
                if validation_data is None or is_batches(validation_data):
                    warn_of_batch_size(batch_size)
            else:
                if validation_split and validation_data is None:
                    source, held_out = source.split(validation_split)
                source = source.weigh_classes(class_weight)
            if validation_data is not None:
                held_out = self._validation_source(validation_data, objectives)
            if held_out is not None:
                self._refuse_evaluation_of_its_own()
            self._bind()
            steps = plan.steps_per_epoch, plan.validation_steps
            batches = source_of(self, objectives, source, plan.batch_size, True, steps[0], class_weight, sharing)
            measured = None
            if held_out is not None:
                size = plan.validation_batch_size
                measured = source_of(self, objectives, held_out, size, False, steps[1], sharing=sharing)
            self._fits += 1
            try:
                return fit(self, batches, measured, plan, callbacks)
            finally:
                self._fits -= 1
                self._totals = None

    def _source(
        self, purpose: str, x: object, y: object, sample_weight: object, steps_name: str, **beside: object
    ) -> tuple[Dataset | Batches, Objectives]:
        """Open what x is, arrays or batches, with the losses and metrics that go with its targets.

        `beside` are other arguments that must be None where x yields batches.
        """
        if is_batches(x):
            refuse_beside_batches(y=y, sample_weight=sample_weight, **beside)
            batches = Batches(x, steps_name=steps_name)
            return batches, self._objectives_of(*batches.peek()[:2], purpose)
        objectives = self._objectives_of(x, y, purpose)
        return self._reader(objectives).read(x, y, sample_weight), objectives

    def _validation_source(self, validation_data: object, objectives: Objectives) -> Dataset | Batches:
        if is_batches(validation_data):
            return Batches(validation_data, "validation_data", "validation_steps")
        return self._reader(objectives).read(*unpacked_validation(validation_data))

    def _refuse_evaluation_of_its_own(self) -> None:
        if type(self).evaluate is not Trainer.evaluate:
            raise TypeError(
                f"{type(self).__name__} defines `evaluate`, which the validation of `fit` never calls. Call it after "
                "the training, or in a callback's on_epoch_end"
            )

    def _take_resumption(self) -> Resumption | None:
        """Where a callback has asked the training to go on; asked once."""
        resumption, self._resumption = self._resumption, None
        return resumption

    # evaluate and predict

    @overload
    def evaluate(
        self,
        x: object = None,
        y: object = None,
        batch_size: int | None = None,
        verbose: Verbosity = "auto",
        sample_weight: object = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        *,
        return_dict: Literal[True],
    ) -> dict[str, float]: ...

    @overload
    def evaluate(
        self,
        x: object = None,
        y: object = None,
        batch_size: int | None = None,
        verbose: Verbosity = "auto",
        sample_weight: object = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any: ...

    @knows_its_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Verbosity = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure the loss and the metrics.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`.
        batch_size : int, default 32
            Of arrays: batches of a generator or PyDataset have their own size, and a warning tells so.
        verbose : {"auto", 0, 1, 2}
        steps : int, default None
            How many batches; None: all there are.
        callbacks : list of Callback, default None
        return_dict : bool, default False

        Returns
        -------
        float, list of float, or dict
            The loss alone if there is nothing else; else a list in the order of `metrics_names`, or a dict.
        """
        self._require_compiled("evaluate")
        size, count = checked_batch_size(batch_size, "batch_size"), checked_steps(steps, "steps")
        silent = callbacks is None and checked_verbose(verbose) == 0
        with self._exclusive("evaluate"), shared_call(self, "evaluate") as sharing:
            if self.tests_by_steps:
                refuse_steps(sharing)
                data = (x, y, sample_weight)
                return self._evaluate_by_steps(data, size, verbose, count, callbacks, return_dict)
            if silent and count is None and sharing is None and is_one_batch(x, size):
                self.stop_evaluating = False
                objectives = self._objectives_of(x, y, "evaluate")
                return self._one_batch(objectives, False, (x, y, sample_weight, None), return_dict)
            source, objectives = self._source("evaluate", x, y, sample_weight, "steps")
            if isinstance(source, Batches):
                warn_of_batch_size(batch_size)
            batches = source_of(self, objectives, source, size, False, count, sharing=sharing)
            logs = evaluate(self, batches, verbose, callbacks)
        return results(logs, objectives, return_dict)

    @knows_its_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Verbosity = 0,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
    ) -> Array | Any:
        """Compute the outputs for every row.

        Any number of threads may predict at once. While another thread trains this very model, an answer is computed
        from the weights as they are being written, and may mix those before and after a step: predict with
        `copy.copy(model)` where that matters. (Keras shows a progress bar; here `verbose` is 0 by default, since a
        prediction rarely takes long enough.)

        Parameters
        ----------
        x : array-like, list or dict of them, generator or PyDataset
        batch_size : int, default None
            Only counts for callbacks and `steps`: native code takes the rows in blocks of its own choice.
        verbose : {"auto", 0, 1, 2}, default 0
        steps : int, default None
            How many batches; None: all there are.
        callbacks : list of Callback, default None

        Returns
        -------
        numpy.ndarray, or a list of them for several outputs
        """
        size, count = checked_batch_size(batch_size, "batch_size"), checked_steps(steps, "steps")
        if self.predicts_by_steps:
            return self._predict_by_steps(x, size, verbose, count, callbacks)
        parts: Iterable[Any]
        if is_batches(x):
            warn_of_batch_size(batch_size)
            source = Batches(x, steps_name="steps")
            self._build_for(source.peek()[0])
            parts, n_batches = source.epoch(self._unlabelled, count), count or source.num_batches
        else:
            self._build_for(x)
            if callbacks is None and count is None and (shared := self._predict_shared(x)) is not None:
                return self._pack_outputs(shared)
            if callbacks is None and not verbose and count is None:
                return self._pack_outputs(self._predict_arrays(x))
            data = self._reader().read(x)
            n_batches = min(-(-data.n // size), count or data.n)
            if callbacks is None and not verbose:
                return self._pack_outputs(self._predict_dataset(data.slice(0, min(data.n, n_batches * size))))
            starts = range(0, n_batches * size, size)
            parts = (data.slice(start, min(start + size, data.n)) for start in starts)
        return concatenated(predict(self, parts, n_batches, verbose, callbacks, self._predict_part))

    def _predict_shared(self, x: object) -> list[Array] | None:
        """Predict this rank's rows and gather those of all, where every rank has been given all rows."""
        if distribution() is None:
            return None
        with shared_call(self, "predict") as sharing:
            if sharing is None or sharing.own_parts:
                return None
            data = self._reader().read(x)
            shares = [sharing.distribution.rows_of(rank, data.n) for rank in range(sharing.distribution.size)]
            outputs = self._predict_dataset(data.slice(*shares[sharing.distribution.rank].indices(data.n)[:2]))
            return [sharing.joined_rows(output, shares) for output in outputs]

    def _predict_part(self, part: object) -> Any:
        return self._pack_outputs(self._predict_arrays(part))

    def _unlabelled(self, x: object, *_: object) -> Any:
        """A batch as `_predict_arrays` takes it, checked."""
        reader = self._reader()
        return x if reader.in_place(x) else reader.read(x)

    def _predict_arrays(self, x: Any, make: Callable[..., Array] = np.empty) -> list[Array]:
        network, reader, interface = self._ready_network(), self._reader(), self.interface
        shapes = interface.output_shapes
        if not reader.in_place(x) or len(shapes) > 1:
            return self._predict_dataset(x if isinstance(x, Dataset) else reader.read(x), make)
        # Calls on few rows would spend most of their time in looking what x might be.
        output = make((len(x), *shapes[0][1:]), interface.dtype)
        network.predict([x], [output])
        return [output]

    def _predict_dataset(self, data: Dataset, make: Callable[..., Array] = np.empty) -> list[Array]:
        interface, network = self.interface, self._ready_network()
        outputs = [make((data.n, *shape[1:]), interface.dtype) for shape in interface.output_shapes]
        if data.in_memory:
            network.predict(data.inputs, outputs)
            return outputs
        for start in range(0, data.n, ROWS_AT_A_TIME):
            rows = slice(start, min(start + ROWS_AT_A_TIME, data.n))
            network.predict(data.take(rows).inputs, [output[rows] for output in outputs])
        return outputs

    # Single batches

    @overload
    def train_on_batch(
        self,
        x: object,
        y: object = None,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | None = None,
        *,
        return_dict: Literal[True],
    ) -> dict[str, float]: ...

    @overload
    def train_on_batch(
        self,
        x: object,
        y: object = None,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any: ...

    @knows_its_arguments
    def train_on_batch(
        self,
        x: object,
        y: object = None,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step on one batch; return its loss and metrics, before the step, as `evaluate` does."""
        with self._exclusive("train_on_batch"):
            if self._fits_by_steps:
                return self._batch_by_steps(self.train_step, (x, y, sample_weight), class_weight, return_dict)
            objectives = self._objectives_of(x, y, "train_on_batch")
            if isinstance(self.optimizer, optimizers.LBFGS):
                raise ValueError("LBFGS needs all rows at once: use fit. Received: train_on_batch")
            return self._one_batch(objectives, True, (x, y, sample_weight, class_weight), return_dict)

    @overload
    def test_on_batch(
        self, x: object, y: object = None, sample_weight: object = None, *, return_dict: Literal[True]
    ) -> dict[str, float]: ...

    @overload
    def test_on_batch(
        self, x: object, y: object = None, sample_weight: object = None, return_dict: bool = False
    ) -> Any: ...

    @knows_its_arguments
    def test_on_batch(
        self, x: object, y: object = None, sample_weight: object = None, return_dict: bool = False
    ) -> Any:
        """Measure one batch; return its loss and metrics as `evaluate` does."""
        with self._exclusive("test_on_batch"):
            if self.tests_by_steps:
                return self._batch_by_steps(self.test_step, (x, y, sample_weight), None, return_dict)
            objectives = self._objectives_of(x, y, "test_on_batch")
            return self._one_batch(objectives, False, (x, y, sample_weight, None), return_dict)

    def _one_batch(self, objectives: Objectives, training: bool, batch: tuple[Any, ...], return_dict: bool) -> Any:
        segment = SingleBatches.of(self, objectives, training).segment(*batch)
        totals = Totals(objectives)
        measure_batch(self, segment, training, totals)
        answer = results(totals.logs(), objectives, return_dict)
        if training:
            step_on_batch(self, segment, totals)
        return answer

    def predict_on_batch(self, x: object) -> Array | Any:
        """Compute the outputs for one batch."""
        if self.predicts_by_steps:
            return self._predict_batch_by_steps(x)
        self._build_for(x)
        return self._pack_outputs(self._predict_arrays(x))

    # State, for callbacks that save and restore

    def training_state(self) -> dict[str, Any]:
        """Return what `fit` needs besides the weights to go on bit for bit.

        Called from a callback in the middle of an epoch it holds what the epoch has added up so far, too.
        """
        state: dict[str, Any] = {"seed": self._seed_for_training(), "epochs_begun": self._epochs_begun}
        if self._totals is not None:
            state["totals"] = self._totals.state()
        return state if self.optimizer is None else {**state, "optimizer": self.optimizer.training_state()}

    def optimizer_state(self) -> dict[str, list[Array]]:
        """Return of every vector of the optimizer's state the part of each trainable variable; {} before a training."""
        if self.optimizer is None or not self.optimizer.state:
            return {}
        parameters = self._bind()
        adopt_state(self.optimizer, parameters)
        return {slot: parameters.split(vector) for slot, vector in self.optimizer.state.items()}

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `training_state` returned.

        With the keys "epoch" and "batch" the `fit` under way, or the next one, begins with that epoch (from 0) and
        leaves out so many of its batches.
        """
        seed = validation.integer(state["seed"], "seed", 0, 2**64 - 1)
        self._on_batch.clear()  # what it keeps draws by the seed
        self._seed, self._epochs_begun = seed, validation.non_negative_integer(state["epochs_begun"], "epochs_begun")
        if state.get("totals") is not None and self._objectives is not None:
            self._try_totals(self._objectives, state["totals"])
        if self.optimizer is not None and "optimizer" in state:
            self.optimizer.restore_training_state(state["optimizer"])
            self._check_vectors()
            if self.built:
                recognise(self.optimizer, self.trainable_variables)
        if "epoch" in state:
            epoch = validation.non_negative_integer(state["epoch"], "epoch")
            batch = validation.non_negative_integer(state.get("batch", 0), "batch")
            self._resumption = Resumption(epoch, batch, state.get("totals"))

    @staticmethod
    def _try_totals(objectives: Objectives, state: Mapping[str, object]) -> None:
        """Refuse what an epoch under way cannot go on with before it is begun."""
        try:
            Totals(objectives).restore(state)
        finally:
            objectives.reset()

    def _check_vectors(self) -> None:
        """Refuse an optimizer's state that does not fit the parameters, as far as these are known."""
        for name, vector in self.optimizer.state.items():
            if self._parameters is not None and vector.size != self._parameters.values.size:
                raise ValueError(
                    f"The optimizer's state {name!r} must have {self._parameters.values.size} numbers. "
                    f"Received: {vector.size}"
                )

    def swap_average_weights(self) -> None:
        """Exchange the weights and their moving average (an optimizer with use_ema=True keeps one)."""
        parameters = self._bind()
        average = getattr(self.optimizer, "state", {}).get("average")
        if average is None or average.size != parameters.values.size:
            raise ValueError("There is no average of the weights: train with an optimizer made with use_ema=True")
        weights = parameters.values.copy()
        parameters.values[...] = average
        average[...] = weights

    def overwrite_with_average(self) -> None:
        """Let the weights' moving average, if the optimizer keeps one, become the weights; `fit` ends with it."""
        optimizer = self.optimizer
        if optimizer.use_ema and optimizer.batches_seen and "average" in optimizer.state:
            self._bind().values[...] = optimizer.state["average"]
