"""Files that take the place of others whole: the old one or the new one is there, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

PathLike: TypeAlias = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[int]:
    """Open a temporary file that takes the place of `path` when the block ends well and vanishes when it does not."""
    with _errors_naming(path):
        target = _target(path)
        mode = _mode_of(target)
        temporary, descriptor = _open_beside(target)
        try:
            try:
                if mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, mode)
                yield descriptor
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_directory(target.parent)


def check_destination(path: PathLike) -> None:
    """Refuse, before the work whose result it is to take, a file that `write` could not write; OSError as there."""
    with _errors_naming(path):
        target = _target(path)
        _mode_of(target)
        temporary, descriptor = _open_beside(target)
        os.close(descriptor)
        temporary.unlink()


@contextlib.contextmanager
def _errors_naming(path: PathLike) -> Iterator[None]:
    """Let errors name what the caller asked for, not the temporary file."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        del error.filename2
        raise


def _target(path: PathLike) -> Path:
    """Follow links: a rename would put the new file in place of the link, and people mean the file it points to."""
    from pathlib import Path  # here and not above: importing the package should not wait for it

    return Path(os.path.realpath(path))


def _open_beside(target: Path) -> tuple[Path, int]:
    """Open a new temporary file in the folder of a file."""
    temporary = target.with_name(f".cnn_core-{os.getpid()}-{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return temporary, os.open(temporary, flags, 0o666)


def _mode_of(target: Path) -> int | None:
    """Return the permissions of the file to be replaced, None if there is none; refuse what must not be replaced."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode)


def _sync_directory(directory: Path) -> None:
    """Make a rename last: it is in the directory, which has buffers of its own."""
    if os.name == "nt":  # Windows gives no descriptor of a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync directories say so thus
            raise
    finally:
        os.close(descriptor)
