"""The estimators over dask collections, on a real cluster of processes.

What training in parts learns is tested without a cluster, in `tests/sklearn/`. Here it is whether a cluster computes
the same bits, wherever its tasks run, and whatever dies.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask.array", reason="dask is not installed")
pytest.importorskip("distributed", reason="dask's scheduler is not installed")
pytest.importorskip("pandas")
pytest.importorskip("pyarrow", reason="dask's frames need it")

import dask.array as da
import dask.dataframe as dd
import distributed
import joblib
import pandas as pd
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV

import cnn_core.sklearn
import cnn_core.sklearn.perceptron.parts as perceptron_parts
import cnn_core.sklearn.tabular.parts as tabular_parts
from cnn_core.callbacks import Callback
from cnn_core.dask import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from parts_in_memory import PartsInMemory

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 800
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(N, 4))
Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
LABELS = np.where(Y > 0.5, "high", np.where(Y < -0.5, "low", "middle"))
CHUNKS = (300, 1, 0, 199, 300)
CUTS = np.cumsum(CHUNKS)[:-1]
PERCEPTRON: dict[str, Any] = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 3, "random_state": 0}
TABULAR: dict[str, Any] = {"hidden_layer_sizes": (16,), "epochs": 3, "batch_size": 32, "random_state": 0}
OWN = {"n_chains": 2, "sync_every": 5}


def frame() -> Any:
    texts = np.where(X[:, 3] > 0, "x", "y")
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "text": texts, "c": X[:, 2]}, index=pd.RangeIndex(7, N + 7))


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster) as client:
        yield client


def array(rows: np.ndarray, chunks: tuple[int, ...] = CHUNKS) -> Any:
    return da.from_array(rows, chunks=(chunks, *rows.shape[1:]))


def of_frame(rows: Any) -> Any:
    return dd.from_pandas(rows, npartitions=4, sort=False)


def split(rows: Any) -> list[Any]:
    return [rows[start:end] for start, end in zip([0, *CUTS], [*CUTS, N], strict=True)]


def same_bits(one: Any, other: Any) -> bool:
    ours, theirs = ([*each.coefs_] if hasattr(each, "coefs_") else [each.network_.values] for each in (one, other))
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def in_memory(local: Any, fit_parts: Any, *columns: Any) -> Any:
    parts = PartsInMemory(list(zip(*map(split, columns), strict=True)), OWN["n_chains"])
    fit_parts(local, parts, *columns[:2], None, OWN["sync_every"])
    return local


def test_perceptrons_have_the_bits_of_rows_in_memory(client: Any):
    weights = GENERATOR.uniform(0.5, 2, N)
    cases: list[tuple[Any, Any, tuple[Any, ...], dict[str, Any]]] = [
        (MLPRegressor, cnn_core.sklearn.MLPRegressor, (Y,), {"early_stopping": True, "dropout": 0.1}),
        (MLPClassifier, cnn_core.sklearn.MLPClassifier, (LABELS, weights), {"class_weight": "balanced"}),
    ]
    for kind, local, columns, more in cases:
        expected = in_memory(local(**PERCEPTRON, **more), perceptron_parts.fit_parts, X, *columns)
        found = kind(**PERCEPTRON, **more, **OWN).fit(array(X), *map(array, columns))
        assert same_bits(found, expected)
        assert found.loss_curve_ == expected.loss_curve_
        assert found.validation_scores_ == expected.validation_scores_


def test_tabular_estimators_have_the_bits_of_rows_in_memory(client: Any):
    table = frame()
    cuts = [len(part) for part in of_frame(table).partitions]
    for kind, local, y in (
        (TabularRegressor, cnn_core.sklearn.TabularRegressor("td", **TABULAR), pd.Series(Y, table.index)),
        (TabularClassifier, cnn_core.sklearn.TabularClassifier("td", **TABULAR), pd.Series(LABELS, table.index)),
    ):
        bounds = np.cumsum([0, *cuts])
        rows = [(table[i:j], y[i:j]) for i, j in itertools.pairwise(bounds)]
        tabular_parts.fit_parts(local, PartsInMemory(rows, 2), table, y, None, 5)
        found = kind("td", **TABULAR, **OWN).fit(of_frame(table), of_frame(y))
        assert same_bits(found, local)
        assert found.validation_curve_ == local.validation_curve_
        assert found.feature_names_in_.tolist() == ["a", "b", "text", "c"]


def test_partitions_that_are_read_again_have_the_same_bits(client: Any):
    regressor = TabularRegressor(**TABULAR, n_chains=2)
    kept = clone(regressor).fit(array(X).persist(), array(Y).persist())
    reread = clone(regressor).set_params(persist=False).fit(array(X), array(Y))
    assert reread.n_iter_ == kept.n_iter_
    assert reread.score(array(X), array(Y)) == pytest.approx(kept.score(array(X), array(Y)), abs=0.3)
    again = clone(reread).fit(array(X), array(Y))
    assert same_bits(again, reread)


def test_predictions_are_lazy_and_those_of_the_local_estimator(client: Any):
    classifier = MLPClassifier(**PERCEPTRON).fit(array(X), array(LABELS))
    local = classifier.to_local()
    assert type(local) is cnn_core.sklearn.MLPClassifier
    assert local is not classifier.local_
    probabilities, labels = classifier.predict_proba(array(X)), classifier.predict(array(X))
    assert isinstance(probabilities, da.Array)
    assert probabilities.shape == (N, 3)
    assert labels.chunks == (CHUNKS,)
    assert labels.dtype == local.classes_.dtype
    parts = [part for part in split(X) if len(part)]
    np.testing.assert_array_equal(
        probabilities.compute(), np.concatenate([local.predict_proba(part) for part in parts])
    )
    np.testing.assert_array_equal(labels.compute(), np.concatenate([local.predict(part) for part in parts]))
    unknown = array(X)[array(Y) > 0]
    assert len(classifier.predict(unknown).compute()) == (Y > 0).sum()
    assert classifier.score(array(X), array(LABELS)) == pytest.approx(local.score(X, LABELS))


def test_predictions_for_frames_have_their_index(client: Any):
    table, y = frame(), pd.DataFrame({"one": Y, "two": -Y}, index=frame().index)
    regressor = TabularRegressor(**TABULAR).fit(of_frame(table), of_frame(y))
    found = regressor.predict(of_frame(table))
    assert isinstance(found, dd.DataFrame)
    rows = found.compute()
    assert rows.index.equals(table.index)
    np.testing.assert_allclose(rows.to_numpy(), regressor.to_local().predict(table), rtol=1e-6, atol=1e-6)
    assert regressor.score(of_frame(table), of_frame(y)) == pytest.approx(regressor.to_local().score(table, y))
    labels = pd.Series(LABELS, table.index)
    classifier = TabularClassifier(**TABULAR).fit(of_frame(table), of_frame(labels))
    assert list(classifier.predict_proba(of_frame(table)).columns) == ["high", "low", "middle"]
    assert isinstance(classifier.predict(of_frame(table)), dd.Series)
    some = of_frame(table)[of_frame(table)["a"] > 2.5]
    assert len(classifier.predict(some).compute()) == (table["a"] > 2.5).sum()


def test_quantiles(client: Any):
    regressor = TabularRegressor(**TABULAR, quantiles=(0.1, 0.9)).fit(array(X), array(Y))
    assert regressor.predict_quantiles(array(X)).shape == (N, 2)
    assert regressor.predict(array(X)).shape == (N,)


def test_parameters_are_those_of_the_local_class_and_more(client: Any):
    regressor = MLPRegressor("huber", alpha=0.1, n_chains=2, client=client)
    theirs = cnn_core.sklearn.MLPRegressor("huber", alpha=0.1).get_params()
    own = {"client": client, "n_chains": 2, "sync_every": 1000, "persist": True}
    assert regressor.get_params() == theirs | own
    assert clone(regressor).get_params() == regressor.get_params()
    assert is_regressor(regressor)
    assert is_classifier(TabularClassifier())
    with pytest.raises(TypeError, match="alfa"):
        MLPRegressor(alfa=1)
    with pytest.raises(AttributeError, match="no attribute 'coefs_'"):
        regressor.coefs_  # noqa: B018


class _Killing(Callback):
    """Kills the worker that holds most, at the end of the first epoch."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            victim = max(self.client.has_what().items(), key=lambda each: len(each[1]))[0]
            os.kill(self.client.run(os.getpid)[victim], signal.SIGKILL)


