"""What the constructor of a custom class was given: it tells how to make the object again where no attribute does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.structures import flatten

_PLAIN = (bool, int, float, str, type(None))
_MISSING = object()


class RemembersArguments:
    """Remember plain data that the constructor of a custom class is given: numbers, texts, lists and dicts of them."""

    _remembered: Mapping[str, Any] = {}
    _not_remembered: Sequence[str] = ()

    def __new__(cls, *arguments: object, **keywords: object) -> Self:
        made = super().__new__(cls, *arguments, **keywords)
        if has_custom_constructor(cls):
            taken = _taken_by(cls.__init__)
            passed_on = _places_of_ours(cls)[: len(arguments)] if taken.passes_all_on else []
            if any(name in keywords for name in passed_on):
                passed_on = []  # what has no name is something else
            given = {**taken.defaults, **dict(taken.named(arguments, passed_on)), **keywords}
            made._remembered = {name: value for name, value in given.items() if _is_plain(value)}
            made._not_remembered = [name for name in given if name not in made._remembered]
        return made


def has_custom_constructor(cls: type) -> bool:
    """Return whether a subclass of a user's has a constructor of its own."""
    return _is_custom(cls.__init__)  # type: ignore[misc]


def tells_its_arguments(cls: Any) -> bool:
    """Return whether a subclass of a user's has a `get_config` of its own, which adds what it knows to that of ours."""
    return _is_custom(cls.get_config)


def _is_custom(method: object) -> bool:
    return not method.__module__.startswith("cnn_core.")


def given_names(made: RemembersArguments) -> list[str]:
    """Return the names of the arguments that a custom constructor was given, or has defaults for."""
    return [*made._remembered, *made._not_remembered]


def keeps(made: RemembersArguments, name: str) -> bool:
    """Return whether an argument is known: as an attribute of its name, or remembered."""
    return hasattr(made, name) or name in made._remembered


def argument(made: RemembersArguments, name: str) -> Any:
    """Return an argument of the constructor: the attribute of its name, unless that holds what was made of it.

    ``def __init__(self, widths): self.widths = [Dense(width) for width in widths]`` makes layers of numbers.
    """
    held, given = getattr(made, name, _MISSING), made._remembered.get(name, _MISSING)
    if held is _MISSING or (given is not _MISSING and any(hasattr(part, "trainable") for part in flatten(held))):
        return given
    return held


def arguments(made: RemembersArguments, *left_out: str) -> dict[str, Any]:
    """Return what makes an equal object of a custom class, but for the arguments that are left out.

    Raises
    ------
    ValueError
        If an argument that was given is no plain data, and no attribute of its name keeps it.
    """
    names = [name for name in given_names(made) if name not in left_out]
    for name in names:
        if not keeps(made, name):
            raise ValueError(
                f"An object is made again from its constructor's arguments, and {type(made).__name__} does not keep "
                f"`{name}`. {_remedy(name)}"
            )
    return {name: argument(made, name) for name in names}


def _remedy(name: str) -> str:
    if name.startswith("*"):
        return "Arguments without a name cannot be given again: define `get_config` and `from_config`"
    return f"Set self.{name} in `__init__`, or define `get_config`"


def fitting(made: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with what a custom constructor takes and was given, and nothing that it does not take."""
    if not has_custom_constructor(type(made)) or tells_its_arguments(type(made)):
        return dict(config)
    return {name: config[name] for name in config if accepts(type(made), name)} | arguments(made, *config)


def names_taken(cls: type) -> list[str]:
    """Return the names of the arguments that the constructor takes by name.

    Examples
    --------
    >>> class Scaled:
    ...     def __init__(self, rate, /, factor=2.0, *, name=None, **common): ...
    >>> names_taken(Scaled)
    ['factor', 'name']
    """
    return list(_taken_by(cls.__init__).names)  # type: ignore[misc]


def accepts(cls: type, name: str) -> bool:
    """Return whether the constructor takes an argument of that name."""
    taken = _taken_by(cls.__init__)  # type: ignore[misc]
    return taken.takes_any or name in taken.names


class _Taken(NamedTuple):
    """What a constructor takes."""

    places: list[str]
    names: list[str]
    defaults: dict[str, Any]
    takes_any: bool
    rest: str | None

    @property
    def passes_all_on(self) -> bool:
        """Whether it is ``(self, *arguments, **keywords)``, perhaps with more by name."""
        return self.takes_any and self.rest is not None and not self.places

    def named(self, arguments: Sequence[object], passed_on: Sequence[str]) -> Iterator[tuple[str, object]]:
        """Yield arguments that were given by place with their names; the rest may have none to be given again by."""
        places = [*self.places, *passed_on]
        yield from zip(places, arguments, strict=False)
        if self.rest is not None and len(arguments) > len(places):
            yield f"*{self.rest}", _MISSING


def _places_of_ours(cls: type) -> list[str]:
    """Return what the class of ours that a custom one is made from takes by place."""
    ours: Any = next(each for each in cls.__mro__ if each.__module__.startswith("cnn_core."))
    return _taken_by(ours.__init__).places


@lru_cache
def _taken_by(constructor: Callable[..., None]) -> _Taken:
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    rest = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
    named = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    return _Taken(
        [each.name for each in parameters if each.kind in by_place],
        [each.name for each in named if each.kind is not each.POSITIONAL_ONLY],
        {each.name: each.default for each in named if each.default is not each.empty},
        any(each.kind is each.VAR_KEYWORD for each in parameters),
        rest[0] if rest else None,
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return isinstance(value, _PLAIN)
