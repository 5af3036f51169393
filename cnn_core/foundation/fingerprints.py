"""Hashes of texts that are the same on every machine, many texts at once.

FarmHash's Fingerprint64 (G. Pike, 2014), which TensorFlow takes for texts, and SipHash-2-4 (J.-P. Aumasson and
D. J. Bernstein, 2012), which it takes where there is a key. All arithmetic is modulo 2**64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Mixed: TypeAlias = tuple[Words, Words]

_K0, _K1, _K2 = map(np.uint64, (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
_SEED = np.uint64(81)
_MURMUR = np.uint64(0xC6A4A7935BD1E995)
_LONGEST_AT_ONCE = 64  # bytes; longer texts are mixed in blocks of as many
_SIP_BLOCK = 8
_AT_ONCE = 1 << 14  # texts


class _Texts:
    """Texts one after the other in memory, and where each begins; fetches words from anywhere in them."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.lengths: Places = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts: Places = self.lengths.cumsum() - self.lengths
        self._bytes = np.frombuffer(b"".join((*texts, bytes(_SIP_BLOCK))), np.uint8)
        # A word begins at every byte: the array overlaps itself.
        self._words = np.ndarray((len(self._bytes) - 7,), "<u8", self._bytes, strides=(1,))

    def word(self, places: Places) -> Words:
        """Return the eight bytes from each place on as a number, the first byte the lowest."""
        return self._words[places].astype(np.uint64, copy=False)

    def half_word(self, places: Places) -> Words:
        """Return four of them."""
        return self.word(places) & np.uint64(0xFFFFFFFF)

    def byte(self, places: Places) -> Words:
        """Return one."""
        return self._bytes[places].astype(np.uint64)


def fingerprints(texts: Sequence[bytes]) -> Words:
    """Return Fingerprint64 of each text.

    Parameters
    ----------
    texts : sequence of bytes

    Returns
    -------
    numpy.ndarray of uint64, shape (len(texts),)

    Examples
    --------
    >>> fingerprints([b"", b"Hello world"])
    array([11160318154034397263,  4018340516250275620], dtype=uint64)
    """
    return _in_pieces(_fingerprints, texts)


def joined_fingerprints(first: Words, second: Words) -> Words:
    """Return one fingerprint for each pair of them, in this order.

    Examples
    --------
    >>> one, two = fingerprints([b"a"]), fingerprints([b"b"])
    >>> joined_fingerprints(one, two) == joined_fingerprints(two, one)
    array([False])
    """
    mixed = first ^ _MURMUR ^ (_folded(second * _MURMUR) * _MURMUR)
    return _folded(_folded(mixed * _MURMUR) * _MURMUR)


def keyed_fingerprints(texts: Sequence[bytes], key: tuple[int, int]) -> Words:
    """Return SipHash-2-4 of each text.

    Parameters
    ----------
    texts : sequence of bytes
    key : pair of int
        Taken modulo 2**64.

    Examples
    --------
    >>> [hex(each) for each in keyed_fingerprints([bytes(range(15))], (0x0706050403020100, 0x0F0E0D0C0B0A0908))]
    ['0xa129ca6149be45e5']
    """
    low, high = (np.uint64(part % 2**64) for part in key)
    return _in_pieces(lambda piece: _keyed_fingerprints(piece, low, high), texts)


def _in_pieces(function: Callable[[Sequence[bytes]], Words], texts: Sequence[bytes]) -> Words:
    """Hash texts in pieces whose intermediate values stay in a cache."""
    pieces = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
    return np.concatenate([function(piece) for piece in pieces] or [np.empty(0, np.uint64)])


def _keyed_fingerprints(texts: Sequence[bytes], low: np.uint64, high: np.uint64) -> Words:
    found = _Texts(texts)
    start = map(np.uint64, (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573))
    state = [np.full(len(texts), word ^ part) for word, part in zip(start, (low, high) * 2, strict=True)]
    n_blocks = found.lengths // _SIP_BLOCK
    for block in range(int(n_blocks.max(initial=0))):
        chosen = np.flatnonzero(n_blocks > block)
        state = _absorbed(state, chosen, found.word(found.starts[chosen] + block * _SIP_BLOCK))
    rest = (found.lengths % _SIP_BLOCK).astype(np.uint64) * np.uint64(8)  # in bits
    tail = found.word(found.starts + n_blocks * _SIP_BLOCK) & ((np.uint64(1) << rest) - np.uint64(1))
    everything = np.arange(len(texts))
    state = _absorbed(state, everything, tail | (found.lengths.astype(np.uint64) << np.uint64(56)))
    state[2] = state[2] ^ np.uint64(0xFF)
    a, b, c, d = _sip_rounds(state, 4)
    return a ^ b ^ c ^ d


# FarmHash by the length of a text: its names and letters


def _fingerprints(texts: Sequence[bytes]) -> Words:
    found = _Texts(texts)
    hashes = np.empty(len(texts), np.uint64)
    lowest = 0
    for highest, function in _BY_LENGTH:
        chosen = np.flatnonzero((found.lengths >= lowest) & (found.lengths <= highest))
        if chosen.size:
            hashes[chosen] = function(found, found.starts[chosen], found.lengths[chosen])
        lowest = highest + 1
    return hashes


