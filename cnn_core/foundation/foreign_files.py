"""Files of others: what they are by their first bytes and by their names, and what to do with them."""

from __future__ import annotations

import os

# First bytes, what has them, and the remedy.
_OF_KERAS = "load_model and load_weights read it"
_OF_TORCH = "Load it with PyTorch: interop.from_torch takes a module, interop.load_torch_state_dict weights"
_OF_PICKLE = "Loading one could run code, which cnn_core never does: load it with what wrote it"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_BEGINNINGS = (
    (_HDF5, "an HDF5 file, as Keras writes .h5", _OF_KERAS),
    (b"\x93NUMPY", "a NumPy array (.npy)", "Load it with numpy.load and hand the weights over by set_weights"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", "a file of PyTorch", _OF_TORCH),
    *((bytes([0x80, protocol]), "a pickle", _OF_PICKLE) for protocol in range(2, 6)),
    (b"GGUF", "a GGUF file", "Nothing here reads it: hand its tensors over by set_weights"),
    (b"PAR1", "a Parquet table", "It holds data, not a model"),
    (b"\x1f\x8b", "compressed by gzip", "Uncompress it first"),
    (b"BZh", "compressed by bzip2", "Uncompress it first"),
    (b"\xfd7zXZ\x00", "compressed by xz", "Uncompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Uncompress it first"),
    (b"{", "JSON", "Read an architecture in JSON by model_from_json"),
)
# Tags of the fields that may follow the format's version at the head of an ONNX model: names, versions, the graph.
_ONNX_TAGS = b"\x12\x1a\x22\x28\x32\x3a\x42"

# Names that promise a format of somebody else's.
_SUFFIXES = frozenset(
    (".h5", ".hdf5", ".onnx", ".pb", ".tflite", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz",
     ".zip", ".json", ".yaml", ".yml", ".csv", ".parquet", ".gguf", ".mat", ".gz", ".keras")
)  # fmt: skip
# Under these names models and weights are written as Keras writes them.
KERAS_MODEL, KERAS_WEIGHTS = ".keras", ".weights.h5"


def recognised(head: bytes) -> str | None:
    """Return what a file is and the remedy, from its first hundreds of bytes; None if they say nothing.

    Examples
    --------
    >>> recognised(b"PAR1...").partition(". Received")[0]
    'it is a Parquet table. It holds data, not a model'
    >>> recognised(b"something else") is None
    True
    """
    found = _archive(head) if head.startswith(_ZIP) else None
    if is_of_onnx(head):
        found = "an ONNX model", "interop.from_onnx reads it"
    for beginning, what, remedy in _BEGINNINGS:
        if found is None and head.startswith(beginning):
            found = what, remedy
    return None if found is None else f"it is {found[0]}. {found[1]}. Received: bytes that begin with {head[:8]!r}"


def is_of_onnx(head: bytes) -> bool:
    """Whether first bytes are those of an ONNX model.

    Examples
    --------
    >>> is_of_onnx(bytes([8, 8, 18]) + b"name"), is_of_onnx(b"PAR1")
    (True, False)
    """
    return head[:1] == b"\x08" and len(head) > 2 and 0 < head[1] < 32 and head[2] in _ONNX_TAGS


def is_of_keras(head: bytes) -> bool:
    """Whether first bytes are those of a file that Keras writes, or of another of its two formats, zip and HDF5.

    Examples
    --------
    >>> is_of_keras(b"PAR1")
    False
    """
    return head.startswith(_HDF5) or (head.startswith(_ZIP) and _archive(head)[1] == _OF_KERAS)


def _archive(head: bytes) -> tuple[str, str]:
    """Tell zip archives apart by the name of their first member."""
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first in (b"metadata.json", b"config.json", b"model.weights.h5"):
        return "a Keras archive (.keras)", _OF_KERAS
    if first.endswith((b"data.pkl", b"/version", b".format_version")):
        return "a file of PyTorch", _OF_TORCH
    if first.endswith(b".npy"):
        return "an archive of NumPy arrays (.npz)", "Load it with numpy.load and hand the weights over by set_weights"
    return "a zip archive", "Unpack it first"


def has_ending(path: str | os.PathLike[str], ending: str) -> bool:
    """Whether a path has an ending, in capitals or not.

    Examples
    --------
    >>> has_ending("Best.Keras", KERAS_MODEL), has_ending("best", KERAS_MODEL)
    (True, False)
    """
    return os.fspath(path).lower().endswith(ending)


def check_name(path: str | os.PathLike[str], name: str = "filepath", but: str | None = None) -> None:
    """Refuse to give a model file the name of another format.

    Parameters
    ----------
    path : str or path-like
    name : str, default "filepath"
        The argument's name.
    but : str, default None
        An ending that passes, because the file is written in its format.

    Raises
    ------
    ValueError
        If others would take the file for something else.

    Examples
    --------
    >>> check_name("model.safetensors")
    >>> check_name("model.keras", but=KERAS_MODEL)
    >>> check_name("model.onnx")
    Traceback (most recent call last):
        ...
    ValueError: `filepath` must not end in '.onnx', because a model file is safetensors: use the ending \
'.safetensors'. Received: filepath='model.onnx'
    """
    text = os.fspath(path)
    suffix = os.path.splitext(text)[1].lower()  # noqa: PTH122 - the package's import does not wait for pathlib
    if suffix in _SUFFIXES and not (but is not None and has_ending(text, but)):
        others = "" if but is None else f" or {but!r}"
        raise ValueError(
            f"`{name}` must not end in {suffix!r}, because a model file is safetensors: use the ending '.safetensors'"
            f"{others}. Received: {name}={text!r}"
        )
