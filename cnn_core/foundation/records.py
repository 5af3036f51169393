"""Named tuples that cost an import little: `typing.NamedTuple` compiles the annotation of every field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # checkers know it by this name alone
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    class _Fields(type):
        """Make the named tuple that a class body lists the fields of."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.get("__annotations__", {})
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made.__new__.__annotations__ = fields  # for help()
            for each, value in body.items():
                setattr(made, each, value)
            return made

    class NamedTuple(metaclass=_Fields):
        """Make a named tuple of every class that is derived from it, as `typing.NamedTuple` does.

        Annotations stay text: the module must import them from `__future__`.

        Examples
        --------
        >>> class Point(NamedTuple):
        ...     x: float
        ...     y: float = 0.0
        >>> Point(1.0)
        Point(x=1.0, y=0.0)
        """
