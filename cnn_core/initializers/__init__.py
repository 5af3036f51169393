"""First values of parameters: constants and random draws.

Draws come from NumPy's Philox, in float64, and are rounded to the wanted type afterwards: one seed gives the same
numbers on every machine and in both types.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.initializers.base import Initializer, initial_value
from cnn_core.initializers.constants import Constant, Identity, Ones, Zeros
from cnn_core.initializers.custom import CustomInitializer
from cnn_core.initializers.lookup import (
    constant,
    deserialize,
    get,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    lecun_normal,
    lecun_uniform,
    ones,
    orthogonal,
    random_normal,
    random_sign,
    random_uniform,
    serialize,
    truncated_normal,
    variance_scaling,
    zeros,
)
from cnn_core.initializers.random import (
    TRUNCATED_DEVIATION,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomSign,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    fans,
)

# The older names, which Keras has too.
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal

__all__ = [
    "TRUNCATED_DEVIATION",
    "Constant",
    "CustomInitializer",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomSign",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "fans",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "initial_value",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_sign",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
