"""What the blends of the tabular estimators are made of: recipes, how long each is trained, and how many folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnn_core.sklearn.tabular.presets import PRESETS, Recipe

MOST_FEW_ROWS = 2000


@dataclass(frozen=True)
class Variant:
    """A recipe that a blend may use.

    Attributes
    ----------
    name, preset : str
    changes : mapping
        What is not as the preset has it.
    epochs : float
        The share of the estimator's `epochs`.
    cost : float
        Of training, in that of the simple variant for the same epochs.
    """

    name: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    epochs: float = 1.0
    cost: float = 1.0

    def recipe(self, task: str) -> Recipe:
        """Return the recipe for a task."""
        return replace(PRESETS[self.preset][task], **self.changes)


@dataclass(frozen=True)
class Portfolio:
    """The variants of a blend, the most important first, and how many folds each is trained on."""

    n_folds: int
    variants: tuple[Variant, ...]
    n_folds_of_few: int | None = None

    def folds_for(self, n: int) -> int:
        """Return how many folds n rows are cut into; None for few rows is as many as for others."""
        return self.n_folds_of_few if n < MOST_FEW_ROWS and self.n_folds_of_few else self.n_folds


_SMALL_TABM = {"hidden": (128, 128), "n_sharing": 16}
_SIMPLE = Variant("td_s", "td_s")
_LINEAR = Variant("linear", "td_s", {"hidden": ()}, cost=0.1)
_PIECES = Variant("piecewise_linear", "piecewise_linear", cost=1.3)
_TABM = Variant("tabm", "tabm", _SMALL_TABM, cost=1.0)
_PERIODIC = Variant("periodic", "periodic", cost=1.2)
_FULL = Variant("td", "td", cost=1.5)


def _for(variants: tuple[Variant, ...], epochs: float) -> tuple[Variant, ...]:
    return tuple(replace(each, epochs=epochs, cost=each.cost * epochs) for each in variants)


PORTFOLIOS: dict[str, Portfolio] = {
    "fast": Portfolio(3, _for((_SIMPLE, _LINEAR), 0.8)),
    "balanced": Portfolio(5, _for((_SIMPLE, _LINEAR, _PIECES, _TABM), 0.8)),
    "best": Portfolio(5, _for((_SIMPLE, _LINEAR, _PIECES, _TABM, _PERIODIC, _FULL), 1.6), 8),
}
