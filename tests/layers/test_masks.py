"""Masks: where they go, what reads them, what they leave out, and what is refused or warned of."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import Input, Model, Sequential, layers, losses, ops
from cnn_core.foundation.eager import mask_of

CODES = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [2, 2, 1, 4]])
VECTORS = np.arange(10.0).reshape(5, 2)
COUNTS = CODES != 0


def embedding(**arguments: Any) -> Any:
    return layers.Embedding(5, 2, mask_zero=True, weights=VECTORS, **arguments)


@pytest.fixture
def float64() -> Iterator[None]:
    """Let everything be float64."""
    cnn_core.config.set_floatx("float64")
    yield
    cnn_core.config.set_floatx("float32")


def mean_of_counted(rows: np.ndarray, counts: np.ndarray = COUNTS) -> np.ndarray:
    return np.array([row[kept].mean(axis=0) for row, kept in zip(rows, counts, strict=True)])


def test_an_average_leaves_out_what_does_not_count() -> None:
    model = Sequential([Input((4,)), embedding(), layers.GlobalAveragePooling1D()])
    tolerances.close(model.predict(CODES), mean_of_counted(VECTORS[CODES]), tolerances.GOLDEN_FLOAT32)


def test_layers_between_pass_the_mask_on() -> None:
    between = [
        *(layers.Dense(2, "tanh"), layers.LayerNormalization(), layers.UnitNormalization(), layers.Rescaling(2.0, 1.0)),
        *(layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.ReLU(), layers.PReLU(), layers.Identity()),
        *(layers.GroupNormalization(1), layers.ActivityRegularization(l2=0.1), layers.Activation("gelu")),
        layers.Normalization(None, 0.5, 2.0),
    ]
    for layer in between:
        x = Input((4,))
        rows = layer(embedding()(x))
        both = Model(x, [rows, layers.GlobalAveragePooling1D()(rows)])
        found, averages = both.predict(CODES)
        tolerances.close(averages, mean_of_counted(found), tolerances.GOLDEN_FLOAT32)


@pytest.mark.parametrize("format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_mask_may_be_given(format: str, keepdims: bool) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4, 2))
    layer = layers.GlobalAveragePooling1D(format, keepdims, dtype="float64")
    expected = mean_of_counted(rows)
    if keepdims:
        expected = np.expand_dims(expected, 1 if format == "channels_last" else 2)
    x = rows if format == "channels_last" else rows.transpose(0, 2, 1)
    tolerances.close(layer(x, mask=COUNTS), expected, tolerances.GOLDEN_FLOAT64)
    symbol, mask = Input(x.shape[1:], dtype="float64"), Input((4,), dtype="float64")
    model = Model([symbol, mask], layer(symbol, mask=mask))
    tolerances.close(model.predict([x, COUNTS]), expected, tolerances.GOLDEN_FLOAT64)


def test_a_sample_of_which_nothing_counts_is_averaged_to_0() -> None:
    model = Sequential([Input((4,)), embedding(), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    model.compile("sgd", "mse")
    codes = np.array([[0, 0, 0, 0], [1, 0, 0, 0]])
    assert np.isfinite(model.fit(codes, np.ones(2), verbose=0).history["loss"]).all()
    average = Model(model.input, model.layers[1].output)
    np.testing.assert_array_equal(average.predict(codes)[0], [0, 0])


@pytest.mark.parametrize(
    "make",
    [
        lambda x, z: layers.Add()([embedding()(x), layers.Masking(0.5)(z)]),
        lambda x, z: layers.Concatenate()([layers.Masking(0.5)(z), embedding()(x)]),
        lambda x, z: layers.Concatenate(axis=1)([layers.Masking(0.5)(z), embedding()(x)]),
        lambda x, z: layers.Concatenate(axis=1)([z, embedding()(x)]),
        lambda x, z: layers.Subtract()([z, embedding()(x)]),
    ],
)
def test_gradients_are_central_differences(make: Any) -> None:
    before = cnn_core.config.floatx()
    cnn_core.config.set_floatx("float64")
    try:
        x, z = Input((4,)), Input((4, 2))
        hidden = layers.Dense(3, "tanh")(make(x, layers.Identity()(z)))
        model = Model([x, z], layers.Dense(1)(layers.GlobalAveragePooling1D()(hidden)))
        model.compile("sgd", "mse")
        rows = np.random.default_rng(1).normal(size=(3, 4, 2))
        rows[0, 1:] = rows[1, :3] = 0.5
        check = cnn_core.inspection.gradient_check(model, [CODES, rows], np.ones(3))
    finally:
        cnn_core.config.set_floatx(before)
    assert check, str(check)


def test_merged_masks() -> None:
    """As in Keras: what counts in one input; side by side along the steps; no mask beside one is no mask."""
    x, z = Input((4,)), Input((4, 2))
    first, second = embedding()(x), layers.Masking(0.5)(z)
    rows = np.zeros((3, 4, 2))
    rows[:, 1:] = 0.5
    either = COUNTS | [True, False, False, False]
    for mask, expected in [
        (layers.Add()([first, second]).mask, either),
        (layers.Concatenate()([first, second]).mask, either),
        (layers.Concatenate(axis=1)([first, second]).mask, np.hstack([COUNTS, [[True, False, False, False]] * 3])),
        (layers.Concatenate(axis=1)([first, z]).mask, np.hstack([COUNTS, np.ones((3, 4))])),
    ]:
        found = Model([x, z], ops.cast(mask, "float32")).predict([CODES, rows])
        np.testing.assert_array_equal(found, expected)
    assert layers.Add()([first, z]).mask is None
    assert layers.Dot(1)([first, second]).mask is None


def test_masking_by_hand() -> None:
    x = np.array([[[1.0, -1.0], [-1.0, -1.0]], [[-1.0, -1.0], [0.0, 2.0]]])
    layer = layers.Masking(-1.0)
    y, cache = layer.forward(x)
    np.testing.assert_array_equal(y, [[[1, -1], [0, 0]], [[0, 0], [0, 2]]])
    np.testing.assert_array_equal(layer.compute_mask(x), [[True, False], [False, True]])
    np.testing.assert_array_equal(layer.backward(np.ones_like(x), cache)[0], [[[1, 1], [0, 0]], [[0, 0], [1, 1]]])


def test_compute_mask_of_embedding() -> None:
    np.testing.assert_array_equal(embedding().compute_mask(CODES), COUNTS)
    assert layers.Embedding(5, 2).compute_mask(CODES) is None
    assert layers.Dense(3).compute_mask(CODES, COUNTS) is COUNTS


# Custom layers and models


class Total(layers.Layer):
    def call(self, x: Any, mask: Any = None) -> Any:
        return ops.sum(x if mask is None else ops.where(ops.expand_dims(mask, -1), x, 0.0), axis=1)


class Doubled(layers.Layer):
    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return 2 * x


class EveryOther(layers.Layer):
    def call(self, x: Any) -> Any:
        return x[:, ::2]

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[:, ::2]


def test_a_custom_layer_asks_for_the_mask_by_name() -> None:
    with pytest.warns(UserWarning, match="does not pass on the mask"):
        model = Sequential([Input((4,)), embedding(), Total()])
    expected = (VECTORS[CODES] * COUNTS[..., None]).sum(axis=1)
    tolerances.close(model.predict(CODES), expected, tolerances.GOLDEN_FLOAT32)
    x = Input((4,))
    assert Total()(layers.Embedding(5, 2)(x)).shape == (None, 2)


def test_a_custom_layer_passes_the_mask_on_or_makes_one() -> None:
    model = Sequential([Input((4,)), embedding(), Doubled(), layers.GlobalAveragePooling1D()])
    tolerances.close(model.predict(CODES), mean_of_counted(2 * VECTORS[CODES]), tolerances.GOLDEN_FLOAT32)
    model = Sequential([Input((4,)), embedding(), EveryOther(), layers.GlobalAveragePooling1D()])
    expected = mean_of_counted(VECTORS[CODES][:, ::2], COUNTS[:, ::2])
    tolerances.close(model.predict(CODES), expected, tolerances.GOLDEN_FLOAT32)


def test_masks_inside_of_custom_models() -> None:
    class Own(Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.pooling = embedding(), layers.GlobalAveragePooling1D()

        def call(self, x: Any) -> Any:
            return self.pooling(self.embedding(x))

    tolerances.close(Own().predict(CODES), mean_of_counted(VECTORS[CODES]), tolerances.GOLDEN_FLOAT32)


# What is refused, and what is warned of


@pytest.mark.parametrize(
    "layer", [layers.Flatten(), layers.Permute((2, 1)), layers.GlobalMaxPooling1D(), layers.RMSNormalization()]
)
def test_a_layer_where_the_mask_ends_warns(layer: Any) -> None:
    with pytest.warns(UserWarning, match=rf"^'{layer.name}' does not pass on the mask of its input: what comes after"):
        assert layer(embedding()(Input((4,)))).mask is None


def test_a_loss_of_an_output_with_a_mask_is_refused() -> None:
    model = Sequential([Input((4,)), embedding(), layers.Dense(1, name="top")])
    model.compile("sgd", "mse")
    y = np.ones((3, 4, 1))
    assert model.predict(CODES).shape == y.shape
    for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for call in (each.fit, each.evaluate):
            with pytest.raises(
                ValueError, match=r"^The output 'top' must have no mask, because a loss counts every step"
            ):
                call(CODES, y, verbose=0)


def test_masks_do_not_go_into_models_or_out_of_them() -> None:
    x = Input((4,))
    inner = Sequential([Input((4, 2)), layers.Dense(2)], name="inner")
    with pytest.raises(ValueError, match=r"none goes into 'inner'\. Received: a symbol with a mask"):
        inner(embedding()(x))
    encoder = Sequential([Input((4,)), embedding()], name="encoder")
    with pytest.raises(ValueError, match=r"none goes out of 'encoder'\. Received: a symbol with a mask"):
        encoder(x)

    class Own(layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.embedding = embedding()

        def call(self, x: Any) -> Any:
            return self.embedding(x)

    with pytest.raises(ValueError, match=r"none goes out of 'own'\. Received: a symbol with a mask"):
        Own()(x)


def test_a_mask_of_another_shape_is_refused() -> None:
    layer = layers.GlobalAveragePooling1D(name="average")
    with pytest.raises(
        ValueError, match=r"^`mask` of 'average' must have the shape \(n, 4\)\. Received: shape \(None, 3\)"
    ):
        layer(np.ones((2, 4, 3)), mask=np.ones((2, 3)))
    with pytest.raises(
        TypeError, match=r"^A call of 'layer' takes the arguments `inputs`, `training`\. Received: mask="
    ):
        layers.Dense(2, name="layer")(np.ones((2, 3)), mask=np.ones((2, 3)))
    for shape in ((2, 2), (1, 2, 3), (3, 3)):
        with pytest.raises(ValueError, match=r"^`mask` of 'shares' must tell of each element .* Received: shape \("):
            layers.Softmax(name="shares")(np.ones((2, 3)), mask=np.ones(shape))
    for shape in ((2, 5), (2, 4, 3)):
        with pytest.raises(ValueError, match=r"^`mask` of 'norm' must have the shape \(None, 4\)\. Received: shape \("):
            layers.BatchNormalization(name="norm")(np.ones((2, 4, 3)), mask=np.ones(shape))


def test_masks_of_a_merging_layer_come_one_by_one() -> None:
    x, add = Input((4, 2)), layers.Add(name="add")
    for inputs, masks, message in (
        ([x, x], np.ones((3, 4)), "`previous_mask` must be a list, as the inputs of 'add' are"),
        (x, [None, None], "`inputs` must be a list"),
        ([x, x], [None], "must have the same length. Received: 2 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            add.compute_mask(inputs, masks)


# Layers that compute with masks


def test_products_and_extremes_leave_out_what_does_not_count() -> None:
    first, second = np.array([[[0.0, 0], [1, -2], [0, 0], [3, 4]]]), np.array([[[0.0, 0], [0, 0], [1, -2], [2, 5]]])
    for layer, expected in (
        (layers.Multiply(), [[[0, 0], [1, -2], [1, -2], [6, 20]]]),
        (layers.Maximum(), [[[0, 0], [1, -2], [1, -2], [3, 5]]]),
        (layers.Minimum(), [[[0, 0], [1, -2], [1, -2], [2, 4]]]),
    ):
        x, z = Input((4, 2)), Input((4, 2))
        symbol = layer([layers.Masking()(x), layers.Masking()(z)])
        found, mask = Model([x, z], [symbol, ops.cast(symbol.mask, "float32")]).predict([first, second])
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(mask, [[0, 1, 1, 1]])
        array = layer([layers.Masking()(first), layers.Masking()(second)])
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_array_equal(mask_of(array), [[False, True, True, True]])
        alone = layer([layers.Masking()(first), second])
        np.testing.assert_array_equal(alone[0, 2], [1, -2])
        assert mask_of(alone) is None


def test_shares_of_what_counts_alone() -> None:
    logits, counts = np.array([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0]]), np.array([[True, True, False], [False] * 3])
    expected = [[1 / (1 + np.e), np.e / (1 + np.e), 0], [0, 0, 0]]
    layer = layers.Softmax(dtype="float64")
    x, mask = Input((3,), dtype="float64"), Input((3,), dtype="float64")
    model = Model([x, mask], layer(x, mask=mask))
    for found in (layer(logits, mask=counts), layer(logits, counts * 0.8), model.predict([logits, counts * 1.0])):
        tolerances.close(found, np.array(expected), tolerances.GOLDEN_FLOAT64)
    tolerances.close(layer(logits, mask=np.array([1, 1, 0]))[0], np.array(expected[0]), tolerances.GOLDEN_FLOAT64)
    steps = np.array([[[0.0, 0.0], [1.0, 2.0]]])
    assert (
        mask_of(layers.Softmax(axis=-1)(layers.Masking()(steps)[..., 0], mask=mask_of(layers.Masking()(steps)))) is None
    )


def masked_normalization(x: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what batch normalization gives for steps of which some count, and the moments of those."""
    counted = x[counts]
    mean, variance = counted.mean(axis=0), counted.var(axis=0)
    return (x - mean) / np.sqrt(variance + 1e-3), mean, variance


