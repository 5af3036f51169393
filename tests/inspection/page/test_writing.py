"""The page as a file: its numbers are exactly the trace's, names stay names, and nothing else is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import picture_cases
from browsing import data_of
from cnn_core import Input, Sequential, layers
from cnn_core.inspection.page.filming import film_page

HOSTILE = "</script><img src=x onerror=alert(1)>{{script}}"


def array_of(described: Any) -> Any:
    return np.array([float(each) for each in described["data"]]).reshape(described["shape"])


@pytest.mark.parametrize("build", [picture_cases.worked, picture_cases.branches, picture_cases.large])
def test_the_numbers_are_exactly_the_traces(build: Any) -> None:
    seen = build()
    data = data_of(seen.to_html())
    assert data["loss"] == seen.loss
    for name, values in seen.inputs.items():
        (described,) = [each["values"] for each in data["inputs"] if each["name"] == name]
        np.testing.assert_array_equal(array_of(described), values)
    for layer, described in zip(seen, data["layers"], strict=True):
        for name in ("a", "slope", "da", "delta", "W", "b", "dW", "db"):
            values = getattr(layer, name)
            assert (values is None) == (described[name] is None)
            if values is not None:
                np.testing.assert_array_equal(array_of(described[name]), values)
        for back, values in zip(described["dInputs"], layer.d_inputs, strict=True):
            np.testing.assert_array_equal(array_of(back), values)
    for loss, described in zip(seen.losses, data["losses"], strict=True):
        assert (loss.name, loss.output, loss.value) == tuple(described[key] for key in ("name", "output", "value"))
        np.testing.assert_array_equal(array_of(described["target"]), loss.target)


def test_numbers_that_are_not_finite_are_valid_json() -> None:
    model = Sequential([Input((1,)), layers.Dense(1, "exponential", kernel_initializer="ones")])
    data = data_of(model.trace([[1e4], [-1e4]]).to_html())
    assert data["layers"][0]["a"]["data"] == ["Infinity", 0.0]


def test_names_and_titles_stay_text() -> None:
    page = picture_cases.worked((HOSTILE, "<!--", "output")).to_html(title=HOSTILE)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert [each["name"] for each in data_of(page)["inputs"]] == [HOSTILE]


def test_the_file_is_self_contained_and_small(tmp_path: Path) -> None:
    path = tmp_path / "step.html"
    page = picture_cases.worked().to_html(path)
    assert path.read_text(encoding="utf-8") == page
    assert not re.search(r"""(src|href)\s*=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)|fetch\(""", page)
    assert len(page.encode()) - len(json.dumps(data_of(page))) < 100_000


def test_what_is_not_finite_goes_into_a_film() -> None:
    model = Sequential([Input((1,)), layers.Dense(1, "exponential", kernel_initializer="ones"), layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = model.trace([[1.0], [2.0]], [[1.0], [1.0]])
    seen.layers[0].a[0] = np.nan
    text = film_page([seen, seen], [{}, {"loss": float("inf")}], None, "film")
    assert '"logs":{"loss":"inf"}' in text
    assert "NaN" not in re.sub(r"<script>.*", "", text, flags=re.DOTALL)
