"""Files that are damaged at random, and what reads them: it loads, or it says by a ValueError that it does not.

`tests/whole/test_fuzzing.py` draws some damaged files; `coverage_search.py` searches for them, led by what code each
file reaches.
"""

from __future__ import annotations

import io
import json
import random
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cnn_core
from cnn_core import interop, layers

X, Y = np.ones((4, 3), np.float32), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
# What stands in the place of a value of a header: other types, the ends of ranges, long texts.
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 0.5, 1e300, "x", "", [], [[-1, "x"]], {}, {"class_name": "Dense", "config": {"units": 10**8}},
    10**8, 10**12, 2**31, 2**63, 2**64 - 1, float("nan"), float("inf"), "A" * 300,
)  # fmt: skip


class Target(NamedTuple):
    """How a sound file is made, what loads any other or refuses it, and what must then work with what was loaded."""

    make: Callable[[], bytes]
    load: Callable[[bytes], Any]
    use: Callable[[Any], object] = repr


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
    made.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    made.fit(X, Y, verbose=0)
    return made


def saved(save: Callable[[Path], object], name: str = "file") -> bytes:
    """Return what is written under a name."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / name)
        return next(path for path in Path(folder).iterdir() if path.is_file()).read_bytes()


def load_model(data: bytes) -> Any:
    return cnn_core.load_model(io.BytesIO(data))


def use_model(loaded: Any) -> None:
    json.loads(loaded.to_json())
    if loaded.input_shape == (None, 3):
        loaded.predict(X, verbose=0)


def load_json(data: bytes) -> Any:
    """Build a model, but not a large one: JSON may ask for as many weights as it likes, as SECURITY.md says."""
    text = data.decode("utf-8", "replace")
    if re.search(r"(?<![\d.])\d{4,}(?![\d.])", text):
        raise ValueError("large")
    return cnn_core.model_from_json(text)


def load_weights(data: bytes) -> None:
    cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2)]).load_weights(io.BytesIO(data))


def perceptron() -> bytes:
    from cnn_core.sklearn import MLPClassifier

    made = MLPClassifier((2,), max_iter=2, tol=0, random_state=0, batch_normalization=True)
    return saved(made.fit(X + np.eye(4, 3), [0, 1, 0, 1]).save)


def load_perceptron(data: bytes) -> Any:
    from cnn_core.sklearn import MLPClassifier

    return MLPClassifier.load(io.BytesIO(data))


def use_perceptron(loaded: Any) -> None:
    if loaded.n_features_in_ == 3:
        loaded.predict_proba(X), loaded.predict(X)


def table_estimator() -> bytes:
    from cnn_core.sklearn import TabularRegressor

    rows = [[float(number), "ab"[number % 2]] for number in range(30)]
    return saved(TabularRegressor(hidden_layer_sizes=(3,), epochs=1, random_state=0).fit(rows, np.arange(30.0)).save)


def load_table_estimator(data: bytes) -> Any:
    from cnn_core.sklearn import TabularRegressor

    return TabularRegressor.load(io.BytesIO(data))


def use_table_estimator(loaded: Any) -> None:
    if loaded.n_features_in_ == 2:
        loaded.predict([[1.0, "a"]])


def fit_with_backup(folder: Path) -> None:
    cnn_core.utils.set_random_seed(1)
    made = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(1)])
    made.compile("adam", "mse", metrics=["mae"])
    backup = cnn_core.callbacks.BackupAndRestore(folder, save_freq=3, delete_checkpoint=False)
    made.fit(X, X[:, :1], batch_size=1, epochs=1, verbose=0, callbacks=[backup])


def state_name(folder: Path) -> Path:
    return next(folder.glob("*.state.safetensors"))


def backup() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        fit_with_backup(Path(folder))
        return state_name(Path(folder)).read_bytes()


def load_backup(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fit_with_backup(Path(folder))
        state_name(Path(folder)).write_bytes(data)
        try:
            fit_with_backup(Path(folder))
        except OSError as error:  # a backup that cannot be restored is one, as its file is no argument of the caller's
            raise ValueError(str(error)) from error


TARGETS = {
    "model": Target(lambda: saved(model().save), load_model, use_model),
    "weights": Target(
        lambda: saved(cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2)]).save_weights), load_weights
    ),
    "perceptron": Target(perceptron, load_perceptron, use_perceptron),
    "table estimator": Target(table_estimator, load_table_estimator, use_table_estimator),
    "predictor": Target(table_estimator, lambda data: cnn_core.load_predictor(io.BytesIO(data))),
    "backup": Target(backup, load_backup),
    "JSON": Target(lambda: model().to_json().encode(), load_json),
    "Keras's model": Target(lambda: saved(model().save, "model.keras"), load_model, use_model),
    "Keras's weights": Target(
        lambda: saved(cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2)]).save_weights, "a.weights.h5"),
        load_weights,
    ),
    "ONNX": Target(lambda: interop.to_onnx(model()), interop.from_onnx, use_model),
}


def refuses(target: Target, data: bytes) -> bool:
    """Whether a target refuses a file, by a ValueError of bounded length; whatever else is raised goes through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = target.load(data)
        except ValueError as error:
            if len(str(error)) > 10_000:
                raise AssertionError(f"a message of {len(str(error))} characters") from error
            return True
        target.use(loaded)
    return False


