"""The floors of the house: imports go down, never up, and every module has its floor in the tables below.

A module may use its own floor as long as no ring of imports arises when modules are loaded; imports inside functions
count for the floors but not for the rings. The tables name modules of the design that may not exist yet.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cnn_core"
SOURCES = ROOT / "src"

# A name stands for itself and for everything below it.
PYTHON_FLOORS = {
    "cnn_core.cli": 6,
    "cnn_core.__main__": 6,
    "cnn_core.demo": 6,
    "cnn_core.table_commands": 6,
    "cnn_core.table_files": 6,
    "cnn_core.table_notation": 6,
    "cnn_core.table_targets": 6,
    "cnn_core.sklearn": 5,
    "cnn_core.interop": 5,
    "cnn_core": 5,  # the package itself: public names, for the floors above to use
    "cnn_core.models": 4,
    "cnn_core.interface": 4,
    "cnn_core.training": 4,
    "cnn_core.saving": 4,
    "cnn_core.inspection": 4,
    "cnn_core.callbacks": 4,
    "cnn_core.utils": 4,
    "cnn_core.figures": 4,
    "cnn_core.model_plot": 4,
    "cnn_core.progress": 4,
    "cnn_core.objectives": 4,
    "cnn_core.parameters": 4,
    "cnn_core.tensor_rules": 4,
    "cnn_core.passes": 4,
    "cnn_core.fitting": 4,
    "cnn_core.summary": 4,
    "cnn_core.predictor": 4,
    "cnn_core.layers": 3,
    "cnn_core.losses": 3,
    "cnn_core.metrics": 3,
    "cnn_core.optimizers": 3,
    "cnn_core.schedules": 3,
    "cnn_core.activations": 3,
    "cnn_core.initializers": 3,
    "cnn_core.regularizers": 3,
    "cnn_core.constraints": 3,
    "cnn_core.plan": 3,
    "cnn_core.graph": 3,
    "cnn_core.block": 3,
    "cnn_core.lbfgs": 3,
    "cnn_core.model_file": 3,
    "cnn_core.foreign_files": 3,
    "cnn_core.model_header": 3,
    "cnn_core.stored_weights": 3,
    "cnn_core.data": 3,
    "cnn_core.datasets": 3,
    "cnn_core.domains": 3,
    "cnn_core.keras_format": 3,
    "cnn_core.left_out": 3,
    "cnn_core.suggestions": 3,
    "cnn_core.display": 3,
    "cnn_core.validation": 3,
    "cnn_core.sparse": 3,
    "cnn_core.variables": 3,
    "cnn_core.config": 3,
    "cnn_core.random_state": 3,
    "cnn_core.arrays": 3,
    "cnn_core.serialization": 3,
    "cnn_core._version": 3,
    "cnn_core._core": 2,
}
# Folders of src/, from the ground up: a file cimports from its own folder and from those before it.
NATIVE_FOLDERS = ("numbers", "plan", "operations", "training", "door")
RUN_TIME_DEPENDENCIES = {"numpy"}


def floor(module: str) -> int | None:
    """Return the floor of a module of ours, None if neither it nor a subpackage around it is listed."""
    while module.count(".") > 1 and module not in PYTHON_FLOORS:
        module = module.rpartition(".")[0]
    return PYTHON_FLOORS.get(module)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
KNOWN = {*MODULES, "cnn_core._core"}


def imported(statement: ast.Import | ast.ImportFrom, importer: str) -> list[str]:
    """Return the modules that a statement imports, names of modules among what a package gives included."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    origin = statement.module or ""
    if statement.level:
        package = importer if MODULES[importer].name == "__init__.py" else importer.rpartition(".")[0]
        base = package.split(".")[: len(package.split(".")) - statement.level + 1]
        origin = ".".join([*base, *filter(None, [origin])])
    inner = [f"{origin}.{alias.name}" for alias in statement.names]
    return [name if name in KNOWN else origin for name in inner]


