"""The networks of the tabular estimators.

Members of an ensemble are branches of one plan: each batch is gathered once and goes through all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array, readable
from cnn_core.foundation.stored_weights import room_for
from cnn_core.network.native import bound_network
from cnn_core.network.parameters import ParameterVector
from cnn_core.network.plan import NetworkPlan
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.members import TYPE, Member, RadialMember
from cnn_core.sklearn.tabular.presets import Recipe
from cnn_core.sklearn.tabular.sharing import SharingMembers

HEADS = ("softmax", "linear")
MAX_MEMBERS = 16  # losses that one native pass takes
MOST_SHARING = 1024


class TabularNetwork:
    """One network for each member, side by side: embeddings, ``x * scale``, hidden dense layers, a dense output.

    Parameters
    ----------
    recipe : Recipe
    layout : Layout
        Of the matrices that the network will read.
    n_out : int
    head : {"softmax", "linear"}
    n_members : int
    seed : int, default 0

    Attributes
    ----------
    values : numpy.ndarray of shape (size,)
        All parameters, one member's after another's.
    members : list of Member
    trained : native network
        Whose outputs have losses: those of `native`, or of members that share, of which `native` gives the mean.
    """

    def __init__(
        self, recipe: Recipe, layout: Layout, n_out: int, head: str, n_members: int = 1, seed: int = 0
    ) -> None:
        self.recipe, self.layout, self.n_out, self.head, self.n_members = recipe, layout, n_out, head, n_members
        generator = random_state.generator(seed)
        self.plan = NetworkPlan()
        inputs = {name: self.plan.add_input((width,)) for name, width in self.input_widths().items()}
        kind = SharingMembers if recipe.n_sharing else RadialMember if recipe.radial else Member
        self.members = [kind(f"member_{number}", recipe, self.plan, generator) for number in range(n_members)]
        starts = []
        for member in self.members:
            starts.append(len(self.plan.variables))
            self.plan.outputs.append(member.add(inputs, layout, [*recipe.hidden, n_out], head))
        self.parameters = ParameterVector(self.plan.variables, TYPE)
        gradients = [self.parameters.gradient_of(variable) for variable in self.plan.variables]
        self.native = bound_network(self.plan, TYPE, gradients=gradients)
        self.trained = self.native if not recipe.n_sharing else self._native_of_shares(gradients)
        bounds = [*(self.parameters.offsets[start] for start in starts), self.values.size]
        self.member_slices = [slice(start, end) for start, end in itertools.pairwise(bounds)]

    def _native_of_shares(self, gradients: list[Array | None]) -> Any:
        """The network as it is trained: each of those that share has a loss of its own."""
        means = self.plan.outputs
        self.plan.outputs = [member.untied for member in self.members if isinstance(member, SharingMembers)]
        try:
            return bound_network(self.plan, TYPE, gradients=gradients)
        finally:
            self.plan.outputs = means

    @property
    def clamps(self) -> bool:
        """Whether numbers are to be kept within the range of the targets in training."""
        return self.recipe.clamps

    @property
    def values(self) -> Array:
        return self.parameters.values

    @property
    def widths(self) -> list[int]:
        """Of the matrix, of the hidden layers and of the output."""
        return [self.layout.width, *self.recipe.hidden, self.n_out]

    def input_widths(self) -> dict[str, int]:
        """Return the width of each input of the plan; numbers without an embedding are among the others."""
        numbers = self.layout.n_numbers if self.recipe.n_waves else 0
        others = self.layout.n_numbers - numbers + self.layout.n_others
        widths = {"numbers": numbers, "others": others, "codes": len(self.layout.n_codes)}
        return {name: width for name, width in widths.items() if width}

    def inputs(self, x: Array) -> list[Array]:
        """Return a matrix of features as the arrays that the plan reads.

        Parameters
        ----------
        x : numpy.ndarray of shape (n, layout.width)
        """
        found = []
        first = 0
        for name, width in self.input_widths().items():
            part = x[:, first : first + width]
            found.append(readable(self.layout.table_rows(part) if name == "codes" else part, TYPE))
            first += width
        return found

    def for_members(self, data: Dataset) -> Dataset:
        """Return features, one target and its weights as all members are trained on them."""
        (x,), (y,), (weights,) = data.inputs, data.targets, data.weights
        assert isinstance(x, np.ndarray)
        assert isinstance(y, np.ndarray)
        sharing, count = self.recipe.n_sharing, self.n_members
        targets = np.repeat(y.reshape(data.n, 1, -1), sharing, axis=1) if sharing else readable(y)
        own = None if weights is None else readable(weights)
        return Dataset([*self.inputs(x)], [targets] * count, [own] * count, data.n, data.dtype)

    def outputs(self, inputs: list[Array]) -> Array:
        """Return what every member makes of `inputs`: (n_members, n, n_out)."""
        out = np.empty((self.n_members, len(inputs[0]), self.n_out), TYPE)
        self.native.predict(inputs, list(out))
        return out

    def release_kept(self) -> None:
        """Give back the memory that waits for more training: of many networks together it is much."""
        for native in (self.native, self.trained):
            native.release_kept()

    def predict(self, x: Array) -> Array:
        """Return every member's outputs for a matrix of features: (n_members, n, n_out)."""
        return self.outputs(self.inputs(x))

    def summary(self) -> str:
        """Return widths, activation, members and the number of parameters in a line."""
        widths = " -> ".join(map(str, self.widths))
        members = self.recipe.n_sharing or self.n_members
        size = sum(array.size for array in self.weights().values())
        return f"{widths}, {self.recipe.activation}, {members} member(s), {size} parameters"

    def state(self) -> dict[str, Any]:
        """Return what the network is, without its weights, as plain data."""
        return {
            "recipe": self.recipe.state(),
            "layout": self.layout.state(),
            "n_out": self.n_out,
            "head": self.head,
            "n_members": self.n_members,
        }

    def weights(self) -> dict[str, Array]:
        """Return every parameter by its path; writing to an array changes the network."""
        return {variable.path: variable.array for variable in self.plan.variables}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], weights: Mapping[str, Array]) -> TabularNetwork:
        """Return the network whose `state` and `weights` were saved.

        Raises
        ------
        ValueError
            If a weight is missing or has another shape.
        """
        recipe, layout = Recipe.from_state(state["recipe"]), Layout.from_state(state["layout"])
        n_members = validation.integer(state["n_members"], "n_members", 1, MAX_MEMBERS)
        n_out = validation.positive_integer(state["n_out"], "n_out")
        with room_for(weights):
            network = cls(recipe, layout, n_out, validation.choice(state["head"], "head", HEADS), n_members)
        network._assign(weights)
        return network

    def __getstate__(self) -> dict[str, Any]:
        arguments = (self.recipe, self.layout, self.n_out, self.head, self.n_members)
        return {"arguments": arguments, "weights": {path: array.copy() for path, array in self.weights().items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["arguments"])  # type: ignore[misc]  # nothing else makes the native network
        self._assign(state["weights"])

    def _assign(self, weights: Mapping[str, Array]) -> None:
        for variable in self.plan.variables:
            if variable.path not in weights:
                raise ValueError(f"The weight {variable.path!r} is missing")
            variable.assign(weights[variable.path])
