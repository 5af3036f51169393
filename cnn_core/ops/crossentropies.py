"""Keras's cross-entropies as functions: one number for each sample, or each of its elements."""

from __future__ import annotations

from typing import Any

import cnn_core.config as config
from cnn_core.ops.dtypes import dtype_of
from cnn_core.ops.elementwise import divide, log, multiply, negative, subtract
from cnn_core.ops.functions import clip, moveaxis, one_hot, squeeze
from cnn_core.ops.nn import log_softmax, softplus
from cnn_core.ops.operation import shape_of
from cnn_core.ops.reductions import sum_function


def _check_shapes(function: str, target: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    unequal = len(target) != len(expected) or any(
        None not in sizes and sizes[0] != sizes[1] for sizes in zip(target, expected, strict=True)
    )
    if unequal:
        raise ValueError(f"`target` of `{function}` must have the shape {expected}. Received: target.shape={target}")


def _within(probabilities: object) -> Any:
    return clip(probabilities, config.epsilon(), 1 - config.epsilon())


def binary_crossentropy(target: object, output: object, from_logits: bool = False) -> Any:
    """Return ``-(t log p + (1 - t) log(1 - p))`` for each element.

    Probabilities p are kept `config.epsilon()` away from 0 and 1; of logits z it is ``log(1 + exp(z)) - t z``.
    """
    _check_shapes("binary_crossentropy", shape_of(target), shape_of(output))
    if from_logits:
        return subtract(softplus(output), multiply(target, output))
    p = _within(output)
    return negative(multiply(target, log(p)) + multiply(subtract(1, target), log(subtract(1, p))))


def categorical_crossentropy(target: object, output: object, from_logits: bool = False, axis: int = -1) -> Any:
    """Return ``-sum(t log p)`` along an axis.

    Probabilities p are divided by their sum and kept `config.epsilon()` away from 0 and 1; of logits their softmax is
    taken.
    """
    _check_shapes("categorical_crossentropy", shape_of(target), shape_of(output))
    if from_logits:
        log_p = log_softmax(output, axis=axis)
    else:
        log_p = log(_within(divide(output, sum_function(output, axis, True))))
    return negative(sum_function(multiply(target, log_p), axis))


def sparse_categorical_crossentropy(target: object, output: object, from_logits: bool = False, axis: int = -1) -> Any:
    """Return `categorical_crossentropy` of classes that are given by their numbers, with a last axis of 1 or none."""
    output = moveaxis(output, axis, -1)
    shape: tuple[Any, ...] = shape_of(output)
    if len(shape_of(target)) == len(shape) and shape_of(target)[-1] == 1:
        target = squeeze(target, axis=-1)
    _check_shapes("sparse_categorical_crossentropy", shape_of(target), shape[:-1])
    return categorical_crossentropy(one_hot(target, shape[-1], dtype=dtype_of(output)), output, from_logits)
