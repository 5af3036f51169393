"""Expressions: elementwise functions of buffers and parameters that native code runs in one pass over the rows.

Values are numbered: the operands, then the constants, then the result of each instruction. The last one is the output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.variables import Variable

MOST_VALUES = 128  # of an expression
MOST_VARIABLES = 6
_MOST_AXES = 6  # of rows along which operands are repeated in different ways
_PARAMETERS = 3  # of an activation
Shape = tuple[int, ...]


class Instruction(NamedTuple):
    """One function of earlier values.

    Attributes
    ----------
    name : str
        A key of `_core.ELEMENTWISE`, which says how many operands it has.
    operands : tuple of int
        Values.
    parameters : tuple of float
        Those of an activation, such as the negative slope of "relu".
    """

    name: str
    operands: tuple[int, ...]
    parameters: tuple[float, ...] = ()


class Operand(NamedTuple):
    """What an expression reads: a buffer of the plan or a parameter, which has no axis of samples.

    `shape` is that of a sample; it broadcasts to the expression's own by NumPy's rules.
    """

    source: int | Variable
    shape: Shape


class Expression(NamedTuple):
    """Operands, constants, and instructions, the last of which gives the output."""

    operands: tuple[Operand, ...]
    constants: tuple[float, ...]
    instructions: tuple[Instruction, ...]


def encode(
    expression: Expression, buffers: Sequence[Shape], shape: Shape
) -> tuple[list[int], list[Variable], list[int], list[float]]:
    """Return an expression as the plan's operation has it: inputs, parameters, numbers and constants.

    Raises
    ------
    ValueError
        If an operand does not broadcast to `shape` or is not of its buffer's, an instruction reads a value that is not
        computed before it, or there are too many values, parameters or axes.

    Examples
    --------
    >>> doubled = Expression((Operand(0, (3,)),), (2.0,), (Instruction("multiply", (0, 1)),))
    >>> encode(doubled, [(3,)], (3,))[0]
    [0]
    """
    inputs, variables = _sources(expression)
    axes, steps = _rows(expression, shape)
    n_values = len(expression.operands) + len(expression.constants) + len(expression.instructions)
    if not expression.instructions or n_values > MOST_VALUES:
        raise ValueError(
            f"An expression must have 1 instruction at least and {MOST_VALUES} values at most. "
            f"Received: {len(expression.instructions)} instructions, {n_values} values"
        )
    numbers = [len(expression.operands), len(expression.constants), len(expression.instructions)]
    numbers += [len(axes), *_padded(axes)]
    for operand, operand_steps in zip(expression.operands, steps, strict=True):
        if isinstance(operand.source, int):
            source = inputs.index(operand.source)
            _check_buffer(operand, buffers)
        else:
            source = -1 - _place(operand.source, variables)
        own = operand.shape or (1,)
        numbers += [source, math.prod(own[:-1]), own[-1], *_padded(operand_steps)]
    constants = [float(constant) for constant in expression.constants]
    for position, instruction in enumerate(expression.instructions, n_values - len(expression.instructions)):
        numbers += _encoded_instruction(instruction, position, constants)
    return inputs, variables, numbers, constants


class LoopOperand(NamedTuple):
    """An operand of a loop: an input's place, or from -1 downwards a parameter's; and how it goes along."""

    source: int
    width: int
    row_steps: tuple[int, ...]


class Loop(NamedTuple):
    """An expression as native code has it: along the axes of its rows, operands with steps of rows of their own."""

    axes: tuple[int, ...]
    operands: tuple[LoopOperand, ...]
    constants: tuple[float, ...]
    instructions: tuple[Instruction, ...]


def decode(numbers: Sequence[int] | Array, constants: Sequence[float] | Array) -> Loop:
    """Return what `encode` has made of an expression.

    Examples
    --------
    >>> doubled = Expression((Operand(0, (3,)),), (2.0,), (Instruction("multiply", (0, 1)),))
    >>> decode(*encode(doubled, [(3,)], (3,))[2:]).instructions
    (Instruction(name='multiply', operands=(0, 1), parameters=()),)
    """
    following = iter(map(int, numbers))

    def take(n: int) -> tuple[int, ...]:
        return tuple(next(following) for _ in range(n))

    n_operands, n_constants, n_instructions, n_axes = take(4)
    axes = take(_MOST_AXES)[:n_axes]
    operands = []
    for _ in range(n_operands):
        source, _, width = take(3)
        operands.append(LoopOperand(source, width, take(_MOST_AXES)[:n_axes]))
    names = {number: name for name, number in _core.INSTRUCTIONS.items()}
    instructions = []
    for _ in range(n_instructions):
        kind, *values, first = take(5)
        parameters = () if first < 0 else tuple(constants[first : first + _PARAMETERS])
        instructions.append(Instruction(names[kind], tuple(values[: _core.ELEMENTWISE[names[kind]]]), parameters))
    return Loop(axes, tuple(operands), tuple(constants[:n_constants]), tuple(instructions))


def _encoded_instruction(instruction: Instruction, position: int, constants: list[float]) -> list[int]:
    """Return the numbers of the instruction that gives value `position`, whose parameters join the constants."""
    arity = _core.ELEMENTWISE.get(instruction.name)
    if arity is None:
        raise ValueError(f"There is no elementwise function {instruction.name!r}")
    if len(instruction.operands) != arity or not all(0 <= value < position for value in instruction.operands):
        raise ValueError(
            f"{instruction.name!r} must have {arity} operand(s) computed before it, 0 to {position - 1}. "
            f"Received: {instruction.operands}"
        )
    first = -1
    if instruction.parameters:
        first = len(constants)
        constants.extend([*instruction.parameters, 0.0, 0.0][:_PARAMETERS])
    return [_core.INSTRUCTIONS[instruction.name], *instruction.operands, *[0] * (3 - arity), first]


def _sources(expression: Expression) -> tuple[list[int], list[Variable]]:
    """Return the buffers and the parameters that the operands stand for, each once."""
    inputs: list[int] = []
    variables: list[Variable] = []
    for operand in expression.operands:
        if isinstance(operand.source, int):
            if operand.source not in inputs:
                inputs.append(operand.source)
        elif not any(operand.source is known for known in variables):
            variables.append(operand.source)
    if len(variables) > MOST_VARIABLES:
        raise ValueError(f"An expression must have {MOST_VARIABLES} parameters at most. Received: {len(variables)}")
    return inputs, variables


def _place(variable: Variable, variables: list[Variable]) -> int:
    return next(place for place, known in enumerate(variables) if known is variable)


def _check_buffer(operand: Operand, buffers: Sequence[Shape]) -> None:
    """Refuse an operand whose rows are not those of its buffer."""
    held, own = buffers[int(operand.source)], operand.shape or (1,)
    if held[-1] != own[-1] or math.prod(held) != math.prod(own):
        raise ValueError(f"An operand of shape {operand.shape} cannot be read from a buffer of shape {held}")


def _rows(expression: Expression, shape: Shape) -> tuple[list[int], list[list[int]]]:
    """Return the axes of the output's rows, and of each operand how many of its rows lie between two along an axis.

    Neighbouring axes along which every operand either goes on or is repeated count as one.
    """
    rank = len(shape)
    all_steps: list[list[int]] = []
    for operand in expression.operands:
        own = (1,) * (rank - len(operand.shape)) + operand.shape
        if len(own) != rank or any(size not in (1, wanted) for size, wanted in zip(own, shape, strict=True)):
            raise ValueError(f"An operand of shape {operand.shape} does not broadcast to {shape}")
        all_steps.append([0 if own[i] == 1 else math.prod(own[i + 1 : -1]) for i in range(rank - 1)])
    axes: list[int] = []
    steps: list[list[int]] = [[] for _ in all_steps]
    for i in range(rank - 2, -1, -1):
        if shape[i] == 1:
            continue
        if axes and all(own[i] == kept[0] * axes[0] for own, kept in zip(all_steps, steps, strict=True)):
            axes[0] *= shape[i]
            continue
        axes.insert(0, shape[i])
        for of_all, kept in zip(all_steps, steps, strict=True):
            kept.insert(0, of_all[i])
    if len(axes) > _MOST_AXES:
        raise ValueError(f"Operands may be repeated along {_MOST_AXES} axes in turn at most. Received: {len(axes)}")
    return axes, steps


def _padded(numbers: Sequence[int]) -> list[int]:
    return [*numbers, *[0] * (_MOST_AXES - len(numbers))]
