"""The network of a tabular estimator as nodes of ONNX, whose constants are its parameters under their own paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_activations import write_activation
from cnn_core.interop.onnx_graph import INT64, Nodes, type_number
from cnn_core.sklearn.tabular.network import TabularNetwork

DOUBLE = type_number(np.float64)


def write_members(
    g: Nodes,
    network: TabularNetwork,
    sources: Mapping[str, str],
    bounds: Sequence[Array] | None = None,
    path: str = "",
) -> str:
    """Write all members; return the name of the mean of their outputs, in float64.

    Parameters
    ----------
    g : Nodes
        That makes constants of float32.
    network : TabularNetwork
    sources : mapping
        What the network's inputs are called in the graph.
    bounds : pair of numpy.ndarray, default None
        Between which each output is kept.
    path : str, default ""
        What the names of the network's constants begin with, before the paths of its parameters.

    Raises
    ------
    ValueError
        If ONNX cannot express the activation.
    """
    recipe = network.recipe
    total, kind = "", _SharingMembers if recipe.n_sharing else _RadialMember if recipe.radial else _Member
    for member in network.members:
        made = kind(g, network, member.name, path).output(sources)
        if bounds is not None:
            low, high = (g.numbers(each, "bound") for each in bounds)
            made = g.add("Min", g.add("Max", made, low), high)
        made = g.cast(made, DOUBLE)
        total = g.add("Add", total, made) if total else made
    with g.counting_in("float64"):
        return total if network.n_members == 1 else g.add("Div", total, float(network.n_members))


class _Member:
    """One member, being written."""

    def __init__(self, g: Nodes, network: TabularNetwork, name: str, path: str) -> None:
        self.g, self.network, self.recipe, self.name, self.path = g, network, network.recipe, name, path
        self.weights = network.weights()
        g.prefix = path + name

    def _weight(self, path: str) -> str:
        return self.g.constant(self.weights[f"{self.name}/{path}"], f"{self.path}{self.name}/{path}")

    def output(self, sources: Mapping[str, str]) -> str:
        g, recipe = self.g, self.recipe
        x = g.add("Mul", self._joined(sources), self._weight("scale"))
        for number in range(len(recipe.hidden)):
            x = self._dense(x, number)
            made = self._activated(x)
            if recipe.parametric:
                change = g.add("Mul", g.add("Sub", made, x), self._weight(f"activation_{number}/alpha"))
                made = g.add("Add", x, change)
            x = made
        return self._last(x)

    def _last(self, x: str) -> str:
        x = self._dense(x, len(self.recipe.hidden))
        return self.g.add("Softmax", x, axis=1) if self.network.head == "softmax" else x

    def _dense(self, x: str, number: int) -> str:
        return self.g.add("Gemm", x, self._weight(f"dense_{number}/kernel"), self._weight(f"dense_{number}/bias"))

    def _activated(self, x: str) -> str:
        activation = activations.get(self.recipe.activation)
        made = write_activation(self.g, x, activation)
        if made is None:
            raise ValueError(
                f"`activation` must have a counterpart in ONNX. Received: activation={activation.name or activation!r}"
            )
        return made

    def _joined(self, sources: Mapping[str, str]) -> str:
        parts = []
        if "numbers" in sources:
            parts.append(self._waves(sources["numbers"]))
        if "others" in sources:
            parts.append(sources["others"])
        if "codes" in sources:
            rows = self.g.add("Gather", self._weight("embeddings"), self.g.cast(sources["codes"], INT64))
            parts.append(self.g.add("Flatten", rows, axis=1))
        return parts[0] if len(parts) == 1 else self.g.add("Concat", *parts, axis=1)

    def _waves(self, x: str) -> str:
        g = self.g
        frequencies, phases, kernel, offsets = (
            self._weight(f"waves/{name}") for name in ("frequencies", "phases", "weights", "biases")
        )
        between: Any = g.sizes(1)
        numbers = g.add("Unsqueeze", x, g.sizes(2, 3))
        angles = g.add("Mul", g.add("Mul", numbers, 2 * math.pi), g.add("Unsqueeze", frequencies, between))
        cosines = g.add("Cos", g.add("Add", angles, g.add("Unsqueeze", phases, between)))
        sums = g.add("Add", g.add("MatMul", cosines, kernel), g.add("Unsqueeze", offsets, between))
        return g.add("Flatten", g.add("Concat", sums, numbers, axis=3), axis=1)


class _RadialMember(_Member):
    """A member of which the hidden units are rows, being written."""

    def output(self, sources: Mapping[str, str]) -> str:
        g = self.g
        differences = g.add("Sub", g.add("Unsqueeze", self._joined(sources), g.sizes(2)), self._weight("centers"))
        distances = g.add("MatMul", self._weight("factors"), g.add("Abs", differences))
        return self._last(self._activated(g.add("Neg", distances)))


class _SharingMembers(_Member):
    """Members that share their kernels, being written."""

    def output(self, sources: Mapping[str, str]) -> str:
        g, last = self.g, len(self.recipe.hidden)
        x = g.add("Unsqueeze", self._joined(sources), g.sizes(1))
        for number in range(last):
            x = self._activated(self._ensemble_dense(x, number))
        rows = g.add("MatMul", g.add("Unsqueeze", x, g.sizes(2)), self._weight(f"dense_{last}/kernel"))
        x = g.add("Add", g.add("Squeeze", rows, g.sizes(2)), self._weight(f"dense_{last}/bias"))
        x = g.add("Softmax", x, axis=2) if self.network.head == "softmax" else x
        return g.add("ReduceMean", x, axes=[1], keepdims=0)

    def _ensemble_dense(self, x: str, number: int) -> str:
        g, path = self.g, f"dense_{number}"
        product = g.add("MatMul", g.add("Mul", x, self._weight(f"{path}/input_factor")), self._weight(f"{path}/kernel"))
        return g.add("Add", g.add("Mul", product, self._weight(f"{path}/output_factor")), self._weight(f"{path}/bias"))
