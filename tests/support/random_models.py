"""Random models of every layer that others may know, with random weights, for the tests of the doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_core import Input, Model, activations, layers
from cnn_core.interop.calls import in_dtype

ELEMENTWISE: list[Any] = [
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "selu",
    "softplus",
    "softsign",
    "silu",
    "gelu",
    "mish",
    "log_sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "squareplus",
    "soft_shrink",
    "hard_shrink",
    "tanh_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    activations.LeakyReLU(0.1),
    activations.ELU(0.7),
    activations.CELU(1.3),
    activations.GELU(approximate=True),
    activations.Threshold(0.2, -0.1),
    activations.ReLU(negative_slope=0.1, max_value=1.5, threshold=0.3),
    activations.ReLU(max_value=2.0),
    activations.Squareplus(2.0),
]
ROW_WISE = ["softmax", "log_softmax", "sparsemax", "glu"]


def blocks(draw: np.random.Generator) -> list[Callable[[int], Any]]:
    """What may stand between two Dense layers, by the number of its features."""
    return [
        lambda n: layers.Activation(ELEMENTWISE[draw.integers(len(ELEMENTWISE))]),
        lambda n: layers.BatchNormalization(
            momentum=0.9,
            epsilon=float(draw.choice([1e-3, 1e-5])),
            center=bool(draw.integers(2)),
            scale=bool(draw.integers(2)),
        ),
        lambda n: layers.LayerNormalization(center=bool(draw.integers(2)), scale=bool(draw.integers(2))),
        lambda n: layers.RMSNormalization(epsilon=1e-5),
        lambda n: layers.UnitNormalization(),
        lambda n: layers.PReLU(shared_axes=[1] if draw.integers(2) else None),
        lambda n: layers.LeakyReLU(0.25),
        lambda n: layers.ELU(1.1),
        lambda n: layers.ReLU(3.0),
        lambda n: layers.Softmax(),
        lambda n: layers.Dropout(0.3),
        lambda n: layers.AlphaDropout(0.2),
        lambda n: layers.Identity(),
        lambda n: layers.Rescaling(0.5, 0.25),
        lambda n: layers.Rescaling(draw.normal(size=n).tolist(), draw.normal(size=n).tolist()),
        lambda n: layers.Normalization(),
        lambda n: layers.ParametricActivation("silu"),
        lambda n: layers.PeriodicEmbedding(n_waves=2, n_outputs=1),
    ]


def random_model(seed: int, dtype: str = "float32") -> Model:
    """Return a model of two to five blocks, in half of the cases with branches that join again."""
    draw = np.random.default_rng(seed)
    first = value = Input((int(draw.integers(2, 7)),), dtype=dtype)
    for _ in range(draw.integers(2, 6)):
        value = _dense(value, draw, dtype)
        if draw.integers(3) == 0:
            value = _joined([value, *(_dense(value, draw, dtype, value.shape[-1]) for _ in range(2))], draw, dtype)
        known = blocks(draw)
        layer = known[draw.integers(len(known))](value.shape[-1])
        value = in_dtype(layer, dtype)(value)
    model = Model(first, _dense(value, draw, dtype))
    randomize(model, draw)
    return model


def _dense(value: Any, draw: np.random.Generator, dtype: str, units: int | None = None) -> Any:
    activation = None if units else [None, *ELEMENTWISE, *ROW_WISE][draw.integers(len(ELEMENTWISE) + 5)]
    width = units or 2 * int(draw.integers(1, 5))
    return layers.Dense(width, activation, use_bias=bool(draw.integers(4)), dtype=dtype)(value)


def _joined(values: Sequence[Any], draw: np.random.Generator, dtype: str) -> Any:
    kinds = [layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum, layers.Concatenate]
    kind = kinds[draw.integers(len(kinds))]
    merged = kind(dtype=dtype)(list(values))
    return layers.Subtract(dtype=dtype)([merged, values[0]]) if kind is layers.Add else merged


def randomize(model: Model, draw: np.random.Generator) -> None:
    """Give all variables random values, variances positive ones."""
    for variable in model.variables:
        value = draw.normal(scale=0.6, size=variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.name else value)


def random_rows(model: Model, n: int = 7, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, *model.input_shape[1:])).astype(model.dtype)
