from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Layer, Model, Sequential, Variable, initializers, layers, load_model, ops, optimizers


class TestMade:
    def test_of_a_value(self) -> None:
        variable = Variable([[1.0, 2.0]], name="scale")
        assert (variable.shape, variable.ndim, variable.size, len(variable)) == ((1, 2), 2, 2, 1)
        assert (str(variable.dtype), variable.name, variable.path, variable.trainable) == (
            "float32",
            "scale",
            "scale",
            True,
        )
        assert repr(variable) == "<Variable path=scale, shape=(1, 2), dtype=float32, value=[[1. 2.]]>"

    def test_of_an_initializer(self) -> None:
        np.testing.assert_array_equal(Variable("ones", (2, 2)), np.ones((2, 2)))
        np.testing.assert_array_equal(Variable(initializers.Constant(0.5), shape=(3,)), np.full(3, 0.5))
        np.testing.assert_array_equal(Variable(lambda shape, dtype: np.arange(2.0), (2,)), [0.0, 1.0])
        assert Variable("glorot_uniform", (2, 3), "float64").dtype == "float64"

    def test_names_are_numbered(self) -> None:
        first, second = Variable(0.0), Variable(0.0)
        number = int(first.name.rpartition("_")[2]) if "_" in first.name else 0
        assert second.name == f"variable_{number + 1}"

    def test_in_the_order_of_keras(self) -> None:
        variable = Variable("zeros", (2,), "float64", False, True, "mean", "on_read", "count", None)
        assert (variable.name, variable.trainable, str(variable.dtype)) == ("count", False, "float64")

    def test_whole_numbers_are_never_trained(self) -> None:
        assert not Variable(3).trainable
        assert not Variable(True).trainable

    @pytest.mark.parametrize(
        ("arguments", "kind", "message"),
        [
            ((1.0, None, None, True, True, "none", "auto", "a/b"), ValueError, "`name` must have no '/'"),
            ((1.0, None, None, True, True, "none", "auto", 3), TypeError, "`name` must be"),
            ((1.0, None, None, "yes"), TypeError, "`trainable` must be"),
            ((1.0, None, None, True, True, "most"), ValueError, "`aggregation` must be"),
            ((1.0, None, None, True, True, "none", "always"), ValueError, "`synchronization` must be"),
        ],
    )
    def test_refused(self, arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
        with pytest.raises(kind, match=message):
            Variable(*arguments)


class TestValues:
    def test_assigning_returns_the_value(self) -> None:
        variable = Variable([1.0, 2.0])
        assert variable.assign([3.0, 4.0]).tolist() == [3.0, 4.0]
        assert variable.assign_add([1.0, 1.0]).tolist() == [4.0, 5.0]
        assert variable.assign_sub([0.5, 0.5]).tolist() == [3.5, 4.5]
        assert variable.assign_sub(0.5 * variable).tolist() == [1.75, 2.25]
        assert variable.value.tolist() == [1.75, 2.25]

    def test_what_is_returned_is_not_written_to(self) -> None:
        variable = Variable([1.0, 2.0])
        variable.numpy()[:] = 0.0
        np.asarray(variable)[:] = 0.0
        with pytest.raises(ValueError, match="read-only"):
            variable.value[:] = 0.0
        assert variable.numpy().tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([1.0], r"scale must have the shape \(2,\). Received: shape=\(1,\)"),
            ([1.0, np.nan], "scale has .* NaN"),
            ([1.0, 1e300], "that float32 cannot hold"),
        ],
    )
    def test_refused(self, value: Any, message: str) -> None:
        variable = Variable([1.0, 2.0], name="scale")
        with pytest.raises(ValueError, match=message):
            variable.assign(value)
        assert variable.numpy().tolist() == [1.0, 2.0]

    def test_what_is_added_must_not_make_it_larger(self) -> None:
        with pytest.raises(ValueError, match=r"must have the shape \(\). Received: shape=\(2,\)"):
            Variable(1.0).assign_add([1.0, 2.0])

    def test_whole_numbers_stay_whole(self) -> None:
        counter = Variable(0, dtype="int64")
        counter.assign_add(2)
        with pytest.raises(ValueError, match="must hold numbers that int64 can"):
            counter.assign_add(0.5)
        assert (int(counter), counter.dtype) == (2, np.int64)

    def test_single_numbers_are_read_as_such(self) -> None:
        half = Variable(0.5)
        assert (float(half), int(Variable(3)), bool(Variable(0.0)), bool(half)) == (0.5, 3, False, True)
        assert f"{half:.3f}" == "0.500"
        with pytest.raises(TypeError, match=r"is no single number. Received: shape=\(2,\)"):
            float(Variable([1.0, 2.0]))

    def test_arithmetic_is_that_of_the_value(self) -> None:
        variable = Variable([1.0, 4.0])
        for computed, expected in (
            (variable + 1, [2.0, 5.0]),
            (1 - variable, [0.0, -3.0]),
            (variable * variable, [1.0, 16.0]),
            (variable / 2, [0.5, 2.0]),
            (2**variable, [2.0, 16.0]),
            (-variable, [-1.0, -4.0]),
            (np.sqrt(variable), [1.0, 2.0]),
            (np.ones(2, "float32") + variable, [2.0, 5.0]),
            (variable > 2, [False, True]),
            (variable[1:], [4.0]),
        ):
            assert isinstance(computed, np.ndarray)
            assert computed.tolist() == expected
            assert computed.dtype in ("float32", "bool")

    def test_it_is_compared_by_value_with_all_but_variables(self) -> None:
        variable = Variable([1.0, 2.0])
        assert (variable == [1.0, 3.0]).tolist() == [True, False]
        assert (variable != np.array([1.0, 3.0])).tolist() == [False, True]
        assert Variable(2.0) == 2
        assert Variable(2.0) != np.float32(3)
        assert (variable == None) is False  # noqa: E711
        assert (variable == "scale") is False

    def test_variables_are_found_in_lists(self) -> None:
        first, second = Variable([1.0, 2.0]), Variable([1.0, 2.0])
        assert second in [first, second]
        assert first not in [second]
        assert len({first, second, first}) == 2


