"""Optimizers as descriptions: arguments and defaults, what native code is told, learning rates, counts, configurations.

The arithmetic is tested on the native side, and against Keras's recorded trajectories.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

import tolerances
from cnn_core import optimizers
from cnn_core.optimizers import (
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    Optimizer,
    RMSprop,
    ScheduleFreeAdamW,
)
from cnn_core.optimizers.schedules import CosineDecay, FlatCosine, LearningRateSchedule
from reference import Optimizer as ReferenceOptimizer

RULES = [
    SGD, RMSprop, Adam, AdamW, Nadam, Adamax, Adagrad, Adadelta, Lion, Ftrl, ScheduleFreeAdamW, Lamb, Adafactor, Muon,
]  # fmt: skip
TAIL: dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": None,
}
# As Keras 3 has them.
DEFAULTS: dict[type[Optimizer], dict[str, Any]] = {
    SGD: {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    RMSprop: {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    Adam: {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False},
    AdamW: {
        "learning_rate": 0.001, "weight_decay": 0.004, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7,
        "amsgrad": False,
    },
    Nadam: {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    Adamax: {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    Adagrad: {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
    Adadelta: {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7},
    Lion: {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99},
    Ftrl: {
        "learning_rate": 0.001, "learning_rate_power": -0.5, "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0, "beta": 0.0,
    },
    ScheduleFreeAdamW: {
        "learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "warmup_steps": 0,
    },
    Lamb: {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    Adafactor: {
        "learning_rate": 0.001, "beta_2_decay": -0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "clip_threshold": 1.0,
        "relative_step": True,
    },
    Muon: {
        "learning_rate": 0.001, "adam_beta_1": 0.9, "adam_beta_2": 0.999, "adam_weight_decay": 0.004, "epsilon": 1e-7,
        "weight_decay": 0.004, "exclude_layers": None, "exclude_embeddings": True, "muon_a": 3.4445, "muon_b": -4.775,
        "muon_c": 2.0315, "adam_lr_ratio": 1, "momentum": 0.95, "ns_steps": 5, "nesterov": True, "rms_rate": 0.2,
    },
}  # fmt: skip


class Variable:
    def __init__(self, path: str):
        self.path = path
        self.name = path.rpartition("/")[2]


class TestArguments:
    @pytest.mark.parametrize("rule", RULES)
    def test_defaults_are_those_of_keras(self, rule: type[Optimizer]):
        shown = {name: parameter.default for name, parameter in inspect.signature(rule).parameters.items()}
        assert shown == {**TAIL, **DEFAULTS[rule]}
        optimizer = rule()
        for name, default in {**TAIL, **DEFAULTS[rule]}.items():
            if name == "exclude_layers":
                assert optimizer.exclude_layers == []
            elif name != "name":
                assert getattr(optimizer, name) == default

    @pytest.mark.parametrize(
        ("rule", "name"),
        [(SGD, "sgd"), (AdamW, "adam_w"), (LBFGS, "lbfgs"), (Adadelta, "adadelta")],
    )
    def test_name(self, rule: type[Optimizer], name: str):
        assert rule().name == name
        assert rule(name="mine").name == "mine"

    def test_integers_pass_for_floats(self):
        assert SGD(1, momentum=0).rule() == ("sgd", (0.0, 0.0))
        assert isinstance(SGD(1).learning_rate, float)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: SGD(-0.1), r"`learning_rate` must be .* Received: learning_rate=-0.1"),
            (lambda: SGD(math.nan), "`learning_rate` must be"),
            (lambda: SGD(lambda: math.inf).learning_rate, "`learning_rate` must be"),
            (lambda: SGD(momentum=1.5), "`momentum` must be"),
            (lambda: RMSprop(rho=-0.1), "`rho` must be"),
            (lambda: RMSprop(momentum=2), "`momentum` must be"),
            (lambda: RMSprop(epsilon=-1e-7), "`epsilon` must be"),
            (lambda: Adam(beta_1=1.0), "`beta_1` must be"),
            (lambda: Adam(beta_2=1.0), "`beta_2` must be"),
            (lambda: AdamW(weight_decay=-1), "`weight_decay` must be"),
            (lambda: Nadam(beta_1=-0.1), "`beta_1` must be"),
            (lambda: Adamax(epsilon=math.inf), "`epsilon` must be"),
            (lambda: Adagrad(initial_accumulator_value=-1), "`initial_accumulator_value` must be"),
            (lambda: Adadelta(rho=1.1), "`rho` must be"),
            (lambda: Lion(beta_1=0.0), "`beta_1` must be"),
            (lambda: Ftrl(learning_rate_power=0.5), "`learning_rate_power` must be"),
            (lambda: Ftrl(beta=-1), "`beta` must be"),
            (lambda: ScheduleFreeAdamW(beta_1=0.0), "`beta_1` must be"),
            (lambda: ScheduleFreeAdamW(warmup_steps=-1), "`warmup_steps` must be"),
            (lambda: Lamb(beta_2=1.0), "`beta_2` must be"),
            (lambda: Adafactor(clip_threshold=0), "`clip_threshold` must be"),
            (lambda: Adafactor(beta_2_decay=0.8), "`beta_2_decay` must be"),
            (lambda: Muon(rms_rate=0), "`rms_rate` must be"),
            (lambda: Muon(exclude_layers=["("]), "`exclude_layers` must hold regular expressions"),
            (lambda: LBFGS(history_size=0), "`history_size` must be"),
            (lambda: LBFGS(max_iter=-1), "`max_iter` must be"),
            (lambda: Adam(weight_decay=-0.1), "`weight_decay` must be"),
            (lambda: Adam(clipnorm=-0.1), "`clipnorm` must be"),
            (lambda: Adam(clipnorm=1, clipvalue=1), "At most one of .* Received: clipnorm=1, clipvalue=1"),
            (lambda: Adam(clipnorm=1, global_clipnorm=1), "At most one of"),
            (lambda: Adam(ema_momentum=1.1), "`ema_momentum` must be"),
            (lambda: Adam(ema_overwrite_frequency=0), "`ema_overwrite_frequency` must be"),
            (lambda: Adam(loss_scale_factor=0), "`loss_scale_factor` must be"),
            (lambda: Adam(gradient_accumulation_steps=1), "`gradient_accumulation_steps` must be"),
            (lambda: Adam(name=""), "`name` must be"),
        ],
    )
    def test_values(self, make, message: str):
        with pytest.raises(ValueError, match=message):
            make()

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Adam("0.1"), "`learning_rate` must be"),
            (lambda: Adam(None), "`learning_rate` must be"),
            (lambda: SGD(nesterov=1), "`nesterov` must be True or False"),
            (lambda: Adam(use_ema="yes"), "`use_ema` must be True or False"),
            (lambda: Adam(gradient_accumulation_steps=2.0), "`gradient_accumulation_steps` must be"),
            (lambda: AdamW(weight_decay=None), "`weight_decay` must be"),
            (lambda: Adam(momentum=0.9), "momentum"),
            (lambda: Muon(exclude_layers="output"), "`exclude_layers` must be a list of strings"),
            (lambda: Muon(ns_steps=2.5), "`ns_steps` must be"),
        ],
    )
    def test_types(self, make, message: str):
        with pytest.raises(TypeError, match=message):
            make()


class TestNativeDescription:
    @pytest.mark.parametrize(
        ("optimizer", "rule", "slots"),
        [
            (SGD(), ("sgd", (0.0, 0.0)), []),
            (SGD(momentum=0.9, nesterov=True), ("sgd", (0.9, 1.0)), ["momentum"]),
            (RMSprop(), ("rmsprop", (0.9, 0.0, 1e-7, 0.0)), ["velocity"]),
            (RMSprop(momentum=0.5), ("rmsprop", (0.9, 0.5, 1e-7, 0.0)), ["velocity", "momentum"]),
            (RMSprop(centered=True), ("rmsprop", (0.9, 0.0, 1e-7, 1.0)), ["velocity", "average_gradient"]),
            (
                RMSprop(momentum=0.5, centered=True),
                ("rmsprop", (0.9, 0.5, 1e-7, 1.0)),
                ["velocity", "momentum", "average_gradient"],
            ),
            (Adam(), ("adam", (0.9, 0.999, 1e-7, 0.0)), ["momentum", "velocity"]),
            (Adam(amsgrad=True), ("adam", (0.9, 0.999, 1e-7, 1.0)), ["momentum", "velocity", "velocity_hat"]),
            (AdamW(beta_1=0.5), ("adam", (0.5, 0.999, 1e-7, 0.0)), ["momentum", "velocity"]),
            (Nadam(), ("nadam", (0.9, 0.999, 1e-7)), ["momentum", "velocity"]),
            (Adamax(), ("adamax", (0.9, 0.999, 1e-7)), ["momentum", "norm"]),
            (Adagrad(epsilon=0.5), ("adagrad", (0.5,)), ["accumulator"]),
            (Adadelta(), ("adadelta", (0.95, 1e-7)), ["accumulated_grad", "accumulated_delta_var"]),
            (Lion(), ("lion", (0.9, 0.99)), ["momentum"]),
            (Ftrl(beta=0.5), ("ftrl", (-0.5, 0.0, 0.0, 0.0, 0.5)), ["accumulator", "linear"]),
            (
                ScheduleFreeAdamW(warmup_steps=3),
                ("schedule_free_adamw", (0.9, 0.999, 1e-8, 3.0)),
                ["momentum", "velocity"],
            ),
            (Lamb(), ("lamb", (0.9, 0.999, 1e-7)), ["momentum", "velocity"]),
            (Adafactor(), ("adafactor", (-0.8, 1e-30, 1e-3, 1.0)), ["rows", "columns"]),
            (
                Muon(rms_rate=None),
                ("muon", (0.9, 0.999, 1e-7, 3.4445, -4.775, 2.0315, 1.0, 0.95, 5.0, 1.0, 0.0)),
                ["momentum", "velocity"],
            ),
        ],
        ids=repr,
    )
    def test_rule_and_slots(self, optimizer: Optimizer, rule: tuple[str, tuple[float, ...]], slots: list[str]):
        assert optimizer.rule() == rule
        assert all(type(number) is float for number in optimizer.rule()[1])
        assert [name for name, _ in optimizer.slots()] == slots

    def test_what_the_state_begins_with(self):
        first = {Adagrad: [0.1], Ftrl: [0.1, 0.0], ScheduleFreeAdamW: [None, 0.0]}
        for rule in RULES:
            assert [value for _, value in rule().slots()] == first.get(rule, [0.0] * len(rule().slots()))
        assert Adagrad(initial_accumulator_value=0.7).slots() == (("accumulator", 0.7),)

    def test_slots_of_the_tail(self):
        assert Adam().tail_slots() == ()
        assert Adam(use_ema=True).tail_slots() == (("average", 0.0),)
        names = [name for name, _ in SGD(use_ema=True, gradient_accumulation_steps=2).tail_slots()]
        assert names == ["gradient_accumulator", "average"]

    def test_changed_hyperparameters_arrive(self):
        optimizer = SGD(momentum=0.9)
        optimizer.momentum = 0.5
        assert optimizer.rule() == ("sgd", (0.5, 0.0))

    def test_momentum_product_of_nadam(self):
        optimizer = Nadam(beta_1=0.8)
        expected = [1.0]
        for t in range(1, 30):
            expected.append(expected[-1] * 0.8 * (1 - 0.5 * 0.96**t))
        tolerances.close([optimizer.momentum_product(t) for t in range(30)], expected, tolerances.BY_HAND)

    def test_base_class_has_no_rule(self):
        with pytest.raises(AttributeError):
            Optimizer(0.1).rule()


def documented_lines(rule: type[Optimizer]) -> list[str]:
    """Return the update rule in a class's docstring, line by line."""
    _, _, rest = inspect.getdoc(rule).partition("::\n\n")
    indented = itertools.takewhile(lambda line: line.startswith("    ") or not line, rest.splitlines())
    return [line.strip() for line in indented if line]


