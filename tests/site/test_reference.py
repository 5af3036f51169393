"""Every public name has its place in the API reference, as the faces list it; pages are written without Sphinx."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import cnn_core

for needed in ("sklearn", "distributed"):
    pytest.importorskip(needed, reason=f"the estimators are public, and need {needed}")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

import api_pages  # noqa: E402
import faces  # noqa: E402

FACES = faces.faces()
PAGES = api_pages.pages()
PRIVATE = {"foundation", "network", "training", "data", "commands", "__main__", "_core"}


def test_every_public_module_is_a_face():
    """docs/stability.md: public is what faces list, but for the rooms that it names, and those without a face."""
    rooms = {f"cnn_core.{each.name}" for each in pkgutil.iter_modules(cnn_core.__path__) if each.name not in PRIVATE}
    assert rooms | {"cnn_core", "cnn_core.sklearn"} <= set(FACES)


@pytest.mark.parametrize("face", FACES)
def test_every_name_is_on_its_face_and_has_a_page(face: str):
    module = importlib.import_module(face)
    listed = [name for name in faces.public_names(module) if not inspect.ismodule(getattr(module, name))]
    assert listed
    linked = dict(re.findall(r":doc:`(\w+) <([\w.-]+)>`", PAGES[face]))
    assert set(linked) == set(listed)
    for name, page in linked.items():
        directive = re.search(rf"^\.\. (?:auto|py:)(?:class|function|data):: {name}\b", PAGES[page], re.MULTILINE)
        assert directive, page
        assert f".. currentmodule:: {face}\n" in PAGES[page]


def test_no_two_pages_are_one_file_where_case_does_not_count():
    assert len({name.lower() for name in PAGES}) == len(PAGES)


def test_every_name_says_what_it_is():
    silent = [
        f"{face}.{name}"
        for face, names in FACES.items()
        for name in names
        if not api_pages.first_line(importlib.import_module(face), name).strip()
    ]
    assert silent == []


def test_what_stands_on_two_faces_is_described_once():
    assert "The same as `cnn_core.models.Model`." in PAGES["cnn_core.Model"]
    assert ".. autoclass:: Model(" in PAGES["cnn_core.models.Model"]


def members(page: str) -> set[str]:
    """Return the members that a page shows."""
    listed = re.search(r":members: (.*)", PAGES[page])
    return set(listed[1].split(", ")) if listed else set()


def test_methods_of_a_documented_parent_are_not_repeated():
    assert members("cnn_core.layers.Dense") == set()
    assert "It also has the methods and attributes of `cnn_core.layers.Layer`." in PAGES["cnn_core.layers.Dense"]
    assert {"get_weights", "add_loss", "trainable"} <= members("cnn_core.layers.Layer")
    assert {"add", "pop"} <= members("cnn_core.models.Sequential")
    assert "fit" not in members("cnn_core.models.Sequential")


def test_models_show_what_keras_has_and_what_is_ours():
    shown = members("cnn_core.models.Model")
    assert {"compile", "fit", "evaluate", "predict", "train_on_batch", "summary", "get_layer"} <= shown
    assert {"predictor", "trace", "gradients", "metadata"} <= shown


@pytest.mark.parametrize(
    "page", ["models.Model", "layers.Layer", "optimizers.Optimizer", "losses.Loss", "metrics.Metric"]
)
def test_inner_methods_are_not_shown(page: str):
    inner = {
        "add_call_to",
        "build_own",
        "emit",
        "slots_of",
        "own_variables",
        "native_parameters",
        "plan",
        "keep_losses",
    }
    assert members(f"cnn_core.{page}") & inner == set()
    assert members(f"cnn_core.{page}")


def test_estimators_show_their_own_methods_and_none_of_scikit_learns():
    shown = members("cnn_core.sklearn.TabularClassifier")
    assert {"fit", "predict", "predict_proba", "save", "load", "to_onnx", "feature_importances"} <= shown
    assert shown & {"get_params", "set_params", "set_fit_request", "get_metadata_routing"} == set()


def test_operations_of_numpy_have_its_words_and_arguments():
    assert ".. py:function:: exp(x)" in PAGES["cnn_core.ops.exp"]
    assert "Calculate the exponential" in PAGES["cnn_core.ops.exp"]
    assert ".. py:function:: sum(x, axis=None, keepdims=False)" in PAGES["cnn_core.ops.sum"]


def test_signatures_have_defaults_and_no_types():
    assert "Dense(units, activation=None, use_bias=True" in PAGES["cnn_core.layers.Dense"]
