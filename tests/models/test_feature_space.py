"""Feature spaces: Keras's numbers, every way to give columns, models on top, files, and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.utils import FeatureSpace
from golden import FOLDER

RECORDED = dict(np.load(FOLDER / "feature_space.npz"))
COLUMNS = {key.partition("/")[2]: values for key, values in RECORDED.items() if key.startswith("columns/")}
UNSEEN = {key.partition("/")[2]: values for key, values in RECORDED.items() if key.startswith("unseen/")}


def space(output_mode: str = "concat", adapted: bool = True) -> FeatureSpace:
    """Return the feature space that was recorded."""
    mode = "int" if output_mode == "dict" else "one_hot"
    features = {
        "age": FeatureSpace.float_discretized(4),
        "chol": "float_normalized",
        "slope": FeatureSpace.float_rescaled(2.0, -1.0),
        "pulse": "float",
        "sex": FeatureSpace.integer_categorical(),
        "ca": FeatureSpace.integer_hashed(5, output_mode=mode),
        "thal": FeatureSpace.string_categorical(max_tokens=3, output_mode=mode),
        "city": "string_hashed",
    }
    crosses = [("sex", "age"), FeatureSpace.cross(("thal", "city"), 9, mode)]
    made = FeatureSpace(features, output_mode, crosses, crossing_dim=6, hashing_dim=7)
    if adapted:
        made.adapt(COLUMNS)
    return made


def test_rows_are_those_of_keras() -> None:
    np.testing.assert_allclose(space()(UNSEEN), RECORDED["concat"], rtol=1e-6)


def test_dicts_are_those_of_keras() -> None:
    made = space("dict")(UNSEEN)
    assert {f"dict/{name}" for name in made} == {key for key in RECORDED if key.startswith("dict/")}
    for name, values in made.items():
        np.testing.assert_allclose(values, RECORDED[f"dict/{name}"], rtol=1e-6, err_msg=name)
        assert values.shape == RECORDED[f"dict/{name}"].shape
        assert values.dtype.kind == RECORDED[f"dict/{name}"].dtype.kind


def batches() -> Iterator[dict[str, Any]]:
    for start in (0, 3, 6):
        yield {name: values[start : start + 3] for name, values in COLUMNS.items()}


def test_data_may_come_as_lists_frames_and_batches() -> None:
    pandas = pytest.importorskip("pandas")
    expected = space()(UNSEEN)
    for data in (
        {name: values.tolist() for name, values in COLUMNS.items()},
        {name: values[:, None] for name, values in COLUMNS.items()},
        pandas.DataFrame(COLUMNS),
        batches(),
    ):
        made = space(adapted=False)
        made.adapt(data)
        np.testing.assert_array_equal(made(UNSEEN), expected)
    np.testing.assert_array_equal(space()(pandas.DataFrame(UNSEEN)), expected)
    np.testing.assert_array_equal(space().predict(UNSEEN), expected)


def test_a_single_row_gives_a_single_row() -> None:
    made = space()
    row = {name: values[1].item() for name, values in UNSEEN.items()}
    np.testing.assert_array_equal(made({**row, "target": 1}), made(UNSEEN)[1])
    found = space("dict")(row)
    assert (found["age"].shape, found["thal"].shape) == ((4,), (1,))


def test_models_go_on_with_rows_or_begin_with_columns() -> None:
    made = space()
    hidden = layers.Dense(8, activation="relu")(made.get_encoded_features())
    outputs = layers.Dense(1, activation="sigmoid")(hidden)
    on_rows, on_columns = (
        cnn_core.Model(made.get_encoded_features(), outputs),
        cnn_core.Model(made.get_inputs(), outputs),
    )
    on_rows.compile(cnn_core.optimizers.Adam(0.05), "binary_crossentropy")
    target = (COLUMNS["thal"] == "normal").astype(float)
    history = on_rows.fit(made(COLUMNS), target, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]
    np.testing.assert_allclose(on_columns.predict(UNSEEN), on_rows.predict(made(UNSEEN)), rtol=1e-6)


def test_it_is_a_layer_of_models() -> None:
    made = space()
    inputs = {name: cnn_core.Input((1,), dtype=symbol.dtype) for name, symbol in made.get_inputs().items()}
    model = cnn_core.Model(inputs, layers.Dense(2)(made(inputs)))
    dense = model.layers[-1]
    expected = made(UNSEEN) @ dense.get_weights()[0] + dense.get_weights()[1]
    np.testing.assert_allclose(model.predict(UNSEEN), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["space.keras", "space.safetensors"])
@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_files_copies_and_clones_give_the_same(name: str, output_mode: str, tmp_path: Path) -> None:
    made = space(output_mode)
    made.save(tmp_path / name)
    with pytest.raises(FileExistsError):
        made.save(tmp_path / name, overwrite=False)
    clone = cnn_core.models.clone_model(made)
    clone.set_weights(made.get_weights())
    expected = made(UNSEEN)
    for other in (cnn_core.load_model(tmp_path / name), clone, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert isinstance(other, FeatureSpace)
        found = other(UNSEEN)
        assert type(found) is type(expected)
        for one, two in zip(
            *((each.values() if isinstance(each, dict) else [each]) for each in (found, expected)), strict=True
        ):
            np.testing.assert_array_equal(one, two)


def test_layers_of_ones_choice_prepare_a_column() -> None:
    rescaling = layers.Rescaling(2.0)
    known = FeatureSpace.feature("string", layers.StringLookup(vocabulary=["a", "b"], output_mode="count"), "float")
    made = FeatureSpace({"size": FeatureSpace.feature("float32", rescaling, "float"), "word": known})
    np.testing.assert_array_equal(made({"size": [1.0, 3.0], "word": ["b", "?"]}), [[2, 0, 0, 1], [6, 1, 0, 0]])
    assert made.preprocessors["size"] is rescaling


def test_what_it_has_learned_can_be_learned_again() -> None:
    made = space()
    before = made(UNSEEN)
    made.adapt({**COLUMNS, "chol": COLUMNS["chol"] + 100})
    assert (made(UNSEEN) != before).any()
    with pytest.raises(ValueError, match="must find as many values of 'sex' as before, 3"):
        made.adapt({**COLUMNS, "sex": COLUMNS["ca"]})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FeatureSpace({}), ValueError, "`features` must be a dict of columns"),
        (lambda: FeatureSpace({"a": "flaot"}), ValueError, r"`features\['a'\]` must be .* Did you mean 'float'"),
        (lambda: FeatureSpace({"a": "float"}, "rows"), ValueError, "`output_mode` must be"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), ValueError, "must name features. Received: 'b'"),
        (lambda: FeatureSpace.cross(("a",), 3), ValueError, "must be two names or more"),
        (lambda: FeatureSpace.feature("float32", 3, "float"), TypeError, "`preprocessor` must be a layer"),
        (lambda: space(adapted=False)(UNSEEN), ValueError, "must learn from data first"),
        (lambda: space(adapted=False).get_inputs(), ValueError, "has no input yet"),
        (lambda: space().adapt({"age": [1.0]}), ValueError, "`dataset` must have the column 'chol'"),
        (lambda: space().adapt(3), TypeError, "`dataset` must be a dict of columns"),
        (
            lambda: space().adapt({**COLUMNS, "chol": [np.nan]}),
            ValueError,
            "column 'chol': data has 1 value that is NaN",
        ),
        (lambda: space()([1.0]), TypeError, "takes a dict of columns"),
        (
            lambda: FeatureSpace({"a": FeatureSpace.string_hashed(3, output_mode="int")}),
            ValueError,
            "`output_mode` of 'a' must not be 'int' in a row of all columns",
        ),
        (
            lambda: FeatureSpace({"a": FeatureSpace.feature("float32", layers.Identity(), "one_hot")}),
            ValueError,
            "`output_mode` of 'a' must be 'float'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