class TestDocumentedRules:
    """The docstrings' code, run as it stands, against the oracle."""

    @pytest.mark.parametrize(
        ("optimizer", "lines"),
        [
            (SGD(0.1), [0]),
            (SGD(0.1, momentum=0.9), [1, 2]),
            (SGD(0.1, momentum=0.9, nesterov=True), [1, 3]),
            (RMSprop(0.01, momentum=0.5, centered=True, epsilon=1e-3), [0, 1, 2, 3, 4]),
            (Adam(0.01, amsgrad=True), [0, 1, 2, 3, 4]),
            (Nadam(0.01, beta_1=0.8), [0, 1, 2, 3, 4, 5, 6, 7]),
            (Adamax(0.01), [0, 1, 2]),
            (Adagrad(0.1), [0, 1]),
            (Adadelta(1.0), [0, 1, 2, 3]),
            (Lion(0.01), [0, 1]),
        ],
        ids=repr,
    )
    def test_against_the_oracle(self, optimizer: Optimizer, lines: list[int]):
        documented = documented_lines(type(optimizer))
        code = compile("\n".join(documented[line] for line in lines), "docstring", "exec")
        name, _ = optimizer.rule()
        options = {argument: getattr(optimizer, argument) for argument in optimizer._arguments()}
        generator = np.random.Generator(np.random.Philox(1))
        w = generator.normal(size=5)
        oracle_w, oracle = w.copy(), ReferenceOptimizer(name, optimizer.learning_rate, options)
        names: dict[str, Any] = {"sqrt": np.sqrt, "max": np.maximum, "abs": np.abs, "sign": np.sign}
        names |= {"w": w, "lr": optimizer.learning_rate, "product": 1.0, **options}
        names |= dict.fromkeys(("m", "v", "u", "mean", "v_hat"), 0.0)
        names |= {"v": options.get("initial_accumulator_value", 0.0)}
        for t in range(1, 9):
            gradient = generator.normal(size=5)
            names |= {"g": gradient, "t": t}
            exec(code, names)
            oracle.apply([oracle_w], [gradient])
        tolerances.close(names["w"], oracle_w, tolerances.REFERENCE_FLOAT64)
        assert lines[-1] == len(documented) - 1 or isinstance(optimizer, SGD)


