"""What the estimators offer beyond scikit-learn's."""

from __future__ import annotations

import _thread
import copy
import pickle
import threading

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

import cnn_core
from cnn_core import callbacks, losses
from cnn_core.sklearn import MLPRegressor
from mlp_cases import small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Layers


def test_activations_by_layer_and_by_name(wine):
    one = small(hidden_layer_sizes=(8, 8), activation="relu").fit(*wine)
    listed = small(hidden_layer_sizes=(8, 8), activation=["relu", "relu"]).fit(*wine)
    assert listed.loss_curve_ == one.loss_curve_
    for activation in ("gelu", ["tanh", "silu"], cnn_core.activations.LeakyReLU(0.1)):
        assert small(hidden_layer_sizes=(8, 8), activation=activation).fit(*wine).loss_ < one.loss_curve_[0]
    with pytest.raises(ValueError, match="one entry for each of 2 hidden layers"):
        small(hidden_layer_sizes=(8, 8), activation=["relu"]).fit(*wine)


def test_own_activation_is_called(wine):
    class Cube:
        def forward(self, z):
            return z**3

        def derivative(self, z, a):
            return 3 * z**2

    with_cube = small(activation=Cube(), solver="lbfgs", max_iter=5, hidden_layer_sizes=(3,)).fit(*wine)
    X = wine[0]
    z = (X @ with_cube.coefs_[0] + with_cube.intercepts_[0]) ** 3 @ with_cube.coefs_[1] + with_cube.intercepts_[1]
    np.testing.assert_array_equal(with_cube.predict(X), z.argmax(axis=1))


def test_dropout_acts_in_training_only(wine):
    plain, dropped = small().fit(*wine), small(dropout=0.5).fit(*wine)
    assert dropped.loss_curve_ != plain.loss_curve_
    assert dropped.loss_curve_ == small(dropout=[0.5]).fit(*wine).loss_curve_
    np.testing.assert_array_equal(dropped.predict_proba(wine[0]), dropped.predict_proba(wine[0]))
    with pytest.raises(ValueError, match="`dropout` must be 0 with solver='lbfgs'"):
        small(dropout=0.5, solver="lbfgs").fit(*wine)
    with pytest.raises(ValueError, match="`dropout` must be at least 0"):
        small(dropout=[1.5]).fit(*wine)


# Losses and weights


def test_class_weight_is_a_sample_weight(wine):
    X, y = wine
    weights = compute_sample_weight("balanced", y)
    assert small(class_weight="balanced").fit(X, y).loss_curve_ == small().fit(X, y, weights).loss_curve_
    heavy = small(class_weight={0: 100.0}, max_iter=150).fit(X, y)
    assert (heavy.predict(X) == 0).sum() >= (y == 0).sum()


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile", losses.Huber(0.5), losses.LogCosh()])
def test_losses_of_regression(diabetes, loss):
    X, y = diabetes
    regressor = MLPRegressor(loss, (16,), max_iter=60, random_state=0, alpha=0).fit(X, y)
    assert regressor.loss_ < regressor.loss_curve_[0]
    assert regressor.score(X, y) > 0.3


def test_quantile_is_exceeded_as_often_as_it_says(diabetes):
    X, y = diabetes
    regressor = MLPRegressor(losses.Quantile(0.8), (), max_iter=300, learning_rate_init=0.01, random_state=0, tol=0)
    assert (y < regressor.fit(X, y).predict(X)).mean() == pytest.approx(0.8, abs=0.03)


def test_own_loss_equals_the_native_one(diabetes):
    class HalfSquares:
        def value(self, y_true, y_pred):
            return 0.5 * ((y_pred - y_true) ** 2).sum(axis=-1)

        def gradient(self, y_true, y_pred):
            return y_pred - y_true

    X, y = diabetes
    native, own = (
        MLPRegressor(loss, (8,), max_iter=5, random_state=0).fit(X, y) for loss in ("squared_error", HalfSquares())
    )
    np.testing.assert_allclose(own.loss_curve_, native.loss_curve_, rtol=1e-12)


def test_own_loss_of_classes(wine):
    focal = small(loss=losses.CategoricalFocalCrossentropy(), max_iter=60, learning_rate_init=0.03).fit(*wine)
    assert focal.score(*wine) > 0.9


def test_text_is_no_number():
    with pytest.raises(ValueError, match="could not convert string to float"):
        MLPRegressor().fit(np.eye(3), ["a", "b", "c"])


