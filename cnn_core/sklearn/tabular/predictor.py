"""What a tabular estimator has learnt, and how it answers: all that serving needs.

Neither scikit-learn nor pandas is imported here.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

import cnn_core.foundation.foreign_files as foreign_files
import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.model_header import parse, refused_by_name
from cnn_core.sklearn.tabular.blend import Blend, JoinedPreprocessor, restored
from cnn_core.sklearn.tabular.columns import Column, columns_of
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.intervals import HeldOutErrors
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.onnx_state import METADATA_KEY, contents_of
from cnn_core.sklearn.tabular.table_arrays import chosen, column_names, few_numbers, is_frame
from cnn_core.sklearn.tabular.table_rows import are_named_rows, columns_of_rows, names_differ
from cnn_core.sklearn.tabular.target_scale import TargetLogarithm, TargetScale

if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike
    from cnn_core.foundation.replacement import PathLike

DEFAULT_LEVELS = (0.05, 0.5, 0.95)


class TablePredictor:
    """Predict the rows of a table; made by `cnn_core.load_predictor` and by the tabular estimators.

    Parameters
    ----------
    preprocessor : TablePreprocessor or JoinedPreprocessor
    network : TabularNetwork, Blend or None
        None where there was nothing to learn.
    named : bool
        Whether the columns had names in training.

    Attributes
    ----------
    task : str
        "classification" or "regression".
    loaded_state : mapping or None
        What the file said from which it was loaded: all that the estimator had learnt.
    """

    task: ClassVar[str]
    loaded_state: Mapping[str, Any] | None = None

    def __init__(
        self, preprocessor: TablePreprocessor | JoinedPreprocessor, network: TabularNetwork | Blend | None, named: bool
    ) -> None:
        self.preprocessor, self.network, self.named = preprocessor, network, named

    def features(self, table: object) -> Array:
        """Return what the network reads: float32 of shape (n, features)."""
        features = self.features_of_few(table)
        return self.preprocessor.transform(self.columns(table)) if features is None else features

    def features_of_few(self, table: object) -> Array | None:
        """Return the same for a few rows of plain numbers, with all columns in order; None for anything else."""
        if not self.preprocessor.reads_numbers_alone:
            return None
        names = self.preprocessor.names
        numbers = few_numbers(table, names if self.named else None)
        if numbers is None or numbers.shape[1] != len(names):
            return None
        return self.preprocessor.transform_numbers(numbers)

    def is_in_order(self, table: Any) -> bool:
        """Whether a table is a frame of pandas or polars with the names of training, in their order, and with rows."""
        if not self.named or not (hasattr(table, "iloc") or hasattr(table, "get_columns")) or not len(table):
            return False
        return hasattr(table, "columns") and list(table.columns) == self.preprocessor.names

    def answers(self, table: object, answer: Callable[[Array], Array]) -> Array:
        """Return what `answer` makes of the features of a table, row by row."""
        features = self.features_of_few(table)
        return self.preprocessor.answers(self.columns(table), answer) if features is None else answer(features)

    def columns(self, table: object) -> list[Column]:
        """Read a table in any of its forms: a frame, an array, a dict, a list of dicts or a series.

        Raises
        ------
        ValueError
            If columns are missing or others come, or a column holds something else than in training.
        TypeError
            If rows have names and the columns in training had none.
        """
        names, kinds = self.preprocessor.names, self.preprocessor.kinds
        if are_named_rows(table):
            self._need_names(type(table).__name__)
            return columns_of_rows(table, names, kinds)
        if is_frame(table):
            return self._columns_of_frame(table)
        validation.rows_at_once(table, "X")
        array = table if isinstance(table, np.ndarray) else array_of_rows(table)
        if array.ndim != 2 or array.shape[1] != len(names):
            raise ValueError(f"Rows must have {len(names)} columns, as in training. Received: shape={array.shape}")
        return columns_of(array, kinds)

    def _columns_of_frame(self, frame: object) -> list[Column]:
        names, kinds = self.preprocessor.names, self.preprocessor.kinds
        found = column_names(frame)
        if not self.named:
            if len(found) != len(names):
                raise ValueError(f"Rows must have {len(names)} columns, as in training. Received: {len(found)}")
            return columns_of(frame, kinds)
        problem = names_differ(names, found)
        if problem:
            raise ValueError(f"The names must be those of the columns in training: {problem}")
        in_order = frame if found == names else chosen(frame, names)
        return columns_of(in_order, kinds)

    def _need_names(self, received: str) -> None:
        if not self.named:
            raise TypeError(f"Columns had no names in training: rows must be arrays. Received: {received}")

    def predict(self, rows: object) -> Array:
        """Return the prediction for each row of a table in any of its forms; see `columns`."""
        raise NotImplementedError

    def with_network(self, network: TabularNetwork) -> Self:
        """Return the same predictor with other weights."""
        other = copy.copy(self)
        other.network, other.loaded_state = network, None
        return other

    def state(self) -> dict[str, Any]:
        """Return what is learnt, without weights, as plain data."""
        return {
            "named": self.named,
            "preprocessor": self.preprocessor.state(),
            "network": None if self.network is None else self.network.state(),
            "target": self._target_state(),
        }

    def _target_state(self) -> dict[str, Any]:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Show the columns in a notebook, each with its kind."""
        import cnn_core.foundation.notebook as notebook

        columns = zip(self.preprocessor.names, self.preprocessor.kinds, strict=True)
        return notebook.heading(type(self).__name__, self.task) + notebook.table(["Column", "Kind"], columns)

    def to_onnx(self, path: PathLike | None = None, state: Mapping[str, Any] | None = None) -> bytes:
        """Return an ONNX file, preprocessing included, and write it if a path is given.

        See `TabularClassifier.to_onnx`. `state` is what the file says of what was learnt; None: what the file said from
        which this was loaded, else what is known here.
        """
        from cnn_core.sklearn.tabular.onnx_file import to_onnx

        return to_onnx(self, path, self.loaded_state if state is None else state)

    def c_files(self, source: Path, constants: Any) -> dict[Path, str]:
        """Return the predictor as C, by the paths of source and header; see `interop.to_c`."""
        from cnn_core.sklearn.tabular.c_code import c_files_of

        return c_files_of(self, source, constants)

    def weights(self) -> dict[str, Array]:
        """Return every parameter by its path."""
        return {} if self.network is None else self.network.weights()


