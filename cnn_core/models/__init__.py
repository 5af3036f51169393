"""Models: layers put together, and compiled into one native network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.layers.base import registry
from cnn_core.models.model import Model
from cnn_core.models.sequential import Sequential

if TYPE_CHECKING:
    from cnn_core.models.clone import clone_model
    from cnn_core.models.loading import load_model, model_from_json
    from cnn_core.saving import save_model

registry.homes["FeatureSpace"] = "cnn_core.models.feature_space"

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

# Where what many programs never use is found; Keras has the names of `saving` here too.
_HOMES = {
    "clone_model": "cnn_core.models.clone",
    "load_model": "cnn_core.models.loading",
    "model_from_json": "cnn_core.models.loading",
    "save_model": "cnn_core.saving",
}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
