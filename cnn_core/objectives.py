"""What a compiled model minimises and measures: losses and metrics matched to its outputs. Floor 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_core import losses, metrics, validation
from cnn_core.arrays import Array
from cnn_core.data import TargetSpec


@dataclass
class OutputMetric:
    """A metric of one output, and how it is added up."""

    metric: Any
    label: str
    output: int
    target: int
    weighted: bool
    native: bool


@dataclass
class OutputLoss:
    """A loss of one output."""

    loss: Any
    output: int
    weight: float
    label: str


class Objectives:
    """Losses and metrics of a model, by output.

    Parameters
    ----------
    loss, loss_weights, metrics, weighted_metrics
        As given to `compile`.
    output_names : sequence of str
    output_shapes : sequence of tuple
        With the batch dimension.
    target_shapes : sequence of tuple
        Of the first data seen, for "accuracy" and "crossentropy", whose form depends on them.
    """

    def __init__(
        self,
        arguments: CompileArguments,
        output_names: Sequence[str],
        output_shapes: Sequence[tuple[Any, ...]],
        target_shapes: Sequence[tuple[int, ...]],
    ) -> None:
        self.output_names = list(output_names)
        self.output_shapes = list(output_shapes)
        given = _by_output(arguments.loss, self.output_names, "loss")
        weights = _by_output(arguments.loss_weights, self.output_names, "loss_weights")
        outputs = [output for output, loss in enumerate(given) if loss is not None]
        self.losses: list[OutputLoss] = []
        for target, output in enumerate(outputs):
            width = int(self.output_shapes[output][-1])
            shape = target_shapes[target] if target < len(target_shapes) else (None,)
            resolved = losses.resolve(given[output], width, shape)
            weight = 1.0 if weights[output] is None else validation.number(weights[output], "loss_weights")
            self.losses.append(OutputLoss(resolved, output, weight, f"{self.output_names[output]}_loss"))
        self.metrics = self._match_metrics(arguments.metrics, target_shapes, False)
        self.metrics += self._match_metrics(arguments.weighted_metrics, target_shapes, True)

    def _match_metrics(self, given: Any, target_shapes: Sequence[tuple[int, ...]], weighted: bool) -> list[OutputMetric]:
        found: list[OutputMetric] = []
        targets = {each.output: number for number, each in enumerate(self.losses)}
        for output, identifiers in enumerate(_metrics_by_output(given, self.output_names)):
            for identifier in identifiers:
                if output not in targets:
                    raise ValueError(f"`metrics` can only measure outputs with a loss. Received: {identifier!r} for "
                                     f"output {self.output_names[output]!r}")
                metric = metrics.resolve(identifier, target_shapes[targets[output]], self.output_shapes[output])
                prefix = f"{self.output_names[output]}_" if len(self.output_names) > 1 else ""
                native = _is_native(metric, self.losses[targets[output]].loss, self.output_shapes[output])
                found.append(OutputMetric(metric, prefix + metric.name, output, targets[output], weighted, native))
        return found

    # What data must look like

    def target_specs(self) -> list[TargetSpec]:
        """Return what the targets must look like, one for each loss."""
        specs = []
        for each in self.losses:
            loss, shape = each.loss, tuple(self.output_shapes[each.output][1:])
            name = self.output_names[each.output]
            if getattr(loss, "expects_labels", False):
                specs.append(TargetSpec(name, shape, "labels", ignore_class=loss.ignore_class))
            elif loss.native == "categorical_crossentropy":
                specs.append(TargetSpec(name, shape, "one_hot"))
            elif loss.native in (None, "quantile", "gaussian_nll"):
                specs.append(TargetSpec(name, None))
            else:
                specs.append(TargetSpec(name, shape))
        return specs

    def prepare_targets(self, targets: Sequence[Array], dtype: np.dtype[Any]) -> list[Array]:
        """Let each loss lay its targets out as native code reads them."""
        prepared = []
        for each, target in zip(self.losses, targets, strict=True):
            if getattr(each.loss, "expects_labels", False):
                prepared.append(np.ascontiguousarray(target, np.int32))
                continue
            width = int(self.output_shapes[each.output][-1])
            rows = target.reshape(-1, width) if target.shape[-1] != width and target.size % width == 0 and len(
                self.output_shapes[each.output]) > 2 else target
            prepared.append(np.ascontiguousarray(each.loss.prepare_target(rows, width, dtype), dtype))
        return prepared

    # What native code is told

    def native_losses(self, targets: Sequence[Array]) -> list[dict[str, Any]]:
        return [
            each.loss.describe(1 if target.ndim == 1 else target.shape[-1], each.output, each.weight)
            for each, target in zip(self.losses, targets, strict=True)
        ]

    def native_metrics(self, targets: Sequence[Array]) -> list[dict[str, Any]]:
        return [
            each.metric.describe(
                1 if targets[each.target].ndim == 1 else targets[each.target].shape[-1],
                each.output,
                each.target,
                each.weighted,
            )
            for each in self.metrics
            if each.native
        ]

    @property
    def predicted_outputs(self) -> set[int]:
        """Outputs whose predictions are needed in Python, because a metric cannot be added up natively."""
        return {each.output for each in self.metrics if not each.native}

    def reset(self) -> None:
        for each in self.metrics:
            each.metric.reset_state()

    def results(self) -> dict[str, float]:
        """The metrics' values by their labels."""
        return {each.label: _plain(each.metric.result()) for each in self.metrics}


@dataclass
class CompileArguments:
    """What `compile` was given, as it was given."""

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _is_native(metric: Any, loss: Any, output_shape: tuple[Any, ...]) -> bool:
    """Whether native code can add the metric up from the loss's targets."""
    if getattr(metric, "native", None) is None:
        return False
    labels = bool(getattr(loss, "expects_labels", False))
    wants_labels = metric.native.startswith("sparse_")
    if labels != wants_labels or loss.native in ("quantile", "gaussian_nll", None, "hinge", "squared_hinge"):
        return False
    own = getattr(metric, "_loss", None)
    return own is None or not getattr(own, "from_logits", False)


def _by_output(given: Any, names: Sequence[str], argument: str) -> list[Any]:
    """One entry for each output, from one value, a list or a dict."""
    if given is None:
        return [None] * len(names)
    if isinstance(given, Mapping) and not ("class_name" in given and "config" in given):
        unknown = [key for key in given if key not in names]
        if unknown:
            raise ValueError(f"`{argument}` must have outputs as keys: {', '.join(map(repr, names))}. Received: {unknown[0]!r}")
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(f"`{argument}` must have one entry for each of {len(names)} outputs. Received: {len(given)}")
        return list(given)
    if argument == "loss_weights" and len(names) > 1:
        raise ValueError(f"`loss_weights` must be a list or dict for {len(names)} outputs. Received: {given!r}")
    return [given] * len(names)


def _metrics_by_output(given: Any, names: Sequence[str]) -> list[list[Any]]:
    if given is None:
        return [[] for _ in names]
    if isinstance(given, Mapping) and not ("class_name" in given and "config" in given):
        return [_listed(each) for each in _by_output(given, names, "metrics")]
    listed = _listed(given)
    if len(names) == 1:
        return [[each for part in listed for each in _listed(part)]]
    if len(listed) != len(names):
        raise ValueError(f"`metrics` must have one entry for each of {len(names)} outputs. Received: {len(listed)}")
    return [_listed(each) for each in listed]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
