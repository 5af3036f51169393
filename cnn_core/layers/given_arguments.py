"""What the constructor of a custom layer was given: it tells how to make the layer again where no attribute does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Self

from cnn_core.foundation.structures import flatten

_PLAIN = (bool, int, float, str, type(None))
_MISSING = object()


class RemembersArguments:
    """Remember plain data that the constructor of a custom class is given: numbers, texts, lists and dicts of them."""

    _remembered: Mapping[str, Any] = {}

    def __new__(cls, *arguments: object, **keywords: object) -> Self:
        made = super().__new__(cls, *arguments, **keywords)
        constructor = cls.__init__
        if not constructor.__module__.startswith("cnn_core."):
            places, defaults = _parameters(constructor)
            given = {**defaults, **dict(zip(places, arguments, strict=False)), **keywords}
            made._remembered = {name: value for name, value in given.items() if _is_plain(value)}
        return made

    @staticmethod
    def is_part(value: object) -> bool:
        """Return whether a value is one of those that such objects are made of."""
        return False

    def keeps(self, name: str) -> bool:
        """Return whether an argument is known: as an attribute of its name, or remembered."""
        return hasattr(self, name) or name in self._remembered

    def argument(self, name: str) -> Any:
        """Return an argument of the constructor: the attribute of its name, unless that holds what was made of it.

        ``def __init__(self, widths): self.widths = [Dense(width) for width in widths]`` makes layers of numbers.
        """
        held, given = getattr(self, name, _MISSING), self._remembered.get(name, _MISSING)
        if held is _MISSING or (given is not _MISSING and any(map(self.is_part, flatten(held)))):
            return given
        return held


@lru_cache
def _parameters(constructor: Callable[..., None]) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the arguments that can be given by place, and the defaults of all."""
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [each.name for each in parameters if each.kind in by_place]
    return places, {each.name: each.default for each in parameters if each.default is not each.empty}


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return isinstance(value, _PLAIN)
