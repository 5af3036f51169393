"""What files, pictures and tables ask of a model: its layers, their calls and their variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from cnn_core.network.graph import CallGraph, Symbol
from cnn_core.network.variables import Variable


class BuiltModel(Protocol):
    """A model; `cnn_core.models.Model` is one. What follows from its inputs is there once `built` is true."""

    name: str
    built: bool
    optimizer: Any  # an Optimizer, None before `compile`

    @property
    def defines_call(self) -> bool:
        """Whether a user's `call` says what it computes."""

    @property
    def layers(self) -> Sequence[Any]:
        """The layers that it is put together from."""

    @property
    def operations(self) -> Sequence[Any]:
        """The layers and the inputs, in the order of their calls."""

    @property
    def graph(self) -> CallGraph:
        """The calls that it is put together from."""

    @property
    def inner_graph(self) -> CallGraph:
        """The same, as a layer among layers shows them."""

    @property
    def inputs(self) -> list[Symbol]:
        """What it takes."""

    @property
    def outputs(self) -> list[Symbol]:
        """What it gives."""

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The dtype in which it computes."""

    @property
    def variables(self) -> Sequence[Variable]:
        """All of them, in the order of the layers."""

    @property
    def trainable_variables(self) -> Sequence[Variable]:
        """Those that training changes."""

    @property
    def metadata(self) -> dict[str, str]:
        """Texts of the user's that go with it."""

    def count_params(self) -> int:
        """How many numbers its variables hold."""
