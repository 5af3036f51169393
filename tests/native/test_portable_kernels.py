"""The portable kernels against NumPy in float64: compiled for this system, and as WebAssembly under Node.

WebAssembly needs emscripten's emcc and node, and is skipped where either is missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from c_compiler import COMPILER
from portable_kernels import KERNELS, ROOT, Kernels, Wide, native_kernels, web_kernels
from reference.activations import ACTIVATIONS, activate, activation_backward
from reference.optimizers import (
    adadelta_step,
    adagrad_step,
    adam_step,
    adamax_step,
    lion_step,
    nadam_step,
    rmsprop_step,
    sgd_step,
)
from reference_random import philox
from tolerances import close, kernel

Array = NDArray[Any]

KINDS = (ROOT / "src" / "simd" / "kinds.h").read_text(encoding="utf-8")
ELEMENTWISE = re.findall(r"DO\([A-Z_0-9]+, (\w+), (?:A|Z|Z_OR_A)\)", KINDS)
FUNCTIONS = {name: int(arity) for name, arity in re.findall(r"DO\([A-Z_0-9]+, (\w+), (\d), (?:SLOPED|FLAT)\)", KINDS)}
BY_ANOTHER_NAME: dict[str, Callable[..., Any]] = {
    "identity": np.positive,
    "stop_gradient": np.positive,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "round": np.rint,
    "erf": lambda a: ACTIVATIONS["gelu"].forward(a * np.sqrt(2)) * np.sqrt(2) / a - 1,
}
RULES_TEXT = (ROOT / "src" / "simd" / "rules.h").read_text(encoding="utf-8")
RULES = re.findall(r'DO\([A-Z_]+, (\w+), "', RULES_TEXT)
HYPERPARAMETERS = re.findall(r"DO\((\w+)\)", RULES_TEXT)
SCALARS = ("lr", "shrink", "epsilon_factor", "nadam_product", "row_scale")
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 67)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    if COMPILER is None:
        pytest.skip("no C compiler")
    with native_kernels(COMPILER, tmp_path_factory.mktemp("native")) as kernels:
        yield kernels


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    emcc = shutil.which("emcc")
    if emcc is None or shutil.which("node") is None:
        pytest.skip("emcc and node are needed")
    with web_kernels(emcc, tmp_path_factory.mktemp("web"), "-msimd128") as kernels:
        yield kernels


@pytest.fixture(params=["native", "web"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> type:
    return request.param


def numbers(shape: int | tuple[int, ...], dtype: DTypeLike, seed: int = 0, low: float = -3, high: float = 3) -> Array:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)


def test_every_kernel_is_in_the_table():
    assert len(KERNELS) >= 28
    assert {"panel_product", "philox_groups"} <= set(KERNELS)


def panel_settings(kernels: Kernels, n_rows: int, n_cols: int, n_k: int, w_k: int, clamp: int) -> Array:
    """Return the struct of that name for plain arrays."""
    layout = [(f"p{i}", kernels.word) for i in range(9)] + [("accumulate", "i4"), ("clamp", "i4")]
    sizes = (n_rows, n_cols, n_k, n_cols, n_k, 1, w_k, 0, 0)
    return np.array([(*sizes, 0, clamp, 0)], [*layout, ("ahead", kernels.word)])


@pytest.mark.parametrize("n_rows", [1, 3, 4, 6, 17])
@pytest.mark.parametrize("clamp", [0, 1])
def test_product_of_a_panel(kernels: Kernels, dtype: type, n_rows: int, clamp: int):
    n_k, width = 13, kernels.panel_width(dtype)
    for n_cols in range(1, width + 1):
        x, w, bias = numbers((n_rows, n_k), dtype, 1), numbers((n_k, n_cols), dtype, 2), numbers(n_cols, dtype, 3)
        y = np.full((n_rows, n_cols), np.nan, dtype)
        settings = panel_settings(kernels, n_rows, n_cols, n_k, n_cols, clamp)
        kernels.call("panel_product", dtype, y, x, w, None, bias, None, settings)
        expected = x.astype(float) @ w.astype(float) + bias
        close(y, np.maximum(expected, 0) if clamp else expected, kernel(dtype) * n_k)


@pytest.mark.parametrize("n_rows", [2, 3])
@pytest.mark.parametrize("clamp", [0, 1])
def test_product_of_two_panels(kernels: Kernels, dtype: type, n_rows: int, clamp: int):
    n_k, width = 13, kernels.panel_width(dtype)
    x, panels = numbers((n_rows, n_k), dtype, 1), numbers((2, n_k, width), dtype, 2)
    bias, y = numbers(2 * width, dtype, 3), np.full((n_rows, 2 * width), np.nan, dtype)
    settings = panel_settings(kernels, n_rows, 2 * width, n_k, width, clamp)
    kernels.call("two_panels_product", dtype, y, x, panels, n_k * width, bias, settings)
    expected = x.astype(float) @ np.concatenate(panels.astype(float), 1) + bias
    close(y, np.maximum(expected, 0) if clamp else expected, kernel(dtype) * n_k)


@pytest.mark.parametrize("n_cols", SIZES)
def test_product_of_a_row(kernels: Kernels, dtype: type, n_cols: int):
    x, w, before = numbers(9, dtype, 1), numbers((9, n_cols), dtype, 2), numbers(n_cols, dtype, 3)
    y = before.copy()
    kernels.call("row_product", dtype, y, x, w, None, n_cols, 9, n_cols, 1, 0.0)
    close(y, np.maximum(before + x.astype(float) @ w.astype(float), 0), kernel(dtype) * 9)


@pytest.mark.parametrize("n", SIZES)
def test_moving_changes_nothing(kernels: Kernels, dtype: type, n: int):
    x = numbers((n, 11), dtype)
    y, order = np.zeros((11, n), dtype), np.random.default_rng(n).permutation(n).astype(np.int64)
    kernels.call("transpose", dtype, y, x, n, 11, n, 11)
    np.testing.assert_array_equal(y, x.T)
    gathered = np.zeros_like(x)
    kernels.call("gather", dtype, gathered, x, order, n, n, 11, 11, 11)
    np.testing.assert_array_equal(gathered, x[order])
    width = kernels.panel_width(dtype)
    packed = np.full((11, width), np.nan, dtype)
    n_cols = min(n, width)
    kernels.call("pack_transposed", dtype, packed, x, 11, n_cols, 11)
    np.testing.assert_array_equal(packed[:, :n_cols], x[:n_cols].T)
    assert np.isnan(packed[:, n_cols:]).all()


@pytest.mark.parametrize("n", SIZES)
def test_sums(kernels: Kernels, dtype: type, n: int):
    x, total = numbers((n, 7), dtype), np.full(7, np.nan, dtype)
    kernels.call("column_sums", dtype, total, x, n, 7, 7, 0)
    close(total, x.sum(0, dtype=float), kernel(dtype) * n)
    row = numbers(n, dtype)
    close(kernels.call("sum_of_squares", dtype, row, n), np.sum(row.astype(float) ** 2), kernel(dtype))
    close(kernels.call("row_sum", dtype, row, n), row.sum(dtype=float), kernel(dtype) * n)
    centred = kernels.call("centred_squares", dtype, row, n, 0.5)
    close(centred, np.sum((row.astype(float) - 0.5) ** 2), kernel(dtype))
    moved = row.copy()
    kernels.call("add_scaled", dtype, moved, row, n, 0.25)
    close(moved, row * 1.25, kernel(dtype))
    kernels.call("scale", dtype, moved, row, n, -0.5)
    np.testing.assert_array_equal(moved, row * dtype(-0.5))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen_wherever_it_stands(kernels: Kernels, dtype: type, number: float):
    x = numbers(19, dtype)
    assert kernels.call("all_finite", dtype, x, 19) == 1
    for i in range(19):
        spoiled = x.copy()
        spoiled[i] = number
        assert kernels.call("all_finite", dtype, spoiled, 19) == 0


@pytest.mark.parametrize("n", SIZES)
def test_exponential_logarithm_and_angles(kernels: Kernels, dtype: type, n: int):
    x, y, z = numbers(n, dtype, low=-20, high=20), np.zeros(n, dtype), np.zeros(n, dtype)
    kernels.call("exp", dtype, y, x, n)
    np.testing.assert_allclose(y, np.exp(x.astype(float)), rtol=kernel(dtype))
    kernels.call("log", dtype, z, y, n)
    np.testing.assert_allclose(z, np.log(y.astype(float)), rtol=kernel(dtype))
    turns = numbers(n, dtype, low=0, high=1)
    kernels.call("cosine_sine", dtype, y, z, turns, n)
    close(np.stack([y, z]), [f(2 * np.pi * turns.astype(float)) for f in (np.cos, np.sin)], kernel(dtype))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_activations(kernels: Kernels, dtype: type, name: str):
    z, da, kind = numbers(67, dtype, 1), numbers(67, dtype, 2), ELEMENTWISE.index(name)
    parameters = np.array([*ACTIVATIONS[name].parameters, 0, 0, 0][:3], dtype)
    a, delta = np.zeros_like(z), np.zeros_like(z)
    kernels.call("activation_forward", dtype, a, z, 67, kind, parameters)
    kernels.call("activation_backward", dtype, delta, da, z, a, 67, kind, parameters)
    close(a, activate(name, z), kernel(dtype), name)
    close(delta, activation_backward(name, da, z), kernel(dtype), name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(kernels: Kernels, dtype: type, name: str):
    low, high = (1.0, 4.0) if name == "arccosh" else (0.05, 0.95)
    operands = [numbers(67, dtype, seed, low, high) for seed in range(FUNCTIONS[name])]
    y = np.zeros(67, dtype)
    kernels.call(
        "function_forward", dtype, y, *operands, *[None] * (3 - len(operands)), 67, list(FUNCTIONS).index(name)
    )
    oracle = BY_ANOTHER_NAME.get(name) or getattr(np, name)
    close(y, oracle(*(each.astype(float) for each in operands)), kernel(dtype), name)


@pytest.mark.parametrize("n_cols", SIZES)
def test_softmax(kernels: Kernels, dtype: type, n_cols: int):
    z = numbers((5, n_cols), dtype, low=-30, high=30)
    a, log_sum = np.zeros_like(z), np.zeros(5, dtype)
    kernels.call("softmax", dtype, a, log_sum, z, 5, n_cols, n_cols, n_cols)
    close(a, activate("softmax", z), kernel(dtype))
    close(log_sum, np.logaddexp.reduce(z.astype(float), axis=1), kernel(dtype))


@pytest.mark.parametrize("n_cols", SIZES)
def test_normalization(kernels: Kernels, dtype: type, n_cols: int):
    x, dy = numbers((6, n_cols), dtype, 1), numbers((6, n_cols), dtype, 2)
    mean, variance, total, product = np.zeros((4, n_cols))
    kernels.call("column_moments", dtype, mean, variance, x, 6, n_cols, n_cols)
    close(mean, x.mean(0, dtype=float), kernel(dtype))
    close(variance, x.astype(float).var(0), kernel(dtype))
    kernels.call("column_products", dtype, total, product, dy, x, mean, 6, n_cols, n_cols, n_cols)
    close(total, dy.sum(0, dtype=float), kernel(dtype))
    close(product, np.sum(dy.astype(float) * (x - mean), axis=0), kernel(dtype))
    centre, factor, offset, y = (
        numbers(n_cols, dtype, 3),
        numbers(n_cols, dtype, 4),
        numbers(n_cols, dtype, 5),
        x.copy(),
    )
    kernels.call("normalize_columns", dtype, y, x, centre, factor, offset, 6, n_cols, n_cols, n_cols)
    close(y, (x.astype(float) - centre) * factor + offset, kernel(dtype))
    row = np.zeros(n_cols, dtype)
    kernels.call("normalize_row", dtype, row, x, factor, offset, n_cols, 0.25, 2.0)
    close(row, (x[0].astype(float) - 0.25) * 2 * factor + offset, kernel(dtype))


STEPS: dict[str, tuple[Callable[..., None], dict[str, float], int, float]] = {
    "sgd": (sgd_step, {"momentum": 0.9, "nesterov": 1}, 1, 0.0),
    "rmsprop": (rmsprop_step, {"rho": 0.9, "momentum": 0.5, "epsilon": 1e-7, "centered": 1}, 3, 0.0),
    "adam": (adam_step, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": 1}, 3, 0.0),
    "nadam": (nadam_step, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}, 2, 0.0),
    "adamax": (adamax_step, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}, 2, 0.0),
    "adagrad": (adagrad_step, {"epsilon": 1e-7}, 1, 0.1),
    "adadelta": (adadelta_step, {"rho": 0.95, "epsilon": 1e-7}, 2, 0.0),
    "lion": (lion_step, {"beta_1": 0.9, "beta_2": 0.99}, 1, 0.0),
}


@pytest.mark.parametrize("name", STEPS)
def test_ten_steps_of_an_optimizer(kernels: Kernels, dtype: type, name: str):
    step, options, n_slots, start = STEPS[name]
    w = numbers(67, dtype)
    expected, state, slots = w.astype(float), {}, [np.full(67, start, dtype) for _ in range(n_slots)]
    h = np.array([options.get(each, 0.0) for each in HYPERPARAMETERS])
    product = 1.0
    for t in range(1, 11):
        g = numbers(67, dtype, t)
        product *= 0.9 * (1 - 0.5 * 0.96**t)
        scalars = np.array([(0.01, 1.0, 1.0, product, 0.0, t)], [*((each, "f8") for each in SCALARS), ("t", "i8")])
        kernels.call("optimizer_step", dtype, w, slots, g.copy(), 67, RULES.index(name), h, scalars)
        step(expected, g.astype(float), state, 0.01, t, **options)
    close(w, expected, 10 * kernel(dtype), name)


def test_random_words_are_those_of_philox(kernels: Kernels):
    words = np.zeros(3 * 64, np.uint32)
    kernels.call("philox_groups", np.float32, words, Wide(5), 3, Wide(2**40 + 7), Wide(2**63 + 11))
    counter = np.zeros((48, 4), np.uint64)
    counter[:, 0], counter[:, 2], counter[:, 3] = np.arange(80, 128), 7, 2**8
    expected = philox(counter, 2**63 + 11).reshape(3, 16, 4).transpose(0, 2, 1).ravel()
    np.testing.assert_array_equal(words, expected)
