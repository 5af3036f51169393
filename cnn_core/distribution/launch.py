"""The beginning and the end of a rank: threads, exceptions that nobody catches, processes that are killed."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import cnn_core._core as _core
import cnn_core.distribution.watch as watch
from cnn_core.distribution.communicator import Communicator, OneProcess, RankEndedError
from cnn_core.distribution.mpi import MpiCommunicator
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import knows_its_arguments

SECONDS_FOR_THE_FIRST = 0.5  # to show its traceback, before the others end it with themselves

_communicator: Communicator | None = None


@knows_its_arguments
def initialize(communicator: Any = None) -> None:
    """Join the other ranks of the run; `DataParallel` does it too, if need be.

    What no rank catches ends all: its traceback is shown, and the others stop instead of waiting. A rank that is
    killed is named. Unless CNN_CORE_NUM_THREADS or OMP_NUM_THREADS says otherwise, the ranks of a machine share its
    CPUs evenly.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm, default None
        None: all that `mpiexec` has started.

    Raises
    ------
    ImportError
        If mpi4py is not installed.
    RuntimeError
        If ranks were joined before, by another communicator.
    """
    global _communicator
    if _communicator is not None:
        if communicator is not None:
            raise RuntimeError("`initialize` must be called once, before any DataParallel. Received: a second call")
        return
    world = communicator
    if world is None:
        world = need("mpi4py.MPI", "mpi", "distribution.initialize").COMM_WORLD
    if world.size == 1:
        _communicator = OneProcess()
        return
    _communicator = found = MpiCommunicator(world)
    _share_cpus(found.n_local)
    presence = _Presence(found)
    _end_together(world, presence)
    atexit.register(presence.end)
    atexit.register(found.leave)


def joined() -> Communicator:
    """Return the communicator, after joining the ranks if that has not been done."""
    if _communicator is None:
        initialize()
    assert _communicator is not None
    return _communicator


def _share_cpus(n_local: int) -> None:
    if not any(name in os.environ for name in ("CNN_CORE_NUM_THREADS", "OMP_NUM_THREADS")):
        _core.set_num_threads(max(1, _core.get_num_threads() // n_local))


def _end_together(world: Any, presence: _Presence) -> None:
    """Let an exception that nobody has caught end all ranks, and not only this one."""
    shown_by = sys.excepthook

    def show_and_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, RankEndedError):
            sys.stderr.write(f"cnn_core: rank {world.rank}: {error}\n")
            time.sleep(SECONDS_FOR_THE_FIRST)
        else:
            # The cause first: launchers may end before they have handed on a whole traceback.
            cause = f"{kind.__name__}: {error}".rstrip(": ")
            sys.stderr.write(f"cnn_core: rank {world.rank} ends all ranks: {cause}\n")
            shown_by(kind, error, traceback)
        sys.stdout.flush()
        sys.stderr.flush()
        presence.fail()
        world.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    sys.excepthook = show_and_end


class _Presence:
    """A file that this process keeps open, by which the watch over the ranks of the machine sees its end.

    There is a watch on Linux only; elsewhere what the launcher says must do.
    """

    def __init__(self, communicator: MpiCommunicator) -> None:
        self._file: int | None = None
        if not sys.platform.startswith("linux"):
            return
        folder = communicator.share_locally(_start_watch(communicator.n_local) if communicator.is_first_here else "")
        path = Path(folder) / f"{communicator.rank}-{os.getpid()}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def end(self) -> None:
        """Say that the process ends in order."""
        self._say(watch.IN_ORDER)

    def fail(self) -> None:
        """Say that the process ends with a message of its own, and so do all others."""
        self._say(watch.WITH_MESSAGE)

    def _say(self, how: str) -> None:
        if self._file is not None:
            os.write(self._file, how.encode())
            os.close(self._file)
            self._file = None


def _start_watch(n_ranks: int) -> str:
    """Start the watch over the ranks of this machine; return the folder in which it looks."""
    folder = tempfile.mkdtemp(prefix="cnn_core-")
    command = [sys.executable, "-S", "-E", watch.__file__, folder, str(n_ranks)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as begun:
        begun.readline()  # from here on it sees every end
    process.returncode = 0  # it outlives this process, which must not wait for it
    return folder
