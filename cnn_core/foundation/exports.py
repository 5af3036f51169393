"""What a module offers: the names that it defines, so that no list repeats them."""

from __future__ import annotations

import sys


def own_names(module: str) -> list[str]:
    """Return the public classes and functions that a module defines, and instances of its classes, in their order.

    Examples
    --------
    >>> own_names("cnn_core.foundation.exports")
    ['own_names']
    """
    found = vars(sys.modules[module])
    return [name for name, each in found.items() if name[0] != "_" and getattr(each, "__module__", None) == module]
