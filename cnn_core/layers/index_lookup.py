"""What lookups of texts and of whole numbers have in common: a vocabulary, given or learned, and its special tokens."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.layers.encoding import ENCODINGS
from cnn_core.layers.hashing import bins_of
from cnn_core.layers.tokens import TokenReader, batches_of, checked_salt
from cnn_core.network.graph import Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

UNKNOWN = -1  # among the places in a vocabulary
_WIDEST = 1 << 24  # columns of an encoded row


class IndexLookup(TokenReader):
    """What both layers have in common; they differ in the kind of their tokens."""

    modes: ClassVar[tuple[str, ...]] = ("int", *ENCODINGS, "tf_idf")

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: object,
        oov_token: object,
        vocabulary: object,
        idf_weights: object,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        oov_method: str,
        salt: object,
        has_input_vocabulary: bool | None,
        vocabulary_size: int | None,
        dtype: object,
        common: Mapping[str, object],
    ) -> None:
        super().__init__(output_mode, sparse, dtype, **common)
        self.max_tokens = None if max_tokens is None else validation.integer(max_tokens, "max_tokens", minimum=2)
        self.num_oov_indices = validation.non_negative_integer(num_oov_indices, "num_oov_indices")
        self.mask_token = None if mask_token is None else self._token(mask_token, "mask_token")
        self.oov_token = self._token(oov_token, "oov_token")
        self.invert = validation.boolean(invert, "invert")
        self.pad_to_max_tokens = validation.boolean(pad_to_max_tokens, "pad_to_max_tokens")
        self.oov_method = validation.choice(oov_method, "oov_method", ("floormod", "farmhash"))
        self.salt = checked_salt(salt)
        if vocabulary_size is not None:  # which Keras writes, and the vocabulary tells
            validation.non_negative_integer(vocabulary_size, "vocabulary_size")
        self._check_settings(idf_weights)
        self._tokens: list[Any] = []
        self._idf: Array | None = None  # of every place in an encoded row
        self._factors: Variable | None = None  # the same in a plan
        is_static = vocabulary is not None if has_input_vocabulary is None else has_input_vocabulary
        self._is_static = validation.boolean(is_static, "has_input_vocabulary")
        self._as_given: dict[str, Any] = {}  # what the constructor was given, for configurations
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            if not isinstance(vocabulary, (str, os.PathLike)):
                tokens = self._as_tokens(vocabulary, "vocabulary").tolist()
                self._as_given = {"vocabulary": tokens, "idf_weights": idf_weights}

    def _check_settings(self, idf_weights: object) -> None:
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("`max_tokens` must be given if `pad_to_max_tokens` is True. Received: max_tokens=None")
        if self.pad_to_max_tokens and self.max_tokens is not None and self.max_tokens > _WIDEST:
            raise ValueError(
                f"`max_tokens` must be at most {_WIDEST} if `pad_to_max_tokens` is True: rows are as wide. "
                f"Received: max_tokens={self.max_tokens}"
            )
        if self.invert and self.output_mode != "int":
            raise ValueError(
                f"`output_mode` must be 'int' if `invert` is True. Received: output_mode={self.output_mode!r}"
            )
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ValueError(
                "`idf_weights` must be None unless `output_mode` is 'tf_idf'. "
                f"Received: idf_weights={validation.show(idf_weights)}"
            )

    # What the two kinds of tokens differ in

    def _token(self, value: object, name: str) -> Any:
        """Check a single token."""
        raise NotImplementedError

    def _as_tokens(self, values: object, name: str) -> Array:
        """Read an array of tokens."""
        raise NotImplementedError

    def _tokens_of_lines(self, lines: list[str]) -> list[Any]:
        """Read the tokens of a file."""
        raise NotImplementedError

    def _places(self, values: Array) -> Array:
        """Return the place of each value in the vocabulary, without special tokens; `UNKNOWN` where there is none."""
        raise NotImplementedError

    def _oov_bins(self, values: Array) -> Array:
        """Share values that are not in the vocabulary out among several indices."""
        return bins_of(values, self.num_oov_indices, self.salt)

    # The vocabulary

    @property
    def learns(self) -> bool:
        """Whether `adapt` finds a vocabulary: none was given to the constructor."""
        return not self._is_static

    @property
    def _first_oov(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_token(self) -> int:
        return self._first_oov + self.num_oov_indices

    @property
    def _special_tokens(self) -> list[Any]:
        return [self.mask_token] * self._first_oov + [self.oov_token] * self.num_oov_indices

    @property
    def depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None and self.output_mode != "int":
            return self.max_tokens
        return self.vocabulary_size()

    @property
    def drops(self) -> bool:
        return self.mask_token is not None and self.output_mode != "int"

    @property
    def idf_weights(self) -> Array | None:
        """The factor of each place in a row of `output_mode="tf_idf"`; None before there is a vocabulary."""
        return None if self._idf is None else self._idf.astype(self.dtype)

    def vocabulary_size(self) -> int:
        """Return how many indices there are, those of the mask and of unknown tokens included."""
        return len(self._tokens) + self._first_token

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens in the order of their indices.

        Parameters
        ----------
        include_special_tokens : bool, default True
            Whether the mask token and those that stand for unknown tokens go first, so that places are indices.
        """
        special = self._special_tokens if validation.boolean(include_special_tokens, "include_special_tokens") else []
        return [*special, *self._tokens]

    def set_vocabulary(self, vocabulary: object, idf_weights: object = None) -> None:
        """Take a vocabulary in the place of what there was.

        Parameters
        ----------
        vocabulary : array-like of tokens, or path
            Without special tokens, or with all of them at its beginning, as `get_vocabulary` returns them. A file has a
            token in each line.
        idf_weights : array-like of float, default None
            As many as tokens, with `output_mode="tf_idf"` only.

        Raises
        ------
        ValueError
            If it is empty, a token occurs twice, it is larger than `max_tokens`, or the weights do not fit.
        RuntimeError
            If a model depends on another size, because its rows are encoded.
        """
        weighted = self.output_mode == "tf_idf"
        if weighted != (idf_weights is not None):
            raise ValueError(
                f"`idf_weights` must {'' if weighted else 'not '}be given with output_mode={self.output_mode!r}. "
                f"Received: idf_weights={validation.show(idf_weights)}"
            )
        given = self._given(vocabulary)
        n_special = len(self._special_tokens)
        has_special = given[:n_special] == self._special_tokens
        tokens = given[n_special:] if has_special else given
        self._check_tokens(tokens)
        idf = None
        if weighted:
            idf = validation.finite(validation.as_array(idf_weights, "idf_weights").astype(np.float64), "idf_weights")
            if idf.shape != (len(given),):
                raise ValueError(
                    f"`idf_weights` must be {len(given)}, one for each token. Received: idf_weights.shape={idf.shape}"
                )
            idf = idf[n_special:] if has_special and n_special else idf
            leading = validation.as_array(idf_weights, "idf_weights")[:n_special] if has_special else None
            idf = self._padded(idf, leading)
        self._take(tokens, idf)

    def _given(self, vocabulary: object) -> list[Any]:
        if isinstance(vocabulary, (str, os.PathLike)):
            with open(vocabulary, encoding="utf-8") as file:  # noqa: PTH123 - the first import brings no pathlib
                lines = file.read().split("\n")
            given = self._tokens_of_lines(lines[:-1] if lines[-1] == "" else lines)
        else:
            array = self._as_tokens(vocabulary, "vocabulary")
            if array.ndim != 1:
                raise ValueError(f"`vocabulary` must have one dimension. Received: vocabulary.shape={array.shape}")
            given = array.tolist()
        if not given:
            raise ValueError(f"`vocabulary` must not be empty. Received: vocabulary={validation.show(vocabulary)}")
        return given

    def _check_tokens(self, tokens: list[Any]) -> None:
        if len(set(tokens)) < len(tokens):
            twice = next(token for token, times in Counter(tokens).items() if times > 1)
            raise ValueError(f"`vocabulary` must hold every token once. Received: {validation.show(twice)} twice")
        reserved = [] if self.mask_token is None else [("mask_token", self.mask_token)]
        for name, token in (*reserved, *([("oov_token", self.oov_token)] if self.invert else [])):
            if token in tokens:
                raise ValueError(
                    f"`vocabulary` must not hold the `{name}`, unless it begins with all special tokens, "
                    f"{self._special_tokens}. Received: {token!r} at place {tokens.index(token)}"
                )
        size = len(tokens) + self._first_token
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"`vocabulary` must have at most `max_tokens`, {self.max_tokens}, special tokens included. "
                f"Received: {size}"
            )

    def _padded(self, idf: Array, leading: Array | None = None) -> Array:
        """Put weights of special tokens before those of the others, their mean if none are given, and zeros behind."""
        before = np.full(self._first_token, idf.mean() if idf.size else 0.0) if leading is None else leading
        behind = np.zeros(self.max_tokens - len(before) - len(idf) if self.pad_to_max_tokens and self.max_tokens else 0)
        return np.concatenate([before, idf, behind])

    def _take(self, tokens: list[Any], idf: Array | None) -> None:
        """Use a vocabulary from now on."""
        before = self.depth
        size = len(tokens) + self._first_token
        if self.built and self.output_mode != "int" and not self.pad_to_max_tokens and size != before:
            raise RuntimeError(
                f"The vocabulary of {self.name!r} must keep its size, {before}, because the layer has been called: its "
                f"rows are as wide. Received: {size}"
            )
        self._tokens, self._idf, self._as_given = tokens, idf, {}
        self._index()
        if self._factors is not None and idf is not None:
            self._factors.array[...] = idf

    def _index(self) -> None:
        """Prepare for looking up what is in `_tokens`."""
        raise NotImplementedError

    def adapt(self, data: object, steps: int | None = None) -> None:
        """Learn a vocabulary: the tokens of the data, the most frequent first; what was learned before is forgotten.

        Tokens that are equally frequent stand in falling order.

        Parameters
        ----------
        data : array-like of tokens of shape (n, ...), or iterable or PyDataset of such batches
        steps : int, default None
            How many batches to take of data that yields batches; None: all.

        Raises
        ------
        ValueError
            If a vocabulary was given to the constructor, or the data is empty.
        """
        if self._is_static:
            raise ValueError("`adapt` has nothing to learn: a vocabulary was given to the layer")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        n_documents = 0
        for batch in batches_of(data, steps):
            tokens = self._as_tokens(batch, "data")
            if tokens.size == 0:
                continue
            tokens = tokens.reshape(len(tokens) if tokens.ndim else 1, -1)
            counts.update(tokens.ravel().tolist())
            if self.output_mode == "tf_idf":
                n_documents += len(tokens)
                documents.update(itertools.chain.from_iterable(map(set, tokens.tolist())))
        if not counts:
            raise ValueError("`data` must hold at least one token. Received: none")
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        found = sorted(counts, reverse=True)
        found.sort(key=counts.__getitem__, reverse=True)
        if self.max_tokens is not None:
            found = found[: max(self.max_tokens - self._first_token, 0)]
        idf = None
        if self.output_mode == "tf_idf":
            in_documents = np.array([documents[token] for token in found], np.float64)
            idf = self._padded(np.log1p(n_documents / (1 + in_documents)))
        self._take(found, idf)

    # Looking up

    def read(self, values: list[Array]) -> Array:
        self.require_vocabulary()
        (tokens,) = values
        flat = tokens.reshape(-1)
        places = self._places(flat)
        unknown = places == UNKNOWN
        found = places + self._first_token
        if self.mask_token is not None:
            masked = flat == self.mask_token
            found[masked] = 0 if self.output_mode == "int" else self.depth
            unknown &= ~masked
        if unknown.any():
            found[unknown] = self._first_oov + self._oov_of(flat[unknown])
        return found.reshape(tokens.shape)

    def _oov_of(self, unknown: Array) -> int | Array:
        if self.num_oov_indices == 0:
            raise ValueError(
                f"x has {validation.show(unknown[0])}, which is not in the vocabulary of {self.name!r}. Give it room "
                f"by num_oov_indices=1. Received: {len(unknown)} unknown tokens"
            )
        return 0 if self.num_oov_indices == 1 else self._oov_bins(unknown)

    def require_vocabulary(self) -> None:
        """Raise unless there is a vocabulary."""
        if not self._tokens:
            raise ValueError(f"{self.name!r} has no vocabulary yet: call adapt(data) or set_vocabulary(tokens) first")

    def _apply(self, inputs: object, training: bool | None = None) -> Any:
        if not self.invert or isinstance(inputs, Symbol):
            return super()._apply(inputs, training)
        return self._tokens_at(validation.as_whole_numbers(inputs, "x"))

    def _values(self, inputs: object) -> list[Array]:
        return [self._as_tokens(inputs, "x")]

    def _tokens_at(self, indices: Array) -> Array:
        """Look the other way round: the tokens of indices."""
        self.require_vocabulary()
        known = np.array([*self.get_vocabulary(), self.oov_token], object if self.wants == "string" else np.int64)
        outside = (indices < 0) | (indices >= len(known))
        found: Array = known[np.where(outside, -1, indices)]
        return found

    def _call_on_symbols(self, inputs: object, leaves: list[Any], training: bool | None) -> Any:
        if self.invert:
            raise TypeError(
                f"{self.name!r} gives tokens, which no model computes with: call it on what `predict` returns"
            )
        if self.output_mode != "int" and not self.pad_to_max_tokens:
            self.require_vocabulary()
        return super()._call_on_symbols(inputs, leaves, training)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        (encoded,) = super().emit(plan, inputs)
        if self.output_mode != "tf_idf":
            return [encoded]
        if self._factors is None:
            self._factors = self._constant(self._idf, "idf")
        zero = self._constant(np.zeros(1), "zero")
        shape, variables = plan.shapes[encoded], [self._factors, zero]
        return [plan.add("rescale", [encoded], shape, layer=self.name, variables=variables, integers=[self.depth, 1])]

    def _constant(self, value: object, name: str) -> Variable:
        return Variable(np.array(value, self.dtype), trainable=False, name=name, path=f"{self.name}/{name}")

    # Configuration

    def _settings(self) -> dict[str, Any]:
        config = super()._settings()
        config.pop("vocabulary_size")  # Keras writes it; here it is a method
        if self._tokens:
            config["vocabulary"] = self.get_vocabulary()
            config["has_input_vocabulary"] = self._is_static
        if self._idf is not None:
            config["idf_weights"] = self._idf[: self.vocabulary_size()]
        return {**config, **self._as_given}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the layer whose `get_config` returned `config`: with the vocabulary, learned or given."""
        if isinstance(config.get("vocabulary"), str):  # which would read any file that somebody else names
            raise ValueError(
                "`vocabulary` in a configuration must be a list of tokens, not the name of a file. "
                f"Received: vocabulary={validation.show(config['vocabulary'])}"
            )
        return super().from_config(config)
