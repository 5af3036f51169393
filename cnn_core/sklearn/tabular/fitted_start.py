"""Initial weights fitted to a table: every unit starts with spread 1, its kink within the data."""

from __future__ import annotations

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.members import DensePart
from cnn_core.sklearn.tabular.network import TabularNetwork

MOST_ROWS = 1024  # of which the spread is known to two percent
_CORNERS = 5


def start_from_data(network: TabularNetwork, x: Array, seed: int) -> None:
    """Set kernels and biases layer by layer, from what reaches each.

    With the kernel as it was drawn, ``z = h . W`` of every unit is divided by its standard deviation over the rows; the
    bias becomes minus a random convex combination of five of its values.

    Parameters
    ----------
    network : TabularNetwork
        Just made; its kernels, biases and nothing else change.
    x : numpy.ndarray of shape (n, layout.width)
        Features to train on; of many rows 1024 are drawn.
    seed : int

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular
    Data", NeurIPS 2024. The bias follows "he+5" of I. Steinwart, "A Sober Look at Neural Network Initializations",
    2019.
    """
    generator = random_state.generator(seed)
    rows = x if len(x) <= MOST_ROWS else x[generator.choice(len(x), MOST_ROWS, replace=False)]
    inputs = network.inputs(rows)
    block = _core.Block(network.native, len(rows), training=False)
    for depth in range(len(network.members[0].layers)):
        block.forward(inputs)
        for member in network.members:
            layer = member.layers[depth]
            _fit_layer(layer, block.value(layer.source), generator)


def _fit_layer(layer: DensePart, h: Array, generator: np.random.Generator) -> None:
    z = _core.product(h, layer.kernel.array)  # NumPy's product would depend on the number of threads
    spread = z.std(axis=0)
    spread[spread == 0] = 1  # a constant, which no kernel can spread
    layer.kernel.array[...] /= spread
    z /= spread
    chosen = generator.integers(0, len(z), (_CORNERS, z.shape[1]))
    shares = generator.standard_exponential((_CORNERS, z.shape[1]))
    corners = np.take_along_axis(z, chosen, axis=0)
    layer.bias.array[...] = -(corners * shares / shares.sum(axis=0)).sum(axis=0)
