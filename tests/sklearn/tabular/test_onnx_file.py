"""Against ONNX Runtime: raw rows give what the estimator itself gives."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cnn_core import Input, Sequential, interop, layers, load_predictor
from cnn_core.interop.onnx_format import decode, encode
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular import blend_training
from cnn_core.sklearn.tabular.portfolios import PORTFOLIOS
from random_tables import onnx_rows, random_columns, random_table

PRESETS = ["td_s", "td", "periodic", "piecewise_linear"]
TOLERANCE = 1e-5  # of a network in float32, whose sums have another order there
SMALL: dict[str, Any] = {"epochs": 3, "hidden_layer_sizes": (6,), "random_state": 0}


def run(data: bytes, table: Any) -> dict[str, Any]:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    session = onnxruntime.InferenceSession(data)
    rows = onnx_rows(table, {each.name: each.type for each in session.get_inputs()})
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, rows), strict=True))


def check_classes(estimator: Any, table: Any, names: tuple[str, str] = ("label", "probabilities")) -> None:
    found, expected = run(estimator.to_onnx(), table), estimator.predict_proba(table)
    np.testing.assert_allclose(found[names[1]], expected, atol=TOLERANCE)
    ordered = np.sort(expected, axis=1)
    sure = ordered[:, -1] - ordered[:, 0] > 2 * TOLERANCE if expected.shape[1] > 1 else np.ones(len(table), bool)
    assert np.array_equal(found[names[0]][sure], estimator.predict(table)[sure])


def check_numbers(estimator: Any, table: Any, spread: float) -> None:
    found, expected = run(estimator.to_onnx(), table), estimator.predict(table)
    np.testing.assert_allclose(found["variable"], expected.reshape(len(table), -1), rtol=0, atol=TOLERANCE * spread)
    if estimator.quantiles is not None:
        quantiles = estimator.predict_quantiles(table)
        np.testing.assert_allclose(found["quantiles"], quantiles, rtol=0, atol=TOLERANCE * spread)


def settings(draw: np.random.Generator, table: pd.DataFrame) -> dict[str, Any]:
    chosen = [name for name in table if name not in ("size", "price", "same", "built", "nothing")]
    return {
        **SMALL,
        "preset": str(draw.choice(PRESETS)),
        "n_members": int(draw.integers(1, 4)),
        "categorical_features": chosen if chosen and draw.random() < 0.5 else "from_dtype",
    }


@pytest.mark.doors
@pytest.mark.parametrize("seed", range(40))
def test_random_tables(seed: int):
    draw = np.random.default_rng(1000 + seed)
    table, other = (random_columns(random_table(number), seed) for number in (seed, seed + 500))
    own, n = settings(draw, table), len(table)
    if seed % 3 == 0:
        y = draw.choice(["a", "b", "c"] if seed % 2 else [3, 7], n)  # type: ignore[arg-type]
        check_classes(TabularClassifier(**own).fit(table, y), other)
        return
    y = 1e6 + 1e3 * draw.normal(size=(n, 2) if seed % 3 == 1 and seed % 2 else n)
    quantiles = (0.1, 0.9) if seed % 3 == 2 else None
    check_numbers(TabularRegressor(quantiles=quantiles, **own).fit(table, y), other, 1e3)


@pytest.mark.doors
@pytest.mark.parametrize("preset", ["fast", "best"])
def test_blends_of_all_their_recipes(preset: str, monkeypatch: pytest.MonkeyPatch):
    def evenly(predictions: Any, score: Any) -> np.ndarray:
        return np.full(len(predictions), 1 / len(predictions))

    monkeypatch.setattr(blend_training, "greedy_weights", evenly)
    table, other = random_table(1), random_table(2)
    own: dict[str, Any] = {"preset": preset, "epochs": 3, "random_state": 0}
    classifier = TabularClassifier(**own).fit(table, ["a", "b", "c"] * 30)
    names = {part.name for part in classifier.predictor_.network.parts}
    assert names == {each.name for each in PORTFOLIOS[preset].variants}
    check_classes(classifier, other)
    y = np.random.default_rng(0).normal(1e4, 10, 90)
    check_numbers(TabularRegressor(**own).fit(table, y), other, 10)
    check_numbers(TabularRegressor(**own, quantiles=(0.1, 0.9)).fit(table, y), other, 10)


@pytest.mark.doors
@pytest.mark.parametrize("classes", [["a", "b"], [3, -7], [True, False], [1.0, 2.0], ["2026-01-31", "2026-02-01"]])
def test_arrays_without_names_and_types_of_classes(classes: list[Any]):
    x = np.random.default_rng(0).normal(size=(80, 3))
    x[::9, 1] = np.nan
    y = np.array(classes)[(x[:, 0] > 0).astype(int)]
    estimator = TabularClassifier(**SMALL).fit(x, y)
    check_classes(estimator, x)
    found = decode(memoryview(interop.to_onnx(estimator)))
    assert [each["name"] for each in found["graph"]["input"]] == ["X"]
    metadata = {each["key"]: each["value"] for each in found["metadata_props"]}
    assert json.loads(metadata["classes"]) == sorted(classes)


@pytest.mark.doors
def test_columns_with_the_names_of_outputs_and_one_class():
    table = pd.DataFrame({"label": [1.0, 2.0, 3.0] * 20, "variable": ["a", "b", "c"] * 20})
    check_classes(
        TabularClassifier(**SMALL).fit(table, ["no", "yes", "no"] * 20), table, ("output_label", "probabilities")
    )
    check_classes(TabularClassifier(**SMALL).fit(table, ["only"] * 60), table, ("output_label", "probabilities"))


@pytest.mark.doors
def test_unknown_texts_and_numbers_are_missing_ones():
    table = pd.DataFrame({"city": ["Bonn", "Rome", "Oslo"] * 20, "grade": [1, 2, 4] * 20, "x": np.arange(60.0)})
    estimator = TabularRegressor(categorical_features=["city", "grade"], **SMALL).fit(table, np.arange(60.0))
    other = pd.DataFrame({"city": ["Paris", None, "Rome"], "grade": [3, np.nan, 4], "x": [np.nan, 1e300, -5.0]})
    check_numbers(estimator, other, 20.0)


def names_made(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Check that every name is made once, and before it is read; return the graph and the operators."""
    graph = decode(memoryview(data))["graph"]
    known = [each["name"] for each in (*graph["input"], *graph["initializer"])]
    for node in graph["node"]:
        assert set(node["input"]) <= set(known)
        known += node["output"]
    assert len(known) == len(set(known))
    assert {each["name"] for each in graph["output"]} <= set(known)
    return graph, [node["op_type"] for node in graph["node"]]


