"""Losses as descriptions: names, options, formulas, reductions.

The arithmetic on rows is native: `native` and `native_parameters` are what a plan hands to it. Here stands what comes
before it (the shape of the targets) and after it (the weighted mean over the rows).
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.losses.base import REDUCTIONS, Loss
from cnn_core.losses.custom import CustomLoss
from cnn_core.losses.lookup import as_loss, deserialize, get, resolve, serialize
from cnn_core.losses.margins import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from cnn_core.losses.probabilities import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CrossentropyByTarget,
    KLDivergence,
    SparseCategoricalCrossentropy,
    bce,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    kl_divergence,
    kld,
    sparse_categorical_crossentropy,
)
from cnn_core.losses.regression import (
    CosineSimilarity,
    GaussianNLL,
    HalfSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    cosine_similarity,
    gaussian_nll,
    half_squared_error,
    huber,
    log_cosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    poisson,
    quantile,
)

__all__ = [
    "REDUCTIONS",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "CrossentropyByTarget",
    "CustomLoss",
    "GaussianNLL",
    "HalfSquaredError",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "as_loss",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "gaussian_nll",
    "get",
    "half_squared_error",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "quantile",
    "resolve",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
