"""What users pass as x, y and weights, checked and turned into a data set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.data.dataset import Dataset, InputSpec, TargetSpec
from cnn_core.data.form import Form
from cnn_core.data.rows import ROWS_AT_A_TIME, LazyRows, Rows, SparseRows, is_memory_map
from cnn_core.data.translation import Translation, in_memory
from cnn_core.foundation.suggestions import alphabetical
from cnn_core.foundation.validation.contents import check_rows
from cnn_core.foundation.validation.messages import Array, Shape


def adapt(
    x: object,
    y: object = None,
    sample_weight: object = None,
    class_weight: Mapping[int, float] | None = None,
    *,
    input_specs: Sequence[InputSpec],
    target_specs: Sequence[TargetSpec] = (),
    dtype: object = np.float32,
) -> Dataset:
    """Check arrays and turn them into a Dataset.

    Parameters
    ----------
    x : array-like, or list or dict of array-likes
        One per input spec: in their order, or by their names; for several a frame, too, by the names of its columns.
        What counts as array-like: `validation.as_array`; for an input that allows it a SciPy sparse matrix too.
        float64 is rounded to float32 where that is the dtype.
        An array of the right dtype in C order is used in place. A memory map of another dtype is converted batch by
        batch, everything else at once.
    y : array-like, or list or dict of array-likes, default None
        One per target spec. None is right only without target specs.
    sample_weight : array-like, or list or dict of array-likes or None, default None
        Weight of each sample, shape (n,) or (n, 1); or (n, ...), the output's shape without its last dimension. One
        array serves all outputs.
    class_weight : mapping of int to float, default None
        See `Dataset.weigh_classes`. `fit` with a validation split weighs the training part only: there, split first.
    input_specs : sequence of InputSpec
    target_specs : sequence of TargetSpec, default ()
        Empty for prediction.
    dtype : {float32, float64}, default float32
        The model's dtype.

    Returns
    -------
    Dataset

    Raises
    ------
    TypeError, ValueError
        If anything is missing, misshapen, not finite or not a number; the message names the argument.

    Examples
    --------
    >>> from cnn_core.data.dataset import InputSpec, TargetSpec
    >>> data = adapt([[1, 2], [3, 4]], [0, 1], sample_weight=[1, 0.5],
    ...              input_specs=[InputSpec("features", (2,))], target_specs=[TargetSpec("label", (3,), "labels")])
    >>> data.targets, data.weights
    ([array([0, 1], dtype=int32)], [array([1. , 0.5], dtype=float32)])
    """
    return Reader(input_specs, target_specs, validation.float_dtype(dtype)).read(x, y, sample_weight, class_weight)


class Reader:
    """Read what users pass as x, y and weights for one model: check it and turn it into data sets.

    Parameters
    ----------
    input_specs, target_specs, dtype
        See `adapt`.
    input_form, output_form : Form, default None
        The structures in which the model's inputs and outputs come; None: lists of them.
    takes_sparse : sequence of bool, default None
        Whether native code takes sparse rows for each input; None: whatever the specs allow.
    translation : Translation, default None
        What is made of the inputs before native code reads them; None: nothing.
    """

    def __init__(
        self,
        input_specs: Sequence[InputSpec],
        target_specs: Sequence[TargetSpec],
        dtype: np.dtype[Any],
        input_form: Form | None = None,
        output_form: Form | None = None,
        takes_sparse: Sequence[bool] | None = None,
        translation: Translation | None = None,
    ) -> None:
        self._inputs, self._targets, self._dtype = input_specs, target_specs, dtype
        self._input_form = input_form or Form([spec.name for spec in input_specs])
        self._output_form = output_form or Form([spec.name for spec in target_specs])
        self._kept = [spec.name for spec in target_specs]
        self._takes_sparse = takes_sparse
        self._translation = translation
        first = input_specs[0]
        plain = translation is None and len(input_specs) == 1 and first.kind == "float" and len(first.shape) == 1
        self._width = -1 if not plain or first.shape[0] is None else first.shape[0]

    def in_place(self, x: object) -> bool:
        """Whether native code can read x as it stands, and nothing is wrong with it."""
        return _core.reads_in_place(x, self._dtype, self._width)

    def read(
        self, x: object, y: object = None, sample_weight: object = None, class_weight: Mapping[int, float] | None = None
    ) -> Dataset:
        """Return a data set; without target specs for prediction, where y and weights are left alone.

        Raises
        ------
        TypeError, ValueError
            As `adapt`; and if targets are none that a loss or a metric can mean.
        """
        given = self._read_inputs(x)
        wanted = self._read_targets(x, y) if self._targets else {}
        weights = self._read_weights(sample_weight) if self._targets and sample_weight is not None else {}
        present = {name: weight for name, weight in weights.items() if weight is not None}
        n = validation.same_length({**given, **wanted, **present})
        by_target = list(weights.values()) or [None] * len(wanted)
        if len(by_target) == 1:  # one array serves all outputs
            by_target *= len(wanted)
        data = Dataset(list(given.values()), list(wanted.values()), by_target, n, self._dtype)
        data = data.weigh_classes(class_weight)
        self._check_meanings(data)
        return data if self._takes_sparse is None else data.keep_sparse(self._takes_sparse)

    def _read_inputs(self, x: Any) -> dict[str, Rows]:
        if self.in_place(x):
            return {"x": x}
        matched = _match(self._input_form.by_name(x, "x"), self._inputs, "x")
        if self._translation is not None:
            return self._translated(self._translation, matched)
        return {name: self._read_one(name, value, spec) for name, value, spec in matched}

    def _translated(self, translation: Translation, matched: Sequence[tuple[str, Any, InputSpec]]) -> dict[str, Rows]:
        """Read inputs, and what is made of them, as native code reads them."""
        given = {place: self._read_one(*matched[place]) for place in translation.read}
        behind = {
            place: self._read_one(*matched[place][:2], spec)
            for place, spec in zip(translation.sources, translation.specs, strict=True)
            if place is not None
        }
        validation.same_length({matched[place][0]: rows for place, rows in (given | behind).items()})
        made = iter(translation.numbers(list(map(in_memory, given.values()))))
        rows: dict[str, Rows] = {}
        for place, spec in zip(translation.sources, translation.specs, strict=True):
            name = f"what {spec.name!r} finds" if place is None else matched[place][0]
            rows[name] = self._read_one(name, next(made), spec) if place is None else behind[place]
        return rows

    def _read_one(self, name: str, value: object, spec: InputSpec) -> Rows:
        return _read_input(value, name, spec, self._dtype)

    def _read_targets(self, x: object, y: object) -> dict[str, Array | LazyRows]:
        if y is None:
            refuse_without_targets(x)
        matched = _match(self._output_form.only(self._kept, y, "y"), self._targets, "y")
        return {name: _read_target(value, name, spec, self._dtype) for name, value, spec in matched}

    def _read_weights(self, sample_weight: object) -> dict[str, Array | None]:
        if isinstance(sample_weight, Mapping) or holds_arrays(sample_weight):
            sample_weight = self._output_form.by_name(sample_weight, "sample_weight")
        pairs = _match_weights(sample_weight, self._targets)
        return {name: _read_weight(value, name, spec, self._dtype) for name, value, spec in pairs}

    def _check_meanings(self, data: Dataset) -> None:
        """Refuse targets that a loss or metric cannot mean; rows of weight 0 may hold anything."""
        for spec, target, weight in zip(self._targets, data.targets, data.weights, strict=True):
            for first, part in _parts(target) if spec.meanings else ():
                counted = None if weight is None else weight[first : first + len(part)]
                _check_meanings(spec, spec.in_shape(part), counted, self._name_of(spec), first)

    def _name_of(self, spec: TargetSpec) -> str:
        return "y" if self._output_form.has_one_place else f"y[{spec.name!r}]"


def refuse_without_targets(x: object) -> NoReturn:
    """Tell that y is missing, or that x is something else than the caller takes it for.

    Raises
    ------
    TypeError
        If x is a list of batches, a function, or nothing that can be read as an array.
    ValueError
        If it is an array, or a structure of them.
    """
    _refuse_batches(x)
    if not isinstance(x, (list, tuple, Mapping)) and not validation.is_sparse(x):
        check_rows(validation.as_array(x, "x"), "x")
    raise ValueError("y must be given: the model's loss compares its output with it. Received: y=None")


def _refuse_batches(x: object) -> None:
    if isinstance(x, (list, tuple)) and x and all(map(_resembles_batch, x)):
        raise TypeError(
            "x must be arrays, or an iterator over batches. Received: a list of batches (x, y). Pass iter(x), or a "
            "PyDataset if it is to be walked in several epochs"
        )


def _resembles_batch(value: object) -> bool:
    return isinstance(value, (list, tuple)) and 2 <= len(value) <= 3 and all(map(_has_rows, value))


def _has_rows(value: object) -> bool:
    return len(getattr(value, "shape", ())) > 0


def feature_shape(x: object, name: str = "x") -> tuple[int, ...]:
    """Return the shape of one sample, from which a model without an Input learns what to expect.

    Examples
    --------
    >>> feature_shape(np.zeros((5, 3))), feature_shape([1.0, 2.0])
    ((3,), (1,))
    """
    if _wraps_one(x, 1):
        x = x[0]  # type: ignore[index]
    read = validation.as_texts if validation.holds_texts(x) else validation.as_array
    array: Any = x if validation.is_sparse(x) else check_rows(read(x, name), name)
    return tuple(array.shape[1:])


def feature_dtype(x: object) -> str | None:
    """Return the dtype of the symbol that stands for data, if it is one of whole numbers or texts; None for floats.

    Examples
    --------
    >>> feature_dtype(np.zeros(2, "int32")), feature_dtype([1, 2]), feature_dtype(["a"])
    ('int32', None, 'string')
    """
    if validation.holds_texts(x):
        return "string"
    found = str(getattr(x, "dtype", ""))
    return found if found.startswith(("int", "uint")) else None


# The parts of reading


def _match(value: object, specs: Sequence[Any], name: str) -> list[tuple[str, Any, Any]]:
    """Pair the parts of a structure with the specs, in the specs' order: (name of the part, part, spec)."""
    if len(specs) > 1 and validation.is_frame(value):
        value = {column: value[column] for column in value.columns}  # type: ignore[index, attr-defined]
    if isinstance(value, Mapping) and not validation.is_sparse(value):  # one of SciPy's formats is a dict
        names = [spec.name for spec in specs]
        if not set(names) <= set(value) or (name != "x" and len(value) > len(names)):
            wanted = ", ".join(map(repr, alphabetical(names)))
            raise ValueError(f"{name} must have the keys {wanted}. Received: keys {', '.join(map(repr, value))}")
        return [(f"{name}[{spec.name!r}]", value[spec.name], spec) for spec in specs]
    if len(specs) == 1:
        if _wraps_one(value, _rank(specs[0])):
            value = value[0]  # type: ignore[index]
        elif isinstance(value, (list, tuple)):
            _refuse_several(value, name, max(_rank(specs[0]), 1))
        return [(name, value, specs[0])]
    if not isinstance(value, (list, tuple)) or len(value) != len(specs):
        names_of = ", ".join(repr(spec.name) for spec in specs)
        received = (
            f"{len(value)} arrays" if isinstance(value, (list, tuple)) else f"{name} of type {type(value).__name__}"
        )
        raise ValueError(
            f"{name} must be a list of {len(specs)} arrays or a dict with the keys {names_of}. Received: {received}"
        )
    return [(f"{name}[{i}]", part, spec) for i, (part, spec) in enumerate(zip(value, specs, strict=True))]