class TestSettings:
    def test_functions_are_taken_as_penalties_and_constraints(self) -> None:
        variable = Variable([1.0, 2.0])

        def half(w: Any) -> Any:
            return 0.5 * w

        variable.constraint = half
        assert variable.constraint is half
        optimizers.SGD(0.5).apply([[0.0, 2.0]], [variable])
        assert variable.numpy().tolist() == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("name", "value", "kind"),
        [
            ("constraint", "nonneg", TypeError),
            ("regularizer", 0.1, TypeError),
            ("learning_rate_multiplier", -1.0, ValueError),
            ("epsilon_multiplier", 0.0, ValueError),
            ("decay_multiplier", "none", TypeError),
            ("overwrite_with_gradient", True, ValueError),
            ("trainable", "no", TypeError),
        ],
    )
    def test_others_are_refused(self, name: str, value: Any, kind: type[Exception]) -> None:
        variable = Variable([1.0, 2.0])
        before = getattr(variable, name)
        with pytest.raises(kind, match=f"`{name}` must be"):
            setattr(variable, name, value)
        assert getattr(variable, name) == before

    def test_they_count_from_the_beginning(self) -> None:
        with pytest.raises(TypeError, match="`constraint` must be a function of an array"):
            Variable([1.0], constraint="nonneg")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="`decay_multiplier` must be"):
            Variable([1.0], decay_multiplier=float("nan"))


