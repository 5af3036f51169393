"""Tests of operations that fail: the model, what was to be added to it and what trains it are as they were before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")


def chain() -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(3)
    inner = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(3, name="inside")], name="inner")
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, name="first"), inner])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, X[:, :3], epochs=2, verbose=0)
    return model


def whole(layer: Any) -> dict[str, Any]:
    """Return all that a model is, to be compared."""
    state = {
        "config": layer.get_config(),
        "weights": [weight.tolist() for weight in layer.get_weights()],
        "variables": [id(variable) for variable in layer.variables],
        "built": layer.built,
        "nesting": getattr(layer, "nesting", 1),
        "calls": sum(call() is not None for call in layer.calls),
        "holders": [holder() for holder in getattr(layer, "_holders", ()) if holder() is not None],
        "inner": [whole(inner) for inner in getattr(layer, "layers", ())],
    }
    if isinstance(layer, cnn_core.Model) and layer.optimizer is not None:
        state["optimizer"] = {name: np.asarray(slot).tolist() for name, slot in layer.optimizer.state.items()}
        state["evaluation"] = layer.evaluate(X, X[:, :3], verbose=0)
    return state


class LastShapeFails(layers.Layer):
    """Makes a variable, and then does not know its output."""

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight((input_shape[-1],), name="w")

    def compute_output_shape(self, input_shape: Any) -> Any:
        raise RuntimeError("mine")


def deep(depth: int) -> cnn_core.Sequential:
    model = cnn_core.Sequential([layers.Dense(3)])
    for _ in range(depth - 1):
        model = cnn_core.Sequential([model])
    return model


# What cannot stand on a chain that gives three numbers in float32.
UNFIT: dict[str, Callable[[], Any]] = {
    "of a name that is taken": lambda: layers.Dense(2, name="first"),
    "no layer": lambda: 5,
    "of another size": lambda: layers.Reshape((7,)),
    "of several inputs": lambda: layers.Dot(1),
    "a second input": lambda: cnn_core.Input((9,)),
    "built for another size": lambda: built(layers.Dense(2), 9),
    "of another type, found after it is built": lambda: layers.Dense(2, dtype="float64"),
    "a model of another type": lambda: cnn_core.Sequential([layers.Dense(2, dtype="float64")]),
    "failing after it made a variable": LastShapeFails,
    "a model whose last layer fails": lambda: cnn_core.Sequential([layers.Dense(5), layers.Dense(3), LastShapeFails()]),
    "nested too deep": lambda: deep(64),
}


def built(layer: Any, width: int) -> Any:
    layer.build((None, width))
    return layer


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_not_added(name: str) -> None:
    model, unfit = chain(), UNFIT[name]()
    before = whole(model)
    alone = whole(unfit) if isinstance(unfit, layers.Layer) else None
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        model.add(unfit)
    assert whole(model) == before
    if alone is not None:
        assert whole(unfit) == alone
    model.add(layers.Dense(1, name="another"))
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_not_added_where_the_input_is_unknown(name: str) -> None:
    model, unfit = cnn_core.Sequential([layers.Dense(3, name="first")]), UNFIT[name]()
    before = whole(model)
    alone = whole(unfit) if isinstance(unfit, layers.Layer) else None
    try:
        model.add(unfit)
    except (ValueError, TypeError):
        assert whole(model) == before
        return
    added = whole(model)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        model.build((None, 4))
    assert whole(model) == added, "a build that fails leaves the chain to be built again"
    assert alone is None or whole(unfit) == {**alone, "holders": whole(unfit)["holders"]}
    assert model.pop() is unfit
    model.build((None, 4))
    assert model.predict(X).shape == (12, 3)


def test_a_model_is_not_added_to_itself() -> None:
    model = chain()
    before = whole(model)
    with pytest.raises(ValueError, match="cannot hold itself"):
        model.add(model)
    assert whole(model) == before


def test_nothing_is_popped_off_an_empty_chain_or_one_in_use() -> None:
    empty = cnn_core.Sequential()
    with pytest.raises(ValueError, match="needs a layer"):
        empty.pop()
    model = chain()
    outer = cnn_core.Sequential([cnn_core.Input((4,)), model])
    before = whole(model)
    for change in (model.pop, lambda: model.add(layers.Dense(2))):
        with pytest.raises(RuntimeError, match="part of another model"):
            change()
    assert whole(model) == before
    assert outer.predict(X).shape == (12, 3)


def test_a_popped_layer_can_be_added_again() -> None:
    model = chain()
    answer = model.predict(X)
    top = model.pop()
    assert model.output_shape == (None, 3)
    assert [layer.name for layer in model.layers] == ["first"]
    model.add(top)
    np.testing.assert_array_equal(model.predict(X), answer)


@pytest.mark.parametrize(
    "arguments",
    [
        {"optimizer": "none such"},
        {"loss": "none such"},
        {"loss": 5},
        {"loss": "mse", "metrics": ["none such"]},
        {"loss": "mse", "weighted_metrics": 5},
    ],
)
def test_a_compile_that_fails_leaves_the_one_before(arguments: dict[str, Any]) -> None:
    model, twin = chain(), chain()
    before, optimizer = whole(model), model.optimizer
    with pytest.raises((ValueError, TypeError)):
        model.compile(**arguments)
    assert model.optimizer is optimizer
    assert whole(model) == before
    for each in (model, twin):
        each.fit(X, X[:, :3], verbose=0)
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
