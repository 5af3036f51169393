"""What the package promises of its reliability, the tests that show it, and what they do not try."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A promise; tests as pytest names them, relative to the project's root; what none of them tries; long tests."""

    promise: str
    tests: tuple[str, ...]
    not_tried: str = ""
    long: tuple[str, ...] = ()


ROBUSTNESS = "tests/whole/test_robustness.py"
THREADS = "tests/whole/test_threads.py"
MODEL_FILE = "tests/foundation/test_model_file.py"
SANITIZERS = "tests/long/test_sanitizers.py"

ROWS = {
    "gradients": Row(
        "Gradients are those of central differences, for every layer, activation and loss.",
        ("tests/models/test_backpropagation.py", "tests/losses/test_losses.py", "tests/activations"),
    ),
    "optimizers": Row(
        "50 steps of every optimizer follow vectors recorded from Keras and PyTorch.",
        ("tests/agreement/test_golden_optimizers.py", "tests/agreement/test_golden_pytorch.py"),
    ),
    "extreme logits": Row(
        "Loss and gradient are finite wherever mathematics has them so.",
        (
            "tests/losses/test_losses.py::test_extreme_logits_have_finite_values_and_gradients",
            "tests/models/test_backpropagation.py::test_extreme_logits_have_finite_gradients",
        ),
    ),
    "not finite": Row(
        "NaN and infinity in data, weights and training are named before anything is changed.",
        (
            f"{ROBUSTNESS}::test_what_is_not_finite_is_named_before_anything_happens",
            f"{ROBUSTNESS}::test_weights_that_are_not_finite_are_refused",
        ),
    ),
    "subnormals": Row("Subnormal numbers stay what they are, in all threads.", ("tests/whole/test_subnormals.py",)),
    "determinism": Row(
        "One seed gives the same bits on any number of threads.",
        (f"{THREADS}::test_training_gives_the_same_bits_on_any_number_of_threads",),
    ),
    "input zoo": Row(
        "Whatever resembles an array is read right, or refused by name.",
        ("tests/foundation/test_input_zoo.py", "tests/models/test_predictor.py"),
        "more than 2^31 elements",
    ),
    "threads": Row(
        "Threads may predict with one model, and run while another trains.",
        (THREADS, f"{ROBUSTNESS}::test_eight_threads_predict_the_same_bits"),
        long=(f"{SANITIZERS}::test_races",),
    ),
    "released lock": Row(
        "Other threads of Python run during fit.", (f"{THREADS}::test_fit_lets_other_threads_run",), "their rate"
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
    ),
    "short memory": Row(
        "A failed allocation leaves the model as it was, for every allocation of a call.",
        ("tests/whole/test_memory.py",),
    ),
    "leaks": Row(
        "Models that are made, trained, saved and dropped leave no memory behind.",
        (),
        long=("tests/long/test_leaks.py",),
    ),
    "saving": Row(
        "A file is wholly old or wholly new, whenever the process dies.",
        (MODEL_FILE, "tests/callbacks/test_checkpoints.py"),
        long=("tests/long/test_disk_errors.py",),
    ),
    "hostile files": Row(
        "Damaged and hostile files are refused cleanly, in little memory.",
        ("tests/whole/test_hostile_files.py", "tests/interop/test_hdf5.py", "tests/interop/test_onnx_reader.py"),
    ),
    "fuzzing": Row(
        "Files that are damaged at random are refused, or load and work; atheris finds none that is neither.",
        ("tests/whole/test_fuzzing.py",),
        "files of PyTorch and tables",
        ("tests/long/test_fuzzing.py",),
    ),
    "no code in files": Row("Loading runs nothing.", ("tests/test_saving.py::test_loading_runs_nothing",)),
    "recorded files": Row("Files of every released version load.", ("tests/agreement/test_recorded_files.py",)),
    "import": Row(
        "Importing starts no thread and loads nothing that a plain script does not use.",
        (f"{THREADS}::test_import_starts_no_thread", "tests/architecture/test_packaging.py"),
        "its time, which no test can promise",
    ),
    "sanitizers": Row(
        "No report of the address and undefined-behaviour sanitizers, and none of valgrind.",
        (),
        long=(f"{SANITIZERS}::test_addresses_and_undefined_behaviour", f"{SANITIZERS}::test_valgrind"),
    ),
    "wheels": Row(
        "Wheels run on old systems, and need NumPy alone.",
        ("tests/matrix/test_wheels.py", "tests/architecture/test_packaging.py"),
        "other systems than this one",
        ("tests/long/test_wheels.py",),
    ),
    "interpreters": Row(
        "CPython 3.11 and later, with a global lock or without; a second interpreter in the process is refused.",
        ("tests/whole/test_interpreters.py",),
        "others than the one that runs the tests, but by hand",
    ),
}


def document() -> str:
    """Return the rows as the table of docs/reliability.md."""
    lines = ["| row | what is promised | shown by | not tried |", "|---|---|---|---|"]
    for name, row in ROWS.items():
        tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in (*row.tests, *row.long)) or "nothing yet"
        lines.append(f"| {name} | {row.promise} | {tests} | {row.not_tried} |")
    return "\n".join(lines)
