"""Packages that a part of the library needs and a plain installation lacks."""

from __future__ import annotations

import importlib
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