class ClassPredictor(TablePredictor):
    """Predict classes.

    Parameters
    ----------
    preprocessor, network, named
        See `TablePredictor`.
    classes : numpy.ndarray
        In the order of the outputs.
    """

    task = "classification"

    def __init__(
        self,
        preprocessor: TablePreprocessor | JoinedPreprocessor,
        network: TabularNetwork | Blend | None,
        named: bool,
        classes: Array,
    ) -> None:
        super().__init__(preprocessor, network, named)
        self.classes = classes

    def probabilities(self, x: Array) -> Array:
        """Return the probability of each class for a matrix of features."""
        if self.network is None:
            return np.ones((len(x), 1))
        probabilities = self.network.predict(x).mean(axis=0, dtype=np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def likeliest(self, x: Array) -> Array:
        """Return the most probable class for a matrix of features."""
        return np.asarray(self.classes[self.probabilities(x).argmax(axis=1)])

    def predict_proba(self, rows: object) -> Array:
        """Return the probability of each class: (n, classes), in the order of `classes`."""
        return self.answers(rows, self.probabilities)

    def predict(self, rows: object) -> Array:
        """Return the most probable class of each row."""
        return self.answers(rows, self.likeliest)

    def _target_state(self) -> dict[str, Any]:
        dates = self.classes.dtype.kind in "mM"
        return {
            "classes": self.classes.astype(np.int64 if dates else self.classes.dtype).tolist(),
            "dtype": self.classes.dtype.str,
        }

    def check(self) -> None:
        """Raise ValueError unless there is one class for each output."""
        n_outputs = 1 if self.network is None else self.network.n_out
        if self.classes.shape != (n_outputs,):
            raise ValueError(f"its classes must be {n_outputs}. Received: shape={self.classes.shape}")

    @classmethod
    def from_state(
        cls,
        preprocessor: TablePreprocessor | JoinedPreprocessor,
        network: TabularNetwork | Blend | None,
        named: bool,
        target: Mapping[str, Any],
    ) -> ClassPredictor:
        """Return the predictor whose `state` was saved."""
        dtype = np.dtype(object) if "O" in target["dtype"] else np.dtype(target["dtype"])
        return cls(preprocessor, network, named, np.array(target["classes"], dtype=dtype))


class NumberPredictor(TablePredictor):
    """Predict numbers: means, or quantiles.

    Parameters
    ----------
    preprocessor, network, named
        See `TablePredictor`.
    scale : TargetScale
    is_vector : bool
        Whether predictions are of shape (n,), else (n, targets).
    levels : numpy.ndarray or None
        Of the quantiles to tell.

    Attributes
    ----------
    errors : HeldOutErrors or None
        Of rows not trained on; None where there were none.
    """

    task = "regression"
    network: TabularNetwork | Blend

    def __init__(
        self,
        preprocessor: TablePreprocessor | JoinedPreprocessor,
        network: TabularNetwork | Blend,
        named: bool,
        scale: TargetScale,
        is_vector: bool,
        levels: Array | None = None,
    ) -> None:
        super().__init__(preprocessor, network, named)
        self.scale, self.is_vector, self.levels = scale, is_vector, levels
        self.errors: HeldOutErrors | None = None

    def clamped(self, outputs: Array) -> Array:
        """Standardised predictions, kept within the range of the targets in training if the recipe says so."""
        return outputs.clip(self.scale.lowest, self.scale.highest) if self.network.clamps else outputs

    def _outputs(self, members: Array) -> Array:
        outputs = self.clamped(members).mean(axis=0, dtype=np.float64)
        outputs = self.scale.numbers(outputs)
        return outputs if self.levels is None else np.sort(outputs, axis=1)

    def numbers(self, x: Array) -> Array:
        """Return the mean, or the median, for a matrix of features."""
        return self.numbers_of(self.network.predict(x))

    def numbers_of(self, members: Array) -> Array:
        """Return the mean, or the median, from the outputs of the network's members: (members, n, outputs)."""
        outputs = self._outputs(members)
        if self.levels is not None:
            outputs = outputs[:, [self.median]]
        return outputs[:, 0] if self.is_vector else outputs

    def quantiles(self, x: Array, levels: object = None) -> Array:
        """Return the quantiles, ascending, for a matrix of features; see `TabularRegressor.predict_quantiles`."""
        if self.levels is not None:
            if levels is not None:
                raise ValueError(
                    f"`levels` must be None where quantiles were learnt, here {self.levels.tolist()}. "
                    f"Received: levels={levels!r}"
                )
            return self._outputs(self.network.predict(x))[:, self.are_told]
        chosen = checked_levels(DEFAULT_LEVELS if levels is None else levels, "levels")
        if not self.is_vector:
            raise ValueError("`predict_quantiles` needs a single target")
        errors = self._known_errors("predict_quantiles")
        return self.scale.moved(self.numbers(x)[:, None], errors.quantiles(chosen)[:, 0])

    def interval(self, x: Array, coverage: float) -> Array:
        """Return lower and upper ends for a matrix of features; see `TabularRegressor.predict_interval`."""
        low, high = self._known_errors("predict_interval").around(coverage)
        numbers = self.numbers(x)
        columns = numbers.reshape(len(numbers), -1)
        ends = np.stack([self.scale.moved(columns, low), self.scale.moved(columns, high)], axis=2)
        return np.asarray(ends[:, 0] if self.is_vector else ends)

    def learn_errors(self, members: Array, y: Array, factor: Array | None = None) -> None:
        """Learn from what the network's members make of rows not trained on, and from their targets.

        By `factor`, one number for each output, the errors lie closer to their mean than those of these members do.
        """
        if self.levels is None:
            self.scale = self.scale.unbiased(y, self.numbers_of(members).reshape(y.shape))
        errors = self.scale.errors(y, self.numbers_of(members).reshape(y.shape))
        if factor is not None:
            center = errors.mean(axis=0)
            errors = center + (factor if self.levels is None else factor[self.median]) * (errors - center)
        self.errors = HeldOutErrors.of(errors)

    def _known_errors(self, asked: str) -> HeldOutErrors:
        if self.errors is None:
            raise ValueError(
                f"`{asked}` needs rows that were held out from training: at least 64 rows with a "
                "`validation_fraction` above 0, or `X_val` and `y_val`"
            )
        return self.errors

    @property
    def median(self) -> int:
        """The place of the median among the quantiles that the network learns."""
        return int(np.flatnonzero(trained_levels(self._levels) == 0.5)[0])

    @property
    def _levels(self) -> Array:
        return np.zeros(0) if self.levels is None else self.levels

    @property
    def are_told(self) -> Array:
        """Which of the quantiles that the network learns were asked for."""
        return np.isin(trained_levels(self._levels), self._levels)

    def predict(self, rows: object) -> Array:
        """Return the predicted mean of each row, or the median if quantiles were fitted: (n,) or (n, targets)."""
        return self.answers(rows, self.numbers)

    def predict_quantiles(self, rows: object, levels: object = None) -> Array:
        """Return quantiles, ascending: (n, levels); see `TabularRegressor.predict_quantiles`."""
        return self.answers(rows, partial(self.quantiles, levels=levels))

    def predict_interval(self, rows: object, coverage: float = 0.9) -> Array:
        """Return lower and upper ends: (n, 2) or (n, targets, 2); see `TabularRegressor.predict_interval`."""
        return self.answers(rows, partial(self.interval, coverage=coverage))

    def _target_state(self) -> dict[str, Any]:
        return {
            "mean": self.scale.mean.tolist(),
            "spread": self.scale.spread.tolist(),
            "lowest": self.scale.lowest.tolist(),
            "highest": self.scale.highest.tolist(),
            "logarithm": None if self.scale.logarithm is None else self.scale.logarithm.state(),
            "one_target": self.is_vector,
            "quantiles": None if self.levels is None else self.levels.tolist(),
            "errors": None if self.errors is None else self.errors.state(),
        }

    def check(self) -> None:
        """Raise ValueError unless there is one output for each target, or for each quantile."""
        n_targets = self.scale.mean.size
        n_outputs = n_targets if self.levels is None else trained_levels(self.levels).size
        parts = (self.scale.mean, self.scale.spread, self.scale.lowest, self.scale.highest)
        if any(part.dtype.kind != "f" or part.shape not in ((n_targets,), (n_outputs,)) for part in parts):
            raise ValueError(f"its target must have {n_targets} means, spreads and bounds")
        if self.network.n_out != n_outputs:
            raise ValueError(f"its network must have {n_outputs} outputs. Received: {self.network.n_out}")

    @classmethod
    def from_state(
        cls,
        preprocessor: TablePreprocessor | JoinedPreprocessor,
        network: TabularNetwork | Blend,
        named: bool,
        target: Mapping[str, Any],
    ) -> NumberPredictor:
        """Return the predictor whose `state` was saved."""
        lowest, highest = (np.array(target[name], np.float32) for name in ("lowest", "highest"))
        logarithm = None if target.get("logarithm") is None else TargetLogarithm.from_state(target["logarithm"])
        scale = TargetScale(np.array(target["mean"]), np.array(target["spread"]), lowest, highest, logarithm)
        levels = None if target["quantiles"] is None else np.array(target["quantiles"])
        predictor = cls(preprocessor, network, named, scale, bool(target["one_target"]), levels)
        if target.get("errors") is not None:
            predictor.errors = HeldOutErrors.from_state(target["errors"], scale.mean.size)
        return predictor


def checked_levels(levels: object, name: str) -> Array:
    """Return the levels of quantiles as an array.

    Raises
    ------
    ValueError
        If they do not ascend between 0 and 1.
    """
    found = np.atleast_1d(np.asarray(levels, np.float64))
    if not len(found) or (found <= 0).any() or (found >= 1).any() or (np.diff(found) <= 0).any():
        raise ValueError(f"`{name}` must ascend between 0 and 1. Received: {name}={levels!r}")
    return found


def trained_levels(levels: Array) -> Array:
    """Return the quantiles that a network learns: those asked for and the median, ascending.

    Examples
    --------
    >>> trained_levels(np.array([0.1, 0.9]))
    array([0.1, 0.5, 0.9])
    """
    return np.union1d(levels, [0.5])


PREDICTORS: dict[str, type[ClassPredictor] | type[NumberPredictor]] = {
    each.task: each for each in (ClassPredictor, NumberPredictor)
}


def predictor_of(task: str, state: Mapping[str, Any], weights: Mapping[str, Array]) -> ClassPredictor | NumberPredictor:
    """Return the predictor whose `state` and weights were saved."""
    preprocessor, network = restored(state, weights)
    predictor = PREDICTORS[task].from_state(preprocessor, network, bool(state["named"]), state["target"])
    predictor.check()
    return predictor


def _onnx_data(path: FileLike) -> bytes | None:
    """The bytes of an ONNX file; None for any other."""
    if not isinstance(path, (str, os.PathLike)) or not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        head = file.read(16)
        return head + file.read() if foreign_files.is_of_onnx(head) else None


def read_state(path: FileLike) -> tuple[dict[str, Any], Mapping[str, Array]]:
    """Return what a file of a tabular estimator holds: its state and its weights.

    Raises
    ------
    ValueError
        If the file holds something else, or is damaged.
    """
    data = _onnx_data(path)
    tensors, metadata = model_file.read(path) if data is None else ({}, {})
    with refused_by_name(model_file.name_of(path)):
        if data is not None:
            tensors, metadata = contents_of(data)
        if METADATA_KEY not in metadata:
            raise ValueError("it holds no tabular estimator; cnn_core.load_model reads models")
        return parse(metadata[METADATA_KEY]), tensors


@knows_its_arguments
def load_predictor(path: FileLike) -> ClassPredictor | NumberPredictor:
    """Read what predicts from the file of a tabular estimator; nothing in the file is executed.

    Needs NumPy alone: neither scikit-learn nor pandas is imported. Answers are bit for bit those of the estimator.

    Parameters
    ----------
    path : str, path-like or binary file
        Written by `save` or `to_onnx` of `TabularClassifier` and `TabularRegressor`, or by ``cnn-core fit``.

    Returns
    -------
    ClassPredictor or NumberPredictor
        With `predict`, and `predict_proba` or `predict_quantiles`, of a dict, a list of dicts, a frame or an array.

    Raises
    ------
    ValueError
        If the file holds something else, or is damaged.

    Examples
    --------
    >>> import io
    >>> from cnn_core.sklearn import TabularClassifier
    >>> classifier = TabularClassifier(epochs=32, random_state=0).fit([[0.0], [1.0]] * 20, ["no", "yes"] * 20)
    >>> file = io.BytesIO()
    >>> classifier.save(file)
    >>> _ = file.seek(0)
    >>> load_predictor(file).predict([[1.0], [0.0]]).tolist()
    ['yes', 'no']
    """
    state, weights = read_state(path)
    with refused_by_name(model_file.name_of(path)):
        predictor = predictor_of(state["task"], state, weights)
    predictor.loaded_state = state
    return predictor


def array_of_rows(rows: object) -> Array:
    """Return rows in lists as an array; texts keep their type, and numbers beside them theirs."""
    array = np.asarray(rows)
    return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array
