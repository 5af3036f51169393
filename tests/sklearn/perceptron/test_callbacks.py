"""Callbacks of both kinds around the epochs of a perceptron."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

import cnn_core.callbacks as callbacks
from cnn_core.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(120, 3))
Y = X[:, 0] ** 2
LABELS = (X[:, 0] > 0).astype(int)
SETTINGS = {"hidden_layer_sizes": (4,), "random_state": 0}


class Recorder:
    """A callback of scikit-learn's kind."""

    def __init__(self, last=None):
        self.events, self.losses, self.last = [], [], last

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.losses.append(float(np.mean((fitted_estimator.predict(X) - y) ** 2) / 2))
        return context.task_name == "epoch" and context.task_id == self.last


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scikit_learns_callbacks_follow_every_epoch(solver):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    recorder = Recorder()
    settings = SETTINGS | {"alpha": 0.0, "batch_size": 120, "max_iter": 3, "solver": solver}
    fitted = clone(MLPRegressor(**settings).set_callbacks(recorder)).fit(X, Y)
    epochs = [f"{when} epoch" for _ in range(3) for when in ("begin", "end")]
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.losses[-1] == pytest.approx(float(np.mean((fitted.predict(X) - Y) ** 2) / 2), rel=1e-12)
    assert recorder.losses[0] > recorder.losses[2]
    plain = MLPRegressor(**settings).fit(X, Y)
    np.testing.assert_array_equal(plain.coefs_[0], fitted.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scikit_learns_callbacks_stop_training(solver):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    recorder = Recorder(last=1)
    fitted = MLPRegressor(**SETTINGS, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert fitted.n_iter_ == 2
    assert recorder.events[-2:] == ["end fit", "teardown"]
    broken = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        MLPRegressor(**SETTINGS).set_callbacks(broken).fit(X * np.nan, Y)


def test_scikit_learns_monitor_scores_every_epoch():
    framework = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    monitor = framework.ScoringMonitor(scoring="r2")
    MLPRegressor(**SETTINGS, max_iter=4).set_callbacks(monitor).fit(X, Y)
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    assert scores == sorted(scores)


def test_iterations_of_lbfgs_are_epochs():
    seen = []

    class Watch(callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("begin")

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(epoch)

        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["loss"])
            self.model.stop_training = epoch == 4

        def on_train_end(self, logs=None):
            seen.append("end")

    fitted = MLPRegressor(**SETTINGS, solver="lbfgs", callbacks=[Watch()]).fit(X, Y)
    assert fitted.n_iter_ == 5
    assert seen[0] == "begin"
    assert seen[-1] == "end"
    assert seen[1:-1:2] == [0, 1, 2, 3, 4]
    assert seen[2:-1:2] == sorted(seen[2:-1:2], reverse=True)
    assert seen[-2] == fitted.loss_
    shorter = MLPRegressor(**SETTINGS, solver="lbfgs", max_iter=5).fit(X, Y)
    np.testing.assert_array_equal(shorter.coefs_[0], fitted.coefs_[0])


def test_held_out_rows_are_measured_after_each_iteration_of_lbfgs():
    fitted = MLPRegressor(**SETTINGS, solver="lbfgs", max_iter=6).fit(X[:80], Y[:80], X_val=X[80:], y_val=Y[80:])
    assert len(fitted.validation_loss_curve_) == len(fitted.validation_scores_) == fitted.n_iter_ == 6
    expected = np.mean((fitted.predict(X[80:]) - Y[80:]) ** 2) / 2
    assert fitted.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-12)
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(X[80:], Y[80:]), rel=1e-12)


def test_callbacks_of_cnn_core(tmp_path):
    log, file = tmp_path / "log.csv", tmp_path / "best.safetensors"
    given = [
        callbacks.EarlyStopping("val_score", patience=3, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=1e9, factor=0.5),
        callbacks.CSVLogger(log),
        callbacks.ModelCheckpoint(file, monitor="val_score", save_best_only=True),
    ]
    own = {"X_val": X[80:], "y_val": LABELS[80:]}
    fitted = MLPClassifier(**SETTINGS, callbacks=given, max_iter=50, learning_rate_init=0.02)
    fitted.fit(X[:80], LABELS[:80], **own)
    assert fitted._optimizer.learning_rate < 0.02
    assert fitted.score(own["X_val"], own["y_val"]) == max(fitted.validation_scores_)
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == fitted.loss_curve_
    best = MLPClassifier.load(file)
    assert best.score(own["X_val"], own["y_val"]) == max(fitted.validation_scores_)


def test_what_a_callback_cannot_have_is_named():
    class Wants(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers  # noqa: B018

    with pytest.raises(AttributeError, match=r"perceptron in training has no 'layers'\. Callbacks can use"):
        MLPRegressor(**SETTINGS, callbacks=[Wants()]).fit(X, Y)
