"""Disassemble the built core: its loops of multiply-adds must keep their accumulators in registers.

A compiler that leaves the accumulators of a tile in memory halves the speed and changes no result, so only the machine
code shows it. A hot loop is a backward jump that encloses no other, with at least as many multiply-adds as half a tile
has. One that does nothing else but load is a tile of the matrix product and must not name the stack at all; a loop of
vector math (exp, tanh) may read constants and an array's elements from there, but put nothing aside there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

import cnn_core._core as _core

FEWEST_MULTIPLY_ADDS = 6
MULTIPLY_ADDS_OF_A_TALL_TILE = {"ymm": 12, "zmm": 24}
OTHER_ARITHMETIC = re.compile(r"v(add|sub|mul|div|min|max|sqrt|cvt|round|rndscale|cmp|and|or|xor|blend|psl|psr|padd)")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
STACK = re.compile(r"\(%rsp[,)]|-0x[0-9a-f]+\(%rbp[,)]")


@dataclass(frozen=True)
class Instruction:
    """Hold one line of disassembly."""

    address: int
    name: str
    operands: str

    @property
    def is_multiply_add(self) -> bool:
        return self.name.startswith(("vfmadd", "vfnmadd")) and self.name.endswith(("ps", "pd"))

    @property
    def names_stack(self) -> bool:
        """Whether a vector comes from the stack or goes there."""
        return bool(re.search(r"%[yz]mm", self.operands) and STACK.search(self.operands))

    @property
    def spills(self) -> bool:
        """Whether a vector is put aside at a fixed place on the stack; an array's next element has an index."""
        return self.names_stack and re.search(r"\(%r[sb]p\)$", self.operands) is not None


@pytest.fixture(scope="module")
def instructions():
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump")
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", _core.__file__], capture_output=True, text=True)
    if "x86-64" not in done.stdout:
        pytest.skip("reads x86-64 only")
    found = [LINE.match(line) for line in done.stdout.splitlines()]
    return [Instruction(int(m.group(1), 16), m.group(2), m.group(3)) for m in found if m]


def innermost_loops(instructions):
    """List the bodies of the loops that hold no other loop."""
    position = {instruction.address: index for index, instruction in enumerate(instructions)}
    spans = []
    for index, instruction in enumerate(instructions):
        target = re.match(r"([0-9a-f]+)\b", instruction.operands)
        # The way back from a piece of code that the compiler put out of line is unconditional, or passes a return.
        if instruction.name.startswith("j") and instruction.name != "jmp" and target:
            start = position.get(int(target.group(1), 16))
            if start is not None and start <= index and not any(i.name == "ret" for i in instructions[start:index]):
                spans.append((start, index))
    spans.sort(key=lambda span: span[1] - span[0])
    innermost = []
    taken = set()
    for start, end in spans:
        if taken.isdisjoint(range(start, end + 1)):
            innermost.append(instructions[start : end + 1])
            taken.update(range(start, end + 1))
    return innermost


def hot_loops(instructions, register):
    """List the innermost loops that are made of multiply-adds on this kind of register."""
    loops = []
    for body in innermost_loops(instructions):
        count = sum(instruction.is_multiply_add and f"%{register}" in instruction.operands for instruction in body)
        if count >= FEWEST_MULTIPLY_ADDS:
            loops.append(body)
    return loops


def is_tile(body):
    """Return whether a loop belongs to the matrix product: it loads, multiplies and adds, and nothing else."""
    return not any(OTHER_ARITHMETIC.match(instruction.name) for instruction in body)


def shown(body, culprits):
    return [f"loop at {body[0].address:x}: {culprit.name} {culprit.operands}" for culprit in culprits]


@pytest.mark.parametrize("register", list(MULTIPLY_ADDS_OF_A_TALL_TILE))
def test_tiles_of_the_product_stay_in_registers(instructions, register):
    tiles = [body for body in hot_loops(instructions, register) if is_tile(body)]
    tallest = max(sum(instruction.is_multiply_add for instruction in body) for body in tiles)
    assert tallest >= MULTIPLY_ADDS_OF_A_TALL_TILE[register]
    assert not [line for body in tiles for line in shown(body, [i for i in body if i.names_stack])]


@pytest.mark.parametrize("register", list(MULTIPLY_ADDS_OF_A_TALL_TILE))
def test_loops_of_vector_math_keep_nothing_on_the_stack(instructions, register):
    loops = [body for body in hot_loops(instructions, register) if not is_tile(body)]
    assert loops
    assert not [line for body in loops for line in shown(body, [i for i in body if i.spills])]


def test_a_spilled_accumulator_would_be_found():
    spilled = [Instruction(0, "vmovaps", "%ymm3,0x40(%rsp)"), Instruction(8, "vfmadd231ps", "-0x20(%rbp),%ymm1,%ymm2")]
    assert all(instruction.names_stack for instruction in spilled)
    assert [instruction.spills for instruction in spilled] == [True, False]
    assert not Instruction(0, "vmovaps", "%ymm3,0x40(%rsp,%rdi,1)").spills
    assert not Instruction(0, "vfmadd231ps", "(%rax,%rdx,4),%ymm1,%ymm2").names_stack
