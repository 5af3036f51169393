"""How a training is shared among ranks, under Keras's names, and which way is in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cnn_core.distribution.current as current
import cnn_core.distribution.launch as launch
import cnn_core.foundation.display as display
import cnn_core.foundation.validation as validation
from cnn_core.distribution.communicator import Communicator
from cnn_core.distribution.shared_memory import SharedMemorySum
from cnn_core.distribution.sums import PlainSum, RoundedSum, Sum, TreeSum, shards_of
from cnn_core.foundation.keywords import knows_its_arguments


class DataParallel:
    """Share every batch among the ranks of a run: each computes the gradient of its rows, and all add them up.

    Every rank has the whole model and runs the same script, started by ``mpiexec -n 4 python train.py``. With

    >>> import cnn_core
    >>> cnn_core.distribution.set_distribution(cnn_core.distribution.DataParallel())  # doctest: +SKIP

    `fit`, `evaluate` and `predict` need no other change. `fit` begins with the weights, the optimizer's state and the
    seeds of rank 0. The batch size is that of all ranks together, and dropout draws for each row what one process
    would: the results are those of one process but for the order of sums. Losses and metrics are those of all rows, and
    callbacks are told the same on every rank. Only rank 0 prints, and has the callbacks that write files.

    Parameters
    ----------
    device_mesh : None
        Accepted because Keras has it; the ranks are those of the run.
    devices : list of str, default None
        None, or all of `list_devices()`.
    auto_shard_dataset : bool, default True
        True: every rank is given all data, arrays or batches, and takes its rows of each batch. A memory map is only
        read where these are. False: every rank is given its own part of the rows (`local_rows`, `local_files`), of
        whatever length, and each batch consists of rows of all parts.
    deterministic : bool, default False
        Whether the weights shall not depend on the number of ranks, to the last bit: each batch is cut into `shards`,
        whose gradients are added up in a fixed tree. It costs time where a shard has few rows, a copy of the gradients
        for each, and with synchronized batch normalization a thread for each.
    shards : int, default 4
        With `deterministic`: how many, at least as many as ranks.
    batch_normalization : {"synchronized", "local"}, default "synchronized"
        Whether mean and variance are those of the whole batch, for which every layer needs three small exchanges a
        step, or of each rank's rows, where the moving ones are averaged over the ranks at the end of every epoch.
    compression : {None, "bfloat16", "float16"}, default None
        Whether gradients are sent in half the bytes. What rounding takes away is added to the gradient of the next
        step. It costs two sweeps over the gradients, which pays on networks slower than about 10 Gbit/s. float16 has
        more digits; a sum above 65504 stops the training.
    sync_every : int, default 1
        With k > 1 every rank makes k steps of its own, on its share of the batches, and then the weights are averaged
        (local SGD: Stich, Local SGD converges fast and communicates little, ICLR 2019). It sends k times less, and the
        weights are no longer those of one process. The state of the optimizer stays each rank's own.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type, or two do not go together.
    ImportError
        If mpi4py is not installed.

    Attributes
    ----------
    rank, size : int
        The number of this rank, from 0, and how many there are.
    """

    @knows_its_arguments
    def __init__(
        self,
        device_mesh: None = None,
        devices: Sequence[str] | None = None,
        auto_shard_dataset: bool = True,
        *,
        deterministic: bool = False,
        shards: int = 4,
        batch_normalization: str = "synchronized",
        compression: str | None = None,
        sync_every: int = 1,
    ) -> None:
        if device_mesh is not None:
            raise ValueError(
                f"`device_mesh` must be None: the ranks are those of the run. "
                f"Received: device_mesh={validation.show(device_mesh)}"
            )
        self.auto_shard_dataset = validation.boolean(auto_shard_dataset, "auto_shard_dataset")
        self.deterministic = validation.boolean(deterministic, "deterministic")
        self.shards = validation.positive_integer(shards, "shards")
        self.batch_normalization = validation.one_of(
            batch_normalization, "batch_normalization", ("synchronized", "local")
        )
        self.compression = validation.one_of(compression, "compression", (None, "bfloat16", "float16"))
        self.sync_every = validation.positive_integer(sync_every, "sync_every")
        self._refuse_contradictions()
        self.communicator: Communicator = launch.joined()
        if devices is not None and list(devices) != list_devices():
            raise ValueError(f"`devices` must be None or all of {list_devices()}. Received: devices={devices}")
        if self.deterministic and self.shards < self.size:
            raise ValueError(
                f"`shards` must be at least the number of ranks, {self.size}. Received: shards={self.shards}"
            )

    def _refuse_contradictions(self) -> None:
        if not self.deterministic:
            return
        others = {
            "auto_shard_dataset": (self.auto_shard_dataset, True),
            "batch_normalization": (self.batch_normalization, "synchronized"),
            "compression": (self.compression, None),
            "sync_every": (self.sync_every, 1),
        }
        for name, (value, wanted) in others.items():
            if value != wanted:
                raise ValueError(
                    f"`{name}` must be {wanted!r} with deterministic=True, or the weights would depend on the number "
                    f"of ranks. Received: {name}={value!r}"
                )

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        return self.communicator.rank

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.communicator.size

    @property
    def n_shards(self) -> int:
        """In how many shards a batch is cut."""
        return self.shards if self.deterministic else self.size

    @property
    def own_shards(self) -> range:
        """Which of them this rank computes."""
        return self.shards_of(self.rank)

    def shards_of(self, rank: int) -> range:
        """Return which of them a rank computes; the last rank has as many as any."""
        return shards_of(rank, self.size, self.n_shards)

    @property
    def changes_nothing(self) -> bool:
        """Whether training is what it is without: one rank, and nothing that sums gradients in another order."""
        return self.size == 1 and not self.deterministic

    def local_rows(self, n: int) -> slice:
        """Return which of n rows are this rank's, for `auto_shard_dataset=False`: of a memory map, for example."""
        return self.rows_of(self.rank, validation.non_negative_integer(n, "n"))

    def rows_of(self, rank: int, n: int) -> slice:
        """Return which of n rows are a rank's, where each has one part of them."""
        return slice(n * rank // self.size, n * (rank + 1) // self.size)

    def local_files(self, paths: Sequence[Any]) -> list[Any]:
        """Return which of some files are this rank's: every `size`-th, in the order of their names."""
        return sorted(paths, key=str)[self.rank :: self.size]

    def gradient_sum(self) -> Sum:
        """Return what adds up the gradients of a training."""
        if self.deterministic:
            return TreeSum(self.communicator, self.shards)
        if self.compression is not None and self.size > 1:
            return RoundedSum(self.communicator, self.compression)
        return SharedMemorySum(self.communicator) if self.communicator.shares_memory else PlainSum(self.communicator)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Use this distribution within a `with` block."""
        before = current.distribution()
        set_distribution(self)
        try:
            yield
        finally:
            _use(before)


@knows_its_arguments
def set_distribution(value: DataParallel | None) -> None:
    """Share all trainings from now on as `value` says; None: every process trains for itself.

    Parameters
    ----------
    value : DataParallel or None

    Raises
    ------
    TypeError
        If it is something else.
    """
    if value is not None and not isinstance(value, DataParallel):
        raise TypeError(f"`value` must be a DataParallel or None. Received: value={validation.show(value)}")
    _use(value)


def _use(value: current.Distribution | None) -> None:
    current.use(value)
    display.silence(value is not None and value.rank > 0)


def list_devices() -> list[str]:
    """Return a name for every rank: "cpu:0", "cpu:1", ...

    It joins the ranks, and needs mpi4py.
    """
    return [f"cpu:{rank}" for rank in range(launch.joined().size)]
