"""The notebooks of the documentation: they run from beginning to end, and what they show is in their HTML."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "docs" / "notebooks").glob("*.ipynb"))
MISSING = [name for name in ("nbclient", "nbconvert", "ipykernel") if importlib.util.find_spec(name) is None]
# What objects show of themselves, by notebook.
SHOWN = {
    "five_minutes": [
        "Total params: 2,410",  # Model
        "name: hidden",  # its diagram
        "/40 - 37/37 ",  # the line of the training
        "History of a training</title>",
        ">J = 0.",  # Trace
        "dense + softmax",  # plan
        "(64,) of float32",  # predictor
        "instruction set",  # config
        "sk-container",  # scikit-learn's diagram of a pipeline
        "epoch/s",  # tqdm's bar, as text or as a widget
        "city",  # the predictor of a table
    ],
    "derivation": [
        "(4,)",
        "A computation graph</title>",
        "A traced network</title>",
        "The blocks of a traced network</title>",
        "J = 0.234375",
        "One training step&lt;/title&gt;",  # the page, within the notebook
        "A training&lt;/title&gt;",
        "passed (tolerance 1e-05)",
        "FAILED (tolerance 1e-05)",
    ],
}


def test_all_are_told_of() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_stored_without_results(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert {cell["cell_type"] for cell in cells} == {"markdown", "code"}
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(code)


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run_and_their_html_holds_what_objects_show(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    shutil.copy(path, tmp_path)
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", path.name]
    done = subprocess.run(convert, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / f"{path.stem}.html").read_text(encoding="utf-8").replace("\\/", "/")  # as JSON of widgets has it
    assert [said for said in SHOWN[path.stem] if said not in page] == []
    assert re.findall(r"\w+Warning:.*", page) == []


TRAINING = """
import cnn_core
model = cnn_core.Sequential([cnn_core.Input((1,)), cnn_core.layers.Dense(1)])
model.compile("sgd", "mse")
rows = [[float(number)] for number in range(9)]
history = model.fit(rows, rows, batch_size=1, epochs=300)
"""


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_a_training_is_one_output_of_one_line(tmp_path: Path) -> None:
    """A saved notebook holds the last state of the display, not every one."""
    cell = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "source": TRAINING,
        "execution_count": None,
        "outputs": [],
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "training.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace", "training.ipynb"]
    done = subprocess.run(convert, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (cell,) = json.loads((tmp_path / "training.ipynb").read_text(encoding="utf-8"))["cells"]
    (output,) = cell["outputs"]
    (line,) = output["data"]["text/plain"]
    assert line.startswith("Epoch 300/300 - 9/9 ")
    assert "loss: " in line
