"""Layers, under Keras's names."""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from cnn_core.layers.base import Layer, deserialize, get, serialize
from cnn_core.layers.dense import Dense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.function import Lambda
from cnn_core.layers.input import Input, InputLayer
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
from cnn_core.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from cnn_core.layers.preprocessing import CategoryEncoding, Discretization, Normalization, Rescaling
from cnn_core.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
)
from cnn_core.layers.reshaping import Flatten, Identity, Reshape
from cnn_core.layers.tabular import ParametricActivation, PeriodicEmbedding

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "ParametricActivation",
    "PeriodicEmbedding",
    "RMSNormalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Subtract",
    "UnitNormalization",
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
]


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
