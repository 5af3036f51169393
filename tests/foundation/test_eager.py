from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from cnn_core import (
    Input,
    Layer,
    Model,
    Sequential,
    Variable,
    activations,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    random,
)
from cnn_core.foundation.eager import EagerArray, EagerFloat, EagerInteger, eager

ARRAY = np.arange(6, dtype="float32").reshape(2, 3)


class TestArrays:
    def test_they_are_numpys_with_one_method_more(self) -> None:
        array = eager(ARRAY)
        assert isinstance(array, np.ndarray)
        assert type(array.numpy()) is np.ndarray
        assert np.shares_memory(array, array.numpy())
        assert type(np.asarray(array)) is np.ndarray

    @pytest.mark.parametrize(
        "computed",
        [
            lambda a: a + 1,
            lambda a: 1 - a,
            lambda a: a @ a.T,
            lambda a: np.exp(a),
            lambda a: a[0],
            lambda a: a.mean(0),
            lambda a: a.argmax(-1),
            lambda a: a > 2,
            lambda a: EagerFloat(2.0) * a,
        ],
    )
    def test_what_is_computed_of_them_has_it_too(self, computed: Any) -> None:
        result = computed(eager(ARRAY))
        assert type(result) is EagerArray
        np.testing.assert_array_equal(result.numpy(), computed(ARRAY))
        assert result.dtype == computed(ARRAY).dtype

    @pytest.mark.parametrize(
        "computed", [np.sum, np.mean, np.max, np.argmax, np.all, lambda a: a[0, 1], lambda a: a.std()]
    )
    def test_single_numbers_are_numpys(self, computed: Any) -> None:
        assert type(computed(eager(ARRAY))) is type(computed(ARRAY))
        assert len({computed(eager(ARRAY)), computed(ARRAY)}) == 1  # which an array without axes could not be in

    def test_in_place_they_remain_themselves(self) -> None:
        array = before = eager(ARRAY.copy())
        array += 1
        np.multiply(array, 2, out=array)
        assert array is before
        np.testing.assert_array_equal(array, 2 * (ARRAY + 1))

    def test_texts_are_numpys(self) -> None:
        assert (repr(eager(ARRAY)), str(eager(ARRAY))) == (repr(ARRAY), str(ARRAY))

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_what_is_kept_is_an_ordinary_array(self, protocol: int) -> None:
        again = pickle.loads(pickle.dumps({"a": eager(ARRAY), "f": eager(1.5)}, protocol))
        assert (type(again["a"]), type(again["f"])) == (np.ndarray, float)
        np.testing.assert_array_equal(again["a"], ARRAY)


class TestNumbers:
    def test_they_are_pythons_with_what_tensors_have(self) -> None:
        number = eager(1.5)
        assert isinstance(number, float)
        assert (number, number.shape, number.ndim, number.item()) == (1.5, (), 0, 1.5)
        assert type(number.numpy()) is np.float64
        assert (repr(number), str(number), f"{number:.2f}", json.dumps(number)) == ("1.5", "1.5", "1.50", "1.5")
        assert hash(number) == hash(1.5)
        assert type(copy.deepcopy(number)) is float

    def test_whole_ones(self) -> None:
        count = EagerInteger(3)
        assert (count + 1, list(range(count)), count.numpy(), count.item()) == (4, [0, 1, 2], 3, 3)
        assert type(pickle.loads(pickle.dumps(count))) is int

    @pytest.mark.parametrize(
        "computed",
        [
            lambda x: x + 1,
            lambda x: 1 - x,
            lambda x: x * x,
            lambda x: x / 2,
            lambda x: 2**x,
            lambda x: -x,
            abs,
            lambda x: sum([x, x]),
        ],
    )
    def test_what_is_computed_of_them_is_of_their_kind(self, computed: Any) -> None:
        assert type(computed(eager(1.5))) is EagerFloat
        assert computed(eager(1.5)) == computed(1.5)

    @pytest.mark.parametrize("number", [EagerFloat(2.0), EagerInteger(2)])
    def test_arrays_beside_them_keep_their_dtype(self, number: Any) -> None:
        for result in (number * ARRAY, ARRAY * number, np.multiply(number, ARRAY)):
            assert result.dtype == "float32"
        assert (number * np.float32(3)).dtype == (type(number).__base__(2) * np.float32(3)).dtype  # NumPy 1: float64

    @pytest.mark.parametrize("given", [None, "text", {"a": 1.0}, 3, True, [1.0]])
    def test_what_is_no_float_or_array_stays(self, given: Any) -> None:
        assert eager(given) is given

    def test_numpys_numbers_become_floats(self) -> None:
        for given in (np.float32(0.5), np.float64(0.5), np.array(0.5, "float32")):
            assert type(eager(given)) is EagerFloat
            assert eager(given) == 0.5


