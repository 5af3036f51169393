"""Shapes of operands that are repeated to fit each other, where the samples' axis is one of its own."""

from __future__ import annotations

from collections.abc import Sequence

Shape = tuple[int | None, ...]


def is_batched(shape: Shape) -> bool:
    """Tell whether a shape begins with the axis of the samples."""
    return bool(shape) and shape[0] is None


def broadcast(shapes: Sequence[Shape], name: str) -> Shape:
    """Return the shape to which operands are repeated by NumPy's rules; only samples meet samples.

    Raises
    ------
    ValueError
        If sizes differ, or the samples of one operand would meet an axis of another.

    Examples
    --------
    >>> broadcast([(None, 3, 1), (4,)], "add")
    (None, 3, 4)
    """
    rank = max(map(len, shapes), default=0)
    if any(is_batched(shape) and len(shape) < rank for shape in shapes):
        raise ValueError(
            f"The operands of {name} must have their samples along the same axis: give one more axes by "
            f"ops.expand_dims. Received: {_listed(shapes)}"
        )
    full = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result: list[int | None] = []
    for position in range(rank):
        sizes = {shape[position] for shape in full} - {1}
        if len(sizes) > 1:
            raise ValueError(f"The operands of {name} must have shapes that fit. Received: {_listed(shapes)}")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def of_a_sample(shape: Shape, around: Shape) -> tuple[int, ...]:
    """Return the shape in which a sample of `around` reads an operand.

    Examples
    --------
    >>> of_a_sample((None, 3), (None, 3)), of_a_sample((1, 3), (None, 3)), of_a_sample((3,), (None, 3))
    ((3,), (3,), (3,))
    """
    leading = is_batched(shape) or (is_batched(around) and len(shape) == len(around))
    return shape[1:] if leading else shape  # type: ignore[return-value]


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))
