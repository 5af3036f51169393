"""src/simd/quads.h and its tables: what rows become in 8 bits, and exact sums on every instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import cnn_core._core as _core
from cnn_core.models.quantization import QuantizedKernel
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


@contextmanager
def chosen(instruction_set: str, int8: str) -> Iterator[None]:
    """Compute with this instruction set, and with this way to multiply 8 bits beside it."""
    before = _core.instruction_set(), _core.int8()
    _core.select_instruction_set(instruction_set)
    _core.select_int8(int8)
    try:
        yield
    finally:
        _core.select_instruction_set(before[0])
        _core.select_int8(before[1])


def every_way() -> list[tuple[str, str]]:
    """Return each instruction set with each way that can run beside it."""
    found = []
    before = _core.instruction_set(), _core.int8()
    for name in _core.instruction_sets():
        _core.select_instruction_set(name)
        found += [(name, way) for way in _core.int8_ways()]
    _core.select_instruction_set(before[0])
    _core.select_int8(before[1])
    return found


WAYS = pytest.mark.parametrize("way", every_way(), ids="-".join)
SIZES = [(1, 1, 1), (1, 7, 33), (3, 4, 8), (5, 784, 40), (37, 1300, 129), (130, 65, 300), (15, 2, 17), (64, 5123, 3)]


def whole_numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return numbers of 8 bits; the largest stands in every row and column, so that a row's unit is 1."""
    drawn = np.random.default_rng(seed).integers(-127, 128, shape)
    drawn[:, 0] = 127
    return drawn


