"""Inputs of which something else is made before native code reads them."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.data.adapt import Reader, feature_dtype, feature_shape
from cnn_core.data.dataset import InputSpec
from cnn_core.data.rows import LazyRows, SparseRows
from cnn_core.data.translation import Translation, in_memory


def lengths(values: list[np.ndarray]) -> list[np.ndarray]:
    return [np.vectorize(len)(values[0])]


def reader(limit: int = 5) -> Reader:
    inputs = [InputSpec("word", (1,), "text"), InputSpec("size", (2,))]
    behind = [InputSpec("size", (2,)), InputSpec("length", (1,), "int", limit)]
    return Reader(inputs, [], np.dtype(np.float32), translation=Translation(behind, [1, None], [0], lengths))


def test_native_code_gets_what_is_made_and_what_is_not_looked_at() -> None:
    data = reader().read({"word": ["a", "bcd"], "size": [[1, 2], [3, 4]]})
    sizes, found = data.inputs
    np.testing.assert_array_equal(sizes, np.array([[1, 2], [3, 4]], np.float32))
    np.testing.assert_array_equal(found, [[1], [3]])
    assert found.dtype == np.int32


def test_what_is_made_is_checked_as_an_input_is() -> None:
    with pytest.raises(ValueError, match=r"^what 'length' finds has index 3 at row 1, column 0; .* 0\.\.2"):
        reader(3).read({"word": ["a", "bcd"], "size": [[1, 2], [3, 4]]})
    with pytest.raises(ValueError, match="must have the same number of rows"):
        reader().read({"word": ["a"], "size": [[1, 2], [3, 4]]})
    with pytest.raises(TypeError, match=r"^x\['word'\] must hold texts, but has 1 at row 0"):
        reader().read({"word": [1, 2], "size": [[1, 2], [3, 4]]})


def test_rows_of_any_kind_come_into_memory() -> None:
    array = np.arange(6.0).reshape(3, 2)
    sparse = SparseRows(np.array([5.0]), np.array([1], np.int32), np.array([0, 1]), 2)
    assert in_memory(array) is array
    np.testing.assert_array_equal(in_memory(LazyRows(array, np.float32)), array)
    np.testing.assert_array_equal(in_memory(sparse), [[0.0, 5.0]])


def test_data_tells_shape_and_dtype_of_its_symbol() -> None:
    assert (feature_shape(["a", "b"]), feature_dtype(["a", "b"])) == ((1,), "string")
    assert (feature_shape(np.array([["a", "b"]])), feature_dtype(np.array([[b"a"]]))) == ((2,), "string")
    assert feature_dtype(np.zeros(2, "uint8")) == "uint8"
