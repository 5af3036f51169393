"""Models as plain C: one header and one source file that need nothing but <math.h>."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.foundation.version as version
from cnn_core.foundation.arrays import Array
from cnn_core.interop.c_functions import functions_for
from cnn_core.interop.c_operations import Statements, passes_through, write_operation
from cnn_core.interop.calls import calls_of
from cnn_core.network.plan import NetworkPlan

WEIGHTS = ("const", "extern", "float16")
_KEYWORDS = """
alignas alignof and asm auto bool break case catch char class const continue default delete do double else enum explicit
export extern false float for friend goto if inline int long mutable namespace new not operator or private protected
public real register restrict return short signed sizeof static struct switch template this throw true try typedef
typename union unsigned using virtual void volatile weight while xor
"""


def to_c(model: Any, path: Any, *, name: str | None = None, weights: str = "const") -> list[Path]:
    """Write a model as C99 that also compiles as C++: no allocation, no state, no library but libm.

    Parameters
    ----------
    model : Model
        With one input or several. What acts in training only is left out.
    path : str or path-like
        Of the source, such as "iris.c"; the header goes beside it, as "iris.h".
    name : str, default None
        What the functions' names begin with. None: the file's name.
    weights : {"const", "extern", "float16"}, default "const"
        "const": constants in the source. "extern": the source only declares one array, and a third file,
        "iris_weights.c", defines it, so that the weights can be linked or placed by themselves. "float16": constants of
        16 bits, rounded to 11 significant bits, of which numbers are made as they are read: half the memory, slower.

    Returns
    -------
    list of pathlib.Path
        The files that were written, the source first.

    Raises
    ------
    ValueError
        If a layer calls Python or draws random numbers in prediction, by its name; if a weight is too large for
        float16, or `name` is no identifier of C.

    Notes
    -----
    ``int iris_predict(const float *x, float *y)`` answers for one sample, ``iris_predict_rows(x, y, n_rows)`` for
    several that lie one behind the other; `double` stands for `float` in a model of float64. Inputs and outputs must
    not overlap. Both return 0, or 1 if a number that a layer looks up is none of its entries. The source says how many
    bytes of the stack its buffers take. Functions may be called from several threads at a time.

    Sums go in the order of the core's, one input after another. A compiler that fuses multiplications and additions
    (gcc and clang do with ``-O2 -march=native -ffp-contract=fast``) rounds as the core does on machines that have the
    instruction.

    Examples
    --------
    >>> import tempfile
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in to_c(model, folder + "/net.c")]
    ['net.c', 'net.h']
    """
    source = Path(os.fspath(path))
    if source.suffix != ".c":
        raise ValueError(f"`path` must end in .c. Received: path={str(source)!r}")
    name = identifier(source.stem) if name is None else checked_name(name)
    weights = validation.choice(weights, "weights", WEIGHTS)
    calls_of(model)  # refuses what is no model, or is called as in training
    network = Network(model.plan(), model.dtype, name, weights)
    interface = Interface(name, model.dtype, tuple(model.input_names), tuple(model.output_names), network)
    texts = {source: _source(interface, source.stem), source.with_suffix(".h"): _header(interface, model)}
    if weights == "extern":
        texts[source.with_name(f"{source.stem}_weights.c")] = _weights(interface, source.stem)
    for file, text in texts.items():
        file.write_text(text, "ascii")
    return list(texts)


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

    def __init__(self, dtype: Any, name: str, weights: str) -> None:
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

    def _written(self, kind: str, array: Array, text: str) -> str:
        (name,) = unique_identifiers([text], [each.partition("[")[0].rpartition(" ")[2] for each in self.texts])
        self.texts.append(f"static const {kind} {name}{initialized(array)}")
        return name


def initialized(array: Array) -> str:
    """Return the size and the values of a C array; C has none without elements."""
    values = array if array.size else np.zeros(1, array.dtype)
    suffix = "f" if values.dtype == np.float32 else ""
    numbers = [f"{text}{suffix}" for text in values.astype(str).tolist()]
    lines, line = [], ""
    for number in numbers:
        if line and len(line) + len(number) > 112:
            lines.append(line)
            line = ""
        line += f"{number}, "
    return (
        f"[{values.size}] = {{\n    " + "\n    ".join([*(each.rstrip() for each in lines), line.rstrip(", ")]) + "};\n"
    )


class Network:
    """The body of a function that runs a plan on one sample.

    Attributes
    ----------
    constants : Constants
    body : list of str
        Statements; the function's arguments are x0, x1, ... and y0, y1, ...
    n_bytes : int
        Of the buffers on the stack.
    input_sizes, output_sizes : list of int
    """

    def __init__(self, plan: NetworkPlan, dtype: Any, name: str, weights: str) -> None:
        self.dtype = np.dtype(dtype)
        self.constants = Constants(dtype, name, weights)
        s = Statements(plan, self.dtype, self.constants.weight, self.constants.table)
        self.input_sizes = [s.size(buffer) for buffer in plan.inputs]
        self.output_sizes = [s.size(buffer) for buffer in plan.outputs]
        buffers = _Buffers(s)
        for at, operation in enumerate(plan.operations):
            if operation.output in operation.inputs or passes_through(operation):
                continue
            s.places[operation.output] = buffers.place(operation.output, at)
            for source in operation.inputs:
                s.places[source] = buffers.place(source, at)
            write_operation(s, operation)
            buffers.release(at)
        for number, buffer in enumerate(plan.outputs):
            found = buffers.place(buffer, len(plan.operations))
            if found != f"y{number}":
                size = s.size(buffer)
                s.call("place_rows", f"y{number}", found, 1, size, size)
        slots = [f"real slot_{number}[{size}];" for number, size in enumerate(buffers.sizes)]
        self.body = [*slots, *s.lines]
        self.n_bytes = sum(buffers.sizes) * self.dtype.itemsize
        self.looks_up = any(line.startswith("outside") for line in s.lines)


class _Buffers:
    """Where each buffer of a plan is while a sample is computed: those that are read no more lend their memory."""

    def __init__(self, s: Statements) -> None:
        self._s, self._plan = s, s.plan
        self._roots: dict[int, int] = {}
        for operation in s.plan.operations:
            if passes_through(operation) and operation.output not in operation.inputs:
                self._roots[operation.output] = self._root(operation.inputs[0])
        self._last = {self._root(source): at for at, each in enumerate(s.plan.operations) for source in each.inputs}
        self._places = {buffer: f"x{number}" for number, buffer in enumerate(s.plan.inputs)}
        for number, buffer in enumerate(s.plan.outputs):
            self._places.setdefault(self._root(buffer), f"y{number}")
        self._free: list[int] = []
        self._slots: dict[int, int] = {}
        self.sizes: list[int] = []

    def _root(self, buffer: int) -> int:
        return self._roots.get(buffer, buffer)

    def place(self, buffer: int, at: int) -> str:
        """Return the name of a buffer's memory, choosing it when it is first written."""
        root = self._root(buffer)
        if root not in self._places:
            slot = self._slots[root] = self._slot(self._s.size(root))
            self._places[root] = f"slot_{slot}"
        return self._places[root]

    def _slot(self, size: int) -> int:
        fitting = sorted(self._free, key=lambda slot: (self.sizes[slot] < size, abs(self.sizes[slot] - size)))
        if not fitting:
            self.sizes.append(0)
            fitting = [len(self.sizes) - 1]
        else:
            self._free.remove(fitting[0])
        self.sizes[fitting[0]] = max(self.sizes[fitting[0]], size, 1)
        return fitting[0]

    def release(self, at: int) -> None:
        """Free the memory of what no operation after this one reads."""
        for root, slot in list(self._slots.items()):
            if self._last.get(root, -1) <= at:
                self._free.append(slot)
                del self._slots[root]