class TestKept:
    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
    def test_a_copy_is_another(self, again: Any) -> None:
        variable = Variable([1.0, 2.0], name="scale", trainable=False)
        twin = again(variable)
        twin.assign([5.0, 6.0])
        assert (variable.numpy().tolist(), twin.name, twin.trainable) == ([1.0, 2.0], "scale", False)

    def test_a_layer_trains_and_saves_what_it_keeps(self, tmp_path: Any) -> None:
        class Scaled(Layer):
            def __init__(self, **keywords: Any) -> None:
                super().__init__(**keywords)
                self.scale = Variable([1.0, 1.0], name="scale")
                self.seen = Variable(0, name="seen")

            def build(self, input_shape: Any) -> None:
                self.shift = self.add_weight((2,), "zeros", name="shift")

            def call(self, x: Any) -> Any:
                return x * self.scale + self.shift

        x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
        model = Sequential([Input((2,)), Scaled()])
        assert {each.name for each in model.trainable_variables} == {"scale", "shift"}
        model.compile("adam", "mse")
        model.fit(x, 3 * x + 1, epochs=2, verbose=0)
        scaled: Any = model.layers[0]
        assert float(np.min(scaled.scale)) > 1.0
        scaled.seen.assign(7)
        model.save(tmp_path / "model.safetensors")
        again: Any = load_model(tmp_path / "model.safetensors", custom_objects={"Scaled": Scaled})
        for one, other in zip(model.variables, again.variables, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype

    def test_they_are_listed_in_the_order_of_keras(self) -> None:
        class Mixed(Layer):
            def __init__(self) -> None:
                super().__init__()
                self.z = Variable(1.0, trainable=False, name="z")
                self.inner = layers.Dense(2)
                self.y = Variable([1.0], name="y")

            def build(self, input_shape: Any) -> None:
                self.b = self.add_weight((2,), "zeros", trainable=False, name="b")
                self.w = self.add_weight((3, 2), name="w")
                self.q = Variable(1.5, name="q")

            def call(self, x: Any) -> Any:
                return ops.matmul(x, self.w) * self.q * self.z * self.y + self.b + self.inner(x)

        mixed = Mixed()
        mixed(np.ones((1, 3)))
        names = ["y", "w", "q", "z", "b", "kernel", "bias"]  # as Keras 3.15 lists them
        assert [each.name for each in mixed.weights] == names
        assert [each.name for each in copy.copy(mixed).weights] == names
        mixed.w.trainable = False
        assert [each.name for each in mixed.weights] == names
        assert [each.name for each in mixed.trainable_weights] == ["y", "q", "kernel", "bias"]
        assert [each.name for each in mixed.non_trainable_weights] == ["w", "z", "b"]

    def test_what_is_not_trained_may_have_any_dtype(self, tmp_path: Any) -> None:
        class Weighed(Layer):
            def __init__(self, **keywords: Any) -> None:
                super().__init__(**keywords)
                self.whole = Variable([1, 2], name="whole")
                self.shares = Variable(np.array([0.25, 0.5]), trainable=False, name="shares")

            def call(self, x: Any) -> Any:
                return x * self.whole + ops.cast(self.shares, "float32")

        x = np.ones((3, 2), "float32")
        model = Sequential([Input((2,)), Weighed(name="weighed")])
        weighed: Any = model.layers[0]
        predictor = model.predictor()
        assert model.predict(x)[0].tolist() == [1.25, 2.5]
        weighed.whole.assign([3, 4])
        assert model.predict(x)[0].tolist() == weighed(x)[0].tolist() == [3.25, 4.5]
        assert predictor(x)[0].tolist() == [1.25, 2.5]  # it has copies of its own
        model.set_weights([[5, 6], [0.0, 1.0]])
        assert model.predict(x)[0].tolist() == [5.0, 7.0]
        model.save(tmp_path / "model.safetensors")
        again: Any = load_model(tmp_path / "model.safetensors", custom_objects={"Weighed": Weighed})
        for twin in (again, copy.copy(model)):
            assert twin.predict(x)[0].tolist() == [5.0, 7.0]
            assert [str(each.dtype) for each in twin.weights] == ["int32", "float64"]

    def test_what_is_trained_has_the_dtype_of_the_network(self) -> None:
        class Scaled(Layer):
            def __init__(self) -> None:
                super().__init__()
                self.scale = Variable(np.ones(2, "float16"), name="scale")

            def call(self, x: Any) -> Any:
                return x * self.scale

        message = r"scale is trained in float16, but the network computes in float32: make it with dtype='float32'"
        with pytest.raises(TypeError, match=message):
            Scaled()(np.ones((1, 2), "float32"))

    def test_assigning_in_call_is_refused(self) -> None:
        class Counts(Layer):
            def __init__(self, **keywords: Any) -> None:
                super().__init__(**keywords)
                self.seen = Variable(0.0, name="seen", trainable=False)

            def call(self, x: Any) -> Any:
                self.seen.assign_add(1.0)
                return x

        with pytest.raises(TypeError, match=r"path=seen.* cannot be set in `call`, which runs once"):
            Counts()(np.ones((1, 2)))

    def test_models_know_their_variables(self) -> None:
        inputs = Input((2,))
        model = Model(inputs, layers.Dense(1)(layers.BatchNormalization()(inputs)))
        assert [each.name for each in model.weights] == [
            "gamma",
            "beta",
            "moving_mean",
            "moving_variance",
            "kernel",
            "bias",
        ]
        assert all(isinstance(each, cnn_core.Variable) for each in model.variables)
        assert [each.name for each in model.non_trainable_variables] == ["moving_mean", "moving_variance"]
