from __future__ import annotations

import copy
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
from cnn_core import callbacks, layers

# Large enough for the products of a training step to be shared out among threads.
FEATURES, UNITS, CLASSES, SAMPLES, BATCH = 96, 192, 5, 300, 128

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system has no /proc")


@pytest.fixture(autouse=True)
def width() -> Iterator[None]:
    before = cnn_core.get_num_threads()
    yield
    cnn_core.set_num_threads(before)


def samples(seed: int = 0, n: int = SAMPLES) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, FEATURES), dtype="float32")
    return x, generator.integers(0, CLASSES, n)


def build(dtype: str = "float32", optimizer: str = "adam") -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(3)
    model = cnn_core.Sequential(
        [
            cnn_core.Input((FEATURES,), dtype=dtype),
            layers.Dense(UNITS, activation="gelu", dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.Dropout(0.3, dtype=dtype),
            layers.Dense(UNITS, activation="relu", kernel_regularizer="l2", dtype=dtype),
            layers.Dense(CLASSES, activation="softmax", dtype=dtype),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(seed: int = 0, dtype: str = "float32", optimizer: str = "adam") -> bytes:
    """Train a model and return the bits of its weights, its history and its predictions."""
    x, y = samples(seed)
    model = build(dtype, optimizer)
    history = model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0, validation_split=0.2).history
    numbers = [
        *model.get_weights(),
        model.predict(x, verbose=0),
        *(np.array(history[name]) for name in sorted(history)),
    ]
    return b"".join(np.ascontiguousarray(one).tobytes() for one in numbers)


def in_threads(n: int, work: Callable[[int], None]) -> None:
    """Run work(0) to work(n - 1) at once and raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# The same bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_gives_the_same_bits_on_any_number_of_threads(dtype, optimizer):
    cnn_core.set_num_threads(1)
    expected = train(0, dtype, optimizer)
    for threads in (2, 3, 4, 7):
        cnn_core.set_num_threads(threads)
        assert train(0, dtype, optimizer) == expected, f"{threads} threads"
    assert _core.threads_started() > 0


def test_the_seed_makes_the_bits():
    # Guards the comparison of bits: it does tell one training from another.
    assert train(0) != train(1)


def test_predicting_gives_the_same_bits_on_any_number_of_threads():
    x, _ = samples(n=1000)
    model = build()
    cnn_core.set_num_threads(1)
    expected = model.predict(x, batch_size=500, verbose=0)
    for threads in (2, 3, 4):
        cnn_core.set_num_threads(threads)
        np.testing.assert_array_equal(model.predict(x, batch_size=500, verbose=0), expected)


# Python's threads


def test_two_threads_train_two_models_at_once():
    cnn_core.set_num_threads(3)
    data = [samples(i) for i in range(2)]

    def begun(i: int) -> cnn_core.Sequential:
        # The first fit gives the model its seed, from the process's sequence: not a thing to do in two threads.
        model = build()
        model.fit(*data[i], batch_size=BATCH, epochs=1, verbose=0)
        return model

    def finished(i: int, model: cnn_core.Sequential) -> bytes:
        model.fit(*data[i], batch_size=BATCH, epochs=3, verbose=0)
        return b"".join(one.tobytes() for one in model.get_weights())

    expected = [finished(i, begun(i)) for i in range(2)]
    models = [begun(i) for i in range(2)]
    together: dict[int, bytes] = {}
    in_threads(2, lambda i: together.update({i: finished(i, models[i])}))
    assert [together[0], together[1]] == expected
    assert expected[0] != expected[1]


def test_eight_threads_predict_with_one_model():
    cnn_core.set_num_threads(3)
    x, _ = samples()
    model = build()
    parts = [x[i::8] for i in range(8)]
    expected = [model.predict(part, verbose=0) for part in parts]

    def work(i: int) -> None:
        for _ in range(25):
            np.testing.assert_array_equal(model.predict(parts[i], verbose=0), expected[i])

    in_threads(8, work)


def test_width_changes_while_others_compute():
    x, _ = samples()
    model = build()
    expected = model.predict(x, verbose=0)

    def work(i: int) -> None:
        for n in range(100):
            if i == 0:
                cnn_core.set_num_threads(1 + n % 5)
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)

    in_threads(3, work)


class CountEpochs(callbacks.Callback):
    """Counts the epochs within which the counter has gone on by `enough`."""

    def __init__(self, counter: list[int], enough: int) -> None:
        super().__init__()
        self.counter, self.enough, self.reached = counter, enough, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = self.counter[0]

    def on_epoch_end(self, epoch, logs=None):
        self.reached += self.counter[0] - self.start >= self.enough


def test_fit_lets_other_threads_run():
    x = np.random.default_rng(0).normal(size=(2000, 64)).astype("float32")
    model = cnn_core.Sequential(
        [cnn_core.Input((64,)), *[layers.Dense(400, "relu") for _ in range(2)], layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    counter, finished, started = [0], threading.Event(), threading.Event()

    def count() -> None:
        started.set()
        while not finished.is_set():
            counter[0] += 1
            select.select([], [], [], 0)  # lets go of the interpreter, which nothing else makes this thread do

    # Nobody is made to let go of the interpreter. Here and there something else in fit does, but not in most of the
    # epochs, whose only batch takes some hundredths of a second.
    interval, width = sys.getswitchinterval(), cnn_core.get_num_threads()
    sys.setswitchinterval(1000)
    cnn_core.set_num_threads(1)
    thread = threading.Thread(target=count)
    try:
        thread.start()
        started.wait()
        epochs = CountEpochs(counter, enough=50)
        model.fit(x, x[:, :1], batch_size=len(x), epochs=20, verbose=0, callbacks=[epochs])
    finally:
        finished.set()
        thread.join()
        sys.setswitchinterval(interval)
        cnn_core.set_num_threads(width)
    assert epochs.reached >= 16


# The pool's own threads


def test_narrowing_ends_threads():
    cnn_core.set_num_threads(4)
    train()
    assert 0 < _core.threads_started() <= 3
    cnn_core.set_num_threads(2)
    assert _core.threads_started() <= 1
    cnn_core.set_num_threads(1)
    assert _core.threads_started() == 0
    train()
    assert _core.threads_started() == 0


def own_tasks() -> list[Path]:
    return [task for task in Path("/proc/self/task").iterdir() if (task / "comm").read_text().strip() == "cnn_core"]


@needs_proc
def test_threads_are_named_and_leave_signals_to_python():
    cnn_core.set_num_threads(1)
    assert own_tasks() == []
    cnn_core.set_num_threads(3)
    train()
    tasks = own_tasks()
    assert len(tasks) == _core.threads_started() > 0
    for task in tasks:
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        blocked = int(fields["SigBlk"], 16)
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
            assert blocked >> (one - 1) & 1


@needs_proc
def test_import_starts_no_thread():
    statement = (
        f"import sys; sys.path[:] = {sys.path!r}; import cnn_core, pathlib; "
        "print([task.name for task in pathlib.Path('/proc/self/task').iterdir() "
        "if (task / 'comm').read_text().strip() == 'cnn_core'], cnn_core._core.threads_started())"
    )
    shown = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[] 0"


# Forked and spawned processes


def fork(work: Callable[[], bool]) -> int:
    """Run work() in a forked child and return its exit status: 0 if it returned True."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads, our subject
        child = os.fork()
    if child == 0:
        try:
            signal.alarm(120)  # a child that hangs is killed, which its status tells
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
def test_a_forked_child_trains_with_threads_of_its_own():
    cnn_core.set_num_threads(3)
    expected = train()
    assert _core.threads_started() > 0

    def child() -> bool:
        inherited = _core.threads_started()
        return inherited == 0 and train() == expected and _core.threads_started() > 0

    for _ in range(5):
        assert fork(child) == 0
    assert fork(lambda: train() == expected and fork(child) == 0) == 0
    assert train() == expected


@needs_fork
def test_a_child_forked_while_another_thread_trains_does_not_hang():
    cnn_core.set_num_threads(3)
    expected = train()
    x, y = samples()
    model = build()
    finished = threading.Event()

    class UntilFinished(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = finished.is_set()

    thread = threading.Thread(
        target=lambda: model.fit(x, y, batch_size=BATCH, epochs=10**6, verbose=0, callbacks=[UntilFinished()])
    )
    thread.start()
    try:
        for _ in range(10):
            assert fork(lambda: train() == expected) == 0
    finally:
        finished.set()
        thread.join()


# Run as a script: a spawned child imports it again.
PROCESSES = """
import hashlib, multiprocessing, sys
import numpy as np
import cnn_core
from cnn_core import layers

def train(seed):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((300, 96), dtype="float32")
    y = generator.integers(0, 5, 300)
    cnn_core.set_num_threads(3)
    cnn_core.utils.set_random_seed(seed)
    model = cnn_core.Sequential(
        [cnn_core.Input((96,)), layers.Dense(256, activation="relu"), layers.Dense(5, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=128, epochs=2, verbose=0)
    digest = hashlib.sha256(b"".join(one.tobytes() for one in model.get_weights())).hexdigest()
    return digest, cnn_core._core.threads_started()

if __name__ == "__main__":
    expected = train(1)
    assert expected[1] > 0
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert pool.map(train, [1] * 4) == [expected] * 4
    assert train(1) == expected
    print("trained")
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_train_after_a_threaded_fit(tmp_path, method):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"the system has no {method}")
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script), method],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,  # a guard against hanging
        check=False,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "trained"), result.stderr


def test_predictions_of_a_model_that_trains_are_finite_and_of_the_right_shape():
    """What they mix is documented in `Model.predict`; nothing crashes, and a copy answers from one state alone."""
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    model = cnn_core.Sequential([cnn_core.Input((4,)), cnn_core.layers.Dense(32, "tanh"), cnn_core.layers.Dense(2)])
    model.compile("adam", "mse")
    model.predict(x)
    done, answers = threading.Event(), []

    def predict() -> None:
        while not done.is_set():
            answers.append(model.predict(x[:7]))
            answers.append(model.predict_on_batch(x[:7]))

    readers = [threading.Thread(target=predict) for _ in range(3)]
    for reader in readers:
        reader.start()
    model.fit(x, x[:, :2], batch_size=8, epochs=30, verbose=0)
    done.set()
    for reader in readers:
        reader.join()
    assert answers
    assert all(answer.shape == (7, 2) and np.isfinite(answer).all() for answer in answers)
    kept = copy.copy(model)
    before = kept.predict(x)
    model.fit(x, x[:, :2], epochs=2, verbose=0)
    np.testing.assert_array_equal(kept.predict(x), before)
