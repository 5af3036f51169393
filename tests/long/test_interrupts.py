"""Ctrl-C at random moments: of a model's fit, of the estimators', and of the command line's."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

N_MOMENTS = 50
LATEST = 0.3  # seconds from the begin of a fit that would last for minutes
N_COMMANDS = 25
# The command line after Python's own start, which a signal may end in ways of its own.
COMMAND_LINE = "import runpy; print('began', flush=True); runpy.run_module('cnn_core', run_name='__main__')"

generator = np.random.default_rng(0)
X = generator.normal(size=(400, 6))
Y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)


def a_model() -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(0)
    model = cnn_core.Sequential([cnn_core.Input((6,)), layers.Dense(16, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Let the system send Ctrl-C's signal then, whatever the process does."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def moments() -> list[float]:
    source = random.Random(0)
    return [source.uniform(0.0005, LATEST) for _ in range(N_MOMENTS)]


@pytest.mark.parametrize("options", [{}, {"callbacks": [cnn_core.callbacks.Callback()]}, {"validation_split": 0.2}])
def test_a_model_is_whole_as_of_the_last_finished_batch(
    options: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    record_property("inputs", N_MOMENTS)
    data = {"batch_size": 50, "shuffle": False, "verbose": 0, **options}
    n_batches = 7 if "validation_split" in options else 8
    for seconds in moments():
        model, twin = a_model(), a_model()
        with pytest.raises(KeyboardInterrupt), interrupted_after(seconds):
            model.fit(X, Y, epochs=10**6, **data)
        seen = 0 if model.optimizer is None else model.optimizer.batches_seen
        rows = 320 if "validation_split" in options else 400
        if seen >= n_batches:
            twin.fit(X[:rows], Y[:rows], batch_size=50, shuffle=False, verbose=0, epochs=seen // n_batches)
        for batch in range(seen % n_batches):
            part = slice(batch * 50, min(batch * 50 + 50, rows))
            twin.train_on_batch(X[part], Y[part])
        for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert np.isfinite(model.predict(X, verbose=0)).all()
        model.fit(X, Y, epochs=1, verbose=0)


ESTIMATORS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (MLPClassifier, {"max_iter": 10**6, "n_iter_no_change": 10**6, "tol": 0}),
    (MLPRegressor, {"max_iter": 10**6, "n_iter_no_change": 10**6, "tol": 0}),
    (TabularClassifier, {"epochs": 10**6, "hidden_layer_sizes": (16,)}),
    (TabularRegressor, {"epochs": 10**6, "hidden_layer_sizes": (16,)}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("estimator", "parameters"), ESTIMATORS)
def test_an_estimator_answers_or_says_that_it_was_not_fitted(
    estimator: Callable[..., Any], parameters: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    from sklearn.exceptions import NotFittedError

    record_property("inputs", N_MOMENTS)

    for seconds in moments():
        one = estimator(random_state=0, **parameters)
        try:
            with interrupted_after(seconds):
                one.fit(X, Y)
        except KeyboardInterrupt:
            pass  # sklearn's perceptrons, and so ours, end their fit instead, with a warning
        try:
            answer = one.predict(X)
        except NotFittedError:
            assert not [name for name in vars(one) if name.endswith("_") and not name.startswith("_")]
        else:
            assert answer.shape == Y.shape
        one.set_params(**{"max_iter" if "max_iter" in parameters else "epochs": 1}).fit(X, Y)
        assert one.predict(X).shape == Y.shape


def test_the_command_line_ends_and_leaves_no_half_of_a_file(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("inputs", N_COMMANDS)
    table, model = tmp_path / "table.csv", tmp_path / "model.safetensors"
    rows = [",".join(map(str, row)) + f",{label}" for row, label in zip(X.round(3), Y, strict=True)]
    table.write_text("a,b,c,d,e,f,target\n" + "\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, "-c", COMMAND_LINE, "fit", str(table), "--target", "target", "--model", str(model)]
    source = random.Random(1)
    for _ in range(N_COMMANDS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        time.sleep(source.uniform(0, 3))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT), errors
        assert sorted(path.name for path in tmp_path.iterdir()) in (["table.csv"], ["model.safetensors", "table.csv"])
        if model.exists():
            cnn_core.load_predictor(model)
            model.unlink()
