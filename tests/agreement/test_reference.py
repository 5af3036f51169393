"""The oracle itself: by central differences, by hand, and against numbers recorded from Keras."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

import reference
import tolerances
from golden import SNAPSHOTS, batches, flat, load, split

GENERATOR_SEED = 20240229

# Where g has a kink, central differences straddle it and say nothing.
KINKS = {
    "relu": (0.0,),
    "elu": (0.0,),
    "selu": (0.0,),
    "hard_sigmoid": (-3.0, 3.0),
    "hard_silu": (-3.0, 3.0),
    "hard_tanh": (-1.0, 1.0),
    "soft_shrink": (-0.5, 0.5),
    "hard_shrink": (-0.5, 0.5),
    "threshold": (0.5,),
    "sparse_sigmoid": (-1.0, 1.0),
}


def random_points(*shape: int, seed: int = GENERATOR_SEED, scale: float = 2.0) -> reference.Array:
    return np.random.default_rng(seed).normal(0, scale, shape)


@pytest.mark.parametrize("name", sorted(reference.ACTIVATIONS))
def test_derivative_of_activation_is_the_central_difference(name: str) -> None:
    z = random_points(400)
    for kink in KINKS.get(name, ()):
        z = z[np.abs(z - kink) > 1e-3]
    step = tolerances.DIFFERENCE_STEP
    difference = (reference.activate(name, z + step) - reference.activate(name, z - step)) / (2 * step)
    derivative = reference.activation_backward(name, np.ones_like(z), z)
    assert reference.relative_error(derivative, difference) < tolerances.REFERENCE_DIFFERENCE


@pytest.mark.parametrize("name", sorted(reference.ROWWISE))
@pytest.mark.parametrize("shape", [(1, 2), (3, 4), (5, 8)])
def test_vector_jacobian_product_is_the_central_difference(name: str, shape: tuple[int, int]) -> None:
    z = random_points(*shape, scale=1.0)
    da = random_points(*reference.activate(name, z).shape, seed=1)
    difference = reference.central_differences(lambda: float((da * reference.activate(name, z)).sum()), z)
    assert (
        reference.relative_error(reference.activation_backward(name, da, z), difference)
        < tolerances.REFERENCE_DIFFERENCE
    )


LOSS_CASES = [
    ("mean_squared_error", {}),
    ("mean_absolute_error", {}),
    ("mean_absolute_percentage_error", {}),
    ("mean_squared_logarithmic_error", {}),
    ("cosine_similarity", {}),
    ("huber", {}),
    ("huber", {"delta": 0.3}),
    ("log_cosh", {}),
    ("poisson", {}),
    ("kl_divergence", {}),
    ("hinge", {}),
    ("squared_hinge", {}),
    ("categorical_hinge", {}),
    ("binary_crossentropy", {}),
    ("binary_crossentropy", {"label_smoothing": 0.2}),
    ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("categorical_crossentropy", {}),
    ("categorical_crossentropy", {"label_smoothing": 0.2}),
    ("categorical_crossentropy", {"from_logits": True}),
    ("sparse_categorical_crossentropy", {}),
    ("sparse_categorical_crossentropy", {"from_logits": True}),
    ("sparse_categorical_crossentropy", {"ignore_class": 1}),
    ("binary_focal_crossentropy", {}),
    ("binary_focal_crossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}),
    ("binary_focal_crossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("categorical_focal_crossentropy", {}),
    ("categorical_focal_crossentropy", {"from_logits": True, "gamma": 1.0, "label_smoothing": 0.1}),
    ("categorical_generalized_cross_entropy", {}),
    ("categorical_generalized_cross_entropy", {"q": 0.9}),
    ("dice", {}),
    ("tversky", {}),
    ("tversky", {"alpha": 0.3, "beta": 1.5}),
    ("half_squared_error", {}),
    ("quantile", {"quantile": 0.8}),
    ("gaussian_nll", {}),
]


def loss_data(name: str, options: dict[str, object], rows: int = 6, width: int = 4) -> tuple[reference.Array, ...]:
    """Make targets and predictions in the loss's domain, away from its kinks."""
    generator = np.random.default_rng(GENERATOR_SEED)
    y = generator.uniform(0.1, 0.9, (rows, width))
    p = generator.uniform(0.1, 0.9, (rows, width))
    if name.startswith(("sparse", "categorical_generalized")):
        y = generator.integers(0, width, rows).astype(np.float64)
    elif "crossentropy" in name or "hinge" in name:
        y = (generator.uniform(size=(rows, width)) < 0.5).astype(np.float64)
    if name == "gaussian_nll":
        p = generator.normal(size=(rows, 2 * width))
    return y, 3 * p - 1 if options.get("from_logits") else p


