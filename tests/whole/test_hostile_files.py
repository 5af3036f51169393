"""Damaged and hostile model files: whatever a file says, it loads, or a ValueError names it before memory is taken."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.model_header as model_header
import cnn_core.network.graph as graph
import cnn_core.optimizers.schedules as schedules
import cnn_core.saving as saving
from cnn_core import layers, losses, metrics, optimizers

X, Y = np.ones((4, 3), np.float32), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
MODEL, TRAINING = "cnn_core.model", "cnn_core.training"
INPUT = {"class_name": "InputLayer", "config": {"batch_shape": [None, 3]}}


def model() -> Any:
    cnn_core.utils.set_random_seed(1)
    made = cnn_core.Sequential(
        [
            cnn_core.Input((3,)),
            layers.Dense(4, "leaky_relu", kernel_regularizer="l2", name="first"),
            layers.BatchNormalization(),
            layers.Dropout(0.1, seed=3),
            layers.Dense(2, "softmax", name="last"),
        ]
    )
    made.compile(
        optimizers.Adam(schedules.CosineDecay(0.01, 50)),
        losses.CategoricalCrossentropy(),
        metrics=["accuracy", metrics.AUC(num_thresholds=5)],
    )
    made.fit(X, Y, verbose=0)
    return made


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, str]]:
    path = tmp_path_factory.mktemp("sound") / "model"
    model().save(path)
    return model_file.read(path)


def replaced(config: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a configuration with another value at a place; the value `DELETED` takes it away."""
    if not place:
        return value
    changed = copy.deepcopy(config)
    at = changed
    for step in place[:-1]:
        at = at[step]
    if value is DELETED:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    return changed


def places(config: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    for step, part in config.items() if isinstance(config, dict) else enumerate(config):
        if isinstance(part, (dict, list)):
            yield from places(part, (*here, step))
        else:
            yield (*here, step)


DELETED = object()
VALUES: tuple[Any, ...] = (
    None, True, -1, 0.5, "x", [], [[-1, "x"]], {}, {"class_name": "Dense", "config": {"units": 10**8}}, 10**8, 10**12,
    2**63, 2**64 - 1, float("nan"), "A" * 10_000, DELETED,
)  # fmt: skip


def refusal_of(path: Path, **options: Any) -> str | None:
    """Return how a file is refused; None if it is loaded, and then it works."""
    loaded, refusal = None, None
    try:
        loaded = cnn_core.load_model(path, **options)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert str(path) in refusal
        assert len(refusal) < 5000
        return refusal
    assert np.isfinite(loaded.predict(X)).all()
    json.loads(loaded.to_json())
    return None


@pytest.mark.parametrize("key", [MODEL, TRAINING])
@pytest.mark.filterwarnings("ignore")
def test_every_value_of_a_header_may_be_anything(key: str, parts: Any, tmp_path: Path) -> None:
    tensors, metadata = parts
    config = json.loads(metadata[key])
    refused = 0
    tracemalloc.start()
    for number, place in enumerate(places(config)):
        for value in VALUES[number % 4 :: 4]:  # a quarter of them at each place
            text = json.dumps(replaced(config, place, value))
            model_file.write(tmp_path / "bad", tensors, {**metadata, key: text})
            refused += refusal_of(tmp_path / "bad") is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 150
    assert peak < 20e6


def test_what_a_file_declares_takes_no_memory_before_it_is_compared(parts: Any, tmp_path: Path) -> None:
    tensors, metadata = parts
    config = json.loads(metadata[MODEL])
    wide = copy.deepcopy(config)
    wide["config"]["layers"][0]["config"]["units"] = 10**8
    embedding = {"class_name": "Embedding", "config": {"input_dim": 10**6, "output_dim": 10**6}}
    bins = {"class_name": "Discretization", "config": {"num_bins": 10**12}}
    for config in (wide, sequential(INPUT, embedding), sequential(INPUT, bins)):
        model_file.write(tmp_path / "bad", tensors, {MODEL: json.dumps(config)})
        tracemalloc.start()
        assert refusal_of(tmp_path / "bad") is not None
        assert tracemalloc.get_traced_memory()[1] < 2e6
        tracemalloc.stop()


def sequential(*parts: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"layers": list(parts)}}