class Interface(NamedTuple):
    """The functions of a network."""

    name: str
    dtype: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    network: Network

    @property
    def type(self) -> str:
        return "float" if self.dtype == "float32" else "double"

    def arguments(self, more: str = "") -> str:
        """Return the parameters of a function, named as the model names inputs and outputs."""
        names = unique_identifiers([*self.inputs, *self.outputs], ["n_rows"])
        given = [f"const {self.type} *{name}" for name in names[: len(self.inputs)]]
        return ", ".join([*given, *(f"{self.type} *{name}" for name in names[len(self.inputs) :])]) + more

    def numbered(self, more: str = "") -> str:
        """Return the same with the numbered names that the body uses."""
        given = [f"const {self.type} *x{number}" for number in range(len(self.inputs))]
        return ", ".join([*given, *(f"{self.type} *y{number}" for number in range(len(self.outputs)))]) + more


def prologue(dtype: Any, weights: str, body: str, constants: Constants, name: str) -> str:
    """Return what stands before the functions of a source file: types, constants and the functions that it calls."""
    kind, suffix = ("float", "##f") if np.dtype(dtype) == np.float32 else ("double", "")
    stored = "unsigned short" if weights == "float16" else "real"
    value = "half_precision(w)" if weights == "float16" else "(w)"
    functions = functions_for(body)
    if weights == "float16" and "VALUE(" in functions:
        functions = functions_for("half_precision(" + body)  # which VALUE calls
    used = body + functions
    lines = [
        "#include <math.h>",
        "#include <stddef.h>",
        "",
        f"typedef {kind} real;",
        *([f"typedef {stored} weight;"] if "weight " in used or constants.texts else []),
        *([f"#define VALUE(w) {value}"] if "VALUE(" in used else []),
        *([f"#define MATH(function) function{suffix}"] if "MATH(" in used else []),
        "",
    ]
    if weights == "extern":
        lines += [f"extern const weight {name}_weights[{max(constants.flat.size, 1)}];", ""]
    return "\n".join(lines) + "\n" + "\n".join([*constants.texts, functions])


