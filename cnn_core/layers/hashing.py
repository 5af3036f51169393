"""Layers that turn texts and whole numbers into bins by hashing them, without a vocabulary."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.fingerprints import fingerprints, joined_fingerprints, keyed_fingerprints
from cnn_core.layers.base import registry
from cnn_core.layers.encoding import ENCODINGS
from cnn_core.layers.tokens import TokenReader, checked_salt

_CROSSING_KEY = 0xDECAFCAFFE  # TensorFlow's, with which every cross begins
_MOST_BINS = 2**63 - 1


@registry.register()
class Hashing(TokenReader):
    """Put texts or whole numbers into bins by a hash: ``y = hash(x) % num_bins``.

    Parameters
    ----------
    num_bins : int >= 1
    mask_value : str or int, default None
        A value that gets bin 0 for itself; all others share the bins from 1 on.
    salt : int or pair of int, default None
        None: FarmHash's Fingerprint64. Else SipHash-2-4 with this key.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        The bin's number, or as `CategoryEncoding` has them.

    Notes
    -----
    Whole numbers are hashed as texts, "12" for 12; the bins are those of TensorFlow. As a layer of a model it reads an
    ``Input(shape, dtype="string")`` or one of an integer dtype.

    Examples
    --------
    >>> import numpy as np
    >>> Hashing(3)(np.array([["A"], ["B"], ["C"], ["D"], ["E"]])).ravel()
    array([1, 0, 1, 1, 2])
    """

    modes: ClassVar[tuple[str, ...]] = ("int", *ENCODINGS)
    wants: ClassVar[str] = "int or string"

    def __init__(
        self,
        num_bins: int,
        mask_value: str | int | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        *,
        dtype: object = None,
        **common: object,
    ) -> None:
        super().__init__(output_mode, sparse, dtype, **common)
        self.num_bins = validation.integer(num_bins, "num_bins", minimum=1, maximum=_MOST_BINS)
        self.mask_value = None if mask_value is None else _text_or_number(mask_value, "mask_value")
        self.salt = checked_salt(salt)

    @property
    def depth(self) -> int:
        return self.num_bins

    def read(self, values: list[Array]) -> Array:
        (tokens,) = values
        masked = self.mask_value is not None and self.num_bins > 1
        bins = bins_of(tokens, self.num_bins - masked, self.salt) + masked
        if masked:
            bins[tokens == self.mask_value] = 0
        return bins


@registry.register()
class HashedCrossing(TokenReader):
    """Put combinations of values of several features into bins by a hash: ``y = hash(x_1, x_2, ...) % num_bins``.

    Parameters
    ----------
    num_bins : int >= 1
    output_mode : {"int", "one_hot"}, default "int"

    Notes
    -----
    It takes a list of two features or more, texts or whole numbers, of shape (n,) or (n, 1) each. The bins are those of
    TensorFlow.

    Examples
    --------
    >>> import numpy as np
    >>> HashedCrossing(5)([np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102])])
    array([1, 4, 1, 1, 3])
    """

    n_inputs = None
    modes: ClassVar[tuple[str, ...]] = ("int", "one_hot")
    wants: ClassVar[str] = "int or string"

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: object = None,
        **common: object,
    ) -> None:
        super().__init__(output_mode, sparse, dtype, name=name, **common)
        self.num_bins = validation.integer(num_bins, "num_bins", minimum=1, maximum=_MOST_BINS)

    @property
    def depth(self) -> int:
        return self.num_bins

    def check_inputs(self, shapes: Any) -> None:
        alike = len({tuple(shape) for shape in shapes}) == 1
        if len(shapes) < 2 or not alike or tuple(shapes[0][1:]) not in ((), (1,)):
            raise ValueError(
                f"{self.name!r} crosses two features or more, all of shape (n,) or all of shape (n, 1). "
                f"Received: shapes {', '.join(str(tuple(shape)) for shape in shapes)}"
            )

    def _values(self, inputs: object) -> list[Array]:
        if not isinstance(inputs, (list, tuple)):
            raise TypeError(f"{self.name!r} takes a list of features. Received: {validation.show(inputs)}")
        values = [validation.as_tokens(each, f"x[{number}]") for number, each in enumerate(inputs)]
        self.check_inputs([value.shape for value in values])
        return values

    def read(self, values: list[Array]) -> Array:
        crossed = np.full(values[0].size, _CROSSING_KEY, np.uint64)
        for tokens in values:
            crossed = joined_fingerprints(crossed, _words_of(tokens))
        return (crossed % np.uint64(self.num_bins)).astype(np.int64).reshape(values[0].shape)


def bins_of(tokens: Array, n_bins: int, salt: tuple[int, int] | None = None) -> Array:
    """Return the bin of each text or whole number, as TensorFlow hashes it.

    Parameters
    ----------
    tokens : numpy.ndarray of object or int64
    n_bins : int
    salt : pair of int, default None

    Examples
    --------
    >>> bins_of(np.array([12, 36, 12]), 100)
    array([88, 77, 88])
    """
    different, places = _distinct(tokens)
    written = [str(each).encode("utf-8", "surrogatepass") for each in different]
    hashes = fingerprints(written) if salt is None else keyed_fingerprints(written, salt)
    return (hashes % np.uint64(n_bins)).astype(np.int64)[places].reshape(tokens.shape)


def _distinct(tokens: Array) -> tuple[list[Any], Array]:
    """Return each token once, and which of these stands in each place."""
    if tokens.dtype.kind != "O":
        different, places = np.unique(tokens, return_inverse=True)
        return different.tolist(), places.reshape(-1)
    first: dict[str, int] = {}  # where each text occurs first
    flat = tokens.ravel().tolist()
    found = np.fromiter(map(first.setdefault, flat, itertools.count()), np.int64, len(flat))
    numbers = np.empty(len(flat), np.int64)
    numbers[np.fromiter(first.values(), np.int64, len(first))] = np.arange(len(first))
    return list(first), numbers[found]


def _words_of(tokens: Array) -> Array:
    """Return what TensorFlow crosses: whole numbers as they are, texts by their fingerprints."""
    if tokens.dtype.kind != "O":
        return tokens.reshape(-1).astype(np.uint64)
    different, places = _distinct(tokens)
    return fingerprints([each.encode("utf-8", "surrogatepass") for each in different])[places]


def _text_or_number(value: object, name: str) -> str | int:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise TypeError(f"`{name}` must be a text or a whole number. Received: {name}={validation.show(value)}")
