"""The estimators over dask collections, on real clusters of processes."""

from __future__ import annotations

import os
import pickle
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

import dask.array as da
import distributed
from sklearn.base import clone, is_classifier, is_regressor

import cnn_core.sklearn
from cnn_core.callbacks import Callback
from cnn_core.dask import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 2000
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(N, 4))
Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
LABELS = np.where(Y > 0.5, "high", np.where(Y < -0.5, "low", "middle"))
CHUNKS = (700, 100, 500, 300, 400)
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster) as client:
        yield client


def array(rows: np.ndarray, chunks: tuple[int, ...] = CHUNKS) -> Any:
    return da.from_array(rows, chunks=(chunks, *rows.shape[1:]))


def same_weights(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.coefs_, other.coefs_, strict=True))


def test_a_regressor_learns_what_one_in_memory_learns(client: Any):
    settings = {**SETTINGS, "max_iter": 10}
    local = cnn_core.sklearn.MLPRegressor(**settings).fit(X, Y)
    regressor = MLPRegressor(**settings).fit(array(X), array(Y))
    assert regressor.score(array(X), array(Y)) > local.score(X, Y) - 0.1
    assert regressor.n_iter_ == len(regressor.loss_curve_) == 10
    assert regressor.t_ == 10 * N


def test_one_chain_of_one_partition_is_a_fit_in_memory(client: Any):
    """The first epoch has the initial weights, the batches' number and the penalty of the estimator in memory."""
    settings = {**SETTINGS, "max_iter": 3, "shuffle": False}
    local = cnn_core.sklearn.MLPRegressor(**settings).fit(X, Y)
    regressor = MLPRegressor(**settings, n_chains=1).fit(array(X, (N,)), array(Y, (N,)))
    assert same_weights(regressor, local)
    np.testing.assert_allclose(regressor.loss_curve_, local.loss_curve_, rtol=1e-12)


def test_a_classifier_learns_what_one_in_memory_learns(client: Any):
    settings = {**SETTINGS, "max_iter": 10, "early_stopping": True}
    local = cnn_core.sklearn.MLPClassifier(**settings).fit(X, LABELS)
    classifier = MLPClassifier(**settings).fit(array(X), array(LABELS))
    assert classifier.classes_.tolist() == ["high", "low", "middle"]
    assert classifier.score(array(X), array(LABELS)) > local.score(X, LABELS) - 0.05
    assert len(classifier.validation_scores_) == classifier.n_iter_
    assert classifier.best_validation_score_ == max(classifier.validation_scores_)


def test_the_seed_decides_and_nothing_else(client: Any):
    regressor = MLPRegressor(**SETTINGS, max_iter=4, early_stopping=True, dropout=0.1)
    first = clone(regressor).fit(array(X), array(Y))
    again = clone(regressor).fit(array(X).persist(), array(Y).persist())
    reread = clone(regressor).set_params(persist=False).fit(array(X), array(Y))
    other = clone(regressor).set_params(random_state=1).fit(array(X), array(Y))
    assert same_weights(first, again)
    assert same_weights(first, reread)
    assert not same_weights(first, other)
    assert first.validation_scores_ == again.validation_scores_


def test_predictions_are_lazy_and_those_of_the_local_estimator(client: Any):
    classifier = MLPClassifier(**SETTINGS, max_iter=3).fit(array(X), array(LABELS))
    local = classifier.to_local()
    assert type(local) is cnn_core.sklearn.MLPClassifier
    probabilities, labels = classifier.predict_proba(array(X)), classifier.predict(array(X))
    assert isinstance(probabilities, da.Array)
    assert probabilities.shape == (N, 3)
    assert labels.chunks == (CHUNKS,)
    assert labels.dtype == local.classes_.dtype
    np.testing.assert_array_equal(probabilities.compute(), np.vstack([local.predict_proba(part) for part in parts()]))
    np.testing.assert_array_equal(labels.compute(), np.concatenate([local.predict(part) for part in parts()]))


def parts() -> list[np.ndarray]:
    return np.split(X, np.cumsum(CHUNKS)[:-1])


