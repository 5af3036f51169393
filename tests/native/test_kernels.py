"""src/numbers/kernels.pxd says in Cython what src/simd/kernels.template.h does in C.

After a change of the latter write it again: python tests/native/test_kernels.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import cnn_core._core as _core

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "src" / "simd" / "kernels.template.h"
WRITTEN = ROOT / "src" / "numbers" / "kernels.pxd"
WIDTH = 120
# Kernels whose names mean something else in Cython, or would.
CALLED = {"exp": "vector_exp", "log": "vector_log", "scale": "scale_by", "softmax": "softmax_rows"}
OPENING = """\
# The table of kernels of src/simd as fused functions: the fork between float and double has its one home here.
# Floor 1. Written by tests/native/test_kernels.py from src/simd/kernels.template.h, where formulas and contracts stand.
# An argument `typed`, here and elsewhere, is there for its type alone, float or double.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rules cimport hyperparameters, step_scalars

ctypedef fused real:
    float
    double

cdef extern from "simd/kernels.h" nogil:
    enum:
        LARGEST_PANEL
    ctypedef struct block_ahead:
        const char *row
        Py_ssize_t n_rows, n_bytes, stride
    ctypedef struct panel_settings:
        Py_ssize_t n_rows, n_cols, n_k, y_row, x_row, x_k, w_k, gate_row, spare_cols
        int accumulate, clamp
        const block_ahead *ahead
"""
TABLES = """
    const kernels_f32 *simd_f32
    const kernels_f64 *simd_f64
    const char *simd_select(const char *wanted)
    int simd_available(const char **names, int capacity)


cdef inline Py_ssize_t panel_width(const real *typed) noexcept nogil:
    if real is float:
        return simd_f32.panel_width
    else:
        return simd_f64.panel_width
"""


class Kernel(NamedTuple):
    """A member of the table; arguments with REAL for the element type."""

    result: str
    name: str
    arguments: tuple[str, ...]

    def typed(self, real: str) -> list[str]:
        return [each.replace("REAL", real) for each in self.arguments]

    @property
    def passed(self) -> list[str]:
        return [re.findall(r"\w+", each)[-1] for each in self.arguments]


def kernels() -> list[Kernel]:
    """Read the table's members from the header."""
    code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = []
    for result, name, arguments in re.findall(r"(\w+) \(\*(\w+)\)\((.*?)\);", code, flags=re.DOTALL):
        cython = arguments.replace("ptrdiff_t", "Py_ssize_t").replace("*const *", "**")
        found.append(Kernel(result, name, tuple(" ".join(each.split()) for each in cython.split(","))))
    return found


def wrapped(opening: str, parts: list[str], closing: str) -> str:
    """Lay out a list of arguments, what does not fit on a line below the first of them."""
    lines, indent = [opening], len(opening)
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        piece = part + (closing if is_last else ",")
        space = "" if lines[-1].endswith("(") else " "
        if len(lines[-1] + space + piece) > WIDTH:
            lines.append(" " * indent + piece)
        else:
            lines[-1] += space + piece
    return "\n".join(lines)


def table(suffix: str, real: str) -> str:
    members = [
        wrapped(f"        {each.result} (*{each.name})(", each.typed(real), ") noexcept nogil") for each in kernels()
    ]
    head = f"    ctypedef struct kernels_{suffix}:\n        const char *instruction_set\n        Py_ssize_t panel_width"
    return "\n".join([head, *members])


def function(kernel: Kernel) -> str:
    """Return the fused function that calls a kernel of either table."""
    called = CALLED.get(kernel.name, kernel.name)
    head = wrapped(f"cdef inline {kernel.result} {called}(", kernel.typed("real"), ") noexcept nogil:")
    returns = "" if kernel.result == "void" else "return "

    def call(suffix: str, indent: str) -> str:
        return wrapped(f"{indent}{returns}simd_{suffix}.{kernel.name}(", kernel.passed, ")")

    if not any("REAL" in each for each in kernel.arguments):
        return f"{head}\n{call('f32', '    ')}"
    return f"{head}\n    if real is float:\n{call('f32', ' ' * 8)}\n    else:\n{call('f64', ' ' * 8)}"


def written() -> str:
    """Return the text of kernels.pxd."""
    extern = "\n".join([OPENING, table("f32", "float"), "", table("f64", "double")])
    return "\n\n\n".join([extern + "\n" + TABLES.rstrip("\n"), *map(function, kernels())]) + "\n"


def test_cython_declares_what_the_header_says():
    assert WRITTEN.read_text(encoding="utf-8") == written(), "python tests/native/test_kernels.py writes it again"


def test_the_header_is_read_whole():
    code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(kernels()) == code.count("(*") >= 28


def test_the_table_in_use_is_one_of_those_that_run_here():
    assert _core.instruction_set() in _core.instruction_sets()


if __name__ == "__main__":
    WRITTEN.write_text(written(), encoding="utf-8")
