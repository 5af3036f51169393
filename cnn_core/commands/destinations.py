"""Files that commands write, looked at before the work begins."""

from __future__ import annotations

import errno
from pathlib import Path

import cnn_core.foundation.foreign_files as foreign_files
import cnn_core.foundation.replacement as replacement
import cnn_core.foundation.validation as validation
from cnn_core.commands.table_files import is_same_file


def check_destination(option: str, path: str | Path, *read: str, is_model: bool = False) -> None:
    """Refuse a file that cannot be written, or that would take the place of what is read.

    Parameters
    ----------
    option : str
        The command line's, for messages.
    path : str or Path
    *read : str
        The files that the command reads.
    is_model : bool, default False
        Whether a model is written, which must not have the name of another format.

    Raises
    ------
    OSError
        If there is no such folder, or the file cannot be written or replaced.
    ValueError
        If it is one of those that are read, has no name or the name of another format.
    """
    validation.path(path, option)
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such directory", str(Path(path).parent))
    if any(is_same_file(str(path), each) for each in read):
        raise ValueError(f"`{option}` must be another file than those that are read. Received: {path}")
    if is_model:
        foreign_files.check_name(path, option)
    replacement.check_destination(path)
