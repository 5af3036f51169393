"""Let the rivals' processes do the same work in turn, after checking that they compute the same numbers.

Knows the requests that worker.py answers; knows no library and no layout of a report.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cases import Array, Prediction, Training
from expected import ROWS_COMPARED, ExpectedTraining, prepare_prediction, prepare_training
from rivals import OURS, Entry

TOLERANCE_LOSS = 1e-3  # relative, after one epoch in float32 against the reference in float64
TOLERANCE_OUTPUTS = 1e-4  # of the largest output
LOOSER_IN_BFLOAT16 = 100  # its numbers have 8 bits
TOLERANCE_SHUFFLED = 0.5  # of the progress made: another order of the rows gives a slightly different loss
PAUSE = 0.005  # seconds between turns, in which a rival's spinning threads fall asleep
PATIENCE = 900.0  # seconds that a request may take; compiling XL needs some
WORKER = Path(__file__).with_name("worker.py")

Timing = dict[str, float]


@dataclass(frozen=True)
class Settings:
    """Say how long and where to measure."""

    python: str
    rival_python: str
    rounds: int
    seconds: float
    core: int
    n_cores: int
    clock: str
    instruction_set: str | None
    mixed: bool = False


@dataclass
class Result:
    """Keep what one rival did in one case; `rounds` are seconds per unit of work (a step or a call)."""

    kind: str
    case: str
    rival: str
    cores: int
    threads: int
    optimizer: str = ""
    route: str = ""
    status: str = "ok"
    rounds: list[float] = field(default_factory=list)
    flops: float = 0.0
    peak_rounds: list[float] = field(default_factory=list)
    loss: float | None = None
    expected_loss: float | None = None
    difference: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.rounds) if self.rounds else float("nan")


class RefusalError(Exception):
    """A rival failed or computed something else, so its time would mean nothing."""


class Worker:
    """Talk to the process of one rival with a number of threads."""

    def __init__(
        self, name: str, threads: int, settings: Settings, n_cores: int, environment: dict[str, str], folder: Path
    ) -> None:
        self.name = name
        self.threads = threads
        python = settings.python if name == "peak" or name.startswith(OURS) else settings.rival_python
        command = [python, str(WORKER), "--rival", name, "--threads", str(threads)]
        if settings.mixed:
            command.append("--mixed")
        if n_cores == 1:
            command += ["--core", str(settings.core)]
        self.log = folder / f"{name}-{n_cores}-{threads}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder, env=environment
            )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer; raise RefusalError if there is none or it is an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise RefusalError(f"process ended: {self.last_words()}") from None
        readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not readable:
            self.process.kill()
            raise RefusalError(f"no answer to {do!r} within {PATIENCE:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RefusalError(f"process ended: {self.last_words()}")
        content: dict[str, Any] = json.loads(line)
        if not content.pop("ok"):
            raise RefusalError(content["error"])
        return content

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was printed"

    def close(self) -> None:
        """End the process by ending its input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def start_workers(entries: list[Entry], settings: Settings, n_cores: int, folder: Path) -> list[Worker]:
    """Start the rivals' processes for a number of cores; with several cores, one for each thread count worth trying.

    cnn_core is not given that choice: it must do well with its default, all cores.
    """
    workers = []
    for entry in entries:
        counts = [n_cores] if entry.name == OURS else sorted({1, n_cores})
        for threads in counts:
            environment = {**os.environ, **entry.environment_for(threads)}
            if entry.module == "ours" and settings.instruction_set:
                environment["CNN_CORE_ISA"] = settings.instruction_set
            workers.append(Worker(entry.name, threads, settings, n_cores, environment, folder))
    return workers


def start_peak(settings: Settings, n_cores: int, library: Path | None, folder: Path) -> Worker | None:
    """Start the process that measures the peak, or none where the loop could not be compiled."""
    if library is None:
        return None
    worker = Worker("peak", n_cores, settings, n_cores, dict(os.environ), folder)
    worker.ask("load_peak", library=str(library))
    return worker


@dataclass
class Turn:
    """Say what one rival does when it is its turn: a request, and how many epochs or calls of it."""

    result: Result
    worker: Worker
    request: dict[str, Any]
    unit: str
    amount: int = 1

    def seconds(self, clock: str) -> float:
        """Do the work and return how long it took."""
        timing = self.worker.ask(**{**self.request, self.unit: self.amount})
        return float(timing[clock])

    def calibrate(self, settings: Settings) -> float:
        """Choose the amount of work that fills a turn; return the seconds that one unit of it takes."""
        self.amount = 1
        taken = self.seconds("wall")
        while taken < settings.seconds / 2:
            self.amount = max(2 * self.amount, min(64 * self.amount, int(settings.seconds / max(taken, 1e-9))))
            taken = self.seconds("wall")
        per_unit = taken / self.amount
        self.amount = max(1, round(settings.seconds / per_unit))
        return per_unit


