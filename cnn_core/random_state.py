"""The package's own source of seeds: what an object draws from when it is given none. Floor 3."""

from __future__ import annotations

import threading

import numpy

_lock = threading.Lock()
_sequence: numpy.random.SeedSequence | None = None


def set_seed(seed: int | None) -> None:
    """Fix the sequence of seeds that `next_seed` returns from now on.

    Parameters
    ----------
    seed : int or None
        A non-negative integer; None starts from the operating system's entropy.

    Raises
    ------
    TypeError
        If `seed` is not an integer.
    ValueError
        If `seed` is negative.

    Examples
    --------
    >>> set_seed(7)
    >>> first = next_seed()
    >>> set_seed(7)
    >>> first == next_seed()
    True
    """
    global _sequence
    if seed is not None:
        check_seed(seed)
    with _lock:
        _sequence = numpy.random.SeedSequence(None if seed is None else int(seed))


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
            _sequence = numpy.random.SeedSequence()
        (child,) = _sequence.spawn(1)
    return int(child.generate_state(1, numpy.uint64)[0] >> numpy.uint64(1))


def generator(seed: int) -> numpy.random.Generator:
    """Return a generator of random numbers that depends on `seed` alone.

    Philox counts instead of iterating, so the same numbers follow from the same seed on every machine.

    Examples
    --------
    >>> bool(generator(3).random() == generator(3).random())
    True
    """
    return numpy.random.Generator(numpy.random.Philox(numpy.random.SeedSequence(seed)))


def check_seed(seed: object, name: str = "seed") -> int:
    """Return `seed` as an int, or raise TypeError (no integer) or ValueError (negative)."""
    if isinstance(seed, bool) or not isinstance(seed, (int, numpy.integer)):
        raise TypeError(f"`{name}` must be a non-negative integer. Received: {name}={seed!r}")
    if seed < 0:
        raise ValueError(f"`{name}` must be a non-negative integer. Received: {name}={seed!r}")
    return int(seed)
