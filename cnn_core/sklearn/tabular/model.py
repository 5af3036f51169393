"""The network of a tabular estimator as a model of cnn_core: to trace, draw, save and export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.activations as activations
import cnn_core.layers as layers
import cnn_core.ops as ops
from cnn_core.foundation.arrays import Array
from cnn_core.models import Model
from cnn_core.sklearn.tabular.blend import PART, Blend
from cnn_core.sklearn.tabular.calibration import SMALLEST
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.predictor import ClassPredictor, NumberPredictor
from cnn_core.sklearn.tabular.target_scale import TargetLogarithm

if TYPE_CHECKING:
    from cnn_core.layers.base import Layer


def model_of(predictor: ClassPredictor | NumberPredictor) -> Model:
    """Return the network of a predictor as a functional model with weights of its own.

    Its inputs are those of ``network.inputs(features)``; its output is the mean over the members, of a blend the
    weighted one of its networks: a probability for each class, or numbers in the units of the targets.

    Raises
    ------
    ValueError
        If the predictor was trained on one class alone and has no network.
    """
    network = predictor.network
    if network is None:
        raise ValueError("A network is trained where there are two classes. Received: an estimator of a single class")
    inputs = {name: layers.Input((width,), name=name) for name, width in network.input_widths().items()}
    if isinstance(network, Blend):
        mean = _blended(network, inputs, predictor)
    else:
        mean = _mean(network, inputs, predictor)
    if isinstance(predictor, NumberPredictor) and predictor.scale.logarithm is not None:
        mean = _target_of(predictor.scale.logarithm, mean)
    given = list(inputs.values())
    return Model(given[0] if len(given) == 1 else given, mean)


def _mean(
    network: TabularNetwork,
    inputs: dict[str, Any],
    predictor: ClassPredictor | NumberPredictor,
    prefix: str = "",
) -> Any:
    """The mean over the members of a network; its layers' names begin with `prefix`."""
    recipe = network.recipe
    kind = _SharingCopy if recipe.n_sharing else _RadialCopy if recipe.radial else _Copy
    outputs = [kind(network, number, predictor, prefix).output(inputs) for number in range(network.n_members)]
    return outputs[0] if len(outputs) == 1 else layers.Average(name=f"{prefix}mean")(outputs)


def _blended(blend: Blend, inputs: dict[str, Any], predictor: ClassPredictor | NumberPredictor) -> Any:
    """The weighted mean of a blend's networks, of probabilities with its temperature."""
    weighted = []
    for number, part in enumerate(blend.parts):
        prefix = f"{PART}{number}_"
        own = {name: inputs[blend.input_name(part, name)] for name in part.network.input_widths()}
        mean = _mean(part.network, own, predictor, prefix)
        weighted.append(layers.Rescaling(part.weight, name=f"{prefix}weighted")(mean))
    total = weighted[0] if len(weighted) == 1 else layers.Add(name="blend")(weighted)
    if isinstance(predictor, NumberPredictor):
        return total
    logits = layers.Rescaling(1 / blend.temperature, name="tempered")(ops.log(ops.maximum(total, SMALLEST)))
    return layers.Softmax(name="probabilities")(logits)


def _target_of(logarithm: TargetLogarithm, t: Any) -> Any:
    """The targets of which these are the logarithms; brought between 0 and 1, where ReLU keeps them, and back."""
    step, width = logarithm.sign * logarithm.unit, logarithm.high - logarithm.low
    power = layers.Activation("exponential", name="power")(layers.Rescaling(logarithm.sign, name="signed")(t))
    share = layers.Rescaling(step / width, (logarithm.anchor - step - logarithm.low) / width, name="share")(power)
    within = layers.ReLU(max_value=1.0, name="within")(share)
    return layers.Rescaling(width, logarithm.low, name="targets")(within)