def test_moments_are_those_of_steps_that_count() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(3, 4, 2))
    expected, mean, variance = masked_normalization(x, COUNTS)
    layer = layers.BatchNormalization(momentum=0.0, dtype="float64")
    tolerances.close(layer(x, training=True, mask=COUNTS), expected, tolerances.GOLDEN_FLOAT64)
    tolerances.close(layer.moving_mean, mean, tolerances.GOLDEN_FLOAT64)
    tolerances.close(layer.moving_variance, variance, tolerances.GOLDEN_FLOAT64)
    tolerances.close(layer(x), expected, tolerances.GOLDEN_FLOAT64)  # otherwise by the moving ones, mask or not
    tolerances.close(layer(x, mask=COUNTS), expected, tolerances.GOLDEN_FLOAT64)
    first = layers.BatchNormalization(axis=1, dtype="float64")(x, training=True, mask=np.ones((3, 4)))
    tolerances.close(first, layers.BatchNormalization(axis=1, dtype="float64")(x, training=True), 1e-12)
    rows = layers.BatchNormalization(dtype="float64")(x[:, 0], training=True, mask=np.array([1, 0, 1]))
    tolerances.close(rows, masked_normalization(x[:, 0], np.array([True, False, True]))[0], tolerances.GOLDEN_FLOAT64)


