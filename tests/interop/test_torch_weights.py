from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Sequential, layers
from cnn_core.interop import load_torch_state_dict


def model() -> Sequential:
    chain = [layers.Dense(2, name="first"), layers.BatchNormalization(), layers.Dense(1, use_bias=False, name="last")]
    return Sequential([Input((3,)), *chain])


def state() -> dict[str, Any]:
    """As PyTorch writes it for Sequential(Linear(3, 2), BatchNorm1d(2), Linear(2, 1, bias=False))."""
    return {
        "0.weight": np.arange(6.0).reshape(2, 3),
        "0.bias": np.array([1.0, -1.0]),
        "1.weight": np.array([2.0, 3.0]),
        "1.bias": np.array([0.5, 0.0]),
        "1.running_mean": np.array([1.0, 2.0]),
        "1.running_var": np.array([4.0, 9.0]),
        "1.num_batches_tracked": np.array(7),
        "2.weight": np.array([[1.0, 10.0]]),
    }


def test_tensors_are_laid_out_again():
    ours = model()
    load_torch_state_dict(ours, state())
    dense, norm, last = ours.layers
    assert dense.kernel.numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert [v.numpy().tolist() for v in norm.variables] == [[2, 3], [0.5, 0], [1, 2], [4, 9]]
    assert last.kernel.numpy().tolist() == [[1], [10]]


def test_names_of_layers_decide_where_all_are_there():
    tensors = state()
    named = {
        "last.weight": tensors["2.weight"],
        **{f"batch_normalization.{k[2:]}": v for k, v in tensors.items() if k[0] == "1"},
        **{f"first.{k[2:]}": v for k, v in tensors.items() if k[0] == "0"},
    }
    chain = [
        layers.Dense(2, name="first"),
        layers.BatchNormalization(name="batch_normalization"),
        layers.Dense(1, use_bias=False, name="last"),
    ]
    ours = Sequential([Input((3,)), *chain])
    load_torch_state_dict(ours, named)
    assert ours.layers[2].kernel.numpy().tolist() == [[1], [10]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": np.zeros((3, 2))}, r"'0.weight' must have the shape \(2, 3\). Received: shape=\(3, 2\)"),
        ({"3.weight": np.zeros(2)}, "weights of 3 modules: .*Received: 4: 0, 1, 2, 3"),
        ({"2.bias": np.zeros(1)}, r"must hold weight for layer 'last' \(Dense\). Received: weight, bias of '2'"),
        ({"2.weight": np.array([[1.0, np.nan]])}, "must hold finite numbers|finite"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(change: dict[str, Any], message: str):
    ours = model()
    before = ours.get_weights()
    with pytest.raises(ValueError, match=message):
        load_torch_state_dict(ours, state() | change)
    for one, other in zip(before, ours.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_layers_that_pytorch_lacks_are_named():
    ours = Sequential([Input((3,)), layers.PeriodicEmbedding(name="waves")])
    with pytest.raises(ValueError, match=r"layer 'waves' \(PeriodicEmbedding\) has weights that no module"):
        load_torch_state_dict(ours, {})
    with pytest.raises(TypeError, match="`state_dict` must map names to tensors"):
        load_torch_state_dict(ours, [])
