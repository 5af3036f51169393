"""What the package promises of its reliability, the tests that show it, and what they do not try."""

from __future__ import annotations

from typing import NamedTuple

RUN_ON = "2026-11-29"


class Row(NamedTuple):
    """A promise; tests as pytest names them, relative to the project's root; what none of them tries; long tests.

    `ran` is what the long form has run last, on the day of `RUN_ON`.
    """

    promise: str
    tests: tuple[str, ...]
    not_tried: str = ""
    long: tuple[str, ...] = ()
    ran: str = ""


ROBUSTNESS = "tests/whole/test_robustness.py"
THREADS = "tests/whole/test_threads.py"
MODEL_FILE = "tests/foundation/test_model_file.py"
SANITIZERS = "tests/long/test_sanitizers.py"

ROWS = {
    "gradients": Row(
        "Gradients are those of central differences, for every layer, activation and loss.",
        ("tests/models/test_backpropagation.py", "tests/losses/test_losses.py", "tests/activations"),
        ran="911 tests, 316 s",
    ),
    "optimizers": Row(
        "50 steps of every optimizer follow vectors recorded from Keras and PyTorch.",
        ("tests/agreement/test_golden_optimizers.py", "tests/agreement/test_golden_pytorch.py"),
        ran="851 tests, 73 s",
    ),
    "extreme logits": Row(
        "Loss and gradient are finite wherever mathematics has them so.",
        (
            "tests/losses/test_losses.py::test_extreme_logits_have_finite_values_and_gradients",
            "tests/models/test_backpropagation.py::test_extreme_logits_have_finite_gradients",
        ),
        ran="30 tests, 15 s",
    ),
    "not finite": Row(
        "NaN and infinity in data, weights and training are named before anything is changed.",
        (
            f"{ROBUSTNESS}::test_what_is_not_finite_is_named_before_anything_happens",
            f"{ROBUSTNESS}::test_weights_that_are_not_finite_are_refused",
        ),
        ran="56 tests, 11 s",
    ),
    "subnormals": Row(
        "Subnormal numbers stay what they are, in all threads.",
        ("tests/whole/test_subnormals.py",),
        ran="2 tests, 15 s",
    ),
    "determinism": Row(
        "One seed gives the same bits on any number of threads.",
        (f"{THREADS}::test_training_gives_the_same_bits_on_any_number_of_threads",),
        ran="4 tests, 17 s",
    ),
    "input zoo": Row(
        "Whatever resembles an array is read right, or refused by name.",
        ("tests/foundation/test_input_zoo.py", "tests/models/test_predictor.py"),
        "more than 2^31 elements",
        ran="346 tests, 46 s",
    ),
    "threads": Row(
        "Threads may predict with one model, and run while another trains.",
        (THREADS, f"{ROBUSTNESS}::test_eight_threads_predict_the_same_bits"),
        long=(f"{SANITIZERS}::test_races",),
        ran=(
            "20 tests, 66 s; 20 under ThreadSanitizer, 281 s: no report but of predictions that read "
            "weights while a fit changes them"
        ),
    ),
    "released lock": Row(
        "Other threads of Python run during fit.",
        (f"{THREADS}::test_fit_lets_other_threads_run",),
        "their rate",
        ran="1 test, 20 s",
    ),
    "processes": Row(
        "Forked and spawned processes train after a threaded fit.",
        (
            f"{THREADS}::test_a_forked_child_trains_with_threads_of_its_own",
            f"{THREADS}::test_a_child_forked_while_another_thread_trains_does_not_hang",
            f"{THREADS}::test_processes_train_after_a_threaded_fit",
            "tests/sklearn/perceptron/test_within_sklearn.py",
        ),
        long=("tests/long/test_processes.py",),
        not_tried="80 of the 100 rounds of spawn",
        ran="29 tests, 114 s; 320 rounds (100 of fork, forkserver and loky, 20 of spawn), 623 s",
    ),
    "interrupts": Row(
        "Ctrl-C leaves a whole model at once.",
        (
            f"{ROBUSTNESS}::test_interrupt_between_batches",
            f"{ROBUSTNESS}::test_interrupt_while_native_code_runs",
            f"{ROBUSTNESS}::test_interrupt_of_epochs_that_nobody_watches",
            "tests/sklearn/tabular/test_estimator.py",
        ),
        long=("tests/long/test_interrupts.py",),
        ran="61 tests, 46 s; 350 moments of fits and 25 of the command line, 200 s",
    ),
    "short memory": Row(
        "A failed allocation leaves the model as it was, for every allocation of a call.",
        ("tests/whole/test_memory.py",),
        "CPython 3.12 and 3.13, which a generator expression that finds no memory ends",
        ran="12 tests, 30 s",
    ),
    "leaks": Row(
        "Models that are made, trained, saved and dropped leave no memory behind.",
        (),
        long=("tests/long/test_leaks.py",),
        ran="20,000 cycles, 1,070 s",
    ),
    "saving": Row(
        "A file is wholly old or wholly new, whenever the process dies.",
        (MODEL_FILE, "tests/callbacks/test_checkpoints.py"),
        long=("tests/long/test_disk_errors.py",),
        ran="118 tests, 61 s; 189 system calls that fail or kill, in 9 ways to save, 1,700 s",
    ),
    "hostile files": Row(
        "Damaged and hostile files are refused cleanly, in little memory.",
        ("tests/whole/test_hostile_files.py", "tests/interop/test_hdf5.py", "tests/interop/test_onnx_reader.py"),
        ran="177 tests, 524 s",
    ),
    "fuzzing": Row(
        "Files that are damaged at random are refused, or load and work; atheris finds none that is neither.",
        ("tests/whole/test_fuzzing.py",),
        "files of PyTorch and tables",
        ("tests/long/test_fuzzing.py",),
        ran=("10 tests, 1,820 inputs, 26 s; 361,767 files that atheris made in ten minutes, 1,400 s with its starts"),
    ),
    "no code in files": Row(
        "Loading runs nothing.", ("tests/test_saving.py::test_loading_runs_nothing",), ran="1 test, 13 s"
    ),
    "recorded files": Row(
        "Files of every released version load.", ("tests/agreement/test_recorded_files.py",), ran="6 tests, 23 s"
    ),
    "import": Row(
        "Importing starts no thread and loads nothing that a plain script does not use.",
        (f"{THREADS}::test_import_starts_no_thread", "tests/architecture/test_packaging.py"),
        "its time, which no test can promise",
        ran="13 tests, 34 s",
    ),
    "sanitizers": Row(
        "No report of the address and undefined-behaviour sanitizers, and none of valgrind.",
        (),
        long=(f"{SANITIZERS}::test_addresses_and_undefined_behaviour", f"{SANITIZERS}::test_valgrind"),
        not_tried="tests of the estimators; other instruction sets than AVX2 under valgrind",
        ran=(
            "the 11,999 tests of 14 parts of the suite and 1,820 damaged files under AddressSanitizer and "
            "UndefinedBehaviorSanitizer, 950 s after the build; a script of two trainings under "
            "valgrind, 1,320 s with its build"
        ),
    ),
    "wheels": Row(
        "Wheels run on old systems, and need NumPy alone.",
        ("tests/matrix/test_wheels.py", "tests/architecture/test_packaging.py"),
        "other systems than this one",
        ("tests/long/test_wheels.py",),
        ran="19 tests, 25 s; 14,568 tests of an installed wheel, by `matrix/wheels.py --suite`",
    ),
    "interpreters": Row(
        "CPython 3.11 and later, with a global lock or without; a second interpreter in the process is refused.",
        ("tests/whole/test_interpreters.py",),
        "others than the one that runs the tests, but by hand",
        ran="4 tests, 9 s",
    ),
}


def document() -> str:
    """Return the rows as the table of docs/reliability.md."""
    lines = [f"| row | what is promised | shown by | run on {RUN_ON} | not tried |", "|---|---|---|---|---|"]
    for name, row in ROWS.items():
        tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in (*row.tests, *row.long)) or "nothing yet"
        lines.append(f"| {name} | {row.promise} | {tests} | {row.ran} | {row.not_tried} |")
    return "\n".join(lines)
