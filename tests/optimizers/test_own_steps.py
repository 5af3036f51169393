"""Optimizers with an `update_step` of their own: momentum written for Keras steps as the native rule does."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core as keras
from cnn_core import layers, ops, optimizers

X = np.random.default_rng(0).random((48, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Momentum(optimizers.Optimizer):
    """As one writes it for Keras."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.9, **settings: Any) -> None:
        super().__init__(learning_rate=learning_rate, **settings)
        self.momentum = momentum

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        momentum = self.momentums[self._get_variable_index(variable)]
        self.assign(momentum, ops.subtract(ops.multiply(momentum, self.momentum), gradient * learning_rate))
        self.assign_add(variable, momentum)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


class Passing(optimizers.Adam):
    """Hands every step on to the native rule."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate)


def model_with(optimizer: Any) -> Any:
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(6, "relu", kernel_regularizer="l2", kernel_constraint="non_neg")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def fitted(model: Any, **settings: Any) -> Any:
    keras.utils.set_random_seed(2)
    return model.fit(X, Y, batch_size=16, verbose=0, **{"epochs": 3, **settings}).history


def assert_same_weights(first: Any, second: Any) -> None:
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=5e-7)


TAILS = [
    {},
    {"clipnorm": 0.1},
    {"global_clipnorm": 0.1},
    {"clipvalue": 0.01},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_overwrite_frequency": 4},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 8.0},
]


@pytest.mark.parametrize("tail", TAILS, ids=str)
def test_steps_are_those_of_the_native_rule(tail: dict[str, Any]) -> None:
    pairs = [
        (optimizers.SGD(0.01, momentum=0.9, **tail), Momentum(**tail)),
        (optimizers.Adam(0.01, **tail), Passing(0.01, **tail)),
    ]
    for native, own in pairs:
        models = [model_with(native), model_with(own)]
        histories = [fitted(model) for model in models]
        assert_same_weights(*models)
        assert histories[1]["loss"] == pytest.approx(histories[0]["loss"], rel=1e-5)
        assert int(own.iterations) == int(native.iterations)


def test_schedules_multipliers_and_exclusions() -> None:
    rate = optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)

    def made(optimizer: Any) -> Any:
        model = model_with(optimizer)
        model.layers[0].kernel.learning_rate_multiplier = 0.3
        model.layers[0].kernel.decay_multiplier = 0.5
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        fitted(model)
        return model

    first = made(optimizers.SGD(rate, momentum=0.9, weight_decay=0.1))
    assert_same_weights(first, made(Momentum(rate, weight_decay=0.1)))


def test_single_batches_and_given_gradients() -> None:
    native, own = model_with(optimizers.SGD(0.01, momentum=0.9)), model_with(Momentum())
    for _ in range(3):
        assert own.train_on_batch(X, Y) == pytest.approx(native.train_on_batch(X, Y), rel=1e-6)
    for model in (native, own):
        gradients = model.gradients(X, Y)
        model.optimizer.apply(gradients[:1], model.trainable_variables[:1])
    assert_same_weights(native, own)


def test_state_is_saved_and_goes_on(tmp_path: Any) -> None:
    whole, first = model_with(Momentum()), model_with(Momentum())
    fitted(whole, epochs=2, shuffle=False)
    fitted(first, epochs=1, shuffle=False)
    first.save(tmp_path / "model.safetensors")
    loaded = keras.models.load_model(tmp_path / "model.safetensors", custom_objects={"Momentum": Momentum})
    for again in (loaded, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert isinstance(again.optimizer, Momentum)
        fitted(again, epochs=1, shuffle=False)
        assert_same_weights(again, whole)
    names = [variable.name for variable in whole.optimizer.variables]
    assert names[:3] == ["iteration", "learning_rate", f"{whole.layers[0].name}_kernel_momentum"]


def test_layers_that_are_unfrozen_keep_state_in_its_place() -> None:
    model = model_with(Momentum())
    fitted(model)
    before = [momentum.numpy() for momentum in model.optimizer.momentums]
    model.optimizer.momentums[0].assign(before[0] + 1)
    np.testing.assert_array_equal(model.optimizer.variables[2].numpy(), before[0] + 1)
    with pytest.raises(ValueError, match="`initializer` must be"):
        model.optimizer.add_variable_from_reference(model.trainable_variables[0], "other", "random")
    ones = model.optimizer.add_variable_from_reference(model.trainable_variables[0], "ones", "ones")
    np.testing.assert_array_equal(ones.numpy(), np.ones((4, 6)))


def test_a_step_that_fails_moves_nothing() -> None:
    class Failing(optimizers.SGD):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if variable.path.endswith("bias"):
                raise ZeroDivisionError
            self.assign_sub(variable, gradient)

    model = model_with(Failing())
    before = model.get_weights()
    with pytest.raises(ZeroDivisionError):
        model.fit(X, Y, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ({}, [[30.0, -40.0], [0.0]]),
        ({"clipnorm": 5.0}, [[3.0, -4.0], [0.0]]),
        ({"clipvalue": 35.0}, [[30.0, -35.0], [0.0]]),
        ({"clipnorm": 100.0}, [[30.0, -40.0], [0.0]]),
    ],
)
def test_gradients_are_clipped_by_hand(tail: dict[str, float], expected: list[list[float]]) -> None:
    found = optimizers.Adam(**tail).clip_gradients([np.array([30.0, -40.0]), None, np.zeros(1)])
    assert found[1] is None
    for clipped, wanted in zip([found[0], found[2]], expected, strict=True):
        np.testing.assert_allclose(clipped, wanted)


def test_gradients_are_clipped_by_the_length_of_all() -> None:
    found = optimizers.SGD(global_clipnorm=1.3).clip_gradients([[3.0, 4.0], [12.0]])
    np.testing.assert_allclose(np.concatenate(found), [0.3, 0.4, 1.2])


def test_a_class_that_steps_itself_may_clip_otherwise() -> None:
    class Centred(Passing):
        def _clip_gradients(self, grads: Any) -> Any:
            return [each - each.mean(axis=0, keepdims=True) for each in super()._clip_gradients(grads)]

    class Native(optimizers.Adam):
        def _clip_gradients(self, grads: Any) -> Any:
            return grads

    model = model_with(Centred(0.1))
    before = model.layers[0].kernel.numpy()
    fitted(model, epochs=1)
    assert (model.layers[0].kernel.numpy() != before).any()
    np.testing.assert_array_equal(model.layers[-1].bias.numpy(), 0)  # a single number is its own mean
    with pytest.raises(TypeError, match=r"^Native defines `_clip_gradients`, which is never called"):
        Native()


def test_an_optimizer_that_compile_has_not_seen_is_refused() -> None:
    model = model_with("sgd")
    model.optimizer = Momentum()
    for call in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(ValueError, match="`compile` must be given Momentum, which defines `update_step`"):
            call()


def test_what_a_class_must_define() -> None:
    class Empty(optimizers.Optimizer):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, learning_rate)

    with pytest.raises(NotImplementedError, match=r"Empty must define update_step\(self, gradient, variable"):
        model_with(Empty(0.1)).train_on_batch(X, Y)
