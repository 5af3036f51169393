"""The commands `fit`, `predict` and `info` for tables: files in, a report and files out. Floor 6."""

from __future__ import annotations

import errno
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.model_file as model_file
from cnn_core.arrays import Array
from cnn_core.table_files import TableFile

if TYPE_CHECKING:
    from cnn_core.sklearn import TabularClassifier, TabularRegressor

_MOST_CLASSES = 20  # whole numbers of so many different values, at most, are taken for classes
_HELD_OUT = 0.2


def without(table: Any, names: list[str]) -> Any:
    """Return a frame without some of its columns."""
    return table[[each for each in table.columns if str(each) not in names]]


def task_of(y: Array) -> str:
    """Return "regression" for numbers, "classification" for texts, booleans and whole numbers of few values.

    Examples
    --------
    >>> task_of(np.array([0.5, 1.5])), task_of(np.array([1, 0, 1])), task_of(np.array(["a", "b"], dtype=object))
    ('regression', 'classification', 'classification')
    """
    if y.dtype.kind not in "iuf":
        return "classification"
    known = y[~np.isnan(y)] if y.dtype.kind == "f" else y
    few = len(np.unique(known)) <= min(_MOST_CLASSES, max(2, len(known) // 10))
    return "classification" if few and bool((known == np.floor(known)).all()) else "regression"


def fit(
    file: TableFile,
    target: str,
    *,
    task: str | None = None,
    model: str | None = None,
    drop: list[str] | None = None,
    preset: str = "td_s",
    epochs: int = 256,
    members: int = 1,
    seed: int = 0,
    time_limit: float | None = None,
    quiet: bool = False,
) -> None:
    """Train on a table in a file, report scores on held-out rows, and write the model to a file.

    A fifth of the rows is set aside for the report; the model in the file has not seen them.
    """
    estimators, path = _estimators(), file.path
    model = model or str(Path(path).with_suffix(".safetensors"))
    if not Path(model).parent.is_dir():  # known before hours of training, not after
        raise FileNotFoundError(errno.ENOENT, "No such directory", str(Path(model).parent))
    table = file.read()
    y = file.column(table, target)
    for name in drop or []:
        file.column(table, name)
    if target in (drop or []):
        raise ValueError(f"{target!r} is the target and cannot be dropped")
    X = without(table, [target, *(drop or [])])
    missing = _check(X, y, file)
    if missing.all():
        raise ValueError(f"{path}: the column {target!r} holds nothing")
    if not X.shape[1]:
        raise ValueError(f"{path} has no column besides {target!r}")
    rows = np.flatnonzero(~missing)
    X, y = (_rows(X, rows), y[rows]) if missing.any() else (X, y)
    task = task or task_of(y)
    print(f"{path}: {_count(len(y), 'row')}, {_count(X.shape[1], 'column')}, target {target!r}: {task}")
    if missing.any():
        print(f"left out without a target: {_count(int(missing.sum()), 'row')}")
    kind: Any = getattr(estimators, "TabularClassifier" if task == "classification" else "TabularRegressor")
    estimator = kind(
        preset,
        epochs=epochs,
        n_members=members,
        random_state=seed,
        time_limit=time_limit,
        verbose=0 if quiet else 1,
    )
    targets = _targets(y, task, file, target, rows)
    try:
        train, test = _split(targets, task, seed)
        estimator.fit(_rows(X, train), targets[train])
        _report(estimator, task, _rows(X, test), targets[test], targets[train])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    estimator.save(model)
    print(f"model: {model}")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _estimators() -> Any:
    """The module of the estimators, which needs scikit-learn."""
    return importlib.import_module("cnn_core.sklearn.tabular")


def _check(X: Any, y: Array, file: TableFile) -> Array:
    """Check the columns while rows are still those of the file; return which targets are missing."""
    from cnn_core.sklearn.columns import columns_of, is_missing

    try:
        columns_of(X)
    except (ValueError, TypeError) as error:
        raise file.error(error) from None
    return np.array([is_missing(value) for value in y.tolist()])


def _targets(y: Array, task: str, file: TableFile, target: str, rows: Array) -> Array:
    """Numbers for regression, whole numbers as such for classification; `rows` are those of the file."""
    if task == "regression":
        numbers = np.empty(len(y))
        for row, value in enumerate(y.tolist()):
            try:
                numbers[row] = float(value)
            except (TypeError, ValueError):
                message = f"the target {target!r} must hold numbers. Received: {value!r} in row {rows[row]}"
                raise file.error(ValueError(message)) from None
        return numbers
    if y.dtype.kind == "f" and (y == np.floor(y)).all():
        return y.astype(np.int64)
    return y if y.dtype.kind in "iub" else np.array([str(value) for value in y.tolist()], dtype=object)


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


def _report(estimator: Any, task: str, X: Any, y: Array, y_train: Array) -> None:
    """Scores on rows that the model has not seen, beside those of the simplest guess."""
    predicted = estimator.predict(X)
    print(f"epochs: {estimator.n_iter_}, kept: {', '.join(map(str, estimator.best_epochs_))}")
    print(f"on {len(y)} rows held out, and by guessing:")
    if task == "classification":
        classes, counts = np.unique(y_train, return_counts=True)
        print(f"  accuracy  {np.mean(predicted == y):.4f}   {np.mean(y == classes[counts.argmax()]):.4f}")
        chosen = np.searchsorted(classes, y).clip(0, len(classes) - 1)
        probability = np.where(classes[chosen] == y, estimator.predict_proba(X)[np.arange(len(y)), chosen], 0)
        share = np.where(classes[chosen] == y, (counts / counts.sum())[chosen], 0)
        print(f"  log loss  {_log_loss(probability):.4f}   {_log_loss(share):.4f}")
        return
    mean = y_train.mean()
    print(f"  RMSE  {np.sqrt(np.mean((y - predicted) ** 2)):.6g}   {np.sqrt(np.mean((y - mean) ** 2)):.6g}")
    print(f"  MAE   {np.mean(np.abs(y - predicted)):.6g}   {np.mean(np.abs(y - mean)):.6g}")
    spread = np.sum((y - y.mean()) ** 2)
    if spread:
        print(f"  R^2   {1 - np.sum((y - predicted) ** 2) / spread:.4f}   {1 - np.sum((y - mean) ** 2) / spread:.4f}")


def _log_loss(probability: Array) -> float:
    return float(-np.log(np.clip(probability, 1e-15, None)).mean())


def predict(model: str, file: TableFile, *, output: str | None = None, probabilities: bool = False) -> None:
    """Predict every row of a table and write the predictions as CSV, to a file or to standard output.

    The columns may stand in any order, and others beside them.
    """
    estimator = load(model)
    table = file.read()
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [])]
    for name in names:
        file.column(table, name)
    try:
        lines = _predictions(estimator, table[names], probabilities)
    except ValueError as error:
        raise file.error(error) from None
    text = "\n".join(lines) + "\n"
    if output is None:
        print(text, end="")
    else:
        Path(output).write_text(text, encoding="utf-8")


