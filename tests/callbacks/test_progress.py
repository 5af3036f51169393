"""Bars of tqdm: what they count, what they leave on the screen, and the callback of tqdm itself."""

from __future__ import annotations

import io
import sys
from typing import Any, ClassVar

import numpy as np
import pytest

import cnn_core
import cnn_core.callbacks.progress as progress
from cnn_core.callbacks import EarlyStopping, TqdmCallback

pytest.importorskip("tqdm", reason="tqdm is not installed: pip install 'cnn_core[tqdm]'")
X = np.linspace(0.0, 1.0, 20)[:, None]


class Bar:
    """A bar that remembers what it was told."""

    made: ClassVar[list[Bar]] = []

    def __init__(self, total: int | None = None, **options: Any) -> None:
        self.total, self.options, self.n, self.initial = total, options, 0, 0
        self.told: list[Any] = []
        self.closed = False
        Bar.made.append(self)

    def set_postfix(self, logs: dict[str, float], refresh: bool) -> None:
        self.told.append(dict(logs))

    def update(self, count: int) -> None:
        self.n += count

    def reset(self, total: int | None) -> None:
        self.n, self.total = 0, total

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def no_bars_yet() -> None:
    Bar.made = []


def model(steps_per_execution: int = 1) -> Any:
    made = cnn_core.Sequential([cnn_core.Input((1,)), cnn_core.layers.Dense(1)])
    made.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    return made


def fit(callback: TqdmCallback, steps_per_execution: int = 1, **options: Any) -> Any:
    return model(steps_per_execution).fit(
        X, X, verbose=0, **{"epochs": 3, "batch_size": 5, **options, "callbacks": [callback]}
    )


def test_epochs_are_counted_and_results_shown() -> None:
    callback = TqdmCallback(verbose=0, tqdm_class=Bar, colour="green")
    assert not callback.needs_batch_hooks("train")
    history = fit(callback)
    (bar,) = Bar.made
    assert (bar.n, bar.total, bar.closed) == (3, 3, True)
    assert bar.told == [{"loss": loss} for loss in history.history["loss"]]
    assert bar.options == {"unit": "epoch", "disable": True, "colour": "green"}  # pytest's standard error is a file


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("verbose", "n_bars"), [(1, 2), (2, 4)])
def test_batches_are_counted(verbose: int, n_bars: int, steps: int) -> None:
    fit(TqdmCallback(verbose=verbose, tqdm_class=Bar), steps)
    assert len(Bar.made) == n_bars
    _, *batches = Bar.made
    assert {(bar.n, bar.total, bar.closed, bar.options["leave"]) for bar in batches} == {(4, 4, True, verbose == 2)}
    assert all(set(told) == {"loss"} for bar in batches for told in bar.told)


def test_a_continued_training_begins_where_it_was() -> None:
    fit(TqdmCallback(verbose=0, tqdm_class=Bar), epochs=5, initial_epoch=3)
    (bar,) = Bar.made
    assert (bar.n, bar.initial, bar.total) == (5, 3, 5)


def test_a_training_that_stops_early_is_not_counted_to_its_end() -> None:
    callback = TqdmCallback(verbose=0, tqdm_class=Bar)
    model().fit(X, X, epochs=9, verbose=0, callbacks=[EarlyStopping("loss", min_delta=9.0, patience=2), callback])
    (bar,) = Bar.made
    assert (bar.n, bar.total, bar.closed) == (3, 9, True)


@pytest.mark.parametrize(("options", "first"), [({}, None), ({"data_size": 19, "batch_size": 5}, 4)])
def test_batches_whose_number_nobody_knows(options: dict[str, int], first: int | None) -> None:
    totals = []

    class Watched(Bar):
        def reset(self, total: int | None) -> None:
            totals.append(total)
            super().reset(total)

    def batches() -> Any:
        yield from ((X[at : at + 5], X[at : at + 5]) for at in range(0, 20, 5))

    class Source:
        def __iter__(self) -> Any:
            return batches()

    callback = TqdmCallback(tqdm_class=Watched, **options)
    model().fit(Source(), epochs=2, verbose=0, callbacks=[callback])
    assert callback.batches == 4
    assert totals == [4]


def test_a_second_training_gets_bars_of_its_own() -> None:
    callback = TqdmCallback(tqdm_class=Bar)
    fit(callback)
    fit(callback)
    assert [bar.total for bar in Bar.made] == [3, 4, 3, 4]
    assert all(bar.closed for bar in Bar.made)


def test_one_line_stays_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    fit(TqdmCallback(file=stream, mininterval=0, ascii=True, ncols=80), epochs=50)
    *_, last = stream.getvalue().rstrip("\n").split("\r")
    assert "50/50" in last
    assert "loss=" in last
    # tqdm goes one line down for the second bar and up again; what stands below the first is blank at the end.
    assert stream.getvalue().count("\n") - stream.getvalue().count("\x1b[A") == 1


def test_nothing_goes_into_a_file_unless_asked_for() -> None:
    stream = io.StringIO()
    fit(TqdmCallback(file=stream))
    assert stream.getvalue() == ""
    fit(TqdmCallback(file=stream, disable=False))
    assert "3/3" in stream.getvalue()


def test_notebooks_show_bars_with_and_without_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stderr", stream)
    fit(TqdmCallback(verbose=0, tqdm_class=Bar))
    assert Bar.made[0].options["disable"] is False
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    callback = TqdmCallback(verbose=0)
    assert callback.tqdm_class.__module__ == "tqdm.std"
    fit(callback)
    assert "3/3" in stream.getvalue()


def test_bars_of_rich() -> None:
    pytest.importorskip("rich")
    from tqdm import TqdmExperimentalWarning
    from tqdm.rich import tqdm

    with pytest.raises(ValueError, match=r"`verbose` must be 0 with bars of rich.* Received: verbose=1"):
        TqdmCallback(tqdm_class=tqdm)
    callback = TqdmCallback(verbose=0, tqdm_class=tqdm, disable=False)
    with pytest.warns(TqdmExperimentalWarning):
        fit(callback)
    assert (callback.epoch_bar.n, callback.epoch_bar.total) == (3, 3)


def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("epochs", "data_size", "batch_size"):
        with pytest.raises(ValueError, match=rf"`{name}` must be a positive integer\. Received: {name}=0"):
            TqdmCallback(**{name: 0})
    with pytest.raises(ValueError, match="`verbose` must be 0, 1 or 2"):
        TqdmCallback(verbose=3)
    with pytest.raises(TypeError, match=r"`tqdm_class` must be callable\. Received: tqdm_class='rich'"):
        TqdmCallback(tqdm_class="rich")
    with pytest.raises(TypeError, match=r"Received: color='red'\. Did you mean `colour`\?"):
        TqdmCallback(color="red")
    assert TqdmCallback(colour="red", leave=False).tqdm_kwargs == {"colour": "red", "leave": False}
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"`TqdmCallback` needs tqdm: pip install 'cnn_core\[tqdm\]'"):
        TqdmCallback()


@pytest.mark.doors
@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_the_callback_of_tqdm_itself(verbose: int) -> None:
    pytest.importorskip("keras")
    from tqdm.keras import TqdmCallback as Original

    stream = io.StringIO()
    callback = Original(verbose=verbose, file=stream)
    fit(callback)  # type: ignore[arg-type]
    assert (callback.epoch_bar.n, callback.epoch_bar.total) == (3, 3)
    assert "loss=" in stream.getvalue()
