"""The suite under compilers' sanitizers and valgrind, in a copy of the tree that is built for them.

Reports of other packages and of the interpreter are passed over: a report counts if the core is in its stack.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scratch_tree import build, copy_tree, run_in

# Left out is what starts processes of its own, and what asks for exact times, instructions or bytes of memory.
SUITE = (
    *("tests/activations", "tests/callbacks", "tests/data", "tests/foundation", "tests/layers", "tests/losses"),
    *("tests/metrics", "tests/models", "tests/network", "tests/ops", "tests/optimizers", "tests/training"),
    *("tests/whole/test_hostile_files.py", "tests/whole/test_robustness.py", "tests/whole/test_fuzzing.py"),
)
THREADED = ("tests/whole/test_threads.py", "tests/whole/test_robustness.py::test_eight_threads_predict_the_same_bits")
VALGRIND_SCRIPT = """
import numpy as np
import cnn_core
from cnn_core import layers
x = np.linspace(-1, 1, 600).reshape(50, 12)
y = np.arange(50) % 3
for dtype in ("float32", "float64"):
    cnn_core.config.set_floatx(dtype)
    model = cnn_core.Sequential([cnn_core.Input((12,)), layers.Dense(9, "gelu"), layers.BatchNormalization(),
                                 layers.Dropout(0.5), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=2, batch_size=7, verbose=0, validation_split=0.2)
    model.predict(x, verbose=0), model.predictor()(x[:2].astype(dtype))
print("done")
"""


def runtime(name: str) -> str:
    """Return the path of a sanitizer's library, which must be loaded before the interpreter's."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip(f"gcc has no {name}")
    return found


def of_the_core(log: str, start: str) -> list[str]:
    """Return the reports, which begin with a line like `start`, in whose stack the core is."""
    reports = re.split(f"(?m)^(?=.*{start})", log)[1:]
    return [report for report in reports if "_core." in report]


def mixes_weights(report: str) -> bool:
    """Whether a race is that of a prediction with the steps of a fit, which the documents tell of."""
    stacks = report.split("\n\n")[:2]
    return any("predict_rows" in stack for stack in stacks) and any("update_parameters" in stack for stack in stacks)


def passed(output: str) -> int:
    """Return how many tests passed, which must be some."""
    found = re.search(r"(\d+) passed", output)
    assert found is not None, output[-5000:]
    return int(found[1])


@pytest.fixture(scope="module")
def address_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = copy_tree(tmp_path_factory.mktemp("address") / "tree")
    flags = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
    build(tree, {"CNN_CORE_CFLAGS": flags, "LDFLAGS": "-fsanitize=address,undefined"})
    return tree


@pytest.mark.parametrize("tests", SUITE)
def test_addresses_and_undefined_behaviour(
    tests: str, address_tree: Path, record_property: Callable[[str, object], None]
) -> None:
    settings = {
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')} {runtime('libstdc++.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_segv=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", tests]
    done = run_in(address_tree, command, settings)
    assert not re.search("AddressSanitizer|runtime error", done.stdout), done.stdout[-20000:]
    record_property("inputs", passed(done.stdout))


def test_races(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    tree = copy_tree(tmp_path / "tree")
    build(tree, {"CNN_CORE_CFLAGS": "-O1 -g -fsanitize=thread", "LDFLAGS": "-fsanitize=thread"})
    log = tmp_path / "races"
    settings = {
        "LD_PRELOAD": runtime("libtsan.so"),
        "TSAN_OPTIONS": f"exitcode=0:die_after_fork=0:report_signal_unsafe=0:history_size=7:log_path={log}",
    }
    done = run_in(tree, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *THREADED], settings)
    record_property("inputs", passed(done.stdout))
    reports = "".join(path.read_text(errors="replace") for path in tmp_path.glob("races.*"))
    races = of_the_core(reports, "WARNING: ThreadSanitizer")
    assert [race for race in races if not mixes_weights(race)] == []


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_valgrind(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    build(tree, {"CNN_CORE_CFLAGS": "-g"})
    command = ["valgrind", "--error-limit=no", "--num-callers=40", sys.executable, "-c", VALGRIND_SCRIPT]
    done = run_in(tree, command, {"PYTHONMALLOC": "malloc", "CNN_CORE_ISA": "avx2"})
    assert "done" in done.stdout
    assert of_the_core(done.stdout, r"==\d+== (Invalid|Conditional|Use of|Syscall)") == []