def _refuse_several(value: Sequence[Any], name: str, rank: int) -> None:
    """Refuse a list of arrays or batches where one array belongs; a list of samples of this rank is one."""
    if name == "x":
        _refuse_batches(value)
    if len(value) > 1 and all(len(getattr(part, "shape", ())) > rank for part in value):
        shapes = ", ".join(str(tuple(part.shape)) for part in value[:4])
        raise ValueError(
            f"{name} must be one array, as the model takes one. Received: a list of {len(value)} arrays of the shapes "
            f"{shapes}{', ...' if len(value) > 4 else ''}"
        )


def _match_weights(value: object, specs: Sequence[TargetSpec]) -> list[tuple[str, Any, TargetSpec]]:
    """Pair weights with targets as `_match` does; a dict may leave targets out, and one array serves all."""
    if isinstance(value, Mapping):
        unknown = set(value) - {spec.name for spec in specs}
        if unknown:
            raise ValueError(f"sample_weight has a key that is no output. Received: key {unknown.pop()!r}")
        return [(f"sample_weight[{spec.name!r}]", value.get(spec.name), spec) for spec in specs]
    if isinstance(value, (list, tuple)) and len(specs) > 1 and len(value) == len(specs) and holds_arrays(value):
        return [(f"sample_weight[{i}]", part, spec) for i, (part, spec) in enumerate(zip(value, specs, strict=True))]
    if _wraps_one(value, 0):
        value = value[0]  # type: ignore[index]
    return [("sample_weight", value, specs[0])]


