"""Rules that look at whole tensors, and those that could divide by nothing: tensors of all shapes, threads, files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
import reference
import tolerances
from cnn_core.network.parameters import ParameterVector, native_optimizer
from cnn_core.network.variables import Variable
from cnn_core.optimizers import Adafactor, Ftrl, Lamb, Muon, Optimizer, ScheduleFreeAdamW

RULES = {"ftrl": Ftrl, "schedulefreeadamw": ScheduleFreeAdamW, "lamb": Lamb, "adafactor": Adafactor, "muon": Muon}
SHAPES: tuple[tuple[int, ...], ...] = ((5, 3), (3,), (1, 9), (9, 1), (1,), (2, 3, 5), (40, 17), (17, 40), (6, 6), (33,))
STEPS = 12


def drawn(shapes: Sequence[tuple[int, ...]], seed: int, dtype: str = "float64") -> list[Any]:
    generator = np.random.default_rng(seed)
    return [generator.normal(0.1, 0.5, shape).astype(dtype) for shape in shapes]


def stepped(optimizer: Optimizer, dtype: str, gradients: Sequence[list[Any]], start: list[Any]) -> list[Any]:
    """Return weights after steps from given gradients."""
    variables = [Variable(w.astype(dtype), name=f"v{i}", path=f"layer/v{i}") for i, w in enumerate(start)]
    vector = ParameterVector(variables, np.dtype(dtype))
    for step, given in enumerate(gradients):
        for view, gradient in zip(vector.split(vector.gradients), given, strict=True):
            view[...] = gradient
        assert native_optimizer(vector, optimizer).step(optimizer.learning_rate, step)
        optimizer.batches_seen += 1
    return [variable.numpy() for variable in variables]


@pytest.fixture(params=_core.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Any:
    before = _core.instruction_set()
    _core.select_instruction_set(request.param)
    yield
    _core.select_instruction_set(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_tensors_of_all_shapes_are_stepped_as_by_the_reference(rule: str, dtype: str, instruction_set: None) -> None:
    start = drawn(SHAPES, 0)
    gradients = [drawn(SHAPES, 1 + step) for step in range(STEPS)]
    weights = [w.copy() for w in start]
    oracle = reference.Optimizer(rule, 0.01, weight_decay=0.02)
    options = {"adam_weight_decay": 0.02} if rule == "muon" else {}
    if rule == "muon":
        oracle.options = {"adam_weight_decay": 0.0}
    for given in gradients:
        oracle.apply(weights, given)
    actual = stepped(RULES[rule](0.01, weight_decay=0.02, **options), dtype, gradients, start)
    for shape, w, wanted in zip(SHAPES, actual, weights, strict=True):
        tolerances.close(w, wanted, tolerances.golden(dtype), f"shape {shape}")


@pytest.mark.parametrize("rule", RULES)
def test_many_threads_give_the_bits_of_one(rule: str) -> None:
    shapes = ((300, 200), (200,), (200, 310), (40, 7))
    start, gradients = drawn(shapes, 0, "float32"), [drawn(shapes, 1 + step, "float32") for step in range(3)]
    before = cnn_core.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            cnn_core.set_num_threads(threads)
            results.append(stepped(RULES[rule](0.01), "float32", gradients, start))
    finally:
        cnn_core.set_num_threads(before)
    for other in results[1:]:
        assert all(w.tobytes() == wanted.tobytes() for w, wanted in zip(other, results[0], strict=True))


@pytest.mark.parametrize("rule", RULES)
def test_training_goes_on_after_loading_as_if_it_had_never_stopped(rule: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(32, 5)).astype("float32"), generator.normal(size=(32, 3)).astype("float32")
    layers = [cnn_core.Input((5,)), cnn_core.layers.Dense(7, "tanh"), cnn_core.layers.Dense(3)]
    model = cnn_core.Sequential(layers)
    model.compile(RULES[rule](0.02, use_ema=True, gradient_accumulation_steps=2), loss="mse")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.load_model(tmp_path / "model.safetensors")
    for each in (model, again):
        each.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert all(ours.tobytes() == w.tobytes() for ours, w in zip(again.get_weights(), model.get_weights(), strict=True))


@pytest.mark.filterwarnings("ignore:there is no gradient")
@pytest.mark.parametrize("rule", RULES)
def test_tensors_without_a_gradient_stay_where_they_are(rule: str) -> None:
    kernel, bias = Variable(np.ones((3, 2)), name="kernel"), Variable(np.ones(2), name="bias")
    optimizer = RULES[rule](0.1)
    optimizer.build([kernel, bias])
    optimizer.apply([np.full((3, 2), 0.5), None])
    assert (kernel.numpy() < 1).all()
    assert (bias.numpy() == 1).all()
    moved = kernel.numpy()
    optimizer.apply([None, np.full(2, 0.5)])
    assert (kernel.numpy() == moved).all()
    assert (bias.numpy() < 1).all()


def test_a_learning_rate_of_nothing_leaves_ftrl_as_it_is() -> None:
    start = drawn(SHAPES, 0)
    optimizer = Ftrl(0.0, weight_decay=0.1)
    moved = stepped(optimizer, "float64", [drawn(SHAPES, 1)], start)
    assert all((w == was).all() for w, was in zip(moved, start, strict=True))
    assert not optimizer.state["linear"].any()


def test_a_weight_without_gradient_stays_where_nothing_has_been_added_up() -> None:
    nothing = [np.zeros(shape) for shape in SHAPES]
    start = drawn(SHAPES, 0)
    for optimizer in (Ftrl(0.1, initial_accumulator_value=0.0), Adafactor(0.1, epsilon_1=0.0), Lamb(0.1)):
        moved = stepped(optimizer, "float32", [nothing, nothing], start)
        assert all((w == was.astype("float32")).all() for w, was in zip(moved, start, strict=True)), optimizer


def test_the_leaders_weights_within_the_penalty_are_zeros() -> None:
    start, gradients = [np.full(4, 0.0)], [[np.array([0.001, -0.001, 1.0, -1.0])]]
    (w,) = stepped(Ftrl(0.1, l1_regularization_strength=0.01), "float64", gradients, start)
    assert w[:2].tolist() == [0.0, 0.0]
    # z = g, n = 0.1 + 1, w = -(z - l1) lr / sqrt(n)
    assert w[2:] == pytest.approx([-0.099 / math.sqrt(1.1), 0.099 / math.sqrt(1.1)], rel=1e-12)


def test_weights_of_nothing_take_the_plain_step_of_lamb() -> None:
    (w,) = stepped(Lamb(0.1, epsilon=0.0), "float64", [[np.array([2.0, -3.0])]], [np.zeros(2)])
    assert w == pytest.approx([-0.1, 0.1], rel=1e-12)


def test_a_row_of_muon_is_one_singular_value() -> None:
    """Of a matrix of one row the direction is the row over its norm, times the polynomial's value of 1."""
    gradient = np.array([[3.0, -4.0]])
    (w,) = stepped(Muon(1.0, weight_decay=None, ns_steps=1, rms_rate=None), "float64", [[gradient]], [np.zeros((1, 2))])
    assert w == pytest.approx(-(3.4445 - 4.775 + 2.0315) * gradient / 5, rel=1e-6)


