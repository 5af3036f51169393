"""What each operator of ONNX is as a layer: one row for an operator. Values are arrays, if known, or symbols."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.activations as activations
import cnn_core.layers.merging as merging
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.interop.calls import in_dtype
from cnn_core.interop.onnx_arrays import ARRAYS, SELU, dtype_of
from cnn_core.interop.onnx_formulas import Formula, Samples
from cnn_core.interop.onnx_known import Known, as_product, recognize
from cnn_core.interop.onnx_operations import OPERATIONS, operation
from cnn_core.interop.sklearn_perceptrons import CLASSES
from cnn_core.layers.activation import Activation as ActivationLayer
from cnn_core.layers.activation import PReLU, Softmax
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.normalization import BatchNormalization, LayerNormalization, RMSNormalization
from cnn_core.layers.preprocessing import Rescaling
from cnn_core.layers.reshaping import Flatten, Reshape
from cnn_core.network.graph import Symbol

if TYPE_CHECKING:
    from cnn_core.interop.onnx_arrays import Attributes
    from cnn_core.ops.operation import Value


DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


# What a damaged or an unknown value may raise where it is used.
FAULTS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, MemoryError)


class NotCarriedError(ValueError):
    """A node that has no counterpart here: the message names it."""


class Reading:
    """What rows need to know of the file, and how values become symbols.

    Parameters
    ----------
    dtype : str
    metadata : dict
        Of the model to come.
    samples : Samples
    """

    def __init__(self, dtype: str, metadata: dict[str, str], samples: Samples) -> None:
        self.dtype, self.metadata, self.samples = dtype, metadata, samples

    def through(self, layer: Layer, *sources: object, weights: Sequence[Any] = ()) -> Any:
        """Call a new layer on symbols and give it its weights."""
        for source in sources:
            if not isinstance(source, Symbol):
                raise ValueError("what it reads must depend on the inputs")
        result = in_dtype(layer, self.dtype)(list(sources) if layer.n_inputs is None else sources[0])
        if len(weights):
            layer.set_weights(weights)
        return result

    def symbol_of(self, value: object) -> Any:
        """Return a value with layers for what is still a formula.

        Raises
        ------
        NotCarriedError
            If no layers are known for it.
        """
        if not isinstance(value, Formula):
            return value
        if value.result is None:
            value.result = self._made(value)
        if isinstance(value.result, ValueError):
            raise value.result
        return value.result

    def _made(self, formula: Formula) -> Any:
        """The symbol, or the error, that a formula becomes."""
        is_single = not any(isinstance(each, Formula) for each in formula.operands)
        steps: list[Callable[[Formula], Any]] = [self._by_row, self._recognized]
        error: ValueError | None = None
        for attempt in (*(steps if is_single else reversed(steps)), self._as_product, self._by_operation):
            try:
                if (made := attempt(formula)) is not None:
                    return made
            except NotCarriedError as inner:
                error = error or inner
            except (*FAULTS,) as inner:
                error = error or NotCarriedError(f"{formula.label} cannot be carried over: {inner}")
        return error or NotCarriedError(f"{formula.label} cannot be carried over: the operator has no counterpart here")

    def _by_row(self, formula: Formula) -> Any:
        if formula.operator not in OPERATORS:
            return None
        operands = [self.symbol_of(each) for each in formula.operands]
        return OPERATORS[formula.operator](self, formula.attributes, *operands)

    def _by_operation(self, formula: Formula) -> Any:
        if formula.operator not in OPERATIONS:
            return None
        operands = [self.symbol_of(each) for each in formula.operands]
        return operation(formula.operator, formula.attributes, operands, formula.n_outputs, self.dtype)[formula.place]

    def made_of(self, operator: str, attributes: Attributes, operands: list[Any], n_outputs: int) -> list[Any]:
        """Return what an operator makes of symbols and constants: by a layer or, where there is none, by a function."""
        try:
            if operator not in OPERATORS:
                raise ValueError("the operator has no counterpart here")
            return [OPERATORS[operator](self, attributes, *operands)]
        except FAULTS as error:
            if operator not in OPERATIONS:
                raise
            try:
                return operation(operator, attributes, operands, n_outputs, self.dtype)
            except FAULTS:
                raise error from None

    def _recognized(self, formula: Formula) -> Any:
        return self._through_all(recognize(formula) if self.samples.may_try() else None)

    def _as_product(self, formula: Formula) -> Any:
        return self._through_all(as_product(formula))

    def _through_all(self, known: Known | None) -> Any:
        if known is None:
            return None
        result = self.symbol_of(known.argument)
        for step in known.steps:
            whole = self._joined(result, step.layer)
            result = self.through(step.layer, result, weights=step.weights) if whole is None else whole
        return result

    def _joined(self, source: Any, scaling: Layer) -> Any:
        """Return a normalization and the scale and offset after it as one layer, None if they are not these."""
        layer = None if source.node is None else source.node.layer
        if not isinstance(scaling, Rescaling) or not isinstance(layer, (LayerNormalization, RMSNormalization)):
            return None
        sizes = source.shape[-1:]
        scale, offset = (np.broadcast_to(each, sizes) for each in (scaling.scale, scaling.offset))
        if sample_axes(layer.axis, source.shape, layer.name) != (source.ndim - 2,):
            return None
        if isinstance(layer, LayerNormalization):
            if layer.scale or layer.center:
                return None
            return self.through(
                LayerNormalization(layer.axis, layer.epsilon), source.node.inputs[0], weights=[scale, offset]
            )
        if offset.any() or (layer.scale.numpy() != 1).any():
            return None
        return self.through(RMSNormalization(layer.axis, layer.epsilon), source.node.inputs[0], weights=[scale])


def _constant(value: object, name: str) -> Array:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"its `{name}` must be a constant")
    return value


def _fitting(value: object, name: str, sizes: Sequence[object]) -> Array:
    """Return a constant of these sizes: a layer takes as much memory as its input declares, which no file may."""
    array = _constant(value, name)
    if array.shape != tuple(sizes):
        raise ValueError(f"its `{name}` must have the shape {tuple(sizes)}. Received: shape={array.shape}")
    return array


def _scaled(reading: Reading, x: Symbol, scale: object, offset: object) -> Any:
    values = []
    for value in (scale, offset):
        array = np.asarray(value, np.float64)
        if array.size not in (1, x.shape[-1]) or math.prod(array.shape[:-1]) != 1 or array.ndim > x.ndim:
            raise ValueError(f"a constant must be a number or one for each feature. Received: shape={array.shape}")
        values.append(float(array.reshape(-1)[0]) if array.size == 1 else array.reshape(-1).tolist())
    return reading.through(Rescaling(*values), x)


def _add(reading: Reading, attributes: object, x: Any, y: Any) -> Any:
    if not isinstance(x, Symbol):
        x, y = y, x
    if isinstance(y, Symbol):
        return reading.through(merging.Add(), x, y)
    layer = None if x.node is None else x.node.layer
    if isinstance(layer, Dense) and layer.bias is None and y.size == layer.units and y.shape[-1:] == (layer.units,):
        assert x.node is not None  # a product and its bias are one layer
        return reading.through(Dense(layer.units), x.node.inputs[0], weights=[layer.kernel, y.reshape(-1)])
    return _scaled(reading, x, 1.0, y)


def _subtract(reading: Reading, attributes: object, x: object, y: Any) -> Any:
    if isinstance(x, Symbol) and isinstance(y, Symbol):
        return reading.through(merging.Subtract(), x, y)
    return _scaled(reading, x, 1.0, -y) if isinstance(x, Symbol) else _scaled(reading, y, -1.0, x)


def _multiply(reading: Reading, attributes: object, x: Value, y: Any) -> Any:
    if isinstance(x, Symbol) and isinstance(y, Symbol):
        return reading.through(merging.Multiply(), x, y)
    return _scaled(reading, x, y, 0.0) if isinstance(x, Symbol) else _scaled(reading, y, x, 0.0)


def _divide(reading: Reading, attributes: object, x: Any, y: Value) -> Any:
    return _scaled(reading, x, 1 / _constant(y, "B").astype(np.float64), 0.0)


def _merged(kind: type[Layer]) -> Callable[..., Any]:
    return lambda reading, attributes, *x: x[0] if len(x) == 1 else reading.through(kind(), *x)


def _bounded(kind: type[Layer], sign: float) -> Callable[..., Any]:
    """The larger of a symbol and a number c is ``c + max(x - c, 0)``; the smaller one ``c - max(c - x, 0)``."""

    def bound(reading: Reading, attributes: object, *x: Value) -> Any:
        symbols = [each for each in x if isinstance(each, Symbol)]
        if len(symbols) == len(x):
            return _merged(kind)(reading, attributes, *x)
        if len(symbols) != 1 or len(x) != 2:
            raise ValueError("it must compare two values, or symbols alone")
        limit = float(next(each for each in x if not isinstance(each, Symbol)))
        beyond = _scaled(reading, symbols[0], sign, -sign * limit) if limit or sign < 0 else symbols[0]
        kept = reading.through(ActivationLayer(activations.relu), beyond)
        return _scaled(reading, kept, sign, limit) if limit or sign < 0 else kept

    return bound


def _power(reading: Reading, attributes: object, x: object, exponent: object) -> Any:
    number = float(_constant(exponent, "Y"))
    if number not in (1, 2, 3, 4):
        raise ValueError(f"its exponent must be 1, 2, 3 or 4. Received: {number:g}")
    return _merged(merging.Multiply)(reading, attributes, *[x] * int(number))


def _gemm(reading: Reading, attributes: Any, x: object, kernel: Any, bias: object = None) -> Any:
    if attributes.get("transA", 0):
        raise ValueError("`transA` must be 0. Received: transA=1")
    kernel = _constant(kernel, "B").T if attributes.get("transB", 0) else _constant(kernel, "B")
    if isinstance(x, Symbol):
        _fitting(kernel, "B", (x.shape[-1], *kernel.shape[1:2]))
    kernel = kernel * np.asarray(attributes.get("alpha", 1.0), kernel.dtype)
    if bias is None:
        return reading.through(Dense(kernel.shape[1], use_bias=False), x, weights=[kernel])
    bias = np.broadcast_to(_constant(bias, "C").reshape(-1), kernel.shape[1:]) * attributes.get("beta", 1.0)
    return reading.through(Dense(kernel.shape[1]), x, weights=[kernel, bias])


def _matmul(reading: Reading, attributes: object, x: object, kernel: object) -> Any:
    return _gemm(reading, {}, x, kernel)


def _activation(make: Callable[[Mapping[str, Any]], Activation]) -> Callable[..., Any]:
    return lambda reading, attributes, x: reading.through(ActivationLayer(make(attributes)), x)


def _hard_sigmoid(attributes: Mapping[str, Any]) -> Activation:
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    if beta != 0.5 or not (math.isclose(alpha, 1 / 6, rel_tol=1e-6) or alpha == 0.5):
        raise ValueError(f"`alpha` must be 1/6 or 1/2 and `beta` 1/2. Received: alpha={alpha}, beta={beta}")
    return activations.sparse_sigmoid if alpha == 0.5 else activations.hard_sigmoid


def _selu(attributes: Mapping[str, Any]) -> Activation:
    for name, value in zip(("alpha", "gamma"), SELU, strict=True):
        if not math.isclose(attributes.get(name, value), value, rel_tol=1e-6):
            raise ValueError(f"`{name}` must be {value}. Received: {name}={attributes[name]}")
    return activations.selu


def _clip(reading: Reading, attributes: object, x: Any, low: object = None, high: object = None) -> Any:
    below = -math.inf if low is None else float(_constant(low, "min"))
    above = math.inf if high is None else float(_constant(high, "max"))
    if below == 0:
        return reading.through(ActivationLayer(activations.ReLU(max_value=None if above == math.inf else above)), x)
    if above == math.inf or below == -math.inf:
        x = x if below == -math.inf else _bounded(merging.Maximum, 1.0)(reading, attributes, x, low)
        return x if above == math.inf else _bounded(merging.Minimum, -1.0)(reading, attributes, x, high)
    if (below, above) == (-1, 1):
        return reading.through(ActivationLayer(activations.hard_tanh), x)
    if not below < above:
        raise ValueError(f"`min` must be less than `max`. Received: min={below}, max={above}")
    half, middle = (above - below) / 2, (above + below) / 2
    inner = _scaled(reading, x, 1 / half, -middle / half)
    return _scaled(reading, reading.through(ActivationLayer(activations.hard_tanh), inner), half, middle)


def _softmax(reading: Reading, attributes: Attributes, x: Value) -> Any:
    return reading.through(Softmax(attributes.get("axis", -1)), x)


def _log_softmax(reading: Reading, attributes: Attributes, x: Value) -> Any:
    axis = attributes.get("axis", -1)
    if axis % x.ndim != x.ndim - 1:
        raise ValueError(f"`axis` must be the last. Received: axis={axis}")
    return reading.through(ActivationLayer(activations.log_softmax), x)


def _batch_normalization(reading: Reading, attributes: Attributes, x: Value, *numbers: object) -> Any:
    if attributes.get("training_mode", 0):
        raise ValueError("`training_mode` must be 0. Received: training_mode=1")
    epsilon, momentum = attributes.get("epsilon", 1e-5), attributes.get("momentum", 0.9)
    layer = BatchNormalization(1, momentum, epsilon)
    return reading.through(layer, x, weights=[_fitting(each, "scale", x.shape[1:2]) for each in numbers])


def _normalized(reading: Reading, attributes: Attributes, x: Value, scale: object, bias: object = None) -> Any:
    first = attributes.get("axis", -1) % x.ndim
    axes, epsilon = tuple(range(first, x.ndim)), attributes.get("epsilon", 1e-5)
    weights = [_fitting(each, "Scale", x.shape[first:]) for each in (scale, bias) if each is not None]
    return reading.through(LayerNormalization(axes, epsilon, center=bias is not None), x, weights=weights)


def _rms(reading: Reading, attributes: Attributes, x: Value, scale: object) -> Any:
    first = attributes.get("axis", -1) % x.ndim
    layer = RMSNormalization(tuple(range(first, x.ndim)), attributes.get("epsilon", 1e-5))
    return reading.through(layer, x, weights=[_fitting(scale, "scale", x.shape[first:])])


def _prelu(reading: Reading, attributes: object, x: Value, slope: Any) -> Any:
    if _constant(slope, "slope").size == 1:
        shared = PReLU(shared_axes=tuple(range(1, x.ndim)))
        return reading.through(shared, x, weights=[slope.reshape((1,) * (x.ndim - 1))])
    return reading.through(PReLU(), x, weights=[_fitting(slope, "slope", x.shape[1:])])


def _flatten(reading: Reading, attributes: Attributes, x: Value) -> Any:
    if attributes.get("axis", 1) not in (1, 1 - x.ndim):
        raise ValueError(f"`axis` must be 1. Received: axis={attributes['axis']}")
    return reading.through(Flatten(), x)


def _reshape(reading: Reading, attributes: object, x: Value, shape: object) -> Any:
    batch, *sizes = _constant(shape, "shape").tolist()
    if batch not in (0, -1) or (batch == -1 and math.prod(sizes) != math.prod(x.shape[1:])):
        raise ValueError(f"the first axis must stay that of the batch. Received: {[batch, *sizes]}")
    return reading.through(Flatten() if len(sizes) == 1 else Reshape(sizes), x)


def _concatenate(reading: Reading, attributes: Attributes, *x: Value) -> Any:
    sample_axes(attributes["axis"], x[0].shape, "Concat")
    return x[0] if len(x) == 1 else reading.through(merging.Concatenate(attributes["axis"]), *x)


def _gather(reading: Reading, attributes: Attributes, table: Any, x: Value) -> Any:
    if attributes.get("axis", 0) != 0 or _constant(table, "data").ndim != 2 or table.dtype.kind != "f":
        raise ValueError("it must look rows of a constant matrix up")
    return reading.through(Embedding(*table.shape), x, weights=[table])


def _swish(reading: Reading, attributes: Attributes, x: Any) -> Any:
    factor = attributes.get("alpha", 1.0)
    if factor == 1:
        return reading.through(ActivationLayer(activations.silu), x)
    gate = reading.through(ActivationLayer(activations.sigmoid), _scaled(reading, x, factor, 0.0))
    return reading.through(merging.Multiply(), x, gate)


def _viewed(change: Callable[..., Array]) -> Callable[..., Any]:
    """Operators that add or remove axes of size 1, by what they do to the shape."""

    def reshape(reading: Reading, attributes: Attributes, x: Value, axes: object = None) -> Any:
        blank = np.broadcast_to(np.float32(0), (3, *x.shape[1:]))
        batch, *sizes = change(attributes, blank, axes).shape
        if batch != 3:
            raise ValueError("the first axis must stay that of the batch")
        return reading.through(Reshape(tuple(sizes)), x)

    return reshape


def _scaler(reading: Reading, attributes: Attributes, x: Any) -> Any:
    scale, offset = (np.asarray(attributes[name], np.float64) for name in ("scale", "offset"))
    return _scaled(reading, x, scale, -offset * scale)


def _zip_map(reading: Reading, attributes: Attributes, x: object) -> Any:
    names = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s")
    reading.metadata.setdefault(CLASSES, json.dumps(names))
    return x


OPERATORS: dict[str, Callable[..., Any]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": lambda reading, attributes, x: _scaled(reading, x, -1.0, 0.0),
    "Sum": _merged(merging.Add),
    "Mean": _merged(merging.Average),
    "Max": _bounded(merging.Maximum, 1.0),
    "Min": _bounded(merging.Minimum, -1.0),
    "Pow": _power,
    "Relu": _activation(lambda a: activations.relu),
    "LeakyRelu": _activation(lambda a: activations.LeakyReLU(a.get("alpha", 0.01))),
    "Sigmoid": _activation(lambda a: activations.sigmoid),
    "Tanh": _activation(lambda a: activations.tanh),
    "Elu": _activation(lambda a: activations.ELU(a.get("alpha", 1.0))),
    "Selu": _activation(_selu),
    "Celu": _activation(lambda a: activations.CELU(a.get("alpha", 1.0))),
    "Softplus": _activation(lambda a: activations.softplus),
    "Softsign": _activation(lambda a: activations.softsign),
    "HardSigmoid": _activation(_hard_sigmoid),
    "HardSwish": _activation(lambda a: activations.hard_silu),
    "Gelu": _activation(lambda a: activations.GELU(a.get("approximate", "none") == "tanh")),
    "Mish": _activation(lambda a: activations.mish),
    "Swish": _swish,
    "Exp": _activation(lambda a: activations.exponential),
    "Clip": _clip,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _normalized,
    "RMSNormalization": _rms,
    "PRelu": _prelu,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Concat": _concatenate,
    "Gather": _gather,
    "Squeeze": _viewed(ARRAYS["Squeeze"]),
    "Unsqueeze": _viewed(ARRAYS["Unsqueeze"]),
    "FeatureVectorizer": lambda reading, attributes, *x: _concatenate(reading, {"axis": 1}, *x),
    "Scaler": _scaler,
}


def _cast(reading: Reading, attributes: Attributes, x: Value) -> Any:
    kind = np.dtype(dtype_of(attributes))
    # To another float, values stay; to integers, only what counts things is cast, which holds whole numbers.
    if kind.name not in ("bool", "float32", "float64", "int32", "int64"):
        raise ValueError(f"it must cast to floats, to indices or to truth values. Received: {kind}")
    if kind.kind == "b" or (isinstance(x, Formula) and x.values.dtype.kind == "b"):
        made = reading.samples.formulas("a node (Cast)", "Cast", attributes, [x], 1)
        if made is None:
            raise ValueError("truth values are no numbers here")
        return made[0]
    return x


def _dropout(reading: Reading, attributes: object, x: object, ratio: object = None, training: object = None) -> Any:
    if training is not None and (not isinstance(training, np.ndarray) or training.any()):
        raise ValueError("`training_mode` must be False: the file is one for training")
    return x


def _shape(reading: Reading, attributes: Attributes, x: Value) -> Array:
    """The sizes of a sample, after a 0 for the batch."""
    sizes = np.array([0, *x.shape[1:]], np.int64)
    return sizes[slice(attributes.get("start", 0), attributes.get("end"))]


# What does not need to know whether it reads a symbol or a formula.
TRANSPARENT: dict[str, Callable[..., Any]] = {
    "Cast": _cast,
    "CastLike": lambda reading, attributes, x, like: x,
    "Dropout": _dropout,
    "Identity": lambda reading, attributes, x: x,
    "Shape": _shape,
    "ZipMap": _zip_map,
}
