"""Every metric with arguments and data."""

from __future__ import annotations

import numpy as np

from cnn_core import metrics

# Every class, with arguments that are not the defaults where it has any; and the targets and predictions it takes.
CASES = {
    "Accuracy": (metrics.Accuracy(), "labels"),
    "BinaryAccuracy": (metrics.BinaryAccuracy(threshold=0.4), "bits"),
    "CategoricalAccuracy": (metrics.CategoricalAccuracy(), "one_hot"),
    "SparseCategoricalAccuracy": (metrics.SparseCategoricalAccuracy(), "sparse"),
    "TopKCategoricalAccuracy": (metrics.TopKCategoricalAccuracy(2), "one_hot"),
    "SparseTopKCategoricalAccuracy": (metrics.SparseTopKCategoricalAccuracy(2), "sparse"),
    "MeanSquaredError": (metrics.MeanSquaredError(), "real"),
    "RootMeanSquaredError": (metrics.RootMeanSquaredError(), "real"),
    "MeanAbsoluteError": (metrics.MeanAbsoluteError(), "real"),
    "MeanAbsolutePercentageError": (metrics.MeanAbsolutePercentageError(), "real"),
    "MeanSquaredLogarithmicError": (metrics.MeanSquaredLogarithmicError(), "bits"),
    "LogCoshError": (metrics.LogCoshError(), "real"),
    "Poisson": (metrics.Poisson(), "bits"),
    "KLDivergence": (metrics.KLDivergence(), "bits"),
    "Hinge": (metrics.Hinge(), "bits"),
    "SquaredHinge": (metrics.SquaredHinge(), "bits"),
    "CategoricalHinge": (metrics.CategoricalHinge(), "one_hot"),
    "BinaryCrossentropy": (metrics.BinaryCrossentropy(label_smoothing=0.1), "bits"),
    "CategoricalCrossentropy": (metrics.CategoricalCrossentropy(label_smoothing=0.1), "one_hot"),
    "SparseCategoricalCrossentropy": (metrics.SparseCategoricalCrossentropy(from_logits=True), "sparse"),
    "CosineSimilarity": (metrics.CosineSimilarity(), "real"),
    "PearsonCorrelation": (metrics.PearsonCorrelation(), "real"),
    "ConcordanceCorrelation": (metrics.ConcordanceCorrelation(), "real"),
    "R2Score": (metrics.R2Score("variance_weighted_average"), "real"),
    "TruePositives": (metrics.TruePositives(0.3), "bits"),
    "TrueNegatives": (metrics.TrueNegatives([0.3, 0.6]), "bits"),
    "FalsePositives": (metrics.FalsePositives(), "bits"),
    "FalseNegatives": (metrics.FalseNegatives(), "bits"),
    "Precision": (metrics.Precision(top_k=2), "bits"),
    "Recall": (metrics.Recall([0.25, 0.5], class_id=1), "bits"),
    "SensitivityAtSpecificity": (metrics.SensitivityAtSpecificity(0.6, 50), "bits"),
    "SpecificityAtSensitivity": (metrics.SpecificityAtSensitivity(0.6, class_id=0), "bits"),
    "PrecisionAtRecall": (metrics.PrecisionAtRecall(0.6), "bits"),
    "RecallAtPrecision": (metrics.RecallAtPrecision(0.6), "bits"),
    "AUC": (metrics.AUC(50, "PR", multi_label=True, label_weights=[1.0, 2.0, 3.0]), "bits"),
    "FBetaScore": (metrics.FBetaScore("macro", 2.0, 0.5), "bits"),
    "F1Score": (metrics.F1Score("weighted"), "one_hot"),
    "IoU": (metrics.IoU(3, [0, 2], ignore_class=1), "labels"),
    "BinaryIoU": (metrics.BinaryIoU([1], 0.4), "bits"),
    "MeanIoU": (metrics.MeanIoU(3, sparse_y_pred=False), "sparse"),
    "OneHotIoU": (metrics.OneHotIoU(3, [1]), "one_hot"),
    "OneHotMeanIoU": (metrics.OneHotMeanIoU(3), "one_hot"),
}


def data(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, (n, 3))
    labels = rng.integers(0, 3, n)
    return {
        "labels": (labels, rng.integers(0, 3, n)),
        "bits": (rng.integers(0, 2, (n, 3)), p),
        "one_hot": (np.eye(3)[labels], p),
        "sparse": (labels, p),
        "real": (rng.normal(size=(n, 3)), rng.normal(size=(n, 3))),
    }[kind]


def fresh(metric):
    return metrics.deserialize(metrics.serialize(metric))
