"""Dense neural networks on the CPU: Keras's names, a compiled core, and nothing heavy to install."""

from cnn_core import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    inspection,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    saving,
    utils,
)
from cnn_core.config import get_num_threads, set_num_threads, show_config
from cnn_core.graph import Symbol
from cnn_core.layers import Input
from cnn_core.models import Model, Sequential, clone_model
from cnn_core.passes import NonFiniteLossError
from cnn_core.saving import load_model, model_from_json
from cnn_core.variables import Variable

__version__ = "0.1.0"

__all__ = [
    "Input",
    "Model",
    "NonFiniteLossError",
    "Sequential",
    "Symbol",
    "Variable",
    "activations",
    "callbacks",
    "clone_model",
    "config",
    "constraints",
    "datasets",
    "get_num_threads",
    "initializers",
    "inspection",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "model_from_json",
    "optimizers",
    "regularizers",
    "saving",
    "set_num_threads",
    "show_config",
    "utils",
]