class Comparison:
    """Compare workers on one number of cores, case by case."""

    def __init__(self, workers: list[Worker], peak: Worker | None, settings: Settings, n_cores: int) -> None:
        self.workers = workers
        self.peak = peak
        self.settings = settings
        self.n_cores = n_cores
        self.looser = LOOSER_IN_BFLOAT16 if settings.mixed else 1

    def training(self, case: Training, optimizer: int, folder: Path) -> list[Result]:
        """Check that all train to the same loss, then time epochs in turn."""
        expected = prepare_training(case, optimizer, folder)
        turns = []
        for worker in self.workers:
            result = Result(
                "training",
                case.name,
                worker.name,
                self.n_cores,
                worker.threads,
                case.optimizers[optimizer].name,
                flops=case.flops_per_step,
                expected_loss=expected.losses[1],
            )
            try:
                worker.ask("build_training", case=case.name, optimizer=optimizer, folder=str(folder))
                check_training(worker, case, expected, result, folder, self.looser)
            except RefusalError as refusal:
                result.status = f"refused: {refusal}"
            turns.append(Turn(result, worker, {"do": "train", "shuffle": case.shuffle}, "epochs"))
        return self.time_in_turn(turns, units=case.steps)

    def prediction(self, case: Prediction, folder: Path) -> list[Result]:
        """Check that all give the same outputs, then time calls in turn."""
        expected = prepare_prediction(case, folder)
        turns = []
        for worker in self.workers:
            result = Result("prediction", case.name, worker.name, self.n_cores, worker.threads, flops=case.flops)
            routes = [""]
            try:
                routes = built_routes(worker, case, folder)
                result.difference = check_outputs(worker, expected, folder, self.looser)
            except RefusalError as refusal:
                result.status = f"refused: {refusal}"
            turns += [prediction_turn(result, worker, route) for route in routes]
        return self.time_in_turn(turns, units=1)

    def time_in_turn(self, turns: list[Turn], units: int) -> list[Result]:
        """Let all take turns for a number of rounds: A, B, C, A, B, C and so on."""
        chosen = [self.best_of(group) for group in grouped(turns)]
        racing = [turn for turn in chosen if turn.result.status == "ok"]
        for _ in range(self.settings.rounds):
            peak = self.peak_rate()
            for turn in racing:
                time.sleep(PAUSE)
                seconds = turn.seconds(self.settings.clock)
                turn.result.rounds.append(seconds / (turn.amount * units))
                turn.result.peak_rounds.append(peak)
        return [turn.result for turn in chosen]

    def best_of(self, group: list[Turn]) -> Turn:
        """Return the fastest of a rival's ways to do the work: numbers of threads, routes."""
        best, least = group[0], float("inf")
        for turn in group:
            if turn.result.status != "ok":
                continue
            taken = turn.calibrate(self.settings)
            if taken < least:
                best, least = turn, taken
        return best

    def peak_rate(self) -> float:
        """Measure the peak once more, in FLOP/s; 0 where it cannot be measured."""
        if self.peak is None:
            return 0.0
        answer = self.peak.ask("peak", seconds=self.settings.seconds / 4)
        return float(answer["flops"] / answer[self.settings.clock])


def grouped(turns: list[Turn]) -> list[list[Turn]]:
    """Put the turns of one rival together."""
    groups: dict[str, list[Turn]] = {}
    for turn in turns:
        groups.setdefault(turn.result.rival, []).append(turn)
    return list(groups.values())


def check_training(
    worker: Worker, case: Training, expected: ExpectedTraining, result: Result, folder: Path, looser: float = 1
) -> None:
    """Train one epoch in the natural order and one shuffled; raise RefusalError if the numbers are not as expected."""
    file = folder / "outputs.npy"
    start, after_one, after_two = expected.losses
    worker.ask("train", epochs=1, shuffle=False)
    result.loss = float(worker.ask("results", rows=ROWS_COMPARED, file=str(file))["loss"])
    result.difference = float(np.max(np.abs(np.load(file) - expected.outputs)))
    if not abs(result.loss - after_one) <= looser * TOLERANCE_LOSS * after_one:
        raise RefusalError(f"its loss is {result.loss:.6g}, the reference's {after_one:.6g}")
    if not result.difference <= looser * TOLERANCE_OUTPUTS * float(np.max(np.abs(expected.outputs))):
        raise RefusalError(f"its outputs differ from the reference's by {result.difference:.2g}")
    worker.ask("train", epochs=1, shuffle=case.shuffle)
    loss = worker.ask("results", rows=1, file=str(file))["loss"]
    if not abs(loss - after_two) <= TOLERANCE_SHUFFLED * abs(start - after_two):
        raise RefusalError(f"its loss after a shuffled epoch is {loss:.6g}, the reference's {after_two:.6g}")


def built_routes(worker: Worker, case: Prediction, folder: Path) -> list[str]:
    """Build the network and return the names of the ways to predict."""
    network = case.network
    answer = worker.ask(
        "build_prediction", sizes=network.sizes, hidden=network.hidden, output=network.output, folder=str(folder)
    )
    return list(answer["routes"])


def prediction_turn(result: Result, worker: Worker, route: str) -> Turn:
    """Make the turn of one route: each of our own routes is a rival of its own, of the others the fastest counts."""
    name = f"{worker.name} {route}".strip() if worker.name.startswith(OURS) else worker.name
    own = dataclasses.replace(result, rival=name, route=route, rounds=[], peak_rounds=[])
    return Turn(own, worker, {"do": "predict", "route": route}, "calls")


def check_outputs(worker: Worker, expected: Array, folder: Path, looser: float = 1) -> float:
    """Return the largest difference of any route's outputs; raise RefusalError if it is too large."""
    file = folder / "outputs.npz"
    worker.ask("outputs", file=str(file))
    largest = 0.0
    with np.load(file) as archive:
        for route in archive.files:
            difference = float(np.max(np.abs(archive[route] - expected)))
            if not difference <= looser * TOLERANCE_OUTPUTS * float(np.max(np.abs(expected))):
                raise RefusalError(f"the outputs of {route!r} differ from the reference's by {difference:.2g}")
            largest = max(largest, difference)
    return largest
