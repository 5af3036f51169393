"""A network as native code runs it: a list of operations over numbered buffers.

A plan has sizes and variables, but neither dtype nor data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.array_operations import ArrayOperations
from cnn_core.network.custom import CustomCalls, TensorCalls
from cnn_core.network.operators import Operators
from cnn_core.network.variables import Variable

# Row-wise activations that a dense operation can apply to its own output; the others change the row's width.
_FUSED_ROW_WISE = frozenset({"softmax", "log_softmax", "sparsemax"})
Shape = tuple[int, ...]


class Operation(NamedTuple):
    """One step of a plan: reads buffers and parameters, writes one buffer.

    Attributes
    ----------
    kind : str
        A key of `_core.OPERATIONS`.
    inputs : tuple of int
        Buffers.
    output : int
        A buffer that no earlier operation wrote; a penalty on activities writes nothing and names its input.
    tensors : tuple of int or None
        Parameters, as the kind orders them.
    activation : str
        Applied to the output; its parameters follow.
    reals, integers : tuple
        What else the kind needs.
    numbers, constants : sequence
        What is too much for `integers` and `reals`: instructions, lists of elements.
    custom : object or None
        The Python object that a custom operation or activation calls.
    frozen : callable or None
        Tells, whenever a pass begins, whether the operation keeps to what it has learned even in training.
    layer : str
        The name of the layer it came from.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    tensors: tuple[int | None, ...] = ()
    activation: str = "linear"
    activation_parameters: tuple[float, ...] = ()
    reals: tuple[float, ...] = ()
    integers: tuple[int, ...] = ()
    custom: Any = None
    layer: str = ""
    frozen: Callable[[], bool] | None = None
    numbers: Sequence[int] | Array = ()
    constants: Sequence[float] | Array = ()

    @property
    def adds_to_loss(self) -> bool:
        """Whether it computes nothing but a share of the loss from its input."""
        return self.output in self.inputs


# Streams of random numbers that are counted, not chosen, start here: seeds of users are seldom as large.
_FIRST_STREAM = 2**61


