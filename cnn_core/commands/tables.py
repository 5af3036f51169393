"""The commands `fit`, `predict` and `info` for tables: files in, a report and files out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.commands.table_targets as table_targets
import cnn_core.foundation.model_file as model_file
from cnn_core.commands.destinations import check_destination
from cnn_core.commands.table_files import TableFile
from cnn_core.commands.table_notation import Notation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.display import show

if TYPE_CHECKING:
    from cnn_core.sklearn.tabular.predictor import TablePredictor

_NOTATION = "cnn_core.table_notation"  # of the table that a model was trained on, in its file
_HELD_OUT = 0.2


def without(table: Any, names: Sequence[str]) -> Any:
    """Return a frame without some of its columns."""
    return table[[each for each in table.columns if each not in names]]


def fit(
    file: TableFile,
    target: str,
    *,
    task: str | None = None,
    model: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    notation: Mapping[str, Any] | None = None,
    preset: str = "auto",
    epochs: int | None = None,
    members: int | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    quiet: bool = False,
) -> None:
    """Train on a table in a file, report scores on held-out rows, and write the model to a file.

    A fifth of the rows is set aside for the report; the model in the file has not seen them.
    """
    from cnn_core.sklearn.tabular.columns import columns_of

    estimators, path = _estimators(), file.path
    file.check()
    file.notation = _notation(Notation(), notation, file)
    model = str(Path(path).with_suffix(".safetensors")) if model is None else model
    check_destination("--model", model, path, is_model=True)
    if target in drop:
        raise ValueError(f"{target!r} is the target and cannot be dropped")
    if target in categorical:
        raise ValueError(f"{target!r} is the target: say --task classification. Received: --categorical {target}")
    table = file.read([target], categories=categorical)
    column = file.series(table, target)
    for name in drop:
        file.series(table, name)
    X = without(table, [target, *drop])
    if not X.shape[1]:
        raise ValueError(f"{path} has no column besides {target!r}")
    try:
        columns_of(X)  # while rows are still those of the file
        task, y, rows = table_targets.read_target(column, target, task, file.notation)
    except (ValueError, TypeError) as error:
        raise file.error(error) from None
    left_out = len(X) - len(rows)
    X = _rows(X, rows) if left_out else X
    show(f"{path}: {_count(len(y), 'row')}, {_count(X.shape[1], 'column')}, target {target!r}: {task}")
    if left_out:
        show(f"left out without a target: {_count(left_out, 'row')}")
    kind: Any = getattr(estimators, "TabularClassifier" if task == "classification" else "TabularRegressor")
    estimator = kind(
        preset,
        epochs=epochs,
        n_members=members,
        random_state=seed,
        time_limit=time_limit,
        verbose=0 if quiet else 1,
    )
    try:
        train, test = _split(y, task, seed)
        estimator.fit(_rows(X, train), y[train])
        _report(estimator, task, _rows(X, test), y[test], y[train])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    tensors, metadata = estimator.contents()
    model_file.write(model, tensors, metadata | {_NOTATION: file.notation.to_json()})
    show(f"model: {model}")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _estimators() -> Any:
    """The package of the estimators, which needs scikit-learn."""
    return importlib.import_module("cnn_core.sklearn")


def _notation(usual: Notation, changes: Mapping[str, Any] | None, file: TableFile) -> Notation:
    if changes and file.is_parquet:
        raise ValueError(f"{', '.join(f'`--{name}`' for name in changes)}: for CSV files only. Received: {file.path}")
    return replace(usual, **(changes or {}))


def _split(y: Array, task: str, seed: int) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(y))
    if len(rows) < 10:
        raise ValueError(f"a table needs at least 10 rows to hold some out for the report. Received: {len(rows)}")
    stratify = None
    if task == "classification":
        counts = np.unique(y, return_counts=True)[1]
        stratify = y if counts.min() >= 2 and len(counts) <= _HELD_OUT * len(y) else None
    train, test = train_test_split(rows, test_size=_HELD_OUT, random_state=seed, stratify=stratify)
    return np.sort(train), np.sort(test)


def _rows(table: Any, rows: Array) -> Any:
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def _report(estimator: Any, task: str, X: object, y: Array, y_train: Array) -> None:
    """Scores on rows that the model has not seen, beside those of the simplest guess."""
    predicted = estimator.predict(X)
    show(_epochs(estimator))
    show(f"on {len(y)} rows held out, and by guessing:")
    if task == "classification":
        classes, counts = np.unique(y_train, return_counts=True)
        show(f"  accuracy  {np.mean(predicted == y):.4f}   {np.mean(y == classes[counts.argmax()]):.4f}")
        chosen = np.searchsorted(classes, y).clip(0, len(classes) - 1)
        probability = np.where(classes[chosen] == y, estimator.predict_proba(X)[np.arange(len(y)), chosen], 0)
        share = np.where(classes[chosen] == y, (counts / counts.sum())[chosen], 0)
        show(f"  log loss  {_log_loss(probability):.4f}   {_log_loss(share):.4f}")
        return
    mean = y_train.mean()
    show(f"  RMSE  {np.sqrt(np.mean((y - predicted) ** 2)):.6g}   {np.sqrt(np.mean((y - mean) ** 2)):.6g}")
    show(f"  MAE   {np.mean(np.abs(y - predicted)):.6g}   {np.mean(np.abs(y - mean)):.6g}")
    spread = np.sum((y - y.mean()) ** 2)
    if spread:
        show(f"  R^2   {1 - np.sum((y - predicted) ** 2) / spread:.4f}   {1 - np.sum((y - mean) ** 2) / spread:.4f}")


def _log_loss(probability: Array) -> float:
    return float(-np.log(np.clip(probability, 1e-15, None)).mean())


def predict(
    model: str,
    file: TableFile,
    *,
    output: str | None = None,
    probabilities: bool = False,
    notation: Mapping[str, Any] | None = None,
) -> None:
    """Predict every row of a table and write the predictions as CSV, to a file or to standard output.

    The columns may stand in any order, and others beside them. They are read as what they were in training; numbers and
    gaps are written as there unless `notation` says otherwise.
    """
    from cnn_core.sklearn.tabular.predictor import load_predictor

    predictor = load_predictor(model)
    if output is not None:
        check_destination("--output", output, model, file.path)
    file.notation = _notation(Notation.from_json(model_file.read(model)[1].get(_NOTATION)), notation, file)
    names = predictor.preprocessor.names
    kinds = dict(zip(names, predictor.preprocessor.kinds, strict=True))
    texts = [name for name in names if kinds[name] in ("category", "boolean", "date")]
    table = file.read(texts, [name for name in names if kinds[name] == "number"])
    for name in names:
        file.series(table, name)
    try:
        lines = _predictions(predictor, table[names], probabilities)
    except ValueError as error:
        raise file.error(error) from None
    text = "\n".join(lines) + "\n"
    if output is None:
        print(text, end="")
    else:
        Path(output).write_text(text, encoding="utf-8")


def _predictions(predictor: TablePredictor, X: object, probabilities: bool) -> list[str]:
    if not probabilities:
        return ["prediction", *map(_field, predictor.predict(X).tolist())]
    from cnn_core.sklearn.tabular.predictor import ClassPredictor

    if not isinstance(predictor, ClassPredictor):
        raise ValueError("`--probabilities` is for classifiers, and the model predicts numbers")
    predicted, table = predictor.predict(X), predictor.predict_proba(X)
    header = ",".join(["prediction", *(_field(f"probability of {each}") for each in predictor.classes.tolist())])
    rows = zip(predicted.tolist(), table.tolist(), strict=True)
    return [header, *(",".join([_field(each), *(f"{p:.6g}" for p in row)]) for each, row in rows)]


def _field(value: object) -> str:
    """A value as CSV has it."""
    text = repr(value) if isinstance(value, float) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


def describe(path: str) -> None:
    """Print what a tabular estimator in a file expects and what it is."""
    estimator = importlib.import_module("cnn_core.sklearn.tabular.estimators").load(path)
    network, preprocessor = getattr(estimator, "network_", None), estimator.preprocessor_
    print(f"{os.fspath(path)}: {type(estimator).__name__}")
    if hasattr(estimator, "classes_"):
        print(f"classes: {', '.join(map(str, estimator.classes_.tolist()[:20]))}")
    if network is not None:
        print(f"network: {network.summary()}")
    print(f"preset: {estimator.preset}")
    print(_epochs(estimator))
    print("columns:")
    for name, encoder in zip(preprocessor.names, preprocessor.encoders, strict=True):
        levels = getattr(encoder, "levels", None)
        if levels is not None:  # whether they become columns of their own or an embedding
            print(f"  {name}: category of {len(levels)} values")
        else:
            print(f"  {name}: {'nothing in training' if encoder is None else encoder.kind}")


def _epochs(estimator: Any) -> str:
    """How many were trained, and which were kept; of a blend every network keeps its own."""
    kept = f", kept: {', '.join(map(str, estimator.best_epochs_))}" if estimator.best_epochs_ else ""
    return f"epochs: {estimator.n_iter_}{kept}"
