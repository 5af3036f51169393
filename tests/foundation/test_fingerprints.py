"""Fingerprints against published values; against TensorFlow's in tests/agreement/test_golden_lookups.py."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.foundation.fingerprints import fingerprints, joined_fingerprints, keyed_fingerprints

# Some of the values that the authors of SipHash give for the bytes 0, 1, 2, ... and the key 0, 1, ..., 15.
SIP_KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
SIP_HASHES = {
    0: 0x726FDB47DD0E0E31,
    1: 0x74F839C593DC67FD,
    7: 0xAB0200F58B01D137,
    8: 0x93F5F5799A932462,
    15: 0xA129CA6149BE45E5,
    16: 0x3F2ACC7F57C29BDB,
    63: 0x958A324CEB064572,
}


def test_keyed_fingerprints_are_those_of_the_authors() -> None:
    texts = [bytes(range(length)) for length in SIP_HASHES]
    assert keyed_fingerprints(texts, SIP_KEY).tolist() == list(SIP_HASHES.values())


@pytest.mark.parametrize("function", [fingerprints, lambda texts: keyed_fingerprints(texts, (1, 2))])
def test_a_text_has_the_same_fingerprint_whatever_stands_beside_it(function: object) -> None:
    texts = [b"x" * length for length in (0, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 1000)]
    together = function(texts)  # type: ignore[operator]
    assert [function([text])[0] for text in texts] == together.tolist()  # type: ignore[operator]
    assert len(set(together.tolist())) == len(texts)
    assert function([]).shape == (0,)  # type: ignore[operator]


def test_every_byte_counts() -> None:
    for length in (1, 3, 5, 7, 12, 20, 40, 64, 65, 100, 130):
        texts = [bytes(int(place == other) for place in range(length)) for other in range(length)]
        assert len(set(fingerprints(texts).tolist())) == length
        assert len(set(keyed_fingerprints(texts, SIP_KEY).tolist())) == length


def test_joining_has_an_order_and_needs_no_overflow() -> None:
    words = np.array([0, 1, 2**64 - 1], np.uint64)
    assert (joined_fingerprints(words, words[::-1]) != joined_fingerprints(words[::-1], words)).sum() == 2
