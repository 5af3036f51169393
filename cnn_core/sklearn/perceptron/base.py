"""The multi-layer perceptron behind MLPClassifier and MLPRegressor: training and prediction.

Where a result of scikit-learn's depends on a choice, the choice is the same here: the draws from `random_state`, the
order of batches, the penalty over each batch, what counts as an improvement. Attributes, warnings and messages are
those of scikit-learn 1.9.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

import cnn_core._core as _core
from cnn_core.config import set_num_threads
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.display import show
from cnn_core.sklearn.inputs import sample_weights
from cnn_core.sklearn.perceptron.arguments import GivenSet
from cnn_core.sklearn.perceptron.callbacks import FitCallbacks
from cnn_core.sklearn.perceptron.held_out import UNKNOWN, HeldOutScores, Standing
from cnn_core.sklearn.perceptron.layered import NORMALIZATION, STOCHASTIC_SOLVERS, Layered
from cnn_core.sklearn.perceptron.network import DenseNetwork, predict, reading_network
from cnn_core.sklearn.perceptron.training import (
    EpochRunner,
    Evaluator,
    FullBatch,
    Objective,
    Outcome,
    Patience,
    Rows,
    SolverState,
)
from cnn_core.sklearn.reading import read_features, read_pair
from cnn_core.sklearn.row_statistics import ClassCounts

SMALLEST_ADAPTIVE_RATE = 1e-6


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let native calls use n threads for a while; None leaves their number alone."""
    if n is None:
        yield
        return
    before = _core.get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


