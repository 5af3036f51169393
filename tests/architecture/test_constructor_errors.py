"""Every constructor refuses what it cannot use and says so: `name` must be ... Received: ..."""

from __future__ import annotations

import re
from typing import Any

import pytest

import cnn_core
import cnn_core.foundation.serialization as serialization
from constructors import NEEDED, UNCHECKED, Alien, arguments_of, constructors, is_house_form


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cnn_core.layers.Dense(3, activatoin="relu"),
            r"^Dense has the arguments `activation`, .* Received: activatoin='relu'\. Did you mean `activation`\?$",
        ),
        (
            lambda: cnn_core.layers.Dropout(0.5, sede=1),
            r"^Dropout has the arguments .*`rate`, `seed` .* Received: sede=1\. Did you mean `seed`\?$",
        ),
        (
            lambda: cnn_core.optimizers.Adam(lr=0.1),
            r"^Adam has the arguments .*`learning_rate`.* Received: lr=0\.1\. Did you mean `learning_rate`\?$",
        ),
    ],
)
def test_unknown_arguments_list_the_known_ones_and_name_the_nearest(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("cls", list(constructors()))
def test_every_argument_refuses_an_alien(cls: Any) -> None:
    needed = NEEDED.get(cls.__name__, {})
    cls(**needed)
    wrong = []
    for argument in arguments_of(cls):
        if (cls.__name__, argument) in UNCHECKED:
            continue
        try:
            cls(**{**needed, argument: Alien()})
        except (TypeError, ValueError) as error:
            if not is_house_form(str(error), argument):
                wrong.append(f"{argument}: {type(error).__name__}: {error}")
        else:
            wrong.append(f"{argument}: taken")
    assert not wrong


NUMBERS = [
    ("layers.Dense", "units", [0, -3, 2.5, True, "8", None]),
    ("layers.Dense", "activation", ["rleu", 3]),
    ("layers.Dense", "use_bias", ["no", 2]),
    ("layers.Dropout", "rate", [-0.1, 1.5, float("nan"), "half", None]),
    ("layers.Reshape", "target_shape", ["2", 2.5, (0,)]),
    ("layers.Input", "shape", [None, -1, (0,), "wide", (2.5,)]),
    ("layers.AlphaDropout", "rate", [-0.1, 1.5, float("nan")]),
    ("layers.GaussianDropout", "rate", [-0.1, 1.5, float("nan")]),
    ("layers.GaussianNoise", "stddev", [-0.1, float("inf"), float("nan")]),
    ("layers.BatchNormalization", "momentum", [-0.1, 1.5, float("nan")]),
    ("layers.BatchNormalization", "epsilon", [-1, float("nan"), "small"]),
    ("layers.LayerNormalization", "epsilon", [-1, float("nan")]),
    ("layers.Embedding", "input_dim", [0, -1, 2.5]),
    ("layers.Embedding", "output_dim", [0, -1, 2.5]),
    ("layers.LeakyReLU", "negative_slope", [float("nan"), "steep", None]),
    ("layers.ELU", "alpha", [float("nan"), "steep"]),
    ("layers.ActivityRegularization", "l1", [-1, float("nan")]),
    ("layers.Rescaling", "scale", ["large", float("nan")]),
    ("layers.Concatenate", "axis", ["last", 1.5]),
    ("layers.CategoryEncoding", "output_mode", ["tf_idf", 3]),
    ("losses.Huber", "delta", [0, -1, float("nan"), "1"]),
    ("losses.BinaryCrossentropy", "label_smoothing", [-0.1, 1.1, float("nan"), True]),
    ("losses.CategoricalCrossentropy", "from_logits", ["yes", 2]),
    ("losses.MeanSquaredError", "reduction", ["average", 3]),
    ("losses.CategoricalFocalCrossentropy", "gamma", [-1, float("inf")]),
    ("losses.SparseCategoricalCrossentropy", "ignore_class", [1.5, "none"]),
    ("losses.Quantile", "levels", [0, 1, 1.5, [], "median"]),
    ("metrics.AUC", "num_thresholds", [1, 0, 2.5]),
    ("metrics.AUC", "curve", ["roc curve", 3]),
    ("metrics.TopKCategoricalAccuracy", "k", [0, -1, 2.5]),
    ("metrics.Precision", "thresholds", [-0.1, 1.5, "half"]),
    ("metrics.FBetaScore", "beta", [0, -1, "f1"]),
    ("optimizers.SGD", "learning_rate", [-1, float("nan"), float("inf"), "fast", None]),
    ("optimizers.SGD", "momentum", [-0.1, 1.1, float("nan")]),
    ("optimizers.SGD", "nesterov", ["yes", 2]),
    ("optimizers.Adam", "beta_1", [1, -0.1, float("nan")]),
    ("optimizers.Adam", "epsilon", [-1e-7, float("nan")]),
    ("optimizers.Adam", "clipnorm", [-1, float("nan")]),
    ("optimizers.Adam", "weight_decay", [-1, float("nan")]),
    ("optimizers.Adam", "ema_momentum", [-0.1, 1.1]),
    ("optimizers.Adam", "gradient_accumulation_steps", [0, 1, 2.5]),
    ("optimizers.AdamW", "weight_decay", [-1, None]),
    ("optimizers.Lion", "beta_2", [1.5, -0.5]),
    ("optimizers.schedules.CosineDecay", "decay_steps", [0, -1, float("nan")]),
    ("optimizers.schedules.PolynomialDecay", "power", [float("nan"), "square"]),
    ("optimizers.schedules.PiecewiseConstantDecay", "values", [[0.1], "0.1"]),
    ("callbacks.EarlyStopping", "patience", [-1, 1.5, "long"]),
    ("callbacks.ReduceLROnPlateau", "factor", [1.0, 2, float("nan")]),
    ("callbacks.ModelCheckpoint", "save_freq", [0, "batch", 1.5]),
    ("callbacks.ModelCheckpoint", "filepath", ["", 3, None]),
    ("initializers.RandomNormal", "stddev", [-1, float("nan")]),
    ("initializers.RandomUniform", "maxval", [float("nan"), "high"]),
    ("initializers.VarianceScaling", "mode", ["fan", None]),
    ("initializers.VarianceScaling", "scale", [0, -1, float("nan")]),
    ("initializers.GlorotUniform", "seed", [-1, 1.5, "seed"]),
    ("regularizers.L1", "l1", [-0.1, float("nan"), float("inf"), "0.1"]),
    ("regularizers.L2", "l2", [-0.1, float("nan"), True]),
    ("regularizers.OrthogonalRegularizer", "mode", ["diagonal", 3]),
    ("constraints.MaxNorm", "max_value", [-1, float("nan")]),
    ("constraints.MaxNorm", "axis", [0.5, "rows"]),
    ("constraints.MinMaxNorm", "rate", [-0.1, 1.5]),
]


@pytest.mark.parametrize(
    ("path", "argument", "value"), [(path, argument, value) for path, argument, values in NUMBERS for value in values]
)
def test_values_out_of_range_are_refused(path: str, argument: str, value: Any) -> None:
    target: Any = cnn_core
    for part in path.split("."):
        target = getattr(target, part)
    with pytest.raises((TypeError, ValueError)) as caught:
        target(**{**NEEDED.get(path.rpartition(".")[2], {}), argument: value})
    assert is_house_form(str(caught.value), argument), str(caught.value)


@pytest.mark.parametrize("num_bins", [1, 0, 2.5, "many"])
def test_a_discretization_needs_two_bins_or_boundaries(num_bins: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"`num_bins` must be .+\. Received: num_bins="):
        cnn_core.layers.Discretization(num_bins=num_bins)
    with pytest.raises(ValueError, match=r"Either `bin_boundaries` or `num_bins` must be given\. Received: "):
        cnn_core.layers.Discretization([0.0, 1.0], num_bins=num_bins)
    with pytest.raises(ValueError, match=r"`bin_boundaries` must be numbers that ascend\. Received: bin_boundaries="):
        cnn_core.layers.Discretization([1.0, 0.0])


@pytest.mark.parametrize(
    ("module", "typo", "meant"),
    [
        ("activations", "rleu", "relu"),
        ("losses", "mean_square_error", "mean_squared_error"),
        ("metrics", "acuracy", "accuracy"),
        ("optimizers", "adamm", "Adam"),
        ("initializers", "he_normall", "HeNormal"),
        ("regularizers", "l22", "L2"),
        ("constraints", "max_normm", "MaxNorm"),
    ],
)
def test_unknown_names_list_the_known_ones_and_name_the_nearest(module: str, typo: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"Received: {typo!r}") as caught:
        getattr(cnn_core, module).get(typo)
    listing, _, question = str(caught.value).partition(". Received")
    listed = re.findall(r"'([^']*)'", listing)
    assert listed == sorted(listed, key=str.lower)
    nearest = re.search(r"Did you mean '([^']*)'\?$", question)
    assert nearest is not None
    assert serialization.snake_case(nearest[1]) == serialization.snake_case(meant)
