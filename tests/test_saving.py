"""Models in files: architecture, weights, compile arguments and optimizer state come back; nothing else does."""

from __future__ import annotations

import errno
import io
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.foundation.model_file as model_file
import cnn_core.optimizers.schedules as schedules
from cnn_core import callbacks, layers, losses, metrics, optimizers, regularizers, saving
from cnn_core.models import Model, Sequential

GENERATOR = np.random.default_rng(51)
X = GENERATOR.normal(size=(20, 4)).astype("float32")
Y = GENERATOR.normal(size=(20, 2)).astype("float32")


def chain() -> Any:
    cnn_core.utils.set_random_seed(1)
    return Sequential([cnn_core.Input((4,)), layers.Dense(3, "tanh"), layers.Dropout(0.2), layers.Dense(2)])


def network() -> Any:
    cnn_core.utils.set_random_seed(2)
    x, z = cnn_core.Input((4,), name="x"), cnn_core.Input((4,), name="z")
    shared = layers.Dense(4, "relu", name="shared")
    a = layers.Add(name="sum")([shared(x), shared(z), x])
    inner = Sequential([cnn_core.Input((4,)), layers.BatchNormalization(), layers.Dense(2)], name="inner")
    return Model({"x": x, "z": z}, [inner(a), layers.Dense(1, "sigmoid", name="share")(a)])


def everything() -> Any:
    """A layer of nearly every kind, with options away from their defaults."""
    cnn_core.utils.set_random_seed(3)
    return Sequential(
        [
            cnn_core.Input((4,)),
            layers.Dense(
                6,
                "leaky_relu",
                kernel_initializer="he_normal",
                bias_initializer=cnn_core.initializers.Constant(0.1),
                kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                kernel_constraint=cnn_core.constraints.MaxNorm(3.0),
                activity_regularizer="l2",
                kernel_learning_rate_multiplier=0.5,
            ),
            layers.BatchNormalization(momentum=0.9, epsilon=1e-4),
            layers.PReLU(alpha_initializer="ones"),
            layers.GaussianNoise(0.1, seed=3),
            layers.LayerNormalization(),
            layers.Reshape((3, 2)),
            layers.Dense(3, "elu", use_bias=False),
            layers.Flatten(),
            layers.AlphaDropout(0.1),
            layers.RMSNormalization(),
            layers.Dense(2, trainable=False),
            layers.Rescaling(2.0, offset=1.0),
        ],
        name="everything",
    )


def same(model: Any, twin: Any, x: Any) -> bool:
    ours, theirs = model.predict(x), twin.predict(x)
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("make", [chain, network, everything])
def test_a_model_comes_back(make: Any, tmp_path: Path) -> None:
    model = make()
    x: Any = {"x": X, "z": X[::-1].copy()} if make is network else X
    model.save(tmp_path / "model.safetensors")
    twin = cnn_core.load_model(tmp_path / "model.safetensors")
    assert type(twin) is type(model)
    assert same(model, twin, x)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    assert [v.path for v in twin.variables] == [v.path for v in model.variables]
    assert [v.path for v in twin.trainable_variables] == [v.path for v in model.trainable_variables]
    assert json.loads(twin.to_json()) == json.loads(model.to_json())
    assert not twin.compiled
    assert all(a is not b for a, b in zip(model.layers, twin.layers, strict=True))


OPTIMIZERS = [
    lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    lambda: optimizers.Adam(schedules.CosineDecay(0.01, 50), amsgrad=True, clipnorm=1.0),
    lambda: optimizers.Nadam(0.01, weight_decay=0.01),
    lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True, gradient_accumulation_steps=2),
    lambda: optimizers.Adagrad(0.1, use_ema=True, ema_overwrite_frequency=4),
]


