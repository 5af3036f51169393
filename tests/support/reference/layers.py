"""Layers, forward and backward."""

from __future__ import annotations

import numpy as np

from reference.activations import Array, activate, activation_backward

# --------------------------------------------------------------------------------------------------------------------
# Layers.
# --------------------------------------------------------------------------------------------------------------------


def dense_forward(x: Array, w: Array, b: Array | None = None) -> Array:
    """Compute z = x.w + b: (n, n_in), (n_in, n_out), (n_out,) -> (n, n_out)."""
    return x @ w if b is None else x @ w + b


def dense_backward(delta: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Compute dx = delta.w^T, dw = x^T.delta and db = sum over rows of delta."""
    return delta @ w.T, x.T @ delta, delta.sum(axis=0)


def batch_moments(x: Array) -> tuple[Array, Array]:
    """Compute mean and variance (divided by n) of each column."""
    return x.mean(axis=0), x.var(axis=0)


def batch_normalization_forward(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float = 1e-3
) -> Array:
    """Compute gamma (x - mean) / sqrt(variance + epsilon) + beta, by column."""
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def _normalization_backward(da: Array, x: Array, epsilon: float, axis: int) -> Array:
    """Carry da back through (x - mean(x)) / sqrt(var(x) + epsilon), mean and variance taken along axis."""
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + epsilon)
    normalized = (x - x.mean(axis=axis, keepdims=True)) / deviation
    mean = da.mean(axis=axis, keepdims=True)
    projection = normalized * (da * normalized).mean(axis=axis, keepdims=True)
    return (da - mean - projection) / deviation


def batch_normalization_backward(
    da: Array, x: Array, gamma: Array, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """Compute dx, dgamma, dbeta of the training pass, whose mean and variance depend on x."""
    normalized = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon)
    return (
        _normalization_backward(da * gamma, x, epsilon, axis=0),
        (da * normalized).sum(axis=0),
        da.sum(axis=0),
    )


def layer_normalization_forward(x: Array, gamma: Array, beta: Array, epsilon: float = 1e-3) -> Array:
    """Compute gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of each row."""
    deviation = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    return gamma * (x - x.mean(axis=1, keepdims=True)) / deviation + beta


def layer_normalization_backward(
    da: Array, x: Array, gamma: Array, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    normalized = layer_normalization_forward(x, np.ones_like(gamma), np.zeros_like(gamma), epsilon)
    return (
        _normalization_backward(da * gamma, x, epsilon, axis=1),
        (da * normalized).sum(axis=0),
        da.sum(axis=0),
    )


def rms_normalization_forward(x: Array, gamma: Array, epsilon: float = 1e-6) -> Array:
    """Compute gamma x / sqrt(mean of the row's squares + epsilon)."""
    return gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)


def rms_normalization_backward(da: Array, x: Array, gamma: Array, epsilon: float = 1e-6) -> tuple[Array, Array]:
    deviation = np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)
    normalized = x / deviation
    du = da * gamma
    dx = (du - normalized * (du * normalized).mean(axis=1, keepdims=True)) / deviation
    return dx, (da * normalized).sum(axis=0)


def unit_normalization_forward(x: Array) -> Array:
    """Compute x / |x| by row."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def unit_normalization_backward(da: Array, x: Array) -> Array:
    length = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    u = x / length
    return (da - u * (da * u).sum(axis=1, keepdims=True)) / length


def parametric_activation_forward(x: Array, alpha: Array, name: str) -> Array:
    """Compute x + alpha (g(x) - x)."""
    return x + alpha * (activate(name, x) - x)


def parametric_activation_backward(dy: Array, x: Array, alpha: Array, name: str) -> tuple[Array, Array]:
    """Return dx and dalpha."""
    slope = activation_backward(name, np.ones_like(x), x)
    return dy * (1 - alpha + alpha * slope), np.sum(dy * (activate(name, x) - x), axis=0)


def nearness_forward(x: Array, c: Array, a: Array) -> Array:
    """Compute -sum over i of a[i] |x[i] - c[i]|: x (n, f), c (f, m), a (f)."""
    return -np.einsum("f,nfm->nm", a, np.abs(x[:, :, None] - c))


def nearness_backward(dy: Array, x: Array, c: Array, a: Array) -> tuple[Array, Array, Array]:
    """Return dx, dc and da."""
    differences = x[:, :, None] - c
    slopes = dy[:, None, :] * np.sign(differences)
    return -a * slopes.sum(axis=2), a[:, None] * slopes.sum(axis=0), -(slopes * differences).sum(axis=(0, 2))


def periodic_forward(x: Array, w: Array, b: Array, v: Array, c: Array) -> Array:
    """Compute [cos(2 pi x w + b) . v + c, x] for every feature: x (n, f), w and b (f, p), v (f, p, k), c (f, k)."""
    waves = np.cos(2 * np.pi * x[:, :, None] * w + b)
    outputs = np.einsum("nfp,fpk->nfk", waves, v) + c
    return np.concatenate([outputs, x[:, :, None]], axis=2).reshape(len(x), -1)


def periodic_backward(
    dy: Array, x: Array, w: Array, b: Array, v: Array, c: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return dx, dw, db, dv and dc."""
    angles = 2 * np.pi * x[:, :, None] * w + b
    parts = dy.reshape(*x.shape, -1)
    dq, direct = parts[:, :, :-1], parts[:, :, -1]
    d_angles = -np.sin(angles) * np.einsum("nfk,fpk->nfp", dq, v)
    return (
        direct + 2 * np.pi * np.sum(d_angles * w, axis=2),
        2 * np.pi * np.einsum("nfp,nf->fp", d_angles, x),
        d_angles.sum(axis=0),
        np.einsum("nfp,nfk->fpk", np.cos(angles), dq),
        dq.sum(axis=0),
    )
