"""Measure what happens before and around training: import time, from import to a trained model, room on disk."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from cases import SMALL_JOB, SMALL_JOB_EPOCHS
from measure import TOLERANCE_LOSS, WORKER, Settings
from rivals import OURS, Entry
from rivals.numpy_by_hand import NumPyByHand

INSTALLED = Path(__file__).with_name("installed.py")


@dataclass
class Startup:
    """Hold seconds of whole processes for one rival, and its size in bytes."""

    rival: str
    imports: list[float] = field(default_factory=list)
    jobs: list[float] = field(default_factory=list)
    status: str = "ok"
    own_size: int = 0
    size_with_dependencies: int = 0

    @property
    def import_seconds(self) -> float:
        return statistics.median(self.imports) if self.imports else float("nan")

    @property
    def job_seconds(self) -> float:
        return statistics.median(self.jobs) if self.jobs else float("nan")


def compare_startup(entries: list[Entry], settings: Settings, folder: Path) -> list[Startup]:
    """Start a process for each rival in turn; "python" and "numpy" alone are the ground that the others stand on."""
    results = {entry.name: Startup(entry.name) for entry in entries}
    bare = Startup("python")
    reference = reference_loss()
    for round_number in range(-1, settings.rounds):
        # The first round only fills the disk's cache and the bytecode's.
        record = round_number >= 0
        seconds = import_seconds("pass", settings.rival_python, {}, settings, folder)
        bare.imports += [seconds] if record else []
        for entry in entries:
            result = results[entry.name]
            if result.status == "ok":
                start_once(entry, result, reference, record, settings, folder)
    for entry in entries:
        measure_size(entry, results[entry.name], settings, folder)
    return [bare, *results.values()]


def start_once(entry: Entry, result: Startup, reference: float, record: bool, settings: Settings, folder: Path) -> None:
    """Import once and train the small job once."""
    python = python_of(entry, settings)
    try:
        seconds = import_seconds(entry.import_line, python, entry.environment, settings, folder)
        result.imports += [seconds] if record else []
        if entry.trains:
            seconds = job_seconds(entry, python, reference, settings, folder)
            result.jobs += [seconds] if record else []
    except (subprocess.CalledProcessError, ValueError) as error:
        result.status = f"refused: {error}"


def python_of(entry: Entry, settings: Settings) -> str:
    return settings.python if entry.name.startswith(OURS) else settings.rival_python


def now(settings: Settings) -> float:
    """Read the clock that was asked for: the time of day's, or the processor time of ended child processes."""
    if settings.clock == "wall":
        return time.perf_counter()
    import resource  # not on Windows, which has no clock for this

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment in which bytecode is kept, as on a user's machine, but not beside the sources."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def pin(settings: Settings) -> None:
    """Confine the calling process to the measuring core; called in the child before it becomes Python."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {settings.core})


def import_seconds(line: str, python: str, environment: dict[str, str], settings: Settings, folder: Path) -> float:
    """Time a whole process that only imports."""
    begin = now(settings)
    subprocess.run(
        [python, "-c", line],
        check=True,
        capture_output=True,
        cwd=folder,
        env={**surroundings(folder), **environment},
        preexec_fn=lambda: pin(settings),
    )
    return now(settings) - begin


def job_seconds(entry: Entry, python: str, reference: float, settings: Settings, folder: Path) -> float:
    """Time a whole process from its start to a trained model; raise ValueError if it reached another loss."""
    command = [
        python,
        str(WORKER),
        "--rival",
        entry.name,
        "--threads",
        "1",
        "--core",
        str(settings.core),
        "--small-job",
    ]
    begin = now(settings)
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=folder,
        text=True,
        env={**surroundings(folder), **entry.environment_for(1)},
    )
    seconds = now(settings) - begin
    loss = json.loads(done.stdout)["loss"]
    if not abs(loss - reference) <= TOLERANCE_LOSS * reference:
        raise ValueError(f"its loss is {loss:.6g}, the reference's {reference:.6g}")
    return seconds


def reference_loss() -> float:
    """Return the loss that the small job must reach."""
    import numpy as np

    reference = NumPyByHand(1, np.float64)
    reference.build(SMALL_JOB.network, SMALL_JOB.network.weights(), SMALL_JOB, SMALL_JOB.optimizers[0])
    reference.set_data(*SMALL_JOB.data())
    reference.train(SMALL_JOB_EPOCHS, False)
    return reference.loss()


def measure_size(entry: Entry, result: Startup, settings: Settings, folder: Path) -> None:
    """Ask the rival's interpreter how much room its files take."""
    command = [python_of(entry, settings), str(INSTALLED), *entry.distributions]
    environment = {**os.environ, **entry.environment}
    done = subprocess.run(command, capture_output=True, cwd=folder, text=True, env=environment)
    if done.returncode == 0:
        sizes = json.loads(done.stdout)
        result.own_size, result.size_with_dependencies = sizes["own"], sizes["with_dependencies"]
