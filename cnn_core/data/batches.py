"""Batches from outside: generators, and data sets that are read by number."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.keywords import KnowsItsArguments

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# What a user's generator yields, once unpacked: x, y, sample_weight.
Triple: TypeAlias = tuple[Any, Any, Any]


class PyDataset(KnowsItsArguments):
    """Give batches by number: the base of data sets that are computed or read piece by piece.

    A subclass defines ``__getitem__(index)``, which returns (x,), (x, y) or (x, y, sample_weight), and ``__len__``,
    the number of batches, or the property ``num_batches``, where None stands for endless.

    Parameters
    ----------
    workers : int, default 1
        With more than one, so many threads prepare batches ahead, which come in order all the same.
    use_multiprocessing : bool, default False
        Prepare batches in `workers` processes; the data set and its batches must pickle.
    max_queue_size : int, default 10
        How many batches may be prepared ahead.

    Examples
    --------
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, index):
    ...         x = np.arange(index * 3.0, index * 3.0 + 3.0)
    ...         return x, x**2
    >>> [y.tolist() for x, y, weight in Batches(Squares(workers=2)).triples()]
    [[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]]
    """

    # Class attributes, so that a subclass that forgets super().__init__() still has the defaults.
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = validation.non_negative_integer(workers, "workers")
        self.use_multiprocessing = validation.boolean(use_multiprocessing, "use_multiprocessing")
        self.max_queue_size = validation.positive_integer(max_queue_size, "max_queue_size")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), which returns one batch")

    def __iter__(self) -> Iterator[Any]:
        """Yield every batch once; Python would ask for the next number until an IndexError, which may never come."""
        return map(self.__getitem__, itertools.count() if self.num_batches is None else range(self.num_batches))

    def __array__(self, *_: object, **__: object) -> NoReturn:
        """Refuse to be read as one array."""
        raise TypeError(
            f"{type(self).__name__} gives batches, which only the x of `fit`, `evaluate` and `predict` may do"
        )

    @property
    def num_batches(self) -> int | None:
        """Number of batches, or None for endless."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define __len__() or the property num_batches")

    def on_epoch_begin(self) -> None:
        """Do something before every epoch."""

    def on_epoch_end(self) -> None:
        """Do something after every epoch, such as shuffling."""


def is_batches(x: object) -> bool:
    """Tell whether an object yields batches, rather than being an array or a structure of arrays.

    Examples
    --------
    >>> is_batches(batch for batch in ()), is_batches([[1.0]])
    (True, False)
    """
    if type(x) is np.ndarray:  # as nearly everything is
        return False
    if isinstance(x, Iterator) or _is_numbered(x):
        return True
    arrays = ("__array__", "__dlpack__", "__array_interface__", "to_numpy", "tocsr")
    if isinstance(x, (Sequence, Mapping, set, frozenset, str, bytes)) or any(hasattr(x, name) for name in arrays):
        return False
    return isinstance(x, Iterable)


