"""What parameters of an estimator may be, and scikit-learn's words where one is something else.

scikit-learn checks its own parameters with classes that are private to it. A rule here is a test and its description.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn import config_context, get_config

from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.suggestions import did_you_mean

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


_Method = TypeVar("_Method", bound=Callable[..., Any])


class InvalidParameterError(ValueError, TypeError):
    """A parameter has a wrong type or value; named and derived like scikit-learn's error."""


class Rule(NamedTuple):
    """One of the things that a parameter may be.

    Attributes
    ----------
    accepts : callable
        Takes a value and tells whether it is one.
    text : str
        Completes "must be".
    names : collection of str, default ()
        The texts that it accepts.
    """

    accepts: Callable[[Any], bool]
    text: str
    names: Collection[str] = ()


def whole(low: int, high: int | None = None) -> Rule:
    """Accept whole numbers from `low` to `high`, both included.

    Examples
    --------
    >>> whole(1).text, whole(1).accepts(1), whole(1).accepts(1.5)
    ('an int in the range [1, inf)', True, False)
    """
    end = "inf)" if high is None else f"{high}]"

    def accepts(value: object) -> bool:
        return isinstance(value, Integral) and low <= int(value) and (high is None or int(value) <= high)

    return Rule(accepts, f"an int in the range [{low}, {end}")


def real(brackets: str, low: float, high: float = math.inf) -> Rule:
    """Accept numbers from `low` to `high`; of two brackets, a square one includes its end.

    Examples
    --------
    >>> real("[)", 0, 1).text, real("[)", 0, 1).accepts(0), real("[)", 0, 1).accepts(1)
    ('a float in the range [0.0, 1.0)', True, False)
    """
    left, right = brackets[0], brackets[1]

    def accepts(value: object) -> bool:
        if not isinstance(value, Real):
            return False
        number = float(value)
        above = number >= low if left == "[" else number > low
        return above and (number <= high if right == "]" else number < high or number == high == math.inf)

    return Rule(accepts, f"a float in the range {left}{float(low)}, {float(high)}{right}")


def one_of(names: Iterable[str]) -> Rule:
    """Accept these texts.

    Examples
    --------
    >>> one_of(["sgd", "adam"]).text
    "a str among {'adam', 'sgd'}"
    """
    known = frozenset(names)
    listed = ", ".join(map(repr, sorted(known)))
    return Rule(lambda value: isinstance(value, str) and value in known, f"a str among {{{listed}}}", known)


def instance(*kinds: type) -> tuple[Rule, ...]:
    """Accept instances of these classes, each a rule of its own."""
    return tuple(Rule(lambda value, kind=kind: isinstance(value, kind), _instance_of(kind)) for kind in kinds)  # type: ignore[misc]


def _instance_of(kind: type) -> str:
    module = kind.__module__
    return f"an instance of {kind.__qualname__ if module == 'builtins' else f'{module}.{kind.__qualname__}'!r}"


def having(method: str) -> Rule:
    """Accept objects with a method of this name."""
    return Rule(lambda value: callable(getattr(value, method, None)), f"an object implementing {method!r}")


def _is_listed(value: Any) -> bool:
    return (hasattr(value, "__len__") or hasattr(value, "shape")) and not isinstance(value, str) and np.ndim(value) > 0


NONE = Rule(lambda value: value is None, "None")
INFINITE = Rule(lambda value: isinstance(value, Real) and float(value) == math.inf, "a float among {inf}")
CALLABLE = Rule(callable, "a callable")
FUNCTION = Rule(lambda value: callable(value) and not isinstance(value, type), "a function")
ARRAY_LIKE = Rule(_is_listed, "an array-like")
BOOLEAN = instance(bool, np.bool_)
RANDOM_STATE = (whole(0, 2**32 - 1), *instance(np.random.RandomState), NONE)


def check(estimator: object, rules: Mapping[str, tuple[Rule, ...]]) -> None:
    """Refuse the first parameter that none of its rules accepts.

    Raises
    ------
    InvalidParameterError
        A ValueError and a TypeError both.
    """
    for name, allowed in rules.items():
        value = getattr(estimator, name)
        for rule in allowed:
            if rule.accepts(value):
                break
        else:
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {_listed(allowed)}. "
                f"Got {value!r} instead{_meant(value, allowed)}"
            )


def _listed(allowed: Sequence[Rule]) -> str:
    texts = [rule.text for rule in allowed]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _meant(value: object, allowed: Sequence[Rule]) -> str:
    known = [each for rule in allowed for each in rule.names]
    return (did_you_mean(value, known) if isinstance(value, str) else "") or "."


def checks_parameters(method: _Method) -> _Method:
    """Let a method of an estimator begin with a check of its parameters, unless scikit-learn is told to skip them."""

    @wraps(method)
    def checked(estimator: BaseEstimator, *arguments: object, **more: object) -> Any:
        skips = get_config()["skip_parameter_validation"]
        if not skips:
            check(estimator, estimator._parameter_rules)
        # What scikit-learn computes in between gets its parameters from here.
        with config_context(skip_parameter_validation=True):
            return method(estimator, *arguments, **more)

    return checked  # type: ignore[return-value]
