"""Fitted perceptrons outside scikit-learn: as files, and as models of cnn_core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.utils.validation import check_is_fitted

import cnn_core.sklearn.perceptron.files as perceptron_files
from cnn_core.models import Sequential
from cnn_core.sklearn.perceptron.model import model_of
from cnn_core.sklearn.perceptron.network import Stack, Weights

if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike


class Portable:
    """The methods with which a fitted perceptron leaves the process or the package."""

    coefs_: list[Any]

    def _stack(self, widths: list[int], reading: bool = False) -> Stack:
        raise NotImplementedError

    def _weights(self) -> Weights:
        raise NotImplementedError

    def _widths(self) -> list[int]:
        return [len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_)]

    def save(self, path: FileLike) -> None:
        """Write the fitted estimator to a file of data only, the optimizer's state included if `keep_optimizer`.

        Callbacks, a metric that is a callable and a `RandomState` are left out.

        Parameters
        ----------
        path : str or path-like
            By custom ending in ".safetensors".

        Raises
        ------
        ValueError
            If activations or the loss are not built-in ones.
        """
        check_is_fitted(self)
        perceptron_files.write(self, path)

    @classmethod
    def load(cls, path: FileLike) -> Self:
        """Read an estimator of this class from a file; nothing in it is executed.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        MLPClassifier or MLPRegressor

        Raises
        ------
        ValueError
            If the file holds something else, or is damaged.
        """
        loaded: Self = perceptron_files.read(cls, path)
        return loaded

    def to_model(self) -> Sequential:
        """Return the network as a compiled model of cnn_core, with copies of its weights and the same predictions.

        It is for `trace`, plots, export and whatever else models can do. Its optimizer and its loss are those of the
        estimator as far as there are such: of several labels the loss is the mean rather than the sum, of Poisson's it
        lacks what does not depend on the prediction, and the penalty `alpha` is left out.

        Returns
        -------
        Sequential
            For two classes its output is the probability of the second, for more those of all; its targets are the
            numbers of the classes in the order of `classes_`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnn_core.sklearn import MLPRegressor
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> regressor = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", random_state=0).fit(X, X.ravel() ** 2)
        >>> model = regressor.to_model()
        >>> bool((model.predict(X, verbose=0).ravel() == regressor.predict(X)).all()), len(model.trace(X))
        (True, 2)
        """
        check_is_fitted(self)
        widths = self._widths()
        stack = self._stack(widths, reading=True)
        stack.dropout = self._stack(widths).dropout
        return model_of(self, stack, self._weights())
