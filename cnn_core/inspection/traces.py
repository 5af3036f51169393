"""A traced batch, and the ways to look at it."""

from __future__ import annotations

from dataclasses import dataclass

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

    def __str__(self) -> str:
        return str(self.graph())
