"""Looking inside: traces of every kind of layer, gradients, the check by differences, the graph, blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import inspection, layers, losses, regularizers
from cnn_core.inspection.checks import difference

GENERATOR = np.random.default_rng(41)
X = GENERATOR.normal(size=(9, 4))
Y = GENERATOR.normal(size=(9, 2))


@pytest.fixture(autouse=True)
def double() -> Any:
    cnn_core.config.set_floatx("float64")
    cnn_core.utils.set_random_seed(7)
    yield
    cnn_core.config.set_floatx("float32")


def compiled(*stack: Any, loss: Any = "mse", optimizer: Any = "sgd") -> Any:
    model = cnn_core.Sequential([cnn_core.Input((4,)), *stack])
    model.compile(optimizer, loss)
    return model


def by_differences(model: Any, x: Any, y: Any, array: Any) -> Any:
    """Differentiate the model's loss with respect to an array that it reads in place."""
    result = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        result[index] = difference(
            lambda: model.evaluate(x, y, batch_size=len(x), verbose=0),
            array.reshape(-1),
            int(np.ravel_multi_index(index, array.shape)),
            tolerances.DIFFERENCE_STEP,
        )
    return result


# Every layer's z, a, delta, dW and db


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "softmax", "gelu", "glu", "linear"])
def test_the_recursion_holds_at_every_layer(activation: str) -> None:
    """Among them ReLU, whose derivative native code applies a layer later, and GLU, which halves the width."""
    model = compiled(
        layers.Dense(6, activation, name="one"), layers.Dense(6, activation, name="two"), layers.Dense(2, name="three")
    )
    seen = model.trace(X, Y)
    x = X
    for layer in seen:
        kernel, bias = model.get_layer(layer.name).get_weights()
        tolerances.close(layer.z, x @ kernel + bias, tolerances.BY_HAND, "z")
        tolerances.close(layer.a, model.get_layer(layer.name).activation(layer.z), tolerances.BY_HAND, "a")
        tolerances.close(layer.dW, x.T @ layer.delta, tolerances.BY_HAND, "dW")
        tolerances.close(layer.db, layer.delta.sum(axis=0), tolerances.BY_HAND, "db")
        tolerances.close(layer.d_inputs[0], layer.delta @ kernel.T, tolerances.BY_HAND, "what is passed back")
        assert layer.dw is layer.dW
        assert layer.gradients.keys() == {"kernel", "bias"}
        x = layer.a
    for below, above in zip(seen.layers, seen.layers[1:], strict=False):
        g = model.get_layer(below.name).activation
        if not g.row_wise:
            tolerances.close(below.delta, above.d_inputs[0] * g.derivative(below.z), tolerances.BY_HAND, "delta")
    last = seen.layers[-1]
    tolerances.close(last.delta, 2 * (last.a - Y) / Y.size, tolerances.BY_HAND)
    assert last.z is last.a
    assert seen.loss == pytest.approx(model.evaluate(X, Y, verbose=0))


def test_a_batch_as_large_as_the_data_is_traced_whole() -> None:
    """Training cuts such a batch into blocks; a trace shows all of its rows."""
    model = compiled(layers.Dense(3, "relu"), layers.Dense(2))
    x, y = GENERATOR.normal(size=(1000, 4)), GENERATOR.normal(size=(1000, 2))
    seen = model.trace(x, y)
    tolerances.close(seen[0].dW, x.T @ seen[0].delta, tolerances.KERNEL_FLOAT64)
    before = model.get_weights()
    model.optimizer.learning_rate = 1.0
    model.train_on_batch(x, y)
    tolerances.close(before[0] - model.get_weights()[0], seen[0].dW, tolerances.KERNEL_FLOAT64)


