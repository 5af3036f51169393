"""Whole numbers that nobody means: every argument that takes one uses it, or refuses it by name, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import callbacks, layers, metrics, optimizers, utils

X = np.random.default_rng(0).random((8, 4)).astype("float32")
Y = X[:, :1].copy()
BEYOND = [2**70, -(2**70), 10**400, -(2**63) - 1]
NO_NUMBERS = [float("nan"), float("inf"), 1.5, "3"]


class Batches(utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return X[:4], Y[:4]


def compiled() -> cnn_core.Sequential:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def set_iterations(count: Any) -> None:
    optimizers.SGD().iterations = count


MODEL = compiled()
IN_FIT = (
    "epochs",
    "initial_epoch",
    "batch_size",
    "steps_per_epoch",
    "validation_freq",
    "validation_batch_size",
    "verbose",
)
CALLS: dict[str, Callable[[Any], Any]] = {
    **{f"fit {name}": lambda n, name=name: MODEL.fit(X, Y, **{"verbose": 0, name: n}) for name in IN_FIT},
    **{f"fit batches, {name}": lambda n, name=name: MODEL.fit(Batches(), **{"verbose": 0, name: n}) for name in IN_FIT},
    "fit validation_steps": lambda n: MODEL.fit(X, Y, validation_data=(X, Y), validation_steps=n, verbose=0),
    **{
        f"{call} {name}": lambda n, call=call, name=name: getattr(MODEL, call)(X, **{"verbose": 0, name: n})
        for call in ("predict",)
        for name in ("batch_size", "steps", "verbose")
    },
    "evaluate batch_size": lambda n: MODEL.evaluate(X, Y, batch_size=n, verbose=0),
    "evaluate steps": lambda n: MODEL.evaluate(X, Y, steps=n, verbose=0),
    "Dense": lambda n: layers.Dense(n)(cnn_core.Input((4,))),
    "Embedding input_dim": lambda n: layers.Embedding(n, 2)(cnn_core.Input((4,))),
    "Embedding output_dim": lambda n: layers.Embedding(2, n)(cnn_core.Input((4,))),
    "Input": lambda n: cnn_core.Input((n,)),
    "Input batch_size": lambda n: cnn_core.Input((3,), batch_size=n),
    "Reshape": lambda n: layers.Reshape((n,))(cnn_core.Input((4,))),
    "CategoryEncoding": layers.CategoryEncoding,
    "Softmax axis": lambda n: layers.Softmax(axis=n)(cnn_core.Input((4,))),
    "Concatenate axis": lambda n: layers.Concatenate(n)([cnn_core.Input((4,)), cnn_core.Input((4,))]),
    "Dropout seed": lambda n: layers.Dropout(0.5, seed=n),
    "EarlyStopping patience": lambda n: callbacks.EarlyStopping(patience=n),
    "EarlyStopping start_from_epoch": lambda n: callbacks.EarlyStopping(start_from_epoch=n),
    "ReduceLROnPlateau patience": lambda n: callbacks.ReduceLROnPlateau(patience=n),
    "ReduceLROnPlateau cooldown": lambda n: callbacks.ReduceLROnPlateau(cooldown=n),
    "ModelCheckpoint save_freq": lambda n: callbacks.ModelCheckpoint("m.safetensors", save_freq=n),
    "BackupAndRestore save_freq": lambda n: callbacks.BackupAndRestore("backup", save_freq=n),
    "optimizer iterations": set_iterations,
    "accumulation": lambda n: optimizers.SGD(gradient_accumulation_steps=n),
    "ema_overwrite_frequency": lambda n: optimizers.SGD(use_ema=True, ema_overwrite_frequency=n),
    "set_random_seed": utils.set_random_seed,
    "set_num_threads": cnn_core.set_num_threads,
    "to_categorical": lambda n: utils.to_categorical([0, 1], n),
    "AUC": lambda n: metrics.AUC(num_thresholds=n),
    "PrecisionAtRecall": lambda n: metrics.PrecisionAtRecall(0.5, num_thresholds=n),
    "top k": lambda n: metrics.TopKCategoricalAccuracy(k=n),
    "workers": lambda n: Batches(workers=n),
    "max_queue_size": lambda n: Batches(workers=1, max_queue_size=n),
    "get_layer": lambda n: MODEL.get_layer(index=n),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("number", [*BEYOND, *NO_NUMBERS], ids=lambda number: str(number)[:12])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_number_of_anything_is_refused_by_name(name: str, number: Any) -> None:
    before = MODEL.get_weights()
    with pytest.raises((ValueError, TypeError), match=r"(must|has|names|smaller|takes) .*Received: "):
        CALLS[name](number)
    for weight, kept in zip(MODEL.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


@pytest.mark.parametrize("name", ["Dense", "Embedding input_dim", "Embedding output_dim", "Input", "AUC"])
def test_sizes_beyond_any_memory_are_refused_before_it_is_asked_for(name: str) -> None:
    for number in (2**62, np.int64(2**62), 2**53 if name == "Dense" else 2**60):
        with pytest.raises(ValueError, match=r"(product is below 2\*\*54|at most \d+|from \d+ to \d+).*Received"):
            CALLS[name](number)
