from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core.data.windows import timeseries_dataset_from_array

STEPS = np.arange(14)
# What Keras with TensorFlow gives for STEPS, and for STEPS * 10 as targets.
KERAS: list[tuple[dict[str, Any], bool, list[Any]]] = [
    ({"sequence_length": 4}, False, [[list(range(i, i + 4)) for i in range(11)]]),
    (
        {"sequence_length": 3, "sequence_stride": 2, "sampling_rate": 2, "batch_size": 2},
        False,
        [[[0, 2, 4], [2, 4, 6]], [[4, 6, 8], [6, 8, 10]], [[8, 10, 12]]],
    ),
    (
        {"sequence_length": 2, "start_index": 3, "end_index": 11, "batch_size": 3},
        False,
        [[[3, 4], [4, 5], [5, 6]], [[6, 7], [7, 8], [8, 9]], [[9, 10]]],
    ),
    (
        {"sequence_length": 3, "sampling_rate": 3, "batch_size": 4},
        True,
        [
            ([[0, 3, 6], [1, 4, 7], [2, 5, 8], [3, 6, 9]], [0, 10, 20, 30]),
            ([[4, 7, 10], [5, 8, 11], [6, 9, 12], [7, 10, 13]], [40, 50, 60, 70]),
        ],
    ),
    (
        {"sequence_length": 3, "start_index": 2, "end_index": 12, "batch_size": 5, "sequence_stride": 3},
        True,
        [([[2, 3, 4], [5, 6, 7], [8, 9, 10]], [20, 50, 80])],
    ),
]


@pytest.mark.parametrize(("arguments", "with_targets", "batches"), KERAS)
def test_windows_are_keras_s(arguments: dict[str, Any], with_targets: bool, batches: list[Any]) -> None:
    windows = timeseries_dataset_from_array(STEPS, STEPS * 10 if with_targets else None, **arguments)
    assert len(windows) == len(batches)
    for given, wanted in zip(windows, batches, strict=True):
        assert [part.tolist() for part in given] == (list(wanted) if with_targets else [wanted])


def test_the_order_is_drawn_again_for_every_epoch_and_is_that_of_the_seed() -> None:
    windows, twin = (
        timeseries_dataset_from_array(np.arange(40), np.arange(40), 3, batch_size=8, shuffle=True, seed=5)
        for _ in range(2)
    )
    epochs = []
    for _ in range(2):
        epochs.append([int(y) for _, targets in windows for y in targets])
        assert epochs[-1] == [int(y) for _, targets in twin for y in targets]
        windows.on_epoch_end()
        twin.on_epoch_end()
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(38))
    assert all(x[0] == y for batch in windows for x, y in zip(*batch, strict=True)), "targets stay with their windows"


def test_windows_come_one_by_one_without_a_batch() -> None:
    windows = timeseries_dataset_from_array(np.arange(10).reshape(5, 2), np.arange(5), 2, batch_size=None)
    x, y = windows[3]
    assert (x.tolist(), y, len(windows)) == ([[6, 7], [8, 9]], 3, 4)
    with pytest.raises(IndexError):
        _ = windows[4]


def test_a_model_trains_on_windows() -> None:
    series = np.sin(np.arange(200) / 5).astype("float32")[:, None]
    windows = timeseries_dataset_from_array(series[:-8], series[8:], 8, batch_size=32, shuffle=True, seed=0)
    model = cnn_core.Sequential([cnn_core.Input((8, 1)), cnn_core.layers.Flatten(), cnn_core.layers.Dense(1)])
    model.compile(cnn_core.optimizers.Adam(0.05), "mse")
    losses = model.fit(windows, epochs=100, verbose=0).history["loss"]
    assert losses[-1] < 1e-3 * max(losses[0], 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence_length": 0}, "`sequence_length` must be"),
        ({"sequence_length": 15}, r"`sequence_length` must leave a window: .* Received: 14 steps"),
        ({"sequence_length": 2, "sequence_stride": 14}, "`sequence_stride` must be"),
        ({"sequence_length": 2, "sampling_rate": 0}, "`sampling_rate` must be"),
        ({"sequence_length": 2, "start_index": 14}, "`start_index` must be"),
        ({"sequence_length": 2, "start_index": 3, "end_index": 3}, "`end_index` must be"),
        ({"sequence_length": 2, "batch_size": 0}, "`batch_size` must be"),
        ({"sequence_length": 2, "format": "torch"}, "`format` must be"),
        ({"sequence_length": 2, "targets": []}, "0 targets"),
    ],
)
def test_what_gives_no_windows_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(STEPS, **{"targets": None, **arguments})
