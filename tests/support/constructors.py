"""Every constructor of the package, what it cannot do without, and what it cannot use."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import cnn_core

MODULES = (
    *("layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks"),
    *("initializers", "regularizers", "constraints"),
)
# Bases for custom classes, and what wraps such classes.
BASES = (
    *("Layer", "Wrapper", "Loss", "Metric", "Optimizer", "LearningRateSchedule"),
    *("Callback", "MonitorCallback", "CallbackList"),
    *("Initializer", "Regularizer", "Constraint", "Registry", "Accumulator", "CrossentropyByTarget"),
    *("CustomLoss", "CustomInitializer", "CustomRegularizer", "CustomConstraint"),
)
# What a constructor cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AlphaDropout": {"rate": 0.5},
    "BackupAndRestore": {"backup_dir": "backup"},
    "CSVLogger": {"filename": "log.csv"},
    "CategoryEncoding": {"num_tokens": 3},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 3},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 3},
    "Coslog": {"initial_learning_rate": 0.1, "decay_steps": 3},
    "Dense": {"units": 3},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.5},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 3, "output_dim": 2},
    "EnsembleDense": {"units": 3, "n_members": 2},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    "FlatCosine": {"initial_learning_rate": 0.1, "decay_steps": 3},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "HashedCrossing": {"num_bins": 3},
    "Hashing": {"num_bins": 3},
    "InputLayer": {"shape": (2,)},
    "IoU": {"num_classes": 3, "target_class_ids": [0]},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    "Lambda": {"function": abs},
    "LearningRateScheduler": {"schedule": float},
    "MeanIoU": {"num_classes": 3},
    "MeanMetricWrapper": {"fn": cnn_core.losses.mean_squared_error},
    "ModelCheckpoint": {"filepath": "best.keras"},
    "Normalization": {"mean": 0.0, "variance": 1.0},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 3},
    "ParametricActivation": {"activation": "relu"},
    "Permute": {"dims": (2, 1)},
    "PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.2]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 2.0},
    "Reshape": {"target_shape": (2,)},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SpectralNormalization": {"layer": {"class_name": "Dense", "config": {"units": 2, "name": "inner"}}},
    "TimeDistributed": {"layer": {"class_name": "Dense", "config": {"units": 2, "name": "inner"}}},
}
# Looked at when the layer is used, or passed on as it is.
UNCHECKED = {
    *{("InputLayer", name) for name in ("input_shape", "batch_input_shape")},  # older names: test_layers.py
    *{("Lambda", name) for name in ("output_shape", "mask", "arguments")},
    *{("HistogramLogger", name) for name in ("x", "y")},  # data
    ("Discretization", "num_bins"),  # instead of the boundaries: tested below
    *{(name, "mode") for name in ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau")},  # warn, as Keras does
}


class Alien:
    """Nothing that any argument could be."""

    def __repr__(self) -> str:
        return "<alien>"


def constructors() -> Iterator[Any]:
    for path in MODULES:
        module = cnn_core
        for part in path.split("."):
            module = getattr(module, part)
        public = {name: getattr(module, name) for name in dir(module)}  # those, too, that are found when asked for
        found = {
            cls
            for name, cls in public.items()
            if inspect.isclass(cls) and not name.startswith("_") and name not in BASES
            if cls.__module__.startswith("cnn_core.") and name[0].isupper() and not issubclass(cls, (dict, tuple))
            if cls.__name__ in getattr(module, "__all__", [cls.__name__])
        }
        for cls in sorted(found, key=lambda cls: cls.__name__):
            yield pytest.param(cls, id=f"{path}.{cls.__name__}")


def arguments_of(cls: Any) -> Iterator[str]:
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            yield parameter.name
    if issubclass(cls, cnn_core.layers.Layer):
        yield from ("name", "dtype", "trainable")


def is_house_form(message: str, argument: str) -> bool:
    """Whether it names the argument, or the kind of object it is, the rule and what was received."""
    kind = argument.rpartition("_")[2]
    return bool(re.match(rf"`?({argument}|{kind})`? must (be|have|hold) .+\. Received: .*", message, re.DOTALL))
