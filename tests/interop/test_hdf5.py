from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnn_core.interop.hdf5 import MAX_DEPTH, root_of

h5py = pytest.importorskip("h5py")


def written(fill: Callable[[Any], None], **more: Any) -> bytes:
    """Return the file that h5py writes."""
    file = io.BytesIO()
    with h5py.File(file, "w", **more) as tree:
        fill(tree)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", "i1", "u1", "i4", ">i8", "u8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4), (1, 2, 3, 4)])
def test_arrays_are_those_of_h5py(dtype: str, shape: tuple[int, ...]):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    root = root_of(written(lambda tree: tree.create_dataset("a/b", data=value)))
    found = root.array("a/b")
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)
    assert root.stored()["a/b"].nbytes == 8 * value.size


@pytest.mark.parametrize("n", [1, 9, 200, 3000])
def test_groups_of_any_size(n: int):
    def fill(tree: Any) -> None:
        for number in range(n):
            tree.create_group(f"layers/{number}").attrs["name"] = f"layer {number}"

    layers = root_of(written(fill)).group("layers")
    assert layers is not None
    assert layers.names() == [str(number) for number in range(n)]
    assert [layers.group(name).text("name") for name in layers.names()] == [f"layer {number}" for number in range(n)]
    assert layers.group("nothing") is None
    assert layers.path == "layers"


def test_texts():
    def fill(tree: Any) -> None:
        tree.attrs["one"] = "ä" * 1000
        tree.attrs["bytes"] = np.bytes_(b"plain")
        tree.attrs["list"] = [b"a", b"bcd"]
        tree.attrs["of any length"] = ["", "x", "yz"]
        tree.attrs["none"] = []
        tree.attrs["part0"], tree.attrs["part1"] = [b"a"], [b"b", b"c"]
        tree.attrs["number"] = 5

    root = root_of(written(fill))
    assert root.text("one") == "ä" * 1000
    assert root.text("bytes") == "plain"
    assert root.texts("list") == ["a", "bcd"]
    assert root.texts("of any length") == ["", "x", "yz"]
    assert root.texts("none") == []
    assert root.texts("part") == ["a", "b", "c"]
    assert (root.text("missing"), root.texts("missing")) == (None, [])
    with pytest.raises(ValueError, match="its attribute 'number' must be text"):
        root.text("number")
    with pytest.raises(ValueError, match=r"its attribute 'list' must be one text\. Received: 2"):
        root.text("list")


def linked(tree: Any, link: Any) -> None:
    tree["a"] = link


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda tree: linked(tree, h5py.SoftLink("/b")), "no links to elsewhere. Received: one named 'a'"),
        (
            lambda tree: linked(tree, h5py.ExternalLink("/etc/passwd", "b")),
            "no links to elsewhere. Received: one named",
        ),
        (lambda tree: tree.create_dataset("a", (4,), "f4", chunks=(2,)), "in the file, in one piece, uncompressed"),
        (lambda tree: tree.create_dataset("a", data=np.ones(4), compression="gzip"), "in one piece, uncompressed"),
        (lambda tree: tree.create_dataset("a", (8,), "f8", external=[("/etc/passwd", 0, 64)]), "must lie in the file"),
        (lambda tree: tree.create_dataset("a", (1 << 40,), "f4"), "must lie in the file. Received: shape="),
        (lambda tree: tree.create_dataset("a", data="text"), "must hold numbers of at most 64 bits"),
        (lambda tree: tree.create_dataset("a", data=np.ones(2, complex)), "must hold numbers of at most 64 bits"),
        (lambda tree: tree.create_dataset("a", data=np.ones(2, "g")), "must hold numbers of at most 64 bits"),
        (lambda tree: tree.create_dataset("a", data=np.ones(2, bool)), "must hold numbers of at most 64 bits"),
        (lambda tree: tree.create_dataset("a", data=h5py.Empty("f4")), "must hold numbers of at most 64 bits"),
        (lambda tree: tree.create_group("/".join("g" * (MAX_DEPTH + 1))), "nested at most 200 deep"),
        (lambda tree: linked(tree.create_group("g"), tree["/g"]), "nested at most 200 deep"),
    ],
)
def test_what_hdf5_can_do_besides_is_refused(fill: Callable[[Any], None], message: str):
    with pytest.raises(ValueError, match=message):
        root_of(written(fill)).stored()


def test_newer_layouts_are_refused_by_name():
    for more in ({"libver": "latest"}, {"track_order": True}):
        with pytest.raises(ValueError, match="must have the classic layout, as h5py writes by default"):
            root_of(written(lambda tree: tree.create_dataset("a", data=[1.0]), **more)).stored()


def test_many_names_of_one_array_are_not_more_than_the_file():
    def fill(tree: Any) -> None:
        tree["0"] = np.ones(1000)
        for number in range(1, 100):
            tree[str(number)] = tree["0"]

    with pytest.raises(ValueError, match="no larger than the file"):
        root_of(written(fill)).stored()


def test_a_missing_array_is_named():
    root = root_of(written(lambda tree: tree.create_dataset("a/b", data=[1.0])))
    for path in ("a", "a/c", "b/b", "a/b/c"):
        with pytest.raises(ValueError, match=f"it must hold an array '{path}'\\. Received: none"):
            root.array(path)
