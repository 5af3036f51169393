"""Describe what is compared: networks, sizes, data, starting weights and the ratios aimed at.

Knows NumPy only. Parent and workers read the same descriptions; arrays travel between them as files.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = list[Array]

FEATURE_SEED = 20
WEIGHT_SEED = 21
SHARE_OF_RANDOM_LABELS = 0.1


@dataclass(frozen=True)
class Network:
    """Describe a dense network: `sizes[0]` inputs, then one layer for each further size."""

    sizes: tuple[int, ...]
    hidden: str = "relu"
    output: str = "softmax"

    @property
    def name(self) -> str:
        return "-".join(str(size) for size in self.sizes)

    @property
    def layers(self) -> list[tuple[int, int, str]]:
        """List (inputs, units, activation) of every layer."""
        last = len(self.sizes) - 2
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        return [(n_in, n_out, self.output if i == last else self.hidden) for i, (n_in, n_out) in enumerate(pairs)]

    @property
    def multiplications(self) -> list[int]:
        """List inputs * units of every layer: the multiply-adds that one sample costs going forward."""
        return [n_in * n_out for n_in, n_out, _ in self.layers]

    def weights(self) -> Weights:
        """Draw kernel (inputs, units) and bias (units,) of each layer: Glorot uniform kernels, small random biases."""
        generator = np.random.default_rng(WEIGHT_SEED)
        result: Weights = []
        for n_in, n_out, _ in self.layers:
            limit = np.sqrt(6.0 / (n_in + n_out))
            result.append(generator.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
            result.append(generator.uniform(-0.05, 0.05, n_out).astype(np.float32))
        return result

    def inputs(self, rows: int) -> Array:
        """Draw `rows` samples from the normal distribution, shape (rows, inputs)."""
        return np.random.default_rng(FEATURE_SEED).standard_normal((rows, self.sizes[0]), dtype=np.float32)


@dataclass(frozen=True)
class Optimizer:
    """Describe an update rule in Keras's terms."""

    name: str
    learning_rate: float
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Training:
    """Describe one training job; an epoch is `rows // batch` steps with no ragged batch at the end.

    A rival that must jit the whole epoch needs equal batches; so everyone gets them.
    """

    name: str
    network: Network
    batch: int
    rows: int
    optimizers: tuple[Optimizer, ...]
    loss: str = "sparse_categorical_crossentropy"
    shuffle: bool = True
    targets: dict[str, float] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return self.rows // self.batch

    @property
    def flops_per_step(self) -> int:
        """Count the operations of the products in a step: x.w, x^T.delta and, but for the first layer, delta.w^T."""
        products = self.network.multiplications
        return 2 * self.batch * (3 * sum(products) - products[0])

    def data(self) -> tuple[Array, NDArray[np.generic]]:
        """Make x (rows, inputs) and the targets that belong to the loss."""
        if self.loss == "mean_squared_error":
            return matrix_exponentials(self.rows)
        x = self.network.inputs(self.rows)
        return x, labels_of_a_teacher(x, self.network.sizes[-1])


@dataclass(frozen=True)
class Prediction:
    """Describe one prediction job: `rows` samples through a network, outputs as probabilities."""

    network: Network
    rows: int

    @property
    def name(self) -> str:
        return f"{self.network.name} x {self.rows:,}"

    @property
    def flops(self) -> int:
        return 2 * self.rows * sum(self.network.multiplications)


def labels_of_a_teacher(x: Array, n_classes: int) -> NDArray[np.int32]:
    """Label each row by a random linear teacher, a tenth at random so that the loss cannot go to zero."""
    generator = np.random.default_rng(FEATURE_SEED + 1)
    teacher = generator.standard_normal((x.shape[1], n_classes), dtype=np.float32)
    labels: NDArray[np.int32] = np.argmax(x @ teacher, axis=1).astype(np.int32)
    noisy = generator.random(len(labels)) < SHARE_OF_RANDOM_LABELS
    labels[noisy] = generator.integers(0, n_classes, int(noisy.sum()), dtype=np.int32)
    # Every class occurs: scikit-learn makes one output for each that it sees.
    labels[generator.permutation(len(labels))[:n_classes]] = np.arange(min(n_classes, len(labels)))
    return labels


