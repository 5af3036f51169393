"""The command line for tables: what it reports, writes and refuses."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas

import cnn_core.cli as cli
import cnn_core.table_files as table_files


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    from sklearn.datasets import load_iris

    data = load_iris(as_frame=True)
    frame = data.frame.assign(species=data.target_names[data.target]).drop(columns="target")
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    return tmp_path / "flowers.csv"


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_fit_predict_info(flowers: Path, capsys: pytest.CaptureFixture[str]):
    model, new = flowers.with_name("model"), flowers.with_name("new.csv")
    assert run("fit", flowers, "--target", "species", "--model", model, "--epochs", 30, "--quiet") == 0
    report = capsys.readouterr().out
    assert "150 rows, 4 columns, target 'species': classification" in report
    accuracy = float(report.split("accuracy")[1].split()[0])
    assert accuracy > 0.85
    table = pandas.read_csv(flowers)
    table[list(table)[::-1]].assign(more=1).to_csv(new, index=False)
    assert run("predict", model, new, "--output", flowers.with_name("out.csv"), "--probabilities") == 0
    predicted = pandas.read_csv(flowers.with_name("out.csv"))
    assert (predicted["prediction"] == table["species"]).mean() > 0.85
    assert predicted.iloc[:, 1:].sum(axis=1).to_numpy() == pytest.approx(np.ones(150), abs=1e-4)
    capsys.readouterr()
    assert run("predict", model, new) == 0
    assert capsys.readouterr().out.splitlines() == ["prediction", *predicted["prediction"]]
    assert run("info", model) == 0
    described = capsys.readouterr().out
    assert "classes: setosa, versicolor, virginica" in described
    assert "sepal length (cm): number" in described


def test_regression(flowers: Path, capsys: pytest.CaptureFixture[str]):
    assert run("fit", flowers, "--target", "sepal length (cm)", "--epochs", 30, "--members", 2, "--quiet") == 0
    report = capsys.readouterr().out
    assert "regression" in report
    assert float(report.split("R^2")[1].split()[0]) > 0.5
    assert flowers.with_suffix(".safetensors").exists()
    assert run("predict", flowers.with_suffix(".safetensors"), flowers) == 0
    assert len(capsys.readouterr().out.splitlines()) == 151


def test_the_task_can_be_given(flowers: Path, capsys: pytest.CaptureFixture[str]):
    words = ["fit", flowers, "--target", "species", "--task", "regression"]
    assert run(*words) == 2
    assert "the target 'species' must hold numbers. Received: 'setosa' in line 2" in capsys.readouterr().err


def test_rows_without_target_are_left_out(flowers: Path, capsys: pytest.CaptureFixture[str]):
    table = pandas.read_csv(flowers)
    table.loc[:9, "species"] = None
    table.to_csv(flowers, index=False)
    assert run("fit", flowers, "--target", "species", "--epochs", 1, "--quiet") == 0
    report = capsys.readouterr().out
    assert "140 rows, 4 columns" in report
    assert "left out without a target: 10 rows" in report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n", "at least 10 rows"),
        ("a\n1\n", "has no column 'b'; it has 'a'"),
        ("b\n1\n", "no column besides 'b'"),
        ("a,b\n" + "1,2\n" * 20 + "x,2\n" + "1,2\n" * 9, "'a' .* 'x' in line 22"),
    ],
)
def test_tables_with_faults(content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "table.csv"
    path.write_text(content)
    assert run("fit", path, "--target", "b") == 2
    printed = capsys.readouterr().err
    assert str(path) in printed
    assert re.search(message, printed), printed


def test_missing_files_and_columns(flowers: Path, capsys: pytest.CaptureFixture[str]):
    assert run("fit", flowers.with_name("none.csv"), "--target", "b") == 2
    assert "none.csv" in capsys.readouterr().err
    assert run("fit", flowers, "--target", "species", "--drop", "nothing") == 2
    assert "no column 'nothing'" in capsys.readouterr().err
    assert run("predict", flowers, flowers) == 2
    assert "flowers.csv" in capsys.readouterr().err


def test_prediction_names_the_column_that_is_missing(flowers: Path, capsys: pytest.CaptureFixture[str]):
    assert run("fit", flowers, "--target", "species", "--epochs", 1, "--quiet") == 0
    pandas.read_csv(flowers).drop(columns="petal width (cm)").to_csv(flowers.with_name("new.csv"), index=False)
    capsys.readouterr()
    assert run("predict", flowers.with_suffix(".safetensors"), flowers.with_name("new.csv")) == 2
    assert "has no column 'petal width (cm)'" in capsys.readouterr().err


def test_what_is_wrong_is_said_before_the_training(flowers: Path, capsys: pytest.CaptureFixture[str]):
    nowhere = flowers.with_name("nowhere") / "model"
    assert run("fit", flowers, "--target", "species", "--model", nowhere) == 2
    assert capsys.readouterr().err.strip().endswith(f"No such directory: '{nowhere.parent}'")
    assert run("fit", flowers, "--target", "species", "--drop", "species") == 2
    assert "'species' is the target and cannot be dropped" in capsys.readouterr().err
    assert run("fit", flowers, "--target", "species", "--preset", "best") == 2
    assert "`preset` must be one of td_s, td, periodic, piecewise_linear" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "soon"])
def test_a_time_limit_is_a_number_of_seconds(seconds: str, flowers: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run("fit", flowers, "--target", "species", f"--time-limit={seconds}")
    assert f"`time_limit` must be a number above 0. Received: time_limit={seconds}" in capsys.readouterr().err


def test_warnings_take_one_line(flowers: Path, capsys: pytest.CaptureFixture[str]):
    table = pandas.DataFrame({"x": np.arange(40.0), "y": [f"class {row % 30}" for row in range(40)]})
    table.to_csv(flowers, index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("fit", flowers, "--target", "y", "--epochs", 1, "--quiet") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cnn-core: warning: The number of unique classes is greater than 50%")


def test_a_preset_can_be_given(flowers: Path, capsys: pytest.CaptureFixture[str]):
    model = flowers.with_name("model")
    words = ("--target", "species", "--preset", "td", "--epochs", 2, "--quiet", "--model", model)
    assert run("fit", flowers, *words) == 0
    assert run("info", model) == 0
    assert "preset: td\n" in capsys.readouterr().out
    assert run("predict", model, flowers) == 0


def test_other_separators_and_encodings(flowers: Path, capsys: pytest.CaptureFixture[str]):
    table = pandas.read_csv(flowers).rename(columns={"petal width (cm)": "größe"})
    table.to_csv(flowers, index=False, sep="\t", encoding="latin-1")
    form = ("--separator", "\\t", "--encoding", "latin-1")
    assert run("fit", flowers, "--target", "species", "--epochs", 1, "--quiet", *form) == 0
    assert run("predict", flowers.with_suffix(".safetensors"), flowers, *form) == 0
    capsys.readouterr()
    assert run("info", flowers.with_suffix(".safetensors")) == 0
    assert "größe: number" in capsys.readouterr().out


def test_polars_reads_where_pandas_is_missing(flowers: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("polars")
    found = table_files.importlib.util.find_spec
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: None if name == "pandas" else found(name))
    model = flowers.with_name("model")
    assert run("fit", flowers, "--target", "species", "--epochs", 2, "--quiet", "--model", model) == 0
    assert run("predict", model, flowers, "--output", flowers.with_name("out.csv")) == 0
    assert len(flowers.with_name("out.csv").read_text().splitlines()) == 151


def test_neither_reader(flowers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: None)
    assert run("fit", flowers, "--target", "species") == 2
    assert "pip install 'cnn_core[tables]'" in capsys.readouterr().err
