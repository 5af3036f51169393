"""Tests of the structures in which inputs and outputs come."""

from __future__ import annotations

from typing import Any

import pytest

from cnn_core.data.form import Form

NESTED = Form({"item": "c", "user": {"b": "b", "a": "a"}})


@pytest.mark.parametrize("given", [3, [3], {"anything": 3}])
def test_a_single_place_takes_anything_as_it_is(given: Any) -> None:
    assert Form("x").by_name(given, "x") is given
    assert Form("x").only(["x"], given, "y") is given
    assert Form(["x"]).has_one_place


def test_what_has_the_nested_form_comes_by_name() -> None:
    assert NESTED.by_name({"user": {"a": 1, "b": 2}, "item": 3}, "x") == {"a": 1, "b": 2, "c": 3}
    assert NESTED.by_name({"a": 1, "c": 3}, "x") == {"a": 1, "c": 3}
    with pytest.raises(ValueError, match="must have the form"):
        NESTED.by_name({"user": {"z": 1}, "item": 3}, "x")


def test_a_list_for_a_dict_in_other_order_would_be_a_guess() -> None:
    with pytest.raises(ValueError, match="the order of a list would be a guess"):
        Form({"b": "b", "a": "a"}).by_name([1, 2], "x")
    assert Form({"a": "a", "b": "b"}).by_name([1, 2], "x") == [1, 2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2, 3], [1, 3]),
        ([1, 3], [1, 3]),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3}),
        ({"a": 1, "c": 3, "unknown": 4}, {"a": 1, "c": 3, "unknown": 4}),
        (7, 7),
    ],
)
def test_places_that_nobody_asks_for_are_left_out(given: Any, expected: Any) -> None:
    assert Form(["a", "b", "c"]).only(["a", "c"], given, "y") == expected