def test_a_file_says_what_its_columns_are(tmp_path: Any):
    table = random_table(0)
    chosen = ["grade", "code", "level"]
    estimator = TabularClassifier(
        categorical_features=[*chosen, "city", "open", "new", "sold", "street", "class"], **SMALL
    ).fit(table, ["a", "b"] * 45)
    data = estimator.to_onnx(tmp_path / "table.onnx")
    assert (tmp_path / "table.onnx").read_bytes() == data
    graph, operators = names_made(data)
    inputs = {each["name"]: each for each in graph["input"]}
    assert list(inputs) == [name for name in table if name != "nothing"]
    texts = {name for name, each in inputs.items() if each["type"]["tensor_type"]["elem_type"] == 8}
    assert texts == {"city", "open", "code", "street"}
    assert inputs["day"]["doc_string"] == "seconds since 1970-01-01 in UTC, NaN if missing"
    assert [each["name"] for each in graph["output"]] == ["label", "probabilities"]
    assert operators.count("LabelEncoder") == 4
    assert decode(memoryview(data))["opset_import"] == [
        {"domain": "", "version": 17},
        {"domain": "ai.onnx.ml", "version": 2},
    ]


@pytest.mark.parametrize("preset", [*PRESETS, "best"])
@pytest.mark.parametrize("task", ["classes", "numbers", "quantiles"])
def test_files_come_back_to_the_last_bit(preset: str, task: str, tmp_path: Any):
    table, path = random_table(1), tmp_path / "table.onnx"
    y = ["a", "b", "a"] * 30 if task == "classes" else np.arange(90.0)
    extra = {"quantiles": (0.1, 0.9)} if task == "quantiles" else {}
    kind = TabularClassifier if task == "classes" else TabularRegressor
    own = {**SMALL, "n_members": 2} if preset in PRESETS else {"epochs": 3, "random_state": 0}
    estimator = kind(preset=preset, **own, **extra).fit(table, y)
    estimator.to_onnx(path)
    other = random_table(2)
    again = kind.load(path)
    assert again.get_params() == {**estimator.get_params()}
    for reader in (again, load_predictor(path)):
        assert np.array_equal(reader.predict(other), estimator.predict(other))
        if task == "quantiles":
            assert np.array_equal(reader.predict_quantiles(other), estimator.predict_quantiles(other))


