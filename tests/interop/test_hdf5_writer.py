from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from cnn_core.interop.hdf5 import root_of
from cnn_core.interop.hdf5_writer import Branch, write

h5py = pytest.importorskip("h5py")


def written(root: Branch) -> bytes:
    file = io.BytesIO()
    write(file, root)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u1", "i4", ">i8", "u8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_h5py_and_ours_read_the_same_arrays(dtype: str, shape: tuple[int, ...]):
    value = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    data = written(Branch({"first": Branch({"ä": value, "same": value.T}), "second": value}))
    with h5py.File(io.BytesIO(data)) as tree:
        for path, expected in (("first/ä", value), ("first/same", value.T), ("second", value)):
            for found in (tree[path][()], root_of(data).array(path)):
                assert found.dtype == value.dtype.newbyteorder("<")
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n", [0, 1, 9, 5000])
def test_groups_of_any_size(n: int):
    names = {f"layer_{number}": Branch({}, {"name": f"ä {number}"}) for number in range(n)}
    with h5py.File(io.BytesIO(written(Branch(names, {"empty": "", "long": "x" * 60_000})))) as tree:
        assert sorted(tree) == sorted(names)
        assert [tree[name].attrs["name"].decode() for name in names] == [f"ä {number}" for number in range(n)]
        assert tree.attrs["long"] == b"x" * 60_000
        assert tree.attrs["empty"] == b""


def test_h5py_may_go_on_writing_in_the_file():
    file = io.BytesIO(written(Branch({"a": Branch({"b": np.ones(3)})})))
    with h5py.File(file, "r+") as tree:
        tree["a/b"][1] = 5.0
        tree["a/c"] = np.zeros(2)
        tree.create_group("d").attrs["x"] = "y"
    found = root_of(file.getvalue())
    np.testing.assert_array_equal(found.array("a/b"), [1.0, 5.0, 1.0])
    np.testing.assert_array_equal(found.array("a/c"), [0.0, 0.0])


def test_views_of_strange_strides_are_written_as_they_read():
    value: Any = np.arange(24.0).reshape(4, 6)[::-2, ::3]
    np.testing.assert_array_equal(root_of(written(Branch({"a": value}))).array("a"), value)
