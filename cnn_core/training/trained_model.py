"""What the loops of training ask of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import cnn_core._core as _core
from cnn_core.data.adapt import Reader
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.parameters import ParameterVector
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.training.objectives import Objectives
from cnn_core.training.totals import Totals

if TYPE_CHECKING:
    from cnn_core.optimizers import Optimizer


class Resumption(NamedTuple):
    """Where an interrupted training goes on.

    Attributes
    ----------
    epoch : int
        The epoch to go on with, from 0.
    batch : int
        Batches of it that are done.
    totals : mapping or None
        What they added up, as `Totals.state` gives it.
    """

    epoch: int
    batch: int
    totals: Mapping[str, Any] | None


class TrainedModel(Protocol):
    """A compiled model whose layers are built; `Trainer` is one.

    Attributes
    ----------
    stop_training, stop_evaluating, stop_predicting : bool
        Set by callbacks, for the loop to end after the batch.
    """

    optimizer: Optimizer
    stop_training: bool
    stop_evaluating: bool
    stop_predicting: bool
    _epochs_begun: int  # of all calls of `fit`; each names the stream of its order
    _totals: Totals | None
    _on_batch: dict[bool, Any]  # by whether they train: `SingleBatches`
    _resumption: Resumption | None
    _bound_moves: int  # of variables, when the native network was bound
    _depth: int  # of calls that are under way

    @property
    def steps_per_execution(self) -> int:
        """How many batches run between two calls of callbacks' hooks of batches."""

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The dtype in which the model computes."""

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        """The shape of every output."""

    @property
    def variables(self) -> Sequence[Variable]:
        """All of them, trained or not."""

    def training_state(self) -> dict[str, Any]:
        """Return what `fit` needs besides the weights to go on bit for bit."""

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `training_state` returned."""

    def plan(self) -> NetworkPlan:
        """Compile the layers into a list of operations."""

    def overwrite_with_average(self) -> None:
        """Take the optimizer's moving average for the weights, if it keeps one."""

    def _network(self) -> _core.Network: ...

    def _bind(self) -> ParameterVector: ...

    def _hold_variables(self) -> None: ...

    def _refuse_uncompiled_optimizer(self) -> None: ...

    def _seed_for_training(self) -> int: ...

    def _take_resumption(self) -> Resumption | None: ...

    def _predict_arrays(self, x: object) -> list[Array]: ...

    def _pack_outputs(self, arrays: list[Array]) -> Any: ...

    def _reader(self, objectives: Objectives | None = None) -> Reader: ...
