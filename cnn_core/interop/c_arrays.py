"""What operations on arrays are in C: expressions written out as loops, reductions, selections, products, order."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

import cnn_core._core as _core
from cnn_core.interop.c_functions import ACTIVATIONS, define
from cnn_core.interop.c_statements import Row, Statements
from cnn_core.network.expression import Instruction, Loop, LoopOperand, decode
from cnn_core.network.plan import Operation

# Elementwise functions besides the activations, as src/simd/kinds.h has them: expressions of a, b, c.
FORMULAS = {
    "identity": "a",
    "stop_gradient": "a",
    "negative": "-a",
    "abs": "MATH(fabs)(a)",
    "sign": "(a > 0 ? 1 : (a < 0 ? -1 : a))",
    "square": "a * a",
    "sqrt": "MATH(sqrt)(a)",
    "rsqrt": "1 / MATH(sqrt)(a)",
    "reciprocal": "1 / a",
    **{name: f"MATH({name})(a)" for name in ("exp", "expm1", "exp2", "log", "log1p", "log2", "log10")},
    **{name: f"MATH({name})(a)" for name in ("sin", "cos", "tan", "sinh", "cosh", "erf", "floor", "ceil", "trunc")},
    **{f"arc{name}": f"MATH(a{name})(a)" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "round": "MATH(rint)(a)",
    "isnan": "isnan(a) != 0",
    "isinf": "isinf(a) != 0",
    "isfinite": "isfinite(a) != 0",
    "logical_not": "a == 0",
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "power": "MATH(pow)(a, b)",
    "maximum": "larger(a, b)",
    "minimum": "-larger(-a, -b)",
    "floor_divide": "floor_quotient(a, b)",
    "remainder": "floor_remainder(a, b)",
    "arctan2": "MATH(atan2)(a, b)",
    "logaddexp": "log_sum(a, b)",
    "equal": "a == b",
    "not_equal": "a != b",
    "greater": "a > b",
    "greater_equal": "a >= b",
    "less": "a < b",
    "less_equal": "a <= b",
    "logical_and": "a != 0 && b != 0",
    "logical_or": "a != 0 || b != 0",
    "logical_xor": "(a != 0) != (b != 0)",
    "where": "a != 0 ? b : c",
    "clip": "-larger(-larger(a, b), -c)",
}

define(
    {
        "larger": """\
/* NAN where either is */
static real larger(real a, real b) { return a > b ? a : (b >= a ? b : a + b); }
""",
        "floor_remainder": """\
static real floor_remainder(real a, real b)
{
    const double rest = fmod(a, b);
    if (rest == 0)
        return (real)copysign(rest, b);
    return (real)((rest < 0) != (b < 0) ? rest + b : rest);
}
""",
        "floor_quotient": """\
static real floor_quotient(real a, real b)
{
    const double rest = fmod(a, b);
    if (b == 0)
        return a / b;
    return (real)(rint((a - rest) / b) - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0));
}
""",
        "log_sum": """\
/* log(exp(a) + exp(b)) */
static real log_sum(real a, real b)
{
    const real top = larger(a, b);
    return isinf(top) ? top : top + MATH(log1p)(MATH(exp)(-MATH(fabs)(a - b)));
}
""",
        "put_numbers": """\
static void put_numbers(real *y, const double *numbers, size_t n)
{
    for (; n > 0; n--)
        *y++ = (real)*numbers++;
}
""",
        "pick": """\
/* Copies runs: where each begins in y and in x, and its length. */
static void pick(real *y, const real *x, const size_t *runs, size_t n_runs)
{
    size_t i;
    for (; n_runs > 0; n_runs--, runs += 3)
        for (i = 0; i < runs[2]; i++)
            y[runs[0] + i] = x[runs[1] + i];
}
""",
        "gather": """\
/* y[o][j][i] = x[o][numbers[j]][i], or x[o][numbers[o][j][i]][i] if they go along; negative ones count from the end.
   Returns how many numbers are outside: what they ask for is 0. */
