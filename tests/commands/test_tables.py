"""The command line for tables: what it reports, writes and refuses."""

from __future__ import annotations

import re
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas

import cnn_core.commands.main as cli
import cnn_core.commands.table_files as table_files


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
    assert run("fit", flowers, "--target", "species", "--preset", "magic") == 2
    assert (
        "`preset` must be 'auto', 'balanced', 'best', 'fast', 'periodic', 'piecewise_linear', 'tabm', 'td' or 'td_s'"
        in capsys.readouterr().err
    )


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


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


CODES = [("007", "yes"), ("0123", "no"), ("1.10", "yes"), ("1e5", "no"), ("A12", "no"), ("2020-01-01", "yes")]


@pytest.mark.parametrize("reader", ["pandas", "polars"])
def test_a_row_is_answered_whatever_stands_beside_it(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip(reader)
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: True if name == reader else None)
    rows = [f"{CODES[row % 6][0]},{row % 7},{CODES[row % 6][1]}" for row in range(210)]
    table, model = written(tmp_path / "codes.csv", ["code,z,t", *rows]), tmp_path / "model"
    assert run("fit", table, "--target", "t", "--quiet", "--epochs", 60, "--model", model) == 0
    for code, expected in CODES:
        for others in ([], ["A12,5"]):
            asked = written(tmp_path / "asked.csv", ["code,z", f"{code},1", *others])
            capsys.readouterr()
            assert run("predict", model, asked) == 0
            assert capsys.readouterr().out.split()[1] == expected


