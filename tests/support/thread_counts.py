"""Run something on a number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cnn_core


@contextmanager
def on_threads(n: int) -> Iterator[None]:
    """Share work among n threads, and among as many as before afterwards."""
    before = cnn_core.get_num_threads()
    cnn_core.set_num_threads(n)
    try:
        yield
    finally:
        cnn_core.set_num_threads(before)
