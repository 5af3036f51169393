"""What a subclass overrides is called, or refused by name: every public class, every method that Keras calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers, optimizers
from constructors import NEEDED, constructors

X = np.random.default_rng(0).random((8, 4)).astype("float32")
Y = (X[:, :1] > 0.5).astype("float32")
# What Keras calls while a model is built, trained, measured, saved and loaded.
CALLED = {
    "layers": ("call", "build", "compute_output_shape", "get_config"),
    "losses": ("call", "__call__", "get_config"),
    "metrics": ("update_state", "result", "reset_state", "get_config"),
    "optimizers": ("build", "apply", "apply_gradients", "update_step", "_clip_gradients", "get_config"),
    "optimizers.schedules": ("__call__", "get_config"),
    "initializers": ("__call__", "get_config"),
    "regularizers": ("__call__", "get_config"),
    "constraints": ("__call__", "get_config"),
    "callbacks": tuple(
        name
        for name in dir(cnn_core.callbacks.Callback)
        if name.startswith(("on_", "set_")) and "nonfinite" not in name
    ),
}
# Bases, and measures of one argument, of which a model makes no use.
LEFT_OUT = {"InputLayer", "KnowsItsArguments", "Mean", "RandomInitializer", "Sum"}
# Arguments for four features, and the shapes of inputs of other layers.
FITTING = {
    "GroupNormalization": {"groups": 2},
    "IoU": {"sparse_y_true": False, "sparse_y_pred": False},
    "MeanIoU": {"sparse_y_true": False, "sparse_y_pred": False},
    "Reshape": {"target_shape": (2, 2)},
}
GRIDS = {
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D", "Permute", "TimeDistributed"), (2, 4)),
    **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D"), (2, 2, 4)),
    **dict.fromkeys(("GlobalAveragePooling3D", "GlobalMaxPooling3D"), (2, 2, 2, 4)),
}


def cases() -> Iterator[Any]:
    for parameter in constructors():
        cls, kind = parameter.values[0], str(parameter.id).rpartition(".")[0]
        if cls.__name__ not in LEFT_OUT:
            for method in CALLED[kind]:
                if method == "compute_output_shape" and cls.defines_call:
                    continue  # `call`, run with symbols, tells the shape
                yield pytest.param(kind, cls, method, id=f"{cls.__name__}.{method}")


def test_classes_that_are_imported_when_asked_for_are_tried() -> None:
    tried = {parameter.values[1].__name__ for parameter in cases()}
    assert {"ModelCheckpoint", "TensorBoard", "TqdmCallback", "StringLookup"} <= tried


def with_a_log(cls: Any, method: str, log: list[str]) -> Any:
    """Return a subclass whose method notes its calls."""

    def noted(self: Any, *arguments: Any, **keywords: Any) -> Any:
        log.append(method)
        return getattr(super(own, self), method)(*arguments, **keywords)

    own = type(f"Own{cls.__name__}", (cls,), {method: noted, "__module__": "mine"})
    return own


def inputs_of(layer: Any) -> Any:
    one = layer.n_inputs == 1 or isinstance(layer, layers.Lambda)
    if layer.reads_values:
        dtype = "string" if "string" in layer.wants else "int64"
        sources = [cnn_core.Input((1,), dtype=dtype) for _ in range(1 if one else 2)]
        return sources[0] if one else sources
    shape = next((GRIDS[cls.__name__] for cls in type(layer).__mro__ if cls.__name__ in GRIDS), (4,))
    return cnn_core.Input(shape) if one else [cnn_core.Input((4,)) for _ in range(2)]


def use(kind: str, made: Any, folder: Path) -> None:
    """Build, train, measure, predict, save and load a model that has the object in its place."""
    arguments: dict[str, Any] = {"optimizer": "sgd", "loss": "mse"}
    hidden, callbacks = layers.Dense(2, "sigmoid"), []
    if kind == "layers":
        source = inputs_of(made)
        model = cnn_core.Model(source, made(source))
        model.save(folder / "model.safetensors")
        return
    if kind == "losses":
        arguments["loss"] = made
        y: Any = np.array([0, 1] * 4) if made.expects_labels or made.couples_rows else np.eye(2)[[0, 1] * 4]
        hidden = layers.Dense(4 if made.native == "gaussian_nll" else 2, "softmax")
    elif kind == "metrics":
        arguments["metrics"] = [made]
        y = np.eye(2)[[0, 1] * 4]
        if "Sparse" in type(made).__name__:
            arguments["loss"], y, hidden = "sparse_categorical_crossentropy", np.array([0, 1] * 4), softmax()
    else:
        y = np.tile(Y, 2)
    if kind == "optimizers":
        arguments["optimizer"] = made
    elif kind == "optimizers.schedules":
        arguments["optimizer"] = optimizers.SGD(made)
    elif kind == "callbacks":
        arguments["optimizer"] = optimizers.SGD(0.1, use_ema=True)
        callbacks = [made]
    elif kind in ("initializers", "regularizers", "constraints"):
        hidden = layers.Dense(2, **{f"kernel_{kind[:-1]}": made})
    model = cnn_core.Sequential([cnn_core.Input((4,)), hidden])
    model.compile(**arguments)
    model.fit(X, y, epochs=3, batch_size=4, validation_data=(X, y), callbacks=callbacks, verbose=0)
    model.evaluate(X, y, callbacks=callbacks, verbose=0)
    model.predict(X, callbacks=callbacks or None)
    model.save(folder / "model.safetensors")


def softmax() -> layers.Dense:
    return layers.Dense(2, "softmax")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "cls", "method"), [*cases()])
def test_what_a_subclass_defines_is_called_or_refused(
    kind: str, cls: Any, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cls is cnn_core.callbacks.TensorBoard:
        pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    log: list[str] = []
    own = with_a_log(cls, method, log)
    needed = {**NEEDED.get(cls.__name__, {})}
    if cls.__name__ == "MeanMetricWrapper":
        needed["name"] = "wrapped"
    needed |= FITTING.get(cls.__name__, {})
    try:
        use(kind, own(**needed), tmp_path)
        said = ""
    except TypeError as error:
        said = str(error)
    refused = f"defines `{method}`" in said or f"defines {method}" in said or "gradient" in said
    assert log or refused, f"{cls.__name__}.{method} is passed over in silence {said}"


PRIVATE = [
    (cls, name)
    for module in (cnn_core.callbacks, cnn_core.optimizers, cnn_core.layers)
    for cls in vars(module).values()
    if inspect.isclass(cls) and cls.__module__.startswith(module.__name__) and hasattr(cls, "kept")
    for name, value in vars(cls).items()
    if name.startswith("_") and not name.startswith("__") and inspect.isfunction(value) and name not in cls.kept
]


@pytest.mark.parametrize(("cls", "name"), [pytest.param(*each, id=f"{each[0].__name__}.{each[1]}") for each in PRIVATE])
def test_private_names_are_not_taken_over(cls: Any, name: str) -> None:
    own = type("Own", (cls,), {name: lambda self, *arguments: None, "__module__": "mine"})
    with pytest.raises(TypeError, match=rf"^Own defines `{name}`, (by which \w+ calls a method of its own|which is)"):
        own.__new__(own)


@pytest.mark.parametrize(
    ("cls", "names"),
    [
        (
            cnn_core.callbacks.ModelCheckpoint,
            ("_save_model", "_should_save_model", "_get_file_path", "_set_monitor_op"),
        ),
        (cnn_core.callbacks.BackupAndRestore, ("_save_model", "_should_save_on_batch")),
        (cnn_core.callbacks.EarlyStopping, ("_set_monitor_op",)),
        (cnn_core.callbacks.SwapEMAWeights, ("_swap_variables", "_finalize_ema_values")),
        (optimizers.Adam, ("_apply_weight_decay", "_get_current_learning_rate")),
    ],
)
def test_private_methods_of_keras_are_refused_by_name(cls: Any, names: tuple[str, ...]) -> None:
    for name in names:
        own = type("Own", (cls,), {name: lambda self, *arguments: None, "__module__": "mine"})
        with pytest.raises(TypeError, match=rf"^Own defines `{name}`, which is never called: "):
            own.__new__(own)


def test_private_methods_of_keras_that_are_called_may_be_defined() -> None:
    class Greedy(cnn_core.callbacks.EarlyStopping):
        def _is_improvement(self, value: float, reference: float | None) -> bool:
            return False

    stopping = Greedy("loss", patience=2)
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(X, Y, epochs=9, callbacks=[stopping], verbose=0).epoch) == 2


def test_an_evaluation_of_ones_own_is_no_validation() -> None:
    class Own(cnn_core.Sequential):
        def evaluate(self, *arguments: Any, **keywords: Any) -> Any:
            return super().evaluate(*arguments, **keywords)

    model = Own([cnn_core.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0) > 0
    before = model.get_weights()
    for validation in ({"validation_data": (X, Y)}, {"validation_split": 0.5}):
        with pytest.raises(TypeError, match="defines `evaluate`, which the validation of `fit` never calls"):
            model.fit(X, Y, verbose=0, **validation)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


STEPS = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


@pytest.mark.parametrize("method", STEPS)
@pytest.mark.parametrize("base", [cnn_core.Model, cnn_core.Sequential])
def test_steps_that_a_model_defines_are_called(base: Any, method: str) -> None:
    log: list[str] = []
    own = with_a_log(base, method, log)
    inputs, dense = cnn_core.Input((4,)), layers.Dense(1)
    model = own(inputs, dense(inputs)) if base is cnn_core.Model else own([inputs, dense])
    model.compile("sgd", "mse", metrics=["mae"])
    calls = {
        "fit": lambda: model.fit(X, Y, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(X, Y),
        "evaluate": lambda: model.evaluate(X, Y, verbose=0),
        "test_on_batch": lambda: model.test_on_batch(X, Y),
        "predict": lambda: model.predict(X),
        "predict_on_batch": lambda: model.predict_on_batch(X),
    }
    heeding = []
    for name, call in calls.items():
        log.clear()
        call()
        heeding += [name] if log else []
    wanted = {"train_step": [0, 1], "test_step": [2, 3], "predict_step": [4, 5]}.get(method, [0, 1, 2, 3])
    assert heeding == [[*calls][place] for place in wanted]
