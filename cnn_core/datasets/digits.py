"""Handwritten digits, 8 x 8 pixels each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Part = tuple[NDArray[np.uint8], NDArray[np.int64]]
# Every fifth image of a class is held out: 20 %, the same proportion in every class.
_HELD_OUT_STRIDE = 5


def load_digits() -> tuple[Part, Part]:
    """Load the 1,797 handwritten digits of the UCI repository, divided into a training and a test part.

    The division is fixed. Within each class, in the order of the original file, the 5th, 10th, 15th, ... image belongs
    to the test part and the others to the training part. The 13 people who wrote the digits therefore appear in both
    parts: the score on the test part tells how well new digits of known hands are read.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuple of tuples of ndarray
        Images ``x`` of shape (1442, 8, 8) and (355, 8, 8), dtype uint8, from 0 (paper) to 16 (ink); labels ``y`` of
        shape (1442,) and (355,), dtype int64, the digit 0 to 9. New arrays at every call.

    References
    ----------
    E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository.
    https://doi.org/10.24432/C50P49. Licence: CC BY 4.0; see ``cnn_core/datasets/digits.txt``.

    Examples
    --------
    >>> from cnn_core.datasets import load_digits
    >>> (x_train, y_train), (x_test, y_test) = load_digits()
    >>> x_train.shape, x_test.shape
    ((1442, 8, 8), (355, 8, 8))
    >>> int(y_test[0]), int(x_test.max())
    (5, 16)
    """
    from importlib.resources import files  # slow to import, and this is the only use

    with (
        files("cnn_core.datasets").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as data,
    ):
        images: NDArray[np.uint8] = data["images"]
        labels: NDArray[np.int64] = data["labels"].astype(np.int64)
    held_out = _held_out(labels)
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def _held_out(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the last of every five occurrences of each label."""
    marks = np.zeros(labels.shape, dtype=bool)
    for label in np.unique(labels):
        marks[np.flatnonzero(labels == label)[_HELD_OUT_STRIDE - 1 :: _HELD_OUT_STRIDE]] = True
    return marks
