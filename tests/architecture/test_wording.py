"""Plain English: no text of the project uses a word on the right of CONTRIBUTING's glossary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = "CONTRIBUTING.md"
LEFTOVERS = {"__pycache__", "build", "dist", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
LEFTOVERS |= {"_build", "api", "gallery"}  # what a build of the site writes
TEXTS = {
    ".py",
    ".pyi",
    ".pyx",
    ".pxd",
    ".pxi",
    ".c",
    ".h",
    ".md",
    ".rst",
    ".toml",
    ".yml",
    ".in",
    ".txt",
    ".css",
    ".html",
    ".js",
    "",
}
GENERATED = {"src/_core.c"}


def refused_words() -> list[str]:
    """Read the middle column of the glossary's table."""
    text = (ROOT / GLOSSARY).read_text(encoding="utf-8")
    rows = text.partition("### Plain English")[2].partition("\n## ")[0].splitlines()
    return [word for row in rows if row.startswith("| ") for word in re.findall("`([^`]+)`", row.split("|")[2])]


REFUSED = refused_words()
# A part of a name is a word as well: `fit_again` has two, and so has `fitAgain`.
PATTERN = re.compile(
    "(?<![a-zA-Z])(" + "|".join(word.replace(" ", r"[\s_]+(?:[#*/]+\s+)?") for word in REFUSED) + ")(?![a-zA-Z])",
    re.IGNORECASE,
)


def texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        within = path.relative_to(ROOT)
        if path.is_file() and path.suffix in TEXTS and not LEFTOVERS & set(within.parts):
            yield within


def findings(text: str) -> Iterator[str]:
    for match in PATTERN.finditer(text):
        yield f"{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"


def test_the_glossary_has_words():
    assert len(REFUSED) >= 20


@pytest.mark.parametrize("text", ["begin anew", "_fit_anew(x)", "x = Stretch()", "the less\n    # the better"])
def test_refused_words_are_found(text: str):
    assert list(findings(text))


@pytest.mark.parametrize("text", ["renewed", "stretched", "a few dozen", "heardsman"])
def test_other_words_are_not(text: str):
    assert not list(findings(text))


def test_texts_use_plain_words():
    found = [
        f"{path.as_posix()}:{finding}"
        for path in texts()
        if path.as_posix() not in GENERATED | {GLOSSARY, "tests/architecture/test_wording.py"}
        for finding in findings((ROOT / path).read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
