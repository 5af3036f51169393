"""Warnings that point at the user's line, however deep in the package their cause is found."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = __file__.rpartition("foundation")[0]  # pathlib would add a tenth to the time of the package's import


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as `warnings.warn` does, at the line from which the package was called.

    Parameters
    ----------
    message : str
    category : type of Warning, default UserWarning

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_caller("so it is")
    >>> str(caught[0].message), caught[0].filename
    ('so it is', '<doctest ...>')
    """
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and _is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(frame: FrameType) -> bool:
    # scikit-learn's wrappers stand between a user and the `fit` of an estimator.
    module = str(frame.f_globals.get("__name__"))
    return frame.f_code.co_filename.startswith(_PACKAGE) or module.partition(".")[0] == "sklearn"
