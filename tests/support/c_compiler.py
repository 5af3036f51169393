"""Compile what `to_c` writes and call it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc")
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror")


def compile_library(sources, folder, *flags, compiler=None, standard="-std=c99"):
    """Compile C files into a shared library, with every warning an error."""
    compiler = compiler or COMPILER
    if compiler is None:
        pytest.skip("no C compiler")
    library = Path(folder) / f"library_{len(list(Path(folder).iterdir()))}.so"
    subprocess.run(
        [compiler, standard, *STRICT, "-O2", *flags, "-shared", "-fPIC", *map(str, sources), "-o", str(library), "-lm"],
        check=True,
    )
    return ctypes.CDLL(str(library))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def call_rows(library, name, model, inputs):
    """Return what `<name>_predict_rows` returns, and the outputs."""
    arrays = [np.ascontiguousarray(each, model.dtype) for each in inputs]
    n = len(arrays[0])
    outputs = [np.full((n, *shape[1:]), np.nan, model.dtype) for shape in model.output_shapes]
    result = getattr(library, f"{name}_predict_rows")(*map(pointer, [*arrays, *outputs]), ctypes.c_size_t(n))
    return result, outputs
