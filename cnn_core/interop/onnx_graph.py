"""An ONNX graph that is being written: its nodes, its constants, and the file around them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.version as version
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_format import NUMBERS, encode, tensor
from cnn_core.layers.base import Layer
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


OPSET, IR_VERSION = 17, 8
ML, ML_OPSET = "ai.onnx.ml", 2
INT64, BOOL = 7, 9
TABLES = "cnn_core.tabular"  # in the metadata of an estimator for tables: what it has learnt, but for weights

# A type of attributes by Python's: the field that holds one, its number, and the same for a list.
_ATTRIBUTES: dict[type, tuple[str, int, str, int]] = {
    float: ("f", 1, "floats", 6),
    int: ("i", 2, "ints", 7),
    bytes: ("s", 3, "strings", 8),
}
# Operators whose results are truth values.
_TRUTHS = frozenset(
    {"And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor"}
)


class Nodes:
    """The nodes and constants of a graph that is being written.

    Parameters
    ----------
    dtype : str
        Of the numbers that `add` and `number` make constants of.
    inputs : iterable of str
        The graph's inputs and outputs, whose names nothing else may have; the first has an axis of samples.

    Examples
    --------
    >>> g = Nodes("float32", ["x"])
    >>> g.add("Add", "x", 1.0), [constant["dims"] for constant in g.constants.values()]
    ('/Add_0', [()])
    """

    def __init__(self, dtype: str, inputs: Iterable[str] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[dict[str, Any]] = []
        self.constants: dict[str, dict[str, Any]] = {}
        self.prefix = ""
        names = list(inputs)
        self.batch_of = names[0] if names else ""
        self._names = set(names)
        self._numbers: dict[tuple[float, np.dtype[Any]], str] = {}
        self._variables: dict[tuple[int, tuple[int, ...]], str] = {}
        self._truths: set[str] = set()
        self._casts: dict[tuple[str, int], str] = {}

    @contextlib.contextmanager
    def counting_in(self, dtype: str) -> Iterator[None]:
        """Make constants of another dtype for a while."""
        before, self.dtype = self.dtype, np.dtype(dtype)
        try:
            yield
        finally:
            self.dtype = before

    def add(
        self, operator: str, *inputs: str | float, output: str | None = None, domain: str = "", **attributes: object
    ) -> str:
        """Add a node; numbers among its inputs become constants. Return the name of its output."""
        output = output or self._own(f"{self.prefix}/{operator}_{len(self.nodes)}")
        self._append(operator, inputs, [output], domain, attributes)
        return output

    def split(self, operator: str, *inputs: str | float, names: Sequence[str], **attributes: object) -> list[str]:
        """Add a node of several outputs; return their names."""
        outputs = [self._own(f"{self.prefix}/{operator}_{len(self.nodes)}/{name}") for name in names]
        self._append(operator, inputs, outputs, "", attributes)
        return outputs

    def _append(
        self, operator: str, inputs: Sequence[str | float], outputs: list[str], domain: str, attributes: Any
    ) -> None:
        node: dict[str, Any] = {
            "op_type": operator,
            "name": f"{operator}_{len(self.nodes)}",
            "input": [each if isinstance(each, str) else self.number(each) for each in inputs],
            "output": outputs,
            "attribute": [_attribute(name, value) for name, value in attributes.items()],
        }
        self.nodes.append(node | {"domain": domain} if domain else node)
        if operator in _TRUTHS or (operator == "Cast" and attributes["to"] == BOOL):
            self._truths.update(outputs)

    def _own(self, name: str) -> str:
        """Return a name that nothing has yet, and take it."""
        number, chosen = 1, name
        while chosen in self._names:
            number, chosen = number + 1, f"{name}_{number}"
        self._names.add(chosen)
        return chosen

    def cast(self, x: str, kind: int, output: str | None = None) -> str:
        return self.add("Cast", x, output=output, to=kind)

    def as_number(self, x: str) -> str:
        """Return a value as numbers of the dtype in which is counted: truth values as 1 and 0."""
        return self._cast_once(x, type_number(self.dtype)) if x in self._truths else x

    def as_truth(self, x: str) -> str:
        """Return whether a value is not 0."""
        return x if x in self._truths else self._cast_once(x, BOOL)

    def _cast_once(self, x: str, kind: int) -> str:
        if (x, kind) not in self._casts:
            self._casts[x, kind] = self.cast(x, kind)
        return self._casts[x, kind]

    def number(self, value: float) -> str:
        key = (value, self.dtype)
        if key not in self._numbers:
            self._numbers[key] = self.constant(np.asarray(value, self.dtype), f"number_{len(self._numbers)}")
        return self._numbers[key]

    def numbers(self, values: object, name: str) -> str:
        """Add an array of the dtype in which is counted."""
        return self.constant(np.asarray(values, self.dtype), name)

    def constant(self, array: Array, name: str) -> str:
        """Add an array under this name, made unique."""
        chosen = self._own(name)
        self.constants[chosen] = tensor(np.asarray(array), chosen)
        return chosen

    def of(self, layer: Layer, name: str, shape: Sequence[int] | None = None) -> str:
        """Add a variable of a layer."""
        return self.variable(getattr(layer, name), f"{layer.name}.{name}", shape)

    def variable(self, variable: Variable, name: str, shape: Sequence[int] | None = None) -> str:
        """Add a variable, once for each shape in which it is read."""
        value = variable.numpy().astype(self.dtype, copy=False)
        value = value if shape is None else value.reshape(shape)
        key = (id(variable), value.shape)
        if key not in self._variables:
            self._variables[key] = self.constant(value, name)
        return self._variables[key]

    def counted(self, places: str) -> str:
        """Return places, which operators give as integers, as numbers of the dtype in which is counted."""
        return self.cast(places, type_number(self.dtype))

    def reshape(self, x: str, shape: Sequence[int | None]) -> str:
        """Cut a value into another shape, which begins with None if the axis of the samples stays."""
        return self.add("Reshape", x, self.sizes(*(0 if size is None else size for size in shape)))

    def cut(self, x: str, axis: int, start: int, end: int, step: int = 1) -> str:
        """Take a slice along an axis; an end of -1 lies before the first element."""
        end = end if end >= 0 else -(2**31)
        bounds = [self.sizes(each) for each in (start, end, axis)]
        return self.add("Slice", x, *bounds, *([] if step == 1 else [self.sizes(step)]))

    def over_batch(self, x: str, shape: Sequence[int]) -> str:
        """Repeat a value of shape (1, *shape) for every sample."""
        samples = self.add("Shape", self.batch_of, start=0, end=1)
        return self.add("Expand", x, self.add("Concat", samples, self.sizes(*shape), axis=0) if shape else samples)

    def sizes(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64), "sizes")


def _attribute(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        return {"name": name, "t": tensor(value, "value"), "type": 4}
    if isinstance(value, (list, tuple)):
        _, _, key, kind = _ATTRIBUTES[type(value[0])]
    else:
        key, kind, _, _ = _ATTRIBUTES[type(value)]
    return {"name": name, key: value, "type": kind}


def value_info(name: str, kind: int, shape: Sequence[object], text: str = "") -> dict[str, Any]:
    """Return what a graph says of an input or output: the first size is that of the batch."""
    sizes = [{"dim_param": "batch"}, *({"dim_value": size} for size in shape[1:])]
    info: dict[str, Any] = {"name": name, "type": {"tensor_type": {"elem_type": kind, "shape": {"dim": sizes}}}}
    return info | {"doc_string": text} if text else info


def type_number(dtype: DTypeLike) -> int:
    """Return ONNX's number of a dtype of NumPy's."""
    return NUMBERS[np.dtype(dtype)]


def file_of(
    name: str, g: Nodes, inputs: Sequence[object], outputs: Sequence[object], metadata: Mapping[str, str]
) -> bytes:
    """Return a graph as a file.

    Parameters
    ----------
    name : str
    g : Nodes
    inputs, outputs : sequence of dict
        See `value_info`.
    metadata : mapping of str to str
    """
    opsets: list[dict[str, Any]] = [{"domain": "", "version": OPSET}]
    if any(node.get("domain") == ML for node in g.nodes):
        opsets.append({"domain": ML, "version": ML_OPSET})
    graph = {
        "name": name,
        "node": g.nodes,
        "initializer": list(g.constants.values()),
        "input": inputs,
        "output": outputs,
    }
    return encode(
        {
            "ir_version": IR_VERSION,
            "producer_name": "cnn_core",
            "producer_version": version.__version__,
            "graph": graph,
            "opset_import": opsets,
            "metadata_props": [{"key": key, "value": text} for key, text in metadata.items()],
        }
    )
