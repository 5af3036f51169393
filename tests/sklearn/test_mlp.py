"""What the estimators offer beyond scikit-learn's, and how they live with its tools."""

from __future__ import annotations

import _thread
import copy
import pickle
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale
from sklearn.utils.class_weight import compute_sample_weight

import cnn_core
from cnn_core import callbacks, losses
from cnn_core.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


def small(**settings):
    return MLPClassifier(**{"hidden_layer_sizes": (16,), "max_iter": 15, "random_state": 0, **settings})


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


# Batch normalization

NORMALIZATION = ["scales_", "shifts_", "moving_means_", "moving_variances_"]


def normalized(**settings):
    return small(hidden_layer_sizes=(6, 5), activation="tanh", batch_normalization=True, **settings)


def outputs(X, layers, moments=None):
    """The network by hand: layers of (coef, intercept, scale, shift) and at last (coef, intercept)."""
    a = X
    for number, (coef, intercept, scale_, shift) in enumerate(layers[:-1]):
        z = a @ coef + intercept
        mean, variance = (z.mean(axis=0), z.var(axis=0)) if moments is None else moments[number]
        a = np.tanh(scale_ * (z - mean) / np.sqrt(variance + 1e-5) + shift)
    return a @ layers[-1][0] + layers[-1][1]


def layers_of(estimator):
    hidden = zip(estimator.coefs_, estimator.intercepts_, estimator.scales_, estimator.shifts_, strict=False)
    return [*([array.copy() for array in layer] for layer in hidden), [estimator.coefs_[-1], estimator.intercepts_[-1]]]


def cross_entropy(X, y, layers, alpha):
    z = outputs(X, layers)
    rows = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return rows.mean() + alpha / 2 * sum((layer[0] ** 2).sum() for layer in layers) / len(y)


def test_a_step_under_batch_normalization_follows_the_differences(wine):
    X, y = wine[0][::3].astype(np.float64), wine[1][::3]
    rate, alpha = 1e-3, 2.0
    settings = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "learning_rate_init": rate, "alpha": alpha}
    start = normalized(**settings, max_iter=1).fit(X, y)
    layers = layers_of(start)
    layers[-1] = [array.copy() for array in layers[-1]]
    after = copy.deepcopy(start).partial_fit(X, y)
    assert after.loss_ == pytest.approx(cross_entropy(X, y, layers, alpha), rel=1e-12)
    for name, place in (("coefs_", 0), ("intercepts_", 1), ("scales_", 2), ("shifts_", 3)):
        for number, moved in enumerate(getattr(after, name)):
            array = layers[number][place]
            for index in [(0,) * array.ndim, tuple(size - 1 for size in array.shape)]:
                sides, kept = [], array[index]
                for step in (1e-5, -1e-5):
                    array[index] = kept + step
                    sides.append(cross_entropy(X, y, layers, alpha))
                array[index] = kept
                slope = (sides[0] - sides[1]) / 2e-5
                assert (kept - moved[index]) / rate == pytest.approx(slope, abs=1e-7)


def test_prediction_uses_the_moving_moments(wine):
    X, y = wine
    one = normalized(max_iter=1, solver="sgd", learning_rate_init=1e-300).fit(X, y)
    z = X @ one.coefs_[0] + one.intercepts_[0]
    np.testing.assert_allclose(one.moving_means_[0], 0.1 * z.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(one.moving_variances_[0], 0.9 + 0.1 * z.var(axis=0), rtol=1e-9)
    fitted = normalized(max_iter=40, learning_rate_init=0.01).fit(X, y)
    moments = list(zip(fitted.moving_means_, fitted.moving_variances_, strict=True))
    p = np.exp(outputs(X, layers_of(fitted), moments))
    np.testing.assert_allclose(fitted.predict_proba(X), p / p.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), fitted.predict_proba(X)[:1], rtol=1e-12)
    assert fitted.score(X, y) > 0.95


