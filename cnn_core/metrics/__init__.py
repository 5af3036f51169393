"""Metrics: what is reported but not trained on.

A metric adds up over batches, in float64, and gives its result at any time. Those that are a weighted mean of a value
per row can be added up natively: `native` and `native_parameters` are what a plan hands to the core, whose totals
`Mean.accumulate` takes in. The others are NumPy on the predictions.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.foundation.exports import own_names
from cnn_core.metrics.accuracy import *
from cnn_core.metrics.auc import *
from cnn_core.metrics.base import Accumulator, Metric
from cnn_core.metrics.constrained import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from cnn_core.metrics.f_scores import *
from cnn_core.metrics.lookup import as_metric, deserialize, get, resolve, serialize
from cnn_core.metrics.means import Mean, MeanMetricWrapper, Sum
from cnn_core.metrics.of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from cnn_core.metrics.overlap import *
from cnn_core.metrics.regression import *
from cnn_core.metrics.thresholds import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives

__all__ = [
    "Accumulator",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalCrossentropy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TrueNegatives",
    "TruePositives",
    "as_metric",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "resolve",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    *own_names("cnn_core.metrics.accuracy"),
    *own_names("cnn_core.metrics.auc"),
    *own_names("cnn_core.metrics.f_scores"),
    *own_names("cnn_core.metrics.overlap"),
    *own_names("cnn_core.metrics.regression"),
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