def holds_arrays(values: object) -> bool:
    """Tell whether a list is a structure of arrays, rather than an array of numbers."""
    return isinstance(values, (list, tuple)) and all(
        value is None or _has_rows(value) or isinstance(value, (list, tuple)) for value in values
    )


def _rank(spec: InputSpec | TargetSpec) -> int:
    """Dimensions of one sample, where a single number has none."""
    if spec.shape is None or spec.shape in ((), (1,)) or (isinstance(spec, TargetSpec) and spec.kind == "labels"):
        return 0
    return len(spec.shape)


def _wraps_one(value: object, rank: int) -> bool:
    """Tell whether a list or tuple is a structure around one array, rather than an array of one sample."""
    return isinstance(value, (list, tuple)) and len(value) == 1 and len(getattr(value[0], "shape", ())) > rank


def _read_input(x: object, name: str, spec: InputSpec, dtype: np.dtype[Any]) -> Rows:
    shape = spec.shape or (1,)
    if spec.sparse and validation.is_sparse(x):
        return SparseRows.read(x, name, dtype, shape[0])
    if spec.kind in ("text", "whole"):
        tokens = validation.as_texts(x, name) if spec.kind == "text" else validation.as_whole_numbers(x, name)
        return check_rows(tokens, name, shape)
    if spec.kind == "int":
        indices = validation.as_indices(x, name, spec.limit)
        validation.check_width(indices, shape, name)
        return _flat(indices)
    array = check_rows(validation.as_array(x, name), name, shape)
    return _read_values(array, name, dtype, validation.column_names(x))


