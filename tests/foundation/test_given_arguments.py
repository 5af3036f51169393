"""Custom layers and models that keep their constructor's arguments nowhere are made again all the same."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, layers
from cnn_core.foundation.given_arguments import accepts, names_taken

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


class Stack(layers.Layer):
    """Keeps layers under the name of the argument that they are made of, and nothing of the others."""

    def __init__(self, widths: list[int], activation: str = "relu", *, scale: float = 1.0, **common: Any) -> None:
        super().__init__(**common)
        self.widths = [layers.Dense(width, activation) for width in widths]
        self.times = scale

    def call(self, x: Any) -> Any:
        for layer in self.widths:
            x = layer(x)
        return x * self.times


class Net(Model):
    def __init__(self, units: int, rate: float = 0.0) -> None:
        super().__init__()
        self.units = layers.Dense(units)
        self.dropout = layers.Dropout(rate)

    def call(self, x: Any) -> Any:
        return self.dropout(self.units(x))


def test_what_was_given_is_the_configuration() -> None:
    assert Stack([3, 2], scale=2.0, name="stack").get_config() == {
        "name": "stack",
        "dtype": "float32",
        "trainable": True,
        "activation": "relu",
        "widths": [3, 2],
        "scale": 2.0,
    }
    config = Stack([3], "tanh").get_config()
    assert (config["widths"], config["activation"]) == ([3], "tanh")
    assert Net(2, rate=0.25).get_config() == {"units": 2, "rate": 0.25}


def test_an_attribute_is_newer_than_what_was_remembered() -> None:
    class Scale(layers.Layer):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def call(self, x: Any) -> Any:
            return x * self.by

    layer = Scale(2.0)
    layer.by = 3.0
    assert layer.get_config()["by"] == 3.0


@pytest.mark.parametrize("make", [lambda: Net(2), lambda: Sequential([Input((4,)), Stack([3, 2], "tanh", scale=3.0)])])
def test_such_models_come_back(make: Any, tmp_path: Path) -> None:
    model = make()
    expected = model.predict(X)
    model.save(tmp_path / "model.safetensors")
    found = {"Stack": Stack, "Net": Net}
    assert np.array_equal(cnn_core.load_model(tmp_path / "model.safetensors", found).predict(X), expected)
    clone = cnn_core.clone_model(model)
    clone.set_weights(model.get_weights())
    assert np.array_equal(clone.predict(X), expected)
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(twin.predict(X), expected)
        assert cnn_core.clone_model(twin).count_params() == model.count_params()


class Fixed(layers.Layer):
    """Is given what is no plain data, and keeps it under another name."""

    def __init__(self, table: Any, function: Any = None, **common: Any) -> None:
        super().__init__(**common)
        self.table_ = table

    def call(self, x: Any) -> Any:
        return x


def test_what_is_neither_plain_nor_kept_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Fixed does not keep `table`\. Set self\.table in `__init__`, or define"):
        Fixed(np.ones(3)).get_config()
    with pytest.raises(ValueError, match="Fixed does not keep `function`"):
        Fixed([1.0], abs).get_config()
    assert Fixed([1.0]).get_config()["table"] == [1.0]


def test_a_get_config_of_the_class_adds_its_own_to_what_all_layers_have() -> None:
    class Told(Fixed):
        def get_config(self) -> dict[str, Any]:
            return dict(table=self.table_.tolist(), **super().get_config())

    assert Told(np.ones(2), name="told").get_config() == {
        "table": [1.0, 1.0],
        "name": "told",
        "dtype": "float32",
        "trainable": True,
    }

    class Half(layers.Dense):
        def __init__(self, width: int, **common: Any) -> None:
            super().__init__(width // 2, **common)

        def get_config(self) -> dict[str, Any]:
            return dict(width=2 * self.units, **super().get_config())

    twin = Half.from_config(Half(6, activation="tanh").get_config())
    assert (twin.units, str(twin.activation)) == (3, "tanh")


class Narrow(layers.Dense):
    """Hands on what it does not know."""

    def __init__(self, width: int, *others: Any, **keywords: Any) -> None:
        super().__init__(width, *others, **keywords)


def test_what_is_handed_on_by_name_is_kept() -> None:
    layer = Narrow(2, activation="tanh", kernel_regularizer=cnn_core.regularizers.L2(0.1), name="narrow")
    twin = Narrow.from_config(layer.get_config())
    assert (twin.units, twin.name, str(twin.activation), twin.kernel_regularizer.l2) == (2, "narrow", "tanh", 0.1)
    with pytest.raises(ValueError, match=r"Narrow does not keep `\*others`. Arguments without a name"):
        Narrow(2, "tanh").get_config()


class Loud(layers.Dense):
    """Hands on everything."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)


