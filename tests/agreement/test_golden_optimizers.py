"""Every optimizer with every option follows Keras for 50 steps, batch by batch and through `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from golden import DTYPES, SNAPSHOTS, Vectors, batches, compiled, flat, load, network, split, train

CASES = [(family, name) for family in ("optimizers", "training", "grid_training") for name in load(family).cases]


def prepared(family: str, name: str, dtype: str) -> tuple[Vectors, Any, dict[str, Any]]:
    """Load the case's model, with Keras's initial weights, and its data as keyword arguments of `train`."""
    vectors = load(family)
    case = vectors.cases[name]
    weights = split(vectors(name, "initial"), network(cnn_core, case["layers"]).get_weights())
    data = {
        "x": vectors("inputs", "x").astype(dtype),
        "y": vectors("inputs", "y").astype(dtype),
        "sample_weight": vectors("inputs", "sample_weight").astype(dtype) if case.get("weighted") else None,
        "batch_size": int(vectors.source["batch_size"]),
    }
    return vectors, compiled(cnn_core, case, weights), data


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "name"), CASES)
def test_train_on_batch_follows_keras(family: str, name: str, dtype: str, floatx: None) -> None:
    vectors, model, data = prepared(family, name, dtype)
    losses, snapshots = train(model, **data)
    tolerances.close(losses, vectors(name, dtype, "losses"), tolerances.golden(dtype), "losses")
    for step, weights, recorded in zip(SNAPSHOTS, snapshots, vectors(name, dtype, "weights"), strict=True):
        assert weights.dtype == dtype
        tolerances.close(weights, recorded, tolerances.golden(dtype), f"weights after {step} steps")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "name"), CASES)
def test_fit_follows_keras(family: str, name: str, dtype: str, floatx: None) -> None:
    vectors, model, data = prepared(family, name, dtype)
    epochs = max(SNAPSHOTS) // len(batches(len(data["x"]), data["batch_size"]))
    model.fit(**data, epochs=epochs, shuffle=False, verbose=0)
    recorded = vectors(name, dtype, "weights")[-1]
    if vectors.has(name, dtype, "fit_weights"):
        recorded = vectors(name, dtype, "fit_weights")
        assert not np.array_equal(recorded, vectors(name, dtype, "weights")[-1])
    tolerances.close(flat(model.get_weights()), recorded, tolerances.golden(dtype), "weights")
