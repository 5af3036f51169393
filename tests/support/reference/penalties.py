"""Regularizers and constraints of one tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reference.activations import EPSILON, Array

# --------------------------------------------------------------------------------------------------------------------
# Regularizers and constraints of one tensor.
# --------------------------------------------------------------------------------------------------------------------


def l1_l2_penalty(w: Array, l1: float = 0.0, l2: float = 0.0) -> float:
    """Compute l1 sum |w| + l2 sum w^2 (no half)."""
    return float(l1 * np.abs(w).sum() + l2 * (w**2).sum())


def l1_l2_gradient(w: Array, l1: float = 0.0, l2: float = 0.0) -> Array:
    return l1 * np.sign(w) + 2 * l2 * w


def _unit_rows(w: Array) -> tuple[Array, Array]:
    length = np.maximum(np.linalg.norm(w, axis=1, keepdims=True), EPSILON)
    return w / length, length


def orthogonal_penalty(w: Array, factor: float = 0.01, mode: str = "rows") -> float:
    """Compute factor times the mean |cosine| between pairs of rows (or columns)."""
    u, _ = _unit_rows(w if mode == "rows" else w.T)
    pairs = len(u) * (len(u) - 1) / 2
    off_diagonal = u @ u.T * (1 - np.eye(len(u)))
    return float(0.5 * factor * np.abs(off_diagonal).sum() / pairs)


def orthogonal_gradient(w: Array, factor: float = 0.01, mode: str = "rows") -> Array:
    u, length = _unit_rows(w if mode == "rows" else w.T)
    pairs = len(u) * (len(u) - 1) / 2
    signs = np.sign(u @ u.T * (1 - np.eye(len(u))))
    du = factor / pairs * signs @ u
    dw = (du - u * (du * u).sum(axis=1, keepdims=True)) / length
    return dw if mode == "rows" else dw.T


def _length(w: Array, axis: int | Sequence[int]) -> Array:
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    return np.sqrt((w**2).sum(axis=axes, keepdims=True))


def min_max_norm(
    w: Array, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
) -> Array:
    length = _length(w, axis)
    desired = rate * np.clip(length, min_value, max_value) + (1 - rate) * length
    return w * desired / (EPSILON + length)


CONSTRAINTS: dict[str, Callable[..., Array]] = {
    "max_norm": lambda w, max_value=2.0, axis=0: min_max_norm(w, 0.0, max_value, 1.0, axis),
    "unit_norm": lambda w, axis=0: w / (EPSILON + _length(w, axis)),
    "min_max_norm": min_max_norm,
    "non_neg": lambda w: np.maximum(w, 0),
}
