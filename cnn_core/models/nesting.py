"""How models may stand in models: never in themselves, and not so deep that Python could not follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from cnn_core.layers.base import Layer

DEEPEST = 64  # models in models; a file's configuration, too, is bounded in depth


class Nested(Layer):
    """A layer that holds layers.

    Attributes
    ----------
    nesting : int
        How deep it is: 1, or one more than the deepest model that it has held.
    """

    nesting = 1
    _holders: tuple[ref[Nested], ...] = ()

    def check_holding(self, layers: Iterable[Layer]) -> None:
        """Say what is wrong with holding these layers.

        Raises
        ------
        ValueError
            If the model is among them or inside of one of them, or if it, or what holds it, would be nested too deep.
        """
        inner = _models_among(layers)
        if not inner:
            return
        for model in inner:
            if any(each is self for each in _inside(model)):
                raise ValueError(f"A model cannot hold itself. Received: {model.name!r} as a layer of {self.name!r}")
        depth = _depth_with(inner)
        for above, models in enumerate(_around(self)):
            if depth + above > DEEPEST:
                raise ValueError(
                    f"Models may be nested at most {DEEPEST} deep. "
                    f"Received: {models[0].name!r}, which would be {depth + above}"
                )

    def hold(self, layers: Iterable[Layer]) -> None:
        """Count with layers that are added; raise what `check_holding` does."""
        inner = _models_among(layers)
        if not inner:
            return
        self.check_holding(inner)
        for above, models in enumerate(_around(self)):
            for model in models:
                model.nesting = max(model.nesting, _depth_with(inner) + above)
        for model in inner:
            model._holders = (*(each for each in model._holders if each() not in (None, self)), ref(self))


@contextmanager
def unchanged_by_failure(layers: Iterable[Layer]) -> Iterator[None]:
    """Give layers back what they had if the block fails: their calls and, if not built, all that is inside."""
    layers = list(layers)
    calls = [(layer, list(layer.calls)) for layer in layers]
    unbuilt = [(each, _attributes(each)) for layer in layers if not layer.built for each in _inside(layer)]
    try:
        yield
    except BaseException:
        for layer, attributes in unbuilt:
            vars(layer).clear()
            vars(layer).update(attributes)
        for layer, before in calls:
            layer.calls = before
        raise


def _attributes(layer: Layer) -> dict[str, Any]:
    return {name: list(value) if type(value) is list else value for name, value in vars(layer).items()}


def _models_among(layers: Iterable[Layer]) -> list[Nested]:
    return [layer for layer in layers if isinstance(layer, Nested)]


def _depth_with(inner: Iterable[Nested]) -> int:
    return max((1 + model.nesting for model in inner), default=1)


def _around(model: Nested) -> Iterable[list[Nested]]:
    """Yield the model, those that hold it, those that hold these and so on, each as often as it is on another level."""
    level = [model]
    while level:
        yield level
        holders = [holder for each in level for found in each._holders if (holder := found()) is not None]
        level = list({id(each): each for each in holders}.values())


def _inside(layer: Layer) -> Iterable[Layer]:
    """Yield a layer and all layers inside of it, each once."""
    waiting, seen = [layer], {id(layer)}
    while waiting:
        yield (found := waiting.pop())
        for inner in getattr(found, "_layers", ()):
            if id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)
