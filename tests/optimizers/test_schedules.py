"""Schedules: every formula by hand and against a second writing of it, arrays against single steps, bad arguments."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.optimizers.schedules as schedules
import tolerances
from cnn_core import optimizers
from cnn_core.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    Coslog,
    ExponentialDecay,
    FlatCosine,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

EXAMPLES = [
    ExponentialDecay(0.1, 10, 0.5),
    ExponentialDecay(0.1, 10, 0.5, staircase=True),
    InverseTimeDecay(0.1, 10, 0.5),
    InverseTimeDecay(0.1, 10, 0.5, staircase=True),
    PiecewiseConstantDecay([5, 20.5], [0.1, 0.01, 0.0]),
    PiecewiseConstantDecay([], [0.1]),
    PolynomialDecay(0.1, 30, 0.01, power=2.0),
    PolynomialDecay(0.1, 30, 0.01, power=0.5, cycle=True),
    CosineDecay(0.1, 30, alpha=0.1),
    CosineDecay(0.01, 30, alpha=0.1, warmup_target=0.1, warmup_steps=7),
    CosineDecay(0.01, 30, warmup_target=0.1),
    CosineDecayRestarts(0.1, 7, t_mul=1.5, m_mul=0.9, alpha=0.01),
    CosineDecayRestarts(0.1, 7, t_mul=1.0, m_mul=0.5),
    Coslog(0.04, 50),
    FlatCosine(0.2, 50),
]
IDS = [f"{type(schedule).__name__}-{place}" for place, schedule in enumerate(EXAMPLES)]


def restarts_by_walking(step: int, first: int, t_mul: float, m_mul: float, alpha: float) -> float:
    """Walk through the periods one by one, as the definition has it."""
    begin, length, peak = 0.0, float(first), 1.0
    while step >= begin + length:
        begin, length, peak = begin + length, length * t_mul, peak * m_mul
    return (1 - alpha) * peak * 0.5 * (1 + math.cos(math.pi * (step - begin) / length)) + alpha


class TestFormulas:
    def test_exponential_decay_by_hand(self):
        assert ExponentialDecay(0.8, 4, 0.25)(np.array([0, 2, 4, 8])).tolist() == [0.8, 0.4, 0.2, 0.05]

    def test_exponential_staircase_jumps_after_whole_periods(self):
        assert ExponentialDecay(0.8, 4, 0.25, staircase=True)(np.array([3, 4, 7, 8])).tolist() == [0.8, 0.2, 0.2, 0.05]

    def test_inverse_time_by_hand(self):
        assert InverseTimeDecay(1.0, 4, 2.0)(np.array([0, 2, 4, 6])).tolist() == [1.0, 0.5, 1 / 3, 0.25]
        assert InverseTimeDecay(1.0, 4, 2.0, staircase=True)(np.array([3, 4])).tolist() == [1.0, 1 / 3]

    def test_piecewise_boundary_belongs_to_the_interval_it_ends(self):
        schedule = PiecewiseConstantDecay([2, 4], [3.0, 2.0, 1.0])
        assert schedule(np.arange(6)).tolist() == [3.0, 3.0, 3.0, 2.0, 2.0, 1.0]

    def test_polynomial_by_hand(self):
        assert PolynomialDecay(1.0, 4, 0.0, power=2)(np.array([0, 2, 4, 9])).tolist() == [1.0, 0.25, 0.0, 0.0]

    def test_polynomial_cycle_starts_lower_each_time(self):
        schedule = PolynomialDecay(1.0, 4, 0.0, cycle=True)
        # Step 4 ends the first cycle; step 5 is 5/8 of the way through a decay over 8 steps; step 9, 9/12.
        assert schedule(np.array([0, 4, 5, 8, 9])).tolist() == [1.0, 0.0, 0.375, 0.0, 0.25]

    def test_cosine_with_warmup_by_hand(self):
        schedule = CosineDecay(0.2, 10, alpha=0.5, warmup_target=1.0, warmup_steps=4)
        expected = [0.2, 0.4, 0.8, 1.0, 0.75, 0.5, 0.5]
        tolerances.close(schedule(np.array([0, 1, 3, 4, 9, 14, 100])), expected, tolerances.BY_HAND)

    def test_cosine_without_target_ignores_warmup_steps(self):
        np.testing.assert_array_equal(
            CosineDecay(0.2, 10, warmup_steps=5)(np.arange(20)), CosineDecay(0.2, 10)(np.arange(20))
        )

    @pytest.mark.parametrize("t_mul", [1.0, 1.5, 2.0, 3.0, 5.0])
    def test_restarts_against_walking_through_the_periods(self, t_mul: float):
        schedule = CosineDecayRestarts(1.0, 4, t_mul=t_mul, m_mul=0.9, alpha=0.05)
        steps = np.arange(2000)
        expected = [restarts_by_walking(int(step), 4, t_mul, 0.9, 0.05) for step in steps]
        tolerances.close(schedule(steps), expected, tolerances.REFERENCE_FLOAT64)

    def test_coslog_against_its_definition(self):
        t = np.linspace(0, 1, 16)
        expected = 0.04 * 0.5 * (1 - np.cos(2 * np.pi * np.log(1 + 15 * t) / np.log(2)))
        tolerances.close(Coslog(0.04, 15)(np.arange(16)), expected, tolerances.REFERENCE_FLOAT64)

    def test_coslog_swings_four_times_between_nothing_and_the_rate(self):
        rates = Coslog(1.0, 100_000)(np.arange(100_001))
        assert rates.max() <= 1
        rising = np.diff(rates) > 0
        assert np.flatnonzero(np.diff(rising.astype(int)) == -1).size == 4

    def test_flat_cosine_by_hand(self):
        expected = [0.2, 0.2, 0.1, 0.0, 0.0]
        assert FlatCosine(0.2, 8)(np.array([0, 4, 6, 8, 99])).round(15).tolist() == expected


class TestEverySchedule:
    @pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
    def test_array_gives_what_single_steps_give(self, schedule: LearningRateSchedule):
        steps = np.arange(120)
        rates = schedule(steps)
        assert rates.dtype == np.float64
        assert rates.shape == steps.shape
        singles = [schedule(int(step)) for step in steps]
        assert all(type(rate) is float for rate in singles)
        # NumPy's vectorised cosine may differ from its scalar one in the last place.
        tolerances.close(rates, singles, tolerances.BY_HAND)

    @pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
    def test_slices_join(self, schedule: LearningRateSchedule):
        whole = schedule.rates(0, 100)
        parts = np.concatenate([schedule.rates(0, 33), schedule.rates(33, 1), schedule.rates(34, 66)])
        # To the bit: where an epoch is cut depends on the clock, and training must not.
        assert parts.tobytes() == whole.tobytes()
        assert schedule.rates(5, 0).shape == (0,)

    @pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
    def test_configuration_round_trip(self, schedule: LearningRateSchedule):
        data = json.loads(json.dumps(schedules.serialize(schedule)))
        again = schedules.deserialize(data)
        assert type(again) is type(schedule)
        assert again.get_config() == schedule.get_config()
        np.testing.assert_array_equal(again(np.arange(50)), schedule(np.arange(50)))

    @pytest.mark.parametrize("schedule", EXAMPLES, ids=IDS)
    def test_pickle_and_copy(self, schedule: LearningRateSchedule):
        for again in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
            np.testing.assert_array_equal(again(np.arange(50)), schedule(np.arange(50)))

    @given(step=st.integers(0, 10**9), place=st.integers(0, len(EXAMPLES) - 1))
    def test_rates_stay_between_nothing_and_the_largest_argument(self, step: int, place: int):
        assert 0 <= EXAMPLES[place](step) <= 0.2

    def test_growth_without_bound_is_refused(self):
        schedule = ExponentialDecay(1.0, 1, 10.0)
        assert schedule.rates(300, 3).tolist() == [schedule(300), schedule(301), schedule(302)]
        with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"finite .* Received: inf at step 309"):
            schedule.rates(300, 20)

    def test_scalars_of_numpy_count_as_single_steps(self):
        assert ExponentialDecay(0.8, 4, 0.25)(np.int64(4)) == 0.2
        assert ExponentialDecay(0.8, 4, 0.25)(np.array(4)) == 0.2

    def test_shape_is_kept(self):
        assert FlatCosine(0.1, 10)(np.arange(6).reshape(2, 3)).shape == (2, 3)


class WarmUp(LearningRateSchedule):
    """Not made for arrays: min() would fail on them."""

    def __init__(self, scale: float = 1.0):
        self.scale = scale

    def __call__(self, step):
        return self.scale * min((step + 1) ** -0.5, (step + 1) * 0.001)

    def get_config(self):
        return {"scale": self.scale}


class TestOwnSchedules:
    def test_one_step_at_a_time_by_default(self):
        assert WarmUp().rates(0, 3).tolist() == [0.001, 0.002, 0.003]

    def test_own_formula_below_a_built_in_schedule(self):
        class Doubled(FlatCosine):
            def __call__(self, step):
                return 2 * super().__call__(step) if step < 100 else 0.0

        assert Doubled(0.1, 1000).rates(98, 4).tolist() == [0.2, 0.2, 0.0, 0.0]

    def test_vectorized_on_request(self):
        class Linear(LearningRateSchedule):
            vectorized = True

            def __call__(self, step):
                assert isinstance(step, np.ndarray)
                return step * 0.5

        assert Linear().rates(1, 3).tolist() == [0.5, 1.0, 1.5]

    def test_division_by_step_zero_is_no_error_where_the_result_is_finite(self):
        class Transformer(LearningRateSchedule):
            def __call__(self, step):
                return min(np.float64(step) ** -0.5, step * 0.5)

        assert Transformer().rates(0, 2).tolist() == [0.0, 0.5]

    @pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
    def test_useless_rates_are_refused_with_the_step(self, value: float):
        class Broken(LearningRateSchedule):
            def __call__(self, step):
                return value if step == 7 else 0.1

        assert Broken().rates(0, 7).tolist() == [0.1] * 7
        with pytest.raises(ValueError, match=r"Broken must return .* at step 7"):
            Broken().rates(5, 5)

    def test_wrong_number_of_rates(self):
        class Constant(LearningRateSchedule):
            vectorized = True

            def __call__(self, step):
                return np.array(0.1)

        with pytest.raises(ValueError, match="one learning rate per step"):
            Constant().rates(0, 5)

    def test_needs_its_class_to_be_loaded(self):
        data = schedules.serialize(WarmUp(2.0))
        assert data == {"class_name": "WarmUp", "config": {"scale": 2.0}}
        with pytest.raises(ValueError, match="must be one of"):
            schedules.deserialize(data)
        assert schedules.deserialize(data, {"WarmUp": WarmUp}).scale == 2.0

    def test_base_class_says_what_is_missing(self):
        class Empty(LearningRateSchedule):
            pass

        with pytest.raises(NotImplementedError, match="Empty must override `__call__"):
            Empty()(0)
        with pytest.raises(NotImplementedError, match="Empty must override `get_config"):
            Empty().get_config()


class TestErrors:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: ExponentialDecay(-0.1, 10, 0.5), "`initial_learning_rate` must be a number of at least 0"),
            (lambda: ExponentialDecay(0.1, 0, 0.5), r"`decay_steps` must be .* Received: decay_steps=0"),
            (lambda: ExponentialDecay(0.1, 10, math.nan), "`decay_rate` must be"),
            (lambda: InverseTimeDecay(0.1, -1, 0.5), "`decay_steps` must be"),
            (lambda: InverseTimeDecay(0.1, 1, -0.5), "`decay_rate` must be"),
            (lambda: PolynomialDecay(0.1, 10, -1.0), "`end_learning_rate` must be"),
            (lambda: PolynomialDecay(0.1, 10, power=-1), "`power` must be"),
            (lambda: CosineDecay(0.1, 10, alpha=-1), "`alpha` must be"),
            (lambda: CosineDecay(0.1, 10, warmup_target=-1), "`warmup_target` must be"),
            (lambda: CosineDecay(0.1, 10, warmup_steps=-1), "`warmup_steps` must be"),
            (lambda: CosineDecayRestarts(0.1, 0), "`first_decay_steps` must be"),
            (lambda: CosineDecayRestarts(0.1, 10, t_mul=0.5), "`t_mul` must be a number of at least 1"),
            (lambda: CosineDecayRestarts(0.1, 10, m_mul=-1), "`m_mul` must be"),
            (lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "2 values and 2 boundaries"),
            (
                lambda: PiecewiseConstantDecay([2, 2], [0.1, 0.2, 0.3]),
                r"ascend strictly. Received: boundaries=\[2, 2\]",
            ),
            (lambda: PiecewiseConstantDecay([2], [0.1, -0.2]), "`values` must be"),
            (lambda: Coslog(0.1, 0), "`decay_steps` must be"),
            (lambda: FlatCosine(math.inf, 1), "`initial_learning_rate` must be"),
        ],
    )
    def test_values(self, make, message: str):
        with pytest.raises(ValueError, match=message):
            make()

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: ExponentialDecay("0.1", 10, 0.5), "`initial_learning_rate` must be"),
            (lambda: ExponentialDecay(0.1, 10, 0.5, staircase=1), "`staircase` must be True or False"),
            (lambda: PolynomialDecay(0.1, 10, cycle="yes"), "`cycle` must be True or False"),
            (lambda: PiecewiseConstantDecay(5, [0.1, 0.2]), "`boundaries` must be a sequence"),
            (lambda: PiecewiseConstantDecay([5], "ab"), "`values` must be a sequence"),
            (lambda: schedules.get(0.1), "must be a LearningRateSchedule"),
        ],
    )
    def test_types(self, make, message: str):
        with pytest.raises(TypeError, match=message):
            make()

    def test_unknown_name_lists_the_nearest(self):
        with pytest.raises(ValueError, match="Did you mean 'CosineDecay'"):
            schedules.deserialize({"class_name": "CosinDecay", "config": {}})

    def test_superfluous_argument_in_a_configuration(self):
        with pytest.raises(ValueError, match="does not fit"):
            schedules.deserialize({"class_name": "Coslog", "config": {"steps": 5}})


def test_names_of_keras():
    import cnn_core.optimizers.schedules as module  # works although optimizers is no package
    from cnn_core.optimizers.schedules import CosineDecay as Same

    assert module is schedules is optimizers.schedules
    assert Same is CosineDecay


def test_keras_writes_configurations_that_fit():
    config = {
        "module": "keras.optimizers.schedules",
        "class_name": "PolynomialDecay",
        "config": {
            "initial_learning_rate": 0.1, "decay_steps": 1000, "end_learning_rate": 0.01,
            "power": 0.5, "cycle": False, "name": "PolynomialDecay",
        },
        "registered_name": None,
    }  # fmt: skip
    assert schedules.deserialize(config).get_config() == config["config"]
