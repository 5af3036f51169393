"""Serving tabular models: the same bits as the estimators, without scikit-learn and pandas, from rows in any form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas

import cnn_core
from cnn_core.sklearn import TabularClassifier, TabularRegressor

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16,), "epochs": 8, "random_state": 0}


def table(n: int = 90) -> Any:
    generator = np.random.default_rng(0)
    return pandas.DataFrame(
        {
            "age": np.where(np.arange(n) % 11, generator.normal(40, 10, n), np.nan),
            "city": generator.choice(["Bonn", "Rome", "Oslo"], n),
            "member": generator.random(n) > 0.5,
            "since": np.datetime64("2020-01-01") + generator.integers(0, 900, n),
        }
    )


def fitted(kind: Any, **settings: Any) -> tuple[Any, Any]:
    frame = table()
    y = (frame["city"] == "Rome").map({True: "yes", False: "no"})
    if kind is TabularRegressor:
        y = frame["age"].fillna(0) + (frame["city"] == "Rome")
    return kind(**SMALL, **settings).fit(frame, y), frame


@pytest.mark.parametrize(
    ("kind", "settings", "methods"),
    [
        (TabularClassifier, {"n_members": 2}, ["predict", "predict_proba"]),
        (TabularClassifier, {"preset": "td"}, ["predict", "predict_proba"]),
        (TabularRegressor, {"preset": "periodic"}, ["predict"]),
        (TabularRegressor, {"quantiles": (0.1, 0.8)}, ["predict", "predict_quantiles"]),
    ],
)
def test_the_same_bits_from_a_file(kind: Any, settings: dict[str, Any], methods: list[str], tmp_path: Path):
    estimator, frame = fitted(kind, **settings)
    estimator.save(tmp_path / "model")
    predictor = cnn_core.load_predictor(tmp_path / "model")
    rows = frame.to_dict("records")
    for method in methods:
        expected = getattr(estimator, method)(frame)
        forms = [
            frame,
            frame[list(frame)[::-1]],
            frame.to_dict("list"),
            {name: frame[name].to_numpy() for name in frame},
            rows,
            [dict(reversed(row.items())) for row in rows],
            frame.to_numpy(dtype=object),
            frame.to_numpy(dtype=object).tolist(),
        ]
        for form in forms:
            np.testing.assert_array_equal(getattr(predictor, method)(form), expected)
        for form in (frame.iloc[3], frame.iloc[3][::-1], rows[3]):
            for each in (predictor, estimator):
                np.testing.assert_array_equal(getattr(each, method)(form), expected[3:4])
        np.testing.assert_array_equal(getattr(estimator, method)(forms[5]), expected)
        np.testing.assert_array_equal(getattr(estimator, method)(forms[3]), expected)


def test_frames_in_order_are_read_without_scikit_learn(monkeypatch: pytest.MonkeyPatch):
    """And others are not: it finds what is wrong with them."""
    estimator, frame = fitted(TabularClassifier)
    expected = estimator.predict_proba(frame)
    monkeypatch.setattr("cnn_core.sklearn.tabular.estimator.read_table", None)
    np.testing.assert_array_equal(estimator.predict_proba(frame), expected)
    for other in (frame[["age", "city", "member"]], frame[list(frame)[::-1]], frame[:0], frame.to_numpy()):
        with pytest.raises(TypeError, match="not callable"):
            estimator.predict_proba(other)


def test_polars_too(tmp_path: Path):
    polars = pytest.importorskip("polars")
    estimator, frame = fitted(TabularClassifier)
    np.testing.assert_array_equal(
        estimator.predictor_.predict_proba(polars.DataFrame(frame.to_dict("list"))), estimator.predict_proba(frame)
    )


def test_serving_imports_neither_scikit_learn_nor_pandas(tmp_path: Path):
    estimator, _ = fitted(TabularClassifier)
    estimator.save(tmp_path / "model")
    program = (
        "import sys, cnn_core\n"
        f"predictor = cnn_core.load_predictor({str(tmp_path / 'model')!r})\n"
        "row = {'age': 31.5, 'member': True, 'since': '2020-05-06', 'city': 'Rome'}\n"
        "print(predictor.predict(row)[0], predictor.predict_proba([row, row]).shape)\n"
        "print({'sklearn', 'pandas', 'scipy', 'polars'} & {name.partition('.')[0] for name in sys.modules})\n"
    )
    answered = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    row = {"age": 31.5, "city": "Rome", "member": True, "since": "2020-05-06"}
    assert answered.splitlines() == [f"{estimator.predict(row)[0]} (2, 2)", "set()"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.pop("age"), "the column 'age' is missing in the row"),
        (lambda row: row.update(size=3), "the column 'size' was not there in the row"),
        (lambda row: row.update(age="old"), "'age' held numbers in training. Received: 'old' in row 0"),
        (lambda row: row.update(since="soon"), "'since' held dates in training. Received: 'soon' in row 0"),
    ],
)
def test_rows_that_are_wrong(change: Any, message: str):
    estimator, frame = fitted(TabularClassifier)
    row = frame.iloc[3].to_dict()
    change(row)
    for predict in (estimator.predict, estimator.predictor_.predict):
        with pytest.raises(ValueError, match=message):
            predict(row)
    with pytest.raises(ValueError, match=r"in row [01]"):
        estimator.predict([frame.iloc[3].to_dict(), row])


def test_tables_that_are_wrong():
    estimator, frame = fitted(TabularClassifier)
    predictor = estimator.predictor_
    with pytest.raises(ValueError, match="the column 'age' is missing"):
        predictor.predict(frame.drop(columns="age"))
    with pytest.raises(ValueError, match="the column 'size' was not there"):
        predictor.predict(frame.assign(size=1))
    with pytest.raises(ValueError, match=r"Rows must have 4 columns.*shape=\(3, 3\)"):
        predictor.predict(np.ones((3, 3)))
    with pytest.raises(ValueError, match="of one length"):
        predictor.predict({"age": [1, 2], "city": ["Rome"], "member": [True], "since": ["2020-01-01"]})
    unnamed = TabularClassifier(**SMALL).fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="Columns had no names in training"):
        unnamed.predict({"a": 1, "b": 2})


def test_files_of_something_else(tmp_path: Path):
    import cnn_core.foundation.model_file as model_file

    model_file.write(tmp_path / "weights", {"kernel": np.ones(3)})
    with pytest.raises(ValueError, match=r"weights' .*: it holds no tabular estimator; cnn_core\.load_model"):
        cnn_core.load_predictor(tmp_path / "weights")
    for state in ("[]", "{}", "{", '{"task": "classification"}', '{"task": []}'):
        model_file.write(tmp_path / "damaged", {}, {"cnn_core.tabular": state})
        with pytest.raises(ValueError, match="damaged' cannot be loaded: "):
            cnn_core.load_predictor(tmp_path / "damaged")


def test_the_median_is_learnt_where_it_is_not_asked_for():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(800, 1))
    y = generator.exponential(size=800)  # median log 2; halfway between the quantiles 0.9 and 0.99 is 3.5
    regressor = TabularRegressor(quantiles=(0.9, 0.99), epochs=64, random_state=0).fit(X, y)
    assert regressor.predict_quantiles(X).shape == (800, 2)
    assert abs(np.median(regressor.predict(X)) - np.log(2)) < 0.2
    assert (regressor.predict(X) <= regressor.predict_quantiles(X)[:, 0]).all()
    assert regressor.quantiles_.tolist() == [0.9, 0.99]


# A few rows of plain numbers


def plain_numbers(n: int = 40) -> Any:
    generator = np.random.default_rng(5)
    return pandas.DataFrame(
        {"a": generator.normal(size=n), "b": generator.integers(0, 99, n), "c": generator.random(n)}
    )


def test_few_rows_of_numbers_are_predicted_as_many_are():
    frame = plain_numbers()
    y = frame["a"] + frame["b"]
    model = TabularRegressor(**SMALL).fit(frame, y)
    whole = model.predict(pandas.concat([frame] * 30))[: len(frame)]
    np.testing.assert_array_equal(model.predict(frame), whole)
    np.testing.assert_array_equal(model.predictor_.predict(frame), whole)
    reordered = frame[["c", "a", "b"]]
    np.testing.assert_array_equal(model.predictor_.predict(reordered), whole)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(reordered)
    bare = TabularRegressor(**SMALL).fit(frame.to_numpy(), y)
    rows = frame.to_numpy()[:3]
    np.testing.assert_array_equal(bare.predict(rows), bare.predict(rows.astype(object)))


@pytest.mark.parametrize("named", [True, False])
def test_few_rows_are_refused_as_many_are(named: bool):
    frame = plain_numbers()
    given = frame if named else frame.to_numpy()
    model = TabularRegressor(**SMALL).fit(given, frame["a"])
    infinite = given.copy()
    if named:
        infinite.loc[3, "c"] = np.inf
    else:
        infinite[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"must hold finite numbers; .* Received: infinity in row 3"):
        model.predict(infinite)
    with pytest.raises(ValueError, match="features"):
        model.predict(frame.to_numpy()[:, :2] if not named else frame[["a", "b"]].rename(columns={"b": "features"}))
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(given[:0])
