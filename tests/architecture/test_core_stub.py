"""cnn_core/_core.pyi describes the native module as it is: names, methods and parameters."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import cnn_core._core as _core

STUB = ast.parse((Path(__file__).parents[2] / "cnn_core" / "_core.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}
CONSTANTS = {
    node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
}


def public(names: Any) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def parameters_of(function: ast.FunctionDef) -> list[tuple[str, bool]]:
    """Name and whether there is a default, without self."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    first_default = len(arguments) - len(function.args.defaults)
    return [(each.arg, at >= first_default) for at, each in enumerate(arguments) if each.arg != "self"]


def real_parameters(function: Any) -> list[tuple[str, bool]]:
    return [
        (each.name, each.default is not each.empty)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
    ]


def test_the_stub_has_every_name_and_no_other() -> None:
    offered = {
        name
        for name, value in vars(_core).items()
        if not name.startswith("_") and not inspect.ismodule(value) and not name.endswith("_cython__")
    }
    assert {*FUNCTIONS, *CLASSES, *public(CONSTANTS - {"TypeAlias"})} == offered


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_of_functions(name: str) -> None:
    assert parameters_of(FUNCTIONS[name]) == real_parameters(getattr(_core, name))


@pytest.mark.parametrize("name", CLASSES)
def test_members_of_classes(name: str) -> None:
    cls, stub = getattr(_core, name), CLASSES[name]
    members = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef)}
    attributes = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    assert public({*members, *attributes}) == public(vars(cls))
    for member in public(members):
        if not inspect.isdatadescriptor(vars(cls)[member]):
            assert parameters_of(members[member]) == real_parameters(getattr(cls, member))
