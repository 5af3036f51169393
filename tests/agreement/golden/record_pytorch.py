"""Record from PyTorch what Keras has no name for: half the squared error, the pinball loss, Gaussian likelihood.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install torch==2.13.0 numpy
    python tests/agreement/golden/record_pytorch.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from golden import DTYPES, SNAPSHOTS, batches, describe, flat, save

SOURCE = {"package": "torch", "version": torch.__version__, "numpy": np.__version__, "batch_size": "16"}
ROWS, INPUTS, HIDDEN, TARGETS = 72, 5, 7, 2
LEARNING_RATE, MOMENTUM = 0.05, 0.5

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def half_squared_error(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return 0.5 * torch.nn.functional.mse_loss(p, y, reduction="none").sum(dim=1)


def gaussian_nll(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    mean, log_variance = p.chunk(2, dim=1)
    function = torch.nn.GaussianNLLLoss(full=True, eps=1e-300, reduction="none")
    return function(mean, y, log_variance.exp()).mean(dim=1)


def quantile(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Add up relu(y - p) and relu(p - y) in the ratio 4 : 1: the quantile 0.8."""
    return (0.8 * torch.relu(y - p) + (1 - 0.8) * torch.relu(p - y)).mean(dim=1)


CASES: list[tuple[str, dict[str, Any], Loss, int]] = [
    ("half_squared_error", describe("losses.HalfSquaredError"), half_squared_error, TARGETS),
    ("gaussian_nll", describe("losses.GaussianNLL"), gaussian_nll, 2 * TARGETS),
    ("quantile", describe("losses.Quantile", levels=0.8), quantile, TARGETS),
]


def draw(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw normal numbers, rounded so that they are exact in float32 and small when compressed."""
    return np.round(np.random.default_rng(seed).normal(0, scale, shape) * 256) / 256


def train(loss: Loss, outputs: int, x: torch.Tensor, y: torch.Tensor) -> tuple[list[float], list[np.ndarray]]:
    """Train 5-7-k with tanh for 50 batches; PyTorch's kernels are the transposes of Keras's."""
    network = torch.nn.Sequential(
        torch.nn.Linear(INPUTS, HIDDEN, dtype=x.dtype), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, outputs, dtype=x.dtype)
    )
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), initial(outputs), strict=True):
            parameter.copy_(torch.tensor(value.T))
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    slices = batches(ROWS, int(SOURCE["batch_size"]))
    losses, snapshots = [], []
    for step in range(max(SNAPSHOTS)):
        rows = slices[step % len(slices)]
        value = loss(network(x[rows]), y[rows]).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
        if step + 1 in SNAPSHOTS:
            snapshots.append(flat([parameter.detach().numpy().T for parameter in network.parameters()]))
    return losses, snapshots


def initial(outputs: int) -> list[np.ndarray]:
    return [
        draw((INPUTS, HIDDEN), 31, 0.5),
        draw((HIDDEN,), 32, 0.1),
        draw((HIDDEN, outputs), 33, 0.5),
        draw((outputs,), 34, 0.1),
    ]


def main() -> None:
    torch.set_num_threads(1)
    cases = [
        {
            "name": name,
            "loss": loss,
            "layers": [
                describe("layers.Dense", units=HIDDEN, activation="tanh"),
                describe("layers.Dense", units=outputs),
            ],
            "optimizer": describe("optimizers.SGD", learning_rate=LEARNING_RATE, momentum=MOMENTUM),
        }
        for name, loss, _, outputs in CASES
    ]
    x = draw((ROWS, INPUTS), 21)
    y = np.round((np.tanh(x @ draw((INPUTS, TARGETS), 22)) + 0.25 * draw((ROWS, TARGETS), 23)) * 256) / 256
    arrays = {"inputs/x": x, "inputs/y": y}
    for name, _, function, outputs in CASES:
        p = draw((9, outputs), 41) + 1 / 512
        arrays[f"{name}/p"] = p
        arrays[f"{name}/initial"] = flat(initial(outputs))
        for dtype in DTYPES:
            kind = getattr(torch, dtype)
            prediction = torch.tensor(p, dtype=kind, requires_grad=True)
            values = function(prediction, torch.tensor(y[:9], dtype=kind))
            arrays[f"{name}/{dtype}/values"] = values.detach().numpy()
            arrays[f"{name}/{dtype}/gradient"] = torch.autograd.grad(values.sum(), prediction)[0].numpy()
            losses, snapshots = train(function, outputs, torch.tensor(x, dtype=kind), torch.tensor(y, dtype=kind))
            arrays[f"{name}/{dtype}/losses"] = np.array(losses, dtype=dtype)
            arrays[f"{name}/{dtype}/weights"] = np.array(snapshots)
    save("pytorch", SOURCE, cases, arrays)


if __name__ == "__main__":
    main()
