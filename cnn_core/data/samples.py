"""Data as a custom step is given it: x, y and sample weights in the structures in which they came, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.data.dataset import rows_kept, weights_by_class
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.structures import flatten, like, map_structure


class Samples:
    """Arrays, or lists and dicts of them, with as many rows each.

    Parameters
    ----------
    x, y, sample_weight : array-like, list or dict of them, or None
    dtype : dtype
        Of what holds floats.

    Attributes
    ----------
    n : int
        How many rows there are.

    Examples
    --------
    >>> x, y = Samples([[1], [2], [3]], {"a": [4.0, 5.0, 6.0]}, None, np.dtype("float32")).take(slice(1, 3))
    >>> x.tolist(), y
    ([[2], [3]], {'a': array([5., 6.], dtype=float32)})
    """

    def __init__(self, x: object, y: object, sample_weight: object, dtype: np.dtype[Any]) -> None:
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self._dtype = dtype
        self._parts = {name: _read(part, name, dtype) for name, part in given.items() if part is not None}
        self.n = validation.same_length(
            {f"{name}[{place}]": leaf for name, part in self._parts.items() for place, leaf in enumerate(_leaves(part))}
        )

    def take(self, rows: object) -> Any:
        """Return a batch as Keras packs it: (x, y, sample_weight), (x, y), (x,), or x alone where that is no list."""
        parts = [_map(lambda leaf: leaf[rows], part) for part in self._parts.values()]
        if "sample_weight" in self._parts and "y" not in self._parts:
            parts.insert(1, None)
        return parts[0] if len(parts) == 1 and not isinstance(parts[0], (list, tuple)) else tuple(parts)

    def split(self, share: float) -> tuple[Samples, Samples]:
        """Set the last rows apart, as `Dataset.split` does."""
        first = rows_kept(self.n, share)
        return self._of(slice(0, first)), self._of(slice(first, None))

    def weigh_classes(self, class_weight: Mapping[int, float] | None) -> Samples:
        """Multiply each sample's weight by that of its class, as `Dataset.weigh_classes` does."""
        if class_weight is None:
            return self
        targets = _leaves(self._parts["y"]) if "y" in self._parts else []
        if len(targets) != 1:
            raise ValueError(
                f"`class_weight` can be used with one array of targets only. Received: {len(targets)} of them"
            )
        result = self._of(slice(None))
        weight = weights_by_class(targets[0], class_weight, self._dtype)
        given = self._parts.get("sample_weight")
        result._parts["sample_weight"] = weight if given is None else given * weight
        return result

    def _of(self, rows: slice) -> Samples:
        parts = {name: _map(lambda leaf: leaf[rows], part) for name, part in self._parts.items()}
        return Samples(parts["x"], parts.get("y"), parts.get("sample_weight"), self._dtype)


def _is_structure(value: object) -> bool:
    if isinstance(value, Mapping):
        return not validation.is_sparse(value) and not validation.is_frame(value)
    return isinstance(value, (tuple, list)) and any(hasattr(part, "shape") for part in flatten(value))


def _map(function: Any, value: object) -> Any:
    """Apply a function to every array; a list of numbers is one."""
    return map_structure(function, value) if isinstance(value, (list, tuple, dict)) else function(value)


def _leaves(value: object) -> list[Any]:
    return flatten(value) if isinstance(value, (list, tuple, dict)) else [value]


def _read(value: Any, name: str, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, Mapping) and _is_structure(value):
        return {key: _read(part, f"{name}[{key!r}]", dtype) for key, part in value.items()}
    if _is_structure(value):
        return like(value, [_read(part, f"{name}[{place}]", dtype) for place, part in enumerate(value)])
    return _as_array(value, name, dtype)


def _as_array(value: object, name: str, dtype: np.dtype[Any]) -> Array:
    if validation.is_sparse(value):
        raise TypeError(f"A custom step takes arrays: call {name}.toarray(). Received: a sparse matrix as {name}")
    if validation.holds_texts(value):
        return validation.as_texts(value, name)
    array = validation.as_array(value, name)
    return validation.finite(validation.convert(array, name, dtype), name) if array.dtype.kind == "f" else array
