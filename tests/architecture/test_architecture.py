"""The floors of the package: imports go down, never up, and every room has its floor in the table below.

A room is a package of cnn_core or a module beside them. Rooms of one floor do not know each other, and within a package
no module is imported by one that it imports. Imports inside functions and for the type checker count as all others do.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cnn_core"

# From the ground up. The native core lies below all of them.
FLOORS = (
    {"foundation"},
    {
        "config",
        "data",
        "datasets",
        "activations",
        "losses",
        "optimizers",
        "regularizers",
        "constraints",
        "callbacks",
        "distribution",
    },
    {"initializers", "metrics"},
    {"network"},
    {"ops"},
    {"layers", "training"},
    {"interop"},
    {"inspection", "saving", "utils"},
    {"models"},
    {"sklearn"},
    {"dask", "random"},
    {"cnn_core"},  # the public names
    {"commands"},
    {"__main__"},
)
NEEDS_MORE = ("sklearn", "dask", "commands", "__main__")  # than the dependencies of a plain installation
RUN_TIME_DEPENDENCIES = {"numpy"}
LONGEST = 600  # lines of a file
# Modules that users import from and that hold nothing but the names of what lies in a room below.
FACES = {"cnn_core", "dask", "random"}
# In a drawing of the imports, which the faces frame, and of which __main__ is no part. How ranks share a training is
# neither data nor a description of a network, so it is a room by itself: distribution.
MOST_ROOMS = 25
# Lines with a parameter or an attribute of which the type checker knows nothing: what users override in a type of
# their choice, and what comes of packages without types. Everything else says what it is, `object` if anything goes.
MOST_ANY = 700
# Scripts that record what other libraries compute, and whose length is that of what there is to record.
LONG_ANYWAY = {"tests/agreement/golden/record_keras.py"}
# What looks inside a model by its nature; everything else leaves alone the private names of other packages.
LOOKS_INSIDE = {
    "cnn_core.inspection.tracing",
    "cnn_core.inspection.checks",
    "cnn_core.saving",
    "cnn_core.models.sequential",
}
FOREIGN = {
    "_replace",
    "_asdict",
    "_flatten_layers",
    "_getframe",
    "_bit_generator",
    "_SubParsersAction",
    "_label_binarizer",
    "_meta",
    "_meta_nonempty",
}
# Modules without a test of their own name, and the tests in which they are worked hardest.
TESTED_IN = {
    "cnn_core.commands.table_notation": "commands/test_tables.py",
    "cnn_core.commands.table_targets": "commands/test_tables.py",
    "cnn_core.dask": "sklearn/dask/test_dask.py",
    "cnn_core.foundation.descriptions": "losses/test_losses.py",
    "cnn_core.foundation.domains": "training/test_objectives.py",
    "cnn_core.foundation.figures": "callbacks/test_history.py",
    "cnn_core.foundation.left_out": "architecture/test_keras_surface.py",
    "cnn_core.foundation.model_header": "whole/test_hostile_files.py",
    "cnn_core.foundation.names": "typing/test_typing.py",
    "cnn_core.foundation.painting": "inspection/test_pictures.py",
    "cnn_core.foundation.replacement": "foundation/test_model_file.py",
    "cnn_core.foundation.stored_weights": "whole/test_hostile_files.py",
    "cnn_core.foundation.structures": "models/test_models.py",
    "cnn_core.foundation.suggestions": "foundation/test_serialization.py",
    "cnn_core.foundation.version": "architecture/test_packaging.py",
    "cnn_core.interop.keras_weights": "interop/test_keras_files.py",
    "cnn_core.interop.onnx_activations": "interop/test_onnx_writer.py",
    "cnn_core.interop.onnx_formulas": "interop/test_onnx_known.py",
    "cnn_core.interop.onnx_layers": "interop/test_onnx_writer.py",
    "cnn_core.interop.onnx_operators": "interop/test_onnx_reader.py",
    "cnn_core.interop.torch_expressions": "interop/test_torch.py",
    "cnn_core.interop.torch_layers": "interop/test_torch.py",
    "cnn_core.interop.torch_reader": "interop/test_torch.py",
    "cnn_core.interop.torch_writer": "interop/test_torch.py",
    "cnn_core.network.applying": "optimizers/test_applying.py",
    "cnn_core.network.block": "inspection/test_inspection.py",
    "cnn_core.network.built_model": "models/test_summary.py",
    "cnn_core.network.custom": "whole/test_robustness.py",
    "cnn_core.network.interface": "models/test_models.py",
    "cnn_core.network.model_plot": "test_utils.py",
    "cnn_core.network.operators": "ops/test_ops.py",
    "cnn_core.network.plan": "layers/test_layers.py",
    "cnn_core.network.tensor_rules": "training/test_penalties_in_training.py",
    "cnn_core.network.tracing": "ops/test_tracing.py",
    "cnn_core.random": "ops/test_random.py",
    "cnn_core.sklearn.fit_tasks": "sklearn/perceptron/test_callbacks.py",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}
KNOWN = {*MODULES, "cnn_core._core"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def floor(module: str) -> int:
    """Return the floor of a module of ours, -1 for the native core."""
    if module == "cnn_core._core":
        return -1
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def imported(statement: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the modules that a statement imports, names of modules among what a package gives included."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    origin = statement.module or ""
    inner = [f"{origin}.{alias.name}" for alias in statement.names]
    return [name if name in KNOWN else origin for name in inner]


def imports(module: str, *, at_load: bool = False) -> Iterator[tuple[str, int]]:
    """Yield what a module imports and where; with at_load only what is imported when the module is loaded."""
    waiting: list[ast.AST] = [TREES[module]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, node.lineno) for name in imported(node))
        elif at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        waiting.extend(ast.iter_child_nodes(node))


def ours(module: str) -> list[tuple[str, int]]:
    return [(name, line) for name, line in imports(module) if name in KNOWN and name != module]


def place(module: str, line: int) -> str:
    return f"{MODULES[module].relative_to(ROOT)}:{line}"


def test_every_room_has_a_floor():
    listed = [name for rooms in FLOORS for name in rooms]
    assert sorted(listed) == sorted({room(module) for module in MODULES})
    assert len({*listed, "_core"} - {*FACES, "__main__"}) <= MOST_ROOMS


def test_documents_show_the_floors():
    """CONTRIBUTING's table has every floor, and the drawing in docs/architecture.md every room."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| ([^|]*) \|", contributing, flags=re.MULTILINE))
    shown = [{*re.findall(r"`(?:cnn_core/)?(\w+)(?:/|\.py)`", rows[str(number)])} for number in range(len(rows))]
    inner = {"validation", "perceptron", "tabular"}
    assert [rooms - inner for rooms in shown] == [
        {"__init__" if r == "cnn_core" else r for r in rooms} for rooms in FLOORS
    ]
    drawing = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("====")[0]
    assert [room for rooms in FLOORS for room in rooms if room not in drawing and room != "__main__"] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str):
    upward = [
        f"{place(module, line)} imports {name}"
        for name, line in ours(module)
        if room(name) != room(module) and floor(name) >= floor(module)
    ]
    assert not upward


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) not in ("cnn_core", "commands", "__main__")])
def test_modules_import_modules_and_not_the_face_of_all(module: str):
    assert "cnn_core" not in [name for name, _ in imports(module)]


