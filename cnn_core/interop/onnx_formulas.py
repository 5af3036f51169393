"""Functions of one symbol that are still to become layers: their nodes, and what they make of sample rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_arrays import compute
from cnn_core.network.graph import Symbol

LONGEST = 100  # nodes in a formula
MOST_TRIES = 3000  # of formulas in a file
_WIDEST = 1 << 14  # numbers in a sample that is tried
_LEAST = 400  # numbers in all sample rows
_SCALES = (1.0, 0.01, 3.0, 10.0, 60.0, 0.3)  # of the rows, which small constants and large limits show in
_USUAL = (0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0, 2.0, -2.0, 20.0, -20.0, 60.0, -60.0)


@dataclass(eq=False)
class Formula:
    """What an operator makes of formulas, symbols and constants, all of one symbol.

    Attributes
    ----------
    label : str
        Of its node, for messages.
    base : Symbol
    operator : str
        A key of `ARRAYS`.
    attributes : mapping
    operands : sequence of Formula, Symbol, numpy.ndarray or None
    place, n_outputs : int
        Which of how many outputs it is.
    base_rows, values : numpy.ndarray
        The sample rows of the base, and what it makes of them.
    length : int
        The number of nodes from the base to here; those that are reached in several ways count each time.
    result : Symbol or ValueError or None
        What it has become.
    """

    label: str
    base: Symbol
    operator: str
    attributes: Mapping[str, Any]
    operands: Sequence[Any]
    place: int
    n_outputs: int
    base_rows: Array
    values: Array
    length: int = 1
    result: Any = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[Any, ...]:
        return (None, *self.values.shape[1:])

    def inner(self) -> list[Formula]:
        """Return this formula and all inside, each after those that it reads."""
        found: dict[int, Formula] = {}
        waiting: list[tuple[Formula, bool]] = [(self, False)]
        while waiting:
            formula, is_read = waiting.pop()
            if is_read:
                found.setdefault(id(formula), formula)
            elif id(formula) not in found:
                waiting.append((formula, True))
                waiting.extend((each, False) for each in formula.operands if isinstance(each, Formula))
        return list(found.values())

    def constants(self) -> Iterator[Array]:
        """Yield the constants that it computes with, each once."""
        seen: set[int] = set()
        for formula in self.inner():
            for each in formula.operands:
                if isinstance(each, np.ndarray) and each.dtype.kind == "f" and id(each) not in seen:
                    seen.add(id(each))
                    yield each

    def at(self, argument: Formula | Symbol, rows: Array, most: int) -> Array:
        """Compute it where the argument, a formula inside or the base, has these values.

        Raises
        ------
        ValueError
            If it depends on more than the argument.
        """
        known: dict[int, Any] = {id(argument): rows}
        for formula in self.inner():
            if id(formula) in known:
                continue
            if any(id(each) in known for each in formula.operands if isinstance(each, (Formula, Symbol))):
                known[id(formula)] = formula.computed(known, most)
        if id(self) not in known:
            raise ValueError("it must depend on the argument")
        return np.asarray(known[id(self)])

    def computed(self, known: Mapping[int, Any], most: int) -> Array:
        """Compute it from what its operands are; see `at`."""
        arrays = []
        for each in self.operands:
            if isinstance(each, (Formula, Symbol)):
                if id(each) not in known:
                    raise ValueError("it must depend on the argument alone")
                each = known[id(each)]
            arrays.append(each)
        made = compute(self.operator, self.attributes, arrays, self.n_outputs, most)
        return np.asarray(made[self.place] if isinstance(made, tuple) else made)


class Samples:
    """The rows at which formulas are compared, for every symbol; in them are the constants of the file.

    Parameters
    ----------
    constants : sequence of float
    budget : int
        How many numbers all formulas together may have.
    """

    def __init__(self, constants: Sequence[float], budget: int) -> None:
        near = [each + step for each in constants for step in (0.0, 1e-3, -1e-3, 1.0, -1.0, each / 2)]
        self._special = np.array([*_USUAL, *near, *(-each for each in near)])
        self._rows: dict[int, Array] = {}
        self.budget = budget
        self._tries = MOST_TRIES

    def may_try(self) -> bool:
        """Whether one more formula may be compared with what is known: no file may take hours."""
        self._tries -= 1
        return self._tries >= 0

    def rows(self, base: Symbol) -> Array:
        """Return the sample rows of a symbol: (n, *shape of a sample), float64.

        Raises
        ------
        ValueError
            If there would be too many numbers.
        """
        if id(base) not in self._rows:
            sizes: list[Any] = list(base.shape[1:])
            width = math.prod(sizes)
            if not 0 < width <= _WIDEST:
                raise ValueError("its samples are too large to try")
            wanted = max(_LEAST, 3 * len(self._special))
            n = max(len(_SCALES), -(-wanted // width))
            draw = np.random.default_rng(0)
            rows = draw.normal(size=(n, width)) * np.resize(_SCALES, n)[:, None]
            rows[3::4] += 1.0
            flat = rows[2:].reshape(-1)  # a view
            places = draw.permutation(flat.size)[: min(len(self._special), flat.size // 2)]
            flat[places] = draw.permutation(self._special)[: len(places)]
            self._rows[id(base)] = rows.reshape(n, *sizes)
        return self._rows[id(base)]

    def formulas(
        self, label: str, operator: str, attributes: Mapping[str, Any], operands: Sequence[Any], n_outputs: int
    ) -> list[Formula] | None:
        """Return what an operator makes of operands as formulas, one for each output.

        None if the operands are of several symbols, too large to try, or do not fit.
        """
        bases = {id(base): base for each in operands if (base := _base_of(each)) is not None}
        length = 1 + sum(each.length for each in operands if isinstance(each, Formula))
        if len(bases) != 1 or length > LONGEST:
            return None
        base = next(iter(bases.values()))
        try:
            rows = self.rows(base)
            arrays = [self._values(each) for each in operands]
            made = compute(operator, attributes, arrays, n_outputs, min(self.budget, 64 * rows.size))
        except (ValueError, TypeError, IndexError, KeyError, ArithmeticError):
            return None
        found = made if isinstance(made, tuple) else (made,)
        if any(each.ndim == 0 or len(each) != len(rows) for each in found):
            return None
        self.budget -= sum(each.size for each in found)
        return [
            Formula(label, base, operator, attributes, operands, place, n_outputs, rows, np.asarray(each), length)
            for place, each in enumerate(found)
        ]

    def _values(self, operand: object) -> Any:
        if isinstance(operand, Symbol):
            return self.rows(operand)
        return operand.values if isinstance(operand, Formula) else operand


def _base_of(operand: object) -> Symbol | None:
    if isinstance(operand, Symbol):
        return operand
    return operand.base if isinstance(operand, Formula) else None