static int gather(real *y, const real *x, const real *numbers, size_t n_outer, size_t size, size_t n_inner,
                  size_t count, int along)
{
    int outside = 0;
    size_t o, j, i;
    for (o = 0; o < n_outer; o++)
        for (j = 0; j < count; j++)
            for (i = 0; i < n_inner; i++, y++) {
                const real given = along ? numbers[(o * count + j) * n_inner + i] : numbers[j];
                const real number = given < 0 ? given + (real)size : given;
                const int is_inside = number >= 0 && number < (real)size;
                *y = is_inside ? x[(o * size + (size_t)number) * n_inner + i] : 0;
                outside += !is_inside;
            }
    return outside;
}
""",
        "multiply_matrices": """\
/* y (m, n) = u (m, k) . v (k, n), pair by pair of matrices by their numbers */
static void multiply_matrices(real *y, const real *u, const real *v, const size_t *pairs, size_t n_pairs, size_t m,
                              size_t k, size_t n)
{
    size_t r, i, c;
    for (; n_pairs > 0; n_pairs--, pairs += 2)
        for (r = 0; r < m; r++, y += n) {
            for (c = 0; c < n; c++)
                y[c] = 0;
            for (i = 0; i < k; i++)
                for (c = 0; c < n; c++)
                    y[c] = FUSED(u[(pairs[0] * m + r) * k + i], v[(pairs[1] * k + i) * n + c], y[c]);
        }
}
""",
        "comes_before": """\
/* Whether element i of a row stands before element j in order; NAN counts as the largest, equals keep their order. */
static int comes_before(const real *x, size_t i, size_t j, int descending)
{
    const real a = descending ? x[j] : x[i], b = descending ? x[i] : x[j];
    if (a < b || (isnan(b) && !isnan(a)))
        return 1;
    return i < j && !(b < a || (isnan(a) && !isnan(b)));
}
""",
        "numbers_in_order": """\
/* The numbers of the first k elements of each row in order: an element's place is how many come before it. */
static void numbers_in_order(real *y, const real *x, size_t n_rows, size_t width, size_t k, int descending)
{
    size_t i, j;
    for (; n_rows > 0; n_rows--, x += width, y += k) {
        for (i = 0; i < k; i++)
            y[i] = 0; /* compilers do not see that every place is filled */
        for (i = 0; i < width; i++) {
            size_t place = 0;
            for (j = 0; j < width; j++)
                place += i != j && comes_before(x, j, i, descending);
            if (place < k)
                y[place] = (real)i;
        }
    }
}
""",
    }
)

_RUNNING = """\
static void running_{name}(real *y, const real *x, size_t n_rows, size_t width)
{{
    size_t i;
    for (; n_rows > 0; n_rows--, x += width, y += width) {{
        double total = {start};
        for (i = 0; i < width; i++)
            y[i] = (real)(total {operator}= x[i]);
    }}
}}
"""
define(
    {
        f"running_{name}": _RUNNING.format(name=name, start=start, operator=operator)
        for name, start, operator in (("sums", 0, "+"), ("products", 1, "*"))
    }
)

_REDUCE = """\
static void reduce_{name}(real *y, const real *x, size_t n_out, size_t size)
{{
    size_t i;
    for (; n_out > 0; n_out--, x += size) {{
        {start}
        for (i = 0; i < size; i++)
            {step}
        *y++ = {result};
    }}
}}
"""
_PLACE = (
    "size_t at = 0;",
    "if (({sign}x[i] > {sign}x[at] || isnan(x[i])) && !isnan(x[at])) at = i;",
)
_REDUCTIONS = {
    "sum": ("double total = 0;", "total += x[i];", "(real)total"),
    "mean": ("double total = 0;", "total += x[i];", "(real)(total / (double)size)"),
    "prod": ("double total = 1;", "total *= x[i];", "(real)total"),
    "max": (_PLACE[0], _PLACE[1].format(sign=""), "x[at]"),
    "min": (_PLACE[0], _PLACE[1].format(sign="-"), "x[at]"),
    "argmax": (_PLACE[0], _PLACE[1].format(sign=""), "(real)at"),
    "argmin": (_PLACE[0], _PLACE[1].format(sign="-"), "(real)at"),
    "any": ("size_t count = 0;", "count += x[i] != 0;", "count > 0"),
    "all": ("size_t count = 0;", "count += x[i] != 0;", "count == size"),
}
define(
    {
        f"reduce_{name}": _REDUCE.format(name=name, start=parts[0], step=parts[1], result=parts[2])
        for name, parts in _REDUCTIONS.items()
    }
)
define(
    {
        "reduce_logsumexp": """\
