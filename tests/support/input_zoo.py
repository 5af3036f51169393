"""Everything that people pass as an array of two rows and three columns, and what it should be read as."""

from __future__ import annotations

import decimal
import fractions
from collections import deque

import numpy as np

EXPECTED = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], np.float32)


def fortran():
    return np.asfortranarray(EXPECTED)


def strided():
    wide = np.full((6, 4), np.nan)
    wide[::2, ::2] = EXPECTED
    return wide[::2, ::2]


def backwards():
    return EXPECTED[::-1, ::-1].copy()[::-1, ::-1]


def broadcast():
    return np.broadcast_to(EXPECTED[None], (1, 3, 2))[0]


def unaligned():
    raw = np.zeros(EXPECTED.nbytes + 1, np.uint8)
    view = raw[1:].view(np.float32).reshape(EXPECTED.shape)
    view[:] = EXPECTED
    return view


def read_only():
    x = EXPECTED.copy()
    x.flags.writeable = False
    return x


class HasArray:
    def __array__(self, dtype=None, copy=None):
        return EXPECTED.astype(dtype or "float64")


class HasInterface:
    def __init__(self):
        self._kept = EXPECTED.astype("float64")
        self.__array_interface__ = self._kept.__array_interface__


class HasDLPack:
    """What another library's CPU tensor looks like."""

    def __dlpack__(self, **options):
        return EXPECTED.__dlpack__(**options)

    def __dlpack_device__(self):
        return EXPECTED.__dlpack_device__()


READABLE = {
    "float32": lambda: EXPECTED,
    "float64": lambda: EXPECTED.astype("float64"),
    "float16": lambda: EXPECTED.astype("float16"),
    "long double": lambda: EXPECTED.astype("longdouble"),
    "big-endian": lambda: EXPECTED.astype(">f4"),
    "big-endian integers": lambda: EXPECTED.astype(">i8"),
    **{kind: (lambda kind=kind: EXPECTED.astype(kind)) for kind in np.typecodes["AllInteger"]},
    "Fortran order": fortran,
    "strides": strided,
    "negative strides": backwards,
    "broadcast": broadcast,
    "unaligned": unaligned,
    "read-only": read_only,
    "matrix subclass": lambda: EXPECTED.view(type("Sub", (np.ndarray,), {})),
    "masked, nothing masked": lambda: np.ma.masked_array(EXPECTED, np.zeros(EXPECTED.shape, bool)),
    "list": lambda: EXPECTED.tolist(),
    "tuple of lists": lambda: tuple(EXPECTED.tolist()),
    "list of arrays": lambda: list(EXPECTED),
    "list of mixed numbers": lambda: [[1, 2.0], [np.int8(3), np.float16(4)], [False, True]],
    "deque": lambda: deque(EXPECTED.tolist()),
    "memoryview": lambda: memoryview(EXPECTED),
    "objects": lambda: EXPECTED.astype(object),
    "objects of many types": lambda: np.array(
        [[1, decimal.Decimal(2)], [np.float32(3), fractions.Fraction(4)], [False, np.True_]], dtype=object
    ),
    "__array__": HasArray,
    "__array_interface__": HasInterface,
    "DLPack": HasDLPack,
}
