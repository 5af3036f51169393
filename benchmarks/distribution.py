"""Steps of training shared among processes: ours over MPI, PyTorch's DistributedDataParallel over gloo.

python benchmarks/distribution.py [--ranks 2] [--nets L XL] [--rounds 5] [--torch PYTHON]

All sides train the same network from the same weights on the same batches, one thread a process, and must come to the
same loss before a time counts. They are run in turn. Beside the time on the clock stands that of the processor, without
what a process waits: on a machine that others use as well, it is the figure that can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
LEARNING_RATE = 0.01
TOLERANCE = 1e-4  # of the loss, between sides


class Net(NamedTuple):
    """A network, its batch, and how many steps an epoch has."""

    sizes: tuple[int, ...]
    batch_size: int
    steps: int
    epochs: int


NETS = {
    "M": Net((784, 128, 10), 128, 100, 6),
    "L": Net((784, 512, 512, 10), 128, 60, 6),
    "XL": Net((1024, 2048, 2048, 1024), 512, 5, 6),
}


def data(net: Net) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return rows, labels and the kernels to begin with; biases are zeros."""
    rng = np.random.default_rng(0)
    n = net.batch_size * net.steps
    x = rng.normal(size=(n, net.sizes[0])).astype(np.float32)
    y = rng.integers(0, net.sizes[-1], n).astype(np.int64)
    pairs = zip(net.sizes[:-1], net.sizes[1:], strict=True)
    return x, y, [(rng.normal(size=pair) * np.sqrt(2 / pair[0])).astype(np.float32) for pair in pairs]