class Worded(layers.Dense):
    """Keeps what it is given by place for itself."""

    def __init__(self, *words: Any, **keywords: Any) -> None:
        super().__init__(**keywords)


def test_a_constructor_that_hands_on_everything_has_the_names_of_ours() -> None:
    layer = Loud(2, "tanh", kernel_regularizer="l2")
    twin = Loud.from_config(layer.get_config())
    assert (twin.units, str(twin.activation), twin.kernel_regularizer.l2) == (2, "tanh", 0.01)
    with pytest.raises(ValueError, match=r"Worded does not keep `\*words`"):
        Worded("a", "b", units=3).get_config()


class Bare(layers.Layer):
    """Takes none of the arguments that all layers have."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.inner = layers.Dense(units)

    def call(self, x: Any) -> Any:
        return self.inner(x)


def test_names_come_back_to_layers_that_take_none(tmp_path: Path) -> None:
    layer = Bare(2)
    layer.trainable = False
    model = Sequential([Input((4,)), layer])
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors", {"Bare": Bare})
    for twin in (loaded, cnn_core.clone_model(model)):
        assert (twin.layers[0].name, twin.layers[0].trainable) == (layer.name, False)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="`dtype` must be 'float32', for Bare takes no other"):
        Bare.from_config({**layer.get_config(), "dtype": "float64"})


def test_a_model_that_is_not_plain_data_still_asks_for_attributes() -> None:
    class Wrapped(Net):
        def __init__(self, layer: Any) -> None:
            super().__init__(2)
            self.inner = layer

    with pytest.raises(ValueError, match="Wrapped does not keep `layer`"):
        Wrapped(layers.Dense(2)).get_config()


class Downhill(cnn_core.optimizers.Optimizer):
    def __init__(self, slope: float) -> None:
        super().__init__(0.1)
        self.slope_ = slope

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        variable.assign(variable - learning_rate * self.slope_ * gradient)


class Above(cnn_core.metrics.Metric):
    def __init__(self, limit: float, name: str = "above") -> None:
        super().__init__(name=name)
        self.limit_ = limit
        self.total = self.add_variable(name="total")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total.assign_add(float((np.asarray(y_pred) > self.limit_).sum()))

    def result(self) -> Any:
        return self.total


def test_custom_optimizers_and_metrics_come_back(tmp_path: Path) -> None:
    assert Downhill(2.0).get_config() == {"slope": 2.0}
    assert Above(0.5).get_config() == {"name": "above", "limit": 0.5}
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile(Downhill(3.0), "mse", metrics=[Above(0.25)])
    model.fit(X, X[:, :1], verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = cnn_core.load_model(tmp_path / "model.safetensors", {"Downhill": Downhill, "Above": Above})
    for twin in (loaded, cnn_core.clone_model(model)):
        twin.evaluate(X, X[:, :1], verbose=0)
        assert (twin.optimizer.slope_, twin.metrics[-1].limit_) == (3.0, 0.25)


def test_what_is_excluded_from_decay_stays_in_a_custom_optimizer() -> None:
    class Own(cnn_core.optimizers.SGD):
        def __init__(self, rate: float) -> None:
            super().__init__(rate, weight_decay=0.1)

    optimizer = Own(0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    twin = Own.from_config(optimizer.get_config())
    assert twin.get_config() == optimizer.get_config()
    assert twin.get_config()["excluded_from_weight_decay"]["patterns"] == ["bias"]


def test_arguments_that_are_taken_by_place_alone_have_no_name_to_be_given_by() -> None:
    class Scaled:
        def __init__(
            self, rate: float, /, factor: float = 2.0, *more: float, name: str = "", **common: Any
        ) -> None: ...

    class Fixed:
        def __init__(self, rate: float, /, factor: float = 2.0) -> None: ...

    assert names_taken(Scaled) == ["factor", "name"]
    assert [accepts(Fixed, name) for name in ("rate", "factor", "other")] == [False, True, False]
