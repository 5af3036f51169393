"""The watch over the ranks of a machine: a process of its own, which names the first that is killed.

A process that is killed can say nothing any more, and the launcher that then kills all others names none. Every rank
keeps a file open; the kernel queues the ends of files in their order, so it does not matter when the watch comes to
look. It runs as a script, without the package: python watch.py FOLDER HOW_MANY
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import sys
from pathlib import Path

WRITER_HAS_CLOSED = 0x8
EVENT = struct.Struct("iIII")  # the last is the length of the name behind it
IN_ORDER, WITH_MESSAGE = "in order", "with a message of its own"


def watch(folder: str, n_ranks: int) -> str | None:
    """Wait for the ends of so many ranks; return what to say, if anything, after the first that was not in order."""
    libc = ctypes.CDLL(None)
    queue = libc.inotify_init1(0)
    libc.inotify_add_watch(queue, folder.encode(), WRITER_HAS_CLOSED)
    os.write(1, b"ready\n")
    while n_ranks > 0:
        for name in names(os.read(queue, 1 << 16)):
            said = Path(folder, name).read_text()
            if said == IN_ORDER:
                n_ranks -= 1
            elif said == WITH_MESSAGE:
                return None
            else:
                rank, process = name.split("-")
                return f"cnn_core: rank {rank} (process {process}) was killed, and so all others end\n"
    return None


def names(events: bytes) -> list[str]:
    """Return the names of files in a reading of events.

    Examples
    --------
    >>> names(EVENT.pack(1, 8, 0, 8) + b"0-77" + bytes(4) + EVENT.pack(1, 8, 0, 4) + b"1-9" + bytes(1))
    ['0-77', '1-9']
    """
    found = []
    while events:
        length = EVENT.unpack_from(events)[3]
        found.append(events[EVENT.size : EVENT.size + length].rstrip(b"\0").decode())
        events = events[EVENT.size + length :]
    return found


if __name__ == "__main__":
    message = watch(sys.argv[1], int(sys.argv[2]))
    if message:
        os.write(2, message.encode())
    shutil.rmtree(sys.argv[1], ignore_errors=True)
