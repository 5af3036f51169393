"""The floating-point type and the policy of layers and models that are given none."""

from __future__ import annotations

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON
from cnn_core.foundation.dtype_policy import DTypePolicy, policy_of
from cnn_core.foundation.keywords import knows_its_arguments

_floatx = "float32"
_dtype_policy = DTypePolicy(_floatx)


def floatx() -> str:
    """Return the floating-point type of layers and models that are given none.

    Returns
    -------
    str
        ``"float32"``, the default, or ``"float64"``.

    Examples
    --------
    >>> floatx()
    'float32'
    """
    return _floatx


@knows_its_arguments
def set_floatx(value: object) -> None:
    """Choose the floating-point type of layers and models that are given none.

    Those that exist already keep theirs. It takes the place of a policy that was set before.

    Parameters
    ----------
    value : "float32" or "float64"
        NumPy's types and dtypes are accepted too.

    Raises
    ------
    ValueError
        If it is another type.

    Examples
    --------
    >>> set_floatx("float64")
    >>> floatx()
    'float64'
    >>> set_floatx("float32")
    """
    global _floatx, _dtype_policy
    _floatx = validation.float_dtype(value, "value").name
    _dtype_policy = DTypePolicy(_floatx)


def dtype_policy() -> DTypePolicy:
    """Return the policy of layers that are given no `dtype`: the one that was set, or that of `floatx`.

    Examples
    --------
    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return _dtype_policy


@knows_its_arguments
def set_dtype_policy(policy: object) -> None:
    """Choose the policy of layers that are given no `dtype`; those that exist already keep theirs.

    Parameters
    ----------
    policy : DTypePolicy, {"float32", "float64", "mixed_bfloat16"}, or a dtype of NumPy
        See `DTypePolicy`.

    Raises
    ------
    ValueError
        If it is another one.

    Examples
    --------
    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy("float32")
    """
    global _dtype_policy
    _dtype_policy = policy_of(policy, "policy")


def epsilon() -> float:
    """Return the small number that guards quotients and clips probabilities, as in Keras.

    Examples
    --------
    >>> epsilon()
    1e-07
    """
    return EPSILON
