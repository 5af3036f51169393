"""Dense neural networks on the CPU: Keras's names, a compiled core, and nothing heavy to install."""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core import (
    activations,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
)
from cnn_core.config import get_num_threads, set_num_threads, show_config
from cnn_core.foundation.version import __version__ as __version__
from cnn_core.initializers import Initializer
from cnn_core.layers import Input, Layer
from cnn_core.losses import Loss
from cnn_core.metrics import Metric
from cnn_core.models import Model, Sequential, load_model, model_from_json
from cnn_core.network.graph import Symbol
from cnn_core.network.operators import Operators
from cnn_core.network.tensors import Tensor
from cnn_core.network.variables import Variable
from cnn_core.optimizers import Optimizer
from cnn_core.regularizers import Regularizer
from cnn_core.training.epochs import NonFiniteLossError

if TYPE_CHECKING:
    from cnn_core import datasets, distribution, inspection, interop, ops, random, saving, utils
    from cnn_core.models import clone_model
    from cnn_core.network.gradient_tape import GradientTape
    from cnn_core.sklearn.tabular.predictor import load_predictor

__all__ = [
    "DTypePolicy",
    "GradientTape",
    "Initializer",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "NonFiniteLossError",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Symbol",
    "Tensor",
    "Variable",
    "activations",
    "callbacks",
    "clone_model",
    "config",
    "constraints",
    "datasets",
    "distribution",
    "get_num_threads",
    "initializers",
    "inspection",
    "interop",
    "layers",
    "load_model",
    "load_predictor",
    "losses",
    "metrics",
    "mixed_precision",
    "model_from_json",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "set_num_threads",
    "show_config",
    "utils",
    "version",
]


def version() -> str:
    """Return the package's version, as `keras.version()` does Keras's."""
    return __version__


# Where what many programs never need is found: it would double the time of an import.
_LATE = ("datasets", "distribution", "inspection", "interop", "ops", "random", "saving", "utils")
_HOMES = {
    **{name: f"cnn_core.{name}" for name in _LATE},
    "DTypePolicy": "cnn_core.foundation.dtype_policy",
    "GradientTape": "cnn_core.network.gradient_tape",
    "clone_model": "cnn_core.models.clone",
    "load_predictor": "cnn_core.sklearn.tabular.predictor",
    "mixed_precision": "cnn_core.config",
}
Operators.functions.home = _HOMES["ops"]


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, _HOMES, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
