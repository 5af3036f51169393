"""Figures that show themselves at the end of a notebook's cell, with or without pyplot; needs matplotlib."""

from __future__ import annotations

import functools
import io
from typing import Any

__all__ = ["axes_for", "new_figure", "only_axes", "panels_for", "whole_ticks"]

PLOTS_ABREAST = 4


def new_figure(caller: str, **options: object) -> Any:
    """Return an empty figure that belongs to no window, or raise ImportError with the remedy.

    It is a `matplotlib.figure.Figure` that a notebook shows as a PNG even where pyplot was never imported.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(f"{caller} needs matplotlib. Install it with: pip install 'cnn_core[plot]'") from None
    return _shown(Figure)(**options)


@functools.cache
def _shown(base: Any) -> Any:
    """Derive a class from matplotlib's figures or axes, which the package does without until somebody draws."""

    class Shown(base):  # type: ignore[misc]
        """What notebooks can ask for the picture of its figure."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.figure.figure.savefig(file, format="png", bbox_inches="tight")
            return file.getvalue()

    Shown.__name__ = Shown.__qualname__ = f"Notebook{base.__name__}"
    return Shown


def __getattr__(name: str) -> Any:
    """Give pickles the classes."""
    if name not in ("NotebookFigure", "NotebookAxes"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    return _shown(Figure if name == "NotebookFigure" else Axes)


def only_axes(ax: object, caller: str, **options: object) -> Any:
    """Return the axes that a caller was given to draw in, or those of an empty figure, which a notebook shows."""
    if ax is not None:
        return axes_for(ax, 1, caller)[0]
    figure = new_figure(caller, layout="constrained", **options)
    from matplotlib.axes import Axes

    return figure.add_subplot(axes_class=_shown(Axes))


def axes_for(ax: object, count: int, caller: str) -> list[Any]:
    """Return the axes that a caller was given to draw in, one for each of its panels.

    Raises
    ------
    TypeError, ValueError
        If `ax` holds no axes of matplotlib, or not as many.
    """
    listed = list(ax.flat) if hasattr(ax, "flat") else list(ax) if isinstance(ax, (list, tuple)) else [ax]
    if not all(hasattr(each, "get_figure") and hasattr(each, "plot") for each in listed):
        raise TypeError(f"`ax` must be axes of matplotlib. Received: ax={ax!r}")
    if len(listed) != count:
        raise ValueError(f"`ax` must hold as many axes as {caller} has panels: {count}. Received: {len(listed)}")
    return listed


def panels_for(ax: object, count: int, caller: str) -> list[Any]:
    """Return the axes that a caller was given for its panels, or those of an empty figure, four abreast."""
    if ax is not None:
        return axes_for(ax, count, caller)
    n_cols = min(count, PLOTS_ABREAST)
    n_rows = -(-count // n_cols)
    size = 1.2 + 4.2 * n_cols, 3.6 * n_rows
    figure = new_figure(caller, layout="constrained", figsize=size)
    return [figure.add_subplot(n_rows, n_cols, place) for place in range(1, count + 1)]


def whole_ticks(axes: Any) -> None:
    """Number epochs whole: there is nothing between two of them."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
