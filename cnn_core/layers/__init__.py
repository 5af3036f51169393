"""Layers, under Keras's names. Floor 3."""

from cnn_core.layers.activation import Activation
from cnn_core.layers.base import Layer, deserialize, get, serialize
from cnn_core.layers.dense import Dense
from cnn_core.layers.input import Input, InputLayer
from cnn_core.layers.regularization import Dropout
from cnn_core.layers.reshaping import Flatten, Reshape

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "Reshape",
    "deserialize",
    "get",
    "serialize",
]
