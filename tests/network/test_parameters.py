"""The flat vector of parameters: layout, sharing, and the optimizer's state that goes with it."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core import optimizers
from cnn_core.foundation.arrays import ALIGNMENT, aligned_zeros
from cnn_core.network.parameters import ParameterVector, adopt_state, laid_out, native_optimizer
from cnn_core.network.variables import Variable


def variables(*shapes: tuple[int, ...], dtype: str = "float32") -> list[Variable]:
    return [
        Variable(
            np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape) + 10 * number,
            name="w",
            path=f"v{number}/w",
        )
        for number, shape in enumerate(shapes)
    ]


@given(sizes=st.lists(st.integers(0, 100)), itemsize=st.sampled_from([4, 8]))
def test_layout_is_aligned_and_does_not_overlap(sizes: list[int], itemsize: int) -> None:
    offsets, total = laid_out(sizes, itemsize)
    ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    assert all(offset * itemsize % ALIGNMENT == 0 for offset in offsets)
    assert all(end <= after for end, after in zip(ends, [*offsets[1:], total], strict=bool(sizes)))
    assert total * itemsize <= sum(sizes) * itemsize + len(sizes) * (ALIGNMENT - itemsize)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variables_become_views_of_one_vector(dtype: str) -> None:
    held = variables((3, 2), (5,), (0,), (1, 1), dtype=dtype)
    before = [variable.numpy() for variable in held]
    vector = ParameterVector(held, np.dtype(dtype))
    assert vector.values.ctypes.data % ALIGNMENT == vector.gradients.ctypes.data % ALIGNMENT == 0
    for variable, value in zip(held, before, strict=True):
        np.testing.assert_array_equal(variable.array, value)
        assert variable.size == 0 or np.shares_memory(variable.array, vector.values)
    vector.values[...] = 7
    assert all((variable.array == 7).all() for variable in held)
    assert vector.is_of(held)
    assert not vector.is_of(held[:-1])
    assert not vector.is_of(held[::-1])
    gradient = vector.gradient_of(held[1])
    assert gradient is not None
    assert np.shares_memory(gradient, vector.gradients)
    assert vector.gradient_of(variables((2,))[0]) is None


def test_two_vectors_hand_shared_variables_to_each_other() -> None:
    a, b, c = variables((2,), (3,), (4,))
    first, second = ParameterVector([a, b], np.dtype("float32")), ParameterVector([b, c], np.dtype("float32"))
    b.array[...] = 5
    assert np.shares_memory(b.array, second.values)
    moves = Variable.moves
    first.reclaim()
    assert np.shares_memory(b.array, first.values)
    assert (b.array == 5).all(), "with its value of now"
    moved = Variable.moves
    assert moved != moves
    first.reclaim()
    assert Variable.moves == moved, "what is there already does not move"
    b.array[...] = 6
    second.reclaim()
    assert (b.array == 6).all()
    assert np.shares_memory(b.array, second.values)


# The optimizer's state


def filled(optimizer: Any, held: list[Variable]) -> ParameterVector:
    """Lay the state out for these variables and number it."""
    vector = ParameterVector(held, np.dtype("float32"))
    adopt_state(optimizer, vector)
    for slot in optimizer.state.values():
        slot[...] = np.arange(slot.size)
    return vector


def of(optimizer: Any, vector: ParameterVector, variable: Variable) -> Any:
    place = [id(each) for each in vector.variables].index(id(variable))
    return {slot: vector.split(values)[place].copy() for slot, values in optimizer.state.items()}


def test_state_follows_its_variable_to_another_layout() -> None:
    a, b, c = variables((3, 2), (5,), (4,))
    optimizer = optimizers.Adam()
    before = filled(optimizer, [a, b])
    kept = of(optimizer, before, b)
    after = ParameterVector([c, b], np.dtype("float32"))
    adopt_state(optimizer, after)
    for slot, values in of(optimizer, after, b).items():
        np.testing.assert_array_equal(values, kept[slot])
    assert all(not values.any() for values in of(optimizer, after, c).values())


def test_new_variables_begin_with_the_slot_s_initial_value() -> None:
    a, b = variables((3,), (2,))
    optimizer = optimizers.Adagrad(initial_accumulator_value=0.25)
    filled(optimizer, [a])
    both = ParameterVector([a, b], np.dtype("float32"))
    adopt_state(optimizer, both)
    assert (of(optimizer, both, b)["accumulator"] == 0.25).all()


def test_state_is_refused_to_strangers() -> None:
    optimizer = optimizers.Adam()
    mine = variables((3,), (2,))
    filled(optimizer, mine)
    with pytest.raises(ValueError, match="The optimizer 'adam' has trained another model"):
        adopt_state(optimizer, ParameterVector(variables((3,), (2,)), np.dtype("float32")))
    del mine
    gc.collect()
    with pytest.raises(ValueError, match="has trained another model"):
        adopt_state(optimizer, ParameterVector(variables((3,), (2,)), np.dtype("float32")))
    plain = optimizers.SGD()
    filled(plain, variables((3,)))
    adopt_state(plain, ParameterVector(variables((9,)), np.dtype("float32")))


def test_a_copied_state_goes_where_it_fits() -> None:
    optimizer = optimizers.Adam()
    filled(optimizer, variables((3,), (2,)))
    twin = copy.deepcopy(optimizer)
    adopt_state(twin, ParameterVector(variables((3,), (2,)), np.dtype("float32")))
    assert all(vector.ctypes.data % ALIGNMENT == 0 for vector in twin.state.values())
    another = copy.deepcopy(optimizer)
    for wrong, dtype in ((variables((300,)), "float32"), (variables((3,), (2,), dtype="float64"), "float64")):
        with pytest.raises(ValueError, match=r"state 'momentum' belongs to another model or to other trainable layers"):
            adopt_state(another, ParameterVector(wrong, np.dtype(dtype)))


def test_the_native_optimizer_is_made_when_something_changes() -> None:
    a, b = variables((3,), (2,))
    vector, optimizer = ParameterVector([a, b], np.dtype("float32")), optimizers.Adam()
    native = native_optimizer(vector, optimizer)
    assert native_optimizer(vector, optimizer) is native
    changes = [
        lambda: setattr(optimizer, "beta_1", 0.8),
        lambda: setattr(optimizer, "clipnorm", 1.0),
        lambda: setattr(a, "learning_rate_multiplier", 0.5),
        lambda: setattr(optimizer, "weight_decay", 0.1),
        lambda: optimizer.exclude_from_weight_decay(var_names=["w"]),
        lambda: optimizer.restore_training_state(optimizer.training_state()),
    ]
    for change in changes:
        change()
        changed = native_optimizer(vector, optimizer)
        assert changed is not native
        native = changed
        assert native_optimizer(vector, optimizer) is native
    assert native_optimizer(vector, None) is native_optimizer(vector, None)
    assert native_optimizer(vector, None) is not native_optimizer(vector, None, penalties=False)


def test_nadam_s_product_follows_the_count_of_updates() -> None:
    vector, optimizer = (
        ParameterVector(variables((3,), dtype="float64"), np.dtype("float64")),
        optimizers.Nadam(beta_1=0.9),
    )
    for iterations in (0, 1, 5, 100, 3):
        optimizer.iterations = iterations
        expected = np.prod([0.9 * (1 - 0.5 * 0.96**t) for t in range(1, iterations + 1)])
        assert native_optimizer(vector, optimizer).nadam_product == pytest.approx(expected, rel=1e-14)


def test_equal_neighbours_are_one_group() -> None:
    held = variables((3,), (2,), (4,), (5,))
    held[2].learning_rate_multiplier = 0.5
    vector = ParameterVector(held, np.dtype("float32"))
    assert vector.groups(optimizers.SGD()) == [
        (0, 18, 1.0, 1.0, 0), (32, 4, 0.5, 1.0, 0), (48, 5, 1.0, 1.0, 0)
    ]  # fmt: skip
    optimizer = optimizers.SGD(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["v1/"])
    assert [group[-1] for group in vector.groups(optimizer)] == [0.1, 0, 0.1, 0.1]


def test_aligned_zeros_of_nothing() -> None:
    assert aligned_zeros(0, np.dtype("float32")).shape == (0,)


def test_variables_start_on_a_boundary_wherever_they_come_from() -> None:
    for size in range(1, 40):
        variable = Variable(np.zeros(size + 1, "float32")[1:], name="bias", path="dense/bias")
        for each in (variable, copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
            assert each.array.ctypes.data % ALIGNMENT == 0
