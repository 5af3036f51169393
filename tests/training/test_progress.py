"""The progress display: its formats, and what is written when, to terminals, notebooks and files. Time is a fake."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.training.progress as progress
from cnn_core.training.progress import (
    ASCII,
    BAR_WIDTH,
    COLOURED,
    PLAIN,
    Progress,
    format_bar,
    format_count,
    format_duration,
    format_line,
    format_metrics,
    format_step_time,
    format_summary,
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Stream(io.StringIO):
    def __init__(self, terminal: bool = False, encoding: str = "utf-8"):
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:
        return self._encoding


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((200, 24)))


def on_screen(text: str) -> list[str]:
    """Return the lines that a terminal shows after it was sent the text."""
    lines: list[list[str]] = [[]]
    column = 0
    for character in re.sub(r"\x1b\[\d+m", "", text):
        if character == "\n":
            lines.append([])
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1][column : column + 1] = [character]
            column += 1
    return ["".join(line).rstrip() for line in lines]


class TestFormats:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1:00"), (61.5, "1:01"), (3599, "59:59"), (3600, "1:00:00"),
         (100 * 3600 + 61, "100:01:01")],
    )  # fmt: skip
    def test_durations(self, seconds: float, text: str):
        assert format_duration(seconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0s/step"), (1e-6, "1us/step"), (999e-6, "999us/step"), (0.001, "1ms/step"), (0.5, "500ms/step"),
         (1.0, "1s/step"), (75.2, "75s/step")],
    )  # fmt: skip
    def test_step_times(self, seconds: float, text: str):
        assert format_step_time(seconds) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.97, "0.9700"), (12.34567, "12.3457"), (-0.5, "-0.5000"), (0.001, "1.0000e-03"), (0.0, "0.0000e+00"),
         (math.nan, "nan"), (math.inf, "inf"), ([1.0, 2.0], "1.5000"), ("x", "x")],
    )  # fmt: skip
    def test_metrics(self, value: object, text: str):
        assert format_metrics({"loss": value}) == f" - loss: {text}"

    def test_metrics_keep_their_order(self):
        assert format_metrics({"b": 1.0, "a": 2.0}) == " - b: 1.0000 - a: 2.0000"
        assert format_metrics(None) == format_metrics({}) == ""

    def test_counts(self):
        assert format_count(7, 100) == "  7/100"
        assert format_count(1234567, None) == "1234567/Unknown"

    @given(n_batches=st.integers(1, 10_000), share=st.floats(0, 1))
    def test_bars_have_one_width(self, n_batches: int, share: float):
        done = int(n_batches * share)
        bar = format_bar(done, n_batches, ASCII)
        count, _, drawn = bar.strip().partition(" ")
        assert len(bar) == 2 * len(str(n_batches)) + 2 + BAR_WIDTH
        assert count == f"{done}/{n_batches}"
        assert drawn.count("=") == BAR_WIDTH * done // n_batches
        assert set(drawn) <= {"=", "."}

    def test_bar_ends(self):
        assert format_bar(0, 3, ASCII) == "0/3 " + "." * BAR_WIDTH
        assert format_bar(3, 3, PLAIN) == "3/3 " + "━" * BAR_WIDTH
        assert format_bar(5, 3, ASCII) == "5/3 " + "=" * BAR_WIDTH

    def test_colours_add_nothing_visible(self):
        arguments = (19, 57, 4.0, {"loss": 0.5})
        coloured = format_line(*arguments, final=False, style=COLOURED)
        assert "\x1b[32m" in coloured
        stripped = re.sub(r"\x1b\[\d+m", "", coloured)
        assert stripped == format_line(*arguments, final=False, style=PLAIN._replace(remaining="━"))

    def test_line_as_keras_users_know_it(self):
        logs = {"accuracy": 0.97, "loss": 0.11, "val_accuracy": 0.96, "val_loss": 0.125}
        assert format_line(57, 57, 0.114, logs, final=True) == (
            "57/57 ━━━━━━━━━━━━━━━━━━━━ 0s 2ms/step "
            "- accuracy: 0.9700 - loss: 0.1100 - val_accuracy: 0.9600 - val_loss: 0.1250"
        )

    def test_time_to_come(self):
        assert " 1:30 1s/step" in format_line(10, 100, 10.0, None, final=False)
        assert " 10s 1s/step" in format_line(10, None, 10.0, None, final=False), "unknown: time taken"
        assert " 0s 0s/step" in format_line(0, 100, 10.0, None, final=False)

    def test_summaries(self):
        assert format_summary(0, 1, 5, 5, 2.5, {"loss": 1.0}) == "5/5 - 2s - 500ms/step - loss: 1.0000"
        assert format_summary(0, 100, 5, None, 2.5, None) == "Epoch   1/100 - 5/5 - 2s - 500ms/step"
        assert format_summary(9, 10, 0, 0, 0.0, None) == "Epoch 10/10 - 0/0 - 0s - 0s/step"


class TestVerbosity:
    @pytest.mark.parametrize(("verbose", "meaning"), [("auto", 1), (True, 1), (False, 0), (0, 0), (1, 1), (2, 2)])
    def test_values(self, verbose: object, meaning: int):
        assert Progress(verbose, 1, 1).verbose == meaning

    @pytest.mark.parametrize("verbose", [3, -1, "loud", None, 1.0])
    def test_errors(self, verbose: object):
        with pytest.raises(ValueError, match="`verbose` must be 'auto', 0, 1 or 2"):
            Progress(verbose, 1, 1)

    def test_silence(self):
        stream = Stream(terminal=True)
        shown = Progress(0, 2, 3, stream)
        shown.epoch_begin(0)
        shown.update(1, {"loss": 1.0})
        shown.epoch_end({"loss": 1.0})
        assert stream.getvalue() == ""


class TestTerminal:
    def make(self, n_batches: int | None = 10, epochs: int = 2, **stream: object) -> tuple[Progress, Stream, Clock]:
        output, clock = Stream(terminal=True, **stream), Clock()
        return Progress("auto", epochs, n_batches, output, clock), output, clock

    def test_a_whole_training(self):
        shown, stream, clock = self.make(n_batches=2)
        for epoch in range(2):
            shown.epoch_begin(epoch)
            for batch in (1, 2):
                clock.now += 0.25
                shown.update(batch, {"loss": 1.0 / batch})
            shown.epoch_end({"loss": 0.5, "val_loss": 0.75})
        bar = "━" * BAR_WIDTH
        assert on_screen(stream.getvalue()) == [
            "Epoch 1/2",
            f"2/2 {bar} 0s 250ms/step - loss: 0.5000 - val_loss: 0.7500",
            "Epoch 2/2",
            f"2/2 {bar} 0s 250ms/step - loss: 0.5000 - val_loss: 0.7500",
            "",
        ]

    def test_one_epoch_has_no_number(self):
        shown, stream, _ = self.make(epochs=1)
        shown.epoch_begin(0)
        shown.epoch_end({})
        assert "Epoch" not in stream.getvalue()

    def test_redraws_in_moderation(self):
        shown, stream, clock = self.make(n_batches=1000)
        shown.epoch_begin(0)
        for batch in range(1, 1001):
            clock.now += 0.001
            shown.update(batch, {"loss": 1.0})
        assert 15 <= stream.getvalue().count("\r") <= 21

    def test_first_update_is_shown_at_once(self):
        shown, stream, _ = self.make()
        shown.epoch_begin(0)
        shown.update(1, {"loss": 1.0})
        assert on_screen(stream.getvalue())[1].startswith(" 1/10 ━━──────────")

    def test_shorter_line_leaves_no_rest_of_the_longer(self):
        shown, stream, clock = self.make()
        shown.epoch_begin(0)
        shown.update(1, {"loss": 1.0, "a_long_metric": 2.0})
        clock.now += 1
        shown.update(2, {"loss": 1.0})
        assert on_screen(stream.getvalue())[1].endswith("- loss: 1.0000")

    def test_long_line_does_not_wrap_while_it_moves(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
        shown, stream, clock = self.make()
        logs = {f"metric_{i}": 1.0 for i in range(9)}
        shown.epoch_begin(0)
        shown.update(1, logs)
        assert len(on_screen(stream.getvalue())[1]) <= 59
        clock.now += 1
        shown.epoch_end(logs)
        assert on_screen(stream.getvalue())[1].endswith("metric_8: 1.0000"), "the last line is whole"

    def test_unknown_number_of_batches_becomes_known(self):
        shown, stream, clock = self.make(n_batches=None)
        shown.epoch_begin(0)
        shown.update(1, {})
        assert "1/Unknown" in stream.getvalue()
        clock.now += 1
        shown.update(7, {})
        shown.epoch_end({})
        assert on_screen(stream.getvalue())[1].startswith("7/7 ━")
        shown.epoch_begin(1)
        shown.update(1, {})
        assert on_screen(stream.getvalue())[3].startswith("1/7 ")

    def test_epoch_cut_short(self):
        shown, stream, _ = self.make()
        shown.epoch_begin(0)
        shown.epoch_end({}, batches_done=4)
        assert on_screen(stream.getvalue())[1].startswith(" 4/10 ━━━━━━━━──")

    def test_epoch_without_updates_counts_as_whole(self):
        shown, stream, _ = self.make()
        shown.epoch_begin(0)
        shown.epoch_end({"loss": 1.0})
        assert on_screen(stream.getvalue())[1].startswith("10/10 ━")

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "no-such-encoding"])
    def test_streams_that_cannot_show_the_bar(self, encoding: str):
        shown, stream, _ = self.make(encoding=encoding)
        shown.epoch_begin(0)
        shown.update(5, {"loss": 1.0})
        shown.epoch_end({"loss": 1.0})
        stream.getvalue().encode("ascii")
        assert "==========.........." in stream.getvalue()

    def test_colours(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("WT_SESSION", "1")
        assert progress.style_of(Stream(terminal=True)) == COLOURED
        assert progress.style_of(Stream(terminal=True, encoding="ascii")) == ASCII._replace(colour=True)
        assert progress.style_of(Stream()) == PLAIN
        monkeypatch.setenv("TERM", "dumb")
        assert progress.style_of(Stream(terminal=True)) == PLAIN


class TestElsewhere:
    def test_one_line_per_epoch(self):
        stream, clock = Stream(), Clock()
        shown = Progress(1, 2, 4, stream, clock)
        for epoch in range(2):
            shown.epoch_begin(epoch)
            for batch in range(1, 5):
                clock.now += 1
                shown.update(batch, {"loss": 1.0})
            shown.epoch_end({"loss": 0.5})
        assert stream.getvalue() == (
            "Epoch 1/2 - 4/4 - 4s - 1s/step - loss: 0.5000\nEpoch 2/2 - 4/4 - 4s - 1s/step - loss: 0.5000\n"
        )

    def test_verbose_2_is_the_same_on_a_terminal(self):
        stream = Stream(terminal=True)
        shown = Progress(2, 1, 4, stream, Clock())
        shown.epoch_begin(0)
        shown.update(3, {"loss": 1.0})
        shown.epoch_end({"loss": 0.5})
        assert stream.getvalue() == "4/4 - 0s - 0s/step - loss: 0.5000\n"

    def test_a_kernel_without_displays_redraws_in_place(self, monkeypatch: pytest.MonkeyPatch):
        kernel_stream = type("OutStream", (Stream,), {"__module__": "ipykernel.iostream"})()
        monkeypatch.setattr(sys, "stdout", kernel_stream)
        monkeypatch.setitem(sys.modules, "IPython", None)
        clock = Clock()
        shown = Progress("auto", 1, 1000, clock=clock)
        shown.epoch_begin(0)
        for batch in range(1, 1001):
            clock.now += 0.001
            shown.update(batch, {"loss": 1.0})
        shown.epoch_end({"loss": 1.0})
        assert kernel_stream.getvalue().count("\r") <= 12
        assert len(on_screen(kernel_stream.getvalue())) == 2

    def notebook(self, monkeypatch: pytest.MonkeyPatch, **request: object) -> list[list[str]]:
        """Put a kernel around the test; return its outputs, each with all texts that it has had."""
        request = request or {"metadata": {"cellId": "one"}, "content": {"allow_stdin": True}}
        outputs: list[list[str]] = []

        class Handle:
            def __init__(self, texts: list[str]):
                self.texts = texts

            def update(self, data: dict[str, str], raw: bool):
                assert raw
                self.texts.append(data["text/plain"])

        def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
            assert raw
            assert display_id
            outputs.append([data["text/plain"]])
            return Handle(outputs[-1])

        package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        shell = types.SimpleNamespace(get_parent=lambda: request)
        package.get_ipython, module.display = lambda: shell, display
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        stream = type("OutStream", (Stream,), {"__module__": "ipykernel.iostream"})()
        monkeypatch.setattr(sys, "stdout", stream)
        self.stream = stream
        return outputs

    def test_a_notebook_has_one_output_for_all_epochs(self, monkeypatch: pytest.MonkeyPatch):
        outputs = self.notebook(monkeypatch)
        clock = Clock()
        shown = Progress("auto", 3, 10, clock=clock)
        for epoch in range(3):
            shown.epoch_begin(epoch)
            for batch in range(1, 11):
                clock.now += 0.05
                shown.update(batch, {"loss": 1.0})
            shown.epoch_end({"loss": 0.5})
        shown.end()
        (texts,) = outputs
        assert texts[-1] == f"Epoch 3/3 - 10/10 {'━' * BAR_WIDTH} 0s 50ms/step - loss: 0.5000"
        assert texts[0].startswith("Epoch 1/3 -  1/10 ")
        assert len(texts) <= 17
        assert self.stream.getvalue() == ""

    @pytest.mark.parametrize(("allow_stdin", "n_outputs"), [(False, 1), (True, 0)])
    def test_programs_that_execute_notebooks_and_consoles(
        self, monkeypatch: pytest.MonkeyPatch, allow_stdin: bool, n_outputs: int
    ):
        outputs = self.notebook(monkeypatch, metadata={}, content={"allow_stdin": allow_stdin})
        shown = Progress(1, 1, 1, clock=Clock())
        shown.epoch_begin(0)
        shown.epoch_end({"loss": 1.0})
        assert len(outputs) == n_outputs
        assert self.stream.getvalue().endswith("loss: 1.0000\n") == (not n_outputs)

    def test_short_epochs_do_not_flood_a_notebook_and_the_last_is_shown(self, monkeypatch: pytest.MonkeyPatch):
        outputs = self.notebook(monkeypatch)
        clock = Clock()
        shown = Progress("auto", 1000, 1, clock=clock)
        for epoch in range(600):  # training stops early
            shown.epoch_begin(epoch)
            clock.now += 0.001
            shown.epoch_end({"loss": float(epoch)})
        shown.end()
        (texts,) = outputs
        assert len(texts) <= 8
        assert texts[-1].startswith("Epoch  600/1000 - 1/1 ")
        assert texts[-1].endswith("loss: 599.0000")
        shown.end()
        assert len(outputs[0]) == len(texts)

    def test_a_notebook_that_cannot_show_more_loses_no_training(self, monkeypatch: pytest.MonkeyPatch):
        self.notebook(monkeypatch)

        def display(*arguments: object, **options: object):
            raise RuntimeError("the kernel is gone")

        monkeypatch.setattr(sys.modules["IPython.display"], "display", display)
        shown = Progress(1, 1, 1, clock=Clock())
        shown.epoch_begin(0)
        shown.epoch_end({})

    def test_a_file_inside_a_notebook_is_a_file(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
        assert progress.redraw_interval(Stream()) is None

    def test_standard_output_is_looked_up_late(self, monkeypatch: pytest.MonkeyPatch):
        shown = Progress(2, 1, 1, clock=Clock())
        stream = Stream()
        monkeypatch.setattr(sys, "stdout", stream)
        shown.epoch_begin(0)
        shown.epoch_end({})
        assert stream.getvalue() == "1/1 - 0s - 0s/step\n"

    def test_no_standard_output_at_all(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sys, "stdout", None)
        shown = Progress(1, 1, 1)
        shown.epoch_begin(0)
        shown.update(1, {})
        shown.epoch_end({})

    def test_closed_stream_is_no_terminal(self):
        stream = io.StringIO()
        stream.close()
        assert progress.redraw_interval(stream) is None
