"""Links that are right in the repository are right on the site."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("docutils", reason="the site is built with docutils")
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_extensions"))

import documents  # noqa: E402


@pytest.mark.parametrize("file", documents.PAGES)
def test_what_a_page_includes_exists_and_so_does_the_page(file: str):
    assert (ROOT / file).exists()
    assert (DOCS / documents.PAGES[file]).exists()


@pytest.mark.parametrize(
    ("folder", "link", "rewritten"),
    [
        (DOCS, "[it](../CHANGELOG.md)", "[it](/project/changelog.md)"),
        (DOCS, "[it](keras.md#types)", "[it](/keras.md#types)"),
        (DOCS / "mathematics", "[it](../keras.md)", "[it](/keras.md)"),
        (ROOT, "[it](docs/keras.md)", "[it](/keras.md)"),
        (ROOT / "benchmarks", "[it](avx512.md)", "[it](/benchmarks/avx512.md)"),
        (DOCS, "[it](../examples/networks/plot_digits.py)", "[it](/gallery/networks/plot_digits.rst)"),
        (ROOT, "[the licence](LICENSE)", "the licence"),
        (DOCS, "[it](https://numpy.org/doc)", "[it](https://numpy.org/doc)"),
        (DOCS, "[it](#below)", "[it](#below)"),
        (DOCS, "![a picture](images/speed.svg)", "![a picture](images/speed.svg)"),
        (DOCS, "`layers`[0](1)", "`layers`[0](1)"),
    ],
)
def test_a_link_leads_to_the_page(folder: Path, link: str, rewritten: str):
    assert documents.rewrite(f"See {link}.", folder) == f"See {rewritten}."


def test_every_document_of_the_project_has_a_page():
    outside = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md")]}
    assert outside <= set(documents.PAGES)
