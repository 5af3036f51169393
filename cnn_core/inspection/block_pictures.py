"""Every layer as the block of the derivation: what goes forward above, what comes back below it in the same shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.drawing import Box, Picture, Point, Shape, Text, Tiles, brief_number
from cnn_core.foundation.records import NamedTuple
from cnn_core.inspection.diagram import chosen, chosen_sample, share_of_weights
from cnn_core.inspection.records import BatchRecord, LayerTrace

__all__ = ["block_picture"]

CELL, NUMBERED_CELL = (24.0, 16.0), (50.0, 19.0)
LONGEST, LONGEST_NUMBERED = 150.0, 900.0  # of an array's picture
MOST_NUMBERS, MOST_COLUMNS, MOST_ROWS = 80, 10, 12  # in an array that shows its numbers unless told otherwise
SIGN, SIDE, HEAD = 36.0, 24.0, 64.0
BLOCK_GAP, ROW_GAP, CAPTION = 24.0, 40.0, 18.0
FILL, EDGE = "#f6f8fa", "#d8dee4"


class Matrix(NamedTuple):
    """An array of a block with its name, as a matrix."""

    name: str
    values: Array
    shape: tuple[int, ...]
    note: str = ""

    @classmethod
    def of(cls, name: str, values: Array, note: str = "") -> Matrix:
        """Take an array of any shape: its last axis goes across."""
        return cls(name, values.reshape(-1, values.shape[-1] if values.ndim else 1), values.shape, note)


class Pair(NamedTuple):
    """A column of a block: what goes forward, its derivative, and the sign before each."""

    forward: Matrix
    backward: Matrix | None = None
    sign: str = ""
    sign_back: str = ""


def block_picture(
    record: BatchRecord, sample: int | None = None, numbers: bool | None = None, title: str = ""
) -> Picture:
    """Draw a block for each layer of a traced batch.

    Parameters
    ----------
    record : BatchRecord
    sample : int, default None
        Whose arrays to show, and whose share of dW and db; None: the whole batch.
    numbers : bool, default None
        None: where an array is small. True: in all of them up to thousands. False: in none.
    title : str, default ""
    """
    sample = chosen_sample(record, sample)
    values = record.inputs | {layer.name: layer.a for layer in record.layers}
    shapes: list[Shape] = []
    frames: list[Box] = []
    y = SIDE
    for layer in record.layers:
        pairs = list(_pairs(layer, [values[name] for name in layer.inputs], sample))
        block, size = _block(layer, pairs, (SIDE, y), numbers)
        frames.append(Box((SIDE, y), size, FILL, EDGE, 10))
        shapes += block
        y += size[1] + BLOCK_GAP
    width = max((frame.size[0] for frame in frames), default=300.0)
    shapes.append(Text((SIDE, y), _whose(record, sample), 10, drawing.GREY, "start"))
    alike = [frame._replace(size=(width, frame.size[1])) for frame in frames]
    return Picture((width + 2 * SIDE, y + SIDE), [*alike, *shapes], title)


def _whose(record: BatchRecord, sample: int | None) -> str:
    whose = f"the whole batch, m = {len(next(iter(record.inputs.values())))}" if sample is None else f"sample {sample}"
    loss = "" if record.loss is None else f"   J = {drawing.short_number(record.loss, 6)}"
    return f"{whose}{loss}   blue +, orange −, each array to its own scale"


def _pairs(layer: LayerTrace, reads: Sequence[Array], sample: int | None) -> Iterator[Pair]:
    """Yield the columns of a layer's block, from what it reads to what it gives."""
    back = layer.d_inputs or (None,) * len(reads)
    for number, (name, read, d_input) in enumerate(zip(layer.inputs, reads, back, strict=True)):
        label = "a_prev" if len(reads) == 1 else f"a_prev {name}"
        yield Pair(
            Matrix.of(label, chosen(read, sample)),
            _given(f"d{label}", d_input, sample, label),
            "" if number == 0 else ",",
        )
    if layer.W is not None:
        yield from _dense_pairs(layer, reads[0], sample)
        return
    for name, variable in layer.parameters.items():
        gradient = layer.gradients.get(name)
        yield Pair(
            Matrix.of(name, variable), None if gradient is None else Matrix.of(f"d{name}", gradient, f"as {name}"), ";"
        )
    if layer.z is not None and layer.kind != "activation":
        yield Pair(Matrix.of("z", chosen(layer.z, sample)), _given("dz = δ", layer.delta, sample, "z"), "→")
    if layer.kind == "activation" and layer.slope is not None:
        yield Pair(Matrix.of("g'(z)", chosen(layer.slope, sample)), sign=";")
    yield Pair(Matrix.of("a", chosen(layer.a, sample)), _given("da", layer.da, sample, "a"), "→", "←")


def _dense_pairs(layer: LayerTrace, read: Array, sample: int | None) -> Iterator[Pair]:
    assert layer.W is not None
    shares = None if layer.dW is None else share_of_weights(read, layer.delta, sample)
    of_sample = "" if sample is None else ", this sample's share"
    yield Pair(
        Matrix.of("W", layer.W), None if shares is None else Matrix.of("dW", shares, "as W" + of_sample), "·", "←"
    )
    if layer.b is not None:
        sums = None
        if layer.db is not None and layer.delta is not None:
            rows = chosen(layer.delta, sample)
            sums = Matrix.of("db", rows.reshape(-1, rows.shape[-1]).sum(axis=0), "as b" + of_sample)
        yield Pair(Matrix.of("b", layer.b), sums, "+", "")
    z, through = layer.a if layer.z is None else layer.z, "=" if layer.activation == "linear" else "→ g"
    yield Pair(Matrix.of("z", chosen(z, sample), "cached"), _given("dz = δ", layer.delta, sample, "z"), "=", "←")
    yield Pair(Matrix.of("a", chosen(layer.a, sample)), _given("da", layer.da, sample, "a"), through, "←")


