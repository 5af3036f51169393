"""What a preprocessor learns from parts of a table, against what it learns from the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn.tabular.columns import Column, columns_of
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.quantiles import POINTS, ascending_quantiles, quantiles, sketch
from cnn_core.sklearn.tabular.summaries import merged, must_be_read_again, summary_of

FAN_IN = 8


def merged_in_a_tree(parts: list[Any], merge: Any) -> tuple[Any, int]:
    """Return what all are merged to, and in how many levels."""
    height = 0
    while len(parts) > 1:
        parts = [merge(parts[start : start + FAN_IN]) for start in range(0, len(parts), FAN_IN)]
        height += 1
    return parts[0], height


def table_of(n: int, seed: int) -> np.ndarray:
    """Numbers with gaps and repetitions, texts, booleans and dates, some with a time of day."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 50, n).astype(object)
    numbers[rng.random(n) < 0.1] = None
    texts = rng.choice(np.array(["x", "y", "z", None], object), n)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    dates = [f"{day}T12:00" if seconds < 0.05 else str(day) for day, seconds in zip(days, rng.random(n), strict=True)]
    table = np.empty((n, 5), object)
    for number, column in enumerate((numbers, texts, rng.random(n) < 0.5, dates, np.full(n, None, object))):
        table[:, number] = column
    return table


@pytest.mark.parametrize("settings", [(0, None), (24, 2)], ids=["td_s", "bins and codes"])
def test_few_different_values_are_learnt_from_parts_exactly(settings: tuple[Any, ...]):
    table = table_of(3000, 0)
    whole = TablePreprocessor("from_dtype", *settings).fit(table)
    parts = [[summary_of(column) for column in columns_of(part)] for part in np.split(table, [5, 6, 900])]
    columns = [merged(same) for same in zip(*parts, strict=True)]
    assert [column.kind for column in columns] == ["number", "category", "category", "date", "missing"]
    found = TablePreprocessor("from_dtype", *settings).fit(columns)
    assert found.kinds == whole.kinds
    assert found.feature_names == whole.feature_names
    np.testing.assert_array_equal(found.transform(table), whole.transform(table))


@pytest.mark.parametrize("method", ["linear", "inverted_cdf"])
def test_quantiles_of_counted_values_are_numpys(method: Any):
    rng = np.random.default_rng(0)
    levels = np.concatenate([np.linspace(0, 1, 41), rng.random(200)])
    for n in (1, 2, 7, 50):
        values, counts = rng.normal(size=n), rng.integers(1, 5, n)
        expected = np.quantile(np.repeat(values, counts), levels, method=method)
        np.testing.assert_allclose(quantiles(values, levels, counts, method), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_quantiles_of_what_is_in_order(n: int):
    values = np.sort(np.random.default_rng(n).normal(size=(n, 3)), axis=0)
    levels = np.array([0.0, 0.01, 0.25, 0.5, 0.77, 0.999, 1.0])
    expected = np.quantile(values, levels, axis=0)
    np.testing.assert_allclose(ascending_quantiles(values, levels), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("ordered", [False, True], ids=["any order", "sorted over parts"])
def test_a_sketch_keeps_its_promise(ordered: bool):
    rng = np.random.default_rng(0)
    rows = rng.lognormal(size=600_000)
    rows[:50_000] = 1.5
    rows = np.sort(rows) if ordered else rng.permutation(rows)
    sketches = [sketch(part, np.ones(len(part), np.int64)) for part in np.array_split(rows, 70)]
    (values, counts), height = merged_in_a_tree(
        sketches, lambda group: sketch(*(np.concatenate(each) for each in zip(*group, strict=True)))
    )
    assert height == 3
    assert len(values) <= POINTS + 2
    assert counts.sum() == len(rows)
    assert (values[0], values[-1]) == (rows.min(), rows.max())
    levels = np.linspace(0.001, 0.999, 999)
    found = quantiles(values, levels, counts, "inverted_cdf")
    ordered_rows, bound = np.sort(rows), (height + 1) / (2 * POINTS)
    low = np.searchsorted(ordered_rows, found, side="left") / len(rows)
    high = np.searchsorted(ordered_rows, found, side="right") / len(rows)
    assert (low - levels).max() <= bound
    assert (levels - high).max() <= bound


def test_kinds_of_parts_become_one():
    def summary(kind: str, *values: Any) -> Column:
        kind_of_values = object if kind == "category" else float
        return summary_of(Column("a", kind, np.array(values, kind_of_values), all(v is True for v in values)))

    nothing, number, text, date = (
        summary("missing", np.nan, np.nan),
        summary("number", 1.0),
        summary("category", "x"),
        summary("date", 86400.0),
    )
    for known in (number, text, date, summary("category", True)):
        both = merged([nothing, known])
        assert (both.kind, both.boolean, both.counts.sum()) == (known.kind, known.boolean, 3)
    assert merged([nothing, nothing]).kind == "missing"
    assert must_be_read_again(merged([merged([text, date]), text]))
    with pytest.raises(ValueError, match=r"'a' must be of one kind. Received: numbers in some .* texts in others"):
        merged([number, text])


def test_the_most_frequent_of_too_many_categories_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cnn_core.sklearn.tabular.summaries.MOST_VALUES", 2)
    summary = summary_of(Column("a", "category", np.array([*"abbccc", None], object)))
    assert dict(zip(summary.values.tolist(), summary.counts.tolist(), strict=True)) == {"b": 2, "c": 3, None: 1}