def is_for_type_checker(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(module: str, *, at_load: bool = False) -> Iterator[tuple[str, int]]:
    """Yield what a module imports and where; with at_load only what is imported when the module is loaded.

    Imports for the type checker alone are left out: they do not exist when the program runs.
    """
    waiting: list[ast.AST] = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, node.lineno) for name in imported(node, module))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and at_load:
            continue
        children = node.orelse if isinstance(node, ast.If) and is_for_type_checker(node) else ast.iter_child_nodes(node)
        waiting.extend(children)


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "cnn_core"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_floor(module: str):
    assert floor(module) is not None, f"{module} is not in PYTHON_FLOORS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str):
    own = floor(module)
    upward = [
        f"{MODULES[module].relative_to(ROOT)}:{line} imports {name}"
        for name, line in imports(module)
        if is_ours(name) and own is not None and (floor(name) or 0) > own
    ]
    assert not upward


@pytest.mark.parametrize("module", [name for name in MODULES if (floor(name) or 0) <= 4])
def test_lower_floors_need_only_the_dependencies_at_load(module: str):
    allowed = RUN_TIME_DEPENDENCIES | sys.stdlib_module_names | {"cnn_core"}
    foreign = [
        f"{MODULES[module].relative_to(ROOT)}:{line} imports {name}"
        for name, line in imports(module, at_load=True)
        if name.partition(".")[0] not in allowed
    ]
    assert not foreign


def test_no_ring_of_imports_at_load():
    graph = {
        module: {
            name for name, _ in imports(module, at_load=True) if name in MODULES and name not in (module, "cnn_core")
        }
        for module in MODULES
        if module != "cnn_core"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the ring


def cimports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the modules that a Cython file cimports, with the line."""
    statement = re.compile(r"\s*(?:from\s+([\w.]+)\s+cimport|cimport\s+([\w., ]+))")
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if match := statement.match(text):
            names = match[1] or match[2]
            yield from ((name.split(" as ")[0].strip(), line) for name in names.split(","))


NATIVE = {path.stem: path for path in sorted(SOURCES.rglob("*.pxd"))}
DOOR = [SOURCES / "_core.pyx", *sorted(SOURCES.glob("door/*.pxi"))]


@pytest.mark.parametrize("path", [*NATIVE.values(), *DOOR], ids=lambda path: path.name)
def test_every_cython_file_lies_on_a_floor(path: Path):
    assert path.name == "_core.pyx" or path.parent.name in NATIVE_FOLDERS


@pytest.mark.parametrize("path", NATIVE.values(), ids=lambda path: path.name)
def test_cimports_go_down(path: Path):
    own = NATIVE_FOLDERS.index(path.parent.name)
    upward = [
        f"{path.relative_to(ROOT)}:{line} cimports {name}"
        for name, line in cimports(path)
        if name in NATIVE and NATIVE_FOLDERS.index(NATIVE[name].parent.name) > own
    ]
    assert not upward


def test_the_door_is_every_room_once():
    included = re.findall(r'^include "(.*)"$', DOOR[0].read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(included) == [path.relative_to(SOURCES).as_posix() for path in DOOR[1:]]


def test_no_ring_of_cimports():
    graph = {module: {name for name, _ in cimports(path) if name in NATIVE} for module, path in NATIVE.items()}
    TopologicalSorter(graph).prepare()


def test_only_the_door_knows_python_objects():
    knowing = [
        module for module, path in NATIVE.items() if any("numpy" in n or "cpython" in n for n, _ in cimports(path))
    ]
    assert knowing == ["custom"], "arrays and objects of Python stop at floor 2"


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*/*.[ch]")), ids=lambda path: path.name)
def test_c_files_know_only_c(path: Path):
    includes = re.findall(r'^\s*#\s*include\s+([<"][^>"]+)', path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    beyond = [name for name in includes if "Python.h" in name or "numpy" in name or "_core" in name]
    elsewhere = [name for name in includes if name.startswith('"') and not (path.parent / name[1:]).exists()]
    assert not beyond
    assert not elsewhere, "floor 0's folders do not know each other"
