"""The display of training, evaluation and prediction: a bar that moves, or one line per epoch.

Formatting is in pure functions; `Progress` decides when to write. Knows nothing of models: it is told batches and logs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO, TypeAlias

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.display import LiveText, is_notebook, is_terminal, live_text, show
from cnn_core.foundation.records import NamedTuple

__all__ = ["Progress", "format_bar", "format_duration", "format_line", "format_metrics", "format_step_time"]

Logs: TypeAlias = Mapping[str, Any]

BAR_WIDTH = 20
# Seconds between redrawings. Notebooks send every one through a socket to a browser.
TERMINAL_INTERVAL = 0.05
NOTEBOOK_INTERVAL = 0.1


class Style(NamedTuple):
    """How a bar looks: the character of what is done and of what remains, and whether terminal colours are used."""

    done: str = "━"
    remaining: str = "─"
    colour: bool = False


PLAIN = Style()
COLOURED = Style(remaining="━", colour=True)
ASCII = Style("=", ".")


def format_metrics(logs: Logs | None) -> str:
    """Write " - name: value" for each metric: four decimals, or in scientific notation up to 0.001.

    Examples
    --------
    >>> format_metrics({"accuracy": 0.97, "loss": 0.0001})
    ' - accuracy: 0.9700 - loss: 1.0000e-04'
    """
    return "".join(f" - {name}: {_value(value)}" for name, value in (logs or {}).items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    number = float(np.mean(value))
    return f"{number:.4f}" if abs(number) > 1e-3 or number != number else f"{number:.4e}"


def format_duration(seconds: float) -> str:
    """Write a duration as seconds, minutes:seconds or hours:minutes:seconds.

    Examples
    --------
    >>> format_duration(7.4), format_duration(67), format_duration(3723)
    ('7s', '1:07', '1:02:03')
    """
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole}s"


def format_step_time(seconds: float) -> str:
    """Write the time of a step in the unit that suits it.

    Examples
    --------
    >>> format_step_time(1.6), format_step_time(0.002), format_step_time(3.1e-6)
    ('2s/step', '2ms/step', '3us/step')
    """
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"


def format_count(done: int, n_batches: int | None) -> str:
    """Write how many batches of how many are done, in constant width.

    Examples
    --------
    >>> format_count(5, 57), format_count(5, None)
    (' 5/57', '      5/Unknown')
    """
    if n_batches is None:
        return f"{done:7d}/Unknown"
    return f"{done:{len(str(n_batches))}d}/{n_batches}"


def format_bar(done: int, n_batches: int | None, style: Style = PLAIN) -> str:
    """Draw the count and the bar.

    Examples
    --------
    >>> format_bar(30, 57, ASCII)
    '30/57 ==========..........'
    """
    count = format_count(done, n_batches)
    if not n_batches:
        return _bold(count, style)
    full = min(BAR_WIDTH * done // n_batches, BAR_WIDTH)
    finished = _coloured(style.done * full, "32", style)
    return f"{_bold(count, style)} {finished}{_coloured(style.remaining * (BAR_WIDTH - full), '37', style)}"


def format_line(
    done: int, n_batches: int | None, seconds: float, logs: Logs | None, *, final: bool, style: Style = PLAIN
) -> str:
    """Draw the bar with times and metrics behind it.

    Parameters
    ----------
    done : int
        Batches done.
    n_batches : int or None
        Batches of the epoch, None if unknown.
    seconds : float
        Since the epoch began.
    logs : dict of str to number
    final : bool
        Whether to show the time taken instead of the time to come.
    style : Style

    Returns
    -------
    str
        Without an end of line.

    Examples
    --------
    >>> format_line(57, 57, 0.114, {"loss": 0.11}, final=True)
    '57/57 ━━━━━━━━━━━━━━━━━━━━ 0s 2ms/step - loss: 0.1100'
    >>> format_line(19, 57, 4.0, {"loss": 0.5}, final=False, style=ASCII)
    '19/57 ======.............. 8s 211ms/step - loss: 0.5000'
    """
    per_step = seconds / done if done else 0.0
    shown = seconds if final or not n_batches else per_step * (n_batches - done)
    duration = f"{seconds:.0f}s" if final else format_duration(shown)
    times = f"{_bold(duration, style)} {format_step_time(per_step)}"
    return f"{format_bar(done, n_batches, style)} {times}{format_metrics(logs)}"


def format_heading(epoch: int, epochs: int) -> str:
    """Write which epoch of how many it is, nothing if there is only one.

    Examples
    --------
    >>> format_heading(2, 10), format_heading(0, 1)
    ('Epoch  3/10 - ', '')
    """
    return f"Epoch {format_count(epoch + 1, epochs)} - " if epochs > 1 else ""


def format_summary(epoch: int, epochs: int, done: int, n_batches: int | None, seconds: float, logs: Logs | None) -> str:
    """Write an epoch as one line; one of only one epoch goes without its number.

    Examples
    --------
    >>> format_summary(2, 10, 57, 57, 0.114, {"accuracy": 0.97, "loss": 0.11})
    'Epoch 3/10 - 57/57 - 0s - 2ms/step - accuracy: 0.9700 - loss: 0.1100'
    """
    count = format_count(done, n_batches if n_batches is not None else done).strip()
    step_time = format_step_time(seconds / done if done else 0.0)
    return f"{format_heading(epoch, epochs)}{count} - {seconds:.0f}s - {step_time}{format_metrics(logs)}"


class Progress:
    """Show how a training, evaluation or prediction goes on.

    On a terminal the bar of an epoch is redrawn in place, at most 20 times a second. In a notebook one line is, for all
    epochs, 10 times a second. Elsewhere, such as in a file or a pipe, every epoch gets one line when it is over.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 shows nothing; 1 and "auto" a bar; 2 one line per epoch.
    epochs : int
        The number of the last epoch, counted from 1. With 1, as in evaluation, epochs are not numbered.
    n_batches : int or None
        Batches per epoch; None if unknown until the first epoch is over.
    stream : text file, optional
        Standard output by default, as it is when an epoch begins.
    clock : callable, optional
        Returns seconds; for tests.

    Raises
    ------
    ValueError
        If `verbose` is something else.

    Examples
    --------
    >>> progress = Progress(verbose=2, epochs=1, n_batches=57, clock=iter([0.0, 0.114]).__next__)
    >>> progress.epoch_begin(0)
    >>> progress.epoch_end({"accuracy": 0.97, "loss": 0.11})
    57/57 - 0s - 2ms/step - accuracy: 0.9700 - loss: 0.1100
    """

    def __init__(
        self,
        verbose: int | str,
        epochs: int,
        n_batches: int | None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.verbose = checked_verbose(verbose)
        self.epochs = epochs
        self.n_batches = n_batches
        self._given_stream = stream
        self._clock = clock
        self._epoch = 0
        self._done = 0
        self._begun = self._drawn = 0.0
        self._visible = 0  # characters of the line that stands on the screen
        self._interval: float | None = None
        self._style = ASCII
        self._live: LiveText | None = None
        self._pending = ""  # a text that is not shown yet

    def epoch_begin(self, epoch: int) -> None:
        """Start an epoch, counted from 0."""
        if not self.verbose:
            return
        self._epoch = epoch
        self._done = self._visible = 0
        self._interval = redraw_interval(self._stream) if self.verbose == 1 else None
        self._style = style_of(self._stream)
        self._begun = self._clock()
        if self._live is not None or self._interval is None:
            return
        self._drawn = -float("inf")
        self._live = live_text(self._stream)
        if self.epochs > 1 and self._live is None:
            self._write(f"Epoch {epoch + 1}/{self.epochs}\n")

    @property
    def shows_batches(self) -> bool:
        """Whether `update` has anything to show: not without a terminal or notebook."""
        return self.verbose != 0 and self._interval is not None

    def update(self, batches_done: int, logs: Logs | None = None) -> None:
        """Show that so many batches of the epoch are done; cheap when it is too early to redraw."""
        self._done = batches_done
        if not self.verbose or self._interval is None:
            return
        now = self._clock()
        if now - self._drawn < self._interval:
            return
        self._drawn = now
        self._draw(now, logs, final=False)

    def epoch_end(self, logs: Logs | None = None, batches_done: int | None = None) -> None:
        """End the epoch and show its results.

        Parameters
        ----------
        logs : dict of str to number, optional
        batches_done : int, optional
            All of them by default, or as many as `update` was told if their number is unknown.
        """
        if not self.verbose:
            return
        if self.n_batches is None:
            self.n_batches = batches_done if batches_done is not None else self._done
        self._done = self.n_batches if batches_done is None else batches_done
        now = self._clock()
        if self._interval is not None:
            self._draw(now, logs, final=True)
            if self._live is None:
                self._write("\n")
        else:
            seconds = now - self._begun
            line = format_summary(self._epoch, self.epochs, self._done, self.n_batches, seconds, logs)
            self._write(f"{line}\n")

    def end(self) -> None:
        """Show what was held back because it came too soon after what is shown."""
        if self._live is not None and self._pending:
            self._live.show(self._pending)
            self._pending = ""

    @property
    def _stream(self) -> TextIO | None:
        return sys.stdout if self._given_stream is None else self._given_stream

    def _draw(self, now: float, logs: Logs | None, *, final: bool) -> None:
        seconds = now - self._begun
        plain_style = self._style._replace(colour=False)
        plain = format_line(self._done, self.n_batches, seconds, logs, final=final, style=plain_style)
        if self._live is not None:
            self._pending = f"{format_heading(self._epoch, self.epochs)}{plain}"
            # The results of short epochs follow one another faster than a notebook can show them.
            if not final or now - self._drawn >= NOTEBOOK_INTERVAL or self._epoch + 1 == self.epochs:
                self._drawn = now
                self.end()
            return
        line = format_line(self._done, self.n_batches, seconds, logs, final=final, style=self._style)
        room = self._room()
        if not final and len(plain) > room:
            # A line that wraps could not be overwritten.
            line = plain = plain[:room]
        self._write(f"\r{line}{' ' * (self._visible - len(plain))}")
        self._visible = len(plain)

    def _room(self) -> int:
        import shutil  # only a terminal needs it, and importing the package should not wait for it

        return shutil.get_terminal_size().columns - 1 if is_terminal(self._stream) else sys.maxsize

    def _write(self, text: str) -> None:
        show(text, self._stream, end="")


def checked_verbose(verbose: object) -> int:
    """Return 0, 1 or 2 for what `verbose` may be.

    Examples
    --------
    >>> checked_verbose("auto"), checked_verbose(False), checked_verbose(2)
    (1, 0, 2)
    """
    if isinstance(verbose, (bool, np.bool_, np.integer)):
        verbose = int(verbose)
    chosen = validation.one_of(verbose, "verbose", ("auto", 0, 1, 2))
    return 1 if chosen == "auto" else int(chosen)


def redraw_interval(stream: TextIO | None) -> float | None:
    """Return the least number of seconds between redrawings, None if the stream cannot redraw a line."""
    if is_terminal(stream):
        return TERMINAL_INTERVAL
    return NOTEBOOK_INTERVAL if is_notebook(stream) else None


def style_of(stream: TextIO | None) -> Style:
    """Return the bar's look for a stream: plain ASCII if it cannot show more, colours only on a terminal."""
    # Windows shows colours in its newer terminal only, which says that it is there.
    can_colour = os.name != "nt" or "WT_SESSION" in os.environ
    wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    style = COLOURED if is_terminal(stream) and can_colour and wanted else PLAIN
    try:
        (style.done + style.remaining).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII._replace(colour=style.colour)
    return style


def _bold(text: str, style: Style) -> str:
    return _coloured(text, "1", style)


def _coloured(text: str, code: str, style: Style) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if style.colour and text else text
