"""How evenly a training step is shared out among any number of threads, as far as that can be told without them.

python benchmarks/thread_shares.py [--threads 4 8 64] [--line 50]

Nothing is timed. The tasks of every product and sweep are those that the library would cut for so many threads; a cell
is the largest share as a multiple of an even one, over the threads that take part where they are fewer.

Handing out is a model, from what src/threads/pool.c does: the caller writes a line of the cache for each thread, who
has finished looks at the lines of all others, and adds to one line which all want. A line from core to core takes
`--line` nanoseconds, which are assumed: some 50 within a socket, 100 and more between two.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import cnn_core._core as _core
from distribution import NETS, Net

THREADS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def shares_of(tasks: list[int], n_threads: int) -> list[int]:
    """Return how much each thread has of its own."""
    n = min(n_threads, len(tasks))
    ends = [0, *(_core.end_of_share(len(tasks), n, thread) for thread in range(n))]
    return [sum(tasks[first:last]) for first, last in pairwise(ends)]


def cell(tasks: list[int], n_threads: int) -> str:
    """Return the largest share as a multiple of an even one, and of how many threads, if not of all."""
    shares = shares_of(tasks, n_threads)
    return f"{max(shares) * len(shares) / sum(shares):.2f}" + (f" ({len(shares)})" if len(shares) < n_threads else "")


def chunks(kind: str, n: int, n_threads: int) -> list[int]:
    chunk = _core.chunk_of(kind, n, n_threads)
    return [min(chunk, n - first) for first in range(0, n, chunk)]


def blocks(product: tuple[int, int, int], n_threads: int) -> list[int]:
    n_rows, n_cols, _ = product
    height, width = _core.block_of(*product, n_threads)
    columns = [min(width, n_cols - col) for col in range(0, n_cols, width)]
    return [min(height, n_rows - row) * each for each in columns for row in range(0, n_rows, height)]


def products(net: Net) -> dict[str, tuple[int, int, int]]:
    """Return the products of a step that are worth more than one thread: rows, columns, k."""
    found = {}
    for i, (n_in, n_out) in enumerate(pairwise(net.sizes)):
        found[f"x . w, layer {i + 1}"] = net.batch_size, n_out, n_in
        found[f"x^T . delta, layer {i + 1}"] = n_in, n_out, net.batch_size
        if i > 0:
            found[f"delta . w^T, layer {i + 1}"] = net.batch_size, n_in, n_out
    return {name: product for name, product in found.items() if len(blocks(product, max(THREADS))) > 1}


def calls(net: Net, n_threads: int) -> dict[str, list[int]]:
    """Return the tasks of everything in a step that threads share."""
    parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(net.sizes))
    found = {what: blocks(product, n_threads) for what, product in products(net).items()}
    found["gathered rows"] = chunks("gathered rows", net.batch_size, n_threads)
    found["gradients checked"] = chunks("parameters", parameters, n_threads)
    found["parameters updated"] = chunks("parameters", parameters, n_threads)
    return found


def handing_out(n_threads: int, line: float) -> float:
    """Return the microseconds that one call of the pool adds where all threads are awake."""
    published = looked_at = added = n_threads - 1
    return (published + looked_at + added) * line / 1000


def print_table(title: str, threads: list[int], rows: dict[str, list[str]]) -> None:
    print(f"\n{title}\n\n| | {' | '.join(map(str, threads))} |")
    print("|---" * (1 + len(threads)) + "|")
    for what, cells in rows.items():
        print(f"| {what} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=THREADS)
    parser.add_argument("--line", type=float, default=50, help="nanoseconds of a line of the cache, core to core")
    options = parser.parse_args()
    costs = {}
    for name, net in NETS.items():
        shared = [calls(net, n) for n in options.threads]
        rows = {
            what: [cell(each[what], n) for each, n in zip(shared, options.threads, strict=True)] for what in shared[0]
        }
        print_table(f"{name} {'-'.join(map(str, net.sizes))}, batch {net.batch_size}", options.threads, rows)
        takers = [[min(n, len(t)) for t in each.values()] for each, n in zip(shared, options.threads, strict=True)]
        costs[name] = [f"{sum(handing_out(n, options.line) for n in each):.0f}" for each in takers]
    print_table(f"Handing out, us a step (model, {options.line:g} ns a line)", options.threads, costs)


if __name__ == "__main__":
    main()
