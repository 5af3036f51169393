"""What every C file that is written here has: names, constants, types, and the frame of a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.foundation.version as version
from cnn_core.foundation.arrays import Array
from cnn_core.interop.c_functions import functions_for

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


_KEYWORDS = """
alignas alignof and asm auto bool break case catch char class const continue default delete do double else enum explicit
export extern false float for friend goto if inline int long mutable namespace new not operator or private protected
public real register restrict return short signed sizeof static struct switch template this throw true try typedef
typename union unsigned using virtual void volatile weight while xor
"""


def checked_name(name: str) -> str:
    """Return a name for functions, or raise ValueError if it is no identifier of C."""
    name = validation.text(name, "name")
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in _KEYWORDS.split():
        raise ValueError(f"`name` must be an identifier of C, such as 'iris'. Received: name={name!r}")
    return name


def identifier(text: str) -> str:
    """Return an identifier of C that is like a text.

    Examples
    --------
    >>> identifier("my net-2"), identifier("2nd"), identifier("double")
    ('my_net_2', '_2nd', 'double_')
    """
    found = re.sub(r"\W", "_", text, flags=re.ASCII) or "_"
    found = f"_{found}" if found[0].isdigit() else found
    return f"{found}_" if found in _KEYWORDS.split() else found


def unique_identifiers(texts: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return an identifier for each text, all different.

    Examples
    --------
    >>> unique_identifiers(["a b", "a-b", "x"], ["x"])
    ['a_b', 'a_b_2', 'x_2']
    """
    found: list[str] = []
    for text in texts:
        wanted, number = identifier(text), 1
        chosen = wanted
        while chosen in found or chosen in taken:
            number += 1
            chosen = f"{wanted}_{number}"
        found.append(chosen)
    return found


class Constants:
    """The arrays of a source file: parameters, in the form that `weights` asks for, and other tables.

    Parameters
    ----------
    dtype : dtype
        Of the parameters.
    name : str
        What a name that other files see begins with.
    weights : {"const", "extern", "float16"}
    """

    def __init__(self, dtype: DTypeLike, name: str, weights: str) -> None:
        self.dtype, self.name, self.weights = np.dtype(dtype), name, weights
        self.texts: list[str] = []
        self._stored: dict[tuple[str, bytes], str] = {}
        self._outside: list[Array] = []

    @property
    def flat(self) -> Array:
        """The parameters that stand outside, one behind the other."""
        return np.concatenate([np.zeros(0, self.dtype), *self._outside])

    def weight(self, array: Array, path: str) -> str:
        """Add a parameter and return its address; equal arrays are one."""
        array = np.ascontiguousarray(array, self.dtype).reshape(-1)
        key = (array.dtype.str, array.tobytes())
        if key not in self._stored:
            self._stored[key] = self._kept(array, path)
        return self._stored[key]

    def _kept(self, array: Array, path: str) -> str:
        if self.weights == "extern":
            first = self.flat.size
            self._outside.append(array)
            return f"{self.name}_weights + {first}"
        if self.weights == "const":
            return self._written("weight", array, f"weights_{path}")
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"`weights` must be 'const' or 'extern': {path} holds numbers too large for float16")
        return self._written("weight", half.view(np.uint16), f"weights_{path}")

    def table(self, array: Array, name: str) -> str:
        """Add numbers that stay what they are, float64 or sizes, and return their address."""
        key = (array.dtype.str + name, array.tobytes())
        if key not in self._stored:
            kind = "size_t" if array.dtype.kind == "i" else "double"
            self._stored[key] = self._written(kind, array, f"table_{name}")
        return self._stored[key]

    def outside(self, stem: str) -> str:
        """Return the text of the file that holds the parameters which the source only declares."""
        kind = "float" if self.dtype == np.float32 else "double"
        return f"""\
/* Written by cnn_core {version.__version__}: the weights that {stem}.c reads. */
#include <math.h> /* of which weights that are no numbers need the names */

extern const {kind} {self.name}_weights[{max(self.flat.size, 1)}];
const {kind} {self.name}_weights{initialized(self.flat)}"""

    def _written(self, kind: str, array: Array, text: str) -> str:
        (name,) = unique_identifiers([text], [each.partition("[")[0].rpartition(" ")[2] for each in self.texts])
        self.texts.append(f"static const {kind} {name}{initialized(array)}")
        return name


