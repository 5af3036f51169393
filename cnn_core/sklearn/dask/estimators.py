"""MLPClassifier, MLPRegressor, TabularClassifier and TabularRegressor over dask collections."""

from __future__ import annotations

from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin

import cnn_core.sklearn.perceptron.parts as perceptron_parts
import cnn_core.sklearn.tabular.classifier as tabular_classifier
import cnn_core.sklearn.tabular.parts as tabular_parts
import cnn_core.sklearn.tabular.regressor as tabular_regressor
from cnn_core.sklearn.dask.estimator import DaskEstimator, Scored
from cnn_core.sklearn.parts import GivenPart, naming_the_part
from cnn_core.sklearn.perceptron import classifier, regressor
from cnn_core.sklearn.row_statistics import Hits, SquaredErrors


class _Classifier(ClassifierMixin, DaskEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both classifiers share."""

    def predict_proba(self, X: object) -> Any:
        """Return the probabilities of the classes for every row, when they are asked for.

        Parameters
        ----------
        X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (n, classes), or a dask DataFrame with the classes as columns
        """
        return self._predicted("predict_proba", X)

    def score(self, X: object, y: object, sample_weight: object = None) -> float:
        """Return the accuracy of the predictions, computed where the rows lie.

        Parameters
        ----------
        X, y, sample_weight : dask collections
            As those of `fit`.
        """
        return float(self._scored(_hits, X, y, sample_weight).accuracy)


class _Regressor(RegressorMixin, DaskEstimator):  # type: ignore[misc]
    """What both regressors share."""

    def score(self, X: object, y: object, sample_weight: object = None) -> float:
        """Return R^2 of the predictions, averaged over the outputs, computed where the rows lie.

        Parameters
        ----------
        X, y, sample_weight : dask collections
            As those of `fit`.
        """
        return float(self._scored(_squared_errors, X, y, sample_weight).r2)


@naming_the_part
def _hits(estimator: object, number: int, part: GivenPart) -> Scored:
    return Scored.of(Hits, estimator, part)


@naming_the_part
def _squared_errors(estimator: object, number: int, part: GivenPart) -> Scored:
    return Scored.of(SquaredErrors, estimator, part)


class MLPRegressor(_Regressor):
    """Predict numbers with a multi-layer perceptron that is trained where the partitions of dask collections lie.

    Training runs in rounds, as tasks of Dask. Partitions are dealt into chains. In a round a copy of the parameters and
    of the optimizer's memory goes along each chain, to the workers that hold its partitions, and makes about
    `sync_every` steps there; then the copies are averaged in a tree, weighted by rows (local SGD: Stich, 2019). Rows
    never leave their workers. A task depends on its arguments alone, so that Dask repeats those of a worker that dies.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, ... :
        Those of `cnn_core.sklearn.MLPRegressor`. Not for partitions are ``solver="lbfgs"``, ``warm_start=True``, a
        `metric` other than "loss" and R^2, and callbacks with hooks around batches. `early_stopping` holds out
        `validation_fraction` of every partition. Workers compute with the threads that Dask gives them, whatever
        `n_threads` is.
    client : distributed.Client, default None
        None: the current one.
    n_chains : int, default None
        How many copies are trained side by side. None: as many as the workers have threads when `fit` begins. An epoch
        of k chains has k times fewer steps one after another, and so takes k times less time and teaches as much less.
        What is fitted depends on `random_state`, the partitions and this number, on nothing else of the cluster.
    sync_every : int, default 1000
        Steps of a chain between two averages, at least one of which there is in an epoch. Fewer are better where
        partitions have rows of kinds of their own, such as a single class, and take more messages.
    persist : bool, default True
        Whether checked and converted partitions stay on the workers, which write to disk what exceeds their memory.
        False: they are read again whenever they are trained on or scored, so that workers hold two for each chain;
        rounds then end where partitions end.

    Attributes
    ----------
    local_ : cnn_core.sklearn.MLPRegressor
        The fitted estimator of one process. Its attributes are those of this one, too: ``coefs_``, ``loss_curve_``, ...

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> client = Client(processes=False, dashboard_address=None)
    >>> X = da.random.default_rng(0).normal(size=(3000, 3), chunks=(500, 3))
    >>> y = X[:, 0] * X[:, 1]
    >>> settings = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "tol": 1e-3, "random_state": 0}
    >>> regressor = MLPRegressor(**settings, n_chains=2).fit(X, y)
    >>> regressor.score(X, y) > 0.9
    True
    >>> regressor.predict(X)
    dask.array<_block, shape=(3000,), dtype=float64, chunksize=(500,), chunktype=numpy.ndarray>
    >>> type(regressor.to_local())
    <class 'cnn_core.sklearn.perceptron.regressor.MLPRegressor'>
    >>> client.close()
    """

    local = regressor.MLPRegressor
    fit_parts = staticmethod(perceptron_parts.fit_parts)


class MLPClassifier(_Classifier):
    """Classify with a multi-layer perceptron that is trained where the partitions of dask collections lie.

    How, and what `client`, `n_chains`, `sync_every` and `persist` are, says `MLPRegressor`. A partition may lack
    classes; of every class that it has, the same share of rows is held out.

    Parameters
    ----------
    hidden_layer_sizes, activation, ... :
        Those of `cnn_core.sklearn.MLPClassifier`. Not for partitions are ``solver="lbfgs"``, ``warm_start=True``, a
        `metric` other than "loss" and the accuracy, and callbacks with hooks around batches.
    client, n_chains, sync_every, persist :
        As those of `MLPRegressor`.

    Attributes
    ----------
    local_ : cnn_core.sklearn.MLPClassifier
        The fitted estimator of one process. Its attributes are those of this one, too: ``classes_``, ``coefs_``, ...
    """

    local = classifier.MLPClassifier
    fit_parts = staticmethod(perceptron_parts.fit_parts)


class TabularRegressor(_Regressor):
    """Predict numbers from tables with a network that is trained where the partitions of dask collections lie.

    How, and what `client`, `n_chains`, `sync_every` and `persist` are, says `MLPRegressor`. Columns are told apart, and
    features scaled, by summaries of the partitions, merged in a tree: categories by their counts, of at most 131,072
    values; numbers and dates by sketches of 2,050 values, whose quantiles are those of a level that is wrong by
    0.0244 % for each level of the tree and one more, 0.12 % at 4,096 partitions. Columns of fewer different values are
    scaled exactly as in one process.

    Parameters
    ----------
    preset, hidden_layer_sizes, ... :
        Those of `cnn_core.sklearn.TabularRegressor`. Not for partitions are `time_limit`,
        `target_transform`, presets that blend, and an `eval_metric` that does not add up over rows: there are "rmse",
        "mae" and "pinball".
    client, n_chains, sync_every, persist :
        As those of `MLPRegressor`.

    Attributes
    ----------
    local_ : cnn_core.sklearn.TabularRegressor
        The fitted estimator of one process. Its attributes are those of this one, too.
    """

    local = tabular_regressor.TabularRegressor
    fit_parts = staticmethod(tabular_parts.fit_parts)

    def predict_quantiles(self, X: object) -> Any:
        """Return the quantiles that the estimator was fitted for, for every row, when they are asked for.

        Parameters
        ----------
        X : dask.array.Array of shape (n, columns), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (n, levels), or a dask DataFrame
        """
        return self._predicted("predict_quantiles", X)


class TabularClassifier(_Classifier):
    """Classify the rows of tables with a network that is trained where the partitions of dask collections lie.

    How says `MLPRegressor`, and how columns are told apart and scaled `TabularRegressor`. A partition may lack classes.

    Parameters
    ----------
    preset, hidden_layer_sizes, ... :
        Those of `cnn_core.sklearn.TabularClassifier`. Not for partitions are `time_limit`, presets that blend, and an
        `eval_metric` that does not add up over rows: there are "error", "log_loss" and "brier".
    client, n_chains, sync_every, persist :
        As those of `MLPRegressor`.

    Attributes
    ----------
    local_ : cnn_core.sklearn.TabularClassifier
        The fitted estimator of one process. Its attributes are those of this one, too.
    """

    local = tabular_classifier.TabularClassifier
    fit_parts = staticmethod(tabular_parts.fit_parts)