class Clock:
    """Notes for every epoch the seconds of a step on the clock and on the processor."""

    def __init__(self, steps: int) -> None:
        self.steps, self.wall, self.processor = steps, [], []
        self.begin()

    def begin(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def end(self) -> None:
        self.wall.append((time.perf_counter() - self._wall) / self.steps)
        self.processor.append((time.process_time() - self._processor) / self.steps)
        self.begin()

    def report(self, loss: float) -> None:
        """Print what the orchestrator reads; the first epoch warms up."""
        print(json.dumps({"loss": loss, "wall": self.wall[1:], "processor": self.processor[1:]}), flush=True)


def ours(net: Net, is_shared: bool) -> None:
    """Train here, as one of several ranks or alone."""
    import cnn_core
    from cnn_core import Input, Sequential, callbacks, layers, optimizers

    rank = 0
    if is_shared:
        chosen = cnn_core.distribution.DataParallel()
        cnn_core.distribution.set_distribution(chosen)
        rank = chosen.rank
    cnn_core.set_num_threads(1)
    x, y, kernels = data(net)
    hidden = [layers.Dense(units, "relu") for units in net.sizes[1:-1]]
    model = Sequential([Input((net.sizes[0],)), *hidden, layers.Dense(net.sizes[-1], "softmax")])
    for layer, kernel in zip(model.layers, kernels, strict=True):
        layer.kernel.assign(kernel)
    model.compile(optimizers.SGD(LEARNING_RATE), "sparse_categorical_crossentropy")
    clock = Clock(net.steps)

    class Times(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            clock.begin()

        def on_epoch_end(self, epoch, logs=None):
            clock.end()

    history = model.fit(
        x, y, batch_size=net.batch_size, epochs=net.epochs, shuffle=False, verbose=0, callbacks=[Times()]
    ).history
    if rank == 0:
        clock.report(history["loss"][-1])


def theirs(net: Net, rank: int, size: int, port: int) -> None:
    """Train as one of several processes of PyTorch, or alone without any wrapper."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    x, y, kernels = data(net)
    linears = [torch.nn.Linear(*kernel.shape) for kernel in kernels]
    for linear, kernel in zip(linears, kernels, strict=True):
        linear.weight.data = torch.from_numpy(kernel.T.copy())
        torch.nn.init.zeros_(linear.bias)
    stacked = [module for linear in linears for module in (linear, torch.nn.ReLU())][:-1]
    model: torch.nn.Module = torch.nn.Sequential(*stacked)
    if size > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE)
    criterion = torch.nn.CrossEntropyLoss()
    own = net.batch_size // size
    batches = [
        (torch.from_numpy(x[first : first + own]), torch.from_numpy(y[first : first + own]))
        for first in range(own * rank, len(x), net.batch_size)
    ]
    clock, total = Clock(net.steps), torch.zeros(())
    for _ in range(net.epochs):
        clock.begin()
        total = torch.zeros(())
        for rows, labels in batches:
            optimizer.zero_grad()
            loss = criterion(model(rows), labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        clock.end()
    if size > 1:
        dist.all_reduce(total)
    if rank == 0:
        clock.report(float(total) / net.steps / size)
    if size > 1:
        dist.destroy_process_group()


# The orchestrator


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def mpiexec() -> str:
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec") or "mpiexec"


def run_ours(name: str, ranks: int, batch_size: int = 0) -> dict[str, object]:
    """Run our side; a batch size of 0 is the net's."""
    prefix = [mpiexec(), "-n", str(ranks)] if ranks > 1 else []
    command = [*prefix, sys.executable, __file__, "--run", "ours", name, str(ranks), str(batch_size)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def run_theirs(name: str, ranks: int, python: str) -> dict[str, object]:
    port = free_port()
    plain = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [python, __file__, "--run", "theirs", name, str(ranks), str(rank), str(port)],
            env=plain, stdout=subprocess.PIPE, text=True,
        )
        for rank in range(ranks)
    ]  # fmt: skip
    outputs = [process.communicate()[0] for process in processes]
    return dict(json.loads(outputs[0].strip().splitlines()[-1]))


def compare(name: str, ranks: int, rounds: int, python: str | None) -> list[str]:
    """Run all sides in turn; return rows of a table."""
    sides = {
        "cnn_core, 1 process": lambda: run_ours(name, 1),
        f"cnn_core, {ranks} ranks": lambda: run_ours(name, ranks),
    }
    if python:
        sides["PyTorch, 1 process"] = lambda: run_theirs(name, 1, python)
        sides[f"PyTorch DDP, {ranks} processes"] = lambda: run_theirs(name, ranks, python)
    found: dict[str, list[dict]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, run in sides.items():
            found[side].append(run())
    losses = [each["loss"] for results in found.values() for each in results]
    assert max(losses) - min(losses) < TOLERANCE * abs(losses[0]), losses
    rows, base = [], {}
    for side, results in found.items():
        wall = [seconds for each in results for seconds in each["wall"]]
        processor = [seconds for each in results for seconds in each["processor"]]
        figures = (min(wall), statistics.median(wall), min(processor), statistics.median(processor))
        base.setdefault(side.split(",")[0].split(" ")[0], figures)
        alone = base[side.split(",")[0].split(" ")[0]]
        ratios = " | ".join(f"{one / each:.2f}" for one, each in zip(alone, figures, strict=True))
        times = " | ".join(f"{1e3 * each:.2f}" for each in figures)
        rows.append(f"| {name} | {side} | {times} | {ratios} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--nets", nargs="+", default=["L", "XL"], choices=list(NETS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", metavar="PYTHON", help="of an environment with PyTorch")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        side, name, *numbers = options.run
        if side == "ours":
            net, size = NETS[name], int(numbers[1])
            ours(net._replace(batch_size=size) if size else net, int(numbers[0]) > 1)
        else:
            size, rank, port = map(int, numbers) if len(numbers) == 3 else (1, 0, 0)
            theirs(NETS[name], rank, size, port)
        return
    columns = ["best", "median", "processor: best", "median"]
    print(f"| net | side | ms a step: {' | '.join(columns)} | speed-up: {' | '.join(columns)} |")
    print("|---" * (2 + 2 * len(columns)) + "|")
    for name in options.nets:
        print("\n".join(compare(name, options.ranks, options.rounds, options.torch)), flush=True)


if __name__ == "__main__":
    main()