class TestLearningRate:
    def test_number(self):
        optimizer = SGD(0.5)
        assert optimizer.learning_rate == 0.5
        assert optimizer.schedule is None
        rates = optimizer.learning_rates(7, 3)
        assert rates.dtype == np.float64
        assert rates.tolist() == [0.5, 0.5, 0.5]
        optimizer.learning_rate = np.float32(0.25)
        assert optimizer.learning_rate == 0.25

    def test_schedule_is_asked_with_the_batches_seen(self):
        schedule = FlatCosine(0.5, 4)
        optimizer = Adam(schedule)
        assert optimizer.schedule is schedule
        assert optimizer.learning_rate == 0.5
        optimizer.batches_seen = 3
        tolerances.close(optimizer.learning_rate, 0.25, tolerances.BY_HAND)
        np.testing.assert_array_equal(optimizer.learning_rates(2, 3), schedule.rates(2, 3))

    def test_schedule_counts_batches_and_not_updates(self):
        optimizer = SGD(FlatCosine(0.5, 4), gradient_accumulation_steps=2)
        optimizer.iterations = 2
        assert optimizer.batches_seen == 4
        assert optimizer.learning_rate == 0.0

    def test_a_number_cannot_take_the_place_of_a_schedule(self):
        optimizer = SGD(FlatCosine(0.5, 4))
        with pytest.raises(TypeError, match="is a schedule here"):
            optimizer.learning_rate = 0.1
        optimizer.learning_rate = CosineDecay(0.1, 10)
        assert isinstance(optimizer.schedule, CosineDecay)

    def test_a_schedule_can_take_the_place_of_a_number(self):
        optimizer = SGD(0.1)
        optimizer.learning_rate = FlatCosine(0.5, 4)
        assert optimizer.learning_rate == 0.5

    def test_callable_is_asked_every_time(self):
        rates = iter([0.1, 0.2, 0.3])
        optimizer = SGD(lambda: next(rates))
        assert optimizer.learning_rate == 0.1
        assert optimizer.learning_rates(0, 2).tolist() == [0.2, 0.3]

    def test_the_rate_of_one_batch_is_that_of_many(self):
        calls = iter([0.1, 0.1])
        for rate in (0.5, FlatCosine(0.5, 4), lambda: next(calls)):
            optimizer = SGD(rate)
            assert optimizer.learning_rate_at(3) == optimizer.learning_rates(3, 1)[0]

    def test_bad_assignment_leaves_the_old_rate(self):
        optimizer = SGD(0.1)
        with pytest.raises(ValueError, match="`learning_rate` must be"):
            optimizer.learning_rate = -1
        assert optimizer.learning_rate == 0.1


