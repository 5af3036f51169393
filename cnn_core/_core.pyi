"""What src/_core.pyx offers to Python. Arrays are C-contiguous and of the network's dtype unless said otherwise."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from cnn_core.foundation.descriptions import (
    LossDescription,
    LossParameters,
    MetricDescription,
    OptimizerTail,
    TensorRule,
)

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
_Indices: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
_Status: TypeAlias = str  # one of cnn_core.network.native.Status

# offset, size, and factors of the learning rate, of epsilon and of the weight decay
_ParameterGroup: TypeAlias = tuple[int, int, float, float, float]
# (samples, sum of the batches' penalties, sum of each loss, (total, count) of each metric), sums over samples
_Totals: TypeAlias = tuple[float, float, list[float], list[tuple[float, float]]]

class _Plan(Protocol):
    @property
    def buffers(self) -> Sequence[tuple[int, int]]: ...
    @property
    def tensor_sizes(self) -> Sequence[int]: ...
    @property
    def operations(self) -> Sequence[Any]: ...
    @property
    def inputs(self) -> Sequence[int]: ...
    @property
    def outputs(self) -> Sequence[int]: ...

ACTIVATIONS: dict[str, int]
INSTRUCTIONS: dict[str, int]
ELEMENTWISE: dict[str, int]
AGGREGATES: dict[str, int]
DISTRIBUTIONS: dict[str, int]
OPERATIONS: dict[str, int]
LOSSES: dict[str, int]
METRICS: dict[str, int]
REDUCTIONS: dict[str, int]
RULES: dict[str, int]
CONSTRAINTS: dict[str, int]
PENALTIES: dict[str, int]
MODES: dict[str, int]
STATUS: dict[int, _Status]

def select_instruction_set(name: str | None = None) -> str: ...
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def select_bfloat16(name: str) -> None: ...
def bfloat16() -> str: ...
def bfloat16_ways() -> list[str]: ...
def address_of(array: _Array) -> int: ...
def set_float(number: float, value: float) -> None: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def threads_started() -> int: ...
def max_threads() -> int: ...

class Network:
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def takes_sparse(self) -> list[bool]: ...
    def __init__(self, dtype: str, plan: _Plan) -> None: ...
    def bind(self, values: list[_Array], gradients: list[_Array] | list[_Array | None] | list[None]) -> None: ...
    def predict(self, inputs: list[Any], outputs: list[_Array]) -> None: ...

class Scratch: ...

class TracedLossPlan:
    error: BaseException | None

class Predictor:
    def __init__(
        self,
        network: Network,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        read: Callable[[Any], tuple[_Array, bool]],
        index_limit: int = 0,
    ) -> None: ...
    def __call__(self, x: Any, out: _Array | None = None) -> _Array: ...

class Optimizer:
    nadam_product: float
    def __init__(
        self,
        rule: str,
        hyperparameters: Iterable[float],
        tail: OptimizerTail,
        groups: Sequence[_ParameterGroup],
        rules: Sequence[TensorRule],
        tensors: Sequence[tuple[int, int, int, int]],
        parameters: _Array,
        gradients: _Array,
        slots: list[_Array],
        average: _Array | None,
        accumulator: _Array | None,
    ) -> None: ...
    def step(self, learning_rate: float, step: int) -> bool: ...

class Interruption:
    error: BaseException | None

class Workbench:
    @property
    def network(self) -> Network: ...
    def value(self, buffer: int) -> _Array: ...
    def delta(self, buffer: int) -> _Array | None: ...
    def pre_activation(self, operation: int) -> _Array | None: ...

class Block(Workbench):
    def __init__(
        self,
        network: Network,
        n: int,
        training: bool = True,
        seed: int = 0,
        step: int = 0,
        live: bool = True,
        first_draw: int = 0,
    ) -> None: ...
    def forward(self, inputs: list[Any]) -> list[_Array]: ...
    def move_statistics(self) -> None: ...
    def backward(self, deltas: list[_Array]) -> list[_Array]: ...

class Pass(Workbench):
    @property
    def n_batches(self) -> int: ...
    @property
    def calls_python(self) -> bool: ...
    @property
    def last_loss(self) -> float: ...
    @property
    def step(self) -> int: ...
    @property
    def has_updated(self) -> bool: ...
    def update(self, learning_rate: float) -> bool: ...
    def __init__(
        self,
        network: Network,
        inputs: list[Any],
        targets: list[_Array],
        weights: list[_Array] | list[_Array | None] | list[None],
        batch_size: int,
        losses: list[LossDescription],
        metrics: list[MetricDescription],
        optimizer: Optimizer | None = None,
        predictions: list[_Array | None] | None = None,
        mode: str = "evaluation",
        seed: int = 0,
        input_gradients: bool = False,
    ) -> None: ...
    def __call__(
        self,
        first_batch: int,
        last_batch: int,
        learning_rates: _Array | None = None,
        step: int = 0,
        order: _Indices | None = None,
        updates: bool = True,
        seconds: float = ...,
    ) -> tuple[_Status, int, int]: ...
    def feed(
        self,
        inputs: list[Any],
        targets: list[_Array],
        weights: list[_Array] | list[_Array | None] | list[None],
        predictions: list[_Array | None] | None = None,
    ) -> None: ...
    def feed_plain(self, x: object, y: object) -> bool: ...
    def set_regularization(self, share: float) -> None: ...
    def take_totals(self) -> _Totals: ...

class Epochs:
    next_batch: int
    @property
    def begun(self) -> bool: ...
    @property
    def n_done(self) -> int: ...
    @property
    def order(self) -> _Indices | None: ...
    def __init__(
        self, training: Pass, shuffling: np.random.BitGenerator | tuple[int, int] | None, factor: float = 1.0
    ) -> None: ...
    def __call__(
        self,
        most: int,
        learning_rates: _Array,
        step: int,
        best: float = ...,
        tolerance: float = 0,
        patience: float = ...,
        idle: int = 0,
        seconds: float = ...,
    ) -> _Status: ...
    def take_losses(self) -> list[float]: ...
    def totals(self) -> list[_Totals]: ...

def product(
    x: _Array,
    w: _Array,
    transposed_x: bool = False,
    transposed_w: bool = False,
    y: _Array | None = None,
    in_bfloat16: bool = False,
) -> _Array: ...
def activation_forward(kind: str, z: _Array, parameters: tuple[float, ...] = ()) -> _Array: ...
def activation_backward(kind: str, da: _Array, z: _Array, parameters: tuple[float, ...] = ()) -> _Array: ...
def softmax(z: _Array) -> _Array: ...
def loss_parameters(kind: str, parameters: Sequence[float]) -> LossParameters: ...
def loss_values(kind: str, y: _Array, a: _Array, parameters: Sequence[float] = ()) -> _Array: ...
def loss_gradient(kind: str, y: _Array, a: _Array, parameters: Sequence[float] = ()) -> _Array: ...
def all_finite(array: _Array) -> bool: ...
def reads_in_place(x: object, dtype: np.dtype[Any], width: int) -> bool: ...
def labels_as_they_are(y: object, n_classes: int) -> _Array | None: ...
def all_mean_something(
    array: _Array, low: float, high: float, choices: tuple[tuple[float, float], ...] = (), rounding: float = -1
) -> bool: ...
def shuffled(n: int, seed: int, stream: int, out: _Indices | None = None) -> _Indices: ...
def philox(counter: int, key: int) -> list[int]: ...
def dropout_mask(
    n: int, rate: float, seed: int, stream: int, dtype: str = "float32", first_index: int = 0
) -> _Array: ...
def normal(n: int, seed: int, stream: int, dtype: str = "float64", first_index: int = 0) -> _Array: ...