def test_of_nothing_that_counts_the_moments_are_0() -> None:
    layer = layers.BatchNormalization(momentum=0.5)
    np.testing.assert_array_equal(layer(np.zeros((4, 5)), training=True, mask=np.zeros(4)), np.zeros((4, 5)))
    np.testing.assert_array_equal(layer.moving_variance, np.full(5, 0.5))


@pytest.mark.parametrize("width", [2, 130])  # less than a task of columns, and more
@pytest.mark.usefixtures("float64")
def test_derivatives_of_what_computes_with_masks(width: int) -> None:
    x = np.random.default_rng(1).normal(size=(3, 4, width))
    x[~COUNTS] = 0.0
    source = Input((4, width))
    masked = layers.Masking()(layers.Activation("linear")(source))
    between = layers.BatchNormalization()(masked)
    product = layers.Multiply()([between, layers.Dense(width, "tanh")(masked)])
    shares = layers.Softmax(axis=1)(product, mask=ops.expand_dims(masked.mask, -1))
    model = Model(source, layers.Dense(1)(layers.GlobalAveragePooling1D()(layers.Maximum()([shares, product]))))
    model.compile("sgd", "mse")
    check = cnn_core.inspection.gradient_check(model, x, np.ones((3, 1)))
    assert check, str(check)
    again = cnn_core.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    model.fit(x, np.ones((3, 1)), epochs=2, verbose=0)
    assert not np.array_equal(again.get_weights()[2], model.get_weights()[2])  # the moving mean