class _Copy:
    """One member of a network, being made of layers."""

    def __init__(
        self, network: TabularNetwork, number: int, predictor: ClassPredictor | NumberPredictor, prefix: str
    ) -> None:
        self.network, self.recipe, self.predictor, self.prefix = network, network.recipe, predictor, prefix
        self.name = network.members[number].name
        self.weights = network.weights()

    def _weight(self, path: str) -> Array:
        return self.weights[f"{self.name}/{path}"]

    def _apply(self, layer: Layer, source: object, *weights: Array) -> Any:
        result = layer(source)
        layer.set_weights(list(weights))
        return result

    def _named(self, name: str) -> dict[str, Any]:
        return {"name": self.prefix + (name if self.network.n_members == 1 else f"{self.name}_{name}")}

    def output(self, inputs: dict[str, Any]) -> Any:
        source = self._joined(inputs)
        activation = activations.get(self.recipe.activation)
        for number, width in enumerate(self.recipe.hidden):
            kernel, bias = self._kernel_and_bias(number)
            dense = layers.Dense(
                width, None if self.recipe.parametric else activation, **self._named(f"dense_{number}")
            )
            source = self._apply(dense, source, kernel, bias)
            if self.recipe.parametric:
                layer = layers.ParametricActivation(activation, **self._named(f"activation_{number}"))
                source = self._apply(layer, source, self._weight(f"activation_{number}/alpha"))
        return self._last(source, len(self.recipe.hidden))

    def _joined(self, inputs: dict[str, Any]) -> Any:
        parts = []
        if "numbers" in inputs:
            waves = layers.PeriodicEmbedding(self.recipe.n_waves, self.recipe.n_wave_outputs, **self._named("waves"))
            names = ("frequencies", "phases", "weights", "biases")
            parts.append(self._apply(waves, inputs["numbers"], *(self._weight(f"waves/{name}") for name in names)))
        if "others" in inputs:
            parts.append(inputs["others"])
        if "codes" in inputs:
            table = self._weight("embeddings")
            layer = layers.Embedding(*table.shape, **self._named("embeddings"))
            parts.append(layers.Flatten(**self._named("embedded"))(self._apply(layer, inputs["codes"], table)))
        return parts[0] if len(parts) == 1 else layers.Concatenate(**self._named("features"))(parts)

    def _kernel_and_bias(self, number: int) -> tuple[Array, Array]:
        """Those of a dense layer; the first takes the factors of the features in."""
        kernel, bias = self._weight(f"dense_{number}/kernel"), self._weight(f"dense_{number}/bias")
        return kernel if number else self._weight("scale")[:, None] * kernel, bias

    def _last(self, source: object, number: int) -> Any:
        kernel, bias = self._kernel_and_bias(number)
        n_out = self.network.n_out
        if isinstance(self.predictor, ClassPredictor):
            dense = layers.Dense(n_out, activations.get(self.network.head), **self._named("probabilities"))
            return self._apply(dense, source, kernel, bias)
        scale = self.predictor.scale
        if not self.recipe.clamps:
            dense = layers.Dense(n_out, **self._named("predictions"))
            return self._apply(dense, source, kernel * scale.spread, bias * scale.spread + scale.mean)
        # What is clamped is brought between 0 and 1 first, where ReLU with a maximum keeps it.
        width = (scale.highest - scale.lowest).astype(np.float64)
        divisor = np.where(width > 0, width, 1.0)
        dense = layers.Dense(n_out, **self._named("standardised"))
        source = self._apply(dense, source, kernel / divisor, (bias - scale.lowest) / divisor)
        clamped = layers.ReLU(max_value=1.0, **self._named("clamped"))(source)
        factors = np.eye(n_out) * np.broadcast_to(width * scale.spread, n_out)
        numbers = layers.Dense(n_out, **self._named("predictions"))
        return self._apply(numbers, clamped, factors, np.broadcast_to(scale.lowest * scale.spread + scale.mean, n_out))


class _RadialCopy(_Copy):
    """A member of which the hidden units are rows, being made of operations and a layer."""

    def output(self, inputs: dict[str, Any]) -> Any:
        rows, factors = self._weight("centers").T.copy(), self._weight("factors")
        differences = ops.absolute(ops.subtract(ops.expand_dims(self._joined(inputs), 1), rows))
        distances = ops.sum(ops.multiply(differences, factors), axis=-1)
        activation = layers.Activation(activations.get(self.recipe.activation), **self._named("units"))
        return self._last(activation(ops.negative(distances)), len(self.recipe.hidden))


class _SharingCopy(_Copy):
    """Members that share their kernels, being made of layers."""

    def output(self, inputs: dict[str, Any]) -> Any:
        source, members = self._joined(inputs), self.recipe.n_sharing
        activation = activations.get(self.recipe.activation)
        for number, width in enumerate(self.recipe.hidden):
            layer = layers.EnsembleDense(width, members, activation, **self._named(f"dense_{number}"))
            names = ("kernel", "bias", "input_factor", "output_factor")
            weights = [self._weight(f"dense_{number}/{name}") for name in names]
            source = self._apply(layer, source, *weights)
        return self._last(source, len(self.recipe.hidden))

    def _last(self, source: object, number: int) -> Any:
        kernel, bias = self._weight(f"dense_{number}/kernel"), self._weight(f"dense_{number}/bias")
        head, name = activations.get(self.network.head), "probabilities"
        if isinstance(self.predictor, NumberPredictor):
            scale, name = self.predictor.scale, "predictions"
            kernel, bias = kernel * scale.spread, bias * scale.spread + scale.mean
        layer = layers.EnsembleDense(
            self.network.n_out, self.recipe.n_sharing, head, shared_kernel=False, **self._named("untied")
        )
        return layers.GlobalAveragePooling1D(**self._named(name))(self._apply(layer, source, kernel, bias))
