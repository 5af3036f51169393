"""Tests of symbols and calls: how they are pickled and copied without a model, however deep they lie."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

TWINS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=TWINS)
def twin(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return TWINS[request.param]


def chain(x: Any, length: int) -> Any:
    for _ in range(length):
        x = layers.Activation("relu")(x)
    return x


def tangle(x: Any, length: int) -> Any:
    """Layers that read one to three of those before, most often the last ones, in any order."""
    choose, symbols = random.Random(1), [x]
    for _ in range(length):
        back = {min(int(choose.expovariate(0.3)), len(symbols) - 1) for _ in range(choose.choice([1, 1, 2, 3]))}
        read = [symbols[-1 - place] for place in sorted(back, reverse=choose.random() < 0.5)]
        symbols.append(layers.Activation("relu")(read[0]) if len(read) == 1 else layers.Average()(read))
    return symbols[-1]


@pytest.mark.parametrize(("build", "length"), [(chain, 0), (chain, 1), (chain, 15), (chain, 2000), (tangle, 800)])
def test_inputs_and_outputs_come_back_as_one_network(
    twin: Callable[[Any], Any], build: Callable[[Any, int], Any], length: int
) -> None:
    x = cnn_core.Input((2,))
    output = layers.Dense(2, name="top")(build(x, length))
    there, back = twin((x, output))
    assert there is not x
    assert len(back.node.layer.calls) == len(output.node.layer.calls) == 1
    values = np.array([[0.5, -2.0]], "float32")
    original, again = cnn_core.Model(x, output), cnn_core.Model(there, back)
    assert [layer.name for layer in again.layers] == [layer.name for layer in original.layers]
    np.testing.assert_array_equal(again.predict(values), original.predict(values))
    assert again.layers[-1].kernel is not original.layers[-1].kernel


def test_a_symbol_alone_knows_its_layer(twin: Callable[[Any], Any]) -> None:
    symbol = chain(cnn_core.Input((2,)), 40)
    again = twin(symbol)
    assert again.shape == symbol.shape
    assert again.node.layer.output is again
    assert again.node.layer.name == symbol.node.layer.name
    assert symbol.node.layer.output is symbol


def test_a_call_alone_comes_back(twin: Callable[[Any], Any]) -> None:
    node = chain(cnn_core.Input((2,)), 40).node
    again = twin(node)
    assert again.outputs[0].node is again
    assert again.layer.output is again.outputs[0]
    assert again.depth == node.depth == 40


def test_layers_in_common_stay_in_common(twin: Callable[[Any], Any]) -> None:
    x = cnn_core.Input((2,))
    shared = layers.Dense(2)
    first, second = shared(x), shared(chain(x, 3))
    a, b = twin((first, second))
    assert a.node.layer is b.node.layer
    assert len(a.node.layer.calls) == 2
