"""Write the API reference: a page for every face of the package, and one for every public name on it.

The pages are written before Sphinx looks for its sources, into `docs/api`, and only where they have changed.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy
from faces import faces
from members import documented_parents, shown_members

FOLDER = Path(__file__).resolve().parents[1] / "api"
# In the order in which they are met; a face that is not named here comes last.
ORDER = [
    "models", "layers", "activations", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks",
    "initializers", "regularizers", "constraints", "ops", "inspection", "sklearn", "dask", "distribution", "datasets",
    "utils", "saving", "interop", "random", "config", "config.mixed_precision",
]  # fmt: skip
# Operations that NumPy has under no name, or under that of something else.
BEYOND_NUMPY = {
    "erf": "The error function, `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to x.",
    "logsumexp": "Logarithm of the sum of exponentials, without overflow.",
    "rsqrt": "The reciprocal of the square root, `1 / sqrt(x)`.",
    "stop_gradient": "x itself, as a constant: no derivative goes back through it.",
}


def heading(text: str, line: str = "=") -> str:
    """Return a heading of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def indented(lines: Iterable[str]) -> str:
    """Return lines as the body of a directive."""
    return "".join(f"   {line}".rstrip() + "\n" for line in lines)


def table(rows: Sequence[str]) -> str:
    """Return a table of names and what they are."""
    return ".. list-table::\n" + indented([":class: api", ":widths: 30 70", "", *"\n".join(rows).splitlines()])


def toctree(pages: Iterable[str]) -> str:
    """Return what makes pages the children of this one, unseen."""
    return ".. toctree::\n" + indented([":hidden:", "", *pages])


def page_names(face: str, names: Sequence[str]) -> dict[str, str]:
    """Return the page of every name: two names that differ in case only need two files on every system."""
    lower = [name.lower() for name in names]
    function = {name for name in names if lower.count(name.lower()) > 1 and name == name.lower()}
    return {name: f"{face}.{name}{'-function' if name in function else ''}" for name in names}


@cache
def _objects() -> list[tuple[str, str, Any]]:
    """Return every public name with its face and what it stands for; the package's own face comes last."""
    found = [(face, name) for face, names in faces().items() for name in names]
    ordered = sorted(found, key=lambda each: each[0] == "cnn_core")
    return [(face, name, getattr(importlib.import_module(face), name)) for face, name in ordered]