def test_batch_normalization_stays_in_its_attributes(wine):
    fitted = normalized().fit(*wine)
    for name in NORMALIZATION:
        assert [array.shape for array in getattr(fitted, name)] == [(6,), (5,)]
        assert {array.dtype for array in getattr(fitted, name)} == {wine[0].dtype}
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(wine[0]), fitted.predict_proba(wine[0]))
    for copied in (clone(fitted), fitted.set_params(batch_normalization=False)):
        copied.fit(*wine)
        assert hasattr(copied, "scales_") == copied.batch_normalization
    assert fitted.loss_curve_ == small(hidden_layer_sizes=(6, 5), activation="tanh").fit(*wine).loss_curve_
    with pytest.raises(ValueError, match="`batch_normalization` must stay as it was"):
        fitted.set_params(batch_normalization=True).partial_fit(*wine)
    with pytest.raises(ValueError, match="`batch_normalization` must be False with solver='lbfgs'"):
        normalized(solver="lbfgs").fit(*wine)


def test_batch_normalization_keeps_the_best_moments(wine):
    X, y = wine[0][::2], wine[1][::2]
    X_val, y_val = wine[0][1::2], wine[1][1::2]
    stopped = normalized(early_stopping=True, max_iter=60, learning_rate_init=0.05, n_iter_no_change=5, metric="loss")
    stopped.fit(X, y, X_val=X_val, y_val=y_val)
    p = stopped.predict_proba(X_val)
    assert -np.log(p[np.arange(len(p)), y_val]).mean() == pytest.approx(min(stopped.validation_loss_curve_), rel=1e-9)
    assert stopped.validation_loss_curve_[-1] > min(stopped.validation_loss_curve_)


@pytest.mark.parametrize("batch_size", [1, 40])
def test_batch_normalization_of_sparse_rows_and_weights(wine, monkeypatch, batch_size):
    sparse = pytest.importorskip("scipy.sparse")
    import cnn_core.sklearn.perceptron

    X, y = wine
    X = np.where(np.abs(X) > 0.5, X, 0)
    weight = np.linspace(0.5, 2, len(y))
    settings = {"batch_size": batch_size, "max_iter": 3, "dropout": 0.0}
    dense = normalized(**settings).fit(X, y, weight)
    monkeypatch.setattr(cnn_core.sklearn.perceptron, "DENSE_BYTES", 0)
    from_sparse = normalized(**settings).fit(sparse.csr_matrix(X), y, weight)
    np.testing.assert_allclose(from_sparse.loss_curve_, dense.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(from_sparse.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X), rtol=1e-6)


def test_batch_normalization_of_a_regressor(diabetes):
    X, y = diabetes
    settings = {"batch_normalization": True, "dropout": 0.1, "max_iter": 60, "random_state": 0}
    regressor = MLPRegressor("huber", (16, 16), learning_rate_init=0.01, **settings).fit(X.astype(np.float32), y)
    assert regressor.score(X.astype(np.float32), y) > 0.5
    assert {array.dtype for array in regressor.scales_} == {np.dtype("float32")}


def test_training_goes_on_under_batch_normalization(wine):
    X, y = wine
    settings = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "batch_size": 60}
    whole = normalized(**settings, max_iter=6).fit(X, y)
    partly = normalized(**settings)
    for _ in range(6):
        partly.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(partly.loss_curve_, whole.loss_curve_, rtol=1e-12)
    np.testing.assert_array_equal(partly.moving_means_[1], whole.moving_means_[1])
    warm = normalized(**settings, max_iter=3, warm_start=True).fit(X, y).fit(X, y)
    np.testing.assert_allclose(warm.loss_curve_, whole.loss_curve_, rtol=1e-12)


def test_batch_normalization_in_a_search(wine):
    grid = {"batch_normalization": [False, True], "dropout": [0.0, 0.2]}
    search = GridSearchCV(small(learning_rate_init=0.02), grid, n_jobs=2, cv=3, error_score="raise").fit(*wine)
    assert search.best_score_ > 0.9


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
def test_interrupt_amid_epochs_that_nobody_follows(wine, batch_size):
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


# Within scikit-learn


