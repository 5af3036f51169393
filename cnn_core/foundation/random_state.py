"""The package's own source of seeds: what an object draws from when it is given none."""

from __future__ import annotations

import os
import threading

import numpy as np

import cnn_core.foundation.validation as validation

_lock = threading.Lock()
_sequence: np.random.SeedSequence | None = None


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


# Another thread may hold the lock at the moment of a fork; in the child nobody would ever release it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def set_seed(seed: int | None) -> None:
    """Fix the sequence of seeds that `next_seed` returns from now on.

    Parameters
    ----------
    seed : int or None
        From 0 to 2**64 - 1; None starts from the operating system's entropy.

    Raises
    ------
    TypeError
        If `seed` is not an integer.
    ValueError
        If `seed` is out of range.

    Examples
    --------
    >>> set_seed(7)
    >>> first = next_seed()
    >>> set_seed(7)
    >>> first == next_seed()
    True
    """
    global _sequence
    checked = validation.seed(seed)
    with _lock:
        _sequence = np.random.SeedSequence(checked)


def next_seed() -> int:
    """Return the next seed: a 63-bit integer, another one at every call, in every thread.

    Examples
    --------
    >>> next_seed() != next_seed()
    True
    """
    global _sequence
    with _lock:
        if _sequence is None:
            _sequence = np.random.SeedSequence()
        (child,) = _sequence.spawn(1)
    return int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int) -> np.random.Generator:
    """Return a generator of random numbers that depends on `seed` alone.

    Philox counts instead of iterating, so the same numbers follow from the same seed on every machine.

    Examples
    --------
    >>> bool(generator(3).random() == generator(3).random())
    True
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
