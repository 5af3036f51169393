"""The native file: what is written is read, a crash leaves the old or the new, and a hostile file only an error."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import random
import stat
import string
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import cnn_core.foundation.model_file as model_file

TENSORS = {
    "dense/bias": np.array([0.5, -0.5], np.float32),
    "dense/kernel": np.arange(6, dtype=np.float32).reshape(3, 2),
    "optimizer/iterations": np.array(7, np.int64),
    "flags": np.array([True, False, True]),
    "nothing": np.zeros((0, 4), np.float64),
}
METADATA = {"config": '{"units": 2, "name": "Schicht ä"}', "empty": ""}


def written(tensors=TENSORS, metadata=METADATA) -> bytes:
    file = io.BytesIO()
    model_file.write(file, tensors, metadata)
    return file.getvalue()


def read(raw: bytes, **options):
    return model_file.read(io.BytesIO(raw), **options)


def assert_same(tensors, expected):
    assert list(tensors) == list(expected)
    for name, array in expected.items():
        assert tensors[name].dtype == array.dtype.newbyteorder("=")
        assert tensors[name].shape == array.shape
        np.testing.assert_array_equal(tensors[name], array)


# Round trips


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "model.safetensors"
    for target in (path, str(path)):
        model_file.write(target, TENSORS, METADATA)
        tensors, metadata = model_file.read(target)
        assert_same(tensors, TENSORS)
        assert metadata == METADATA
    assert path.read_bytes() == written()


ELEMENTS = st.sampled_from(["?", "i1", "<i2", ">i4", "i8", "u1", "u2", "<u4", ">u8", "f2", "<f4", ">f8"])


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        arrays.arrays(ELEMENTS, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)),
        max_size=5,
    ),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])), max_size=3
    ),
    st.booleans(),
)
def test_any_arrays_and_texts_survive(tensors, metadata, transposed):
    if transposed:
        tensors = {name: array.T for name, array in tensors.items()}
    tensors.pop("__metadata__", None)
    metadata.pop("cnn_core.format", None)
    result, texts = read(written(tensors, metadata))
    assert_same(result, tensors)
    assert texts == metadata


def test_arrays_are_aligned_writable_and_little_endian():
    raw = written()
    size = int.from_bytes(raw[:8], "little")
    assert size % 8 == 0
    header = json.loads(raw[8 : 8 + size])
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["data_offsets"][0] % TENSORS[name].itemsize == 0
    tensors, _ = read(raw)
    tensors["dense/kernel"][0, 0] = 9
    big_endian = {"x": np.arange(3, dtype=">f4")}
    assert written(big_endian).endswith(np.arange(3, dtype="<f4").tobytes())


def test_files_pass_between_us_and_the_safetensors_package():
    package = pytest.importorskip("safetensors.numpy")
    assert_same(dict(sorted(package.load(written()).items())), dict(sorted(TENSORS.items())))
    foreign = package.save(TENSORS, {"by": "the package"})
    tensors, metadata = read(foreign, any_safetensors=True)
    assert_same(dict(sorted(tensors.items())), dict(sorted(TENSORS.items())))
    assert metadata == {"by": "the package"}
    with pytest.raises(ValueError, match="it is a safetensors file that cnn_core did not write"):
        read(foreign)


def test_a_file_object_is_read_from_where_it_stands():
    file = io.BytesIO(b"before" + written())
    file.seek(6)
    assert_same(model_file.read(file)[0], TENSORS)


class Stream:
    """A file object that cannot seek, reads at most 7 bytes at once and writes at most 5."""

    def __init__(self, raw: bytes = b""):
        self._file = io.BytesIO(raw)
        self.written = b""

    def seekable(self):
        return False

    def read(self, size=-1):
        return self._file.read(size)

    def write(self, part):
        self.written += bytes(part[:5])
        return min(5, len(part))


def test_streams_that_cannot_seek_or_write_all_at_once():
    stream = Stream()
    model_file.write(stream, TENSORS, METADATA)
    assert stream.written == written()
    assert_same(model_file.read(Stream(written()))[0], TENSORS)


# What cannot be written


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"x": np.zeros(2, complex)}, {}, TypeError, "tensor 'x' must be an array of booleans, integers or floats"),
        ({"x": np.array(["a"])}, {}, TypeError, "Received: [<>]U1 of 1 dimensions"),
        ({"x": np.zeros(2, object)}, {}, TypeError, "Received: object of 1 dimensions"),
        ({"x": [1.0]}, {}, TypeError, "Received: list"),
        ({3: np.zeros(2)}, {}, TypeError, "must be strings"),
        ({}, {"a": 3}, TypeError, "must be strings"),
        ({}, {"a": "\ud800"}, ValueError, "must be Unicode"),
        ({"__metadata__": np.zeros(2)}, {}, ValueError, "'__metadata__' is a reserved name"),
        ({}, {"cnn_core.format": "1"}, ValueError, "'cnn_core.format' is a reserved name"),
        ({}, {"a": "b" * (16 << 20)}, ValueError, "a header of 16777216 bytes"),
    ],
)
def test_refused_before_anything_is_written(tmp_path, tensors, metadata, error, message):
    with pytest.raises(error, match=message):
        model_file.write(tmp_path / "model", tensors, metadata)
    assert list(tmp_path.iterdir()) == []


# Crashes

OLD = {"x": np.zeros(3)}
CALLS = ("open", "write", "fsync", "close", "replace", "stat", "fchmod")


class Killed(BaseException):
    """The process ends here: nothing that comes later in it takes place."""


class Faults:
    """Make the n-th of the system calls fail; with `dead`, all that follow too."""

    def __init__(self, monkeypatch, n: int, error: BaseException, *, dead: bool):
        self.calls = 0
        for name in (*CALLS, "unlink") if dead else CALLS:
            real = getattr(os, name)

            def faulty(*arguments, _real=real, **options):
                self.calls += 1
                if self.calls == n or (dead and self.calls > n):
                    raise error
                return _real(*arguments, **options)

            monkeypatch.setattr(os, name, faulty)


def whole(path) -> str:
    """Say whether a file is the old one or the new one."""
    tensors, _ = model_file.read(path)
    return "old" if list(tensors) == ["x"] else "new"


def outcomes(tmp_path, error: BaseException, *, dead: bool, chunk: int) -> list[tuple[str, list[str]]]:
    """Fail at every call in turn; return what the file was afterwards and what else lay in the directory."""
    results = []
    for n in range(1, 100):
        directory = tmp_path / f"{n}"
        directory.mkdir()
        path = directory / "model"
        model_file.write(path, OLD)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(model_file, "_CHUNK", chunk)
            faults = Faults(monkeypatch, n, error, dead=dead)
            with contextlib.suppress(type(error)):
                model_file.write(path, TENSORS)
        results.append((whole(path), [other.name for other in directory.iterdir() if other != path]))
        if faults.calls < n:
            return results
    raise AssertionError("there are more calls than expected")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_failing_call_leaves_the_old_file_or_the_new_and_nothing_else(tmp_path, code):
    results = outcomes(tmp_path, OSError(code, os.strerror(code)), dead=False, chunk=64)
    states = [state for state, _ in results]
    assert len(results) > 12  # writes in several chunks, each of which failed once
    assert states == sorted(states, reverse=True)  # old, ..., old, new, ..., new
    assert states[-1] == "new"
    assert all(others == [] for _, others in results)


def test_a_killed_process_leaves_the_old_file_or_the_new(tmp_path):
    results = outcomes(tmp_path, Killed(), dead=True, chunk=64)
    states = [state for state, _ in results]
    assert states == sorted(states, reverse=True)
    assert states[-1] == "new"
    assert {len(others) for _, others in results} == {0, 1}  # at most the temporary file


def test_the_data_is_synced_before_the_rename_and_the_directory_after(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*arguments, _name=name, _real=real, **options):
            kind = ""
            if _name == "fsync":
                kind = " directory" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else " file"
            events.append(_name + kind)
            return _real(*arguments, **options)

        monkeypatch.setattr(os, name, noted)
    model_file.write(tmp_path / "model", TENSORS)
    assert events == ["fsync file", "replace", "fsync directory"]


@pytest.mark.parametrize(("code", "fine"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_sync_directories_is_no_error(tmp_path, monkeypatch, code, fine):
    real = os.fsync

    def faulty(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", faulty)
    with contextlib.nullcontext() if fine else pytest.raises(OSError, match=os.strerror(code)):
        model_file.write(tmp_path / "model", TENSORS)
    assert whole(tmp_path / "model") == "new"


def test_an_error_names_the_file_asked_for(tmp_path):
    path = tmp_path / "missing" / "model"
    with pytest.raises(FileNotFoundError) as caught:
        model_file.write(path, TENSORS)
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        model_file.read(path)
    with pytest.raises(IsADirectoryError):
        model_file.write(tmp_path, TENSORS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_permissions(tmp_path):
    path = tmp_path / "model"
    before = os.umask(0o027)
    try:
        model_file.write(path, TENSORS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    model_file.write(path, OLD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_must_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "model"
    model_file.write(path, OLD)
    path.chmod(0o400)
    with pytest.raises(PermissionError):
        model_file.write(path, TENSORS)
    assert whole(path) == "old"


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make symbolic links")
def test_a_symbolic_link_stays_one(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    model_file.write(link, TENSORS)
    assert link.is_symlink()
    assert not real.is_symlink()
    assert_same(model_file.read(real)[0], TENSORS)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no device to spare")
def test_a_device_is_not_replaced():
    with pytest.raises(OSError, match="Not a regular file"):
        model_file.write("/dev/null", TENSORS)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# Damaged and hostile files

CLEAN = r"^The file is no sound model file: .*(Received: |twice$)"


def test_truncated_at_every_byte():
    raw = written()
    for size in range(len(raw)):
        with pytest.raises(ValueError, match=CLEAN):
            read(raw[:size])


def test_a_byte_too_many():
    raw = written({"x": np.zeros(27, np.float32)}) + b"\0"
    with pytest.raises(ValueError, match=r"it has bytes behind its arrays\. Received: 109 bytes instead of 108"):
        read(raw)


def read_or_none(raw: bytes):
    """Read; None for a clean error. Any other error passes."""
    with contextlib.suppress(ValueError):
        return read(raw)
    return None


def test_every_bit_of_the_header_flipped():
    raw = bytearray(written())
    size = 8 + int.from_bytes(raw[:8], "little")
    for bit in range(size * 8):
        raw[bit // 8] ^= 1 << bit % 8
        result = read_or_none(bytes(raw))
        if result is not None:  # another name, text or kind of number of the same width: sound, if not what was meant
            assert len(result[0]) == len(TENSORS)
            assert len(result[1]) - len(METADATA) in (0, 1)  # the key of the package's version may have become another
            assert sum(array.nbytes for array in result[0].values()) == sum(array.nbytes for array in TENSORS.values())
        raw[bit // 8] ^= 1 << bit % 8
    assert read_or_none(bytes(raw)) is not None


def test_random_garbage():
    chance = random.Random(0)
    header = written()[8:]
    for _ in range(500):
        body = bytearray(header)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.choice(string.printable).encode() * chance.randrange(3)
        read_or_none(len(body).to_bytes(8, "little") + bytes(body))


def crafted(header: object, data: bytes = b"") -> bytes:
    """Return a file with this header, as text or as something for JSON, the format's version added to the latter."""
    if isinstance(header, dict):
        header = json.dumps({"__metadata__": {"cnn_core.format": "1"}, **header})
    raw = header if isinstance(header, bytes) else header.encode()
    return len(raw).to_bytes(8, "little") + raw + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