static void reduce_logsumexp(real *y, const real *x, size_t n_out, size_t size)
{
    size_t i;
    for (; n_out > 0; n_out--, x += size) {
        real top = -INFINITY;
        double total = 0;
        for (i = 0; i < size; i++)
            top = larger(top, x[i]);
        for (i = 0; i < size; i++)
            total += MATH(exp)(x[i] - top);
        *y++ = isinf(top) ? top : (real)(top + log(total));
    }
}
""",
    }
)
_AGGREGATES = {number: name for name, number in _core.AGGREGATES.items()}


def _expression(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    """A loop over rows and columns; every instruction is a constant in it."""
    loop = decode(o.numbers, o.constants)
    n_rows, width = s.rows(o.output)
    values = [_operand(s, o, x, loop, operand, width) for operand in loop.operands]
    values += [f"({s.number(constant)})" for constant in loop.constants]
    lines = []
    for instruction in loop.instructions:
        lines.append(f"const real v{len(values)} = {_formula(s, instruction, values)};")
        values.append(f"v{len(values)}")
    s.lines += [
        "{",
        "    size_t r, c;",
        f"    for (r = 0; r < {n_rows}; r++)",
        f"        for (c = 0; c < {width}; c++) {{",
        *(f"            {line}" for line in [*lines, f"{y}[r * {width} + c] = {values[-1]};"]),
        "        }",
        "}",
    ]


def _operand(s: Statements, o: Operation, x: Sequence[str], loop: Loop, operand: LoopOperand, width: int) -> str:
    """The element of an operand that meets element c of row r of the output."""
    strides = [math.prod(loop.axes[axis + 1 :]) for axis in range(len(loop.axes))]
    if list(operand.row_steps) == strides:
        row = "r"
    else:
        parts = zip(loop.axes, strides, operand.row_steps, strict=True)
        row = " + ".join(f"r / {stride} % {axis} * {step}" for axis, stride, step in parts if step) or "0"
    place = f"({row}) * {operand.width} + {'c' if operand.width == width else '0'}"
    if operand.source >= 0:
        return f"{x[operand.source]}[{place}]"
    return f"VALUE(({s.parameter(o, -1 - operand.source)})[{place}])"


def _formula(s: Statements, instruction: Instruction, values: Sequence[str]) -> str:
    operands = [values[place] for place in instruction.operands]
    if instruction.name == "linear":
        return operands[0]
    if instruction.name in ACTIVATIONS:
        numbers = map(s.number, [*instruction.parameters, 0.0, 0.0, 0.0][:3])
        return f"{instruction.name}_of({operands[0]}, {', '.join(numbers)})"
    return re.sub(r"\b[abc]\b", lambda found: operands["abc".index(found[0])], FORMULAS[instruction.name])


def _reduction(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_out = s.size(o.output)
    size = s.size(o.inputs[0]) // n_out if n_out else 0
    s.call(f"reduce_{_AGGREGATES[o.integers[0]]}", y, x[0], n_out, size)


def _selection(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    runs = np.asarray(o.numbers, np.int64)
    s.call("pick", y, x[0], s.table(runs, "runs"), len(runs) // 3)


def _gathering(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("outside += gather", y, *x, *o.integers)


def _matrices(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    pairs = np.asarray(o.numbers, np.int64)
    m, k = o.integers
    s.call("multiply_matrices", y, *x, s.table(pairs, "pairs"), len(pairs) // 2, m, k, s.rows(o.output)[1])


def _scan(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("running_products" if o.integers[0] else "running_sums", y, x[0], *s.rows(o.output))


def _sort(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("numbers_in_order", y, x[0], *s.rows(o.inputs[0]), s.rows(o.output)[1], o.integers[0])


def _constant(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("put_numbers", y, s.table(np.asarray(o.constants, np.float64), "constant"), s.size(o.output))


ARRAY_OPERATIONS: dict[str, Row] = {
    "expression": _expression,
    "reduction": _reduction,
    "selection": _selection,
    "gathering": _gathering,
    "matrices": _matrices,
    "scan": _scan,
    "sort": _sort,
    "constant": _constant,
}