@pytest.mark.parametrize("make", [chain, everything])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_bit_for_bit_after_loading(make: Any, optimizer: Any, tmp_path: Path) -> None:
    model = make()
    model.compile(optimizer(), losses.Huber(0.7), metrics=["mae", metrics.RootMeanSquaredError(name="rmse")])
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "model")
    twin = cnn_core.load_model(tmp_path / "model")
    first = model.fit(X, Y, epochs=3, batch_size=8, verbose=0).history
    second = twin.fit(X, Y, epochs=3, batch_size=8, verbose=0).history
    assert {name: values[-3:] for name, values in first.items()} == second
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    assert twin.optimizer.get_config() == model.optimizer.get_config()
    assert twin.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)


def test_compile_arguments_by_output_come_back(tmp_path: Path) -> None:
    model = network()
    model.compile(
        "adam",
        {"inner": losses.MeanAbsoluteError(), "share": "binary_crossentropy"},
        loss_weights={"share": 0.25},
        metrics={"inner": ["mse"], "share": ["accuracy", metrics.AUC(num_thresholds=50)]},
        weighted_metrics=[[], ["acc"]],
    )
    x, y = {"x": X, "z": X}, [Y, (Y[:, :1] > 0).astype("float32")]
    model.save(tmp_path / "model")
    twin = cnn_core.load_model(tmp_path / "model")
    assert twin.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)


