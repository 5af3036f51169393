from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, callbacks, layers, ops, optimizers
from cnn_core.interop import to_keras
from cnn_core.interop.hdf5 import root_of
from cnn_core.interop.keras_writer import archive_of, weights_of
from keras_cases import OWN, around
from keras_files import cases, file_of
from random_models import random_model, random_rows

h5py = pytest.importorskip("h5py")

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.eye(2, dtype="float32")[np.arange(12) % 2]


def trained(optimizer: Any = "adam", n_steps: int = 3) -> Any:
    model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dense(2, "softmax")])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    train(model, n_steps)
    return model


def train(model: Any, n_steps: int) -> None:
    for _ in range(n_steps):
        model.train_on_batch(X, Y)


@pytest.mark.parametrize("name", ["chain.keras", "branches.keras", "prepared", "nadam", "accumulated", "schedule"])
def test_a_file_of_keras_is_written_again_as_it_was(name: str):
    """The recorded file is the truth: the same arrays under the same paths, the same layers and calls."""
    assert (3, name) in cases()
    given = file_of(3, name)
    written = archive_of(cnn_core.load_model(io.BytesIO(given)), {})
    with zipfile.ZipFile(io.BytesIO(given)) as one, zipfile.ZipFile(io.BytesIO(written)) as other:
        assert one.namelist() == other.namelist()
        described, again = (json.loads(each.read("config.json")) for each in (one, other))
        first, second = (root_of(each.read("model.weights.h5")) for each in (one, other))
        with h5py.File(io.BytesIO(other.read("model.weights.h5"))) as tree:
            assert {path for path in first.stored() if "seed" not in path and "metrics" not in path} == {
                *second.stored()
            }
            for path in second.stored():
                np.testing.assert_allclose(second.array(path), first.array(path), rtol=1e-6)
                np.testing.assert_array_equal(tree[path][()], second.array(path))
    for one, other in zip(described["config"]["layers"], again["config"]["layers"], strict=True):
        assert (one["class_name"], one["config"]["name"]) == (other["class_name"], other["config"]["name"])
        assert one.get("inbound_nodes") == other.get("inbound_nodes") or "shape" in str(one["inbound_nodes"])
    assert described["config"].get("output_layers") == again["config"].get("output_layers")


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(0.1, momentum=0.9),
        lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.05, 10), amsgrad=True),
        lambda: optimizers.Nadam(0.01),
        lambda: optimizers.Adagrad(0.1),
        lambda: optimizers.AdamW(0.01, use_ema=True),
    ],
)
@pytest.mark.parametrize("n_steps", [0, 3])
def test_training_goes_on_from_a_file_bit_for_bit(optimizer: Any, n_steps: int, tmp_path: Path):
    model = trained(optimizer(), n_steps)
    model.save(tmp_path / "m.keras", metadata={"data": "May"})
    again = cnn_core.load_model(tmp_path / "m.keras")
    assert again.metadata == {"data": "May"}
    train(model, 5)
    train(again, 5)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_models_come_back_the_same(tmp_path: Path):
    n_carried = 0
    for seed in range(60):
        model = random_model(seed, ("float32", "float64")[seed % 2])
        try:
            to_keras(model, tmp_path / "m.keras")
        except ValueError as error:
            if "cannot be carried to Keras" not in str(error):
                raise
            continue
        n_carried += 1
        x = random_rows(model)
        np.testing.assert_array_equal(cnn_core.load_model(tmp_path / "m.keras")(x), model(x))
    assert n_carried > 10


def test_compile_and_state_may_stay_behind():
    model = trained()
    assert not cnn_core.load_model(io.BytesIO(archive_of(model, {}, compile=False))).compiled
    assert cnn_core.load_model(io.BytesIO(archive_of(model, {}, with_state=False))).optimizer.iterations == 0
    assert root_of(weights_of(model)).group("optimizer") is None


def test_weights_go_through_files_of_keras(tmp_path: Path):
    model = trained()
    model.save_weights(tmp_path / "best.weights.h5")
    other = trained(n_steps=0)
    other.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_array_equal(other(X), model(X))
    inside = Model(x := Input((3,)), Sequential([Input((3,)), layers.Dense(2)], name="inside")(x))
    with h5py.File(io.BytesIO(weights_of(inside))) as tree:
        assert tree["layers/sequential/layers/dense/vars/0"].shape == (3, 2)
        assert tree["layers/sequential/vars"].attrs["name"] == b"inside"


