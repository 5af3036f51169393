"""The structures in which a model's inputs and outputs come: lists, tuples and dicts, with names in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.structures import flatten, sorted_keys


class Form(NamedTuple):
    """The structure in which a model was given its inputs or outputs, with their names in their places.

    Attributes
    ----------
    names : str, or list, tuple or dict of such forms
    """

    names: Any

    @property
    def has_one_place(self) -> bool:
        """Whether there is but one input or output."""
        return len(flatten(self.names)) == 1

    @property
    def is_nested(self) -> bool:
        """Whether it is a list or dict that holds others."""
        parts = self.names.values() if isinstance(self.names, Mapping) else self.names
        return not isinstance(self.names, str) and not all(isinstance(part, str) for part in parts)

    @property
    def has_order(self) -> bool:
        """Whether a flat list can only mean one order: there is no dict whose keys were not given sorted."""
        return _has_order(self.names)

    def by_name(self, given: object, argument: str) -> Any:
        """Return one value for each place, given in a structure, as `Dataset` and `compile` take them.

        A dict by names, a flat list and a single value come back as they are; what has the form itself, and that is
        nested, as a dict by names.

        Raises
        ------
        ValueError
            If a nested structure has another form, or a list is given where a dict's keys are not in sorted order:
            the list could follow either order.

        Examples
        --------
        >>> Form({"user": {"b": "b", "a": "a"}, "item": "c"}).by_name({"item": 3, "user": {"a": 1, "b": 2}}, "x")
        {'c': 3, 'a': 1, 'b': 2}
        """
        if isinstance(given, Mapping):
            if not self.is_nested or validation.is_sparse(given) or set(given) <= set(flatten(self.names)):
                return given
            return _by_name(self.names, given, argument)
        if not isinstance(given, (list, tuple)) or isinstance(self.names, str):
            return given
        if self.is_nested and not isinstance(self.names, Mapping) and _any_nested(given):
            return _by_name(self.names, given, argument)
        if 1 < len(given) <= len(flatten(self.names)) and not self.has_order:
            raise ValueError(
                f"{argument} must have the form {self.names!r}, of which the model was made; the order of a list "
                f"would be a guess. Received: {validation.show(given)}"
            )
        return given

    def only(self, kept: Sequence[str], given: object, argument: str) -> Any:
        """Leave out what is given for other places than those that are kept, as `by_name` returns the rest.

        Examples
        --------
        >>> Form(["a", "b"]).only(["b"], [1, 2], "y"), Form(["a", "b"]).only(["b"], [2], "y")
        (2, [2])
        """
        names = flatten(self.names)
        if len(names) == 1:
            return given
        given = self.by_name(given, argument)
        if isinstance(given, Mapping):
            return {name: part for name, part in given.items() if name not in names or name in kept}
        if isinstance(given, (list, tuple)) and len(given) == len(names) > len(kept):
            parts = [part for name, part in zip(names, given, strict=True) if name in kept]
            return parts[0] if len(parts) == 1 else parts
        return given


def _has_order(names: Any) -> bool:
    if isinstance(names, str):
        return True
    if isinstance(names, Mapping):
        return list(names) == sorted_keys(names) and all(map(_has_order, names.values()))
    return all(map(_has_order, names))


def _any_nested(given: Sequence[object]) -> bool:
    return any(isinstance(part, (list, tuple, Mapping)) and not validation.is_sparse(part) for part in given)


def _by_name(names: Any, given: Any, argument: str) -> dict[str, Any]:
    if isinstance(names, str):
        return {names: given}
    if isinstance(names, Mapping):
        fits = isinstance(given, Mapping) and set(given) <= set(names)
        parts = [(key, names[key], given[key]) for key in given] if fits else []
    else:
        fits = isinstance(given, (list, tuple)) and len(given) == len(names)
        parts = list(zip(range(len(names)), names, given, strict=True)) if fits else []
    if not fits:
        raise ValueError(f"{argument} must have the form {names!r}. Received: {validation.show(given)}")
    return {
        name: value for key, part, each in parts for name, value in _by_name(part, each, f"{argument}[{key!r}]").items()
    }