class TestIterations:
    def test_counts_updates(self):
        optimizer = SGD()
        assert optimizer.iterations == optimizer.batches_seen == 0
        optimizer.batches_seen = 7
        assert optimizer.iterations == 7
        optimizer.iterations = 3
        assert optimizer.batches_seen == 3

    def test_accumulation_makes_fewer_updates_than_batches(self):
        optimizer = SGD(gradient_accumulation_steps=3)
        optimizer.batches_seen = 8
        assert optimizer.iterations == 2
        optimizer.iterations = 4
        assert optimizer.batches_seen == 12

    @pytest.mark.parametrize("value", [-1, 1.5, "1"])
    def test_bad_counts(self, value: Any):
        with pytest.raises((ValueError, TypeError), match="`iterations` must be"):
            SGD().iterations = value


class TestWeightDecayExclusion:
    def test_everything_decays_at_first(self):
        assert AdamW().decays("dense/kernel")
        assert AdamW().decays("dense/bias")

    def test_patterns_search_the_last_part_of_the_path(self):
        optimizer = AdamW()
        optimizer.exclude_from_weight_decay(var_names=["bias", "^gam"])
        assert not optimizer.decays("dense/bias")
        assert not optimizer.decays("normalization/gamma")
        assert optimizer.decays("bias_layer/kernel")

    def test_patterns_with_a_slash_search_the_whole_path(self):
        optimizer = AdamW()
        optimizer.exclude_from_weight_decay(var_names=["dense_1/"])
        assert not optimizer.decays("dense_1/kernel")
        assert optimizer.decays("dense/kernel")

    def test_variables_are_known_by_their_path(self):
        optimizer = AdamW()
        optimizer.exclude_from_weight_decay(var_list=[Variable("dense/kernel")])
        assert not optimizer.decays("dense/kernel")
        assert not optimizer.decays(Variable("dense/kernel"))
        assert optimizer.decays(Variable("dense_1/kernel"))

    def test_another_call_replaces_the_first(self):
        optimizer = AdamW()
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
        assert optimizer.decays("dense/bias")
        assert not optimizer.decays("dense/kernel")

    def test_survives_saving(self):
        optimizer = AdamW()
        optimizer.exclude_from_weight_decay([Variable("dense/kernel")], ["bias"])
        again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
        assert not again.decays("dense/kernel")
        assert not again.decays("dense_1/bias")
        assert again.decays("dense_1/kernel")

    def test_errors(self):
        with pytest.raises(ValueError, match=r"regular expressions. Received: '\('"):
            AdamW().exclude_from_weight_decay(var_names=["("])
        with pytest.raises(TypeError, match="list of strings"):
            AdamW().exclude_from_weight_decay(var_names="bias")
        with pytest.raises(TypeError, match="must have a `path`"):
            AdamW().exclude_from_weight_decay(var_list=[3])


