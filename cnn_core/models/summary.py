"""The table that `Model.summary` prints, laid out as Keras's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import cnn_core.foundation.notebook as notebook
import cnn_core.foundation.validation as validation
import cnn_core.network.model_plot as model_plot
from cnn_core.foundation.serialization import class_name_of
from cnn_core.layers.base import Layer
from cnn_core.network.built_model import BuiltModel

# Headings with Keras's shares of the line at which their columns end.
_CHAIN = (88, (0.45, 0.80, 1.0))
HIGHEST_OPEN = 640.0  # pixels: a higher diagram is opened by a click
_NETWORK = (108, (0.3, 0.56, 0.74, 1.0))


def format_summary(
    model: BuiltModel,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the layers of a model with their output shapes and numbers of parameters, as text.

    Parameters
    ----------
    model : Model
    line_length : int, default None
        None: what the terminal has, 88 or 108 at most.
    positions : sequence of float, default None
        Shares of the line at which columns end, or columns of characters.
    expand_nested : bool, default False
        Whether to list the layers of models among the layers.
    show_trainable : bool, default False
    layer_range : (str, str), default None
        The names of the first and the last layer to show.

    Raises
    ------
    ValueError
        If a layer of `layer_range` is unknown, or the line is too short.
    """
    connected = not is_chain(model) and not model.defines_call
    headings = ["Layer (type)", "Output Shape", "Param #"] + (["Connected to"] if connected else [])
    alignments = "<<><"[: len(headings)]
    length, shares = _NETWORK if connected else _CHAIN
    edges = list(positions or shares)
    if show_trainable:
        length, edges = length + 12, [0.9 * edge for edge in edges] + ([1.0] if positions is None else [])
        headings, alignments = [*headings, "Trainable"], alignments + "^"
    import shutil

    length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    widths = column_widths(edges, length)
    if len(widths) != len(headings):
        raise ValueError(f"`positions` must have one entry for each of {len(headings)} columns. Received: {positions}")
    rows = list(_rows(model, connected, show_trainable, expand_nested, _selected(model, layer_range)))
    lines = [
        f'Model: "{model.name}"',
        _rule("┏┳┓", "━", widths),
        *_cells(headings, widths, alignments, "┃"),
        _rule("┡╇┩", "━", widths),
    ]
    for number, row in enumerate(rows):
        lines += [] if number == 0 else [_rule("├┼┤", "─", widths)]
        lines += _cells(row, widths, alignments, "│")
    return "\n".join([*lines, _rule("└┴┘", "─", widths), *_counts(model)])


def summary_html(model: BuiltModel) -> str | None:
    """Return the same table as HTML, with a diagram of the layers; None for a model without layers."""
    if not _selected(model, None):
        return None
    connected = not is_chain(model) and not model.defines_call
    headings = ["Layer (type)", "Output Shape", "Param #"] + (["Connected to"] if connected else [])
    rows = _rows(model, connected, False, False, _selected(model, None))
    picture = model_plot.model_picture(model)
    parts = [
        notebook.heading(model.name, type(model).__name__),
        notebook.table(headings, rows, "llr"),
        *(notebook.paragraph(line) for line in _counts(model)[:1]),
        notebook.folded("Diagram", picture.to_svg(), picture.size[1] <= HIGHEST_OPEN),
    ]
    return "".join(parts)


def is_chain(model: BuiltModel) -> bool:
    """Tell whether every layer is called once, on what the one before it gave: then connections need not be shown."""
    if not model.built:
        return True
    graph = model.graph
    shown = {id(layer) for layer in model.operations}  # a Sequential shows nothing of masks
    nodes = [node for node in graph.nodes if id(node.layer) in shown]
    read = [id(source) for node in nodes for source in node.inputs[: node.layer.n_inputs]]
    single = len(graph.inputs) == 1 and len({id(node.layer) for node in nodes}) == len(nodes) == len(read)
    return single and len(set(read)) == len(read)


def column_widths(edges: Sequence[float], length: int) -> list[int]:
    """Return the widths between the lines of the table, padding included, so that it is `length` wide.

    Examples
    --------
    >>> column_widths([0.45, 0.80, 1.0], 76)
    [33, 24, 15]
    """
    ends = [int(edge * length) if edge <= 1 else int(edge) for edge in edges]
    widths = [last - first + 2 for first, last in itertools.pairwise([0, *ends])]
    excess = sum(widths) + len(widths) + 1 - length
    for number in range(len(widths)):  # what is too much is taken from all alike
        share = round(excess / (len(widths) - number))
        widths[number] -= share
        excess -= share
    if min(widths) < 4:
        raise ValueError(f"The line must be longer, or the columns fewer. Received: line_length={length}")
    return widths


