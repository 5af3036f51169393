"""Put style, scripts and data into a page: one file that asks for nothing else."""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Sequence
from importlib.resources import files

__all__ = ["filled_in", "json_number", "write"]

SHARED = "cnn_core.foundation.pages"


def filled_in(
    package: str, template: str, scripts: Sequence[str], data: object, title: str, shared: Sequence[str] = ()
) -> str:
    """Return a page.

    Parameters
    ----------
    package : str
        Where the files of the page lie.
    template : str
        A file with the page's controls, and below them its `<main>`.
    scripts : sequence of str
        Files whose code defines TEXTS and `start`, which the page calls.
    data : object
        What `readData` gives to the scripts. It becomes JSON that is safe within a script of a page: no `<` begins a
        tag in it.
    title : str
    shared : sequence of str, default ()
        Scripts of this package that stand before the page's own, besides "elements.js".
    """
    controls, tag, main = _text(package, template).partition("<main")
    own = [_text(package, name) for name in scripts]
    parts = {
        "title": html.escape(title),
        "style": _text(SHARED, "page.css"),
        "controls": controls.rstrip(),
        "main": tag + main,
        "script": "\n".join([_text(SHARED, name) for name in ("elements.js", *shared)] + own),
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _text(SHARED, "page.html"))


def json_number(value: float) -> float | str:
    """Return a number for JSON, which has none that is not finite: the scripts make numbers of these texts.

    Examples
    --------
    >>> json_number(0.5), json_number(float("-inf")), json_number(float("nan"))
    (0.5, '-Infinity', 'NaN')
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8").rstrip()


def write(page: str, path: str | os.PathLike[str] | None) -> str:
    """Write a page to a file, if one is named, and return the page."""
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
            file.write(page)
    return page
