"""Training, evaluation and prediction: the loop around the native loop over batches. Floor 4.

Python decides what a batch is, when callbacks are asked and what the user sees; an epoch, or many that nobody
watches, is one native call, cut into slices of 50 ms after which signals are looked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core._core as _core
import cnn_core.optimizers as optimizers
import cnn_core.random_state as random_state
import cnn_core.validation as validation
from cnn_core.arrays import Array
from cnn_core.callbacks import History
from cnn_core.data import ROWS_AT_A_TIME, Batches, Dataset, adapt, holds_arrays, is_batches, refuse_without_targets
from cnn_core.fitting import FitPlan, Resumption, evaluate, fit, predict
from cnn_core.graph import UndefinedError
from cnn_core.interface import Interface
from cnn_core.objectives import UNSEEN, CompileArguments, Objectives
from cnn_core.parameters import ParameterVector
from cnn_core.passes import BatchSource, Totals, run_epoch
from cnn_core.variables import Variable

if TYPE_CHECKING:
    from cnn_core.plan import NetworkPlan

DEFAULT_BATCH_SIZE = 32


class _Exclusive:
    """Holds a model for one thread, which may hold it several times over."""

    def __init__(self, model: Trainer, purpose: str) -> None:
        self._model = model
        self._purpose = purpose
        self._metrics: Any = None

    def __enter__(self) -> None:
        model = self._model
        if not model._training.acquire(blocking=False):
            raise RuntimeError(f"`{self._purpose}` was called while another thread trains or evaluates this model")
        model._depth += 1
        if model._depth > 1 and model._objectives is not None:
            self._metrics = model._objectives, model._objectives.state()

    def __exit__(self, *exception: object) -> None:
        if self._metrics is not None:
            objectives, state = self._metrics
            objectives.restore(state)
        self._model._depth -= 1
        self._model._training.release()


class Trainer:
    """The part of a model that trains, evaluates and predicts. `Model` adds layers and the plan."""

    # Attributes that neither copies nor pickles carry: native memory, locks, and what follows from the rest.
    _transient: ClassVar[frozenset[str]] = frozenset(
        {
            "_native", "_plan", "_parameters", "_bound_moves", "_held_moves", "_trained", "_on_batch", "_interface",
            "calls", "_training", "_binding", "_depth", "_fits", "_totals", "_resumption",
        }
    )  # fmt: skip

    name: str
    built: bool

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history: History | None = None
        self._arguments: CompileArguments | None = None
        self._objectives: Objectives | None = None
        self._seed: int | None = None
        self._epochs_begun = 0
        # What copies and pickles do not carry
        self._parameters: ParameterVector | None = None
        self._training = threading.RLock()
        self._depth = 0  # calls under way that hold the lock: a callback may evaluate in the middle of fit
        self._fits = 0  # of them, those of fit
        self._totals: Totals | None = None
        self._resumption: Resumption | None = None
        self._binding = threading.Lock()
        self._forget_network()

    def _forget_network(self) -> None:
        """Drop what was compiled from the layers, because they have changed."""
        self._native: Any = None
        self._plan: NetworkPlan | None = None
        self._bound_moves = self._held_moves = -1
        self._trained: tuple[int, list[Variable]] = (-1, [])
        self._on_batch: dict[bool, BatchSource] = {}

    # Compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say what to minimise, how, and what to measure.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str or Loss, or list or dict of them by output
        loss_weights : list or dict of float, default None
            What each output's loss is multiplied by.
        metrics, weighted_metrics : list of str or Metric, or list or dict of such lists by output
            The latter count samples by their weights.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted because Keras has them; they change nothing here.

        Raises
        ------
        ValueError
            If a name is unknown.
        RuntimeError
            If the model trains or evaluates meanwhile, as for a callback.
        """
        self._refuse_while_training("compile")
        found = optimizers.get(optimizer)
        arguments = CompileArguments(loss, loss_weights, metrics, weighted_metrics)
        arguments.check()
        self.optimizer = found
        self._arguments = arguments
        self._objectives = None
        self._on_batch.clear()

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._arguments is not None

    @property
    def loss(self) -> Any:
        """The loss given to `compile`."""
        return None if self._arguments is None else self._arguments.loss

    @property
    def metrics(self) -> list[Any]:
        """The metrics in use; what "accuracy" stands for may change with the first data."""
        objectives = self._expected_objectives()
        return [] if objectives is None else [each.metric for each in objectives.metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The labels of what `evaluate` returns."""
        objectives = self._expected_objectives()
        return ["loss"] if objectives is None else objectives.labels

    def _require_compiled(self, purpose: str) -> CompileArguments:
        if self._arguments is None:
            raise ValueError(f"`{purpose}` needs a compiled model: call compile(optimizer, loss) first")
        if self._arguments.loss is None:
            raise ValueError(f"`{purpose}` needs a loss: call compile(..., loss=...)")
        return self._arguments

    def _objectives_for(self, y: Any, purpose: str) -> Objectives:
        """Match losses and metrics to outputs; the first data seen decide what "accuracy" means."""
        arguments = self._require_compiled(purpose)
        if self._objectives is None or not self._objectives.settled:
            self._objectives = self._match(arguments, y)
            self._on_batch.clear()
        self._network()
        assert self._plan is not None
        self._objectives.warn_of_constants(self._plan)
        return self._objectives

    def _expected_objectives(self) -> Objectives | None:
        """Match losses and metrics to outputs before any data is seen, as far as can be told."""
        arguments = self._arguments
        if self._objectives is None and arguments is not None and arguments.loss is not None:
            try:
                if not self.built:
                    return Objectives(arguments, ["output"], [(None, 1)])
                self._objectives = self._match(arguments)
            except ValueError as error:
                raise UndefinedError(str(error)) from error
        return self._objectives

    def _match(self, arguments: CompileArguments, y: Any = UNSEEN) -> Objectives:
        return Objectives(arguments, self.output_names, self.output_shapes, y, form=self.interface.output_form)

    def _objectives_of(self, x: Any, y: Any, purpose: str) -> Objectives:
        """Build the model for x, if it waits for data, and match losses and metrics to its outputs."""
        if y is None:
            refuse_without_targets(x)
        self._build_for(x)
        return self._objectives_for(y, purpose)

    # What the model adds

    @property
    def interface(self) -> Interface:
        """What the model takes and gives."""
        raise NotImplementedError

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        raise NotImplementedError

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        """The shape of every output."""
        raise NotImplementedError

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        """The dtype in which the model computes."""
        raise NotImplementedError

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those that training changes."""
        raise NotImplementedError

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations."""
        raise NotImplementedError

    def _build_for(self, x: Any) -> None:
        raise NotImplementedError

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        raise NotImplementedError

    # The network and its parameters

    def _network(self) -> Any:
        """The native network; its parameters may have moved since it was bound."""
        if self._native is None:
            with self._binding:
                if self._native is None:
                    self._plan = self.plan()
                    self._bound_moves = -1
                    self._native = _core.Network(self.compute_dtype.name, self._plan)
        return self._native

    def _ready_network(self) -> Any:
        """The native network, bound to where its variables live now."""
        network = self._network()
        if self._bound_moves != Variable.moves:
            with self._binding:
                moves = Variable.moves
                plan, parameters = self._plan, self._parameters
                assert plan is not None
                gradients = [None if parameters is None else parameters.gradient_of(each) for each in plan.variables]
                network.bind([variable.array for variable in plan.variables], gradients)
                self._bound_moves = moves
        return network

    def _bind(self) -> ParameterVector:
        """Collect the trained variables in the flat vector and point the network at all of them."""
        variables = self.trainable_variables if self._fits == 0 or self._parameters is None else None
        if variables is not None and (self._parameters is None or not self._parameters.is_of(variables)):
            self._parameters = ParameterVector(variables, self.compute_dtype)
            self._bound_moves = self._held_moves = -1
            self._on_batch.clear()
        assert self._parameters is not None
        self._hold_variables()
        return self._parameters

    def _hold_variables(self) -> None:
        """Take the trained variables back if another model that shares them has trained meanwhile."""
        if self._held_moves != Variable.moves:
            if self._parameters is not None:
                self._parameters.reclaim()
            self._held_moves = Variable.moves
        self._ready_network()

    def _seed_for_training(self) -> int:
        if self._seed is None:
            self._seed = random_state.next_seed()
        return self._seed

    def _exclusive(self, purpose: str) -> _Exclusive:
        """Let one thread at a time train or evaluate; what a callback runs within leaves its metrics alone."""
        return _Exclusive(self, purpose)

    def _refuse_while_training(self, purpose: str) -> None:
        """Keep callbacks, and other threads, from changing what a training is under way with."""
        if self._depth:
            raise RuntimeError(
                f"`{purpose}` cannot be called while the model trains or evaluates: set stop_training = True, and call "
                f"it after `fit`"
            )

    # Data

    def _dataset(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        objectives: Objectives | None = None,
    ) -> Dataset:
        """Check data and bring it into the model's form; without objectives for prediction."""
        interface = self.interface
        if isinstance(sample_weight, Mapping) or holds_arrays(sample_weight):
            sample_weight = interface.output_form.by_name(sample_weight, "sample_weight")
        data = adapt(
            interface.input_form.by_name(x, "x"),
            None if objectives is None else objectives.targets_of(y),
            sample_weight,
            class_weight,
            input_specs=interface.inputs,
            target_specs=() if objectives is None else objectives.target_specs(),
            dtype=interface.dtype,
        )
        if objectives is not None:
            objectives.check_targets(data)
        return data.keep_sparse(self._network().takes_sparse)

    # fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
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
        epochs : int, default 1
            The number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 silent, 1 a bar, 2 a line per epoch; "auto" is 1.
        callbacks : list of Callback, default None
        validation_split : float, default 0
            The share of the last rows that is set apart before shuffling.
        validation_data : tuple (x, y) or (x, y, sample_weight), generator or PyDataset
        shuffle : bool, default True
            Whether the order of samples is drawn anew for every epoch.
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
            batch_size=_batch_size(batch_size, "batch_size"),
            validation_batch_size=_batch_size(validation_batch_size or batch_size, "validation_batch_size"),
            steps_per_epoch=_steps(steps_per_epoch, "steps_per_epoch"),
            validation_steps=_steps(validation_steps, "validation_steps"),
            validation_freq=_frequency(validation_freq),
            shuffle=validation.boolean(shuffle, "shuffle"),
            verbose=verbose,
        )
        with self._exclusive("fit"):
            source: Dataset | Batches
            held_out: Dataset | Batches | None = None
            if is_batches(x):
                _refuse_beside_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
                _refuse_beside_batches(validation_split=validation_split or None)
                source = Batches(x)
                objectives = self._objectives_of(*source.peek()[:2], "fit")
            else:
                objectives = self._objectives_of(x, y, "fit")
                source = self._dataset(x, y, sample_weight, None, objectives)
                if validation_split and validation_data is None:
                    source, held_out = source.split(validation_split)
                source = source.weigh_classes(class_weight)
            if validation_data is not None:
                held_out = self._validation_source(validation_data, objectives)
            self._bind()
            self._fits += 1
            try:
                return fit(self, objectives, source, held_out, class_weight, plan, callbacks)
            finally:
                self._fits -= 1
                self._totals = None

    def _validation_source(self, validation_data: Any, objectives: Objectives) -> Dataset | Batches:
        if is_batches(validation_data):
            return Batches(validation_data, "validation_data", "validation_steps")
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError(
                "`validation_data` must be (x, y), (x, y, sample_weight), a generator or a PyDataset. "
                f"Received: {validation.show(validation_data)}"
            )
        x, y, sample_weight = (*validation_data, None)[:3]
        return self._dataset(x, y, sample_weight, None, objectives)

    def _take_resumption(self) -> Resumption | None:
        """Where a callback has asked the training to go on; asked once."""
        resumption, self._resumption = self._resumption, None
        return resumption

    # evaluate and predict

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure the loss and the metrics.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`.
        batch_size : int, default 32
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
        size, count = _batch_size(batch_size, "batch_size"), _steps(steps, "steps")
        with self._exclusive("evaluate"):
            source: Dataset | Batches
            if is_batches(x):
                _refuse_beside_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
                source = Batches(x, steps_name="steps")
                objectives = self._objectives_of(*source.peek()[:2], "evaluate")
            else:
                objectives = self._objectives_of(x, y, "evaluate")
                source = self._dataset(x, y, sample_weight, None, objectives)
            batches = BatchSource(self, objectives, source, size, False, count)
            logs = evaluate(self, objectives, batches, verbose, callbacks)
        return _results(logs, objectives, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Compute the outputs for every row.

        Any number of threads may predict at once. (Keras shows a progress bar; here `verbose` is 0 by default, since
        a prediction rarely takes long enough.)

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
        size, count = _batch_size(batch_size, "batch_size"), _steps(steps, "steps")
        parts: Iterable[Any]
        if is_batches(x):
            source = Batches(x, steps_name="steps")
            self._build_for(source.peek()[0])
            parts, n_batches = source.epoch(self._unlabelled, count), count or source.num_batches
        else:
            self._build_for(x)
            if callbacks is None and not verbose and count is None:
                return self._pack_outputs(self._predict_arrays(x))
            data = self._dataset(x)
            n_batches = min(-(-data.n // size), count or data.n)
            if callbacks is None and not verbose:
                return self._pack_outputs(self._predict_dataset(data.slice(0, min(data.n, n_batches * size))))
            starts = range(0, n_batches * size, size)
            parts = (data.slice(start, min(start + size, data.n)) for start in starts)
        return self._pack_outputs(predict(self, parts, n_batches, verbose, callbacks))

    def _unlabelled(self, x: Any, *_: Any) -> Any:
        """A batch as `_predict_arrays` takes it, checked."""
        return x if _is_plain(x, self.interface) else self._dataset(x)

    def _predict_arrays(self, x: Any) -> list[Array]:
        interface, network = self.interface, self._ready_network()
        if not _is_plain(x, interface) or len(interface.output_shapes) > 1:
            return self._predict_dataset(x if isinstance(x, Dataset) else self._dataset(x))
        # Calls on few rows would spend most of their time in looking what x might be.
        output = np.empty((len(x), *interface.output_shapes[0][1:]), interface.dtype)
        network.predict([x], [output])
        return [output]

    def _predict_dataset(self, data: Dataset) -> list[Array]:
        interface, network = self.interface, self._ready_network()
        outputs = [np.empty((data.n, *shape[1:]), interface.dtype) for shape in interface.output_shapes]
        if data.in_memory:
            network.predict(data.inputs, outputs)
            return outputs
        for start in range(0, data.n, ROWS_AT_A_TIME):
            rows = slice(start, min(start + ROWS_AT_A_TIME, data.n))
            network.predict(data.take(rows).inputs, [output[rows] for output in outputs])
        return outputs

    # Single batches

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step on one batch; return its loss and metrics, before the step, as `evaluate` does."""
        with self._exclusive("train_on_batch"):
            objectives = self._objectives_of(x, y, "train_on_batch")
            if isinstance(self.optimizer, optimizers.LBFGS):
                raise ValueError("LBFGS needs all rows at once: use fit. Received: train_on_batch")
            data = self._dataset(x, y, sample_weight, class_weight, objectives)
            return self._one_batch(objectives, data, True, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Measure one batch; return its loss and metrics as `evaluate` does."""
        with self._exclusive("test_on_batch"):
            objectives = self._objectives_of(x, y, "test_on_batch")
            data = self._dataset(x, y, sample_weight, None, objectives)
            return self._one_batch(objectives, data, False, return_dict)

    def _one_batch(self, objectives: Objectives, data: Dataset, training: bool, return_dict: bool) -> Any:
        self._bind()
        source = self._on_batch.get(training)
        if source is None:
            source = self._on_batch[training] = BatchSource(self, objectives, data, data.n, training)
        source.use(data)
        totals = Totals(objectives)
        run_epoch(self, source, totals, training)
        return _results(totals.logs(), objectives, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        self._build_for(x)
        return self._pack_outputs(self._predict_arrays(x))

    def reset_metrics(self) -> None:
        """Let every metric start anew; `fit`, `evaluate` and the calls for one batch do so by themselves."""
        if self._objectives is not None:
            self._objectives.reset()

    # State, for callbacks that save and restore

    def training_state(self) -> dict[str, Any]:
        """Return what `fit` needs besides the weights to go on bit for bit.

        Called from a callback in the middle of an epoch it holds what the epoch has added up so far, too.
        """
        state: dict[str, Any] = {"seed": self._seed_for_training(), "epochs_begun": self._epochs_begun}
        if self._totals is not None:
            state["totals"] = self._totals.state()
        return state if self.optimizer is None else {**state, "optimizer": self.optimizer.training_state()}

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `training_state` returned.

        With the keys "epoch" and "batch" the `fit` under way, or the next one, begins with that epoch (from 0) and
        leaves out so many of its batches.
        """
        seed = validation.integer(state["seed"], "seed", 0, 2**64 - 1)
        self._seed, self._epochs_begun = seed, validation.non_negative_integer(state["epochs_begun"], "epochs_begun")
        if self.optimizer is not None and "optimizer" in state:
            self.optimizer.restore_training_state(state["optimizer"])
        if "epoch" in state:
            epoch = validation.non_negative_integer(state["epoch"], "epoch")
            batch = validation.non_negative_integer(state.get("batch", 0), "batch")
            self._resumption = Resumption(epoch, batch, state.get("totals"))

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


def _is_plain(x: Any, interface: Interface) -> bool:
    """Whether native code can read x as it stands, and nothing is wrong with it."""
    return (
        type(x) is np.ndarray
        and x.dtype == interface.dtype
        and x.ndim == 2
        and x.shape[1] == interface.width
        and len(x) > 0
        and x.flags.c_contiguous
        and x.flags.aligned
        and _core.all_finite(x)
    )


def _results(logs: Mapping[str, Any], objectives: Objectives, return_dict: bool) -> Any:
    """Return a dict with sorted keys; or the loss alone if there is nothing else, else a list in the labels' order."""
    if return_dict:
        return dict(sorted(logs.items()))
    values = [logs[label] for label in objectives.labels]
    return values[0] if len(values) == 1 else values


def _batch_size(value: Any, name: str) -> int:
    return DEFAULT_BATCH_SIZE if value is None else validation.positive_integer(value, name)


def _steps(value: Any, name: str) -> int | None:
    return None if value is None else validation.positive_integer(value, name)


def _frequency(value: Any) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(value, (list, tuple, set)):
        chosen = {validation.positive_integer(epoch, "validation_freq") for epoch in value}
        return chosen.__contains__
    every = validation.positive_integer(value, "validation_freq")
    return lambda epoch: epoch % every == 0


def _refuse_beside_batches(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"`{name}` must be None when x yields batches. Received: {name}={validation.show(value)}")
