"""What is recorded of a batch that went through a network: plain data, which pictures and pages are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cnn_core.foundation.arrays import Array

__all__ = ["BatchRecord", "Edge", "LayerTrace", "LossTrace"]


@dataclass(frozen=True)
class LayerTrace:
    """What one layer computed for a batch of n samples, in one of its uses.

    Attributes
    ----------
    name : str
        Of the layer; from the second use on followed by "#2", "#3", ...
    kind : str
        Of its operation: "dense", "activation", ...
    inputs : tuple of str
        What it reads: names of inputs and of other traces.
    activation : str
        What gives a of z: "sigmoid", "leaky_relu(0.01)"; "linear" where a is z, and in a layer without z.
    parameters : dict of str to numpy.ndarray
        Copies of the layer's variables by their names, those that training does not change included.
    z : numpy.ndarray of shape (n, units) or None
        What the activation was applied to: a Dense layer's weighted sums. The same array as `a` where the activation is
        linear, None in a layer that has no such thing.
    a : numpy.ndarray of shape (n, units)
        The output.
    slope : numpy.ndarray of shape (n, units) or None
        g'(z), element by element. None where the activation is linear or looks at whole rows, as softmax does.
    da : numpy.ndarray of shape (n, units) or None
        dJ/da: the sum of what comes back from every layer, loss and penalty that reads a. None where delta is.
    delta : numpy.ndarray of shape (n, units) or None
        dJ/dz, or dJ/da in a layer without z; the mean over the batch is in it already. None without targets, and where
        no trained parameter lies below.
    dW, db : numpy.ndarray or None
        dJ/dkernel and dJ/dbias of a Dense layer, penalties left out. They are the sums over all uses of the layer.
    gradients : dict of str to numpy.ndarray
        The same for every trained variable of the layer, by its name.
    d_inputs : tuple of numpy.ndarray or None
        What the layer passes back to each of its inputs: delta . kernel^T in a Dense layer. It is that input's
        dJ/da if no other layer reads it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    z: Array | None
    a: Array
    delta: Array | None = None
    dW: Array | None = None  # noqa: N815 - its name in the derivation
    db: Array | None = None
    gradients: dict[str, Array] = field(default_factory=dict)
    d_inputs: tuple[Array | None, ...] = ()
    activation: str = "linear"
    parameters: dict[str, Array] = field(default_factory=dict)
    slope: Array | None = None
    da: Array | None = None

    @property
    def W(self) -> Array | None:
        """The matrix that a Dense layer, or a product of a custom one, multiplies by, (inputs, units); else None."""
        kernel = next(iter(self.parameters.values()), None) if self.kind == "dense" else None
        return kernel if kernel is not None and kernel.ndim == 2 else None

    @property
    def b(self) -> Array | None:
        """What is added to the product, (units,); None if nothing is."""
        return list(self.parameters.values())[1] if self.W is not None and len(self.parameters) > 1 else None

    @property
    def dw(self) -> Array | None:
        """The same as `dW`."""
        return self.dW


@dataclass(frozen=True)
class LossTrace:
    """What one loss made of a batch.

    Attributes
    ----------
    name : str
        Of the loss.
    output : str
        The trace or input that it compares with its targets.
    value : float
        Its share of J, its weight in it already.
    target : numpy.ndarray
    """

    name: str
    output: str
    value: float
    target: Array


@dataclass(frozen=True)
class BatchRecord:
    """The arrays of a batch that went through a network; `Trace` says what each is."""

    layers: list[LayerTrace]
    inputs: dict[str, Array]
    loss: float | None = None
    outputs: dict[str, Array] = field(default_factory=dict)
    losses: list[LossTrace] = field(default_factory=list)
    penalties: dict[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str | int) -> LayerTrace:
        """Return a layer's trace by its name or number."""
        if isinstance(name, int):
            return self.layers[name]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"{name!r}; layers: {', '.join(layer.name for layer in self.layers)}")

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)


@dataclass(frozen=True)
class Edge:
    """An edge of a computation graph.

    Attributes
    ----------
    source, target : str
        Names of nodes.
    gradient : numpy.ndarray or None
        What comes back along the edge: the target's share of dJ/d(source), of the shape of the source's value.
    """

    source: str
    target: str
    gradient: Array | None
