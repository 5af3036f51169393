"""Feature spaces from Keras's files, and in files that Keras reads."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core.utils import FeatureSpace
from golden import FOLDER

RECORDED = dict(np.load(FOLDER / "feature_space.npz"))
UNSEEN = {key.partition("/")[2]: values for key, values in RECORDED.items() if key.startswith("unseen/")}


def archive(**changes: Any) -> io.BytesIO:
    """Return Keras's file with other members; None leaves one out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(RECORDED["archive"].tobytes())) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.namelist():
            changed = next((change for key, change in changes.items() if key in member), old.read(member))
            if changed is not None:
                new.writestr(member, changed)
    made.seek(0)
    return made


def test_what_keras_has_saved_gives_keras_s_rows() -> None:
    space = cnn_core.load_model(archive())
    assert isinstance(space, FeatureSpace)
    np.testing.assert_allclose(space(UNSEEN), RECORDED["concat"], rtol=1e-6)
    assert space.get_encoded_features().shape == (None, RECORDED["concat"].shape[1])


def test_a_file_is_laid_out_as_keras_does_it(tmp_path: Path) -> None:
    space = cnn_core.load_model(archive())
    space.save(tmp_path / "space.keras", metadata={"data": "patients"})
    with zipfile.ZipFile(tmp_path / "space.keras") as ours, zipfile.ZipFile(archive()) as theirs:
        one, other = (json.loads(each.read("config.json")) for each in (ours, theirs))
    assert {key: one[key] for key in ("module", "class_name")} == {key: other[key] for key in ("module", "class_name")}
    assert one["config"].keys() == other["config"].keys()
    assert one["config"]["crosses"] == other["config"]["crosses"]
    for name, feature in one["config"]["features"].items():
        expected = other["config"]["features"][name]
        assert feature["registered_name"] == expected["registered_name"]
        assert feature["config"]["output_mode"] == expected["config"]["output_mode"]
        mine, keras = feature["config"]["preprocessor"], expected["config"]["preprocessor"]
        assert (mine["module"], mine["class_name"]) == (keras["module"], keras["class_name"])
    again = cnn_core.load_model(tmp_path / "space.keras")
    np.testing.assert_array_equal(again(UNSEEN), space(UNSEEN))
    assert again.metadata["data"] == "patients"


def without_layers() -> bytes:
    config = json.loads(zipfile.ZipFile(archive()).read("config.json"))
    del config["config"]["features"]["age"]["config"]["preprocessor"]
    return json.dumps(config).encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"string_lookup": None}, "has no vocabulary yet"),
        ({"string_lookup": b"a\nb\nc\nd"}, "must have at most `max_tokens`"),
        ({"config": without_layers()}, "'preprocessor' is missing or misplaced"),
        ({"weights": zipfile.ZipFile(archive()).read("metadata.json")}, "cannot be loaded"),
    ],
)
def test_what_is_missing_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnn_core.load_model(archive(**changes))