class TestConfiguration:
    @pytest.mark.parametrize(
        "optimizer",
        [
            SGD(0.1, momentum=0.9, nesterov=True, clipnorm=1.0, name="mine"),
            RMSprop(centered=True, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5),
            Adam(CosineDecay(0.1, 10, warmup_target=0.2, warmup_steps=3), amsgrad=True, global_clipnorm=2.0),
            AdamW(weight_decay=0.1, gradient_accumulation_steps=4, loss_scale_factor=8.0),
            Nadam(clipvalue=0.5),
            Adamax(),
            Adagrad(initial_accumulator_value=0.7, weight_decay=0.01),
            Adadelta(),
            Lion(),
            Ftrl(learning_rate_power=-1, l1_regularization_strength=0.1, initial_accumulator_value=0.2),
            ScheduleFreeAdamW(warmup_steps=5),
            Lamb(weight_decay=0.1),
            Adafactor(relative_step=False, epsilon_2=0.1),
            Muon(exclude_layers=["output"], rms_rate=None, adam_weight_decay=None),
            LBFGS(max_iter=7, history_size=3, name="mine"),
        ],
        ids=lambda optimizer: type(optimizer).__name__,
    )
    def test_round_trip_through_json(self, optimizer: Optimizer):
        data = json.loads(json.dumps(optimizers.serialize(optimizer)))
        again = optimizers.deserialize(data)
        assert type(again) is type(optimizer)
        assert optimizers.serialize(again) == optimizers.serialize(optimizer)
        assert again.rule() == optimizer.rule()
        assert again.slots() == optimizer.slots()
        np.testing.assert_array_equal(again.learning_rates(0, 20), optimizer.learning_rates(0, 20))

    def test_reads_what_keras_writes(self):
        data = {
            "module": "keras.optimizers",
            "class_name": "Adam",
            "config": {
                "name": "adam",
                "learning_rate": {
                    "module": "keras.optimizers.schedules",
                    "class_name": "CosineDecay",
                    "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.0, "name": "CosineDecay",
                               "warmup_target": None, "warmup_steps": 0},
                    "registered_name": None,
                },
                "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None,
                "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
                "gradient_accumulation_steps": None, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07,
                "amsgrad": False,
            },
            "registered_name": None,
        }  # fmt: skip
        optimizer = optimizers.deserialize(data)
        assert isinstance(optimizer.schedule, CosineDecay)
        assert set(optimizer.get_config()) == set(data["config"])

    def test_own_schedule_inside(self):
        class Own(LearningRateSchedule):
            def __call__(self, step):
                return 0.5

            def get_config(self):
                return {}

        data = optimizers.serialize(SGD(Own()))
        with pytest.raises(ValueError, match="must be one of"):
            optimizers.deserialize(data)
        assert isinstance(optimizers.deserialize(data, {"Own": Own}).schedule, Own)

    def test_callable_is_stored_as_its_value(self):
        assert SGD(lambda: 0.25).get_config()["learning_rate"] == 0.25

    def test_configuration_holds_no_state(self):
        optimizer = SGD(momentum=0.9)
        optimizer.batches_seen, optimizer.state = 5, {"momentum": np.ones(3)}
        again = SGD.from_config(optimizer.get_config())
        assert again.batches_seen == 0
        assert again.state == {}

    def test_subclass(self):
        class Mine(Adam):
            def __init__(self, *, twist: float = 1.0, **others: Any):
                super().__init__(**others)
                self.twist = twist

            def get_config(self):
                return {**super().get_config(), "twist": self.twist}

        data = optimizers.serialize(Mine(twist=2.0, learning_rate=0.5))
        again = optimizers.deserialize(data, {"Mine": Mine})
        assert (again.twist, again.learning_rate, again.rule()[0]) == (2.0, 0.5, "adam")


