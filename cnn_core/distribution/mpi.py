"""The communicator over MPI. It waits by polling, so that it hears of a rank that has failed instead of hanging."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import cnn_core.distribution.shared_memory as shared_memory
from cnn_core.distribution.communicator import RankEndedError
from cnn_core.foundation.arrays import Array

POLLS_BETWEEN_LOOKS = 256
POLLS_BEFORE_YIELDING = 64  # where ranks outnumber CPUs, another of them may have to run first
POLLS_WITHOUT_PAUSE = 20_000
SECONDS_BETWEEN_LOOKS_AT_PROCESSES = 0.5
LEFT = -1  # instead of a session's number: the process ends
SECONDS_AFTER_LEAVING = 2.0  # in which a call that the rank that left has finished ends here as well


class MpiCommunicator:
    """Talk to the other ranks of an mpi4py communicator.

    Parameters
    ----------
    world : mpi4py.MPI.Comm
        Only copies of it are used.
    """

    def __init__(self, world: Any) -> None:
        from mpi4py import MPI

        self._mpi = MPI
        self._notices = world.Dup()  # never carries anything collective, so that no failure can block it
        self._numbers = world.Dup()
        self.rank: int = world.rank
        self.size: int = world.size
        self._session = 0
        self._failed: set[int] = set()  # sessions that have not ended well here
        self._kept: list[Any] = []  # memory of calls that a failure has left behind
        self._purpose = ""
        self._left: tuple[int, float] | None = None  # the first rank to leave, and when that was found out
        self._looked = 0.0
        self._processes: list[tuple[str, int]] = world.allgather((socket.gethostname(), os.getpid()))

    @contextmanager
    def session(self, purpose: str) -> Iterator[None]:
        """Let an exception here end the call on all ranks, with a `RankEndedError` where it was not raised."""
        self._session += 1
        self._purpose = purpose
        try:
            if self._session - 1 in self._failed:
                self._begin_again()
            yield
            self.meet()
        except RankEndedError:
            self._failed.add(self._session)
            raise
        except BaseException as error:
            self._failed.add(self._session)
            self._tell(self._session, f"{type(error).__name__}: {error}".rstrip(": "))
            raise

    def leave(self) -> None:
        """Tell the others, should they be waiting, that this process ends."""
        self._tell(LEFT, "the process has ended")

    @property
    def n_local(self) -> int:
        """How many ranks are on this machine."""
        return len(self._local_ranks())

    @property
    def is_first_here(self) -> bool:
        """Whether this rank is the first of its machine."""
        return self.rank == self._local_ranks()[0]

    def share_locally(self, text: str) -> str:
        """Return the text of the first rank of this machine."""
        texts: list[str] = self._notices.allgather(text)
        return texts[self._local_ranks()[0]]

    def _local_ranks(self) -> list[int]:
        here = self._processes[self.rank][0]
        return [rank for rank, (host, _) in enumerate(self._processes) if host == here]

    @property
    def shares_memory(self) -> bool:
        """See `Communicator.shares_memory`."""
        return self.n_local == self.size and shared_memory.is_possible()

    def meet(self) -> None:
        """See `Communicator.meet`."""
        self._wait(self._numbers.Ibarrier())

    def gather(self, numbers: Array) -> Array:
        """See `Communicator.gather`."""
        mine = np.ascontiguousarray(numbers, np.float64)
        rows = np.empty((self.size, mine.size))
        self._wait(self._numbers.Iallgather(mine, rows), mine, rows)
        return rows

    def broadcast(self, array: Array) -> None:
        """See `Communicator.broadcast`."""
        self._wait(self._numbers.Ibcast(self._bytes(array)), array)

    def broadcast_object(self, value: object) -> Any:
        """See `Communicator.broadcast_object`."""
        import pickle  # between the processes of one run, which run the same script

        packed = np.frombuffer(pickle.dumps(value), np.uint8) if self.rank == 0 else np.empty(0, np.uint8)
        length = int(self.gather(np.array([packed.size]))[0, 0])
        packed = packed.copy() if self.rank == 0 else np.empty(length, np.uint8)
        self.broadcast(packed)
        return pickle.loads(packed.tobytes())

    def add_up(self, vector: Array) -> None:
        """See `Communicator.add_up`."""
        self._wait(self._numbers.Iallreduce(self._mpi.IN_PLACE, vector), vector)

    def exchange(self, parts: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """See `Communicator.exchange`."""
        sent, lengths = np.concatenate(parts), [part.nbytes for part in parts]
        received = np.empty(sum(sizes), sent.dtype)
        coming = [size * sent.itemsize for size in sizes]
        byte = self._mpi.BYTE
        request = self._numbers.Ialltoallv(
            [sent.view(np.uint8), lengths, _starts(lengths), byte],
            [received.view(np.uint8), coming, _starts(coming), byte],
        )
        self._wait(request, sent, received)
        return np.split(received, np.cumsum(sizes)[:-1])

    def collect(self, part: Array, sizes: Sequence[int]) -> Array:
        """See `Communicator.collect`."""
        whole = np.empty(sum(sizes), part.dtype)
        coming = [size * part.itemsize for size in sizes]
        request = self._numbers.Iallgatherv(
            self._bytes(part), [whole.view(np.uint8), coming, _starts(coming), self._mpi.BYTE]
        )
        self._wait(request, part, whole)
        return whole

    def _bytes(self, array: Array) -> list[Any]:
        return [array.reshape(-1).view(np.uint8), self._mpi.BYTE]

    # Failures

    def _wait(self, request: Any, *memory: object) -> None:
        """Poll until a request is done; `memory` is what it reads and writes, which a failure must not free."""
        test: Callable[[], bool] = request.Test
        polls = 0
        try:
            while not test():
                polls += 1
                if polls > POLLS_BEFORE_YIELDING:
                    _let_others_run()
                if polls % POLLS_BETWEEN_LOOKS == 0:
                    self._look_for_notices()
                    if polls > POLLS_WITHOUT_PAUSE:
                        self._look_at_processes()
                        time.sleep(1e-4)
        except BaseException:
            self._kept.append((request, memory))
            raise

    def _look_for_notices(self) -> None:
        while self._notices.iprobe():
            session, rank, text = self._notices.recv()
            if session == LEFT:
                self._left = self._left or (rank, time.monotonic())
            elif session not in self._failed:
                raise RankEndedError(f"Rank {rank} has ended, and so do all others: {text}")
        if self._left is not None and time.monotonic() - self._left[1] > SECONDS_AFTER_LEAVING:
            raise RankEndedError(
                f"Rank {self._left[0]} has ended its script while this one is in `{self._purpose}`, which all ranks "
                "must call together"
            )

    def _look_at_processes(self) -> None:
        """Notice a rank of this machine that was killed, where the launcher leaves the others alone."""
        now = time.monotonic()
        if now - self._looked < SECONDS_BETWEEN_LOOKS_AT_PROCESSES or os.name != "posix":
            return
        self._looked = now
        for rank in self._local_ranks():
            process = self._processes[rank][1]
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                raise RankEndedError(f"Rank {rank} (process {process}) was killed, and so all others end") from None
            except PermissionError:  # it is there
                continue

    def _tell(self, session: int, text: str) -> None:
        for rank in range(self.size):
            if rank != self.rank:
                self._kept.append(self._notices.isend((session, self.rank, text), rank))

    def _begin_again(self) -> None:
        """Leave the communicator behind on which calls of a failed session may be waiting."""
        fresh, request = self._notices.Idup()
        self._wait(request)
        self._numbers = fresh


# sleep(0) does not always give the CPU away.
_let_others_run: Callable[[], Any] = getattr(os, "sched_yield", None) or (lambda: time.sleep(0))


def _starts(lengths: Sequence[int]) -> list[int]:
    return [sum(lengths[:i]) for i in range(len(lengths))]
