"""Numbers and dates that are written as texts: which texts are some, and their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_MONEY = r"(?:[$€£¥₹]|EUR|USD|GBP|JPY|CHF)"
_SIGN = r"[-+\u2212]?"
_GROUPED = r"\d{1,3}(?:(?P<mark>[,.'\u2019 \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?:[.,]\d+)?"
_AMOUNT = rf"(?:{_GROUPED}|\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_DECORATED = re.compile(rf"\s*\(?{_SIGN}\s*(?:{_MONEY}\s*)?{_SIGN}{_AMOUNT}\s*(?:%|\u2030|{_MONEY})?\)?\s*")
_SAMPLE = 100  # texts that are looked at before all are
_MOSTLY = 0.9  # of the texts of a column, from which share on the others are strays
_FEW = 10  # texts, of which no share says anything


def number_of(text: str) -> float | None:
    """Return the number that a text is, None if it is none as Python, and every reader of tables, writes them.

    Examples
    --------
    >>> number_of(" 1.5e3"), number_of("1,5"), number_of("1_000")
    (1500.0, None, None)
    """
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def is_decorated_number(text: str) -> bool:
    """Whether a text is a number with a decimal comma, marks between thousands, a currency or a percent sign.

    A plain number is one, too.

    Examples
    --------
    >>> [text for text in ("0,25", "1,234,567", "$3.50", "12 %", "7", "A12", "10.0.0.1") if is_decorated_number(text)]
    ['0,25', '1,234,567', '$3.50', '12 %', '7']
    """
    return number_of(text) is not None or _DECORATED.fullmatch(text) is not None


def date_of(text: str) -> np.datetime64 | None:
    """Return the moment that a text such as 2026-01-31 or 2026-01-31T12:30+02:00 is, in UTC; None if it is none.

    Examples
    --------
    >>> date_of("2026-01-31 12:30"), date_of("31.1.2026"), date_of("2026-02-31")
    (np.datetime64('2026-01-31T12:30:00.000000'), None, None)
    """
    text = text.strip()
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")


def strays(texts: Sequence[str], fits: Callable[[str], bool]) -> list[int] | None:
    """Return which texts do not fit where the others do: none, or a few; None if texts that fit are no rule.

    A few are a tenth, or any share if all of them are signs such as "?" and "-".

    Examples
    --------
    >>> numbers = [str(number) for number in range(20)]
    >>> strays([*numbers, "?"], is_decorated_number), strays([*numbers, *"abcdefgh"], is_decorated_number)
    ([20], None)
    """
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    if not texts or sum(map(fits, sample)) < len(sample) / 2:
        return None
    found = [place for place, text in enumerate(texts) if not fits(text)]
    if not found:
        return found
    if len(texts) < _FEW:
        return None
    signs_only = len(found) <= len(texts) / 2 and not any(map(str.isalnum, "".join(texts[place] for place in found)))
    return found if signs_only or len(found) <= (1 - _MOSTLY) * len(texts) else None