def test_embeddings_and_excluded_layers_are_no_matrices_to_muon() -> None:
    optimizer = Muon(exclude_layers=["^output/"], adam_weight_decay=0.5, weight_decay=0.1)
    kernel = Variable(np.zeros((4, 3)), name="kernel", path="dense/kernel")
    output = Variable(np.zeros((4, 3)), name="kernel", path="output/kernel")
    table = Variable(np.zeros((4, 3)), name="embeddings", path="words/embeddings")
    assert [optimizer.matrix_shape(each) for each in (kernel, output, table)] == [(4, 3), (0, 0), (0, 0)]
    assert [optimizer.decay_of(each) for each in (kernel, output, table)] == [0.1, 0.5, 0.5]
    assert Muon(exclude_embeddings=False).matrix_shape(table) == (4, 3)


def test_matrices_that_do_not_make_up_a_tensor_are_refused() -> None:
    values = np.zeros(16)
    for shape in ((0, 3), (3, 5), (16, 16), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match=r"matrices of shape .* do not make up 16 parameters"):
            _core.Optimizer(
                "adafactor", (-0.8, 1e-30, 1e-3, 1.0), cnn_core.network.native.TAIL, [(0, 16, 1, 1, 0)], [],
                [(0, 16, *shape)], values, values.copy(), [values.copy(), values.copy()], None, None,
            )  # fmt: skip
