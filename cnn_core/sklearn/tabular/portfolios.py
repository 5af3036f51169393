"""What the blends of the tabular estimators are made of: recipes, how long each is trained, and how many folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnn_core.sklearn.tabular.presets import PRESETS, Recipe

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


_NARROW = {"hidden": (128, 128, 128)}
_FULL_OF_PIECES = {"n_bins": 24, "n_waves": 0}  # the full variant, with numbers as the piecewise linear one has them


def _for(epochs: float, *variants: Variant) -> tuple[Variant, ...]:
    return tuple(replace(each, epochs=epochs, cost=each.cost * epochs) for each in variants)


_NARROW_NETWORKS = _for(
    0.4,
    Variant("narrow_td_pieces", "td", _FULL_OF_PIECES | _NARROW, cost=0.7),
    Variant("narrow_td_s", "td_s", _NARROW, cost=0.35),
)
_ROWS = {"activation": "exponential", "radial": True, "most_one_hot": None}  # as hidden units
_NARROW_RADIAL = Variant("narrow_radial", "td_s", _ROWS | {"hidden": (512,)}, cost=0.1)
_RADIAL = Variant("radial", "td_s", _ROWS | {"hidden": (1024,)}, cost=0.5)
_LINEAR_MODELS = _for(
    0.8,
    Variant("additive", "piecewise_linear", {"hidden": ()}, cost=0.05),  # the sum of a function of each number
    Variant("linear", "td_s", {"hidden": ()}, cost=0.03),
)
_SIMPLE_NETWORKS = _for(
    0.8, Variant("piecewise_linear", "piecewise_linear", cost=1.15), Variant("td_s", "td_s", cost=1.0)
)
_FULL_NETWORKS = _for(0.8, Variant("td", "td", cost=1.5), Variant("td_pieces", "td", _FULL_OF_PIECES, cost=1.8))

_FAST = (*_NARROW_NETWORKS, *_LINEAR_MODELS)
_BALANCED = (*_FAST, _RADIAL, *_SIMPLE_NETWORKS)

PORTFOLIOS: dict[str, Portfolio] = {
    "fast": Portfolio(5, (*_FAST, _NARROW_RADIAL)),
    "balanced": Portfolio(5, _BALANCED),
    "best": Portfolio(8, (*_BALANCED, *_FULL_NETWORKS)),
}
