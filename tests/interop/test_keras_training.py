from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Sequential, layers, losses, metrics, optimizers
from cnn_core.interop.keras_training import modern, restore
from cnn_core.optimizers.applying import state_order
from cnn_core.training.compile_arguments import compile_as_in_keras


def compiled(optimizer: Any) -> Any:
    model = Sequential([Input((2,)), layers.Dense(3)])
    model.compile(optimizer, "mse")
    return model


def wrapped(name: str, function: str, **more: Any) -> dict[str, Any]:
    return {"class_name": name, "config": {"name": "own", "fn": function, **more}}


def test_arguments_of_keras_2_become_those_of_keras_3():
    arguments = {
        "loss": wrapped("LossFunctionWrapper", "mean_squared_error", reduction="auto"),
        "metrics": [[wrapped("MeanMetricWrapper", "mean_absolute_error", dtype="float32")]],
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5, "decay": 0.1, "momentum": 0.9}},
    }
    model = compiled("sgd")
    compile_as_in_keras(model, modern(arguments))
    assert isinstance(model.loss, losses.MeanSquaredError)
    assert isinstance(model.metrics[0], metrics.MeanAbsoluteError)
    assert model.metrics[0].name == "own"
    assert isinstance(model.optimizer.schedule, optimizers.schedules.InverseTimeDecay)
    assert model.optimizer.schedule(10) == pytest.approx(0.5 / (1 + 0.1 * 10))


def test_several_outputs_keep_their_lists():
    assert modern({"metrics": [["mae"], ["mse"]], "optimizer": "sgd"})["metrics"] == [["mae"], ["mse"]]
    assert modern({"metrics": {"a": ["mae"]}, "optimizer": "sgd"})["metrics"] == {"a": ["mae"]}


@pytest.mark.parametrize(
    ("optimizer", "slot_by_slot", "slots"),
    [
        (optimizers.Adam(), False, "momentum velocity momentum velocity"),
        (optimizers.Adam(), True, "momentum momentum velocity velocity"),
        (optimizers.Adam(amsgrad=True), False, "momentum velocity momentum velocity velocity_hat velocity_hat"),
        (optimizers.Adam(use_ema=True), False, "average average momentum velocity momentum velocity"),
        (optimizers.SGD(momentum=0.9), False, "momentum momentum"),
        (optimizers.SGD(), False, ""),
        (optimizers.Ftrl(), False, "accumulator linear accumulator linear"),
        (optimizers.Adafactor(), False, "rows columns velocity unused unused columns"),
        (optimizers.Muon(), False, "momentum momentum velocity"),
        (optimizers.Muon(exclude_layers=["dense"]), False, "momentum velocity momentum velocity"),
    ],
)
def test_the_order_of_an_optimizers_state(optimizer: Any, slot_by_slot: bool, slots: str):
    model = compiled(optimizer)
    order = state_order(optimizer, model.trainable_variables, slot_by_slot=slot_by_slot)
    assert [name for name, _ in order] == slots.split()
    kernel, bias = model.trainable_variables
    assert {id(variable) for _, variable in order} <= {id(kernel), id(bias)}


def test_the_state_is_taken_or_left_with_a_warning():
    model = compiled(optimizers.SGD(momentum=0.9))
    order = state_order(model.optimizer, model.trainable_variables)
    kernel, bias = np.full((2, 3), 2.0), np.full(3, 3.0)
    restore(model, order, [np.int64(7), np.float32(0.01), kernel, bias])
    assert model.optimizer.iterations == 7
    assert sorted(set(model.optimizer.state["momentum"].tolist())) in ([2.0, 3.0], [0.0, 2.0, 3.0])
    for arrays in ([np.int64(9), bias, kernel], [np.int64(9)], [kernel, bias], [np.float32(1), kernel, bias]):
        with pytest.warns(
            UserWarning, match="the optimizer begins again from nothing: its state in the file is not that of what"
        ):
            restore(model, order, [np.asarray(each) for each in arrays])
    assert model.optimizer.iterations == 7
    restore(model, order, [])
    restore(model, order, [np.asarray(np.int64(0))])
    with pytest.raises(ValueError, match="momentum of"):
        restore(model, order, [np.asarray(np.int64(1)), kernel * np.nan, bias])


def test_an_optimizer_that_scales_the_loss_is_the_one_inside():
    inner = {"class_name": "SGD", "config": {"learning_rate": 0.5, "momentum": 0.9}}
    wrapped = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner, "initial_scale": 8.0}}
    assert modern({"optimizer": wrapped, "loss": "mse"})["optimizer"] == inner
    model = compiled(optimizers.SGD(momentum=0.9))
    order = state_order(model.optimizer, model.trainable_variables)
    of_scale = [np.array(0), np.array(0.0), np.array(5), np.array(32768.0)]
    restore(model, order, [*of_scale, np.array(7), np.array(0.5), np.full((2, 3), 2.0), np.full(3, 3.0)])
    assert model.optimizer.iterations == 7
    assert model.optimizer.state["momentum"].max() == 3.0