def test_penalties_count_in_the_loss_and_in_gradients_but_not_in_dw() -> None:
    def build(penalty: Any) -> Any:
        cnn_core.utils.set_random_seed(3)
        return compiled(layers.Dense(3, "tanh", kernel_regularizer=penalty), layers.Dense(2))

    with_penalty, without = build(regularizers.L1L2(0.1, 0.3)), build(None)
    first, second = with_penalty.trace(X, Y), without.trace(X, Y)
    kernel = with_penalty.get_weights()[0]
    assert np.array_equal(first[0].dW, second[0].dW)
    penalty = 0.1 * np.abs(kernel).sum() + 0.3 * (kernel**2).sum()
    assert first.loss == pytest.approx(second.loss + penalty)
    assert first.loss == pytest.approx(with_penalty.evaluate(X, Y, verbose=0))
    expected = second[0].dW + 0.1 * np.sign(kernel) + 0.6 * kernel
    tolerances.close(with_penalty.gradients(X, Y)[0], expected, tolerances.BY_HAND)


def test_a_penalty_on_activities_is_part_of_the_loss_and_of_delta() -> None:
    model = compiled(layers.Dense(3, "tanh", name="a", activity_regularizer=regularizers.L2(0.5)), layers.Dense(2))
    seen = model.trace(X, Y)
    assert [layer.name for layer in seen] == ["a", model.layers[1].name]
    a = seen["a"].a
    errors = ((seen[1].a - Y) ** 2).mean()
    assert seen.loss == pytest.approx(errors + 0.5 * (a**2).sum() / 9)
    expected = (seen[1].d_inputs[0] + a / 9) * (1 - a**2)
    tolerances.close(seen["a"].delta, expected, tolerances.BY_HAND)


def test_layers_without_parameters() -> None:
    model = compiled(
        layers.Dense(6, name="d"), layers.Activation("tanh", name="act"), layers.Dropout(0.5, name="drop"),
        layers.Reshape((3, 2), name="reshape"), layers.Flatten(name="flat"), layers.Dense(2, name="out"),
    )  # fmt: skip
    seen = model.trace(X, Y)
    assert [layer.kind for layer in seen] == ["dense", "activation", "dropout", "reshape", "reshape", "dense"]
    act = seen["act"]
    np.testing.assert_array_equal(act.z, seen["d"].a)
    tolerances.close(act.a, np.tanh(act.z), tolerances.BY_HAND)
    tolerances.close(act.delta, seen["drop"].d_inputs[0] * (1 - act.a**2), tolerances.BY_HAND)
    np.testing.assert_array_equal(act.d_inputs[0], act.delta)
    for name in ("act", "drop", "reshape", "flat"):
        assert seen[name].dW is None
        assert seen[name].gradients == {}
    for name in ("drop", "reshape", "flat"):
        assert seen[name].z is None
    np.testing.assert_array_equal(seen["drop"].a, seen["act"].a)
    assert seen["reshape"].a.shape == seen["reshape"].delta.shape == (9, 3, 2)
    np.testing.assert_array_equal(seen["flat"].a, seen["act"].a)


def test_a_layer_used_twice() -> None:
    """dW is the sum over both uses; what each use passes back is its own."""
    x = cnn_core.Input((4,), name="x")
    shared = layers.Dense(4, "tanh", name="shared")
    model = cnn_core.Model(x, layers.Dense(2, name="out")(shared(shared(x))))
    model.compile("sgd", "mse")
    seen = model.trace(X, Y)
    assert [layer.name for layer in seen] == ["shared", "shared#2", "out"]
    first, second = seen["shared"], seen["shared#2"]
    assert (first.inputs, second.inputs, seen["out"].inputs) == (("x",), ("shared",), ("shared#2",))
    kernel = shared.get_weights()[0]
    tolerances.close(first.delta, second.delta @ kernel.T * (1 - first.a**2), tolerances.BY_HAND)
    total = X.T @ first.delta + first.a.T @ second.delta
    for each in (first.dW, second.dW, model.gradients(X, Y)[0]):
        tolerances.close(each, total, tolerances.BY_HAND)
    tolerances.close(first.d_inputs[0], first.delta @ kernel.T, tolerances.BY_HAND)
    assert inspection.gradient_check(model, X, Y)


def test_a_layer_applied_to_itself_has_two_uses_even_without_an_activation() -> None:
    x = cnn_core.Input((4,), name="x")
    shared, act = layers.Dense(4, name="shared"), layers.Activation("tanh", name="act")
    model = cnn_core.Model(x, act(act(shared(shared(x)))))
    assert [layer.name for layer in model.trace(X)] == ["shared", "shared#2", "act", "act#2"]


