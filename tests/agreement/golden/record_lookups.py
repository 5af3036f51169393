"""Record what Keras's layers of strings and whole numbers give: lookups, hashes, crosses.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install tensorflow-cpu keras==3.15.1
    KERAS_BACKEND=tensorflow python tests/agreement/golden/record_lookups.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

Case = dict[str, Any]
WORDS = [["a", "z", "b"], ["q", "c", "a"], ["", "long ago", "Füße"]]
NUMBERS = [[12, 1138, 42], [42, -7, 0], [2**40, 36, 12]]
VOCABULARY, NUMERALS = ["a", "b", "c", "d"], [12, 36, 1138, 42]
# Of every length up to 70, where the hash changes its ways, and some beyond.
LENGTHS = [*range(71), 95, 127, 128, 129, 191, 192, 193, 500]
TEXTS = [[("ab cdé" * 100).encode()[:length].decode(errors="ignore")] for length in LENGTHS]


def strings(**arguments: Any) -> Case:
    return {"layer": "StringLookup", "arguments": {"vocabulary": VOCABULARY, **arguments}, "x": WORDS}


def numbers(**arguments: Any) -> Case:
    return {"layer": "IntegerLookup", "arguments": {"vocabulary": NUMERALS, **arguments}, "x": NUMBERS}


def hashed(x: Any, **arguments: Any) -> Case:
    return {"layer": "Hashing", "arguments": arguments, "x": x}


def crossed(x: Any, **arguments: Any) -> Case:
    return {"layer": "HashedCrossing", "arguments": arguments, "x": x, "several": True}


def adapted(layer: str, data: Any, x: Any, **arguments: Any) -> Case:
    return {"layer": layer, "arguments": arguments, "adapt": data, "x": x}


MODES = ("one_hot", "multi_hot", "count")
FRUIT = [["plum", "fig"], ["fig", "fig"], ["kiwi", "plum"], ["date", "fig"]]
COUNTED = [[7, 3], [3, 3], [-1, 7], [900, 3]]
COLUMN = [[row[0]] for row in WORDS]
CASES: list[Case] = [
    strings(),
    strings(num_oov_indices=3),
    strings(num_oov_indices=3, salt=[3, 4]),
    strings(num_oov_indices=2, mask_token=""),
    strings(mask_token=""),
    strings(mask_token="", output_mode="multi_hot"),
    *(strings(output_mode=mode) for mode in MODES),
    {**strings(output_mode="one_hot"), "x": COLUMN},
    strings(output_mode="count", num_oov_indices=2),
    strings(output_mode="multi_hot", max_tokens=9, pad_to_max_tokens=True),
    strings(output_mode="tf_idf", idf_weights=[0.25, 0.75, 0.5, 1.5]),
    strings(output_mode="tf_idf", idf_weights=[0.25, 0.75, 0.5, 1.5], max_tokens=7, pad_to_max_tokens=True),
    strings(vocabulary=["[UNK]", *VOCABULARY], output_mode="tf_idf", idf_weights=[2.0, 0.25, 0.75, 0.5, 1.5]),
    {**strings(invert=True), "x": [[1, 0, 3], [4, 9, 2]]},
    {**strings(invert=True, mask_token="", oov_token="?"), "x": [[1, 0, 3], [5, 9, 2]]},
    numbers(),
    numbers(num_oov_indices=3),
    numbers(num_oov_indices=3, oov_method="farmhash"),
    numbers(num_oov_indices=3, oov_method="farmhash", salt=133),
    numbers(mask_token=0, num_oov_indices=2),
    *(numbers(output_mode=mode) for mode in MODES),
    {**numbers(invert=True), "x": [[1, 0, 3], [4, 9, 2]]},
    adapted("StringLookup", FRUIT, FRUIT),
    adapted("StringLookup", FRUIT, FRUIT, max_tokens=3),
    adapted("StringLookup", FRUIT, FRUIT, mask_token="fig", num_oov_indices=0),
    adapted("StringLookup", FRUIT, FRUIT, output_mode="tf_idf"),
    adapted("StringLookup", FRUIT, FRUIT, output_mode="tf_idf", max_tokens=8, pad_to_max_tokens=True),
    adapted("StringLookup", FRUIT, FRUIT, output_mode="count", max_tokens=6, pad_to_max_tokens=True),
    adapted("IntegerLookup", COUNTED, COUNTED),
    adapted("IntegerLookup", COUNTED, COUNTED, max_tokens=3, mask_token=7),
    hashed(TEXTS, num_bins=2**31 - 1),
    hashed(TEXTS, num_bins=2**31 - 1, salt=[133, 137]),
    hashed(WORDS, num_bins=5),
    hashed(WORDS, num_bins=5, mask_value=""),
    hashed(WORDS, num_bins=1, mask_value=""),
    hashed(NUMBERS, num_bins=7),
    hashed(NUMBERS, num_bins=7, salt=133),
    hashed(NUMBERS, num_bins=7, mask_value=42),
    *(hashed(WORDS, num_bins=5, output_mode=mode) for mode in MODES),
    hashed(COLUMN, num_bins=5, output_mode="one_hot"),
    crossed([["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]], num_bins=5),
    crossed([[["A"], ["B"], ["é"]], [[101], [-4], [2**40]]], num_bins=1000),
    crossed([[["A"], ["B"]], [["x"], ["y"]], [["p"], ["p"]]], num_bins=2**31 - 1),
    crossed([[["A"], ["B"]], [["x"], ["y"]]], num_bins=6, output_mode="one_hot"),
    crossed([TEXTS, TEXTS[::-1]], num_bins=10**6),
]


def plain(value: Any) -> Any:
    """Return arrays as lists, and bytes as texts."""
    value = keras.ops.convert_to_numpy(value) if not isinstance(value, np.ndarray) else value
    return [each.decode() if isinstance(each, bytes) else each for each in value.reshape(-1).tolist()]


def recorded(case: Case) -> Case:
    """Return a case with what Keras makes of it."""
    layer = getattr(keras.layers, case["layer"])(**case["arguments"])
    if "adapt" in case:
        layer.adapt(np.array(case["adapt"]))
    x = tuple(map(np.array, case["x"])) if case.get("several") else np.array(case["x"])
    y = layer(x)
    y = y.numpy() if hasattr(y, "numpy") else np.asarray(y)
    result = {**case, "y": plain(y), "shape": list(y.shape), "kind": y.dtype.kind}
    if "adapt" in case:
        result["vocabulary"] = [each.item() if hasattr(each, "item") else each for each in layer.get_vocabulary()]
    return result


def model() -> tuple[Any, list[np.ndarray]]:
    """Return a model with every kind of such layer, adapted or given a vocabulary, one inside another model."""
    layers = keras.layers
    words, number = keras.Input((2,), dtype="string", name="words"), keras.Input((1,), dtype="int64", name="number")
    encoded = []
    for arguments in ({"output_mode": "tf_idf"}, {"output_mode": "multi_hot", "mask_token": "fig"}):
        lookup = layers.StringLookup(**arguments)
        lookup.adapt(np.array(FRUIT))
        encoded.append(lookup(words))
    known = layers.StringLookup(vocabulary=["plum", "fig"])
    learned = layers.StringLookup()
    learned.adapt(np.array(FRUIT))
    inside = keras.Sequential([keras.Input((2,), dtype="string"), learned, layers.Embedding(5, 2), layers.Flatten()])
    encoded += [inside(words), layers.Flatten()(layers.Embedding(3, 2)(known(words)))]
    numbers = layers.IntegerLookup(output_mode="one_hot")
    numbers.adapt(np.array(COUNTED))
    crossed = layers.HashedCrossing(7, output_mode="one_hot")([layers.Hashing(5)(number), number])
    joined = layers.Concatenate()([*encoded, numbers(number), layers.Hashing(6, output_mode="count")(words), crossed])
    x = [np.array([*FRUIT, ["?", ""]]), np.array([[7], [3], [900], [-5], [2**40]])]
    return keras.Model([words, number], layers.Dense(2)(joined)), x


def file_of(made: Any) -> np.ndarray:
    """Return the file that Keras writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        made.save(path)
        return np.frombuffer(path.read_bytes(), np.uint8)