def test_without_compiling_and_without_the_state(tmp_path: Path) -> None:
    model = chain()
    model.compile(optimizers.Adam(0.05), "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    assert not cnn_core.load_model(tmp_path / "model", compile=False).compiled
    saving.save_model(model, tmp_path / "small", include_optimizer=False)
    fresh = cnn_core.load_model(tmp_path / "small")
    assert fresh.optimizer.learning_rate == 0.05
    assert fresh.optimizer.iterations == 0
    assert fresh.optimizer.state == {}
    assert (tmp_path / "small").stat().st_size < (tmp_path / "model").stat().st_size


def test_a_model_saved_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    model = chain()
    model.compile("adam", "mse", metrics=["mae"])
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{batch}.safetensors", save_freq=2)
    model.fit(X, Y, batch_size=8, callbacks=[checkpoint], verbose=0)
    (path,) = tmp_path.iterdir()
    assert cnn_core.load_model(path).optimizer.iterations == 2


def test_state_is_stored_by_variable(tmp_path: Path) -> None:
    model = Sequential([cnn_core.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    model.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
    model.layers[0].trainable = False
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    tensors, _ = model_file.read(tmp_path / "model")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "a/kernel": (4, 3), "a/bias": (3,), "b/kernel": (3, 2), "b/bias": (2,),
        "cnn_core.optimizer/momentum/b/kernel": (3, 2), "cnn_core.optimizer/momentum/b/bias": (2,),
    }  # fmt: skip
    # Unfrozen since: what has no state yet begins with none.
    model.layers[0].trainable = True
    model.save(tmp_path / "model")
    tensors, _ = model_file.read(tmp_path / "model")
    assert not tensors["cnn_core.optimizer/momentum/a/kernel"].any()
    assert tensors["cnn_core.optimizer/momentum/b/kernel"].all()


def test_every_type_and_a_model_without_layers_of_weights(tmp_path: Path) -> None:
    for dtype in ("float32", "float64"):
        model = Sequential([cnn_core.Input((4,)), layers.Dense(2, dtype=dtype)])
        model.save(tmp_path / dtype)
        assert cnn_core.load_model(tmp_path / dtype).compute_dtype == dtype
    empty = Sequential([cnn_core.Input((4,)), layers.Activation("relu")])
    empty.save(tmp_path / "empty")
    assert same(empty, cnn_core.load_model(tmp_path / "empty"), X)


# What people write themselves


class Cubic:
    """An activation."""

    def forward(self, z: Any) -> Any:
        return z**3

    def derivative(self, z: Any, a: Any) -> Any:
        return 3 * z**2

    def get_config(self) -> dict[str, Any]:
        return {}


class Quartic:
    """A loss with a setting."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def value(self, y_true: Any, y_pred: Any) -> Any:
        return self.scale * ((y_pred - y_true) ** 4).mean(axis=-1)

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return self.scale * 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale}


def worst(y_true: Any, y_pred: Any) -> Any:
    return np.abs(y_true - y_pred).max(axis=-1)


class Wide(layers.Dense):
    """A layer."""


CUSTOM = {"Cubic": Cubic, "Quartic": Quartic, "worst": worst, "Wide": Wide}


def custom_model() -> Any:
    cnn_core.utils.set_random_seed(4)
    model = Sequential([cnn_core.Input((4,)), Wide(3, Cubic()), layers.Dense(2)])
    model.compile(optimizers.SGD(1e-4), Quartic(2.0), metrics=[worst])
    return model


def test_own_objects_come_back_through_custom_objects(tmp_path: Path) -> None:
    model = custom_model()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    twin = cnn_core.load_model(tmp_path / "model", custom_objects=CUSTOM)
    assert type(twin.layers[0]) is Wide
    assert twin.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)
    model.fit(X, Y, verbose=0)
    twin.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    with saving.custom_object_scope(CUSTOM):
        assert type(cnn_core.load_model(tmp_path / "model").layers[0]) is Wide


@pytest.mark.parametrize("missing", CUSTOM)
def test_what_is_missing_among_custom_objects_is_named(missing: str, tmp_path: Path) -> None:
    custom_model().save(tmp_path / "model")
    known = {name: each for name, each in CUSTOM.items() if name != missing}
    with pytest.raises(ValueError, match=f"Received: '{missing}'"):
        cnn_core.load_model(tmp_path / "model", custom_objects=known)


def test_a_file_names_no_code(tmp_path: Path) -> None:
    """Names that Python could import are only names."""
    chain().save(tmp_path / "model")
    tensors, metadata = model_file.read(tmp_path / "model")
    for name in ("os.system", "builtins.eval", "cnn_core.models.Sequential", "__import__"):
        config = json.loads(metadata["cnn_core.model"])
        config["config"]["layers"][0]["class_name"] = name
        model_file.write(tmp_path / "bad", tensors, {"cnn_core.model": json.dumps(config)})
        with pytest.raises(ValueError, match=r"`layer` must be one of .* Received: "):
            cnn_core.load_model(tmp_path / "bad")


def test_loading_runs_nothing(tmp_path: Path) -> None:
    model = network()
    model.compile("adam", ["mse", "binary_crossentropy"])
    model.save(tmp_path / "model")
    cnn_core.load_model(tmp_path / "model")
    events = []

    def hook(event: str, arguments: Any) -> None:
        if watching and event in ("exec", "compile", "import", "pickle.find_class", "os.system", "subprocess.Popen"):
            events.append((event, arguments))

    watching = False
    sys.addaudithook(hook)
    watching = True
    cnn_core.load_model(tmp_path / "model")
    watching = False
    assert events == []


def test_the_first_load_of_a_process_imports_nothing(tmp_path: Path) -> None:
    model = everything()
    model.compile(optimizers.Adam(schedules.CosineDecay(0.01, 50)), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    script = """
import sys
import cnn_core
events = []
sys.addaudithook(lambda event, arguments: events.append(arguments[0]) if event == "import" else None)
cnn_core.load_model(sys.argv[1])
print(events)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "model")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="There is no limit of open files that a process could set itself")
@pytest.mark.parametrize("name", ["model.safetensors", "model.keras"])
def test_the_first_load_of_a_process_without_a_free_file_fails_cleanly(tmp_path: Path, name: str) -> None:
    x = cnn_core.Input((2,))
    cnn_core.Model(x, cnn_core.layers.Dense(1)(2 * x)).save(tmp_path / name)
    code = """
import os, resource, sys
import cnn_core
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    cnn_core.load_model(sys.argv[1])
except OSError as error:
    print(error.errno)
os.close(held.pop())
print(cnn_core.load_model(sys.argv[1]).count_params())
"""
    command = [sys.executable, "-c", code, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EMFILE), "3"]


# Weights


