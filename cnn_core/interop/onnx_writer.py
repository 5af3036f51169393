"""Models and perceptrons as ONNX files."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

import cnn_core.foundation.version as version
from cnn_core.foundation.arrays import Array
from cnn_core.interop.calls import calls_of
from cnn_core.interop.onnx_format import NUMBERS, TEXT, encode
from cnn_core.interop.onnx_layers import INT64, Nodes, write_layer
from cnn_core.interop.sklearn_perceptrons import CLASSES, from_sklearn

OPSET, IR_VERSION = 17, 8


def to_onnx(model: Any, path: Any = None) -> bytes:
    """Return a model or a fitted perceptron as an ONNX file, and write it if a path is given.

    Parameters
    ----------
    model : Model, MLPClassifier or MLPRegressor
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
        If ONNX cannot express a layer, by its name.

    Notes
    -----
    Runtimes compute most operators in float64, too, but ONNX Runtime lacks Erf there, which exact GELU needs.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    >>> isinstance(to_onnx(model), bytes)
    True
    """
    if hasattr(model, "fit") and hasattr(model, "get_params"):
        data = _estimator(model)
    else:
        data = _file(model, *_written(model))
    if path is not None:
        with open(os.fspath(path), "wb") as file:  # noqa: PTH123 - as the package's other files are written
            file.write(data)
    return data


def _written(model: Any, input_name: str | None = None) -> tuple[Nodes, list[str], list[str]]:
    """Write the nodes of a model; return the names of inputs and outputs."""
    found = calls_of(model)
    g = Nodes(model.dtype)
    inputs = [input_name] if input_name else list(model.input_names)
    names = dict(zip(found.inputs, inputs, strict=True))
    for call in found.calls:
        g.prefix = call.layer.name
        shapes = [found.shapes[number] for number in call.inputs]
        names[call.outputs[0]] = write_layer(g, call.layer, [names[number] for number in call.inputs], shapes)
    return g, inputs, [names[number] for number in found.outputs]


def _file(model: Any, g: Nodes, inputs: list[str], results: list[str]) -> bytes:
    outputs = []
    for name, result, shape in zip(model.output_names, results, model.output_shapes, strict=True):
        own = name if name not in inputs else f"{name}_output"
        g.add("Identity", result, output=own)
        outputs.append(_value(own, NUMBERS[g.dtype], shape))
    return _encoded(model, g, inputs, outputs)


def _encoded(model: Any, g: Nodes, inputs: list[str], outputs: list[dict[str, Any]]) -> bytes:
    given = [_value(name, NUMBERS[g.dtype], s.shape) for name, s in zip(inputs, model.inputs, strict=True)]
    graph = {
        "name": model.name,
        "node": g.nodes,
        "initializer": list(g.constants.values()),
        "input": given,
        "output": outputs,
    }
    return encode(
        {
            "ir_version": IR_VERSION,
            "producer_name": "cnn_core",
            "producer_version": version.__version__,
            "graph": graph,
            "opset_import": [{"domain": "", "version": OPSET}],
            "metadata_props": [{"key": key, "value": text} for key, text in model.metadata.items()],
        }
    )


def _value(name: str, kind: int, shape: Any) -> dict[str, Any]:
    sizes = [{"dim_param": "batch"}, *({"dim_value": size} for size in shape[1:])]
    return {"name": name, "type": {"tensor_type": {"elem_type": kind, "shape": {"dim": sizes}}}}


# Estimators


def _estimator(estimator: Any) -> bytes:
    model = from_sklearn(estimator)
    g, inputs, (result,) = _written(model, "X")
    kind, width = NUMBERS[g.dtype], model.output_shape[-1]
    if CLASSES not in model.metadata:
        g.add("Identity", result, output="variable")
        return _encoded(model, g, inputs, [_value("variable", kind, (None, width))])
    classes = np.asarray(json.loads(model.metadata[CLASSES]))
    several = estimator.out_activation_ == "logistic" and width > 1
    label, probabilities, label_type = _labelled(g, result, classes, width, several)
    g.add("Identity", label, output="label")
    g.add("Identity", probabilities, output="probabilities")
    shape = (None, width) if several else (None,)
    n = width if several else len(classes)
    outputs = [_value("label", label_type, shape), _value("probabilities", kind, (None, n))]
    return _encoded(model, g, inputs, outputs)


def _labelled(g: Nodes, result: str, classes: Array, width: int, several: bool) -> tuple[str, str, int]:
    """Write how outputs become labels and probabilities."""
    if several:
        return g.cast(g.add("Greater", result, 0.5), INT64), result, INT64
    kind = TEXT if classes.dtype.kind == "U" else INT64
    named = g.constant(classes if kind == TEXT else classes.astype(np.int64), "classes")
    if width > 1:
        number = g.add("ArgMax", result, axis=1, keepdims=0)
    else:
        likely = g.cast(g.add("Greater", result, 0.5), INT64)
        number = g.add("Reshape", likely, g.sizes(-1))
        result = g.add("Concat", g.add("Sub", 1.0, result), result, axis=1)
    return g.add("Gather", named, number), result, kind
