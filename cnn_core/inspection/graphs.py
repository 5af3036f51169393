"""Computation graphs: values on nodes, gradients on edges; of a traced network, or of any expression."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import cnn_core.ops.derivation as derivation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.drawing import Picture
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.inspection.records import BatchRecord, Edge

__all__ = ["ExpressionGraph", "Graph", "build_graph", "expression"]


@dataclass(frozen=True)
class Graph:
    """A computation graph, printable as text.

    Attributes
    ----------
    nodes : dict of str to numpy.ndarray
        The inputs, each layer's z and a, and J, with their values; without z where the activation is linear.
    edges : list of Edge
    """

    nodes: dict[str, Array]
    edges: list[Edge]

    def __str__(self) -> str:
        """Write a line for each node, and below it one for each value that it is computed from."""
        lines = []
        for name, value in self.nodes.items():
            lines.append(f"{name} {value.shape} = {_short(value)}")
            for edge in self.edges:
                if edge.target == name:
                    back = "" if edge.gradient is None else f"   gradient back: {_short(edge.gradient)}"
                    lines.append(f"    <- {edge.source}{back}")
        return "\n".join(lines)

    @property
    def derivatives(self) -> dict[str, Array]:
        """The derivatives of the result by nodes, where the graph has them."""
        return {}

    @knows_its_arguments
    def plot(self, path: str | os.PathLike[str] | None = None, ax: object = None) -> Any:
        """Draw the graph with matplotlib: a box for each value, and on every arrow what comes back along it.

        Parameters
        ----------
        path : path, optional
            Where to save the picture; the suffix chooses the format.
        ax : matplotlib.axes.Axes, default None
            Where to draw; None makes a figure of the size that the picture needs.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook at the end of a cell.

        Raises
        ------
        ImportError
            If matplotlib is not installed; `to_svg` needs nothing.
        """
        from cnn_core.foundation.painting import draw

        return draw(self._picture(), "Graph.plot", ax, path)

    def to_svg(self) -> str:
        """Return the picture that `plot` draws as SVG, which needs no other package."""
        return self._picture().to_svg()

    def to_dot(self) -> str:
        """Return the graph in Graphviz's language dot."""
        from cnn_core.inspection.graph_texts import graph_to_dot

        return graph_to_dot(self.nodes, self.edges, self.derivatives)

    def to_mermaid(self) -> str:
        """Return the graph in Mermaid's language, which GitHub and JupyterLab show."""
        from cnn_core.inspection.graph_texts import graph_to_mermaid

        return graph_to_mermaid(self.nodes, self.edges, self.derivatives)

    def _repr_html_(self) -> str:
        return self.to_svg()

    def _picture(self) -> Picture:
        from cnn_core.inspection.graph_picture import graph_picture

        return graph_picture(self.nodes, self.edges, self.derivatives, "A computation graph")


def _short(value: Array) -> str:
    rows = value.reshape(-1)
    numbers = ", ".join(f"{number:.4g}" for number in rows[:4])
    return f"[{numbers}{', ...' if rows.size > 4 else ''}]"


@dataclass(frozen=True)
class ExpressionGraph(Graph):
    """The computation graph of an expression.

    Attributes
    ----------
    gradients : dict of str to numpy.ndarray
        For every node the derivative of the result by it; of a result of several elements, of their sum.
    """

    gradients: dict[str, Array]

    @property
    def derivatives(self) -> dict[str, Array]:
        """The same as `gradients`."""
        return self.gradients


def expression(function: Callable[..., object], *values: object, **named: object) -> ExpressionGraph:
    """Draw any expression as a graph: values forward, derivatives back, node by node.

    Parameters
    ----------
    function : callable
        Computes with operators and functions of `cnn_core.ops`, such as ``lambda a, b, c: (a + b) * c``.
    *values, **named : array-like
        Its arguments.

    Returns
    -------
    ExpressionGraph

    Examples
    --------
    >>> print(expression(lambda a, b, c: (a + b) * c, 5, 3, 2))
    a () = [5]
    b () = [3]
    c () = [2]
    add () = [8]
        <- a   gradient back: [2]
        <- b   gradient back: [2]
    multiply () = [16]
        <- add   gradient back: [2]
        <- c   gradient back: [8]
    """
    given = derivation.arguments_of(function, values, named)
    steps, gradients = derivation.derive(function, given)
    edges = [
        Edge(source, step.name, back)
        for step in steps
        for source, back in zip(step.sources, step.passed_back, strict=True)
    ]
    nodes = given | {step.name: step.value for step in steps}
    return ExpressionGraph(nodes, edges, gradients | {step.name: step.delta for step in steps})


@knows_its_arguments
def build_graph(trace: BatchRecord) -> Graph:
    """Turn a trace into nodes and edges."""
    nodes: dict[str, Array] = dict(trace.inputs)
    edges: list[Edge] = []
    output_of = {name: name for name in trace.inputs}
    for layer in trace.layers:
        output = output_of[layer.name] = f"{layer.name}.a"
        first = output
        if layer.z is not None and layer.z is not layer.a:
            first = f"{layer.name}.z"
            nodes[first] = layer.z
        backward = layer.d_inputs or (None,) * len(layer.inputs)
        edges += [Edge(output_of[name], first, back) for name, back in zip(layer.inputs, backward, strict=True)]
        edges += [] if first == output else [Edge(first, output, layer.delta)]
        nodes[output] = layer.a
    if trace.loss is not None:
        nodes["J"] = np.asarray(trace.loss)
        shares = [*trace.outputs.items(), *trace.penalties.items()]
        edges += [Edge(output_of[name], "J", gradient) for name, gradient in shares]
    return Graph(nodes, edges)
