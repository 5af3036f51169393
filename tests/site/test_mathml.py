"""Formulas of the documents become MathML, each argument where LaTeX has it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

for needed in ("docutils", "sphinx"):
    pytest.importorskip(needed, reason=f"the site is built with {needed}")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

import mathml  # noqa: E402

DOCUMENTS = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/mathematics*/*.md")])


def plain(formula: str) -> str:
    """Return a formula's MathML without its spaces."""
    return re.sub(r"\s+", "", mathml.translated(formula, display=False))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_formula_can_be_read(path: Path):
    for formula in re.findall(r"\$\$(.*?)\$\$", path.read_text(encoding="utf-8"), re.DOTALL):
        assert mathml.translated(formula, display=True).startswith("<math ")


@pytest.mark.parametrize("formula", [r"\frac12", r"\tfrac12", r"\frac 1 2", r"\frac{1}{2}"])
def test_a_half_is_a_half(formula: str):
    assert "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in plain(formula)


def test_other_fractions_stay():
    assert "<mfrac><mn>1</mn><mi>m</mi></mfrac>" in plain(r"\frac1m")
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in plain(r"\frac{a}{b}")


def test_names_of_functions_stand_apart():
    text = mathml.translated(r"-y \log a", display=False)
    assert text.count("<mspace") == 2
    assert mathml.translated(r"\log(1 - a)", display=False).count("<mspace") == 0


def test_dots_and_norms_are_known():
    assert "…" in plain(r"1, \dots, L")
    assert plain(r"\lVert x \rVert").count("‖") == 2
