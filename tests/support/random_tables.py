"""Random tables with every kind of column that the tabular estimators read, and rows as ONNX files take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cnn_core.sklearn.tabular.columns import canonical

DAY = pd.Timestamp("1969-06-01")


def random_table(seed: int, n: int = 90, gaps: float = 0.1) -> pd.DataFrame:
    """Return numbers, texts, booleans, dates, integers that may be categories, with and without gaps."""
    draw = np.random.default_rng(seed)

    def with_gaps(values: Any) -> Any:
        values = np.array(values, object)
        values[draw.random(n) < gaps] = None
        return values

    return pd.DataFrame(
        {
            "size": draw.normal(size=n) * 10.0 ** draw.integers(-3, 6),
            "price": np.where(draw.random(n) < gaps, np.nan, draw.lognormal(size=n)),
            "city": with_gaps(draw.choice(["Bonn", "Rome", "Köln", "label"], n)),
            "open": draw.choice(["yes", "no"], n),
            "new": draw.random(n) < 0.4,
            "sold": with_gaps(draw.random(n) < 0.4),
            "grade": draw.integers(0, 6, n),
            "code": draw.choice(["01234", "53111", "99"], n),
            "built": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(-20000, 20000, n), unit="h"),
            "day": DAY + pd.to_timedelta(draw.integers(0, 900, n), unit="D"),
            "street": [f"street {number}" for number in draw.integers(0, 14, n)],
            "level": draw.integers(0, 20, n),
            "same": 3.0,
            "nothing": None,
            "class": pd.Categorical(draw.choice([1, 2, 5], n)),
        }
    )


def random_columns(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return about two thirds of the columns."""
    draw = np.random.default_rng(seed)
    return table[[name for name in table if draw.random() < 0.7] or ["city"]]


def onnx_rows(table: pd.DataFrame, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what the inputs of these names and types of ONNX Runtime's take of a table."""
    if set(inputs) == {"X"}:
        return {"X": np.asarray(table, np.float64)}
    return {
        name: _texts(table[name]) if kind == "tensor(string)" else _numbers(table[name])
        for name, kind in inputs.items()
    }


def _texts(column: Any) -> Any:
    return np.array([["" if pd.isna(value) else canonical(value)] for value in column.tolist()], object)


def _numbers(column: Any) -> Any:
    if column.dtype.kind == "M":
        return np.array([[moment.timestamp()] for moment in column])
    return np.array([[np.nan if pd.isna(value) else float(value)] for value in column.tolist()])
