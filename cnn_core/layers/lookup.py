"""Layers that look texts and whole numbers up in a vocabulary, given or learned from data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.layers.base import registry
from cnn_core.layers.index_lookup import UNKNOWN, IndexLookup


@registry.register()
class StringLookup(IndexLookup):
    """Turn texts into their places in a vocabulary.

    The vocabulary begins with the mask token, if there is one, and with `num_oov_indices` indices for texts that are
    not in it; `get_vocabulary` shows them.

    Parameters
    ----------
    max_tokens : int >= 2, default None
        How large the vocabulary may become, special tokens included.
    num_oov_indices : int, default 1
        Over how many indices texts are spread, by their hash, that are not in the vocabulary. With 0 they are errors.
    mask_token : str, default None
        What stands for a missing text: index 0; in encoded rows it leaves no trace.
    oov_token : str, default "[UNK]"
        What an inverted layer gives for unknown indices.
    vocabulary : array-like of str, or path, default None
        The texts, or a file with one in every line; None: `adapt` learns them.
    idf_weights : array-like of float, default None
        With `output_mode="tf_idf"` and a vocabulary: the factor of each text's count.
    invert : bool, default False
        Whether to turn indices into texts instead, of arrays, not in a model.
    output_mode : {"int", "one_hot", "multi_hot", "count", "tf_idf"}, default "int"
        The index; or a row with 1 at the index for each text, or for all texts of a row together; or a row of how often
        each occurs; or that times its inverse document frequency.
    pad_to_max_tokens : bool, default False
        Whether encoded rows are `max_tokens` wide whatever the vocabulary.
    sparse : bool, default False
        Only False.
    encoding : str, default "utf-8"
        Only this one.
    salt : int or pair of int, default None
        The key with which unknown texts are hashed, by SipHash; None: FarmHash.

    Notes
    -----
    In a model it reads an ``Input(shape, dtype="string")``, while data is read: arrays of texts or objects, lists,
    columns of frames, each batch or everything at once. The learned vocabulary is part of the layer's configuration and
    so of files and clones. With ``output_mode="tf_idf"``, `adapt` takes every row for a document, and a text's weight
    is ``log(1 + documents / (1 + documents with the text))``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = StringLookup(vocabulary=["red", "green"])
    >>> layer(np.array([["green", "blue"], ["red", "red"]]))
    array([[2, 0],
           [1, 1]])
    >>> layer = StringLookup(output_mode="count")
    >>> layer.adapt([["a", "b"], ["b", "c"]])
    >>> layer.get_vocabulary()
    ['[UNK]', 'b', 'c', 'a']
    >>> layer([["b", "b"]])
    array([[0., 2., 0., 0.]], dtype=float32)
    """

    wants: ClassVar[str] = "string"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: object = None,
        idf_weights: object = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        *,
        oov_method: str = "floormod",
        has_input_vocabulary: bool | None = None,
        vocabulary_size: int | None = None,
        dtype: object = None,
        **common: object,
    ) -> None:
        self.encoding = validation.choice(encoding, "encoding", ("utf-8",))
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, oov_method, salt, has_input_vocabulary,
            vocabulary_size, dtype, {"name": name, **common},
        )  # fmt: skip

    def _token(self, value: object, name: str) -> str:
        if not isinstance(value, str):
            raise TypeError(f"`{name}` must be a text. Received: {name}={validation.show(value)}")
        return value

    def _as_tokens(self, values: object, name: str) -> Array:
        return validation.as_texts(values, name)

    def _tokens_of_lines(self, lines: list[str]) -> list[Any]:
        return lines

    def _index(self) -> None:
        self._numbers = dict(zip(self._tokens, itertools.count()))

    def _places(self, values: Array) -> Array:
        return np.fromiter(map(self._numbers.get, values.tolist(), itertools.repeat(UNKNOWN)), np.int64, len(values))


@registry.register()
class IntegerLookup(IndexLookup):
    """Turn whole numbers of any size into their places in a vocabulary.

    Parameters
    ----------
    max_tokens, num_oov_indices, idf_weights, invert, output_mode, pad_to_max_tokens, sparse
        See `StringLookup`.
    mask_token : int, default None
    oov_token : int, default -1
    vocabulary : array-like of int, or path, default None
    vocabulary_dtype : {"int64"}
    oov_method : {"floormod", "farmhash"}, default "floormod"
        How numbers that are not in the vocabulary are spread over several indices: by their remainder, or by the hash
        of their digits.
    salt : int or pair of int, default None
        With `oov_method="farmhash"`: the key with which they are hashed, by SipHash.

    Examples
    --------
    >>> import numpy as np
    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer(np.array([[12, 1138, 42], [42, 1000, 36]]))
    array([[1, 3, 4],
           [4, 0, 2]])
    """

    wants: ClassVar[str] = "int"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: object = None,
        vocabulary_dtype: str = "int64",
        idf_weights: object = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        *,
        has_input_vocabulary: bool | None = None,
        vocabulary_size: int | None = None,
        dtype: object = None,
        **common: object,
    ) -> None:
        self.vocabulary_dtype = validation.choice(vocabulary_dtype, "vocabulary_dtype", ("int64",))
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, oov_method, salt, has_input_vocabulary,
            vocabulary_size, dtype, {"name": name, **common},
        )  # fmt: skip
        if self.salt is not None and self.oov_method != "farmhash":
            raise ValueError(
                f"`salt` must be None unless `oov_method` is 'farmhash'. Received: salt={validation.show(salt)}"
            )

    def _token(self, value: object, name: str) -> int:
        return validation.integer(value, name)

    def _as_tokens(self, values: object, name: str) -> Array:
        return validation.as_whole_numbers(values, name)

    def _tokens_of_lines(self, lines: list[str]) -> list[Any]:
        try:
            return [int(line) for line in lines]
        except ValueError as error:
            raise ValueError(f"A file of a vocabulary must have a whole number in each line: {error}") from None

    def _index(self) -> None:
        tokens = np.array(self._tokens, np.int64)
        self._order = tokens.argsort()
        self._sorted = tokens[self._order]

    def _places(self, values: Array) -> Array:
        near = np.minimum(np.searchsorted(self._sorted, values), len(self._sorted) - 1)
        return np.where(self._sorted[near] == values, self._order[near], UNKNOWN)

    def _oov_bins(self, values: Array) -> Array:
        return super()._oov_bins(values) if self.oov_method == "farmhash" else values % self.num_oov_indices