DENSE = {"class_name": "Dense", "config": {"units": 1}}
TEXTS = {
    "a class of a megabyte": (
        json.dumps({"class_name": "Dense" * 200_000, "config": {}}),
        "'class_name' must be a str",
    ),
    "a key of a megabyte": (json.dumps(sequential(INPUT, {"class_name": "Dense", "config": {"A" * 10**6: 1}})), "keys"),
    "an activation of a megabyte": (
        json.dumps(sequential(INPUT, {"class_name": "Dense", "config": {"units": 1, "activation": "relu" * 250_000}})),
        "`activation` must be one of",
    ),
    "100,000 layers": (json.dumps(sequential(INPUT, *[DENSE] * 100_000)), "at most 200000 lists and objects"),
    "20,000 layers": (json.dumps(sequential(INPUT, *[DENSE] * 20_000)), "layers must be at most 1000"),
    "lists nested 10,000 deep": ("[" * 10_000 + "]" * 10_000, "nested at most 200 deep"),
    "objects nested 300 deep": ('{"a":' * 300 + "1" + "}" * 300, "nested at most 200 deep"),
    "models nested 60 deep": (
        '{"class_name":"Sequential","config":{"layers":[' * 60 + json.dumps(INPUT) + "]}}" * 60,
        "model with an input",
    ),
    "models nested 200 deep": ('{"class_name":"Sequential","config":{"layers":[' * 200 + "]}}" * 200, "nested at most"),
    "five million lists": ("[" + "[]," * 5_000_000 + "[]]", "at most 200000 lists and objects"),
    "two million numbers": ('{"a":[' + "0," * 2_000_000 + "0]}", "at most 1000000 values"),
    "a number of 4,000 digits": ('{"class_name": "Dense", "config": {"units": ' + "9" * 4000 + "}}", "fit 64 bits"),
    "no JSON": ("{", "no valid configuration"),
    "no object": ("[]", "must be an object"),
    "a class that is a number": ('{"class_name": 5}', "'class_name' must be a string"),
    "a layer": (json.dumps(DENSE), "must hold a model with an input"),
    "no layers": (json.dumps(sequential()), "must hold a model with an input"),
    "thresholds by the billion": (json.dumps({**sequential(INPUT), "num_thresholds": 10**9}), "num_thresholds must be"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_measured_first(kind: str, tmp_path: Path) -> None:
    text, message = TEXTS[kind]
    model_file.write(tmp_path / "bad", {}, {MODEL: text})
    refusal = refusal_of(tmp_path / "bad")
    assert refusal is not None
    assert message in refusal
    if "model with" not in message:
        with pytest.raises(ValueError, match=r"^`json_string` cannot be loaded: "):
            cnn_core.model_from_json(text)


STATES: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "no optimizer": (("optimizer",), DELETED, "'training' must have 'optimizer'"),
    "compile is a list": (("compile",), [], "'compile' of 'training' must be of type dict"),
    "an unknown argument": (("compile", "Loss"), "mse", "Did you mean 'loss'?"),
    "a loss that is a number": (("compile", "loss"), 5, "`loss` must be"),
    "no seed": (("state", "seed"), DELETED, "'state' must have 'seed'"),
    "a negative seed": (("state", "seed"), -1, "'seed' of 'state' must be from 0 to 18446744073709551615"),
    "a seed of 65 bits": (("state", "seed"), 2**64, "'seed' of 'state' must be from 0 to"),
    "a seed that is true": (("state", "seed"), True, "'seed' of 'state' must be of type int"),
    "negative batches": (("state", "optimizer", "batches_seen"), -1, "'batches_seen' of 'optimizer' must be from 0"),
    "the state of a backup": (("state", "epoch"), 3, "must be that between two epochs"),
}


@pytest.mark.parametrize("kind", STATES)
def test_the_training_part_is_checked_by_type(kind: str, parts: Any, tmp_path: Path) -> None:
    place, value, message = STATES[kind]
    tensors, metadata = parts
    text = json.dumps(replaced(json.loads(metadata[TRAINING]), place, value))
    model_file.write(tmp_path / "bad", tensors, {**metadata, TRAINING: text})
    refusal = refusal_of(tmp_path / "bad")
    assert refusal is not None
    assert message in refusal
    assert refusal_of(tmp_path / "bad", compile=False) is None


def test_the_optimizers_vectors_are_whole_and_of_the_weights_shapes(parts: Any, tmp_path: Path) -> None:
    tensors, metadata = parts
    name = "cnn_core.optimizer/momentum/first/kernel"
    scalar = {**tensors, name: np.zeros((), np.float32)}
    missing = {key: tensor for key, tensor in tensors.items() if key != name}
    for changed in (scalar, missing):
        model_file.write(tmp_path / "bad", changed, metadata)
        refusal = refusal_of(tmp_path / "bad")
        assert refusal is not None
        assert "its optimizer's state 'momentum' must have the shape (3, 4) for 'first/kernel'" in refusal


def test_every_bit_of_a_header_may_flip(parts: Any, tmp_path: Path) -> None:
    path = tmp_path / "model"
    small = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)])
    small.save(path)
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    for bit in range(0, 8 * end, 11):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        refusal_of(path)
    for length in range(0, len(raw), 3):
        path.write_bytes(raw[:length])
        assert refusal_of(path) is not None


