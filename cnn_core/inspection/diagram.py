"""A traced network as columns of units and links between them, for one sample or the mean of the batch."""

from __future__ import annotations

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.inspection.records import BatchRecord, LayerTrace

__all__ = ["Column", "Diagram", "Link", "chosen", "chosen_sample", "share_of_weights"]

MOST_UNITS = 12  # that are drawn one by one; a larger layer is folded


class Column(NamedTuple):
    """The units of an input or a layer.

    Attributes
    ----------
    name, label : str
        Of the layer; and what it does.
    shape : tuple of int
        Of one sample.
    a : numpy.ndarray of shape (units,)
    z, delta, b : numpy.ndarray of shape (units,) or None
    target : numpy.ndarray of shape (units,) or None
        What a loss compares `a` with, where it has the same shape.
    """

    name: str
    label: str
    shape: tuple[int, ...]
    a: Array
    z: Array | None = None
    delta: Array | None = None
    b: Array | None = None
    target: Array | None = None

    @property
    def caption(self) -> str:
        """What it does, and its shape."""
        return f"{self.label} · {' × '.join(map(str, self.shape)) or '1'}"

    @property
    def folded(self) -> bool:
        """Whether the layer is too large to draw its units one by one."""
        return self.a.size > MOST_UNITS


class Link(NamedTuple):
    """A connection of two columns, by their numbers.

    Attributes
    ----------
    source, target : int
    weights : numpy.ndarray of shape (units of source, units of target) or None
        None where the connection is not that of a Dense layer on a row of numbers.
    shares : numpy.ndarray or None
        dJ/dW of this use of the layer, or a sample's share of it.
    """

    source: int
    target: int
    weights: Array | None = None
    shares: Array | None = None


class Diagram(NamedTuple):
    """Columns in the order of the forward pass, inputs first, and their links; `losses` link columns with J."""

    columns: list[Column]
    links: list[Link]
    losses: list[tuple[int, str, float]]
    loss: float | None

    @classmethod
    def of(cls, record: BatchRecord, sample: int | None = None) -> Diagram:
        """Turn a traced batch into a diagram of one of its samples, or of its mean.

        Raises
        ------
        TypeError, ValueError
            If there is no such sample.
        """
        sample = chosen_sample(record, sample)
        targets = {each.output: each.target for each in record.losses}
        columns = [
            Column(name, "input", values.shape[1:], _row(values, sample)) for name, values in record.inputs.items()
        ]
        columns += [_column(layer, targets.get(layer.name), sample) for layer in record.layers]
        places = {column.name: place for place, column in enumerate(columns)}
        values = record.inputs | {layer.name: layer.a for layer in record.layers}
        links = [
            _link(layer, places[source], places[layer.name], values[source], sample)
            for layer in record.layers
            for source in layer.inputs
        ]
        losses = [(places[each.output], each.name, each.value) for each in record.losses]
        return cls(columns, links, losses, record.loss)


def chosen_sample(record: BatchRecord, sample: int | None) -> int | None:
    """Return the number of a sample counted from the first, checked; None stands for the whole batch."""
    if sample is None:
        return None
    n = len(next(iter(record.inputs.values())))
    number = validation.integer(sample, "sample")
    if not -n <= number < n:
        raise ValueError(f"`sample` must be a number of the batch's {n} samples. Received: sample={sample}")
    return number % n


def chosen(values: Array, sample: int | None) -> Array:
    """Return the rows of one sample, or of all."""
    return values if sample is None else values[sample : sample + 1]


def share_of_weights(read: Array, delta: Array | None, sample: int | None) -> Array | None:
    """Return a^T . delta, which is dW: of the whole batch, or a sample's share of it."""
    if delta is None:
        return None
    rows, back = chosen(read, sample), chosen(delta, sample)
    return np.asarray(rows.reshape(-1, rows.shape[-1]).T @ back.reshape(-1, back.shape[-1]))


def _row(values: Array, sample: int | None) -> Array:
    return np.asarray(chosen(values, sample).mean(axis=0)).reshape(-1)


def _column(layer: LayerTrace, target: Array | None, sample: int | None) -> Column:
    label = layer.kind if layer.activation == "linear" else f"{layer.kind} · {layer.activation}"
    if layer.kind == "activation":
        label = layer.activation

    def row(values: Array | None) -> Array | None:
        return None if values is None else _row(values, sample)

    biased = layer.b is not None and layer.b.size == np.prod(layer.a.shape[1:])
    fits = target is not None and target.shape == layer.a.shape
    return Column(
        layer.name,
        label,
        layer.a.shape[1:],
        _row(layer.a, sample),
        row(layer.z) if layer.z is not None and layer.z.shape == layer.a.shape else None,
        row(layer.delta) if layer.delta is not None and layer.delta.shape == layer.a.shape else row(layer.da),
        layer.b if biased else None,
        row(target) if fits else None,
    )


def _link(layer: LayerTrace, source: int, target: int, read: Array, sample: int | None) -> Link:
    weights = layer.W
    if weights is None or read.ndim != 2 or layer.a.shape[1:] != weights.shape[1:]:
        return Link(source, target)
    return Link(source, target, weights, share_of_weights(read, layer.delta, sample))
