"""What each operation of a plan becomes in C; `test_c_writer.py` compiles and compares."""

import pytest

import cnn_core._core as core
from cnn_core.interop.c_operations import _OPERATIONS, _PASSES, _REFUSED, passed_on
from cnn_core.network.plan import Operation


def test_every_kind_of_operation_is_written_passed_or_refused():
    refused = {"custom", *_REFUSED}
    in_place = {"activity_penalty", "added_loss"}
    assert set(core.OPERATIONS) == set(_OPERATIONS) | _PASSES | refused | in_place | {"choice"}


def test_noise_that_is_drawn_in_prediction_is_refused():
    assert passed_on(Operation("dropout", (0,), 1, integers=(1, 0, 0), layer="drop")) == 0
    with pytest.raises(ValueError, match="layer 'drop' cannot be carried to C: it draws random numbers in prediction"):
        passed_on(Operation("dropout", (0,), 1, integers=(1, 0, 1), layer="drop"))
