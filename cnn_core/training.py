"""Training, evaluation and prediction: the loop around the native loop over batches. Floor 4.

Python decides what a batch is, when callbacks are asked and what the user sees; an epoch is one native call, cut into
slices of 50 ms after which signals are looked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from cnn_core import optimizers, random_state, validation
from cnn_core import losses as known_losses
from cnn_core import metrics as known_metrics
from cnn_core.arrays import Array
from cnn_core.callbacks import History
from cnn_core.data import Batches, Dataset, adapt, is_batches
from cnn_core.graph import flatten
from cnn_core.objectives import CompileArguments, Objectives
from cnn_core.parameters import ParameterVector, native_optimizer
from cnn_core.passes import BatchSource, FitPlan, Totals, dense, evaluate, fit, predict_with_hooks, run_epoch
from cnn_core.variables import Variable

DEFAULT_BATCH_SIZE = 32


class Trainer:
    """The part of a model that trains, evaluates and predicts. `Model` adds layers and the plan."""

    name: str
    built: bool

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.stop_training = False
        self.history: History | None = None
        self._arguments: CompileArguments | None = None
        self._objectives: Objectives | None = None
        self._parameters: ParameterVector | None = None
        self._training = threading.RLock()
        self._seed: int | None = None
        self._epochs_begun = 0
        self._batch_totals: Totals | None = None
        self._bound_moves = -1
        self._binding = threading.Lock()

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
        """
        new = optimizers.get(optimizer)
        for identifier in flatten(loss) if not _is_configuration(loss) else [loss]:
            known_losses.get(identifier)
        for identifier in (*flatten(metrics), *flatten(weighted_metrics)):
            if not (isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc", "crossentropy", "ce")):
                known_metrics.get(identifier)
        self.optimizer = new
        self._arguments = CompileArguments(loss, loss_weights, metrics, weighted_metrics)
        self._objectives = None

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
        """The metrics in use, once data has been seen."""
        return [] if self._objectives is None else [each.metric for each in self._objectives.metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The labels of what `evaluate` returns."""
        if self._objectives is None:
            return ["loss"]
        several = len(self._objectives.output_names) > 1
        return [
            "loss",
            *(each.label for each in self._objectives.losses if several),
            *(each.label for each in self._objectives.metrics),
        ]

    def _require_compiled(self, purpose: str) -> CompileArguments:
        if self._arguments is None:
            raise ValueError(f"`{purpose}` needs a compiled model: call compile(optimizer, loss) first")
        if self._arguments.loss is None:
            raise ValueError(f"`{purpose}` needs a loss: call compile(..., loss=...)")
        return self._arguments

    def _objectives_for(self, y: Any) -> Objectives:
        """Match losses and metrics to outputs; the first data seen decide what "accuracy" means."""
        if self._objectives is None:
            assert self._arguments is not None
            shapes = _target_shapes(y, self.output_names, self._arguments.loss)
            self._objectives = Objectives(self._arguments, self.output_names, self.output_shapes, shapes)
        return self._objectives

    # What the model adds

    output_names: list[str]
    output_shapes: list[tuple[Any, ...]]
    trainable_variables: list[Variable]

    def _network(self) -> Any:
        raise NotImplementedError

    def _input_specs(self) -> list[Any]:
        raise NotImplementedError

    def _build_for(self, x: Any) -> None:
        raise NotImplementedError

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        raise NotImplementedError

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        raise NotImplementedError

    # Parameters

    def _bind(self) -> ParameterVector:
        """Collect the trained variables in the flat vector and point the network at all of them."""
        variables = self.trainable_variables
        if self._parameters is None or not self._parameters.holds(variables):
            state = self._state_by_variable()
            self._parameters = ParameterVector(variables, self.compute_dtype)
            self._restore_state(state)
            self._network().bind(
            [variable.array for variable in self._plan_variables()],
            [self._parameters.gradient_of(variable) for variable in self._plan_variables()],
        )
        self._bound_moves = Variable.moves
        return self._parameters

    def _plan_variables(self) -> list[Variable]:
        raise NotImplementedError

    def _state_by_variable(self) -> dict[str, dict[int, Array]]:
        """The optimizer's state, cut up by variable, for a layout that is about to change."""
        if self.optimizer is None or self._parameters is None:
            return {}
        parameters = self._parameters
        return {
            name: {id(variable): part.copy() for variable, part in zip(parameters.variables, parameters.split(vector), strict=True)}
            for name, vector in self.optimizer.state.items()
            if vector.size == parameters.values.size
        }

    def _restore_state(self, state: dict[str, dict[int, Array]]) -> None:
        if self.optimizer is None or not state or self._parameters is None:
            return
        self.optimizer.state = {}
        native_optimizer(self._parameters, self.optimizer)
        for name, parts in state.items():
            if name in self.optimizer.state:
                for variable, view in zip(
                    self._parameters.variables, self._parameters.split(self.optimizer.state[name]), strict=True
                ):
                    if id(variable) in parts:
                        view[...] = parts[id(variable)]

    def _seed_for_training(self) -> int:
        if self._seed is None:
            self._seed = random_state.next_seed()
        return self._seed

    @contextmanager
    def _exclusive(self, purpose: str) -> Iterator[None]:
        if not self._training.acquire(blocking=False):
            raise RuntimeError(f"`{purpose}` was called while this model is being trained by another call")
        try:
            yield
        finally:
            self._training.release()

    # Data

    def _dataset(self, x: Any, y: Any, sample_weight: Any, class_weight: Any, objectives: Objectives | None) -> Dataset:
        return adapt(
            x,
            y,
            sample_weight,
            class_weight,
            input_specs=self._input_specs(),
            target_specs=objectives.target_specs() if objectives is not None else (),
            dtype=self.compute_dtype,
        )

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
            For generators: batches per epoch.
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
        with self._exclusive("fit"):
            batches = Batches(x) if is_batches(x) else None
            if batches is not None:
                _refuse_beside_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
                if validation_split:
                    raise ValueError("`validation_split` needs arrays. Received: a generator or PyDataset as x")
                x, y, sample_weight = batches.peek()
            self._build_for(x)
            objectives = self._objectives_for(y)
            plan = FitPlan(
                epochs=validation.positive_integer(epochs, "epochs"),
                initial_epoch=validation.non_negative_integer(initial_epoch, "initial_epoch"),
                batch_size=_batch_size(batch_size, "batch_size"),
                validation_batch_size=_batch_size(validation_batch_size or batch_size, "validation_batch_size"),
                steps_per_epoch=_steps(steps_per_epoch, "steps_per_epoch"),
                validation_steps=_steps(validation_steps, "validation_steps"),
                validation_freq=_frequency(validation_freq),
                shuffle=validation.boolean(shuffle, "shuffle"),
                verbose=verbose,
            )
            data: Dataset | None = None
            held_out: Any = None
            if batches is None:
                data = self._dataset(x, y, sample_weight, None, objectives)
                if validation_split and validation_data is None:
                    data, held_out = data.split(validation_split)
                data = data.weigh_classes(class_weight)
            if validation_data is not None:
                held_out = self._validation_source(validation_data, objectives)
            return fit(self, objectives, data if batches is None else batches, held_out, class_weight, plan, callbacks)

    def _validation_source(self, validation_data: Any, objectives: Objectives) -> Any:
        if is_batches(validation_data):
            return Batches(validation_data)
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError(
                "`validation_data` must be (x, y), (x, y, sample_weight), a generator or a PyDataset. "
                f"Received: {type(validation_data).__name__}"
            )
        return self._dataset(validation_data[0], validation_data[1], (*validation_data, None)[2], None, objectives)

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
            For generators: how many batches.
        callbacks : list of Callback, default None
        return_dict : bool, default False

        Returns
        -------
        float, list of float, or dict
            The loss alone if there is nothing else; else a list in the order of `metrics_names`, or a dict.
        """
        self._require_compiled("evaluate")
        size = _batch_size(batch_size, "batch_size")
        batches = Batches(x) if is_batches(x) else None
        if batches is not None:
            _refuse_beside_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
            x, y, sample_weight = batches.peek()
        self._build_for(x)
        with self._exclusive("evaluate"):
            objectives = self._objectives_for(y)
            source = batches or self._dataset(x, y, sample_weight, None, objectives)
            logs = evaluate(self, objectives, source, size, _steps(steps, "steps"), verbose, callbacks)
        if return_dict:
            return logs
        values = [logs[name] for name in self.metrics_names if name in logs]
        return values[0] if len(values) == 1 else values

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
            Only counts for callbacks and generators: native code takes the rows in blocks of its own choice.
        verbose : {"auto", 0, 1, 2}, default 0
        steps : int, default None
            For generators: how many batches.
        callbacks : list of Callback, default None

        Returns
        -------
        numpy.ndarray, or a list of them for several outputs
        """
        size = _batch_size(batch_size, "batch_size")
        if is_batches(x):
            batches = Batches(x)
            self._build_for(batches.peek()[0])
            parts = [self._predict_arrays(part) for part, *_ in batches.triples(_steps(steps, "steps"))]
            arrays = [np.concatenate(column) for column in zip(*parts, strict=True)]
            return self._pack_outputs(arrays)
        self._build_for(x)
        if callbacks is None and not verbose:
            return self._pack_outputs(self._predict_arrays(x))
        return self._pack_outputs(predict_with_hooks(self, self._dataset(x, None, None, None, None), size, verbose, callbacks))

    def _predict_arrays(self, x: Any) -> list[Array]:
        return self._predict_dataset(self._dataset(x, None, None, None, None))

    def _predict_dataset(self, data: Dataset) -> list[Array]:
        if not data.in_memory:
            step = 4096
            parts = [
                self._predict_dataset(dense(data.take(slice(start, min(start + step, data.n)))))
                for start in range(0, data.n, step)
            ]
            return [np.concatenate(column) for column in zip(*parts, strict=True)]
        network = self._ready_network()
        outputs = [np.empty((data.n, *shape[1:]), self.compute_dtype) for shape in self.output_shapes]
        network.predict(data.inputs, outputs)
        return outputs

    def _ready_network(self) -> Any:
        """The network, bound to where its variables live now."""
        network = self._network()
        if self._bound_moves != Variable.moves:
            with self._binding:
                gradients = self._parameters.gradient_of if self._parameters is not None else lambda variable: None
                network.bind(
                    [variable.array for variable in self._plan_variables()],
                    [gradients(variable) for variable in self._plan_variables()],
                )
                self._bound_moves = Variable.moves
        return network

    # Single batches

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step on one batch; return its loss and metrics as `evaluate` does.

        The metrics are those since the last `reset_metrics`, as in Keras.
        """
        self._require_compiled("train_on_batch")
        with self._exclusive("train_on_batch"):
            self._build_for(x)
            objectives = self._objectives_for(y)
            data = self._dataset(x, y, sample_weight, class_weight, objectives)
            return self._one_batch(objectives, data, True, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Measure one batch; return its loss and metrics as `evaluate` does."""
        self._require_compiled("test_on_batch")
        with self._exclusive("test_on_batch"):
            self._build_for(x)
            objectives = self._objectives_for(y)
            return self._one_batch(objectives, self._dataset(x, y, sample_weight, None, objectives), False, return_dict)

    def _one_batch(self, objectives: Objectives, data: Dataset, training: bool, return_dict: bool) -> Any:
        if self._batch_totals is None or self._batch_totals.objectives is not objectives:
            objectives.reset()
            self._batch_totals = Totals(objectives)
        source = BatchSource(self, objectives, data, data.n, training)
        run_epoch(self, source, self._batch_totals, training)
        logs = self._batch_totals.logs()
        if return_dict:
            return logs
        values = [logs[name] for name in self.metrics_names if name in logs]
        return values[0] if len(values) == 1 else values

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        self._build_for(x)
        return self._pack_outputs(self._predict_arrays(x))

    def reset_metrics(self) -> None:
        """Let `train_on_batch` and `test_on_batch` count anew."""
        self._batch_totals = None
        if self._objectives is not None:
            self._objectives.reset()

    # State, for callbacks that save and restore

    def training_state(self) -> dict[str, Any]:
        """Return what `fit` needs besides the weights to go on bit for bit."""
        state = {"seed": self._seed_for_training(), "epochs_begun": self._epochs_begun}
        return state if self.optimizer is None else {**state, "optimizer": self.optimizer.training_state()}

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `training_state` returned."""
        self._seed, self._epochs_begun = int(state["seed"]), int(state["epochs_begun"])
        if self.optimizer is not None and "optimizer" in state:
            self.optimizer.restore_training_state(state["optimizer"])

    def swap_average_weights(self) -> None:
        """Exchange the weights and their moving average (an optimizer with use_ema=True keeps one)."""
        parameters = self._bind()
        average = getattr(self.optimizer, "state", {}).get("average")
        if average is None or average.size != parameters.values.size:
            raise ValueError("There is no average of the weights: train with an optimizer made with use_ema=True")
        weights = parameters.values.copy()
        parameters.values[...] = average
        average[...] = weights


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


def _is_configuration(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_name" in value and "config" in value


def _target_shapes(y: Any, names: Sequence[str], loss: Any) -> list[tuple[int, ...]]:
    """The shapes of the targets as given, from which "accuracy" takes its meaning."""
    if isinstance(y, Mapping):
        parts = [y.get(name) for name in names]
    elif len(names) > 1 and isinstance(y, (list, tuple)):
        parts = list(y)
    else:
        parts = [y]
    return [() if part is None else tuple(np.shape(part)) for part in parts]
