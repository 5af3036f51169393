"""A member of the networks of the tabular estimators, on its way into the plan that all share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.stored_weights import waiting_weight
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.presets import Recipe

TYPE = np.dtype(np.float32)


@dataclass
class DensePart:
    """A dense layer of a member: the buffer that it reads, and its parameters."""

    source: int
    kernel: Variable
    bias: Variable


@dataclass
class Member:
    """One network of the ensemble, being added to the plan that all share.

    Kernels are drawn from N(0, 1 / inputs), biases from N(0, 1); without a fitted start the output layer begins at 0.
    The learning rate of a kernel is multiplied by 1 / sqrt(inputs), Adam's epsilon and the weight decay by
    sqrt(inputs): that is the parametrisation ``x . W / sqrt(inputs)`` with standard normal W, written with ordinary
    dense layers.
    """

    name: str
    recipe: Recipe
    plan: NetworkPlan
    generator: np.random.Generator
    layers: list[DensePart] = field(default_factory=list)

    def _variable(
        self,
        shape: tuple[int, ...],
        draw: Callable[[tuple[int, ...]], Array],
        name: str,
        rate: float,
        decays: bool = True,
        gain: float = 1.0,
    ) -> Variable:
        """A parameter whose product with `gain` is what the recipe's learning rate times `rate` is meant for.

        It is drawn, unless it waits for what a file holds.

        The authors' weight decay is proportional to the square of a parameter's learning-rate multiplier.
        """
        value = waiting_weight(shape, TYPE.name, f"{self.name}/{name}")
        return Variable(
            np.asarray(draw(shape) if value is None else value, TYPE),
            name=name.rpartition("/")[2],
            path=f"{self.name}/{name}",
            learning_rate_multiplier=rate / gain,
            epsilon_multiplier=gain,
            decay_multiplier=rate * gain if decays else 0.0,
        )

    def add(self, inputs: Mapping[str, int], layout: Layout, widths: Sequence[int], head: str) -> int:
        """Add everything from the inputs to the output and return its buffer."""
        buffer = self._joined(inputs, layout)
        scale = [self._variable(self.plan.shapes[buffer], np.ones, "scale", self.recipe.scale_multiplier)]
        for number, n_out in enumerate(widths):
            last = number == len(widths) - 1
            zero = last and not self.recipe.fitted_start
            layer = self._layer(buffer, n_out, number, 0.0 if zero else 1.0)
            variables = [layer.kernel, layer.bias, *(scale if number == 0 else ())]
            activation = activations.get(head if last else self.recipe.activation)
            if last or not self.recipe.parametric:
                buffer = self._operation("dense", buffer, n_out, variables, activation=activation)
            else:
                buffer = self._operation("dense", buffer, n_out, variables)
                alpha = self._variable((n_out,), np.ones, f"activation_{number}/alpha", self.recipe.slow_multiplier)
                buffer = self._operation("parametric_activation", buffer, n_out, [alpha], activation=activation)
            if not last and self.recipe.dropout:
                stream = [self.plan.stream(), 0]
                buffer = self._operation("dropout", buffer, n_out, reals=[self.recipe.dropout], integers=stream)
        return buffer

    def _operation(self, kind: str, source: int, n_out: int, variables: Sequence[Variable] = (), **more: Any) -> int:
        return self.plan.add(kind, [source], (n_out,), layer=self.name, variables=variables, **more)

    def _layer(self, source: int, n_out: int, number: int, factor: float) -> DensePart:
        n_in = self.plan.shapes[source][0]
        root = math.sqrt(n_in)

        def kernel(shape: tuple[int, ...]) -> Array:
            return factor / root * self.generator.standard_normal(shape)

        def bias(shape: tuple[int, ...]) -> Array:
            return factor * self.generator.standard_normal(shape)

        path = f"dense_{number}"
        layer = DensePart(
            source,
            self._variable((n_in, n_out), kernel, f"{path}/kernel", 1.0, gain=root),
            self._variable((n_out,), bias, f"{path}/bias", self.recipe.bias_multiplier, decays=False),
        )
        self.layers.append(layer)
        return layer

    def _joined(self, inputs: Mapping[str, int], layout: Layout) -> int:
        """The features as the dense layers read them: numbers and categories embedded, the others as they are."""
        parts = []
        if "numbers" in inputs:
            parts.append(self._waves(inputs["numbers"], layout.n_numbers))
        if "others" in inputs:
            parts.append(inputs["others"])
        if "codes" in inputs:
            parts.append(self._embedding(inputs["codes"], layout))
        if len(parts) == 1:
            return parts[0]
        width = sum(self.plan.shapes[part][0] for part in parts)
        return self.plan.add("concatenate", parts, (width,), layer=self.name, integers=[0])

    def _waves(self, source: int, n: int) -> int:
        """The periodic embedding of the authors: frequencies normal, phases and the linear layer uniform."""
        n_waves, n_out, generator = self.recipe.n_waves, self.recipe.n_wave_outputs, self.generator
        bound = 1 / math.sqrt(n_waves)

        def frequencies(shape: tuple[int, ...]) -> Array:
            return self.recipe.wave_spread * generator.standard_normal(shape)

        def uniform(bound: float) -> Callable[[tuple[int, ...]], Array]:
            return lambda shape: generator.uniform(-bound, bound, shape)

        parts: dict[str, tuple[tuple[int, ...], Callable[[tuple[int, ...]], Array]]] = {
            "frequencies": ((n, n_waves), frequencies),
            "phases": ((n, n_waves), uniform(math.pi)),
            "weights": ((n, n_waves, n_out), uniform(bound)),
            "biases": ((n, n_out), uniform(bound)),
        }
        rate = self.recipe.slow_multiplier
        variables = [self._variable(shape, draw, f"waves/{name}", rate) for name, (shape, draw) in parts.items()]
        return self._operation("periodic", source, n * (n_out + 1), variables, integers=[n_waves])

    def _embedding(self, source: int, layout: Layout) -> int:
        """One row of numbers for each category; "none of the known" starts in the middle, at 0."""
        width, n_rows = self.recipe.embedding_width, sum(layout.n_codes)

        def rows(shape: tuple[int, ...]) -> Array:
            drawn = self.recipe.embedding_spread * self.generator.standard_normal(shape)
            drawn[np.cumsum([0, *layout.n_codes[:-1]])] = 0
            return drawn

        table = self._variable((n_rows, width), rows, "embeddings", 1.0)
        shape = (len(layout.n_codes), width)
        found = self.plan.add("embedding", [source], shape, layer=self.name, variables=[table], integers=[n_rows])
        return self.plan.add_reshaping(found, (math.prod(shape),), self.name)


@dataclass
class RadialMember(Member):
    """A network whose hidden units are rows of training, c, and tell how near a row is: ``exp(-sum(a * |x - c|))``.

    Such sums are the Laplace kernel, and what the output layer makes of them is a kernel regression.

    References
    ----------
    D. S. Broomhead, D. Lowe, "Multivariable Functional Interpolation and Adaptive Networks", Complex Systems 2 (1988).
    """

    def add(self, inputs: Mapping[str, int], layout: Layout, widths: Sequence[int], head: str) -> int:
        """Add everything from the inputs to the output and return its buffer."""
        source, (n_centers, n_out) = self._joined(inputs, layout), widths
        width = self.plan.shapes[source][0]
        variables = [
            self._variable((width, n_centers), np.zeros, "centers", 1.0, decays=False),
            self._variable((width,), np.ones, "factors", 1.0, decays=False),
        ]
        nearness = self._operation("nearness", source, n_centers, variables)
        units = self.plan.add_activation(nearness, activations.get(self.recipe.activation), self.name)
        layer = self._layer(units, n_out, 1, 0.0)
        return self._operation("dense", units, n_out, [layer.kernel, layer.bias], activation=activations.get(head))