def test_no_ring_of_imports():
    """Not even one that only the type checker sees, or that is closed inside a function."""
    graph = {module: {name for name, _ in ours(module)} for module in MODULES if module != "cnn_core"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the ring


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) not in NEEDS_MORE])
def test_lower_floors_need_only_the_dependencies_at_load(module: str):
    allowed = RUN_TIME_DEPENDENCIES | sys.stdlib_module_names | {"cnn_core"}
    foreign = [
        f"{place(module, line)} imports {name}"
        for name, line in imports(module, at_load=True)
        if name.partition(".")[0] not in allowed
    ]
    assert not foreign


def names_of(package: str) -> set[str]:
    """Return the private names that a package's modules define."""
    return {
        name
        for module, path in MODULES.items()
        if room(module) == package
        for name in re.findall(r"(?:def |class |self\.|^ *)(_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


PRIVATE = {package: names_of(package) for package in {room(module) for module in MODULES}}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in LOOKS_INSIDE])
def test_private_names_stay_at_home(module: str):
    reaches = [
        f"{place(module, node.lineno)} reaches into {ast.unparse(node)}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute)
        and re.fullmatch(r"_[^_]\w*", node.attr)
        and isinstance(node.value, ast.Name)
        and node.value.id not in ("self", "cls", "_core")
        and node.attr not in PRIVATE[room(module)] | FOREIGN
    ]
    private = [
        f"{place(module, node.lineno)} imports {alias.name}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cnn_core.")
        for alias in node.names
        if re.fullmatch(r"_[^_]\w*", alias.name)
    ]
    assert not reaches + private


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_too_long():
    folders = [(folder, "*.py") for folder in ("cnn_core", "tests", "benchmarks", "docs", "examples")]
    folders += [("cnn_core", pattern) for pattern in ("*.js", "*.css")]
    folders += [("src", pattern) for pattern in ("*.pxd", "*.pxi", "*.pyx", "*.h", "*.c")]
    paths = [path for folder, pattern in folders for path in (ROOT / folder).rglob(pattern) if path.name != "_core.c"]
    long = [path.relative_to(ROOT).as_posix() for path in paths if length(path) > LONGEST]
    assert sorted(set(long) - LONG_ANYWAY) == []


