"""The display never costs a training: streams that are missing, closed, full, gone, or speak ASCII only."""

from __future__ import annotations

import errno
import io
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.foundation.display as display
from cnn_core import callbacks, layers

X = np.random.default_rng(4).normal(size=(40, 3)).astype("float32")
Y = X[:, :1]


class Failing(io.StringIO):
    """A stream that can no longer be written."""

    def __init__(self, error: Exception, terminal: bool = False) -> None:
        super().__init__()
        self.error = error
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        raise self.error


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = {
    "missing": lambda: None,
    "closed": closed,
    "full": lambda: Failing(FULL),
    "full terminal": lambda: Failing(FULL, terminal=True),
    "unplugged": lambda: Failing(OSError(errno.EIO, "Input/output error"), terminal=True),
    "reader gone": lambda: Failing(BrokenPipeError(errno.EPIPE, "Broken pipe")),
    "ascii": lambda: io.TextIOWrapper(io.BytesIO(), "ascii"),
    "latin": lambda: io.TextIOWrapper(io.BytesIO(), "latin-1"),
}


@pytest.fixture(params=list(BROKEN))
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A standard output of which little can be expected."""
    stream = BROKEN[request.param]()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(sys, "stdout", stream)


def model() -> Any:
    cnn_core.utils.set_random_seed(1)
    made = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2, name="größer"), layers.Dense(1)], name="モデル")
    made.compile("sgd", "mse")
    made.training_state()  # draws the model's seed, which the first fit would draw otherwise
    return made


def talkative(path: Path) -> list[Any]:
    """Every callback that says something."""
    return [
        callbacks.EarlyStopping("loss", patience=1, min_delta=10, verbose=1, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=10, verbose=1),
        callbacks.ModelCheckpoint(path / "größer.safetensors", "loss", save_best_only=True, verbose=1),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate, verbose=1),
    ]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("verbose", [1, 2])
def test_a_training_outlives_its_display(verbose: int, tmp_path: Path) -> None:
    shown, silent = model(), model()
    for each, noise in ((shown, verbose), (silent, 0)):
        each.fit(X, Y, epochs=5, validation_data=(X, Y), verbose=noise, callbacks=talkative(tmp_path))
    assert shown.history.history == silent.history.history
    assert shown.evaluate(X, Y, verbose=verbose) == silent.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(shown.predict(X, verbose=verbose), silent.predict(X))


@pytest.mark.usefixtures("broken")
def test_a_summary_and_an_invalid_loss_outlive_their_display() -> None:
    shown = model()
    shown.summary()
    shown.compile(cnn_core.optimizers.SGD(1e30), "mse")
    shown.fit(X * 1e8, Y * 1e8, epochs=5, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert shown.stop_training


def test_a_summary_in_ascii_keeps_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for encoding in ("utf-8", "ascii"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        model().summary()
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding).splitlines())  # type: ignore[attr-defined]
    framed, plain = texts
    assert [len(line) for line in plain] == [len(line) for line in framed]
    assert plain[0] == 'Model: "???"'
    assert plain[1].startswith("+====")
    assert plain[4].startswith("| gr??er (Dense)  ")


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("loss ━━──", "utf-8", "loss ━━──"),
        ("loss ━━──", "ascii", "loss ==--"),
        ("größer │", "latin-1", "größer |"),
        ("größer ━", "cp437", "größer ="),
        ("\ud800", "utf-8", "?"),
        ("größer", None, "größer"),
        ("größer", "no such encoding", "größer"),
    ],
)
def test_what_an_encoding_has_not_is_replaced(text: str, encoding: str | None, expected: str) -> None:
    class Stream:
        def __init__(self) -> None:
            self.encoding = encoding

    assert display.printable(text, Stream()) == expected  # type: ignore[arg-type]


def test_a_failing_display_is_told_of_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(display, "_failure_told", False)
    with caplog.at_level(logging.WARNING, "cnn_core"):
        for _ in range(3):
            display.show("epoch 1", Failing(FULL))
        display.show("epoch 1", Failing(BrokenPipeError()))
    assert caplog.messages == ["the display cannot be written and is left out: [Errno 28] No space left on device"]


def test_a_stream_may_lack_what_it_does_not_need() -> None:
    class Written:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def write(self, text: str) -> None:
            self.texts.append(text)

    stream = Written()
    display.show("epoch 1", stream)  # type: ignore[arg-type]
    assert stream.texts == ["epoch 1\n"]
    assert not display.is_terminal(stream)  # type: ignore[arg-type]


def test_an_interrupt_of_the_display_is_one_of_the_training() -> None:
    with pytest.raises(KeyboardInterrupt):
        display.show("epoch 1", Failing(KeyboardInterrupt()))  # type: ignore[arg-type]