def test_merging_layers_pass_back_to_each_input() -> None:
    x = cnn_core.Input((4,), name="x")
    a, b = layers.Dense(3, "tanh", name="a")(x), layers.Dense(3, "tanh", name="b")(x)
    model = cnn_core.Model(x, layers.Dense(2, name="out")(layers.Multiply(name="product")([a, b])))
    model.compile("sgd", "mse")
    seen = model.trace(X, Y)
    product = seen["product"]
    assert product.inputs == ("a", "b")
    tolerances.close(product.d_inputs[0], product.delta * seen["b"].a, tolerances.BY_HAND)
    tolerances.close(product.d_inputs[1], product.delta * seen["a"].a, tolerances.BY_HAND)
    tolerances.close(seen["a"].delta, product.d_inputs[0] * (1 - seen["a"].a ** 2), tolerances.BY_HAND)


def test_normalization_shows_its_own_gradients() -> None:
    model = compiled(layers.Dense(5, name="d"), layers.BatchNormalization(name="norm"), layers.Dense(2))
    moving = [variable.numpy() for variable in model.get_layer("norm").non_trainable_variables]
    seen = model.trace(X, Y)
    norm = seen["norm"]
    assert norm.gradients.keys() == {"gamma", "beta"}
    tolerances.close(norm.gradients["beta"], norm.delta.sum(axis=0), tolerances.KERNEL_FLOAT64)
    assert norm.dW is None
    after = [variable.numpy() for variable in model.get_layer("norm").non_trainable_variables]
    assert all(map(np.array_equal, moving, after)), "a trace moves no statistics"
    # As in training: every feature has mean 0 over the batch, and so has what is passed back.
    assert np.abs(norm.a.mean(axis=0)).max() < tolerances.KERNEL_FLOAT64
    assert np.abs(norm.d_inputs[0].sum(axis=0)).max() < tolerances.KERNEL_FLOAT64


def test_frozen_layers_have_no_dw_and_nothing_below_them_a_delta() -> None:
    model = compiled(layers.Dense(3, "tanh", name="a"), layers.Dense(3, "tanh", name="b"), layers.Dense(2, name="c"))
    model.get_layer("a").trainable = False
    seen = model.trace(X, Y)
    assert seen["a"].dW is None
    assert seen["a"].gradients == {}
    assert seen["b"].dW is not None
    gradients = model.gradients(X, Y)
    assert [g.shape for g in gradients] == [v.shape for v in model.trainable_weights]


def test_without_targets_only_the_forward_pass_is_shown() -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(2, "softmax")])
    seen = model.trace(X)
    assert len(seen) == 2
    assert seen.loss is None
    np.testing.assert_array_equal(seen[1].a, model.predict(X))
    tolerances.close(seen[1].a, np.exp(seen[1].z) / np.exp(seen[1].z).sum(axis=1, keepdims=True), tolerances.BY_HAND)
    assert all(layer.delta is None and layer.dW is None and layer.d_inputs == () for layer in seen)
    with pytest.raises(KeyError, match="'no such layer'; layers: "):
        _ = seen["no such layer"]


def test_sample_weights_scale_the_errors() -> None:
    model, weights = compiled(layers.Dense(2)), np.linspace(0, 2, 9)
    seen = model.trace(X, Y, sample_weight=weights)
    tolerances.close(seen[0].delta, 2 * weights[:, None] * (seen[0].a - Y) / Y.size, tolerances.BY_HAND)


def test_nothing_moves() -> None:
    model = compiled(layers.Dense(3, "tanh"), layers.Dropout(0.5), layers.Dense(2), optimizer="adam")
    model.fit(X, Y, verbose=0)
    before, state = model.get_weights(), model.optimizer.training_state()
    model.trace(X, Y)
    model.gradients(X, Y, with_inputs=True)
    inspection.gradient_check(model, X, Y)
    assert all(map(np.array_equal, before, model.get_weights()))
    after = model.optimizer.training_state()
    assert after["batches_seen"] == state["batches_seen"]
    assert all(np.array_equal(after["slots"][name], vector) for name, vector in state["slots"].items())


