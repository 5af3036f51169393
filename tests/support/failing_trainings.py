"""A script in whose endless training one rank fails in some way: run by mpiexec in tests.

python failing_trainings.py WAY RANK EPOCH
"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

import cnn_core
from cnn_core import Input, Sequential, callbacks, distribution, layers

ENDLESS = 10**7


def say(text: str) -> None:
    """Write a line at once, for several processes write to the same place."""
    os.write(1, f"{text}\n".encode())


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def fail() -> None:
    raise OSError("the disk is full")


WAYS = {"kill": kill, "interrupt": interrupt, "raise": fail, "exit": lambda: sys.exit(3)}


class Failing(callbacks.Callback):
    def __init__(self, way: str, epoch: int) -> None:
        super().__init__()
        self._way, self._epoch = way, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch:
            WAYS[self._way]()


def network(learning_rate: float = 0.01) -> tuple[Sequential, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    model = Sequential([Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(1)])
    model.compile(cnn_core.optimizers.SGD(learning_rate), "mse")
    return model, x, x[:, :1] * 2


def go_on(rank: int, epoch: int) -> None:
    """Fail on one rank, catch what that raises on each, and train again."""
    used = distribution.distribution()
    model, x, y = network()
    try:
        model.fit(x, y, epochs=ENDLESS, verbose=0, callbacks=[Failing("raise", epoch)] if used.rank == rank else [])
    except (OSError, distribution.RankEndedError) as error:
        say(f"rank {used.rank}: {type(error).__name__}: {error}")
    loss = model.fit(x, y, epochs=2, verbose=0).history["loss"][-1]
    say(f"rank {used.rank}: loss {loss!r}")


def diverge(quietly: bool) -> None:
    """Leave the finite numbers because of rows that only one rank computes."""
    model, x, y = network(1e30)
    stop = [callbacks.TerminateOnNaN()] if quietly else []
    try:
        history = model.fit(x, y, epochs=50, verbose=0, callbacks=stop).history
        say(f"stopped after {len(history['loss'])}")
    except cnn_core.NonFiniteLossError as error:
        say(f"raised {str(error).partition('.')[0]} {np.isfinite(model.get_weights()[0]).all()}")


def main(way: str, rank: str, epoch: str) -> None:
    used = distribution.DataParallel()
    distribution.set_distribution(used)
    if way == "go on":
        go_on(int(rank), int(epoch))
    elif way.startswith("diverge"):
        diverge(way.endswith("quietly"))
    elif way == "alone":
        if used.rank == int(rank):
            model, x, y = network()
            model.evaluate(x, y, verbose=0)
    else:
        model, x, y = network()
        failing = [Failing(way, int(epoch))] if used.rank == int(rank) else []
        model.fit(x, y, epochs=ENDLESS, verbose=0, callbacks=failing)


if __name__ == "__main__":
    main(*sys.argv[1:])
