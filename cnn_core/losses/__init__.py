"""Losses as descriptions: names, options, formulas, reductions.

The arithmetic on rows is native: `native` and `native_parameters` are what a plan hands to it. Here stands what comes
before it (the shape of the targets) and after it (the weighted mean over the rows).
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.foundation.exports import own_names
from cnn_core.losses.base import REDUCTIONS, Loss
from cnn_core.losses.custom import CustomLoss
from cnn_core.losses.lookup import as_loss, deserialize, get, resolve, serialize
from cnn_core.losses.margins import *
from cnn_core.losses.overlap import *
from cnn_core.losses.pairs import *
from cnn_core.losses.probabilities import *
from cnn_core.losses.regression import *

__all__ = [
    "REDUCTIONS",
    "CustomLoss",
    "Loss",
    "as_loss",
    "deserialize",
    "get",
    "resolve",
    "serialize",
    *own_names("cnn_core.losses.margins"),
    *own_names("cnn_core.losses.overlap"),
    *own_names("cnn_core.losses.pairs"),
    *own_names("cnn_core.losses.probabilities"),
    *own_names("cnn_core.losses.regression"),
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
