"""Small tools around training: encoded labels, scaled rows, seeds, pictures of models. Floor 4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import cnn_core.random_state as random_state
import cnn_core.validation as validation
from cnn_core.data import PyDataset
from cnn_core.graph import Symbol, nodes_between
from cnn_core.layers.base import reset_names
from cnn_core.serialization import custom_objects_in_use, get_custom_objects, register_keras_serializable

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "normalize",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
]

Array: TypeAlias = npt.NDArray[Any]

Sequence = PyDataset  # the older name, which Keras has too
CustomObjectScope = custom_object_scope = custom_objects_in_use


def to_categorical(x: npt.ArrayLike, num_classes: int | None = None) -> npt.NDArray[np.float64]:
    """Turn labels into rows of zeros with a one at the label's place.

    result[..., k] = 1 if x[...] == k else 0

    Parameters
    ----------
    x : array-like of integers in 0..num_classes - 1
        Any shape; a last dimension of size 1 is dropped. Floats may have no fraction.
    num_classes : int >= 1, optional
        The largest label plus 1 by default.

    Returns
    -------
    numpy.ndarray of float64, shape (..., num_classes)

    Raises
    ------
    ValueError
        If a label is negative, not below `num_classes` or no whole number, or if there is none to count from. (Keras
        counts negative labels from the end.)
    TypeError
        If `x` does not hold numbers.

    Examples
    --------
    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    array = validation.as_array(x, "x")
    shape = array.shape[:-1] if array.ndim > 1 and array.shape[-1] == 1 else array.shape
    flat = _whole_labels(array.reshape(-1))
    if num_classes is None:
        if not flat.size:
            raise ValueError("`num_classes` must be given if there are no labels. Received: num_classes=None")
        n_classes = max(int(flat.max()), 0) + 1
    else:
        n_classes = validation.positive_integer(num_classes, "num_classes")
    outside = (flat < 0) | (flat >= n_classes)
    if outside.any():
        wanted = f"0..{n_classes - 1}" if num_classes is not None else "0 or more"
        raise ValueError(f"x must hold labels of {wanted}. Received: {flat[outside][0]}")
    rows = np.zeros((flat.size, n_classes))
    rows[np.arange(flat.size), flat] = 1
    return rows.reshape((*shape, n_classes))


def _whole_labels(labels: Array) -> npt.NDArray[np.int64]:
    # The comparison with the rounded value also finds NaN; infinities and numbers beyond int64 are out of range.
    broken = (labels != np.trunc(labels)) | (np.abs(labels.astype(np.float64)) >= 2.0**63)
    if broken.any():
        raise ValueError(f"x must hold whole numbers. Received: {validation.show(labels[broken][0])}")
    return labels.astype(np.int64)


