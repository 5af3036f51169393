"""Named tuples behave as those of typing."""

from __future__ import annotations

import inspect
import pickle
import typing

import pytest

from cnn_core.foundation.records import NamedTuple


class Point(NamedTuple):
    """A point."""

    x: float
    y: unknown = 0.0  # type: ignore[name-defined]  # noqa: F821  (never evaluated)

    @property
    def length(self) -> float:
        """Its distance from the origin."""
        return (self.x**2 + self.y**2) ** 0.5

    @classmethod
    def at(cls, angle: float) -> Point:
        """Return a point on the axis."""
        return cls(angle)


class Typed(typing.NamedTuple):
    """A point."""

    x: float
    y: float = 0.0


def test_fields_are_read_by_name_by_place_and_by_unpacking() -> None:
    point = Point(3.0, y=4.0)
    x, y = point
    assert (x, y) == (point.x, point.y) == (point[0], point[1]) == (3.0, 4.0)
    assert repr(point) == "Point(x=3.0, y=4.0)"
    assert point == (3.0, 4.0)


def test_defaults_methods_and_replacement_are_those_of_the_class() -> None:
    assert Point(2.0).y == 0.0
    assert Point(3.0, 4.0).length == 5.0
    assert Point.at(1.0) == Point(1.0)._replace(y=0.0)
    assert Point.__doc__ == "A point."


def test_it_tells_of_itself_what_typing_s_own_does() -> None:
    assert str(inspect.signature(Point)) == "(x: 'float', y: 'unknown' = 0.0)"
    for name in ("_fields", "_field_defaults", "__match_args__", "__bases__", "__doc__", "__module__", "__slots__"):
        assert getattr(Point, name) == getattr(Typed, name), name
    assert Point.__qualname__ == "Point"


def test_it_is_pickled_by_its_name() -> None:
    assert type(pickle.loads(pickle.dumps(Point(1.0)))) is Point


def test_fields_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        Point(1.0).x = 2.0  # type: ignore[misc]


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]