def quantized(w: np.ndarray, factors: np.ndarray | None = None, units: np.ndarray | None = None) -> QuantizedKernel:
    """Return whole numbers as a kernel in 8 bits."""
    n_in, n_out = w.shape
    rows = np.zeros((-(-n_in // 4) * 4, n_out), "int8")
    rows[:n_in] = w
    quads = rows.reshape(-1, 4, n_out).transpose(0, 2, 1).copy().view("int32")[..., 0].copy()
    ones = [np.ones(n, "float32") if own is None else own for n, own in ((n_in, factors), (n_out, units))]
    return QuantizedKernel(quads, ones[0], rows.sum(axis=0, dtype="int32"), ones[1])


def network(n_in: int, n_out: int, activation: str = "linear") -> _core.Network:
    """Return a native dense layer whose kernel of floats is NaN, to be replaced by one in 8 bits."""
    plan = NetworkPlan()
    kernel = Variable(np.full((n_in, n_out), np.nan, "float32"))
    plan.add("dense", [plan.add_input((n_in,))], (n_out,), layer="dense", variables=[kernel, None], integers=[2])
    limits = (0.0, np.inf, 0.0) if activation == "relu" else ()
    plan.operations[0] = plan.operations[0]._replace(activation=activation, activation_parameters=limits)
    plan.outputs = [plan.operations[0].output]
    return bound_network(plan, "float32", values=[kernel.numpy()])


def product(
    x: np.ndarray, kernel: QuantizedKernel, bias: np.ndarray | None = None, activation: str = "linear"
) -> np.ndarray:
    n_in, n_out = x.shape[1], kernel.quads.shape[1]
    built = network(n_in, n_out, activation)
    built.keep_quantized(0, *kernel, np.zeros(n_out, "float32") if bias is None else bias)
    out = np.empty((len(x), n_out), "float32")
    built.predict([np.ascontiguousarray(x, "float32")], [out])
    return out


def test_8_bits_can_be_multiplied_on_every_machine():
    assert ("portable", "plain") in every_way()
    assert {(name, "tiles") for name in _core.instruction_sets()} <= set(every_way())


@WAYS
@pytest.mark.parametrize("sizes", SIZES)
def test_sums_of_whole_numbers_are_exact(way: tuple[str, str], sizes: tuple[int, int, int]):
    n, n_in, n_out = sizes
    x, w = whole_numbers((n, n_in), 1), whole_numbers((n_in, n_out), 2)
    with chosen(*way):
        found = product(x, quantized(w))
    np.testing.assert_array_equal(found, (x @ w).astype("float32"))


@WAYS
def test_the_largest_sums_do_not_overflow(way: tuple[str, str]):
    x, w = np.full((2, 1 << 16), 127), np.full((1 << 16, 3), -127)
    x[1] *= -1
    with chosen(*way):
        np.testing.assert_array_equal(product(x, quantized(w)), (x @ w).astype("float32"))


@WAYS
def test_every_row_is_rounded_by_its_own_unit_and_ties_go_to_even(way: tuple[str, str]):
    """With w the identity, y tells what x became."""
    rows = np.array([[127, 0.5, 1.5, -0.5, -2.5, 126.49, -126.51], [0, -254, 3, 4.9, 5.1, 1, -1]], "float32")
    expected = np.array([[127, 0, 2, 0, -2, 126, -127], [0, -254, 4, 4, 6, 0, 0]], "float32")
    with chosen(*way):
        np.testing.assert_array_equal(product(rows, quantized(np.eye(7, dtype=int))), expected)


@WAYS
def test_rows_of_zeros_and_denormals_count_as_zero_and_what_is_not_finite_stays_in_its_row(way: tuple[str, str]):
    rows = np.ones((5, 6), "float32")
    rows[0], rows[1] = 0, 1e-40
    rows[2, 3], rows[3, 5] = np.nan, -np.inf
    bias = np.arange(4, dtype="float32")
    with chosen(*way):
        found = product(rows, quantized(np.ones((6, 4), int)), bias)
    np.testing.assert_array_equal(found, [bias, bias, [np.nan] * 4, [np.nan] * 4, bias + 6])


@WAYS
def test_factors_units_bias_and_relu(way: tuple[str, str]):
    x, w = whole_numbers((9, 21), 3), whole_numbers((21, 35), 4)
    factors = (2.0 ** np.random.default_rng(5).integers(-3, 4, 21)).astype("float32")
    units = (2.0 ** np.random.default_rng(6).integers(-9, 2, 35)).astype("float32")
    bias = np.random.default_rng(7).integers(-500, 500, 35).astype("float32")
    exact = (x @ w).astype("float32") * units + bias
    with chosen(*way):
        kernel = quantized(w, factors, units)
        np.testing.assert_array_equal(product(x / factors, kernel, bias), exact)
        np.testing.assert_array_equal(product(x / factors, kernel, bias, "relu"), np.maximum(exact, 0))


@pytest.mark.parametrize("sizes", SIZES)
def test_all_ways_give_the_same_bits(sizes: tuple[int, int, int]):
    n, n_in, n_out = sizes
    rng = np.random.default_rng(sizes)
    x, bias = rng.normal(size=(n, n_in)).astype("float32"), rng.normal(size=n_out).astype("float32")
    kernel = quantized(
        whole_numbers((n_in, n_out), 8),
        rng.uniform(0.1, 3, n_in).astype("float32"),
        rng.uniform(1e-3, 1e-2, n_out).astype("float32"),
    )
    results = []
    for way in every_way():
        with chosen(*way):
            results.append(product(x, kernel, bias))
            np.testing.assert_array_equal(product(x[:1], kernel, bias), results[-1][:1])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_without_a_kernel_in_8_bits_the_floats_are_used():
    plan = NetworkPlan()
    kernel = Variable(np.ones((3, 2), "float32"))
    plan.add("dense", [plan.add_input((3,))], (2,), layer="dense", variables=[kernel, None], integers=[2])
    plan.outputs = [plan.operations[0].output]
    out = np.empty((1, 2), "float32")
    bound_network(plan, "float32", values=[kernel.numpy()]).predict([np.full((1, 3), 0.3, "float32")], [out])
    np.testing.assert_allclose(out, [[0.9, 0.9]], rtol=1e-6)


@pytest.mark.parametrize("wrong", range(5))
def test_a_kernel_of_another_size_is_refused(wrong: int):
    arrays = [*quantized(np.ones((6, 4), int)), np.zeros(4, "float32")]
    arrays[wrong] = arrays[wrong].reshape(-1)[:-1].copy()
    with pytest.raises(ValueError, match=r"expected \d+ elements"):
        network(6, 4).keep_quantized(0, *arrays)


@pytest.mark.parametrize("index", [-1, 1])
def test_an_operation_that_does_not_compute_in_int8_is_refused(index: int):
    with pytest.raises(ValueError, match=f"operation {index} does not compute in int8"):
        network(6, 4).keep_quantized(index, *quantized(np.ones((6, 4), int)), np.zeros(4, "float32"))


def test_more_inputs_than_sums_have_room_for_are_refused():
    with pytest.raises(ValueError, match="the sizes of operation dense do not fit"):
        network((1 << 16) + 1, 1)


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 32, 33, 70])
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 31, 32, 33])
def test_tiles_in_plain_c_take_blocks_of_any_size(rows: int, columns: int):
    """Beside the widest panels, so that all four sums of a block are used; 67 is a step of 16 quads and a rest."""
    x, w = whole_numbers((rows, 67), 9), whole_numbers((67, columns), 10)
    with chosen(_core.instruction_sets()[0], "tiles"):
        np.testing.assert_array_equal(product(x, quantized(w)), (x @ w).astype("float32"))


def test_a_predictor_does_not_change_what_was_chosen_by_name():
    for way in every_way():
        with chosen(*way):
            product(np.ones((2, 3)), quantized(np.ones((3, 2), int)))
            assert _core.int8() == way[1]


def test_the_environment_chooses():
    way = every_way()[-1]
    show = "import cnn_core._core as c; print(c.instruction_set(), c.int8())"
    environment = {**os.environ, "CNN_CORE_ISA": way[0], "CNN_CORE_INT8": way[1]}
    assert subprocess.check_output([sys.executable, "-c", show], env=environment, text=True).split() == [*way]


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match=r"CNN_CORE_INT8 must be one of .*\. Received: 'vnni'"):
        _core.select_int8("vnni")
