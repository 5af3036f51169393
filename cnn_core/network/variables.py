"""A parameter of a layer: its array, and what the optimizer needs to know of it.

The array of a variable may move: a model that trains collects its variables in one flat vector, of which each variable
then is a view. Code that keeps addresses asks `Variable.moves` whether any variable has moved since.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, aligned_copy
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.network.operators import Operators
from cnn_core.network.tracing import current_scope

if TYPE_CHECKING:
    from cnn_core.constraints import Constraint
    from cnn_core.regularizers import Regularizer


class _Setting:
    """An attribute of a variable on which native optimizers depend: setting it counts as a change."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, variable: Variable | None, owner: type | None = None) -> Any:
        return self if variable is None else vars(variable)[self._name]

    def __set__(self, variable: Variable, value: Any) -> None:
        vars(variable)[self._name] = value
        Variable.note_change()


# What `moves` and `changes` are set to: drawn in one step, so that two threads never draw the same number.
_numbers = itertools.count(1)


class Variable(Operators, CopiedWhole):
    """Hold one parameter.

    Parameters
    ----------
    value : numpy.ndarray of float32 or float64
    name : str
        Such as "kernel".
    path : str
        The layer's name and the variable's: "dense/kernel".
    trainable : bool, default True
    regularizer, constraint : default None
    learning_rate_multiplier : float, default 1
        The optimizer's learning rate is multiplied by it for this variable.
    epsilon_multiplier : float, default 1
        And its epsilon, if it has one.
    decay_multiplier : float, default 1
        And its weight decay, where that applies to the variable.

    Examples
    --------
    >>> variable = Variable(np.zeros(2, "float32"), "bias", "dense/bias")
    >>> variable.assign([1, 2])
    >>> variable.numpy()
    array([1., 2.], dtype=float32)
    """

    moves: ClassVar[int] = 0
    # Another number whenever a variable or a layer begins or ceases to be trained, or is trained in another way: lists
    # and native objects that depend on it are kept as long as it stays.
    changes: ClassVar[int] = 0

    regularizer = _Setting()
    constraint = _Setting()
    learning_rate_multiplier = _Setting()
    epsilon_multiplier = _Setting()
    decay_multiplier = _Setting()

    def __init__(
        self,
        value: Array,
        name: str,
        path: str,
        trainable: bool = True,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        learning_rate_multiplier: float = 1.0,
        epsilon_multiplier: float = 1.0,
        decay_multiplier: float = 1.0,
    ) -> None:
        self._array = aligned_copy(value)
        self.name = name
        self.path = path
        self._trainable = trainable
        vars(self).update(
            regularizer=regularizer,
            constraint=constraint,
            learning_rate_multiplier=validation.number(learning_rate_multiplier, "learning_rate_multiplier", minimum=0),
            epsilon_multiplier=validation.positive_number(epsilon_multiplier, "epsilon_multiplier"),
            decay_multiplier=validation.number(decay_multiplier, "decay_multiplier", minimum=0),
        )
        Variable.note_change()

    @staticmethod
    def note_change() -> None:
        """Let everybody know that other variables are trained than before."""
        Variable.changes = next(_numbers)

    @property
    def trainable(self) -> bool:
        """Whether training changes it; a change counts from the next fit on."""
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self._trainable = validation.boolean(trainable, "trainable")
        Variable.note_change()

    @property
    def array(self) -> Array:
        """The array itself: writing to it changes the parameter."""
        return self._array

    @property
    def value(self) -> Any:
        """The array, read-only to the eye: use `assign` to change it. In a layer's `call` the variable itself."""
        if current_scope() is not None:
            return self
        view = self._array.view()
        view.flags.writeable = False
        return view

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._array.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def size(self) -> int:
        return int(self._array.size)

    def in_dtype(self, dtype: object) -> Array:
        """Return the array for a network of a dtype, which is the variable's own."""
        return self._array

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self._array.copy()

    def assign(self, value: object) -> None:
        """Set the value.

        Parameters
        ----------
        value : array-like of the variable's shape

        Raises
        ------
        ValueError
            If the shape is another one, or a number is not finite.
        """
        self._array[...] = self.check(value)

    def check(self, value: object) -> Array:
        """Return a new value as an array of this variable's shape and type, or say what is wrong with it."""
        array = validation.as_array(value, self.path)
        if array.shape != self.shape:
            raise ValueError(f"{self.path} must have the shape {self.shape}. Received: shape={array.shape}")
        return validation.finite(validation.convert(array, self.path, self.dtype), self.path)

    def move_to(self, array: Array) -> None:
        """Copy the value to `array`, which is the variable's own from now on."""
        array[...] = self._array
        self._array = array
        Variable.moves = next(_numbers)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._array = aligned_copy(self._array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._refuse_while_traced()
        return np.array(self._array, dtype=dtype or self.dtype)

    def _refuse_while_traced(self) -> None:
        if current_scope() is not None:
            raise TypeError(
                f"{self!r} changes in training: `call` must not compute with its present value. Use functions of "
                "cnn_core.ops and Python's operators on the variable, not NumPy"
            )

    def _refuse_ufunc(self, ufunc: Any, method: str, inputs: Any, keywords: Any) -> Any:
        """Compute with the value, outside of `call`."""
        self._refuse_while_traced()
        arrays = [each.numpy() if isinstance(each, Variable) else each for each in inputs]
        return getattr(ufunc, method)(*arrays, **keywords)

    def __eq__(self, other: object) -> Any:
        tracing = current_scope() is not None or (isinstance(other, Operators) and not isinstance(other, Variable))
        return super().__eq__(other) if tracing else self is other

    def __ne__(self, other: object) -> Any:
        tracing = current_scope() is not None or (isinstance(other, Operators) and not isinstance(other, Variable))
        return super().__ne__(other) if tracing else self is not other

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


class Constant(Variable):
    """Hold an array that is never trained, for networks of any dtype.

    Parameters
    ----------
    value : numpy.ndarray
    path : str
    """

    def __init__(self, value: Array, path: str) -> None:
        super().__init__(aligned_copy(np.asarray(value, np.float64)), "constant", path, trainable=False)
        self._cast: dict[str, Array] = {"float64": self._array}

    def in_dtype(self, dtype: object) -> Array:
        """Return the array rounded to a dtype."""
        name = np.dtype(dtype).name  # type: ignore[call-overload]
        if name not in self._cast:
            self._cast[name] = aligned_copy(self._array.astype(name))
        return self._cast[name]
