"""Fit methods to splits of tables, one line of JSON for each, so that a run that was ended goes on where it was."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from tables import methods, scoring, sources

TEST_SHARE = 0.25
COVERAGE = 0.9
FEWEST_ROWS_OF_INTERVALS = 1000


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of results; of a file that is not there none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def processor_clock() -> Iterator[None]:
    """Let `time_limit` of ours count processor time, as the limit of the tuned rivals does."""
    kept, time.monotonic = time.monotonic, time.process_time
    try:
        yield
    finally:
        time.monotonic = kept


def measure(name: str, method: str, split: int, limit: float, most_rows: int) -> dict[str, Any]:
    """Fit on three quarters of a table's rows and score on the rest; seconds are the processor's."""
    X, y = sources.load(name, most_rows)
    kind = scoring.kind(sources.TABLES[name].task, y)
    stratify = None if kind == "regression" else y
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, random_state=split, stratify=stratify
    )
    estimator = methods.METHODS[method](kind, split, limit)
    began, clock = time.process_time(), time.perf_counter()
    with processor_clock():
        estimator.fit(X_train, y_train)
    result = {
        "table": name,
        "method": method,
        "split": split,
        "kind": kind,
        "rows": len(X),
        "columns": X.shape[1],
        "limit": limit,
        "seconds": round(time.process_time() - began, 3),
        "wall": round(time.perf_counter() - clock, 3),
        **{name: round(value, 6) for name, value in scoring.scores(estimator, X_test, y_test, kind).items()},
    }
    if hasattr(estimator, "n_trials_"):
        result["trials"] = estimator.n_trials_
    if kind == "regression" and method in methods.OURS and len(X) > FEWEST_ROWS_OF_INTERVALS:
        low, high = estimator.predict_interval(X_test, COVERAGE).T
        result["coverage"] = round(float(np.mean((low <= y_test) & (y_test <= high))), 4)
    return result


def wanted(method: str, name: str, most_rows: int) -> bool:
    """Whether a method takes part on a table: the slowest do on small ones alone."""
    if method not in methods.FEW_ROWS_ONLY:
        return True
    return len(sources.load(name, most_rows)[0]) <= methods.MOST_ROWS_OF_TABM


def run(
    output: Path, tables: Iterable[str], chosen: Iterable[str], splits: Iterable[int], limit: float, most_rows: int
) -> None:
    """Measure what the file does not hold yet, and add each result as a line of its own."""
    tables, chosen = list(tables), list(chosen)
    known = {(each["table"], each["method"], each["split"]) for each in read(output)}
    for split in splits:
        for method in chosen:
            for name in tables:
                if (name, method, split) in known or not wanted(method, name, most_rows):
                    continue
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        result = measure(name, method, split, limit, most_rows)
                except Exception as error:
                    print(f"{method} failed on {name}: {error!r}", file=sys.stderr, flush=True)
                    continue
                with output.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print(result, flush=True)
