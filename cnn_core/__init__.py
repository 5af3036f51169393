"""Dense neural networks on the CPU: Keras's names, a compiled core, and nothing heavy to install."""

from typing import TYPE_CHECKING, Any

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
    saving,
    utils,
)
from cnn_core.config import get_num_threads, set_num_threads, show_config
from cnn_core.foundation.version import __version__ as __version__
from cnn_core.initializers import Initializer
from cnn_core.layers import Input, Layer
from cnn_core.losses import Loss
from cnn_core.metrics import Metric
from cnn_core.models import Model, Sequential, clone_model
from cnn_core.network.graph import Symbol
from cnn_core.network.variables import Variable
from cnn_core.optimizers import Optimizer
from cnn_core.regularizers import Regularizer
from cnn_core.saving import load_model, model_from_json
from cnn_core.training.epochs import NonFiniteLossError

if TYPE_CHECKING:
    from cnn_core import datasets, inspection, interop
    from cnn_core.sklearn.tabular.predictor import load_predictor

__all__ = [
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
    "interop",
    "layers",
    "load_model",
    "load_predictor",
    "losses",
    "metrics",
    "model_from_json",
    "models",
    "optimizers",
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


def __getattr__(name: str) -> Any:
    """Import on first use what most programs never need: it would double the time of an import."""
    import importlib

    if name in ("datasets", "inspection", "interop"):
        return importlib.import_module(f"cnn_core.{name}")
    if name == "load_predictor":
        return getattr(importlib.import_module("cnn_core.sklearn.tabular.predictor"), name)
    import cnn_core.foundation.left_out as left_out

    raise left_out.missing(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
