"""Hashing and crossing: every kind of input, what is refused, and models; values in tests/agreement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

WORDS = np.array([["a"], ["bc"], ["é"], ["a"]], object)
NUMBERS = np.array([[3], [-1], [2**40], [3]])


@pytest.mark.parametrize("kind", ["object", "str", "bytes", "list"])
def test_texts_of_every_kind_have_the_same_bins(kind: str) -> None:
    given: Any = {
        "object": WORDS,
        "str": WORDS.astype(str),
        "bytes": np.array([[word.encode()] for (word,) in WORDS.tolist()]),
        "list": WORDS.tolist(),
    }[kind]
    np.testing.assert_array_equal(layers.Hashing(1000)(given), layers.Hashing(1000)(WORDS))


def test_bins_depend_on_the_value_alone() -> None:
    bins = layers.Hashing(10**6)(NUMBERS)
    assert bins[0] == bins[3]
    assert len(set(bins.ravel().tolist())) == 3
    np.testing.assert_array_equal(layers.Hashing(10**6)(NUMBERS.astype(str)), bins)
    assert (layers.Hashing(10**6, salt=3)(NUMBERS) != bins).any()
    np.testing.assert_array_equal(layers.Hashing(9, salt=3)(WORDS), layers.Hashing(9, salt=[3, 3])(WORDS))


def test_crosses_depend_on_every_feature() -> None:
    crossing = layers.HashedCrossing(10**6)
    first = crossing([WORDS, NUMBERS])
    assert first[0] == first[3]
    assert (crossing([NUMBERS, WORDS]) != first).all()
    assert (crossing([WORDS, NUMBERS + 1]) != first).all()


def test_a_model_hashes_what_it_is_given() -> None:
    word, number = cnn_core.Input((1,), dtype="string", name="word"), cnn_core.Input((1,), dtype="int64", name="number")
    hashed = layers.Hashing(6, output_mode="one_hot")(word)
    crossed = layers.HashedCrossing(8, output_mode="one_hot")([word, number])
    model = cnn_core.Model([word, number], layers.Concatenate()([hashed, crossed, layers.Hashing(5)(number)]))
    expected = [
        layers.Hashing(6, output_mode="one_hot")(WORDS),
        layers.HashedCrossing(8, output_mode="one_hot")([WORDS, NUMBERS]),
        layers.Hashing(5)(NUMBERS),
    ]
    predicted = model.predict({"word": WORDS, "number": NUMBERS})
    np.testing.assert_array_equal(predicted, np.concatenate(expected, axis=1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Hashing(0), ValueError, "`num_bins` must be"),
        (lambda: layers.Hashing(3, salt="salt"), ValueError, "`salt` must be a whole number or two of them"),
        (lambda: layers.Hashing(3, mask_value=0.5), TypeError, "`mask_value` must be a text or a whole number"),
        (lambda: layers.Hashing(3, sparse=True), ValueError, "`sparse` must be False"),
        (lambda: layers.Hashing(3)([[0.5]]), ValueError, "x must hold whole numbers that int64 has, but has 0.5"),
        (lambda: layers.HashedCrossing(3, "count"), ValueError, "`output_mode` must be 'int' or 'one_hot'"),
        (lambda: layers.HashedCrossing(3)([WORDS]), ValueError, "crosses two features or more"),
        (lambda: layers.HashedCrossing(3)([WORDS, WORDS[:, 0]]), ValueError, "all of shape"),
        (lambda: layers.HashedCrossing(3)(WORDS), TypeError, "takes a list of features"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_bins_of_a_file_take_no_memory(tmp_path: Path) -> None:
    word = cnn_core.Input((1,), dtype="string")
    model = cnn_core.Model(word, [layers.Hashing(2**60)(word), layers.HashedCrossing(2**60)([word, word])])
    model.save(tmp_path / "hashes.safetensors")
    loaded = cnn_core.load_model(tmp_path / "hashes.safetensors")
    np.testing.assert_array_equal(loaded.predict(WORDS), model.predict(WORDS))
