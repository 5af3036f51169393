"""Names and data to objects and back, and that data can name nothing but what is registered or handed in."""

from __future__ import annotations

import json
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.foundation.serialization as serialization
from cnn_core.foundation.serialization import Registry, serialize, snake_case


class Pipe:
    def __init__(self, width=1.0, filter=None):
        self.width = width
        self.filter = filters.get(filter)

    def get_config(self):
        return {"width": self.width, "filter": serialize(self.filter)}


class FineSieve:
    def __init__(self, mesh=3):
        self.mesh = mesh

    def get_config(self):
        return {"mesh": self.mesh}


pipes = Registry("pipe")
filters = Registry("filter")
pipes.register("tube")(Pipe)
filters.register("fs", "FS")(FineSieve)


def test_a_name_is_found_exactly_by_alias_and_in_any_case():
    for name in ("FineSieve", "fine_sieve", "finesieve", "FINE_SIEVE", "fs", "FS"):
        assert filters.find(name) is FineSieve


def test_get_makes_objects_from_names_classes_and_data_and_leaves_the_rest():
    sieve = FineSieve(5)
    assert filters.get(None) is None
    assert filters.get(sieve) is sieve
    assert filters.get(FineSieve).mesh == 3
    assert filters.get("fs").mesh == 3
    assert filters.get({"class_name": "FineSieve", "config": {"mesh": 7}}).mesh == 7


def test_a_configuration_survives_json():
    pipe = Pipe(2.5, FineSieve(9))
    again = pipes.deserialize(json.loads(json.dumps(pipes.serialize(pipe))))
    assert (again.width, again.filter.mesh) == (2.5, 9)


def test_what_keras_writes_besides_is_ignored():
    config = {"module": "os", "class_name": "FineSieve", "config": {"mesh": 4}, "registered_name": None}
    assert filters.deserialize(config).mesh == 4
    assert filters.deserialize({"class_name": "function", "config": "fs"}).mesh == 3


def test_unknown_names_list_the_known_ones_and_name_the_nearest():
    colours = Registry("colour")
    for name in ("green", "grey", "red"):
        colours.register(name=name)(object())
    with pytest.raises(ValueError, match=r"^`colour` must be one of 'green', 'grey', 'red'\. Received: 'gren'\. Did"):
        colours.get("gren")
    with pytest.raises(ValueError, match=r"Received: 'xyz'$"):
        colours.get("xyz")


def test_a_huge_name_gives_a_short_message():
    with pytest.raises(ValueError, match="must be one of") as error:
        filters.get("x" * 100_000)
    assert len(str(error.value)) < 1000


class Coarse:
    def get_config(self):
        return {}


def test_custom_objects_reach_nested_objects_only_while_they_are_in_use():
    config = {"class_name": "Pipe", "config": {"filter": {"class_name": "Coarse", "config": {}}}}
    with pytest.raises(ValueError, match="Coarse"):
        pipes.deserialize(config)
    assert isinstance(pipes.deserialize(config, custom_objects={"Coarse": Coarse}).filter, Coarse)
    with pytest.raises(ValueError, match="Coarse"):
        pipes.deserialize(config)


def test_custom_objects_come_before_registered_ones():
    assert isinstance(filters.get("FineSieve", {"FineSieve": Coarse}), Coarse)


def test_custom_objects_of_one_thread_are_not_seen_by_another():
    seen = []
    with serialization.custom_objects_in_use({"Coarse": Coarse}):
        thread = threading.Thread(target=lambda: seen.append(_known("Coarse")))
        thread.start()
        thread.join()
        assert _known("Coarse")
    assert seen == [False]


def _known(name):
    try:
        filters.find(name)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "subprocess.Popen", "antigravity", "__import__"])
def test_data_can_name_no_code(name):
    before = set(sys.modules)
    for config in (name, {"class_name": name, "config": {}}, {"module": name, "class_name": "x", "config": {}}):
        with pytest.raises(ValueError, match="must be one of"):
            filters.deserialize(config)
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (3, TypeError),
        ([], TypeError),
        ({}, ValueError),
        ({"class_name": 3}, TypeError),
        ({"class_name": "FineSieve", "config": [1]}, ValueError),
        ({"class_name": "FineSieve", "config": {"colour": 1}}, ValueError),
        ({"class_name": "FineSieve", "config": {3: 1}}, ValueError),
    ],
)
def test_bad_configurations_are_refused(config, error):
    with pytest.raises(error):
        filters.deserialize(config)


def test_one_name_cannot_be_given_twice():
    registry = Registry("thing")
    registry.register()(Pipe)
    registry.register("pipe")(Pipe)
    with pytest.raises(ValueError, match="exists already"):
        registry.register(name="PIPE")(FineSieve)


def test_numbers_of_numpy_become_plain_ones():
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": (1, np.bool_(True)), 4: None}
    assert json.loads(json.dumps(serialize(value))) == {"a": 0.5, "b": [0, 1, 2], "c": [1, True], "4": None}


@pytest.mark.parametrize("value", [object(), len, Pipe, np.array([object()]), {1, 2}, b"bytes"])
def test_what_is_no_data_is_refused(value):
    with pytest.raises(TypeError, match="configuration"):
        serialize({"value": value})


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_plain_data_stays_as_it_is(value):
    assert serialize(value) == value


@given(st.from_regex(r"([A-Z][a-z]{2,5}){1,4}", fullmatch=True))
def test_snake_case_loses_nothing(name):
    snake = snake_case(name)
    assert snake == snake.lower()
    assert "".join(word.capitalize() for word in snake.split("_")) == name


class Vessel:
    def get_config(self):
        return {}


@pytest.fixture
def registered():
    """A custom class under a name that the package has, too."""
    own = type("FineSieve", (FineSieve,), {})
    serialization.register_keras_serializable("mine")(own)
    serialization.register_keras_serializable("mine")(Vessel)
    yield own
    serialization.get_custom_objects().clear()


def test_a_registered_object_shadows_no_name_of_the_package(registered):
    assert filters.find("FineSieve") is filters.find("fine_sieve") is FineSieve
    assert filters.find("mine>FineSieve") is registered
    assert filters.find("Vessel") is filters.find("mine>Vessel") is Vessel


def test_data_says_whose_object_it_names(registered):
    assert filters.serialize(FineSieve(4)) == {"class_name": "FineSieve", "config": {"mesh": 4}}
    data = filters.serialize(registered(4))
    assert data == {"class_name": "FineSieve", "config": {"mesh": 4}, "registered_name": "mine>FineSieve"}
    assert type(filters.deserialize(data)) is registered
    serialization.get_custom_objects().clear()
    with pytest.raises(ValueError, match="Received: 'FineSieve'"):
        filters.deserialize(data)
    assert type(filters.deserialize(data, {"FineSieve": registered})) is registered


def test_a_class_of_ones_own_is_never_taken_for_the_packages():
    class FineSieve(Coarse):
        pass

    data = filters.serialize(FineSieve())
    with pytest.raises(ValueError, match="Received: 'FineSieve'"):
        filters.deserialize(data)
    assert type(filters.deserialize(data, {"FineSieve": FineSieve})) is FineSieve


def test_names_that_keras_writes_for_its_own_classes_are_not_the_users():
    config = {"module": "keras.src.sieves", "class_name": "FineSieve", "config": {}, "registered_name": "FineSieve"}
    assert type(filters.deserialize(config)) is FineSieve
