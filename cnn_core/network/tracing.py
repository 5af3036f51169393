"""The scope in which a user's function runs with symbols, so that what it computes becomes a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Scope:
    """One run of a user's function with symbols.

    Attributes
    ----------
    training : bool or None
        What the function is told as its `training`; None if it does not ask.
    losses : list of Symbol
        What it adds to the loss.
    """

    def __init__(self, training: bool | None) -> None:
        self.training = training
        self.losses: list[Any] = []


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost scope; None if no function is being traced."""
    return _scope.get()


@contextmanager
def traced_as(training: bool | None) -> Iterator[Scope]:
    """Let what is computed inside become a graph.

    Examples
    --------
    >>> with traced_as(True) as scope:
    ...     print(current_scope() is scope)
    True
    >>> print(current_scope())
    None
    """
    scope = Scope(training)
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)