def test_pipeline_and_search(wine):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_iter=30, random_state=0, learning_rate_init=0.03)
    )
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, n_jobs=2, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    assert search.best_score_ > 0.8
    best = search.best_estimator_[-1]
    assert clone(best).get_params() == best.get_params()


def test_workers_share_the_processors():
    joblib = pytest.importorskip("joblib")
    widths = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(cnn_core.get_num_threads)() for _ in range(4))
    assert max(widths) * 2 <= max(joblib.cpu_count(), 2)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_workers_compute_what_this_process_does(wine, backend):
    joblib = pytest.importorskip("joblib")
    alone = cross_val_score(small(learning_rate_init=0.05), *wine, cv=4)
    with joblib.parallel_config(backend=backend, n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which joblib makes
        np.testing.assert_array_equal(cross_val_score(small(learning_rate_init=0.05), *wine, cv=4), alone)


def test_columns_of_a_frame_through_a_pipeline():
    pandas = pytest.importorskip("pandas")
    X, y = load_wine(return_X_y=True, as_frame=True)
    X["proline"] = pandas.cut(X["proline"], 3, labels=["low", "middle", "high"])
    columns = ColumnTransformer(
        [("number", StandardScaler(), list(X.columns[:-1])), ("category", OneHotEncoder(), ["proline"])]
    )
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (8, 8)], "mlpclassifier__dropout": [0.0, 0.1]}
    pipeline = make_pipeline(columns, small(max_iter=40, learning_rate_init=0.03))
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert search.predict(X.iloc[:1]) == [0]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_sample_weights_are_routed(wine, kind):
    X, y = wine
    weight = np.random.default_rng(0).uniform(0, 9, len(y))
    with config_context(enable_metadata_routing=True):
        asking = kind(hidden_layer_sizes=(8,), max_iter=6, random_state=0, learning_rate_init=0.02)
        asking.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = GridSearchCV(asking, {"alpha": [1e-4]}, cv=3, refit=False).fit(X, y, sample_weight=weight)
        ignoring = clone(asking).set_fit_request(sample_weight=False)
        unweighted = GridSearchCV(ignoring, {"alpha": [1e-4]}, cv=3, refit=False).fit(X, y, sample_weight=weight)
    by_hand = []
    for train, test in check_cv(3, y, classifier=kind is MLPClassifier).split(X, y):
        by_hand.append(clone(asking).fit(X[train], y[train], weight[train]).score(X[test], y[test], weight[test]))
    assert routed.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert routed.cv_results_["mean_test_score"][0] != unweighted.cv_results_["mean_test_score"][0]


def test_own_validation_set_is_routed_through_a_pipeline(wine):
    X, y = wine
    with config_context(enable_metadata_routing=True):
        asking = small(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("mlp", asking)]).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(pipeline[-1].validation_scores_) == pipeline[-1].n_iter_


def test_calibrated_probabilities_and_importances_point_the_right_way(wine):
    X, y = wine
    noise = np.random.default_rng(0).standard_normal((len(y), 1))
    settings = {"max_iter": 60, "learning_rate_init": 0.03}
    calibrated = CalibratedClassifierCV(small(**settings), cv=3, method="isotonic").fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.95
    fitted = small(**settings).fit(np.hstack([X, noise]), y)
    importance = permutation_importance(fitted, np.hstack([X, noise]), y, n_repeats=5, random_state=0, n_jobs=2)
    assert importance.importances_mean[-1] < importance.importances_mean[:-1].max() / 3


def test_calibration_importance_and_output(wine):
    X, y = wine
    assert CalibratedClassifierCV(small(), cv=2).fit(X, y).predict_proba(X).shape == (178, 3)
    importance = permutation_importance(small().fit(X, y), X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (13,)
    assert cross_val_score(small(learning_rate_init=0.05), X, y, cv=2).mean() > 0.9


def test_names_of_features_and_frames():
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=3)).set_output(transform="pandas").fit(X, y)
    assert list(pipeline[-1].feature_names_in_) == list(X.columns)
    stopped = MLPClassifier((4,), max_iter=3, early_stopping=True, metric="accuracy").fit(X, y)
    assert len(stopped.predict(pandas.DataFrame(X))) == 150


