"""Lookups: vocabularies from everywhere, every kind of input, models of texts; values in tests/agreement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

COLOURS = ["red", "green", "blue"]
SEEN = np.array([["green"], ["purple"], ["red"], ["blue"]], object)
INDICES = np.array([[2], [0], [1], [3]])


def kinds() -> dict[str, Any]:
    flat = SEEN.ravel().tolist()
    return {
        "object": SEEN,
        "str": SEEN.astype(str),
        "bytes": np.array([[word.encode()] for word in flat]),
        "mixed": np.array([[flat[0]], [flat[1].encode()], [flat[2]], [np.str_(flat[3])]], object),
        "list": SEEN.tolist(),
        "vector": SEEN.ravel(),
        "flat list": flat,
    }


@pytest.mark.parametrize("kind", kinds())
def test_texts_of_every_kind_are_found(kind: str) -> None:
    found = layers.StringLookup(vocabulary=COLOURS)(kinds()[kind])
    np.testing.assert_array_equal(found.ravel(), INDICES.ravel())
    assert found.dtype == np.int64


def test_columns_of_frames_are_found() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    lookup = layers.StringLookup(vocabulary=COLOURS)
    flat = SEEN.ravel().tolist()
    for column in (
        pandas.Series(flat),
        pandas.Series(flat, dtype=object),
        pandas.Series(flat, dtype="category"),
        polars.Series(flat),
    ):
        np.testing.assert_array_equal(lookup(column), INDICES.ravel())
    np.testing.assert_array_equal(lookup(pandas.DataFrame({"a": flat, "b": flat})), INDICES.repeat(2, axis=1))
    lookup = layers.StringLookup()
    lookup.adapt(pandas.Series(flat))
    assert sorted(lookup.get_vocabulary(include_special_tokens=False)) == sorted(flat)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_texts_are_refused_with_their_place(missing: Any) -> None:
    lookup = layers.StringLookup(vocabulary=COLOURS)
    with pytest.raises(ValueError, match=r'^x has a missing value at row 1\. Fill it first, such as with ""'):
        lookup(np.array(["red", missing], object))


@pytest.mark.parametrize("kind", ["int64", "uint8", "float64", "bool", "list"])
def test_whole_numbers_of_every_kind_are_found(kind: str) -> None:
    values = np.array([[1], [0]])
    given = values.tolist() if kind == "list" else values.astype(kind)
    np.testing.assert_array_equal(layers.IntegerLookup(vocabulary=[1, 2**62])(given), [[1], [0]])


# Vocabularies


def test_a_file_has_a_token_in_each_line(tmp_path: Path) -> None:
    path = tmp_path / "colours.txt"
    path.write_text("red\nlight green\n\nblue\n", "utf-8")
    assert layers.StringLookup(vocabulary=path).get_vocabulary() == ["[UNK]", "red", "light green", "", "blue"]
    path.write_text("12\n-3", "utf-8")
    assert layers.IntegerLookup(vocabulary=str(path), num_oov_indices=0).get_vocabulary() == [12, -3]
    path.write_text("twelve", "utf-8")
    with pytest.raises(ValueError, match="must have a whole number in each line"):
        layers.IntegerLookup(vocabulary=str(path))


def test_a_configuration_cannot_name_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a list of tokens, not the name of a file"):
        layers.StringLookup.from_config({"vocabulary": str(tmp_path / "secret.txt")})


def batches() -> Iterator[Any]:
    yield [["b"], ["a"]]
    yield np.array([["b"], ["c"]]), np.zeros(2)
    yield [["c"], ["c"], ["c"]]


def test_batches_are_counted_together() -> None:
    lookup = layers.StringLookup()
    lookup.adapt(batches())
    assert lookup.get_vocabulary() == ["[UNK]", "c", "b", "a"]
    lookup.adapt(batches(), steps=2)
    assert lookup.get_vocabulary() == ["[UNK]", "b", "c", "a"]


def test_a_vocabulary_may_name_its_special_tokens() -> None:
    plain = layers.StringLookup(vocabulary=COLOURS, mask_token="")
    full = layers.StringLookup(vocabulary=["", "[UNK]", *COLOURS], mask_token="")
    assert plain.get_vocabulary() == full.get_vocabulary() == ["", "[UNK]", *COLOURS]
    assert plain.get_vocabulary(include_special_tokens=False) == COLOURS
    assert plain.vocabulary_size() == 5


def test_another_vocabulary_takes_the_place_of_the_first() -> None:
    lookup = layers.StringLookup(vocabulary=COLOURS)
    lookup.set_vocabulary(["purple"])
    np.testing.assert_array_equal(lookup(SEEN), [[0], [1], [0], [0]])
    encoded = layers.StringLookup(vocabulary=COLOURS, output_mode="one_hot")
    encoded(SEEN)
    with pytest.raises(RuntimeError, match="must keep its size, 4, because the layer has been called"):
        encoded.set_vocabulary(["purple"])
    encoded.set_vocabulary(COLOURS[::-1])
    np.testing.assert_array_equal(encoded([["blue"]]), [[0, 1, 0, 0]])


def test_weights_of_another_vocabulary_count_at_once() -> None:
    lookup = layers.StringLookup(vocabulary=["a", "b"], idf_weights=[1.0, 3.0], output_mode="tf_idf")
    model = cnn_core.Sequential([cnn_core.Input((2,), dtype="string"), lookup])
    np.testing.assert_array_equal(model.predict([["b", "b"]]), [[0.0, 0.0, 6.0]])
    lookup.set_vocabulary(["b", "a"], [0.5, 4.0])
    np.testing.assert_array_equal(model.predict([["b", "?"]]), [[2.25, 0.5, 0.0]])


def test_there_and_back() -> None:
    there = layers.StringLookup(vocabulary=COLOURS)
    back = layers.StringLookup(vocabulary=there.get_vocabulary(), invert=True)
    assert back(there(SEEN)).ravel().tolist() == ["green", "[UNK]", "red", "blue"]
    with pytest.raises(TypeError, match="call it on what `predict` returns"):
        back(cnn_core.Input((1,), dtype="int64"))


def test_a_configuration_holds_what_was_given() -> None:
    given = {"vocabulary": COLOURS, "output_mode": "tf_idf", "idf_weights": [1.0, 2.0, 3.0]}
    config = layers.StringLookup(**given).get_config()
    assert {name: config[name] for name in given} == given
    assert layers.StringLookup.from_config(config).get_config() == config


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_numbers_have_the_dtype_of_the_layer(dtype: str) -> None:
    lookup = layers.StringLookup(vocabulary=COLOURS, dtype=dtype)
    assert lookup(["red"]).dtype == dtype
    assert layers.StringLookup.from_config(lookup.get_config()).dtype == dtype
    model = cnn_core.Sequential([cnn_core.Input((1,), dtype="string"), lookup, layers.Embedding(4, 2)])
    assert model.predict(SEEN).shape == (4, 1, 2)


def test_what_is_learned_is_in_the_configuration_and_can_be_learned_again() -> None:
    lookup = layers.StringLookup()
    lookup.adapt(["a", "a", "b"])
    again = layers.StringLookup.from_config(json.loads(json.dumps(lookup.get_config())))
    assert again.get_vocabulary() == ["[UNK]", "a", "b"]
    again.adapt(["c"])
    assert again.get_vocabulary() == ["[UNK]", "c"]
    with pytest.raises(ValueError, match="`adapt` has nothing to learn"):
        layers.StringLookup.from_config(layers.StringLookup(vocabulary=["a"]).get_config()).adapt(["c"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ValueError, "must hold every token once"),
        (lambda: layers.StringLookup(vocabulary=[]), ValueError, "`vocabulary` must not be empty"),
        (lambda: layers.StringLookup(vocabulary=[["a"]]), ValueError, "must have one dimension"),
        (lambda: layers.StringLookup(vocabulary=[1, 2]), TypeError, "vocabulary must hold texts, but has 1"),
        (
            lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""),
            ValueError,
            "must not hold the `mask_token`",
        ),
        (lambda: layers.StringLookup(2, vocabulary=["a", "b"]), ValueError, "must have at most `max_tokens`, 2"),
        (lambda: layers.StringLookup(1), ValueError, "`max_tokens` must be"),
        (lambda: layers.StringLookup(2**30, pad_to_max_tokens=True), ValueError, "must be at most 16777216 if"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "`max_tokens` must be given"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ValueError, "`output_mode` must be 'int'"),
        (lambda: layers.StringLookup(idf_weights=[1.0]), ValueError, "`idf_weights` must be None"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"),
            ValueError,
            "`idf_weights` must be given",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[1.0, 2.0]),
            ValueError,
            "`idf_weights` must be 1, one for each token",
        ),
        (lambda: layers.StringLookup(encoding="latin-1"), ValueError, "`encoding` must be"),
        (lambda: layers.IntegerLookup(salt=3), ValueError, "`salt` must be None unless"),
        (lambda: layers.StringLookup()(["a"]), ValueError, "has no vocabulary yet"),
        (lambda: layers.StringLookup().adapt([]), ValueError, "must hold at least one token"),
        (
            lambda: layers.StringLookup(num_oov_indices=0, vocabulary=["a"])(["b"]),
            ValueError,
            "x has 'b', which is not",
        ),
        (lambda: layers.StringLookup(vocabulary=["a"])([["a"], ["a", "a"]]), ValueError, "rows of one length"),
        (lambda: layers.StringLookup(vocabulary=["a"])(cnn_core.Input((1,))), TypeError, 'dtype="string"'),
        (
            lambda: layers.IntegerLookup(vocabulary=[1])(cnn_core.Input((1,), dtype="string")),
            TypeError,
            "use StringLookup",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
