"""The logarithm of a target: its inverse, and all that predicts by it."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

from c_compiler import compile_library
from cnn_core.interop import to_c
from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.row_statistics import Moments
from cnn_core.sklearn.tabular.predictor import load_predictor
from cnn_core.sklearn.tabular.target_scale import TargetLogarithm, TargetScale, skewness

SMALL: dict[str, Any] = {"epochs": 24, "batch_size": 64, "random_state": 0, "target_transform": "log"}


def rows(seed: int, n: int = 600, sign: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose targets have a long tail above, or below."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    return x, 7 + sign * np.exp(1.5 * x[:, 0] + 0.5 * generator.normal(size=n))


@pytest.mark.parametrize("sign", [1, -1])
def test_targets_come_back_from_either_tail(sign: int):
    _, y = rows(0, sign=sign)
    logarithm = TargetLogarithm.of(y)
    assert logarithm is not None
    assert logarithm.sign == sign
    t = logarithm.logarithm(y)
    expected = sign * np.log1p(np.abs(y - (y.min() if sign == 1 else y.max())) / logarithm.unit)
    np.testing.assert_allclose(t, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(logarithm.target(t), y, rtol=1e-12)
    assert (np.diff(logarithm.target(np.sort(t))) >= 0).all()
    assert abs(skewness(t)) < 0.5 * abs(skewness(y))
    assert logarithm.prediction(np.array([-1e4, 1e4])).tolist() == [y.min(), y.max()]
    assert np.isfinite(logarithm.logarithm(np.array([-1e300, 1e300]))).all()
    assert TargetLogarithm.from_state(logarithm.state()) == logarithm


def test_half_of_the_targets_may_be_the_least():
    y = np.array([0.0] * 8 + [1.0, 100.0])
    logarithm = TargetLogarithm.of(y)
    assert logarithm is not None
    np.testing.assert_allclose(logarithm.target(logarithm.logarithm(y)), y, atol=1e-12)
    assert TargetLogarithm.of(np.ones(5)) is None


@pytest.mark.parametrize("change", [{"unit": 0.0}, {"spread": -1.0}, {"low": 9e9}, {"mean": math.inf}, {"sign": "x"}])
def test_damaged_states_are_refused(change: dict[str, Any]):
    logarithm = TargetLogarithm.of(np.array([1.0, 2.0, 9.0]))
    assert logarithm is not None
    with pytest.raises((ValueError, TypeError)):
        TargetLogarithm.from_state({**logarithm.state(), **change})


@pytest.mark.parametrize("sign", [1, -1])
def test_unbiased_predictions_have_the_mean_of_the_targets(sign: int):
    _, y = rows(0, sign=sign)
    y = y[:, None]
    logarithm = TargetLogarithm.of(y)
    assert logarithm is not None
    scale = TargetScale.fit(Moments.of(logarithm.logarithm(y)), logarithm)
    outputs = np.zeros((len(y), 1))  # of a network that knows nothing
    before, after = (each.numbers(outputs) for each in (scale, scale.unbiased(y, scale.numbers(outputs))))
    assert abs(before.mean() - y.mean()) > 0.1
    assert after.mean() == pytest.approx(y.mean())


def test_a_long_tail_is_learnt_better_and_predicted_without_bias():
    x, y = rows(0, 1500)
    x_new, y_new = rows(1, 4000)
    plain = TabularRegressor("td_s", **{**SMALL, "target_transform": None}).fit(x, y)
    learnt = TabularRegressor("td_s", **SMALL).fit(x, y)
    predicted = learnt.predict(x_new)
    assert np.abs(predicted - y_new).mean() < 0.95 * np.abs(plain.predict(x_new) - y_new).mean()
    assert predicted.mean() == pytest.approx(y_new.mean(), rel=0.1)
    assert predicted.min() >= y.min()
    assert predicted.max() <= y.max()
    ends = learnt.predict_interval(x_new, 0.9)
    assert ((ends[:, 0] <= y_new) & (y_new <= ends[:, 1])).mean() == pytest.approx(0.9, abs=0.04)
    widths = ends[:, 1] - ends[:, 0]
    assert widths[predicted > np.median(predicted)].mean() > 3 * widths[predicted < np.median(predicted)].mean()
    shares = (learnt.predict_quantiles(x_new, (0.1, 0.5, 0.9)) >= y_new[:, None]).mean(axis=0)
    assert np.abs(shares - (0.1, 0.5, 0.9)).max() < 0.09


@pytest.mark.parametrize("preset", ["td_s", "td", "tabm", "fast"])
def test_files_models_and_pickles_answer_alike(preset: str, tmp_path: Path):
    x, y = rows(0, 200)
    small = {"hidden_layer_sizes": (8,), "n_members": 2} if preset != "fast" else {}
    regressor = TabularRegressor(preset, **{**SMALL, "epochs": 4}, **small).fit(x, y)
    regressor.save(tmp_path / "model")
    for again in (TabularRegressor.load(tmp_path / "model"), load_predictor(tmp_path / "model")):
        np.testing.assert_array_equal(again.predict(x), regressor.predict(x))
        np.testing.assert_array_equal(again.predict_interval(x, 0.8), regressor.predict_interval(x, 0.8))
    np.testing.assert_array_equal(clone(regressor).fit(x, y).predict(x), regressor.predict(x))
    features = regressor.network_.inputs(regressor.preprocessor_.transform(x))
    predicted = regressor.to_model().predict(features[0] if len(features) == 1 else features, verbose=0)
    np.testing.assert_allclose(predicted[:, 0], regressor.predict(x), rtol=1e-4)


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.9)])
def test_plain_c_answers_alike(quantiles: Any, tmp_path: Path):
    x, y = rows(0, 200)
    settings = {**SMALL, "epochs": 4, "hidden_layer_sizes": (8,)}
    regressor = TabularRegressor(**settings, quantiles=quantiles).fit(x, y)
    library = compile_library([to_c(regressor, tmp_path / "table.c")[0]], tmp_path)
    expected = regressor.predict(x)[:, None] if quantiles is None else regressor.predict_quantiles(x)
    for row, wanted in zip(x[:20], expected, strict=False):
        answer = (ctypes.c_double * len(wanted))()
        assert library.table_predict((ctypes.c_double * 3)(*row), answer) == 0
        np.testing.assert_allclose(list(answer), wanted, rtol=1e-4)


@pytest.mark.doors
@pytest.mark.parametrize("quantiles", [None, (0.1, 0.9)])
def test_onnx_runtime_answers_alike(quantiles: Any):
    onnxruntime = pytest.importorskip("onnxruntime")
    x, y = rows(0, 200)
    settings = {**SMALL, "epochs": 4, "hidden_layer_sizes": (8,)}
    regressor = TabularRegressor(**settings, quantiles=quantiles).fit(x, y)
    session = onnxruntime.InferenceSession(regressor.to_onnx())
    found = dict(zip([each.name for each in session.get_outputs()], session.run(None, {"X": x}), strict=True))
    np.testing.assert_allclose(found["variable"][:, 0], regressor.predict(x), rtol=1e-4)
    if quantiles is not None:
        np.testing.assert_allclose(found["quantiles"], regressor.predict_quantiles(x), rtol=1e-4)


def test_a_named_metric_is_of_the_target_itself():
    x, y = rows(0, 400)

    def curve(metric: Any) -> np.ndarray:
        settings = {**SMALL, "eval_metric": metric, "epochs": 6}
        return np.array(TabularRegressor(**settings).fit(x, y, X_val=x, y_val=y).validation_curve_)

    np.testing.assert_allclose(curve("rmse") ** 2, 1 + curve("r2"), rtol=1e-5)
    of_callable = curve(lambda truth, found, weights: float(np.abs(found - truth).mean()))
    np.testing.assert_allclose(curve("mae"), of_callable, rtol=1e-6)


def test_what_is_refused():
    x, y = rows(0, 80)
    with pytest.raises(ValueError, match=r"`target_transform` must be .*Received: .*'sqrt'"):
        TabularRegressor(target_transform="sqrt").fit(x, y)
    with pytest.raises(ValueError, match="`target_transform='log'` needs a single target"):
        TabularRegressor(target_transform="log").fit(x, np.column_stack([y, y]))
    both = TabularRegressor(**{**SMALL, "target_transform": "auto"}).fit(x, np.column_stack([y, y]))
    assert both.predictor_.scale.logarithm is None
    assert TabularRegressor(**SMALL).fit(x, np.ones(80)).predict(x) == pytest.approx(np.ones(80))
