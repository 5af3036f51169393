"""docs/keras.md tells the truth: names, parameters and defaults are Keras's but for what its two lists say.

Keras's side is tests/agreement/golden/keras_surface.json, which record_keras.py writes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import cnn_core
import cnn_core.foundation.left_out as left_out

ROOT = Path(__file__).resolve().parents[2]
SURFACE = json.loads((ROOT / "tests" / "agreement" / "golden" / "keras_surface.json").read_text(encoding="utf-8"))
NAMES = SURFACE.pop("names")
SOURCE = SURFACE.pop("source")
PAGE = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
# Attributes that only an object has are looked for in one.
OBJECTS = {
    "Model": lambda: cnn_core.Model(small_model().inputs, small_model().outputs),
    "Sequential": lambda: small_model(),
    "layers.Layer": lambda: small_model().layers[0],
    "optimizers.Optimizer": cnn_core.optimizers.SGD,
    "callbacks.Callback": cnn_core.callbacks.Callback,
    "metrics.Metric": cnn_core.metrics.Mean,
}


@cache
def small_model() -> Any:
    return cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)])


def section(title: str) -> str:
    """Return what stands under a heading of the page."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Return the code words of the cells of a section's table."""
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[" ".join(re.findall(r"`([^`]*)`", cell)) for cell in line.strip("|").split("|")] for line in lines]


def resolve(path: str) -> Any:
    """Find what a path names within cnn_core; None if there is nothing."""
    target: Any = cnn_core
    for part in path.split(".") if path else ():
        target = getattr(target, part, None)
    return target


# Names

LEFT_OUT = [(owners.split(), patterns.split()) for owners, patterns, *_ in rows("What is left out")]


@cache
def absent(owner: str) -> frozenset[str]:
    """List the names that Keras has in a module or class and cnn_core has not."""
    place = OBJECTS[owner]() if owner in OBJECTS else resolve("" if owner == "keras" else owner)
    # hasattr would call properties that need a model in training.
    known = {*dir(place), *getattr(place, "__dict__", {}), *getattr(place, "__all__", ())}  # the last found late, too
    return frozenset(name for name in recorded_names(owner) if name not in known)


def recorded_names(owner: str) -> list[str]:
    names: list[str] = NAMES["" if owner == "keras" else owner]
    return names


@pytest.mark.parametrize("owner", [name or "keras" for name in NAMES])
def test_names_that_are_left_out_are_listed(owner: str) -> None:
    patterns = [pattern for owners, patterns in LEFT_OUT if owner in owners for pattern in patterns]
    listed = {name for name in recorded_names(owner) if any(fnmatchcase(name, pattern) for pattern in patterns)}
    assert sorted(absent(owner) - listed) == [], "missing here, and not listed"
    assert sorted(listed - absent(owner)) == [], "listed, but there"


def test_page_and_messages_have_one_table() -> None:
    cells = [line.strip("|").split(" | ") for line in section("What is left out").splitlines() if line[:3] == "| `"]
    assert [tuple(cell.strip() for cell in row) for row in cells] == [
        (*(" ".join(f"`{word}`" for word in words.split()) for words in row[:2]), row.why) for row in left_out.ROWS
    ]


@pytest.mark.parametrize(
    ("module", "name", "reason"),
    [
        ("", "quantizers", "one dtype of variables per model"),
        ("layers", "Conv2D", "convolution"),
        ("callbacks", "RemoteMonitor", "need other packages"),
        ("optimizers", "MultiOptimizer", "no scaled loss is needed"),
        ("losses", "CTC", "sequences"),
        ("datasets", "mnist", "downloads"),
        ("saving", "KerasFileEditor", "files are read and written whole"),
        ("config", "backend", "backends"),
    ],
)
def test_a_name_that_is_left_out_is_answered_with_the_reason(module: str, name: str, reason: str) -> None:
    place = importlib.import_module(".".join(("cnn_core", module)).rstrip("."))
    assert not hasattr(place, name)
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}': {reason}.*\. docs/keras\.md lists"):
        getattr(place, name)
    with pytest.raises(ImportError, match=f"'{name}': {reason}"):
        exec(f"from {place.__name__} import {name}", {})


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        AttributeError, match=r"^module 'cnn_core\.layers' has no attribute 'Desne'\. Did you mean 'Dense'"
    ):
        _ = cnn_core.layers.Desne
    with pytest.raises(AttributeError, match=r"has no attribute 'Sequental'\. Did you mean 'Sequential'\?"):
        _ = cnn_core.Sequental
    with pytest.raises(ImportError, match=r"'EarlyStoping'\. Did you mean 'EarlyStopping'\?"):
        exec("from cnn_core.callbacks import EarlyStoping", {})


