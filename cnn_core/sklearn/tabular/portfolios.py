"""What the blends of the tabular estimators are made of: recipes, how long each is trained, and how many folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnn_core.sklearn.tabular.presets import PRESETS, Recipe

MOST_FEW_ROWS = 2000
AUTO_BLEND = "fast"  # of the default preset


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


_NARROW = {"hidden": (128, 128, 128)}
_SIMPLE = Variant("td_s", "td_s")
_LINEAR = Variant("linear", "td_s", {"hidden": ()}, cost=0.03)
_ADDITIVE = Variant("additive", "piecewise_linear", {"hidden": ()}, cost=0.05)  # a function of each number, summed up
_PIECES = Variant("piecewise_linear", "piecewise_linear", cost=1.15)
_PERIODIC = Variant("periodic", "periodic", cost=1.25)
_FULL = Variant("td", "td", cost=1.5)
_NARROW_SIMPLE = Variant("narrow", "td_s", _NARROW, cost=0.35)
_NARROW_PIECES = Variant("narrow_piecewise_linear", "piecewise_linear", _NARROW, cost=0.43)
_NARROW_FULL = Variant("narrow_td", "td", _NARROW, cost=0.6)
_TABM = Variant("tabm", "tabm", {"hidden": (128, 128), "n_sharing": 16}, cost=4.0)


def _for(epochs: float, *variants: Variant) -> tuple[Variant, ...]:
    return tuple(replace(each, epochs=epochs, cost=each.cost * epochs) for each in variants)


_QUICK = (*_for(0.4, _NARROW_PIECES), *_for(0.8, _ADDITIVE, _LINEAR), *_for(0.4, _NARROW_SIMPLE))
_BALANCED = (*_QUICK, *_for(0.8, _PIECES, _SIMPLE))

PORTFOLIOS: dict[str, Portfolio] = {
    "fast": Portfolio(5, _QUICK),
    "balanced": Portfolio(5, _BALANCED),
    "best": Portfolio(5, (*_BALANCED, *_for(0.4, _NARROW_FULL), *_for(0.8, _FULL, _PERIODIC, _TABM)), 8),
}
