"""What a compiled model minimises and measures: losses and metrics matched to its outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
import cnn_core.metrics as metrics
from cnn_core.data.dataset import Meaning, TargetSpec
from cnn_core.data.form import Form
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.domains import Domain
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.suggestions import alphabetical, did_you_mean
from cnn_core.losses import Loss
from cnn_core.network.plan import NetworkPlan
from cnn_core.training.traced_losses import AddedLosses, describe_custom

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import LossDescription, MetricDescription

# Losses whose targets are laid out for them alone, or of another width than the output: no metric can read along.
_OWN_TARGETS = frozenset({"hinge", "squared_hinge", "quantile", "gaussian_nll"})
# What stands for targets that nobody has seen yet; None would be targets left out.
UNSEEN: Any = object()
# What these make of a single number, whatever it is.
_CONSTANT_OF_ONE = {"softmax": 1, "log_softmax": 0, "sparsemax": 1}
# Losses that compare shares or directions: over a single output their gradient is 0.
_OF_SEVERAL = frozenset(
    {
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "categorical_focal_crossentropy",
        "cosine_similarity",
    }
)


class CompileArguments(NamedTuple):
    """What `compile` was given, as it was given."""

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    steps_per_execution: int = 1

    def check(self) -> None:
        """Say what is wrong with a name or an object, before any data is seen."""
        for loss in _leaves(self.loss):
            losses.as_loss(loss)
        for metric in (*_leaves(self.metrics), *_leaves(self.weighted_metrics)):
            metrics.resolve(metric, (None, 1), (None, 1))


class OutputLoss(NamedTuple):
    """A loss of one output.

    Attributes
    ----------
    loss : Loss
    output : int
        The number of the output.
    name : str
        The output's.
    shape : tuple of int
        The output's for one sample.
    weight : float
        The loss's factor in the sum of all.
    """

    loss: Loss
    output: int
    name: str
    shape: tuple[int, ...]
    weight: float

    @property
    def label(self) -> str:
        """Its name in the logs of a model with several losses."""
        return f"{self.name}_loss"

    @property
    def is_custom(self) -> bool:
        """Whether only Python knows the loss."""
        return self.loss.native is None

    @property
    def takes_plain(self) -> bool:
        """Whether targets of the output's shape, or labels, are laid out for native code as they are."""
        return not self.is_custom and self.loss.keeps_layout and len(self.shape) == 1

    @property
    def rows(self) -> int:
        """How many rows a sample has: the sizes of all axes but the last, multiplied."""
        return math.prod(self.shape[:-1])

    def target_spec(self, meanings: tuple[Meaning, ...]) -> TargetSpec:
        """Return what the targets must look like; `meanings` are those of the loss and of its metrics."""
        if self.loss.expects_labels:
            return TargetSpec(self.name, self.shape, "labels", self.loss.ignore_class, meanings=meanings)
        if self.is_custom or self.loss.native in ("quantile", "gaussian_nll"):
            return TargetSpec(self.name, None, output=self.shape, meanings=meanings, keeps_vectors=self.loss.is_traced)
        kind = "one_hot" if self.loss.native == "categorical_crossentropy" else "values"
        return TargetSpec(self.name, self.shape, kind, meanings=meanings)  # type: ignore[arg-type]

    def lay_out(self, target: Array, dtype: np.dtype[Any]) -> Array:
        """Return targets as native code reads them: labels (n,) or (n, rows), anything else (n * rows, columns)."""
        if self.is_custom:
            return np.ascontiguousarray(target.reshape(len(target), -1), dtype)
        if self.loss.expects_labels:
            return np.ascontiguousarray(target, np.int32)
        return self.loss.prepare_target(target.reshape(len(target) * self.rows, -1), self.shape[-1], dtype)

    def describe(self, target: Array, rank: int) -> LossDescription:
        """Return the loss as a native pass takes it, over laid-out targets that were given with so many axes."""
        columns = 1 if target.ndim == 1 or self.loss.expects_labels else target.shape[1]
        if not self.is_custom:
            return self.loss.describe(columns, self.output, self.weight)
        if columns % self.rows:
            raise ValueError(
                f"y must have a multiple of {self.rows} values per sample for output {self.name!r} of shape "
                f"{self.shape}. Received: {columns}"
            )
        described = self.loss.describe(columns // self.rows, self.output, self.weight)
        return describe_custom(described, self.loss, self.shape, columns, target.dtype, rank > len(self.shape))


class OutputMetric(NamedTuple):
    """A metric of one output.

    Attributes
    ----------
    metric : Metric
    label : str
        Its name in the logs.
    target : int
        The number of the loss whose targets it reads.
    output : int
    weighted : bool
        Whether sample weights count.
    native : bool
        Whether native code adds it up; else Python does from the predictions.
    """

    metric: Any
    label: str
    target: int
    output: int
    weighted: bool
    native: bool


def in_columns(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the shape in which losses and metrics see an output: a single number is a row of one."""
    return shape if len(shape) > 1 else (*shape, 1)


class Objectives:
    """Losses and metrics of a model, by output.

    Parameters
    ----------
    arguments : CompileArguments
    output_names : sequence of str
    output_shapes : sequence of tuple
        With the batch dimension.
    y : array-like, or list or dict of them, optional
        The first targets seen: "accuracy" and "crossentropy" take their meaning from their shapes. Without any, shapes
        are those that the losses expect.
    form : Form, default None
        The structure of the outputs; None: a list of them.
    masked : sequence of bool, default ()
        Of each output whether it has a mask, with which no loss can be computed.

    Attributes
    ----------
    target_specs : list of TargetSpec
        What the targets must look like, one for each loss.
    native_metrics, python_metrics : list of OutputMetric
        Those that native code adds up, and those that need predictions in Python.
    labels : list of str
        The names of all results: the loss, each output's loss if there are several, the metrics.
    settled : bool
        Whether targets can change nothing any more.

    Raises
    ------
    ValueError
        If something is given for an output that there is not, or a metric for an output without a loss.
    """

    def __init__(
        self,
        arguments: CompileArguments,
        output_names: Sequence[str],
        output_shapes: Sequence[tuple[Any, ...]],
        y: object = UNSEEN,
        form: Form | None = None,
        masked: Sequence[bool] = (),
    ) -> None:
        self._names = list(output_names)
        self._shapes = list(map(in_columns, output_shapes))
        self._form = form or Form(self._names)
        each = (self._by_output(arguments.loss, "loss"), self._by_output(arguments.loss_weights, "loss_weights"))
        given, weights = zip(*map(_one_of, *each), strict=True)
        self._outputs = [output for output, loss in enumerate(given) if loss is not None]
        self._refuse_masks(masked)
        self.settled = y is not UNSEEN or all(map(_says_targets, given))
        shapes = self._expected_shapes(given) if y is UNSEEN else self._target_shapes(y)
        self.losses = [self._match_loss(given[o], o, weights[o], shapes[o]) for o in self._outputs]
        self.metrics: list[OutputMetric] = []
        for weighted, identifiers in ((False, arguments.metrics), (True, arguments.weighted_metrics)):
            for output, listed in enumerate(self._metrics_by_output(identifiers)):
                self.metrics += [self._match_metric(each, output, shapes[output], weighted) for each in listed]
        self.metrics = _with_own_labels(self.metrics)
        self.native_metrics = [each for each in self.metrics if each.native]
        self.python_metrics = [each for each in self.metrics if not each.native]
        each_loss = [each.label for each in self.losses] if len(self.losses) > 1 else []
        self.labels = ["loss", *each_loss, *(each.label for each in self.metrics)]
        self._looked_at_plan = False
        self.target_specs = [each.target_spec(self._meanings_of(number)) for number, each in enumerate(self.losses)]

    def _refuse_masks(self, masked: Sequence[bool]) -> None:
        """Refuse losses of outputs some of whose steps do not count: losses here count all."""
        for output in self._outputs:
            if output < len(masked) and masked[output]:
                raise ValueError(
                    f"The output {self._names[output]!r} must have no mask, because a loss counts every step: let "
                    "GlobalAveragePooling1D read the mask, or a layer such as Flatten end it. "
                    "Received: the mask of Embedding(mask_zero=True) or Masking"
                )

    def _by_output(self, given: object, argument: str) -> list[Any]:
        """Return one entry for each output, from one value, or a list or dict of the outputs' form."""
        if not _is_configuration(given):
            given = self._form.by_name(given, f"`{argument}`")
        return _by_output(given, self._names, argument)

    def _metrics_by_output(self, given: object) -> list[list[Any]]:
        several = len(self._names) > 1 and not _is_configuration(given)
        if several and (isinstance(given, Mapping) or not self._form.is_nested):
            given = self._form.by_name(given, "`metrics`")
        return _metrics_by_output(given, self._names)

    def _expected_shapes(self, given: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the shapes of the targets that the losses expect."""
        shapes = list(self._shapes)
        for output in self._outputs:
            loss = losses.resolve(given[output], int(shapes[output][-1]), shapes[output])
            if loss is not None and loss.expects_labels:
                shapes[output] = shapes[output][:-1]
        return shapes

    def _target_shapes(self, y: object) -> list[tuple[int, ...]]:
        parts = self._form.only([self._names[output] for output in self._outputs], y, "y")
        listed = list(parts.values()) if isinstance(parts, Mapping) else parts
        several = len(self._outputs) > 1
        if not isinstance(listed, (list, tuple)) or (not several and not isinstance(parts, Mapping)):
            listed = [parts]
        shapes: list[tuple[int, ...]] = [()] * len(self._names)
        for output, part in zip(self._outputs, listed, strict=False):
            if part is not None:
                shapes[output] = tuple(part.shape if hasattr(part, "shape") else validation.as_array(part, "y").shape)
        return shapes

    def _match_loss(self, given: object, output: int, weight: object, target_shape: tuple[int, ...]) -> OutputLoss:
        shape = tuple(self._shapes[output][1:])
        loss = losses.resolve(given, int(shape[-1]), target_shape)
        assert loss is not None
        if not loss.is_traced and loss.axis not in (-1, len(shape)):
            raise ValueError(
                f"`axis` of the loss {loss.name!r} must be -1 or {len(shape)} in a model, for the rows of "
                f"{self._names[output]!r} are its last axis. Received: axis={loss.axis}, shape {self._shapes[output]}"
            )
        factor = 1.0 if weight is None else validation.number(weight, "loss_weights")
        return OutputLoss(loss, output, self._names[output], shape, factor)

    def _match_metric(
        self, identifier: object, output: int, target_shape: tuple[int, ...], weighted: bool
    ) -> OutputMetric:
        if output not in self._outputs:
            raise ValueError(
                f"`metrics` can only measure outputs with a loss. Received: {identifier!r} for output "
                f"{self._names[output]!r}"
            )
        target = self._outputs.index(output)
        metric = metrics.resolve(identifier, target_shape, self._shapes[output])
        assert metric is not None
        prefix = f"{self._names[output]}_" if len(self._names) > 1 else ""
        native = _is_native(metric, self.losses[target].loss)
        return OutputMetric(metric, prefix + metric.name, target, output, weighted, native)

    # Data

    def lay_out(self, targets: Sequence[Array], dtype: np.dtype[Any]) -> list[Array]:
        """Return targets as native code reads them."""
        return [each.lay_out(target, dtype) for each, target in zip(self.losses, targets, strict=True)]

    def _meanings_of(self, number: int) -> tuple[Meaning, ...]:
        """Return what a loss and its metrics ask of its targets."""
        loss = self.losses[number].loss
        asked = (
            [] if loss.expects_labels else [(each.metric, "metric") for each in self.metrics if each.target == number]
        )
        found: dict[Domain, Meaning] = {}
        for owner, kind in ((loss, "loss"), *asked):
            if (domain := getattr(owner, "domain", None)) is not None:
                meaning = Meaning(domain, f"the {kind} {owner.name!r}", getattr(owner, "axis", -1))
                found.setdefault(domain, meaning)
        return tuple(found.values())

    def warn_of_constants(self, plan: NetworkPlan) -> None:
        """Warn, once, of outputs and losses that nothing can change, so that no layer below them learns."""
        if self._looked_at_plan:
            return
        self._looked_at_plan = True
        for operation in plan.operations:
            value = _CONSTANT_OF_ONE.get(operation.activation)
            if value is not None and plan.shapes[operation.output][-1] == 1:
                warn_caller(
                    f"{operation.activation} over the single unit of {operation.layer!r} is always {value}: what is "
                    "below it cannot learn. One answer of yes or no takes sigmoid, two classes take two units"
                )
        for each in self.losses:
            if each.loss.native in _OF_SEVERAL and each.shape[-1] == 1:
                warn_caller(
                    f"The loss {each.loss.name!r} compares several outputs, and {each.name!r} has one: it cannot "
                    "learn. One answer of yes or no takes binary_crossentropy, one number takes mse"
                )

    # What native code is told

    def describe_losses(self, targets: Sequence[Array], given: Sequence[Any]) -> list[LossDescription]:
        """Describe the losses for a native pass over these laid-out targets, which were given in other shapes."""
        pairs = zip(self.losses, targets, given, strict=True)
        return [each.describe(target, before.ndim) for each, target, before in pairs]

    def ranks(self, given: Sequence[Any]) -> list[int]:
        """Return how many axes the targets of custom losses have, which makes a difference to them."""
        return [target.ndim for each, target in zip(self.losses, given, strict=True) if each.is_custom]

    def describe_metrics(self, targets: Sequence[Array]) -> list[MetricDescription]:
        """Describe the metrics that native code adds up."""
        return [
            each.metric.describe(
                1 if targets[each.target].ndim == 1 else targets[each.target].shape[1],
                each.output,
                each.target,
                each.weighted,
            )
            for each in self.native_metrics
        ]

    # Results

    def reset(self) -> None:
        """Reset every metric."""
        for each in self.metrics:
            each.metric.reset_state()

    def results(self) -> dict[str, Any]:
        """Return the metrics' values by their labels."""
        return {each.label: _plain(each.metric.result()) for each in self.metrics}

    def state(self) -> list[list[Array]]:
        """Return copies of what the metrics have added up."""
        return [[variable.numpy() for variable in each.metric.variables] for each in self.metrics]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Take back what `state` returned."""
        for each, values in zip(self.metrics, state, strict=True):
            for variable, value in zip(each.metric.variables, values, strict=True):
                variable.assign(value)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Give the metrics back what they have added up when the block ends."""
        state = self.state()
        try:
            yield
        finally:
            self.restore(state)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, float):
        return float(value)  # a NumPy number among them
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _with_own_labels(matched: Sequence[OutputMetric]) -> list[OutputMetric]:
    """Number labels that occur twice, as Keras does; a weighted metric beside an unweighted one says so."""
    taken: dict[str, int] = {}
    result = []
    for each in matched:
        label = each.label
        if label in taken and each.weighted:
            prefix = label.removesuffix(each.metric.name)
            label = f"{prefix}weighted_{each.metric.name}"
        count = taken[label] = taken.get(label, 0) + 1
        unique = label if count == 1 else f"{label}_{count - 1}"
        result.append(OutputMetric(each.metric, unique, each.target, each.output, each.weighted, each.native))
    return result


def _is_native(metric: Any, loss: Loss) -> bool:
    """Tell whether native code can add the metric up from the loss's targets."""
    if getattr(metric, "native", None) is None or loss.native is None or loss.native in _OWN_TARGETS:
        return False
    return bool(metric.expects_labels) == loss.expects_labels


def _says_targets(given: Any) -> bool:
    """Tell whether a loss alone says what its targets look like."""
    loss = losses.as_loss(given)
    return loss is None or (loss.native is not None and not isinstance(loss, losses.CrossentropyByTarget))


def _is_configuration(value: object) -> bool:
    return isinstance(value, Mapping) and "class_name" in value and "config" in value


def _leaves(value: object) -> list[Any]:
    """List what a structure of identifiers holds; a configuration is one of them."""
    if value is None:
        return []
    if isinstance(value, Mapping) and not _is_configuration(value):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]


def _by_output(given: object, names: Sequence[str], argument: str) -> list[Any]:
    """Return one entry for each output, from one value, a list or a dict."""
    if given is None:
        return [None] * len(names)
    if isinstance(given, Mapping) and not _is_configuration(given):
        unknown = [key for key in given if key not in names]
        if unknown:
            known = ", ".join(map(repr, alphabetical(names)))
            meant = did_you_mean(str(unknown[0]), names)
            raise ValueError(f"`{argument}` must have outputs as keys: {known}. Received: {unknown[0]!r}{meant}")
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(
                f"`{argument}` must have one entry for each of {len(names)} outputs. Received: {len(given)}"
            )
        return list(given)
    if argument == "loss_weights" and len(names) > 1:
        raise ValueError(f"`loss_weights` must be a list or dict for {len(names)} outputs. Received: {given!r}")
    return [given] * len(names)


def _one_of(given: Any, weight: Any) -> tuple[Any, Any]:
    """Return one loss and its weight for what an output is given, in lists of their own or without: several add up."""
    listed = list(given) if isinstance(given, (list, tuple)) else [given]
    weights = list(weight) if isinstance(weight, (list, tuple)) else [weight] * len(listed)
    if len(weights) != len(listed):
        raise ValueError(
            f"`loss_weights` must have one entry for each of {len(listed)} losses of an output. "
            f"Received: {validation.show(weight)}"
        )
    if len(listed) == 1:
        return listed[0], weights[0]
    parts = [losses.as_loss(each) for each in listed]
    if not parts or None in parts:
        raise ValueError(f"A list of losses of an output must hold losses. Received: {validation.show(given)}")
    factors = [1.0 if each is None else validation.number(each, "loss_weights") for each in weights]
    return AddedLosses(cast("list[Loss]", parts), factors), None


def _metrics_by_output(given: object, names: Sequence[str]) -> list[list[Any]]:
    """Return the metrics of each output; those of a single output may be nested in a list of their own."""
    if isinstance(given, Mapping) and not _is_configuration(given):
        return [_leaves(each) for each in _by_output(given, names, "metrics")]
    if len(names) == 1 or given is None:
        return [_leaves(given), *([] for _ in names[1:])]
    listed = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(listed) != len(names):
        raise ValueError(f"`metrics` must have one entry for each of {len(names)} outputs. Received: {len(listed)}")
    return [_leaves(each) for each in listed]
