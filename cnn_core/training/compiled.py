"""What `compile` makes of a model: losses, metrics, an optimizer, and the native network."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
import cnn_core.optimizers as optimizers
from cnn_core.callbacks import History
from cnn_core.data.adapt import Reader, refuse_without_targets
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.network.graph import UndefinedError
from cnn_core.network.interface import Interface
from cnn_core.network.parameters import ParameterVector
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.training.objectives import UNSEEN, CompileArguments, Objectives
from cnn_core.training.segments import SingleBatches
from cnn_core.training.totals import Totals
from cnn_core.training.trained_model import Resumption

if TYPE_CHECKING:
    from cnn_core.losses.lookup import LossLike
    from cnn_core.metrics.lookup import MetricLike
    from cnn_core.optimizers.lookup import OptimizerLike


class _Exclusive:
    """Holds a model for one thread, which may hold it several times over."""

    _own_metrics: Sequence[tuple[Any, list[Array]]] = ()  # those of custom steps under way, and what they had added up

    def __init__(self, model: Compiled, purpose: str) -> None:
        self._model = model
        self._purpose = purpose
        self._metrics: tuple[Objectives, Any] | None = None

    def __enter__(self) -> None:
        model = self._model
        if not model._training.acquire(blocking=False):
            raise RuntimeError(f"`{self._purpose}` was called while another thread trains or evaluates this model")
        model._depth += 1
        if model._depth > 1 and model._objectives is not None:
            self._metrics = model._objectives, model._objectives.state()
        if model._depth > 1 and (model._fits_by_steps or model.tests_by_steps):
            self._own_metrics = [(each, [total.numpy() for total in each.variables]) for each in model.metrics]

    def __exit__(self, kind: object, error: object, traceback: object) -> None:  # no tuple of them: see `step_on_batch`
        if self._metrics is not None:
            objectives, state = self._metrics
            objectives.restore(state)
        if self._own_metrics:
            self._restore_own_metrics()
        self._model._depth -= 1
        self._model._training.release()

    def _restore_own_metrics(self) -> None:
        for metric, values in self._own_metrics:
            for total, value in zip(metric.variables, values, strict=True):
                total.assign(value)


class Compiled:
    """A model as `compile` leaves it: losses, metrics, an optimizer, the native network.

    Attributes
    ----------
    trains_by_steps, tests_by_steps, predicts_by_steps : bool
        Whether the class overrides a step, or what the step calls; then Python is handed every batch.
    """

    # Attributes that neither copies nor pickles carry: native memory, locks, and what follows from the rest.
    _transient: ClassVar[frozenset[str]] = frozenset(
        {
            "_native", "_plan", "_parameters", "_bound_moves", "_held_moves", "_collected", "_trained", "_on_batch",
            "_readers", "_interface", "_traces", "_losses_of_call", "_unmeasured", "_adds_losses", "calls",
            "_holders", "_training", "_binding", "_depth", "_fits", "_totals", "_resumption", "_trackers",
            "_planned_at",
        }
    )  # fmt: skip

    trains_by_steps: ClassVar[bool] = False
    tests_by_steps: ClassVar[bool] = False
    predicts_by_steps: ClassVar[bool] = False
    name: str
    built: bool

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history: History | None = None
        self._arguments: CompileArguments | None = None
        self._objectives: Objectives | None = None
        self._trackers: dict[str, Any] = {}  # means of losses, where steps are overridden
        self._fits_by_steps = False
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
        self._native: _core.Network | None = None
        self._plan: NetworkPlan | None = None
        self._adds_losses = False  # whether the plan does
        self._planned_at = -1
        self._bound_moves = self._held_moves = self._collected = -1
        self._trained: tuple[int, list[Variable]] = (-1, [])
        self._on_batch: dict[bool, SingleBatches] = {}
        self._readers: dict[Objectives | None, Reader] = {}

    def _forget_objectives(self) -> None:
        """Drop what reads and runs batches for losses and metrics, because there are others."""
        self._objectives = None
        self._on_batch.clear()
        self._readers.clear()

    # Compiling

    @knows_its_arguments
    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossLike | Sequence[LossLike] = None,
        loss_weights: float | Sequence[float] | Mapping[str, float] | None = None,
        metrics: MetricLike | Sequence[MetricLike | Sequence[MetricLike]] = None,
        weighted_metrics: MetricLike | Sequence[MetricLike | Sequence[MetricLike]] = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | Literal["auto"] = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say what to minimise, how, and what to measure.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str or Loss, or list or dict of them by output, default None
            None: what `add_loss` in a `call` and penalties add, or what custom steps compute.
        loss_weights : list or dict of float, default None
            What each output's loss is multiplied by.
        metrics, weighted_metrics : list of str or Metric, or list or dict of such lists by output
            The latter count samples by their weights.
        steps_per_execution : int, default 1
            How many batches run between two calls of callbacks' hooks of batches, which then are told of the first and
            the last of them. Without such callbacks the loop over batches is native anyway.
        run_eagerly, jit_compile, auto_scale_loss
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
        steps = validation.positive_integer(steps_per_execution, "steps_per_execution")
        arguments = CompileArguments(loss, loss_weights, metrics, weighted_metrics, steps)
        arguments.check()
        self.optimizer = found
        self._arguments = arguments
        self._trackers = {}
        self._fits_by_steps = self.trains_by_steps or found.steps_itself
        self._forget_objectives()

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._arguments is not None

    @property
    def loss(self) -> Any:
        """The loss given to `compile`."""
        return None if self._arguments is None else self._arguments.loss

    @property
    def steps_per_execution(self) -> int:
        """How many batches run between two calls of callbacks' hooks of batches."""
        return 1 if self._arguments is None else self._arguments.steps_per_execution

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
        return self._arguments

    def _refuse_uncompiled_optimizer(self) -> None:
        if self.optimizer.steps_itself and not self._fits_by_steps:
            raise ValueError(
                f"`compile` must be given {type(self.optimizer).__name__}, which defines `update_step`, so that "
                "batches are handed to it one by one. Received: an optimizer set as an attribute"
            )

    def _objectives_for(self, y: object, purpose: str) -> Objectives:
        """Match losses and metrics to outputs; the first data seen decide what "accuracy" means."""
        arguments = self._require_compiled(purpose)
        if self._objectives is None or not self._objectives.settled:
            self._forget_objectives()
            if arguments.loss is None:
                self._require_added_losses(purpose)
            self._objectives = self._match(arguments, y)
        self._network()
        assert self._plan is not None
        self._objectives.warn_of_constants(self._plan)
        return self._objectives

    def _require_added_losses(self, purpose: str) -> None:
        """Refuse to train or measure a model without any loss: compiled, added in a `call`, or on weights."""
        self._network()
        if not self._adds_losses and all(each.regularizer is None for each in self.trainable_variables):
            raise ValueError(f"`{purpose}` needs a loss: call compile(..., loss=...), or add_loss in a `call`")

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

    def _match(self, arguments: CompileArguments, y: object = UNSEEN) -> Objectives:
        form, masked = self.interface.output_form, self.interface.masked
        return Objectives(arguments, self.output_names, self.output_shapes, y, form=form, masked=masked)

    def _objectives_of(self, x: object, y: object, purpose: str) -> Objectives:
        """Build the model for x, if it waits for data, and match losses and metrics to its outputs."""
        if y is None and self.loss is not None:
            refuse_without_targets(x)
        self._build_for(x)
        return self._objectives_for(y, purpose)

    def _reader(self, objectives: Objectives | None = None) -> Reader:
        """What reads this model's data; without objectives for prediction."""
        reader = self._readers.get(objectives)
        if reader is None:
            interface = self.interface
            specs = [] if objectives is None else objectives.target_specs
            forms = interface.input_form, interface.output_form
            sparse = self._network().takes_sparse
            reader = self._readers[objectives] = Reader(
                interface.inputs, specs, interface.dtype, *forms, sparse, interface.translation
            )
        return reader

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
    def array_dtype(self) -> np.dtype[Any]:
        """The dtype in which the model computes."""
        raise NotImplementedError

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those that training changes."""
        raise NotImplementedError

    if TYPE_CHECKING:  # a layer, which a model is as well, has it

        @property
        def dtype(self) -> str: ...

        @property
        def variables(self) -> list[Variable]: ...

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations."""
        raise NotImplementedError

    def _build_for(self, x: object) -> None:
        raise NotImplementedError

    def _pack_outputs(self, arrays: list[Array]) -> Any:
        raise NotImplementedError

    # The network and its parameters

    def _network(self) -> _core.Network:
        """The native network; its parameters may have moved since it was bound."""
        if self._native is None or self._planned_at != NetworkPlan.changes:
            with self._binding:
                if self._native is None or self._planned_at != NetworkPlan.changes:
                    self._planned_at, self._on_batch, self._readers = NetworkPlan.changes, {}, {}
                    self._plan = self.plan()
                    self._adds_losses = any(operation.adds_to_loss for operation in self._plan.operations)
                    self._bound_moves = -1
                    self._native = _core.Network(self.array_dtype.name, self._plan)
        return self._native

    def _ready_network(self) -> _core.Network:
        """The native network, bound to where its variables live now."""
        network = self._native
        if network is None or self._bound_moves != Variable.moves:
            network = self._network()
            with self._binding:
                moves = Variable.moves
                plan, parameters = self._plan, self._parameters
                assert plan is not None
                gradients = [None if parameters is None else parameters.gradient_of(each) for each in plan.variables]
                network.bind([variable.in_dtype(network.dtype) for variable in plan.variables], gradients)
                self._bound_moves = moves
        return network

    def _bind(self) -> ParameterVector:
        """Collect the trained variables in the flat vector and point the network at all of them."""
        if self._collected != Variable.changes and (self._fits == 0 or self._parameters is None):
            changes, variables = Variable.changes, self.trainable_variables
            if self._parameters is None or not self._parameters.is_of(variables):
                self._parameters = ParameterVector(variables, self.array_dtype)
                self._bound_moves = self._held_moves = -1
                self._on_batch.clear()
            self._collected = changes
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
