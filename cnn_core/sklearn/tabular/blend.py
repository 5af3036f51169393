"""Several networks as one: a weighted mean of what they predict, each from features of its own kind.

It needs NumPy alone. A blend takes the place of a network, and joined preprocessors that of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.calibration import tempered
from cnn_core.sklearn.tabular.encoders import Encoder, TablePreprocessor
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe
from cnn_core.sklearn.tabular.table_features import MakesFeatures
from cnn_core.sklearn.tabular.weighted_networks import WeightedNetworks

PART = "part_"  # what the paths of weights begin with, before the number of the network


class JoinedPreprocessor(MakesFeatures):
    """The features of several preprocessors of one table, side by side.

    Parameters
    ----------
    parts : sequence of TablePreprocessor
    """

    def __init__(self, parts: Sequence[TablePreprocessor]) -> None:
        self.parts = list(parts)

    @property
    def names(self) -> list[str]:
        return self.parts[0].names

    @property
    def kinds(self) -> list[str]:
        return self.parts[0].kinds

    @property
    def encoders(self) -> list[Encoder | None]:
        return self.parts[0].encoders

    @property
    def layout(self) -> list[Layout]:
        return [part.layout for part in self.parts]

    @property
    def n_features(self) -> int:
        return sum(part.n_features for part in self.parts)

    @property
    def feature_names(self) -> list[str]:
        return [name for part in self.parts for name in part.feature_names]

    @property
    def places(self) -> list[Array]:
        """Which features of a matrix each column became."""
        starts = np.cumsum([0, *(part.n_features for part in self.parts[:-1])])
        found = [[place + start for place in part.places] for part, start in zip(self.parts, starts, strict=True)]
        return [np.concatenate(of_column) for of_column in zip(*found, strict=True)]

    def _parts(self) -> list[TablePreprocessor]:
        return self.parts

    def state(self) -> dict[str, Any]:
        """Return all that was fitted as plain data."""
        return {"joined": [part.state() for part in self.parts]}


@dataclass
class BlendPart:
    """A network of a blend.

    Attributes
    ----------
    name : str
        Of its recipe.
    features : int
        Which of the joined preprocessors makes its features.
    network : TabularNetwork
    weight : float
    """

    name: str
    features: int
    network: TabularNetwork
    weight: float


class Blend:
    """The weighted mean of networks, of which each may have been trained on other rows, by another recipe.

    Parameters
    ----------
    parts : sequence of BlendPart
    layout : list of Layout
        Of the joined features.
    bounds : pair of numpy.ndarray of shape (n_out,), or None
        Between which recipes that clamp keep numbers.
    temperature : float, default 1
        Of probabilities.
    leaderboard : list of dict
        What was trained, for the reader.
    """

    clamps = False  # the parts do, as their recipes say

    def __init__(
        self,
        parts: Sequence[BlendPart],
        layout: list[Layout],
        bounds: tuple[Array, Array] | None,
        temperature: float = 1.0,
        leaderboard: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.parts, self.layout, self.bounds = list(parts), layout, bounds
        self.temperature, self.leaderboard = temperature, list(leaderboard)
        self._starts = np.cumsum([0, *(each.width for each in layout)]).tolist()
        self._readers: dict[tuple[int, tuple[str, ...]], BlendPart] = {}  # one for each way to read features
        for part in self.parts:
            self._readers.setdefault(_reading(part), part)
        self._networks: WeightedNetworks | None = None  # until somebody predicts

    @property
    def n_out(self) -> int:
        return self.parts[0].network.n_out

    def input_name(self, part: BlendPart, name: str) -> str:
        """Return what an input of one of the networks is called among those of all.

        Networks share it that read the same features in the same way.
        """
        return name if len(self._readers) == 1 else f"{name}_{list(self._readers).index(_reading(part))}"

    def input_widths(self) -> dict[str, int]:
        """Return the width of each array that `inputs` returns, by its name."""
        return {
            self.input_name(part, name): width
            for part in self._readers.values()
            for name, width in part.network.input_widths().items()
        }

    def inputs(self, x: Array) -> list[Array]:
        """Return a matrix of joined features as the arrays that the networks read."""
        found = []
        for part in self._readers.values():
            first = self._starts[part.features]
            found += part.network.inputs(x[:, first : first + part.network.layout.width])
        return found

    def _weighted(self) -> WeightedNetworks:
        """All networks as one."""
        widths = self.input_widths()
        names = list(widths)
        return WeightedNetworks(
            [part.network for part in self.parts],
            [part.weight for part in self.parts],
            list(widths.values()),
            [[names.index(self.input_name(part, name)) for name in part.network.input_widths()] for part in self.parts],
            [self.bounds if part.network.recipe.clamps else None for part in self.parts],
        )

    def predict(self, x: Array) -> Array:
        """Return the outputs for a matrix of joined features: (1, n, n_out)."""
        if self._networks is None:
            self._networks = self._weighted()
        total = self._networks.mean(self.inputs(x))
        if self.parts[0].network.head == "softmax":
            total = tempered(total, self.temperature)
        return total[None]

    def summary(self) -> str:
        """Return how many networks, and what of, in a line."""
        names = ", ".join(dict.fromkeys(part.name for part in self.parts))
        size = sum(array.size for array in self.weights().values())
        return f"a blend of {len(self.parts)} networks ({names}), {size} parameters"

    def state(self) -> dict[str, Any]:
        """Return what the blend is, without its weights, as plain data."""
        return {
            "parts": [
                {"name": each.name, "features": each.features, "weight": each.weight, "network": each.network.state()}
                for each in self.parts
            ],
            "bounds": None if self.bounds is None else [each.tolist() for each in self.bounds],
            "temperature": self.temperature,
            "leaderboard": self.leaderboard,
        }

    def weights(self) -> dict[str, Array]:
        """Return every parameter by its path."""
        return {
            f"{PART}{number}/{path}": array
            for number, part in enumerate(self.parts)
            for path, array in part.network.weights().items()
        }

    def __getstate__(self) -> dict[str, Any]:
        names = ("parts", "layout", "bounds", "temperature", "leaderboard")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # nothing else makes what is derived

    @classmethod
    def from_state(cls, state: Mapping[str, Any], weights: Mapping[str, Array], layout: list[Layout]) -> Blend:
        """Return the blend whose `state` and `weights` were saved.

        Raises
        ------
        ValueError
            If it does not fit the features, or a weight is missing.
        """
        parts = []
        for number, each in enumerate(state["parts"]):
            prefix = f"{PART}{number}/"
            own = {path.removeprefix(prefix): array for path, array in weights.items() if path.startswith(prefix)}
            network = TabularNetwork.from_state(each["network"], own)
            features = validation.integer(each["features"], "features", 0, len(layout) - 1)
            parts.append(BlendPart(str(each["name"]), features, network, float(each["weight"])))
        if not parts or any(part.network.layout != layout[part.features] for part in parts):
            raise ValueError("its columns must make the features that its networks read")
        if any(
            (part.network.n_out, part.network.head) != (parts[0].network.n_out, parts[0].network.head) for part in parts
        ):
            raise ValueError("its networks must have the same outputs")
        bounds = None
        if state["bounds"] is not None:
            low, high = (np.array(each, np.float32) for each in state["bounds"])
            bounds = low, high
        temperature = validation.positive_number(state["temperature"], "temperature")
        return cls(parts, layout, bounds, temperature, [dict(each) for each in state["leaderboard"]])


def _reading(part: BlendPart) -> tuple[int, tuple[str, ...]]:
    """Which features a network reads, and as which inputs."""
    return part.features, tuple(part.network.input_widths())


def bounded(outputs: Array, recipe: Recipe, bounds: tuple[Array, Array] | None) -> Array:
    """Return standardised outputs, within the bounds where the recipe says so."""
    return outputs.clip(*bounds) if recipe.clamps and bounds is not None else outputs


def restored(state: Mapping[str, Any], weights: Mapping[str, Array]) -> tuple[Any, Any]:
    """Return the preprocessor and the network, or what takes their places, that a file describes.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    if "joined" in state["preprocessor"]:
        joined = JoinedPreprocessor([TablePreprocessor.from_state(each) for each in state["preprocessor"]["joined"]])
        return joined, Blend.from_state(state["network"], weights, joined.layout)
    preprocessor = TablePreprocessor.from_state(state["preprocessor"])
    if state["network"] is None:
        return preprocessor, None
    network = TabularNetwork.from_state(state["network"], weights)
    if network.layout != preprocessor.layout:
        raise ValueError("its columns must make the features that its network reads")
    return preprocessor, network
