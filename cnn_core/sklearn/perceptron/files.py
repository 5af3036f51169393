"""Files of fitted perceptrons: data only, nothing of which is executed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.activations as activations
import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.perceptron.held_out import Standing
from cnn_core.sklearn.perceptron.labels import Labels
from cnn_core.sklearn.perceptron.network import Weights
from cnn_core.sklearn.perceptron.parameter_rules import check
from cnn_core.sklearn.perceptron.training import SolverState

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from cnn_core.foundation.model_file import FileLike

METADATA_KEY = "cnn_core.perceptron"
_GROUPS = ("coefs_", "intercepts_", "scales_", "shifts_", "moving_means_", "moving_variances_")
_NUMBER = (int, float)
# What a fitted estimator records, and the types that JSON has for it; lists are of numbers.
_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("n_features_in_", "n_outputs_", "n_layers_", "n_iter_", "t_", "_no_improvement_count"), (int,)),
    **dict.fromkeys(("loss_", "best_loss_", "best_validation_score_"), (*_NUMBER, NoneType)),
    **dict.fromkeys(("loss_curve_", "validation_scores_", "validation_loss_curve_"), (*_NUMBER, list, NoneType)),
    "out_activation_": (str,),
}
_LABEL_KINDS = ("binary", "multiclass", "multilabel-indicator")
_MOST_LABEL_BYTES = 16 << 20  # a type may give every label more room than its text takes in the file
_NOT_KEPT = ("callbacks",)


def write(estimator: BaseEstimator, path: FileLike) -> None:
    """Write a fitted estimator to a file.

    Raises
    ------
    ValueError
        If activations or the loss are code, which a file does not hold.
    """
    state = {
        "kind": type(estimator).__name__,
        "parameters": _parameters(estimator),
        "attributes": {name: _plain(getattr(estimator, name)) for name in _ATTRIBUTES if hasattr(estimator, name)},
        "feature_names_in": [str(name) for name in getattr(estimator, "feature_names_in_", [])],
        "standing": _plain(getattr(estimator, "_best_standing", None)),
        "labels": _labels(estimator),
        "optimizer": None,
    }
    tensors = {
        f"{group}{number}": array for group in _GROUPS for number, array in enumerate(getattr(estimator, group, ()))
    }
    optimizer: SolverState | None = getattr(estimator, "_optimizer", None)
    if estimator.keep_optimizer and optimizer is not None:
        state["optimizer"] = {name: _plain(value) for name, value in vars(optimizer).items() if name != "slots"}
        tensors |= {f"slot_{number}": slot for number, slot in enumerate(optimizer.slots)}
    model_file.write(path, tensors, {METADATA_KEY: json.dumps(state)})


def read(kind: type[Any], path: FileLike) -> Any:
    """Return the estimator of a class that a file holds.

    Raises
    ------
    ValueError
        If it holds something else, or is damaged.
    """
    tensors, metadata = model_file.read(path)
    name = model_file.name_of(path)
    if METADATA_KEY not in metadata:
        raise ValueError(f"{name} holds no perceptron of cnn_core.sklearn")
    try:
        state = json.loads(metadata[METADATA_KEY])
        held = state["kind"]
        if held == kind.__name__:
            return _restored(kind, state, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{name} is damaged: {error}") from None
    raise ValueError(f"{name} holds another estimator than {kind.__name__}. Received: a file of {held!r}")


def _restored(kind: type[Any], state: Mapping[str, Any], tensors: Mapping[str, Array]) -> Any:
    known = kind().get_params()
    parameters = {name: _read_parameter(name, value) for name, value in state["parameters"].items() if name in known}
    estimator = kind(**parameters)
    check(estimator, estimator._parameter_rules)
    for name, value in state["attributes"].items():
        if name in _ATTRIBUTES:
            setattr(estimator, name, _checked_attribute(name, value))
    if state["standing"] is not None:
        estimator._best_standing = Standing(*state["standing"])
    if {"loss", "metric"} <= parameters.keys():
        estimator._measure = (estimator.loss, estimator.metric, estimator.early_stopping)
    if state["feature_names_in"]:
        estimator.feature_names_in_ = np.array(state["feature_names_in"], object)
    for group in _GROUPS:
        arrays = _numbered(tensors, group)
        if arrays or group in ("coefs_", "intercepts_"):
            setattr(estimator, group, arrays)
    _check_shapes(estimator)
    _restore_labels(estimator, state["labels"])
    estimator._stack(estimator._widths())  # raises where a parameter has not one entry for each layer
    if state["optimizer"] is not None:
        numbers = tuple(state["optimizer"].pop("numbers"))
        estimator._optimizer = SolverState(numbers=numbers, slots=_numbered(tensors, "slot_"), **state["optimizer"])
    return estimator


def _restore_labels(estimator: Any, state: Mapping[str, Any] | None) -> None:
    """Give a classifier its classes; refuse those that do not fit its outputs, and a regressor's."""
    if (state is not None) != hasattr(estimator, "predict_proba"):
        raise ValueError("classes belong to a classifier, and to no regressor")
    if state is not None:
        estimator._labels = _read_labels(state, estimator.n_outputs_)
        estimator.classes_ = estimator._labels.classes
    known, held = estimator._out_activation(), estimator.out_activation_
    if held != known:
        raise ValueError(f"'out_activation_' must be {known!r}. Received: {held!r}")


