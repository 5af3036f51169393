"""The configurations in a file's header: JSON, measured before anything is built from it.

What a text costs to read and to build is bounded by its own size and by what else the file holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cnn_core.foundation.validation as validation

# Limits that no sound model comes near.
MAX_DEPTH = 200  # lists and dicts inside each other; a model inside a model takes three
MAX_CONTAINERS = 200_000  # lists and dicts, which take the most memory for their text
MAX_VALUES = 1_000_000
MAX_NAME = 1000  # characters of a key or of a class's name
MAX_LAYERS = 10_000
LAYERS_ALONE, LAYERS_PER_TENSOR = 1000, 10  # where there are very many layers, one in ten or more has weights

# What takes memory by a number alone, and how many numbers that may be together: thresholds, for each label, of a
# metric; boundaries of bins.
SIZES = ("num_thresholds", "num_labels", "num_bins")
MAX_SIZE = 1_000_000

_HASHES = ("Hashing", "HashedCrossing")  # whose bins take no memory

_INT64 = 2**63


def parse(text: str, n_tensors: int | None = None) -> dict[str, Any]:
    """Read a configuration.

    Parameters
    ----------
    text : str
        JSON of an object.
    n_tensors : int, default None
        How many tensors are there for the layers that it describes. None: nobody knows.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is no JSON, no object, too long, too deep, or holds a number, name or type that nothing of ours writes.

    Examples
    --------
    >>> parse('{"class_name": "Dense", "config": {"units": 3}}')
    {'class_name': 'Dense', 'config': {'units': 3}}
    >>> parse('{"class_name": 5}')
    Traceback (most recent call last):
        ...
    ValueError: its 'class_name' must be a string of at most 1000 characters. Received: 5
    """
    _check_size(text)
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError as error:
        raise ValueError(f"it holds no valid configuration: {error}") from None
    if not isinstance(parsed, dict):
        raise ValueError(f"its configuration must be an object. Received: {validation.show(parsed)}")
    check(parsed, n_tensors)
    return parsed


_TOO_DEEP = f"its configuration must be nested at most {MAX_DEPTH} deep. Received: deeper"


def _check_size(text: str) -> None:
    """Bound what `json` will build, by counts that cost next to nothing; marks inside strings count too."""
    for what, most, found in (
        ("lists and objects", MAX_CONTAINERS, text.count("{") + text.count("[")),
        ("values", MAX_VALUES, text.count(",")),
    ):
        if found > most:
            raise ValueError(f"its configuration must hold at most {most} {what}. Received: {found}")


def check(config: Mapping[str, object], n_tensors: int | None = None) -> None:
    """Check every part of a configuration for what is true of all: see `parse`."""
    n_layers = 0
    level: list[Any] = [config]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                n_layers += _check_object(part)
                following.extend(_inside(part))
            elif isinstance(part, list):
                following.extend(part)
            elif isinstance(part, int) and not -_INT64 <= part < _INT64:
                raise ValueError(f"its whole numbers must fit 64 bits. Received: {validation.show(part)}")
        if not following:
            break
        level = following
    else:
        raise ValueError(_TOO_DEEP)
    most = MAX_LAYERS if n_tensors is None else min(MAX_LAYERS, LAYERS_ALONE + LAYERS_PER_TENSOR * n_tensors)
    if n_layers > most:
        tensors = "" if n_tensors is None else f" and {n_tensors} tensors"
        raise ValueError(f"its layers must be at most {most}. Received: {n_layers} layers{tensors}")


def _inside(part: Mapping[str, object]) -> Iterator[Any]:
    """Yield what is in an object, but for numbers that constructors check."""
    for key, value in part.items():
        if key == "seed" and isinstance(value, int):  # the one number of 64 bits without a sign
            continue
        if key == "config" and part.get("class_name") in _HASHES and isinstance(value, dict):
            yield {name: each for name, each in value.items() if name != "num_bins"}
            continue
        yield value


def _check_object(part: Mapping[str, Any]) -> int:
    """Check the keys and the values of some; return how many layers are listed in it."""
    longest = max(map(len, part), default=0)
    if longest > MAX_NAME:
        raise ValueError(f"its keys must be at most {MAX_NAME} characters. Received: {longest} characters")
    if "class_name" in part:
        name = part["class_name"]
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise ValueError(
                f"its 'class_name' must be a string of at most {MAX_NAME} characters. Received: {validation.show(name)}"
            )
    sizes = {name: part[name] for name in SIZES if name in part and isinstance(part[name], int)}
    if math.prod(sizes.values()) > MAX_SIZE:
        raise ValueError(f"its {' x '.join(sizes)} must be at most {MAX_SIZE}. Received: {validation.show(sizes)}")
    layers = part.get("layers")
    return len(layers) if isinstance(layers, list) else 0


def field(part: object, name: str, kind: type, of: str) -> Any:
    """Return a field of an object, which must be there and of a type.

    Examples
    --------
    >>> field({"epochs": "3"}, "epochs", int, "state")
    Traceback (most recent call last):
        ...
    ValueError: its 'epochs' of 'state' must be of type int. Received: '3'
    """
    if not isinstance(part, Mapping):
        raise ValueError(f"its {of!r} must be an object. Received: {validation.show(part)}")
    if name not in part:
        raise ValueError(f"its {of!r} must have {name!r}. Received: {validation.show(sorted(part))}")
    value = part[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"its {name!r} of {of!r} must be of type {kind.__name__}. Received: {validation.show(value)}")
    return value


def whole(part: object, name: str, of: str, maximum: int = _INT64 - 1) -> int:
    """Return a field that is a whole number from 0 to a limit."""
    value: int = field(part, name, int, of)
    if not 0 <= value <= maximum:
        raise ValueError(f"its {name!r} of {of!r} must be from 0 to {maximum}. Received: {value}")
    return value


@contextmanager
def refused_by_name(file: str) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a ValueError that begins with `file`.

    Configurations are built by constructors, of the user's own classes too, which raise what they will.

    Examples
    --------
    >>> with refused_by_name("The file 'a'"):
    ...     {}["units"]
    Traceback (most recent call last):
        ...
    ValueError: The file 'a' cannot be loaded: 'units' is missing or misplaced
    """
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{file} cannot be loaded: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{validation.show(error.args[0] if error.args else error)} is missing or misplaced"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    text = str(error) if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: {error}"
    return text if len(text) <= 3000 else f"{text[:1500]} ... {text[-1500:]}"
