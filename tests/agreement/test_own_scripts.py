"""Custom layers and models, written for Keras, lose what Keras loses over fifty steps from the same weights."""

from __future__ import annotations

import pytest

import tolerances
from keras_scripts.run import DTYPES, OWN_SCRIPTS, recorded, run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN_SCRIPTS)
def test_losses_are_those_of_keras(name: str, dtype: str) -> None:
    weights, _, results = recorded(name)
    _, ours = run(name, "cnn_core", weights, dtype)
    assert ours.keys() == results[dtype].keys()
    for key, theirs in results[dtype].items():
        # Keras computes parts of its functions in float32 always: as far apart as its two runs are, so may ours be.
        doubt = abs(results["float32"][key] - results["float64"][key])
        assert ours[key] == pytest.approx(theirs, rel=tolerances.GOLDEN_FLOAT32, abs=2 * doubt), key


def test_there_are_seven_scripts() -> None:
    assert len(OWN_SCRIPTS) >= 7