# Gradients


@pytest.mark.parametrize("loss", ["mse", "half_squared_error", "cosine_similarity", "log_cosh"])
def test_gradients_with_respect_to_the_inputs(loss: str) -> None:
    model = compiled(layers.Dense(3, "tanh"), layers.Dense(2, "sigmoid"), loss=loss)
    x = X.copy()
    weights, dx = model.gradients(x, Y, with_inputs=True)
    assert [w.shape for w in weights] == [v.shape for v in model.trainable_weights]
    tolerances.close(dx, by_differences(model, x, Y, x), tolerances.GRADIENT_CHECK)


def test_gradients_of_several_inputs_have_their_structure() -> None:
    a, b = cnn_core.Input((4,), name="a"), cnn_core.Input((3, 2), name="b")
    out = layers.Concatenate()([layers.Dense(2, "tanh")(a), layers.Flatten()(layers.Dense(1, "tanh")(b))])
    second = GENERATOR.normal(size=(9, 3, 2))
    y = GENERATOR.normal(size=(9, 5))
    for structure, x in (([a, b], [X, second]), ({"p": a, "q": b}, {"p": X, "q": second})):
        model = cnn_core.Model(structure, out)
        model.compile("sgd", "mse")
        _, dx = model.gradients(x, y, with_inputs=True)
        first, other = dx if isinstance(dx, list) else (dx["p"], dx["q"])
        assert first.shape == (9, 4)
        assert other.shape == (9, 3, 2)
        moved = second.copy()
        given = [X, moved] if isinstance(x, list) else {"p": X, "q": moved}
        tolerances.close(other, by_differences_of(model, given, y, moved), tolerances.GRADIENT_CHECK)


def by_differences_of(model: Any, x: Any, y: Any, array: Any) -> Any:
    result = np.empty(array.size)
    for element in range(array.size):
        result[element] = difference(
            lambda: model.evaluate(x, y, batch_size=9, verbose=0),
            array.reshape(-1),
            element,
            tolerances.DIFFERENCE_STEP,
        )
    return result.reshape(array.shape)


def test_a_parameter_that_no_loss_depends_on_has_a_gradient_of_zero() -> None:
    x = cnn_core.Input((4,))
    model = cnn_core.Model(x, [layers.Dense(2, name="used")(x), layers.Dense(3, name="unused")(x)])
    model.compile("sgd", {"used": "mse"})
    gradients = dict(zip([v.path for v in model.trainable_weights], model.gradients(X, Y), strict=True))
    assert not gradients["unused/kernel"].any()
    assert gradients["used/kernel"].all()
    seen = model.trace(X, Y)
    assert not seen["unused"].delta.any()


# The check by differences

STACKS = {
    "dense": lambda: [layers.Dense(5, "gelu"), layers.Dense(2, "softplus")],
    "shared": lambda: [layers.Dense(4, "tanh"), layers.Dense(2)],
    "batch normalization": lambda: [layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)],
    "layer normalization": lambda: [layers.Dense(5), layers.LayerNormalization(), layers.Dense(2)],
    "prelu": lambda: [layers.Dense(5), layers.PReLU(alpha_initializer="ones"), layers.Dense(2)],
    "dropout": lambda: [layers.Dense(5, "tanh"), layers.Dropout(0.4), layers.Dense(2)],
    "penalties": lambda: [
        layers.Dense(5, "tanh", kernel_regularizer="l2", activity_regularizer="l2"),
        layers.Dense(2, kernel_regularizer=regularizers.OrthogonalRegularizer(0.1)),
    ],
    "rows": lambda: [layers.Reshape((2, 2)), layers.Dense(3, "tanh"), layers.Flatten(), layers.Dense(2)],
}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_gradient_check_of_every_kind_of_layer(name: str, loss: str) -> None:
    check = inspection.gradient_check(compiled(*STACKS[name](), loss=loss), X, Y, sample_weight=np.linspace(0.5, 2, 9))
    assert check, str(check)
    assert check.max_relative_error == max(check.relative_errors.values())
    assert str(check).endswith("passed (tolerance 1e-05)")


