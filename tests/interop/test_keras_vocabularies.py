"""Vocabularies in files of Keras, which stand beside the configuration."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cnn_core
from golden import FOLDER


def test_a_file_of_keras_brings_its_vocabularies(tmp_path: Path) -> None:
    recorded = np.load(FOLDER / "lookups_model.npz")
    x, path = [recorded["words"], recorded["number"]], tmp_path / "model.keras"
    path.write_bytes(recorded["archive"].tobytes())
    model = cnn_core.load_model(path)
    np.testing.assert_allclose(model.predict(x), recorded["y"], rtol=1e-6, atol=1e-7)
    model.save(tmp_path / "again.keras")
    np.testing.assert_array_equal(cnn_core.load_model(tmp_path / "again.keras").predict(x), model.predict(x))


def changed(archive: bytes, name: str, content: bytes) -> io.BytesIO:
    """Return an archive with other content of a member."""
    assert name in zipfile.ZipFile(io.BytesIO(archive)).namelist()
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    made.seek(0)
    return made


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "assets/layers/integer_lookup/vocabulary.txt",
            b"-1\nseven",
            "must hold nothing else",
        ),
        ("assets/layers/string_lookup_1/vocabulary.txt", b"a\nb\nb", "must hold every token once"),
        ("assets/layers/string_lookup_1/vocabulary.txt", b"\xff", "its archive is damaged"),
    ],
)
def test_a_damaged_vocabulary_is_refused(name: str, content: bytes, message: str) -> None:
    archive = np.load(FOLDER / "lookups_model.npz")["archive"].tobytes()
    with pytest.raises(ValueError, match=message):
        cnn_core.load_model(changed(archive, name, content))