class TestResults:
    """What the package returns where Keras returns a tensor."""

    X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def test_of_layers_and_models(self) -> None:
        class Doubled(Layer):
            def call(self, x: Any) -> Any:
                return 2 * x

        class Own(Model):
            def __init__(self) -> None:
                super().__init__()
                self.inner = layers.Dense(2)

            def call(self, x: Any) -> Any:
                return {"a": self.inner(x), "b": ops.relu(x)}

        inputs = Input((3,))
        single = Sequential([inputs, layers.Dense(2), layers.Dropout(0.5)])
        several = Model(inputs, {"a": layers.Dense(2)(inputs), "b": inputs * 2})
        for result in (
            single(self.X),
            single(self.X, training=True),
            several(self.X)["b"],
            layers.Dense(2)(self.X),
            layers.Add()([self.X, self.X]),
            Doubled()(self.X),
            Own()(self.X)["a"],
        ):
            assert isinstance(result, np.ndarray)
            assert type(result.numpy()) is np.ndarray
        np.testing.assert_array_equal(several(self.X)["b"].numpy(), 2 * self.X)

    def test_predictions_are_ordinary_arrays_as_in_keras(self) -> None:
        model = Sequential([Input((3,)), layers.Dense(2)])
        for result in (model.predict(self.X), model.predict_on_batch(self.X), model.predict(iter([self.X]))):
            assert type(result) is np.ndarray
        np.testing.assert_array_equal(model(model(self.X)[:, [0, 1, 1]]), model(model.predict(self.X)[:, [0, 1, 1]]))

    def test_of_losses(self) -> None:
        target = np.zeros_like(self.X)
        mean = losses.MeanSquaredError()(target, self.X)
        each = losses.MeanSquaredError(reduction=None)(target, self.X)
        assert isinstance(mean, float)
        assert mean.numpy() == pytest.approx(np.mean(self.X**2))
        for rows in (each, losses.mean_squared_error(target, self.X)):
            np.testing.assert_allclose(rows.numpy(), np.mean(self.X**2, axis=1), rtol=1e-6)
        assert (mean + 0.5 * mean).numpy() == pytest.approx(1.5 * mean)
        assert losses.get("mean_squared_error")(target, self.X).numpy().shape == (4,)

    def test_of_metrics(self) -> None:
        class Own(metrics.Metric):
            def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
                """Nothing counts."""

            def result(self) -> Any:
                return np.float32(0.25)

        mean = metrics.Mean()
        assert mean([1.0, 3.0]).numpy() == mean.result().numpy() == 2.0
        assert isinstance(mean.result(), float)
        precision = metrics.Precision(thresholds=[0.2, 0.8])
        assert precision([1, 0], [0.9, 0.5]).numpy().tolist() == [0.5, 1.0]
        assert Own().result().numpy() == 0.25
        assert metrics.RootMeanSquaredError()([[0.0]], [[2.0]]).numpy() == 2.0

    @pytest.mark.parametrize(
        "compute",
        [
            lambda x: ops.exp(x),
            lambda x: ops.mean(x),
            lambda x: ops.matmul(x, ops.transpose(x)),
            lambda x: ops.split(x, 3, axis=1)[0],
            lambda x: ops.top_k(x, 2)[1],
            lambda x: ops.cast(x, "int32"),
            lambda x: ops.convert_to_tensor(x),
            lambda x: ops.zeros((2,)),
            lambda x: activations.softmax(x),
            lambda x: activations.get("leaky_relu")(x, negative_slope=0.5),
            lambda x: initializers.GlorotUniform()((2, 3)),
            lambda x: random.normal((2,)),
            lambda x: 2 * Variable(x),
            lambda x: Variable(x).value,
            lambda x: Variable(x).assign_add(x),
        ],
    )
    def test_of_functions(self, compute: Any) -> None:
        result = compute(self.X)
        assert type(result) is EagerArray
        assert type(result.numpy()) is np.ndarray
        assert type(ops.convert_to_numpy(result)) is np.ndarray

    def test_measures_of_a_training_are_plain_floats(self) -> None:
        model = Sequential([Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae", metrics.RootMeanSquaredError()])
        history = model.fit(self.X, self.X[:, :1], verbose=0).history
        measured = model.train_on_batch(self.X, self.X[:, :1])
        assert {type(value) for values in history.values() for value in values} == {float}
        assert {type(value) for value in measured} == {float}
        assert {type(value) for value in model.evaluate(self.X, self.X[:, :1], verbose=0)} == {float}


def test_what_is_pickled_is_read_without_this_package() -> None:
    data = pickle.dumps([eager(ARRAY), eager(0.5), EagerInteger(3)])
    code = f"import pickle, sys; print(pickle.loads({data!r})[1:], 'cnn_core' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[0.5, 3] False"
