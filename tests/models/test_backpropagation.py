"""Backpropagation: a case worked by hand, every pairing against central differences, the oracle at random shapes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import reference
import tolerances
from cnn_core import inspection

LN3 = np.log(3.0)

# The case 3-4-2 with sigmoids. Weights are multiples of ln 3, so that every z is one too and every activation a
# decimal: sigmoid(k ln 3) = 1 / (1 + 3^-k) = 0.1, 0.25, 0.5, 0.75, 0.9 for k = -2 .. 2. Below, kernels, biases, z and
# the deltas that pass through a kernel are in units of ln 3. Rows are samples; two of them.
X = [[1, 2, -1], [0, -1, 1]]
Y = [[1, 0], [0, 1]]
KERNEL_1 = [[1, 0, 1, 0], [0, 1, -1, 1], [0, 0, 1, 2]]
BIAS_1 = [0, -1, 0, 0]
KERNEL_2 = [[2.08, 0.92], [1.2, -1.2], [1, -1], [-2, 1]]
BIAS_2 = [-1.56, -1.19]
Z_1 = [[1, 1, -2, 0], [0, -2, 2, 1]]
A_1 = [[0.75, 0.75, 0.1, 0.5], [0.5, 0.1, 0.9, 0.75]]
# Second layer, first unit: 2.08 * 0.75 + 1.2 * 0.75 + 0.1 - 2 * 0.5 - 1.56 = 0, and so on.
Z_2 = [[0, -1], [-1, -1]]
A_2 = [[0.5, 0.25], [0.25, 0.25]]
# Half the squared error, mean of two samples: J = (1/2)(1/2)(0.25 + 0.0625 + 0.0625 + 0.5625).
J = 0.234375
# (a - y) a (1 - a) / 2: -0.5 * 0.25 / 2, 0.25 * 0.1875 / 2, 0.25 * 0.1875 / 2, -0.75 * 0.1875 / 2.
DELTA_2 = [[-0.0625, 0.0234375], [0.0234375, -0.0703125]]
# a_1^T delta_2: 0.75 * -0.0625 + 0.5 * 0.0234375 = -0.03515625, and so on.
DW_2 = [[-0.03515625, -0.017578125], [-0.04453125, 0.010546875], [0.01484375, -0.0609375], [-0.013671875, -0.041015625]]
DB_2 = [-0.0390625, -0.046875]
# delta_2 . kernel_2^T is [-0.1084375, -0.103125, -0.0859375, 0.1484375], [-0.0159375, 0.1125, 0.09375, -0.1171875];
# times a_1 (1 - a_1), which is [0.1875, 0.1875, 0.09, 0.25], [0.25, 0.09, 0.09, 0.1875].
DELTA_1 = [
    [-0.02033203125, -0.0193359375, -0.007734375, 0.037109375],
    [-0.003984375, 0.010125, 0.0084375, -0.02197265625],
]
# x^T delta_1: the first row is delta_1 of the first sample, the second 2 delta - delta', the third delta' - delta.
DW_1 = [
    [-0.02033203125, -0.0193359375, -0.007734375, 0.037109375],
    [-0.0366796875, -0.048796875, -0.02390625, 0.09619140625],
    [0.01634765625, 0.0294609375, 0.016171875, -0.05908203125],
]
DB_1 = [-0.02431640625, -0.0092109375, 0.000703125, 0.01513671875]


def sigmoid_network(loss: str) -> Any:
    model = cnn_core.Sequential(
        [
            cnn_core.Input((3,)),
            cnn_core.layers.Dense(4, "sigmoid", name="hidden", dtype="float64"),
            cnn_core.layers.Dense(2, "sigmoid", name="output", dtype="float64"),
        ]
    )
    model.set_weights([np.array(w) * LN3 for w in (KERNEL_1, BIAS_1, KERNEL_2, BIAS_2)])
    model.compile("sgd", loss)
    return model


def test_every_number_of_the_case_worked_by_hand() -> None:
    trace = sigmoid_network("half_squared_error").trace(X, Y)
    hidden, output = trace.layers
    assert (hidden.name, output.name) == ("hidden", "output")
    expected = {
        "z": (np.array(Z_1) * LN3, np.array(Z_2) * LN3),
        "a": (A_1, A_2),
        "delta": (np.array(DELTA_1) * LN3, DELTA_2),
        "dW": (np.array(DW_1) * LN3, DW_2),
        "db": (np.array(DB_1) * LN3, DB_2),
    }
    for attribute, layers in expected.items():
        for layer, desired in zip((hidden, output), layers, strict=True):
            tolerances.close(getattr(layer, attribute), desired, tolerances.BY_HAND, f"{layer.name}.{attribute}")
    assert trace.loss == pytest.approx(J, rel=tolerances.BY_HAND)


def test_gradients_of_the_case_worked_by_hand() -> None:
    gradients = sigmoid_network("half_squared_error").gradients(X, Y)
    for actual, desired in zip(gradients, (np.array(DW_1) * LN3, np.array(DB_1) * LN3, DW_2, DB_2), strict=True):
        tolerances.close(actual, desired, tolerances.BY_HAND)


def test_crossentropy_of_the_case_worked_by_hand() -> None:
    """Keras's binary cross-entropy is the mean over outputs: delta = (a - y) / (2 samples * 2 outputs)."""
    trace = sigmoid_network("binary_crossentropy").trace(X, Y)
    tolerances.close(trace.layers[-1].delta, [[-0.125, 0.0625], [0.0625, -0.1875]], tolerances.BY_HAND)
    tolerances.close(trace.layers[-1].db, [-0.0625, -0.125], tolerances.BY_HAND)
    # -ln 0.5 - ln 0.75 - ln 0.75 - ln 0.25 = ln(128 / 9)
    assert trace.loss == pytest.approx(np.log(128 / 9) / 4, rel=tolerances.BY_HAND)


