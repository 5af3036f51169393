"""scikit-learn's own callbacks, which estimators take from 1.9 on, around the epochs of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """scikit-learn's callbacks are not there yet."""

    def with_callbacks(method: Callable[..., object]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """The tasks that `fit` consists of, as `set_callbacks` follows them: itself, and each epoch.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    fitted_attributes : callable without arguments
        What would be fitted if training ended now, by name.
    X, y : object
        What is trained on.
    sample_weight : array-like, default None
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        fitted_attributes: Callable[[], dict[str, Any]],
        X: object,
        y: object,
        sample_weight: object = None,
    ) -> None:
        self._estimator, self._fitted_attributes = estimator, fitted_attributes
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit: Any = None
        self._epoch: Any = None

    @staticmethod
    def are_wanted(estimator: object) -> bool:
        """Whether anything follows them."""
        return hasattr(estimator, "_skl_callbacks")

    def begin(self, n_epochs: int) -> None:
        """Tell that `fit` begins, and how many epochs it has at most."""
        if self.are_wanted(self._estimator):
            self._fit = self._estimator._init_callback_context(max_subtasks=n_epochs)
            self._fit.call_on_fit_task_begin(**self._data)

    def begin_epoch(self) -> None:
        """Tell that an epoch begins."""
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._data)

    def end_epoch(self) -> bool:
        """Tell that an epoch has ended and return whether training is to end."""
        return self._fit is not None and self._end(self._epoch)

    def end(self) -> None:
        """Tell that `fit` has ended."""
        if self._fit is not None:
            self._end(self._fit)

    def _end(self, task: Any) -> bool:
        return bool(task.call_on_fit_task_end(**self._data, reconstruction_attributes=self._fitted_attributes))