def places(config: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value is, in JSON that stands in texts of JSON, too."""
    yield here
    if isinstance(config, str) and config[:1] in ("{", "["):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError):
            return
    if isinstance(config, (dict, list)):
        for step, part in config.items() if isinstance(config, dict) else enumerate(config):
            yield from places(part, (*here, step))


def replaced(config: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a configuration with another value at a place."""
    if not place:
        return value
    if isinstance(config, str):
        return json.dumps(replaced(json.loads(config), place, value))
    changed = dict(config) if isinstance(config, dict) else list(config)
    changed[place[0]] = replaced(changed[place[0]], place[1:], value)
    return changed


def mutate_header(data: bytes, draw: random.Random) -> bytes:
    """Put another value into the JSON of a file of ours, or into a file that is JSON; ValueError if there is none."""
    size = int.from_bytes(data[:8], "little")
    text = data if data[:1] == b"{" else data[8 : 8 + size]
    header = json.loads(text)
    value = draw.choice(VALUES)
    if draw.random() < 0.3:  # or one from elsewhere in the file
        value = header
        for step in draw.choice(list(places(header))):
            value = (json.loads(value) if isinstance(value, str) else value)[step]
    changed = json.dumps(replaced(header, draw.choice(list(places(header))), value)).encode()
    return changed if data[:1] == b"{" else len(changed).to_bytes(8, "little") + changed + data[8 + size :]


def mutate_bytes(data: bytes, draw: random.Random) -> bytes:
    """Flip a bit, cut, repeat or overwrite a part, or put a number of another size there."""
    changed, at = bytearray(data or b"\0"), draw.randrange(len(data) or 1)
    length = draw.choice((1, 2, 4, 8, 16, 64))
    kind = draw.randrange(5)
    if kind == 0:
        changed[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del changed[at : at + length]
    elif kind == 2:
        changed[at:at] = changed[at : at + length]
    elif kind == 3:
        changed[at : at + length] = draw.choice((0, 1, 2**7, 2**31, 2**63, 2**64 - 1)).to_bytes(8, "little")[:length]
    else:
        changed[at:] = b""
    return bytes(changed)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Return a damaged file, of one change or a few."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        if draw.random() < 0.6:
            try:
                data = mutate_header(data, draw)
                continue
            except (ValueError, TypeError, LookupError, RecursionError):
                pass  # no JSON any more, or never any
        data = mutate_bytes(data, draw)
    return data
