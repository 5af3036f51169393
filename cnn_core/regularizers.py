"""Penalties on parameters, added to the loss.

What a penalty costs and its gradient are native for L1, L2 and both together (`l1`, `l2` are what a plan hands over);
the NumPy forms here serve the others, and anyone who calls a regularizer on an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np

import cnn_core.foundation.left_out as left_out
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON, Array, as_float
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects, Registry
from cnn_core.foundation.serialization import serialize as _as_data

if TYPE_CHECKING:
    from cnn_core.foundation.names import RegularizerName

    class Penalty(Protocol):
        """A custom penalty with its gradient."""

        def __call__(self, x: Any, /) -> Any: ...

        def gradient(self, x: Any, /) -> Any: ...

    RegularizerLike: TypeAlias = (
        "RegularizerName | Regularizer | type[Regularizer] | Penalty | Mapping[str, Any] | None"
    )

_registry = Registry("regularizer")


class Regularizer(KnowsItsArguments):
    """Penalise a parameter `w` with a number that is added to the loss.

    A subclass defines `__call__(x)`, which returns a number: with functions of `cnn_core.ops`, which give its gradient;
    or with NumPy, and then also `gradient(x)`, its derivative with respect to every element of x. A plain function of x
    will do, too.

    Attributes
    ----------
    l1, l2 : float
        The penalty is `l1 sum |w| + l2 sum w^2`, if `native` says "l1_l2".
    native : str or None
        "l1_l2" or "orthogonal"; None for a penalty that only Python knows.

    Examples
    --------
    >>> class Cubic(Regularizer):
    ...     def __call__(self, x):
    ...         return float((abs(x) ** 3).sum())
    ...     def gradient(self, x):
    ...         return 3 * x * abs(x)
    >>> get(Cubic())(np.array([-2.0]))
    8.0
    """

    native: str | None = None
    l1: float = 0.0
    l2: float = 0.0
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        # A subclass of a built-in penalty with another formula must not be trained with the built-in one.
        if {"__call__", "gradient"} & vars(cls).keys() and "native" not in vars(cls):
            cls.native = None

    def __call__(self, x: Any) -> float:
        """Compute the penalty on `x`.

        Parameters
        ----------
        x : array-like
            A parameter of a layer.

        Returns
        -------
        float
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x)")

    def gradient(self, x: Any) -> Array:
        """Compute the derivative of the penalty with respect to `x`.

        Parameters
        ----------
        x : array-like

        Returns
        -------
        numpy.ndarray of the shape of `x`
        """
        raise NotImplementedError(f"{type(self).__name__} must define gradient(x) to train a model")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal regularizer."""
        return {each: getattr(self, each) for each in self._options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Regularizer:
        """Build the regularizer whose `get_config` returned `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"


@_registry.register()
class L1L2(Regularizer):
    """Penalise both absolute values and squares: `l1 sum |w| + l2 sum w^2`, with gradient `l1 sign(w) + 2 l2 w`.

    The squares have no half in front, as in Keras: `lambda / 2 sum w^2` on paper is `l2=lambda / 2`.

    Parameters
    ----------
    l1, l2 : float, default 0.0
        At least 0. None counts as 0.

    Examples
    --------
    >>> L1L2(l1=1.0, l2=0.5)([1.0, -2.0]), L1L2(l1=1.0, l2=0.5).gradient([1.0, -2.0])
    (5.5, array([ 2., -3.]))
    """

    native = "l1_l2"
    _options: ClassVar[tuple[str, ...]] = ("l1", "l2")

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = 0.0 if l1 is None else validation.number(l1, "l1", minimum=0)
        self.l2 = 0.0 if l2 is None else validation.number(l2, "l2", minimum=0)

    def __call__(self, x: Any) -> float:
        """Compute `l1 sum |x| + l2 sum x^2` in float64."""
        x = as_float(x, "x", np.float64)
        return float(self.l1 * np.abs(x).sum() + self.l2 * np.square(x).sum())

    def gradient(self, x: Any) -> Array:
        """Compute `l1 sign(x) + 2 l2 x`; at 0 the first term is 0."""
        x = as_float(x, "x")
        return np.asarray(x.dtype.type(self.l1) * np.sign(x) + x.dtype.type(2 * self.l2) * x)


@_registry.register()
class L1(L1L2):
    """Penalise absolute values: `l1 sum |w|`, which drives small weights to 0.

    Parameters
    ----------
    l1 : float, default 0.01
        At least 0. None counts as 0.01.

    Examples
    --------
    >>> L1(0.5)([1.0, -2.0])
    1.5
    """

    native = "l1_l2"
    _options = ("l1",)

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)


@_registry.register()
class L2(L1L2):
    """Penalise squares: `l2 sum w^2`, also called weight decay.

    There is no half in front, as in Keras: `lambda / 2 sum w^2` on paper is `L2(lambda / 2)`.

    Parameters
    ----------
    l2 : float, default 0.01
        At least 0. None counts as 0.01.

    Examples
    --------
    >>> L2(0.5)([1.0, -2.0]), L2(0.5).gradient([1.0, -2.0])
    (2.5, array([ 1., -2.]))
    """

    native = "l1_l2"
    _options = ("l2",)

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)


@_registry.register()
class OrthogonalRegularizer(Regularizer):
    """Drive the rows (or columns) of a matrix towards right angles.

    The penalty is `factor` times the mean of `|u_i . u_j|` over all pairs i < j, u the rows scaled to length 1. A
    matrix with a single row has no pairs and no penalty (Keras: NaN).

    Parameters
    ----------
    factor : float, default 0.01
        At least 0.
    mode : "rows" or "columns", default "rows"

    Examples
    --------
    >>> OrthogonalRegularizer(1.0)([[1.0, 0.0], [3.0, 4.0]])
    0.6
    """

    native = "orthogonal"
    _options = ("factor", "mode")

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = validation.number(factor, "factor", minimum=0)
        self.mode = validation.choice(mode, "mode", ("rows", "columns"))

    def __call__(self, x: Any) -> float:
        """Compute the penalty on a matrix."""
        units, _, n_pairs = self._units(x)
        products = units @ units.T
        return float(self.factor * np.abs(np.triu(products, 1)).sum() / n_pairs) if n_pairs else 0.0

    def gradient(self, x: Any) -> Array:
        """Compute the derivative of the penalty with respect to a matrix."""
        units, norms, n_pairs = self._units(x)
        signs = np.sign(units @ units.T)
        np.fill_diagonal(signs, 0)
        d_units = self.factor / max(n_pairs, 1) * signs @ units
        # Scaling to length 1 lets only what is at right angles to u pass; rows too short to scale pass everything.
        along = np.where(norms > EPSILON, (units * d_units).sum(axis=1, keepdims=True), 0)
        result = (d_units - units * along) / norms
        return np.ascontiguousarray(result if self.mode == "rows" else result.T, dtype=as_float(x, "x").dtype)

    def _units(self, x: object) -> tuple[Array, Array, float]:
        x = as_float(x, "x", np.float64)
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer needs a matrix. Received: x.shape={x.shape}")
        rows = x if self.mode == "rows" else x.T
        norms = np.maximum(np.sqrt(np.square(rows).sum(axis=1, keepdims=True)), EPSILON)
        return rows / norms, norms, len(rows) * (len(rows) - 1) / 2


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def get(identifier: RegularizerLike | str) -> Any:
    """Return the regularizer that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, Regularizer or object
        A name; what `serialize` returned; a regularizer or its class; or a callable with a method `gradient(x)`.

    Returns
    -------
    Regularizer or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("l2"), get(None)
    (L2(l2=0.01), None)
    """
    return None if identifier is None else deserialize(identifier)


@knows_its_arguments
def deserialize(config: RegularizerLike | str, custom_objects: CustomObjects | None = None) -> Any:
    """Return the regularizer that a configuration describes; `custom_objects` maps further names to classes.

    Examples
    --------
    >>> deserialize({"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.25}})
    L1L2(l1=0.5, l2=0.25)
    """
    found = _registry.get(config, custom_objects)
    if found is None or (callable(found) and not isinstance(found, type)):
        return found
    raise TypeError(
        "`regularizer` must be a name, a regularizer, a function, or an object with the methods __call__(x) and "
        f"gradient(x). Received: regularizer={validation.show(found)}"
    )


@knows_its_arguments
def has_own_gradient(regularizer: object) -> bool:
    """Tell whether the gradient is that of the penalty: a class that changes the one must change the other.

    Of a function, or a class with `__call__` alone, training finds the gradient by tracing it.

    Examples
    --------
    >>> has_own_gradient(L2()), has_own_gradient(lambda x: 0.0)
    (True, False)
    """
    for cls in type(regularizer).__mro__:
        if {"__call__", "gradient"} & vars(cls).keys():
            return cls is not Regularizer and "gradient" in vars(cls)
    return False


def serialize(regularizer: object) -> dict[str, Any]:
    """Return a regularizer as data.

    Examples
    --------
    >>> serialize(L2(0.5))
    {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    data: dict[str, Any] = _as_data(regularizer)
    return data


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
