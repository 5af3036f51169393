"""scikit-learn's MLPClassifier and MLPRegressor as models, and dense models as these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.activations as activations
import cnn_core.foundation.validation as validation
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.records import NamedTuple
from cnn_core.interop.calls import calls_of, left_out, model_between, not_carried
from cnn_core.layers.activation import ActivationLayer
from cnn_core.layers.dense import Dense
from cnn_core.layers.input import Input
from cnn_core.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
)
from cnn_core.layers.reshaping import Identity

if TYPE_CHECKING:
    from cnn_core.network.built_model import BuiltModel


CLASSES = "classes"  # in a model's metadata: a list as JSON, in the order of the outputs

# scikit-learn's name of an activation, and ours.
ACTIVATIONS: dict[str, Activation] = {
    "identity": activations.linear,
    "logistic": activations.sigmoid,
    "tanh": activations.tanh,
    "relu": activations.relu,
    "softmax": activations.softmax,
    "exp": activations.exponential,
}
_OF_CLASSES = ("logistic", "softmax")
_HIDDEN = ("identity", "logistic", "tanh", "relu")
_IN_TRAINING_ONLY = (Dropout, AlphaDropout, GaussianDropout, GaussianNoise, ActivityRegularization, Identity)


@knows_its_arguments
def from_sklearn(estimator: object) -> Any:
    """Return the network of a fitted MLPClassifier or MLPRegressor as a model with copies of its weights.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Of scikit-learn or of `cnn_core.sklearn`.

    Returns
    -------
    Sequential
        What it predicts are the estimator's numbers: for two classes the probability of the second, for more those of
        all, for several labels one for each. ``model.metadata["classes"]`` holds the classes as JSON. That of an
        estimator of `cnn_core.sklearn` is compiled.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPClassifier
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> classifier = MLPClassifier((4,), solver="lbfgs", random_state=0).fit(X, np.where(X[:, 0] > 0, "high", "low"))
    >>> model = from_sklearn(classifier)
    >>> model.metadata["classes"], bool(np.allclose(model(X)[:, 0], classifier.predict_proba(X)[:, 1]))
    ('["high", "low"]', True)
    """
    if not all(hasattr(estimator, name) for name in ("hidden_layer_sizes", "activation", "get_params")):
        raise TypeError(
            "`estimator` must be an MLPClassifier or MLPRegressor, of scikit-learn or of cnn_core.sklearn. "
            f"Received: estimator={validation.show(estimator)}"
        )
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"`estimator` must be fitted. Received: {type(estimator).__name__} that is not")
    model = estimator.to_model() if hasattr(estimator, "to_model") else _model_of(estimator)
    if hasattr(estimator, "classes_"):
        model.metadata[CLASSES] = json.dumps(np.asarray(estimator.classes_).tolist())
    return model


def _model_of(estimator: Any) -> Any:
    dtype = estimator.coefs_[0].dtype.name
    first = value = Input((len(estimator.coefs_[0]),), dtype=dtype)
    last = len(estimator.coefs_) - 1
    for number, (kernel, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        activation = ACTIVATIONS[estimator.out_activation_ if number == last else estimator.activation]
        layer = Dense(len(bias), activation, dtype=dtype, name=f"dense_{number}")
        value = layer(value)
        layer.set_weights([kernel, bias])
    return model_between([first], [value])


class _Step(NamedTuple):
    kernel: Array
    bias: Array
    activation: Activation


@knows_its_arguments
def to_sklearn(model: BuiltModel) -> Any:
    """Return a chain of Dense layers as a fitted estimator of scikit-learn with copies of the weights.

    Parameters
    ----------
    model : Model
        Hidden layers must have one activation: linear, sigmoid, tanh or relu. With ``model.metadata["classes"]``, a
        list as JSON, or an output of softmax or sigmoid it becomes a classifier; its classes are those, else numbers
        from 0.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        It predicts; `fit` begins again.

    Raises
    ------
    ValueError
        If there is a layer that scikit-learn has not; layers that act in training only are left out with a warning.
    ImportError
        Without the extra ``sklearn``.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    >>> to_sklearn(model).predict([[1.0, 2.0, 3.0]]).shape
    (1,)
    """
    steps = _steps(model)
    kind = need("sklearn.neural_network", "sklearn", "to_sklearn")
    hidden = {_name(step.activation, _HIDDEN) for step in steps[:-1]}
    if len(hidden) > 1 or None in hidden:
        used = ", ".join(dict.fromkeys(step.activation.name for step in steps[:-1]))
        raise ValueError(f"scikit-learn has one of linear, sigmoid, tanh, relu for all hidden layers. Received: {used}")
    out = _name(steps[-1].activation, ("identity", "exp", *_OF_CLASSES))
    if out is None:
        raise ValueError(
            "scikit-learn's outputs are linear or exponential, or probabilities by sigmoid or softmax. "
            f"Received: {steps[-1].activation!r}"
        )
    settings: dict[str, Any] = {
        "hidden_layer_sizes": tuple(len(step.bias) for step in steps[:-1]),
        "activation": next(iter(hidden), "relu"),
    }
    if out == "exp":
        settings["loss"] = "poisson"
    estimator = kind.MLPClassifier(**settings) if out in _OF_CLASSES else kind.MLPRegressor(**settings)
    estimator.coefs_ = [step.kernel for step in steps]
    estimator.intercepts_ = [step.bias for step in steps]
    estimator.out_activation_ = out
    estimator.n_features_in_ = len(steps[0].kernel)
    estimator.n_outputs_ = len(steps[-1].bias)
    estimator.n_layers_ = len(steps) + 1
    estimator.n_iter_ = estimator.t_ = 0
    if out in _OF_CLASSES:
        _label(estimator, model.metadata.get(CLASSES))
    return estimator


def _name(activation: Activation, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if ACTIVATIONS[name] == activation), None)


def _steps(model: object) -> list[_Step]:
    found = calls_of(model)
    steps: list[_Step] = []
    for call in found.calls:
        layer = call.layer
        if isinstance(layer, Dense):
            bias = np.zeros(layer.units, layer.dtype) if layer.bias is None else layer.bias.numpy()
            steps.append(_Step(layer.kernel.numpy(), bias, layer.activation))
        elif isinstance(layer, ActivationLayer) and steps and steps[-1].activation == activations.linear:
            steps[-1] = steps[-1]._replace(activation=layer.activation)
        elif isinstance(layer, _IN_TRAINING_ONLY):
            warn_caller(left_out(layer, "it acts in training only"))
        else:
            raise not_carried(layer, "scikit-learn")
    if not found.is_chain or not steps or len(found.shapes[0]) != 2:
        raise ValueError("scikit-learn has chains of Dense layers on rows of numbers. Received: another model")
    return steps


def _label(estimator: Any, classes: str | None) -> None:
    """Give a classifier its classes, by which it also tells one label out of two from several labels."""
    n = estimator.n_outputs_
    is_binary = estimator.out_activation_ == "logistic" and n == 1
    labels = np.arange(2 if is_binary else n) if classes is None else np.asarray(json.loads(classes))
    if len(labels) != (2 if is_binary else n):
        raise ValueError(f"`metadata` must name {2 if is_binary else n} classes. Received: {classes}")
    several = estimator.out_activation_ == "logistic" and not is_binary
    binarizer = need("sklearn.preprocessing", "sklearn", "to_sklearn").LabelBinarizer()
    estimator._label_binarizer = binarizer.fit(np.eye(n, dtype=int) if several else labels)
    estimator.classes_ = labels
