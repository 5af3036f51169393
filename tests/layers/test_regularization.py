"""Random layers and penalties on activities: shares, streams, resuming, values added to the loss."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import layers, regularizers

X = np.random.default_rng(4).normal(size=(48, 4))
Y = np.random.default_rng(5).normal(size=(48, 2))
RANDOM = {
    "dropout": lambda **seed: layers.Dropout(0.25, dtype="float64", **seed),
    "alpha_dropout": lambda **seed: layers.AlphaDropout(0.25, dtype="float64", **seed),
    "gaussian_dropout": lambda **seed: layers.GaussianDropout(0.25, dtype="float64", **seed),
    "gaussian_noise": lambda **seed: layers.GaussianNoise(0.5, dtype="float64", **seed),
}
SHARED = {  # few masks are possible, so that one may follow itself
    "dropout_of_samples": lambda **seed: layers.Dropout(0.25, noise_shape=(None, 1), dtype="float64", **seed),
    "dropout_of_features": lambda **seed: layers.Dropout(0.25, noise_shape=(1, None), dtype="float64", **seed),
}
SELU_FLOOR = -1.6732632423543772 * 1.0507009873554805


def drawn(layer: Any, x: np.ndarray, seed: int = 9) -> np.ndarray:
    cnn_core.utils.set_random_seed(seed)
    result: np.ndarray = layer(x, training=True)
    return result


def network(*middle: Any, seed: int = 3) -> Any:
    cnn_core.utils.set_random_seed(seed)
    model = cnn_core.Sequential(
        [
            cnn_core.Input((4,)),
            layers.Dense(8, "tanh", dtype="float64"),
            *middle,
            layers.Dense(2, dtype="float64"),
        ]
    )
    model.compile(cnn_core.optimizers.SGD(0.1), "mse")
    return model


def test_dropout_keeps_the_mean() -> None:
    y = drawn(layers.Dropout(0.25, dtype="float64"), np.ones((400, 500)))
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert abs((y == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / y.size)


@pytest.mark.parametrize("kind", [layers.Dropout, layers.AlphaDropout])
@pytest.mark.parametrize(
    "noise_shape",
    [(None, 1, 6, 1), (None, 4, 1, 3), (None, None, 1, 1), (1, None, None, None), (1, 1, 6, 3), (None, 1, 1, 1)],
)
def test_a_noise_shape_repeats_the_mask_along_its_ones(kind: Any, noise_shape: tuple[int | None, ...]) -> None:
    shape = (50, 4, 6, 3)
    mask = drawn(kind(0.5, noise_shape=noise_shape, dtype="float64"), np.ones(shape))
    first = mask[tuple(slice(1) if size == 1 else slice(None) for size in noise_shape)]
    np.testing.assert_array_equal(mask, np.broadcast_to(first, shape))
    assert len(np.unique(first)) == 2
    for axis, size in enumerate(noise_shape):
        if size != 1:
            assert not (first == np.take(first, [0], axis)).all()


def test_a_noise_shape_of_ones_drops_all_or_nothing() -> None:
    layer = layers.Dropout(0.5, noise_shape=(1, 1), dtype="float64")
    values = {y.flat[0] for y in (layer(X, training=True) / X for _ in range(20)) if np.ptp(y) < 1e-12}
    assert {round(value, 12) for value in values} == {0.0, 2.0}


def test_a_rate_of_one_drops_everything() -> None:
    model = network(layers.Dropout(1.0, dtype="float64"))
    first = model.get_weights()[0]
    model.fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], first)
    np.testing.assert_array_equal(drawn(layers.Dropout(1.0), X), np.zeros_like(X))


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(1).normal(size=(400, 500))
    y = drawn(layers.AlphaDropout(0.25, dtype="float64"), x)
    factor = 1 / np.sqrt(0.75 * (1 + 0.25 * SELU_FLOOR**2))
    shift = -factor * SELU_FLOOR * 0.25
    dropped = np.isclose(y, factor * SELU_FLOOR + shift, rtol=0, atol=1e-12)
    np.testing.assert_allclose(y[~dropped], (factor * x + shift)[~dropped], rtol=1e-12)
    assert abs(dropped.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / y.size)
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02


def test_gaussian_dropout_and_noise_have_their_deviation() -> None:
    x = np.full((400, 500), 3.0)
    factors = drawn(layers.GaussianDropout(0.2, dtype="float64"), x) / x
    assert abs(factors.mean() - 1) < 0.01
    assert abs(factors.std() - 0.5) < 0.01
    noise = drawn(layers.GaussianNoise(0.5, dtype="float64"), x) - x
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.5) < 0.01


@pytest.mark.parametrize("name", [*RANDOM, *SHARED])
def test_nothing_is_drawn_outside_training(name: str) -> None:
    layer = (RANDOM | SHARED)[name]()
    np.testing.assert_array_equal(layer(X), X)
    model = network(layer)
    np.testing.assert_array_equal(model.predict(X), model(X))
    plain = network()
    assert model.evaluate(X, Y, verbose=0) == plain.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("layer", [layers.Dropout(0.0), layers.GaussianNoise(0.0), layers.AlphaDropout(0.0)])
def test_a_strength_of_zero_draws_nothing(layer: Any) -> None:
    np.testing.assert_array_equal(layer(X, training=True), X.astype("float32"))


@pytest.mark.parametrize("name", RANDOM)
def test_draws_depend_on_seed_place_and_step(name: str) -> None:
    weights = {}
    for case, (count, seed) in {"once": (1, 3), "again": (1, 3), "other": (1, 4)}.items():
        model = network(*[RANDOM[name]() for _ in range(count)], seed=3)
        cnn_core.utils.set_random_seed(seed)
        model.fit(X, Y, shuffle=False, verbose=0)
        weights[case] = model.get_weights()[0]
    np.testing.assert_array_equal(weights["once"], weights["again"])
    assert not np.array_equal(weights["once"], weights["other"])
    ones = np.ones((48, 8))
    two = cnn_core.Sequential([cnn_core.Input((8,)), RANDOM[name](), RANDOM[name]()])
    both = two(ones, training=True)
    assert not np.array_equal(both, np.asarray(two(ones, training=True)))


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_of_its_own_fixes_a_layer(name: str) -> None:
    first, second = RANDOM[name](seed=6), RANDOM[name](seed=6)
    np.testing.assert_array_equal(drawn(first, X, 1), drawn(second, X, 2))
    assert not np.array_equal(drawn(first, X, 1), drawn(RANDOM[name](seed=7), X, 1))


@pytest.mark.parametrize("name", [*RANDOM, *SHARED])
@pytest.mark.parametrize("seed", [None, 6])
def test_a_loaded_model_goes_on_bit_for_bit(name: str, seed: int | None, tmp_path: Path) -> None:
    model = network((RANDOM | SHARED)[name](seed=seed))
    model.fit(X, Y, epochs=2, batch_size=20, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.fit(X, Y, epochs=2, batch_size=20, verbose=0)
    for kept, resumed in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, resumed)


@pytest.mark.parametrize("name", [*RANDOM, *SHARED])
def test_blocks_draw_what_the_whole_batch_draws(name: str) -> None:
    # A small network takes 2,000 samples in blocks; one with batch normalization takes them whole.
    x = np.random.default_rng(8).normal(size=(2000, 4))
    y = np.zeros((2000, 2))
    results = []
    for extra in ([], [layers.BatchNormalization(dtype="float64", trainable=False)]):
        model = network((RANDOM | SHARED)[name](), *extra)
        if extra:
            extra[0].set_weights([np.full(8, np.sqrt(1.001)), np.zeros(8), np.zeros(8), np.ones(8)])
        model.layers[-1].set_weights([np.ones((8, 2)), np.zeros(2)])
        cnn_core.utils.set_random_seed(1)
        results.append(model.fit(x, y, batch_size=2000, shuffle=False, verbose=0).history["loss"][0])
    assert results[0] == pytest.approx(results[1], rel=1e-12)


def test_traces_and_gradients_draw_nothing() -> None:
    model, plain = network(layers.Dropout(0.5, dtype="float64")), network()
    for noisy, quiet in zip(model.gradients(X, Y), plain.gradients(X, Y), strict=True):
        np.testing.assert_array_equal(noisy, quiet)
    seen = model.trace(X, Y)
    np.testing.assert_array_equal(seen[1].a, seen[0].a)


def ways_of_drawing(name: str, seed: int | None) -> dict[str, Any]:
    """Calls that draw random numbers, each on a layer or model of its own."""
    inputs = cnn_core.Input((4,), dtype="float64")
    live = cnn_core.Model(inputs, RANDOM[name](seed=seed)(inputs, training=True))
    plain = cnn_core.Sequential([cnn_core.Input((4,)), RANDOM[name](seed=seed)])
    inside = cnn_core.Model(inputs, plain(inputs, training=True))
    live.compile("sgd", "mse")
    layer = RANDOM[name](seed=seed)
    return {
        "a layer": lambda: layer(X, training=True),
        "a layer, by position": lambda: layer(X, True),
        "a layer's forward step": lambda: layer.forward(X, training=True)[0],
        "a model": lambda: plain(X, training=True),
        "a symbolic call, called": lambda: live(X),
        "a symbolic call, predicting": lambda: live.predict(X),
        "a symbolic call, evaluating": lambda: live.evaluate(X, X, batch_size=20, verbose=0),
        "a symbolic call, in a predictor": lambda: live.predictor()(X),
        "a symbolic call of a model": lambda: inside.predict(X),
        "a symbolic call inside a model": lambda: cnn_core.Sequential([cnn_core.Input((4,)), live]).predict(X),
        "a clone": lambda: cnn_core.clone_model(live).predict(X),
        "a model from JSON": lambda: cnn_core.model_from_json(live.to_json()).predict(X),
        "a copy": lambda: pickle.loads(pickle.dumps(live)).predict(X),
    }


@pytest.mark.parametrize("seed", [None, 6])
@pytest.mark.parametrize("name", RANDOM)
def test_every_call_draws_again(name: str, seed: int | None) -> None:
    fresh = {
        "a clone",
        "a model from JSON",
        "a copy",
        "a symbolic call inside a model",
        "a symbolic call, in a predictor",
    }
    for way, call in ways_of_drawing(name, seed).items():
        first = call()
        assert not np.array_equal(first, X), way
        if seed is None or way not in fresh:  # these begin their layer's own sequence again
            assert not np.array_equal(call(), first), way


@pytest.mark.parametrize("name", RANDOM)
def test_the_programs_seed_fixes_what_layers_without_one_draw(name: str) -> None:
    for call in ways_of_drawing(name, None).values():
        results = []
        for _ in range(2):
            cnn_core.utils.set_random_seed(2)
            results.append(call())
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", RANDOM)
def test_a_prediction_draws_for_every_row(name: str) -> None:
    inputs = cnn_core.Input((4,), dtype="float64")
    model = cnn_core.Model(inputs, RANDOM[name](seed=6)(inputs, training=True))
    drawn_rows = model.predict(np.ones((9000, 4)))
    several = 14 if "dropout" in name and "gaussian" not in name else 9000
    assert len(np.unique(drawn_rows, axis=0)) >= several
    once = np.ascontiguousarray(drawn_rows[:3000])
    assert not any(np.array_equal(once, drawn_rows[start : start + 3000]) for start in (3000, 6000))


def test_a_symbolic_call_may_turn_training_off() -> None:
    inputs = cnn_core.Input((4,), dtype="float64")
    normalization = layers.BatchNormalization(dtype="float64")
    quiet = layers.Dropout(0.5, dtype="float64")(normalization(inputs, training=False), training=False)
    base = cnn_core.Model(inputs, quiet)
    moving = normalization.moving_mean.numpy()
    model = cnn_core.Model(inputs, layers.Dense(1, dtype="float64")(base(inputs)))
    np.testing.assert_array_equal(base(X, training=True), base.predict(X))
    model.compile("sgd", "mse")
    model.fit(X, Y[:, :1], verbose=0)
    np.testing.assert_array_equal(normalization.moving_mean.numpy(), moving)
    frozen = cnn_core.Model(inputs, network(layers.Dropout(0.5, dtype="float64"))(inputs, training=False))
    np.testing.assert_array_equal(frozen(X, training=True), frozen.predict(X))


def test_batch_normalization_cannot_be_told_to_train_in_prediction() -> None:
    inputs = cnn_core.Input((4,))
    model = cnn_core.Model(inputs, layers.BatchNormalization(name="bn")(inputs, training=True))
    with pytest.raises(ValueError, match=r"^`training` must be None or False where 'bn' is called on symbols"):
        model.predict(X)


@pytest.mark.parametrize("training", ["yes", 2])
def test_training_is_a_truth_value(training: Any) -> None:
    for called in (layers.Dropout(0.5), network()):
        with pytest.raises(TypeError, match="`training` must be True or False"):
            called(X, training=training)


@pytest.mark.parametrize("noise_shape", ["12", (5, 1), (0, 1), (None, -1), (None, 2.5), 3])
def test_noise_shapes_that_mean_nothing_are_refused(noise_shape: Any) -> None:
    for cls in (layers.Dropout, layers.AlphaDropout):
        with pytest.raises((TypeError, ValueError), match=r"`noise_shape` must .+\. Received: noise_shape="):
            cls(0.5, noise_shape=noise_shape)


# Penalties on activities


@pytest.mark.parametrize("batch_size", [48, 20])
@pytest.mark.parametrize("regularizer", [regularizers.L1(0.1), regularizers.L2(0.2), regularizers.L1L2(0.1, 0.2)])
def test_activity_penalties_follow_the_formula(regularizer: Any, batch_size: int) -> None:
    """One linear layer by hand: J = mean of (a - y)^2 + (l1 sum |a| + l2 sum a^2) / n."""
    l1, l2 = regularizer.l1, regularizer.l2
    model = cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(2, use_bias=False, dtype="float64", activity_regularizer=regularizer)]
    )
    model.compile(cnn_core.optimizers.SGD(0.1), "mse")
    w = model.get_weights()[0]
    total = 0.0
    for start in range(0, 48, batch_size):
        x, y = X[start : start + batch_size], Y[start : start + batch_size]
        a = x @ w
        total += len(x) * (((a - y) ** 2).mean() + (l1 * np.abs(a).sum() + l2 * (a**2).sum()) / len(x))
        da = 2 * (a - y) / a.size + (l1 * np.sign(a) + 2 * l2 * a) / len(x)
        w = w - 0.1 * x.T @ da
    history = model.fit(X, Y, batch_size=batch_size, shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx(total / 48, rel=tolerances.REFERENCE_FLOAT64)
    tolerances.close(model.get_weights()[0], w, tolerances.REFERENCE_FLOAT64)
    a = X @ w
    loss = ((a - Y) ** 2).mean() + (l1 * np.abs(a).sum() + l2 * (a**2).sum()) / 48
    assert model.evaluate(X, Y, batch_size=48, verbose=0) == pytest.approx(loss, rel=tolerances.REFERENCE_FLOAT64)


def test_activity_penalties_in_blocks() -> None:
    x = np.random.default_rng(8).normal(size=(3000, 4))
    model = network(layers.ActivityRegularization(l2=0.3, dtype="float64"))
    a = np.tanh(x @ model.get_weights()[0] + model.get_weights()[1])
    prediction = model.predict(x)
    loss = (prediction**2).mean() + 0.3 * (a**2).sum() / 3000
    found = model.evaluate(x, np.zeros((3000, 2)), batch_size=3000, verbose=0)
    assert found == pytest.approx(loss, rel=tolerances.REFERENCE_FLOAT64)


class Quartic:
    """A penalty that only Python knows."""

    def __call__(self, x: np.ndarray) -> float:
        assert x.ndim == 3
        return 0.1 * float((x**4).sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return 0.4 * x**3


class Failing(Quartic):
    def gradient(self, x: np.ndarray) -> np.ndarray:
        raise RuntimeError("no gradient today")


def grid_network(regularizer: Any) -> Any:
    x = cnn_core.Input((3, 4))
    hidden = layers.Dense(5, "tanh", activity_regularizer=regularizer, dtype="float64")(x)
    model = cnn_core.Model(x, layers.Dense(1, dtype="float64")(layers.Flatten()(hidden)))
    model.compile("sgd", "mse")
    return model


def test_a_penalty_in_python_sees_the_batch_in_its_shape() -> None:
    cnn_core.config.set_floatx("float64")
    try:
        model = grid_network(Quartic())
        x, y = np.random.default_rng(1).normal(size=(6, 3, 4)), np.zeros((6, 1))
        assert cnn_core.inspection.gradient_check(model, x, y)
        failing = grid_network(Failing())
        kept = failing.get_weights()
        with pytest.raises(RuntimeError, match="no gradient today"):
            failing.fit(x, y, verbose=0)
        assert all(np.array_equal(a, b) for a, b in zip(kept, failing.get_weights(), strict=True))
    finally:
        cnn_core.config.set_floatx("float32")


def test_an_output_may_carry_a_penalty() -> None:
    model = network()
    output = layers.Dense(1, "sigmoid", activity_regularizer="l2", dtype="float64")
    model.add(output)
    model.compile("sgd", "binary_crossentropy")
    assert cnn_core.inspection.gradient_check(model, X, (Y[:, :1] > 0).astype("float64"))


def test_a_penalty_counts_where_no_loss_looks() -> None:
    x = cnn_core.Input((4,))
    watched = layers.Dense(3, dtype="float64", activity_regularizer="l2", name="watched")(x)
    model = cnn_core.Model(x, [layers.Dense(2, dtype="float64", name="judged")(x), watched])
    model.compile("sgd", {"judged": "mse"})
    before = model.get_layer("watched").get_weights()[0]
    model.fit(X, {"judged": Y}, verbose=0)
    after = model.get_layer("watched").get_weights()[0]
    assert np.linalg.norm(after) < np.linalg.norm(before)


def test_prediction_ignores_penalties() -> None:
    plain, penalised = network(), network(layers.ActivityRegularization(l1=5.0, dtype="float64"))
    np.testing.assert_array_equal(plain.predict(X), penalised.predict(X))
    layer = layers.Dense(2, activity_regularizer="l2", dtype="float64")
    a, cache = layer.forward(X)
    dx = layer.backward(np.zeros_like(a), cache)[0]
    np.testing.assert_array_equal(dx, np.zeros_like(X))
