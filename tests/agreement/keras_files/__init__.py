"""Files that Keras wrote, and what its models computed: see the script that recorded them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
MAJORS = (2, 3)  # versions of Keras
STEPS = 10  # of training between what was computed before and after


@cache
def recorded(major: int) -> dict[str, Any]:
    """Return the arrays that `record_keras_files` wrote with a version of Keras."""
    with np.load(FOLDER / f"keras_{major}.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def cases(*endings: str) -> list[tuple[int, str]]:
    """List version and name of all cases, or of those whose names end so."""
    names = [(major, name) for major in MAJORS for name in json.loads(str(recorded(major)["manifest"]))["cases"]]
    return [(major, name) for major, name in names if not endings or name.endswith(endings)]


def file_of(major: int, name: str) -> bytes:
    return bytes(recorded(major)[f"{name}/file"])
