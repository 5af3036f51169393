"""Text on the screen, which may fail without harm: no training is lost because nobody can see it."""

from __future__ import annotations

import sys
from typing import Any, TextIO

__all__ = ["is_notebook", "is_terminal", "printable", "show", "silence"]

# What stands for the characters of bars and tables where the encoding has none of them.
_PLAIN = str.maketrans("━─┃│…" + "┏┳┓┡╇┩├┼┤└┴┘", "=-||." + "+" * 12)

_failure_told = False
_silent = False


def silence(silent: bool) -> None:
    """Show nothing from now on, or show things again: of several processes that do the same work, one speaks."""
    global _silent
    _silent = silent


def show(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    """Write text to a stream, and carry on if that fails; the first failure is logged.

    Characters that the stream's encoding does not have are replaced.

    Parameters
    ----------
    text : str
    stream : text file, default None
        None: standard output as it is now.
    end : str, default end of line

    Examples
    --------
    >>> show("epoch 1", end=" of 3")
    epoch 1 of 3
    """
    stream = sys.stdout if stream is None else stream
    if stream is None or _silent:  # pythonw and some services have no standard output
        return
    try:
        stream.write(printable(text + end, stream))
        if hasattr(stream, "flush"):
            stream.flush()
    except BrokenPipeError:  # the reader has seen enough
        pass
    except (OSError, ValueError) as error:  # a full disk, or a closed file
        _tell(error)


def printable(text: str, stream: TextIO) -> str:
    """Return a text in characters that a stream can write, as many as there were.

    Examples
    --------
    >>> import io
    >>> printable("━━─ größer", io.TextIOWrapper(io.BytesIO(), "ascii"))
    '==- gr??er'
    """
    encoding = getattr(stream, "encoding", None)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        encoding = encoding or "utf-8"
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    except LookupError:  # an encoding that Python does not know: writing will tell
        pass
    return text


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal; one that is missing or closed is none."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # ValueError: the stream is closed
        return False


def is_notebook(stream: TextIO | None) -> bool:
    """Tell whether a stream is what the kernel of a notebook puts in the place of standard output or error."""
    return type(stream).__module__.partition(".")[0] == "ipykernel"


class LiveText:
    """One output of a notebook's cell, whose text is replaced whenever another is shown.

    What is written over by carriage returns is one line on the screen only: a notebook that is saved, executed by a
    program or exported holds every state of it.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Put a text in the place of the last one, and carry on if that fails."""
        data = {"text/plain": text}
        try:
            if self._handle is None:
                self._handle = self._display(data, raw=True, display_id=True)
            else:
                self._handle.update(data, raw=True)
        except (OSError, ValueError, RuntimeError) as error:  # the kernel is about to end
            _tell(error)


def live_text(stream: TextIO | None) -> LiveText | None:
    """Return an output for the current cell of a notebook if a stream is that of its kernel, None elsewhere."""
    if not is_notebook(stream):
        return None
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:  # a kernel of another kind
        return None
    shell = get_ipython()
    return None if shell is None or _serves_a_console(shell) else LiveText(display)


def _serves_a_console(shell: object) -> bool:
    """Tell whether what a kernel executes comes from a console, such as Spyder's, which replaces no output.

    A notebook tells the kernel of the cell, and a program that executes one has nobody to answer a question.
    """
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return not request.get("metadata") and bool(request.get("content", {}).get("allow_stdin", True))


def _tell(error: Exception) -> None:
    global _failure_told
    if not _failure_told:
        import logging  # needed at most once

        _failure_told = True
        logging.getLogger("cnn_core").warning("the display cannot be written and is left out: %s", error)
