"""Models: layers put together, and compiled into one native network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.layers.base import registry
from cnn_core.models.loading import load_model, model_from_json
from cnn_core.models.model import Model
from cnn_core.models.sequential import Sequential
from cnn_core.saving import save_model

if TYPE_CHECKING:
    from cnn_core.models.clone import clone_model

registry.homes["FeatureSpace"] = "cnn_core.models.feature_space"

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

# Where what many programs never use is found. Loading is not among it: a service's first load must not depend on what
# else can be read.
_HOMES = {"clone_model": "cnn_core.models.clone"}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
