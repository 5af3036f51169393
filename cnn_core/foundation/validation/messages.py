"""The parts of messages: what was received, shown briefly, and which words stand around it."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Shape: TypeAlias = tuple[int | None, ...]
_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 80
_brief.maxlong = 40


def show(value: object) -> str:
    """Show a received value in at most about 80 characters.

    >>> show(-3), show("adm"), show(list(range(100)))
    ('-3', "'adm'", '[0, 1, 2, 3, 4, 5, ...]')
    """
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return " ".join(_brief.repr(value).split())
    except Exception:  # a message about a bad value must not fail on the value's own repr
        return f"<{type(value).__name__}>"


def must(name: str, wanted: str, value: object) -> str:
    return f"`{name}` must be {wanted}. Received: {name}={show(value)}"


def listing(words: Sequence[str], conjunction: str = "or") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def limits(
    minimum: float | None = None, maximum: float | None = None, above: float | None = None, below: float | None = None
) -> str:
    """Word the limits of a range, such as " of at least 0 and below 1"."""
    parts = [
        f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
        for words, limit in (("of at least", minimum), ("above", above), ("at most", maximum), ("below", below))
        if limit is not None
    ]
    return " " + " and ".join(parts) if parts else ""


def place(where: Sequence[int], columns: Sequence[str] | None = None) -> str:
    """Word an index into an array, such as "at row 3, column 2"."""
    if not where:
        return "in it"
    if len(where) == 1:
        return f"at row {where[0]}"
    if len(where) == 2:
        column = where[1] if columns is None else repr(columns[where[1]])
        return f"at row {where[0]}, column {column}"
    return f"at row {where[0]}, feature {tuple(where[1:])}"