def test_nothing_is_written_that_would_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)])
    small.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    monkeypatch.setattr(model_header, "MAX_DEPTH", 2)
    with pytest.raises(ValueError, match=r"The model cannot be saved, because loading would fail: its configuration"):
        saving.save_model(small, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before


def test_loading_draws_no_weights(parts: Any, tmp_path: Path) -> None:
    """Not the orthogonal ones, which would take a decomposition, nor those of an initializer of the user's own."""

    class Never(cnn_core.initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            if Never.forbidden:
                raise AssertionError
            return np.ones(shape, dtype)

        def get_config(self) -> dict[str, Any]:
            return {}

        forbidden = False

    made = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2, kernel_initializer=Never())])
    made.save(tmp_path / "model")
    Never.forbidden = True
    loaded = cnn_core.load_model(tmp_path / "model", custom_objects={"Never": Never})
    np.testing.assert_array_equal(loaded.predict(X), made.predict(X))


def test_what_the_users_own_classes_raise_is_kept_as_the_cause(tmp_path: Path) -> None:
    class Fragile(layers.Dense):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            if Fragile.broken:
                raise RuntimeError("no more")
            super().__init__(*arguments, **options)

        broken = False

    cnn_core.Sequential([cnn_core.Input((3,)), Fragile(1)]).save(tmp_path / "model")
    Fragile.broken = True
    with pytest.raises(ValueError, match=r"model' cannot be loaded: RuntimeError: no more") as caught:
        cnn_core.load_model(tmp_path / "model", custom_objects={"Fragile": Fragile})
    assert isinstance(caught.value.__cause__, RuntimeError)


BACKUPS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "a negative seed": (("seed",), -1),
    "no seed": (("seed",), DELETED),
    "a negative epoch": (("epoch",), -1),
    "a batch that is a text": (("batch",), "x"),
    "no optimizer's state": (("optimizer",), True),
    "slots that are a list": (("optimizer", "slots"), []),
    "totals of another kind": (("totals", "losses"), 3.5),
    "totals of more losses": (("totals", "losses"), [1.0, 2.0]),
    "nested 10,000 deep": ((), None),
}