EIGHT = b"12345678"
HOSTILE = {
    "empty": (b"", "it ends within the size of its header"),
    "header of 2**64": (b"\xff" * 8, "its header would end behind the file"),
    "header larger than allowed": ((17 << 20).to_bytes(8, "little") + b" " * (17 << 20), "its header must be at most"),
    "no object": (crafted("[]"), "its header must have '{' at character 0"),
    "space first": (crafted(" {}"), "its header must have '{' at character 0"),
    "empty header": (crafted(""), "its header must have '{' at character 0"),
    "not UTF-8": (crafted(b'{"\xff":1}'), "its header must be UTF-8"),
    "half a surrogate pair": (crafted('{"\\ud800":{}}'), "its header must have Unicode text"),
    "control character": (crafted('{"\x01":{}}'), "its header must have a string"),
    "two objects": (crafted("{}{}"), "its header must have the end"),
    "trailing comma": (crafted('{"__metadata__":{},}'), "its header must have a string"),
    "deep nesting": (crafted('{"a":' + "[" * 10**6), "its header must have '{'"),
    "deep nesting in a shape": (crafted('{"a":{"shape":' + "[" * 10**6), "its header must have a whole number"),
    "number as metadata": (crafted('{"__metadata__":{"a":1}}'), "its header must have a string"),
    "list as metadata": (crafted('{"__metadata__":[]}'), "its header must have '{'"),
    "metadata twice": (crafted('{"__metadata__":{},"__metadata__":{}}'), "its header names '__metadata__' twice"),
    "key twice in metadata": (crafted('{"__metadata__":{"a":"","a":""}}'), "its metadata name 'a' twice"),
    "tensor twice": (
        crafted('{"a":%s,"a":%s}' % ((json.dumps(tensor()),) * 2), EIGHT),
        "its header names 'a' twice",
    ),
    "the same name spelt otherwise": (
        crafted('{"a":%s,"\\u0061":%s}' % ((json.dumps(tensor()),) * 2), EIGHT),
        "its header names 'a' twice",
    ),
    "field twice": (crafted('{"a":{"dtype":"F32","dtype":"F32"}}'), "must have dtype, shape and data_offsets"),
    "field too many": (crafted({"a": tensor() | {"code": "x"}}, EIGHT), "must have dtype, shape and data_offsets"),
    "field missing": (
        crafted({"a": {"dtype": "F32", "shape": [2]}}, EIGHT),
        "must have dtype, shape and two data_offsets",
    ),
    "unknown dtype": (crafted({"a": tensor("O")}, EIGHT), "must have a dtype of F64, F32,"),
    "dtype is no string": (crafted({"a": tensor(3)}, EIGHT), "its header must have a string"),
    "one offset": (crafted({"a": tensor(offsets=(0,))}, EIGHT), "must have dtype, shape and two data_offsets"),
    "negative size": (crafted({"a": tensor(shape=(-2,))}, EIGHT), "its header must have a whole number"),
    "fraction": (crafted({"a": tensor(shape=(2.5,))}, EIGHT), "its header must have a whole number"),
    "whole float": (crafted('{"a":{"shape":[2e0]}}', EIGHT), "its header must have a whole number"),
    "leading zero": (crafted('{"a":{"shape":[02]}}', EIGHT), "its header must have a whole number"),
    "boolean": (crafted({"a": tensor(shape=(True,))}, EIGHT), "its header must have a whole number"),
    "NaN": (crafted({"a": tensor(shape=(float("nan"),))}, EIGHT), "its header must have a whole number"),
    "a number of a million digits": (crafted('{"a":{"shape":[' + "9" * 10**6), "its header must have a whole number"),
    "huge shape": (crafted({"a": tensor(shape=(10**18, 10**18))}, EIGHT), "takes 4" + "0" * 36 + " bytes"),
    "shape that wraps to the right size": (
        crafted({"a": tensor("U8", (2**32, 2**32))}, b""),
        "takes 18446744073709551616 bytes",
    ),
    "too many dimensions": (crafted({"a": tensor(shape=(1,) * 33)}, EIGHT), "at most 32 dimensions"),
    "offsets backwards": (
        crafted({"a": tensor(offsets=(8, 0))}, EIGHT),
        "takes 8 bytes. Received: data_offsets=[8, 0]",
    ),
    "overlap": (crafted({"a": tensor(), "b": tensor(offsets=(4, 12))}, EIGHT * 2), "must begin at byte 8"),
    "the same bytes twice": (crafted({"a": tensor(), "b": tensor()}, EIGHT), "must begin at byte 8"),
    "hole": (crafted({"a": tensor(), "b": tensor(offsets=(12, 20))}, EIGHT * 3), "must begin at byte 8"),
    "hole at the start": (crafted({"a": tensor(offsets=(4, 12))}, EIGHT * 2), "must begin at byte 0"),
    "beyond the file": (
        crafted({"a": tensor(shape=(2**40,), offsets=(0, 2**42))}, EIGHT),
        "misses the end of its arrays",
    ),
    "trailing bytes": (crafted({"a": tensor()}, EIGHT + b"x"), "has bytes behind its arrays"),
    "no version": (crafted("{}"), "it is a safetensors file that cnn_core did not write"),
    "a later version": (
        crafted('{"__metadata__":{"cnn_core.format":"2"}}'),
        "newer than this cnn_core. Update cnn_core",
    ),
    "a version that is none": (
        crafted('{"__metadata__":{"cnn_core.format":"-1"}}'),
        "format must be a positive integer",
    ),
    "a version in other digits": (
        crafted('{"__metadata__":{"cnn_core.format":"²"}}'),
        "format must be a positive integer",
    ),
    "an endless version": (
        crafted('{"__metadata__":{"cnn_core.format":"' + "9" * 10**5 + '"}}'),
        "format must be a positive integer",
    ),
    "a zip file": (b"PK\x03\x04" + bytes(100), "it is a zip archive. Unpack it first"),
    "a pickle": (b"\x80\x04\x95" + bytes(100), "it is a pickle. Loading one could run code"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files(kind):
    raw, message = HOSTILE[kind]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^The file is no sound model file: ") as caught:
            read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400
    assert peak < 2 * len(raw) + (1 << 16)


def test_too_many_tensors(monkeypatch):
    monkeypatch.setattr(model_file, "MAX_TENSORS", 4)
    assert len(read(written({f"{i}": np.zeros(1) for i in range(4)}))[0]) == 4
    five = {f"{i}": tensor(shape=(0,), offsets=(0, 0)) for i in range(5)}
    with pytest.raises(ValueError, match="it must hold at most 4 tensors"):
        read(crafted(five))
    with pytest.raises(ValueError, match=r"at most 4 tensors .* Received: 5 tensors"):
        written({name: np.zeros(0) for name in five})


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"^The file '.*model\.safetensors' is no sound model file: its header"):
        model_file.read(path)
    with path.open("rb") as file, pytest.raises(ValueError, match=r"^The file '.*model\.safetensors' is no sound"):
        model_file.read(file)


def test_a_file_that_shrinks_while_it_is_read(monkeypatch):
    monkeypatch.setattr(model_file, "_CHUNK", 512)

    class Shrinking(io.BytesIO):
        def read(self, size=-1):
            return super().read(size) if self.tell() < 1000 else b""

    with pytest.raises(ValueError, match="it became shorter while it was read"):
        model_file.read(Shrinking(written({"x": np.zeros(1000)})))


def test_reading_takes_less_memory_than_twice_the_file(tmp_path):
    path = tmp_path / "model"
    model_file.write(path, {"a": np.zeros((1000, 1000)), "b": np.zeros((1000, 1000), np.float32)})
    tracemalloc.start()
    try:
        tensors, _ = model_file.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tensors["a"].nbytes + tensors["b"].nbytes == 12_000_000
    assert peak < 2 * path.stat().st_size


def test_reading_executes_nothing(tmp_path):
    path = tmp_path / "model"
    model_file.write(path, TENSORS, METADATA)
    program = f"""
import sys
from cnn_core.foundation import model_file
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
model_file.read({str(path)!r})
seen = set(events)
bad = [event for event in seen if event.partition(".")[0] in
       ("import", "compile", "exec", "pickle", "marshal", "ctypes", "subprocess", "os", "socket", "code")]
assert not bad, bad
assert "open" in seen
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(model_file.__file__).parents[2])