@pytest.mark.parametrize("method", ["compute_output_spec", "make_train_function"])
@pytest.mark.parametrize("base", [cnn_core.Model, cnn_core.Sequential, cnn_core.layers.Layer, cnn_core.layers.Dense])
def test_a_class_with_methods_that_are_never_called_is_refused(base: Any, method: str) -> None:
    own = type("Own", (base,), {method: lambda self, *arguments: None, "__init__": lambda self: None})
    for cls in (own, type("Own", (own,), {})):
        with pytest.raises(TypeError, match=rf"^Own defines `{method}`, which is never called: .*docs/keras\.md"):
            cls()


@pytest.mark.parametrize("base", [cnn_core.Sequential, cnn_core.layers.Dense])
def test_a_call_in_the_place_of_what_a_class_computes_is_refused(base: Any) -> None:
    with pytest.raises(TypeError, match=r"^Own defines `call`, which is never called: .*docs/keras\.md"):
        type("Own", (base,), {"call": lambda self, x: x})()


@pytest.mark.parametrize("method", ["build", "reset_metrics", "compute_mask"])
@pytest.mark.parametrize("base", [cnn_core.Model, cnn_core.Sequential])
def test_a_model_with_methods_that_training_passes_over_is_refused(base: Any, method: str) -> None:
    with pytest.raises(TypeError, match=rf"^Own defines `{method}`, which is never called: .*docs/keras\.md"):
        type("Own", (base,), {method: lambda self, *arguments: None})()


@pytest.mark.parametrize("method", ["apply", "apply_gradients", "build", "assign", "scale_loss"])
@pytest.mark.parametrize("base", [cnn_core.optimizers.Optimizer, cnn_core.optimizers.Adam])
def test_an_optimizer_with_steps_of_its_own_is_refused(base: Any, method: str) -> None:
    with pytest.raises(TypeError, match=rf"^Own defines `{method}`, which is never called: steps are made by native"):
        type("Own", (base,), {method: lambda self, *arguments: None})(0.1)


def test_an_optimizer_may_have_methods_and_state_that_keras_does_not_call() -> None:
    own = type("Own", (cnn_core.optimizers.Adam,), {"variables": lambda self: [], "applied": lambda self: 0})
    assert own(0.1).applied() == 0


def test_the_page_lists_nothing_that_keras_has_not() -> None:
    idle = [
        pattern
        for owners, patterns in LEFT_OUT
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for owner in owners for name in absent(owner))
    ]
    assert idle == []


# Signatures


