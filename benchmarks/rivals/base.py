"""Define what every rival must be able to do, so that measuring knows nothing about libraries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cases import Network, Optimizer, Training, Weights, loss_of_outputs

Values = NDArray[np.generic]
Route = Callable[[], object]

ROWS_OF_A_BLOCK = 1_000


class Rival(ABC):
    """Train and predict with one library.

    The order of calls is `build`, then `set_data` and `train` as often as wanted, or `set_inputs` and the routes
    that `routes` returns. Arrays come in as NumPy's; a rival may turn them into its own form in `set_data` and
    `set_inputs`, which are not timed.
    """

    mixed = False  # whether products are computed in bfloat16, of weights in float32

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.case: Training | None = None
        self.x: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self.y: Values = np.empty(0, np.int32)

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries at work."""

    @abstractmethod
    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        """Make the network with these starting weights; with a case and an optimizer also all that training needs."""

    def set_data(self, x: NDArray[np.float32], y: Values) -> None:
        """Keep the training data in the library's own form."""
        self.x, self.y = x, y

    def train(self, epochs: int, shuffle: bool) -> None:
        """Train for whole epochs and return when the work is done."""
        raise NotImplementedError

    @abstractmethod
    def predict(self, x: NDArray[np.float32]) -> Values:
        """Return the outputs for NumPy rows x as a NumPy array (not timed)."""

    def loss(self) -> float:
        """Return the mean loss over the training data, from this library's own outputs."""
        assert self.case is not None
        return loss_of_outputs(self.case.loss, self.y, self.predict(self.x))

    def set_inputs(self, x: NDArray[np.float32]) -> None:
        """Keep the rows to predict in the library's own form."""
        self.x = x

    def routes(self) -> dict[str, Route]:
        """Return the ways to predict the rows that were set; each is timed, the fastest counts."""
        return {"whole": lambda: self.predict(self.x)}


def in_blocks(predict: Callable[[NDArray[np.float32]], Values], x: NDArray[np.float32]) -> Values:
    """Predict in blocks of rows, which stay in cache, and join the results."""
    blocks = range(0, len(x), ROWS_OF_A_BLOCK)
    return np.concatenate([predict(x[start : start + ROWS_OF_A_BLOCK]) for start in blocks])
