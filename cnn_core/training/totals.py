"""What native passes have counted, added up to the logs of an epoch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, TypeAlias

from cnn_core.training.objectives import Objectives

# What a native pass has counted: samples, penalties, each loss, and each metric's total and count.
Taken: TypeAlias = tuple[float, float, list[float], list[tuple[float, float]]]


class Totals:
    """What passes have added up: losses here, metrics in their own objects.

    Parameters
    ----------
    objectives : Objectives
    resets : bool, default True
        Whether the metrics begin again.

    Attributes
    ----------
    batches : int
        Finished in this epoch.
    samples : float
    penalties : float
        Sum over samples of the penalties of their batches.
    losses : list of float
        The same of each loss, unweighted.
    """

    def __init__(self, objectives: Objectives, resets: bool = True) -> None:
        self.objectives = objectives
        self.batches = 0
        self.samples = 0.0
        self.penalties = 0.0
        self.losses = [0.0] * len(objectives.losses)
        if resets:
            objectives.reset()

    def add(self, taken: Taken) -> None:
        """Add what a native pass has counted, as its `take_totals` returns it."""
        samples, penalties, losses, metrics = taken
        self.samples += samples
        self.penalties += penalties
        self.losses = list(map(operator.add, self.losses, losses))
        for each, (total, count) in zip(self.objectives.native_metrics, metrics, strict=True):
            each.metric.accumulate(total, count)

    def logs(self) -> dict[str, Any]:
        """Return the loss, each output's loss if there are several, and the metrics; nothing if no batch was seen."""
        if self.samples == 0 and self.penalties == 0:
            return {}
        return self.loss_logs() | self.objectives.results()

    def loss_logs(self) -> dict[str, float]:
        """Return the loss, and each output's loss if there are several."""
        n = self.samples or 1.0
        losses = self.objectives.losses
        weighted = sum(each.weight * total for each, total in zip(losses, self.losses, strict=True))
        logs = {"loss": (weighted + self.penalties) / n}
        if len(losses) > 1:
            logs |= {each.label: total / n for each, total in zip(losses, self.losses, strict=True)}
        return logs

    def state(self) -> dict[str, Any]:
        """Return it all as plain data, for a training that will go on elsewhere."""
        return {
            "batches": self.batches,
            "samples": self.samples,
            "penalties": self.penalties,
            "losses": self.losses,
            "metrics": self.objectives.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.batches = int(state["batches"])
        self.samples, self.penalties = float(state["samples"]), float(state["penalties"])
        losses = [float(loss) for loss in state["losses"]]
        if len(losses) != len(self.losses):
            raise ValueError(f"`losses` must have {len(self.losses)} numbers. Received: {len(losses)}")
        self.losses = losses
        self.objectives.restore(state["metrics"])