def record_model() -> None:
    """Write a model's file with what it predicts."""
    made, x = model()
    y = made.predict(list(map(keras.ops.convert_to_tensor, x)), verbose=0)
    np.savez_compressed(
        Path(__file__).with_name("lookups_model.npz"), archive=file_of(made), words=x[0], number=x[1], y=y
    )


COLUMNS = {
    "age": np.array([20, 31, 44, 52, 67, 70, 23, 38], "float32"),
    "chol": np.array([200.5, 180.25, 240.0, 310.75, 220.0, 199.0, 205.5, 260.0], "float32"),
    "slope": np.array([0.5, 1.5, 2.0, 0.0, 1.0, 3.0, 2.5, 1.0], "float32"),
    "pulse": np.array([60, 72, 81, 90, 64, 77, 85, 69], "float32"),
    "sex": np.array([0, 1, 1, 0, 1, 0, 1, 1]),
    "ca": np.array([0, 3, 2, 2, 1, 0, 0, 3]),
    "thal": np.array(["fixed", "normal", "normal", "reversible", "fixed", "normal", "fixed", "normal"]),
    "city": np.array(["Rome", "Oslo", "Rome", "Bern", "Oslo", "Lima", "Rome", "Bern"]),
}
UNSEEN = {
    **{name: values[:3] for name, values in COLUMNS.items()},
    "age": np.array([5, 44.5, 99], "float32"),
    "sex": np.array([1, 7, 0]),
    "thal": np.array(["?", "normal", "fixed"]),
}


