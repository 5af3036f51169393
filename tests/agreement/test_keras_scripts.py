"""Complete scripts for Keras run with only the import changed, and end where Keras ends from the same weights."""

from __future__ import annotations

import pytest

import tolerances
from keras_scripts.run import DTYPES, SCRIPTS, recorded, run


def is_share(name: str) -> bool:
    """Whether a result is the share of some right answers among the samples: it moves in steps."""
    return name.endswith(("accuracy", "auc", "precision", "recall", "top3"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_ends_where_keras_does(name: str, dtype: str) -> None:
    weights, layers, results = recorded(name)
    model, ours = run(name, "cnn_core", weights, dtype)
    assert [layer.name for layer in model.layers] == layers
    assert ours.keys() == results[dtype].keys()
    for key, theirs in results[dtype].items():
        # Where rounding alone takes Keras's two runs further apart than the tolerance, so it may ours and Keras's.
        doubt = abs(theirs - results["float64"][key])
        if is_share(key):
            assert ours[key] == pytest.approx(theirs, rel=0, abs=tolerances.SCRIPT_SHARE), key
        else:
            assert ours[key] == pytest.approx(theirs, rel=tolerances.script(dtype), abs=2 * doubt), key


def test_there_are_ten_scripts() -> None:
    assert len(SCRIPTS) >= 10
