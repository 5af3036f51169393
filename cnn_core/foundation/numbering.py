"""Names that are told apart by numbers: of layers and operations as Keras numbers them, of variables by their paths."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator

_counters: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


def unique_name(prefix: str) -> str:
    """Return "dense", then "dense_1", "dense_2", ... as Keras names layers."""
    number = next(_counters[prefix])
    return f"{prefix}_{number}" if number else prefix


def reset_names() -> None:
    """Start counting again, so that the next Dense is called "dense" again."""
    _counters.clear()


def distinct_names(names: Iterable[str]) -> list[str]:
    """Return the names; one that occurs again is numbered.

    Examples
    --------
    >>> distinct_names(["hidden/kernel", "output/kernel", "hidden/kernel"])
    ['hidden/kernel', 'output/kernel', 'hidden/kernel#1']
    """
    found: dict[str, None] = {}
    next_number: dict[str, int] = {}
    for name in names:
        distinct = name
        while distinct in found:
            number = next_number[name] = next_number.get(name, 0) + 1
            distinct = f"{name}#{number}"
        found[distinct] = None
    return list(found)