class NetworkPlan(ArrayOperations):
    """A plan being built, or built."""

    changes: ClassVar[int] = 0  # how often layers that a plan may hold were set to compute something else

    @staticmethod
    def note_change() -> None:
        """Let networks be planned again, because a layer computes something else than before."""
        NetworkPlan.changes += 1
        Variable.note_move()  # what is bound is looked at again

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.operations: list[Operation] = []
        self.variables: list[Variable] = []
        self._numbers: dict[int, int] = {}  # of the variables, by their ids
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.compute_dtype = "float32"  # of the layers that are entered now
        self.training: bool | None = None  # what a call on symbols said to the layers that are entered now
        self.next_seed: Callable[[], int] | None = None  # for every run, where inference draws random numbers
        # What would be added to the loss, if that is wanted apart: buffers, and the penalties on what they hold.
        self.losses_apart: list[tuple[int, Any]] | None = None

    @property
    def buffers(self) -> list[tuple[int, int]]:
        """(rows per sample, width) of every buffer."""
        return [(math.prod(shape[:-1]), shape[-1]) for shape in self.shapes]

    def _table(self) -> list[list[str]]:
        """Describe every operation: its kind and activation, what it reads and writes, its layer."""
        return [
            [
                each.kind + ("" if each.activation == "linear" else f" + {each.activation}"),
                ", ".join(f"#{buffer} {self.shapes[buffer]}" for buffer in each.inputs),
                "J" if each.adds_to_loss else f"#{each.output} {self.shapes[each.output]}",
                ", ".join(str(self.variables[tensor].shape) for tensor in each.tensors if tensor is not None),
                each.layer,
            ]
            for each in self.operations
        ]

    def __str__(self) -> str:
        """Write a line for each operation."""
        return "\n".join(
            f"{layer}: {kind}({', '.join(filter(None, (reads, parameters)))}) -> {writes}"
            for kind, reads, writes, parameters, layer in self._table()
        )

    def _repr_html_(self) -> str:
        import cnn_core.foundation.notebook as notebook

        return notebook.table(["Operation", "Reads", "Writes", "Parameters", "Layer"], self._table())

    @property
    def tensor_sizes(self) -> list[int]:
        return [variable.size for variable in self.variables]

    def add_buffer(self, shape: Sequence[int]) -> int:
        """Add a buffer for values of `shape` per sample and return its number."""
        self.shapes.append(tuple(shape) or (1,))
        return len(self.shapes) - 1

    def add_input(self, shape: Sequence[int]) -> int:
        """Add a buffer that the network's caller fills."""
        self.inputs.append(self.add_buffer(shape))
        return self.inputs[-1]

    def set_outputs(self, buffers: Sequence[int], layer: str) -> None:
        """Let buffers be the outputs, each with memory of its own: derivatives, or results, are written there."""
        for buffer in buffers:
            again = buffer in self.outputs or buffer in self.inputs
            self.outputs.append(self.add("activation", [buffer], self.shapes[buffer], layer=layer) if again else buffer)

    def tensor(self, variable: Variable | None) -> int | None:
        """Return the number of a parameter, entering it if it is new."""
        if variable is None:
            return None
        number = self._numbers.setdefault(id(variable), len(self.variables))
        if number == len(self.variables):
            self.variables.append(variable)
        return number

    def join(self, other: NetworkPlan, inputs: Sequence[int]) -> list[int]:
        """Add the operations of another plan, whose variables both share from then on.

        Parameters
        ----------
        other : NetworkPlan
        inputs : sequence of int
            The buffers of this plan that stand for the inputs of the other.

        Returns
        -------
        list of int
            The buffers that its outputs became.
        """
        buffers = dict(zip(other.inputs, inputs, strict=True))
        tensors = [self.tensor(variable) for variable in other.variables]
        for operation in other.operations:
            if not operation.adds_to_loss:
                buffers[operation.output] = self.add_buffer(other.shapes[operation.output])
            self.operations.append(
                operation._replace(
                    inputs=tuple(buffers[each] for each in operation.inputs),
                    output=buffers[operation.output],
                    tensors=tuple(None if each is None else tensors[each] for each in operation.tensors),
                )
            )
        return [buffers[each] for each in other.outputs]

    def stream(self, seed: int | None = None) -> int:
        """Return the stream of random numbers for the operation that is added next.

        Parameters
        ----------
        seed : int, default None
            The layer's own. None: a number from the operation's place, so that a network built again draws again
            what it drew; the model's seed makes the difference between models.
        """
        return _FIRST_STREAM + len(self.operations) if seed is None else seed % _FIRST_STREAM

    @contextmanager
    def called_with(self, training: bool | None) -> Iterator[None]:
        """Enter layers as a call with `training` wants them; None leaves it to the calls around it."""
        before = self.training
        self.training = before if training is None else training
        try:
            yield
        finally:
            self.training = before

    @contextmanager
    def computing_in(self, compute_dtype: str) -> Iterator[None]:
        """Enter operations whose products round their factors to this type, if it is bfloat16."""
        before = self.compute_dtype
        self.compute_dtype = compute_dtype
        try:
            yield
        finally:
            self.compute_dtype = before

    def add_dense(
        self,
        source: int,
        shape: Sequence[int],
        variables: Sequence[Variable | None],
        activation: Activation | None = None,
        *,
        layer: str,
    ) -> int:
        """Add a product with a kernel, plus a bias where there is one: `variables` names them in this order."""
        integers = [_core.ROUNDINGS[self.compute_dtype]]
        return self.add(
            "dense", [source], shape, layer=layer, variables=variables, activation=activation, integers=integers
        )

    def add_noise(
        self,
        kind: str,
        source: int,
        reals: Sequence[float],
        *,
        layer: str,
        seed: int | None = None,
        shared: Sequence[bool] = (),
    ) -> int:
        """Add an operation that draws random numbers: in training, or as the layer's call says.

        `shared` tells of every axis, that of the samples first, whether one number serves all elements along it.
        """
        if self.training is False:
            return source
        if self.training:
            self.next_seed = random_state.next_seed
        integers = [self.stream(seed), seed is not None, self.training is True]
        if any(shared):
            integers += [shared[0], *_runs(self.shapes[source], shared[1:])]
        return self.add(kind, [source], self.shapes[source], layer=layer, reals=reals, integers=integers)

    def add_activity_penalty(self, buffer: int, regularizer: Any, layer: str) -> None:
        """Add a penalty on what a buffer holds to the loss, divided by the batch size."""
        if self.losses_apart is not None:
            self.losses_apart.append((buffer, regularizer))
            return
        native = getattr(regularizer, "native", None) == "l1_l2"
        reals = (float(regularizer.l1), float(regularizer.l2)) if native else ()
        custom = None if native else TensorCalls(regularizer, (-1, *self.shapes[buffer]))
        self.operations.append(
            Operation("activity_penalty", (buffer,), buffer, reals=reals, custom=custom, layer=layer)
        )

    def add_loss(self, buffer: int, factor: float = 1.0, *, layer: str) -> None:
        """Add `factor` times the mean over samples of the sum of a sample's elements to the loss."""
        if self.losses_apart is not None:
            self.losses_apart.append((buffer, None))
            return
        self.operations.append(Operation("added_loss", (buffer,), buffer, reals=(float(factor),), layer=layer))

    def add_permutation(self, source: int, order: Sequence[int], layer: str) -> int:
        """Add an operation that puts the axes of a sample in another order: axis i of the output is `order[i]`."""
        shape = self.shapes[source]
        if tuple(order) == tuple(range(len(shape))):
            return source
        integers = (len(shape), *shape, *order)
        return self.add("permute", [source], [shape[axis] for axis in order], layer=layer, integers=integers)

    def in_shape(self, buffer: int, shape: Sequence[int | None]) -> int:
        """Return a buffer in the shape of a symbol's sample: a single number has no axis there, and one here."""
        held, wanted = self.shapes[buffer], tuple(shape) or (1,)
        if wanted == held or None in wanted:
            return buffer
        made = self.operations[-1]
        if made.output == buffer and not made.adds_to_loss and wanted[-1] == held[-1]:
            self.shapes[buffer] = wanted  # type: ignore[assignment]
            return buffer
        return self.add_reshaping(buffer, wanted, made.layer)  # type: ignore[arg-type]

    def add_reshaping(self, source: int, shape: Sequence[int], layer: str) -> int:
        """Add an operation that cuts the elements of a sample into another shape."""
        if tuple(shape) == self.shapes[source]:
            return source
        return self.add("reshape", [source], shape, layer=layer)

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        *,
        layer: str,
        variables: Sequence[Variable | None] = (),
        activation: Activation | None = None,
        reals: Sequence[float] = (),
        integers: Sequence[int] = (),
        custom: object = None,
        frozen: Callable[[], bool] | None = None,
        numbers: Sequence[int] | Array = (),
        constants: Sequence[float] | Array = (),
    ) -> int:
        """Add an operation, with its activation fused or following it, and return its output's buffer."""
        fused = activation is None or _can_be_fused(activation)
        name, parameters = "linear", tuple[float, ...]()
        if activation is not None and fused:
            name, parameters, called = _native_activation(activation)
            custom = custom or called
        output = self.add_buffer(shape)
        tensors = tuple(self.tensor(variable) for variable in variables)
        self.operations.append(
            Operation(
                kind,
                tuple(inputs),
                output,
                tensors,
                name,
                parameters,
                tuple(map(float, reals)),
                tuple(map(int, integers)),
                custom,
                layer,
                frozen,
                numbers,
                constants,
            )
        )
        return output if activation is None or fused else self.add_activation(output, activation, layer)

    def add_activation(self, source: int, activation: Activation, layer: str) -> int:
        """Add an activation as an operation of its own; a custom function as several."""
        if activation.is_traced:
            return int(Operators.functions["enter_activation"](self, source, activation, layer))
        shape = self.shapes[source]
        if activation.native == "glu":
            shape = (*shape[:-1], shape[-1] // 2)
        output = self.add_buffer(shape)
        name, parameters, called = _native_activation(activation)
        self.operations.append(
            Operation("activation", (source,), output, (), name, parameters, custom=called, layer=layer)
        )
        return output


def _can_be_fused(activation: Activation) -> bool:
    """Whether an operation can apply it to its own output."""
    return not activation.is_traced and (not activation.row_wise or activation.native in _FUSED_ROW_WISE)


def _native_activation(activation: Activation) -> tuple[str, tuple[float, ...], CustomCalls | None]:
    """Return the native name, the parameters, and what is to be called where only Python knows the activation."""
    if activation.native is None:
        return "custom", (), CustomCalls(activation)
    return activation.native, activation.parameters, None


def _runs(shape: Shape, shared: Sequence[bool]) -> list[int]:
    """Return how many runs of equal axes a shape has, and their sizes: own, shared, own, ... from the first own one.

    >>> _runs((2, 3, 4, 5), (False, False, True, False))
    [3, 6, 4, 5]
    >>> _runs((2, 3), (True, True))
    [2, 1, 6]
    """
    sizes = [1]
    for size, is_shared in zip(shape, shared, strict=True):
        if is_shared == (len(sizes) % 2 == 0):
            sizes[-1] *= size
        else:
            sizes.append(size)
    return [len(sizes), *sizes]
