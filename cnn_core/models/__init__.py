"""Models: layers put together, and compiled into one native network."""

from __future__ import annotations

from typing import Any

import cnn_core.foundation.left_out as left_out
from cnn_core.models.clone import clone_model
from cnn_core.models.model import Model
from cnn_core.models.sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model"]

# Keras has these here too.
_OF_SAVING = ("load_model", "model_from_json", "save_model")


def __getattr__(name: str) -> Any:
    """Import cnn_core.saving on first use, as cnn_core itself does."""
    if name in _OF_SAVING:
        import cnn_core.saving as saving

        return getattr(saving, name)
    raise left_out.missing(__name__, name, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_SAVING})
