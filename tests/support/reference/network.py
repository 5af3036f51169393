"""The multilayer perceptron: forward, loss, penalties, backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reference.activations import Array, activate, activation_backward
from reference.layers import dense_backward, dense_forward
from reference.losses import loss_gradient, loss_values, row_weights
from reference.penalties import l1_l2_gradient, l1_l2_penalty

# --------------------------------------------------------------------------------------------------------------------
# The multilayer perceptron.
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Layer:
    """A dense layer: its weights, its activation and its L1 and L2 factors."""

    w: Array
    b: Array | None
    activation: str = "linear"
    parameters: tuple[float, ...] = ()
    kernel_l1: float = 0.0
    kernel_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0


class LayerCache(NamedTuple):
    """What the forward step of a layer keeps: its input, z and a."""

    x: Array
    z: Array
    a: Array


class LayerGradient(NamedTuple):
    """What the backward step of a layer finds: delta = dJ/dz, dw, db and dx = dJ/d(input)."""

    delta: Array
    dw: Array
    db: Array
    dx: Array


class Pass(NamedTuple):
    """One pass forward and back through a network."""

    loss: float
    caches: list[LayerCache]
    gradients: list[LayerGradient]


def mlp_forward(layers: Sequence[Layer], x: ArrayLike) -> list[LayerCache]:
    """Compute z[l] = a[l-1].w[l] + b[l] and a[l] = g[l](z[l]) for l = 1..L."""
    a, caches = np.asarray(x, dtype=np.float64), []
    for layer in layers:
        z = dense_forward(a, layer.w, layer.b)
        caches.append(LayerCache(a, z, activate(layer.activation, z, layer.parameters)))
        a = caches[-1].a
    return caches


def mlp_penalty(layers: Sequence[Layer]) -> float:
    """Compute the sum of all regularization terms."""
    kernels = sum(l1_l2_penalty(layer.w, layer.kernel_l1, layer.kernel_l2) for layer in layers)
    biases = sum(l1_l2_penalty(layer.b, layer.bias_l1, layer.bias_l2) for layer in layers if layer.b is not None)
    return kernels + biases


def mlp_loss(
    layers: Sequence[Layer],
    x: ArrayLike,
    y: ArrayLike,
    loss: str,
    sample_weight: ArrayLike | None = None,
    reduction: str = "sum_over_batch_size",
    **options: Any,
) -> float:
    """Compute J = sum_i c_i value_i + penalties."""
    p = mlp_forward(layers, x)[-1].a
    values = loss_values(loss, y, p, **options)
    return float(row_weights(len(p), sample_weight, reduction) @ values) + mlp_penalty(layers)


def mlp_backward(
    layers: Sequence[Layer],
    x: ArrayLike,
    y: ArrayLike,
    loss: str,
    sample_weight: ArrayLike | None = None,
    reduction: str = "sum_over_batch_size",
    **options: Any,
) -> Pass:
    """Carry the loss back: delta[L] = dJ/da . g'(z), then delta[l] = (delta[l+1].w[l+1]^T) . g'(z[l])."""
    caches = mlp_forward(layers, x)
    p = caches[-1].a
    da = row_weights(len(p), sample_weight, reduction)[:, None] * loss_gradient(loss, y, p, **options)
    gradients: list[LayerGradient] = []
    for layer, cache in zip(reversed(layers), reversed(caches), strict=True):
        delta = activation_backward(layer.activation, da, cache.z, layer.parameters)
        da, dw, db = dense_backward(delta, cache.x, layer.w)
        dw = dw + l1_l2_gradient(layer.w, layer.kernel_l1, layer.kernel_l2)
        if layer.b is not None:
            db = db + l1_l2_gradient(layer.b, layer.bias_l1, layer.bias_l2)
        gradients.insert(0, LayerGradient(delta, dw, db, da))
    value = mlp_loss(layers, x, y, loss, sample_weight, reduction, **options)
    return Pass(value, caches, gradients)


def mlp_gradients(layers: Sequence[Layer], result: Pass) -> list[Array]:
    """List the gradients in the order kernel, bias, kernel, bias, ... of the trainable weights."""
    ordered = []
    for layer, gradient in zip(layers, result.gradients, strict=True):
        ordered.append(gradient.dw)
        if layer.b is not None:
            ordered.append(gradient.db)
    return ordered