def _checked_attribute(name: str, value: object) -> object:
    kinds = _ATTRIBUTES[name]
    if type(value) in kinds and (not isinstance(value, list) or all(type(each) in _NUMBER for each in value)):
        return value
    known = ", ".join(kind.__name__ for kind in kinds)
    raise ValueError(f"{name!r} must be of type {known}, lists of numbers. Received: {validation.show(value)}")


def _check_shapes(estimator: BaseEstimator) -> None:
    """Refuse weights that do not make a network of the file's widths."""
    weights = Weights(estimator.coefs_, estimator.intercepts_)
    widths = [estimator.n_features_in_, *(array.size for array in weights.intercepts)]
    flat = all(array.ndim == 1 for array in weights.intercepts)
    fits = (
        flat
        and len(weights.coefs) == len(weights.intercepts) == estimator.n_layers_ - 1
        and all(
            kernel.shape == shape
            and kernel.dtype == weights.coefs[0].dtype
            and kernel.dtype in (np.float32, np.float64)
            for kernel, shape in zip(weights.coefs, itertools.pairwise(widths), strict=True)
        )
    )
    if not fits or widths[-1] != estimator.n_outputs_:
        raise ValueError("its weights do not fit each other")


def _numbered(tensors: Mapping[str, Array], prefix: str) -> list[Array]:
    found: list[Array] = []
    while f"{prefix}{len(found)}" in tensors:
        found.append(tensors[f"{prefix}{len(found)}"].copy())
    return found


def _plain(value: object) -> Any:
    """A number, text or list of numbers as JSON knows it."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


# Parameters


def _parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """The parameters as plain data. Callbacks, callable metrics and random states are left at their defaults."""
    kept = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "activation":
            kept[name] = _activation_data(value)
        elif name == "loss" and not isinstance(value, str):
            kept[name] = losses.serialize(_built_in(losses.resolve(value, 1, (None, 1)), name))
        elif name == "class_weight" and isinstance(value, (Mapping, list)):
            kept[name] = _class_weight_data(value)
        elif name not in _NOT_KEPT and _is_plain(value):
            kept[name] = _plain(list(value) if isinstance(value, np.ndarray) else value)
    return kept


def _read_parameter(name: str, value: object) -> Any:
    if name == "activation":
        return [_named(each) for each in value] if isinstance(value, list) else _named(value)
    if name == "loss" and not isinstance(value, str):
        return losses.resolve(value, 1, (None, 1))
    if name == "class_weight" and isinstance(value, list):
        read = [{_label(*key): factor for key, factor in each} for each in value]
        return read[0] if len(read) == 1 else read
    return tuple(value) if name == "hidden_layer_sizes" and isinstance(value, list) else value


def _named(value: Any) -> Any:
    return value if isinstance(value, str) else activations.get(value)


def _activation_data(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_activation_data(each) for each in value]
    return activations.serialize(_built_in(activations.get(value), "activation"))


def _built_in(found: Any, name: str) -> Any:
    if found.native is None:
        raise ValueError(f"A file holds data only, and no code: `{name}` must be a built-in one. Received: {found!r}")
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple, np.ndarray)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, np.bool_, np.integer, np.floating))


def _class_weight_data(value: Any) -> list[list[list[Any]]]:
    each = value if isinstance(value, list) else [value]
    return [[[_label_data(key), _plain(factor)] for key, factor in weights.items()] for weights in each]


def _label_data(key: object) -> list[Any]:
    """A dictionary's key, whose type JSON would forget."""
    plain = _plain(key)
    return [type(plain).__name__, plain]


def _label(kind: str, value: object) -> Any:
    return {"bool": bool, "int": int, "float": float, "str": str}[kind](value)


# Labels


def _labels(estimator: BaseEstimator) -> dict[str, Any] | None:
    labels: Labels | None = getattr(estimator, "_labels", None)
    if labels is None:
        return None
    classes = np.asarray(estimator.classes_)
    values = classes.astype(np.int64).tolist() if classes.dtype.kind in "mM" else classes.tolist()
    if not _is_plain(values):
        raise ValueError(f"A file holds classes that are numbers, texts or times. Received: {classes!r}")
    return {"kind": labels.kind, "dtype": classes.dtype.str, "classes": values, "sparse": labels.is_sparse}


def _read_labels(state: Mapping[str, Any], n_outputs: int) -> Labels:
    dtype, values = np.dtype(state["dtype"]), state["classes"]
    if dtype.itemsize * len(values) > _MOST_LABEL_BYTES:
        raise ValueError(f"its classes must take at most {_MOST_LABEL_BYTES} bytes. Received: {len(values)} of {dtype}")
    classes = np.array(values, np.int64).astype(dtype) if dtype.kind in "mM" else np.array(values, dtype)
    labels = Labels.restored(
        validation.choice(state["kind"], "kind", _LABEL_KINDS), classes, validation.boolean(state["sparse"], "sparse")
    )
    if classes.ndim != 1 or not len(classes) or labels.n_outputs != n_outputs:
        raise ValueError(f"its classes must fit its outputs, {n_outputs}. Received: classes of shape {classes.shape}")
    return labels
