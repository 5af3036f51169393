"""Numbers and calls in C."""

import numpy as np
import pytest

from cnn_core.interop.c_statements import Statements, literal, refuse
from cnn_core.network.plan import NetworkPlan, Operation


@pytest.mark.parametrize("value", [0.1, 1e-38, 123456792.0, 1e30, -0.0, 3.0])
def test_literals_read_back_as_they_were(value):
    for kind in (np.float32, np.float64):
        text = literal(kind(value))
        assert kind(text.rstrip("f")) == kind(value)
        assert "." in text or "e" in text


def test_special_numbers_have_names():
    assert [literal(np.float32(value)) for value in (np.inf, -np.inf, np.nan)] == ["INFINITY", "-INFINITY", "NAN"]


def test_calls_and_activations():
    plan = NetworkPlan()
    x = plan.add_input((2, 3))
    s = Statements(plan, np.dtype("float32"), lambda array, name: name, lambda array, name: name)
    assert (s.size(x), s.rows(x)) == (6, (2, 3))
    s.call("f", "y", 3, None)
    s.activate(Operation("activation", (x,), x, activation="relu", activation_parameters=(0.5,)), "y", "x")
    s.activate(Operation("activation", (x,), x), "y", "y")
    assert s.lines == ["f(y, 3, None);", "relu_each(y, x, 6, 0.5f, 0.0f, 0.0f);"]


def test_refusals_name_the_layer():
    assert str(refuse(Operation("custom", (0,), 1, layer="own"), "why")) == "layer 'own' cannot be carried to C: why"
