from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Sequential, Variable, constraints, layers, load_model, optimizers
from cnn_core.optimizers.applying import state_order

TAILS: dict[str, dict[str, Any]] = {
    "plain": {},
    "average": {"use_ema": True, "ema_overwrite_frequency": 3},
    "gathered": {"gradient_accumulation_steps": 2, "clipnorm": 0.5},
    "decayed": {"weight_decay": 0.01, "global_clipnorm": 0.5},
    "scaled": {"loss_scale_factor": 4.0, "clipvalue": 0.3},
}
CLASSES = ("SGD", "Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Lion")
RANDOM = np.random.default_rng(2)
X, Y = RANDOM.normal(size=(12, 3)).astype("float32"), RANDOM.normal(size=(12, 1)).astype("float32")


def model_with(optimizer: Any) -> Any:
    model = Sequential([Input((3,)), layers.Dense(4, "tanh", kernel_constraint="nonneg"), layers.Dense(1)])
    model.compile(optimizer, "mse")
    for number, variable in enumerate(model.variables):
        variable.assign(np.random.default_rng(number).normal(size=variable.shape))
    return model


def gradients_of(variables: list[Variable], seed: int) -> list[Any]:
    generator = np.random.default_rng(seed)
    return [generator.normal(size=variable.shape).astype("float32") for variable in variables]


def variables_of(*shapes: tuple[int, ...]) -> list[Variable]:
    return [
        Variable(np.random.default_rng(number).normal(size=shape).astype("float32"), name=f"v_{number}")
        for number, shape in enumerate(shapes)
    ]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("name", CLASSES)