def test_one_number_for_each_target(diabetes):
    with pytest.raises(ValueError, match="one quantile for each target"):
        MLPRegressor(losses.Quantile([0.1, 0.9])).fit(*diabetes)


def test_clipped_gradients_move_less(wine):
    free = small(solver="sgd", momentum=0.0, max_iter=1).fit(*wine)
    clipped = small(solver="sgd", momentum=0.0, max_iter=1, clipnorm=1e-6).fit(*wine)
    start = small(solver="sgd", momentum=0.0, max_iter=1, learning_rate_init=1e-300).fit(*wine)
    moved = [np.linalg.norm(each.coefs_[0] - start.coefs_[0]) for each in (free, clipped)]
    assert moved[1] <= 1.1e-9 < moved[0]  # one batch: learning rate 0.001 times the norm


def test_a_batch_without_weight_changes_nothing(diabetes):
    X, y = diabetes
    weight = np.repeat([1.0, 0.0], [100, 100])
    settings = {"hidden_layer_sizes": (5,), "batch_size": 100, "alpha": 0.0, "shuffle": False, "random_state": 0}
    settings |= {"solver": "sgd", "momentum": 0.0, "max_iter": 3}
    halved = MLPRegressor(**settings).fit(X[:200], y[:200], weight)
    alone = MLPRegressor(**settings).fit(X[:100], y[:100])
    np.testing.assert_allclose(halved.coefs_[0], alone.coefs_[0], rtol=1e-12)
    np.testing.assert_allclose(halved.loss_curve_, np.array(alone.loss_curve_) / 2, rtol=1e-12)


# Validation, metrics, callbacks


def test_own_validation_set(wine):
    X, y = wine
    followed = small().fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert followed.loss_curve_ == small().fit(X[::2], y[::2]).loss_curve_
    assert len(followed.validation_loss_curve_) == len(followed.validation_scores_) == followed.n_iter_
    probabilities = followed.predict_proba(X[1::2])
    loss = -np.log(probabilities[np.arange(len(probabilities)), y[1::2]]).mean()
    assert followed.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-12)
    assert followed.validation_scores_[-1] == followed.score(X[1::2], y[1::2])
    stopped = small(early_stopping=True, max_iter=100).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert stopped.best_validation_score_ == stopped.score(X[1::2], y[1::2]) == max(stopped.validation_scores_)
    with pytest.raises(ValueError, match="must be given together"):
        small().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="`y_val` has classes that `y` lacks"):
        small().fit(X, y, X_val=X[:2], y_val=[0, 7])


def test_weighted_validation_loss(diabetes):
    X, y = diabetes
    weight = np.linspace(0, 1, len(y))
    regressor = MLPRegressor(max_iter=3, random_state=0).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    assert regressor.validation_loss_curve_[-1] == pytest.approx(
        0.5 * np.average((regressor.predict(X) - y) ** 2, weights=weight)
    )
    assert regressor.validation_scores_[-1] == pytest.approx(regressor.score(X, y, weight), rel=1e-12)


@pytest.mark.parametrize("metric", ["loss", "neg_log_loss", lambda estimator, X, y: -estimator.predict_proba(X).max()])
def test_metric_to_stop_on(wine, metric):
    stopped = small(early_stopping=True, metric=metric, max_iter=30, validation_fraction=0.3).fit(*wine)
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)
    if not callable(metric):
        np.testing.assert_allclose(stopped.validation_scores_, -np.array(stopped.validation_loss_curve_), rtol=1e-9)


def test_weights_go_to_metrics_that_take_them(wine):
    X, y = wine
    weight = np.where(y == 0, 1.0, 0.0)
    own = {"X_val": X, "y_val": y, "sample_weight_val": weight}
    plain = small(metric=lambda estimator, X, y: estimator.score(X, y)).fit(X, y, **own)
    assert plain.validation_scores_[-1] == plain.score(X, y)
    for metric in ("accuracy", lambda estimator, X, y, sample_weight: estimator.score(X, y, sample_weight)):
        weighted = small(metric=metric).fit(X, y, **own)
        assert weighted.validation_scores_[-1] == weighted.score(X, y, weight) != weighted.score(X, y)
    assert small(metric="adjusted_rand_score").fit(X, y, **own).validation_scores_[-1] <= 1  # takes none


