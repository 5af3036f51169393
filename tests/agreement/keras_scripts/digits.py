"""The handwritten digits that the package ships, read from their file: the same rows for both libraries."""

from pathlib import Path

import numpy as np

PATH = Path(__file__).parents[3] / "cnn_core" / "datasets" / "digits.npz"


def load_digits():
    """Return images of shape (1797, 8, 8) with values 0..16, and labels."""
    with np.load(PATH) as archive:
        return archive["images"].reshape(-1, 8, 8).astype("float32"), archive["labels"].astype("int64")
