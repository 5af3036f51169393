"""Networks with branches, drawn at random: values layer by layer, gradients by differences, files, memory."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnn_core
from cnn_core import layers
from thread_counts import on_threads

WIDTH = 3
UNARY = ["dense", "shared", "tanh", "batch", "layer", "prelu", "dropout", "identity", "nested", "penalty"]
MERGING = [layers.Add, layers.Multiply, layers.Average, layers.Concatenate, layers.Subtract, layers.Maximum]


class Net(NamedTuple):
    """A random network: the model, and the same calls for arrays."""

    model: Any
    inputs: int
    steps: list[tuple[list[Any], list[int]]]
    outputs: list[int]

    def by_layers(self, x: list[np.ndarray]) -> list[np.ndarray]:
        """Compute the outputs by calling each layer on arrays."""
        values = list(x)
        for chain, sources in self.steps:
            value: Any = [values[source] for source in sources]
            for layer in chain:
                value = layer(value[0] if isinstance(value, list) and layer.n_inputs == 1 else value)
            values.append(value)
        return [values[output] for output in self.outputs]


def unary(kind: str, shared: Any, nested: Any) -> Any:
    made = {
        "dense": lambda: layers.Dense(WIDTH, "softplus", dtype="float64"),
        "shared": lambda: shared,
        "tanh": lambda: layers.Activation("tanh", dtype="float64"),
        "batch": lambda: layers.BatchNormalization(dtype="float64"),
        "layer": lambda: layers.LayerNormalization(dtype="float64"),
        "prelu": lambda: layers.PReLU(alpha_initializer="normal", dtype="float64"),
        "dropout": lambda: layers.Dropout(0.5, dtype="float64"),
        "identity": lambda: layers.Identity(dtype="float64"),
        "nested": lambda: nested,
        "penalty": lambda: layers.ActivityRegularization(l2=0.1, dtype="float64"),
    }
    return made[kind]()


# The number of inputs, the layers with the values that each reads (counted round if there are not so many), and the
# values that are outputs besides the last.
RECIPES = st.tuples(
    st.integers(1, 2),
    st.lists(
        st.tuples(
            st.sampled_from([*UNARY, *MERGING]), st.lists(st.integers(0, 9), min_size=3, max_size=3), st.booleans()
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 9), max_size=2),
)


def build(recipe: Any) -> Net:
    """Build the network that a recipe describes."""
    n_inputs, described, further = recipe
    cnn_core.utils.set_random_seed(n_inputs)
    inputs = [cnn_core.Input((WIDTH,)) for _ in range(n_inputs)]
    shared = layers.Dense(WIDTH, "tanh", dtype="float64")
    inner = cnn_core.Input((WIDTH,))
    nested = cnn_core.Model(inner, layers.Add(dtype="float64")([inner, layers.Dense(WIDTH, dtype="float64")(inner)]))
    symbols, steps = list(inputs), []
    for kind, places, three in described:
        sources = [place % len(symbols) for place in places]
        if isinstance(kind, str):
            sources, layer = sources[:1], unary(kind, shared, nested)
            symbol = layer(symbols[sources[0]])
        else:
            sources, layer = sources[: 3 if three and kind is not layers.Subtract else 2], kind(dtype="float64")
            symbol = layer([symbols[source] for source in sources])
        if symbol.shape[-1] != WIDTH:  # what is joined is brought back to the width of all others
            narrow = layers.Dense(WIDTH, dtype="float64")
            symbol, chain = narrow(symbol), [layer, narrow]
        else:
            chain = [layer]
        steps.append((chain, sources))
        symbols.append(symbol)
    outputs = [len(symbols) - 1, *(place % len(symbols) for place in further)]
    return Net(cnn_core.Model(inputs, [symbols[output] for output in outputs]), n_inputs, steps, outputs)


def data(net: Net, n: int = 5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    generator = np.random.default_rng(n)
    x = [generator.normal(size=(n, WIDTH)) for _ in range(net.inputs)]
    return x, [generator.normal(size=(n, WIDTH)) for _ in net.outputs]


@given(recipe=RECIPES)
def test_values_are_those_of_the_layers(recipe: Any) -> None:
    net = build(recipe)
    # Many rows, so that memory is used again block after block.
    for n in (1, 3000):
        x, _ = data(net, n)
        for actual, desired in zip(net.model.predict(x), net.by_layers(x), strict=True):
            np.testing.assert_allclose(actual, desired, rtol=1e-12, atol=1e-12)


@given(recipe=RECIPES)
@settings(max_examples=25)
def test_gradients_are_differences(recipe: Any) -> None:
    net = build(recipe)
    x, y = data(net)
    net.model.compile("sgd", "mse")
    check = cnn_core.inspection.gradient_check(net.model, x, y)
    assert check, str(check)


@given(recipe=RECIPES)
@settings(max_examples=25)
def test_input_gradients_are_differences(recipe: Any) -> None:
    net = build(recipe)
    x, y = data(net, 2)
    net.model.compile("sgd", "mse")
    _, found = net.model.gradients(x, y, with_inputs=True)
    for part, gradient in zip(x, found, strict=True):
        place = (0, 1)
        values = []
        for step in (1e-6, -2e-6):
            part[place] += step
            values.append(net.model.trace(x, y).loss)
        part[place] += 1e-6
        assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7)


@given(recipe=RECIPES)
@settings(max_examples=20)
def test_files_and_copies_train_on_alike(recipe: Any, tmp_path_factory: Any) -> None:
    net = build(recipe)
    x, y = data(net)
    path: Path = tmp_path_factory.mktemp("models") / "model.safetensors"
    net.model.compile("adam", "mse")
    net.model.fit(x, y, batch_size=2, verbose=0)
    net.model.save(path)
    twins = [net.model, cnn_core.load_model(path), copy.deepcopy(net.model)]
    for twin in twins:
        twin.fit(x, y, batch_size=2, verbose=0)
    for twin in twins[1:]:
        for kept, resumed in zip(net.model.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_array_equal(kept, resumed)


@given(recipe=RECIPES)
@settings(max_examples=20)
def test_threads_change_no_bit(recipe: Any) -> None:
    net = build(recipe)
    x, _ = data(net, 3000)
    with on_threads(1):
        one = net.model.predict(x)
    with on_threads(3):
        three = net.model.predict(x)
    for first, second in zip(one, three, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_deep_network_shares_its_memory() -> None:
    """Prediction of a thousand layers: a block's activations must not be kept for all of them."""
    import resource

    x = symbol = cnn_core.Input((256,))
    for _ in range(300):
        symbol = layers.Activation("linear")(symbol)
    model = cnn_core.Model(x, symbol)
    rows = np.ones((4096, 256), "float32")
    model.predict(rows[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.testing.assert_array_equal(model.predict(rows), rows)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 30 * rows.nbytes  # 300 layers would keep 300 times as much


class Pair(NamedTuple):
    """Two outputs with names."""

    mean: Any
    spread: Any


def test_named_tuples_are_structures() -> None:
    x = cnn_core.Input((2,), name="x")
    model = cnn_core.Model(x, Pair(layers.Dense(1, name="mean")(x), layers.Dense(1, name="spread")(x)))
    rows = np.ones((4, 2), np.float32)
    predicted, called = model.predict(rows), model(rows)
    assert isinstance(predicted, Pair)
    assert isinstance(called, Pair)
    assert np.array_equal(predicted.spread, called.spread)
    model.compile("sgd", Pair("mse", "mae"))
    history = model.fit(rows, Pair(np.ones((4, 1)), np.zeros((4, 1))), verbose=0).history
    assert sorted(history) == ["loss", "mean_loss", "spread_loss"]
    assert isinstance(cnn_core.Model(model.input, Pair(*model.outputs)).predict(rows), Pair)


def test_a_custom_model_takes_and_returns_named_tuples() -> None:
    class Swap(cnn_core.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Pair) -> Pair:
            return Pair(self.dense(x.spread), x.mean)

    rows = Pair(np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32))
    assert isinstance(Swap()(rows), Pair)
    assert np.array_equal(Swap().predict(rows).spread, rows.mean)
