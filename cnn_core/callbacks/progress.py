"""The progress of a training as bars of tqdm, or of rich."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs, Phase
from cnn_core.foundation.display import is_notebook, is_terminal
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import refuse_others


class TqdmCallback(Callback):
    """Show training as one line of tqdm that moves, for all epochs, with the latest results behind it.

    The arguments are those of `tqdm.keras.TqdmCallback`. Give ``verbose=0`` to `fit`, whose own display would stand
    beside this one.

    Parameters
    ----------
    epochs : int, default None
        How many epochs there will be; None: as many as `fit` says.
    data_size, batch_size : int, default None
        Both tell the number of batches in an epoch where `fit` does not know it.
    verbose : {0, 1, 2}, default 1
        0 shows epochs; 1 also the batches of the epoch, on a line that is gone at the end; 2 on lines that stay. With 1
        and 2 training hands control back to Python after every batch, which costs time on small networks.
    tqdm_class : callable, default None
        What makes a bar; None: tqdm's widgets in notebooks that have ipywidgets, its text elsewhere.
        `tqdm.rich.tqdm` makes rich's bars, of epochs only: its bars cannot begin again.
    **tqdm_kwargs
        Further arguments of every bar. Unless ``disable`` is given, nothing goes into files and pipes, which would hold
        a line for every state of the bar.

    Attributes
    ----------
    epoch_bar, batch_bar : tqdm or None
        The bars, from the beginning of training on.

    Raises
    ------
    ImportError
        If tqdm is not installed.
    TypeError
        If tqdm has no such argument.
    ValueError
        If `epochs`, `data_size` or `batch_size` is no positive integer, or `verbose` is not known, or not 0 with
        rich's bars.

    Notes
    -----
    Needs the extra `tqdm`. Where Keras is installed, `tqdm.keras.TqdmCallback` itself can be given to `fit` as well.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((1,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> bars = TqdmCallback(verbose=0, disable=False)
    >>> _ = model.fit([[1.0], [2.0]], [[2.0], [4.0]], epochs=5, verbose=0, callbacks=[bars])
    >>> bars.epoch_bar.n, bars.epoch_bar.total
    (5, 5)
    """

    def __init__(
        self,
        epochs: int | None = None,
        data_size: int | None = None,
        batch_size: int | None = None,
        verbose: int = 1,
        tqdm_class: Callable[..., Any] | None = None,
        **tqdm_kwargs: Any,
    ) -> None:
        super().__init__()
        self.epochs = None if epochs is None else validation.positive_integer(epochs, "epochs")
        sizes = [
            None if size is None else validation.positive_integer(size, name)
            for name, size in (("data_size", data_size), ("batch_size", batch_size))
        ]
        self.batches = -(-sizes[0] // sizes[1]) if sizes[0] is not None and sizes[1] is not None else None
        self.verbose = int(validation.one_of(verbose, "verbose", (0, 1, 2)))
        if tqdm_class is not None and not callable(tqdm_class):
            raise TypeError(f"`tqdm_class` must be callable. Received: tqdm_class={validation.show(tqdm_class)}")
        if self.verbose and getattr(tqdm_class, "__module__", None) == "tqdm.rich":
            raise ValueError(f"`verbose` must be 0 with bars of rich, which cannot begin again. Received: {verbose=}")
        if tqdm_class is None:
            tqdm_class = _best_class()
            refuse_others("TqdmCallback", {*_names_of(TqdmCallback), *_names_of(_tqdm())}, tqdm_kwargs)
        self.tqdm_class = tqdm_class
        self.tqdm_kwargs = tqdm_kwargs
        self.epoch_bar: Any = None
        self.batch_bar: Any = None

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether batches of training are shown."""
        return phase == "train" and self.verbose > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Draw the bar of the epochs."""
        self.close()
        self.epoch_bar = self._bar(total=self.params.get("epochs", self.epochs), unit="epoch")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Draw the bar of the batches."""
        if self.epoch_bar.n < epoch:  # a training that is continued
            self.epoch_bar.n = self.epoch_bar.last_print_n = self.epoch_bar.initial = epoch
        total = self.params.get("steps") or self.batches
        if self.verbose == 2 or (self.verbose == 1 and self.batch_bar is None):
            self._close_batches()
            self.batch_bar = self._bar(total=total, unit="batch", leave=self.verbose == 2)
        elif self.verbose == 1:
            self.batch_bar.reset(total=total)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar of the batches; tqdm draws it ten times a second."""
        super().on_train_batch_end(batch, logs)
        if self.verbose:
            done = min(batch + 1, self.batch_bar.total or batch + 1)  # several since the last call, by `compile`
            _move(self.batch_bar, logs, done - self.batch_bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Move the bar of the epochs."""
        if self.batch_bar is not None and self.batches is None:
            self.batches = self.batch_bar.n
        _move(self.epoch_bar, logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the bars as they are at the end."""
        self.close()

    def close(self) -> None:
        """Leave the bars as they are; `fit` does so at its end, and a program may after an error."""
        self._close_batches()
        if self.epoch_bar is not None:
            self.epoch_bar.close()

    def display(self) -> None:
        """Show the bars in the current cell of a notebook, where they are widgets."""
        for bar in (self.epoch_bar, self.batch_bar):
            if getattr(bar, "container", None) is not None:
                need("IPython.display", "tqdm", "TqdmCallback.display").display(bar.container)

    def _bar(self, **options: Any) -> Any:
        stream = self.tqdm_kwargs.get("file") or sys.stderr
        options["disable"] = not (is_terminal(stream) or is_notebook(stream))
        return self.tqdm_class(**{**options, **self.tqdm_kwargs})

    def _close_batches(self) -> None:
        if self.batch_bar is not None:
            self.batch_bar.close()
            self.batch_bar = None


def _tqdm(package: str = "tqdm") -> Any:
    return need(package, "tqdm", "TqdmCallback").tqdm


def _best_class() -> Any:
    """Return the class of tqdm that shows most here; `tqdm.auto` warns in notebooks without ipywidgets."""
    return _tqdm("tqdm.auto" if find_spec("ipywidgets") else "tqdm")


def _names_of(made: Any) -> list[str]:
    """Return the arguments that a class has by name, but those that a bar gets here."""
    parameters = inspect.signature(made.__init__).parameters.values()
    taken = ("self", "iterable", "total")
    return [each.name for each in parameters if each.kind is not each.VAR_KEYWORD and each.name not in taken]


def _move(bar: Any, logs: Logs | None, by: int = 1) -> None:
    bar.set_postfix(logs, refresh=False)
    bar.update(by)
