"""Networks and their weights as one plan, which is run once for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.sklearn.tabular.members import TYPE
from cnn_core.sklearn.tabular.network import TabularNetwork

_UNBOUNDED = -np.inf, np.inf


class WeightedNetworks:
    """The weighted mean of networks, whose weights stay where they are.

    Parameters
    ----------
    networks : sequence of TabularNetwork
        With the same number of outputs.
    shares : sequence of float
        What each contributes to the mean.
    input_widths : sequence of int
        Of the arrays that `mean` takes.
    sources : sequence of sequence of int
        Which of these arrays each network reads.
    bounds : sequence of (pair of numpy.ndarray of shape (n_out,), or None)
        Between which outputs of each are kept.
    """

    def __init__(
        self,
        networks: Sequence[TabularNetwork],
        shares: Sequence[float],
        input_widths: Sequence[int],
        sources: Sequence[Sequence[int]],
        bounds: Sequence[tuple[Array, Array] | None],
    ) -> None:
        plan = NetworkPlan()
        inputs = [plan.add_input((width,)) for width in input_widths]
        outputs = []
        for network, own in zip(networks, sources, strict=True):
            outputs += plan.join(network.plan, [inputs[number] for number in own])
        self._shape = len(outputs), networks[0].n_out
        plan.outputs = [plan.add("concatenate", outputs, (self._shape[0] * self._shape[1],), layer="", integers=[0])]
        counts = [network.n_members for network in networks]
        self._shares = np.repeat(np.divide(shares, counts), counts)
        ends = [_UNBOUNDED if each is None else each for each in bounds]
        self._low, self._high = (
            np.array([np.broadcast_to(each[side], self._shape[1]) for each in ends], TYPE).repeat(counts, axis=0)
            for side in (0, 1)
        )
        self._native = bound_network(plan, TYPE)

    def mean(self, inputs: list[Array]) -> Array:
        """Return the weighted mean of what the networks make of their inputs: float64 of shape (n, n_out)."""
        outputs = np.empty((len(inputs[0]), *self._shape), TYPE)
        self._native.predict(inputs, [outputs])
        return _core.weighted_mean(outputs, self._shares, self._low, self._high)