def _predictions(estimator: Any, X: Any, probabilities: bool) -> list[str]:
    if probabilities and not hasattr(estimator, "classes_"):
        raise ValueError("`--probabilities` is for classifiers, and the model predicts numbers")
    predicted = estimator.predict(X)
    if not probabilities:
        return ["prediction", *map(_field, predicted.tolist())]
    table = estimator.predict_proba(X)
    header = ",".join(["prediction", *(_field(f"probability of {each}") for each in estimator.classes_.tolist())])
    rows = zip(predicted.tolist(), table.tolist(), strict=True)
    return [header, *(",".join([_field(each), *(f"{p:.6g}" for p in row)]) for each, row in rows)]


def _field(value: Any) -> str:
    """A value as CSV has it."""
    text = repr(value) if isinstance(value, float) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


def load(path: str) -> TabularClassifier | TabularRegressor:
    """Read a tabular estimator, or say that the file holds none."""
    model_file.read(path)  # what is wrong with a file is said before scikit-learn is asked for
    estimator: TabularClassifier | TabularRegressor = _estimators().load(path)
    return estimator


def is_tabular(path: str) -> bool:
    """Whether a file holds a tabular estimator."""
    return "cnn_core.tabular" in model_file.read(path)[1]


def describe(path: str) -> None:
    """Print what a tabular estimator in a file expects and what it is."""
    estimator = load(path)
    network, preprocessor = getattr(estimator, "network_", None), estimator.preprocessor_
    print(f"{os.fspath(path)}: {type(estimator).__name__}")
    if hasattr(estimator, "classes_"):
        print(f"classes: {', '.join(map(str, estimator.classes_.tolist()[:20]))}")
    if network is not None:
        widths = " -> ".join(map(str, network.widths))
        size = sum(array.size for array in network.weights().values())
        print(f"network: {widths}, {network.recipe.activation}, {network.n_members} member(s), {size} parameters")
    print(f"preset: {estimator.preset}")
    print(f"epochs: {estimator.n_iter_}, kept: {', '.join(map(str, estimator.best_epochs_))}")
    print("columns:")
    for name, encoder in zip(preprocessor.names, preprocessor.encoders, strict=True):
        levels = getattr(encoder, "levels", None)
        kind = "nothing in training" if encoder is None else encoder.kind
        print(f"  {name}: {kind}" + (f" of {len(levels)} values" if levels is not None else ""))
