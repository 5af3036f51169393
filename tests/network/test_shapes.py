"""Shapes as users give them, and what layers and models answer to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, layers
from cnn_core.network.shapes import is_shape, listed_shapes, map_shapes


class Narrow(layers.Layer):
    """A custom layer whose output has another shape than its input."""

    def __init__(self, units: int = 3, **common: Any) -> None:
        super().__init__(**common)
        self.dense = layers.Dense(units)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Both(layers.Layer):
    def call(self, parts: Any) -> Any:
        a, b = parts
        return {"sum": a + b, "both": cnn_core.ops.concatenate([a, b], axis=-1)}


def test_a_custom_layer_tells_the_shape_that_its_call_gives() -> None:
    assert Narrow().compute_output_shape((None, 4)) == (None, 3)
    assert Narrow().compute_output_shape((7, 5, 4)) == (7, 5, 3)
    assert Both().compute_output_shape([(None, 2), (None, 2)]) == {"sum": (None, 2), "both": (None, 4)}


def test_asking_for_a_shape_takes_no_name() -> None:
    cnn_core.utils.clear_session()
    Narrow().compute_output_shape((None, 4))
    assert Input((2,)).name == "input_layer"


def test_wrappers_of_custom_layers_have_their_shape() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    inner = Narrow()
    wrapped = layers.TimeDistributed(inner)
    model = Sequential([Input((5, 4)), wrapped])
    assert model.output_shape == (None, 5, 3)
    np.testing.assert_allclose(model.predict(x), x @ inner.dense.kernel.numpy(), rtol=1e-5, atol=1e-6)


def test_a_sequential_tells_shapes_before_it_is_built() -> None:
    model = Sequential([layers.Dense(4), Narrow(8), layers.Reshape((2, 4))])
    assert model.compute_output_shape((1, 2)) == (1, 2, 4)
    assert not model.built


def test_models_tell_shapes_in_their_structure() -> None:
    x, y = Input((4,)), Input((2,))
    model = Model({"x": x, "y": y}, {"a": layers.Dense(3)(x), "b": [layers.Dense(1)(y)]})
    assert model.compute_output_shape({"x": (7, 4), "y": (7, 2)}) == {"a": (7, 3), "b": [(7, 1)]}
    assert Sequential([Input((4,)), layers.Dense(2)]).compute_output_shape([None, 4]) == (None, 2)


@pytest.mark.parametrize("wrong", [(None, 5), (4,), [(None, 4), (None, 4)], (None, 4, 1)])
def test_another_shape_than_that_of_the_inputs_is_refused(wrong: Any) -> None:
    model = Sequential([Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`input_shape` must be that of '.*', \(None, 4\)\. Received: input_shape="):
        model.compute_output_shape(wrong)


def test_what_is_no_shape_is_refused() -> None:
    assert is_shape([None, 4])
    assert not is_shape({"a": (None, 4)})
    assert listed_shapes([(None, 4), {"b": (2,), "a": ()}]) == [(None, 4), (), (2,)]
    for wrong in ("4", 4, [(None, "4")]):
        with pytest.raises(ValueError, match="`input_shape` must be a shape such as"):
            map_shapes(len, wrong)