# ReLU and its like have no derivative at their kinks; random numbers do not hit them.
ELEMENTWISE = sorted(set(reference.ACTIVATIONS) - {"gelu_tanh", "threshold"})
ACTIVATIONS = [*ELEMENTWISE, "softmax", "log_softmax", "glu", "sparsemax"]
# Activations for the output of losses that take any number, the logarithm of a positive one, or a probability.
# Networks drawn at random have rows of one number too, where softmax is constant: its gradient is right all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.* over the single unit:UserWarning")

SUITABLE = {
    "any": set(ACTIVATIONS),
    "positive": {"sigmoid", "softplus", "exponential", "softmax", "squareplus"},
    "probability": {"sigmoid", "softmax"},
}

# By name: the loss, its options, what its predictions may be.
LOSSES: dict[str, tuple[str, dict[str, Any], str]] = {
    name: (name, {}, "any")
    for name in (
        "mean_squared_error",
        "half_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "cosine_similarity",
        "huber",
        "log_cosh",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "quantile",
    )
}
LOSSES |= {
    name: (name, {}, "positive")
    for name in (
        "mean_squared_logarithmic_error",
        "poisson",
        "kl_divergence",
        "binary_crossentropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "categorical_focal_crossentropy",
    )
}
LOSSES["binary_focal_crossentropy"] = ("binary_focal_crossentropy", {}, "probability")
LOSSES |= {
    "binary_logits": ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any"),
    "categorical_logits": ("categorical_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any"),
    "sparse_logits": ("sparse_categorical_crossentropy", {"from_logits": True}, "any"),
}
# Factors l1 and l2.
REGULARIZERS = [(0.0, 0.0), (0.02, 0.0), (0.0, 0.05), (0.03, 0.07)]