def test_gradient_check_finds_a_wrong_derivative() -> None:
    class Wrong:
        def forward(self, z: Any) -> Any:
            return np.tanh(z)

        def derivative(self, z: Any, a: Any) -> Any:
            return 1 - a

    check = inspection.gradient_check(
        compiled(layers.Dense(3, Wrong(), name="bad"), layers.Dense(2, name="good")), X, Y
    )
    assert not check.passed
    assert check.relative_errors["bad/kernel"] > 0.01
    assert check.relative_errors["good/kernel"] < tolerances.GRADIENT_CHECK
    assert "FAILED" in str(check)


def test_gradient_check_draws_from_large_weights_and_puts_them_back() -> None:
    model = compiled(layers.Dense(100, "tanh"), layers.Dense(2))
    before = model.get_weights()
    assert inspection.gradient_check(model, X, Y, max_elements=5, seed=3)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert (
        inspection.gradient_check(model, X, Y, max_elements=5, seed=3).relative_errors
        == inspection.gradient_check(model, X, Y, max_elements=5, seed=3).relative_errors
    )


def test_gradient_check_needs_double_precision() -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(2, dtype="float32")])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"needs a model of float64: build its layers with dtype=.* Received: float32"):
        inspection.gradient_check(model, X, Y)


# The graph


def test_graph_of_a_network_with_branches() -> None:
    x = cnn_core.Input((4,), name="x")
    hidden = layers.Dense(4, "tanh", name="hidden")(x)
    model = cnn_core.Model(x, layers.Dense(2, name="out")(layers.Add(name="skip")([hidden, x])))
    model.compile("sgd", losses.HalfSquaredError())
    graph = model.trace(X, Y).graph()
    assert list(graph.nodes) == ["x", "hidden.z", "hidden.a", "skip.a", "out.a", "J"]
    edges = {(edge.source, edge.target): edge.gradient for edge in graph.edges}
    assert list(edges) == [
        ("x", "hidden.z"), ("hidden.z", "hidden.a"), ("hidden.a", "skip.a"), ("x", "skip.a"), ("skip.a", "out.a"),
        ("out.a", "J"),
    ]  # fmt: skip
    tolerances.close(edges["out.a", "J"], (graph.nodes["out.a"] - Y) / 9, tolerances.BY_HAND)
    np.testing.assert_array_equal(edges["hidden.a", "skip.a"], edges["x", "skip.a"])
    # What comes back to a node along all its edges is dJ/d(node).
    _, dx = model.gradients(X, Y, with_inputs=True)
    tolerances.close(edges["x", "hidden.z"] + edges["x", "skip.a"], dx, tolerances.BY_HAND)
    lines = str(graph).splitlines()
    assert lines[0].startswith("x (9, 4) = [")
    assert lines[1].startswith("hidden.z (9, 4) = [")
    assert lines[2].startswith("    <- x   gradient back: [")
    assert str(model.trace(X, Y)) == str(graph)


def test_graph_of_a_forward_pass_has_no_gradients() -> None:
    graph = compiled(layers.Dense(2, name="d")).trace(X[:1]).graph()
    assert [edge.gradient for edge in graph.edges] == [None]
    assert "gradient" not in str(graph)
    assert "J" not in graph.nodes


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("sparse_categorical_crossentropy", GENERATOR.integers(0, 3, 9)),
        (losses.CategoricalCrossentropy(label_smoothing=0.1), np.eye(3)[GENERATOR.integers(0, 3, 9)]),
        ("mse", GENERATOR.normal(size=(9, 3))),
        (losses.MeanAbsoluteError(reduction="sum"), GENERATOR.normal(size=(9, 3))),
    ],
)
def test_the_edge_into_j_carries_the_losses_derivative(loss: Any, y: Any) -> None:
    """Softmax's derivative applied to it is the delta that native code computes from logits at once."""
    model = compiled(layers.Dense(3, "softmax", name="out"), loss=loss)
    weights = np.linspace(0.5, 2, 9)
    seen = model.trace(X, y, sample_weight=weights)
    edge = next(edge for edge in seen.graph().edges if edge.target == "J")
    a = seen["out"].a
    delta = a * (edge.gradient - (edge.gradient * a).sum(axis=1, keepdims=True))
    tolerances.close(seen["out"].delta, delta, tolerances.KERNEL_FLOAT64)


