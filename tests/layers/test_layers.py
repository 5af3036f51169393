"""Every layer alike: gradients by differences, shapes, files, copies, types, batches of one row."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import layer_checks
import tolerances
from cnn_core import layers

pytestmark = pytest.mark.filterwarnings("ignore:'flatten.*' does not pass on the mask")
GENERATOR = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape)


def whole(limit: int, *shape: int) -> np.ndarray:
    return GENERATOR.integers(0, limit, shape).astype("float64")


FLAT, GRID = normal(6, 5), normal(4, 3, 5)
NOISE = {"training": True}
STEPS = {"moves_inputs": False}

# A layer's class, its arguments, the shapes of its inputs, and what is special about its gradients.
CASES: dict[str, tuple[type, dict[str, Any], Any, dict[str, Any]]] = {
    "dense": (layers.Dense, {"units": 3, "activation": "tanh"}, FLAT, {}),
    "dense_grid": (layers.Dense, {"units": 3, "activation": "softmax"}, GRID, {}),
    "activation": (layers.Activation, {"activation": "mish"}, FLAT, {}),
    "relu": (layers.ReLU, {"max_value": 1.5, "negative_slope": 0.25, "threshold": 0.125}, FLAT, {}),
    "leaky_relu": (layers.LeakyReLU, {}, FLAT, {}),
    "elu": (layers.ELU, {"alpha": 0.5}, FLAT, {}),
    "softmax": (layers.Softmax, {}, FLAT, {}),
    "softmax_axis": (layers.Softmax, {"axis": 1}, GRID, {}),
    "softmax_axes": (layers.Softmax, {"axis": [1, 2]}, GRID, {}),
    "prelu": (layers.PReLU, {"alpha_initializer": "normal"}, FLAT, {}),
    "prelu_grid": (layers.PReLU, {"alpha_initializer": "normal"}, GRID, {}),
    "prelu_shared_rows": (layers.PReLU, {"alpha_initializer": "normal", "shared_axes": [1]}, GRID, {}),
    "prelu_shared_columns": (layers.PReLU, {"alpha_initializer": "normal", "shared_axes": 2}, GRID, {}),
    "prelu_shared": (layers.PReLU, {"alpha_initializer": "normal", "shared_axes": [1, 2]}, GRID, {}),
    "parametric_activation": (layers.ParametricActivation, {"activation": "mish", "alpha_initializer": 0.4}, FLAT, {}),
    "periodic_embedding": (layers.PeriodicEmbedding, {"n_waves": 3, "n_outputs": 2}, FLAT, {}),
    "flatten": (layers.Flatten, {}, GRID, {}),
    "reshape": (layers.Reshape, {"target_shape": (5, -1)}, GRID, {}),
    "identity": (layers.Identity, {}, FLAT, {}),
    "permute": (layers.Permute, {"dims": (3, 1, 2)}, normal(2, 3, 2, 4), {}),
    "repeat_vector": (layers.RepeatVector, {"n": 3}, FLAT, {}),
    "global_average_pooling": (layers.GlobalAveragePooling1D, {}, GRID, {}),
    "global_average_pooling_first": (
        layers.GlobalAveragePooling1D,
        {"data_format": "channels_first", "keepdims": True},
        GRID,
        {},
    ),
    "global_max_pooling": (layers.GlobalMaxPooling1D, {"keepdims": True}, GRID, {}),
    **{
        f"global_{kind.lower()}_pooling_{n}d": (getattr(layers, f"Global{kind}Pooling{n}D"), {}, normal(*shape), {})
        for n, shape in ((2, (3, 2, 3, 4)), (3, (2, 2, 3, 2, 4)))
        for kind in ("Average", "Max")
    },
    "einsum_dense": (
        layers.EinsumDense,
        {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de", "activation": "tanh"},
        GRID,
        {},
    ),
    "ensemble_dense": (layers.EnsembleDense, {"units": 3, "n_members": 2, "activation": "mish"}, FLAT, {}),
    "ensemble_dense_each": (
        layers.EnsembleDense,
        {"units": 4, "n_members": 3, "activation": "tanh", "input_factor_initializer": "normal"},
        GRID,
        {},
    ),
    "ensemble_dense_biases": (
        layers.EnsembleDense,
        {"units": 4, "n_members": 3, "input_factors": False, "output_factors": False, "activation": "glu"},
        GRID,
        {},
    ),
    "ensemble_dense_outputs": (
        layers.EnsembleDense,
        {"units": 4, "n_members": 2, "input_factors": False, "output_factor_initializer": "normal"},
        FLAT,
        {},
    ),
    "ensemble_dense_alike": (
        layers.EnsembleDense,
        {"units": 2, "n_members": 2, "input_factors": False, "output_factors": False, "use_bias": False},
        FLAT,
        {},
    ),
    "ensemble_dense_own": (
        layers.EnsembleDense,
        {"units": 2, "n_members": 3, "shared_kernel": False, "activation": "softmax"},
        GRID,
        {},
    ),
    "ensemble_dense_own_of_one": (
        layers.EnsembleDense,
        {"units": 2, "n_members": 3, "shared_kernel": False, "use_bias": False},
        FLAT,
        {},
    ),
    "einsum_dense_softmax": (
        layers.EinsumDense,
        {"equation": "abc,bcd->ad", "output_shape": 3, "bias_axes": "d", "activation": "softmax"},
        GRID,
        {},
    ),
    "einsum_dense_along": (
        layers.EinsumDense,
        {"equation": "abc,dbc->adb", "output_shape": (4, None), "bias_axes": "b", "activation": "softmax"},
        GRID,
        {},
    ),
    "einsum_dense_transposed": (layers.EinsumDense, {"equation": "...c,dc->...d", "output_shape": 2}, GRID, {}),
    "einsum_dense_summed": (
        layers.EinsumDense,
        {"equation": "abc,d->ad", "output_shape": 2, "bias_axes": "d"},
        GRID,
        {},
    ),
    "dropout": (layers.Dropout, {"rate": 0.3}, FLAT, NOISE),
    "dropout_at_rest": (layers.Dropout, {"rate": 0.3}, FLAT, {}),
    "alpha_dropout": (layers.AlphaDropout, {"rate": 0.3}, FLAT, NOISE),
    "gaussian_dropout": (layers.GaussianDropout, {"rate": 0.3}, GRID, NOISE),
    "gaussian_noise": (layers.GaussianNoise, {"stddev": 0.3}, FLAT, NOISE),
    "activity_regularization": (layers.ActivityRegularization, {"l1": 0.1, "l2": 0.2}, FLAT, {}),
    "batch_normalization": (layers.BatchNormalization, {"gamma_initializer": "normal"}, FLAT, NOISE),
    "batch_normalization_at_rest": (layers.BatchNormalization, {"gamma_initializer": "normal"}, FLAT, {}),
    "batch_normalization_bare": (layers.BatchNormalization, {"center": False, "scale": False}, GRID, NOISE),
    "batch_normalization_axis": (layers.BatchNormalization, {"axis": 1, "gamma_initializer": "normal"}, GRID, NOISE),
    "layer_normalization": (layers.LayerNormalization, {"gamma_initializer": "normal"}, FLAT, {}),
    "layer_normalization_bare": (layers.LayerNormalization, {"center": False, "scale": False}, GRID, {}),
    "layer_normalization_axis": (layers.LayerNormalization, {"axis": 1, "gamma_initializer": "normal"}, GRID, {}),
    "layer_normalization_axes": (layers.LayerNormalization, {"axis": [1, 2]}, GRID, {}),
    "group_normalization": (
        layers.GroupNormalization,
        {"groups": 2, "axis": 1, "gamma_initializer": "normal", "beta_initializer": "normal"},
        normal(3, 4, 2, 3),
        {},
    ),
    "group_normalization_flat": (
        layers.GroupNormalization,
        {"groups": 3, "gamma_initializer": "normal"},
        normal(4, 9),
        {},
    ),
    "group_normalization_bare": (layers.GroupNormalization, {"groups": -1, "center": False, "scale": False}, GRID, {}),
    "rms_normalization": (layers.RMSNormalization, {}, GRID, {}),
    "unit_normalization": (layers.UnitNormalization, {}, FLAT, {}),
    "unit_normalization_axis": (layers.UnitNormalization, {"axis": 1}, GRID, {}),
    "add": (layers.Add, {}, [FLAT, normal(6, 5), normal(6, 5)], {}),
    "add_repeated": (layers.Add, {}, [GRID, normal(4, 5), normal(4, 1), normal(4, 3, 1)], {}),
    "subtract": (layers.Subtract, {}, [FLAT, normal(6, 5)], {}),
    "multiply": (layers.Multiply, {}, [FLAT, normal(6, 5), normal(6, 5)], {}),
    "multiply_repeated": (layers.Multiply, {}, [normal(6, 1), FLAT], {}),
    "average": (layers.Average, {}, [FLAT, normal(6, 5), normal(6, 5)], {}),
    "maximum": (layers.Maximum, {}, [FLAT, normal(6, 5), normal(6, 5)], {}),
    "minimum": (layers.Minimum, {}, [FLAT, normal(6, 5), normal(6, 1)], {}),
    "concatenate": (layers.Concatenate, {}, [FLAT, normal(6, 2), normal(6, 1)], {}),
    "concatenate_rows": (layers.Concatenate, {"axis": 1}, [GRID, normal(4, 2, 5)], {}),
    "concatenate_middle": (layers.Concatenate, {"axis": 2}, [normal(2, 3, 2, 4), normal(2, 3, 1, 4)], {}),
    "concatenate_last": (layers.Concatenate, {"axis": -1}, [GRID, normal(4, 3, 2)], {}),
    "dot": (layers.Dot, {"axes": 1}, [FLAT, normal(6, 5)], {}),
    "dot_normalized": (layers.Dot, {"axes": -1, "normalize": True}, [FLAT, normal(6, 5)], {}),
    "dot_grids": (layers.Dot, {"axes": (1, 2)}, [GRID, normal(4, 2, 3)], {}),
    "dot_grid_and_vector": (layers.Dot, {"axes": (2, 1), "normalize": True}, [GRID, normal(4, 5)], {}),
    "dot_vector_and_grid": (layers.Dot, {"axes": (1, 2)}, [normal(4, 5), GRID], {}),
    "masking": (layers.Masking, {}, GRID, {}),
    "embedding": (layers.Embedding, {"input_dim": 4, "output_dim": 3}, whole(4, 6, 2), STEPS),
    "rescaling": (layers.Rescaling, {"scale": [2.0, 1.0, -1.0, 0.5, 0.0], "offset": 0.5}, GRID, {}),
    "normalization": (layers.Normalization, {"mean": 0.5, "variance": [4.0, 1.0, 0.25, 2.0, 9.0]}, FLAT, {}),
    "normalization_axis": (layers.Normalization, {"axis": 1, "mean": [1.0, 2.0, 3.0], "variance": 4.0}, GRID, {}),
    "normalization_inverse": (
        layers.Normalization,
        {"axis": None, "mean": 0.5, "variance": 4.0, "invert": True},
        GRID,
        {},
    ),
    "category_encoding": (layers.CategoryEncoding, {"num_tokens": 4, "output_mode": "count"}, whole(4, 6, 3), STEPS),
    "discretization": (
        layers.Discretization,
        {"bin_boundaries": [-0.5, 0.5], "output_mode": "one_hot"},
        FLAT,
        STEPS,
    ),
}


def made(name: str, dtype: str = "float64") -> tuple[Any, Any]:
    """Make a layer with weights and fresh inputs."""
    cls, arguments, x, _ = CASES[name]
    cnn_core.utils.set_random_seed(11)
    layer = cls(**arguments, dtype=dtype)
    parts = [part.astype(dtype) for part in x] if isinstance(x, list) else x.astype(dtype)
    layer(parts)
    return layer, parts


def model_of(layer: Any, x: Any) -> Any:
    """Put a layer between inputs and a dense layer, so that gradients pass."""
    parts = x if isinstance(x, list) else [x]
    inputs = [cnn_core.Input(part.shape[1:]) for part in parts]
    hidden = [layers.Identity()(each) for each in inputs]
    middle = layer(hidden if len(hidden) > 1 else hidden[0])
    output = layers.Dense(2, dtype=layer.dtype)(layers.Flatten(dtype=layer.dtype)(middle))
    return cnn_core.Model(inputs, output)


@pytest.fixture(autouse=True)
def float64():
    before = cnn_core.config.floatx()
    cnn_core.config.set_floatx("float64")
    yield
    cnn_core.config.set_floatx(before)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_central_differences(name: str) -> None:
    layer, x = made(name)
    layer_checks.check_gradients(layer, x, **CASES[name][3])


@pytest.mark.parametrize("name", CASES)
def test_gradients_inside_a_model(name: str) -> None:
    layer, x = made(name)
    model = model_of(layer, x)
    model.compile("sgd", "mse")
    check = cnn_core.inspection.gradient_check(model, x, np.zeros((len(x[0] if isinstance(x, list) else x), 2)))
    assert check, str(check)


@pytest.mark.parametrize("name", CASES)
def test_symbols_have_the_shapes_of_arrays(name: str) -> None:
    layer, x = made(name)
    parts = x if isinstance(x, list) else [x]
    symbols = [cnn_core.Input(part.shape[1:]) for part in parts]
    symbol = layer(symbols if len(symbols) > 1 else symbols[0])
    assert tuple(symbol.shape[1:]) == layer(x).shape[1:]
    assert len(layer(x)) == len(parts[0])


@pytest.mark.parametrize("name", CASES)
def test_float32_agrees_with_float64(name: str) -> None:
    wide, x = made(name)
    narrow, x32 = made(name, "float32")
    narrow.set_weights(wide.get_weights())
    assert narrow(x32).dtype == np.float32
    tolerances.close(narrow(x32), wide(x), tolerances.GOLDEN_FLOAT32)


@pytest.mark.parametrize("name", CASES)
def test_rows_are_independent_at_rest(name: str) -> None:
    layer, x = made(name)
    whole_batch = layer(x)
    for row in (0, len(whole_batch) - 1):
        part = [each[row : row + 1] for each in x] if isinstance(x, list) else x[row : row + 1]
        np.testing.assert_array_equal(layer(part)[0], whole_batch[row])


@pytest.mark.parametrize("name", CASES)
def test_configuration_round_trips(name: str) -> None:
    layer, x = made(name)
    twin = layers.deserialize(layers.serialize(layer))
    twin(x)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), layer(x))
    assert layers.serialize(twin) == layers.serialize(layer)


@pytest.mark.parametrize("name", CASES)
def test_saved_copied_and_pickled_models_predict_the_same(name: str, tmp_path: Path) -> None:
    layer, x = made(name)
    model = model_of(layer, x)
    model.compile("adam", "mse")
    n = len(x[0] if isinstance(x, list) else x)
    model.fit(x, np.ones((n, 2)), batch_size=4, epochs=2, verbose=0)
    expected = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors")
    for twin in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.predict(x), expected)
    losses = [each.fit(x, np.ones((n, 2)), batch_size=4, verbose=0).history["loss"] for each in (model, loaded)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", CASES)
def test_prediction_does_not_depend_on_blocks(name: str) -> None:
    layer, x = made(name)
    model = model_of(layer, x)
    many = [np.concatenate([each] * 1000) for each in x] if isinstance(x, list) else np.concatenate([x] * 1000)
    few = model.predict(x)
    np.testing.assert_array_equal(model.predict(many), np.concatenate([few] * 1000))


@pytest.mark.parametrize("name", CASES)
def test_the_tracer_shows_the_layer(name: str) -> None:
    layer, x = made(name)
    model = model_of(layer, x)
    model.compile("sgd", "mse")
    n = len(x[0] if isinstance(x, list) else x)
    seen = model.trace(x, np.zeros((n, 2)))
    assert str(seen)
    assert {each.name.partition("#")[0] for each in seen} <= {each.name for each in model.layers}


def test_every_layer_is_tested() -> None:
    elsewhere = {"Layer", "Input", "InputLayer", "Lambda", "SpectralNormalization", "TimeDistributed", "Wrapper"}
    tested = {cls.__name__ for cls, *_ in CASES.values()} | elsewhere
    tested |= {"Hashing", "HashedCrossing", "IntegerLookup", "StringLookup"}  # test_hashing.py, test_lookup.py
    found = [getattr(layers, name) for name in layers.__all__]
    classes = {cls.__name__ for cls in found if isinstance(cls, type)} | {"Input"}
    assert classes - tested == set()


def build_twice(layer: Any) -> None:
    layer.build((None, 3))
    layer.build((None, 3))


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda: build_twice(layers.Dense(2)), "`build` must be called once"),
        (lambda: build_twice(layers.BatchNormalization()), "`build` must be called once"),
        (lambda: build_twice(layers.Embedding(3, 2)), "`build` must be called once"),
        (
            lambda: cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)]).build((None, 4)),
            r"`input_shape` must be \(None, 3\), for which",
        ),
        (lambda: cnn_core.Input(batch_size=4, batch_shape=(4, 3)), "`batch_shape` must be None if `batch_size` is"),
        (lambda: cnn_core.Input((3,), ragged=True), "`ragged` must be None or False"),
        (lambda: layers.InputLayer((3,), input_shape=(3,)), "`input_shape` must be None if `shape` is given"),
        (
            lambda: layers.InputLayer(batch_shape=(None, 3), batch_input_shape=(None, 3)),
            "`batch_input_shape` must be None if `batch_shape` is given",
        ),
        (lambda: layers.LeakyReLU(0.1, alpha=0.2), "`alpha` must be None if `negative_slope` is given"),
        (lambda: layers.BatchNormalization(renorm=True), "`renorm` must be False"),
        (lambda: layers.Dense(2, lora_rank=3), "`lora_rank` must be None"),
    ],
)
def test_what_is_given_twice_or_means_nothing_here_is_refused(give: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        give()


def test_what_older_scripts_and_keras_give_is_taken() -> None:
    assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1
    assert layers.Embedding(5, 2, input_length=3).output_dim == 2
    assert layers.InputLayer(input_shape=(3,)).symbol.shape == (None, 3)
    assert layers.InputLayer(batch_input_shape=(None, 3), ragged=False, optional=False).symbol.shape == (None, 3)
    assert layers.BatchNormalization(renorm=False, renorm_momentum=0.99).axis == -1
    cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)]).build((None, 3))


def test_reshapes_of_unknown_sizes_stay_unknown() -> None:
    x = cnn_core.Input((None, 4))
    assert layers.Reshape((2, -1))(x).shape == (None, 2, None)
    assert layers.Reshape((2, 2))(x).shape == (None, 2, 2)


def test_single_numbers_are_embedded() -> None:
    x = cnn_core.Input((), dtype="int32")
    layer = layers.Embedding(3, 2, weights=[[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    model = cnn_core.Model(x, layer(x))
    np.testing.assert_array_equal(model.predict(np.array([2, 0])), [[2.0, 2.5], [0.0, 0.5]])


class Widened(layers.Dense):
    """A Dense layer with a variable more, made after the parent's."""

    def build(self, input_shape):
        super().build(input_shape)
        self.extra = self.add_weight((2,), "zeros", name="extra")


def test_variables_are_made_before_the_layer_is_built(tmp_path):
    model = cnn_core.Sequential([cnn_core.Input((4,)), Widened(3), layers.BatchNormalization()])
    before = [variable.path for variable in model.weights]
    assert before[2].endswith("/extra")
    for layer in model.layers:
        with pytest.raises(ValueError, match=rf"`add_weight` must be called in `build` .* '{layer.name}' is built"):
            layer.add_weight((2,), name="late")
    assert [variable.path for variable in model.weights] == before
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.saving.load_model(tmp_path / "model.safetensors", custom_objects={"Widened": Widened})
    assert [variable.shape for variable in again.weights] == [variable.shape for variable in model.weights]