def test_strings_booleans_and_one_class():
    X = np.arange(8.0).reshape(4, 2)
    for y in (["a", "b", "a", "b"], [True, False, True, False], np.array(["x", "y", "z", "x"], object)):
        assert set(small(max_iter=2).fit(X, y).predict(X)) <= set(y)
    assert set(small(max_iter=2).fit(X, [5, 5, 5, 5]).predict(X)) == {5}
    assert small(max_iter=2).fit(X[:1], [5]).predict(X[:1]) == [5]


def test_sparse_labels_come_back_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.arange(12.0).reshape(6, 2)
    y = sparse.csr_matrix(np.array([[0, 1], [1, 0], [1, 1]] * 2))
    assert sparse.issparse(small(max_iter=2).fit(X, y).predict(X))


# Plain arrays, and predictions through the network of `fit`


@pytest.mark.parametrize(
    "damage",
    [
        lambda X: np.where(np.arange(len(X))[:, None] == 3, np.nan, X),
        lambda X: X[:, :-1],
        lambda X: X.ravel(),
        lambda X: X[:0],
        lambda X: X.astype(complex),
    ],
    ids=["nan", "a column less", "a vector", "no rows", "complex"],
)
def test_plain_arrays_meet_the_same_errors(wine, damage):
    from sklearn.neural_network import MLPClassifier as Theirs

    X, y = wine
    said = []
    for kind in (Theirs, MLPClassifier):
        fitted = kind((4,), max_iter=1).fit(X, y)
        said.append(complaint(fitted.predict, damage(X)))
    assert said[0] == said[1]


def complaint(function, *arguments):
    with pytest.raises(ValueError, match=r"\w") as error:
        function(*arguments)
    return str(error.value)


def test_targets_that_do_not_fit_meet_the_same_errors(wine, diabetes):
    import sklearn.neural_network as theirs

    X, y = diabetes
    broken = np.where(y == y[0], np.inf, y)
    for name, rows, targets in [("MLPRegressor", X, broken), ("MLPRegressor", X, y[:-1]), ("MLPClassifier", X, y)]:
        said = []
        for kind in (getattr(theirs, name), globals()[name]):
            said.append(complaint(kind(hidden_layer_sizes=(4,), max_iter=1).fit, rows, targets))
        assert said[0] == said[1]


def test_names_of_features_are_forgotten_with_the_frame():
    X, y = load_iris(return_X_y=True, as_frame=True)
    fitted = small(max_iter=2).fit(X, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X.to_numpy())
    fitted.fit(X.to_numpy(), y.to_numpy())
    assert not hasattr(fitted, "feature_names_in_")
    assert fitted.n_features_in_ == 4
    fitted.predict(X.to_numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_is_that_of_the_attributes(wine, dtype):
    X, y = wine[0].astype(dtype), wine[1]
    fitted = small(hidden_layer_sizes=(8, 7), dropout=0.3, activation=["tanh", "relu"]).fit(X, y)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(fitted.predict_proba(X), copied.predict_proba(X))
    fitted.set_params(activation="relu")
    copied.set_params(activation="relu")
    np.testing.assert_array_equal(fitted.predict_proba(X), copied.predict_proba(X))
    assert not np.array_equal(fitted.predict_proba(X), small(hidden_layer_sizes=(8, 7)).fit(X, y).predict_proba(X))
    fitted.coefs_[0] = fitted.coefs_[0] * 0
    fitted.intercepts_[0][...] = -1.0
    assert len(np.unique(fitted.predict_proba(X), axis=0)) == 1


def test_poisson_predicts_what_the_attributes_say(diabetes):
    X, y = diabetes[0], np.exp(diabetes[1])
    fitted = MLPRegressor("poisson", (), max_iter=30, random_state=0).fit(X, y)
    expected = np.exp(X @ fitted.coefs_[0] + fitted.intercepts_[0]).ravel()
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-12)
