"""Networks and computation graphs in the languages of programs that draw graphs: Graphviz's dot, and Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.drawing import short_number
from cnn_core.inspection.diagram import Column, Diagram, Link
from cnn_core.inspection.graph_picture import lines_of, together
from cnn_core.inspection.records import Edge

__all__ = ["graph_to_dot", "graph_to_mermaid", "to_dot", "to_mermaid"]

WIDEST_LINE = 5.0
_ENTITIES = str.maketrans(
    {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "#": "#35;", "`": "#96;", "\n": "<br>"}
)


def to_dot(diagram: Diagram) -> str:
    """Return the graph in dot: a node for each unit and an edge for each weight; a node alone for a large layer."""
    full = drawing.largest(*(link.weights for link in diagram.links))
    lines = [
        "digraph network {",
        "  rankdir=LR; compound=true;",
        '  node [shape=circle, fontname="Helvetica", fontsize=10];',
    ]
    for number, column in enumerate(diagram.columns):
        lines += [
            f"  subgraph cluster_{number} {{",
            f"    label={_quoted(f'{column.name}: {column.caption}')};",
            *_dot_nodes(number, column),
            "  }",
        ]
    for link in diagram.links:
        lines += _dot_edges(diagram, link, full)
    if diagram.loss is not None:
        lines.append(f"  J [shape=box, label={_quoted(f'J = {short_number(diagram.loss, 6)}')}];")
        for place, name, _ in diagram.losses:
            for node, _ in _nodes(place, diagram.columns[place]):
                lines.append(f"  {node} -> J [tooltip={_quoted(name)}];")
    return "\n".join([*lines, "}"])


def to_mermaid(diagram: Diagram) -> str:
    """Return the graph in Mermaid's language, with the same nodes and edges."""
    lines = ["flowchart LR"]
    for number, column in enumerate(diagram.columns):
        lines.append(f"  subgraph s{number}[{_entities(f'{column.name}: {column.caption}')}]")
        lines += [f"    {node}(({_entities(label)}))" for node, label in _nodes(number, column)]
        lines.append("  end")
    for link in diagram.links:
        for source, target, label, _ in _edges(diagram, link):
            lines.append(f"  {source} -->|{_entities(label)}| {target}" if label else f"  {source} --> {target}")
    if diagram.loss is not None:
        lines.append(f"  J[{_entities(f'J = {short_number(diagram.loss, 6)}')}]")
        for place, name, _ in diagram.losses:
            lines += [f"  {node} -->|{_entities(name)}| J" for node, _ in _nodes(place, diagram.columns[place])]
    return "\n".join(lines)


def graph_to_dot(nodes: Mapping[str, Array], edges: Sequence[Edge], derivatives: Mapping[str, Array]) -> str:
    """Return a computation graph in dot: values in nodes, on edges what comes back along them."""
    numbers = {name: number for number, name in enumerate(nodes)}
    lines = ["digraph computation {", "  rankdir=LR;", "  node [shape=box, style=rounded, fontsize=11];"]
    for name, value in nodes.items():
        label = "\n".join(lines_of(name, value, derivatives.get(name)))
        lines.append(f"  n{numbers[name]} [label={_quoted(label)}];")
    for (source, target), back in together(edges).items():
        label = f" [label={_quoted(f'← {back}')}]" if back else ""
        lines.append(f"  n{numbers[source]} -> n{numbers[target]}{label};")
    return "\n".join([*lines, "}"])


def graph_to_mermaid(nodes: Mapping[str, Array], edges: Sequence[Edge], derivatives: Mapping[str, Array]) -> str:
    """Return a computation graph in Mermaid's language."""
    numbers = {name: number for number, name in enumerate(nodes)}
    lines = ["flowchart LR"]
    for name, value in nodes.items():
        label = "\n".join(lines_of(name, value, derivatives.get(name)))
        lines.append(f"  n{numbers[name]}[{_entities(label)}]")
    for (source, target), back in together(edges).items():
        label = f"|{_entities(f'← {back}')}|" if back else ""
        lines.append(f"  n{numbers[source]} -->{label} n{numbers[target]}")
    return "\n".join(lines)


def _nodes(number: int, column: Column) -> Iterator[tuple[str, str]]:
    """Yield names and labels of a column's nodes."""
    if column.folded:
        yield f"n{number}", f"{column.a.size} units"
        return
    for unit, a in enumerate(column.a):
        label = f"a {short_number(a, 4)}"
        if column.delta is not None:
            label += f"\nδ {short_number(column.delta[unit], 4)}"
        yield f"n{number}_{unit}", label


def _edges(diagram: Diagram, link: Link) -> Iterator[tuple[str, str, str, float | None]]:
    """Yield the ends of a link's edges, their labels, and their weights; an operation has one from layer to layer."""
    source, target = diagram.columns[link.source], diagram.columns[link.target]
    ends = [[node for node, _ in _nodes(place, diagram.columns[place])] for place in (link.source, link.target)]
    if link.weights is not None and not (source.folded or target.folded):
        for (j, k), weight in np.ndenumerate(link.weights):
            yield ends[0][j], ends[1][k], short_number(weight, 4), float(weight)
        return
    label = "" if link.weights is None else f"W {' × '.join(map(str, link.weights.shape))}"
    yield ends[0][len(ends[0]) // 2], ends[1][len(ends[1]) // 2], label or target.label, None


def _dot_nodes(number: int, column: Column) -> Iterator[str]:
    scale = drawing.largest(column.a)
    for unit, (node, label) in enumerate(_nodes(number, column)):
        shape = "shape=box, " if column.folded else ""
        fill = drawing.NO_COLOUR if column.folded else drawing.colour(column.a[unit], scale)
        colours = f'style=filled, fillcolor="{fill}", fontcolor="{drawing.ink_on(fill)}"'
        yield f"    {node} [{shape}label={_quoted(label)}, {colours}];"


def _dot_edges(diagram: Diagram, link: Link, full: float) -> Iterator[str]:
    clusters = f"ltail=cluster_{link.source}, lhead=cluster_{link.target}"
    for source, target, label, weight in _edges(diagram, link):
        if weight is None:
            yield f"  {source} -> {target} [label={_quoted(label)}, {clusters}];"
            continue
        width = 0.5 + (WIDEST_LINE - 0.5) * min(abs(weight) / full, 1.0)
        style = ", style=dashed" if weight < 0 else ""
        colour = drawing.colour(weight, full)
        yield f'  {source} -> {target} [label={_quoted(label)}, color="{colour}", penwidth={width:.2f}{style}];'


def _quoted(text: str) -> str:
    r"""Return a text as a string of dot.

    Examples
    --------
    >>> print(_quoted('a "name"'))
    "a \"name\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _entities(text: str) -> str:
    """Return a text as a string of Mermaid, whose entities begin with #.

    Examples
    --------
    >>> print(_entities('a "<name>" #1'))
    "a #quot;#lt;name#gt;#quot; #35;1"
    """
    return f'"{text.translate(_ENTITIES)}"'
