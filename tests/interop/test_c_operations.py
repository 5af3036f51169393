"""What each operation of a plan becomes in C; `test_c_writer.py` compiles and compares."""

import numpy as np
import pytest

import cnn_core._core as core
from cnn_core.interop.c_operations import _OPERATIONS, _PASSES, literal, passes_through
from cnn_core.network.plan import Operation


def test_every_kind_of_operation_is_written_passed_or_refused():
    refused = {"custom"}
    in_place = {"activity_penalty"}
    assert set(core.OPERATIONS) == set(_OPERATIONS) | _PASSES | refused | in_place


def test_noise_that_is_drawn_in_prediction_is_refused():
    assert passes_through(Operation("dropout", (0,), 1, integers=(1, 0, 0), layer="drop"))
    with pytest.raises(ValueError, match="layer 'drop' cannot be carried to C: it draws random numbers in prediction"):
        passes_through(Operation("dropout", (0,), 1, integers=(1, 0, 1), layer="drop"))


@pytest.mark.parametrize("value", [0.1, 1e-38, 123456792.0, 1e30, -0.0, 3.0])
def test_literals_read_back_as_they_were(value):
    for kind in (np.float32, np.float64):
        text = literal(kind(value))
        assert kind(text.rstrip("f")) == kind(value)
        assert "." in text or "e" in text