class TestGet:
    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("sgd", SGD), ("SGD", SGD), ("adam", Adam), ("Adam", Adam), ("adamw", AdamW), ("adam_w", AdamW),
            ("rmsprop", RMSprop), ("nadam", Nadam), ("adamax", Adamax), ("adagrad", Adagrad), ("adadelta", Adadelta),
            ("lion", Lion), ("lbfgs", LBFGS), ("ftrl", Ftrl), ("lamb", Lamb), ("adafactor", Adafactor), ("muon", Muon),
            ("schedulefreeadamw", ScheduleFreeAdamW), ("schedule_free_adam_w", ScheduleFreeAdamW),
        ],
    )  # fmt: skip
    def test_names(self, name: str, rule: type[Optimizer]):
        assert type(optimizers.get(name)) is rule

    def test_objects_and_classes(self):
        optimizer = SGD()
        assert optimizers.get(optimizer) is optimizer
        assert isinstance(optimizers.get(Adam), Adam)
        assert optimizers.get({"class_name": "SGD", "config": {"momentum": 0.9}}).rule() == ("sgd", (0.9, 0.0))

    def test_unknown_name_proposes_the_nearest(self):
        with pytest.raises(ValueError, match=r"`optimizer` must be one of 'Adadelta', .* Did you mean 'Adam'\?"):
            optimizers.get("adm")

    @pytest.mark.parametrize("identifier", [None, 3, object()])
    def test_other_things(self, identifier: Any):
        with pytest.raises(TypeError, match="`optimizer` must be an Optimizer"):
            optimizers.get(identifier)


class TestState:
    def make(self) -> Adam:
        optimizer = Adam(0.1)
        optimizer.batches_seen = 5
        optimizer.state = {"momentum": np.arange(4.0), "velocity": np.ones(4, np.float32)}
        return optimizer

    def test_restored_state_is_a_copy(self):
        optimizer = self.make()
        saved = optimizer.training_state()
        optimizer.state["momentum"][:] = -1
        optimizer.learning_rate = 0.7
        optimizer.batches_seen = 9
        again = Adam(0.3)
        again.restore_training_state(saved)
        assert (again.batches_seen, again.learning_rate) == (5, 0.1)
        assert again.state["momentum"].tolist() == [0, 1, 2, 3]
        assert again.state["velocity"].dtype == np.float32
        saved["slots"]["momentum"][:] = -2
        assert again.state["momentum"].tolist() == [0, 1, 2, 3]

    def test_schedule_needs_no_rate(self):
        optimizer = SGD(FlatCosine(0.5, 4))
        optimizer.batches_seen = 3
        again = SGD(FlatCosine(0.5, 4))
        again.restore_training_state(optimizer.training_state())
        assert again.learning_rate == optimizer.learning_rate

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))])
    def test_copies_are_independent(self, duplicate):
        optimizer = self.make()
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        again = duplicate(optimizer)
        optimizer.state["momentum"][:] = -1
        assert again.state["momentum"].tolist() == [0, 1, 2, 3]
        assert again.batches_seen == 5
        assert not again.decays("bias")
