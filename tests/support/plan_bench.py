"""A plan of a few operations at work on samples, forward and backward, without layers or losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cnn_core._core as _core
import reference
import tolerances
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


class PlanBench:
    """The plan that `build` makes of its input buffers and parameters; it returns the output's buffer.

    `shapes` are those of a sample of each input.
    """

    def __init__(
        self,
        shapes: list[tuple[int, ...]],
        build: Callable[[NetworkPlan, list[int], list[Variable]], int],
        *,
        parameters: tuple[np.ndarray, ...] = (),
        dtype: str = "float64",
        n: int = 3,
        training: bool = True,
        **more: Any,
    ) -> None:
        plan = NetworkPlan()
        sources = [plan.add_input(each) for each in shapes]
        variables = [Variable(array.astype(dtype), name="p", path=f"p_{i}") for i, array in enumerate(parameters)]
        plan.outputs = [build(plan, sources, variables)]
        self.shape = plan.shapes[plan.outputs[0]]
        self.network = _core.Network(dtype, plan)
        self.parameters = [variable.array for variable in variables]
        self.gradients = [np.full_like(array, np.nan) for array in self.parameters]
        self.network.bind(self.parameters, self.gradients)
        self.block: Any = _core.Block(self.network, n, training, **more)
        self.dtype, self.n, self.shapes = dtype, n, shapes

    def forward(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Return the output, (n, *shape)."""
        (y,) = self.block.forward([np.ascontiguousarray(each, self.dtype) for each in inputs])
        return y.reshape(self.n, *self.shape)

    def backward(self, dy: np.ndarray) -> list[np.ndarray]:
        """Return the deltas of the inputs, each (n, *its shape), after `forward`; and fill `gradients`."""
        deltas = self.block.backward([np.ascontiguousarray(dy, self.dtype)])
        return [delta.reshape(self.n, *each) for delta, each in zip(deltas, self.shapes, strict=True)]

    def check_derivatives(self, inputs: list[np.ndarray]) -> None:
        """Compare the deltas of all inputs, and the gradients, with central differences."""
        dy = np.random.default_rng(0).normal(size=(self.n, *self.shape))
        self.forward(inputs)
        found = [*self.backward(dy), *(gradient.copy() for gradient in self.gradients)]
        for actual, x in zip(found, [*inputs, *self.parameters], strict=True):
            numeric = reference.central_differences(
                lambda: float(np.sum(self.forward(inputs) * dy)), x, tolerances.DIFFERENCE_STEP
            )
            scale = max(1.0, float(np.abs(numeric).max(initial=0)))
            np.testing.assert_allclose(actual, numeric, rtol=0, atol=tolerances.GRADIENT_CHECK * scale)