def targets(loss: str, rows: int, width: int, generator: np.random.Generator) -> Any:
    if loss.startswith("sparse"):
        return generator.integers(0, width, rows)
    if "categorical" in loss:
        return np.eye(width)[generator.integers(0, width, rows)]
    if "hinge" in loss:
        return np.where(generator.uniform(size=(rows, width)) < 0.5, -1.0, 1.0)
    numbers = generator.uniform(0.1, 0.9, (rows, width))
    return numbers / numbers.sum(axis=1, keepdims=True) if loss == "kl_divergence" else numbers


def compiled_loss(loss: str) -> Any:
    name, options, _ = LOSSES[loss]
    function = cnn_core.losses.as_loss(name)
    return type(function)(**options) if options else name


def random_network(
    activation: str, loss: str, factors: tuple[float, float], generator: np.random.Generator
) -> tuple[Any, list[reference.Layer], Any, Any]:
    """Make a network with rows, widths and weights at random, the oracle's likeness of it, and data that suit both."""
    rows, inputs, hidden = (int(generator.integers(1, high)) for high in (6, 4, 4))
    compares_several = "categorical" in LOSSES[loss][0] or loss == "cosine_similarity"
    width = int(generator.integers(2 if compares_several else 1, 4))
    last = activation if activation in SUITABLE[LOSSES[loss][2]] else "sigmoid"
    widths = [hidden * (2 if activation == "glu" else 1), width * (2 if last == "glu" else 1)]
    penalty = cnn_core.regularizers.L1L2(*factors)
    model = cnn_core.Sequential(
        [
            cnn_core.Input((inputs,)),
            cnn_core.layers.Dense(widths[0], activation, kernel_regularizer=penalty),
            cnn_core.layers.Dense(widths[1], last, kernel_regularizer=penalty, bias_regularizer=penalty),
        ]
    )
    weights = [generator.normal(0, 0.5, w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    model.compile("sgd", compiled_loss(loss))
    layers = [
        reference.Layer(weights[0], weights[1], activation, (), *factors),
        reference.Layer(weights[2], weights[3], last, (), *factors, *factors),
    ]
    return model, layers, generator.normal(0, 1, (rows, inputs)), targets(loss, rows, width, generator)


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_central_differences(activation: str, dtype: str, floatx: None) -> None:
    """The differences are the oracle's, so that forward pass, loss and penalty are checked as well."""
    generator = np.random.default_rng(ACTIVATIONS.index(activation))
    for loss, factors in itertools.product(LOSSES, REGULARIZERS):
        model, layers, x, y = random_network(activation, loss, factors, generator)
        name, options, _ = LOSSES[loss]

        def value(
            layers: list[reference.Layer] = layers, x: Any = x, y: Any = y, name: str = name, options: Any = options
        ) -> float:
            return reference.mlp_loss(layers, x, y, name, **options)

        scale = tolerances.DIFFERENCE_FLOOR * max(1.0, abs(value()))
        weights = [w for layer in layers for w in (layer.w, layer.b)]
        for gradient, w in zip(model.gradients(x, y), weights, strict=True):
            difference = reference.central_differences(value, w, tolerances.DIFFERENCE_STEP)
            scale_here = max(scale, np.abs(gradient).max(), np.abs(difference).max())
            error = np.abs(gradient - difference).max() / scale_here
            assert error < tolerances.GRADIENT_CHECK, f"{loss}, {factors}, x {x.shape}, weight {w.shape}: {error:.1e}"


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_check_passes(activation: str, dtype: str, floatx: None) -> None:
    generator = np.random.default_rng(len(activation))
    model, _, x, y = random_network(activation, "mean_squared_error", (0.01, 0.02), generator)
    kept = model.get_weights()
    check = inspection.gradient_check(model, x, y)
    assert check.passed
    assert check.max_relative_error < tolerances.GRADIENT_CHECK
    assert all(np.array_equal(before, after) for before, after in zip(kept, model.get_weights(), strict=True))


@pytest.mark.parametrize("dtype", ["float64"])
def test_gradient_check_fails_where_a_derivative_is_wrong(dtype: str, floatx: None) -> None:
    class Wrong:
        def forward(self, z: np.ndarray) -> np.ndarray:
            return z**2

        def derivative(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
            return 2.1 * z

    model = cnn_core.Sequential([cnn_core.Input((3,)), cnn_core.layers.Dense(2, Wrong())])
    model.compile("sgd", "mse")
    check = inspection.gradient_check(model, [[1.0, 2.0, 3.0]], [[0.5, -1.0]])
    assert not check.passed
    assert check.max_relative_error > tolerances.GRADIENT_CHECK


shapes = st.lists(st.integers(1, 9), min_size=2, max_size=5)


@given(
    sizes=shapes,
    rows=st.integers(1, 9),
    activation=st.sampled_from(ELEMENTWISE),
    last=st.sampled_from(["linear", "tanh", "softmax", "sigmoid", "log_softmax"]),
    dtype=st.sampled_from(["float32", "float64"]),
    weighted=st.booleans(),
    biased=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_gradients_are_the_oracle_s(
    sizes: list[int],
    rows: int,
    activation: str,
    last: str,
    dtype: str,
    weighted: bool,
    biased: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    names = [activation] * (len(sizes) - 2) + [last]
    model = cnn_core.Sequential(
        [
            cnn_core.Input((sizes[0],)),
            *(
                cnn_core.layers.Dense(units, name, use_bias=biased, kernel_regularizer="l2", dtype=dtype)
                for units, name in zip(sizes[1:], names, strict=True)
            ),
        ]
    )
    weights = [generator.normal(0, 0.5, w.shape).astype(dtype) for w in model.get_weights()]
    model.set_weights(weights)
    model.compile("sgd", "half_squared_error")
    kernels, biases = (weights[::2], weights[1::2]) if biased else (weights, [None] * len(weights))
    layers = [
        reference.Layer(w.astype(float), None if b is None else b.astype(float), name, kernel_l2=0.01)
        for w, b, name in zip(kernels, biases, names, strict=True)
    ]
    x, y = (generator.normal(0, 1, (rows, width)).astype(dtype) for width in (sizes[0], sizes[-1]))
    weight = generator.uniform(0, 2, rows).astype(dtype) if weighted else None
    desired = reference.mlp_backward(layers, x, y, "half_squared_error", weight)
    tolerance = tolerances.golden(dtype)
    actual, dx = model.gradients(x, y, sample_weight=weight, with_inputs=True)
    for gradient, expected in zip(actual, reference.mlp_gradients(layers, desired), strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))
    np.testing.assert_allclose(dx, desired.gradients[0].dx, rtol=0, atol=tolerance)
    trace = model.trace(x, y, sample_weight=weight)
    assert trace.loss == pytest.approx(desired.loss, rel=tolerance)
    for seen, cache, gradient in zip(trace.layers, desired.caches, desired.gradients, strict=True):
        assert seen.delta.shape == seen.z.shape == seen.a.shape == gradient.delta.shape
        np.testing.assert_allclose(seen.z, cache.z, rtol=0, atol=tolerance * max(1, np.abs(cache.z).max()))
        np.testing.assert_allclose(seen.delta, gradient.delta, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("output", "joint", "general"),
    [
        ("sigmoid", "binary_crossentropy", cnn_core.losses.BinaryCrossentropy(from_logits=True)),
        ("softmax", "categorical_crossentropy", cnn_core.losses.CategoricalCrossentropy(from_logits=True)),
        ("softmax", "sparse_categorical_crossentropy", cnn_core.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ],
)
def test_probabilities_and_logits_give_the_same_delta(output: str, joint: str, general: Any) -> None:
    """Any spelling of softmax or sigmoid with its cross-entropy has delta = (a - y) / n, at any size of z."""
    generator = np.random.default_rng(3)
    x = generator.normal(0, 1, (6, 4))
    y = generator.integers(0, 3, 6)
    rows = np.eye(3)[y]
    given_targets = y if "sparse" in joint else rows
    spellings = [([output], joint), ([None, output], joint), ([None], general)]
    deltas = []
    for activations, loss in spellings:
        layers = [cnn_core.layers.Dense(3, activations[0], dtype="float64")]
        layers += [cnn_core.layers.Activation(name, dtype="float64") for name in activations[1:]]
        model = cnn_core.Sequential([cnn_core.Input((4,)), *layers])
        model.set_weights([100 * np.eye(4, 3), np.array([0.0, 1.0, -1.0])])
        model.compile("sgd", loss)
        deltas.append(model.trace(x, given_targets).layers[0].delta)
    p = reference.activate(output, x @ (100 * np.eye(4, 3)) + np.array([0.0, 1.0, -1.0]))
    expected = (p - rows) / (6 * (3 if output == "sigmoid" else 1))
    for delta in deltas:
        tolerances.close(delta, expected, tolerances.REFERENCE_FLOAT64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0.0, 1e4, -1e4, 3e38, -3e38])
@pytest.mark.parametrize(
    ("output", "loss"), [("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy")]
)
def test_extreme_logits_have_finite_gradients(output: str, loss: str, size: float, dtype: str) -> None:
    """Where the target is right, wrong by any distance, or all are equal, p - y is what it is: at most 1."""
    model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(2, output, use_bias=False, dtype=dtype)])
    model.set_weights([np.eye(2)])
    model.compile("sgd", loss)
    z = np.array([[size, 0.0], [0.0, size], [size, size]])
    trace = model.trace(z, np.array([[1.0, 0.0]] * 3))
    p = reference.activate(output, z)
    expected = (p - [1.0, 0.0]) / (6 if output == "sigmoid" else 3)
    tolerances.close(trace.layers[0].delta, expected, tolerances.kernel(dtype))
    assert np.isfinite(trace.loss)


def test_relu_has_the_derivative_zero_at_zero() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(3, "relu", use_bias=False)])
    model.set_weights([np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]])])
    model.compile("sgd", "half_squared_error")
    seen = model.trace([[0.0, 5.0], [2.0, 5.0]], [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]).layers[0]
    assert seen.z.tolist() == [[0, 0, 0], [2, -2, 0]]
    assert seen.delta.tolist() == [[0, 0, 0], [0.5, 0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prelu_has_the_derivative_zero_at_zero(dtype: str) -> None:
    layer = cnn_core.layers.PReLU(alpha_initializer="ones", dtype=dtype)
    a, cache = layer.forward(np.array([[0.0, 2.0, -3.0]]))
    dx, dalpha = layer.backward(np.array([[5.0, 5.0, 5.0]]), cache)
    assert a.tolist() == [[0, 2, -3]]
    assert dx.tolist() == [[0, 5, 5]]
    assert dalpha.tolist() == [0, 0, -15]


@pytest.mark.parametrize(
    ("activation", "slope"), [("leaky_relu", 0.2), (cnn_core.activations.LeakyReLU(0.01), 0.01), ("linear", 1.0)]
)
def test_slopes_on_the_negative_side(activation: Any, slope: float) -> None:
    layer = cnn_core.layers.Dense(1, activation, use_bias=False, dtype="float64")
    layer.build((None, 1))
    layer.set_weights([np.array([[1.0]])])
    _, cache = layer.forward(np.array([[1.0], [-1.0]]))
    dx, *_ = layer.backward(np.array([[1.0], [1.0]]), cache)
    tolerances.close(dx, [[1.0], [slope]], tolerances.BY_HAND)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_layer_as_a_block(dtype: str) -> None:
    """Forward keeps z; backward takes da and the cache and returns dx, dW and db with the shapes of x, W and b."""
    generator = np.random.default_rng(5)
    x, w, b, da = (generator.normal(size=shape).astype(dtype) for shape in ((4, 3), (3, 5), (5,), (4, 5)))
    layer = cnn_core.layers.Dense(5, "gelu", dtype=dtype)
    layer.build((None, 3))
    layer.set_weights([w, b])
    a, cache = layer.forward(x)
    z = reference.dense_forward(*(array.astype(float) for array in (x, w, b)))
    delta = reference.activation_backward("gelu", da, z)
    expected = reference.dense_backward(delta, x.astype(float), w.astype(float))
    tolerances.close(cache.z, z, tolerances.golden(dtype))
    tolerances.close(a, reference.activate("gelu", z), tolerances.golden(dtype))
    for actual, desired in zip(layer.backward(da, cache), expected, strict=True):
        tolerances.close(actual, desired, tolerances.golden(dtype))


def test_blocks_in_a_row_are_the_network() -> None:
    """Chaining the blocks by hand gives what `gradients` gives."""
    model = sigmoid_network("half_squared_error")
    a, caches = np.array(X, dtype=float), []
    for layer in model.layers:
        a, cache = layer.forward(a)
        caches.append(cache)
    da, gradients = (a - Y) / len(X), []
    for layer, cache in zip(reversed(model.layers), reversed(caches), strict=True):
        da, *own = layer.backward(da, cache)
        gradients = [*own, *gradients]
    for actual, desired in zip(gradients, model.gradients(X, Y), strict=True):
        tolerances.close(actual, desired, tolerances.BY_HAND)


def test_graph_of_the_case_worked_by_hand() -> None:
    """Values stand on nodes; the gradient of an edge is what its target passes back to its source."""
    graph = sigmoid_network("half_squared_error").trace(X, Y).graph()
    tolerances.close(graph.nodes["hidden.z"], np.array(Z_1) * LN3, tolerances.BY_HAND)
    tolerances.close(graph.nodes["output.a"], A_2, tolerances.BY_HAND)
    assert float(graph.nodes["J"]) == pytest.approx(J, rel=tolerances.BY_HAND)
    edges = {(edge.source, edge.target): edge.gradient for edge in graph.edges}
    tolerances.close(edges["output.a", "J"], [[-0.25, 0.125], [0.125, -0.375]], tolerances.BY_HAND)
    tolerances.close(edges["output.z", "output.a"], DELTA_2, tolerances.BY_HAND)
    passed_back = [[-0.1084375, -0.103125, -0.0859375, 0.1484375], [-0.0159375, 0.1125, 0.09375, -0.1171875]]
    tolerances.close(edges["hidden.a", "output.z"], np.array(passed_back) * LN3, tolerances.BY_HAND)
    assert "J" in str(graph)


def logistic_data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Load classes that overlap, so that the unpenalised likelihood has a maximum."""
    datasets = pytest.importorskip("sklearn.datasets")
    if name == "breast_cancer":
        x, y = datasets.load_breast_cancer(return_X_y=True)
        x = x[:, [0, 1, 4]]
    else:
        x, y = datasets.load_iris(return_X_y=True)
        x, y = x[50:, :2], y[50:] - 1
    return (x - x.mean(axis=0)) / x.std(axis=0), y.astype(float)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["breast_cancer", "iris"])
def test_one_sigmoid_neuron_is_logistic_regression(name: str, dtype: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = logistic_data(name)
    fitted = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    model = cnn_core.Sequential([cnn_core.Input((x.shape[1],)), cnn_core.layers.Dense(1, "sigmoid", dtype=dtype)])
    model.compile(cnn_core.optimizers.SGD(1.0, momentum=0.9, nesterov=True), "binary_crossentropy")
    model.fit(x.astype(dtype), y.astype(dtype), batch_size=len(x), epochs=600, verbose=0)
    kernel, bias = model.get_weights()
    tolerances.close(kernel[:, 0], fitted.coef_[0], tolerances.MAXIMUM_LIKELIHOOD, "kernel")
    tolerances.close(bias, fitted.intercept_, tolerances.MAXIMUM_LIKELIHOOD, "bias")
