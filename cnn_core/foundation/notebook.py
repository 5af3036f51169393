"""What objects show in a notebook: tables in plain HTML, whose texts are escaped, beside pictures as SVG."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["definitions", "folded", "heading", "paragraph", "table"]


def table(headings: Sequence[object], rows: Iterable[Sequence[Any]], align: str = "") -> str:
    """Return a table; `align` has a letter for each column: "l" or "r", "l" where there is none.

    Examples
    --------
    >>> print(table([""], [["<a>"]]))
    <table><tbody><tr><td style="text-align:left">&lt;a&gt;</td></tr></tbody></table>
    """
    sides = ["right" if letter == "r" else "left" for letter in align.ljust(len(headings), "l")]

    def line(tag: str, texts: Sequence[object]) -> str:
        cells = [
            f'<{tag} style="text-align:{side}">{html.escape(str(text))}</{tag}>'
            for side, text in zip(sides, texts, strict=True)
        ]
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(line("td", row) for row in rows)
    head = f"<thead>{line('th', headings)}</thead>" if any(headings) else ""
    return f"<table>{head}<tbody>{body}</tbody></table>"


def definitions(values: Mapping[str, object]) -> str:
    """Return a table of names and what they stand for."""
    return table(["", ""], values.items())


def heading(text: object, more: object = "") -> str:
    """Return a line that says what is shown."""
    rest = f" <span>{html.escape(str(more))}</span>" if more else ""
    return f"<p><strong>{html.escape(str(text))}</strong>{rest}</p>"


def paragraph(text: object) -> str:
    """Return a text as a paragraph."""
    return f"<p>{html.escape(str(text))}</p>"


def folded(summary: str, inner: str, opened: bool = False) -> str:
    """Return what opens by a click."""
    return f"<details{' open' if opened else ''}><summary>{html.escape(summary)}</summary>{inner}</details>"
