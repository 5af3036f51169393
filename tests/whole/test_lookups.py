"""What each `get` makes of names, classes, objects, configurations, functions, and of what is none of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core as keras
import cnn_core.foundation.suggestions as suggestions

MODULES = {
    "activations": ("relu", keras.activations.ELU, {"alpha": 0.5}),
    "constraints": ("max_norm", keras.constraints.MaxNorm, {"max_value": 3.0}),
    "initializers": ("zeros", keras.initializers.HeNormal, {"seed": 3}),
    "losses": ("MeanSquaredError", keras.losses.Huber, {"delta": 2.0}),
    "metrics": ("mae", keras.metrics.Precision, {"top_k": 2}),
    "optimizers": ("adam", keras.optimizers.SGD, {"learning_rate": 0.5}),
    "regularizers": ("l2", keras.regularizers.L1, {"l1": 0.5}),
}
ARGUMENTS = {module: module[:-1] if module != "losses" else "loss" for module in MODULES}
OBJECTS = {
    "activation": keras.activations.ELU(),
    "constraint": keras.constraints.NonNeg(),
    "initializer": keras.initializers.Ones(),
    "layer": keras.layers.Dense(1),
    "learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5),
    "loss": keras.losses.Huber(),
    "metric": keras.metrics.AUC(),
    "optimizer": keras.optimizers.Adam(),
    "regularizer": keras.regularizers.L2(),
}
# What else stands for an object of the kind: the layer for the activation that it applies, a loss for its average.
ALSO = {("activation", "layer"), ("metric", "loss")}


@pytest.fixture(params=MODULES)
def module(request: Any) -> Any:
    return getattr(keras, request.param)


def case_of(module: Any) -> tuple[str, Any, dict[str, Any]]:
    return MODULES[module.__name__.rpartition(".")[2]]


def argument_of(module: Any) -> str:
    return ARGUMENTS[module.__name__.rpartition(".")[2]]


def as_data(value: Any) -> Any:
    return value.get_config() if hasattr(value, "get_config") else value


def test_names_and_numpys_strings_give_objects(module: Any) -> None:
    name, *_ = case_of(module)
    assert type(module.get(name)) is type(module.get(np.str_(name)))
    assert as_data(module.get(name)) == as_data(module.get(np.str_(name)))


def test_classes_give_objects_with_the_defaults(module: Any) -> None:
    _, cls, _ = case_of(module)
    found = module.get(cls)
    assert type(found) is cls
    assert as_data(found) == as_data(cls())


def test_objects_stay_what_they_are(module: Any) -> None:
    _, cls, settings = case_of(module)
    own = cls(**settings)
    assert module.get(own) is own


def test_configurations_are_read_as_they_were_written(module: Any) -> None:
    _, cls, settings = case_of(module)
    own = cls(**settings)
    for data in (module.serialize(own), {"class_name": cls.__name__, "config": settings}):
        found = module.get(data)
        assert type(found) is cls
        assert as_data(found) == as_data(own)


def test_none_is_none_but_for_activations_and_optimizers(module: Any) -> None:
    if module is keras.optimizers:
        with pytest.raises(TypeError, match=r"^`optimizer` must be .+\. Received: optimizer=None$"):
            module.get(None)
    else:
        assert module.get(None) is (keras.activations.linear if module is keras.activations else None)


def test_functions_are_taken_where_one_can_compute(module: Any) -> None:
    def own(*arguments: Any, **settings: Any) -> Any:
        return np.full(arguments[0], 2.0)

    if module in (keras.losses, keras.metrics, keras.constraints, keras.regularizers):
        assert module.get(own) is own
    elif module is keras.activations:
        assert module.get(own).function is own
    elif module is keras.initializers:
        assert module.get(own)((3,)).tolist() == [2.0, 2.0, 2.0]
    else:
        with pytest.raises(TypeError, match=rf"^`{argument_of(module)}` must be .+\. Received: {argument_of(module)}="):
            module.get(own)


def test_unknown_names_are_answered_with_the_known_ones(module: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"^`{argument_of(module)}` must be one of '.+'\. Received: 'zzzz'$"
    ) as caught:
        module.get("zzzz")
    listed = str(caught.value).partition(". Received")[0].split("'")[1::2]
    assert listed == suggestions.alphabetical(listed)
    name, *_ = case_of(module)
    with pytest.raises(ValueError, match=rf"Received: '{name}x'\. Did you mean '\w+'\?$"):
        module.get(name + "x")


@pytest.mark.parametrize("value", [3, 2.5, True, b"mse", ["mse"], ("a", "b"), object(), {1, 2}, np.datetime64("2020")])
def test_wrong_types_are_refused(module: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^`{argument_of(module)}` must be .+\. Received: {argument_of(module)}="):
        module.get(value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "must have the key 'class_name'"),
        ({"config": {}}, "must have the key 'class_name'"),
        ({"class_name": "Nothing"}, "must be one of"),
        ({"class_name": "Dense", "config": {"units": 1}}, "must be one of"),
    ],
)
def test_wrong_configurations_are_refused(module: Any, config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"`{argument_of(module)}` {message}"):
        module.get(config)


def test_configurations_that_do_not_fit_name_the_argument(module: Any) -> None:
    _, cls, settings = case_of(module)
    meant = next(iter(settings))
    with pytest.raises(ValueError, match=rf"{cls.__name__}' does not fit it: .* Did you mean `{meant}`\?"):
        module.get({"class_name": cls.__name__, "config": {meant + "s": 1}})
    with pytest.raises(ValueError, match=f"'config' in the configuration of `{argument_of(module)}` must be a dict"):
        module.get({"class_name": cls.__name__, "config": "fast"})
    with pytest.raises(TypeError, match=f"The name of `{argument_of(module)}` must be a string. Received: 3"):
        module.get({"class_name": 3})


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_of_another_kind_are_refused_although_they_can_be_called(module: Any, kind: str) -> None:
    argument = argument_of(module)
    if kind == argument or (argument, kind) in ALSO:
        return
    for given in (OBJECTS[kind], type(OBJECTS[kind])):
        with pytest.raises(TypeError, match=rf"^`{argument}` must be no {kind}\. Received: {argument}="):
            module.get(given)


def test_a_class_made_from_one_of_another_kind_is_refused() -> None:
    class Own(keras.regularizers.L2):
        pass

    with pytest.raises(TypeError, match=r"^`constraint` must be no regularizer\. Received: constraint=Own"):
        keras.layers.Dense(1, kernel_constraint=Own())  # type: ignore[arg-type]