def deadly_loss(marker: Path) -> Any:
    """Return a loss that kills the process in which it is computed first, in the middle of a task."""

    class Deadly:
        def value(self, y_true: Any, y_pred: Any) -> Any:
            return ((y_true - y_pred) ** 2).sum(axis=-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return 2 * (y_pred - y_true)

    return Deadly()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_a_worker_that_dies_is_made_good(client: Any, tmp_path: Path):
    marker = tmp_path / "dead"
    regressor = MLPRegressor(deadly_loss(marker), **PERCEPTRON, n_chains=3)
    killed_in_a_task = clone(regressor).fit(array(X), array(Y))
    assert marker.exists()
    undisturbed = clone(regressor).fit(array(X), array(Y))
    assert same_bits(killed_in_a_task, undisturbed)
    killed_between = clone(regressor).set_params(callbacks=[_Killing(client)]).fit(array(X), array(Y))
    assert same_bits(killed_between, undisturbed)


def test_a_grid_search_runs_on_the_cluster(client: Any):
    grid = {"alpha": [1e-4, 1.0]}
    search = GridSearchCV(cnn_core.sklearn.MLPRegressor(**PERCEPTRON), grid, cv=2, n_jobs=-1)
    expected = clone(search).set_params(n_jobs=1).fit(X, Y)
    with joblib.parallel_config(backend="dask"):
        search.fit(X, Y)
    assert search.best_params_ == expected.best_params_
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert same_bits(search.best_estimator_, expected.best_estimator_)


def test_what_partitions_hold_is_refused(client: Any):
    table = frame()
    y = pd.Series(Y, table.index[::-1])
    with pytest.raises(ValueError, match=r"In part \d of the rows: `y` must have the index of X, in the same order"):
        TabularRegressor(**TABULAR).fit(of_frame(table), of_frame(y))
    some = array(X)[array(Y) > 0]
    with pytest.raises(ValueError, match=r"In part \d of the rows: .*inconsistent numbers of samples"):
        MLPClassifier(**PERCEPTRON).fit(some, array(LABELS))
    with pytest.raises(ValueError, match=r"`n_chains` must be a positive integer"):
        MLPClassifier(**PERCEPTRON, n_chains=0).fit(array(X), array(LABELS))
    with pytest.raises(ValueError, match=r"`sync_every` must be a positive integer"):
        MLPClassifier(**PERCEPTRON, sync_every=0).fit(array(X), array(LABELS))
    with pytest.raises(TypeError, match=r"`persist` must be"):
        MLPClassifier(**PERCEPTRON, persist="no").fit(array(X), array(LABELS))


def test_importing_the_package_imports_no_dask():
    code = "import sys, cnn_core, cnn_core.dask; assert not {'dask', 'distributed', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