def _given(name: str, values: Array | None, sample: int | None, like: str) -> Matrix | None:
    return None if values is None else Matrix.of(name, chosen(values, sample), f"as {like}")


def formulas(layer: LayerTrace) -> tuple[str, str]:
    """Return what a block computes forward and backward, as text."""
    g = layer.activation
    if layer.W is not None:
        bias = " + b" if layer.b is not None else ""
        through = "a = z" if g == "linear" else f"a = {g}(z)"
        back = "dz = da" if g == "linear" else f"dz = da ⊙ {g}'(z)"
        if g != "linear" and layer.slope is None:
            back = f"dz = da through {g}, row by row"
        return (
            f"z = a_prev · W{bias},   {through}",
            f"{back},   dW = a_prevᵀ · dz,   {'db = Σ dz,   ' if bias else ''}da_prev = dz · Wᵀ",
        )
    if layer.kind == "activation":
        return (
            f"a = {g}(a_prev)",
            "da_prev = da ⊙ g'(a_prev)" if layer.slope is not None else f"da_prev = da through {g}",
        )
    read = ", ".join(layer.inputs)
    return f"a = {layer.kind}({read})", f"da_prev = da times the derivative of {layer.kind}"


def _block(layer: LayerTrace, pairs: Sequence[Pair], corner: Point, numbers: bool | None) -> tuple[list[Shape], Point]:
    """Draw a block and return its shapes and its size."""
    x, y = corner[0] + 16, corner[1] + HEAD
    backward = any(pair.backward is not None for pair in pairs)
    sizes = [_size(pair.forward.values, numbers) for pair in pairs]
    tallest = max(height for _, height in sizes)
    second = y + tallest + ROW_GAP + CAPTION
    shapes: list[Shape] = []
    for pair, (width, height) in zip(pairs, sizes, strict=True):
        if pair.sign:
            shapes.append(Text((x + SIGN / 2 - 4, y + CAPTION + tallest / 2), pair.sign, 14, drawing.GREY))
            if pair.backward is not None and pair.sign_back:
                shapes.append(
                    Text((x + SIGN / 2 - 4, second + CAPTION + tallest / 2), pair.sign_back, 14, drawing.GREY)
                )
            x += SIGN
        room = max(width, _caption_width(pair.forward), _caption_width(pair.backward))
        for each, top in ((pair.forward, y), (pair.backward, second)):
            if each is not None:
                shapes += _array(each, (x + room / 2, top), (width, height), tallest, numbers)
        x += room
    bottom = second + CAPTION + tallest if backward else y + CAPTION + tallest
    forward, back = formulas(layer)
    label = layer.kind if layer.activation == "linear" else f"{layer.kind} · {layer.activation}"
    left = corner[0] + 16
    shapes += [
        Text((left, corner[1] + 18), layer.name, 13, align="start", bold=True),
        Text((left + 8.6 * len(layer.name) + 12, corner[1] + 18), label, 10.5, drawing.GREY, "start"),
        Text((left, corner[1] + 42), f"forward   {forward}", 11, align="start"),
    ]
    if backward:
        shapes.append(Text((left, second - 18), f"backward   {back}", 11, align="start"))
    texts = [forward, back if backward else "", layer.name + label]
    width = max(x - corner[0] + 16, 6.4 * max(map(len, texts)) + 110)
    return shapes, (width, bottom - corner[1] + 16)


def _caption(array: Matrix) -> str:
    return f"{array.name} {array.shape}" + (f" {array.note}" if array.note else "")


def _caption_width(array: Matrix | None) -> float:
    return 0.0 if array is None else 5.9 * len(_caption(array)) + 6


def _shows_numbers(values: Array, numbers: bool | None) -> bool:
    rows, columns = values.shape
    if numbers is None:
        return values.size <= MOST_NUMBERS and columns <= MOST_COLUMNS and rows <= MOST_ROWS
    return numbers and columns * NUMBERED_CELL[0] <= LONGEST_NUMBERED and rows * NUMBERED_CELL[1] <= LONGEST_NUMBERED


def _size(values: Array, numbers: bool | None) -> Point:
    rows, columns = values.shape
    if _shows_numbers(values, numbers):
        return columns * NUMBERED_CELL[0], rows * NUMBERED_CELL[1]
    width, height = columns * CELL[0], rows * CELL[1]
    shrink = min(1.0, LONGEST / max(width, height, 1.0))
    return max(width * shrink, 10.0), max(height * shrink, 10.0)


def _array(array: Matrix, top: Point, size: Point, tallest: float, numbers: bool | None) -> Iterator[Shape]:
    """An array below its name and shape, in the middle of the room that its row has."""
    (x, y), (width, height) = top, size
    yield Text((x, y + 6), _caption(array), 10, drawing.INK)
    corner = x - width / 2, y + CAPTION + (tallest - height) / 2
    scale = drawing.largest(array.values)
    yield Tiles(corner, size, array.values, scale)
    if not _shows_numbers(array.values, numbers):
        return
    across, down = NUMBERED_CELL
    for (row, column), value in np.ndenumerate(array.values):
        at = corner[0] + (column + 0.5) * across, corner[1] + (row + 0.5) * down
        yield Text(at, brief_number(value), 9.5, drawing.ink_on(drawing.colour(value, scale)))
