"""Learning-rate schedules: the learning rate as a function of the number of batches seen.

A schedule takes one step or an array of steps, so that the training loop asks once per slice of batches and a step
costs nothing. Everything is computed in float64, where Keras uses float32. Knows nothing of optimizers or models.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.optimizers.schedules.base import LearningRateSchedule
from cnn_core.optimizers.schedules.cosines import CosineDecay, CosineDecayRestarts, Coslog, FlatCosine
from cnn_core.optimizers.schedules.decays import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from cnn_core.optimizers.schedules.lookup import deserialize, get, serialize

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "Coslog",
    "ExponentialDecay",
    "FlatCosine",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
