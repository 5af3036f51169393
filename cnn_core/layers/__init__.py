"""Layers, under Keras's names."""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.foundation.exports import own_names
from cnn_core.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from cnn_core.layers.base import Layer, deserialize, get, serialize
from cnn_core.layers.dense import Dense
from cnn_core.layers.einsum_dense import EinsumDense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.encoding import CategoryEncoding
from cnn_core.layers.ensemble import EnsembleDense
from cnn_core.layers.function import Lambda
from cnn_core.layers.hashing import HashedCrossing, Hashing
from cnn_core.layers.input import Input, InputLayer
from cnn_core.layers.lookup import IntegerLookup, StringLookup
from cnn_core.layers.masking import Masking
from cnn_core.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from cnn_core.layers.normalization import *
from cnn_core.layers.pooling import *
from cnn_core.layers.preprocessing import *
from cnn_core.layers.regularization import *
from cnn_core.layers.reshaping import *
from cnn_core.layers.tabular import *
from cnn_core.layers.wrapper import *

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Dot",
    "EinsumDense",
    "Embedding",
    "EnsembleDense",
    "HashedCrossing",
    "Hashing",
    "Input",
    "InputLayer",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "PReLU",
    "ReLU",
    "Softmax",
    "StringLookup",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "get",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
    *own_names("cnn_core.layers.normalization"),
    *own_names("cnn_core.layers.pooling"),
    *own_names("cnn_core.layers.preprocessing"),
    *own_names("cnn_core.layers.regularization"),
    *own_names("cnn_core.layers.reshaping"),
    *own_names("cnn_core.layers.tabular"),
    *own_names("cnn_core.layers.wrapper"),
]


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
