"""Compare cnn_core.sklearn's perceptrons with scikit-learn's: first the same results, then the time of whole fits.

    python -m benchmarks.sklearn_mlp [--seeds 10] [--repeats 9] [--scores] [--speed]

Both sides run in turn in one process on one thread; times are the process's CPU time, the least of all rounds, because
machines are shared. The limit is the ratio of a fit whose matrix products run at the machine's peak of multiply-adds,
measured in every round, and in which nothing else takes any time.
"""

# ruff: noqa: E402  the number of threads is fixed before NumPy is loaded

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CNN_CORE_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
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

import benchmarks.peak as peak
import cnn_core
import cnn_core._core as _core
import cnn_core.sklearn as ours
from benchmarks.machine import processor_name

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


def single(data: tuple[Any, Any]) -> tuple[Any, Any]:
    return data[0].astype("float32"), data[1]


SPEED: dict[str, tuple[str, Callable[[], tuple[Any, Any]], dict[str, Any]]] = {
    "digits, (100,)": ("MLPClassifier", lambda: digits("float64"), {"max_iter": 50}),
    "digits, (100,), float32": ("MLPClassifier", lambda: digits("float32"), {"max_iter": 50}),
    "100 x 20, (100,)": ("MLPClassifier", lambda: make_classification(100, 20, random_state=0), {}),
    "100 x 20, (100,), float32": (
        "MLPClassifier",
        lambda: single(make_classification(100, 20, random_state=0)),
        {},
    ),
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
    print(f"| data | settings | scikit-learn | cnn_core | deviation | curves |\n|{'---|' * 6}")
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
                    both = (np.array(each.loss_curve_[:20]) for each in (first, second))
                    gap = max(gap, float(np.max(np.abs(np.divide(*both) - 1))))
            means, deviation = np.mean(pairs, axis=0), np.std([a for a, _ in pairs])
            text = ", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults"
            curves = f"{gap:.0e}" if gap else "-"  # L-BFGS records none
            print(f"| {name} | {text} | {means[0]:.4f} | {means[1]:.4f} | {deviation:.4f} | {curves} |")


def seconds(kind: Any, X: Any, y: Any, settings: dict[str, Any]) -> tuple[float, Any]:
    estimator = kind(random_state=0, **settings)
    start = time.process_time()
    estimator.fit(X, y)
    return time.process_time() - start, estimator


def operations(estimator: Any, n: int) -> int:
    """Count the floating-point operations of the matrix products: forward, dW, and delta but for the first layer."""
    sizes = [coef.size for coef in estimator.coefs_]
    return int(2 * n * estimator.n_iter_ * (3 * sum(sizes) - sizes[0]))


def peak_loop(folder: Path) -> Callable[[], float] | None:
    """Return a function that measures float32 operations a second of this process; None without a C compiler."""
    chosen = _core.instruction_set()
    library = peak.build(folder, chosen if chosen in peak.FLAGS_OF else "native")
    if library is None:
        return None
    work = peak.Loop(str(library)).prepared(0.05, 1)

    def measure() -> float:
        start = time.process_time()
        work()
        return work.flops / (time.process_time() - start)

    return measure


def compare_speed(repeats: int) -> None:
    """Print the time of whole fits on both sides, their ratio, what share of the peak ours reaches, and the limit."""
    print(f"\n| case | scikit-learn | cnn_core | ratio | share of peak | limit |\n|{'---|' * 6}")
    with tempfile.TemporaryDirectory() as folder:
        measured_peak = peak_loop(Path(folder))
        for name, (kind, load, settings) in SPEED.items():
            X, y = load()
            rounds: list[tuple[float, float, float]] = []
            for _ in range(repeats):
                (a, first), (b, second) = (seconds(getattr(m, kind), X, y, settings) for m in (theirs, ours))
                assert np.isclose(first.loss_, second.loss_, rtol=1e-3), (name, first.loss_, second.loss_)
                rate = np.nan if measured_peak is None else measured_peak() * 4 / X.dtype.itemsize
                rounds.append((a, b, operations(second, len(X)) / rate))
            a, b, least = np.min(rounds, axis=0)
            times = f"{a * 1e3:.1f} ms | {b * 1e3:.1f} ms | {a / b:.1f}"
            print(f"| {name} | {times} | {least / b:.0%} | {a / least:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--scores", action="store_true", help="compare scores only")
    parser.add_argument("--speed", action="store_true", help="compare speed only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    versions = f"scikit-learn {sklearn.__version__}, cnn_core {cnn_core.__version__}"
    print(f"{versions}, {processor_name()}, {_core.instruction_set()}, one thread\n")
    if options.scores or not options.speed:
        compare_scores(options.seeds)
    if options.speed or not options.scores:
        compare_speed(options.repeats)


if __name__ == "__main__":
    main()