def home(face: str, name: str) -> str:
    """Return the full name under which an object is described: the same object may stand on several faces."""
    value = getattr(importlib.import_module(face), name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return f"{face}.{name}"
    if inspect.isroutine(value) and face != "cnn_core":
        return f"{face}.{name}"
    return next(f"{other}.{known}" for other, known, each in _objects() if each is value)


def signature(value: Any) -> str:
    """Return the arguments with their defaults, without types, which the docstring tells."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    found = inspect.signature(value)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def describe(face: str, name: str) -> str:
    """Return the directive that documents one name."""
    value = getattr(importlib.import_module(face), name)
    kind = "class" if inspect.isclass(value) else "function"
    if (described := home(face, name)) != f"{face}.{name}":
        return f".. py:{kind}:: {name}\n\n   The same as `{described}`.\n"
    if inspect.isclass(value):
        return described_class(name, value)
    if inspect.isroutine(value):
        return f".. autofunction:: {name}\n"
    if callable(value):
        return described_function(face, name, value)
    return f".. py:data:: {name}\n   :value: {value!r}\n"


def described_class(name: str, cls: type) -> str:
    """Return what to say of a class: its docstring, its own members, and where those of its parents are."""
    documented = {each: f"{face}.{known}" for face, known, each in reversed(_objects()) if inspect.isclass(each)}
    members = shown_members(cls, documented)
    options = indented([f":members: {', '.join(members)}"]) if members else ""
    parents = [f"`{documented[each]}`" for each in documented_parents(cls, documented)]
    more = f"\nIt also has the methods and attributes of {' and '.join(parents)}.\n" if parents else ""
    return f".. autoclass:: {name}{signature(cls)}\n{options}{more}"


def described_function(face: str, name: str, value: Any) -> str:
    """Return what to say of an object that stands for a function: an activation, or an operation of `ops`."""
    cls = type(value)
    if face == "cnn_core.ops":
        arguments, said = of_operation(name, value)
    else:
        arguments = signature(value)
        said = f"{inspect.getdoc(cls).splitlines()[0]}\n\n`{face}.{cls.__name__}` tells the rest."
    return f".. py:function:: {name}{arguments}\n\n" + indented(said.splitlines())


def of_operation(name: str, value: Any) -> tuple[str, str]:
    """Return the arguments and the meaning of an operation, those of NumPy's function of its name if there is one."""
    known = getattr(numpy, name, None)
    summary = BEYOND_NUMPY.get(name) or _summary(inspect.getdoc(known) or "")
    arguments = "(x1, x2)" if getattr(known, "nin", 1) == 2 else "(x)"
    if not isinstance(known, numpy.ufunc) and "axis" in inspect.signature(value).parameters:
        arguments = signature(value)
    said = "On arrays NumPy computes it; on symbols it is an operation of the graph, which native code differentiates."
    return arguments, f"{summary}\n\n{said}"


def _summary(documented: str) -> str:
    texts = (" ".join(text.split()) for text in documented.split("\n\n"))
    return next(text for text in texts if re.match(r"[A-Z][^(]*[a-z ]", text) and "(" not in text.split(" ")[0])


def name_page(face: str, name: str) -> str:
    """Return the page of one name."""
    return f"{heading(name)}\n.. currentmodule:: {face}\n\n{describe(face, name)}"


def face_page(face: str, names: Sequence[str]) -> str:
    """Return the page of a face: what it is for, and its names in tables."""
    module = importlib.import_module(face)
    title, _, rest = (inspect.getdoc(module) or "").partition("\n\n")
    pages = page_names(face, names)
    classes = [name for name in names if inspect.isclass(getattr(module, name))]
    others = [name for name in names if name not in classes]
    parts = [heading(face), f".. module:: {face}\n", f"{title}\n", f"{rest}\n"]
    for section, members in (("Classes", classes), ("Functions", others)):
        if members:
            ordered = sorted(members, key=str.lower)
            rows = [f"* - :doc:`{name} <{pages[name]}>`\n  - {first_line(module, name)}" for name in ordered]
            parts += [heading(section, "-"), table(rows)]
    return "\n".join([*parts, toctree(pages[name] for name in sorted(names, key=str.lower))])


def first_line(module: Any, name: str) -> str:
    """Return the line that tells what a name is."""
    value = getattr(module, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    if not callable(value):
        return f"``{value!r}``"
    if module.__name__ == "cnn_core.ops":
        return of_operation(name, value)[1].split("\n")[0]
    return (inspect.getdoc(type(value)) or "").splitlines()[0]


def index_page(found: Iterable[str]) -> str:
    """Return the page that leads to the faces."""
    rows = []
    for face in found:
        said = (inspect.getdoc(importlib.import_module(face)) or "").splitlines()[0]
        rows.append(f"* - :doc:`{face}`\n  - {said}")
    said = "What is public, and how long it stays: :doc:`/stability`. What differs from Keras: :doc:`/keras`."
    return "\n".join([heading("API reference"), f"{said}\n", table(rows), toctree(found)])


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    found = faces()
    place = {"cnn_core": -1} | {f"cnn_core.{name}": number for number, name in enumerate(ORDER)}
    ordered = sorted(found, key=lambda face: place.get(face, len(place)))
    written = {"index": index_page(ordered)}
    for face in ordered:
        written[face] = face_page(face, found[face])
        written |= {page: name_page(face, name) for name, page in page_names(face, found[face]).items()}
    return written


def write(*_: object) -> None:
    """Write the pages that have changed, and take away those of names that are gone."""
    FOLDER.mkdir(exist_ok=True)
    written = {f"{name}.rst": text for name, text in pages().items()}
    for path in FOLDER.iterdir():
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before sources are looked for."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
