"""Which array of a file of Keras is which of our variables: in the layout of Keras 3, and in that of .h5 before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.serialization import snake_case
from cnn_core.interop.hdf5 import Group
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.wrapper import SpectralNormalization, Wrapper
from cnn_core.network.variables import Variable

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # the latter in some files of Keras 2.12 and 2.13


class Part(NamedTuple):
    """A layer of a model, and the layers inside it if it is a model, in Keras's order."""

    class_name: str
    layer: Layer
    parts: tuple[Part, ...] | None


def parts_of(model: Any, config: Mapping[str, Any] | None = None) -> tuple[Part, ...]:
    """Return the layers of a model in the order in which Keras keeps them.

    Parameters
    ----------
    model : Model
    config : mapping, default None
        What Keras wrote of the model: the order of its layers. None: that of the model, which is the same for chains.
    """
    if config is None:
        return tuple(map(part_of, model.layers))
    by_name = {layer.name: layer for layer in model.layers}
    found = []
    for each in config["config"]["layers"]:
        layer = by_name.get(each["config"].get("name"))
        if layer is not None:  # a Sequential does not count its input among its layers
            found.append(Part(each["class_name"], layer, parts_of(layer, each) if is_model(layer) else None))
    return tuple(found)


def part_of(layer: Layer) -> Part:
    """Return a layer, with the layers inside it if it is a model."""
    return Part(class_name_of(layer), layer, parts_of(layer) if is_model(layer) else None)


def is_model(layer: object) -> bool:
    return isinstance(layer, registry.find("Functional"))


def class_name_of(layer: Layer) -> str:
    """Return the name of a layer's class in Keras; models of a user's own are what they are made of."""
    if not is_model(layer):
        return type(layer).__name__
    return "Sequential" if isinstance(layer, registry.find("Sequential")) else "Functional"


def trainable_variables(parts: tuple[Part, ...]) -> list[Variable]:
    """Return what training changes in Keras's order, that of the optimizer's state."""
    found: dict[int, Variable] = {}
    for part in parts:
        inner = part.layer.trainable_variables if part.parts is None else trainable_variables(part.parts)
        found.update((id(variable), variable) for variable in inner)
    return list(found.values())


def _others(parts: tuple[Part, ...]) -> list[Variable]:
    found: dict[int, Variable] = {}
    for part in parts:
        inner = part.layer.non_trainable_variables if part.parts is None else _others(part.parts)
        found.update((id(variable), variable) for variable in inner)
    return list(found.values())


class Place(NamedTuple):
    """A variable, and the path of its array; None if the file has none."""

    variable: Variable
    path: str | None


def places(group: Group, parts: tuple[Part, ...]) -> list[Place]:
    """Return where the layout of Keras 3 has each variable: layers/dense_1/vars/0.

    The groups are called after the layers' classes, numbered. Newer versions note the layers' names, too: where these
    are ours, they decide.
    """
    container = next((inner for name in CONTAINERS if (inner := group.group(name)) is not None), None)
    named = {} if container is None else _groups_by_name(container)
    by_name = all(part.layer.name in named for part in parts if part.layer.variables)
    found: list[Place] = []
    for part, name in zip(parts, numbered(parts), strict=True):
        inner = None if container is None else container.group(named.get(part.layer.name, name) if by_name else name)
        if part.parts is None:
            found += _places_inside(inner, part.layer, set())
        elif inner is not None:
            found += places(inner, part.parts)
        else:
            found += [Place(variable, None) for variable in part.layer.variables]
    return found


def numbered(parts: tuple[Part, ...]) -> Iterator[str]:
    """Yield "dense", "dense_1", ..."""
    counts: dict[str, int] = {}
    for part in parts:
        name = snake_case(part.class_name)
        count = counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{count}" if count else name


def _groups_by_name(container: Group) -> dict[str, str]:
    found = {}
    for name in container.names():
        own = container.group(name, "vars")
        if own is not None and (layer := own.text("name")) is not None:
            found[layer] = name
    return found


def _places_inside(group: Group | None, layer: Layer, known: set[int]) -> list[Place]:
    """Return where a layer's own variables are, and those of layers that it holds."""
    known.add(id(layer))
    found = _own_places(group, layer, own_variables(layer))
    for path, inner in layers_held_by(layer):
        if id(inner) not in known:
            within = None if group is None else group.group(*path)
            if is_model(inner) and within is not None:
                found += places(within, parts_of(inner))
            else:
                found += _places_inside(within, inner, known)
    return found


def own_variables(layer: Layer) -> list[Variable]:
    """Return the variables of a layer less those of the layers that it holds, as Keras counts them."""
    if isinstance(layer, SpectralNormalization):
        return layer.own_of_keras()
    held = {id(variable) for _, inner in layers_held_by(layer) for variable in inner.variables}
    return [variable for variable in layer.variables if id(variable) not in held]


def layers_held_by(layer: Layer) -> Iterator[tuple[tuple[str, ...], Layer]]:
    """Yield the layers that one of a user's own holds, with the steps to each: by attribute, private ones last."""
    if not (layer.defines_call or isinstance(layer, Wrapper)):
        return
    attributes = vars(layer)
    for name in sorted(attributes, key=lambda name: f"~{name}" if name.startswith("_") else name):
        value = attributes[name]
        if isinstance(value, Layer):
            yield (name,), value
        elif isinstance(value, (list, tuple, Mapping)):
            held = [
                each for each in (value.values() if isinstance(value, Mapping) else value) if isinstance(each, Layer)
            ]
            parts = tuple(map(part_of, held))
            yield from (((name, number), each) for number, each in zip(numbered(parts), held, strict=True))


def _own_places(group: Group | None, layer: Layer, variables: list[Variable]) -> list[Place]:
    if layer.reads_values:  # what such a layer knows is in its configuration
        return []
    own = None if group is None else group.group("vars")
    known = [] if own is None else own.names()
    if own is not None and len(known) > len(variables):
        raise ValueError(f"it must hold {len(variables)} arrays for layer {layer.name!r}. Received: {len(known)}")
    return [
        Place(variable, f"{own.path}/{number}" if own is not None and str(number) in known else None)
        for number, variable in enumerate(variables)
    ]


def places_before_keras_3(group: Group, parts: tuple[Part, ...]) -> list[Place]:
    """Return where an .h5 has each variable: layers by name, or in their order where names differ."""
    listed = {name: weights for name in group.texts("layer_names") if (weights := _weight_paths(group, name))}
    holders = [part for part in parts if part.layer.variables]
    if set(listed) == {part.layer.name for part in holders}:
        paths = [listed[part.layer.name] for part in holders]
    elif len(listed) == len(holders):
        paths = list(listed.values())
    else:
        raise ValueError(
            f"it holds weights of {len(listed)} layers, the model has {len(holders)} with weights: "
            f"{', '.join(part.layer.name for part in holders)[:300]}. Received: {', '.join(listed)[:300]}"
        )
    found: list[Place] = []
    for part, own in zip(holders, paths, strict=True):
        within = (part,)
        variables = [*trainable_variables(within), *_others(within)]
        if len(own) != len(variables):
            raise ValueError(
                f"it must hold {len(variables)} arrays for layer {part.layer.name!r}. Received: {len(own)}"
            )
        found += [Place(variable, path) for variable, path in zip(variables, own, strict=True)]
    return found


def _weight_paths(group: Group, layer: str) -> list[str]:
    inner = group.group(*layer.split("/"))
    if inner is None:
        raise ValueError(f"it must hold a group for layer {layer!r}. Received: none")
    return [f"{inner.path}/{name}" for name in inner.texts("weight_names")]
