"""The scopes in which what is computed is remembered: a function that runs with symbols, and a tape that records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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


class Recording:
    """The block of a tape, in which tensors remember how they were computed."""


_scope: ContextVar[Scope | Recording | None] = ContextVar("scope", default=None)
# The innermost scope of either kind, if there is one: for calls so short that a function of ours would be felt.
innermost_scope = _scope.get


def current_scope() -> Scope | None:
    """Return the innermost scope; None if no function is being traced."""
    scope = _scope.get()
    return scope if isinstance(scope, Scope) else None


def is_recording() -> bool:
    """Tell whether a tape records what is computed now."""
    return isinstance(_scope.get(), Recording)


def follows_variables() -> bool:
    """Tell whether functions of variables are remembered now: a function is being traced, or a tape records."""
    return _scope.get() is not None


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
    with _within(scope):
        yield scope


def recorded() -> AbstractContextManager[None]:
    """Let what is computed inside be recorded.

    Examples
    --------
    >>> with recorded():
    ...     print(is_recording(), current_scope())
    True None
    """
    return _within(Recording())


def unrecorded() -> AbstractContextManager[None]:
    """Let what is computed inside be plain arrays."""
    return _within(None)


@contextmanager
def _within(scope: Scope | Recording | None) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
