"""How numbers and gaps are written in the texts of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

# What readers of tables take for a missing value, whatever the column.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip


@dataclass(frozen=True)
class Notation:
    """How numbers and gaps are written.

    Attributes
    ----------
    decimal : str, default "."
        The mark before the fraction of a number.
    thousands : str, default ""
        The mark between groups of three digits; "" for none.
    na : sequence of str, default ()
        What stands for a missing value, besides the empty field, NA, NaN, null and the like.

    Raises
    ------
    ValueError
        If a mark is not a single one, a digit, or the same as the other.

    Examples
    --------
    >>> german = Notation(decimal=",", thousands=".")
    >>> german.number_of("1.234,5"), german.number_of("1.2"), Notation().number_of("1e3")
    (1234.5, None, 1000.0)
    """

    decimal: str = "."
    thousands: str = ""
    na: Sequence[str] = ()

    def __post_init__(self) -> None:
        marks = {"decimal": self.decimal} | ({"thousands": self.thousands} if self.thousands else {})
        for name, mark in marks.items():
            if len(mark) != 1 or mark.isalnum() or mark in "+-":
                raise ValueError(f"`{name}` must be a single mark, and no digit. Received: {name}={mark!r}")
        if self.decimal == self.thousands:
            raise ValueError(f"`thousands` must be another mark than `decimal`. Received: {self.decimal!r} for both")
        object.__setattr__(self, "na", tuple(self.na))

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as readers of tables expect them."""
        return self.decimal == "." and not self.thousands

    @cached_property
    def _number(self) -> re.Pattern[str]:
        decimal, thousands = re.escape(self.decimal), re.escape(self.thousands)
        whole = rf"(?:\d{{1,3}}(?:{thousands}\d{{3}})+|\d+)" if thousands else r"\d+"
        return re.compile(rf"[-+]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][-+]?\d+)?")

    def number_of(self, text: str) -> float | None:
        """Return the number that a text is, None if it is none."""
        text = text.strip()
        if not self._number.fullmatch(text):
            return None
        return float(text.replace(self.thousands, "").replace(self.decimal, ".") if not self.is_plain else text)

    def to_json(self) -> str:
        """Return the notation as a model's file holds it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> Notation:
        """Return the notation that a model's file holds, the plain one if it holds none."""
        return cls(**json.loads(text)) if text else cls()
