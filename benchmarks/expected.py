"""Write the files that a comparison starts from and compute in float64 what must come out.

The reference is the network by hand in NumPy; it shares no code with any library that is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases import Prediction, Training, Weights
from rivals.numpy_by_hand import NumPyByHand

ROWS_COMPARED = 256


@dataclass(frozen=True)
class ExpectedTraining:
    """Hold the losses before training, after one and after two epochs, and outputs after the first."""

    losses: tuple[float, float, float]
    outputs: NDArray[Any]


def prepare_training(case: Training, optimizer: int, folder: Path) -> ExpectedTraining:
    """Write x, y and the starting weights into the folder; return what training must lead to."""
    x, y = case.data()
    write(folder, x, case.network.weights())
    np.save(folder / "y.npy", y)
    reference = NumPyByHand(1, np.float64)
    reference.build(case.network, case.network.weights(), case, case.optimizers[optimizer])
    reference.set_data(x, y)
    losses = [reference.loss()]
    reference.train(1, False)
    losses.append(reference.loss())
    outputs = reference.predict(reference.x[:ROWS_COMPARED])
    reference.train(1, False)
    return ExpectedTraining((losses[0], losses[1], reference.loss()), outputs)


def prepare_prediction(case: Prediction, folder: Path) -> NDArray[Any]:
    """Write x and the weights into the folder; return the outputs for the first and the last 128 rows."""
    x = case.network.inputs(case.rows)
    write(folder, x, case.network.weights())
    reference = NumPyByHand(1, np.float64)
    reference.build(case.network, case.network.weights(), None, None)
    return reference.predict(np.concatenate([x[:128], x[-128:]]).astype(np.float64))


def write(folder: Path, x: NDArray[np.float32], weights: Weights) -> None:
    np.save(folder / "x.npy", x)
    named: dict[str, Any] = {f"w{i}": w for i, w in enumerate(weights)}
    np.savez(folder / "weights.npz", **named)
