"""What an estimator's `loss` means: output activation, native loss, and the factor of the reported number. Floor 5.

The numbers are scikit-learn's: half the squared error, averaged over the outputs only when it is reported; the log loss
added up over labels, of probabilities that are kept one machine epsilon away from 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import cnn_core.activations as activations
import cnn_core.losses as losses
from cnn_core.activations import Activation
from cnn_core.arrays import Array
from cnn_core.sklearn.training import Objective

NAMED_LOSSES = {"huber": "huber", "absolute_error": "mean_absolute_error", "quantile": "quantile"}
REGRESSION_LOSSES = ("squared_error", "poisson", *NAMED_LOSSES)


@dataclass(frozen=True)
class Output:
    """How the last layer is trained and read.

    Attributes
    ----------
    name : str
        scikit-learn's `out_activation_`.
    training, prediction : Activation
        They differ where the loss takes the activation over.
    """

    name: str
    training: Activation
    prediction: Activation


def output(name: str) -> Output:
    """Return what scikit-learn's name of an output activation means.

    Examples
    --------
    >>> output("exp").training, output("logistic").prediction
    (linear, sigmoid)
    """
    both = {"softmax": activations.softmax, "logistic": activations.sigmoid, "identity": activations.linear}
    if name == "exp":
        return Output(name, activations.linear, activations.exponential)
    return Output(name, both[name], both[name])


def _describe(kind: str, width: int, *, factor: float = 1.0, weight: float = 1.0, **more: Any) -> Objective:
    description = {
        "kind": kind,
        "from_logits": False,
        "smoothing": 0.0,
        "ignored": np.nan,
        "parameters": (),
        "output": 0,
        "has_labels": False,
        "target_width": width,
        "weight": weight,
        "reduction": "sum_over_batch_size",
        "custom": None,
    }
    return Objective(description | more, factor)


def log_loss(out_activation: str, width: int, dtype: np.dtype[Any]) -> Objective:
    """Return the log loss: of labels under softmax, else added up over the outputs.

    Examples
    --------
    >>> log_loss("softmax", 3, np.dtype("float64")).description["kind"]
    'sparse_categorical_crossentropy'
    """
    clip = float(np.finfo(dtype).eps)
    if out_activation == "softmax":
        return _describe("sparse_categorical_crossentropy", 1, has_labels=True, clip=clip)
    # The native loss is a mean over the outputs.
    return _describe("binary_crossentropy", width, factor=width, weight=width, clip=clip)


def regression_loss(loss: Any, width: int) -> Objective:
    """Return the loss of a regression.

    Raises
    ------
    ValueError
        If it compares several numbers with each target.

    Examples
    --------
    >>> regression_loss("squared_error", 2).factor
    0.5
    """
    if isinstance(loss, str) and loss == "squared_error":
        return _describe("half_squared_error", width, factor=1 / width)
    if isinstance(loss, str) and loss == "poisson":
        return _describe("half_poisson_deviance", width)
    return custom_loss(loss, width)


def custom_loss(loss: Any, width: int) -> Objective:
    """Return the objective of any other loss of cnn_core, by name or object."""
    resolved = losses.get(NAMED_LOSSES.get(loss, loss) if isinstance(loss, str) else loss)
    assert resolved is not None
    if len(getattr(resolved, "native_parameters", ())) > 1 and resolved.native == "quantile":
        raise ValueError(f"`loss` must have one quantile for each target. Received: loss={loss!r}")
    if resolved.native == "gaussian_nll":
        raise ValueError(f"`loss` must compare one number with each target. Received: loss={loss!r}")
    return Objective(resolved.describe(1 if resolved.expects_labels else width))


def prepare(objective: Objective, encoded: Array) -> Array:
    """Return targets as the loss reads them: class numbers where it wants labels, else as they are.

    Examples
    --------
    >>> prepare(log_loss("softmax", 3, np.dtype("float64")), np.eye(3)[[2, 0]])
    array([2, 0], dtype=int32)
    """
    if objective.description["has_labels"] and encoded.ndim > 1:
        return np.asarray(encoded.argmax(axis=1), np.int32)
    return encoded
