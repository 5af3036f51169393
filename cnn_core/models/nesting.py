"""How models may stand in models: never in themselves, and not so deep that Python could not follow."""

from __future__ import annotations

from collections.abc import Iterable

from cnn_core.layers.base import Layer

DEEPEST = 64  # models in models; a file's configuration, too, is bounded in depth


def nesting_with(layers: Iterable[Layer], model: Layer) -> int:
    """Return how deep a model of these layers is: 1, or one more than the deepest model among them.

    Raises
    ------
    ValueError
        If the model is among them or inside of one of them, or if they are nested too deep.
    """
    depth = 1
    for layer in layers:
        if any(each is model for each in _inside(layer)):
            raise ValueError(f"A model cannot hold itself. Received: {layer.name!r} as a layer of {model.name!r}")
        depth = max(depth, 1 + getattr(layer, "nesting", 0))
    if depth > DEEPEST:
        raise ValueError(
            f"Models may be nested at most {DEEPEST} deep. Received: {model.name!r}, which would be {depth}"
        )
    return depth


def _inside(layer: Layer) -> Iterable[Layer]:
    """Yield a layer and all layers inside of it, each once."""
    waiting, seen = [layer], {id(layer)}
    while waiting:
        yield (found := waiting.pop())
        for inner in getattr(found, "_layers", ()):
            if id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)