def feature_space(output_mode: str) -> Any:
    """Return a feature space with every kind of column."""
    space, mode = keras.utils.FeatureSpace, "int" if output_mode == "dict" else "one_hot"
    features = {
        "age": space.float_discretized(4),
        "chol": "float_normalized",
        "slope": space.float_rescaled(2.0, -1.0),
        "pulse": "float",
        "sex": space.integer_categorical(),
        "ca": space.integer_hashed(5, output_mode=mode),
        "thal": space.string_categorical(max_tokens=3, output_mode=mode),
        "city": "string_hashed",
    }
    crosses = [("sex", "age"), space.cross(("thal", "city"), 9, mode)]
    made = space(features, output_mode, crosses, crossing_dim=6, hashing_dim=7)
    made.adapt(COLUMNS)
    return made


def record_feature_space() -> None:
    """Write columns, and what a feature space makes of others."""
    arrays = {f"columns/{name}": values for name, values in COLUMNS.items()}
    arrays |= {f"unseen/{name}": values for name, values in UNSEEN.items()}
    rows = feature_space("concat")
    arrays["concat"] = keras.ops.convert_to_numpy(rows(UNSEEN))
    arrays["archive"] = file_of(rows)
    made = feature_space("dict")(UNSEEN)
    arrays |= {f"dict/{name}": keras.ops.convert_to_numpy(values) for name, values in made.items()}
    np.savez_compressed(Path(__file__).with_name("feature_space.npz"), **arrays)


if __name__ == "__main__":
    keras.utils.set_random_seed(3)
    record_feature_space()
    record_model()
    source = {"package": "keras", "version": keras.__version__, "backend": keras.backend.backend()}
    text = json.dumps({"source": source, "cases": list(map(recorded, CASES))}, ensure_ascii=False, indent=1)
    Path(__file__).with_name("lookups.json").write_text(text + "\n")
