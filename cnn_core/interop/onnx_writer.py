"""Models and perceptrons as ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.model_file as model_file
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.calls import Calls, calls_of
from cnn_core.interop.onnx_format import TEXT
from cnn_core.interop.onnx_functions import write_function
from cnn_core.interop.onnx_graph import INT64, Nodes, file_of, type_number, value_info
from cnn_core.interop.onnx_layers import write_layer
from cnn_core.interop.sklearn_perceptrons import CLASSES, from_sklearn
from cnn_core.network.graph import Shape
from cnn_core.ops.broadcasting import is_batched
from cnn_core.ops.operation import Operation


@knows_its_arguments
def to_onnx(model: object, path: Any = None) -> bytes:
    """Return a model or a fitted perceptron as an ONNX file, and write it if a path is given.

    Parameters
    ----------
    model : Model, perceptron, tabular estimator, or what `load_predictor` returned
        An estimator may be scikit-learn's or that of `cnn_core.sklearn`. A classifier's outputs are called "label" and
        "probabilities", a regressor's "variable", as skl2onnx calls them; its input is "X".
    path : str or path-like, default None

    Returns
    -------
    bytes
        Of opset 17 and IR version 8. The batch has any size. What acts in training only is not in it.
        ``model.metadata`` is the file's metadata.

    Raises
    ------
    ValueError
        If ONNX cannot express a layer, or a function of `ops`, by its name.

    Notes
    -----
    Functions of `ops`, in custom layers and models, too, are written as what prediction makes of them; what only losses
    or training read is left out. Whole numbers and booleans come out as numbers of the model's dtype.

    Runtimes compute most operators in float64, too, but ONNX Runtime lacks some there: Erf, which exact GELU needs,
    Tan, Sinh, Cosh, and the inverse functions of angles.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    >>> isinstance(to_onnx(model), bytes)
    True
    """
    if hasattr(model, "to_onnx"):
        data: bytes = model.to_onnx()
    elif hasattr(model, "fit") and hasattr(model, "get_params"):
        data = _perceptron(model)
    else:
        data = _model(model)
    if path is not None:
        model_file.write_bytes(path, data)
    return data


def write_network(g: Nodes, found: Calls, sources: Sequence[str]) -> list[str]:
    """Write the nodes of a model that reads what has these names; return the names of its outputs."""
    names = dict(zip(found.inputs, sources, strict=True))
    for call in found.calls:
        g.prefix = call.layer.name
        read = [names[number] for number in call.inputs]
        if isinstance(call.layer, Operation):
            made = write_function(g, call.layer, read, [found.shapes[number] for number in call.outputs])
        else:
            shapes = [found.shapes[number] for number in call.inputs]
            made = [write_layer(g, call.layer, list(map(g.as_number, read)), shapes)]
        names.update(zip(call.outputs, made, strict=True))
    return [_of_samples(g, names[number], found.shapes[number]) for number in found.outputs]


def _of_samples(g: Nodes, result: str, shape: Shape) -> str:
    """Return a result as numbers, one that all samples share once for each."""
    number = g.as_number(result)
    if is_batched(shape):
        return number
    return g.over_batch(g.reshape(number, (1, *shape)), shape)  # type: ignore[arg-type]  # its sizes are known


def _model(model: Any) -> bytes:
    found = calls_of(model)
    inputs = list(model.input_names)
    outputs = [name if name not in inputs else f"{name}_output" for name in model.output_names]
    g = Nodes(model.dtype, [*inputs, *outputs])
    for name, result in zip(outputs, write_network(g, found, inputs), strict=True):
        g.add("Identity", result, output=name)
    kind = type_number(g.dtype)
    made = [value_info(name, kind, shape) for name, shape in zip(outputs, model.output_shapes, strict=True)]
    return file_of(model.name, g, _inputs(model, inputs), made, model.metadata)


def _inputs(model: Any, names: list[str]) -> list[dict[str, Any]]:
    kind = type_number(model.dtype)
    return [value_info(name, kind, symbol.shape) for name, symbol in zip(names, model.inputs, strict=True)]


# Perceptrons


def _perceptron(estimator: Any) -> bytes:
    model = from_sklearn(estimator)
    g = Nodes(model.dtype, ["X", "label", "probabilities", "variable"])
    (result,) = write_network(g, calls_of(model), ["X"])
    width = model.output_shape[-1]
    if CLASSES not in model.metadata:
        g.add("Identity", result, output="variable")
        outputs = [value_info("variable", type_number(g.dtype), (None, width))]
    elif estimator.out_activation_ == "logistic" and width > 1:
        g.cast(g.add("Greater", result, 0.5), INT64, output="label")
        g.add("Identity", result, output="probabilities")
        kinds = {"label": INT64, "probabilities": type_number(g.dtype)}
        outputs = [value_info(name, kind, (None, width)) for name, kind in kinds.items()]
    else:
        if width == 1:
            result = g.add("Concat", g.add("Sub", 1.0, result), result, axis=1)
        outputs = write_answers(g, result, np.asarray(estimator.classes_))
    return file_of(model.name, g, _inputs(model, ["X"]), outputs, model.metadata)


def write_answers(
    g: Nodes, probabilities: str, classes: Array, names: Sequence[str] = ("label", "probabilities")
) -> list[dict[str, Any]]:
    """Write how the probabilities of classes become a classifier's outputs; return what they are."""
    likeliest = g.add("ArgMax", probabilities, axis=1, keepdims=0)
    labels = _labels(classes)
    g.add("Gather", g.constant(labels, "classes"), likeliest, output=names[0])
    g.add("Identity", probabilities, output=names[1])
    kind = TEXT if labels.dtype.kind == "U" else type_number(labels.dtype)
    return [
        value_info(names[0], kind, (None,)),
        value_info(names[1], type_number(g.dtype), (None, len(classes))),
    ]


def _labels(classes: Array) -> Array:
    """Classes in a dtype that ONNX has: texts, 64-bit numbers or booleans."""
    listed = classes.astype(str) if classes.dtype.kind in "mM" else np.asarray(classes.tolist())
    if listed.dtype.kind in "iu":
        return listed.astype(np.int64)
    return listed if listed.dtype.kind in "Ufb" else listed.astype(str)