def normalize(x: npt.ArrayLike, axis: int = -1, order: float = 2) -> Array:
    """Divide an array along one axis by its norm, so that the norm becomes 1. A norm of 0 divides by 1.

    y = x / ||x||_order, the norm taken along `axis`

    Parameters
    ----------
    x : array-like of any shape but ()
    axis : int, default -1
    order : float, default 2
        Such as 1, 2 or infinity, as for `numpy.linalg.norm`.

    Returns
    -------
    numpy.ndarray of x's shape and floating type; integers become float64

    Raises
    ------
    TypeError
        If `x` does not hold numbers.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = validation.as_array(x, "x")
    axis = validation.integer(axis, "axis")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"`axis` must be an axis of x. Received: axis={axis}, x.shape={array.shape}")
    norm = np.linalg.norm(array, ord=order, axis=axis, keepdims=True)
    quotient: Array = array / np.where(norm == 0, np.ones_like(norm), norm)
    return quotient


def set_random_seed(seed: int) -> None:
    """Make what follows repeatable: seed cnn_core, Python's `random` and NumPy's global generator.

    Parameters
    ----------
    seed : int in 0..2**32 - 1

    Raises
    ------
    TypeError
        If `seed` is no integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> import random
    >>> set_random_seed(7)
    >>> first = random.random(), np.random.rand()
    >>> set_random_seed(7)
    >>> first == (random.random(), np.random.rand())
    True
    """
    checked = validation.integer(seed, "seed", minimum=0, maximum=2**32 - 1)
    import random  # only this needs it, and importing the package should not wait for it

    random_state.set_seed(checked)
    random.seed(checked)
    np.random.seed(checked)  # noqa: NPY002


# Pictures


def clear_session() -> None:
    """Number the names of new layers from the start again: the next `Dense` is called "dense".

    Keras also lets go of a state common to all models here; there is none in this package.

    Examples
    --------
    >>> from cnn_core import layers
    >>> clear_session()
    >>> layers.Dense(1).name, layers.Dense(1).name
    ('dense', 'dense_1')
    """
    reset_names()


class Box(NamedTuple):
    """A layer in the picture: its lines of text and the places in the list of the boxes that feed it."""

    lines: tuple[str, ...]
    inputs: tuple[int, ...]


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Any:
    """Draw the layers of a model and how they are connected.

    Parameters
    ----------
    model : Model
    to_file : path, default "model.png"
        The suffix chooses the format; None saves nothing.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable : bool, default False
        What stands in a layer's box besides its class.
    rankdir : {"TB", "LR"}, default "TB"
        From top to bottom, or from left to right.
    dpi : float, default 200

    Returns
    -------
    matplotlib.figure.Figure
        Shown by a notebook at the end of a cell.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the model has no layers yet, or `rankdir` is unknown.

    Examples
    --------
    >>> plot_model(model, "network.svg", show_shapes=True)  # doctest: +SKIP
    """
    validation.choice(rankdir, "rankdir", ("TB", "LR"))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plot_model needs matplotlib. Install it with: pip install 'cnn_core[plot]'") from None
    shown = {
        "name": show_layer_names,
        "activation": show_layer_activations,
        "output_shape": show_shapes,
        "dtype": show_dtype,
        "trainable": show_trainable,
    }
    boxes = boxes_of(model, [what for what, wanted in shown.items() if wanted])
    if not boxes:
        raise ValueError("plot_model needs a model with layers. Received: a model without layers")
    figure = Figure(dpi=dpi)
    _draw(figure, boxes, sideways=rankdir == "LR")
    if to_file is not None:
        figure.savefig(to_file, bbox_inches="tight")
    return figure


def boxes_of(model: Any, shown: Iterable[str] = ()) -> list[Box]:
    """Return a box for each input and layer of a model, or of each layer in a row while the model is not built.

    A layer that is called several times has one box, fed by everything that it is called on.
    """
    shown = tuple(shown)
    if not model.built:
        layers = list(model.layers)
        return [Box(_lines(layer, None, shown), (place - 1,) if place else ()) for place, layer in enumerate(layers)]
    lines: dict[str, tuple[str, ...]] = {symbol.name: _lines(symbol, symbol.shape, shown) for symbol in model.inputs}
    sources: dict[str, list[str]] = {name: [] for name in lines}
    for node in nodes_between(model.inputs, model.outputs):
        name = node.layer.name
        lines[name] = _lines(node.layer, node.outputs[0].shape, shown)
        feeding = (symbol.name if symbol.node is None else symbol.node.layer.name for symbol in node.inputs)
        sources.setdefault(name, []).extend(feeding)
    places = {name: place for place, name in enumerate(lines)}
    return [Box(lines[name], tuple(dict.fromkeys(places[source] for source in sources[name]))) for name in lines]


def _lines(drawn: Any, shape: tuple[int | None, ...] | None, shown: tuple[str, ...]) -> tuple[str, ...]:
    """Return what stands in the box of a layer, or of a symbol that is an input."""
    lines = ["Input" if isinstance(drawn, Symbol) else type(drawn).__name__]
    for what in shown:
        value = shape if what == "output_shape" else getattr(drawn, what, None)
        if what == "activation":
            value = getattr(value, "name", value)
        if value is not None:
            lines.append(f"{what.replace('_', ' ')}: {value}")
    return tuple(lines)


def levels_of(boxes: list[Box]) -> list[int]:
    """Return for each box how many connections lie between it and the inputs on the longest way.

    Examples
    --------
    >>> levels_of([Box(("a",), ()), Box(("b",), (0,)), Box(("c",), (0, 1))])
    [0, 1, 2]
    """
    levels = [0] * len(boxes)
    # Each pass settles at least one more level; a shared layer that feeds itself must not turn this into a loop.
    for _ in boxes:
        settled = [max((levels[source] + 1 for source in box.inputs), default=0) for box in boxes]
        if settled == levels:
            break
        levels = settled
    return levels


def _draw(figure: Any, boxes: list[Box], *, sideways: bool) -> None:
    levels = levels_of(boxes)
    width = 0.09 * max(len(line) for box in boxes for line in box.lines) + 0.4
    height = 0.2 * max(len(box.lines) for box in boxes) + 0.2
    along, across = (width + 0.5, height + 0.3) if sideways else (height + 0.5, width + 0.3)
    rows: dict[int, list[int]] = {}
    for place, level in enumerate(levels):
        rows.setdefault(level, []).append(place)
    centres: dict[int, tuple[float, float]] = {}
    for level, places in rows.items():
        for position, place in enumerate(places):
            offset = (position - (len(places) - 1) / 2) * across
            centres[place] = (level * along, -offset) if sideways else (offset, -level * along)
    breadth = max(len(places) for places in rows.values()) * across
    length = len(rows) * along
    figure.set_size_inches((length, breadth) if sideways else (breadth, length))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    for place, box in enumerate(boxes):
        _draw_box(axes, centres[place], box.lines, width, height)
        for source in box.inputs:
            _draw_arrow(axes, centres[source], centres[place], width, height, sideways=sideways)
    x, y = zip(*centres.values(), strict=True)
    axes.set_xlim(min(x) - width / 2 - 0.1, max(x) + width / 2 + 0.1)
    axes.set_ylim(min(y) - height / 2 - 0.1, max(y) + height / 2 + 0.1)


def _draw_box(axes: Any, centre: tuple[float, float], lines: tuple[str, ...], width: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - width / 2, centre[1] - height / 2)
    axes.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.06", facecolor="#eef3fa", zorder=2)
    )
    axes.text(*centre, "\n".join(lines), ha="center", va="center", fontsize=9, zorder=3)


def _draw_arrow(
    axes: Any,
    source: tuple[float, float],
    target: tuple[float, float],
    width: float,
    height: float,
    *,
    sideways: bool,
) -> None:
    if sideways:
        begin, end = (source[0] + width / 2, source[1]), (target[0] - width / 2, target[1])
    else:
        begin, end = (source[0], source[1] - height / 2), (target[0], target[1] + height / 2)
    axes.annotate("", xy=end, xytext=begin, arrowprops={"arrowstyle": "->"}, zorder=1)
