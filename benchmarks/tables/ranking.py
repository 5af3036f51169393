"""What the results say over many tables: ranks, normalised scores, win rates, and which differences are chance.

Errors are an array of (tables, methods), lower is better; every table counts the same, whatever its splits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tables import scoring

Array = np.ndarray[Any, Any]
CONFIDENCE = 0.95
RESAMPLES = 10_000


def complete_splits(results: Iterable[dict[str, Any]], table: str, methods: Sequence[str]) -> list[int]:
    """Return the splits of a table that all methods have done."""
    done: dict[int, set[str]] = {}
    for each in results:
        if each["table"] == table:
            done.setdefault(each["split"], set()).add(each["method"])
    return sorted(split for split, names in done.items() if names.issuperset(methods))


def errors(results: Iterable[dict[str, Any]], tables: Sequence[str], methods: Sequence[str]) -> Array:
    """Return the mean error over all splits: (tables, methods)."""
    found: dict[tuple[str, str], list[float]] = {}
    for each in results:
        found.setdefault((each["table"], each["method"]), []).append(scoring.error(each, each["kind"]))
    return np.array([[np.mean(found[table, method]) for method in methods] for table in tables])


def ranks(error: Array) -> Array:
    """Return each method's rank on each table, 1 for the best; equals share theirs."""
    return stats.rankdata(error, axis=1)


def normalised(error: Array) -> Array:
    """Return scores in which a table's best method has 1, the one in the middle 0, and so have those behind it."""
    best, middle = error.min(axis=1, keepdims=True), np.median(error, axis=1, keepdims=True)
    spread = np.where(middle > best, middle - best, 1.0)
    return np.clip((middle - error) / spread, 0, 1)


def win_rate(error: Array, other: Array) -> tuple[float, float, float]:
    """Return on what share of tables an error is the lower one, equals one half, with a bootstrap interval."""
    wins = np.where(error < other, 1.0, np.where(error == other, 0.5, 0.0))
    generator = np.random.default_rng(0)
    resampled = wins[generator.integers(len(wins), size=(RESAMPLES, len(wins)))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return float(wins.mean()), float(low), float(high)


def friedman(error: Array) -> float:
    """Return the probability of ranks as different as these if all methods were alike."""
    return float(stats.friedmanchisquare(*error.T).pvalue)


def critical_difference(n_methods: int, n_tables: int) -> float:
    """Return the least difference of mean ranks that Nemenyi's test calls one, at 0.05 over all pairs."""
    q = stats.studentized_range.ppf(CONFIDENCE, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_tables)))


def wilcoxon_holm(error: Array, of: int) -> Array:
    """Return p of a method's errors against each other's, by Wilcoxon's signed ranks, corrected as Holm does.

    The differences are relative to the mean of the two errors, for tables measure errors on scales of their own.
    """
    others = [column for column in range(error.shape[1]) if column != of]
    p = np.ones(error.shape[1])
    for column in others:
        total = error[:, of] + error[:, column]
        difference = np.where(total > 0, (error[:, of] - error[:, column]) / np.where(total > 0, total, 1), 0)
        p[column] = stats.wilcoxon(difference, zero_method="zsplit").pvalue if difference.any() else 1.0
    corrected, largest = np.ones(error.shape[1]), 0.0
    for place, column in enumerate(sorted(others, key=lambda each: p[each])):
        largest = max(largest, min(1.0, p[column] * (len(others) - place)))
        corrected[column] = largest
    return corrected
