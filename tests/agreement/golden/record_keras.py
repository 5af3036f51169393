"""Record vectors from Keras: forward values, gradients and trajectories, in float32 and float64.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install torch==2.13.0 keras==3.15.1
    KERAS_BACKEND=torch python tests/agreement/golden/record_keras.py [family ...]
"""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

from golden import DTYPES, FOLDER, SNAPSHOTS, batches, build, compiled, describe, flat, network, save, train

SOURCE = {"package": "keras", "version": keras.__version__, "backend": keras.backend.backend(), "numpy": np.__version__}
STEPS = max(SNAPSHOTS)
ROWS, BATCH_SIZE = 72, 16

Arrays = dict[str, np.ndarray]


def draw(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw normal numbers, rounded so that they are exact in float32 and small when compressed."""
    return np.round(np.random.default_rng(seed).normal(0, scale, shape) * 256) / 256


def draw_uniform(shape: tuple[int, ...], seed: int, low: float, high: float) -> np.ndarray:
    return np.round(np.random.default_rng(seed).uniform(low, high, shape) * 256) / 256


def use(dtype: str) -> None:
    """Make `dtype` Keras's default for everything.

    Outside TensorFlow, Keras rounds the result of mixed operations, such as the division by the number of rows, to
    32 bits even when it computes in float64. Its table that says so is told the truth while float64 is recorded.
    """
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = dtype
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def correct_optimizers() -> None:
    """Let two optimizers compute what their source says, which they do with other backends or in float32.

    With PyTorch, ScheduleFreeAdamW overwrites in place the old momentum that it goes on to read; Muon takes the root of
    a whole number in 32 bits.
    """

    def replace(self: Any, variable: Any, value: Any) -> None:
        variable._value = (variable.value - value).detach()

    def scaled(self: Any, x: Any) -> Any:
        return x if self.rms_rate is None else x * (math.sqrt(max(x.shape)) * self.rms_rate)

    keras.optimizers.ScheduleFreeAdamW.assign_sub = replace
    keras.optimizers.Muon.lr_adjust = scaled


def each_dtype() -> Iterator[str]:
    for dtype in DTYPES:
        use(dtype)
        yield dtype
    use("float32")


def variable(values: np.ndarray, dtype: str) -> torch.Tensor:
    """Make a tensor whose gradient can be asked for."""
    return torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True)


def numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


# --------------------------------------------------------------------------------------------------------------------
# Activations
# --------------------------------------------------------------------------------------------------------------------

PLAIN_ACTIVATIONS = (  # noqa: SIM905
    "relu leaky_relu relu6 softmax log_softmax elu selu celu softplus softsign silu gelu glu tanh sigmoid "
    "log_sigmoid hard_sigmoid hard_silu hard_tanh exponential linear mish squareplus soft_shrink hard_shrink "
    "tanh_shrink sparsemax sparse_plus sparse_sigmoid"
).split()

PARAMETERISED_ACTIVATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("relu_slope", "relu", {"negative_slope": 0.1}),
    ("relu_maximum", "relu", {"max_value": 1.5}),
    ("relu_threshold", "relu", {"threshold": 0.75}),
    ("relu_all", "relu", {"negative_slope": 0.25, "max_value": 2.5, "threshold": 0.5}),
    ("leaky_relu_slope", "leaky_relu", {"negative_slope": 0.05}),
    ("elu_alpha", "elu", {"alpha": 0.5}),
    ("celu_alpha", "celu", {"alpha": 0.5}),
    ("gelu_approximate", "gelu", {"approximate": True}),
    ("squareplus_b", "squareplus", {"b": 2}),
    ("soft_shrink_threshold", "soft_shrink", {"threshold": 0.25}),
    ("hard_shrink_threshold", "hard_shrink", {"threshold": 0.25}),
    ("threshold", "threshold", {"threshold": 0.5, "default_value": 0.125}),
]


def record_activations() -> None:
    """Record a = g(z) and dz = da . dg/dz."""
    cases = [{"name": name, "activation": name, "arguments": {}} for name in PLAIN_ACTIVATIONS]
    cases += [{"name": n, "activation": a, "arguments": arguments} for n, a, arguments in PARAMETERISED_ACTIVATIONS]
    # An odd multiple of 1/512 is on no kink.
    z = np.concatenate([draw((6, 8), 1, 2.0), draw((2, 8), 2, 8.0)]) + 1 / 512
    da = draw((8, 8), 3)
    arrays: Arrays = {"inputs/z": z, "inputs/da": da}
    for dtype in each_dtype():
        for case in cases:
            tensor = variable(z, dtype)
            a = getattr(keras.activations, case["activation"])(tensor, **case["arguments"])
            upstream = torch.tensor(da[:, : a.shape[1]], dtype=a.dtype)
            arrays[f"{case['name']}/{dtype}/a"] = numpy(a)
            arrays[f"{case['name']}/{dtype}/dz"] = numpy(torch.autograd.grad((a * upstream).sum(), tensor)[0])
    save("activations", SOURCE, cases, arrays)


# --------------------------------------------------------------------------------------------------------------------
# Losses
# --------------------------------------------------------------------------------------------------------------------

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")

# name of the case, class, arguments, what y_true and y_pred are
LOSS_CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("mean_squared_error", "MeanSquaredError", {}, "real"),
    ("mean_absolute_error", "MeanAbsoluteError", {}, "real"),
    ("mean_absolute_percentage_error", "MeanAbsolutePercentageError", {}, "real"),
    ("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", {}, "positive"),
    ("cosine_similarity", "CosineSimilarity", {}, "real"),
    ("huber", "Huber", {}, "real"),
    ("huber_delta", "Huber", {"delta": 0.5}, "real"),
    ("log_cosh", "LogCosh", {}, "real"),
    ("poisson", "Poisson", {}, "positive"),
    ("kl_divergence", "KLDivergence", {}, "distribution"),
    ("hinge", "Hinge", {}, "binary_real"),
    ("hinge_signed", "Hinge", {}, "signed_real"),
    ("squared_hinge", "SquaredHinge", {}, "binary_real"),
    ("categorical_hinge", "CategoricalHinge", {}, "one_hot_real"),
    ("binary_crossentropy", "BinaryCrossentropy", {}, "binary_probability"),
    ("binary_crossentropy_smoothed", "BinaryCrossentropy", {"label_smoothing": 0.2}, "binary_probability"),
    ("binary_crossentropy_logits", "BinaryCrossentropy", {"from_logits": True}, "binary_real"),
    (
        "binary_crossentropy_logits_smoothed",
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "binary_real",
    ),
    ("categorical_crossentropy", "CategoricalCrossentropy", {}, "one_hot_distribution"),
    ("categorical_crossentropy_unnormalised", "CategoricalCrossentropy", {}, "one_hot_probability"),
    ("categorical_crossentropy_smoothed", "CategoricalCrossentropy", {"label_smoothing": 0.2}, "one_hot_distribution"),
    ("categorical_crossentropy_logits", "CategoricalCrossentropy", {"from_logits": True}, "one_hot_real"),
    (
        "categorical_crossentropy_logits_smoothed",
        "CategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "one_hot_real",
    ),
    ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}, "label_distribution"),
    ("sparse_categorical_crossentropy_unnormalised", "SparseCategoricalCrossentropy", {}, "label_probability"),
    ("sparse_categorical_crossentropy_logits", "SparseCategoricalCrossentropy", {"from_logits": True}, "label_real"),
    (
        "sparse_categorical_crossentropy_ignore",
        "SparseCategoricalCrossentropy",
        {"ignore_class": 1},
        "label_distribution",
    ),
    (
        "sparse_categorical_crossentropy_logits_ignore",
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 0},
        "label_real",
    ),
    ("binary_focal", "BinaryFocalCrossentropy", {}, "binary_probability"),
    (
        "binary_focal_balanced",
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5},
        "binary_probability",
    ),
    (
        "binary_focal_logits_smoothed",
        "BinaryFocalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "binary_real",
    ),
    ("dice", "Dice", {"axis": -1}, "binary_probability"),
    ("tversky", "Tversky", {"axis": -1}, "binary_probability"),
    ("tversky_options", "Tversky", {"alpha": 0.25, "beta": 1.5, "axis": 1}, "binary_probability"),
    ("generalized_crossentropy", "CategoricalGeneralizedCrossEntropy", {}, "label_probability"),
    ("generalized_crossentropy_q", "CategoricalGeneralizedCrossEntropy", {"q": 0.9}, "label_distribution"),
    ("categorical_focal", "CategoricalFocalCrossentropy", {}, "one_hot_distribution"),
    ("categorical_focal_options", "CategoricalFocalCrossentropy", {"alpha": 0.5, "gamma": 1.5}, "one_hot_distribution"),
    (
        "categorical_focal_logits_smoothed",
        "CategoricalFocalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "one_hot_real",
    ),
]


def _one_hot(rows: int, classes: int, seed: int) -> np.ndarray:
    return np.eye(classes)[np.random.default_rng(seed).integers(0, classes, rows)]


def _distribution(rows: int, classes: int, seed: int) -> np.ndarray:
    """Draw rows that add up to 1 exactly: multiples of 1/256."""
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, 256), (rows, classes - 1)), axis=1)
    edges = np.concatenate([np.zeros((rows, 1)), cuts, np.full((rows, 1), 256)], axis=1)
    return np.maximum(np.diff(edges, axis=1), 1) / 256


def loss_data(kind: str, rows: int = 7, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Make targets and predictions of a kind; odd 512ths keep errors off the kinks."""
    shape = (rows, width)
    real = draw(shape, 12, 1.5) + 1 / 512
    probability = draw_uniform(shape, 13, 0.02, 0.96) + 1 / 512
    targets = {
        "real": draw(shape, 11),
        "positive": draw_uniform(shape, 11, 0.1, 4.0),
        "distribution": _distribution(rows, width, 14),
        "binary": (draw(shape, 11) > 0).astype(float),
        "signed": np.where(draw(shape, 11) > 0, 1.0, -1.0),
        "one": _one_hot(rows, width, 15),
        "label": _one_hot(rows, width, 15).argmax(axis=1).astype(float),
    }
    predictions = {
        "real": real,
        "positive": draw_uniform(shape, 12, 0.1, 4.0) + 1 / 512,
        "distribution": _distribution(rows, width, 16),
        "probability": probability,
    }
    return targets[kind.split("_")[0]], predictions[kind.split("_")[-1]]


def reduced_loss(description: dict[str, Any], reduction: str | None) -> Any:
    return build(keras, describe(description["object"], **description["arguments"], reduction=reduction))


def record_losses() -> None:
    """Record row values, each reduction with and without weights, and the first one's gradient."""
    cases = [{"name": n, "loss": describe(f"losses.{c}", **a), "data": d} for n, c, a, d in LOSS_CASES]
    weight = np.array([1.0, 0.5, 2.0, 0.0, 1.25, 0.75, 3.0])
    arrays: Arrays = {"inputs/sample_weight": weight}
    for dtype in each_dtype():
        for case in cases:
            name = case["name"]
            y, p = loss_data(case["data"])
            arrays[f"{name}/y"], arrays[f"{name}/p"] = y, p
            y_tensor = torch.tensor(y, dtype=getattr(torch, dtype))
            for key in ("plain", "weighted"):
                tensor = variable(p, dtype)
                # Keras multiplies a mask into the weights in place: each call gets a copy of its own.
                values = {
                    reduction: reduced_loss(case["loss"], reduction)(
                        y_tensor, tensor, sample_weight=torch.tensor(weight) if key == "weighted" else None
                    )
                    for reduction in (None, *REDUCTIONS)
                }
                gradient = torch.autograd.grad(values["sum_over_batch_size"], tensor)[0]
                arrays[f"{name}/{dtype}/{key}/values"] = numpy(values[None])
                arrays[f"{name}/{dtype}/{key}/reduced"] = np.stack([numpy(values[r]) for r in REDUCTIONS])
                arrays[f"{name}/{dtype}/{key}/gradient"] = numpy(gradient)
    save("losses", SOURCE, cases, arrays)


# --------------------------------------------------------------------------------------------------------------------
# Trajectories: the weights of a network after 1, 10 and 50 steps, and all losses.
# --------------------------------------------------------------------------------------------------------------------


def classification_data(inputs: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Make rows whose class depends on them, so that training has something to find."""
    x = draw((ROWS, inputs), 21)
    scores = x @ draw((inputs, classes), 22, 1.0) + 0.5 * draw((ROWS, classes), 23)
    return x, np.eye(classes)[scores.argmax(axis=1)]


SAMPLE_WEIGHT = draw_uniform((ROWS,), 24, 0.0, 2.0)


def dense(units: int, activation: str | None = None, **arguments: Any) -> dict[str, Any]:
    return describe("layers.Dense", units=units, activation=activation, **arguments)


PLAIN_NETWORK = [dense(7, "tanh"), dense(3, "softmax")]


def initial_weights(shapes: list[tuple[int, ...]], names: list[str]) -> list[np.ndarray]:
    """Draw kernels and biases; moving statistics and scales start where Keras starts them."""
    fixed = {"gamma": np.ones, "moving_variance": np.ones, "moving_mean": np.zeros, "scale": np.ones}
    return [
        fixed[name](shape) if name in fixed else draw(shape, 31 + i, 0.1 if len(shape) == 1 else 0.5)
        for i, (shape, name) in enumerate(zip(shapes, names, strict=True))
    ]


def record_trajectory(case: dict[str, Any], dtype: str, arrays: Arrays) -> None:
    """Train for 50 batches, and for the same 50 through `fit` where its end differs."""
    name = case["name"]
    x, y = classification_data()
    model = network(keras, case["layers"])
    weights = initial_weights([w.shape for w in model.get_weights()], [w.name for w in model.weights])
    sample_weight = SAMPLE_WEIGHT if case.get("weighted") else None
    losses, snapshots = train(compiled(keras, case, weights), x, y, sample_weight, BATCH_SIZE)
    arrays[f"{name}/initial"] = flat(weights)
    arrays[f"{name}/{dtype}/losses"] = np.array(losses, dtype=dtype)
    arrays[f"{name}/{dtype}/weights"] = np.array(snapshots)
    if case["optimizer"]["arguments"].get("use_ema"):
        model = compiled(keras, case, weights)
        model.fit(x, y, BATCH_SIZE, STEPS // len(batches(ROWS, BATCH_SIZE)), shuffle=False, verbose=0)
        arrays[f"{name}/{dtype}/fit_weights"] = flat(model.get_weights())


def record_trajectories(family: str, cases: list[dict[str, Any]]) -> None:
    x, y = classification_data()
    arrays: Arrays = {"inputs/x": x, "inputs/y": y, "inputs/sample_weight": SAMPLE_WEIGHT}
    for dtype in each_dtype():
        for case in cases:
            record_trajectory(case, dtype, arrays)
    save(family, SOURCE | {"batch_size": str(BATCH_SIZE)}, cases, arrays)


# class, learning rate, options of the rule
RULES: list[tuple[str, float, list[tuple[str, dict[str, Any]]]]] = [
    (
        "SGD",
        0.1,
        [
            ("momentum", {"momentum": 0.9}),
            ("nesterov", {"momentum": 0.9, "nesterov": True}),
        ],
    ),
    (
        "RMSprop",
        0.01,
        [
            ("momentum", {"momentum": 0.5}),
            ("centered", {"centered": True}),
            ("centered_momentum", {"centered": True, "momentum": 0.5, "rho": 0.8, "epsilon": 1e-3}),
        ],
    ),
    ("Adam", 0.01, [("amsgrad", {"amsgrad": True}), ("betas", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3})]),
    ("AdamW", 0.01, [("amsgrad", {"amsgrad": True})]),
    ("Nadam", 0.01, [("betas", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3})]),
    ("Adamax", 0.01, [("betas", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3})]),
    ("Adagrad", 0.05, [("initial", {"initial_accumulator_value": 0.5, "epsilon": 1e-3})]),
    ("Adadelta", 1.0, [("options", {"rho": 0.8, "epsilon": 1e-3})]),
    ("Lion", 0.004, [("betas", {"beta_1": 0.8, "beta_2": 0.9})]),
    (
        "Ftrl",
        0.1,
        [
            (
                "options",
                {
                    "learning_rate_power": -0.25,
                    "initial_accumulator_value": 0.5,
                    "l1_regularization_strength": 0.05,
                    "l2_regularization_strength": 0.1,
                    "l2_shrinkage_regularization_strength": 0.05,
                    "beta": 0.5,
                },
            ),
        ],
    ),
    (
        "ScheduleFreeAdamW",
        0.01,
        [("options", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "warmup_steps": 20})],
    ),
    ("Lamb", 0.01, [("betas", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3})]),
    (
        "Adafactor",
        0.1,
        [("options", {"beta_2_decay": -0.5, "epsilon_1": 1e-3, "epsilon_2": 0.1, "clip_threshold": 0.5})],
    ),
    (
        "Muon",
        0.01,
        [("plain", {"momentum": 0.5, "ns_steps": 2, "nesterov": False, "rms_rate": None, "adam_lr_ratio": 0.5})],
    ),
]

TAIL: list[tuple[str, dict[str, Any]]] = [
    ("weight_decay", {"weight_decay": 0.05}),
    ("clipnorm", {"clipnorm": 0.1}),
    ("clipvalue", {"clipvalue": 0.02}),
    ("global_clipnorm", {"global_clipnorm": 0.1}),
    ("ema", {"use_ema": True, "ema_momentum": 0.9}),
    ("ema_overwrite", {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4}),
    ("accumulation", {"gradient_accumulation_steps": 3}),
]

SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {
    "exponential": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 20, "decay_rate": 0.75},
    ),
    "exponential_staircase": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 20, "decay_rate": 0.75, "staircase": True},
    ),
    "inverse_time": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 20, "decay_rate": 0.75},
    ),
    "inverse_time_staircase": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 20, "decay_rate": 0.75, "staircase": True},
    ),
    "piecewise": ("PiecewiseConstantDecay", {"boundaries": [10, 60], "values": [0.5, 0.25, 0.125]}),
    "polynomial": ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 60}),
    "polynomial_power": (
        "PolynomialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 60, "end_learning_rate": 0.125, "power": 2.0},
    ),
    "polynomial_cycle": (
        "PolynomialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 60, "power": 0.5, "cycle": True},
    ),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 120}),
    "cosine_alpha": ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 120, "alpha": 0.25}),
    "cosine_warmup": (
        "CosineDecay",
        {"initial_learning_rate": 0.125, "decay_steps": 120, "warmup_target": 0.5, "warmup_steps": 20},
    ),
    "restarts": ("CosineDecayRestarts", {"initial_learning_rate": 0.5, "first_decay_steps": 30}),
    "restarts_options": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.5, "first_decay_steps": 25, "t_mul": 1.5, "m_mul": 0.75, "alpha": 0.125},
    ),
    "restarts_equal": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.5, "first_decay_steps": 30, "t_mul": 1.0, "m_mul": 0.5},
    ),
}


def schedule(name: str) -> dict[str, Any]:
    class_name, arguments = SCHEDULES[name]
    return describe(f"optimizers.schedules.{class_name}", **arguments)


# Keras rounds 1 - beta_2 to float32, which Adam's larger steps would show.
SMALL_COSINE = describe("optimizers.schedules.CosineDecay", initial_learning_rate=0.01, decay_steps=120)


def optimizer_cases() -> list[dict[str, Any]]:
    cases = []
    for class_name, rate, options in RULES:
        for suffix, arguments in [("default", {}), *options, *TAIL]:
            optimizer = describe(f"optimizers.{class_name}", learning_rate=rate, **arguments)
            cases.append({"name": f"{class_name}_{suffix}", "layers": PLAIN_NETWORK, "optimizer": optimizer})
    for name in SCHEDULES:
        optimizer = describe("optimizers.SGD", learning_rate=schedule(name))
        cases.append({"name": f"SGD_schedule_{name}", "layers": PLAIN_NETWORK, "optimizer": optimizer})
    extra = {
        "Adam_everything": describe(
            "optimizers.Adam",
            learning_rate=0.01,
            amsgrad=True,
            weight_decay=0.05,
            clipnorm=0.1,
            use_ema=True,
            ema_momentum=0.9,
            ema_overwrite_frequency=7,
            gradient_accumulation_steps=2,
        ),
        "Adam_schedule": describe("optimizers.Adam", learning_rate=SMALL_COSINE, weight_decay=0.05),
        "Adam_loss_scale": describe("optimizers.Adam", learning_rate=0.01, loss_scale_factor=16.0),
        "SGD_loss_scale_clipnorm": describe("optimizers.SGD", learning_rate=0.1, loss_scale_factor=16.0, clipnorm=0.1),
    }
    cases += [{"name": n, "layers": PLAIN_NETWORK, "optimizer": o} for n, o in extra.items()]
    excluded = describe("optimizers.AdamW", learning_rate=0.01, weight_decay=0.5)
    output_excluded = describe(
        "optimizers.Muon",
        learning_rate=0.01,
        exclude_layers=["out.*/kernel"],
        adam_beta_1=0.8,
        adam_beta_2=0.9,
        epsilon=1e-3,
    )
    named = [dense(7, "tanh"), dense(3, "softmax", name="output")]
    cases.append({"name": "Muon_excluded", "layers": named, "optimizer": output_excluded})
    cases.append(
        {
            "name": "AdamW_exclude_bias",
            "layers": PLAIN_NETWORK,
            "optimizer": excluded,
            "exclude_from_weight_decay": ["bias"],
        }
    )
    return cases


def record_optimizers() -> None:
    """Record what every rule and every option of the common tail does to the plain network."""
    correct_optimizers()
    record_trajectories("optimizers", optimizer_cases())


def training_cases() -> list[dict[str, Any]]:
    """List networks with regularizers, constraints, normalization, other losses and sample weights."""
    regularizers = {
        "l1": describe("regularizers.L1", l1=0.01),
        "l2": describe("regularizers.L2", l2=0.02),
        "l1_l2": describe("regularizers.L1L2", l1=0.01, l2=0.02),
        "orthogonal_rows": describe("regularizers.OrthogonalRegularizer", factor=0.05),
        "orthogonal_columns": describe("regularizers.OrthogonalRegularizer", factor=0.05, mode="columns"),
    }
    constraints = {
        "max_norm": describe("constraints.MaxNorm", max_value=0.75),
        "max_norm_rows": describe("constraints.MaxNorm", max_value=0.75, axis=1),
        "unit_norm": describe("constraints.UnitNorm"),
        "min_max_norm": describe("constraints.MinMaxNorm", min_value=0.5, max_value=0.75, rate=0.5),
        "non_neg": describe("constraints.NonNeg"),
    }
    networks = {
        f"kernel_{n}": [dense(7, "tanh", kernel_regularizer=r), dense(3, "softmax", kernel_regularizer=r)]
        for n, r in regularizers.items()
    }
    networks["bias_l2"] = [dense(7, "tanh", bias_regularizer=regularizers["l1_l2"]), dense(3, "softmax")]
    networks["activity_l1_l2"] = [dense(7, "tanh", activity_regularizer=regularizers["l1_l2"]), dense(3, "softmax")]
    networks["activity_layer"] = [
        dense(7, "tanh"),
        describe("layers.ActivityRegularization", l1=0.01, l2=0.02),
        dense(3, "softmax"),
    ]
    networks |= {
        f"constraint_{n}": [dense(7, "tanh", kernel_constraint=c), dense(3, "softmax")] for n, c in constraints.items()
    }
    networks["bias_constraint"] = [dense(7, "tanh", bias_constraint=constraints["non_neg"]), dense(3, "softmax")]
    networks["no_bias"] = [dense(7, "tanh", use_bias=False), dense(3, "softmax", use_bias=False)]
    middle = {
        "batch_normalization": describe("layers.BatchNormalization"),
        "batch_normalization_options": describe(
            "layers.BatchNormalization", momentum=0.75, epsilon=0.01, center=False, gamma_regularizer=regularizers["l2"]
        ),
        "batch_normalization_no_scale": describe("layers.BatchNormalization", momentum=0.5, scale=False),
        "layer_normalization": describe("layers.LayerNormalization"),
        "layer_normalization_options": describe("layers.LayerNormalization", epsilon=0.01, scale=False),
        "rms_normalization": describe("layers.RMSNormalization"),
        "unit_normalization": describe("layers.UnitNormalization"),
        "prelu": describe("layers.PReLU", alpha_initializer=describe("initializers.Constant", value=0.25)),
        "leaky_relu_layer": describe("layers.LeakyReLU"),
        "elu_layer": describe("layers.ELU", alpha=0.5),
        "relu_layer": describe("layers.ReLU", max_value=1.5, negative_slope=0.125, threshold=0.25),
        "activation_layer": describe("layers.Activation", activation="gelu"),
        "softmax_layer": describe("layers.Softmax"),
        "identity_layer": describe("layers.Identity"),
        "reshape_flatten": None,
    }
    for name, layer in middle.items():
        between = [layer] if layer else [describe("layers.Reshape", target_shape=[7, 1]), describe("layers.Flatten")]
        networks[name] = [dense(7), *between, dense(3, "softmax")]
    networks["frozen"] = [dense(7, "tanh", trainable=False), dense(3, "softmax")]
    networks["frozen_batch_normalization"] = [
        dense(7),
        describe("layers.BatchNormalization", trainable=False),
        dense(3, "softmax"),
    ]
    networks["deep"] = [dense(6, "relu"), dense(5, "silu"), dense(4, "sigmoid"), dense(3, "softmax")]
    momentum = describe("optimizers.SGD", learning_rate=0.1, momentum=0.5)
    cases = [{"name": n, "layers": layers, "optimizer": momentum} for n, layers in networks.items()]
    cases.append({"name": "weighted", "layers": PLAIN_NETWORK, "optimizer": momentum, "weighted": True})
    cases.append(
        {
            "name": "weighted_mean",
            "layers": PLAIN_NETWORK,
            "optimizer": momentum,
            "weighted": True,
            "loss": describe("losses.CategoricalCrossentropy", reduction="mean_with_sample_weight"),
        }
    )
    return cases + output_pairings(momentum)


def output_pairings(optimizer: dict[str, Any]) -> list[dict[str, Any]]:
    """Pair output activations with losses, joint gradients and general routes alike."""
    pairings = [
        (None, "mean_squared_error"),
        ("tanh", "mean_absolute_error"),
        ("sigmoid", "binary_crossentropy"),
        ("sigmoid", "mean_squared_error"),
        ("softmax", "mean_squared_error"),
        ("sigmoid", "categorical_crossentropy"),
        ("softmax", "binary_crossentropy"),
        ("softmax", "kl_divergence"),
        ("softplus", "poisson"),
        (None, "huber"),
        (None, "log_cosh"),
        ("exponential", "mean_squared_logarithmic_error"),
        (None, "cosine_similarity"),
        ("tanh", "hinge"),
        ("tanh", "squared_hinge"),
        (None, "categorical_hinge"),
        ("sigmoid", "binary_focal_crossentropy"),
        ("softmax", "categorical_focal_crossentropy"),
    ]
    cases: list[dict[str, Any]] = [
        {
            "name": f"{activation or 'linear'}_{loss}",
            "layers": [dense(7, "tanh"), dense(3, activation)],
            "optimizer": optimizer,
            "loss": loss,
        }
        for activation, loss in pairings
    ]
    logits = {
        "logits_binary_crossentropy": describe("losses.BinaryCrossentropy", from_logits=True),
        "logits_categorical_crossentropy_smoothed": describe(
            "losses.CategoricalCrossentropy", from_logits=True, label_smoothing=0.1
        ),
    }
    cases += [
        {"name": n, "layers": [dense(7, "tanh"), dense(3)], "optimizer": optimizer, "loss": loss}
        for n, loss in logits.items()
    ]
    return cases


def record_training() -> None:
    """Record trajectories in which the network differs and the optimizer stays."""
    record_trajectories("training", training_cases())


# --------------------------------------------------------------------------------------------------------------------
# Schedules
# --------------------------------------------------------------------------------------------------------------------


def record_schedules() -> None:
    """Record the learning rate at steps 0..200."""
    cases = [{"name": name, "schedule": schedule(name)} for name in SCHEDULES]
    arrays: Arrays = {}
    for dtype in each_dtype():
        for case in cases:
            function = build(keras, case["schedule"])
            values = [numpy(keras.ops.convert_to_tensor(function(step))) for step in range(201)]
            arrays[f"{case['name']}/{dtype}/values"] = np.array(values, dtype=dtype)
    save("schedules", SOURCE, cases, arrays)


# --------------------------------------------------------------------------------------------------------------------
# Regularizers and constraints of one tensor
# --------------------------------------------------------------------------------------------------------------------


def record_penalties() -> None:
    """Record the value and gradient of regularizers, and what constraints make of a matrix."""
    cases = [
        {"name": "l1", "regularizer": describe("regularizers.L1")},
        {"name": "l2", "regularizer": describe("regularizers.L2", l2=0.25)},
        {"name": "l1_l2", "regularizer": describe("regularizers.L1L2", l1=0.125, l2=0.25)},
        {"name": "orthogonal_rows", "regularizer": describe("regularizers.OrthogonalRegularizer", factor=0.5)},
        {
            "name": "orthogonal_columns",
            "regularizer": describe("regularizers.OrthogonalRegularizer", factor=0.5, mode="columns"),
        },
        {"name": "max_norm", "constraint": describe("constraints.MaxNorm")},
        {"name": "max_norm_rows", "constraint": describe("constraints.MaxNorm", max_value=1.5, axis=1)},
        {"name": "unit_norm", "constraint": describe("constraints.UnitNorm")},
        {"name": "unit_norm_rows", "constraint": describe("constraints.UnitNorm", axis=1)},
        {"name": "min_max_norm", "constraint": describe("constraints.MinMaxNorm")},
        {
            "name": "min_max_norm_rate",
            "constraint": describe("constraints.MinMaxNorm", min_value=1.0, max_value=2.0, rate=0.5, axis=1),
        },
        {"name": "non_neg", "constraint": describe("constraints.NonNeg")},
    ]
    w = draw((6, 4), 41)
    arrays: Arrays = {"inputs/w": w}
    for dtype in each_dtype():
        for case in cases:
            tensor = variable(w, dtype)
            key = f"{case['name']}/{dtype}"
            if "constraint" in case:
                arrays[f"{key}/result"] = numpy(build(keras, case["constraint"])(tensor))
                continue
            value = build(keras, case["regularizer"])(tensor)
            arrays[f"{key}/value"] = numpy(value)
            arrays[f"{key}/gradient"] = numpy(torch.autograd.grad(value, tensor)[0])
    save("penalties", SOURCE, cases, arrays)


# --------------------------------------------------------------------------------------------------------------------
# Metrics
# --------------------------------------------------------------------------------------------------------------------

METRIC_CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("binary_accuracy", "BinaryAccuracy", {}, "binary_probability"),
    ("binary_accuracy_threshold", "BinaryAccuracy", {"threshold": 0.25}, "binary_probability"),
    ("categorical_accuracy", "CategoricalAccuracy", {}, "one_hot_distribution"),
    ("sparse_categorical_accuracy", "SparseCategoricalAccuracy", {}, "label_distribution"),
    ("accuracy", "Accuracy", {}, "label_label"),
    ("top_k", "TopKCategoricalAccuracy", {"k": 2}, "one_hot_distribution"),
    ("sparse_top_k", "SparseTopKCategoricalAccuracy", {"k": 2}, "label_distribution"),
    ("precision", "Precision", {}, "binary_probability"),
    ("precision_threshold", "Precision", {"thresholds": 0.7}, "binary_probability"),
    ("precision_thresholds", "Precision", {"thresholds": [0.2, 0.5, 0.8]}, "binary_probability"),
    ("precision_top_k", "Precision", {"top_k": 2}, "binary_probability"),
    ("precision_class", "Precision", {"class_id": 1}, "binary_probability"),
    ("recall", "Recall", {}, "binary_probability"),
    ("recall_thresholds", "Recall", {"thresholds": [0.2, 0.5, 0.8]}, "binary_probability"),
    ("recall_top_k_class", "Recall", {"top_k": 2, "class_id": 1}, "binary_probability"),
    ("true_positives", "TruePositives", {}, "binary_probability"),
    ("true_negatives", "TrueNegatives", {"thresholds": [0.2, 0.8]}, "binary_probability"),
    ("false_positives", "FalsePositives", {}, "binary_probability"),
    ("false_negatives", "FalseNegatives", {}, "binary_probability"),
    ("auc", "AUC", {}, "binary_probability"),
    ("auc_pr", "AUC", {"curve": "PR"}, "binary_probability"),
    ("auc_minoring", "AUC", {"summation_method": "minoring", "num_thresholds": 20}, "binary_probability"),
    ("auc_majoring", "AUC", {"summation_method": "majoring", "num_thresholds": 20}, "binary_probability"),
    ("auc_multi_label", "AUC", {"multi_label": True}, "binary_probability"),
    (
        "auc_multi_label_weights",
        "AUC",
        {"multi_label": True, "label_weights": [1.0, 2.0, 0.0, 0.5]},
        "binary_probability",
    ),
    ("auc_logits", "AUC", {"from_logits": True}, "binary_real"),
    ("auc_thresholds", "AUC", {"thresholds": [0.25, 0.5, 0.75]}, "binary_probability"),
    ("f1", "F1Score", {}, "one_hot_distribution"),
    ("f1_micro", "F1Score", {"average": "micro"}, "one_hot_distribution"),
    ("f1_macro", "F1Score", {"average": "macro"}, "one_hot_distribution"),
    ("f1_weighted_threshold", "F1Score", {"average": "weighted", "threshold": 0.4}, "binary_probability"),
    ("f_beta", "FBetaScore", {"beta": 2.0, "average": "macro"}, "one_hot_distribution"),
    ("mean_squared_error", "MeanSquaredError", {}, "real"),
    ("root_mean_squared_error", "RootMeanSquaredError", {}, "real"),
    ("mean_absolute_error", "MeanAbsoluteError", {}, "real"),
    ("mean_absolute_percentage_error", "MeanAbsolutePercentageError", {}, "real"),
    ("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", {}, "positive"),
    ("cosine_similarity", "CosineSimilarity", {}, "real"),
    ("log_cosh_error", "LogCoshError", {}, "real"),
    ("r2", "R2Score", {}, "real"),
    ("r2_none", "R2Score", {"class_aggregation": None}, "real"),
    ("r2_variance_weighted", "R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
    ("r2_adjusted", "R2Score", {"num_regressors": 2}, "real"),
    ("pearson", "PearsonCorrelation", {}, "real"),
    ("binary_crossentropy", "BinaryCrossentropy", {}, "binary_probability"),
    ("binary_crossentropy_logits", "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_real"),
    ("categorical_crossentropy", "CategoricalCrossentropy", {}, "one_hot_distribution"),
    ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}, "label_distribution"),
    ("kl_divergence", "KLDivergence", {}, "distribution"),
    ("poisson", "Poisson", {}, "positive"),
    ("hinge", "Hinge", {}, "binary_real"),
    ("squared_hinge", "SquaredHinge", {}, "binary_real"),
    ("categorical_hinge", "CategoricalHinge", {}, "one_hot_real"),
    ("mean", "Mean", {}, "values"),
    ("sum", "Sum", {}, "values"),
]

# Not defined with sample weights, or refused by Keras there.
UNWEIGHTED_METRICS = {"pearson"}


METRIC_ROWS = (24, 17)


def metric_data(kind: str, batch: int) -> tuple[np.ndarray, ...]:
    rows = METRIC_ROWS[batch]
    if kind == "values":
        return (draw((rows,), 51 + batch),)
    if kind == "label_label":
        return tuple(np.random.default_rng(52 + i + 2 * batch).integers(0, 3, rows).astype(float) for i in range(2))
    start = METRIC_ROWS[0] * batch
    return tuple(part[start : start + rows] for part in loss_data(kind, rows=41))


def record_metrics() -> None:
    """Record results after one batch, after a second, and of both with weights."""
    cases = [{"name": n, "metric": describe(f"metrics.{c}", **a), "data": d} for n, c, a, d in METRIC_CASES]
    arrays: Arrays = {}
    for batch, rows in enumerate(METRIC_ROWS):
        arrays[f"inputs/sample_weight/{batch}"] = draw_uniform((rows,), 53 + batch, 0.0, 2.0)
        for kind in sorted({case["data"] for case in cases}):
            for i, values in enumerate(metric_data(kind, batch)):
                arrays[f"inputs/{kind}/{batch}/{i}"] = values
    for dtype in each_dtype():
        for case in cases:
            name = case["name"]
            plain, weighted = build(keras, case["metric"]), build(keras, case["metric"])
            results: dict[str, list[np.ndarray]] = {"plain": [], "weighted": []}
            for batch in range(len(METRIC_ROWS)):
                values = tuple(value.astype(dtype) for value in metric_data(case["data"], batch))
                plain.update_state(*values)
                results["plain"].append(np.asarray(numpy(plain.result())))
                if name not in UNWEIGHTED_METRICS:
                    weighted.update_state(*values, sample_weight=arrays[f"inputs/sample_weight/{batch}"].astype(dtype))
                    results["weighted"].append(np.asarray(numpy(weighted.result())))
            arrays |= {f"{name}/{dtype}/{key}": np.stack(values) for key, values in results.items() if values}
    save("metrics", SOURCE, cases, arrays)


# --------------------------------------------------------------------------------------------------------------------
# Layers by themselves: forward, gradient with respect to inputs and weights
# --------------------------------------------------------------------------------------------------------------------


def layer_cases() -> list[dict[str, Any]]:
    """List layers, their inputs ("real" unless said), and whether they run as in training."""
    one = {
        "dense": dense(4, "tanh"),
        "dense_no_bias": dense(4, use_bias=False),
        "dense_softmax": dense(4, "softmax"),
        "dense_glu": dense(4, "glu"),
        "batch_normalization_inference": describe("layers.BatchNormalization"),
        "layer_normalization": describe("layers.LayerNormalization"),
        "rms_normalization": describe("layers.RMSNormalization"),
        "unit_normalization": describe("layers.UnitNormalization"),
        "prelu": describe("layers.PReLU"),
        "relu": describe("layers.ReLU"),
        "relu_options": describe("layers.ReLU", max_value=1.5, negative_slope=0.125, threshold=0.25),
        "leaky_relu": describe("layers.LeakyReLU"),
        "elu": describe("layers.ELU"),
        "softmax": describe("layers.Softmax"),
        "activation": describe("layers.Activation", activation="mish"),
        "rescaling": describe("layers.Rescaling", scale=0.125, offset=-1.0),
        "dropout_inference": describe("layers.Dropout", rate=0.5),
    }
    cases: list[dict[str, Any]] = [{"name": n, "layer": layer, "inputs": ["real"]} for n, layer in one.items()]
    cases.append(
        {
            "name": "batch_normalization_training",
            "layer": describe("layers.BatchNormalization"),
            "inputs": ["real"],
            "training": True,
        }
    )
    for name, count in {"Add": 3, "Subtract": 2, "Multiply": 3, "Average": 3, "Maximum": 3, "Minimum": 3}.items():
        cases.append({"name": name, "layer": describe(f"layers.{name}"), "inputs": ["real"] * count})
    cases.append({"name": "Concatenate", "layer": describe("layers.Concatenate"), "inputs": ["real", "wide"]})
    cases.append({"name": "Dot", "layer": describe("layers.Dot", axes=1), "inputs": ["real", "real"]})
    cases.append(
        {"name": "Dot_normalize", "layer": describe("layers.Dot", axes=1, normalize=True), "inputs": ["real", "real"]}
    )
    return cases


def grid_cases() -> list[dict[str, Any]]:
    """List layers that work on samples of several axes, or make them."""
    einsum, groups = "layers.EinsumDense", "layers.GroupNormalization"
    average, highest = "layers.GlobalAveragePooling1D", "layers.GlobalMaxPooling1D"
    heads = {"equation": "abc,cde->abde", "output_shape": [4, 2, 3]}
    grids = {
        "einsum_dense": describe(einsum, **heads, bias_axes="de", activation="tanh"),
        "einsum_dense_part_of_bias": describe(einsum, **heads, bias_axes="e"),
        "einsum_dense_softmax": describe(
            einsum, equation="abc,bcd->ad", output_shape=3, activation="softmax", bias_axes="d"
        ),
        "einsum_dense_along": describe(einsum, equation="abc,bcd->abd", output_shape=[4, 5], bias_axes="b"),
        "einsum_dense_transposed": describe(einsum, equation="abc,db->acd", output_shape=[6, 5], bias_axes="d"),
        "einsum_dense_dots": describe(einsum, equation="...x,xy->...y", output_shape=3, bias_axes="y"),
        "einsum_dense_dots_behind": describe(einsum, equation="ab...,bc->ac...", output_shape=3, bias_axes="c"),
        "group_normalization": describe(groups, groups=3),
        "group_normalization_axis": describe(groups, groups=2, axis=1, epsilon=0.1, center=False),
        "group_normalization_instances": describe(groups, groups=-1, scale=False),
        "average": describe(average),
        "average_first": describe(average, data_format="channels_first", keepdims=True),
        "maximum": describe(highest, keepdims=True),
        "maximum_first": describe(highest, data_format="channels_first"),
        "permute": describe("layers.Permute", dims=[2, 1]),
    }
    rows = {
        "repeat_vector": describe("layers.RepeatVector", n=3),
        "group_normalization_rows": describe(groups, groups=2),
        "einsum_dense_rows": describe(einsum, equation="ab,bcd->adc", output_shape=[2, 3], activation="relu"),
    }
    cases: list[dict[str, Any]] = [{"name": n, "layer": layer, "inputs": ["grid"]} for n, layer in grids.items()]
    cases.append({"name": "masking", "layer": describe("layers.Masking", mask_value=0.25), "inputs": ["masked"]})
    return cases + [{"name": n, "layer": layer, "inputs": ["real"]} for n, layer in rows.items()]


def record_grids() -> None:
    """Record what `record_layers` does for layers on grids, and steps of a network that is made of them."""
    cases = grid_cases()
    arrays: Arrays = {}
    for dtype in each_dtype():
        for case in cases:
            record_layer(case, dtype, arrays)
    save("grids", SOURCE, cases, arrays)


def grid_training_cases() -> list[dict[str, Any]]:
    """List networks of layers that work on grids, made of a row by RepeatVector or by EinsumDense."""
    heads = describe("layers.EinsumDense", equation="ab,bcd->acd", output_shape=[3, 4], bias_axes="cd")
    along = describe(
        "layers.EinsumDense", equation="abc,bcd->abd", output_shape=[4, 6], bias_axes="d", activation="tanh"
    )
    norm, top = describe("layers.GroupNormalization", groups=2), dense(3, "softmax")
    networks = {
        "average_of_steps": [heads, norm, dense(6, "tanh"), describe("layers.GlobalAveragePooling1D"), top],
        "repeated": [
            describe("layers.RepeatVector", n=4),
            along,
            describe("layers.Permute", dims=[2, 1]),
            norm,
            describe("layers.GlobalMaxPooling1D"),
            top,
        ],
    }
    networks["masked"] = [  # where a unit gives 0; a bias keeps rows from having no others
        dense(8, "relu", bias_initializer=describe("initializers.Constant", value=1.0)),
        describe("layers.Reshape", target_shape=[8, 1]),
        describe("layers.Masking"),
        dense(4, "tanh"),
        describe("layers.LayerNormalization"),
        describe("layers.GlobalAveragePooling1D"),
        top,
    ]
    spectral = "layers.SpectralNormalization"
    networks["spectral"] = [
        describe(spectral, layer=dense(7, "tanh"), power_iterations=2),
        describe("layers.Reshape", target_shape=[7, 1]),
        describe("layers.TimeDistributed", layer=dense(2, "relu")),
        describe("layers.Flatten"),
        describe(spectral, layer=top),
    ]
    optimizer = describe("optimizers.SGD", learning_rate=0.1, momentum=0.9)
    return [{"name": name, "layers": layers, "optimizer": optimizer} for name, layers in networks.items()]


def record_grid_training() -> None:
    record_trajectories("grid_training", grid_training_cases())


def layer_inputs(kinds: list[str]) -> list[np.ndarray]:
    shapes = {"wide": (6, 8), "real": (6, 6), "grid": (6, 4, 6), "masked": (6, 4, 6)}
    inputs = [draw(shapes[kind], 61 + i) + 1 / 512 for i, kind in enumerate(kinds)]
    for kind, values in zip(kinds, inputs, strict=True):
        if kind == "masked":
            values[:, 2:], values[1, :2, 3] = 0.25, 0.25
    return inputs


def layer_weights(shapes: list[tuple[int, ...]], names: list[str]) -> list[np.ndarray]:
    """Draw weights; variances stay positive."""
    return [
        draw_uniform(shape, 71 + i, 0.5, 2.0) if "variance" in name else draw(shape, 71 + i, 0.5)
        for i, (shape, name) in enumerate(zip(shapes, names, strict=True))
    ]


def record_layers() -> None:
    """Record a layer's output, and the gradient of sum(output * da) with respect to its inputs and weights."""
    cases = layer_cases()
    arrays: Arrays = {}
    for dtype in each_dtype():
        for case in cases:
            record_layer(case, dtype, arrays)
    preprocessing = preprocessing_cases()
    for dtype in each_dtype():
        for case in preprocessing:
            record_preprocessing(case, dtype, arrays)
    save("layers", SOURCE, cases + preprocessing, arrays)


def record_layer(case: dict[str, Any], dtype: str, arrays: Arrays) -> None:
    name = case["name"]
    inputs = layer_inputs(case["inputs"])
    tensors = [variable(value, dtype) for value in inputs]
    argument = tensors if len(tensors) > 1 else tensors[0]
    layer = build(keras, case["layer"])
    layer.build([tuple(t.shape) for t in tensors] if len(tensors) > 1 else tuple(tensors[0].shape))
    weights = layer_weights([w.shape for w in layer.weights], [w.name for w in layer.weights])
    layer.set_weights(weights)
    training = {"training": True} if case.get("training") else {}
    output = layer(argument, **training)
    da = draw(tuple(output.shape), 81)
    (output * torch.tensor(da, dtype=output.dtype)).sum().backward()
    for key, values in (("x", inputs), ("weights", weights)):
        arrays |= {f"{name}/{key}/{i}": value for i, value in enumerate(values)}
    arrays[f"{name}/da"] = da
    arrays[f"{name}/{dtype}/a"] = numpy(output)
    arrays |= {f"{name}/{dtype}/dx/{i}": numpy(t.grad) for i, t in enumerate(tensors)}
    gradients = [numpy(w.value.grad) for w in layer.trainable_variables]
    arrays |= {f"{name}/{dtype}/gradients/{i}": gradient for i, gradient in enumerate(gradients)}
    if training:
        after = [numpy(w) for w in layer.non_trainable_variables]
        arrays |= {f"{name}/{dtype}/after/{i}": value for i, value in enumerate(after)}


def preprocessing_cases() -> list[dict[str, Any]]:
    normalization, encoding, bins = "layers.Normalization", "layers.CategoryEncoding", "layers.Discretization"
    edges = [-0.5, 0.25, 1.0]
    return [
        {"name": "normalization_adapted", "preprocessing": describe(normalization), "data": "real", "adapt": True},
        {
            "name": "normalization_scalar_axis",
            "preprocessing": describe(normalization, axis=None),
            "data": "real",
            "adapt": True,
        },
        {
            "name": "normalization_given",
            "preprocessing": describe(normalization, mean=[0.5] * 6, variance=[4.0] * 6),
            "data": "real",
        },
        {
            "name": "normalization_invert",
            "preprocessing": describe(normalization, mean=[0.5] * 6, variance=[4.0] * 6, invert=True),
            "data": "real",
        },
        {
            "name": "encoding_multi_hot",
            "preprocessing": describe(encoding, num_tokens=5),
            "data": "labels",
        },
        {
            "name": "encoding_one_hot",
            "preprocessing": describe(encoding, num_tokens=5, output_mode="one_hot"),
            "data": "label_column",
        },
        {
            "name": "encoding_count",
            "preprocessing": describe(encoding, num_tokens=5, output_mode="count"),
            "data": "labels",
        },
        {"name": "discretization", "preprocessing": describe(bins, bin_boundaries=edges), "data": "real"},
        {
            "name": "discretization_one_hot",
            "preprocessing": describe(bins, bin_boundaries=edges, output_mode="one_hot"),
            "data": "real_column",
        },
        {
            "name": "discretization_multi_hot",
            "preprocessing": describe(bins, bin_boundaries=edges, output_mode="multi_hot"),
            "data": "real",
        },
        {
            "name": "discretization_count",
            "preprocessing": describe(bins, bin_boundaries=edges, output_mode="count"),
            "data": "real",
        },
        {
            "name": "discretization_adapted",
            "preprocessing": describe(bins, num_bins=4),
            "data": "real",
            "adapt": True,
        },
        {
            "name": "embedding",
            "preprocessing": describe("layers.Embedding", input_dim=5, output_dim=3),
            "data": "labels",
            "weights": True,
        },
    ]


def preprocessing_data(kind: str) -> np.ndarray:
    if kind.startswith("label"):
        labels = np.random.default_rng(62).integers(0, 5, (6, 4))
        return labels[:, :1] if kind == "label_column" else labels
    values = draw((6, 6), 61) + 1 / 512
    return values[:, :1] if kind == "real_column" else values


def adapt(layer: Any, data: np.ndarray) -> None:
    """Adapt in the steps of which Keras's own `adapt` consists; Discretization's asks for TensorFlow beforehand."""
    if isinstance(layer, keras.layers.Discretization):
        layer.reset_state()
        layer.update_state(data)
        layer.finalize_state()
    else:
        layer.adapt(data)


def record_preprocessing(case: dict[str, Any], dtype: str, arrays: Arrays) -> None:
    name = case["name"]
    x = preprocessing_data(case["data"])
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    layer = build(keras, case["preprocessing"])
    if case.get("adapt"):
        adapt_data = draw((40, 6), 63) + 1 / 512
        arrays[f"{name}/adapt"] = adapt_data
        adapt(layer, adapt_data.astype(dtype))
    if case.get("weights"):
        layer.build(x.shape)
        table = draw((5, 3), 64)
        layer.set_weights([table])
        arrays[f"{name}/weights/0"] = table
    arrays[f"{name}/x/0"] = preprocessing_data(case["data"])
    output = layer(x)
    arrays[f"{name}/{dtype}/a"] = numpy(output)
    if case.get("weights"):
        da = draw(tuple(output.shape), 81)
        arrays[f"{name}/da"] = da
        (output * torch.tensor(da, dtype=output.dtype)).sum().backward()
        arrays[f"{name}/{dtype}/gradients/0"] = numpy(layer.trainable_variables[0].value.grad)


# --------------------------------------------------------------------------------------------------------------------
# Names, signatures and defaults
# --------------------------------------------------------------------------------------------------------------------

# Whose functions and classes are recorded with their parameters, and methods of which classes.
WITH_SIGNATURES = (
    *("layers", "activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"),
    *("optimizers.schedules", "callbacks", "utils", "models", "saving", "config", "random"),
    *("Model", "Sequential", "layers.Layer", "optimizers.Optimizer", "callbacks.Callback", "metrics.Metric"),
)


def default_of(parameter: inspect.Parameter) -> dict[str, Any]:
    """Describe a parameter; a default that JSON has no word for is told by its name."""
    described: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name}
    if parameter.default is not inspect.Parameter.empty:
        default = parameter.default
        plain = default is None or isinstance(default, (bool, int, float, str, list, tuple))
        described["default"] = default if plain else repr(default)
    return described


def public_names(owner: Any) -> list[str]:
    """List what a module offers, or what a class has of Keras's own: not what the backend's classes add."""
    names = [name for name in dir(owner) if not name.startswith("_")]
    if not inspect.isclass(owner):
        return names
    own = [base for base in owner.__mro__ if base.__module__.startswith("keras.") and base.__name__ != "TorchLayer"]
    return [name for name in names if any(name in vars(base) for base in own)]


def at(path: str) -> Any:
    """Find what `path` names within Keras; "" is Keras itself."""
    owner = keras
    for part in path.split(".") if path else ():
        owner = getattr(owner, part)
    return owner


# Whose names are recorded completely, so that docs/keras.md can tell what is left out.
COMPLETE = (
    *("", "layers", "activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"),
    *("optimizers.schedules", "callbacks", "utils", "models", "saving", "config", "datasets"),
    *("Model", "Sequential", "layers.Layer", "optimizers.Optimizer", "callbacks.Callback", "metrics.Metric"),
)


def record_surface() -> None:
    """Write the names, parameters and defaults of the dense surface as JSON."""
    surface: dict[str, Any] = {"source": SOURCE, "names": {path: public_names(at(path)) for path in COMPLETE}}
    for path in WITH_SIGNATURES:
        owner = at(path)
        surface[path] = {
            name: [
                default_of(p)
                for p in inspect.signature(getattr(owner, name)).parameters.values()
                if p.name not in ("self", "cls")
            ]
            for name in public_names(owner)
            if callable(getattr(owner, name))
        }
    # A line for each object, so that a difference can be read.
    parts = {
        path: ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(members.items()))
        for path, members in sorted(surface.items())
    }
    text = "{\n" + ",\n".join(f" {json.dumps(path)}: {{\n{lines}\n }}" for path, lines in parts.items()) + "\n}"
    (FOLDER / "keras_surface.json").write_text(text + "\n", encoding="utf-8")


FAMILIES: dict[str, Callable[[], None]] = {
    "activations": record_activations,
    "losses": record_losses,
    "optimizers": record_optimizers,
    "training": record_training,
    "schedules": record_schedules,
    "penalties": record_penalties,
    "metrics": record_metrics,
    "layers": record_layers,
    "grids": record_grids,
    "grid_training": record_grid_training,
    "surface": record_surface,
}


def main(families: list[str]) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for family in families or FAMILIES:
        FAMILIES[family]()
        print(f"{family}: recorded")


if __name__ == "__main__":
    main(sys.argv[1:])
