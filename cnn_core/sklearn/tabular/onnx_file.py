"""Tabular estimators as ONNX files: rows go in as they are, labels and probabilities, or numbers, come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.model_file as model_file
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_graph import Nodes, file_of, value_info
from cnn_core.interop.onnx_writer import write_answers
from cnn_core.interop.sklearn_perceptrons import CLASSES
from cnn_core.sklearn.tabular.blend import PART, Blend, JoinedPreprocessor
from cnn_core.sklearn.tabular.calibration import SMALLEST
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.onnx_features import FLOAT, FeatureWriter, InputColumns
from cnn_core.sklearn.tabular.onnx_network import DOUBLE, write_members
from cnn_core.sklearn.tabular.onnx_state import GRAPH_KEY, METADATA_KEY, digest

if TYPE_CHECKING:
    from cnn_core.foundation.replacement import PathLike
    from cnn_core.sklearn.tabular.target_scale import TargetLogarithm


def to_onnx(predictor: Any, path: PathLike | None = None, state: Mapping[str, object] | None = None) -> bytes:
    """Return what a tabular estimator has learnt as an ONNX file, and write it if a path is given.

    Parameters
    ----------
    predictor : ClassPredictor or NumberPredictor
        Which this module does not import: they import it.
    path : str or path-like, default None
    state : mapping, default None
        What the file says, beside the graph, of what was learnt, as plain data. None: what the predictor knows.

    Returns
    -------
    bytes
        Every column is an input of its own name and of shape (n, 1); where columns had no names and all are numbers,
        "X" of shape (n, columns) is the only one. Columns that held nothing in training are no inputs.

    Raises
    ------
    ValueError
        If a column, or the network, cannot be expressed, by its name.
    """
    data = _Writer(predictor).file({"task": predictor.task, **predictor.state()} if state is None else state)
    if path is not None:
        model_file.write_bytes(path, data)
    return data


class _Writer:
    """One file, being written."""

    def __init__(self, predictor: Any) -> None:
        self.predictor, self.network, preprocessor = predictor, predictor.network, predictor.preprocessor
        self.columns = InputColumns(preprocessor, predictor.named)
        own = {}
        for name in ("label", "probabilities", "variable", "quantiles"):
            own[name] = name if name not in self.columns.inputs else f"output_{name}"
            if own[name] in self.columns.inputs:
                raise ValueError(f"Columns must not have the names of outputs. Received: {own[name]!r}")
        self.outputs = own
        self.g = Nodes("float64", [*self.columns.inputs, *own.values()])
        parts = preprocessor.parts if isinstance(preprocessor, JoinedPreprocessor) else [preprocessor]
        self.features = [FeatureWriter(self.g, self.columns, part) for part in parts]

    def file(self, state: Mapping[str, Any]) -> bytes:
        g, predictor, metadata = self.g, self.predictor, {METADATA_KEY: json.dumps(state)}
        inputs = self.columns.infos()
        if predictor.task == "classification":
            with g.counting_in("float32"):
                names = (self.outputs["label"], self.outputs["probabilities"])
                outputs = write_answers(g, self._probabilities(predictor), predictor.classes, names)
            metadata[CLASSES] = json.dumps(predictor.classes.tolist(), default=str)
        else:
            outputs = self._numbers(predictor)
        graph = {"node": g.nodes, "initializer": list(g.constants.values()), "input": inputs, "output": outputs}
        name = "classifier" if predictor.task == "classification" else "regressor"
        return file_of(name, g, inputs, outputs, {**metadata, GRAPH_KEY: digest(graph)})

    # Outputs

    def _probabilities(self, predictor: object) -> str:
        g, network = self.g, self.network
        if network is None:
            return g.add("ConstantOfShape", self.columns.shape_of_rows(g), value=np.ones(1, np.float32))
        mean = self._mean()
        if isinstance(network, Blend):
            with g.counting_in("float64"):
                logits = g.add("Log", g.add("Max", mean, SMALLEST))
                mean = g.add("Softmax", g.add("Div", logits, network.temperature), axis=1)
        return g.cast(g.add("Div", mean, g.add("ReduceSum", mean, g.sizes(1), keepdims=1)), FLOAT)

    def _numbers(self, predictor: Any) -> list[dict[str, Any]]:
        """Outputs stay standardised in float32, so that large targets lose nothing."""
        g, scale = self.g, predictor.scale
        with g.counting_in("float32"):
            made = self._mean((scale.lowest, scale.highest))
        made = g.add("Mul", made, g.numbers(scale.spread, "spread"))
        made = g.add("Add", made, g.numbers(scale.mean, "mean"))
        if scale.logarithm is not None:
            made = self._of_logarithm(made, scale.logarithm)
        infos = [value_info(self.outputs["variable"], DOUBLE, (None, len(scale.mean)))]
        if predictor.levels is not None:
            asked, n = np.flatnonzero(predictor.are_told), len(predictor.are_told)
            made, _ = g.split("TopK", made, g.sizes(n), names=("values", "places"), axis=1, largest=0)
            g.add("Gather", made, g.sizes(*asked), output=self.outputs["quantiles"], axis=1)
            infos.append(value_info(self.outputs["quantiles"], DOUBLE, (None, len(asked))))
            made = g.add("Gather", made, g.sizes(predictor.median), axis=1)
        g.add("Identity", made, output=self.outputs["variable"])
        return infos

    def _mean(self, bounds: tuple[Array, Array] | None = None) -> str:
        """The mean of what the members of the network, or the networks of the blend, predict, in float64."""
        if not isinstance(self.network, Blend):
            return self._mean_of(self.network, 0, bounds, {})
        g, total = self.g, ""
        made: dict[tuple[object, ...], dict[str, str]] = {}
        for number, part in enumerate(self.network.parts):
            mean = self._mean_of(part.network, part.features, bounds, made, f"{PART}{number}/")
            with g.counting_in("float64"):
                mean = g.add("Mul", mean, part.weight)
            total = g.add("Add", total, mean) if total else mean
        return total

    def _mean_of(
        self,
        network: TabularNetwork,
        features: int,
        bounds: tuple[Array, Array] | None,
        made: dict[tuple[object, ...], dict[str, str]],
        path: str = "",
    ) -> str:
        """The mean of the members of a network; `made` are features that others read already."""
        names = tuple(network.input_widths())
        if (features, names) not in made:
            made[features, names] = self.features[features].of(names)
        return write_members(self.g, network, made[features, names], bounds if network.recipe.clamps else None, path)

    def _of_logarithm(self, t: str, logarithm: TargetLogarithm) -> str:
        """The targets of which these are the logarithms, within their range."""
        g, step = self.g, logarithm.sign * logarithm.unit
        power = g.add("Exp", g.add("Mul", t, float(logarithm.sign)))
        target = g.add("Add", g.add("Mul", g.add("Sub", power, 1.0), step), logarithm.anchor)
        return g.add("Clip", target, logarithm.low, logarithm.high)