@pytest.mark.parametrize(("name", "options"), LOSS_CASES)
def test_gradient_of_loss_is_the_central_difference(name: str, options: dict[str, object]) -> None:
    y, p = loss_data(name, options)
    difference = reference.central_differences(lambda: float(reference.loss_values(name, y, p, **options).sum()), p)
    assert (
        reference.relative_error(reference.loss_gradient(name, y, p, **options), difference)
        < tolerances.REFERENCE_DIFFERENCE
    )


def test_every_loss_is_checked() -> None:
    assert {name for name, _ in LOSS_CASES} == set(reference.LOSSES)


def test_losses_by_hand() -> None:
    y, p = [[1.0, 0.0]], [[0.75, 0.5]]
    ln2 = math.log(2)
    expected = {
        "mean_squared_error": (0.0625 + 0.25) / 2,
        "half_squared_error": (0.0625 + 0.25) / 2,
        "mean_absolute_error": 0.375,
        "huber": (0.03125 + 0.125) / 2,
        "hinge": (0.25 + 1.5) / 2,
        "categorical_hinge": 0.75,
        "categorical_crossentropy": -math.log(0.6),
        "binary_crossentropy": (math.log(4 / 3) + ln2) / 2,
        "quantile": (0.125 + 0.25) / 2,
    }
    for name, value in expected.items():
        assert reference.loss_values(name, y, p) == pytest.approx([value], rel=tolerances.BY_HAND), name
    assert reference.loss_values("sparse_categorical_crossentropy", [1], [[0.0, ln2]], from_logits=True) == (
        pytest.approx([math.log(1.5)], rel=tolerances.BY_HAND)
    )


def test_weighted_mean_divides_by_rows_or_by_weights() -> None:
    weight = [1.0, 0.0, 3.0, 0.0]
    assert reference.row_weights(4, weight).tolist() == [0.25, 0.0, 0.75, 0.0]
    assert reference.row_weights(4, weight, "mean_with_sample_weight").tolist() == [0.25, 0.0, 0.75, 0.0]
    assert reference.row_weights(2, [1.0, 1.0], "sum").tolist() == [1.0, 1.0]
    assert reference.row_weights(2, [3.0, 1.0], "sum_over_batch_size").tolist() == [1.5, 0.5]


def test_sparsemax_by_hand() -> None:
    z = np.array([[0.5, 0.25, 0.0], [2.0, 0.0, 0.0], [0.1, 0.1, 0.1]])
    third = 1 / 3
    expected = [[0.5 + 0.25 * third, 0.25 + 0.25 * third, 0.25 * third], [1, 0, 0], [third, third, third]]
    tolerances.close(reference.sparsemax(z), expected, tolerances.BY_HAND)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_gradient_is_the_central_difference(mode: str) -> None:
    w = random_points(3, 4)
    difference = reference.central_differences(lambda: reference.orthogonal_penalty(w, 0.5, mode), w)
    assert (
        reference.relative_error(reference.orthogonal_gradient(w, 0.5, mode), difference)
        < tolerances.REFERENCE_DIFFERENCE
    )


def normalization_value(
    name: str, x: reference.Array, gamma: reference.Array, beta: reference.Array
) -> reference.Array:
    if name == "batch":
        return reference.batch_normalization_forward(x, gamma, beta, *reference.batch_moments(x))
    if name == "layer":
        return reference.layer_normalization_forward(x, gamma, beta)
    return reference.rms_normalization_forward(x, gamma) if name == "rms" else reference.unit_normalization_forward(x)