def test_files_of_others_and_changed_ones_are_refused(tmp_path: Any):
    path = tmp_path / "table.onnx"
    estimator = TabularClassifier(**SMALL).fit([[1.0], [2.0]] * 30, ["a", "b"] * 30)
    found = decode(memoryview(estimator.to_onnx()))
    found["graph"]["node"][-1]["op_type"] = "Neg"
    path.write_bytes(encode(found))
    with pytest.raises(ValueError, match=r"table\.onnx.* its graph was changed after it had been written"):
        TabularClassifier.load(path)
    found = decode(memoryview(estimator.to_onnx()))
    weight = next(each for each in found["graph"]["initializer"] if each["name"].endswith("dense_0/kernel"))
    weight["name"] = "member_0/dense_9/kernel"
    path.write_bytes(encode(found))
    with pytest.raises(ValueError, match=r"table\.onnx.* 'member_0/dense_0/kernel' is missing"):
        load_predictor(path)
    with pytest.raises(ValueError, match=r"it holds an estimator for tables: `cnn_core\.load_predictor`"):
        interop.from_onnx(path)
    model = Sequential([Input((2,)), layers.Dense(1)])
    interop.to_onnx(model, path)
    with pytest.raises(ValueError, match=r"table\.onnx.* it holds no tabular estimator"):
        load_predictor(path)


def test_cut_and_flipped_files_are_refused_cleanly(tmp_path: Any):
    path, draw = tmp_path / "table.onnx", np.random.default_rng(0)
    data = TabularClassifier(**SMALL).fit([[1.0, "x"], [2.0, "y"]] * 30, ["a", "b"] * 30).to_onnx()
    for end in range(64, len(data), 64):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"table\.onnx"):
            load_predictor(path)
    for _ in range(100):
        flipped = bytearray(data)
        flipped[draw.integers(3, len(data))] ^= 1 << int(draw.integers(8))
        path.write_bytes(bytes(flipped))
        with contextlib.suppress(ValueError):
            load_predictor(path)


def test_what_cannot_go_out_is_named():
    numbers = [2**60, 2**60 + 1] * 30
    table = pd.DataFrame({"id": numbers, "x": np.arange(60.0)})
    estimator = TabularRegressor(categorical_features=["id"], **SMALL).fit(table, np.arange(60.0))
    with pytest.raises(ValueError, match="Column 'id' cannot be carried to ONNX: some of its categories are the same"):
        estimator.to_onnx()
    renamed = TabularRegressor(**SMALL).fit(table.rename(columns={"x": ""}), np.arange(60.0))
    with pytest.raises(ValueError, match="Every column must have a name"):
        renamed.to_onnx()
    both = TabularRegressor(**SMALL).fit(table.set_axis(["variable", "output_variable"], axis=1), np.arange(60.0))
    with pytest.raises(ValueError, match=r"must not have the names of outputs\. Received: 'output_variable'"):
        both.to_onnx()
    empty = TabularRegressor(**SMALL).fit(pd.DataFrame({"x": [None] * 60}), np.arange(60.0))
    with pytest.raises(ValueError, match="At least one column must have held something"):
        empty.to_onnx()


def test_a_file_of_before_has_texts_as_categories():
    estimator = TabularClassifier(categorical_features=[0], **SMALL).fit([[1.0], [2.0]] * 30, ["a", "b"] * 30)
    settings = estimator.preprocessor_.encoders[0].settings()  # type: ignore[union-attr]
    assert settings == {"levels": ["1", "2"], "numeric": True}
    del settings["numeric"]
    assert not type(estimator.preprocessor_.encoders[0])(settings).numeric  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_a_served_predictor_writes_what_the_estimator_does(kind: Any, tmp_path: Any):
    table = random_table(1)
    y = np.arange(len(table)) % 2
    estimator = kind(**SMALL).fit(table, y)
    estimator.save(tmp_path / "table.safetensors")
    data = interop.to_onnx(load_predictor(tmp_path / "table.safetensors"), tmp_path / "table.onnx")
    assert names_made(data) == names_made(estimator.to_onnx())
    again = load_predictor(tmp_path / "table.onnx")
    np.testing.assert_array_equal(again.predict(table), estimator.predict(table))
