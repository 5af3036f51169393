"""What an estimator's `loss` means: output activation, native loss, and the factor of the reported number.

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
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.domains import NON_NEGATIVE
from cnn_core.losses import Loss
from cnn_core.losses.base import description
from cnn_core.sklearn.perceptron.training import Objective
from cnn_core.training.traced_losses import describe_custom

NAMED_LOSSES = {"huber": "huber", "absolute_error": "mean_absolute_error", "quantile": "quantile"}
REGRESSION_LOSSES = ("squared_error", "poisson", *NAMED_LOSSES)

# By native name: losses of outputs that share one whole among them, of directions, of numbers above 0 only.
_OF_SHARES = frozenset({"categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"})
_OF_DIRECTIONS = frozenset({"cosine_similarity"})
_OF_POSITIVE_OUTPUTS = frozenset({"binary_crossentropy", "binary_focal_crossentropy", "poisson"})


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


def log_loss(out_activation: str, width: int, dtype: np.dtype[Any]) -> Objective:
    """Return the log loss: of labels under softmax, else added up over the outputs.

    Examples
    --------
    >>> log_loss("softmax", 3, np.dtype("float64")).description["kind"]
    'sparse_categorical_crossentropy'
    """
    clip = float(np.finfo(dtype).eps)
    if out_activation == "softmax":
        told = description("sparse_categorical_crossentropy", 1, (0.0, np.nan), has_labels=True, clip=clip)
        return Objective(told, takes_labels=True)
    # The native loss is a mean over the outputs.
    told = description("binary_crossentropy", width, (0.0, 0.0), weight=width, clip=clip)
    return Objective(told, factor=width)


def regression_loss(loss: object, width: int) -> Objective:
    """Return the loss of a regression.

    Raises
    ------
    ValueError
        If the loss cannot compare outputs of any size with targets.

    Examples
    --------
    >>> regression_loss("squared_error", 2).factor
    0.5
    """
    if isinstance(loss, str) and loss == "squared_error":
        return Objective(description("half_squared_error", width), factor=1 / width)
    if isinstance(loss, str) and loss == "poisson":
        return Objective(description("half_poisson_deviance", width), domain=NON_NEGATIVE)
    return custom_loss(loss, width, "identity")


def custom_loss(loss: object, width: int, out_activation: str) -> Objective:
    """Return the objective of any other loss of cnn_core, or of the user's own, by name or object.

    Raises
    ------
    ValueError
        If the loss cannot compare outputs of this activation with targets.

    Examples
    --------
    >>> custom_loss("quantile", 1, "identity").description["parameters"]
    (0.5,)
    """
    given = NAMED_LOSSES.get(loss, loss) if isinstance(loss, str) else loss
    resolved = losses.resolve(given, width, (None, width))
    assert resolved is not None
    _check_outputs(resolved, width, out_activation)
    description = resolved.describe(1 if resolved.expects_labels else width)
    if resolved.native is None:
        description = describe_custom(description, resolved, (width,), width, np.dtype("float64"))
    return Objective(description, takes_labels=resolved.expects_labels, domain=resolved.domain)


def _check_outputs(loss: Loss, width: int, out_activation: str) -> None:
    """Refuse a loss that means nothing, or nothing that can be learnt, over outputs of this kind."""
    kind, from_logits = loss.native, getattr(loss, "from_logits", False)
    shares = out_activation == "softmax" or (out_activation == "identity" and from_logits and width > 1)
    of_positive_outputs = kind in _OF_POSITIVE_OUTPUTS or isinstance(loss, (losses.Dice, losses.Tversky))
    if loss.couples_rows:
        rule = "compare each output with its target, not samples with each other"
    elif kind == "quantile" and len(loss.native_parameters) > 1:
        rule = "have one quantile for each target"
    elif kind == "gaussian_nll":
        rule = "compare one number with each target"
    elif loss.expects_labels and (width > 1 or kind is not None) and out_activation != "softmax":
        rule = "compare numbers, not class labels, unless there are three classes or more"
    elif kind in _OF_SHARES and not shares:
        rule = "not compare shares of several classes, which these outputs are not: take one for each output by itself"
    elif kind in _OF_DIRECTIONS and width == 1:
        rule = "compare more than the sign of a single output"
    elif of_positive_outputs and out_activation == "identity" and not from_logits:
        rule = 'compare numbers of any size: its outputs must be positive (loss="poisson" has such outputs)'
    elif from_logits and out_activation != "identity":
        rule = "have from_logits=False: the outputs are probabilities"
    else:
        return
    raise ValueError(f"`loss` must {rule}. Received: loss={loss!r}, outputs: {width} of {out_activation!r}")


def check_targets(objective: Objective, targets: Array, name: str = "y") -> None:
    """Refuse numbers that the loss cannot mean, such as negative counts.

    Raises
    ------
    ValueError
        If there are any.

    Examples
    --------
    >>> check_targets(regression_loss("poisson", 1), np.array([[1.0], [-2.0]]))
    Traceback (most recent call last):
    ValueError: `y` must be at least 0 for the loss 'half_poisson_deviance'. Received: -2.0 at row 1
    """
    wrong = None if objective.domain is None else objective.domain.violation(targets)
    if objective.domain is not None and wrong is not None:
        raise ValueError(
            f"`{name}` must be {objective.domain.rule} for the loss {objective.description['kind']!r}. "
            f"Received: {wrong[1]} at row {wrong[0]}"
        )


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
