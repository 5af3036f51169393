"""What the presets of the tabular estimators fix: the form of a network and how it is trained.

The numbers are those that the authors of the recipes chose once, over many tables, except where a remark says so.
Learning rates and their multipliers are meant for the parametrisation ``x . W / sqrt(inputs)`` with entries of W of the
order of 1, but for TabM's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cnn_core.activations as activations
from cnn_core.activations import Activation

# RealMLP's authors train for 256 epochs. On tables of up to 1,200 rows a schedule of a third of that scores no worse.
EPOCHS = 80

AUTO = "auto"  # the default: a blend, or where something is asked for that a single network alone has, AUTO_SINGLE
AUTO_SINGLE = "td_s"
VALIDATION_FRACTION = 0.2  # of which the default holds out no other share for a single network


@dataclass(frozen=True)
class Recipe:
    """Form and training of a network for tables.

    Attributes
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    activation : str, or Activation of other settings than its default ones
    learning_rate : float
        At the crests of the schedule.
    scale_multiplier, bias_multiplier, slow_multiplier : float
        Of the learning rate: for the factor of each feature, for biases, and for what embeds numbers and shapes
        activations.
    beta_1, beta_2, epsilon : float
        Of Adam.
    parametric : bool
        Whether an activation g is ``x + alpha (g(x) - x)`` with a learnt alpha, 1 at first.
    dropout, weight_decay : float
        As training begins; constant until its middle, then falling to 0 along a cosine.
    n_waves, n_wave_outputs : int
        Of the periodic embedding of each number; 0 waves for none.
    wave_spread : float
        Standard deviation of the waves' first frequencies.
    n_bins : int
        Pieces that the axis of each number is cut into; 0 for none.
    most_one_hot : int or None
        Categories of more known values are embedded; None: none is.
    embedding_width : int
        Of a category that is embedded.
    embedding_spread : float
        Standard deviation of the embeddings as training begins. Values that are seldom seen stay near where they began:
        the closer to 0, which unknown and missing ones have, the less their predictions are left to chance.
    fitted_start : bool
        Whether initial kernels and biases are fitted to the table.
    clamps : bool
        Whether predicted numbers are kept within the range of the targets seen in training.
    radial : bool
        Whether the units of the one hidden layer are rows of training, and their values how near a row is to these.
    n_sharing : int
        Networks that share their kernels, and scale them by factors of their own; 0 for one network alone.
    swings : bool
        Whether the learning rate swings, and dropout and weight decay fade; else all three are constant.
    smooths : bool
        Whether labels are smoothed where the share of errors is what counts.
    patience : int or None
        Epochs without progress after which training ends.
    epochs : int
        Of the whole schedule.
    """

    hidden: tuple[int, ...]
    activation: str | Activation
    learning_rate: float
    scale_multiplier: float = 6.0
    bias_multiplier: float = 0.1
    slow_multiplier: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8
    parametric: bool = False
    dropout: float = 0.0
    weight_decay: float = 0.0
    n_waves: int = 0
    n_wave_outputs: int = 3
    wave_spread: float = 0.1
    n_bins: int = 0
    most_one_hot: int | None = None
    embedding_width: int = 8
    embedding_spread: float = 1.0
    fitted_start: bool = False
    clamps: bool = False
    radial: bool = False
    n_sharing: int = 0
    swings: bool = True
    smooths: bool = True
    patience: int | None = None
    epochs: int = EPOCHS

    def state(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        activation = activations.serialize(activations.get(self.activation))
        return asdict(self) | {"hidden": list(self.hidden), "activation": activation}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Recipe:
        """Return the recipe whose `state` was saved."""
        activation = state["activation"]
        if not isinstance(activation, str):
            activation = activations.deserialize(activation)
        return cls(**{**state, "hidden": tuple(state["hidden"]), "activation": activation})


_HIDDEN = (256, 256, 256)
_BY_TASK = {"classification": ("selu", 0.04), "regression": ("mish", 0.07)}  # activation, learning rate
_WAVES = {"n_waves": 16}
# The authors of the simple variant and of TabM have a feature for each value. That is as good for few values; of
# hundreds a network learns rows of a table better, and in less time.
_CATEGORIES: dict[str, Any] = {"most_one_hot": 32, "embedding_spread": 0.3}
_FULL: dict[str, Any] = {
    **_WAVES,
    "parametric": True,
    "dropout": 0.15,
    "weight_decay": 0.02,
    "most_one_hot": 8,
    "fitted_start": True,
}


_TABM = Recipe(
    (512, 512, 512),
    "relu",
    2e-3,
    beta_2=0.999,
    dropout=0.1,
    n_sharing=32,
    swings=False,
    smooths=False,
    patience=16,
    epochs=256,
    **_CATEGORIES,
)


def _for_both(**more: Any) -> dict[str, Recipe]:
    settings = _CATEGORIES | more
    return {task: Recipe(_HIDDEN, *chosen, **settings) for task, chosen in _BY_TASK.items()}


# By name and task.
PRESETS: dict[str, dict[str, Recipe]] = {
    "td_s": _for_both(),
    "td": {
        "classification": Recipe(_HIDDEN, "selu", 0.04, **_FULL),
        "regression": Recipe(_HIDDEN, "mish", 0.2, **_FULL, clamps=True),
    },
    "periodic": _for_both(**_WAVES),
    "piecewise_linear": _for_both(n_bins=24),
    "tabm": dict.fromkeys(("classification", "regression"), _TABM),
}
