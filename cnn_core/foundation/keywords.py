"""Keyword arguments that nothing has: the error names those there are, and the nearest.

Python's own error names only what it does not know. Constructors are checked before they run; a function pays
nothing but a call until Python itself refuses it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType
from typing import Any, ParamSpec, Self, TypeVar

from cnn_core.foundation.suggestions import alphabetical, did_you_mean
from cnn_core.foundation.validation.messages import listing, show

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class KnowsItsArguments:
    """Refuse a keyword argument that the constructor of a class, or of a custom subclass, does not have.

    Examples
    --------
    >>> class Point(KnowsItsArguments):
    ...     def __init__(self, column=0, row=0):
    ...         self.column, self.row = column, row
    >>> Point(colum=3)
    Traceback (most recent call last):
        ...
    TypeError: Point has the arguments `column` and `row`. Received: colum=3. Did you mean `column`?
    """

    def __new__(cls, *arguments: object, **keywords: object) -> Self:
        """Compare the names with those of `__init__`; one that takes any decides by itself, if it can run at all."""
        if keywords:
            known = _names_of(cls.__init__)
            if known is None and _misses(cls.__init__, len(arguments), keywords):
                known = frozenset(_names_along(cls))
            if known is not None:
                refuse_others(cls.__name__, known, keywords)
        return super().__new__(cls)


# For a class without a constructor of its own.
setattr(  # noqa: B010  (mypy knows no such attribute)
    KnowsItsArguments.__new__,
    "__signature__",
    inspect.Signature([inspect.Parameter("cls", inspect.Parameter.POSITIONAL_ONLY)]),
)


def knows_its_arguments(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Decorate a function so that the error for a keyword argument that it does not have names the nearest.

    Examples
    --------
    >>> @knows_its_arguments
    ... def area(width, height): return width * height
    >>> area(width=3, heigth=4)
    Traceback (most recent call last):
        ...
    TypeError: area has the arguments `height` and `width`. Received: heigth=4. Did you mean `height`?
    """

    @functools.wraps(function)
    def call(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Answer:
        try:
            return function(*arguments, **keywords)
        except TypeError as error:
            # An error from within would have the frame of the function in its traceback.
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            known = _names_of(function)
            refusal = None if known is None else _unknown(function.__name__, known, keywords)
            if refusal is None:
                raise
        raise refusal

    return call


def no_other_arguments(owner: type, given: Mapping[str, object]) -> None:
    """Refuse what is left over of the keyword arguments of a constructor that hands them on to those of its bases.

    Parameters
    ----------
    owner : type
        The class whose object is being made.
    given : mapping of str to object
        What is left over.

    Raises
    ------
    TypeError
        If there is anything left over.

    Examples
    --------
    >>> class Point:
    ...     def __init__(self, column=0, row=0, **others): no_other_arguments(type(self), others)
    >>> Point(colum=3)
    Traceback (most recent call last):
        ...
    TypeError: Point has the arguments `column` and `row`. Received: colum=3. Did you mean `column`?
    """
    if given:
        refuse_others(owner.__name__, list(_names_along(owner)), given)


def refuse_others(owner: str, known: Collection[str], given: Mapping[str, object]) -> None:
    """Raise TypeError if an argument is none of the known ones; list these, and name the nearest.

    Examples
    --------
    >>> refuse_others("elu", ("x", "alpha"), {"alpha": 2})
    >>> refuse_others("elu", ("x", "alpha"), {"alhpa": 2})
    Traceback (most recent call last):
        ...
    TypeError: elu has the arguments `alpha` and `x`. Received: alhpa=2. Did you mean `alpha`?
    """
    if (error := _unknown(owner, known, given)) is not None:
        raise error


def _unknown(owner: str, known: Collection[str], given: Mapping[str, object]) -> TypeError | None:
    wrong = next((name for name in given if name not in known), None)
    if wrong is None:
        return None
    names = alphabetical(known)
    noun = "argument" if len(names) == 1 else "arguments"
    has = f"has the {noun} {listing([f'`{name}`' for name in names], 'and')}" if names else "has no arguments by name"
    return TypeError(f"{owner} {has}. Received: {wrong}={show(given[wrong])}{did_you_mean(wrong, names, '`')}")


def _names_of(function: object) -> frozenset[str] | None:
    """Return the names by which a function takes arguments; None if it takes any, or does not tell."""
    code = getattr(function, "__code__", None)
    if code is None:  # `object.__init__`, or native code
        return frozenset() if function is object.__init__ else None
    return _names_in(code)


@functools.lru_cache  # again for every object
def _names_in(code: CodeType) -> frozenset[str] | None:
    if code.co_flags & inspect.CO_VARKEYWORDS:
        return None
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    return frozenset(names) - {"self"}


def _misses(constructor: Any, n_positional: int, keywords: Mapping[str, object]) -> bool:
    """Tell whether a constructor lacks an argument that it needs."""
    code = getattr(constructor, "__code__", None)
    if code is None:
        return False
    needed = code.co_varnames[1 + n_positional : code.co_argcount - len(constructor.__defaults__ or ())]
    return any(name not in keywords for name in needed)


def _names_along(owner: type) -> Iterator[str]:
    """Yield the names of a constructor's arguments, and of those that it hands its others on to."""
    seen = {"self"}
    for parent in owner.__mro__:
        code = getattr(vars(parent).get("__init__"), "__code__", None)
        if code is None:
            continue
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            if name not in seen:
                seen.add(name)
                yield name
        if not code.co_flags & inspect.CO_VARKEYWORDS:
            return