@pytest.mark.parametrize("kind", BACKUPS)
def test_backups_are_checked_by_type(kind: str, tmp_path: Path) -> None:
    def trained() -> Any:
        made = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)])
        made.compile("adam", "mse")
        backup = cnn_core.callbacks.BackupAndRestore(tmp_path, save_freq=3, delete_checkpoint=False)
        made.fit(X, np.ones((4, 1)), batch_size=1, epochs=1, verbose=0, callbacks=[backup])
        return made

    trained()
    (path,) = tmp_path.glob("*.state.safetensors")
    tensors, metadata = model_file.read(path)
    place, value = BACKUPS[kind]
    changed = (
        "[" * 10_000 + "]" * 10_000 if not place else json.dumps(replaced(json.loads(metadata["state"]), place, value))
    )
    model_file.write(path, tensors, {"state": changed})
    with pytest.raises((OSError, ValueError), match=r"cannot be (restored|loaded): "):
        trained()


def test_models_that_call_each_other_twice_are_counted_not_unfolded(tmp_path: Path) -> None:
    x = cnn_core.Input((2,), name="x")
    layer = layers.Dense(2, name="layer")
    cnn_core.Model(x, layer(layer(x))).save(tmp_path / "model")
    tensors, metadata = model_file.read(tmp_path / "model")
    nested = json.loads(metadata[MODEL])
    for depth in range(1, 40):
        config = {**nested["config"], "name": f"depth_{depth}", "layers": [nested]}
        nested = {"class_name": "Functional", "config": config}
    model_file.write(tmp_path / "bad", tensors, {MODEL: json.dumps(nested)})
    refusal = refusal_of(tmp_path / "bad")
    assert refusal is not None
    assert f"called at most {graph.MAX_CALLS} times. Received: {2**40} calls" in refusal


class Killed(cnn_core.callbacks.Callback):
    """Ends a training in the middle of its second epoch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.batches_seen == 4:
            raise RuntimeError("killed")


def backed_up(folder: Path) -> Any:
    """Return a model to go on with, beside the backup of one that was killed."""
    x = np.random.default_rng(0).normal(size=(9, 2)).astype("float32")

    def make() -> cnn_core.Sequential:
        cnn_core.utils.set_random_seed(1)
        model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        return model

    def fit(model: Any, *more: Any) -> Any:
        backup = cnn_core.callbacks.BackupAndRestore(folder, save_freq=1)
        return model.fit(x, x[:, :1], batch_size=3, epochs=3, verbose=0, callbacks=[backup, *more]).history

    with pytest.raises(RuntimeError, match="killed"):
        fit(make(), Killed())
    return lambda: fit(make())


def test_an_epoch_under_way_goes_on(tmp_path: Path) -> None:
    whole = backed_up(tmp_path / "killed")()
    (tmp_path / "other").mkdir()
    assert [len(values) for values in whole.values()] == [2, 2]
    assert all(np.isfinite(values).all() for values in whole.values())


@pytest.mark.parametrize("part", ["losses", "metrics", "samples", "penalties", "batches"])
@pytest.mark.parametrize("value", [None, "x", [], {"a": 1}, [[["x"]]], -1.5], ids=str)
def test_what_an_epoch_has_added_up_is_checked_before_it_goes_on(part: str, value: Any, tmp_path: Path) -> None:
    from cnn_core.callbacks.state_file import read_state, write_state

    go_on = backed_up(tmp_path)
    path = next(tmp_path.glob("*.state.safetensors"))
    state = read_state(path)
    if part in ("samples", "penalties", "batches") and value == -1.5:
        value = "many"
    state["totals"][part] = value
    write_state(path, state)
    with pytest.raises(OSError, match=rf"cannot be restored: The file '.*{path.name}' cannot be loaded: "):
        go_on()
