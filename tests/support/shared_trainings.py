"""A script that trains small models, alone or shared among ranks, and stores what comes out: run by mpiexec in tests.

python shared_trainings.py FILE CASES [SETTING=VALUE ...]; without settings no distribution is used.
"""

from __future__ import annotations

import ast
import sys
import tempfile

import numpy as np

import cnn_core
from cnn_core import Input, Model, Sequential, callbacks, distribution, layers, optimizers

N, BATCH_SIZE, EPOCHS = 205, 16, 4  # 13 batches an epoch, the last of 13 samples; 52 steps
OPTIMIZERS = (
    *("sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam", "adamw", "ftrl", "lion", "lamb", "muon"),
    "adafactor",
)


def data(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 10)).astype(np.float32)
    return x, (x[:, :3].sum(axis=1) + rng.normal(size=n) > 0).astype(np.int64)


def network(*, noisy: bool = True, normalized: bool = True) -> Sequential:
    model = Sequential([Input((10,)), layers.Dense(12, "relu", kernel_regularizer="l2")])
    if normalized:
        model.add(layers.BatchNormalization())
    if noisy:
        model.add(layers.Dropout(0.3))
    model.add(layers.Dense(8, "tanh", activity_regularizer="l1", kernel_constraint="max_norm"))
    model.add(layers.Dense(2, "softmax"))
    return model


def fit(model, optimizer, *, x=None, y=None, sample_weight=None, **options):
    if x is None:
        x, y = data()
    options = {"batch_size": BATCH_SIZE, "epochs": EPOCHS, "verbose": 0, **options}
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model.fit(x, y, sample_weight=sample_weight, **options).history


def weights(model) -> np.ndarray:
    return np.concatenate([np.ravel(each) for each in model.get_weights()])


def of_optimizer(name: str) -> dict[str, np.ndarray]:
    model = network()
    history = fit(model, name, class_weight={0: 1.0, 1: 3.0}, validation_split=0.2)
    return {"weights": weights(model), **{key: np.array(values) for key, values in history.items()}}


def clipped() -> dict[str, np.ndarray]:
    model = network()
    fit(model, optimizers.Adam(global_clipnorm=0.1, use_ema=True))
    return {"weights": weights(model)}


def accumulated() -> dict[str, np.ndarray]:
    model = network()
    fit(model, optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=3))
    return {"weights": weights(model)}


def weighted() -> dict[str, np.ndarray]:
    model = network()
    sample_weight = np.random.default_rng(1).uniform(0, 2, N)
    history = fit(model, "sgd", sample_weight=sample_weight)
    return {"weights": weights(model), **{key: np.array(values) for key, values in history.items()}}


def masked() -> dict[str, np.ndarray]:
    """With steps of which some count, in the moments of a batch."""
    x, y = data()
    x = np.where(np.random.default_rng(2).random((N, 5, 1)) < 0.4, 0, x.reshape(N, 5, 2))
    model = Sequential([Input((5, 2)), layers.Masking(), layers.Dense(6, "relu"), layers.BatchNormalization()])
    model.add(layers.GlobalAveragePooling1D())
    model.add(layers.Dense(2, "softmax"))
    fit(model, "sgd", x=x, y=y)
    return {"weights": weights(model)}


