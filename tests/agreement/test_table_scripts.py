"""Scripts for Keras whose models read texts, recommend and cross features lose what Keras loses, from equal weights."""

from __future__ import annotations

import pytest

import tolerances
from keras_scripts.run import DTYPES, TABLE_SCRIPTS, recorded, run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TABLE_SCRIPTS)
def test_script_ends_where_keras_does(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    weights, _, results = recorded(name)
    _, ours = run(name, "cnn_core", weights, dtype)
    assert ours.keys() == results[dtype].keys()
    for key, theirs in results[dtype].items():
        # Keras computes parts of its functions in float32 always: as far apart as its two runs are, so may ours be.
        doubt = abs(results["float32"][key] - results["float64"][key])
        assert ours[key] == pytest.approx(theirs, rel=tolerances.GOLDEN_FLOAT32, abs=2 * doubt), key


def test_there_are_five_scripts() -> None:
    assert len(TABLE_SCRIPTS) >= 5
