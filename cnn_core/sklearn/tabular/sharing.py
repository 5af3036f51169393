"""Members that share most of their parameters: TabM.

Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: Advancing Tabular Deep Learning With Parameter-Efficient Ensembling",
ICLR 2025.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import cnn_core.activations as activations
from cnn_core.foundation.arrays import Array
from cnn_core.network.variables import Variable
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.members import Member


@dataclass
class SharingMembers(Member):
    """Several networks in one branch of the plan.

    Each scales the inputs and the units of every hidden layer's kernel by factors of its own, all 1 at first but for
    those of the features, which are 1 or -1; each has its own biases, alike at first, and its own output layer.
    Kernels and biases are drawn evenly from -1 / sqrt(inputs) to 1 / sqrt(inputs).

    Attributes
    ----------
    untied : int
        The buffer of their outputs: (n_sharing, n_out).
    """

    untied: int = -1

    def add(self, inputs: Mapping[str, int], layout: Layout, widths: Sequence[int], head: str) -> int:
        """Add everything from the inputs to the mean of the outputs and return its buffer."""
        buffer = self._joined(inputs, layout)
        for number, n_out in enumerate(widths[:-1]):
            buffer = self._hidden(buffer, n_out, number)
            if self.recipe.dropout:
                shape, stream = (self.recipe.n_sharing, n_out), [self.plan.stream(), 0]
                buffer = self.plan.add(
                    "dropout", [buffer], shape, layer=self.name, reals=[self.recipe.dropout], integers=stream
                )
        self.untied = self._output(buffer, widths[-1], len(widths) - 1, head)
        return self.plan.add_reduction("mean", self.untied, [0], layer=self.name)

    def _hidden(self, source: int, n_out: int, number: int) -> int:
        n_in, members = self.plan.shapes[source][-1], self.recipe.n_sharing
        path = f"dense_{number}"

        def alike(shape: tuple[int, ...]) -> Array:
            return np.tile(self._even((1, shape[1]), n_in), (shape[0], 1))

        variables = [
            self._plain((n_in, n_out), f"{path}/kernel", n_in),
            self._variable((members, n_out), alike, f"{path}/bias", 1.0, decays=False),
            self._variable(
                (members, n_in), np.ones if number else self._signs, f"{path}/input_factor", 1.0, decays=False
            ),
            self._variable((members, n_out), np.ones, f"{path}/output_factor", 1.0, decays=False),
        ]
        return self._members(source, n_out, variables, self.recipe.activation, own=False)

    def _output(self, source: int, n_out: int, number: int, head: str) -> int:
        n_in, members = self.plan.shapes[source][-1], self.recipe.n_sharing
        variables = [
            self._plain((members, n_in, n_out), f"dense_{number}/kernel", n_in),
            self._plain((members, n_out), f"dense_{number}/bias", n_in, decays=False),
        ]
        return self._members(source, n_out, variables, head, own=True)

    def _members(self, source: int, n_out: int, variables: list[Variable], activation: object, own: bool) -> int:
        return self.plan.add(
            "members",
            [source],
            (self.recipe.n_sharing, n_out),
            layer=self.name,
            variables=variables,
            activation=activations.get(activation),  # type: ignore[arg-type]  # of a recipe
            integers=[own],
        )

    def _plain(self, shape: tuple[int, ...], name: str, n_in: int, decays: bool = True) -> Variable:
        return self._variable(shape, lambda shape: self._even(shape, n_in), name, 1.0, decays)

    def _even(self, shape: tuple[int, ...], n_in: int) -> Array:
        bound = 1 / math.sqrt(n_in)
        return self.generator.uniform(-bound, bound, shape)

    def _signs(self, shape: tuple[int, ...]) -> Array:
        return np.where(self.generator.random(shape) < 0.5, -1.0, 1.0)
