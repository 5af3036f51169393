"""Models in and out of other formats, from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cnn_core.foundation.foreign_files as foreign_files
import cnn_core.foundation.model_file as model_file
import cnn_core.interop as interop
import cnn_core.saving as saving
from cnn_core.commands.table_files import is_same_file
from cnn_core.interop.onnx_format import decode
from cnn_core.interop.onnx_graph import TABLES
from cnn_core.interop.onnx_operators import FAULTS
from cnn_core.sklearn.tabular.predictor import TablePredictor, load_predictor

_HEAD = 512  # bytes from which a file's format is told
OWN = ".safetensors"


def read(path: str) -> Any:
    """Return the model in a file of ours, of Keras or of ONNX, or what predicts tables in one that `fit` wrote.

    Raises
    ------
    ValueError
        If it is something else, or damaged.
    """
    if holds_table(path):
        return load_predictor(path)
    return interop.from_onnx(path) if foreign_files.is_of_onnx(_head(path)) else saving.load_model(path)


def holds_table(path: str) -> bool:
    """Tell whether a file, ours or of ONNX, holds a tabular estimator; of ours its header is read alone."""
    head = _head(path)
    if foreign_files.is_of_onnx(head):
        with open(path, "rb") as file:  # noqa: PTH123 - its errors name the file as it was given
            try:
                found = decode(memoryview(file.read()))
            except FAULTS:
                return False  # `from_onnx` says what is wrong
        return any(each.get("key") == TABLES for each in found["metadata_props"])
    return not foreign_files.is_of_keras(head) and TABLES in model_file.read_metadata(path)


def _head(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - its errors name the file as it was given
        return file.read(_HEAD)


def export(model: str, output: str, **options: object) -> None:
    """Write the model in a file in the format that the output's ending names, and print what was written.

    Parameters
    ----------
    model : str
        See `read`.
    output : str
    **options
        For C: see `interop.to_c`.
    """
    writers: dict[str, Callable[..., Any]] = {
        ".c": interop.to_c,
        ".keras": interop.to_keras,
        ".onnx": interop.to_onnx,
        OWN: save,
    }
    writer = writers[_ending(output, writers)]
    if options and writer is not interop.to_c:
        raise ValueError(f"`--{next(iter(options))}` is for C only. Received: OUTPUT={output}")
    if is_same_file(model, output):
        raise ValueError(f"OUTPUT must be another file than the one that is read. Received: OUTPUT={output}")
    files = writer(read(model), output, **options)
    print("Written:", ", ".join(map(str, files)) if isinstance(files, list) else output)


def import_model(source: str, output: str) -> None:
    """Write the model in a file of Keras or ONNX as a model file of ours, and print what was written."""
    _ending(output, [OWN])
    export(source, output)


def save(model: Any, path: str) -> None:
    """Write a model file."""
    if isinstance(model, TablePredictor):
        raise ValueError("A tabular estimator's file has this format already")
    model.save(path)


def _ending(path: str, known: Iterable[str]) -> str:
    ending = Path(path).suffix.lower()
    if ending not in known:
        raise ValueError(f"OUTPUT must end in {' or '.join(sorted(known))}. Received: OUTPUT={path}")
    return ending
