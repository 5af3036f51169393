"""What is done around `update_step`, by hand: averages, clipping, gathering; and state beside a variable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Variable, optimizers


class Plain(optimizers.Optimizer):
    """w - lr g."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign_sub(variable, learning_rate * gradient)


def stepped(gradients: list[list[float]], **settings: Any) -> list[float]:
    weight = Variable([1.0, -1.0], dtype="float64")
    optimizer = Plain(0.5, **settings)
    for gradient in gradients:
        optimizer.apply([gradient], [weight])
    return weight.numpy().tolist()


def test_tails_by_hand() -> None:
    assert stepped([[2.0, 4.0]]) == [0, -3]
    assert stepped([[3.0, 4.0]], clipnorm=1.0) == pytest.approx([1 - 0.3, -1 - 0.4])
    assert stepped([[3.0, 4.0]], clipvalue=2.0) == [0, -2]
    assert stepped([[2.0, 2.0]], weight_decay=0.2) == pytest.approx([0.9 - 1, -0.9 - 1])
    assert stepped([[1.0, 1.0], [3.0, 5.0]], gradient_accumulation_steps=2) == [0, -2.5]
    assert stepped([[4.0, 4.0]], loss_scale_factor=2.0) == [0, -2]


def test_averages_by_hand() -> None:
    settings = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}
    assert stepped([[2.0, 0.0]], **settings) == [0, -1]
    assert stepped([[2.0, 0.0], [2.0, 0.0]], **settings) == [-0.5, -1]


def test_state_beside_a_variable_follows_the_vector() -> None:
    first, second = Variable(np.zeros(3)), Variable(np.zeros((2, 2)))
    optimizer = Plain(0.1)
    optimizer.build([first, second])
    view = optimizer.add_variable_from_reference(second, "memory")
    view.assign(np.ones((2, 2)))
    optimizer.state["memory"] = 2 * optimizer.state["memory"]
    np.testing.assert_array_equal(view.numpy(), np.full((2, 2), 2.0))
    assert view.name == f"{second.name}_memory"
    assert optimizer._get_variable_index(second) == 1
