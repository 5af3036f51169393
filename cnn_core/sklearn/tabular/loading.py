"""How a tabular estimator is read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import cnn_core.foundation.validation as validation
from cnn_core.foundation.model_file import name_of
from cnn_core.foundation.model_header import refused_by_name
from cnn_core.sklearn.tabular.predictor import predictor_of, read_state

if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike

_CLASSES = {"classification": "TabularClassifier", "regression": "TabularRegressor"}


class Loadable:
    """An estimator that is read from a file."""

    _task: str

    @classmethod
    def load(cls, path: FileLike) -> Self:
        """Read an estimator that `save` wrote; nothing in the file is executed.

        Raises
        ------
        ValueError
            If the file holds something else, or is damaged.
        """
        estimator: Self = estimator_of(path, {cls._task: cls})
        return estimator


def estimator_of(path: FileLike, kinds: Mapping[str, type]) -> Any:
    """Return the estimator that a file holds, of the class for its task.

    Raises
    ------
    ValueError
        If the file holds something else, an estimator of another task, or is damaged.
    """
    state, weights = read_state(path)
    with refused_by_name(name_of(path)):
        task = validation.choice(state.get("task"), "task", _CLASSES)
        if task in kinds:
            return _restored(kinds[task], state, weights)
    wanted = " or ".join(kind.__name__ for kind in kinds.values())
    raise ValueError(f"{name_of(path)} holds a {_CLASSES[task]}, not a {wanted}")


def _restored(kind: type, state: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
    known = {name: value for name, value in state["parameters"].items() if name in kind().get_params()}
    for name in ("hidden_layer_sizes", "quantiles"):  # JSON knows lists only
        if isinstance(known.get(name), list):
            known[name] = tuple(known[name])
    estimator: Any = kind(**known)
    estimator._restore(state, predictor_of(state["task"], state, weights))
    return estimator
