"""Tabular estimators as C: compiled, and asked row by row for what the estimator answers."""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pandas as pd
import pytest

from c_compiler import compile_library
from cnn_core.interop import to_c
from cnn_core.sklearn import MLPClassifier, TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular import blend_training
from cnn_core.sklearn.tabular.portfolios import PORTFOLIOS, Portfolio, Variant

RANDOM = np.random.default_rng(3)
N = 120
QUICK = {"epochs": 3, "random_state": 0, "n_members": 2}


def table():
    """Numbers with gaps, a constant column, two kinds of categories, booleans, dates, and names that C has not."""
    city = RANDOM.choice(["Köln", "Ulm", 'B "e"', "?"], N).astype(object)
    city[::7] = None
    age = RANDOM.normal(50, 20, N)
    age[::5] = np.nan
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 1000, N) * 3600 * 7, unit="s")
    return pd.DataFrame(
        {
            "age": age,
            "double": RANDOM.lognormal(2, 1, N),
            "always 1": np.ones(N),
            "city": city,
            "side": RANDOM.choice(["left", "right"], N),
            "member?": RANDOM.random(N) < 0.5,
            "when": days,
        }
    )


def row_type(header):
    """The struct of a header, read from its text."""
    body = header[header.index("typedef struct {") : header.index("} ")].splitlines()[1:]
    kinds = {"double": ctypes.c_double, "const": ctypes.c_char_p}
    fields = []
    for line in filter(str.strip, body):
        declaration = line.split(";")[0]
        fields.append((declaration.split()[-1].lstrip("*"), kinds[declaration.split()[0]]))
    return type("Row", (ctypes.Structure,), {"_fields_": fields})


