"""Doors: models in and out of other packages. What a door needs beyond NumPy is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out

if TYPE_CHECKING:
    from cnn_core.interop.c_writer import to_c
    from cnn_core.interop.keras_files import from_keras
    from cnn_core.interop.keras_writer import to_keras
    from cnn_core.interop.onnx_reader import from_onnx
    from cnn_core.interop.onnx_writer import to_onnx
    from cnn_core.interop.sklearn_perceptrons import from_sklearn, to_sklearn
    from cnn_core.interop.torch_reader import from_torch
    from cnn_core.interop.torch_weights import load_torch_state_dict
    from cnn_core.interop.torch_writer import to_torch

__all__ = [
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "load_torch_state_dict",
    "to_c",
    "to_keras",
    "to_onnx",
    "to_sklearn",
    "to_torch",
]

_HOMES = {
    "from_keras": "keras_files",
    "from_onnx": "onnx_reader",
    "from_sklearn": "sklearn_perceptrons",
    "from_torch": "torch_reader",
    "load_torch_state_dict": "torch_weights",
    "to_c": "c_writer",
    "to_keras": "keras_writer",
    "to_onnx": "onnx_writer",
    "to_sklearn": "sklearn_perceptrons",
    "to_torch": "torch_writer",
}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(
        __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}, __all__
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
