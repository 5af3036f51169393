"""Packages that a part of the library needs and a plain installation lacks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def need(package: str, extra: str, purpose: str) -> Any:
    """Import a package, or say which extra brings it.

    Parameters
    ----------
    package : str
        As it is imported.
    extra : str
        Of cnn_core.
    purpose : str
        What needs it, for the message.

    Raises
    ------
    ImportError
        If it is not installed.

    Examples
    --------
    >>> need("no_such_package", "nothing", "to_nothing")
    Traceback (most recent call last):
    ...
    ImportError: `to_nothing` needs no_such_package: pip install 'cnn_core[nothing]'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != package.partition(".")[0]:
            raise  # it is there, and something that it needs is not
        raise ImportError(
            f"`{purpose}` needs {package.partition('.')[0]}: pip install 'cnn_core[{extra}]'", name=error.name
        ) from None


def answer_for(module: str, homes: Mapping[str, str], packages: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose extra has the module's name: it imports what is named on first use.

    Parameters
    ----------
    module : str
    homes : mapping of str to str
        The modules in which the names are found.
    packages : mapping of str to str
        What must be installed: how each package is imported, and its name for the message.

    Examples
    --------
    >>> answer_for("cnn_core.nothing", {"Nothing": "cnn_core.nothing.at_all"}, {"no_such": "no-such"})("Nothing")
    Traceback (most recent call last):
    ...
    ImportError: cnn_core.nothing needs no-such: pip install 'cnn_core[nothing]'
    """

    def answer(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        for package, title in packages.items():
            try:
                importlib.import_module(package)
            except ImportError as error:
                extra = module.rpartition(".")[2]
                raise ImportError(f"{module} needs {title}: pip install 'cnn_core[{extra}]'") from error
        found = vars(sys.modules[module])[name] = getattr(importlib.import_module(homes[name]), name)
        return found

    return answer
