"""Predict with TorchScript: traced, frozen, optimised for inference."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from rivals.pytorch import PyTorch

warnings.filterwarnings("ignore", category=DeprecationWarning)


class TorchScript(PyTorch):
    """Run the same network as a frozen graph."""

    def inference_model(self) -> Any:
        model = super().inference_model().eval()
        example = torch.zeros(1, model[0].in_features)
        return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))
