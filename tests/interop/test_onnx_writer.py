"""Against ONNX Runtime: what it computes from our files is what we compute."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import cnn_core.sklearn
from cnn_core import Input, Model, Sequential, activations, layers
from cnn_core.interop import from_onnx, to_onnx
from cnn_core.interop.onnx_format import decode
from onnx_checks import TOLERANCES, check, run
from random_models import random_model, random_rows, randomize

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def has(model: Model, *names: str) -> bool:
    inner = [layer.activation.native for layer in model.layers if hasattr(layer, "activation")]
    return any(name in inner for name in names)


@pytest.mark.doors
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_models(dtype: str, n_architectures: int):
    models = (random_model(seed, dtype) for seed in count())
    known = (each for each in models if dtype == "float32" or not has(each, "gelu"))  # see the notes of to_onnx
    for model in islice(known, n_architectures):
        check(model, random_rows(model))


@pytest.mark.doors
def test_every_activation():
    x = np.linspace(-30, 30, 46, dtype="float32").reshape(2, 23)
    for activation in vars(activations).values():
        if isinstance(activation, activations.Activation) and activation.name != "glu":
            check(Sequential([Input((23,)), layers.Activation(activation)]), x)


@pytest.mark.doors
def test_more_axes_inputs_and_outputs():
    a, b = Input((3,)), Input((2, 3))
    wide = layers.Add()([a, b])
    cut = layers.Flatten()(layers.Softmax(axis=1)(layers.Dense(3, "tanh")(layers.BatchNormalization()(wide))))
    shaped = layers.LayerNormalization([1, 2])(layers.Reshape((3, 2))(wide))
    model = Model([a, b], [layers.Dense(2)(cut), layers.Dot(1, normalize=True)([a, a]), shaped])
    randomize(model, np.random.default_rng(3))
    draw = np.random.default_rng(2)
    check(model, draw.normal(size=(4, 3)).astype("float32"), draw.normal(size=(4, 2, 3)).astype("float32"))


@pytest.mark.doors
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_of_grids(dtype: str):
    x = Input((4, 6))
    cnn_core.config.set_floatx(dtype)
    try:
        shaped = [
            layers.Permute((2, 1))(x),
            layers.RepeatVector(3)(layers.GlobalMaxPooling1D()(x)),
            layers.GlobalAveragePooling1D("channels_first", keepdims=True)(x),
            layers.GlobalMaxPooling2D(keepdims=True)(layers.Reshape((2, 2, 6))(x)),
            layers.GlobalAveragePooling3D()(layers.Reshape((2, 2, 3, 2))(x)),
            layers.EinsumDense("abc,cde->aebd", (2, None, 3), "relu", "ed")(x),
            layers.EinsumDense("abc,db->ad", 5, "softmax", "d")(x),
            layers.EinsumDense("abc,dbc->abd", (None, 5), "tanh", "b")(x),
            layers.EnsembleDense(3, 4, "tanh")(x),
            layers.EnsembleDense(3, 4, shared_kernel=False)(x),
            layers.EnsembleDense(3, 2, output_factors=False)(layers.GlobalMaxPooling1D()(x)),
            layers.EnsembleDense(3, 2, use_bias=False, input_factors=False, output_factors=False)(
                layers.GlobalMaxPooling1D()(x)
            ),
            layers.GroupNormalization(3, beta_initializer="normal")(x),
            layers.SpectralNormalization(layers.Dense(3, "tanh"))(x),
            layers.TimeDistributed(layers.Reshape((2, 3)))(x),
            layers.GroupNormalization(2, axis=1, center=False, gamma_initializer="normal")(x),
        ]
    finally:
        cnn_core.config.set_floatx("float32")
    model = Model(x, shaped)
    randomize(model, np.random.default_rng(3))
    rows = np.random.default_rng(2).normal(size=(5, 4, 6)).astype(dtype)
    check(model, rows)
    again = from_onnx(to_onnx(model))
    for one, other in zip(again(rows), model(rows), strict=True):
        np.testing.assert_allclose(one, other, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.doors
def test_masks_and_single_numbers():
    codes, rows, code = Input((5,)), Input((5, 3)), Input(())
    masked = layers.Concatenate(axis=1)([layers.Embedding(7, 3, mask_zero=True)(codes), layers.Masking(0.5)(rows)])
    hidden = layers.GlobalAveragePooling1D(keepdims=True)(layers.Dense(4, "tanh")(masked))
    joined = layers.Concatenate()([layers.Flatten()(hidden), layers.Embedding(7, 2)(code)])
    model = Model([codes, rows, code], layers.Dense(2)(joined))
    randomize(model, np.random.default_rng(3))
    draw = np.random.default_rng(2)
    numbers = draw.integers(0, 7, (4, 5))
    numbers[:, 3:] = 0
    values = draw.normal(size=(4, 5, 3))
    values[:, 2:] = 0.5
    check(model, *(each.astype("float32") for each in (numbers, values, numbers[:, 0])))


@pytest.mark.doors
@pytest.mark.parametrize("make", [MLPClassifier, cnn_core.sklearn.MLPClassifier])
@pytest.mark.parametrize("kind", ["texts", "numbers", "three", "labels"])
def test_classifiers_with_their_labels(make: Any, kind: str):
    x = np.random.default_rng(5).normal(size=(60, 4)).astype("float32")
    targets = {
        "texts": np.where(x[:, 0] > 0, "yes", "no"),
        "numbers": np.where(x[:, 0] > 0, 7, -3),
        "three": np.array(["a", "b", "c"])[np.digitize(x[:, 0], [-0.4, 0.4])],
        "labels": (x[:, :3] > 0).astype(int),
    }
    fitted = make(hidden_layer_sizes=(5,), max_iter=30, random_state=0).fit(x, targets[kind])
    label, probabilities = run(to_onnx(fitted), {"X": x})
    assert np.array_equal(label, fitted.predict(x))
    np.testing.assert_allclose(probabilities, fitted.predict_proba(x), rtol=1e-5, atol=1e-6)


@pytest.mark.doors
def test_regressors(tmp_path: Any):
    x = np.random.default_rng(5).normal(size=(60, 4))
    fitted = MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, random_state=0).fit(x, x[:, 0] ** 2)
    data = to_onnx(fitted, tmp_path / "regressor.onnx")
    assert (tmp_path / "regressor.onnx").read_bytes() == data
    np.testing.assert_allclose(run(data, {"X": x})[0][:, 0], fitted.predict(x), rtol=1e-12)


def test_a_file_says_what_it_is(tmp_path: Any):
    model = Sequential([Input((2,), name="x"), layers.Dense(3, "relu", name="hidden"), layers.Dropout(0.5)])
    model.metadata["classes"] = "[1, 2, 3]"
    model.export(tmp_path / "model.onnx")
    found = decode(memoryview((tmp_path / "model.onnx").read_bytes()))
    assert (found["ir_version"], found["producer_name"]) == (8, "cnn_core")
    assert found["metadata_props"] == [{"key": "classes", "value": "[1, 2, 3]"}]
    graph = found["graph"]
    assert [node["op_type"] for node in graph["node"]] == ["Gemm", "Relu", "Identity"]
    assert [each["dims"] for each in graph["initializer"]] == [[2, 3], [3]]
    assert graph["input"][0]["type"]["tensor_type"]["shape"]["dim"] == [{"dim_param": "batch"}, {"dim_value": 2}]
    with pytest.raises(ValueError, match="`format` must be"):
        model.export(tmp_path / "model", format="tf_saved_model")