def _shorter_than_four(texts: _Texts, starts: Places, lengths: Places) -> Words:
    first, middle = texts.byte(starts), texts.byte(starts + lengths // 2)
    last = texts.byte(starts + np.maximum(lengths, 1) - 1)
    y = first + (middle << np.uint64(8))
    z = lengths.astype(np.uint64) + (last << np.uint64(2))
    return np.where(lengths == 0, _K2, _folded(y * _K2 ^ z * _K0) * _K2)


def _up_to_seven(texts: _Texts, starts: Places, lengths: Places) -> Words:
    a, b = texts.half_word(starts), texts.half_word(starts + lengths - 4)
    return _mixed(lengths.astype(np.uint64) + (a << np.uint64(3)), b, _factor(lengths))


def _up_to_16(texts: _Texts, starts: Places, lengths: Places) -> Words:
    factor = _factor(lengths)
    a, b = texts.word(starts) + _K2, texts.word(starts + lengths - 8)
    return _mixed(_turned(b, 37) * factor + a, (_turned(a, 25) + b) * factor, factor)


def _up_to_32(texts: _Texts, starts: Places, lengths: Places) -> Words:
    factor = _factor(lengths)
    a, b = texts.word(starts) * _K1, texts.word(starts + 8)
    c, d = texts.word(starts + lengths - 8) * factor, texts.word(starts + lengths - 16) * _K2
    return _mixed(_turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c, factor)


def _up_to_64(texts: _Texts, starts: Places, lengths: Places) -> Words:
    factor, ends = _factor(lengths), starts + lengths
    a, b = texts.word(starts) * _K2, texts.word(starts + 8)
    c, d = texts.word(ends - 8) * factor, texts.word(ends - 16) * _K2
    y = _turned(a + b, 43) + _turned(c, 30) + d
    z = _mixed(y, a + _turned(b + _K2, 18) + c, factor)
    e, f = texts.word(starts + 16) * factor, texts.word(starts + 24)
    g, h = (y + texts.word(ends - 32)) * factor, (z + texts.word(ends - 24)) * factor
    return _mixed(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, factor)


def _longer(texts: _Texts, starts: Places, lengths: Places) -> Words:
    x = np.full(len(starts), _SEED)
    y = x * _K1 + np.uint64(113)
    z = _folded(y * _K2 + np.uint64(113)) * _K2
    state = [x * _K2 + texts.word(starts), y, z, *(np.zeros(len(starts), np.uint64) for _ in range(4))]
    n_blocks = (lengths - 1) // _LONGEST_AT_ONCE
    for block in range(int(n_blocks.max())):
        chosen = np.flatnonzero(n_blocks > block)
        part = [each[chosen] for each in state]
        for whole, changed in zip(state, _block(texts, starts[chosen] + block * 64, part, _K1, 1), strict=True):
            whole[chosen] = changed
    x, y, z, v1, v2, w1, w2 = state
    factor = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    w1 = w1 + ((lengths - 1) % _LONGEST_AT_ONCE).astype(np.uint64)
    v1 = v1 + w1
    w1 = w1 + v1
    x, y, z, v1, v2, w1, w2 = _block(texts, starts + lengths - 64, [x, y, z, v1, v2, w1, w2], factor, 9)
    return _mixed(_mixed(v1, w1, factor) + _folded(y) * _K0 + z, _mixed(v2, w2, factor) + x, factor)


def _block(texts: _Texts, places: Places, state: list[Words], factor: Words | np.uint64, times: int) -> list[Words]:
    """Mix the 64 bytes from each place on into the state."""
    x, y, z, v1, v2, w1, w2 = state
    many = np.uint64(times)
    x = _turned(x + y + v1 + texts.word(places + 8), 37) * factor
    y = _turned(y + v2 + texts.word(places + 48), 42) * factor
    x = x ^ (w2 * many)
    y = y + v1 * many + texts.word(places + 40)
    z = _turned(z + w1, 33) * factor
    v1, v2 = _mixed_half(texts, places, v2 * factor, x + w1)
    w1, w2 = _mixed_half(texts, places + 32, z + w2, y + texts.word(places + 16))
    return [z, y, x, v1, v2, w1, w2]


def _mixed_half(texts: _Texts, places: Places, a: Words, b: Words) -> Mixed:
    """Mix 32 bytes into two words."""
    first, last = texts.word(places), texts.word(places + 24)
    a = a + first
    b = _turned(b + a + last, 21)
    summed = a + texts.word(places + 8) + texts.word(places + 16)
    return summed + last, b + _turned(summed, 44) + a


def _mixed(u: Words, v: Words, factor: Words) -> Words:
    a = _folded((u ^ v) * factor)
    return _folded((v ^ a) * factor) * factor


def _folded(value: Words) -> Words:
    return value ^ (value >> np.uint64(47))


def _turned(value: Words, bits: int) -> Words:
    """Rotate to the right."""
    return (value >> np.uint64(bits)) | (value << np.uint64(64 - bits))


def _factor(lengths: Places) -> Words:
    return _K2 + lengths.astype(np.uint64) * np.uint64(2)


_BY_LENGTH: tuple[tuple[int, Callable[[_Texts, Places, Places], Words]], ...] = (
    (3, _shorter_than_four),
    (7, _up_to_seven),
    (16, _up_to_16),
    (32, _up_to_32),
    (_LONGEST_AT_ONCE, _up_to_64),
    (2**63 - 1, _longer),
)

# SipHash


def _absorbed(state: list[Words], chosen: Places, words: Words) -> list[Words]:
    """Mix a word into the state of each chosen text."""
    a, b, c, d = (part[chosen] for part in state)
    a, b, c, d = _sip_rounds([a, b, c, d ^ words], 2)
    for whole, part in zip(state, (a ^ words, b, c, d), strict=True):
        whole[chosen] = part
    return state


def _sip_rounds(state: list[Words], times: int) -> list[Words]:
    a, b, c, d = state
    for _ in range(times):
        a, c = a + b, c + d
        b, d = _turned(b, 51) ^ a, _turned(d, 48) ^ c
        a = _turned(a, 32)
        a, c = a + d, c + b
        d, b = _turned(d, 43) ^ a, _turned(b, 47) ^ c
        c = _turned(c, 32)
    return [a, b, c, d]
