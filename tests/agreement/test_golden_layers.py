"""Layers by themselves: output, gradient with respect to inputs and weights, and preprocessing, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from golden import DTYPES, build, load

CASES = load("layers").cases
DIFFERENTIABLE = [
    (family, name) for family in ("layers", "grids") for name, case in load(family).cases.items() if "layer" in case
]
PREPROCESSING = [name for name, case in CASES.items() if "preprocessing" in case]


def prepared(name: str, description: dict[str, Any], dtype: str, family: str = "layers") -> tuple[Any, Any]:
    """Make the layer with its recorded weights and its input, an array or a list of them."""
    vectors = load(family)
    inputs = [x if x.dtype.kind == "i" else x.astype(dtype) for x in vectors.numbered(name, "x")]
    layer = build(cnn_core, description)
    x = inputs if len(inputs) > 1 else inputs[0]
    if vectors.has(name, "adapt"):
        layer.adapt(vectors(name, "adapt").astype(dtype))
    weights = vectors.numbered(name, "weights")
    if weights:
        layer.build((None, *inputs[0].shape[1:]))
        layer.set_weights(weights)
    return layer, x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "name"), DIFFERENTIABLE)
def test_layer_is_keras(family: str, name: str, dtype: str, floatx: None) -> None:
    vectors, case = load(family), load(family).cases[name]
    layer, x = prepared(name, case["layer"], dtype, family)
    a, cache = layer.forward(x, training=case.get("training", False))
    tolerances.close(a, vectors(name, dtype, "a"), tolerances.golden(dtype), "a")
    dx, *gradients = layer.backward(vectors(name, "da").astype(dtype), cache)
    for i, (actual, desired) in enumerate(
        zip(dx if isinstance(dx, list | tuple) else [dx], vectors.numbered(name, dtype, "dx"), strict=True)
    ):
        tolerances.close(actual, desired, tolerances.golden(dtype), f"dx {i}")
    gradients = [gradient for gradient in gradients if gradient is not None]
    for i, (actual, desired) in enumerate(zip(gradients, vectors.numbered(name, dtype, "gradients"), strict=True)):
        tolerances.close(actual, desired, tolerances.golden(dtype), f"gradient {i}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PREPROCESSING)
def test_preprocessing_is_keras(name: str, dtype: str, floatx: None) -> None:
    vectors = load("layers")
    layer, x = prepared(name, CASES[name]["preprocessing"], dtype)
    tolerances.close(np.asarray(layer(x)), vectors(name, dtype, "a"), tolerances.golden(dtype), "a")


@pytest.mark.parametrize("dtype", DTYPES)
def test_embedding_gradient_is_keras(dtype: str, floatx: None) -> None:
    vectors = load("layers")
    layer, x = prepared("embedding", CASES["embedding"]["preprocessing"], dtype)
    _, cache = layer.forward(x)
    gradient = layer.backward(vectors("embedding", "da").astype(dtype), cache)[-1]
    tolerances.close(gradient, vectors("embedding", dtype, "gradients", "0"), tolerances.golden(dtype), "gradient")
