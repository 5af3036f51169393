"""The losses that Keras has no name for follow PyTorch: values, gradients, and 50 steps of training."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
import reference
import tolerances
from golden import DTYPES, SNAPSHOTS, build, compiled, load, network, split, train

CASES = load("pytorch").cases


@pytest.mark.parametrize("name", CASES)
def test_oracle_is_pytorch(name: str) -> None:
    vectors = load("pytorch")
    p = vectors(name, "p")
    options = {"quantile": CASES[name]["loss"]["arguments"]["levels"]} if name == "quantile" else {}
    y = vectors("inputs", "y")[: len(p)]
    tolerance = tolerances.REFERENCE_FLOAT64
    tolerances.close(reference.loss_values(name, y, p, **options), vectors(name, "float64", "values"), tolerance)
    tolerances.close(reference.loss_gradient(name, y, p, **options), vectors(name, "float64", "gradient"), tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_loss_is_pytorch(name: str, dtype: str) -> None:
    vectors = load("pytorch")
    p = vectors(name, "p").astype(dtype)
    y = vectors("inputs", "y")[: len(p)].astype(dtype)
    values = build(cnn_core, CASES[name]["loss"]).call(y, p)
    tolerances.close(values, vectors(name, dtype, "values"), tolerances.golden(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_training_follows_pytorch(name: str, dtype: str, floatx: None) -> None:
    vectors, case = load("pytorch"), CASES[name]
    weights = split(vectors(name, "initial"), network(cnn_core, case["layers"]).get_weights())
    model = compiled(cnn_core, case, weights)
    x, y = vectors("inputs", "x").astype(dtype), vectors("inputs", "y").astype(dtype)
    losses, snapshots = train(model, x, y, None, int(vectors.source["batch_size"]))
    tolerances.close(losses, vectors(name, dtype, "losses"), tolerances.golden(dtype), "losses")
    for step, actual, recorded in zip(SNAPSHOTS, snapshots, vectors(name, dtype, "weights"), strict=True):
        assert np.isfinite(actual).all()
        tolerances.close(actual, recorded, tolerances.golden(dtype), f"weights after {step} steps")
