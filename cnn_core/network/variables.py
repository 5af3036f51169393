"""A parameter of a layer: its array, and what the optimizer needs to know of it.

The array of a variable may move: a model that trains collects its variables in one flat vector, of which each variable
then is a view. Code that keeps addresses asks `Variable.moves` whether any variable has moved since.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, aligned_copy
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.foundation.eager import EagerArray
from cnn_core.foundation.numbering import unique_name
from cnn_core.initializers.first_value import exact, first_value
from cnn_core.network.operators import Operators
from cnn_core.network.tracing import current_scope

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.constraints import Constraint
    from cnn_core.regularizers import Regularizer


class _Setting:
    """An attribute of a variable on which native optimizers depend: setting it counts as a change."""

    def __init__(self, check: Callable[[Any, str], Any], usual: object) -> None:
        self._check = check
        self._usual = usual

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, variable: Variable | None, owner: type | None = None) -> Any:
        return self if variable is None else vars(variable).get(self._name, self._usual)

    def __set__(self, variable: Variable, value: object) -> None:
        vars(variable)[self._name] = self._check(value, self._name)
        Variable.note_change()


def _function(value: object, name: str) -> Any:
    if value is not None and not callable(value):
        raise TypeError(
            f"`{name}` must be a function of an array, such as an object of cnn_core.{name}s, or None. "
            f"Received: {name}={validation.show(value)}"
        )
    return value


def _factor(value: object, name: str) -> float:
    return validation.number(value, name, minimum=0)


# What `moves` and `changes` are set to, and where variables stand in the order of making: drawn in one step, so that
# two threads never draw the same number.
_numbers = itertools.count(1)


class Variable(Operators, CopiedWhole):
    """Hold an array that may change: a parameter of a layer, or what else a program keeps from one step to the next.

    Outside of a layer's `call` it computes as its value does, and is compared so with numbers and arrays; two variables
    are equal if they are the same one.

    Parameters
    ----------
    initializer : array-like, str, Initializer or callable
        The value, or what makes one of a shape: ``initializer(shape, dtype=dtype)``, or the name of one.
    shape : tuple of int, default None
        Only an initializer needs it. (): a single number.
    dtype : default None
        Floating, integer or bool; layers compute with their own. None: that of an array; `config.floatx()` for numbers
        and for initializers, int32 for whole numbers, bool for truth values.
    trainable : bool, default True
        Whole numbers and truth values are never trained.
    autocast, aggregation, synchronization, layout
        Accepted because Keras has them; they change nothing here.
    name : str, default None
        Such as "kernel". None: "variable", numbered.
    path : str, default None
        The layer's name and the variable's: "dense/kernel". None: the name.
    regularizer, constraint : default None
    learning_rate_multiplier : float, default 1
        The optimizer's learning rate is multiplied by it for this variable.
    epsilon_multiplier : float, default 1
        And its epsilon, if it has one.
    decay_multiplier : float, default 1
        And its weight decay, where that applies to the variable.

    Raises
    ------
    ValueError, TypeError
        If an initializer has no shape, the value not the one given, or the value is no array of numbers.

    Examples
    --------
    >>> variable = Variable([1.0, 2.0], name="scale")
    >>> variable.assign_add([0.5, 0.5])
    array([1.5, 2.5], dtype=float32)
    >>> 2 * variable
    array([3., 5.], dtype=float32)
    >>> Variable("ones", shape=(2,), dtype="float64").numpy()
    array([1., 1.])
    """

    moves: ClassVar[int] = 0
    # Another number whenever a variable or a layer begins or ceases to be trained, or is trained in another way: lists
    # and native objects that depend on it are kept as long as it stays.
    changes: ClassVar[int] = 0

    _holder: ref[Any] | None = None
    # By which the variables of a custom layer are listed as in Keras: the trained ones first, each kind as it was made.
    rank: tuple[bool, int] = (True, 0)

    regularizer = _Setting(_function, None)
    constraint = _Setting(_function, None)
    learning_rate_multiplier = _Setting(_factor, 1.0)
    epsilon_multiplier = _Setting(validation.positive_number, 1.0)
    decay_multiplier = _Setting(_factor, 1.0)

    def __init__(
        self,
        initializer: object,
        shape: Sequence[int] | None = None,
        dtype: object = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: object = None,
        *,
        path: str | None = None,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        learning_rate_multiplier: float = 1.0,
        epsilon_multiplier: float = 1.0,
        decay_multiplier: float = 1.0,
    ) -> None:
        self.name = unique_name("variable") if name is None else _checked_name(name)
        self.path = self.name if path is None else path
        self._array = aligned_copy(first_value(initializer, shape, dtype, self.path))
        self._trainable = validation.boolean(trainable, "trainable") and self._array.dtype.kind == "f"
        if aggregation != "none" or synchronization != "auto":
            validation.one_of(aggregation, "aggregation", ("none", "mean", "sum", "only_first_replica", None))
            validation.one_of(synchronization, "synchronization", ("none", "on_read", "on_write", "auto", None))
        self.rank = not self._trainable, next(_numbers)
        if regularizer is not None:
            self.regularizer = regularizer
        if constraint is not None:
            self.constraint = constraint
        if learning_rate_multiplier != 1:
            self.learning_rate_multiplier = learning_rate_multiplier
        if epsilon_multiplier != 1:
            self.epsilon_multiplier = epsilon_multiplier
        if decay_multiplier != 1:
            self.decay_multiplier = decay_multiplier
        Variable.note_change()

    @staticmethod
    def note_move() -> None:
        """Let everybody who keeps addresses ask for them again."""
        Variable.moves = next(_numbers)

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
    def overwrite_with_gradient(self) -> bool:
        """Whether optimizers replace the value by its gradient: never here, and setting it to True is refused."""
        return False

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, overwrite_with_gradient: bool) -> None:
        if overwrite_with_gradient:
            raise ValueError("`overwrite_with_gradient` must be False. Received: overwrite_with_gradient=True")

    @property
    def array(self) -> Array:
        """The array itself: writing to it changes the parameter."""
        return self._array

    @property
    def value(self) -> Any:
        """The array, read-only to the eye: use `assign` to change it. In a layer's `call` the variable itself."""
        if current_scope() is not None:
            return self
        view = self.array.view(EagerArray)
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
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return int(self._array.size)

    def in_dtype(self, dtype: object) -> Array:
        """Return the array for a network of a dtype: itself, or of what is not trained a copy that follows it.

        Raises
        ------
        TypeError
            If the variable is trained, and its dtype another one.
        """
        if self._array.dtype == dtype:
            return self._array
        self._refuse_to_train_in(dtype)
        name, copies = np.dtype(dtype).name, vars(self).setdefault("_copies", {})  # type: ignore[call-overload]
        if name not in copies:
            copies[name] = aligned_copy(self._array.astype(name))
        copy: Array = copies[name]
        return copy

    def _refuse_to_train_in(self, dtype: object) -> None:
        if self._trainable and self._array.dtype != dtype:
            raise TypeError(
                f"{self.path} is trained in {self.dtype}, but the network computes in {dtype}: make it with "
                f"dtype='{dtype}'"
            )

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.array.copy()

    def assign(self, value: object) -> Any:
        """Set the value, and return it.

        Parameters
        ----------
        value : array-like of the variable's shape

        Raises
        ------
        ValueError
            If the shape is another one, or a number is not finite or none that the dtype can hold.
        TypeError
            If `call` is being traced, which happens once and not at every batch.
        """
        if current_scope() is not None:
            raise TypeError(
                f"{self!r} cannot be set in `call`, which runs once and not at every batch: set it in a callback or a "
                "training loop"
            )
        self.write(self.check(value))
        return self.value

    def assign_add(self, value: object) -> Any:
        """Add to the value, and return it: see `assign`."""
        return self.assign(self.array + validation.as_array(value, self.path))

    def assign_sub(self, value: object) -> Any:
        """Subtract from the value, and return it: see `assign`."""
        return self.assign(self.array - validation.as_array(value, self.path))

    def write(self, array: Array) -> None:
        """Set the value to one that `check` has returned."""
        for held in self.held_in():
            held[...] = array

    def held_in(self) -> list[Array]:
        """Return the arrays that hold the value: the variable's own, and its copies in other dtypes."""
        return [self._array, *vars(self).get("_copies", {}).values()]

    def check(self, value: object) -> Array:
        """Return a new value as an array of this variable's shape and type, or say what is wrong with it."""
        array = validation.as_array(value, self.path)
        if array.shape != self.shape:
            raise ValueError(f"{self.path} must have the shape {self.shape}. Received: shape={array.shape}")
        return validation.finite(exact(array, self.path, self.dtype), self.path)

    def move_to(self, array: Array, holder: ref[Any] | None = None) -> None:
        """Copy the value to `array`, which is the variable's own from now on; `holder` is what the array is part of."""
        self._refuse_to_train_in(array.dtype)
        array[...] = self._array
        self._array, self._holder = array, holder
        Variable.note_move()

    @property
    def holder(self) -> Any:
        """What has collected the variable last, among others; None if nothing has."""
        return None if self._holder is None else self._holder()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_holder", "_copies")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._array = aligned_copy(self._array)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        self._refuse_while_traced()
        return np.array(self.array, dtype=dtype or self.dtype)

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
        return super().__eq__(other) if _is_compared_by_value(other) else self is other

    def __ne__(self, other: object) -> Any:
        return super().__ne__(other) if _is_compared_by_value(other) else self is not other

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return len(self.array)

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def __bool__(self) -> bool:
        return bool(self._number())

    def __format__(self, spec: str) -> str:
        return format(self._number(), spec) if spec else str(self)

    def _number(self) -> Array:
        self._refuse_while_traced()
        if self.shape:
            raise TypeError(f"{self.path} is no single number. Received: shape={self.shape}")
        return self.array[()]

    def __repr__(self) -> str:
        value = f", value={self.array}" if current_scope() is None else ""
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}{value}>"


def _is_compared_by_value(other: object) -> bool:
    """Tell whether `==` compares elements: with another variable only in `call`, for lists look for variables by it."""
    if isinstance(other, Variable):
        return current_scope() is not None
    return isinstance(other, (Operators, np.ndarray, np.generic, int, float, list, tuple))


class View(Variable):
    """Show an array of something else as a variable that is not trained; assigning to it writes to the array.

    Parameters
    ----------
    array : numpy.ndarray
    name, path : str
    """

    def __init__(self, array: Array, name: str, path: str) -> None:
        self.name, self.path, self._array, self._trainable = name, path, array, False


def _checked_name(name: object) -> str:
    checked = validation.text(name, "name")
    if "/" in checked:
        raise ValueError(f"`name` must have no '/', which stands between the parts of a path. Received: name={name!r}")
    return checked


class Constant(Variable):
    """Hold an array that is never trained, for networks of any dtype.

    Parameters
    ----------
    value : numpy.ndarray
    path : str
    """

    def __init__(self, value: Array, path: str) -> None:
        super().__init__(np.asarray(value, np.float64), trainable=False, name="constant", path=path)
