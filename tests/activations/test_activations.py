"""The activations against the float64 oracle, against Keras's recorded vectors, and their manners as objects."""

from __future__ import annotations

import copy
import pickle

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import reference
import tolerances
from cnn_core import activations
from cnn_core.activations import Activation
from golden import load

NAMES = [
    "relu", "leaky_relu", "relu6", "softmax", "log_softmax", "elu", "selu", "celu", "softplus", "softsign", "silu",
    "swish", "gelu", "glu", "tanh", "sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "exponential", "linear", "mish", "squareplus", "soft_shrink", "hard_shrink", "tanh_shrink", "threshold",
    "sparsemax", "sparse_plus", "sparse_sigmoid",
]  # fmt: skip
VARIANTS = {
    **{name: activations.get(name) for name in NAMES},
    "relu with all": activations.ReLU(0.1, 4.0, 0.5),
    "elu 0.5": activations.ELU(0.5),
    "celu 0.5": activations.CELU(0.5),
    "gelu approximate": activations.GELU(True),
    "squareplus 1": activations.Squareplus(1),
    "threshold 0.25": activations.Threshold(0.25, -1.0),
}
DTYPES = ["float32", "float64"]
# No corner of a piecewise activation among them: there, rounding decides which side it is.
Z = np.array([[-40.0, -2.75, -1.25, -0.4375, -1e-3, -1e-9], [1e-3, 0.3125, 0.9375, 2.0, 5.5, 40.0]])