def in_c(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return (value - pd.Timestamp(0)).total_seconds()
    return str(value).encode() if isinstance(value, (str, bool, np.bool_)) else float(value)


def answers(estimator, frame, folder, n_answers, **options):
    """What the compiled C answers for every row, and the number of the likeliest class."""
    files = to_c(estimator, folder / "table.c", **options)
    library = compile_library([file for file in files if file.suffix == ".c"], folder)
    Row = row_type(files[1].read_text())
    assert len(Row._fields_) == len(frame.columns)
    found, classes = [], []
    for values in frame.astype(object).itertuples(index=False):
        row, answer = Row(), (ctypes.c_double * n_answers)()
        for (field, kind), value in zip(Row._fields_, map(in_c, values), strict=True):
            setattr(row, field, math.nan if value is None and kind is ctypes.c_double else value)
        assert library.table_predict(ctypes.byref(row), answer) == 0
        found.append(list(answer))
        classes.append(library.table_class(ctypes.byref(row)) if hasattr(library, "table_class") else None)
    return np.array(found), classes


@pytest.mark.parametrize("preset", ["td_s", "td"])
def test_classes_of_every_kind_of_column(preset, tmp_path):
    frame, y = table(), RANDOM.choice(["no", "yes", "maybe"], N)
    estimator = TabularClassifier(preset=preset, **QUICK).fit(frame, y)
    found, classes = answers(estimator, frame, tmp_path, 3)
    wanted = estimator.predict_proba(frame)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    assert list(estimator.classes_[classes]) == list(estimator.predict(frame))


def test_unknown_and_missing_values(tmp_path):
    frame, y = table(), RANDOM.normal(size=N)
    estimator = TabularRegressor(**QUICK).fit(frame, y)
    other = frame.copy()
    other["city"], other["side"] = "Bonn", None
    other["age"] = np.nan
    found, _ = answers(estimator, other, tmp_path, 1)
    np.testing.assert_allclose(found[:, 0], estimator.predict(other), rtol=1e-5, atol=1e-6)


def test_many_categories_are_looked_up(tmp_path):
    levels = [f"level {number}" for number in range(60)]
    frame = pd.DataFrame(
        {"many": RANDOM.choice(levels, 400), "more": RANDOM.choice(levels, 400), "x": RANDOM.normal(size=400)}
    )
    estimator = TabularClassifier(preset="td", **QUICK).fit(frame, RANDOM.integers(0, 2, 400))
    frame.loc[0, "many"] = "none of these"
    found, _ = answers(estimator, frame, tmp_path, 2)
    np.testing.assert_allclose(found, estimator.predict_proba(frame), rtol=1e-5, atol=1e-7)


def test_quantiles_and_several_targets(tmp_path):
    frame = table()
    y = RANDOM.normal(size=(N, 2))
    quantiles = TabularRegressor(quantiles=(0.1, 0.9), **QUICK).fit(frame, y[:, 0])
    found, _ = answers(quantiles, frame, tmp_path, 2)
    np.testing.assert_allclose(found, quantiles.predict_quantiles(frame), rtol=1e-5, atol=1e-6)
    (tmp_path / "two").mkdir()
    two = TabularRegressor(**QUICK).fit(frame, y)
    found, _ = answers(two, frame, tmp_path / "two", 2, weights="extern")
    np.testing.assert_allclose(found, two.predict(frame), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["classes", "numbers", "quantiles"])
def test_blends_of_all_their_recipes(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(blend_training, "greedy_weights", lambda models, score: np.full(len(models), 1 / len(models)))
    small = (Variant("td", "td", {"hidden": (6,)}), Variant("pieces", "piecewise_linear", {"hidden": (6,)}))
    shared = Variant("tabm", "tabm", {"hidden": (6,), "n_sharing": 3})
    of_rows = Variant(
        "radial", "td_s", {"hidden": (9,), "activation": "exponential", "radial": True, "most_one_hot": None}
    )
    linear = Variant("linear", "td_s", {"hidden": ()})
    others = (shared, linear) if kind == "quantiles" else (shared, linear, of_rows)
    monkeypatch.setitem(PORTFOLIOS, "best", Portfolio(2, (*small, *others)))
    frame = table()
    frame["street"] = [f"street {number % 40}" for number in range(N)]
    own = {"preset": "best", "epochs": 3, "random_state": 0}
    if kind == "classes":
        estimator = TabularClassifier(**own).fit(frame, RANDOM.choice(["no", "yes", "maybe"], N))
        wanted = estimator.predict_proba(frame)
    else:
        quantiles = (0.1, 0.9) if kind == "quantiles" else None
        estimator = TabularRegressor(**own, quantiles=quantiles).fit(frame, RANDOM.normal(size=N))
        wanted = estimator.predict_quantiles(frame) if quantiles else estimator.predict(frame)[:, None]
    assert len(estimator.predictor_.network.parts) == 2 * len(PORTFOLIOS["best"].variants)
    found, classes = answers(estimator, frame, tmp_path, wanted.shape[1])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    if kind == "classes":
        assert list(estimator.classes_[classes]) == list(estimator.predict(frame))


def test_one_class_is_certain(tmp_path):
    frame = table()[["age"]]
    estimator = TabularClassifier(**QUICK).fit(frame, ["only"] * N)
    assert answers(estimator, frame, tmp_path, 1)[0].tolist() == [[1.0]] * N


def test_a_loaded_predictor_is_written_alike(tmp_path):
    from cnn_core import load_predictor

    frame, y = table(), RANDOM.choice([0, 1], N)
    estimator = TabularClassifier(**QUICK).fit(frame, y)
    estimator.save(tmp_path / "table.safetensors")
    (tmp_path / "again").mkdir()
    loaded = load_predictor(tmp_path / "table.safetensors")
    first = to_c(estimator, tmp_path / "table.c")[0].read_text()
    assert to_c(loaded, tmp_path / "again" / "table.c")[0].read_text() == first


def test_perceptrons_are_written_as_their_networks(tmp_path):
    x = RANDOM.normal(size=(40, 3))
    estimator = MLPClassifier((5,), max_iter=5, random_state=0)
    with pytest.warns(match="[Ii]terations|converge"):
        estimator.fit(x, x[:, 0] > 0)
    header = to_c(estimator, tmp_path / "mlp.c")[1].read_text()
    assert "const double *" in header
    assert "classes:" in header
