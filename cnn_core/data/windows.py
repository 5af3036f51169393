"""Windows over a series of steps in time, in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.data.batches import PyDataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.random_state import next_seed


class Windows(PyDataset):
    """Give the windows of a series that begin at some of its steps, in batches.

    Parameters
    ----------
    steps : numpy.ndarray of shape (n, ...)
    targets : numpy.ndarray, default None
        One for each step; that of a window's first step is the window's.
    begins : numpy.ndarray of int
        The first steps.
    within : numpy.ndarray of int
        The steps of a window, counted from its first.
    batch_size : int, default None
        None: one window at a time, without an axis for the batch.
    generator : numpy.random.RandomState, default None
        What draws the order again after every epoch; None: it stays.
    """

    def __init__(
        self,
        steps: Array,
        targets: Array | None,
        begins: Array,
        within: Array,
        batch_size: int | None = None,
        generator: np.random.RandomState | None = None,
    ) -> None:
        super().__init__()
        self._steps, self._targets, self._within = steps, targets, within
        self._begins, self._size, self._generator = begins, batch_size, generator

    def __len__(self) -> int:
        return len(self._begins) if self._size is None else -(-len(self._begins) // self._size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be from 0 to {len(self) - 1}. Received: index={index}")
        size = self._size or 1
        begins = self._begins[index * size : (index + 1) * size]
        windows = self._steps[begins[:, None] + self._within]
        batch = (windows,) if self._targets is None else (windows, self._targets[begins])
        return batch if self._size is not None else tuple(part[0] for part in batch)

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        if self._generator is not None:
            self._generator.shuffle(self._begins)


@knows_its_arguments
def timeseries_dataset_from_array(
    data: object,
    targets: object,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> PyDataset:
    """Cut a series into windows of equal length, each with a target: batches for `fit`.

    A window that begins at step i holds the steps i, i + sampling_rate, ..., sequence_length of them.

    Parameters
    ----------
    data : array-like of shape (n, ...)
        The steps in order of time.
    targets : array-like with one row for each step, or None
        The target of a window is that of its first step: give those of a forecast shifted, such as
        ``data[sequence_length:]``. None: windows alone.
    sequence_length : int
        Steps of a window.
    sequence_stride : int, default 1
        Steps from the beginning of one window to that of the next.
    sampling_rate : int, default 1
        Steps from one of a window to the next.
    batch_size : int, default 128
        None: one window at a time, without an axis for the batch.
    shuffle : bool, default False
        Whether the windows come in a drawn order, another one in each epoch.
    seed : int, default None
        Of that order.
    start_index, end_index : int, default None
        Steps before the first and from the second on are not used.
    format : {"tf", "grain"}, default "tf"
        Accepted because Keras has it.

    Returns
    -------
    PyDataset

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range, or there is no window.

    Examples
    --------
    >>> windows = timeseries_dataset_from_array(np.arange(6), np.arange(6) + 3, sequence_length=3, batch_size=2)
    >>> x, y = windows[0]
    >>> x.tolist(), y.tolist(), len(windows)
    ([[0, 1, 2], [1, 2, 3]], [3, 4], 2)
    """
    steps = validation.as_array(data, "data")
    if steps.ndim == 0:
        raise ValueError("`data` must have an axis of steps. Received: data.shape=()")
    n = len(steps)
    first = 0 if start_index is None else validation.integer(start_index, "start_index", 0, n - 1)
    last = n if end_index is None else validation.integer(end_index, "end_index", first + 1, n - 1)
    length = validation.positive_integer(sequence_length, "sequence_length")
    rate = validation.integer(sampling_rate, "sampling_rate", 1, max(n - 1, 1))
    stride = validation.integer(sequence_stride, "sequence_stride", 1, max(n - 1, 1))
    validation.choice(format, "format", ("tf", "grain"))
    count = last - first - (length - 1) * rate
    wanted = None
    if targets is not None:
        wanted = validation.as_array(targets, "targets")[first:last]
        count = min(count, len(wanted))
    if count < 1:
        raise ValueError(
            f"`sequence_length` must leave a window: {length} steps at a rate of {rate} need "
            f"{(length - 1) * rate + 1} in a row, and a target. Received: {last - first} steps"
            + ("" if wanted is None else f", {len(wanted)} targets")
        )
    begins = np.arange(0, count, stride)
    generator = None
    if validation.boolean(shuffle, "shuffle"):
        own = next_seed() % 2**32 if seed is None else validation.integer(seed, "seed", 0, 2**32 - 1)
        generator = np.random.RandomState(own)
        generator.shuffle(begins)
    size = None if batch_size is None else validation.positive_integer(batch_size, "batch_size")
    return Windows(steps[first:last], wanted, begins, rate * np.arange(length), size, generator)
