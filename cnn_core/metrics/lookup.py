"""From names, data and objects to metrics, and back to data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects
from cnn_core.foundation.serialization import serialize as _as_data
from cnn_core.metrics.accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from cnn_core.metrics.base import Metric, registry
from cnn_core.metrics.means import MeanMetricWrapper
from cnn_core.metrics.of_losses import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy

if TYPE_CHECKING:
    from cnn_core.foundation.names import MetricName

    MetricLike: TypeAlias = (
        MetricName | Metric | type[Metric] | losses.Loss | Callable[..., Any] | Mapping[str, Any] | None
    )


def get(identifier: MetricLike | str) -> Any:
    """Return the metric or function that an argument stands for, as in Keras.

    Parameters
    ----------
    identifier : None, str, dict, Metric or callable
        A name or alias, what `serialize` returned, a metric or its class gives a metric; a function of
        (y_true, y_pred) comes back as it is.

    Returns
    -------
    Metric, callable or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> from cnn_core.metrics import AUC
    >>> get("mae"), get("AUC")
    (<MeanAbsoluteError name=mean_absolute_error>, <AUC name=auc>)
    """
    return identifier if inspect.isroutine(identifier) else deserialize(identifier)


@knows_its_arguments
def as_metric(identifier: MetricLike | str) -> Metric | None:
    """Return the metric that an argument stands for: as `get`, but a function is averaged, and so is a loss.

    Examples
    --------
    >>> as_metric(losses.mean_squared_error)([[0.0], [0.0]], [[1.0], [3.0]])
    5.0
    """
    return deserialize(identifier)


@knows_its_arguments
def deserialize(config: MetricLike | str, custom_objects: CustomObjects | None = None) -> Metric | None:
    """Return the metric that a configuration describes; `custom_objects` maps further names to classes or functions.

    Examples
    --------
    >>> from cnn_core.metrics import Precision
    >>> deserialize({"class_name": "Precision", "config": {"top_k": 2}}).top_k
    2
    """
    found = registry.get(config, custom_objects)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return MeanMetricWrapper(found.call, found.name)
    if not callable(found):
        raise TypeError(f"`metric` must be a name, a metric or a function. Received: metric={validation.show(found)}")
    keywords = config.get("config") if isinstance(config, Mapping) and not hasattr(found, "get_config") else None
    return MeanMetricWrapper(found, **(keywords or {}))


def serialize(metric: Metric) -> dict[str, Any]:
    """Return a metric as data, without its totals.

    Examples
    --------
    >>> from cnn_core.metrics import Recall
    >>> serialize(Recall(class_id=1))["class_name"]
    'Recall'
    """
    data: dict[str, Any] = _as_data(metric)
    return data


@knows_its_arguments
def resolve(
    identifier: Any, y_true_shape: tuple[int | None, ...], y_pred_shape: tuple[int | None, ...]
) -> Metric | None:
    """Return the metric that an argument of `compile` stands for, given what it will compare.

    Parameters
    ----------
    identifier
        As for `as_metric`; a string also becomes the metric's name. "accuracy" and "acc", "crossentropy" and "ce" are
        binary for one output, sparse categorical for labels, else categorical.
    y_true_shape, y_pred_shape : tuple of int
        Shapes with the axis of samples.

    Returns
    -------
    Metric or None

    Examples
    --------
    >>> from cnn_core.metrics import accuracy
    >>> [type(resolve("accuracy", shape, (64, 3))).__name__ for shape in ((64,), (64, 3))]
    ['SparseCategoricalAccuracy', 'CategoricalAccuracy']
    >>> resolve("acc", (64, 1), (64, 1))
    <BinaryAccuracy name=acc>
    """
    forms = _FORMS.get(identifier.lower()) if isinstance(identifier, str) else None
    if forms is None:
        metric = as_metric(identifier)
    elif y_pred_shape[-1] == 1:
        metric = forms[0]()
    elif len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        metric = forms[1]()
    else:
        metric = forms[2]()
    if metric is not None and isinstance(identifier, str):
        metric.name = identifier
    return metric


_ACCURACIES: tuple[type[Any], ...] = (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy)
_CROSSENTROPIES: tuple[type[Any], ...] = (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy)
_FORMS = {"accuracy": _ACCURACIES, "acc": _ACCURACIES, "crossentropy": _CROSSENTROPIES, "ce": _CROSSENTROPIES}