def _selected(model: BuiltModel, layer_range: Sequence[str] | None) -> list[Any]:
    layers = list(model.layers if is_chain(model) else model.operations)
    if layer_range is None:
        return layers
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(f"`layer_range` must be two names of layers. Received: layer_range={layer_range!r}")
    names = [layer.name for layer in layers]
    first, last = (names.index(validation.choice(name, "layer_range", names)) for name in layer_range)
    return layers[min(first, last) : max(first, last) + 1]


def _waits_for_input(layer: Layer) -> bool:
    """Whether the layer will have weights, but does not know of which shape."""
    return not layer.built and (type(layer).build is not Layer.build or hasattr(layer, "layers"))


def _rows(
    model: BuiltModel, connected: bool, show_trainable: bool, nested: bool, layers: Sequence[Any], depth: int = 0
) -> Iterator[list[str]]:
    shapes, sources = _calls(model)
    for layer in layers:
        indent = "   " * depth + "└ " if depth else ""
        count = "0 (unbuilt)" if _waits_for_input(layer) else f"{layer.count_params():,}"
        row = [f"{indent}{layer.name} ({class_name_of(layer)})", shapes.get(layer.name, "?"), count]
        row += [", ".join(() if depth else sources.get(layer.name, ())) or "-"] if connected else []
        row += [("Y" if layer.trainable else "N") if layer.variables else "-"] if show_trainable else []
        yield row
        if nested and hasattr(layer, "layers"):
            yield from _rows(layer, connected, show_trainable, nested, layer.layers, depth + 1)


def _calls(model: BuiltModel) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return each layer's output shape, and what it reads: "name[call of that layer][output of that call]"."""
    shapes: dict[str, str] = {}
    sources: dict[str, list[str]] = {}
    names: dict[int, str] = {}
    calls: dict[str, int] = {}
    if not model.built:
        return shapes, sources
    for symbol in model.graph.inputs:
        names[id(symbol)] = f"{symbol.name}[0][0]"
        shapes[symbol.name] = str(symbol.shape)
    for node in model.graph.nodes:
        name = node.layer.name
        call = calls[name] = calls.get(name, -1) + 1
        names.update({id(symbol): f"{name}[{call}][{at}]" for at, symbol in enumerate(node.outputs)})
        outputs = [str(symbol.shape) for symbol in node.outputs]
        shapes[name] = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
        sources.setdefault(name, []).extend(names[id(source)] for source in node.inputs)
    return shapes, sources


def _counts(model: BuiltModel) -> list[str]:
    total = model.count_params()
    trained = sum(variable.size for variable in model.trainable_variables)
    size = model.array_dtype.itemsize if model.built else 4
    lines = [
        _count("Trainable", trained, trained * size),
        _count("Non-trainable", total - trained, (total - trained) * size),
    ]
    kept, kept_bytes = 0, 0
    if model.optimizer is not None and (model.optimizer.state or model.optimizer.batches_seen):
        # As in Keras the count of steps and the learning rate are parameters of the optimizer.
        kept = len(model.optimizer.state) * trained + 2
        kept_bytes = kept * size
        lines.append(_count("Optimizer", kept, kept_bytes))
    return [_count("Total", total + kept, total * size + kept_bytes), *lines]


def _count(name: str, count: int, n_bytes: int) -> str:
    return f" {name} params: {count:,} ({_readable(n_bytes)})"


def _readable(n_bytes: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if n_bytes < 1024:
            return f"{n_bytes:.2f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.2f} TB"


def _rule(corners: str, line: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join(line * width for width in widths) + corners[2]


def _cells(texts: Sequence[str], widths: Sequence[int], alignments: str, edge: str) -> list[str]:
    """Return a row of the table: as many lines as its fullest cell takes."""
    columns = [
        [f" {line:{align}{width - 2}} " for line in _wrapped(text, width - 2)]
        for text, width, align in zip(texts, widths, alignments, strict=True)
    ]
    height = max(map(len, columns))
    filled = [column + [" " * width] * (height - len(column)) for column, width in zip(columns, widths, strict=True)]
    return [edge + edge.join(line) + edge for line in zip(*filled, strict=True)]


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text between words; a word that is too long loses its end."""
    import textwrap

    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True) or [""]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
