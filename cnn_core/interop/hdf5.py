"""HDF5 files of others, read as data: groups, arrays no larger than the file itself, and texts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.interop.hdf5_layout import Layout, Node

MAX_OBJECTS = 200_000  # groups and arrays; a layer has about four
MAX_DEPTH = 200
_WIDEST = 8  # bytes of a number


class Stored(NamedTuple):
    """What an array will take, in the widest of our types."""

    nbytes: int


class Group:
    """A group of a file, the only way to what is in it."""

    def __init__(self, layout: Layout, node: Node, path: str = "") -> None:
        self._layout = layout
        self._node = node
        self.path = path

    def names(self) -> list[str]:
        """Return the names of its groups and arrays, numbers in their order."""
        return sorted(self._node.members or (), key=lambda name: (int(name) if name.isdecimal() else -1, name))

    def _member(self, name: str) -> Node | None:
        address = (self._node.members or {}).get(name)
        if address is None:
            return None
        with _damage_named():
            return self._layout.node(address)

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}".lstrip("/")

    def group(self, *path: str) -> Group | None:
        """Return a group inside, step by step; None if there is none."""
        found = self
        for name in path:
            member = found._member(name)
            if member is None or member.members is None:
                return None
            found = Group(self._layout, member, found._at(name))
        return found

    def array(self, path: str) -> Array:
        """Return an array as a view of the file.

        Raises
        ------
        ValueError
            If there is none.
        """
        *groups, name = path.split("/")
        holder = self.group(*groups)
        member = None if holder is None else holder._member(name)
        if member is None or member.array is None:
            raise ValueError(f"it must hold an array {self._at(path)!r}. Received: none")
        return member.array

    def stored(self) -> dict[str, Stored]:
        """Return all arrays inside by their paths, none of which is copied.

        Raises
        ------
        ValueError
            If they are together larger than the file, too many, or nested too deep.
        """
        found: dict[str, Stored] = {}
        total = n_objects = 0
        level = [self]
        for _ in range(MAX_DEPTH):
            following: list[Group] = []
            for group in level:
                for name in group.names():
                    member = group._member(name)
                    assert member is not None
                    path = group._at(name)
                    if member.array is None:
                        following.append(Group(self._layout, member, path))
                    else:
                        total += member.array.nbytes
                        found[path] = Stored(member.array.size * _WIDEST)
                    n_objects += 1
                    if total > self._layout.n_bytes or n_objects > MAX_OBJECTS:
                        raise ValueError(
                            f"its arrays must be at most {MAX_OBJECTS} and no larger than the file. Received: more"
                        )
            if not following:
                return found
            level = following
        raise ValueError(f"its groups must be nested at most {MAX_DEPTH} deep. Received: deeper")

    def text(self, name: str) -> str | None:
        """Return the text that an attribute holds; None if there is no such attribute."""
        if name not in self._node.attributes:
            return None
        values = self._texts(name)
        if len(values) != 1:
            raise ValueError(f"its attribute {name!r} must be one text. Received: {len(values)}")
        return values[0]

    def texts(self, name: str) -> list[str]:
        """Return the texts of an attribute, which may go on in others that are numbered."""
        if name in self._node.attributes:
            return self._texts(name)
        found: list[str] = []
        number = 0
        while f"{name}{number}" in self._node.attributes:
            found += self._texts(f"{name}{number}")
            number += 1
        return found

    def _texts(self, name: str) -> list[str]:
        values = self._node.attributes[name]
        if values is None:
            raise ValueError(f"its attribute {name!r} must be text. Received: something else")
        return values


@contextmanager
def _damage_named() -> Iterator[None]:
    """Say of parts that are too short or no text that the file is damaged."""
    try:
        yield
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"its HDF5 part is damaged: {error}") from None


def root_of(data: bytes) -> Group:
    """Return the root of a file.

    Parameters
    ----------
    data : bytes
        The whole file; arrays are views of it.

    Raises
    ------
    ValueError
        If it is no file of HDF5, is damaged, or has another layout than h5py's usual one.
    """
    with _damage_named():
        layout = Layout(data)
        return Group(layout, layout.node(layout.root))
