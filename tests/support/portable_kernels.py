"""The portable table of kernels, compiled without Python: called through ctypes, or as WebAssembly under Node.

Arguments of a kernel are arrays, which it may change, lists of arrays, numbers, `Wide` integers of 64 bits and None.
"""

from __future__ import annotations

import base64
import ctypes
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "src" / "simd" / name for name in ("portable.c", "kinds.c")]
# Those of setup.py that say what is computed.
FLAGS = ("-std=c11", "-fno-math-errno", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
INCLUDES = tuple(f"-I{ROOT / name}" for name in ("src", "src/simd", "src/threads"))
TABLE = """\
#include "kernels.h"
extern const kernels_f32 kernels_f32_portable;
extern const kernels_f64 kernels_f64_portable;
enum { BEFORE = 2 }; /* words of the table: its name, the width of a panel */
void *kernel(int is_double, int i) {
    const void *table = is_double ? (const void *)&kernels_f64_portable : (const void *)&kernels_f32_portable;
    return ((void *const *)table)[BEFORE + i];
}
int panel_width(int is_double) {
    return (int)(is_double ? kernels_f64_portable.panel_width : kernels_f32_portable.panel_width);
}
"""


class Wide(int):
    """An integer of 64 bits, where others have those of a pointer or an int."""


class Kernels(Protocol):
    """Ways to call the table: `call(name, dtype, *arguments)`; `word` is an integer as wide as a pointer."""

    word: DTypeLike

    def call(self, name: str, dtype: DTypeLike, *arguments: Any) -> Any: ...

    def panel_width(self, dtype: DTypeLike) -> int: ...


def header_of_kernels() -> str:
    text = (ROOT / "src" / "simd" / "kernels.template.h").read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


# Name: what it returns, and the types of its arguments, in the order of the table.
KERNELS = {
    name: (result, [argument.strip() for argument in arguments.split(",")])
    for result, name, arguments in re.findall(r"(\w+) \(\*(\w+)\)\((.*?)\);", header_of_kernels(), flags=re.DOTALL)
}
NUMBERS = list(KERNELS)


def is_double(dtype: DTypeLike) -> int:
    return int(np.dtype(dtype) == np.float64)


class NativeKernels:
    """The table in a shared library of this system."""

    word = np.intp

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.kernel.restype = ctypes.c_void_p

    def panel_width(self, dtype: DTypeLike) -> int:
        return self._library.panel_width(is_double(dtype))

    def call(self, name: str, dtype: DTypeLike, *arguments: Any) -> Any:
        result, declared = KERNELS[name]
        types = {"double": ctypes.c_double, "int": ctypes.c_int, "uint64_t": ctypes.c_uint64, "void": None}
        types |= {"ptrdiff_t": ctypes.c_ssize_t, "REAL": (ctypes.c_float, ctypes.c_double)[is_double(dtype)]}
        wanted = [ctypes.c_void_p if "*" in each else types[each.split()[0]] for each in declared]
        address = self._library.kernel(is_double(dtype), NUMBERS.index(name))
        return ctypes.CFUNCTYPE(types[result], *wanted)(address)(*map(self._passed, arguments))

    def _passed(self, argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            return argument.ctypes.data
        if isinstance(argument, list):
            return ctypes.cast((ctypes.c_void_p * len(argument))(*map(self._passed, argument)), ctypes.c_void_p)
        return argument


class WebKernels:
    """The table as WebAssembly, in a process of Node that is told what to call."""

    word = np.int32

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def panel_width(self, dtype: DTypeLike) -> int:
        return int(self._ask(real=is_double(dtype), index=None))

    def call(self, name: str, dtype: DTypeLike, *arguments: Any) -> Any:
        told = [self._told(argument) for argument in arguments]
        answer = self._ask(real=is_double(dtype), index=NUMBERS.index(name), arguments=told)
        for array, text in zip(self._arrays(arguments), answer["arrays"], strict=True):
            array.reshape(-1).view(np.uint8)[:] = np.frombuffer(base64.b64decode(text), np.uint8)
        return answer["result"]

    def _ask(self, **call: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(call), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def _told(self, argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            assert argument.flags.c_contiguous
            return {"array": base64.b64encode(argument.tobytes()).decode()}
        if isinstance(argument, list):
            return {"arrays": [self._told(each) for each in argument]}
        if isinstance(argument, Wide):
            return {"integer": str(argument)}
        return argument if argument is None else {"number": argument}

    def _arrays(self, arguments: Sequence[Any]) -> Iterator[Array]:
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                yield argument
            elif isinstance(argument, list):
                yield from argument


def _compile(compiler: str, folder: Path, *flags: str) -> None:
    table = folder / "table.c"
    table.write_text(TABLE, encoding="utf-8")
    words = [compiler, *FLAGS, *INCLUDES, *map(str, [table, *SOURCES]), *flags]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr


@contextmanager
def native_kernels(compiler: str, folder: Path) -> Iterator[Kernels]:
    """Compile the table for this system and load it."""
    _compile(compiler, folder, "-O1", "-shared", "-fPIC", "-pthread", "-o", str(folder / "kernels.so"), "-lm")
    yield NativeKernels(folder / "kernels.so")


@contextmanager
def web_kernels(compiler: str, folder: Path, *flags: str) -> Iterator[Kernels]:
    """Compile the table to WebAssembly with emscripten, and run it in Node."""
    settings = ("MODULARIZE", "EXPORT_ES6", "ENVIRONMENT=node", "WASM_BIGINT")
    exported = "-sEXPORTED_FUNCTIONS=_kernel,_panel_width,_malloc,_free"
    seen = "-sEXPORTED_RUNTIME_METHODS=wasmTable,HEAPU8"
    module = folder / "kernels.mjs"
    _compile(compiler, folder, "-O2", *flags, *(f"-s{each}" for each in settings), exported, seen, "-o", str(module))
    command = [shutil.which("node") or "node", str(Path(__file__).with_name("call_kernels.mjs")), str(module)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield WebKernels(process)
        assert process.stdin is not None
        process.stdin.close()
