"""Activation functions as descriptions: names, parameters, formulas.

The arithmetic is native; `native` and `parameters` are what a plan hands to it. Here stand the functions' settings, and
what lets them be called on any array: other types than the core's, other axes than the last.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.activations.base import Activation
from cnn_core.activations.custom import CustomActivation
from cnn_core.activations.elementwise import *
from cnn_core.activations.lookup import deserialize, get, serialize
from cnn_core.activations.piecewise import *
from cnn_core.activations.row_wise import *
from cnn_core.foundation.exports import own_names

__all__ = [
    "Activation",
    "CustomActivation",
    "deserialize",
    "get",
    "serialize",
    *own_names("cnn_core.activations.elementwise"),
    *own_names("cnn_core.activations.piecewise"),
    *own_names("cnn_core.activations.row_wise"),
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