# Arrays


def test_masks_go_along_with_arrays() -> None:
    steps = layers.Dense(3)(embedding()(CODES))
    np.testing.assert_array_equal(mask_of(steps), COUNTS)
    tolerances.close(layers.GlobalAveragePooling1D()(steps), mean_of_counted(steps), tolerances.GOLDEN_FLOAT32)
    assert mask_of(steps + 1) is mask_of(steps[:1]) is None
    with pytest.warns(UserWarning, match="does not pass on the mask"):
        assert mask_of(layers.Flatten()(steps)) is None


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0], COUNTS * 2.0 + 0.25])
def test_a_loss_leaves_out_rows_that_do_not_count(weights: Any) -> None:
    p = layers.Dense(2)(embedding()(CODES))
    y = np.random.default_rng(0).normal(size=p.shape)
    each = ((y - p) ** 2).mean(axis=-1) * (1 if weights is None else np.reshape(weights, (3, -1)))
    for reduction, expected in (("sum_over_batch_size", each[COUNTS].mean()), ("sum", each[COUNTS].sum())):
        tolerances.close(losses.MeanSquaredError(reduction)(y, p, weights), expected, tolerances.GOLDEN_FLOAT32)
    tolerances.close(losses.MeanSquaredError(None)(y, p, weights), each * COUNTS, tolerances.GOLDEN_FLOAT32)
    nothing = layers.Dense(2)(embedding()(np.zeros((3, 4))))
    assert losses.MeanSquaredError()(y, nothing, weights) == 0


