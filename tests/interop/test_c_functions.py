"""The texts of the C functions themselves."""

import pytest

import cnn_core._core as core
from cnn_core.interop.c_functions import ACTIVATIONS, functions_for


def test_every_native_activation_has_a_formula():
    row_wise = {"softmax", "log_softmax", "glu", "sparsemax"}
    assert set(core.ACTIVATIONS) - {"linear", "custom"} == set(ACTIVATIONS) | row_wise
    for name in row_wise:
        assert f"static void {name}(" in functions_for(f"{name}(")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_a_function_calls_stands_before_it(name):
    text = functions_for(f"{name}_each(a, z, n, 0, 0, 0);")
    formula = text.index(f"real {name}_of(")
    assert formula < text.index(f"void {name}_each(")
    for helper in ("logistic(", "soft_maximum(", "clipped("):
        if helper in ACTIVATIONS[name]:
            assert text.index(f"static real {helper}") < formula


def test_each_function_comes_once():
    text = functions_for("silu_each(x); sigmoid_each(x); silu_each(y);")
    assert text.count("static real logistic(") == 1
    assert text.count("silu_each(real") == 1