def test_weights_by_names_or_by_order(tmp_path: Path) -> None:
    model = chain()
    model.save_weights(tmp_path / "weights")
    rebuilt = chain()
    rebuilt.set_weights([np.zeros_like(w) for w in rebuilt.get_weights()])
    assert [v.path for v in rebuilt.variables] != [v.path for v in model.variables], "numbered on in one process"
    rebuilt.load_weights(tmp_path / "weights")
    assert all(map(np.array_equal, model.get_weights(), rebuilt.get_weights()))
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    rebuilt.load_weights(tmp_path / "model")
    assert all(map(np.array_equal, model.get_weights(), rebuilt.get_weights()))


def test_names_count_before_order(tmp_path: Path) -> None:
    def build(*names: str) -> Any:
        return Sequential([cnn_core.Input((2,)), *(layers.Dense(2, name=name) for name in names)])

    model = build("a", "b")
    model.save_weights(tmp_path / "weights")
    turned = build("b", "a")
    turned.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(turned.get_layer("a").get_weights()[0], model.get_layer("a").get_weights()[0])


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    chain().save_weights(tmp_path / "weights")
    wide = Sequential([cnn_core.Input((4,)), layers.Dense(3), layers.Dense(5)])
    short = Sequential([cnn_core.Input((4,)), layers.Dense(3)])
    for model, message in (
        (wide, r"must hold '.*/kernel' of shape \(3, 5\). Received: shape=\(3, 2\). skip_mismatch=True leaves"),
        (short, "holds 4 weights, the model has 2. The model's: .*/kernel, .*/bias. Received: "),
    ):
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            model.load_weights(tmp_path / "weights")
        assert all(map(np.array_equal, before, model.get_weights()))


def test_mismatches_may_be_skipped(tmp_path: Path) -> None:
    def build(units: int) -> Any:
        return Sequential([cnn_core.Input((4,)), layers.Dense(3, name="body"), layers.Dense(units, name="head")])

    model, other = build(2), build(5)
    model.save_weights(tmp_path / "weights")
    head = other.get_layer("head").get_weights()
    other.load_weights(tmp_path / "weights", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_layer("body").get_weights()[0], model.get_layer("body").get_weights()[0])
    assert all(map(np.array_equal, other.get_layer("head").get_weights(), head))
    unnamed = Sequential([cnn_core.Input((4,)), layers.Dense(3), layers.Dense(5)])
    unnamed.load_weights(tmp_path / "weights", skip_mismatch=True)
    np.testing.assert_array_equal(unnamed.get_weights()[0], model.get_weights()[0])


def test_weights_of_the_other_type(tmp_path: Path) -> None:
    double = Sequential([cnn_core.Input((4,)), layers.Dense(2, dtype="float64")])
    double.save_weights(tmp_path / "weights")
    single = Sequential([cnn_core.Input((4,)), layers.Dense(2)])
    single.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(single.get_weights()[0], double.get_weights()[0].astype("float32"))


# Texts of the user's own


