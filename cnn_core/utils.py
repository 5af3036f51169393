"""Small tools around training: encoded labels, scaled rows, seeds."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

import cnn_core.foundation.left_out as left_out
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.data.batches import PyDataset
from cnn_core.data.splitting import pack_x_y_sample_weight, split_dataset, unpack_x_y_sample_weight
from cnn_core.data.windows import timeseries_dataset_from_array
from cnn_core.foundation.keras_objects import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    serialize_keras_object,
)
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.numbering import reset_names
from cnn_core.foundation.serialization import custom_objects_in_use, get_custom_objects, register_keras_serializable
from cnn_core.network.model_plot import plot_model

if TYPE_CHECKING:
    FeatureSpace: type[Any]

__all__ = [
    "CustomObjectScope",
    "FeatureSpace",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

Array: TypeAlias = npt.NDArray[Any]

Sequence = PyDataset  # the older name, which Keras has too
CustomObjectScope = custom_object_scope = custom_objects_in_use


@knows_its_arguments
def to_categorical(x: npt.ArrayLike, num_classes: int | None = None) -> npt.NDArray[np.float64]:
    """Turn labels into rows of zeros with a one at the label's place.

    result[..., k] = 1 if x[...] == k else 0

    Parameters
    ----------
    x : array-like of integers in 0..num_classes - 1
        Any shape; a last dimension of size 1 is dropped. Floats may have no fraction.
    num_classes : int >= 1, optional
        The largest label plus 1 by default.

    Returns
    -------
    numpy.ndarray of float64, shape (..., num_classes)

    Raises
    ------
    ValueError
        If a label is negative, not below `num_classes` or no whole number, or if there is none to count from. (Keras
        counts negative labels from the end.)
    TypeError
        If `x` does not hold numbers.

    Examples
    --------
    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    array = validation.as_array(x, "x")
    shape = array.shape[:-1] if array.ndim > 1 and array.shape[-1] == 1 else array.shape
    flat = _whole_labels(array.reshape(-1))
    if num_classes is None:
        if not flat.size:
            raise ValueError("`num_classes` must be given if there are no labels. Received: num_classes=None")
        n_classes = max(int(flat.max()), 0) + 1
    else:
        n_classes = validation.positive_integer(num_classes, "num_classes")
    outside = (flat < 0) | (flat >= n_classes)
    if outside.any():
        wanted = f"0..{n_classes - 1}" if num_classes is not None else "0 or more"
        raise ValueError(f"x must hold labels of {wanted}. Received: {flat[outside][0]}")
    rows = np.zeros((flat.size, n_classes))
    rows[np.arange(flat.size), flat] = 1
    return rows.reshape((*shape, n_classes))


def _whole_labels(labels: Array) -> npt.NDArray[np.int64]:
    # The comparison with the rounded value also finds NaN; infinities and numbers beyond int64 are out of range.
    broken = (labels != np.trunc(labels)) | (np.abs(labels.astype(np.float64)) >= 2.0**63)
    if broken.any():
        raise ValueError(f"x must hold whole numbers. Received: {validation.show(labels[broken][0])}")
    return labels.astype(np.int64)


@knows_its_arguments
def normalize(x: npt.ArrayLike, axis: int = -1, order: float = 2) -> Array:
    """Divide an array along one axis by its norm, so that the norm becomes 1. A norm of 0 divides by 1.

    y = x / ||x||_order, the norm taken along `axis`

    Parameters
    ----------
    x : array-like of any shape but ()
    axis : int, default -1
    order : float, default 2
        Such as 1, 2 or infinity, as for `numpy.linalg.norm`.

    Returns
    -------
    numpy.ndarray of x's shape and floating type; integers become float64

    Raises
    ------
    TypeError
        If `x` does not hold numbers.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = validation.as_array(x, "x")
    axis = validation.integer(axis, "axis")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"`axis` must be an axis of x. Received: axis={axis}, x.shape={array.shape}")
    norm = np.linalg.norm(array, ord=order, axis=axis, keepdims=True)
    quotient: Array = array / np.where(norm == 0, np.ones_like(norm), norm)
    return quotient


@knows_its_arguments
def pad_sequences(
    sequences: Iterable[npt.ArrayLike],
    maxlen: int | None = None,
    dtype: npt.DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> Array:
    """Bring sequences to one length, for an array of them.

    Parameters
    ----------
    sequences : iterable of array-like
        Each of any length, its steps all of one shape.
    maxlen : int, default None
        None: the length of the longest.
    dtype : default "int32"
    padding, truncating : {"pre", "post"}, default "pre"
        At which end what is missing is filled up, and what is too much is left out.
    value : float or str, default 0
        What to fill up with.

    Returns
    -------
    numpy.ndarray of shape (n, maxlen, ...)

    Raises
    ------
    ValueError
        If the steps of sequences differ in shape.

    Examples
    --------
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    arrays = [np.asarray(each) for each in sequences]
    scalar = next((each for each in arrays if each.ndim == 0), None)
    if scalar is not None:
        raise ValueError(f"`sequences` must hold sequences. Received: {scalar} among them")
    length = max(map(len, arrays), default=0) if maxlen is None else validation.non_negative_integer(maxlen, "maxlen")
    at_front = validation.choice(padding, "padding", ("pre", "post")) == "pre"
    keeps_end = validation.choice(truncating, "truncating", ("pre", "post")) == "pre"
    shapes = {each.shape[1:] for each in arrays if len(each)}
    if len(shapes) > 1:
        raise ValueError(f"`sequences` must hold steps of one shape. Received: {', '.join(map(str, sorted(shapes)))}")
    kind = object if isinstance(value, str) and np.dtype(dtype).kind != "U" else dtype
    padded = np.full((len(arrays), length, *next(iter(shapes), ())), value, kind)
    for row, given in zip(padded, arrays, strict=True):
        kept = given[max(len(given) - length, 0) :] if keeps_end else given[:length]
        if len(kept):
            row[length - len(kept) if at_front else 0 :][: len(kept)] = kept
    return padded


@knows_its_arguments
def set_random_seed(seed: int) -> None:
    """Make what follows repeatable: seed cnn_core, Python's `random` and NumPy's global generator.

    Parameters
    ----------
    seed : int in 0..2**32 - 1

    Raises
    ------
    TypeError
        If `seed` is no integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> import random
    >>> set_random_seed(7)
    >>> first = random.random(), np.random.rand()
    >>> set_random_seed(7)
    >>> first == (random.random(), np.random.rand())
    True
    """
    checked = validation.integer(seed, "seed", minimum=0, maximum=2**32 - 1)
    import random  # only this needs it, and importing the package should not wait for it

    random_state.set_seed(checked)
    random.seed(checked)
    np.random.seed(checked)  # noqa: NPY002


@knows_its_arguments
def clear_session(free_memory: bool = True) -> None:
    """Number the names of new layers from the start again: the next `Dense` is called "dense".

    Keras also lets go of a state common to all models here; there is none in this package.

    Parameters
    ----------
    free_memory : bool, default True
        Whether to collect garbage, such as models that nothing refers to.

    Examples
    --------
    >>> from cnn_core import layers
    >>> clear_session()
    >>> layers.Dense(1).name, layers.Dense(1).name
    ('dense', 'dense_1')
    """
    reset_names()
    if validation.boolean(free_memory, "free_memory"):
        gc.collect()


if not TYPE_CHECKING:  # a checker must not take every name for known
    # A feature space is a model, and lies where models are.
    __getattr__ = left_out.answer_for(__name__, {"FeatureSpace": "cnn_core.models.feature_space"})