def _read_values(array: Array, name: str, dtype: np.dtype[Any], columns: Sequence[str] | None) -> Array | LazyRows:
    """Bring samples of any shape into rows of the model's dtype: in place, lazily or by conversion."""
    if is_memory_map(array) and (array.dtype != dtype or not array.flags.c_contiguous):
        return LazyRows(array, dtype, name)
    return _flat(validation.finite(validation.convert(array, name, dtype), name, columns))


def _read_target(y: object, name: str, spec: TargetSpec, dtype: np.dtype[Any]) -> Array | LazyRows:
    if spec.kind == "labels":
        n_classes = spec.shape[-1] if spec.shape else None
        return validation.labels(y, n_classes, name, ignore_class=spec.ignore_class, places=spec.places)  # type: ignore[arg-type]
    array = validation.as_array(y, name)
    if spec.kind == "one_hot" and spec.shape not in (None, (1,)) and math.prod(array.shape[1:]) == 1:
        classes = spec.shape[-1] if spec.shape else "n"
        raise ValueError(
            f"{name} has one label per row; this loss expects a row of {classes} class probabilities. Use the sparse "
            f"categorical loss, or utils.to_categorical({name}, {classes}). Received: {name}.shape={array.shape}"
        )
    is_vector = spec.keeps_vectors and array.ndim == 1
    array = check_rows(array, name)
    if spec.shape is not None:
        _check_target_width(array, spec.shape or (1,), name)
    values = _read_values(array[:, 0] if is_vector else array, name, dtype, validation.column_names(y))
    return values.reshape(-1) if is_vector and not isinstance(values, LazyRows) else values


def _check_target_width(y: Array, shape: Shape, name: str) -> None:
    fits = y.ndim - 1 == len(shape) and all(want in (None, got) for want, got in zip(shape, y.shape[1:], strict=True))
    if not fits:
        raise ValueError(
            f"{name} must have the shape of the model's output, {_batch_shape(shape)}. Received: {name}.shape={y.shape}"
        )


def _batch_shape(shape: Shape) -> str:
    return f"(n, {', '.join('any' if size is None else str(size) for size in shape)})"


def _parts(target: Array | LazyRows) -> Iterator[tuple[int, Array]]:
    """Yield targets, with the number of their first row, in pieces that fit into memory."""
    if isinstance(target, LazyRows):
        for first in range(0, len(target), ROWS_AT_A_TIME):
            yield first, target.rows(slice(first, first + ROWS_AT_A_TIME))
    else:
        yield 0, target


def _check_meanings(spec: TargetSpec, target: Array, weight: Array | None, name: str, first: int) -> None:
    for domain, owner, axis in spec.meanings:
        wrong = domain.violation(target, axis)
        if wrong is not None and weight is not None:
            counted = np.flatnonzero(weight.reshape(len(target), -1).any(axis=1))
            wrong = domain.violation(target[counted], axis)
            wrong = wrong and (int(counted[wrong[0]]), wrong[1])
        if wrong is not None:
            raise ValueError(
                f"{name} must be {domain.rule} for {owner}. {domain.remedy}. "
                f"Received: {wrong[1]} at row {first + wrong[0]}"
            )


def _read_weight(weight: object, name: str, spec: TargetSpec, dtype: np.dtype[Any]) -> Array | None:
    if weight is None:
        return None
    array = validation.as_array(weight, name)
    check_rows(array, name)
    inner = spec.places
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 and array.shape[1:] != inner:
        allowed = "(n,) or (n, 1)" + (f" or {_batch_shape(inner)}" if inner else "")
        raise ValueError(f"{name} must have the shape {allowed}. Received: {name}.shape={array.shape}")
    return validation.finite(validation.convert(array, name, dtype), name)


def _flat(array: Array) -> Array:
    """View C-contiguous samples of any shape as rows."""
    return array if array.ndim == 2 else array.reshape(array.shape[0], -1)
