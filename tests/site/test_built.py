"""What the build has made: every public name can be linked to, every example has its picture and its notebook."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "_build" / "html"
if not (SITE / "objects.inv").exists():
    pytest.skip("no site: sphinx-build -W docs docs/_build/html", allow_module_level=True)
sources = [*ROOT.glob("cnn_core/**/*.py"), *ROOT.glob("examples/*/*.py")]
if max(path.stat().st_mtime for path in sources) > (SITE / "objects.inv").stat().st_mtime:
    pytest.skip("the site is older than what it shows: build it again", allow_module_level=True)
for needed in ("sklearn", "distributed"):
    pytest.importorskip(needed, reason=f"the estimators are public, and need {needed}")
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

import faces  # noqa: E402


def inventory() -> dict[str, str]:
    """Return the pages of all objects that other sites can link to."""
    body = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(body).decode("utf-8").splitlines()
    rows = [line.split(" ", 4) for line in lines]
    return {row[0]: row[3].replace("$", row[0]).partition("#")[0] for row in rows if row[1].startswith("py:")}


def test_every_public_name_can_be_linked_to():
    found = inventory()
    names = [f"{face}.{name}" for face, listed in faces.faces().items() for name in listed]
    assert [name for name in names if name not in found] == []
    assert [name for name in names if not (SITE / found[name]).exists()] == []


def test_methods_are_on_the_page_of_their_class():
    found = inventory()
    for method in ("compile", "fit", "evaluate", "predict", "predictor", "trace", "save"):
        assert found[f"cnn_core.models.Model.{method}"] == "api/cnn_core.models.Model.html"


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*/plot_*.py")), ids=lambda path: path.stem)
def test_every_example_has_a_page_with_a_picture_and_a_notebook(script: Path):
    page = (SITE / "gallery" / script.parent.name / f"{script.stem}.html").read_text(encoding="utf-8")
    assert f"sphx_glr_{script.stem}_001.png" in page
    assert f"{script.stem}.ipynb" in page