def _source(interface: Interface, stem: str) -> str:
    network, name = interface.network, interface.name
    body = "\n".join(f"    {line}" for line in network.body)
    start = prologue(interface.dtype, network.constants.weights, body, network.constants, name)
    advance = [f"x{number} += {size}" for number, size in enumerate(network.input_sizes)]
    advance += [f"y{number} += {size}" for number, size in enumerate(network.output_sizes)]
    handed = ", ".join(
        [f"x{n}" for n in range(len(interface.inputs))] + [f"y{n}" for n in range(len(interface.outputs))]
    )
    outside = "    int outside = 0;\n" if network.looks_up else ""
    return f"""\
/* Written by cnn_core {version.__version__}. Buffers on the stack: {network.n_bytes} bytes. */
#include "{stem}.h"

{start}
int {name}_predict({interface.numbered()})
{{
{outside}{body}
    return {"outside != 0" if outside else "0"};
}}

int {name}_predict_rows({interface.numbered(", size_t n_rows")})
{{
    int failed = 0;
    for (; n_rows > 0; n_rows--, {", ".join(advance)})
        failed |= {name}_predict({handed});
    return failed;
}}
"""


def _header(interface: Interface, model: Any) -> str:
    name, network = interface.name, interface.network
    names = unique_identifiers([*interface.inputs, *interface.outputs], ["n_rows"])
    shapes = [*(symbol.shape for symbol in model.inputs), *model.output_shapes]
    sizes = [*network.input_sizes, *network.output_sizes]
    listed = "".join(
        f"\n   {each}: {size} numbers" + (f", shape {tuple(shape[1:])}" if len(shape) > 2 else "")
        for each, size, shape in zip(names, sizes, shapes, strict=True)
    )
    metadata = "".join(f"\n   {key}: {text}" for key, text in _comment_safe(model.metadata).items())
    return declarations(
        name,
        f"""\
/* One sample:{listed}
   Inputs and outputs must not overlap. Returns 0, or 1 if a number that is looked up is no entry.{metadata} */
int {name}_predict({interface.arguments()});

/* The same for n_rows samples, one behind the other. */
int {name}_predict_rows({interface.arguments(", size_t n_rows")});
""",
    )


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


def _comment_safe(metadata: Mapping[str, str]) -> dict[str, str]:
    def safe(text: str) -> str:
        return ascii(text)[1:-1].replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /")

    return {safe(key): safe(text) for key, text in metadata.items()}


def _weights(interface: Interface, stem: str) -> str:
    flat = interface.network.constants.flat
    return f"""\
/* Written by cnn_core {version.__version__}: the weights that {stem}.c reads. */
extern const {interface.type} {interface.name}_weights[{max(flat.size, 1)}];
const {interface.type} {interface.name}_weights{initialized(flat)}"""
