"""Train and predict with scikit-learn's MLPClassifier and MLPRegressor, through `fit`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor

from cases import Network, Optimizer, Training, Weights
from rivals.base import Rival, Route, Values, in_blocks

warnings.filterwarnings("ignore")


class StartsFromGivenWeights:
    """Replace the random starting weights by given ones: the one thing that the estimators have no parameter for."""

    starting_weights: Weights

    def _initialize(self, *arguments: Any, **keywords: Any) -> None:
        super()._initialize(*arguments, **keywords)  # type: ignore[misc]
        self.coefs_ = [w.copy() for w in self.starting_weights[0::2]]
        self.intercepts_ = [b.copy() for b in self.starting_weights[1::2]]


class Classifier(StartsFromGivenWeights, MLPClassifier):  # type: ignore[misc]
    pass


class Regressor(StartsFromGivenWeights, MLPRegressor):  # type: ignore[misc]
    pass


class ScikitLearn(Rival):
    """Run scikit-learn's estimators in float32 without regularisation or early stopping."""

    def versions(self) -> dict[str, str]:
        return {"scikit-learn": sklearn.__version__, "numpy": np.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        self.case = case
        self.network = network
        regression = case is not None and case.loss == "mean_squared_error"
        # Its squared error is half the sum over outputs, Keras's their mean: the gradients differ by this factor.
        factor = network.sizes[-1] / 2 if regression else 1.0
        settings: dict[str, Any] = {"solver": "sgd"}
        if optimizer is not None and optimizer.name == "sgd":
            settings = {
                "solver": "sgd",
                "learning_rate_init": optimizer.learning_rate / factor,
                "momentum": optimizer.momentum,
                "nesterovs_momentum": False,
            }
        elif optimizer is not None:
            settings = {
                "solver": "adam",
                "learning_rate_init": optimizer.learning_rate,
                "beta_1": optimizer.beta_1,
                "beta_2": optimizer.beta_2,
                "epsilon": optimizer.epsilon * factor,
            }
        kind = Regressor if regression else Classifier
        self.estimator = kind(
            hidden_layer_sizes=network.sizes[1:-1],
            activation=network.hidden,
            batch_size=case.batch if case else 32,
            alpha=0.0,
            tol=0.0,
            n_iter_no_change=10**9,
            warm_start=True,
            random_state=0,
            **settings,
        )
        self.estimator.starting_weights = weights
        if case is None:
            self.give_weights_without_training(network)

    def give_weights_without_training(self, network: Network) -> None:
        """Fit one step on made-up rows, which sets all attributes, then put the starting weights back."""
        classes = max(network.sizes[-1], 2)
        self.estimator.max_iter = 1
        x = np.zeros((2 * classes, network.sizes[0]), np.float32)
        self.estimator.fit(x, np.arange(2 * classes) % classes)
        self.estimator.coefs_ = [w.copy() for w in self.estimator.starting_weights[0::2]]
        self.estimator.intercepts_ = [b.copy() for b in self.estimator.starting_weights[1::2]]

    def train(self, epochs: int, shuffle: bool) -> None:
        self.estimator.set_params(max_iter=epochs, shuffle=shuffle)
        self.estimator.fit(self.x, self.y)

    def predict(self, x: NDArray[np.float32]) -> Values:
        if isinstance(self.estimator, Regressor):
            outputs: Values = self.estimator.predict(x)
        else:
            outputs = self.estimator.predict_proba(x)
        return outputs[:, 1:] if self.network.output == "sigmoid" else outputs

    def routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {"whole": lambda: self.predict(self.x)}
        if len(self.x) > 10_000:
            routes["blocks"] = lambda: in_blocks(self.predict, self.x)
        return routes
