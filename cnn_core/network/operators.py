"""Python's operators of what stands in expressions: symbols and variables.

What an operator does, a function of the same name in `cnn_core.ops` does, one floor up; it enters itself here. Few
programs need it, so it is loaded when the first function is looked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

# NumPy's ufuncs whose names in `ops` are others.
_UFUNCS = {"true_divide": "divide", "remainder": "mod", "conjugate": "identity", "invert": "logical_not"}


class Functions(dict[str, Callable[..., Any]]):
    """Functions by their names.

    Attributes
    ----------
    home : str
        The module that enters them when it is loaded, as the face of the package says.
    """

    home: str

    def find(self, name: str) -> Callable[..., Any] | None:
        """Return a function; None if none has this name."""
        if not self:
            importlib.import_module(self.home)
        return self.get(name)

    def __missing__(self, name: str) -> Callable[..., Any]:
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found


class Operators:
    """Give a class Python's operators and slices.

    Attributes
    ----------
    functions : Functions
        What `cnn_core.ops` computes with.
    """

    functions: ClassVar[Functions] = Functions()
    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **keywords: object) -> Any:
        """Answer for arrays on the left of an operator; other functions of NumPy compute with arrays alone."""
        function = self.functions.find(_UFUNCS.get(ufunc.__name__, ufunc.__name__))
        if method != "__call__" or keywords or function is None or len(inputs) != 2:
            return self._refuse_ufunc(ufunc, method, inputs, keywords)
        return function(*inputs)

    def _refuse_ufunc(self, ufunc: object, method: str, inputs: object, keywords: object) -> Any:
        raise NotImplementedError

    def activated(self, activation: object) -> Any:
        """Return what an activation makes of the value."""
        return self.functions["activation"](self, activation)

    def __add__(self, other: object) -> Any:
        return self.functions["add"](self, other)

    def __radd__(self, other: object) -> Any:
        return self.functions["add"](other, self)

    def __sub__(self, other: object) -> Any:
        return self.functions["subtract"](self, other)

    def __rsub__(self, other: object) -> Any:
        return self.functions["subtract"](other, self)

    def __mul__(self, other: object) -> Any:
        return self.functions["multiply"](self, other)

    def __rmul__(self, other: object) -> Any:
        return self.functions["multiply"](other, self)

    def __truediv__(self, other: object) -> Any:
        return self.functions["divide"](self, other)

    def __rtruediv__(self, other: object) -> Any:
        return self.functions["divide"](other, self)

    def __floordiv__(self, other: object) -> Any:
        return self.functions["floor_divide"](self, other)

    def __rfloordiv__(self, other: object) -> Any:
        return self.functions["floor_divide"](other, self)

    def __mod__(self, other: object) -> Any:
        return self.functions["mod"](self, other)

    def __rmod__(self, other: object) -> Any:
        return self.functions["mod"](other, self)

    def __pow__(self, other: object) -> Any:
        return self.functions["power"](self, other)

    def __rpow__(self, other: object) -> Any:
        return self.functions["power"](other, self)

    def __matmul__(self, other: object) -> Any:
        return self.functions["matmul"](self, other)

    def __rmatmul__(self, other: object) -> Any:
        return self.functions["matmul"](other, self)

    def __neg__(self) -> Any:
        return self.functions["negative"](self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.functions["absolute"](self)

    def __round__(self, ndigits: int | None = None) -> Any:
        return self.functions["round"](self, ndigits or 0)

    def __lt__(self, other: object) -> Any:
        return self.functions["less"](self, other)

    def __le__(self, other: object) -> Any:
        return self.functions["less_equal"](self, other)

    def __gt__(self, other: object) -> Any:
        return self.functions["greater"](self, other)

    def __ge__(self, other: object) -> Any:
        return self.functions["greater_equal"](self, other)

    def __eq__(self, other: object) -> Any:
        return self.functions["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return self.functions["not_equal"](self, other)

    def __and__(self, other: object) -> Any:
        return self.functions["logical_and"](self, other)

    def __rand__(self, other: object) -> Any:
        return self.functions["logical_and"](other, self)

    def __or__(self, other: object) -> Any:
        return self.functions["logical_or"](self, other)

    def __ror__(self, other: object) -> Any:
        return self.functions["logical_or"](other, self)

    def __xor__(self, other: object) -> Any:
        return self.functions["logical_xor"](self, other)

    def __rxor__(self, other: object) -> Any:
        return self.functions["logical_xor"](other, self)

    def __invert__(self) -> Any:
        return self.functions["logical_not"](self)

    def __getitem__(self, key: object) -> Any:
        return self.functions["get_item"](self, key)

    def sum(self, axis: object = None, keepdims: bool = False) -> Any:
        """Add up along axes, as arrays do: None for all."""
        return self.functions["sum"](self, axis=axis, keepdims=keepdims)
