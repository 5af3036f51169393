"""Callbacks and patience of the tabular estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_diabetes, load_iris

from cnn_core.callbacks import Callback, EarlyStopping, History, LambdaCallback, ReduceLROnPlateau
from cnn_core.sklearn import TabularClassifier, TabularRegressor

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16,), "epochs": 12, "random_state": 0}
X, y = load_iris(return_X_y=True)


def test_callbacks_see_every_epoch_and_change_nothing():
    history, seen = History(), []
    watching = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    classifier = TabularClassifier(**SMALL, callbacks=[history, watching]).fit(X, y)
    assert seen == history.epoch == list(range(12))
    assert history.history["loss"] == classifier.loss_curve_
    assert history.history["val_error"] == classifier.validation_curve_
    plain = TabularClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), classifier.predict_proba(X))


def test_the_name_of_the_metric_and_no_held_out_rows():
    X, y = load_diabetes(return_X_y=True)
    for settings, name in (
        ({"eval_metric": "neg_mean_absolute_error"}, "val_mae"),
        ({"quantiles": [0.1]}, "val_pinball"),
    ):
        history = History()
        TabularRegressor(**SMALL, **settings, callbacks=[history]).fit(X, y)
        assert set(history.history) == {"loss", name}
    history = History()
    TabularRegressor(**SMALL, callbacks=[history]).fit(X[:50], y[:50])
    assert set(history.history) == {"loss"}


def test_a_callback_ends_the_training():
    stop = EarlyStopping(monitor="loss", mode="max", patience=2)  # the loss falls
    classifier = TabularClassifier(**SMALL, callbacks=[stop]).fit(X, y)
    assert classifier.n_iter_ == 3


def test_a_callback_knows_the_model():
    class Looking(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            assert self.model.estimator.get_params()["epochs"] == 12
            assert self.params["epochs"] == 12
            if epoch == 1:
                self.model.optimizer.learning_rate = 1e-12
                self.weights = self.model.get_weights()
                self.model.set_weights([0 * array for array in self.weights])
                assert not any(array.any() for array in self.model.get_weights())
                self.model.set_weights(self.weights)
            elif epoch > 1:
                for before, after in zip(self.weights, self.model.get_weights(), strict=True):
                    np.testing.assert_allclose(after, before, atol=1e-6)

    TabularClassifier(**SMALL, callbacks=[Looking(), ReduceLROnPlateau(monitor="val_error")]).fit(X, y)


def test_hooks_around_batches_are_refused():
    class Batchwise(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...

    with pytest.raises(ValueError, match=r"`callbacks` .* Received: Batchwise, which has hooks around batches"):
        TabularClassifier(**SMALL, callbacks=[Batchwise()]).fit(X, y)


def test_patience_counts_epochs_without_a_better_score():
    values = iter([0.5, 0.4, 0.4, 0.45, float("nan")] + [0.0] * 99)
    with pytest.warns(UserWarning, match="undefined"):
        classifier = TabularClassifier(**SMALL, patience=3, eval_metric=lambda *_: next(values)).fit(X, y)
    assert classifier.n_iter_ == 5
    assert classifier.best_epochs_ == [3], "of equals the later one"
    members = iter([0.5, 0.5, 0.5, 0.4, 0.5, 0.5, 0.5, 0.5] + [0.0] * 99)
    two = TabularClassifier(**SMALL, n_members=2, patience=2, eval_metric=lambda *_: next(members)).fit(X, y)
    assert two.n_iter_ == 4
    for wrong in (0, 1.5, "soon"):
        with pytest.raises((ValueError, TypeError), match="patience"):
            TabularClassifier(patience=wrong).fit(X, y)


def test_patience_without_held_out_rows_looks_at_the_loss():
    X, y = load_diabetes(return_X_y=True)
    settings = {**SMALL, "epochs": 400, "learning_rate": 1e-30}
    assert TabularRegressor(**settings, patience=3, batch_size=50).fit(X[:50], y[:50]).n_iter_ < 400


# scikit-learn's callbacks


class Recording:
    """scikit-learn's protocol."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self.scores: list[float] = []
        self.stop_after = stop_after

    def setup(self, estimator: Any, context: Any) -> None:
        self.calls.append(("setup", context.task_name, context.task_id))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.calls.append(("teardown", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> bool:
        self.calls.append(("end", context.task_name, context.task_id))
        self.scores.append(float((fitted_estimator.predict(X) == np.asarray(y)).mean()))
        return context.task_name == "epoch" and context.task_id == self.stop_after


def test_callbacks_of_scikit_learns():
    pytest.importorskip("sklearn.callback")
    recording = Recording()
    classifier = TabularClassifier(**SMALL).set_callbacks(recording).fit(X, y)
    epochs = [(hook, "epoch", epoch) for epoch in range(12) for hook in ("begin", "end")]
    assert recording.calls == [
        ("setup", "fit", 0),
        ("begin", "fit", 0),
        *epochs,
        ("end", "fit", 0),
        ("teardown", "fit", 0),
    ]
    assert recording.scores[-1] == classifier.score(X, y)
    assert len(set(recording.scores)) > 2
    stopped = TabularClassifier(**SMALL).set_callbacks(Recording(stop_after=4)).fit(X, y)
    assert stopped.n_iter_ == 5


def test_scikit_learns_own_callbacks_work():
    callback = pytest.importorskip("sklearn.callback")
    from sklearn.model_selection import GridSearchCV

    monitor = callback.ScoringMonitor(scoring="accuracy")
    classifier = TabularClassifier(**SMALL).set_callbacks(monitor)
    classifier.fit(X, y)
    recording = Recording()
    search = GridSearchCV(TabularClassifier(**SMALL).set_callbacks(recording), {"epochs": [2, 3]}, cv=2)
    search.fit(X, y)
    assert search.best_score_ > 0.3


def test_callbacks_are_torn_down_after_an_error():
    pytest.importorskip("sklearn.callback")
    recording = Recording()
    classifier = TabularClassifier(**SMALL, eval_metric=lambda *_: 1 / 0).set_callbacks(recording)
    with pytest.raises(ZeroDivisionError):
        classifier.fit(X, y)
    assert recording.calls[-1][0] == "teardown"
    assert not hasattr(classifier, "_callback_fit_ctx")
