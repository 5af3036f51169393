"""What a step costs on many ranks: a model fitted to steps of one process, and the curve that it predicts.

python benchmarks/scaling.py [--ranks 2 4] [--rounds 3]

A step of R ranks on a batch of B rows of a network of P parameters takes

    row B / R  +  update P  +  add P (R - 1) / R  +  2 (R - 1) / R 4 P / bandwidth  +  2 log2(R) latency  +  call

`row` and `update` are fitted by least squares to the processor time of steps of one process on several sizes of batch;
`add` and `call` are measured. Bandwidth and latency are those of the network that is asked about: an all-reduce sends
every number twice, but for what a rank has itself (Thakur, Rabenseifner, Gropp, Optimization of collective
communication operations in MPICH, 2005).
"""

from __future__ import annotations

import argparse
import math
import time
from typing import NamedTuple

import numpy as np

from distribution import NETS, Net, run_ours

SHARES = (1, 2, 4, 8)  # of the batch, for the fit
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CALL = 60e-6  # of Python around the steps: three meetings of ranks, notes of what is measured


class Network(NamedTuple):
    """What connects machines: bytes a second, and seconds until a message arrives."""

    name: str
    bandwidth: float
    latency: float


NETWORKS = (Network("10 Gbit/s", 10e9 / 8 * 0.9, 30e-6), Network("100 Gbit/s", 100e9 / 8 * 0.9, 3e-6))


class Costs(NamedTuple):
    """Seconds a row, and seconds for what is done once a step: the update, and adding one vector to another."""

    row: float
    update: float
    add: float

    def step(self, batch_size: int, parameters: int, ranks: int, network: Network) -> float:
        """Return the seconds of a step."""
        busy = self.row * batch_size / ranks + self.update
        if ranks == 1:
            return busy
        share = (ranks - 1) / ranks
        sent = 2 * share * 4 * parameters / network.bandwidth + 2 * math.log2(ranks) * network.latency
        return busy + self.add * share + sent + CALL


def parameters_of(net: Net) -> int:
    return sum((n_in + 1) * n_out for n_in, n_out in zip(net.sizes[:-1], net.sizes[1:], strict=True))


def fitted(name: str, rounds: int) -> Costs:
    """Fit the costs to steps of one process."""
    net = NETS[name]
    rows, seconds = [], []
    for share in SHARES:
        size = net.batch_size // share
        best = min(min(run_ours(name, 1, size)["processor"]) for _ in range(rounds))
        rows.append(size)
        seconds.append(best)
    weights = 1 / np.array(seconds)  # relative errors count
    design = np.stack([np.array(rows), np.ones(len(rows))], axis=1)
    row, update = np.linalg.lstsq(design * weights[:, np.newaxis], np.ones(len(rows)), rcond=None)[0]
    return Costs(row, max(update, 0.0), adding(parameters_of(net)))


def adding(parameters: int) -> float:
    """Return the seconds to add a vector of so many float32 to another that has just arrived."""
    first, second = np.ones(parameters, np.float32), np.ones(parameters, np.float32)
    times = []
    for _ in range(20):
        begun = time.process_time()
        np.add(first, second, out=first)
        times.append(time.process_time() - begun)
    return min(times)


def predicted(costs: Costs, name: str, *, weak: bool) -> list[str]:
    """Return rows of a table: speed-ups over one rank, in samples a second."""
    net = NETS[name]
    rows = []
    for network in NETWORKS:
        alone = costs.step(net.batch_size, parameters_of(net), 1, network) / net.batch_size
        found = []
        for ranks in RANKS:
            if not weak and net.batch_size < ranks:
                found.append("")
                continue
            batch = net.batch_size * (ranks if weak else 1)
            speed_up = alone * batch / costs.step(batch, parameters_of(net), ranks, network)
            found.append(f"{speed_up:.1f}" if speed_up < 20 else f"{speed_up:.0f}")
        rows.append(f"| {name} | {network.name} | {' | '.join(found)} |")
    return rows


def print_table(title: str, costs: dict[str, Costs], *, weak: bool) -> None:
    print(f"\n{title}\n\n| net | network | {' | '.join(map(str, RANKS))} |")
    print("|---" * (2 + len(RANKS)) + "|")
    for name, each in costs.items():
        print("\n".join(predicted(each, name, weak=weak)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, nargs="*", default=[2, 4], help="measured beside the model")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    costs = {name: fitted(name, options.rounds) for name in NETS}
    print("| net | parameters | batch | us a row | us once a step | us to add a vector |\n|---|---|---|---|---|---|")
    for name, each in costs.items():
        figures = " | ".join(f"{1e6 * seconds:.4g}" for seconds in each)
        print(f"| {name} | {parameters_of(NETS[name]):,} | {NETS[name].batch_size} | {figures} |")
    print(
        "\n| net | ranks | ms a step, processor | speed-up | ms a step, clock | speed-up |\n|---|---|---|---|---|---|"
    )
    for name in NETS:
        alone: tuple[float, float] | None = None
        for ranks in [1, *options.ranks]:
            runs = [run_ours(name, ranks) for _ in range(options.rounds)]
            found = tuple(min(min(each[clock]) for each in runs) for clock in ("processor", "wall"))
            alone = alone or found
            pairs = " | ".join(f"{1e3 * now:.2f} | {one / now:.2f}" for one, now in zip(alone, found, strict=True))
            print(f"| {name} | {ranks} | {pairs} |", flush=True)
    print_table("The batch stays as it is (strong scaling)", costs, weak=False)
    print_table("Every rank has a batch of its own (weak scaling)", costs, weak=True)


if __name__ == "__main__":
    main()
