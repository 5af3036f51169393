from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core.data.splitting import IndexedSamples, pack_x_y_sample_weight, split_dataset, unpack_x_y_sample_weight

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        ({"left_size": 0.75}, (8, 2)),  # rounded to the even neighbour, as in Keras
        ({"left_size": 7}, (7, 3)),
        ({"right_size": 0.2}, (8, 2)),
        ({"right_size": 1}, (9, 1)),
        ({"left_size": 0.5, "right_size": 0.3}, (5, 3)),
        ({"left_size": 2, "right_size": 3}, (2, 3)),
        ({"left_size": 0.4, "right_size": 3}, (4, 3)),
    ],
)
def test_sizes_are_numbers_or_shares(sizes: dict[str, Any], lengths: tuple[int, int]) -> None:
    left, right = split_dataset((X, Y), **sizes)
    assert (len(left), len(right)) == lengths == (left.cardinality(), right.cardinality())
    assert left.arrays[1].tolist() == Y[: lengths[0]].tolist()
    assert right.arrays[1].tolist() == Y[10 - lengths[1] :].tolist()
    assert left.arrays[0].tolist() == X[: lengths[0]].tolist()


def test_a_seed_draws_the_order_of_keras() -> None:
    left, right = split_dataset(Y, 0.8, shuffle=True, seed=3)
    # keras.utils.split_dataset(np.arange(10), 0.8, shuffle=True, seed=3), with TensorFlow
    assert [*left.arrays, *right.arrays] == [1, 5, 6, 0, 9, 4, 7, 2, 8, 3]
    cnn_core.utils.set_random_seed(1)
    first = split_dataset(Y, 0.8, shuffle=True)[0].arrays.tolist()
    cnn_core.utils.set_random_seed(1)
    assert split_dataset(Y, 0.8, shuffle=True)[0].arrays.tolist() == first != list(range(8))


def test_arrays_keep_their_structure() -> None:
    single, _ = split_dataset(X, 0.5)
    assert single.arrays.shape == (5, 2)
    named, _ = split_dataset({"x": X, "y": Y}, 0.5)
    assert {key: array.shape for key, array in named.arrays.items()} == {"x": (5, 2), "y": (5,)}
    assert [y for _, y in split_dataset([X, Y], 0.5)[1]] == [5, 6, 7, 8, 9]


def test_indexed_samples_are_read_whole() -> None:
    class Indexed:
        def __len__(self) -> int:
            return 10

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            return X[index], Y[index]

    left, right = split_dataset(Indexed(), 6)
    assert left.arrays[0].tolist() == X[:6].tolist()
    assert right.arrays[1].tolist() == [6, 7, 8, 9]


def test_batches_go_into_fit_evaluate_and_predict() -> None:
    x, y = X / 10, Y[:, None] / 10
    left, right = split_dataset((x.astype("float32"), y.astype("float32")), 0.8)
    model, twin = (cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)]) for _ in range(2))
    twin.set_weights(model.get_weights())
    for each in (model, twin):
        each.compile("sgd", "mse")
    history = model.fit(left.batch(3), epochs=2, validation_data=right.batch(2), verbose=0, shuffle=False)
    twin.fit(x[:8], y[:8], batch_size=3, epochs=2, verbose=0, shuffle=False)
    assert "val_loss" in history.history
    assert all((ours == theirs).all() for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True))
    assert model.predict(split_dataset(x, 0.8)[1].batch(2)).shape == (2, 1)
    assert [len(left.batch(3)), len(left.batch(3, drop_remainder=True)), len(left.batch(4, True))] == [3, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`left_size` or `right_size` must be given"),
        ({"left_size": 0}, "`left_size` must be a whole number above 0 and below 10"),
        ({"left_size": 10}, "`left_size` must be"),
        ({"right_size": 1.5}, r"`right_size` must be .* Received: right_size=1.5"),
        ({"left_size": 0.8, "right_size": 0.3}, "must be at most 10 together"),
        ({"left_size": "half"}, "`left_size` must be"),
        ({"left_size": 0.5, "preferred_backend": "torch"}, "`preferred_backend` must be None"),
    ],
)
def test_sizes_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        split_dataset(X, **arguments)


@pytest.mark.parametrize("dataset", [(X, Y[:5]), np.float64(3.0), (), [[]]])
def test_what_has_no_common_rows_is_refused(dataset: Any) -> None:
    with pytest.raises(ValueError, match=r"`dataset` must (hold|leave)"):
        split_dataset(dataset, 0.5)


def test_packing_and_unpacking_are_keras_s() -> None:
    assert pack_x_y_sample_weight(X) is X
    assert pack_x_y_sample_weight((X, Y)) == ((X, Y),)
    for packed in ((X, Y), (X, Y, Y)):
        again = pack_x_y_sample_weight(*packed)
        assert all(ours is theirs for ours, theirs in zip(again, packed, strict=True))
        assert [each is None for each in unpack_x_y_sample_weight(list(again))] == [False, False, len(packed) == 2]
    assert unpack_x_y_sample_weight(X)[0] is unpack_x_y_sample_weight((X,))[0] is X
    with pytest.raises(ValueError, match="Received: 4 parts"):
        unpack_x_y_sample_weight((X, X, X, X))


def test_samples_are_counted_by_whole_numbers() -> None:
    with pytest.raises(TypeError, match="`index` must be"):
        IndexedSamples(X)[0.5]  # type: ignore[index]
    with pytest.raises(IndexError):
        IndexedSamples(X)[10]
