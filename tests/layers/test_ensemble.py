"""EnsembleDense: members as networks of their own, what they share, training, settings, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.initializers import HeNormal, RandomNormal

X = np.random.default_rng(0).normal(size=(12, 5))


def ensemble(n_members: int = 4, **options: Any) -> Any:
    """Return a model of two hidden layers, and an output for each member."""
    return cnn_core.Sequential(
        [
            layers.Input((5,), dtype="float64"),
            layers.EnsembleDense(7, n_members, "relu", dtype="float64", **options),
            layers.EnsembleDense(6, n_members, "tanh", dtype="float64", **options),
            layers.EnsembleDense(2, n_members, "softmax", shared_kernel=False, dtype="float64"),
        ]
    )


def test_members_are_networks_of_their_own():
    cnn_core.utils.set_random_seed(0)
    model = ensemble(input_factor_initializer="normal", output_factor_initializer="normal", bias_initializer="normal")
    found = model.predict(X, verbose=0)
    assert found.shape == (12, 4, 2)
    first, second, last = model.layers
    for member in range(4):
        alone = cnn_core.Sequential([layers.Input((5,), dtype="float64")])
        for layer, activation in ((first, "relu"), (second, "tanh")):
            dense = layers.Dense(layer.units, activation, dtype="float64")
            alone.add(dense)
            scaled = layer.input_factor.numpy()[member][:, None] * layer.kernel.numpy()
            dense.set_weights([scaled * layer.output_factor.numpy()[member], layer.bias.numpy()[member]])
        alone.add(layers.Dense(2, "softmax", dtype="float64"))
        alone.layers[-1].set_weights([last.kernel.numpy()[member], last.bias.numpy()[member]])
        np.testing.assert_allclose(alone.predict(X, verbose=0), found[:, member], rtol=1e-11, atol=1e-14)


def test_members_begin_apart_and_learn():
    cnn_core.utils.set_random_seed(0)
    model = ensemble()
    before = model.predict(X, verbose=0)
    assert (np.ptp(before, axis=1) > 0).all()
    model.compile(cnn_core.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    labels = np.repeat((X[:, :1] > 0).astype("int32"), 4, axis=1)
    model.fit(X, labels, epochs=150, verbose=0)
    assert (model.predict(X, verbose=0).mean(axis=1).argmax(axis=1) == labels[:, 0]).all()


def test_the_softmax_of_members_is_left_to_the_loss():
    cnn_core.utils.set_random_seed(0)
    model = ensemble()
    model.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.repeat((X[:, :1] > 0).astype("int32"), 4, axis=1)
    expected = -np.log(np.take_along_axis(model.predict(X, verbose=0), labels[:, :, None], axis=2)).mean()
    np.testing.assert_allclose(model.evaluate(X, labels, verbose=0), expected, rtol=1e-9)
    assert cnn_core.inspection.gradient_check(model, X, labels).passed


def test_a_step_is_traced():
    model = ensemble()
    model.compile("sgd", "sparse_categorical_crossentropy")
    trace = model.trace(X[:3], np.zeros((3, 4), "int32"))
    hidden = next(each for each in trace.layers if each.name == model.layers[0].name)
    np.testing.assert_allclose(np.maximum(hidden.z, 0), hidden.a)
    np.testing.assert_allclose(hidden.a.reshape(3, 4, 7), model.layers[0](X[:3]))
    assert model.layers[0].name in trace.graph().to_dot()


def test_kernels_of_their_own_are_drawn_like_one_of_them():
    cnn_core.utils.set_random_seed(0)
    layer = layers.EnsembleDense(50, 40, shared_kernel=False, kernel_initializer=HeNormal())
    layer.build((None, 200))
    np.testing.assert_allclose(layer.kernel.numpy().std(), (2 / 200) ** 0.5, rtol=0.02)
    layer = layers.EnsembleDense(3, 2, shared_kernel=False, kernel_initializer=RandomNormal(1.0, 0.0))
    layer.build((None, 2))
    assert (layer.kernel.numpy() == 1).all()


def test_parameters_are_those_of_one_network_and_factors():
    layer = layers.EnsembleDense(64, 32)
    layer.build((None, 64))
    assert layer.count_params() == 64 * 64 + 32 * (64 + 64 + 64)
    assert [variable.name for variable in layer.variables] == ["kernel", "bias", "input_factor", "output_factor"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.EnsembleDense(0, 2), "`units` must be a positive integer"),
        (lambda: layers.EnsembleDense(2, 0), "`n_members` must be a positive integer"),
        (lambda: layers.EnsembleDense(3, 2, "glu"), "`units` must be even with the activation glu"),
        (lambda: layers.EnsembleDense(3, 2, shared_kernel=False, input_factors=True), "`input_factors` must be False"),
        (lambda: layers.EnsembleDense(3, 2, shared_kernel=False, output_factors=True), "`output_factors` must be"),
        (lambda: layers.EnsembleDense(3, 2)(np.ones((4, 3, 5))), r"\(n, 2, features\)"),
        (lambda: layers.EnsembleDense(3, 2)(np.ones((4, 2, 5, 1))), r"\(n, 2, features\)"),
    ],
)
def test_wrong_settings_are_named(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_number_of_features_is_refused():
    layer = layers.EnsembleDense(3, 2)
    layer(np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"its input has 6 features"):
        layer(np.ones((4, 6)))