def test_callbacks(wine):
    seen = []

    class Watch(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, logs["loss"]))
            self.model.optimizer.learning_rate *= 0.5
            self.model.stop_training = epoch == 3

    watched = small(callbacks=[Watch()]).fit(*wine)
    assert seen == list(enumerate(watched.loss_curve_))
    assert watched.n_iter_ == 4
    assert watched.loss_curve_[2] != small().fit(*wine).loss_curve_[2]


def test_callbacks_around_batches_change_nothing(wine):
    batches = []

    class Count(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            batches.append(batch)

    counted = small(callbacks=Count(), batch_size=50, max_iter=2).fit(*wine)
    assert batches == [0, 1, 2, 3] * 2
    assert counted.loss_curve_ == pytest.approx(small(batch_size=50, max_iter=2).fit(*wine).loss_curve_, rel=1e-14)


def test_restored_weights_of_a_callback(wine):
    keeper = callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True, start_from_epoch=0)
    small(callbacks=keeper, max_iter=5).fit(*wine)


# Threads, pickles, interrupts


def test_threads_are_set_for_the_call_and_change_nothing(wine):
    before = cnn_core.get_num_threads()
    one, two = (small(n_threads=n).fit(*wine) for n in (1, 2))
    assert cnn_core.get_num_threads() == before
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_pickles_hold_the_optimizer_unless_told_not_to(wine, solver):
    X, y = wine
    light = small(solver=solver, keep_optimizer=False).partial_fit(X, y, classes=[0, 1, 2])
    heavy = small(solver=solver).partial_fit(X, y, classes=[0, 1, 2])
    assert len(pickle.dumps(light)) < len(pickle.dumps(heavy))
    copies = [pickle.loads(pickle.dumps(each)) for each in (light, heavy)]
    for each in (light, heavy, *copies):
        each.partial_fit(X, y)
    assert heavy.loss_curve_ == copies[1].loss_curve_ == light.loss_curve_
    np.testing.assert_array_equal(copies[1].coefs_[0], heavy.coefs_[0])
    assert not np.array_equal(copies[0].coefs_[0], light.coefs_[0])
    np.testing.assert_array_equal(copy.deepcopy(light).predict(X), light.predict(X))


@pytest.mark.parametrize("change", [{"hidden_layer_sizes": (5,)}, {"hidden_layer_sizes": (16, 16)}])
def test_layers_stay_while_training_goes_on(wine, change):
    fitted = small(warm_start=True).fit(*wine)
    with pytest.raises(ValueError, match=r"Layers must stay \[13, 16, 3\] units wide"):
        fitted.set_params(**change).fit(*wine)


def test_changed_weights_count(wine):
    fitted = small().fit(*wine)
    fitted.coefs_[-1][...] = 0
    fitted.intercepts_[-1] = np.array([0.0, 1.0, 0.0])
    assert set(fitted.predict(wine[0])) == {1}
    expected = np.log(2 + np.e) - (wine[1] == 1).mean()
    assert fitted.set_params(alpha=0.0).partial_fit(*wine).loss_curve_[-1] == pytest.approx(expected, rel=1e-12)


def test_interrupt_leaves_a_usable_estimator(wine):
    class Interrupt(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Training interrupted by user"):
        interrupted = small(callbacks=[Interrupt()]).fit(*wine)
    assert interrupted.n_iter_ == 3
    assert interrupted.predict(wine[0]).shape == (178,)


@pytest.mark.parametrize("batch_size", ["auto", 7])
def test_interrupt_during_epochs_that_nobody_follows(wine, batch_size):
    endless = small(max_iter=10**9, n_iter_no_change=np.inf, batch_size=batch_size)

    def interrupt():
        while not getattr(endless, "loss_curve_", None):
            pass
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        endless.fit(*wine)
    thread.join()
    n = endless.n_iter_
    assert len(endless.loss_curve_) == n > 0
    assert endless.t_ == n * len(wine[1])
    assert endless.loss_ == endless.loss_curve_[-1]
    # The weights are those of the last whole batch, an epoch of which may have begun.
    ends = [small(max_iter=epochs, n_iter_no_change=np.inf, batch_size=batch_size).fit(*wine) for epochs in (n, n + 1)]
    assert endless.loss_curve_ == ends[0].loss_curve_
    if batch_size == "auto":
        np.testing.assert_array_equal(endless.coefs_[0], ends[0].coefs_[0])
    assert ends[0]._optimizer.step <= endless._optimizer.step <= ends[1]._optimizer.step


def test_importing_cnn_core_leaves_sklearn_alone():
    import subprocess
    import sys

    code = "import sys, cnn_core; sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
