"""Copies and pickles of models."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.models import Model, Sequential, clone_model
from model_cases import X, Y, sequential, trained, with_branches

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "old pickle": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": lambda model: _through_joblib(model),
    "cloudpickle": lambda model: pickle.loads(pytest.importorskip("cloudpickle").dumps(model)),
}


def _through_joblib(model: Any) -> Any:
    import io

    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_goes_on_as_the_model_would(way: str) -> None:
    model = trained()
    twin = COPIES[way](model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert twin.history.history == model.history.history
    assert twin.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    for each in (model, twin):
        each.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    twin.fit(X, Y, verbose=0)
    assert not np.array_equal(model.get_weights()[0], twin.get_weights()[0]), "they share nothing"
    assert twin.layers[0].output is twin.layers[1].input


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("make", [with_branches, lambda: Sequential([layers.Dense(2)]), Sequential])
def test_copies_of_other_models(way: str, make: Any) -> None:
    model = make()
    twin = COPIES[way](model)
    assert twin.name == model.name
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    if model.built:
        for a, b in zip(model.predict([X, X]), twin.predict([X, X]), strict=True):
            np.testing.assert_array_equal(a, b)
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


def test_models_that_share_layers_are_pickled_together() -> None:
    x = cnn_core.Input((4,))
    code = layers.Dense(2, "tanh")(x)
    auto, encoder = Model(x, layers.Dense(4)(code)), Model(x, code)
    auto.compile("sgd", "mse")
    new_auto, new_encoder = pickle.loads(pickle.dumps((auto, encoder)))
    new_auto.fit(X, X, verbose=0)
    np.testing.assert_array_equal(new_encoder.predict(X), new_encoder.layers[1](X))
    assert new_auto.layers[1] is new_encoder.layers[1]


def test_depth_is_no_limit() -> None:
    """As deep as Python's stack would not follow."""
    x = value = cnn_core.Input((1,))
    for _ in range(sys.getrecursionlimit()):
        value = layers.Activation("tanh")(value)
    model = Model(x, value)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), clone_model(model)):
        np.testing.assert_array_equal(twin.predict([[0.5]]), model.predict([[0.5]]))
    assert len(model.to_json()) > 1000
    del model, twin, value, x
    gc.collect()


def test_a_single_layer_is_copied_without_its_calls() -> None:
    layer = sequential().layers[0]
    twin = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(twin(X), layer(X))
    assert twin.calls == []