def test_custom_layers_ask_for_masks_of_arguments_by_name() -> None:
    class Pair(layers.Layer):
        supports_masking = True

        def call(self, first: Any, second: Any, first_mask: Any = None, second_mask: Any = None) -> Any:
            return ops.where(ops.expand_dims(ops.logical_and(first_mask, second_mask), -1), first + second, 0.0)

    first, second = embedding()(CODES), embedding()(CODES[::-1])
    expected = np.where((COUNTS & COUNTS[::-1])[..., None], VECTORS[CODES] + VECTORS[CODES[::-1]], 0)
    np.testing.assert_array_equal(Pair()(first, second), expected)
    np.testing.assert_array_equal(Pair()(first, second=second), expected)
    given = Pair()(first, second, first_mask=np.zeros((3, 4)))
    np.testing.assert_array_equal(given, np.zeros((3, 4, 2)))


def test_a_custom_layer_of_a_list_gets_a_list_of_masks() -> None:
    class Both(layers.Layer):
        supports_masking = True

        def call(self, values: Any, mask: Any = None) -> Any:
            assert isinstance(mask, list)
            return [ops.where(ops.expand_dims(own, -1), each, -1.0) for each, own in zip(values, mask, strict=True)]

    found = Both()([embedding()(CODES), embedding()(CODES[::-1])])
    for each, counts in zip(found, (COUNTS, COUNTS[::-1]), strict=True):
        np.testing.assert_array_equal(np.asarray(each)[..., 0] == -1, ~counts)
        np.testing.assert_array_equal(mask_of(each), counts)


# In models and files


def test_codes_are_checked_as_without_a_mask() -> None:
    model = Sequential([Input((4,)), embedding(), layers.GlobalAveragePooling1D()])
    for wrong in (5, -1):
        with pytest.raises(ValueError, match="x"):
            model.predict(np.full((1, 4), wrong))


@pytest.mark.parametrize("chain", [True, False])
def test_saved_cloned_copied_and_described(tmp_path: Path, chain: bool) -> None:
    steps = [embedding(name="codes"), layers.Dense(3, "tanh"), layers.GlobalAveragePooling1D(), layers.Dense(1)]
    x = Input((4,))
    model: Any = Sequential([x, *steps])
    if not chain:
        value = x
        for step in steps:
            value = step(value)
        model = Model(x, value)
    model.compile("adam", "mse")
    model.fit(CODES, np.ones(3), epochs=2, verbose=0)
    expected = model.predict(CODES)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), cnn_core.clone_model(model)]
    twins[-1].set_weights(model.get_weights())
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        twins.append(cnn_core.load_model(tmp_path / name))
    for twin in twins:
        np.testing.assert_array_equal(twin.predict(CODES), expected)
    assert [layer.name for layer in model.layers][-4:] == [step.name for step in steps]
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert ("not_equal" in lines[0]) == (not chain)
    assert cnn_core.inspection.trace(model, CODES, np.ones(3)) is not None