def plain_networks() -> dict[str, np.ndarray]:
    """What ranks of one machine step in parts, twice, so that the state of the optimizer is taken up again."""
    results = {}
    x, y = data()
    for optimizer in (
        optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
        optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        optimizers.Adam(0.01, amsgrad=True),
        *(optimizers.Adagrad(0.1), optimizers.Adadelta(1.0), optimizers.Lion(), optimizers.Ftrl(0.1)),
        *(optimizers.Adamax(0.01), optimizers.AdamW(optimizers.schedules.ExponentialDecay(0.01, 10, 0.9))),
    ):
        hidden = [layers.Dense(12, "relu", kernel_regularizer="l2"), layers.Dropout(0.2), layers.Dense(7, "gelu")]
        model = Sequential([Input((10,)), *hidden, layers.Dense(2, "softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy")
        for _ in range(2):
            model.fit(x, y, batch_size=BATCH_SIZE, epochs=2, verbose=0)
        results[optimizer.name] = weights(model)
        results |= {f"{optimizer.name}/{slot}": vector for slot, vector in optimizer.state.items()}
    return results


def tiny_batches() -> dict[str, np.ndarray]:
    """Batches of one and three samples, of which some ranks and shards have none."""
    x, y = data(11)
    results = {}
    for batch_size in (1, 3):
        inputs, words = Input((10,)), Input((2,), dtype="int32")
        embedded = layers.Flatten()(layers.Embedding(5, 3)(words))
        hidden = layers.PReLU()(layers.Dense(6, "glu")(inputs))
        hidden = layers.LayerNormalization()(layers.concatenate([hidden, embedded]))
        hidden = layers.Dropout(0.1)(layers.BatchNormalization()(hidden))
        model = Model([inputs, words], layers.Dense(2, "softmax")(hidden))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        indices = np.arange(22, dtype=np.int32).reshape(11, 2) % 5
        history = model.fit([x, indices], y, batch_size=batch_size, epochs=3, verbose=0).history
        results |= {f"weights {batch_size}": weights(model), f"loss {batch_size}": np.array(history["loss"])}
    return results


def resumed() -> dict[str, np.ndarray]:
    """A training that stops in the middle of an epoch and goes on from its backup, which rank 0 has."""

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 20:
                raise OSError("stopped")

    with tempfile.TemporaryDirectory() as folder:
        for attempt in range(2):
            model = network()
            backup = callbacks.BackupAndRestore(folder, save_freq=1)
            try:
                history = fit(model, "adam", callbacks=[backup, Stop()][: 2 - attempt])
            except (OSError, distribution.RankEndedError):
                continue
    return {"weights": weights(model), "loss": np.array(history["loss"])}


def several_outputs() -> dict[str, np.ndarray]:
    x, y = data()
    inputs = Input((10,))
    hidden = layers.Dense(8, "gelu")(inputs)
    model = Model(inputs, [layers.Dense(1)(hidden), layers.Dense(2, "softmax")(hidden)])
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.3, 1.0])
    history = model.fit(x, [x[:, 0], y], batch_size=30, epochs=3, verbose=0).history
    return {"weights": weights(model), **{key: np.array(values) for key, values in history.items()}}


def in_float64() -> dict[str, np.ndarray]:
    cnn_core.config.set_floatx("float64")
    try:
        model = network()
        fit(model, "sgd")
        return {"weights": weights(model)}
    finally:
        cnn_core.config.set_floatx("float32")