golden = load("activations")
# Keras adds up the cumulated sums of the whole support where the projection takes the last of them, so that its
# sparsemax is right only for rows with one element left; ours is the projection (the oracle's test says so by hand).
# Its hard sigmoid has a slope of 1/6 rounded to float32 in both types.
NOT_AS_KERAS = {"sparsemax"}
ROUNDED_IN_KERAS = {"hard_sigmoid"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", golden.cases.values(), ids=list(golden.cases))
def test_values_and_derivatives_are_keras_s(case, dtype):
    activation = activations.get(case["activation"])
    z, da = golden("inputs", "z").astype(dtype), golden("inputs", "da").astype(dtype)
    a = activation(z, **case["arguments"])
    dz = activation._with((), case["arguments"]).backward(da[..., : a.shape[-1]], z)
    assert a.dtype == dz.dtype == dtype
    expected_a, expected_dz = golden(case["name"], dtype, "a"), golden(case["name"], dtype, "dz")
    if case["name"] in NOT_AS_KERAS:
        alone = (a > 0).sum(axis=-1) == 1
        assert alone.any()
        a, dz, expected_a, expected_dz = a[alone], dz[alone], expected_a[alone], expected_dz[alone]
    tolerances.close(a, expected_a, tolerances.golden(dtype))
    tolerances.close(dz, expected_dz, tolerances.golden("float32" if case["name"] in ROUNDED_IN_KERAS else dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_values_and_derivatives_are_the_oracle_s(name, dtype):
    activation = VARIANTS[name]
    kind, parameters = activation.native, activation.parameters
    expected = reference.activate(kind, Z, parameters)
    da = np.linspace(-1, 1, expected.size).reshape(expected.shape)
    tolerances.close(activation(Z.astype(dtype)), expected, tolerances.kernel(dtype))
    tolerances.close(
        activation.backward(da.astype(dtype), Z.astype(dtype)),
        reference.activation_backward(kind, da, Z, parameters),
        tolerances.kernel(dtype),
    )


@pytest.mark.parametrize("name", VARIANTS)
@given(st.lists(st.floats(-8, 8).filter(lambda z: min(abs(z - k / 32) for k in range(-256, 257)) > 1e-4), min_size=1))
def test_derivatives_are_slopes(name, values):
    """Away from the corners, all of which are at multiples of 1/32, by central differences."""
    activation = VARIANTS[name]
    z = np.array([values + values])  # of even width, for glu
    step = tolerances.DIFFERENCE_STEP
    da = np.cos(np.arange(activation(z).size)).reshape(activation(z).shape)
    slopes = np.empty_like(z)
    for j in range(z.shape[1]):
        shift = np.zeros_like(z)
        shift[0, j] = step
        above, below = activation(z + shift), activation(z - shift)
        if name == "sparsemax" and ((above > 0) != (below > 0)).any():
            hypothesis.reject()  # a corner between the two
        slopes[0, j] = (da * (above - below)).sum() / (2 * step)
    np.testing.assert_allclose(activation.backward(da, z), slopes, rtol=0, atol=tolerances.GRADIENT_CHECK)


@pytest.mark.parametrize("name", VARIANTS)
@given(data=st.data())
def test_rows_and_elements_do_not_know_of_each_other(name, data):
    rows = data.draw(st.integers(0, 3))
    width = 2 * data.draw(st.integers(1, 9))
    z = np.random.default_rng(rows + width).normal(size=(rows, width))
    activation = VARIANTS[name]
    together = activation(z)
    assert len(together) == rows
    for i in range(rows):
        np.testing.assert_array_equal(activation(z[i]), together[i])
        if not activation.row_wise:
            tolerances.close(activation(z[i, 0]), together[i, 0], tolerances.KERNEL_FLOAT64)


RANGES = {
    "sigmoid": (0, 1), "tanh": (-1, 1), "softmax": (0, 1), "sparsemax": (0, 1), "hard_sigmoid": (0, 1),
    "sparse_sigmoid": (0, 1), "hard_tanh": (-1, 1), "relu": (0, np.inf), "relu6": (0, 6), "softplus": (0, np.inf),
    "exponential": (0, np.inf), "log_sigmoid": (-np.inf, 0), "log_softmax": (-np.inf, 0), "softsign": (-1, 1),
    "silu": (-0.279, np.inf), "mish": (-0.31, np.inf), "gelu": (-0.171, np.inf), "elu": (-1, np.inf),
    "squareplus": (0, np.inf), "sparse_plus": (0, np.inf), "hard_silu": (-0.375, np.inf),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_extreme_arguments_stay_in_the_range(name, dtype):
    z = np.array([[0.0, 1e4, -1e4, 3e38, -3e38, 88.0, -88.0, 1e-30]], dtype)
    if name == "exponential":
        z = z[:, z[0] < 100]  # beyond, the value itself is infinite
    if name in ("log_softmax", "squareplus"):
        z = z / 2e19  # so are the difference of the extremes, and a square on the way
    a = activations.get(name)(z)
    low, high = RANGES[name]
    assert np.isfinite(a).all()
    assert (a >= low).all()
    assert (a <= high).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax", "relu", "selu", "gelu", "mish", "softplus"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_arguments_have_finite_derivatives(name, dtype):
    z = np.array([[0.0, 1e4, -1e4, 3e38, -3e38, 88.0, -88.0]], dtype)
    assert np.isfinite(activations.get(name).backward(np.ones_like(z), z)).all()


def test_by_hand():
    tolerances.close(activations.sigmoid(np.log([3.0, 1 / 3])), [0.75, 0.25], tolerances.BY_HAND_TRANSCENDENTAL)
    tolerances.close(activations.sigmoid.derivative(np.log(3.0)), 3 / 16, tolerances.BY_HAND_TRANSCENDENTAL)
    tolerances.close(activations.tanh(np.log(2.0)), 0.6, tolerances.BY_HAND_TRANSCENDENTAL)
    tolerances.close(activations.softmax(np.log([1.0, 2.0, 5.0])), [1 / 8, 1 / 4, 5 / 8], tolerances.BY_HAND)
    # For p = (1/8, 1/4, 5/8) and da = (8, 0, 0): p * (da - 1).
    dz = activations.softmax.backward([8.0, 0.0, 0.0], np.log([1.0, 2.0, 5.0]))
    tolerances.close(dz, [7 / 8, -1 / 4, -5 / 8], tolerances.BY_HAND)
    tolerances.close(activations.sparsemax([1.0, 0.5, 0.25]), [0.75, 0.25, 0.0], tolerances.BY_HAND)
    np.testing.assert_array_equal(activations.relu.derivative([-1.0, 0.0, 1.0]), [0, 0, 1])
    np.testing.assert_array_equal(activations.relu([-1.0, 3.0], max_value=2.0, negative_slope=0.5), [-0.5, 2.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_classes", [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 40])
def test_a_rows_softmax_does_not_depend_on_its_neighbours(n_classes: int, dtype: str) -> None:
    """Rows side by side in vectors, alone, from padded rows in a network and from plain arrays: the same bits."""
    z = np.random.default_rng(n_classes).standard_normal((53, n_classes)).astype(dtype) * 4
    model = cnn_core.Sequential([cnn_core.Input((n_classes,)), cnn_core.layers.Activation("softmax", dtype=dtype)])
    together = model.predict(z, verbose=0)
    np.testing.assert_array_equal(together, np.concatenate([model.predict(z[r : r + 1], verbose=0) for r in range(53)]))
    np.testing.assert_array_equal(together, activations.softmax(z))
    exact = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    tolerances.close(together, exact / exact.sum(axis=1, keepdims=True), tolerances.kernel(dtype))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax", "glu"])
@pytest.mark.parametrize("axis", [0, 1, -1, -2, (0, 2), (1, -1)])
def test_any_axis_can_be_the_row(name, axis):
    if name == "glu" and isinstance(axis, tuple):
        with pytest.raises(TypeError, match="axis"):
            activations.glu(np.zeros((2, 2, 2)), axis=axis)
        return
    z = np.random.default_rng(0).normal(size=(2, 4, 6))
    axes = axis if isinstance(axis, tuple) else (axis,)
    moved = np.moveaxis(z, axes, range(-len(axes), 0))
    rows = moved.reshape(*moved.shape[: -len(axes)], -1)
    expected = reference.activate(name, rows)
    result = activations.get(name)(z, axis=axis)
    np.testing.assert_allclose(
        np.moveaxis(result, axes, range(-len(axes), 0)).reshape(expected.shape),
        expected,
        rtol=tolerances.KERNEL_FLOAT64,
    )
    activation = type(activations.get(name))(axis)
    assert activation.native == (name if axis == -1 else None)
    da = np.random.default_rng(1).normal(size=result.shape)
    expected_dz = reference.activation_backward(
        name, np.moveaxis(da, axes, range(-len(axes), 0)).reshape(expected.shape), rows
    )
    dz = np.moveaxis(activation.backward(da, z), axes, range(-len(axes), 0)).reshape(rows.shape)
    tolerances.close(dz, expected_dz, tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize("axis", [2, -3, (0, 0), (0, 5)])
def test_axes_that_are_not_there_are_refused(axis):
    with pytest.raises(ValueError, match="`axis` must name axes of x"):
        activations.softmax(np.zeros((2, 2)), axis=axis)


def test_an_odd_axis_cannot_be_halved():
    with pytest.raises(ValueError, match="must be even"):
        activations.glu([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="must be even"):
        activations.glu.backward([1.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("name", NAMES)
def test_names_find_the_activations_of_the_module(name):
    assert activations.get(name) is getattr(activations, name)
    assert activations.get(name.upper()) is getattr(activations, name)


def test_get_takes_what_keras_takes():
    assert activations.get(None) is activations.linear
    assert activations.get(activations.relu) is activations.relu
    assert activations.get(activations.ELU) is activations.elu
    assert activations.get({"class_name": "function", "config": "tanh"}) is activations.tanh

    class LeakyLayer:
        activation = activations.LeakyReLU(0.3)

    assert activations.get(LeakyLayer()) == activations.LeakyReLU(0.3)


@pytest.mark.parametrize("name", VARIANTS)
def test_activations_survive_data_and_pickle(name):
    activation = VARIANTS[name]
    for again in (
        activations.deserialize(activations.serialize(activation)),
        pickle.loads(pickle.dumps(activation)),
        copy.deepcopy(activation),
    ):
        assert again == activation
        assert hash(again) == hash(activation)
        np.testing.assert_array_equal(again(Z), activation(Z))


def test_settings_make_the_difference():
    assert activations.ELU(0.5) != activations.elu
    assert activations.ELU(1) == activations.elu
    assert activations.serialize(activations.ELU(0.5)) == {"class_name": "elu", "config": {"alpha": 0.5}}


def test_activations_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot be changed"):
        activations.relu.negative_slope = 1.0
    with pytest.raises(AttributeError):
        activations.relu.missing  # noqa: B018


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: activations.CELU(0.0), ValueError),
        (lambda: activations.ReLU(max_value=-1), ValueError),
        (lambda: activations.SoftShrink(-1), ValueError),
        (lambda: activations.ELU("1"), TypeError),
        (lambda: activations.GELU("yes"), TypeError),
        (lambda: activations.ELU(float("nan")), ValueError),
        (lambda: activations.relu([1.0], slope=2), TypeError),
        (lambda: activations.elu([1.0], 1.0, alpha=1.0), TypeError),
        (lambda: activations.tanh([1.0], 2.0), TypeError),
        (lambda: activations.relu(["a"]), TypeError),
        (lambda: activations.relu([1j]), TypeError),
        (lambda: activations.get("rleu"), ValueError),
        (lambda: activations.get(3), TypeError),
        (lambda: activations.get(np.tanh), TypeError),
        (lambda: activations.softmax.derivative([1.0]), TypeError),
        (lambda: activations.sigmoid.backward([1.0, 2.0], [1.0]), ValueError),
    ],
)
def test_bad_arguments_are_refused(make, error):
    with pytest.raises(error):
        make()


def test_what_is_no_activation_is_told_what_would_be():
    with pytest.raises(
        TypeError, match=r"a function, or an object with the methods forward\(z\) and derivative\(z, a\)"
    ):
        activations.get(3)


class Cube:
    def __init__(self, scale=1.0):
        self.scale = scale

    def forward(self, z):
        return self.scale * z**3

    def derivative(self, z, a):
        return 3 * self.scale * z**2

    def get_config(self):
        return {"scale": self.scale}


def test_an_object_of_ones_own_becomes_an_activation():
    cube = activations.get(Cube(2.0))
    assert isinstance(cube, Activation)
    assert (cube.native, cube.name, cube.row_wise) == (None, "Cube", False)
    np.testing.assert_array_equal(cube([1.0, 2.0]), [2.0, 16.0])
    np.testing.assert_array_equal(cube.backward([1.0, 0.5], [1.0, 2.0]), [6.0, 12.0])
    data = activations.serialize(cube)
    assert data == {"class_name": "Cube", "config": {"scale": 2.0}}
    assert activations.deserialize(data, {"Cube": Cube}).target.scale == 2.0
    with pytest.raises(ValueError, match="Cube"):
        activations.deserialize(data)


def test_an_object_of_ones_own_must_keep_the_shape():
    class Sum:
        def forward(self, z):
            return z.sum(axis=-1)

        def derivative(self, z, a):
            return 1.0

    with pytest.raises(ValueError, match=r"Sum\.forward must return an array of the shape of z"):
        activations.get(Sum())([[1.0, 2.0]])


@pytest.mark.parametrize("dtype", [">f4", ">f8", "float16", "int32", "uint8", "bool"])
def test_other_types_are_converted_without_loss(dtype):
    z = np.array([[0, 1], [1, 1]], dtype)
    result = activations.softplus(z)
    assert result.dtype == (np.float32 if dtype in (">f4", "float16") else np.float64)
    tolerances.close(result, reference.activate("softplus", z.astype(float)), tolerances.kernel(result.dtype))


def test_strides_and_order_do_not_matter():
    z = np.random.default_rng(0).normal(size=(8, 6))
    for view in (z.T, z[::2, ::-3], np.asfortranarray(z)):
        np.testing.assert_array_equal(activations.softmax(view), activations.softmax(view.copy()))
        np.testing.assert_array_equal(activations.gelu(view), activations.gelu(view.copy()))
