"""Tests of models in models: as deep as Python can follow, and never in themselves."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.models.nesting import DEEPEST, Nested


def chain(depth: int) -> cnn_core.Sequential:
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(2)])
    for _ in range(depth - 1):
        model = cnn_core.Sequential([cnn_core.Input((2,)), model])
    return model


def test_the_deepest_model_does_all_that_models_do(tmp_path) -> None:
    model, x = chain(DEEPEST), np.ones((3, 2), "float32")
    model.compile("sgd", "mse")
    model.fit(x, x, verbose=0)
    model.save(tmp_path / "deep.safetensors")
    loaded = cnn_core.load_model(tmp_path / "deep.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert model.count_params() == 6


@pytest.mark.parametrize("shared", [False, True])
def test_deeper_models_are_refused(shared: bool) -> None:
    deepest = chain(DEEPEST)
    x = cnn_core.Input((2,))
    with pytest.raises(ValueError, match=rf"nested at most {DEEPEST} deep.*would be {DEEPEST + 1}"):
        cnn_core.Model(x, layers.Add()([deepest(x), x]) if shared else deepest(x))


def test_a_model_that_is_used_twice_at_every_level_is_not_walked_twice() -> None:
    x = cnn_core.Input((2,))
    model = cnn_core.Model(x, layers.Dense(2)(x))
    for _ in range(12):
        x = cnn_core.Input((2,))
        model = cnn_core.Model(x, model(model(x)))
    assert model.nesting == 13


def test_a_model_cannot_hold_itself() -> None:
    inner = cnn_core.Sequential([layers.Dense(2)])
    outer = cnn_core.Sequential([inner])
    for layer in (inner, outer):
        with pytest.raises(ValueError, match=re.escape(f"cannot hold itself. Received: {layer.name!r}")):
            inner.add(layer)
    assert inner.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)


@pytest.mark.parametrize("copied", [lambda model: model, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_models_that_grow_inside_of_others_are_counted(copied) -> None:
    outer = inner = cnn_core.Sequential(name="outer")
    for _ in range(DEEPEST - 1):
        inner.add(cnn_core.Sequential())
        inner = inner.layers[0]
    outer = inner = copied(outer)
    while inner.layers:
        inner = inner.layers[0]
    with pytest.raises(ValueError, match=rf"Received: 'outer', which would be {DEEPEST + 1}$"):
        inner.add(cnn_core.Sequential())
    inner.add(layers.Dense(2))
    assert outer.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)


def test_what_is_added_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    hold = Nested.hold
    monkeypatch.setattr(Nested, "hold", lambda self, added: (seen.extend(added), hold(self, added))[1])
    model = cnn_core.Sequential([layers.Dense(1) for _ in range(20)])
    assert seen == model.layers