@pytest.mark.parametrize("name", ["batch", "layer", "rms", "unit"])
def test_normalization_backward_is_the_central_difference(name: str) -> None:
    x, gamma, beta, da = (
        random_points(5, 4),
        random_points(4, seed=2),
        random_points(4, seed=3),
        random_points(5, 4, seed=4),
    )
    backward = {
        "batch": lambda: reference.batch_normalization_backward(da, x, gamma),
        "layer": lambda: reference.layer_normalization_backward(da, x, gamma),
        "rms": lambda: reference.rms_normalization_backward(da, x, gamma),
        "unit": lambda: (reference.unit_normalization_backward(da, x),),
    }[name]()
    for variable, gradient in zip((x, gamma, beta), backward, strict=False):
        difference = reference.central_differences(
            lambda: float((da * normalization_value(name, x, gamma, beta)).sum()), variable
        )
        assert reference.relative_error(gradient, difference) < tolerances.REFERENCE_DIFFERENCE


@pytest.mark.parametrize("sizes", [(3, 4, 2), (1, 1), (5, 7, 3), (2, 1, 1, 2)])
@pytest.mark.parametrize("rows", [1, 4])
def test_network_gradients_are_central_differences(sizes: tuple[int, ...], rows: int) -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    layers = [
        reference.Layer(
            generator.normal(size=(inputs, outputs)),
            generator.normal(size=outputs),
            activation="gelu",
            kernel_l1=0.01,
            kernel_l2=0.02,
            bias_l2=0.03,
        )
        for inputs, outputs in itertools.pairwise(sizes)
    ]
    x, y, weight = (
        generator.normal(size=(rows, sizes[0])),
        generator.normal(size=(rows, sizes[-1])),
        generator.uniform(size=rows),
    )
    result = reference.mlp_backward(layers, x, y, "log_cosh", weight)
    variables = [variable for layer in layers for variable in (layer.w, layer.b)]
    for variable, gradient in zip(variables, reference.mlp_gradients(layers, result), strict=True):
        difference = reference.central_differences(
            lambda: reference.mlp_loss(layers, x, y, "log_cosh", weight), variable
        )
        assert reference.relative_error(gradient, difference) < tolerances.REFERENCE_DIFFERENCE
    difference = reference.central_differences(lambda: reference.mlp_loss(layers, x, y, "log_cosh", weight), x)
    assert reference.relative_error(result.gradients[0].dx, difference) < tolerances.REFERENCE_DIFFERENCE


