"""Looking inside: every z, a, delta, dW and db of a batch, gradients, and a check of them by differences."""

from cnn_core.inspection.checks import GradientCheck, gradient_check
from cnn_core.inspection.film import Film, film
from cnn_core.inspection.graphs import ExpressionGraph, Graph, build_graph, expression
from cnn_core.inspection.records import Edge, LayerTrace, LossTrace
from cnn_core.inspection.traces import Trace
from cnn_core.inspection.tracing import gradients, trace

__all__ = [
    "Edge",
    "ExpressionGraph",
    "Film",
    "GradientCheck",
    "Graph",
    "LayerTrace",
    "LossTrace",
    "Trace",
    "build_graph",
    "expression",
    "film",
    "gradient_check",
    "gradients",
    "trace",
]
