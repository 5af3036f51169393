"""Record what Keras's optimizers make of gradients that are given to `apply`.

Run by hand, in an environment of its own; the test only reads what it writes:

    pip install torch==2.13.0 keras==3.15.1
    KERAS_BACKEND=torch python tests/agreement/golden/record_applied.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras

from applied_cases import CASES
from golden import save
from golden.record_keras import SOURCE, each_dtype


def main() -> None:
    """Write applied.npz."""
    arrays = {}
    for dtype in each_dtype():
        for case in CASES:
            variables, state = case.run(keras, dtype)
            arrays[f"{case.name}/{dtype}/variables"] = variables.astype(dtype)
            arrays[f"{case.name}/{dtype}/state"] = state.astype(dtype)
    save("applied", SOURCE, [{"name": case.name} for case in CASES], arrays)


if __name__ == "__main__":
    main()
