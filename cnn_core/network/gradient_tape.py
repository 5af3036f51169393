"""`GradientTape`: derivatives of whatever layers, losses and functions of `ops` compute inside of a block."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.structures import filled, flatten
from cnn_core.network.tensors import Tensor, gradients
from cnn_core.network.tracing import recorded
from cnn_core.network.variables import Variable


class GradientTape:
    """Record what is computed in a ``with`` block, and differentiate it: the way back through any Python code.

    Inside the block models, layers, losses and functions of `cnn_core.ops` give tensors: arrays that remember how they
    were computed. Every step runs natively by itself, so `if`, `for` and `while` may depend on values; the loop around
    the steps is Python's, and slower than `fit`. All variables are watched.

    Parameters
    ----------
    persistent, watch_accessed_variables : bool
        Accepted because TensorFlow has them: `gradient` may be called any number of times.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers, ops
    >>> model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones", use_bias=False)])
    >>> with GradientTape() as tape:
    ...     loss = ops.mean(ops.square(model(np.array([[1.0, 2.0]])) - 5.0))
    >>> float(loss), tape.gradient(loss, model.trainable_variables)
    (4.0, [array([[-4.],
           [-8.]], dtype=float32)])
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        validation.boolean(persistent, "persistent")
        if not validation.boolean(watch_accessed_variables, "watch_accessed_variables"):
            raise ValueError(
                "`watch_accessed_variables` must be True: ask `gradient` for the variables that are wanted. "
                "Received: watch_accessed_variables=False"
            )
        self._block: AbstractContextManager[None] | None = None

    def __enter__(self) -> GradientTape:
        if self._block is not None:
            raise RuntimeError("A GradientTape cannot be entered while it records: make another one")
        self._block = recorded()
        self._block.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(kind, error, traceback)

    @staticmethod
    def watch(x: object) -> Tensor:
        """Return an array as a tensor, by which derivatives may be asked for; tensors and variables as they are."""
        if isinstance(x, (Tensor, Variable)):
            return x  # type: ignore[return-value]
        array = validation.as_array(x, "x")
        return Tensor(np.array(array, array.dtype if array.dtype.kind == "f" else np.float32, order="C"))

    def gradient(self, target: object, sources: object) -> Any:
        """Return the derivatives of a tensor, or of the sum of several, with respect to variables or tensors.

        Parameters
        ----------
        target : Tensor, or list of them
            Of an array, the derivative of the sum of its elements.
        sources : Variable or Tensor, or list, tuple or dict of them

        Returns
        -------
        numpy.ndarray or None, in the structure of `sources`
            None where the target does not depend on a source.

        Raises
        ------
        TypeError
            If the target was not computed while a tape recorded, or a source is neither variable nor tensor.
        """
        for each in flatten(target):
            if not isinstance(each, Tensor):
                raise TypeError(
                    "`target` must be computed inside of `with GradientTape() as tape:`, by models, layers, losses and "
                    f"functions of cnn_core.ops; NumPy's are not recorded. Received: {validation.show(each)}"
                )
        wanted = flatten(sources)
        for each in wanted:
            if not isinstance(each, (Variable, Tensor)):
                raise TypeError(
                    "`sources` must be variables, or tensors such as tape.watch(x) returns. "
                    f"Received: {validation.show(each)}"
                )
        found: list[Any] = [None] * len(wanted)
        for each in flatten(target):
            for place, part in enumerate(gradients(each, wanted)):
                if part is not None:
                    found[place] = part if found[place] is None else found[place] + part
        return filled(sources, found)
