"""From names, data and objects to losses, and back to data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects
from cnn_core.foundation.serialization import serialize as _as_data
from cnn_core.losses.base import Loss, class_of, function_of, registry
from cnn_core.losses.custom import CustomLoss, FunctionLoss
from cnn_core.losses.probabilities import CrossentropyByTarget

if TYPE_CHECKING:
    from cnn_core.foundation.names import LossName

    class ValueAndGradient(Protocol):
        """A custom loss: the value of every row, and the derivative with respect to the predictions."""

        def value(self, y_true: Any, y_pred: Any, /) -> Any: ...

        def gradient(self, y_true: Any, y_pred: Any, /) -> Any: ...

    LossLike: TypeAlias = (
        LossName | Loss | type[Loss] | Callable[..., Any] | ValueAndGradient | Mapping[str, Any] | None
    )


def get(identifier: LossLike | str) -> Any:
    """Return the function or the loss that an argument stands for, as in Keras.

    Parameters
    ----------
    identifier : None, str, dict, Loss, function or object
        The name or an alias of a function of this module, or a function, gives the function, one value per row; the
        name of a class, a class, or what `serialize` returned gives a loss; so does an object with
        `value(y_true, y_pred)` and `gradient(y_true, y_pred)`.

    Returns
    -------
    Loss, callable or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> from cnn_core.losses import MeanSquaredError, mse
    >>> get("mse")([[0.0], [0.0]], [[1.0], [2.0]])
    array([1., 4.])
    >>> get("MeanSquaredError")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    found = registry.get(identifier)
    if isinstance(found, Loss):
        function = function_of.get(type(found))
        names_function = isinstance(identifier, str) and identifier != type(found).__name__
        return function if names_function and function is not None else _as_loss(found)
    return found if found is None or inspect.isroutine(found) else _as_loss(found)


@knows_its_arguments
def as_loss(identifier: LossLike | str) -> Loss | None:
    """Return the loss that an argument of `compile` stands for: as `get`, but always as an object.

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> from cnn_core.losses import huber, mse
    >>> as_loss("mse"), as_loss(huber)
    (MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size'),
     Huber(name='huber_loss', reduction='sum_over_batch_size', delta=1.0))
    """
    return deserialize(identifier)


@knows_its_arguments
def deserialize(name: LossLike | str, custom_objects: CustomObjects | None = None) -> Loss | None:
    """Return the loss that a name or a configuration describes; `custom_objects` maps further names to objects.

    Examples
    --------
    >>> from cnn_core.losses import Huber
    >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
    2.0
    """
    found = registry.get(name, custom_objects)
    return None if found is None else _as_loss(found)


def serialize(loss: Loss) -> dict[str, Any]:
    """Return a loss as data.

    Examples
    --------
    >>> from cnn_core.losses import Huber
    >>> serialize(Huber(2.0))["class_name"]
    'Huber'
    """
    data: dict[str, Any] = _as_data(loss)
    return data


def _as_loss(target: object) -> Loss:
    if isinstance(target, Loss):
        _refuse_own_call(type(target))
        return target
    try:
        known = class_of.get(target)
    except TypeError:  # not hashable
        known = None
    if known is not None:
        return known()
    if callable(getattr(target, "value", None)) and callable(getattr(target, "gradient", None)):
        return CustomLoss(target)
    if callable(target) and not isinstance(target, type):
        return FunctionLoss(target)
    raise TypeError(
        "`loss` must be a name, a loss, a function of y_true and y_pred, or an object with the methods "
        f"value(y_true, y_pred) and gradient(y_true, y_pred). Received: loss={validation.show(target)}"
    )


def _refuse_own_call(cls: type[Loss]) -> None:
    """Refuse a class that changes a loss where training does not look."""
    if not cls.__call__.__module__.startswith("cnn_core."):
        raise TypeError(
            f"{cls.__name__} defines __call__, which training never calls: define call(y_true, y_pred), the value of "
            "each row, by functions of cnn_core.ops, or call and gradient(y_true, y_pred)"
        )


@knows_its_arguments
def resolve(identifier: Any, y_pred_width: int, y_true_shape: tuple[int | None, ...]) -> Loss | None:
    """Return the loss that an argument stands for, given what it will compare.

    Parameters
    ----------
    identifier
        As for `as_loss`. "crossentropy" and "ce" are binary for one output, sparse categorical for labels, else
        categorical.
    y_pred_width : int
        Units of the output layer.
    y_true_shape : tuple of int
        The shape of the targets, (n,) or (n, k).

    Returns
    -------
    Loss or None

    Examples
    --------
    >>> [type(resolve("ce", 3, shape)).__name__ for shape in ((64,), (64, 3))]
    ['SparseCategoricalCrossentropy', 'CategoricalCrossentropy']
    """
    loss = as_loss(identifier)
    return loss.for_shapes(y_pred_width, y_true_shape) if isinstance(loss, CrossentropyByTarget) else loss
