"""A traced batch, and the ways to look at it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.drawing import Picture, short_number
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.inspection.diagram import Diagram
from cnn_core.inspection.graphs import Graph, build_graph
from cnn_core.inspection.records import BatchRecord

__all__ = ["Trace"]


@dataclass(frozen=True)
class Trace(BatchRecord):
    """A batch seen through a network.

    Attributes
    ----------
    layers : list of LayerTrace
        In the order of the forward pass.
    inputs : dict of str to numpy.ndarray
    loss : float or None
        J, penalties included; None without targets.
    outputs : dict of str to numpy.ndarray or None
        For the trace or input that each loss compares with its targets: dJ/da of that loss alone.
    losses : list of LossTrace
        The shares of J; what is left of it are penalties.
    penalties : dict of str to numpy.ndarray
        For each trace on whose activities a penalty lies, or that is added to the loss itself: dJ/da of that alone.
    """

    def graph(self) -> Graph:
        """Return the traced network as a computation graph: values on nodes, gradients on edges."""
        return build_graph(self)

    @knows_its_arguments
    def plot(
        self,
        kind: str = "network",
        sample: int | None = None,
        numbers: bool | None = None,
        path: str | os.PathLike[str] | None = None,
        ax: object = None,
    ) -> Any:
        """Draw the batch with matplotlib: the network as a graph, or each layer as the block of the derivation.

        Blue is positive and orange negative. "network" has a circle for every unit, `a` in its upper half and `delta`
        in its lower one, and a line for every weight, as wide as it is large and dashed if negative; `delta` and the
        weights have one scale in the whole picture, `a` one in each layer. Layers of more than 12 units are folded to
        columns of tiles, and their weights to a matrix of tiles; other operations are arrows. "blocks" has for every
        layer what it reads, its weights, the cached `z` and `a` above, and below each its derivative, which has the
        same shape; arrays of more than 80 elements show colours only.

        Parameters
        ----------
        kind : {"network", "blocks"}, default "network"
        sample : int, default None
            Whose values to draw, and whose share of dJ/dW; None: the mean of the batch in "network", all of it in
            "blocks".
        numbers : bool, default None
            True writes every number: in "network" also z, b, the weights and dJ/dW. False writes none.
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
        TypeError, ValueError
            If the kind is unknown, or there is no such sample.

        Examples
        --------
        >>> seen.plot("blocks", sample=0, path="blocks.pdf")  # doctest: +SKIP
        """
        from cnn_core.foundation.painting import draw

        return draw(self._picture(kind, sample, numbers), "Trace.plot", ax, path)

    @knows_its_arguments
    def to_svg(self, kind: str = "network", sample: int | None = None, numbers: bool | None = None) -> str:
        """Return the picture that `plot` draws as SVG, which needs no other package."""
        return self._picture(kind, sample, numbers).to_svg()

    @knows_its_arguments
    def to_dot(self, sample: int | None = None) -> str:
        """Return the network as a graph in Graphviz's language dot, with a and delta on nodes and weights on edges."""
        from cnn_core.inspection.graph_texts import to_dot

        return to_dot(Diagram.of(self, sample))

    @knows_its_arguments
    def to_mermaid(self, sample: int | None = None) -> str:
        """Return the same graph in Mermaid's language, which GitHub and JupyterLab show."""
        from cnn_core.inspection.graph_texts import to_mermaid

        return to_mermaid(Diagram.of(self, sample))

    @knows_its_arguments
    def to_html(self, path: str | os.PathLike[str] | None = None, title: str = "One training step") -> str:
        """Write a page that walks through the batch operation by operation, forward and backward.

        It is one file that needs neither a network nor another file. Buttons or the arrow keys go from step to step;
        each shows its formula, the same with this batch's numbers put in, shapes, arrays and where each comes from. For
        a chosen weight the page writes out the whole chain of partial derivatives as products. The texts are in
        English and Chinese. All numbers are exactly those of the trace, as many as its arrays have: the page of a large
        batch or network is large.

        Parameters
        ----------
        path : path, default None
            Where to write the page; None: nowhere.
        title : str, default "One training step"

        Returns
        -------
        str
            The page.

        Examples
        --------
        >>> from cnn_core import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> page = model.trace([[0.5, 1.0]], [[2.0]]).to_html(title="y from x")
        >>> page[:15], "<title>y from x</title>" in page
        ('<!doctype html>', True)
        """
        from cnn_core.foundation.pages.writing import write
        from cnn_core.inspection.page.writing import step_page

        return write(step_page(self, str(title)), path)

    def _picture(self, kind: str, sample: int | None, numbers: bool | None) -> Picture:
        validation.choice(kind, "kind", ("network", "blocks"))
        if numbers is not None:
            numbers = validation.boolean(numbers, "numbers")
        if kind == "blocks":
            from cnn_core.inspection.block_pictures import block_picture

            return block_picture(self, sample, numbers, "The blocks of a traced network")
        from cnn_core.inspection.network_picture import network_picture

        return network_picture(Diagram.of(self, sample), numbers, "A traced network")

    def _repr_html_(self) -> str:
        """Show the network and a line for each layer in a notebook."""
        import cnn_core.foundation.notebook as notebook

        def spread(values: Array | None) -> str:
            return "" if values is None else f"{short_number(values.min())} … {short_number(values.max())}"

        rows = [
            (layer.name, layer.kind, "" if layer.activation == "linear" else layer.activation, layer.a.shape,
             spread(layer.a), spread(layer.delta), spread(layer.dW))
            for layer in self.layers
        ]  # fmt: skip
        loss = "" if self.loss is None else f"J = {short_number(self.loss, 6)}"
        headings = ["Layer", "Operation", "Activation", "Shape", "a", "δ", "dW"]
        return notebook.heading("Trace", loss) + notebook.table(headings, rows) + self.to_svg()

    def __str__(self) -> str:
        return str(self.graph())
