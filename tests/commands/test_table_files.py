"""Files of tables: what is wrong with one is said with its name, and the line or the column."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas")

import cnn_core.commands.table_files as table_files
from cnn_core.commands.table_files import TableFile

ROWS = ["1.5,red", "2.5,blue"] * 20


@pytest.fixture(params=["pandas", "polars"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip(request.param)
    monkeypatch.setattr(table_files.importlib.util, "find_spec", lambda name: True if name == request.param else None)
    return request.param


def written(path: Path, lines: list[str], **form: str) -> TableFile:
    path.write_text("\n".join(lines) + "\n", encoding=form.get("encoding", "utf-8"))
    return TableFile(str(path), **form)


def test_a_table_is_read(tmp_path: Path, reader: str):
    file = written(tmp_path / "table.csv", ["number,colour", *ROWS])
    table = file.read()
    assert table.shape == (40, 2)
    assert file.column(table, "number").tolist() == [1.5, 2.5] * 20
    assert file.column(table, "colour").tolist() == ["red", "blue"] * 20


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty$"),
        (["number,colour"], "no rows"),
        (["number,colour", "1.5,red,more", *ROWS], "line 2"),
        (["number,colour", *ROWS[:7], "3.5", *ROWS], "line 9: expected 2 fields, as the header has. Received: 1$"),
        (
            ["number,colour", *ROWS, "3.5,red,more", *ROWS],
            "line 42: expected 2 fields, as the header has. Received: 3$",
        ),
    ],
)
def test_lines_that_do_not_fit_the_header(lines: list[str], message: str, tmp_path: Path, reader: str):
    path = tmp_path / "table.csv"
    path.write_text("".join(line + "\n" for line in lines))
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        TableFile(str(path)).read()
    assert re.search(message, str(caught.value)), caught.value


def test_gaps_are_no_missing_fields(tmp_path: Path, reader: str):
    table = written(tmp_path / "table.csv", ["number,colour", ",red", "2.5,", *ROWS]).read()
    assert table.shape == (42, 2)


def test_an_open_quotation(tmp_path: Path):
    file = written(tmp_path / "table.csv", ["number,colour", *ROWS[:4], '1.5,"red', *ROWS])
    with pytest.raises(ValueError, match="line 6: a quotation mark opens and never closes"):
        file.read()


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_lines_are_those_of_the_file(name: str, tmp_path: Path):
    lines = ["number,colour", "1,red", "", '2,"dark', 'blue"', "3,red", "", "4,red"]
    data = ("\r\n".join(lines) + "\r\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    file = TableFile(str(tmp_path / name))
    assert file.read().shape == (4, 2)
    assert [file.line_of(row) for row in range(4)] == [2, 4, 6, 8]
    error = file.error(ValueError("Received: 'x' in row 2 and 'y' in row 3"))
    assert str(error) == f"{tmp_path / name}: Received: 'x' in line 6 and 'y' in line 8"


def test_rows_of_parquet_are_rows(tmp_path: Path):
    file = TableFile(str(tmp_path / "table.parquet"))
    assert str(file.error(ValueError("'x' in row 2"))).endswith("table.parquet: 'x' in row 2")


def test_an_encoding_that_is_another(tmp_path: Path, reader: str):
    lines = ["number,colour", *ROWS[:3], "1.5,grün", *ROWS]
    latin = written(tmp_path / "table.csv", lines, encoding="latin-1")
    assert latin.read()["colour"][3] == "grün"
    with pytest.raises(ValueError, match=r"line 5: the file is not written in utf-8.*--encoding.* the byte 0xfc"):
        TableFile(latin.path).read()


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path, reader: str):
    file = written(tmp_path / "table.csv", ["number,colour", *ROWS], encoding="utf-8-sig")
    assert list(TableFile(file.path).read().columns) == ["number", "colour"]


@pytest.mark.parametrize(("separator", "shown"), [(";", "';'"), ("\t", r"'\t'"), ("|", "'|'")])
def test_another_separator_is_guessed_in_the_message(separator: str, shown: str, tmp_path: Path, reader: str):
    lines = [line.replace(",", separator) for line in ["number,colour", *ROWS]]
    file = written(tmp_path / "table.csv", lines)
    with pytest.raises(ValueError, match="has no column 'colour'") as caught:
        file.column(file.read(), "colour")
    assert str(caught.value).endswith(f"Is it separated otherwise? Try --separator {shown}")
    right = TableFile(file.path, separator)
    assert right.column(right.read(), "colour")[1] == "blue"


def test_parquet_without_its_reader_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read_parquet(path: str) -> object:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pytest.importorskip("pandas"), "read_parquet", read_parquet)
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"table\.parquet: Parquet needs pyarrow: pip install 'cnn_core\[tables\]'"):
        TableFile(str(tmp_path / "table.parquet")).read()


def test_a_file_that_is_no_parquet(tmp_path: Path):
    pytest.importorskip("pyarrow")
    (tmp_path / "table.parquet").write_text("number,colour\n")
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "table.parquet"))):
        TableFile(str(tmp_path / "table.parquet")).read()


def test_wrong_forms():
    with pytest.raises(ValueError, match=r"`separator` must be a single character\. Received: separator=', '"):
        TableFile("table.csv", ", ")
    with pytest.raises(ValueError, match=r"`encoding` must be one that Python knows\. Received: encoding='utf-9'"):
        TableFile("table.csv", encoding="utf-9")