def test_two_losses_on_two_outputs_in_the_graph() -> None:
    x = cnn_core.Input((4,), name="x")
    hidden = layers.Dense(3, "tanh", name="hidden")(x)
    model = cnn_core.Model(x, [layers.Dense(2, name="a")(hidden), layers.Dense(1, "sigmoid", name="b")(hidden)])
    model.compile("sgd", ["mse", "binary_crossentropy"], loss_weights=[2.0, 0.5])
    seen = model.trace(X, [Y, (Y[:, :1] > 0).astype(float)])
    into_j = {edge.source: edge.gradient for edge in seen.graph().edges if edge.target == "J"}
    assert into_j.keys() == {"a.a", "b.a"}
    tolerances.close(into_j["a.a"], 2 * 2 * (seen["a"].a - Y) / Y.size, tolerances.BY_HAND)
    tolerances.close(
        seen["hidden"].delta,
        (seen["a"].d_inputs[0] + seen["b"].d_inputs[0]) * (1 - seen["hidden"].a ** 2),
        tolerances.BY_HAND,
    )


# One layer as a block


def test_blocks_of_several_inputs() -> None:
    layer = layers.Multiply()
    a, cache = layer.forward([X, X + 1])
    tolerances.close(a, X * (X + 1), tolerances.BY_HAND)
    (dx,) = layer.backward(np.ones_like(a), cache)
    tolerances.close(dx[0], X + 1, tolerances.BY_HAND)
    tolerances.close(dx[1], X, tolerances.BY_HAND)


def test_what_a_block_does_not_take() -> None:
    layer, other = layers.Dense(2), layers.Dense(2)
    _, cache = layer.forward(X)
    for call, message in (
        (lambda: layer.backward(np.ones((9, 3)), cache), r"da must have the shape of a, \(9, 2\)"),
        (lambda: other.backward(np.ones((9, 2)), cache), r"`cache` must be what .*forward\(x\) returned"),
        (lambda: layer.backward(np.ones((9, 2)), None), r"`cache` must be what"),
        (lambda: layer.forward(X[0]), r"needs an input of shape \(n, features\)"),
        (lambda: layer.forward([[np.nan] * 4]), "NaN or infinite"),
        (lambda: layer.forward(X[:, :3]), "has a kernel of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# What a trace keeps for pictures: weights, slopes, dJ/da, losses


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "gelu", "softmax", "glu", "linear"])
def test_da_is_what_comes_back_and_the_slope_turns_it_into_delta(activation: str) -> None:
    model = compiled(layers.Dense(6, activation, name="one"), layers.Dense(2, "sigmoid", name="two"))
    one, two = model.trace(X, Y)
    kernel, bias = model.get_layer("one").get_weights()
    np.testing.assert_array_equal(one.W, kernel)
    np.testing.assert_array_equal(one.b, bias)
    tolerances.close(one.da, two.delta @ model.get_layer("two").get_weights()[0].T, tolerances.BY_HAND, "da")
    g = model.get_layer("one").activation
    if activation in ("softmax", "glu", "linear"):
        assert one.slope is None
        tolerances.close(one.delta, g.backward(one.da, one.z), tolerances.BY_HAND, "delta")
    else:
        tolerances.close(one.slope, g.derivative(one.z), tolerances.BY_HAND, "slope")
        tolerances.close(one.delta, one.da * one.slope, tolerances.BY_HAND, "delta")
    assert one.activation.partition("(")[0] == activation
    tolerances.close(two.da, 2 * (two.a - Y) / Y.size, tolerances.BY_HAND)


def test_weights_of_a_trace_are_copies() -> None:
    model = compiled(layers.Dense(2))
    seen = model.trace(X, Y)
    before = seen[0].W.copy()
    model.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_array_equal(seen[0].W, before)


