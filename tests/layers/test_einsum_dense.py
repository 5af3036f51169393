"""EinsumDense: against numpy.einsum for random equations, against Dense, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import tolerances
from cnn_core import layers

SIZES = dict(zip("bcdefg", (2, 3, 4, 2, 3, 1), strict=True))


@st.composite
def equations(draw: Any) -> tuple[str, str, str, str]:
    """Draw the axes of a sample, of the kernel and of the output, and those of the bias."""
    source = draw(st.permutations("bcd"))[: draw(st.integers(1, 3))]
    shared = [letter for letter in source if draw(st.booleans())]
    kernel = draw(st.permutations([*shared, *"efg"[: draw(st.integers(0, 3))]]))
    known = list(dict.fromkeys([*source, *kernel]))
    output = [letter for letter in draw(st.permutations(known)) if letter in "efg" or draw(st.booleans())]
    bias = [letter for letter in output if draw(st.booleans())]
    return "".join(source), "".join(kernel), "".join(output), "".join(bias)


def sizes(letters: str) -> tuple[int, ...]:
    return tuple(SIZES[letter] for letter in letters)


@given(equation=equations(), activation=st.sampled_from([None, "tanh"]), seed=st.integers(0, 99))
def test_every_equation_is_numpy_s(equation: tuple[str, str, str, str], activation: Any, seed: int) -> None:
    source, kernel, output, bias = equation
    if not kernel or not output:
        return
    text = f"a{source},{kernel}->a{output}"
    layer = layers.EinsumDense(text, sizes(output), activation, bias or None, "normal", "normal", dtype="float64")
    x = np.random.default_rng(seed).normal(size=(3, *sizes(source)))
    y, cache = layer.forward(x)
    weights = layer.get_weights()
    z = np.einsum(text, x, weights[0]) + (weights[1] if bias else 0)
    tolerances.close(y, np.tanh(z) if activation else z, tolerances.KERNEL_FLOAT64)
    da = np.random.default_rng(seed + 1).normal(size=y.shape)
    delta = da * (1 - np.tanh(z) ** 2) if activation else da
    dx, dkernel, *_ = layer.backward(da, cache)
    tolerances.close(dkernel, _derivative(f"a{source}", f"a{output}", kernel, x, delta, weights[0].shape), 1e-12)
    tolerances.close(dx, _derivative(kernel, f"a{output}", f"a{source}", weights[0], delta, x.shape), 1e-12)


def _derivative(other: str, output: str, wanted: str, values: Any, delta: Any, shape: Any) -> Any:
    """Return the derivative by one operand: an axis that it alone has is repeated."""
    kept = "".join(letter for letter in wanted if letter in other + output)
    found = np.einsum(f"{other},{output}->{kept}", values, delta)
    spread = found.reshape([size if letter in kept else 1 for letter, size in zip(wanted, shape, strict=True)])
    return np.broadcast_to(spread, shape)


def test_as_dense_it_is_dense() -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    dense, einsum = layers.Dense(3, "softmax"), layers.EinsumDense("ab,bc->ac", 3, "softmax", "c")
    dense(x)
    einsum(x)
    einsum.set_weights(dense.get_weights())
    np.testing.assert_array_equal(einsum(x), dense(x))


def test_the_initializer_knows_inputs_from_outputs() -> None:
    """As in Keras: glorot_uniform draws between +-sqrt(6 / (inputs + outputs)), whatever the kernel's order is."""
    layer = layers.EinsumDense("abc,dbc->ad", 50, kernel_initializer="glorot_uniform")
    layer(np.ones((1, 5, 40)))
    limit = np.sqrt(6 / (200 + 50))
    assert 0.95 * limit < np.abs(layer.kernel.numpy()).max() <= limit


def test_dots_stand_for_any_number_of_axes() -> None:
    layer = layers.EinsumDense("...x,xy->...y", 4, bias_axes="y")
    assert layer(cnn_core.Input((3,))).shape == (None, 4)
    assert layer(cnn_core.Input((6, 2, 3))).shape == (None, 6, 2, 4)
    behind = layers.EinsumDense("ab...,bc->ac...", 4, bias_axes="c")
    assert behind(cnn_core.Input((3, 5, 6))).shape == (None, 4, 5, 6)
    assert behind.bias.shape == (4, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ab,bc",), r"^`equation` must have one of the forms .*\. Received: equation='ab,bc'$"),
        (("ab,bc->ac...",), "^`equation` must have one of the forms"),
        (("...a...,bc->...ac...",), "^`equation` must have one of the forms"),
        (("aab,bc->ac",), "^`equation` must name each axis of an operand once"),
        (("ab,bcd->ac",), "^`equation` must have every axis of the kernel in the input or in the output"),
        (("ab,bc->acd",), "^`equation` must have every axis of the output in the input or in the kernel"),
        (("ab,bc->ca",), "^`equation` must begin input and output with the axis of the samples"),
        (("ab,abc->ac",), "^`equation` must begin input and output with the axis of the samples"),
        (("ab,bc->ac", 3, None, "b"), r"^`bias_axes` must name axes of the output .* Received: bias_axes='b'$"),
        (("ab,bc->ac", 3, None, "a"), "^`bias_axes` must name axes of the output"),
        (("ab,bc->ac", 0), "^`output_shape` must be a tuple of positive integers"),
        (("ab,bc->ac", (3, 4)), r"^`output_shape` of 'layer' must have a size for each of the axes 'c'"),
        (("ab,bc->abc", (5, 4)), r"^`output_shape` of 'layer' must give the axis 'b' the input's size, 3"),
        (("ab,bc->abc", (None, None)), r"^The axes 'bc' of 'layer' must be known"),
        (("abc,cd->abd", (None, 2)), r"^'layer' takes inputs of 3 axes, as its equation says\. Received: shape="),
        (("...abc,cd->...abd", (None, None, 2)), r"^'layer' takes inputs of 3 axes and more"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(*arguments, *([3] if len(arguments) == 1 else []), name="layer")(np.ones((2, 3)))


def test_another_input_must_fit_the_kernel() -> None:
    layer = layers.EinsumDense("ab,bc->ac", 3, name="layer")
    layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"^'layer' has a kernel of shape \(4, 3\), with axes 'bc'\. Received: shape="):
        layer(np.ones((2, 5)))


def test_a_sum_of_all_features_is_a_number() -> None:
    layer = layers.EinsumDense("ab,b->a", (), kernel_initializer="ones")
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(layer(x), [3, 12])
    symbol = cnn_core.Input((3,))
    model = cnn_core.Model(symbol, layer(symbol))
    assert model.output_shape == (None,)
    np.testing.assert_array_equal(model.predict(x, verbose=0), [3, 12])
    y, cache = layer.forward(x)
    dx, dw = layer.backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(dx, np.ones((2, 3)))
    np.testing.assert_array_equal(dw, x.sum(axis=0))