@pytest.mark.parametrize("face", sorted(FACES - {"cnn_core"}))
def test_faces_hold_names_only(face: str):
    """A docstring, imports, the list of names, and how those are found that are imported on first use."""
    allowed = ast.Import | ast.ImportFrom | ast.Assign | ast.If
    _, *statements = TREES[f"cnn_core.{face}"].body
    others = [each for each in statements if not isinstance(each, allowed)]
    assert [ast.unparse(each) for each in others if getattr(each, "name", "") != "__dir__"] == []


def test_few_parameters_say_nothing():
    texts = [path.read_text(encoding="utf-8") for path in MODULES.values()]
    assert sum(bool(re.search(r": Any\b", line)) for text in texts for line in text.splitlines()) <= MOST_ANY


@pytest.mark.parametrize("package", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_every_face_says_what_the_package_is_for(package: str):
    said = ast.get_docstring(TREES[package])
    assert said, "a face says in a few lines what its package is for"


def homes_of_test(module: str) -> list[Path]:
    """Return where a module's test may lie: by its name in the mirrored folder, or that of a package around it."""
    *packages, name = module.split(".")[1:]
    found = [ROOT.joinpath("tests", *packages, f"test_{name}.py")]
    for depth in range(len(packages), 0, -1):
        around = packages[:depth]
        found += [ROOT.joinpath("tests", *around, f"test_{around[-1]}.py")]
        found += [ROOT.joinpath("tests", *around[:-1], f"test_{around[-1]}.py")] if depth > 1 else []
    return found


@pytest.mark.parametrize("module", [name for name, path in MODULES.items() if not path.name.startswith("__")])
def test_every_module_has_its_test(module: str):
    if module in TESTED_IN:
        assert (ROOT / "tests" / TESTED_IN[module]).exists()
        assert not any(path.exists() for path in homes_of_test(module)), "it has a test of its own now"
    else:
        assert any(path.exists() for path in homes_of_test(module)), f"one of {homes_of_test(module)}"
