"""Vocabularies in files of Keras: what `adapt` has learned stands beside the configuration, in files of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cnn_core.foundation.serialization import snake_case
from cnn_core.interop.hdf5 import Group
from cnn_core.interop.keras_weights import CONTAINERS

FILE = "vocabulary.txt"
FOLDER = "assets/"
_LOOKUPS = ("StringLookup", "IntegerLookup")


def with_vocabularies(config: Mapping[str, object], texts: Mapping[str, str], weights: Group) -> dict[str, Any]:
    r"""Return the configuration of a model with the vocabularies of its layers in their configurations.

    Parameters
    ----------
    config : mapping
    texts : mapping of str to str
        The members of the archive that hold vocabularies, by their names.
    weights : Group
        Which holds the weights of tokens, by `output_mode="tf_idf"`.

    Raises
    ------
    ValueError
        If a vocabulary of numbers holds something else.

    Examples
    --------
    >>> layer = {"class_name": "StringLookup", "config": {"vocabulary": None}}
    >>> texts = {"assets/layers/string_lookup/vocabulary.txt": "[UNK]\na"}
    >>> model = with_vocabularies({"class_name": "Sequential", "config": {"layers": [layer]}}, texts, None)
    >>> model["config"]["layers"][0]["config"]
    {'vocabulary': ['[UNK]', 'a'], 'has_input_vocabulary': False}
    """
    return _within(config, (), texts, weights) if texts else dict(config)


def _within(config: Mapping[str, object], path: tuple[str, ...], texts: Mapping[str, str], weights: Group) -> Any:
    settings = config.get("config")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("layers"), list):
        return config
    layers = settings["layers"]
    made = []
    for layer, group in zip(layers, groups_of(layers), strict=True):
        inner = (*path, CONTAINERS[0], group)
        found = with_vocabulary(layer, inner, texts, weights)
        made.append(_within(layer, inner, texts, weights) if found is layer else found)
    return {**config, "config": {**settings, "layers": made}}


def with_vocabulary(
    config: Mapping[str, Any], path: tuple[str, ...], texts: Mapping[str, str], weights: Group
) -> Mapping[str, Any]:
    """Return the configuration of a layer at a path with its vocabulary, if the file has one beside it."""
    if config.get("class_name") not in _LOOKUPS:
        return config
    names = ("/".join(_in_container(path, container)) for container in CONTAINERS)
    text = next((texts[name] for each in names if (name := f"{FOLDER}{each}/{FILE}") in texts), None)
    settings = config["config"]
    if text is None or settings.get("vocabulary") is not None:
        return config
    tokens: list[Any] = text.split("\n")
    if config["class_name"] == "IntegerLookup":
        tokens = list(_numbers(tokens))
    found = {**settings, "vocabulary": tokens, "has_input_vocabulary": False}
    if settings.get("output_mode") in ("tf_idf", "tf-idf"):
        found["idf_weights"] = _idf(weights, path, len(tokens))
    return {**config, "config": found}


def _in_container(path: Iterable[str], container: str) -> Iterator[str]:
    return (container if part == CONTAINERS[0] else part for part in path)


def _numbers(lines: Iterable[str]) -> Iterator[int]:
    for line in lines:
        try:
            yield int(line)
        except ValueError:
            raise ValueError(
                f"its vocabulary of whole numbers must hold nothing else. Received: {line[:100]!r}"
            ) from None


def _idf(weights: Group, path: tuple[str, ...], count: int) -> list[float]:
    own = next((own for each in CONTAINERS if (own := weights.group(*_in_container(path, each), "vars"))), None)
    if own is None or "idf_weights" not in own.names():
        raise ValueError(f"it must hold 'idf_weights' for {path[-1]!r}. Received: none")
    found: list[float] = weights.array(f"{own.path}/idf_weights").reshape(-1)[:count].astype(float).tolist()
    return found


def groups_of(layers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the names of the layers' groups: "string_lookup", "string_lookup_1", ..."""
    counts: dict[str, int] = {}
    for layer in layers:
        name = snake_case(str(layer.get("class_name")))
        count = counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{count}" if count else name