class Batches:
    """Draw batches from a generator, an iterable or a PyDataset.

    Parameters
    ----------
    source : iterator, iterable or PyDataset
        Each item is a batch: x, (x,), (x, y) or (x, y, sample_weight). What the source raises passes unchanged.
    name : str, default "x"
        The argument's name, for messages.
    steps_name : str, default "steps_per_epoch"
        The name of the argument that says how many batches an epoch has.

    Attributes
    ----------
    num_batches : int or None
        Batches in one pass, if the source tells.
    exhausted : bool
        Whether a source that can be walked only once has ended.

    Examples
    --------
    >>> batches = Batches((np.full((2, 1), i), np.zeros(2)) for i in range(3))
    >>> [int(x[0, 0]) for x, y, weight in batches.triples(steps=2)]
    [0, 1]
    >>> [int(x[0, 0]) for x, y, weight in batches.triples()]
    [2]
    """

    def __init__(self, source: Any, name: str = "x", steps_name: str = "steps_per_epoch") -> None:
        self.source = source
        self.name = name
        self.steps_name = steps_name
        self.exhausted = False
        self.num_batches = _length(source)
        self._by_number = _is_numbered(source)
        self._once = isinstance(source, Iterator)
        self._current: Iterator[Any] | None = None
        self._ahead: dict[int, Any] = {}  # by place in the pass: what was read before an epoch asked for it
        self._within = False  # whether an epoch has begun and not ended
        self._drawn = 0  # batches of the current pass
        self._ever_drawn = False

    def peek(self) -> Triple:
        """Begin the first epoch and return its first batch, which the epoch will give again."""
        self._begin()
        if not self._ahead:
            if self._current is None and not self._by_number:
                self._current = self._start(None)
            try:
                self._ahead[0] = self.source[0] if self._current is None else next(self._current)
            except StopIteration:
                raise self._emptiness() from None
        return unpack(self._ahead[0])

    def has_ended(self) -> bool:
        """Tell whether no epoch can follow, because the source could be walked only once."""
        if not self.exhausted:
            return False
        self._current = self._start(None)  # some iterators begin again after they have ended
        try:
            self._ahead[0] = next(self._current)
        except StopIteration:
            self._current = None
            return True
        self.exhausted = False
        return False

    def epoch(
        self,
        adapter: Callable[[Any, Any, Any], Any],
        steps: int | None = None,
        shuffle: np.random.Generator | None = None,
    ) -> Iterator[Any]:
        """Yield the batches of one epoch as Datasets.

        Parameters
        ----------
        adapter : callable
            (x, y, sample_weight) -> Dataset, such as `adapt` with the specs filled in. What it finds wrong is reported
            with the batch's number.
        steps, shuffle
            As in `walk`.
        """
        for number, triple in enumerate(self.triples(steps, shuffle)):
            try:
                data = adapter(*triple)
            except (TypeError, ValueError) as error:
                raise type(error)(f"Batch {number}: {error}") from error
            yield data

    def triples(self, steps: int | None = None, shuffle: np.random.Generator | None = None) -> Iterator[Triple]:
        """Yield the batches of one epoch as (x, y, sample_weight), with None for what is absent; see `walk`.

        Raises
        ------
        ValueError
            If a batch is a tuple of another length, and as `walk`.
        """
        return map(unpack, self.walk(steps, shuffle))

    def walk(self, steps: int | None = None, shuffle: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the batches of one epoch as they come.

        Parameters
        ----------
        steps : int, default None
            Yield so many batches and go on from there in the next epoch. Running out before that ends the epoch with
            a warning. None: one pass over the source.
        shuffle : numpy.random.Generator, default None
            Draws the order of a PyDataset's batches. Other sources keep their own.

        Raises
        ------
        ValueError
            If the source is endless and no number of steps is given, or if it yields nothing in its first pass.
        """
        if steps is None and self._by_number and self.num_batches is None:
            raise ValueError(
                f"`{self.steps_name}` must be given for an endless PyDataset. Received: {self.steps_name}=None"
            )
        self._begin()
        if self._current is None or (steps is None and self._drawn and not self._once):
            self._current = self._start(shuffle)
        drawn = 0
        while steps is None or drawn < steps:
            try:
                batch = self._ahead.pop(0) if not self._by_number and self._ahead else next(self._current)
            except StopIteration:
                if drawn == 0 and self._drawn and not self._once:
                    self._current = self._start(shuffle)  # the epoch before took the last batch
                    continue
                self._end(drawn, steps)
                break
            drawn += 1
            self._drawn += 1
            self._ever_drawn = True
            yield batch
        if self.num_batches is not None and self._drawn >= self.num_batches and not self._once:
            self._current = None  # the pass ended with the epoch: the next epoch starts another, without a warning
        self._finish()

    def rewind(self) -> None:
        """End the epoch under way, and let the next one begin with the first batch if the source has it still."""
        self.close()
        if not self._once:
            self._current = None
        self._finish()

    def close(self) -> None:
        """Stop the workers, if there are any."""
        if isinstance(self._current, Generator) and self._by_number:
            self._current.close()
            self._current = None

    def _start(self, shuffle: np.random.Generator | None) -> Iterator[Any]:
        self._drawn = 0
        if self._ever_drawn:
            self._ahead.clear()
        if not self._by_number:
            return iter(self.source)
        order: Iterable[int] = itertools.count() if self.num_batches is None else range(self.num_batches)
        if shuffle is not None and self.num_batches is not None:
            order = shuffle.permutation(self.num_batches).tolist()
        return _fetch(self.source, order, self._ahead)

    def _end(self, drawn: int, steps: int | None) -> None:
        """Take note that the source has ended within an epoch."""
        self._current = None
        self.exhausted = self._once
        if not self._ever_drawn:
            raise self._emptiness()
        if steps is not None or drawn == 0:
            warn_of_shortage(self.name, drawn, self.steps_name)

    def _emptiness(self) -> ValueError:
        return ValueError(f"{self.name} must yield at least one batch. Received: none")

    def _begin(self) -> None:
        if not self._within:
            self._within = True
            self._notify("on_epoch_begin")

    def _finish(self) -> None:
        if self._within:
            self._within = False
            self._notify("on_epoch_end")

    def _notify(self, event: str) -> None:
        hook = getattr(self.source, event, None) if self._by_number else None
        if callable(hook):
            hook()


def warn_of_shortage(name: str, drawn: int, steps_name: str) -> None:
    """Warn that an epoch is shorter than it should be, because the data has no more batches."""
    warn_caller(
        f"{name} ran out of batches after {drawn} of this epoch, which therefore ends early. Pass a smaller "
        f"`{steps_name}`, a PyDataset or an endless generator."
    )


def unpack(batch: object) -> Triple:
    """Split a batch into x, y and sample_weight, with None for what is absent.

    Examples
    --------
    >>> unpack(([[1.0]], [0]))
    ([[1.0]], [0], None)
    """
    if not isinstance(batch, (tuple, list)):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            f"A batch must be (x,), (x, y) or (x, y, sample_weight). Received: a {type(batch).__name__} of {len(batch)}"
        )
    x, y, sample_weight = (*batch, None, None)[:3]
    return x, y, sample_weight


def _is_numbered(x: object) -> bool:
    """Tell whether an object gives batches by number: a PyDataset, of this library or another."""
    return isinstance(x, PyDataset) or validation.gives_batches(x)


def _length(source: Any) -> int | None:
    if _is_numbered(source):
        length = source.num_batches
        return None if length is None else validation.positive_integer(length, "num_batches")
    try:
        return len(source)
    except TypeError:  # a generator, or a loader over a stream
        return None


def _fetch(source: Any, order: Iterable[int], read: dict[int, Any]) -> Generator[Any, None, None]:
    """Yield batches by number in the given order; with workers, prepared ahead but in the same order.

    What stands in `read` by its number is taken from there once. Workers prepare it again.
    """
    if source.workers < 1 or (source.workers == 1 and not source.use_multiprocessing):
        for index in order:
            yield read.pop(index) if index in read else source[index]
        return
    read.clear()
    numbers = iter(order)
    executor, fetch = _workers(source)
    ahead: deque[Future[Any]] = deque()
    try:
        for index in itertools.islice(numbers, source.max_queue_size):
            ahead.append(executor.submit(fetch, index))
        while ahead:
            batch = ahead.popleft().result()
            for index in itertools.islice(numbers, 1):
                ahead.append(executor.submit(fetch, index))
            yield batch
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _workers(source: Any) -> tuple[Executor, Callable[[int], Any]]:
    # Imported here because it brings threading's and multiprocessing's machinery, which most programs do not need.
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    if source.use_multiprocessing:
        return ProcessPoolExecutor(source.workers, initializer=_set_worker_source, initargs=(source,)), _worker_batch
    return ThreadPoolExecutor(source.workers, thread_name_prefix="cnn_core-batches"), source.__getitem__


# In a worker process: the data set whose batches it prepares, sent once instead of with every batch.
_worker_source: Any = None


def _set_worker_source(source: object) -> None:
    global _worker_source
    _worker_source = source


def _worker_batch(index: int) -> Any:
    return _worker_source[index]
