"""Class labels as the columns of an output layer, and back, by scikit-learn's rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

from cnn_core.foundation.arrays import Array


def classes_of(y: object) -> Any:
    """Return the sorted classes of a target, with scikit-learn's errors and warnings for what may be none.

    Examples
    --------
    >>> classes_of(np.array([3, 1, 3, 3]))
    array([1, 3])
    """
    plain = plain_classes(y)
    return unique_labels(y) if plain is None else plain


def plain_classes(y: object) -> Any:
    """Return the sorted classes of a vector that plainly has some; None where scikit-learn must look closer."""
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind not in "biuU" or not y.size:
        return None
    classes = np.unique(y)
    return classes if len(classes) <= y.size // 2 else None


class Labels:
    """The classes of a target and how they become numbers.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n,) or (n, labels)
        The target, or all classes.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel-indicator"}
        One output, one for each class, one for each label.
    classes : numpy.ndarray

    Examples
    --------
    >>> labels = Labels(np.array(["no", "yes", "no"]))
    >>> labels.kind, labels.encode(np.array(["yes", "no"]), np.dtype("float64"))
    ('binary', array([[1.],
           [0.]]))
    >>> labels.decode(np.array([[0.2], [0.9]]))
    array(['no', 'yes'], dtype='<U3')
    """

    def __init__(self, y: object) -> None:
        self.classes = plain_classes(y)
        if self.classes is not None:
            self.kind = "binary" if len(self.classes) <= 2 else "multiclass"
        else:
            self.kind = type_of_target(y, input_name="y")
            if "multioutput" in self.kind:
                raise ValueError("Multioutput target data is not supported with label binarization")
            self.classes = unique_labels(y)
        # A sparse indicator matrix is answered by one.
        self._binarizer = LabelBinarizer().fit(y) if hasattr(y, "tocsr") else None

    @classmethod
    def restored(cls, kind: str, classes: Array, is_sparse: bool) -> Labels:
        """Return the labels that have these attributes."""
        labels = cls.__new__(cls)
        labels.kind, labels.classes = kind, classes
        labels._binarizer = None
        if is_sparse:
            import scipy.sparse

            labels._binarizer = LabelBinarizer().fit(scipy.sparse.eye(len(classes), dtype=int, format="csr"))
        return labels

    @property
    def is_sparse(self) -> bool:
        """Whether predictions are a sparse indicator matrix."""
        return self._binarizer is not None

    @property
    def n_outputs(self) -> int:
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def out_activation(self) -> str:
        return "softmax" if self.kind == "multiclass" else "logistic"

    def numbers(self, y: Array) -> Array:
        """Return the place of each label among the classes: int32 of shape (n,)."""
        return np.asarray(np.searchsorted(self.classes, y), np.int32)

    def encode(self, y: Any, dtype: np.dtype[Any]) -> Array:
        """Return the target of every output unit: zeros and ones of shape (n, n_outputs).

        Raises
        ------
        ValueError
            If an indicator matrix meets labels, or one of another width.
        """
        if self.kind == "multilabel-indicator":
            dense = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
            if dense.ndim != 2 or dense.shape[1] != len(self.classes):
                raise ValueError(
                    f"classes {self.classes} mismatch with the labels {np.arange(dense.shape[-1])} found in the data"
                )
            return np.ascontiguousarray(dense != 0, dtype)
        if hasattr(y, "tocsr") or y.ndim > 1:
            raise ValueError("The object was not fitted with multilabel input.")
        if len(self.classes) == 1:
            return np.zeros((len(y), 1), dtype)
        if self.kind == "binary":
            return np.ascontiguousarray(y == self.classes[1], dtype)[:, None]
        encoded = np.zeros((len(y), len(self.classes)), dtype)
        encoded[np.arange(len(y)), self.numbers(y)] = 1
        return encoded

    def decode(self, outputs: Array) -> Any:
        """Return the labels of the likeliest classes, or an indicator matrix of the labels likelier than not."""
        if self._binarizer is not None:
            return self._binarizer.inverse_transform(outputs)
        if self.kind == "multilabel-indicator":
            return (outputs > 0.5).astype(int)
        if self.kind == "multiclass":
            return self.classes.take(outputs.argmax(axis=1))
        if len(self.classes) == 1:
            return np.repeat(self.classes, len(outputs))
        return self.classes.take((outputs.ravel() > 0.5).astype(np.intp))
