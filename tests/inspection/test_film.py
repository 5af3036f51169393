"""Training as a film: the same training as without a camera, a trace for every epoch, a page of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import picture_cases
from cnn_core import Input, Model, inspection, layers


def test_the_camera_changes_nothing() -> None:
    model, x, y = picture_cases.two_inputs()
    history = model.fit(x, y, epochs=4, verbose=0)
    seen = picture_cases.film()
    assert [log["loss"] for log in seen.logs[1:]] == history.history["loss"]
    assert [log["accuracy"] for log in seen.logs[1:]] == history.history["accuracy"]
    for layer, trace in zip(model.layers, seen.traces[-1].layers, strict=True):
        np.testing.assert_array_equal(layer.get_weights()[0], trace.W)


def test_every_epoch_is_a_trace_of_the_same_samples() -> None:
    seen = picture_cases.film()
    _, x, _ = picture_cases.two_inputs()
    assert len(seen.traces) == len(seen.logs) == 5
    assert seen.logs[0] == {}
    for trace in seen.traces:
        np.testing.assert_array_equal(trace.inputs["x"], x[:30].astype("float32"))
    assert seen.losses == [trace.loss for trace in seen.traces]
    assert seen.losses[-1] < seen.losses[0]


def test_two_inputs_have_a_picture_of_predictions() -> None:
    model, x, y = picture_cases.two_inputs()
    seen = inspection.film(model, x, y, epochs=2, samples=30)
    surfaces = seen.surfaces
    assert [len(each) for each in surfaces.predictions] == [1600] * 3
    (x0, x1), (y0, y1) = surfaces.limits
    assert (x0 < x[:30, 0].min(), x1 > x[:30, 0].max()) == (True, True)
    corners = model.predict([[x0, y0], [x1, y0], [x0, y1]], verbose=0).ravel()
    np.testing.assert_allclose(surfaces.predictions[-1][[0, 39, 1560]], corners, rtol=1e-5)
    np.testing.assert_array_equal(surfaces.values, y[:30, 0])


def test_further_arguments_reach_fit() -> None:
    model, x, y = picture_cases.two_inputs()
    ended = []
    callback = cnn_core.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(epoch))
    stops = cnn_core.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    seen = inspection.film(model, x, y, epochs=9, validation_split=0.5, callbacks=[callback, stops])
    assert ended == [0, 1]
    assert len(seen.traces) == 3
    assert "val_loss" in seen.logs[1]
    with pytest.raises(TypeError, match="epoch"):
        inspection.film(model, x, y, epoch=3)
    with pytest.raises(ValueError, match="`samples` must be a positive integer"):
        inspection.film(model, x, y, samples=0)


def test_several_inputs_and_outputs_and_labels() -> None:
    first, second = Input((2,), name="first"), Input((3,), name="second")
    joined = layers.Concatenate()([first, second])
    model = Model(
        [first, second], [layers.Dense(1, name="number")(joined), layers.Dense(3, "softmax", name="kind")(joined)]
    )
    model.compile("sgd", {"number": "mse", "kind": "sparse_categorical_crossentropy"})
    generator = np.random.default_rng(0)
    x = {"first": generator.normal(size=(8, 2)), "second": generator.normal(size=(8, 3))}
    y = {"number": generator.normal(size=(8, 1)), "kind": generator.integers(0, 3, 8)}
    seen = inspection.film(model, x, y, epochs=1, samples=4)
    assert seen.surfaces is None
    assert len(seen.traces[0].inputs["first"]) == 4
    assert "<!doctype html>" in seen.to_html()


def test_the_page_is_written_and_shown(tmp_path: Path) -> None:
    seen = picture_cases.film()
    path = tmp_path / "film.html"
    page = seen.to_html(path, title="<training>")
    assert path.read_text(encoding="utf-8") == page
    assert "<title>&lt;training&gt;</title>" in page
    assert "<polyline" in seen._repr_html_()


def test_lists_of_numbers_are_data(capsys: Any) -> None:
    model, _, _ = picture_cases.two_inputs()
    seen = inspection.film(model, [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]], epochs=1)
    assert len(seen.traces[0].inputs["x"]) == 4
    assert capsys.readouterr().out == ""
