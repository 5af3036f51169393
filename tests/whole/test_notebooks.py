"""What objects show at the end of a notebook's cell; what has nothing to show yet shows its text."""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import cnn_core
import picture_cases
from cnn_core import Input, Model, Sequential, layers

HOSTILE = "<script>alert(1)</script>"


def shown(each: Any) -> str:
    """Return what a notebook shows, checked: elements that close, nothing that runs or loads."""
    text: str = each._repr_html_()
    root = ElementTree.fromstring(f"<div>{text}</div>".replace(" open>", ">"))
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert not re.search(r'(href|src)="(?!data:)', text)
    return text


def test_a_model_shows_its_table_and_diagram() -> None:
    text = shown(picture_cases.worked_model())
    for said in ("hidden (Dense)", "(None, 4)", "<svg", "Total params: 26", "name: output"):
        assert said in text


def test_a_network_with_branches_shows_its_connections() -> None:
    x = Input((3,), name="x")
    model = Model(x, layers.Add(name="sum")([layers.Dense(2, name="left")(x), layers.Dense(2, name="right")(x)]))
    assert "left[0][0], right[0][0]" in shown(model)


def test_an_unbuilt_model_shows_its_layers_and_an_empty_one_its_text() -> None:
    assert "Dense" in shown(Sequential([layers.Dense(3)]))
    assert Sequential()._repr_html_() is None


def test_a_model_with_a_call_of_its_own() -> None:
    class Own(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2, name="own_dense")

        def call(self, x: Any) -> Any:
            return self.dense(x) * 2.0

    model = Own()
    assert "own_dense" in shown(model)
    model.predict(np.ones((1, 3)), verbose=0)
    assert "own_dense" in shown(model)


def test_a_trace_shows_the_network_and_a_line_for_each_layer() -> None:
    text = shown(picture_cases.worked())
    assert "J = 0.234375" in text
    assert "−0.0703 … 0.0234" in text  # delta of the output
    assert picture_cases.worked_model().trace(picture_cases.X)._repr_html_()


def test_a_history_shows_curves_once_there_is_an_epoch() -> None:
    assert cnn_core.callbacks.History()._repr_html_() is None
    model = picture_cases.worked_model()
    history = model.fit(picture_cases.X, picture_cases.Y, epochs=3, verbose=0)
    assert "<polyline" in shown(history)
    validated = model.fit(
        picture_cases.X, picture_cases.Y, validation_data=(picture_cases.X, picture_cases.Y), epochs=4,
        validation_freq=2, verbose=0,
    )  # fmt: skip
    assert "validation" in shown(validated)


def test_predictors_plans_and_the_configuration() -> None:
    model = picture_cases.worked_model()
    assert "(3,) of float64" in shown(model.predictor())
    assert repr(model.predictor()) == "<Predictor: (3,) of float64 -> (2,) of float64>"
    assert "dense + sigmoid" in shown(model.plan())
    assert str(model.plan()).splitlines()[0] == "hidden: dense + sigmoid(#0 (3,), (3, 4), (4,)) -> #1 (4,)"
    assert cnn_core.__version__ in shown(cnn_core.config)


def test_a_gradient_check_shows_its_errors() -> None:
    check = cnn_core.inspection.gradient_check(picture_cases.worked_model(), picture_cases.X, picture_cases.Y)
    for said in ("passed (tolerance 1e-05)", "hidden/kernel", f"{check.relative_errors['output/bias']:.2e}"):
        assert said in shown(check)


def test_names_are_text() -> None:
    model = picture_cases.worked_model((HOSTILE, HOSTILE + "1", HOSTILE + "2"))
    seen = model.trace(picture_cases.X, picture_cases.Y)
    for each in (model, seen, model.plan()):
        assert html.escape(HOSTILE + "1") in shown(each)


def test_estimators_keep_the_diagram_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import MLPClassifier, TabularClassifier

    for estimator in (MLPClassifier(), TabularClassifier()):
        assert "sk-container" in estimator._repr_html_()


def test_a_tabular_predictor_shows_its_columns() -> None:
    pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    from cnn_core.sklearn import TabularRegressor

    frame = pandas.DataFrame({"age": [20.0, 30.0, 40.0] * 4, "<city>": ["a", "b", "c"] * 4})
    estimator = TabularRegressor(epochs=1, random_state=0).fit(frame, np.arange(12.0))
    text = shown(estimator.predictor_)
    assert "age" in text
    assert "&lt;city&gt;" in text


def test_a_notebook_asks_for_html_and_falls_back_to_text() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    formatter = formatters.DisplayFormatter()
    data, _ = formatter.format(picture_cases.worked())
    assert {"text/plain", "text/html"} <= set(data)
    data, _ = formatter.format(cnn_core.callbacks.History())
    assert "text/html" not in data