def test_applying_gradients_is_training(name: str, tail: str) -> None:
    scale = TAILS[tail].get("loss_scale_factor", 1.0)
    trained, stepped = (model_with(getattr(optimizers, name)(0.05, **TAILS[tail])) for _ in range(2))
    for _ in range(5):
        trained.train_on_batch(X, Y)
        gradients = [scale * gradient for gradient in stepped.gradients(X, Y)]
        stepped.optimizer.apply(gradients, stepped.trainable_variables)
    for one, other in zip(trained.variables, stepped.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(trained.optimizer.variables, stepped.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert stepped.optimizer.iterations == trained.optimizer.iterations


def test_sgd_by_hand() -> None:
    first, second = Variable([1.0, 2.0], name="first"), Variable(3.0, name="second")
    optimizer = optimizers.SGD(0.5, momentum=0.5)
    optimizer.apply([[2.0, 4.0], 6.0], [first, second])  # m = -0.5 g
    assert (first.numpy().tolist(), float(second)) == ([0.0, 0.0], 0.0)
    assert optimizer.apply_gradients([([2.0, 4.0], first)]) == 2  # m = 0.5 m - 0.5 g = (-1.5, -3)
    assert (first.numpy().tolist(), float(second)) == ([-1.5, -3.0], 0.0)


@pytest.mark.parametrize("name", CLASSES)
def test_variables_without_gradient_keep_value_and_state(name: str) -> None:
    variables, alone = variables_of((3, 2), (2,), ()), variables_of((3, 2), (2,), ())[1:2]
    before = [variable.numpy() for variable in variables]
    some, one = (
        getattr(optimizers, name)(0.05, global_clipnorm=0.1),
        getattr(optimizers, name)(0.05, global_clipnorm=0.1),
    )
    some.build(variables)
    one.build(alone)
    first_state = [each.numpy() for each in some.variables]
    for step in range(3):
        gradient = gradients_of(alone, step)
        with pytest.warns(UserWarning, match="no gradient for v_0, v_2, which stays"):
            some.apply([None, *gradient, None])
        one.apply(gradient)
    np.testing.assert_array_equal(variables[1], alone[0])
    for place in (0, 2):
        np.testing.assert_array_equal(variables[place], before[place])
    for start, now in zip(first_state, some.variables, strict=True):
        if "v_0" in now.name or "v_2" in now.name:
            np.testing.assert_array_equal(start, now)


def test_constraints_of_what_moves() -> None:
    moved, resting = variables_of((2,), (2,))
    for variable in (moved, resting):
        variable.assign([0.1, 1.0])
        variable.constraint = constraints.NonNeg()
    resting.assign([-1.0, 1.0])
    optimizer = optimizers.SGD(1.0)
    optimizer.build([moved, resting])
    optimizer.apply([[1.0, 0.0]], [moved])
    assert moved.numpy().tolist() == [0.0, 1.0]
    assert resting.numpy().tolist() == [-1.0, 1.0]


def test_what_a_constraint_raises_comes_through_and_the_step_counts() -> None:
    class Fails(constraints.Constraint):
        def __call__(self, w: Any) -> Any:
            raise LookupError("by itself")

    (variable,) = variables_of((2,))
    variable.constraint = Fails()
    optimizer = optimizers.SGD(1.0)
    with pytest.raises(LookupError, match="by itself"):
        optimizer.apply([[1.0, 1.0]], [variable])
    assert optimizer.iterations == 1


def test_training_and_applying_take_turns() -> None:
    alternating, trained = model_with(optimizers.Adam(0.05)), model_with(optimizers.Adam(0.05))
    part = alternating.trainable_variables[:2]
    alternating.train_on_batch(X, Y)
    alternating.optimizer.apply(alternating.gradients(X, Y))
    alternating.optimizer.apply(alternating.gradients(X, Y)[:2], part)
    alternating.train_on_batch(X, Y)
    for _ in range(2):
        trained.train_on_batch(X, Y)
    gradients = trained.gradients(X, Y)
    kept = [variable.numpy() for variable in trained.variables[2:]]
    state = {name: vector.copy() for name, vector in trained.optimizer.state.items()}
    trained.optimizer.apply(gradients)
    for variable, value in zip(trained.variables[2:], kept, strict=True):
        variable.assign(value)
    places = [place for place, variable in enumerate(trained.variables) if place >= 2]
    now = trained.optimizer_state()
    for name, vector in state.items():
        old = dict(zip(range(4), _cut(trained, vector), strict=True))
        for place in places:
            now[name][place][...] = old[place]
    trained.train_on_batch(X, Y)
    for one, other in zip(alternating.variables, trained.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def _cut(model: Any, vector: Any) -> list[Any]:
    return [part.copy() for part in model._bind().split(vector)]


class TestRefused:
    @pytest.mark.parametrize(
        ("gradients", "variables", "kind", "message"),
        [
            ([[1.0, 1.0]], None, ValueError, "`trainable_variables` must be given to the first `apply`"),
            ([1.0], "own", ValueError, r"The gradient of v_0 must have the shape \(2,\). Received: shape=\(\)"),
            ([[np.nan, 1.0]], "own", ValueError, "The gradient of v_0 must hold finite numbers"),
            ([None], "own", ValueError, "`grads` must have a gradient. Received: None for each of v_0"),
            ([[1.0, 1.0]] * 2, "own", ValueError, "one gradient for each of 1 variables. Received: 2"),
            ([["a", "b"]], "own", TypeError, "The gradient of v_0 must hold numbers"),
            ([[1.0, 1.0]], "array", TypeError, "variables of one floating dtype"),
            ([[1.0, 1.0]], "whole", TypeError, "variables of one floating dtype"),
            ([[1.0, 1.0]] * 2, "twice", ValueError, "every variable once"),
        ],
    )
    def test_with_a_message(self, gradients: Any, variables: str, kind: type[Exception], message: str) -> None:
        (own,) = variables_of((2,))
        before = own.numpy()
        given: Any = {
            None: None,
            "own": [own],
            "twice": [own, own],
            "array": [np.ones(2)],
            "whole": [Variable([1, 2])],
        }[variables]
        optimizer = optimizers.Adam()
        with pytest.raises(kind, match=message):
            optimizer.apply(gradients, given)
        np.testing.assert_array_equal(own, before)
        assert optimizer.iterations == 0

    def test_variables_of_others(self) -> None:
        first, second = variables_of((2,), (2,))
        optimizer = optimizers.SGD()
        optimizer.build([first])
        with pytest.raises(ValueError, match="must be among those that the optimizer was built for"):
            optimizer.apply([[1.0, 1.0]], [second])

    def test_steps_out_of_the_finite_numbers(self) -> None:
        (variable,) = variables_of((2,))
        before = variable.numpy()
        optimizer = optimizers.SGD(1e30)
        with pytest.raises(ValueError, match=r"would leave the finite numbers.* Received: learning_rate=1e\+30"):
            optimizer.apply([[1e30, 1.0]], [variable])
        np.testing.assert_array_equal(variable, before)
        assert optimizer.iterations == 0

    def test_lbfgs(self) -> None:
        with pytest.raises(TypeError, match="LBFGS needs the loss of all rows at once: use fit"):
            optimizers.LBFGS().apply([[1.0, 1.0]], variables_of((2,)))

    def test_a_subclass_whose_apply_would_be_passed_over(self) -> None:
        own = type("Own", (optimizers.SGD,), {"apply": lambda self, grads: None, "__module__": "mine"})
        with pytest.raises(TypeError, match="defines `apply`, which is never called: steps are made by native code"):
            own()


def test_no_gradients_are_no_step() -> None:
    optimizer = optimizers.SGD()
    optimizer.apply([])
    assert (optimizer.iterations, optimizer.built) == (0, False)


def test_without_variables_nothing_is_built() -> None:
    optimizer = optimizers.Nadam()
    optimizer.build([])
    assert not optimizer.built


def test_a_loss_is_scaled() -> None:
    assert optimizers.SGD().scale_loss(3.0) == 3.0
    assert optimizers.SGD(loss_scale_factor=4.0).scale_loss(3.0) == 12.0


def test_averages_become_the_values() -> None:
    moved, resting = variables_of((2,), (2,))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    moved.assign([2.0, 4.0])
    resting.assign([1.0, 1.0])
    for _ in range(2):
        optimizer.apply([[1.0, 1.0], [0.0, 0.0]], [moved, resting])  # w = 1, 3, then 0, 2; the average at first w
    optimizer.finalize_variable_values([moved])
    assert (moved.numpy().tolist(), resting.numpy().tolist()) == ([0.5, 2.5], [1.0, 1.0])
    plain = optimizers.SGD(1.0)
    plain.finalize_variable_values([moved])
    assert (moved.numpy().tolist(), plain.built) == ([0.5, 2.5], False)


class TestVariables:
    def test_names_and_order_are_those_of_keras(self) -> None:
        # Recorded from Keras 3.15.
        model = Sequential([Input((3,)), layers.Dense(2, name="d")])
        options: dict[str, Any] = {"use_ema": True, "gradient_accumulation_steps": 2}
        optimizer = optimizers.Adam(0.1, **options)
        assert [each.path for each in optimizer.variables] == ["adam/iteration", "adam/learning_rate"]
        optimizer.build(model.trainable_variables)
        slots = ("kernel_average", "bias_average", "kernel_gradient_accumulator", "bias_gradient_accumulator")
        pairs = ("kernel_momentum", "kernel_velocity", "bias_momentum", "bias_velocity")
        assert [each.path for each in optimizer.variables[2:]] == [f"adam/d_{each}" for each in (*slots, *pairs)]
        assert [each.shape for each in optimizer.variables[-2:]] == [(2,), (2,)]

    def test_they_are_views(self) -> None:
        (variable,) = variables_of((2,))
        optimizer = optimizers.SGD(0.5, momentum=0.5)
        optimizer.build([variable])
        iteration, rate, momentum = optimizer.variables
        optimizer.learning_rate = 0.25
        assert float(rate) == 0.25
        rate.assign(0.125)
        iteration.assign_add(3)
        momentum.assign([1.0, 2.0])
        assert (optimizer.learning_rate, optimizer.iterations) == (0.125, 3)
        assert optimizer.state["momentum"][:2].tolist() == [1.0, 2.0]
        with pytest.raises(ValueError, match="`learning_rate` must be a number of at least 0"):
            rate.assign(-1.0)
        with pytest.raises(ValueError, match="sgd/iteration must hold numbers that int64 can"):
            iteration.assign(1.5)

    def test_a_schedule_is_no_variable(self) -> None:
        optimizer = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
        assert [each.name for each in optimizer.variables] == ["iteration"]

    def test_all_are_set_or_none(self) -> None:
        variables = variables_of((2,), (3,))
        source, target = optimizers.Adam(0.5), optimizers.Adam(0.1)
        source.build(variables)
        source.apply(gradients_of(variables, 1))
        others = variables_of((2,), (3,))
        target.build(others)
        with pytest.raises(ValueError, match=r"`weights` must have 6 arrays, one for each of `variables`. Received: 2"):
            target.set_weights([1, 0.5])
        with pytest.raises(ValueError, match="must have the shape"):
            target.set_weights([1, 0.5, 0.0, *[each.numpy() for each in source.variables[3:]]])
        assert (target.iterations, target.learning_rate) == (0, 0.1)
        target.set_weights([each.numpy() for each in source.variables])
        for one, other in zip(source.variables, target.variables, strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("copied", ["copy", "pickle", "file"])
    def test_a_copy_knows_whose_state_it_has(self, copied: str, tmp_path: Any) -> None:
        model = model_with(optimizers.Adam(0.05))
        model.optimizer.apply(model.gradients(X, Y), model.trainable_variables)
        if copied == "file":
            model.save(tmp_path / "model.safetensors")
        twin: Any = {
            "copy": lambda: copy.copy(model),
            "pickle": lambda: pickle.loads(pickle.dumps(model)),
            "file": lambda: load_model(tmp_path / "model.safetensors"),
        }[copied]()
        assert len(twin.optimizer.variables) == 10
        for one, other in zip(model.optimizer.variables, twin.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one, other)
        twin.optimizer.apply(twin.gradients(X, Y))
        model.optimizer.apply(model.gradients(X, Y))
        for one, other in zip(model.variables, twin.variables, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_looking_at_them_does_not_count_as_a_change(self) -> None:
        model = model_with(optimizers.Adam(0.05))
        model.train_on_batch(X, Y)
        changes = Variable.changes
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(model.optimizer.variables) == 10
        assert Variable.changes == changes


def test_state_order_of_pairs_and_of_others() -> None:
    order = state_order(optimizers.RMSprop(momentum=0.9), ["kernel", "bias"])
    assert order == [("velocity", "kernel"), ("velocity", "bias"), ("momentum", "kernel"), ("momentum", "bias")]
    assert state_order(optimizers.Adam(), ["kernel"]) == [("momentum", "kernel"), ("velocity", "kernel")]
