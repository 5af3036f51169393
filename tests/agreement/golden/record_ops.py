"""Record what Keras's functions give, and the gradients that PyTorch's autograd finds behind them.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install keras==3.15.1 torch==2.13.0 numpy
    KERAS_BACKEND=torch python tests/agreement/golden/record_ops.py
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

import keras
import numpy as np
import torch
from keras import ops

from ops_cases import CASES, Case


def recorded(case: Case) -> dict[str, np.ndarray]:
    """Return the value, and the gradient of its sum weighted by 1, 2, 3, ... for each operand."""
    operands = [torch.tensor(operand, requires_grad=True) for operand in case.operands()]
    value = case.function(ops, *operands)
    found = {"value": ops.convert_to_numpy(value)}
    if value.requires_grad:
        weights = torch.arange(1.0, value.numel() + 1, dtype=torch.float64).reshape(value.shape)
        with contextlib.suppress(RuntimeError):  # PyTorch knows no derivative of a floor_divide
            (weights * value).sum().backward()
    for place, operand in enumerate(operands):
        gradient = np.zeros(operand.shape) if operand.grad is None else operand.grad.numpy()
        found[f"gradient {place}"] = gradient
    return found


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    arrays = {f"{name}/{key}": array for name, case in CASES.items() for key, array in recorded(case).items()}
    source = f"keras {keras.__version__}, torch {torch.__version__}, numpy {np.__version__}"
    np.savez_compressed(Path(__file__).with_name("ops.npz"), source=source, **arrays)
    print(len(CASES), "cases")
