"""Compare cnn_core with other libraries on this machine, in one run, taking turns.

    python benchmarks/compare.py                          everything, one core and all cores
    python benchmarks/compare.py --quick --threads 1      a few minutes, to see that all sides agree

Every comparison first shows that both sides reach the same loss from the same weights, or the same outputs.
Libraries that are not installed are left out. The rivals may live in another environment: `--rival-python`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import peak
from cases import PREDICTIONS, TRAININGS, Prediction, Training, training_named
from measure import Comparison, RefusalError, Result, Settings, Worker, start_peak, start_workers
from report import Run
from rivals import BEFORE, ENTRIES, OURS, Entry, entry_named
from startup import compare_startup

PARTS = ("training", "prediction", "startup")


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if options.render:
        Run.load(options.render).save(options.output)
        return
    settings = settings_of(options)
    entries = [entry for entry in chosen_entries(options) if is_installed(entry, settings)]
    output = folder_of(options)
    run = Run(machine.description(), description_of(settings))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        for n_cores in core_counts(options.threads, settings):
            measure_on_cores(run, entries, options, settings, n_cores, folder)
            run.save(output)
        if "startup" in options.parts:
            print("start and size", flush=True)
            run.startups = compare_startup(entries, settings, folder)
    run.save(output)
    print((output / "results.md").read_text())


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    result.add_argument("--parts", type=words_of, default=list(PARTS), help=f"out of {','.join(PARTS)}")
    result.add_argument("--cases", type=words_of, help=f"out of {','.join(case.name for case in TRAININGS)}")
    result.add_argument("--optimizers", type=words_of, help="out of sgd,adam")
    result.add_argument("--networks", type=words_of, help="networks to predict with, such as 64-32-10")
    result.add_argument("--rows", type=words_of, help="numbers of rows to predict, such as 1,32")
    result.add_argument("--rivals", type=words_of, help=f"out of {','.join(entry.name for entry in ENTRIES)}")
    result.add_argument(
        "--threads",
        choices=("1", "all", "both"),
        default="both",
        help="one pinned core, all cores, or one after the other",
    )
    result.add_argument("--core", type=int, help="the core to pin to; the last one if not given")
    result.add_argument("--rounds", type=int, help="turns of each rival; 7, or 3 with --quick")
    result.add_argument("--seconds", type=float, help="length of a turn; 0.3, or 0.05 with --quick")
    result.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="time that passes, or processor time, which other programs on the machine disturb less "
        "(with one core only)",
    )
    result.add_argument("--isa", choices=("avx2", "avx512"), help="force cnn_core's instruction set, and the peak's")
    result.add_argument("--mixed", action="store_true", help="in mixed precision, bfloat16 with weights in float32")
    result.add_argument("--before", type=Path, help="folder of an earlier revision, built in place")
    result.add_argument("--quick", action="store_true", help="short turns; without XL and the largest predictions")
    result.add_argument("--python", default=sys.executable, help="the interpreter that has cnn_core")
    result.add_argument("--rival-python", default=sys.executable, help="the interpreter that has the rivals")
    result.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark-results"),
        help="folder for the results, which are kept in one of its own for each kind of core and precision",
    )
    result.add_argument("--render", type=Path, metavar="JSON", help="only write table and picture of an earlier run")
    return result


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def folder_of(options: argparse.Namespace) -> Path:
    """Return where the results are kept: apart for each kind of core, and for each precision."""
    kind = machine.kind(options.isa)
    return options.output / (f"{kind}_mixed" if options.mixed else kind)


def settings_of(options: argparse.Namespace) -> Settings:
    cores = machine.available_cores()
    return Settings(
        python=str(Path(options.python).absolute()),
        rival_python=str(Path(options.rival_python).absolute()),
        rounds=options.rounds or (3 if options.quick else 7),
        seconds=options.seconds or (0.05 if options.quick else 0.3),
        core=cores[-1] if options.core is None else options.core,
        n_cores=len(cores),
        clock=options.clock,
        instruction_set=options.isa,
        mixed=options.mixed,
    )


def description_of(settings: Settings) -> dict[str, object]:
    return {
        "rounds": settings.rounds,
        "seconds per turn": settings.seconds,
        "clock": settings.clock,
        "instruction set": settings.instruction_set or "as found",
        "precision": "mixed bfloat16" if settings.mixed else "float32",
    }


def core_counts(threads: str, settings: Settings) -> list[int]:
    counts = {"1": [1], "all": [settings.n_cores], "both": [1, settings.n_cores]}
    return list(dict.fromkeys(counts[threads]))


def chosen_entries(options: argparse.Namespace) -> list[Entry]:
    """List ours, the revision before if one is given, and the rivals."""
    before = [] if options.before is None else [BEFORE.at(options.before.absolute())]
    if options.rivals is not None:
        ours, *rivals = (entry_named(name) for name in dict.fromkeys([OURS, *options.rivals]))
    elif options.mixed:
        ours, *rivals = (entry for entry in ENTRIES if entry.mixes or entry.only_when_mixed)
    else:
        ours, *rivals = (entry for entry in ENTRIES if not entry.only_when_mixed)
    return [ours, *before, *rivals]


def is_installed(entry: Entry, settings: Settings) -> bool:
    """Ask the interpreter in question, without importing the library here."""
    python = settings.python if entry.name.startswith(OURS) else settings.rival_python
    modules = [entry.import_line.split()[1].partition(".")[0]]
    modules += [entry.environment[name] for name in ("KERAS_BACKEND",) if name in entry.environment]
    script = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in {modules!r}))"
    found = subprocess.run([python, "-c", script], cwd=tempfile.gettempdir()).returncode == 0
    if not found:
        print(f"{entry.label} is not installed and is left out", flush=True)
    return found


def chosen_trainings(options: argparse.Namespace) -> list[tuple[Training, int]]:
    """List the training cases with the index of each optimizer."""
    names = options.cases or [case.name for case in TRAININGS if not (options.quick and case.name in ("XL", "wide"))]
    cases = [training_named(name) for name in names]
    return [
        (case, index)
        for case in cases
        for index, rule in enumerate(case.optimizers)
        if options.optimizers is None or rule.name in options.optimizers
    ]


def chosen_predictions(options: argparse.Namespace) -> list[Prediction]:
    most = 1_024 if options.quick else max(case.rows for case in PREDICTIONS)
    return [
        case
        for case in PREDICTIONS
        if (options.networks is None or case.network.name in options.networks)
        and (str(case.rows) in options.rows if options.rows else case.rows <= most)
    ]


def measure_on_cores(
    run: Run, entries: list[Entry], options: argparse.Namespace, settings: Settings, n_cores: int, folder: Path
) -> None:
    """Measure training and prediction with all workers on a number of cores."""
    library = peak.build(folder, settings.instruction_set or "native")
    for part, cases in (("training", chosen_trainings(options)), ("prediction", chosen_predictions(options))):
        if part not in options.parts or not cases:
            continue
        wanted = [entry for entry in entries if (entry.trains if part == "training" else entry.predicts)]
        workers = start_workers(wanted, settings, n_cores, folder)
        roof = start_peak(settings, n_cores, library, folder)
        try:
            workers = [worker for worker in workers if greet(worker, run)]
            comparison = Comparison(workers, roof, settings, n_cores)
            for case in cases:
                run.results += measured(comparison, case, folder)
        finally:
            for worker in [*workers, *([roof] if roof else [])]:
                worker.close()


def greet(worker: Worker, run: Run) -> bool:
    """Learn the versions; leave out a rival whose library cannot be imported."""
    try:
        versions = worker.ask("hello")["versions"]
    except RefusalError as refusal:
        print(f"{worker.name} is left out: {refusal}", flush=True)
        return False
    run.versions.update(versions)
    return True


def measured(comparison: Comparison, case: Prediction | tuple[Training, int], folder: Path) -> list[Result]:
    """Measure one case in a folder of its own, and say what came out in one line."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        if isinstance(case, Prediction):
            title = case.name
            results = comparison.prediction(case, Path(name))
        else:
            title = f"{case[0].name} {case[0].optimizers[case[1]].name}"
            results = comparison.training(case[0], case[1], Path(name))
    times = [f"{r.rival} {r.median * 1e6:.4g}" if r.rounds else f"{r.rival} {r.status}" for r in results]
    print(f"{title}, {comparison.n_cores} cores, us: {'; '.join(times)}", flush=True)
    return results


if __name__ == "__main__":
    main()
