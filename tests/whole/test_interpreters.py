"""What interpreters without a global lock, and second interpreters in one process, are promised."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
from cnn_core import layers

X = np.linspace(-1, 1, 48, dtype="float32").reshape(8, 6)


def model() -> cnn_core.Sequential:
    made = cnn_core.Sequential([cnn_core.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(2)])
    made.compile("sgd", "mse")
    return made


def in_threads(n_threads: int, work: Callable[[], object]) -> list[object]:
    """Begin the same work in all threads at the same moment, and return what each returned or raised."""
    barrier, results = threading.Barrier(n_threads), [None] * n_threads

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def imported(*options: str, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(cnn_core.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, *options, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this interpreter has a global lock")
def test_import_leaves_the_global_lock_off() -> None:
    done = imported("-W", "error", code="import sys, cnn_core; print(sys._is_gil_enabled())")
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_a_second_interpreter_is_refused_with_an_error() -> None:
    """By NumPy or, with NumPy 1, by the core, in words that depend on the versions; and the first one goes on."""
    code = """if True:
        try:
            import _interpreters
        except ImportError:  # before CPython 3.13
            import _xxsubinterpreters as _interpreters
        import cnn_core
        second = _interpreters.create()
        run = getattr(_interpreters, "exec", None) or _interpreters.run_string
        try:
            told = run(second, "import cnn_core").msg
        except RuntimeError as error:  # CPython 3.12 and before raise it
            told = str(error)
        _interpreters.destroy(second)
        print(cnn_core.activations.relu([-1.0, 2.0]))
        print(told)
    """
    done = imported("-W", "ignore", code=code)
    assert done.returncode == 0, done.stderr
    refused = "not support loading in subinterpreters|module more than once per process|loaded into one interpreter"
    assert re.search(refused, done.stdout)


def test_threads_that_share_a_predictor_get_the_same_bits() -> None:
    predictor = model().predictor()
    expected = predictor(X)

    def work() -> bool:
        return all((predictor(X) == expected).all() for _ in range(2000))

    assert in_threads(8, work) == [True] * 8


def test_threads_that_use_one_pass_are_refused_or_alone() -> None:
    """The native memory of a batch is held by one thread at a time; the others are told."""
    one = model()
    one.predict(X, verbose=0)
    block = _core.Block(one._network(), len(X), False)
    (expected,) = block.forward([X])

    def work() -> set[str]:
        seen = set()
        for _ in range(500):
            try:
                seen.add("alone" if block.forward([X])[0].shape == expected.shape else "wrong")
            except RuntimeError as error:
                seen.add("refused" if "another thread" in str(error) else str(error))
        return seen

    results = in_threads(4, work)
    assert all(isinstance(seen, set) and seen <= {"alone", "refused"} for seen in results), results
    np.testing.assert_array_equal(block.forward([X])[0], expected)


def test_threads_that_fit_one_model_are_refused_or_alone() -> None:
    one = model()
    one.fit(X, X[:, :2], verbose=0)

    def work() -> str:
        try:
            one.fit(X, X[:, :2], epochs=200, verbose=0)
        except RuntimeError as error:
            return "refused" if "another thread" in str(error) else str(error)
        return "fitted"

    results = in_threads(4, work)
    assert set(results) <= {"fitted", "refused"}
    assert "fitted" in results
    assert one.optimizer.batches_seen == 1 + 200 * results.count("fitted")
