"""Names of layers and operations, numbered as Keras numbers them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

_counters: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


def unique_name(prefix: str) -> str:
    """Return "dense", then "dense_1", "dense_2", ... as Keras names layers."""
    number = next(_counters[prefix])
    return f"{prefix}_{number}" if number else prefix


def reset_names() -> None:
    """Start counting again, so that the next Dense is called "dense" again."""
    _counters.clear()
