"""Compare cnn_core.sklearn's perceptrons with scikit-learn's: first the same results, then the time of whole fits.

    python -m benchmarks.sklearn_mlp [--seeds 10] [--repeats 5]

Both sides run in turn in one process on one thread; times are the process's CPU time, because machines are shared.
"""

# ruff: noqa: E402  the number of threads is fixed before NumPy is loaded

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CNN_CORE_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import sklearn.neural_network as theirs
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_regression,
)
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler, scale

import cnn_core
import cnn_core.sklearn as ours

CLASSES: dict[str, Callable[..., Any]] = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"solver": "sgd", "learning_rate_init": 0.01},
    {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
    {"solver": "lbfgs"},
    {"activation": "tanh", "hidden_layer_sizes": (50, 20)},
    {"alpha": 1.0, "batch_size": 50},
    {"early_stopping": True, "learning_rate_init": 0.01},
]


def random_rows(dtype: str, width: int = 784, n: int = 2000) -> tuple[Any, Any]:
    generator = np.random.RandomState(0)
    return generator.rand(n, width).astype(dtype), generator.randint(0, 10, n)


def digits(dtype: str) -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(dtype), y


SPEED: dict[str, tuple[str, Callable[[], tuple[Any, Any]], dict[str, Any]]] = {
    "digits, (100,)": ("MLPClassifier", lambda: digits("float64"), {"max_iter": 50}),
    "digits, (100,), float32": ("MLPClassifier", lambda: digits("float32"), {"max_iter": 50}),
    "100 x 20, (100,)": ("MLPClassifier", lambda: make_classification(100, 20, random_state=0), {}),
    "100 x 20, (100,), regression": ("MLPRegressor", lambda: make_regression(100, 20, random_state=0), {}),
    "2000 x 784, (512, 512)": (
        "MLPClassifier",
        lambda: random_rows("float64"),
        {"hidden_layer_sizes": (512, 512), "max_iter": 3},
    ),
    "2000 x 784, (512, 512), float32": (
        "MLPClassifier",
        lambda: random_rows("float32"),
        {"hidden_layer_sizes": (512, 512), "max_iter": 3},
    ),
}


def score(kind: Any, X: Any, y: Any, seed: int, settings: dict[str, Any]) -> tuple[float, Any]:
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed, test_size=0.3)
    scaler = StandardScaler().fit(X_train)
    estimator = kind(random_state=seed, **settings).fit(scaler.transform(X_train), y_train)
    return estimator.score(scaler.transform(X_test), y_test), estimator


def compare_scores(seeds: int) -> None:
    """Print the mean held-out scores of both sides and the largest difference of their loss curves."""
    print(f"{'data':<14} {'settings':<62} {'sklearn':>8} {'cnn_core':>8} {'std':>6}  curve")
    cases = [("MLPClassifier", name, load) for name, load in CLASSES.items()]
    for kind, name, load in [*cases, ("MLPRegressor", "diabetes", load_diabetes)]:
        X, y = load(return_X_y=True)
        y = scale(y) if kind == "MLPRegressor" else y
        for settings in SETTINGS:
            pairs, gap = [], 0.0
            for seed in range(seeds):
                (a, first), (b, second) = (score(getattr(m, kind), X, y, seed, settings) for m in (theirs, ours))
                pairs.append((a, b))
                if settings.get("solver") != "lbfgs":
                    curves = (np.array(each.loss_curve_[:20]) for each in (first, second))
                    gap = max(gap, float(np.max(np.abs(np.divide(*curves) - 1))))
            means, deviation = np.mean(pairs, axis=0), np.std([a for a, _ in pairs])
            text = ", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults"
            print(f"{name:<14} {text:<62} {means[0]:8.4f} {means[1]:8.4f} {deviation:6.4f}  {gap:.1e}")


def seconds(kind: Any, X: Any, y: Any, settings: dict[str, Any]) -> tuple[float, float]:
    estimator = kind(random_state=0, **settings)
    start = time.process_time()
    estimator.fit(X, y)
    return time.process_time() - start, estimator.loss_


def compare_speed(repeats: int) -> None:
    """Print the median time of a whole fit on both sides, and their ratio."""
    print(f"\n{'case':<34} {'sklearn':>11} {'cnn_core':>11} {'ratio':>6}")
    for name, (kind, load, settings) in SPEED.items():
        X, y = load()
        times: list[tuple[float, float]] = []
        for _ in range(repeats):
            (a, loss_a), (b, loss_b) = (seconds(getattr(m, kind), X, y, settings) for m in (theirs, ours))
            assert np.isclose(loss_a, loss_b, rtol=1e-3), (name, loss_a, loss_b)
            times.append((a, b))
        first, second = np.median(times, axis=0)
        print(f"{name:<34} {first * 1e3:8.1f} ms {second * 1e3:8.1f} ms {first / second:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"scikit-learn {sklearn.__version__}, cnn_core {cnn_core.__version__}, one thread")
    compare_scores(options.seeds)
    compare_speed(options.repeats)


if __name__ == "__main__":
    main()