def test_parameters_are_those_of_the_local_class_and_more(client: Any):
    regressor = MLPRegressor("huber", alpha=0.1, n_chains=2, client=client)
    theirs = cnn_core.sklearn.MLPRegressor("huber", alpha=0.1).get_params()
    own = {"client": client, "n_chains": 2, "sync_every": 1000, "persist": True}
    assert regressor.get_params() == theirs | own
    copied = clone(regressor)
    assert copied.get_params() == regressor.get_params()
    assert pickle.loads(pickle.dumps(regressor)).client is None
    assert is_regressor(regressor)
    assert is_classifier(MLPClassifier())
    with pytest.raises(TypeError, match="alfa"):
        MLPRegressor(alfa=1)


def test_empty_and_single_class_partitions(client: Any):
    labels = np.where(X[:, 0] > 0.5, "high", "low")
    order = np.argsort(labels, kind="stable")
    n_high = int((labels == "high").sum())
    chunks = (0, n_high - 1, 1, 0, 1, N - n_high - 1)
    X_parts, y_parts = array(X[order], chunks), array(labels[order], chunks)
    settings = {"max_iter": 10, "sync_every": 2, "early_stopping": True, "class_weight": "balanced"}
    classifier = MLPClassifier(**SETTINGS, **settings).fit(X_parts, y_parts)
    assert classifier.classes_.tolist() == ["high", "low"]
    found = classifier.predict(X_parts).compute()
    assert (found == labels[order]).mean() > 0.9


def test_sample_weights_decide_what_counts(client: Any):
    """Rows of weight 0 teach nothing, and a partition of such rows is as good as empty."""
    weights = np.ones(N)
    weights[: CHUNKS[0]] = 0
    spoiled = np.where(weights == 0, 1e3, Y)
    regressor = MLPRegressor(**SETTINGS, max_iter=10).fit(array(X), array(spoiled), array(weights))
    assert regressor.score(array(X), array(Y)) > 0.6


class _Killing(Callback):
    """Kills a worker at the end of the second epoch."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            victim = max(self.client.has_what().items(), key=lambda each: len(each[1]))[0]
            os.kill(self.client.run(os.getpid)[victim], signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_a_worker_that_dies_is_made_good(client: Any):
    regressor = MLPRegressor(**SETTINGS, max_iter=5, n_chains=3)
    undisturbed = clone(regressor).fit(array(X), array(Y))
    regressor.callbacks = [_Killing(client)]
    assert same_weights(regressor.fit(array(X), array(Y)), undisturbed)


def test_importing_the_package_imports_no_dask():
    code = "import sys, cnn_core, cnn_core.dask; assert not {'dask', 'distributed', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


class TestRefused:
    """What cannot be trained on, and what the message says."""

    def fit(self, X: Any, y: Any, **settings: Any) -> Any:
        return MLPClassifier(**{**SETTINGS, "max_iter": 1, **settings}).fit(X, y)

    def test_unknown_chunk_sizes(self, client: Any):
        some = array(X)[array(Y) > 0]
        with pytest.raises(ValueError, match=r"as many partitions as X, 5. Received: 1. .*compute_chunk_sizes"):
            self.fit(some, array(LABELS, (N,)))
        with pytest.raises(ValueError, match=r"In part \d of the rows: .*inconsistent numbers of samples"):
            self.fit(some, array(LABELS))

    def test_values(self, client: Any):
        y = Y.copy()
        y[750] = np.nan
        with pytest.raises(ValueError, match=r"In part 1 of the rows: Input y contains NaN"):
            MLPRegressor(**SETTINGS).fit(array(X), array(y))
        with pytest.raises(ValueError, match=r"In part \d of the rows: Unknown label type"):
            self.fit(array(X), array(Y))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"solver": "lbfgs"}, "`solver` must be 'adam' or 'sgd' where rows lie in parts"),
            ({"warm_start": True}, "`warm_start` must be False"),
            ({"metric": "roc_auc"}, "`metric` must be None, 'loss' or 'accuracy', which add up"),
            ({"n_chains": 0}, "`n_chains` must be a positive integer"),
            ({"sync_every": 0}, "`sync_every` must be a positive integer"),
            ({"alpha": -1}, "The 'alpha' parameter of MLPClassifier must be"),
        ],
    )
    def test_settings(self, client: Any, settings: dict[str, Any], message: str):
        with pytest.raises(ValueError, match=message):
            self.fit(array(X), array(LABELS), **settings)
