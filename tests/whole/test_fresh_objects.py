"""Tests of objects that have seen no data yet: `hasattr` answers for every attribute, whatever is still missing."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import cnn_core
from cnn_core import callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers

ROOMS = (callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers)


def made_without_data() -> dict[str, Any]:
    """Make one object of every public class that asks for nothing but at most a number, and models at every stage."""
    found: dict[str, Any] = {}
    for room in ROOMS:
        for name in dir(room):
            cls = getattr(room, name)
            public = inspect.isclass(cls) and not name.startswith("_") and cls.__module__.startswith(room.__name__)
            for arguments in ((), (3,)) if public else ():
                try:
                    found[f"{room.__name__}.{name}"] = cls(*arguments)
                    break
                except (TypeError, ValueError):
                    continue
    x = cnn_core.Input((3,))
    found["an input"] = x
    found["an empty Sequential"] = cnn_core.Sequential()
    found["a Sequential without an input"] = cnn_core.Sequential([layers.Dense(3)])
    found["a built model"] = cnn_core.Model(x, layers.Dense(2)(x))
    found["a compiled model without an input"] = cnn_core.Sequential([layers.Dense(3)])
    found["a compiled model without an input"].compile("sgd", "mse", metrics=["mae"])
    return found


OBJECTS = made_without_data()


def test_most_classes_are_among_them() -> None:
    assert len(OBJECTS) > 150


@pytest.mark.parametrize("name", OBJECTS)
def test_hasattr_answers(name: str) -> None:
    for attribute in dir(OBJECTS[name]):
        assert isinstance(hasattr(OBJECTS[name], attribute), bool), attribute