def test_da_adds_up_branches_losses_and_penalties() -> None:
    x = cnn_core.Input((4,), name="x")
    shared = layers.Dense(3, "tanh", name="shared", activity_regularizer=regularizers.L1L2(0.2, 0.5))(x)
    first, second = layers.Dense(2, name="first")(shared), layers.Dense(2, name="second")(shared)
    model = cnn_core.Model(x, [shared, layers.Add(name="sum")([first, second])])
    model.compile("sgd", ["mae", "half_squared_error"], loss_weights=[0.5, 2.0])
    seen = model.trace(X, [X[:, :3], Y])
    a = seen["shared"].a
    penalty = (0.2 * np.sign(a) + a) / 9
    tolerances.close(seen.penalties["shared"], penalty, tolerances.BY_HAND)
    came_back = sum(seen[name].d_inputs[0] for name in ("first", "second"))
    tolerances.close(seen["shared"].da, came_back + 0.5 * np.sign(a - X[:, :3]) / 27 + penalty, tolerances.BY_HAND)
    tolerances.close(seen["shared"].delta, seen["shared"].da * (1 - a**2), tolerances.BY_HAND)
    assert [(each.name, each.output) for each in seen.losses] == [
        ("mean_absolute_error", "shared"), ("half_squared_error", "sum")
    ]  # fmt: skip
    np.testing.assert_array_equal(seen.losses[1].target, Y)
    lost = sum(each.value for each in seen.losses)
    assert seen.loss == pytest.approx(lost + (0.2 * np.abs(a).sum() + 0.5 * (a**2).sum()) / 9)
    into_j = [edge.gradient for edge in seen.graph().edges if (edge.source, edge.target) == ("shared.a", "J")]
    tolerances.close(sum(into_j), 0.5 * np.sign(a - X[:, :3]) / 27 + penalty, tolerances.BY_HAND)


def test_penalties_of_a_custom_layer_count_in_da() -> None:
    class Penalised(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.3 * cnn_core.ops.sum(x))
            return x * 2.0

    model = compiled(layers.Dense(3, name="d", activity_regularizer=lambda a: cnn_core.ops.sum(a**4)), Penalised(),
                     layers.Dense(2))  # fmt: skip
    seen = model.trace(X, Y)
    a = seen["d"].a
    tolerances.close(seen.penalties["d"], 4 * a**3 / 9, tolerances.BY_HAND)
    tolerances.close(seen["d"].da, seen["d"].delta, tolerances.BY_HAND)


def test_the_slope_of_a_custom_activation() -> None:
    class Cube:
        def forward(self, z: Any) -> Any:
            return z**3

        def derivative(self, z: Any, a: Any) -> Any:
            return 3 * z**2

    seen = compiled(layers.Dense(3, Cube(), name="d"), layers.Dense(2)).trace(X, Y)
    assert seen["d"].activation == "Cube"
    tolerances.close(seen["d"].slope, 3 * seen["d"].z ** 2, tolerances.BY_HAND)


def test_an_activation_with_other_settings_is_named_with_them() -> None:
    seen = compiled(layers.Dense(3, cnn_core.activations.LeakyReLU(0.01), name="d"), layers.Dense(2)).trace(X, Y)
    assert seen["d"].activation == "relu(0.01, 0)"


def test_a_loss_written_with_ops_is_traced() -> None:
    def cubed(y_true: Any, y_pred: Any) -> Any:
        return cnn_core.ops.mean(cnn_core.ops.abs(y_pred - y_true) ** 3, axis=-1)

    seen = compiled(layers.Dense(2, "tanh", name="d"), loss=cubed).trace(X, Y)
    error = seen["d"].a - Y
    tolerances.close(seen["d"].da, 3 * error * np.abs(error) / error.size, tolerances.BY_HAND)
    tolerances.close(seen["d"].delta, seen["d"].da * seen["d"].slope, tolerances.BY_HAND)
    assert seen.losses[0].value == pytest.approx(seen.loss) == pytest.approx((np.abs(error) ** 3).mean())
