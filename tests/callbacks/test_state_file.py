"""States of trainings in files: the same bits come back, nothing else does."""

from __future__ import annotations

import math
import operator
from pathlib import Path

import numpy as np
import pytest

import cnn_core.foundation.model_file as model_file
from cnn_core.callbacks.state_file import read_state, write_state


class TestStateFiles:
    def test_round_trip(self, tmp_path: Path):
        state = {
            "none": None, "true": True, "large": 2**127 + 1, "float": 0.1, "nan": math.nan, "text": "ä\n",
            "list": [1, [2.5, {"inner": np.arange(3, dtype=np.uint64)}]], "tuple": (1, 2), "empty": {},
            "arrays": {"strided": np.arange(6.0)[::2], "scalar": np.array(3.0), "none": np.zeros((0, 2), bool)},
            "number": np.float32(0.1),
        }  # fmt: skip
        path = tmp_path / "state"
        write_state(path, state)
        again = read_state(path)
        arrays, inner = again.pop("arrays"), again["list"][1][1]["inner"]
        for name, array in state["arrays"].items():
            np.testing.assert_array_equal(arrays[name], array, strict=True)
        np.testing.assert_array_equal(inner, np.arange(3, dtype=np.uint64), strict=True)
        assert math.isnan(again.pop("nan"))
        assert again.pop("tuple") == [1, 2]
        assert again.pop("number") == float(np.float32(0.1))
        assert operator.itemgetter("none", "true", "large", "float", "text", "empty")(again) == (
            None, True, 2**127 + 1, 0.1, "ä\n", {},
        )  # fmt: skip

    def test_errors(self, tmp_path: Path):
        with pytest.raises(TypeError, match=r"must hold numbers, strings and arrays\. Received: <object"):
            write_state(tmp_path / "a", {"x": object()})
        assert not (tmp_path / "a").exists()
        with pytest.raises(OSError, match="missing"):
            read_state(tmp_path / "missing")
        model_file.write(tmp_path / "b", {}, {})
        with pytest.raises(ValueError, match="must hold the state of a training"):
            read_state(tmp_path / "b")