@pytest.mark.parametrize("kind", OWN)
def test_own_models_and_operations_come_back_as_what_they_are_made_of(kind: str, tmp_path: Path):
    model = OWN[kind]()
    expected = model(X)
    to_keras(model, tmp_path / "m.keras")
    back = cnn_core.load_model(tmp_path / "m.keras")
    assert type(back) is (Sequential if kind == "own chain" else Model)
    found = back(X)
    for name in expected if isinstance(expected, dict) else [...]:
        np.testing.assert_array_equal(found[name], expected[name])


class Gate(layers.Layer):
    """A layer of a user's own that holds layers."""

    def __init__(self, units: int, **common: Any) -> None:
        super().__init__(**common)
        self.units = units
        self.value, self.stack = layers.Dense(units), [layers.Dense(units), layers.Dense(units)]
        self.same = self.value

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(self.units,), name="scale", initializer="ones")

    def call(self, x: Any) -> Any:
        return self.scale * self.value(x) * ops.sigmoid(self.stack[1](self.stack[0](x)))


def test_layers_that_hold_layers_are_laid_out_by_attributes_as_in_keras(tmp_path: Path):
    model = around(Gate(4))
    for variable in model.variables:
        variable.assign(np.random.default_rng(variable.size).normal(size=variable.shape))
    with h5py.File(io.BytesIO(weights_of(model))) as tree:
        gate = tree["layers/gate"]
        assert {*gate} == {"vars", "same", "stack"}  # `value` is the same layer, and comes later
        assert [*gate["vars"]] == ["0"]
        assert gate["same/vars/0"].shape == (3, 4)
        assert gate["stack/dense_1/vars/1"].shape == (4,)
    model.save(tmp_path / "m.keras")
    back = cnn_core.load_model(tmp_path / "m.keras", custom_objects={"Gate": Gate})
    np.testing.assert_array_equal(back(X), model(X))


def test_what_is_added_to_a_model_is_refused(tmp_path: Path):
    class Penalized(Model):
        def call(self, x: Any) -> Any:
            self.add_loss(ops.mean(x))
            return 2.0 * x

    model = around(Penalized())
    with pytest.raises(ValueError, match="cannot be carried to Keras: losses are added to it"):
        to_keras(model, tmp_path / "m.keras")


def test_checkpoints_of_scripts_for_keras(tmp_path: Path):
    model = trained(n_steps=0)
    best = callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True)
    weights = callbacks.ModelCheckpoint(tmp_path / "w-{epoch}.weights.h5", save_weights_only=True)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[best, weights])
    assert zipfile.is_zipfile(tmp_path / "best.keras")
    model.load_weights(tmp_path / "w-1.weights.h5")
    cnn_core.load_model(tmp_path / "best.keras")
    for name, weights_only in (("m.weights.h5", False), ("m.keras", True), ("m.h5", False)):
        with pytest.raises(ValueError, match=r"`filepath` must not end in .* use the ending '.safetensors' or '\.\w+"):
            callbacks.ModelCheckpoint(tmp_path / name, save_weights_only=weights_only)


def test_what_keras_lacks_is_refused_and_leaves_the_old_file(tmp_path: Path):
    (tmp_path / "m.keras").write_bytes(b"old")
    model = Sequential([Input((3,)), layers.PeriodicEmbedding(2)])
    with pytest.raises(ValueError, match=r"cannot be carried to Keras: .* A file that ends in '\.safetensors' holds"):
        model.save(tmp_path / "m.keras")
    assert (tmp_path / "m.keras").read_bytes() == b"old"


def test_arguments_of_to_keras(tmp_path: Path):
    with pytest.raises(TypeError, match=r"`model` must be a model of cnn_core\. Received: model=5"):
        to_keras(5)
    with pytest.raises(ValueError, match=r"`path` must end in '\.keras'\. Received: path="):
        to_keras(trained(), tmp_path / "m.h5")
    with pytest.raises(ValueError, match="has no input yet"):
        to_keras(Sequential([layers.Dense(2)]), tmp_path / "m.keras")
