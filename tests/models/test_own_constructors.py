"""Tests of subclasses of models with a constructor of their own: made again by their own arguments, or refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers


class Tower(cnn_core.Sequential):
    def __init__(self, width: int = 4, **common: Any) -> None:
        super().__init__([cnn_core.Input((3,)), layers.Dense(width, "relu"), layers.Dense(1)], **common)
        self.width = width


class Residual(cnn_core.Model):
    def __init__(self, width: int = 4, **common: Any) -> None:
        x = cnn_core.Input((3,))
        super().__init__(x, layers.Add()([x, layers.Dense(3)(layers.Dense(width, "relu")(x))]), **common)
        self.width = width


class Forgetful(cnn_core.Sequential):
    def __init__(self, width: Any = 4) -> None:
        super().__init__([cnn_core.Input((3,)), layers.Dense(int(width))])


X = np.arange(12, dtype="float32").reshape(4, 3)


@pytest.mark.parametrize("cls", [Tower, Residual])
def test_own_arguments_survive(cls: Any, tmp_path: Any) -> None:
    model = cls(7, name="mine")
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors", custom_objects={cls.__name__: cls})
    twins = [loaded, cnn_core.models.clone_model(model), cls.from_config(model.get_config()), copy.copy(model)]
    for twin in twins:
        assert (type(twin), twin.width, twin.name) == (cls, 7, "mine")
        assert [weight.shape for weight in twin.get_weights()] == [weight.shape for weight in model.get_weights()]
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_arguments_that_would_be_lost_are_refused(tmp_path: Any) -> None:
    model = Forgetful(np.int64(7))  # plain data is remembered
    for attempt in (model.get_config, lambda: cnn_core.models.clone_model(model), lambda: model.save(tmp_path / "m")):
        with pytest.raises(ValueError, match=r"Forgetful does not keep `width`. Set self.width in"):
            attempt()


def test_layers_made_by_the_constructor_cannot_be_replaced_in_a_clone() -> None:
    with pytest.raises(ValueError, match="`clone_function` must be None: Tower makes its layers itself"):
        cnn_core.models.clone_model(Tower(), clone_function=lambda layer: layer)


class Marked(cnn_core.Model):
    """Takes what `Model` takes, and one argument more."""

    def __init__(self, *arguments: Any, mark: int = 1, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.mark = mark


class Named(cnn_core.Model):
    def __init__(
        self, inputs: Any, outputs: Any, mark: int = 1, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(inputs, outputs, name, trainable)
        self.mark = mark


@pytest.mark.parametrize("cls", [Marked, Named])
def test_a_constructor_that_takes_symbols_is_given_them_again(cls: Any, tmp_path: Any) -> None:
    x = cnn_core.Input((3,))
    model = cls(inputs=x, outputs=layers.Dense(2)(x), mark=3, name="mine")
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors", custom_objects={cls.__name__: cls})
    clone = cnn_core.clone_model(model, clone_function=lambda layer: layer)
    for twin in (loaded, clone, cls.from_config(model.get_config()), copy.deepcopy(model)):
        assert (type(twin), twin.mark, twin.name, twin.output_shape) == (cls, 3, "mine", (None, 2))
    for twin in (loaded, clone):
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_a_sequential_that_takes_any_arguments_is_given_its_layers_again() -> None:
    class Stack(cnn_core.Sequential):
        def __init__(self, *arguments: Any, mark: int = 1, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.mark = mark

    model = Stack([cnn_core.Input((3,)), layers.Dense(2)], mark=3)
    for twin in (cnn_core.clone_model(model), Stack.from_config(model.get_config())):
        assert (type(twin), twin.mark, twin.output_shape) == (Stack, 3, (None, 2))