class Perceptron(Layered):
    """What the classifier and the regressor share."""

    # Fitting

    def _fit(
        self, X: object, y: object, sample_weight: object, incremental: bool, held_out: GivenSet | None = None
    ) -> Self:
        before = dict(vars(self))
        try:
            rows, widths, validation = self._prepare_fit(X, y, sample_weight, incremental, held_out)
        except Exception:
            self.__dict__ = before  # what was fitted before stays fitted
            raise
        with _threads(self.n_threads):
            if self.solver == "lbfgs":
                self._fit_lbfgs(rows, widths, validation)
            else:
                self._fit_stochastic(rows, widths, incremental, validation)
        self._check_weights()
        return self

    def _check_weights(self) -> None:
        """Refuse weights that training has left without a meaning."""
        if not all(np.isfinite(array).all() for array in self._weights()):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
                " preprocessed."
            )

    def _prepare_fit(
        self, X: object, y: object, sample_weight: object, incremental: bool, held_out: GivenSet | None
    ) -> tuple[Rows, list[int], Rows | None]:
        """Check everything, and begin or take up weights and records; return both sets of rows, and the widths."""
        self._hidden_layer_sizes()  # wrong ones are refused before any data
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        x, targets = self._read(X, y, first_pass)
        self._learn_labels(targets, incremental)
        weights = None if sample_weight is None else sample_weights(sample_weight, x.shape[0])
        weights = self._with_class_weight(targets, weights)
        self.n_outputs_ = self._count_outputs(targets)
        widths = self._prepare_layers(x.shape[1], x.dtype, first_pass, incremental)
        rows = self._rows(x, targets, weights)
        return rows, widths, None if held_out is None else self._held_out_rows(held_out)

    def _prepare_layers(
        self, n_features: int, dtype: np.dtype[Any], first_pass: bool, incremental: bool = False
    ) -> list[int]:
        """Begin or take up weights and records for data that have been checked; return the widths of the layers."""
        sizes = self._hidden_layer_sizes()
        widths = [n_features, *sizes, self.n_outputs_]
        self._random_state = check_random_state(self.random_state)
        self.out_activation_ = self._out_activation()
        if first_pass:
            self._initialize(widths, dtype)
        else:
            self._check_layers(widths)
        self._check_solver_settings(len(sizes), incremental)
        self._prepare_records(first_pass)
        return widths

    def _check_solver_settings(self, n_hidden: int, incremental: bool) -> None:
        """Refuse what a solver cannot do."""
        rates = self._dropout_rates(n_hidden)
        if self.solver != "lbfgs":
            if self.early_stopping and incremental:
                raise ValueError("partial_fit does not support early_stopping=True")
            return
        if any(rates):
            raise ValueError("`dropout` must be 0 with solver='lbfgs': its loss must not change between evaluations")
        if self.batch_normalization:
            raise ValueError("`batch_normalization` must be False with solver='lbfgs', which has no batches")

    def _check_layers(self, widths: list[int]) -> None:
        """Refuse to go on with the weights of other layers."""
        known = self._widths()
        if known != widths:
            raise ValueError(
                f"Layers must stay {known} units wide while weights are trained further, input and output included. "
                f"Received: {widths}"
            )
        if self.batch_normalization != hasattr(self, NORMALIZATION[0]):
            raise ValueError(
                "`batch_normalization` must stay as it was while weights are trained further. "
                f"Received: batch_normalization={self.batch_normalization!r}"
            )

    def _read(self, X: object, y: object, reset: bool, name: str = "y") -> tuple[Any, Any]:
        """Return X, dense or sparse, and y as arrays, checked as far as all have to be; `name` is that of y."""
        return read_pair(self, X, self._given_targets(y, name), reset, y_numeric=not is_classifier(self))

    @abstractmethod
    def _given_targets(self, y: object, name: str) -> object:
        """Refuse targets of which scikit-learn would make others without a word; return them for its checks."""

    def _learn_labels(self, y: Array, incremental: bool) -> None:
        """Learn the classes of targets, if they have any; or refuse others than before."""

    def _check_held_out_targets(self, y: Array) -> None:
        """Refuse held-out targets that differ from those of training in more than the number of columns."""

    def _rows(self, X: Any, y: Any, weights: Array | None, name: str = "y") -> Rows:
        dtype = self.coefs_[0].dtype
        return Rows.of(X, self._targets(y, dtype, name), weights, y, dtype)

    def _with_class_weight(self, y: object, sample_weight: Array | None) -> Array | None:
        return sample_weight

    def _count_outputs(self, y: Any) -> int:
        return 1 if y.ndim == 1 else int(y.shape[1])

    def _learn_targets(self, shape: tuple[int, ...], labels: ClassCounts | None) -> None:
        """Take over what parts of the rows say of their targets: the shape of a row's, and the classes."""
        self.n_outputs_ = shape[0] if shape else 1

    @abstractmethod
    def _held_out_totals(self, outputs: Array, rows: Rows) -> Any:
        """Return what the score of some rows is computed from, which adds up over parts."""

    @abstractmethod
    def _score_of_totals(self, totals: Any) -> float:
        """Return the accuracy or R^2 of all rows from it."""

    def _bound_network(self, widths: list[int], dtype: np.dtype[Any], packed: bool = False) -> DenseNetwork:
        """Return a network whose views are the weights in the attributes: that of the last call if it still fits."""
        stack, weights = self._stack(widths), self._weights()
        known: DenseNetwork | None = getattr(self, "_network", None)
        if known is not None and known.stack == stack and known.dtype == dtype and not packed and known.has(weights):
            return known
        network = DenseNetwork(stack, weights, dtype, packed)
        self.coefs_, self.intercepts_ = list(network.weights.coefs), list(network.weights.intercepts)
        if self.batch_normalization:
            groups = (network.weights.scales, network.weights.shifts, network.weights.means, network.weights.variances)
            for name, group in zip(NORMALIZATION, groups, strict=True):
                setattr(self, name, list(group))
        if not packed:
            self._network = network
        return network

    def _solver_state(self, network: DenseNetwork, incremental: bool) -> SolverState:
        """Return the optimizer's state: a new one or, to go on with, that of the last call with the settings of now."""
        rule, count = "sgd", 1 if self.momentum else 0
        numbers: tuple[float, ...] = (self.momentum, self.nesterovs_momentum)
        if self.solver == "adam":
            rule, numbers, count = "adam", (self.beta_1, self.beta_2, self.epsilon, 0), 2
        rate = float(self.learning_rate_init)
        state = SolverState(rule, numbers, [], rate, rate, self.learning_rate if rule == "sgd" else "constant")
        known: SolverState | None = getattr(self, "_optimizer", None) if incremental else None
        if known is not None and known.rule == rule and known.fits(network.trained, count):
            state.slots, state.step = known.slots, known.step
            if known.first_rate == rate:
                state.learning_rate = known.learning_rate
        else:
            state.slots = [np.zeros_like(network.trained) for _ in range(count)]
        self._optimizer = state
        return state

    def _fit_stochastic(self, rows: Rows, widths: list[int], incremental: bool, validation: Rows | None) -> None:
        dtype = self.coefs_[0].dtype
        network = self._bound_network(widths, dtype)
        state = self._solver_state(network, incremental)
        if self.early_stopping and validation is None:
            rows, validation = self._split(rows)
        objective = self._objective(dtype)
        scores = None if validation is None else HeldOutScores(self, Evaluator(network, validation, objective))
        native = network.optimizer(state.rule, state.numbers, state.slots, self.alpha, self.clipnorm or 0.0)
        runner = self._runner(network, rows, objective, native, state)
        self._run(runner, scores, incremental)

    def _run(self, runner: Any, scores: Any, incremental: bool) -> None:
        """Train until nothing improves any more, and keep the best weights where held-out rows tell them.

        `runner` is an `EpochRunner`, `scores` a `HeldOutScores` or None, or what has their methods.
        """
        network = runner.network
        best = network.values.copy() if self.early_stopping else None
        try:
            self._run_epochs(runner, scores, best, incremental)
        except KeyboardInterrupt:
            for loss in runner.take_losses():
                self._note_loss(loss, runner.rows.n)
            warn_caller("Training interrupted by user.")
        if best is not None:
            network.values[...] = best
        if scores is not None:
            scores.warn_of_undefined()

    def _batch_size(self, n: int) -> int:
        if self.batch_size == "auto":
            return max(1, min(200, n))
        if self.batch_size > n:
            warn_caller("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return int(np.clip(self.batch_size, 1, n))

    def _split(self, rows: Rows) -> tuple[Rows, Rows]:
        """Set a part aside for early stopping, by scikit-learn's draw."""
        binary = is_classifier(self) and self.n_outputs_ == 1
        stratify = np.asarray(rows.data.targets[0], bool) if binary else None
        kept, held = train_test_split(
            np.arange(rows.n), random_state=self._random_state, test_size=self.validation_fraction, stratify=stratify
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return rows.take(kept), rows.take(held)

    def _held_out_rows(self, held_out: GivenSet) -> Rows:
        """Check the caller's own validation set."""
        X, y, weights = held_out
        X, y = self._read(X, y, False, "y_val")
        self._check_held_out_targets(y)
        if self._count_outputs(y) != self.n_outputs_:
            raise ValueError(
                f"`y_val` must have as many columns as `y`: {self.n_outputs_}. Received: shape {np.shape(y)}"
            )
        counted = None if weights is None else sample_weights(weights, X.shape[0], "sample_weight_val")
        return self._rows(X, y, counted, "y_val")

    def _runner(
        self, network: DenseNetwork, rows: Rows, objective: Objective, optimizer: object, state: SolverState
    ) -> EpochRunner:
        seed = int(self._random_state.randint(2**31)) if any(network.stack.dropout) else 0
        random_state = self._random_state if self.shuffle else None
        by_batch = bool(self.callbacks) and FitCallbacks.need_batches(self)
        batch_size = self._batch_size(rows.n)
        return EpochRunner(network, rows, objective, batch_size, optimizer, state, random_state, seed, by_batch)

    def _run_epochs(
        self, runner: EpochRunner, scores: HeldOutScores | None, best: Array | None, incremental: bool
    ) -> None:
        callbacks = self._callbacks_of(runner.network, runner.state, runner.rows, runner.n_batches)
        schedule = runner.state.schedule
        # Between epochs that nothing looks at, training does not come back here.
        watched = incremental or scores or callbacks or self.verbose or schedule == "invscaling"
        self.n_iter_ = 0
        while self.n_iter_ < self.max_iter:
            self._train(runner, callbacks, 1 if watched else self.max_iter - self.n_iter_)
            for loss in runner.take_losses():
                self._note_loss(loss, runner.rows.n)
                self._note_progress(scores, best, runner.network)
            if schedule == "invscaling":
                runner.state.learning_rate = float(self.learning_rate_init) / (self.t_ + 1) ** self.power_t
            told = callbacks is not None and callbacks.end_epoch(self.n_iter_ - 1, self._logs(scores))
            if told or self._stops(runner.state) or incremental:
                break
        else:
            warn_caller(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
            )
        if callbacks is not None:
            callbacks.end(self._logs(scores))

    def _callbacks_of(
        self, network: DenseNetwork, state: SolverState | None, rows: Rows, n_batches: int
    ) -> FitCallbacks | None:
        """Return the callbacks, told that training begins; None if there are none."""
        if not FitCallbacks.are_wanted(self):
            return None
        callbacks = FitCallbacks(self, network, state, rows)
        callbacks.begin(self.max_iter, n_batches)
        return callbacks

    def _fitted_copies(self) -> dict[str, Any]:
        """Return what would be fitted if training ended now."""
        names = ["coefs_", "intercepts_", *(NORMALIZATION if self.batch_normalization else ())]
        return {name: [array.copy() for array in getattr(self, name)] for name in names}

    def _train(self, runner: EpochRunner, callbacks: FitCallbacks | None, most: int) -> None:
        """Train for at least one epoch and at most so many."""
        if callbacks is not None:
            callbacks.begin_epoch(self.n_iter_)
            if callbacks.by_batch:
                self._train_by_batch(runner, callbacks)
                return
        best = np.inf if self.best_loss_ is None else self.best_loss_
        runner.run(most, Patience(best, self.tol, self.n_iter_no_change, self._no_improvement_count))

    def _train_by_batch(self, runner: EpochRunner, callbacks: FitCallbacks) -> None:
        runner.begin_epoch()
        total = Outcome()
        for batch in range(runner.n_batches):
            callbacks.batch_begins(batch)
            outcome = runner.train_batches(batch, batch + 1)
            samples = min(runner.batch_size, runner.rows.n - batch * runner.batch_size)
            total.add(outcome)
            callbacks.batch_ends(batch, {"loss": (outcome.loss + outcome.penalty) / samples})
            if outcome.diverged:
                break
        runner.end_epoch(total)

    def _note_loss(self, loss: float, n: int) -> None:
        self.n_iter_ += 1
        self.loss_ = loss
        self.t_ += n
        self.loss_curve_.append(loss)
        if self.verbose:
            show(f"Iteration {self.n_iter_}, loss = {loss:.8f}")

    def _logs(self, scores: HeldOutScores | None) -> dict[str, float]:
        logs = {"loss": self.loss_}
        if scores is not None:
            logs |= {"val_loss": self.validation_loss_curve_[-1], "val_score": self.validation_scores_[-1]}
        return logs

    def _note_progress(self, scores: HeldOutScores | None, best: Array | None, network: DenseNetwork) -> None:
        """Measure the last epoch and count those without improvement."""
        standing = None if scores is None else self._note_validation(scores)
        if best is not None:
            assert standing is not None
            # scikit-learn goes on where the weights have left the finite numbers, and keeps the best.
            worse = standing != UNKNOWN and standing < self._best_standing.better_by(self.tol)
            if standing > self._best_standing:
                self._best_standing = standing
                self.best_validation_score_ = self.validation_scores_[-1]
                best[...] = network.values
        else:
            worse = self.loss_ > self.best_loss_ - self.tol
            if self.loss_ < self.best_loss_:
                self.best_loss_ = self.loss_
        self._no_improvement_count = self._no_improvement_count + 1 if worse else 0

    def _note_validation(self, scores: HeldOutScores) -> Standing:
        loss, score = scores.measure()
        if self.validation_loss_curve_ is None:
            self.validation_loss_curve_ = []
        if self.validation_scores_ is None:
            self.validation_scores_ = []
        self.validation_loss_curve_.append(loss)
        self.validation_scores_.append(score)
        if self.verbose and self.early_stopping:
            show(f"Validation score: {score:f}")
        return Standing.of(score, loss)

    def _score_predictions(self, outputs: Array, rows: Rows) -> float:
        """Return the accuracy or R^2 of what the network computes in training."""
        return self._score_outputs(np.exp(outputs) if self.out_activation_ == "exp" else outputs, rows)

    def _stops(self, state: SolverState) -> bool:
        """Decide, where there is no more progress, between an end and a smaller learning rate."""
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        what = "Validation score" if self.early_stopping else "Training loss"
        message = f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs."
        if state.schedule != "adaptive":
            message, stops = f"{message} Stopping.", True
        elif state.learning_rate <= SMALLEST_ADAPTIVE_RATE:
            message, stops = f"{message} Learning rate too small. Stopping.", True
        else:
            state.learning_rate /= 5.0
            message, stops = f"{message} Setting learning rate to {state.learning_rate:f}", False
            self._no_improvement_count = 0
        if self.verbose:
            show(message)
        return stops

    # L-BFGS

    def _fit_lbfgs(self, rows: Rows, widths: list[int], validation: Rows | None) -> None:
        import scipy.optimize

        dtype = self.coefs_[0].dtype
        network, objective = self._bound_network(widths, dtype, packed=True), self._objective(dtype)
        batch = FullBatch(network, rows, objective, self.alpha)
        scores = None if validation is None else HeldOutScores(self, Evaluator(network, validation, objective))
        callbacks = self._callbacks_of(network, None, rows, 1)
        self.n_iter_ = 0
        if scores is not None:
            self.validation_loss_curve_, self.validation_scores_ = [], []
        if callbacks is not None:
            callbacks.begin_epoch(0)

        def after_iteration(vector: Array) -> None:
            network.values[...] = vector
            self.n_iter_, self.loss_ = self.n_iter_ + 1, batch.loss
            if scores is not None:
                self._note_validation(scores)
            if callbacks is not None:
                if callbacks.end_epoch(self.n_iter_ - 1, self._logs(scores)):
                    raise StopIteration
                if self.n_iter_ < self.max_iter:
                    callbacks.begin_epoch(self.n_iter_)

        result = scipy.optimize.minimize(
            batch,
            network.values.copy(),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration if scores is not None or callbacks is not None else None,
            options={"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol},
        )
        self.n_iter_ = min(result.nit, self.max_iter)
        self.loss_ = result.fun
        network.values[...] = result.x
        stopped = callbacks is not None and result.message.startswith("`callback` raised")
        if result.status != 0 and not stopped:
            self._warn_of_lbfgs(result)
        if callbacks is not None:
            callbacks.end(self._logs(scores if self.n_iter_ else None))
        if scores is not None:
            scores.warn_of_undefined()

    def _warn_of_lbfgs(self, result: Any) -> None:
        longer = ""
        if self.n_iter_ == self.max_iter:
            longer = f"\nIncrease the number of iterations to improve the convergence (max_iter={self.max_iter})."
        warn_caller(
            f"lbfgs failed to converge after {self.n_iter_} iteration(s) (status={result.status}):\n{result.message}\n"
            f"{longer}\nYou might also want to scale the data as shown in:\n"
            "    https://scikit-learn.org/stable/modules/preprocessing.html",
            ConvergenceWarning,
        )

    # Prediction

    def _outputs(self, X: Any) -> Array:
        """Return what the output units say, (n, n_outputs)."""
        X = read_features(self, X)
        dtype = np.result_type(X.dtype, self.coefs_[0].dtype)
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype(np.float64)
        widths = self._widths()
        with _threads(self.n_threads):
            return predict(self._reader(widths, dtype), widths[-1], X, dtype)

    def _reader(self, widths: list[int], dtype: np.dtype[Any]) -> _core.Network:
        """Return a native network for prediction: that of `fit`, if it still is what the attributes say."""
        stack, weights = self._stack(widths, reading=True), self._weights()
        known: DenseNetwork | None = getattr(self, "_network", None)
        if known is not None and known.dtype == dtype and known.reads_like(stack) and known.has(weights):
            return known.native
        return reading_network(stack, weights, dtype)

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC_SOLVERS:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_network", None)
        if not self.keep_optimizer:
            state.pop("_optimizer", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
