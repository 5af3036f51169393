"""The table of a model, as Keras 3.15 prints it; the tables below were printed by Keras itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.models import Model, Sequential
from cnn_core.models.summary import column_widths

CHAIN = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ a_layer_with_a_very_long_name_… │ (None, 64)             │           640 │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ batch_normalization             │ (None, 64)             │           256 │
│ (BatchNormalization)            │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 10)             │           650 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 4,384 (17.12 KB)
 Trainable params: 1,418 (5.54 KB)
 Non-trainable params: 128 (512.00 B)
 Optimizer params: 2,838 (11.09 KB)"""

NETWORK = """\
Model: "functional_2"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ x (InputLayer)      │ (None, 4)         │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ shared (Dense)      │ (None, 4)         │         20 │ x[0][0], x[0][0], │
│                     │                   │            │ shared[0][0]      │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ add (Add)           │ (None, 4)         │          0 │ shared[0][0],     │
│                     │                   │            │ shared[1][0]      │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ inner (Sequential)  │ (None, 3)         │         15 │ add[0][0]         │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│    └ dense_1        │ (None, 3)         │         15 │ -                 │
│ (Dense)             │                   │            │                   │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 35 (140.00 B)
 Trainable params: 35 (140.00 B)
 Non-trainable params: 0 (0.00 B)"""

UNBUILT = """\
Model: "sequential_1"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense_2 (Dense)                 │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dropout (Dropout)               │ ?                      │             0 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)"""


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(model: Any, **arguments: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append, **arguments)
    return "\n".join(lines)


def chain() -> Any:
    return Sequential(
        [
            cnn_core.Input((9,)),
            layers.Dense(64, name="a_layer_with_a_very_long_name_that_wraps"),
            layers.BatchNormalization(name="batch_normalization"),
            layers.Dense(10, name="dense"),
        ],
        name="sequential",
    )


def network() -> Any:
    x = cnn_core.Input((4,), name="x")
    shared = layers.Dense(4, name="shared")
    inner = Sequential([cnn_core.Input((4,)), layers.Dense(3, name="dense_1")], name="inner")
    added = layers.Add(name="add")([shared(x), shared(shared(x))])
    return Model(x, [inner(added), added], name="functional_2")


def test_a_chain_as_keras_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    model = chain()
    assert "Optimizer" not in printed(model)
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 9)), np.zeros((4, 10)), verbose=0)
    model.summary()
    assert capsys.readouterr().out == f"{CHAIN}\n"


def test_a_network_as_keras_prints_it() -> None:
    """Keras's own table has other numbers in brackets: it counts the calls that earlier expressions made, too."""
    x = cnn_core.Input((4,), name="x")
    shared = layers.Dense(4, name="shared")
    once = shared(x)
    inner = Sequential([cnn_core.Input((4,)), layers.Dense(3, name="dense_1")], name="inner")
    added = layers.Add(name="add")([once, shared(once)])
    model = Model(x, [inner(added), added], name="functional_2")
    text = printed(model, expand_nested=True)
    assert text.splitlines()[:4] == NETWORK.splitlines()[:4]
    assert text.splitlines()[-6:] == NETWORK.splitlines()[-6:]
    assert "│ shared (Dense)      │ (None, 4)         │         20 │ x[0][0],          │" in text
    assert "│                     │                   │            │ shared[0][0]      │" in text
    twice = printed(network(), expand_nested=True)
    assert "│ shared (Dense)      │ (None, 4)         │         20 │ x[0][0], x[0][0], │" in twice
    assert "└ dense_1" not in printed(network())


def test_a_model_that_is_not_built() -> None:
    parts = [layers.Dense(2, name="dense_2"), layers.Dropout(0.5, name="dropout")]
    assert printed(Sequential(parts, name="sequential_1")) == UNBUILT


def test_a_functional_chain_needs_no_connections() -> None:
    x = cnn_core.Input((4,), name="x")
    text = printed(Model(x, layers.Dense(2, name="d")(x)))
    assert "Connected to" not in text
    assert "│ x (InputLayer)                  │ (None, 4)              │             0 │" in text


def test_what_is_trainable() -> None:
    model = chain()
    model.layers[0].trainable = False
    model.add(layers.Activation("relu", name="act"))
    lines = printed(model, show_trainable=True, line_length=100).splitlines()
    assert all(len(line) == 100 for line in lines[1:-3])
    cells = {line.split("│")[1].split()[0]: line.split("│")[-2].strip() for line in lines if "(None" in line}
    assert list(cells.values()) == ["N", "Y", "Y", "-"]


def test_a_range_of_layers_and_columns_of_ones_own() -> None:
    model = chain()
    text = printed(model, layer_range=["batch_normalization", "dense"])
    assert "very_long_name" not in text
    assert "batch_normalization" in text
    assert printed(model, layer_range=["dense", "batch_normalization"]) == text
    wide = printed(model, line_length=120, positions=[0.5, 0.8, 1.0])
    assert "a_layer_with_a_very_long_name_that_wraps (Dense)" in wide
    assert len(wide.splitlines()[1]) == 120


def test_what_cannot_be_shown_is_said() -> None:
    model = chain()
    with pytest.raises(ValueError, match=r"`layer_range` must be .* Received: layer_range='dens'"):
        printed(model, layer_range=["dens", "dense"])
    with pytest.raises(ValueError, match="`layer_range` must be two names of layers"):
        printed(model, layer_range="dense")
    with pytest.raises(ValueError, match="`positions` must have one entry for each of 3 columns"):
        printed(model, positions=[0.5, 1.0])
    with pytest.raises(ValueError, match="The line must be longer"):
        printed(model, line_length=10)


def test_widths_add_up() -> None:
    for length in range(48, 130):
        for edges in ([0.45, 0.8, 1.0], [0.3, 0.56, 0.74, 1.0], [0.27, 0.504, 0.666, 0.9, 1.0]):
            widths = column_widths(edges, length)
            assert sum(widths) + len(widths) + 1 == length


def test_sizes_in_every_unit() -> None:
    model = Sequential([cnn_core.Input((1000,)), layers.Dense(2000, name="d", kernel_initializer="zeros")])
    assert " Total params: 2,002,000 (7.64 MB)" in printed(model)
    double = Sequential([cnn_core.Input((4,)), layers.Dense(2, dtype="float64")])
    assert " Total params: 10 (80.00 B)" in printed(double)
