"""Preprocessing layers: what they learn from data, against NumPy, and inside models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import tolerances
from cnn_core import layers

DATA = np.random.default_rng(6).normal(3.0, 2.0, (50, 3))
GRID = np.random.default_rng(7).normal(3.0, 2.0, (20, 4, 3))


def batches(array: np.ndarray) -> Any:
    """Yield an array piece by piece, the last piece a single row."""
    yield array[:7]
    yield array[7:-1], "a target is ignored"
    yield array[-1:]


@pytest.mark.parametrize("data", [DATA, DATA.tolist(), DATA.astype("float32"), batches(DATA)])
def test_normalization_learns_mean_and_variance(data: Any) -> None:
    layer = layers.Normalization(dtype="float64")
    layer.adapt(data)
    np.testing.assert_allclose(layer.mean.array, DATA.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.variance.array, DATA.var(axis=0), rtol=1e-6)
    assert layer.count.array == 50
    y = layer(DATA)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("axis", "kept"), [(None, (0, 1, 2)), (-1, (0, 1)), (1, (0, 2)), ((1, 2), (0,)), ((-2, 2), (0,))]
)
def test_normalization_keeps_the_axes_asked_for(axis: Any, kept: tuple[int, ...]) -> None:
    layer = layers.Normalization(axis=axis, dtype="float64")
    layer.adapt(GRID)
    mean, deviation = GRID.mean(axis=kept, keepdims=True), GRID.std(axis=kept, keepdims=True)
    tolerances.close(layer(GRID), (GRID - mean) / deviation, tolerances.REFERENCE_FLOAT64)
    inverse = layers.Normalization(
        axis=axis, mean=layer.mean.numpy(), variance=layer.variance.numpy(), invert=True, dtype="float64"
    )
    tolerances.close(inverse(layer(GRID)), GRID, tolerances.REFERENCE_FLOAT64)


def test_large_means_are_learned_exactly_enough() -> None:
    layer = layers.Normalization(dtype="float64")
    layer.adapt(batches(DATA + 1e6))
    np.testing.assert_allclose(layer.variance.array, DATA.var(axis=0), rtol=1e-7)


def test_constant_columns_do_not_divide_by_zero() -> None:
    layer = layers.Normalization(dtype="float64")
    layer.adapt(np.ones((5, 2)))
    np.testing.assert_array_equal(layer(np.ones((5, 2))), np.zeros((5, 2)))
    tolerances.close(layer(np.full((1, 2), 1 + 1e-7)), np.ones((1, 2)), 1e-6)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("layer", [layers.Normalization, lambda: layers.Discretization(num_bins=4)])
def test_adapting_to_a_data_set_reads_its_batches_once(layer: Any, workers: int) -> None:
    rows = np.random.default_rng(3).normal(size=(20, 3)).astype("float32")

    class Batched(cnn_core.utils.PyDataset):
        def __len__(self) -> int:
            return 5

        def on_epoch_begin(self) -> None:
            self.rows = rows

        def __getitem__(self, index: int) -> Any:
            part = slice(4 * index, 4 * index + 4)
            return self.rows[part], np.ones(4)

    whole, batched = layer(), layer()
    whole.adapt(rows)
    batched.adapt(Batched(workers=workers))
    for x in (rows, rows + 0.1):
        tolerances.close(batched(x), whole(x), tolerances.GOLDEN_FLOAT32)


def test_adapting_may_take_some_batches() -> None:
    layer, first = layers.Discretization(num_bins=3), layers.Discretization(num_bins=3)
    layer.adapt(iter([DATA[:3], DATA[3:] * 100]), steps=1)
    first.adapt(DATA[:3])
    assert layer.bin_boundaries == first.bin_boundaries
    with pytest.raises(ValueError, match="`steps` must be"):
        layer.adapt(iter([DATA]), steps=0)


@pytest.mark.parametrize("paired", [False, True])
def test_a_list_of_arrays_of_rows_is_a_list_of_batches(paired: bool) -> None:
    x = np.random.default_rng(0).normal(3, 2, (32, 4, 3, 5))
    batches: list[Any] = [x[start : start + 8] for start in range(0, 32, 8)]
    layer = layers.Normalization(axis=(1, 2), dtype="float64")
    layer.adapt([(batch, np.zeros(8)) for batch in batches] if paired else batches)
    np.testing.assert_allclose(layer.mean, x.mean(axis=(0, 3)), rtol=1e-12)
    np.testing.assert_allclose(layer.variance, x.var(axis=(0, 3)), rtol=1e-12)


def test_a_list_of_rows_is_one_batch() -> None:
    rows = [np.array([1.0, 2.0]), np.array([3.0, 6.0])]
    layer = layers.Normalization()
    layer.adapt(rows)
    np.testing.assert_allclose(layer.mean, [2, 4])


def test_adapting_again_forgets() -> None:
    layer = layers.Normalization(dtype="float64")
    layer.adapt(DATA * 100)
    layer.adapt(DATA)
    np.testing.assert_allclose(layer.mean.array, DATA.mean(axis=0), rtol=1e-12)


def test_adapting_after_a_model_was_built_counts(tmp_path: Path) -> None:
    normalization, bins = layers.Normalization(), layers.Discretization(num_bins=4, output_mode="one_hot")
    x = cnn_core.Input((3,))
    merged = layers.Concatenate()([normalization(x), layers.Flatten()(bins(x))])
    model = cnn_core.Model(x, layers.Dense(2)(merged))
    with pytest.raises(ValueError, match=r"call adapt\(data\) first"):
        model.predict(DATA)
    bins.adapt(DATA)
    before = model.predict(DATA)
    normalization.adapt(DATA)
    after = model.predict(DATA)
    assert not np.array_equal(before, after)
    bins.adapt(DATA * 2)
    assert not np.array_equal(after, model.predict(DATA))
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(DATA), model.predict(DATA))


def test_statistics_are_not_trained() -> None:
    layer = layers.Normalization(dtype="float64")
    layer.adapt(DATA)
    model = cnn_core.Sequential([cnn_core.Input((3,)), layer, layers.Dense(1, dtype="float64")])
    model.compile("sgd", "mse")
    kept = layer.get_weights()
    model.fit(DATA, DATA[:, :1], verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(kept, layer.get_weights(), strict=True))
    assert len(model.trainable_weights) == 2
    assert len(layer.get_weights()) == 3


def test_rescaling() -> None:
    layer = layers.Rescaling([1.0, 2.0, -3.0], offset=[0.0, 1.0, 2.0], dtype="float64")
    tolerances.close(layer(DATA), DATA * [1, 2, -3] + [0, 1, 2], tolerances.REFERENCE_FLOAT64)
    assert layer.get_weights() == []
    with pytest.raises(ValueError, match="one for each of 2 features"):
        layers.Rescaling([1.0, 2.0, 3.0])(DATA[:, :2])


@given(
    boundaries=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20).map(sorted),
    values=st.lists(st.floats(-12, 12, width=32), min_size=1, max_size=20),
)
def test_bins_are_numpys(boundaries: list[float], values: list[float]) -> None:
    x = np.array([[*values, *boundaries]], "float32")
    layer = layers.Discretization(boundaries, dtype="float32")
    np.testing.assert_array_equal(layer(x), np.digitize(x, np.array(boundaries, "float32")))


@pytest.mark.parametrize("num_bins", [2, 4, 7])
def test_bins_hold_about_equally_many(num_bins: int) -> None:
    data = np.random.default_rng(2).exponential(size=(4000, 1))
    layer = layers.Discretization(num_bins=num_bins, dtype="float64")
    layer.adapt(data)
    counts = np.bincount(layer(data)[:, 0].astype(int), minlength=num_bins)
    assert len(counts) == num_bins
    assert np.abs(counts / 4000 - 1 / num_bins).max() < 0.02


def test_fewer_samples_than_bins_leave_bins_empty() -> None:
    layer = layers.Discretization(num_bins=10, output_mode="one_hot")
    layer.adapt(np.array([[1.0], [2.0]]))
    assert layer(np.array([[0.0], [5.0]])).shape == (2, 10)


@pytest.mark.parametrize("mode", ["multi_hot", "one_hot", "count"])
@pytest.mark.parametrize("shape", [(6, 1), (6, 4), (6, 2, 3), (6, 2, 1)])
def test_encoding_is_numpy(mode: str, shape: tuple[int, ...]) -> None:
    ids = np.random.default_rng(1).integers(0, 5, shape)
    indicators = np.eye(5)[ids]
    desired = {
        "multi_hot": indicators.max(axis=1),  # Keras puts together along the first axis of a sample
        "count": indicators.sum(axis=1),
        "one_hot": indicators[..., 0, :] if shape[-1] == 1 else indicators,
    }[mode]
    np.testing.assert_array_equal(layers.CategoryEncoding(5, mode)(ids), desired)


def test_tokens_out_of_range_are_refused() -> None:
    layer = layers.CategoryEncoding(3, name="tokens")
    model = cnn_core.Sequential([cnn_core.Input((2,)), layer])
    with pytest.raises(ValueError, match=r"indices must be 0\.\.2"):
        model.predict(np.array([[0, 3]]))
    for wrong in (3.0, -1.0, 1e30):
        with pytest.raises(ValueError, match="'tokens' takes whole numbers from 0 to 2"):
            layer(np.array([[0.0, wrong]]))
    np.testing.assert_array_equal(layer(np.array([[0, 2]])), [[1, 0, 1]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Normalization(mean=1.0, variance=-1.0), "`variance` must be at least 0"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=1.0)(DATA), "must fit"),
        (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(DATA), "nothing to learn"),
        (lambda: layers.Normalization().adapt(np.ones((0, 3))), "data"),
        (lambda: layers.Normalization().adapt(iter([])), "at least one batch"),
        (lambda: layers.Normalization().adapt([[np.nan]]), "NaN"),
        (lambda: layers.Normalization(axis=0)(DATA), "from 1 to 1"),
        (lambda: layers.Discretization([1.0, 0.0]), "ascend"),
        (lambda: layers.Discretization([]), "ascend"),
        (lambda: layers.Discretization([0.0]).adapt(DATA), "nothing to learn"),
        (lambda: layers.Discretization(num_bins=3)(DATA), "call adapt"),
        (lambda: layers.CategoryEncoding(3, sparse=True), "`sparse` must be False"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_built_layer_keeps_its_width() -> None:
    layer = layers.Normalization()
    layer.adapt(DATA)
    with pytest.raises(ValueError, match="has a mean of shape"):
        layer.adapt(DATA[:, :2])
    with pytest.raises(ValueError, match="has a mean of shape"):
        layer(DATA[:, :2])


def test_numbers_may_count_with_weights() -> None:
    numbers = np.array([[0, 1], [0, 0], [1, 2], [3, 1]])
    weights = np.array([[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.4, 0.2]])
    expected = np.zeros((4, 4))
    np.add.at(expected, (np.arange(4)[:, None], numbers), weights)
    layer = layers.CategoryEncoding(4, "count")
    np.testing.assert_allclose(layer(numbers, count_weights=weights), expected, rtol=1e-6)
    x, w = cnn_core.Input((2,), dtype="int32"), cnn_core.Input((2,))
    model = cnn_core.Model([x, w], layer(x, count_weights=w))
    np.testing.assert_allclose(model.predict([numbers, weights]), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="indices must be"):
        layer([[4]], count_weights=[[1.0]])
    with pytest.raises(ValueError, match="`count_weights` must be None unless"):
        layers.CategoryEncoding(4)(numbers, count_weights=weights)
