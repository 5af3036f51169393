"""Plain functions as activations and penalties: in training, alone, and in files."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Sequential, activations, layers, ops, regularizers
from cnn_core.ops.own_functions import Gradient

RANDOM = np.random.default_rng(8)
X, Y = RANDOM.normal(size=(40, 4)), RANDOM.normal(size=(40, 2))


def swish(z):
    return z * ops.sigmoid(z)


def scaled_softmax(z):
    e = ops.exp(2.0 * (z - ops.max(z, axis=-1, keepdims=True)))
    return e / ops.sum(e, axis=-1, keepdims=True)


def model(activation="linear", **options):
    cnn_core.utils.set_random_seed(2)
    hidden = layers.Dense(5, activation, dtype="float64", **options)
    made = Sequential([Input((4,), dtype="float64"), hidden, layers.Dense(2, dtype="float64")])
    made.compile("adam", "mse")
    return made


def fitted(*arguments, **options):
    made = model(*arguments, **options)
    made.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    return made


def test_a_function_trains_like_the_built_in_activation():
    for one, other in zip(fitted(swish).get_weights(), fitted("silu").get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_function_of_rows_by_central_differences():
    made = model(scaled_softmax)
    kernel = made.layers[0].kernel
    found = made.gradients(X, Y)
    found = (found if isinstance(found, list) else list(found.values()))[0]
    start = kernel.numpy()
    for place in ((0, 0), (3, 4)):
        values = []
        for step in (1e-6, -1e-6):
            moved = start.copy()
            moved[place] += step
            kernel.assign(moved)
            values.append(np.mean((made(X) - Y) ** 2))
        assert found[place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)
        kernel.assign(start)


def test_arrays_symbols_and_names():
    activation = activations.get(swish)
    np.testing.assert_allclose(activation([[0.0, 1.0]]), activations.silu([[0.0, 1.0]]))
    assert activation(Input((3,))).shape == (None, 3)
    assert (activation.name, activation) == ("swish", activations.get(swish))
    layer = layers.Activation(swish)
    np.testing.assert_allclose(layer(X), activations.silu(X.astype("float32")), rtol=1e-6)


def test_a_file_names_the_function(tmp_path):
    made = fitted(swish)
    made.save(tmp_path / "m.safetensors")
    again = cnn_core.load_model(tmp_path / "m.safetensors", custom_objects={"swish": swish})
    np.testing.assert_array_equal(again.predict(X, verbose=0), made.predict(X, verbose=0))
    with pytest.raises(ValueError, match="lambda"):
        model(lambda z: z * 2).save(tmp_path / "lambda.safetensors")


def squares(w):
    return 0.01 * ops.sum(ops.square(w))


class OwnSquares(regularizers.Regularizer):
    def __call__(self, x):
        return 0.01 * ops.sum(ops.square(x))


@pytest.mark.parametrize("penalty", [squares, OwnSquares()])
def test_a_penalty_is_that_of_l2(penalty):
    one, other = fitted(kernel_regularizer=penalty), fitted(kernel_regularizer=regularizers.L2(0.01))
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-9)
    assert one.evaluate(X, Y, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0))


def test_gradients_of_functions():
    w = RANDOM.normal(size=(3, 2))
    cubes = Gradient(lambda x: ops.sum(x**3), (3, 2), "float64", "cubes")
    for each in (w, -2 * w):
        np.testing.assert_allclose(cubes(each), 3 * each**2)
    gram = Gradient(lambda x: ops.sum(ops.matmul(ops.transpose(x), x)), (3, 2), "float64", "gram")
    np.testing.assert_allclose(gram(w), 2 * w.sum(axis=1, keepdims=True).repeat(2, 1))


def test_a_penalty_is_traced_once_for_a_tensor():
    times = []

    def counted(w):
        times.append(isinstance(w, np.ndarray))
        return 0.01 * ops.sum(ops.square(w))

    fitted(kernel_regularizer=counted)
    assert times.count(False) == 1  # with a symbol; on arrays it is the penalty's value


def test_numpy_is_told_from_ops():
    for made, message in (
        (lambda: model(lambda z: np.tanh(z)).fit(X, Y, verbose=0), r"functions of cnn_core\.ops instead of NumPy"),
        (lambda: fitted(kernel_regularizer=lambda w: float(np.sum(w))), r"functions of cnn_core\.ops instead of NumPy"),
        (lambda: activations.get(3), "`activation` must be a name, an activation, a function"),
        (lambda: regularizers.get(3), "`regularizer` must be a name, a regularizer, a function"),
    ):
        with pytest.raises(TypeError, match=message):
            made()
    with pytest.raises(ValueError, match="must keep the shape"):
        model(lambda z: ops.sum(z, axis=-1)).fit(X, Y, verbose=0)
