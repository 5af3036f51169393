"""The package's own source of seeds: what an object draws from when it is given none."""

from __future__ import annotations

import os
import threading

import numpy as np

import cnn_core.foundation.validation as validation

_lock = threading.Lock()
_entropy: int | None = None
_n_taken = 0


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
    global _entropy, _n_taken
    checked = validation.seed(seed)
    with _lock:
        _entropy, _n_taken = checked, 0


def next_seed() -> int:
    """Return the next seed: a 63-bit integer, another one at every call, in every thread.

    Examples
    --------
    >>> next_seed() != next_seed()
    True
    """
    entropy, place = _next_place()
    state = np.random.SeedSequence(entropy, spawn_key=(place,)).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def skip_seed() -> None:
    """Leave the next seed out, without the work of making it.

    Examples
    --------
    >>> set_seed(7)
    >>> _, second = next_seed(), next_seed()
    >>> set_seed(7)
    >>> skip_seed()
    >>> second == next_seed()
    True
    """
    _next_place()


def _next_place() -> tuple[int, int]:
    """Return what the seeds follow from, and how many came before."""
    global _entropy, _n_taken
    with _lock:
        if _entropy is None:
            _entropy = int.from_bytes(os.urandom(16), "little")
        place, _n_taken = _n_taken, _n_taken + 1
        return _entropy, place


def generator(seed: int) -> np.random.Generator:
    """Return a generator of random numbers that depends on `seed` alone.

    Philox counts instead of iterating, so the same numbers follow from the same seed on every machine.

    Examples
    --------
    >>> bool(generator(3).random() == generator(3).random())
    True
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
