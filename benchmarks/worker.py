"""Run one rival in a process of its own and answer the parent's requests, one line of JSON each.

Started by measure.py. Pins itself and reads its settings before anything numeric is imported. What libraries print
goes to standard error; the answers have the original standard output to themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--core", type=int, default=-1)
    parser.add_argument("--small-job", action="store_true")
    parser.add_argument("--mixed", action="store_true")
    arguments = parser.parse_args()
    if arguments.core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if arguments.small_job:
        answer(answers, do_small_job(arguments.rival, arguments.threads))
    else:
        serve(answers, Session(arguments.rival, arguments.threads, arguments.mixed))


def serve(answers: TextIO, session: Session) -> None:
    """Answer requests until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = getattr(session, request.pop("do"))(**request)
            answer(answers, {"ok": True, **result})
        except Exception as error:
            traceback.print_exc()
            answer(answers, {"ok": False, "error": f"{type(error).__name__}: {error}"})


def answer(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


class Session:
    """Hold the rival between requests. Each public method answers one kind of request."""

    def __init__(self, name: str, threads: int, mixed: bool) -> None:
        from rivals import entry_named

        self.rival: Any = None if name == "peak" else entry_named(name).create(threads, mixed)
        self.threads = threads

    def hello(self) -> dict[str, Any]:
        import platform

        return {"versions": {"python": platform.python_version(), **self.rival.versions()}}

    def build_training(self, case: str, optimizer: int, folder: str) -> dict[str, Any]:
        """Start from the given weights and keep the data of a training case."""
        import numpy as np

        from cases import training_named

        job = training_named(case)
        weights = read_weights(folder)
        self.rival.build(job.network, weights, job, job.optimizers[optimizer])
        self.rival.set_data(np.load(f"{folder}/x.npy", mmap_mode="c"), np.load(f"{folder}/y.npy"))
        return {}

    def train(self, epochs: int, shuffle: bool) -> dict[str, Any]:
        """Train; return seconds by the clock and of processor time."""
        return timed(lambda: self.rival.train(epochs, shuffle))

    def results(self, rows: int, file: str) -> dict[str, Any]:
        """Return the loss; write the outputs for the first rows."""
        import numpy as np

        np.save(file, np.asarray(self.rival.predict(np.array(self.rival.x[:rows]))))
        return {"loss": self.rival.loss()}

    def build_prediction(self, sizes: list[int], hidden: str, output: str, folder: str) -> dict[str, Any]:
        """Make a network for prediction, write its outputs and return the names of the routes."""
        import numpy as np

        from cases import Network

        self.rival.build(Network(tuple(sizes), hidden, output), read_weights(folder), None, None)
        x = np.load(f"{folder}/x.npy", mmap_mode="c")
        self.rival.set_inputs(x)
        self.routes = self.rival.routes()
        return {"routes": list(self.routes)}

    def outputs(self, file: str) -> dict[str, Any]:
        """Write the outputs of every route that returns any, for the first and last rows."""
        import numpy as np

        results = {name: route() for name, route in self.routes.items()}
        arrays = {name: np.asarray(result) for name, result in results.items() if result is not None}
        ends: dict[str, Any] = {name: np.concatenate([a[:128], a[-128:]]) for name, a in arrays.items()}
        np.savez(file, **ends)
        return {}

    def predict(self, route: str, calls: int) -> dict[str, Any]:
        """Call a route so many times."""
        call = self.routes[route]

        def work() -> None:
            for _ in range(calls):
                call()

        return timed(work)

    def load_peak(self, library: str) -> dict[str, Any]:
        """Load the C loop that measures the peak of fused multiply-adds."""
        from peak import Loop

        self.loop = Loop(library)
        return {}

    def peak(self, seconds: float) -> dict[str, Any]:
        """Return the time taken and the operations done by all threads together."""
        work = self.loop.prepared(seconds, self.threads)
        return {**timed(work), "flops": work.flops}


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Return how long `work` takes by the clock ("wall") and in processor time of all its threads ("cpu")."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def read_weights(folder: str) -> list[Any]:
    import numpy as np

    with np.load(f"{folder}/weights.npz") as archive:
        return [archive[f"w{i}"] for i in range(len(archive.files))]


def do_small_job(name: str, threads: int) -> dict[str, Any]:
    """Import the library, train the small job and return the loss; the parent times the whole process."""
    from cases import SMALL_JOB, SMALL_JOB_EPOCHS
    from rivals import entry_named

    rival = entry_named(name).create(threads)
    x, y = SMALL_JOB.data()
    rival.build(SMALL_JOB.network, SMALL_JOB.network.weights(), SMALL_JOB, SMALL_JOB.optimizers[0])
    rival.set_data(x, y)
    rival.train(SMALL_JOB_EPOCHS, False)
    return {"loss": rival.loss()}


if __name__ == "__main__":
    main()