@pytest.mark.parametrize(
    "classes",
    [["007", "12"], ["1.10", "1.1"], ["1e5", "2"], ["true", "false"], ["TRUE", "FALSE"], ["1", "0"], ["+1", "-1"]],
)
def test_classes_come_back_as_they_were_written(classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = written(tmp_path / "t.csv", ["x,t", *(f"{row % 2},{classes[row % 2]}" for row in range(100))])
    model = tmp_path / "model"
    task = ["--task", "classification"] if "." in classes[0] else []  # such numbers are no classes by themselves
    assert run("fit", table, "--target", "t", "--quiet", "--epochs", 30, "--model", model, *task) == 0
    capsys.readouterr()
    assert run("predict", model, table, "--probabilities") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == classes * 50
    assert {name.removeprefix("probability of ") for name in header.split(",")[1:]} == set(classes)


@pytest.mark.parametrize(
    ("write", "words", "message"),
    [
        (
            lambda row: "?" if row == 7 else f"{row * 1.5}",
            [],
            r"numbers but for '\?' in line 9\. .*--na, or say --task",
        ),
        (lambda row: "none yet" if row % 4 == 0 else f"{row * 1.5}", [], "numbers but for 'none yet' in line 2 and 24"),
        (lambda row: f'"{1000 + row * 37:,}"', [], r"'1,000' in line 2.*--decimal and --thousands"),
        (lambda row: f"${row}.50", [], r"'\$0\.50' in line 2.*--decimal and --thousands"),
        (lambda row: f"{row},5".join('""'), ["--task", "regression"], "'0,5' in line 2"),
        (lambda row: f"2020-01-{1 + row % 28:02}", [], "must hold numbers or classes, and no dates"),
        (lambda row: "1e999" if row == 3 else f"{row}", [], "finite numbers. Received: infinity in line 5"),
    ],
)
def test_targets_between_numbers_and_classes_are_refused(
    write: Any, words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = written(tmp_path / "prices.csv", ["x,price", *(f"{row},{write(row)}" for row in range(100))])
    assert run("fit", table, "--target", "price", "--epochs", 1, "--quiet", *words) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda value: "?" if value > 0.9 else f"{value:.3f}", ["--na", "?", "nothing"]),
        (lambda value: f"{value:.3f}".replace(".", ","), ["--decimal", ","]),
        (lambda value: f"{1000 + value * 5000:,.0f}", ["--thousands", ","]),
        (
            lambda value: f"{1000 + value * 5000:,.2f}".translate({44: 46, 46: 44}),
            ["--decimal", ",", "--thousands", "."],
        ),
    ],
)
def test_numbers_as_they_are_written(write: Any, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    values = [(row * 37 % 101) / 101 for row in range(101)]
    lines = ["x;y;t", *(f"{write(value)};{write(1 - value)};{'yes' if value > 0.5 else 'no'}" for value in values)]
    table, model = written(tmp_path / "t.csv", lines), tmp_path / "model"
    words = [*words, "--separator", ";"]
    assert run("fit", table, "--target", "t", "--quiet", "--model", model, *words) == 0
    assert float(capsys.readouterr().out.split("accuracy")[1].split()[0]) > 0.8
    assert run("info", model) == 0
    assert "  x: number\n  y: number" in capsys.readouterr().out
    assert run("predict", model, table, "--separator", ";") == 0, "the model knows how numbers are written"
    answers = capsys.readouterr().out.split()[1:]
    assert np.mean([answer == line.split(";")[2] for answer, line in zip(answers, lines[1:], strict=True)]) > 0.9
    target = "y" if words[0] != "--na" else "x"
    assert run("fit", table, "--target", target, "--epochs", 1, "--quiet", "--model", model, *words) == 0
    assert "regression" in capsys.readouterr().out


def test_numbers_written_otherwise_than_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = ["x;t", *(f"{row},5;{row % 2}" for row in range(40))]
    table, model = written(tmp_path / "t.csv", lines), tmp_path / "model"
    words = ["--target", "t", "--epochs", 1, "--quiet", "--separator", ";", "--model", model]
    assert run("fit", table, *words) == 2
    error = capsys.readouterr().err
    assert "'0,5' in line 2. Say how numbers are written with --decimal and --thousands" in error
    assert run("fit", table, *words, "--categorical", "x") == 0
    assert run("info", model) == 0
    assert "x: category" in capsys.readouterr().out
    assert run("fit", table, *words, "--decimal", ",") == 0
    written(table, ["x", "1,5", "2.5"])
    assert run("predict", model, table, "--separator", ";") == 2
    assert "'x' held numbers in training. Received: '2.5' in line 3" in capsys.readouterr().err
    assert run("predict", model, table, "--separator", ";", "--decimal", ".") == 2
    assert "Received: '1,5' in line 2" in capsys.readouterr().err
    for words in (["--decimal", "1"], ["--decimal", ""], ["--thousands", ".."], ["--thousands", "."]):
        assert run("fit", table, "--target", "x", *words) == 2
        assert words[0].strip("-") in capsys.readouterr().err


def test_codes_are_categories_where_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [f"{row % 20:03},{'odd' if row % 2 else 'even'},{row % 20 % 3 == 0}" for row in range(200)]
    table, model = written(tmp_path / "t.csv", ["code,name,t", *rows]), tmp_path / "model"
    words = ["--categorical", "code", "--epochs", 20, "--quiet", "--model", model]
    assert run("fit", table, "--target", "t", *words) == 0
    assert run("info", model) == 0
    assert "  code: category of 20 values\n  name: category of 2 values" in capsys.readouterr().out
    assert run("fit", table, "--target", "code", *words) == 2
    assert "say --task classification" in capsys.readouterr().err


def test_targets_of_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    moments = np.datetime64("2020-01-01") + np.arange(100)
    targets = {
        "regression": [[Decimal(150 * row) / 100 for row in range(100)], np.arange(100.0)],
        "classification": [
            pandas.Series(np.arange(100) % 30).astype("category"),
            [bool(row % 3) for row in range(100)],
            np.arange(100) % 4,
        ],
    }
    for task, columns in targets.items():
        for target in columns:
            pandas.DataFrame({"x": range(100), "t": target}).to_parquet(path)
            assert run("fit", path, "--target", "t", "--epochs", 1, "--quiet") == 0
            assert f"target 't': {task}\n" in capsys.readouterr().out
    for target in (moments, moments - moments[0]):
        pandas.DataFrame({"x": range(100), "t": target}).to_parquet(path)
        assert run("fit", path, "--target", "t", "--epochs", 1, "--quiet") == 2
        assert "'t' must hold numbers or classes" in capsys.readouterr().err
    assert run("fit", path, "--target", "t", "--na", "?") == 2
    assert "`--na`: for CSV files only" in capsys.readouterr().err


@pytest.mark.parametrize("reader", ["pandas", "polars"])
def test_dictionaries_of_parquet_are_categories(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip(reader)
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    codes = pyarrow.array([row % 30 for row in range(60)] * 2)
    columns = {"plain": codes, "code": codes.dictionary_encode(), "t": pyarrow.array(["a", "b"] * 60)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: True if name == reader else None)
    assert run("fit", tmp_path / "t.parquet", "--target", "t", "--epochs", 1, "--quiet") == 0
    assert run("info", tmp_path / "t.safetensors") == 0
    assert "  plain: number\n  code: category of 30 values" in capsys.readouterr().out


def test_columns_of_parquet_have_any_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("pyarrow")
    path, model = tmp_path / "t.parquet", tmp_path / "model"
    for names in ([("p", "x"), ("p", "t")], ["1", "2"]):
        frame = pandas.DataFrame({names[0]: range(40), names[1]: [0, 1] * 20})
        frame.to_parquet(path)
        assert run("fit", path, "--target", str(names[1]), "--epochs", 1, "--quiet", "--model", model) == 0
        assert run("predict", model, path) == 0


@pytest.mark.parametrize("reader", ["pandas", "polars"])
@pytest.mark.parametrize("header", ["x,t,t", "x,t, t", "x,x,t"])
def test_two_columns_of_one_name_are_refused(
    header: str, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip(reader)
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: True if name == reader else None)
    table = written(tmp_path / "t.csv", [header, *(f"{row},{row % 2},{row % 2}" for row in range(40))])
    assert run("fit", table, "--target", "t", "--epochs", 1, "--quiet") == 2
    assert re.search(r"names of their own\. Received: '[tx]' more than once", capsys.readouterr().err)


def test_what_is_read_is_never_written_over(flowers: Path, capsys: pytest.CaptureFixture[str]):
    model, before = flowers.with_name("model"), flowers.read_bytes()
    words = ["--target", "species", "--epochs", 1, "--quiet"]
    assert run("fit", flowers, *words, "--model", model) == 0
    kept = model.read_bytes()
    link = flowers.with_name("link")
    link.symlink_to(flowers)
    for destination in (flowers, link, flowers.parent / "." / flowers.name):
        assert run("fit", flowers, *words, "--model", destination) == 2
        assert "`--model` must be another file than those that are read" in capsys.readouterr().err
        assert run("predict", model, flowers, "--output", destination) == 2
        assert "`--output` must be another file than those that are read" in capsys.readouterr().err
    assert run("predict", model, flowers, "--output", model) == 2
    named_so = flowers.rename(flowers.with_suffix(".safetensors"))
    assert run("fit", named_so, *words) == 2
    assert (named_so.read_bytes(), model.read_bytes()) == (before, kept)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "big.csv", "--target", "t"], "'x' must hold finite numbers.* in line 5"),
        (["fit", "ok.csv", "--target", "t", "--encoding", "rot13"], "`encoding` must be one that Python knows"),
        (["fit", "ok.csv", "--target", "t", "--encoding", "base64"], "`encoding` must be one that Python knows"),
        (["fit", ".", "--target", "t"], "Is a directory"),
        (["fit", "", "--target", "t"], "No such file"),
        (["predict", "ok.csv", "ok.csv"], "ok.csv"),
    ],
)
def test_errors_take_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "big.csv", ["x,t", *(f"{'9' * 400 if row == 3 else row},{row % 2}" for row in range(40))])
    written(tmp_path / "ok.csv", ["x,t", *(f"{row},{row % 2}" for row in range(40))])
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line), line


def test_faults_of_our_own_take_one_line(flowers: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    def fail(*_: object, **__: object) -> None:
        raise KeyError("species")

    monkeypatch.setattr("cnn_core.commands.tables.fit", fail)
    assert run("fit", flowers, "--target", "species") == 70
    assert capsys.readouterr().err.startswith("cnn-core: KeyError: 'species'. Please report this fault")