def test_joint_gradient_of_output_and_loss_is_p_minus_y() -> None:
    z = random_points(4, 3)
    y = reference.one_hot([0, 2, 1, 1], 3)
    for activation, loss in [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")]:
        p = reference.activate(activation, z)
        delta = reference.activation_backward(activation, reference.loss_gradient(loss, y, p), z)
        divisor = 3 if loss == "binary_crossentropy" else 1
        tolerances.close(delta, (p - y) / divisor, tolerances.BY_HAND)


def test_one_step_of_each_optimizer_by_hand() -> None:
    """With g = 1/2 and the first step most rules collapse to a number that fits on a line."""
    w, g = np.array([1.0]), np.array([0.5])
    expected = {
        "sgd": 1 - 0.1 * 0.5,
        "rmsprop": 1 - 0.1 * 0.5 / math.sqrt(0.1 * 0.25 + 1e-7),
        "adam": 1 - 0.1 * math.sqrt(0.001) / 0.1 * 0.05 / (math.sqrt(0.001 * 0.25) + 1e-7),
        "adamax": 1 - 0.1 * 0.05 / (0.1 * (0.5 + 1e-7)),
        "adagrad": 1 - 0.1 * 0.5 / math.sqrt(0.1 + 0.25 + 1e-7),
        "adadelta": 1 - 0.1 * math.sqrt(1e-7) / math.sqrt(0.05 * 0.25 + 1e-7) * 0.5,
        "lion": 1 - 0.1,
    }
    for rule, value in expected.items():
        weight = w.copy()
        reference.Optimizer(rule, 0.1).apply([weight], [g])
        assert weight == pytest.approx([value], rel=tolerances.BY_HAND), rule


def test_common_tail_by_hand() -> None:
    w, v = np.array([3.0, 4.0]), np.array([1.0])
    reference.Optimizer("sgd", 1.0, clipnorm=1.0).apply([w, v], [np.array([3.0, 4.0]), np.array([0.5])])
    tolerances.close(w, [2.4, 3.2], tolerances.BY_HAND)
    tolerances.close(v, [0.5], tolerances.BY_HAND)
    w, v = np.array([3.0]), np.array([4.0])
    reference.Optimizer("sgd", 1.0, global_clipnorm=1.0, weight_decay=0.5).apply(
        [w, v], [np.array([3.0]), np.array([4.0])]
    )
    tolerances.close(w, [3 - 1.5 - 0.6], tolerances.BY_HAND)
    tolerances.close(v, [4 - 2 - 0.8], tolerances.BY_HAND)
    w = np.array([1.0])
    optimizer = reference.Optimizer("sgd", 1.0, gradient_accumulation_steps=2)
    optimizer.apply([w], [np.array([1.0])])
    assert w == [1.0]
    optimizer.apply([w], [np.array([3.0])])
    assert w == [-1.0]
    optimizer = reference.Optimizer("sgd", 1.0, use_ema=True, ema_momentum=0.5)
    optimizer.apply([w], [np.array([1.0])])
    optimizer.apply([w], [np.array([2.0])])
    assert (w, optimizer.averages[0]) == ([-4.0], [-3.0])


# Keras 3.15 adds up all cumulated sums for sparsemax's threshold: its rows do not add up to 1. We follow the paper.
DIFFERING_ACTIVATIONS = {"sparsemax"}
# PyTorch multiplies by 1/6 in float32 even here.
ROUNDED_GRADIENTS = {"hard_sigmoid"}


def native_activation(case: dict[str, Any]) -> tuple[str, tuple[float, ...]]:
    """Translate Keras's name and arguments into kind and parameters."""
    name, given = case["activation"], case["arguments"]
    if name == "relu":
        return name, (given.get("negative_slope", 0.0), given.get("max_value", math.inf), given.get("threshold", 0.0))
    if name == "leaky_relu":
        return "relu", (given.get("negative_slope", 0.2), math.inf, 0.0)
    if name == "relu6":
        return "relu", (0.0, 6.0, 0.0)
    if name == "gelu":
        return ("gelu_tanh" if given.get("approximate") else "gelu"), ()
    return name, tuple(given.values())


@pytest.mark.parametrize("name", sorted(load("activations").cases.keys() - DIFFERING_ACTIVATIONS))
def test_activation_is_keras(name: str) -> None:
    vectors = load("activations")
    kind, parameters = native_activation(vectors.cases[name])
    z = vectors("inputs", "z")
    a = reference.activate(kind, z, parameters)
    dz = reference.activation_backward(kind, vectors("inputs", "da")[:, : a.shape[1]], z, parameters)
    tolerances.close(a, vectors(name, "float64", "a"), tolerances.REFERENCE_FLOAT64)
    if name not in ROUNDED_GRADIENTS:
        tolerances.close(dz, vectors(name, "float64", "dz"), tolerances.REFERENCE_FLOAT64)


def oracle_name(class_name: str) -> str:
    """Turn losses.MeanSquaredError into mean_squared_error."""
    name = class_name.rsplit(".", 1)[-1]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("kldivergence", "kl_divergence")


@pytest.mark.parametrize("name", sorted(load("losses").cases))
def test_loss_is_keras(name: str) -> None:
    vectors = load("losses")
    loss = vectors.cases[name]["loss"]
    y, p, weight = vectors(name, "y"), vectors(name, "p"), vectors("inputs", "sample_weight")
    options = loss["arguments"]
    values = reference.loss_values(oracle_name(loss["object"]), y, p, **options)
    gradient = reference.loss_gradient(oracle_name(loss["object"]), y, p, **options)
    counted = None if options.get("ignore_class") is None else y != options["ignore_class"]
    tolerance = tolerances.REFERENCE_FLOAT64
    tolerances.close(values, vectors(name, "float64", "plain", "values"), tolerance)
    for key, sample_weight in (("plain", None), ("weighted", weight)):
        c = reference.row_weights(len(y), sample_weight, counted=counted)
        recorded = vectors(name, "float64", key, "reduced")
        tolerances.close(c @ values, recorded[0], tolerance)
        tolerances.close(c[:, None] * gradient, vectors(name, "float64", key, "gradient"), tolerance)
        total = reference.row_weights(len(y), sample_weight, "sum")
        tolerances.close(total @ values, recorded[1], tolerance)
    if counted is None:
        c = reference.row_weights(len(y), weight, "mean_with_sample_weight")
        tolerances.close(c @ values, recorded[2], tolerance)


def oracle_optimizer(description: dict[str, Any]) -> reference.Optimizer:
    """Translate an optimizer without schedule: the common tail by field, the rest as options of the rule."""
    arguments = dict(description["arguments"])
    arguments.pop("loss_scale_factor", None)
    tail = {f.name for f in dataclasses.fields(reference.Optimizer)} - {"options"}
    options = {key: arguments.pop(key) for key in list(arguments) if key not in tail}
    rule = description["object"].rsplit(".", 1)[-1].lower()
    if rule in ("adamw", "muon"):
        arguments.setdefault("weight_decay", 0.004)
    if rule == "muon":
        excluded = options.pop("exclude_layers", None)
        options["is_matrix"] = lambda w: w.shape == (5, 7) or (w.ndim == 2 and not excluded)
    return reference.Optimizer(rule, options=options, **arguments)


def optimizer_names() -> list[str]:
    cases = load("optimizers").cases
    return sorted(n for n in cases if not isinstance(cases[n]["optimizer"]["arguments"]["learning_rate"], dict))


@pytest.mark.parametrize("name", optimizer_names())
def test_optimizer_is_keras(name: str) -> None:
    vectors = load("optimizers")
    case = vectors.cases[name]
    weights = split(vectors(name, "initial").copy(), [np.empty(shape) for shape in ((5, 7), (7,), (7, 3), (3,))])
    layers = [reference.Layer(weights[0], weights[1], "tanh"), reference.Layer(weights[2], weights[3], "softmax")]
    optimizer = oracle_optimizer(case["optimizer"])
    decayed = [w.ndim == 2 for w in weights] if "exclude_from_weight_decay" in case else None
    decayed = [is_matrix(w) for w in weights] if (is_matrix := optimizer.options.get("is_matrix")) else decayed
    x, y = vectors("inputs", "x"), vectors("inputs", "y")
    slices = batches(len(x), int(vectors.source["batch_size"]))
    losses, snapshots = [], []
    for step in range(max(SNAPSHOTS)):
        rows = slices[step % len(slices)]
        result = reference.mlp_backward(layers, x[rows], y[rows], "categorical_crossentropy")
        losses.append(result.loss)
        optimizer.apply(weights, reference.mlp_gradients(layers, result), decayed=decayed)
        if step + 1 in SNAPSHOTS:
            snapshots.append(flat(weights))
    tolerances.close(losses, vectors(name, "float64", "losses"), tolerances.REFERENCE_FLOAT64)
    tolerances.close(snapshots, vectors(name, "float64", "weights"), tolerances.REFERENCE_FLOAT64)


@pytest.mark.parametrize("name", sorted(load("penalties").cases))
def test_penalty_is_keras(name: str) -> None:
    vectors = load("penalties")
    w, case = vectors("inputs", "w"), vectors.cases[name]
    if "constraint" in case:
        constraint = reference.CONSTRAINTS[oracle_name(case["constraint"]["object"])]
        result = constraint(w, **case["constraint"]["arguments"])
        tolerances.close(result, vectors(name, "float64", "result"), tolerances.REFERENCE_FLOAT64)
        return
    defaults = {"l1": {"l1": 0.01}, "l2": {"l2": 0.01}}
    arguments = defaults.get(name, {}) | case["regularizer"]["arguments"]
    orthogonal = "orthogonal" in name
    penalty = reference.orthogonal_penalty if orthogonal else reference.l1_l2_penalty
    gradient = reference.orthogonal_gradient if orthogonal else reference.l1_l2_gradient
    tolerances.close(penalty(w, **arguments), vectors(name, "float64", "value"), tolerances.REFERENCE_FLOAT64)
    tolerances.close(gradient(w, **arguments), vectors(name, "float64", "gradient"), tolerances.REFERENCE_FLOAT64)
