"""A keyword argument that nothing has is refused by name, with those there are and the nearest."""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cnn_core
import cnn_core.foundation.keywords as keywords
import cnn_core.foundation.suggestions as suggestions
from constructors import NEEDED, constructors

MODULES = (
    *("", "activations", "config", "constraints", "initializers", "inspection", "interop", "layers", "losses"),
    *("metrics", "models", "optimizers", "optimizers.schedules", "regularizers", "saving", "utils"),
)
# Of one argument that nobody gives by name; what hands others on to json.dumps; and what takes values by any name.
PLAIN = ("get", "serialize", "to_json", "expression")
METHODS = (
    *("compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "summary", "save", "save_weights"),
    *("load_weights", "export", "get_layer", "add", "pop", "trace", "gradients"),
)


def misspelt(name: str) -> str:
    """Leave out a letter in the middle."""
    middle = len(name) // 2
    return name[:middle] + name[middle + 1 :]


def functions() -> Iterator[Any]:
    found = {}
    for path in MODULES:
        module = importlib.import_module(".".join(("cnn_core", path)).rstrip("."))
        public = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in public:
            function = getattr(module, name)
            ours = inspect.isfunction(function) and function.__module__.startswith("cnn_core.")
            if ours and inspect.signature(function).parameters and name not in PLAIN:
                defined_here = hasattr(module, "__all__") or function.__module__ == module.__name__
                if defined_here:
                    found[function] = f"{path}.{name}"
    for function, name in found.items():
        yield pytest.param(function, id=name)


def hands_on(function: Any) -> bool:
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def longest(names: Iterator[str] | list[str]) -> str:
    return max(names, key=len)


def names_of(target: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(target).parameters.values()
    return [each.name for each in parameters if each.kind in kinds and each.name != "self"]


@pytest.mark.parametrize("cls", list(constructors()))
def test_constructors_name_the_argument_that_was_meant(cls: Any) -> None:
    needed = NEEDED.get(cls.__name__, {})
    names = names_of(cls)
    if not names:
        with pytest.raises(TypeError, match=f"^{cls.__name__} has no arguments by name. Received: rate=3$"):
            cls(rate=3)
        return
    if cls.__name__ == "MeanMetricWrapper":  # hands others on to its function
        return
    meant = longest(names)
    wrong = misspelt(meant) if len(meant) > 3 else meant + "_"
    arguments = {**{name: needed[name] for name in needed if name != meant}, wrong: 3}
    with pytest.raises(TypeError) as caught:
        cls(**arguments)
    told = str(caught.value)
    assert told.startswith(f"{cls.__name__} has the argument")
    assert told.endswith(f"Received: {wrong}=3. Did you mean `{meant}`?")
    listed = told.partition(". Received")[0].split("`")[1::2]
    assert listed == suggestions.alphabetical(listed)
    assert set(names) <= set(listed)


@pytest.mark.parametrize("function", list(functions()))
def test_functions_name_the_argument_that_was_meant(function: Any) -> None:
    if hands_on(function):  # what a layer's constructor takes, or `fit`
        required = [each for each in inspect.signature(function).parameters.values() if each.default is each.empty]
        given = [[] for each in required if each.kind is each.POSITIONAL_OR_KEYWORD]
        with pytest.raises(TypeError, match=r"^\w+ has the arguments .* Received: nme='a'(\. Did you mean `name`\?)?$"):
            function(*given, nme="a")
        return
    meant = longest(names_of(function))
    wrong = misspelt(meant) if len(meant) > 3 else meant + "_"
    with pytest.raises(TypeError, match=rf"^\w+ has the arguments? .* Received: {wrong}=3\. Did you mean `{meant}`\?$"):
        function(**{wrong: 3})


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_models_name_the_argument_that_was_meant(method: str) -> None:
    bound = getattr(cnn_core.Sequential(), method)
    meant = longest(names_of(bound))
    wrong = misspelt(meant) if len(meant) > 3 else meant + "_"
    with pytest.raises(
        TypeError, match=rf"^{method} has the arguments? .* Received: {wrong}=3\. Did you mean `{meant}`\?$"
    ):
        bound(**{wrong: 3})


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"])
def test_estimators_name_the_argument_that_was_meant(name: str) -> None:
    cls = getattr(pytest.importorskip("cnn_core.sklearn"), name)
    with pytest.raises(TypeError, match=rf"^{name} has the arguments .*\. Did you mean `hidden_layer_sizes`\?$"):
        cls(hidden_layer_size=(3,))
    with pytest.raises(TypeError, match=r"^fit has the arguments .*\. Did you mean `sample_weight`\?$"):
        cls().fit([[0.0], [1.0]], [0, 1], sample_weights=[1, 1])


def test_a_class_of_ones_own_is_compared_with_its_own_constructor() -> None:
    class Weighted(cnn_core.losses.Loss):
        def __init__(self, weight: float = 1.0) -> None:
            super().__init__()
            self.weight = weight

    assert Weighted(weight=2.0).weight == 2.0
    with pytest.raises(TypeError, match=r"^Weighted has the argument `weight`\. Received: wieght=2\.0\. Did you mean"):
        Weighted(wieght=2.0)  # type: ignore[call-arg]


def test_a_constructor_that_takes_any_argument_decides_by_itself() -> None:
    class Own(cnn_core.layers.Dense):
        def __init__(self, units: int, **settings: Any) -> None:
            self.flavour = settings.pop("flavour", None)
            super().__init__(units, **settings)

    assert Own(3, flavour="sweet").flavour == "sweet"
    with pytest.raises(TypeError, match=r"^Own has the arguments .* Received: activatoin=.* Did you mean `activation`"):
        Own(3, activatoin="relu")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_objects_are_copied_and_pickled_without_arguments(copied: Callable[[Any], Any]) -> None:
    assert copied(cnn_core.losses.Huber(2.0)).delta == 2.0
    assert copied(cnn_core.constraints.MaxNorm(3.0)).max_value == 3.0


def test_errors_from_within_a_function_stay_as_they_are() -> None:
    @keywords.knows_its_arguments
    def outer(width: int = 1) -> int:
        return inner(widht=width)  # type: ignore[call-arg]

    def inner(width: int = 1) -> int:
        return width

    with pytest.raises(TypeError, match=r"inner\(\) got an unexpected keyword argument 'widht'"):
        outer(width=3)
    with pytest.raises(TypeError, match="takes from 0 to 1 positional arguments but 2 were given"):
        outer(1, 2)  # type: ignore[call-arg]


def test_a_decorated_function_keeps_its_face() -> None:
    assert cnn_core.utils.to_categorical.__name__ == "to_categorical"
    assert list(inspect.signature(cnn_core.Model.predict).parameters)[:3] == ["self", "x", "batch_size"]
    assert inspect.signature(cnn_core.constraints.NonNeg) == inspect.Signature()
    assert cnn_core.load_model is cnn_core.saving.load_model
    assert isinstance(functools.partial(cnn_core.losses.huber, delta=2.0)([[0.0]], [[1.0]])[0], float)


def test_the_error_hides_the_one_of_python() -> None:
    with pytest.raises(TypeError) as caught:
        cnn_core.utils.to_categorical([0, 1], num_class=2)  # type: ignore[call-arg]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
