"""Measure what layers beside Dense cost, and the functional API, here and in Keras on JAX and on PyTorch.

    python benchmarks/layer_costs.py [--rival-python PATH] [--rounds 7] [--core 0]

Each side trains the same networks in a process of its own, on one thread, and takes turns with the others; times are
processor time, because machines are shared. Before that, all sides must reach the same loss from the same weights,
where nothing is drawn at random.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from machine import processor_name

SIDES = {
    "cnn_core": {"CNN_CORE_NUM_THREADS": "1"},
    "Keras on JAX": {
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    },
    "Keras on PyTorch": {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
}
TOLERANCE_LOSS = 1e-3  # relative, after one epoch in float32


@dataclass(frozen=True)
class Job:
    """Describe a network of one hidden layer and the batches that it is trained with."""

    inputs: int
    units: int
    outputs: int
    batch: int
    steps: int

    @property
    def name(self) -> str:
        return f"{self.inputs}-{self.units}-{self.outputs}, batch {self.batch}"

    def data(self) -> tuple[Any, Any]:
        generator = np.random.default_rng(7)
        x = generator.normal(size=(self.batch * self.steps, self.inputs)).astype("float32")
        return x, generator.integers(0, self.outputs, len(x)).astype("int32")


JOBS = (Job(784, 128, 10, 128, 50), Job(64, 32, 10, 32, 200))

# What stands between the hidden layer and the output; the same lines make it under both libraries.
BETWEEN: dict[str, Callable[[Any], list[Any]]] = {
    "plain": lambda layers: [],
    "functional": lambda layers: [],
    "Dropout(0.5)": lambda layers: [layers.Dropout(0.5)],
    "BatchNormalization": lambda layers: [layers.BatchNormalization()],
    "LayerNormalization": lambda layers: [layers.LayerNormalization()],
    "Activation": lambda layers: [layers.Activation("tanh")],
}
DRAWING = {"Dropout(0.5)"}


def make(keras: Any, variant: str, job: Job) -> Any:
    """Make and compile a network; its weights are drawn by NumPy, so that all sides have the same."""
    first, last = keras.layers.Dense(job.units, "relu"), keras.layers.Dense(job.outputs, "softmax")
    stack = [first, *BETWEEN[variant](keras.layers), last]
    x = keras.Input((job.inputs,))
    if variant == "functional":
        y = x
        for layer in stack:
            y = layer(y)
        model = keras.Model(x, y)
    else:
        model = keras.Sequential([x, *stack])
    generator = np.random.default_rng(3)
    for layer in (first, last):
        kernel, bias = layer.get_weights()
        layer.set_weights([generator.normal(0, 0.05, kernel.shape).astype("float32"), bias])
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    return model


def serve(side: str) -> None:
    """Answer the parent's requests, one line of JSON each: [job, variant, epochs] -> [loss, seconds a step]."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    keras = importlib.import_module("cnn_core" if side == "cnn_core" else "keras")
    if side == "Keras on PyTorch":
        importlib.import_module("torch").set_num_threads(1)
    models: dict[tuple[int, str], Any] = {}
    data = [job.data() for job in JOBS]
    for line in sys.stdin:
        number, variant, epochs = json.loads(line)
        if (number, variant) not in models:
            models[number, variant] = make(keras, variant, JOBS[number])
        x, y = data[number]
        start = time.process_time()
        history = models[number, variant].fit(
            x, y, batch_size=JOBS[number].batch, epochs=epochs, shuffle=False, verbose=0
        )
        seconds = time.process_time() - start
        answers.write(json.dumps([history.history["loss"][-1], seconds / epochs / JOBS[number].steps]) + "\n")
        answers.flush()


class Side:
    """One library in a process of its own, on one core."""

    def __init__(self, name: str, python: str, core: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, __file__, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **SIDES[name]},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def train(self, job: int, variant: str, epochs: int) -> tuple[float, float]:
        """Train on and return the last loss and the seconds that a step took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([job, variant, epochs]) + "\n")
        self.process.stdin.flush()
        loss, seconds = json.loads(self.process.stdout.readline())
        return loss, seconds

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def check(sides: list[Side], job: int) -> None:
    """Train the first epoch, which also compiles, and raise ValueError where a side reaches another loss."""
    for variant in BETWEEN:
        losses = {side.name: side.train(job, variant, 1)[0] for side in sides}
        first = next(iter(losses.values()))
        if variant not in DRAWING and any(abs(loss / first - 1) > TOLERANCE_LOSS for loss in losses.values()):
            raise ValueError(f"the sides reach different losses with {variant}: {losses}")


def compare(sides: list[Side], job: int, rounds: int) -> dict[tuple[str, str], float]:
    """Return the median seconds of a step for each side and variant."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for variant in BETWEEN:
            for side in sides:
                epochs = 8 if side.name == "cnn_core" else 1
                times.setdefault((side.name, variant), []).append(side.train(job, variant, epochs)[1])
    return {key: statistics.median(seconds) for key, seconds in times.items()}


def report(sides: list[Side], job: Job, medians: dict[tuple[str, str], float]) -> None:
    """Print microseconds a step, and in brackets what that is of the side's plain network."""
    print(f"\n| {job.name} | {' | '.join(side.name for side in sides)} |\n|{'---|' * (len(sides) + 1)}")
    for variant in BETWEEN:
        cells = []
        for side in sides:
            microseconds = medians[side.name, variant] * 1e6
            cells.append(f"{microseconds:,.4g} us ({medians[side.name, variant] / medians[side.name, 'plain']:.2f})")
        print(f"| {variant} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rival-python", default=sys.executable, help="the one that has Keras")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--serve", choices=list(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    python = {name: sys.executable if name == "cnn_core" else options.rival_python for name in options.sides}
    sides = [Side(name, python[name], options.core) for name in options.sides]
    print(f"{processor_name()}, one thread, processor time of a step, medians of {options.rounds} rounds")
    for number, job in enumerate(JOBS):
        check(sides, number)
        report(sides, job, compare(sides, number, options.rounds))
    for side in sides:
        side.close()


if __name__ == "__main__":
    main()
