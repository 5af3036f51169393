"""Tables of Arrow give what the same frames of pandas give."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.columns import columns_of

pa = pytest.importorskip("pyarrow")
RANDOM = np.random.default_rng(1)
N = 60


@pytest.fixture
def table():
    gaps = [None if n % 7 == 0 else float(n) for n in range(N)]
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=37 * n) for n in range(N)]
    return pa.table(
        {
            "number": gaps,
            "whole": pa.array(range(N), pa.int32()),
            "some whole": pa.array([None, *range(1, N)], pa.int64()),
            "small": pa.array(RANDOM.normal(size=N).astype(np.float16)),
            "text": RANDOM.choice(["a", "b", "c"], N),
            "flag": (RANDOM.random(N) < 0.5).tolist(),
            "level": pa.array(RANDOM.choice(["x", "y"], N)).dictionary_encode(),
            "code": pa.array(RANDOM.choice([10, 20, 30], N)).dictionary_encode(),
            "day": days,
            "moment": pa.array(pd.to_datetime(days) + pd.Timedelta("3h")),
        }
    )


def test_columns_have_the_kinds_of_pandas(table):
    wanted = [column.kind for column in columns_of(table.to_pandas())]
    assert [column.kind for column in columns_of(table)] == wanted
    assert wanted == ["number"] * 4 + ["category"] * 4 + ["date"] * 2


def test_answers_are_those_of_pandas(table):
    y = RANDOM.choice(["no", "yes"], N)
    of_arrow = TabularClassifier(epochs=2, random_state=0).fit(table, pa.array(y))
    of_pandas = TabularClassifier(epochs=2, random_state=0).fit(table.to_pandas(), y)
    wanted = of_pandas.predict_proba(table.to_pandas())
    np.testing.assert_array_equal(of_arrow.predict_proba(table), wanted)
    np.testing.assert_array_equal(of_pandas.predict_proba(table), wanted)
    assert list(of_arrow.feature_names_in_) == table.column_names


def test_record_batches_and_chunks(table):
    y = pa.chunked_array([RANDOM.normal(size=20), RANDOM.normal(size=N - 20)])
    estimator = TabularRegressor(epochs=2, random_state=0).fit(pa.concat_tables([table[:11], table[11:]]), y)
    wanted = estimator.predict(table)
    for batch, rows in zip(table.to_batches(max_chunksize=17), range(0, N, 17), strict=True):
        np.testing.assert_allclose(estimator.predict(batch), wanted[rows : rows + 17], rtol=1e-6)


def test_columns_come_in_any_order_to_a_served_predictor(table, tmp_path):
    from cnn_core import load_predictor

    estimator = TabularRegressor(epochs=2, random_state=0).fit(table, np.arange(N))
    estimator.save(tmp_path / "table.safetensors")
    reordered = table.select(table.column_names[::-1])
    np.testing.assert_array_equal(
        load_predictor(tmp_path / "table.safetensors").predict(reordered), estimator.predict(table)
    )


def test_what_is_refused(table):
    twice = pa.table([table["number"], table["whole"]], names=["a", "a"])
    with pytest.raises(ValueError, match=r"Columns must have names of their own\. Received: 'a' more than once"):
        TabularRegressor(epochs=1).fit(twice, np.arange(N))
    with pytest.raises(ValueError, match="0 sample"):
        TabularRegressor(epochs=1).fit(table[:0], [])