# What C calls floats that are no numbers.
NO_NUMBERS = {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}


def initialized(array: Array) -> str:
    """Return the size and the values of a C array; C has none without elements."""
    values = array if array.size else np.zeros(1, array.dtype)
    suffix = "f" if values.dtype == np.float32 else ""
    numbers = [NO_NUMBERS.get(text, f"{text}{suffix}") for text in values.astype(str).tolist()]
    lines, line = [], ""
    for number in numbers:
        if line and len(line) + len(number) > 112:
            lines.append(line)
            line = ""
        line += f"{number}, "
    return (
        f"[{values.size}] = {{\n    " + "\n    ".join([*(each.rstrip() for each in lines), line.rstrip(", ")]) + "};\n"
    )


# a b + c, rounded once as the core does where the machine can: of floats, a double holds the product whole.
_FUSED = {
    "float": """\
#ifdef FP_FAST_FMAF
#define FUSED(a, b, c) fmaf(a, b, c)
#else
#define FUSED(a, b, c) ((float)((double)(a) * (b) + (c)))
#endif""",
    "double": """\
#ifdef FP_FAST_FMA
#define FUSED(a, b, c) fma(a, b, c)
#else
#define FUSED(a, b, c) ((a) * (b) + (c))
#endif""",
}


def prologue(constants: Constants, body: str) -> str:
    """Return what stands before the functions of a source file: types, constants and the functions that it calls."""
    kind, suffix = ("float", "##f") if constants.dtype == np.float32 else ("double", "")
    half = constants.weights == "float16"
    functions = functions_for(body)
    if half and "VALUE(" in functions:
        functions = functions_for("half_precision(" + body)  # which VALUE calls
    used = body + functions
    lines = [
        "#include <math.h>",
        "#include <stddef.h>",
        *(["#include <string.h>"] if re.search(r"\b(strcmp|memset)\(", used) else []),
        "",
        f"typedef {kind} real;",
        *([f"typedef {'unsigned short' if half else 'real'} weight;"] if "weight " in used or constants.texts else []),
        *([f"#define VALUE(w) {'half_precision(w)' if half else '(w)'}"] if "VALUE(" in used else []),
        *([_FUSED[kind]] if "FUSED(" in used else []),
        *([f"#define MATH(function) function{suffix}"] if "MATH(" in used else []),
        "",
    ]
    if constants.weights == "extern":
        lines += [f"extern const weight {constants.name}_weights[{max(constants.flat.size, 1)}];", ""]
    return "\n".join(lines) + "\n" + "\n".join([*constants.texts, functions])


def declarations(name: str, text: str) -> str:
    """Return a header with these declarations."""
    guard = f"{name.upper()}_H"
    return f"""\
/* Written by cnn_core {version.__version__}. */
#ifndef {guard}
#define {guard}

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif

{text}
#ifdef __cplusplus
}}
#endif

#endif
"""


def comment_safe(text: str) -> str:
    r"""Return a text as a comment of C may hold it.

    Examples
    --------
    >>> print(comment_safe("ends */ here, \u00fc"))
    ends * / here, \xfc
    """
    return ascii(text)[1:-1].replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /")


def c_string(text: str) -> str:
    r"""Return a text as a string of C, in UTF-8.

    Examples
    --------
    >>> print(c_string('a "b"'), c_string("\u00e91"))
    "a \042b\042" "\303\2511"
    """
    safe = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~")
    written = (chr(b) if (b < 128 and chr(b).isalnum()) or b in safe else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(written)}"'
