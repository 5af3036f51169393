from __future__ import annotations

import contextlib

import numpy as np
import pytest

from cnn_core.interop.hdf5 import Group, root_of
from cnn_core.interop.hdf5_layout import SIGNATURE
from keras_files import file_of

DATA = file_of(2, "branches.h5")


def read_all(data: bytes) -> None:
    """Read everything in a file."""
    root = root_of(data)
    waiting: list[Group | None] = [root]
    for path in root.stored():
        np.array(root.array(path))
    while waiting:
        group = waiting.pop()
        assert group is not None
        for attribute in ("name", "model_config", "training_config"):
            group.text(attribute)
        group.texts("weight_names")
        waiting += [inner for name in group.names() if (inner := group.group(name)) is not None]


def test_a_sound_file_is_read_within_its_budget():
    read_all(DATA)


def test_truncated_files_are_refused():
    for end in range(0, len(DATA), 64):
        with pytest.raises(ValueError, match=r"HDF5|attribute|array"):
            read_all(DATA[:end])


def test_changed_bytes_are_read_or_refused():
    draw = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(DATA)
        for _ in range(draw.integers(1, 4)):
            damaged[draw.integers(len(DATA))] = draw.integers(256)
        with contextlib.suppress(ValueError):
            read_all(bytes(damaged))


def test_what_is_named_again_and_again_is_read_once():
    at = DATA.index(b"TREE")
    damaged = bytearray(DATA)
    damaged[at + 32 : at + 40] = at.to_bytes(8, "little")  # a tree that is its own first child
    with pytest.raises(ValueError, match="must name every place once"):
        read_all(bytes(damaged))


def test_the_first_bytes_are_checked():
    with pytest.raises(ValueError, match="must begin with"):
        root_of(b"x" * 200)
    with pytest.raises(ValueError, match=r"must have 96 bytes at 0\. Received: 8"):
        root_of(SIGNATURE)
