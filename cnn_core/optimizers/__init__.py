"""Optimizers: descriptions of update rules that the native core carries out.

Holds hyperparameters and, between trainings, the state vectors; the arithmetic is in src/training/optimizers.pxd. The
docstring of each class is its update rule as code: w weights, g gradient, t = 1, 2, ... the update's number, lr the
learning rate. Knows nothing of layers or models.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.foundation.exports import own_names
from cnn_core.optimizers import schedules
from cnn_core.optimizers.adam import *
from cnn_core.optimizers.base import Optimizer
from cnn_core.optimizers.lookup import deserialize, get, serialize
from cnn_core.optimizers.rules import *
from cnn_core.optimizers.whole_tensors import *

__all__ = [
    "Optimizer",
    "deserialize",
    "get",
    "schedules",
    "serialize",
    *own_names("cnn_core.optimizers.adam"),
    *own_names("cnn_core.optimizers.rules"),
    *own_names("cnn_core.optimizers.whole_tensors"),
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
