"""The package's faces: the modules that users import from, and the names that each of them lists as public."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

# Estimators are faces of their own: the package's own face would bring scikit-learn and dask along.
ROOTS = ("cnn_core", "cnn_core.sklearn", "cnn_core.dask")


def public_names(module: ModuleType) -> list[str]:
    """Return the names that a module lists as public; where it lists none, those that it defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    defined = (name for name, each in vars(module).items() if getattr(each, "__module__", None) == module.__name__)
    return sorted(name for name in defined if not name.startswith("_"))


def faces() -> dict[str, list[str]]:
    """Return every face with its public names, modules among them left out."""
    found: dict[str, list[str]] = {}

    def visit(name: str) -> Iterator[None]:
        module = importlib.import_module(name)
        each = {name: getattr(module, name) for name in public_names(module)}
        found[name] = [key for key, value in each.items() if not inspect.ismodule(value)]
        for value in each.values():
            if inspect.ismodule(value) and value.__name__ not in found:
                yield from visit(value.__name__)

    for root in ROOTS:
        list(visit(root))
    return found
