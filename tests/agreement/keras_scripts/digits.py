"""The handwritten digits that the package ships, read from their file: the same rows for both libraries."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

# Found without an import of the package, which is not for Keras's runs.
PATH = Path(find_spec("cnn_core").submodule_search_locations[0]) / "datasets" / "digits.npz"


def load_digits():
    """Return images of shape (1797, 8, 8) with values 0..16, and labels."""
    with np.load(PATH) as archive:
        return archive["images"].reshape(-1, 8, 8).astype("float32"), archive["labels"].astype("int64")