def all_rows_at_once() -> dict[str, np.ndarray]:
    x, y = data()
    model = Sequential([Input((10,)), layers.Dense(6, "tanh", kernel_regularizer="l2"), layers.Dense(2, "softmax")])
    model.compile(optimizers.LBFGS(max_iter=30), "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=1, verbose=0).history
    return {"weights": weights(model), "loss": np.array(history["loss"])}


class Rows(cnn_core.utils.PyDataset):
    """Batches by number; with a distribution that is given parts, those of this rank."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return -(-len(self.x) // BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)
        return self.x[rows], self.y[rows]


def of_batches() -> dict[str, np.ndarray]:
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(Rows(*data()), epochs=3, verbose=0, validation_data=Rows(*data(50))).history
    return {"weights": weights(model), **{key: np.array(values) for key, values in history.items()}}


def watched() -> dict[str, np.ndarray]:
    """With callbacks that see every batch, and one that stops."""
    seen: list[float] = []

    class Listener(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs["loss"])
            if len(seen) == 30:
                self.model.stop_training = True

    model = network()
    fit(model, "adam", callbacks=[Listener()], validation_split=0.1)
    return {"weights": weights(model), "seen": np.array(seen)}


def with_python_metrics() -> dict[str, np.ndarray]:
    x, y = data()
    model = Sequential([Input((10,)), layers.Dense(6, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["auc", cnn_core.metrics.F1Score(threshold=0.5)])
    history = model.fit(x, y.astype(np.float32), epochs=3, verbose=0, validation_split=0.3).history
    return {key: np.ravel(values) for key, values in history.items()}


def evaluated() -> dict[str, np.ndarray]:
    x, y = data()
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    results = model.evaluate(x, y, batch_size=BATCH_SIZE, verbose=0)
    return {"results": np.array(results), "predictions": model.predict(x), "few": model.predict(x[:1])}


def part_of(n: int) -> slice:
    """Return this rank's rows where every rank has its own part, which are not equally many; all rows else."""
    used = distribution.distribution()
    if used is None or used.auto_shard_dataset:
        return slice(0, n)
    borders = [0, n // 3, n // 2, n // 2 + 5, n]
    return slice(borders[used.rank], n if used.rank == used.size - 1 else borders[used.rank + 1])


def of_parts() -> dict[str, np.ndarray]:
    """All rows in one batch, so that it does not matter which rank has which."""
    x, y = data()
    weight = np.random.default_rng(1).uniform(0, 2, N)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        rows = np.load(f"{folder}/x.npy", mmap_mode="r")[part_of(N)]
        model = network(noisy=False)
        part, held_out = part_of(N), part_of(40)
        history = fit(
            model, "adam", x=rows, y=y[part], sample_weight=weight[part], batch_size=500, epochs=20,
            validation_data=(x[:40][held_out], y[:40][held_out]),
        )  # fmt: skip
    results = model.evaluate(x[part], y[part], verbose=0)
    logs = {key: np.array(values) for key, values in history.items()}
    return {"weights": weights(model), "results": np.array(results), **logs}


def of_small_batches_of_parts() -> dict[str, np.ndarray]:
    """What only has to be the same on all ranks: batches of rows, and given batches that end at different times."""
    x, y = data()
    part = part_of(N)
    model = network()
    fit(model, "adam", x=x[part], y=y[part], batch_size=48)
    first = weights(model)
    history = model.fit(Rows(x[part], y[part]), epochs=2, verbose=0, validation_data=Rows(x[part], y[part])).history
    return {"first": first, "weights": weights(model), "loss": np.array(history["loss"])}


def linear() -> dict[str, np.ndarray]:
    x, y = data(64)
    model = Sequential([Input((10,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.05), "mse")
    model.fit(x, y.astype(np.float32), batch_size=16, epochs=1, verbose=0, shuffle=False)
    return {"weights": weights(model)}


def normalized() -> dict[str, np.ndarray]:
    x, y = data(64)
    model = Sequential([Input((10,)), layers.BatchNormalization(momentum=0.5), layers.Dense(1)])
    model.compile(optimizers.SGD(0.0), "mse")
    model.fit(x, y.astype(np.float32), batch_size=64, epochs=1, verbose=0, shuffle=False)
    return {"mean": model.layers[0].moving_mean.numpy(), "variance": model.layers[0].moving_variance.numpy()}


OTHERS = {each.__name__: each for each in (of_parts, of_small_batches_of_parts, linear, normalized)}
CASES = {
    **{name: lambda name=name: of_optimizer(name) for name in OPTIMIZERS},
    **{
        each.__name__: each
        for each in (
            *(clipped, accumulated, weighted, plain_networks, several_outputs, in_float64, all_rows_at_once),
            *(of_batches, watched, tiny_batches, resumed, with_python_metrics, evaluated, masked),
        )
    },
}


def main(path: str, cases: str, *settings: str) -> None:
    if settings:
        pairs = (each.partition("=") for each in settings)
        chosen = distribution.DataParallel(**{name: ast.literal_eval(value) for name, _, value in pairs})
        distribution.set_distribution(chosen)
    results = {}
    for name in CASES if cases == "all" else cases.split(","):
        cnn_core.utils.set_random_seed(1)
        results.update({f"{name}/{key}": value for key, value in {**CASES, **OTHERS}[name]().items()})
    used = distribution.distribution()
    np.savez(path if used is None else f"{path}-{used.rank}", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