def test_texts_of_ones_own_travel_with_the_model(tmp_path: Path) -> None:
    own = {"data": "2024-05, ä", "classes": json.dumps(["no", "yes"]), "": ""}
    model = chain()
    model.save(tmp_path / "model", metadata=own)
    assert saving.load_metadata(tmp_path / "model") == {**own, "cnn_core.version": cnn_core.__version__}
    assert same(model, cnn_core.load_model(tmp_path / "model"), X)
    model.save_weights(tmp_path / "weights")
    assert saving.load_metadata(tmp_path / "weights") == {"cnn_core.version": cnn_core.__version__}


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ("text", TypeError, "`metadata` must be a mapping of texts. Received: metadata='text'"),
        ({"a": 1}, TypeError, "`metadata` must map texts to texts, such as json.dumps gives. Received: 'a': 1"),
        ({1: "a"}, TypeError, "`metadata` must map texts to texts"),
        ({"cnn_core.model": "{}"}, ValueError, "must not begin with 'cnn_core.'. Received: 'cnn_core.model'"),
    ],
)
def test_other_metadata_is_refused_before_anything_is_written(
    metadata: Any, error: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        chain().save(tmp_path / "model", metadata=metadata)
    assert list(tmp_path.iterdir()) == []


# Errors


def test_what_cannot_be_saved_or_loaded_is_said(tmp_path: Path) -> None:
    unbuilt = Sequential([layers.Dense(2)])
    for call in (unbuilt.save, unbuilt.save_weights):
        with pytest.raises(ValueError, match="needs a model with weights"):
            call(tmp_path / "model")
    with pytest.raises(ValueError, match="`load_weights` needs a model with weights"):
        unbuilt.load_weights(tmp_path / "model")
    model = chain()
    model.save_weights(tmp_path / "weights")
    with pytest.raises(FileExistsError, match="exists already: choose another name, or overwrite=True"):
        model.save(tmp_path / "weights", overwrite=False)
    model.save(io.BytesIO(), overwrite=False)
    with pytest.raises(ValueError, match="holds weights, not a model: use load_weights"):
        cnn_core.load_model(tmp_path / "weights")
    with pytest.raises(FileNotFoundError):
        cnn_core.load_model(tmp_path / "nothing")
    with pytest.raises(OSError, match="No such file or directory"):
        model.save(tmp_path / "no" / "such" / "folder")
    for text in ("{", "[]", "3", '{"class_name": "Sequential"}', '{"class_name": 3}', "{}"):
        with pytest.raises((ValueError, TypeError)):
            cnn_core.model_from_json(text)
        model_file.write(tmp_path / "bad", {}, {"cnn_core.model": text})
        with pytest.raises((ValueError, TypeError)):
            cnn_core.load_model(tmp_path / "bad")


def test_own_objects_without_a_configuration_are_refused_before_writing(tmp_path: Path) -> None:
    class Secret(Quartic):
        get_config = None  # type: ignore[assignment]

    class Silent:
        def forward(self, z: Any) -> Any:
            return z

        def derivative(self, z: Any, a: Any) -> Any:
            return np.ones_like(z)

    model = Sequential([cnn_core.Input((4,)), layers.Dense(2, Silent())])
    model.save(tmp_path / "model")
    twin = cnn_core.load_model(tmp_path / "model", custom_objects={"Silent": Silent})
    assert same(model, twin, X)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    model = chain()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    tensors, metadata = model_file.read(tmp_path / "model")
    tensors["cnn_core.optimizer/momentum/nobody/kernel"] = np.zeros(3, "float32")
    model_file.write(tmp_path / "bad", tensors, metadata)
    with pytest.raises(
        ValueError, match="holds an optimizer's state for 'nobody/kernel', which the model does not train"
    ):
        cnn_core.load_model(tmp_path / "bad")


def test_files_and_pickles_agree(tmp_path: Path) -> None:
    model = everything()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model")
    loaded, pickled = cnn_core.load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model))
    for each in (loaded, pickled):
        each.fit(X, Y, verbose=0, epochs=2)
    assert all(map(np.array_equal, loaded.get_weights(), pickled.get_weights()))


def test_a_layer_that_two_models_share_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    shared = layers.Dense(3, name="shared")
    inner = Sequential([cnn_core.Input((3,)), shared], name="inner")
    x = cnn_core.Input((3,))
    model = cnn_core.Model(x, inner(shared(x)), name="outer")
    for name in ("m", "m.keras"):
        with pytest.raises(ValueError, match=r"'shared' must stand in one model.* it stands in 'outer' and in 'inner'"):
            model.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    model.save_weights(tmp_path / "w")
    steps = cnn_core.Input((4, 3))
    around = layers.TimeDistributed(shared, name="around")
    wrapped = cnn_core.Model(steps, layers.Add()([around(steps), shared(steps)]), name="outer")
    with pytest.raises(ValueError, match=r"'shared' must stand in one .* it stands in '(outer|around)' and in"):
        wrapped.save(tmp_path / "m")
    twice = Sequential([cnn_core.Input((3,)), shared, shared])
    twice.save(tmp_path / "m")
    assert len(cnn_core.load_model(tmp_path / "m").variables) == 2
