"""What an optimizer is set to and counts: numbers to compute with, which are assigned to as in Keras."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import cnn_core._core as _core
from cnn_core.foundation.eager import EagerFloat, EagerInteger


class _Assignable:
    """A number that an optimizer has given out, and through which it is set."""

    __slots__ = ()
    name: ClassVar[str]
    trainable: ClassVar[bool] = False
    _attribute: ClassVar[str]  # of the optimizer
    _optimizer: Any

    @classmethod
    def of(cls, optimizer: Any, value: object) -> Self:
        """Return the number of an optimizer."""
        number = cls(value)  # type: ignore[call-arg]
        number._optimizer = optimizer
        return number

    @property
    def path(self) -> str:
        """The optimizer's name and this one's."""
        return f"{self._optimizer.name}/{self.name}"

    def assign(self, value: object) -> Any:
        """Set the optimizer's number, and return it.

        Raises
        ------
        TypeError, ValueError
            If a schedule gives the number, or the value is not one that it can have.
        """
        setattr(self._optimizer, self._attribute, value)
        return getattr(self._optimizer, self._attribute)

    def assign_add(self, value: object) -> Any:
        """Add to the optimizer's number, and return it: see `assign`."""
        return self.assign(getattr(self._optimizer, self._attribute) + value)

    def assign_sub(self, value: object) -> Any:
        """Subtract from the optimizer's number, and return it: see `assign`."""
        return self.assign(getattr(self._optimizer, self._attribute) - value)


class LearningRate(_Assignable, EagerFloat):
    """The learning rate of an optimizer's next batch: a float that can be assigned to.

    It is the rate as it was read: when the optimizer's changes it stays what it is, so that rates gathered in a list
    are those of their time. To assign to it changes the optimizer's rate and itself.

    Examples
    --------
    >>> from cnn_core.optimizers import SGD
    >>> optimizer = SGD(0.1)
    >>> rate = optimizer.learning_rate
    >>> rate.assign(rate / 2)
    0.05
    >>> rate, optimizer.learning_rate, rate.numpy()
    (0.05, 0.05, np.float64(0.05))
    """

    __slots__ = ("_optimizer",)
    name = _attribute = "learning_rate"

    @property
    def value(self) -> EagerFloat:
        """The number alone."""
        return EagerFloat(self)

    def assign(self, value: object) -> LearningRate:
        """Set the optimizer's learning rate, and this one: see `_Assignable`."""
        _core.set_float(self, super().assign(value))
        return self


class Iterations(_Assignable, EagerInteger):
    """The number of updates that an optimizer had made when it was read: an int, through which it is set.

    Examples
    --------
    >>> from cnn_core.optimizers import SGD
    >>> optimizer = SGD(0.1)
    >>> optimizer.iterations.assign(5)
    5
    >>> optimizer.iterations, optimizer.iterations.numpy()
    (5, np.int64(5))
    """

    name = "iteration"
    _attribute = "iterations"

    @property
    def value(self) -> EagerInteger:
        """The number alone."""
        return EagerInteger(self)