def differences(path: str, theirs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Tell what an object takes otherwise than Keras's: pairs of the argument and what is different about it.

    What it takes besides, such as a default where Keras has none, is no difference to a script.
    """
    ours = {parameter.name: parameter for parameter in inspect.signature(resolve(path)).parameters.values()}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in ours.values())
    plain = [each for each in theirs if not each["kind"].startswith("VAR_")]
    for each in plain:
        parameter = ours.get(each["name"])
        if parameter is None:
            # Arguments that every layer has are taken by its base class.
            if not (takes_any and each["name"] in ("name", "dtype", "trainable", "activity_regularizer")):
                yield each["name"], "missing"
        elif default_of(parameter) != plain_default(each) and "default" in each:
            yield each["name"], "default"
        elif parameter.kind is parameter.KEYWORD_ONLY and each["kind"] != "KEYWORD_ONLY":
            yield each["name"], "keyword only"
    common = [
        each["name"]
        for each in plain
        if each["kind"] != "KEYWORD_ONLY" and each["name"] in ours and ours[each["name"]].kind.name == each["kind"]
    ]
    if sorted(common, key=list(ours).index) != common:
        yield "*", "order"


def default_of(parameter: inspect.Parameter) -> Any:
    if parameter.default is parameter.empty:
        return "required"
    default = parameter.default
    if default is None or isinstance(default, (bool, int, float, str)):
        return ("=", default)
    return ("=", list(default)) if isinstance(default, (list, tuple)) else ("=", repr(default))


def plain_default(described: dict[str, Any]) -> Any:
    return ("=", described["default"]) if "default" in described else "required"


def all_differences() -> set[tuple[str, str, str]]:
    found = set()
    for owner, objects in SURFACE.items():
        for name, theirs in objects.items():
            path = f"{owner}.{name}"
            if resolve(path) is not None:
                found |= {(path, argument, kind) for argument, kind in differences(path, theirs)}
    return found


def test_signatures_that_differ_are_listed() -> None:
    listed = [
        (pattern, argument, kind)
        for pattern, arguments, kind, *_ in rows("Signatures that differ")
        for argument in arguments.split()
    ]

    def fits(found: tuple[str, str, str], row: tuple[str, str, str]) -> bool:
        return fnmatchcase(found[0], row[0]) and found[1] == row[1] and found[2] == row[2]

    found = all_differences()
    assert sorted(each for each in found if not any(fits(each, row) for row in listed)) == [], "not listed"
    assert [row for row in listed if not any(fits(each, row) for each in found)] == [], "listed, but equal"


def test_the_page_names_the_version_compared_with() -> None:
    assert f"Keras {'.'.join(SOURCE['version'].split('.')[:2])}" in PAGE


# What scripts write in several ways


def test_modules_can_be_imported_as_keras_has_them() -> None:
    from cnn_core.callbacks import EarlyStopping
    from cnn_core.layers import Dense, Input
    from cnn_core.models import Model, Sequential, load_model
    from cnn_core.optimizers.schedules import ExponentialDecay
    from cnn_core.saving import load_model as same
    from cnn_core.utils import to_categorical

    assert load_model is same is cnn_core.load_model
    assert (Model, Sequential) == (cnn_core.Model, cnn_core.Sequential)
    assert all(map(callable, (Dense, EarlyStopping, ExponentialDecay, Input, to_categorical)))
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        _ = cnn_core.models.load_modle


def test_batch_shape_and_shape_make_the_same_input() -> None:
    assert cnn_core.Input(batch_shape=(None, 3)).shape == cnn_core.Input(shape=(3,)).shape == cnn_core.Input(3).shape
    with pytest.raises(ValueError, match=r"`batch_shape` must be None if `shape` is given\. Received: batch_shape="):
        cnn_core.Input((3,), batch_shape=(None, 3))


def test_registered_objects_are_loaded_without_being_handed_over(tmp_path: Path) -> None:
    @cnn_core.saving.register_keras_serializable(package="mine")
    class Square:
        def forward(self, z: Any) -> Any:
            return z * z

        def derivative(self, z: Any, a: Any) -> Any:
            return 2 * z

    try:
        model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1, activation=Square())])
        model.save(tmp_path / "model.keras")
        again = cnn_core.load_model(tmp_path / "model.keras")
        x = [[1.0, 2.0]]
        assert again.predict(x) == model.predict(x)
        assert cnn_core.activations.get("mine>Square").name == "Square"
    finally:
        cnn_core.utils.get_custom_objects().clear()
    with pytest.raises(ValueError, match="Received: 'Square'"):
        cnn_core.load_model(tmp_path / "model.keras")
    with cnn_core.utils.custom_object_scope({"Square": Square}):
        assert cnn_core.load_model(tmp_path / "model.keras").predict(x) == model.predict(x)


def test_a_new_session_numbers_names_from_the_start() -> None:
    cnn_core.utils.clear_session()
    assert [cnn_core.layers.Dense(1).name for _ in range(2)] == ["dense", "dense_1"]
