"""The dense layer on sparse rows: against x . w + b and x^T . delta written out in float64; wild indices."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import cnn_core._core as _core
import tolerances
from cnn_core import layers, optimizers
from cnn_core.data.rows import SparseRows

sparse = pytest.importorskip("scipy.sparse")

# One below, at and above a vector and a thread's share of columns.
UNITS = [1, 3, 7, 8, 15, 16, 17, 63, 64, 65, 130]


@pytest.fixture
def threads():
    before = cnn_core.get_num_threads()
    yield
    cnn_core.set_num_threads(before)


def draw(n: int, n_in: int, n_out: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw x with empty rows and columns, w, b and y."""
    generator = np.random.default_rng([n, n_in, n_out])
    x = generator.normal(size=(n, n_in)) * (generator.random((n, n_in)) < 0.3)
    x[n // 2 :: 3] = 0
    x[:, n_in // 2] = 0
    shapes = [(n_in, n_out), (n_out,), (n, n_out)]
    return x.astype(dtype), *[generator.normal(size=shape).astype(dtype) for shape in shapes]  # type: ignore[return-value]


def dense_layer(w: np.ndarray, b: np.ndarray, **options: object) -> cnn_core.Sequential:
    """One linear layer, trained by plain gradient descent with a rate of 1 on the mean of squared errors."""
    layer = layers.Dense(w.shape[1], dtype=w.dtype.name, **options)
    model = cnn_core.Sequential([cnn_core.Input((w.shape[0],)), layer])
    model.set_weights([w, b] if layer.use_bias else [w])
    model.compile(optimizers.SGD(1.0), "mse")
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_out", UNITS)
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 50])
def test_product_is_x_w_plus_b(instruction_set, n, n_out, dtype):
    x, w, b, _ = draw(n, 11, n_out, dtype)
    wanted = x.astype(np.float64) @ w.astype(np.float64)
    rows = sparse.csr_matrix(x)
    tolerances.close(dense_layer(w, b).predict(rows), wanted + b, tolerances.kernel(dtype))
    tolerances.close(dense_layer(w, b, use_bias=False).predict(rows), wanted, tolerances.kernel(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_out", UNITS)
@pytest.mark.parametrize("n", [1, 2, 17, 50])
def test_gradient_is_x_transposed_delta(instruction_set, n, n_out, dtype):
    x, w, b, y = draw(n, 11, n_out, dtype)
    model = dense_layer(np.zeros_like(w), np.zeros_like(b))  # so that the weights after one step are -dw and -db
    model.fit(sparse.csr_matrix(x), y, batch_size=n, epochs=1, verbose=0)
    delta = -2 * y.astype(np.float64) / y.size
    dw, db = (-part for part in model.get_weights())
    tolerances.close(dw, x.astype(np.float64).T @ delta, tolerances.kernel(dtype))
    tolerances.close(db, delta.sum(axis=0), tolerances.kernel(dtype))


def test_gradient_is_the_central_difference():
    x, w, b, y = draw(6, 5, 3, "float64")
    rows = sparse.csr_matrix(x)

    def loss(kernel: np.ndarray) -> float:
        return dense_layer(kernel, b, activation="tanh").evaluate(rows, y, verbose=0)

    model = dense_layer(w, b, activation="tanh")
    model.train_on_batch(rows, y)
    gradient = w - model.get_weights()[0]
    h = tolerances.DIFFERENCE_STEP
    for where in np.ndindex(*w.shape):
        step = np.zeros_like(w)
        step[where] = h
        difference = (loss(w + step) - loss(w - step)) / (2 * h)
        assert gradient[where] == pytest.approx(
            difference, rel=tolerances.GRADIENT_CHECK, abs=tolerances.GRADIENT_CHECK
        )


def test_case_worked_by_hand():
    """x = [[0, 2], [0, 0], [3, 0]], w = [[1], [-2]], b = 0.5, y = 0: z = (-3.5, 0.5, 3.5).

    J = (12.25 + 0.25 + 12.25) / 3 and delta = 2 z / 3, so that dw = (3 * 7 / 3, 2 * -7 / 3) and db = 1 / 3.
    """
    rows = SparseRows(np.array([2.0, 3.0]), np.array([1, 0], np.int32), np.array([0, 1, 1, 2]), 2)
    x = sparse.csr_matrix((rows.data, rows.indices, rows.indptr), shape=(3, 2))
    model = dense_layer(np.array([[1.0], [-2.0]]), np.array([0.5]))
    assert model.predict(x).ravel().tolist() == [-3.5, 0.5, 3.5]
    loss = model.train_on_batch(x, np.zeros((3, 1)))
    assert loss == pytest.approx(24.75 / 3, rel=tolerances.BY_HAND)
    tolerances.close(model.get_weights()[0].ravel(), np.array([1 - 7, -2 + 14 / 3]), tolerances.BY_HAND)
    tolerances.close(model.get_weights()[1], np.array([0.5 - 1 / 3]), tolerances.BY_HAND)


@given(st.data(), st.integers(1, 8), st.integers(1, 6))
def test_any_order_and_any_repetition_of_columns(choose, n, width):
    lengths = choose.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    indptr, stored = np.cumsum([0, *lengths]), sum(lengths)
    indices = choose.draw(st.lists(st.integers(0, width - 1), min_size=stored, max_size=stored))
    values = np.arange(1.0, stored + 1)
    x = np.zeros((n, width))
    for row in range(n):
        for at in range(indptr[row], indptr[row + 1]):
            x[row, indices[at]] += values[at]
    rows = sparse.csr_matrix((values, np.array(indices, int), indptr), shape=(n, width))
    _, w, b, y = draw(n, width, 2, "float64")
    model, arrays = dense_layer(w, b), dense_layer(w, b)
    wanted = x @ w + b
    tolerances.close(model.predict(rows), wanted, tolerances.KERNEL_FLOAT64)
    for each, given_x in ((model, rows), (arrays, x)):
        each.fit(given_x, y, batch_size=3, epochs=1, shuffle=False, verbose=0)
    tolerances.close(model.get_weights()[0], arrays.get_weights()[0], tolerances.GOLDEN_FLOAT64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_change_no_bit(threads, dtype):
    x, w, b, y = draw(400, 70, 130, dtype)
    rows = sparse.csr_matrix(x)
    found = []
    for width in (1, 2, 5):
        cnn_core.set_num_threads(width)
        model = dense_layer(w, b, activation="tanh")
        cnn_core.utils.set_random_seed(3)
        model.fit(rows, y, batch_size=200, epochs=3, verbose=0)
        found.append([*model.get_weights(), model.predict(rows)])
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


# What nobody who goes through cnn_core.data can pass


def bound_network(units: int = 4) -> tuple[_core.Network, np.ndarray]:
    model = dense_layer(np.ones((3, units)), np.zeros(units))
    return model._ready_network(), np.empty((2, units))


@pytest.mark.parametrize(
    ("indices", "indptr", "wanted"),
    [
        ([0, 2], [0, 1, 2], [5, 7]),
        ([0, 3], [0, 1, 2], [5, 0]),
        ([-1, 2], [0, 1, 2], [0, 7]),
        ([2**31 - 1, -(2**31)], [0, 1, 2], [0, 0]),
        ([0, 2], [0, 1, 2**40], [5, 7]),
        ([0, 2], [-(2**40), 1, 2], [5, 7]),
        ([0, 2], [0, 2, 1], [12, 0]),
    ],
)
def test_wild_indices_count_for_nothing(indices, indptr, wanted):
    network, out = bound_network()
    network.predict([SparseRows(np.array([5.0, 7.0]), np.array(indices, np.int32), np.array(indptr), 3)], [out])
    np.testing.assert_array_equal(out, np.repeat(np.array(wanted, float)[:, None], 4, axis=1))


def test_fewer_values_than_indices_are_all_there_is():
    network, out = bound_network()
    network.predict([SparseRows(np.array([5.0]), np.array([0, 2], np.int32), np.array([0, 1, 2]), 3)], [out])
    assert out[:, 0].tolist() == [5, 0]


@pytest.mark.parametrize(
    "parts",
    [
        {"data": np.ones(2, np.float32)},
        {"indices": np.zeros(2, np.int64)},
        {"indptr": np.zeros(3, np.int32)},
        {"indices": [0, 1]},
        {"indices": np.zeros(4, np.int32)[::2]},
    ],
)
def test_arrays_of_other_types_are_refused(parts):
    network, out = bound_network()
    good = {"data": np.ones(2), "indices": np.zeros(2, np.int32), "indptr": np.array([0, 1, 2])}

    class Rows(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.indptr) - 1

    network.predict([Rows(**good)], [out])
    with pytest.raises(TypeError, match=r"^expected an aligned, C-contiguous array of (float64|int32|int64)"):
        network.predict([Rows(**(good | parts))], [out])


def test_only_dense_layers_read_sparse_rows():
    rows = SparseRows(np.ones(1, np.float32), np.zeros(1, np.int32), np.array([0, 1, 1]), 3)
    x = cnn_core.Input((3,))
    branches = layers.Concatenate()([layers.Dense(1)(x), layers.Dropout(0.5)(x)])
    for outputs, readers in ((branches, [False]), (layers.Dense(2)(x), [True]), ([x, layers.Dense(2)(x)], [False])):
        assert cnn_core.Model(x, outputs)._network().takes_sparse == readers
    network = cnn_core.Model(x, branches)._ready_network()
    with pytest.raises(ValueError, match=r"^input 0 cannot be sparse"):
        network.predict([rows], [np.empty((2, 4), np.float32)])


def test_a_pass_keeps_to_one_kind_of_input():
    network, _ = bound_network()
    rows = SparseRows(np.ones(1), np.zeros(1, np.int32), np.array([0, 1, 1]), 3)
    run = _core.Pass(network, [rows], [], [], 2, [], [])
    assert run(0, 1)[0] == "finished"
    with pytest.raises(ValueError, match=r"^input 0 must be sparse or not"):
        run.feed([np.zeros((2, 3))], [], [])
    with pytest.raises(ValueError, match=r"^buffer 0 came as sparse rows"):
        run.value(0)
    with pytest.raises(ValueError, match=r"^there is no gradient with respect to sparse rows"):
        _core.Pass(network, [rows], [], [], 2, [], [], input_gradients=True)
