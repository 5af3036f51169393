"""The beginning and the end of a rank: threads, exceptions that nobody catches, processes that are killed."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import cnn_core._core as _core
from cnn_core.distribution.communicator import Communicator, OneProcess, RankEndedError
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
    from cnn_core.distribution.mpi import MpiCommunicator

    _communicator = found = MpiCommunicator(world)
    _share_cpus(found.n_local)
    watch = _Watch(found.rank, found.broadcast_object(_mark()))
    _end_together(world, watch)
    atexit.register(watch.end)
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


def _end_together(world: Any, watch: _Watch) -> None:
    """Let an exception that nobody has caught end all ranks, and not only this one."""
    shown_by = sys.excepthook

    def show_and_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, RankEndedError):
            sys.stderr.write(f"cnn_core: rank {world.rank}: {error}\n")
            time.sleep(SECONDS_FOR_THE_FIRST)
        else:
            sys.stderr.write(f"cnn_core: rank {world.rank} ends all ranks:\n")
            shown_by(kind, error, traceback)
        sys.stdout.flush()
        sys.stderr.flush()
        watch.fail()
        world.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    sys.excepthook = show_and_end


def _mark() -> str:
    """Return the name of a file that the first rank of a machine to be killed leaves."""
    return f"cnn_core-{os.getpid()}-{os.urandom(4).hex()}"


class _Watch:
    """A shell that waits for the end of this process and, unless that was in order, says which rank it was.

    A process that is killed can say nothing any more, and the launcher that then kills all others names none of them.
    """

    # The first to make the file is the first that died: the launcher has killed the others.
    SCRIPT = (
        'trap "" INT TERM HUP; read word || { set -C; { : > "$1"; } 2>/dev/null && echo "$0" >&2 && word=failed; }; '
        'exec 2>/dev/null; [ "$word" = failed ] && sleep 5 && rm -f "$1"'  # nobody shall wait for this shell
    )

    def __init__(self, rank: int, mark: str) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        if os.name != "posix":
            return
        message = f"cnn_core: rank {rank} (process {os.getpid()}) was killed, and so all others end"
        self._path = Path(tempfile.gettempdir()) / mark
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", self.SCRIPT, message, str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Say that the process ends in order."""
        self._say(b"done\n")

    def fail(self) -> None:
        """Say that the process ends with a message of its own, and so do all others of this machine."""
        if self._shell is not None:
            with suppress(OSError):
                self._path.touch(exist_ok=False)
        self._say(b"failed\n")

    def _say(self, word: bytes) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with suppress(OSError):
                self._shell.stdin.write(word)
                self._shell.stdin.close()
            self._shell.returncode = 0  # it may outlive this process
            self._shell = None