def matrix_exponentials(rows: int) -> tuple[Array, Array]:
    """Make the regression of SimpleChains' example: 2x2 matrices A in [0, 1) as x, exp(A) as y, both (rows, 4)."""
    a = np.random.default_rng(FEATURE_SEED).random((rows, 2, 2))
    term = np.broadcast_to(np.eye(2), a.shape).copy()
    total = term.copy()
    for k in range(1, 25):
        term = term @ a / k
        total += term
    return a.reshape(rows, 4).astype(np.float32), total.reshape(rows, 4).astype(np.float32)


# With Adam's usual epsilon a gradient of almost zero becomes a whole step in the direction of its rounding error, and
# where rounding turns a ReLU on or off the paths part: no two libraries agree after fifty such steps. A larger epsilon
# and small learning rates keep them together for the check; what a step costs does not depend on either.
EPSILON = 1e-4

SGD = Optimizer("sgd", 0.01)
SLOW_SGD = Optimizer("sgd", 0.001)
ADAM = Optimizer("adam", 0.001, epsilon=EPSILON)
SLOW_ADAM = Optimizer("adam", 0.00003, epsilon=EPSILON)


def aims(best: float, pytorch: float, scikit_learn: float) -> dict[str, float]:
    """Return how many times as long as cnn_core the best rival, PyTorch and scikit-learn should take on one core."""
    return {"best": best, "pytorch": pytorch, "scikit_learn": scikit_learn}


TRAININGS = (
    Training("XS", Network((4, 10, 3)), 32, 4096, (SGD, ADAM), targets=aims(6.0, 60.0, 60.0)),
    Training("S", Network((64, 32, 10)), 32, 4096, (SGD, ADAM), targets=aims(5.0, 40.0, 35.0)),
    Training("M", Network((784, 128, 10)), 128, 12_800, (SGD, SLOW_ADAM), targets=aims(1.4, 3.3, 3.3)),
    Training("L", Network((784, 512, 512, 10)), 128, 6_400, (SLOW_SGD, SLOW_ADAM), targets=aims(1.2, 2.4, 2.6)),
    Training("XL", Network((1024, 2048, 2048, 1024)), 512, 2_048, (SGD, SLOW_ADAM), targets=aims(1.25, 2.1, 2.1)),
    # SimpleChains.jl's published example: one step is one full batch, so there is nothing to shuffle.
    Training(
        "SimpleChains",
        Network((4, 32, 16, 4), "tanh", "linear"),
        10_000,
        10_000,
        (ADAM,),
        loss="mean_squared_error",
        shuffle=False,
    ),
    Training("wide", Network((10_000, 100)), 128, 1_280, (SLOW_SGD,)),
)

PREDICTION_NETWORKS = (
    Network((64, 32, 10)),
    Network((30, 64, 64, 1), output="sigmoid"),
    Network((784, 128, 10)),
    Network((784, 512, 512, 10)),
)
PREDICTION_ROWS = (1, 32, 1_024, 100_000)
PREDICTIONS = tuple(Prediction(network, rows) for network in PREDICTION_NETWORKS for rows in PREDICTION_ROWS)

# What "from import to a trained model" trains: about as much as the iris data set, 25 epochs.
SMALL_JOB = Training("small job", Network((4, 10, 3)), 32, 160, (SGD,))
SMALL_JOB_EPOCHS = 25


def training_named(name: str) -> Training:
    """Return the training job of that name; raise ValueError that lists the known ones."""
    for case in (*TRAININGS, SMALL_JOB):
        if case.name.lower() == name.lower():
            return case
    known = ", ".join(case.name for case in TRAININGS)
    raise ValueError(f"`cases` must name training cases out of {known}. Received: {name!r}")


def loss_of_outputs(loss: str, y: NDArray[np.generic], outputs: NDArray[np.generic]) -> float:
    """Compute the mean loss in float64 from outputs (rows, n_out): probabilities for labels, values for numbers."""
    values = np.asarray(outputs, dtype=np.float64)
    if loss == "mean_squared_error":
        return float(np.mean((values - np.asarray(y, dtype=np.float64)) ** 2))
    chosen = values[np.arange(len(values)), np.asarray(y, dtype=np.int64)]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-30))))
