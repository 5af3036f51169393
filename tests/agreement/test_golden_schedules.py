"""Every learning-rate schedule gives Keras's rates at steps 0 to 200."""

from __future__ import annotations

import pytest

import cnn_core
import tolerances
from golden import build, load


@pytest.mark.parametrize("name", load("schedules").cases)
def test_schedule_is_keras(name: str) -> None:
    vectors = load("schedules")
    schedule = build(cnn_core, vectors.cases[name]["schedule"])
    values = [float(schedule(step)) for step in range(201)]
    tolerances.close(values, vectors(name, "float64", "values"), tolerances.GOLDEN_FLOAT64)
    tolerances.close(values, vectors(name, "float32", "values"), tolerances.GOLDEN_FLOAT32)


@pytest.mark.parametrize("name", load("schedules").cases)
def test_schedule_survives_its_configuration(name: str) -> None:
    schedule = build(cnn_core, load("schedules").cases[name]["schedule"])
    again = type(schedule).from_config(schedule.get_config())
    assert [float(again(step)) for step in (0, 7, 61, 200)] == [float(schedule(step)) for step in (0, 7, 61, 200)]
