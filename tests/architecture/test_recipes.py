"""Tests of the recipes in docs/architecture.md: followed in a copy of the tree, which is built and used.

What is added stands in ADDITIONS, place by place in the order of the document, so that the two cannot part.
"""
# ruff: noqa: E501  (lines of other files, as they stand there)

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_PLACES = {
    "an activation": 3,
    "an elementwise function": 2,
    "an optimizer's rule": 3,
    "a loss": 3,
    "a metric": 3,
    "an operation": 4,
    "an instruction set": 3,
}


class Insertion(NamedTuple):
    """Text that goes before an anchor's first place, or `after` it; without an anchor it is a new file."""

    file: str
    anchor: str
    text: str
    after: bool = False


ADDITIONS: dict[str, tuple[Insertion, ...]] = {
    "an activation": (
        Insertion("src/simd/kinds.h", "    DO(GELU, gelu", "    DO(SQUARED, squared, Z) \\\n"),
        Insertion(
            "src/simd/activations.template.c",
            "FORMULA(softsign)",
            "FORMULA(squared) { return (void)p, z * z; }\nSLOPE_OF_Z(squared) { return (void)p, z + z; }\n\n",
        ),
        Insertion(
            "cnn_core/activations/elementwise.py",
            "@registered\nclass GELU",
            '@registered\nclass Squared(Activation):\n    """`g(z) = z^2`."""\n\n    name = native = "squared"\n\n\n'
            "squared = Squared()\n\n\n",
        ),
    ),
    "an elementwise function": (
        Insertion("src/simd/kinds.h", "    DO(SQRT, sqrt", "    DO(CUBE, cube, 1, SLOPED) \\\n"),
        Insertion(
            "src/simd/functions.template.c",
            "FUNCTION(sqrt)",
            "FUNCTION(cube) { return a * a * a; }\nADJOINT(cube) { return 3 * a * a * dy; }\n",
        ),
    ),
    "an optimizer's rule": (
        Insertion("src/simd/rules.h", "    DO(ADAGRAD", '    DO(SHORTER, shorter, "beta_1", 0) \\\n'),
        Insertion(
            "src/simd/optimizers.template.c",
            "RULE(lion)",
            "RULE(shorter) { return t.w -= broadcast(r.lr) * r.beta_1 * g, t; }\n"
            "STEP(shorter) {\n    (void)h, (void)s;\n    SWEEP(n_slots, shorter);\n}\n",
        ),
        Insertion(
            "cnn_core/optimizers/rules.py",
            "@registry.register()\nclass Lion",
            '@registry.register()\nclass Shorter(Optimizer):\n    """w = w - lr * beta_1 * g"""\n\n'
            '    native = "shorter"\n    _hyperparameters = ("beta_1",)\n\n'
            "    def __init__(self, learning_rate: Any = 0.1, beta_1: float = 0.5, **tail: Any) -> None:\n"
            "        super().__init__(learning_rate, **tail)\n        self.beta_1 = beta_1\n\n"
            "    def slots(self) -> Slots:\n        return ()\n\n\n",
        ),
    ),
    "a loss": (
        Insertion(
            "src/training/loss_rows.pxd",
            "cdef inline double huber_row(",
            "cdef inline double quartic_row(const Loss *loss, real *g, const real *y, const real *a,\n"
            "                               Py_ssize_t n) noexcept nogil:\n"
            "    cdef Py_ssize_t c\n    cdef double total = 0, e\n    for c in range(n):\n"
            "        e = <double> a[c] - y[c]\n        total += e * e * e * e\n        if g != NULL:\n"
            "            g[c] = <real> (4 * e * e * e / n)\n    return total / n\n\n\n",
        ),
        Insertion(
            "src/training/losses.pxd",
            '    add(rows, &n, "huber"',
            '    add(rows, &n, "quartic", quartic_row, quartic_row)\n',
        ),
        Insertion(
            "cnn_core/losses/regression.py",
            '@registry.register("huber_loss")',
            '@registry.register("quartic")\nclass Quartic(Loss):\n    """v = mean_j (p_j - y_j)^4"""\n\n'
            '    native = "quartic"\n\n'
            '    def __init__(self, reduction: Any = "sum_over_batch_size", name: str = "quartic", dtype: Any = None) -> None:\n'
            "        super().__init__(name, reduction, dtype)\n\n\n"
            "@function_form(Quartic)\ndef quartic(y_true: Any, y_pred: Any) -> Array:\n"
            "    return Quartic().call(y_true, y_pred)\n\n\n",
        ),
    ),
    "a metric": (
        Insertion(
            "src/training/metrics.pxd",
            "cdef inline int list_metrics(",
            "cdef inline double within_one_row(const Metric *m, const real *y, const int32_t *label, const real *a,\n"
            "                                  Py_ssize_t n) noexcept nogil:\n"
            "    cdef Py_ssize_t c, right = 0\n    for c in range(n):\n"
            "        right += -1 <= a[c] - y[c] <= 1\n    return <double> right / n\n\n\n",
        ),
        Insertion(
            "src/training/metrics.pxd",
            "    return 4",
            '    rows[4] = traits("within_one", within_one_row, within_one_row, VALUES)\n    return 5\n',
        ),
        Insertion(
            "cnn_core/metrics/accuracy.py",
            "@registry.register()\nclass BinaryAccuracy",
            "def within_one(y_true: Any, y_pred: Any) -> Any:\n"
            "    return (abs(validation.np.asarray(y_true) - y_pred) <= 1).mean(axis=-1)\n\n\n"
            '@registry.register()\nclass WithinOne(MeanOf):\n    """How often a prediction is within one of the target."""\n\n'
            '    native = "within_one"\n    higher_is_better = True\n    _of = (within_one,)\n\n'
            '    def __init__(self, name: Any = "within_one", dtype: Any = None) -> None:\n'
            "        super().__init__(name, dtype)\n\n\n",
        ),
    ),
    "an operation": (
        Insertion(
            "src/operations/negation.pxd",
            "",
            "from plan cimport Step\nfrom simd cimport real\n\n\n"
            "cdef inline void negate_forward(const Step *s, real **tensors) noexcept nogil:\n"
            "    cdef Py_ssize_t r, c\n    for r in range(s.n_rows):\n        for c in range(s.input.width):\n"
            "            (<real *> s.y)[r * s.y_row + c] = -(<const real *> s.x)[r * s.x_row + c]\n\n\n"
            "cdef inline void negate_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:\n"
            "    cdef Py_ssize_t r, c\n    cdef real before\n    if s.dx == NULL:\n        return\n"
            "    for r in range(s.n_rows):\n        for c in range(s.input.width):\n"
            "            before = (<real *> s.dx)[r * s.x_row + c] if s.adds_dx else 0\n"
            "            (<real *> s.dx)[r * s.x_row + c] = before - (<real *> s.dy)[r * s.y_row + c]\n",
        ),
        Insertion("src/operations/operations.pxd", "from normalization cimport *", "from negation cimport *\n"),
        Insertion(
            "src/operations/operations.pxd",
            '    add(rows, &n, "reshape"',
            '    add(rows, &n, "negate", same_shape, NULL, negate_forward, negate_forward, negate_backward, negate_backward)\n',
        ),
        Insertion(
            "cnn_core/layers/reshaping.py",
            "@registry.register()\nclass Flatten",
            '@registry.register()\nclass Negate(Layer):\n    """y = -x"""\n\n'
            "    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:\n"
            '        return [plan.add("negate", inputs, plan.shapes[inputs[0]], layer=self.name)]\n\n\n',
        ),
    ),
    "an instruction set": (
        Insertion("src/simd/everyday.c", "", "portable.c once more, under another name"),
        Insertion("src/simd/dispatch.c", "/* Best first:", "static int always(void) { return 1; }\n\n"),
        Insertion("src/simd/dispatch.c", "    DO(portable, everywhere)", "    DO(everyday, always) \\\n"),
    ),
}

USE = """
import numpy as np
import cnn_core
from cnn_core import _core, inspection, layers
from cnn_core.activations import squared
from cnn_core.layers import Negate
from cnn_core.losses import Quartic
from cnn_core.metrics import WithinOne
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.plan import NetworkPlan
from cnn_core.optimizers import Shorter

x = np.random.default_rng(0).normal(size=(6, 4))
y = np.random.default_rng(1).normal(size=(6, 2))
model = cnn_core.Sequential(
    [cnn_core.Input((4,), dtype="float64"), layers.Dense(3, squared, dtype="float64"), Negate(dtype="float64"),
     layers.Dense(2, dtype="float64")]
)
model.compile(Shorter(0.25, 0.5), Quartic(), metrics=[WithinOne()])
w, b, v, c = model.get_weights()
expected = -((x @ w + b) ** 2) @ v + c
np.testing.assert_allclose(model.predict(x), expected, rtol=1e-12)
loss, within = model.evaluate(x, y, verbose=0)
np.testing.assert_allclose(loss, ((expected - y) ** 4).mean(), rtol=1e-12)
np.testing.assert_allclose(within, (abs(expected - y) <= 1).mean(), rtol=1e-12)
assert inspection.gradient_check(model, x, y)
first = model.gradients(x, y)[0]
model.fit(x, y, batch_size=6, verbose=0)
np.testing.assert_allclose(model.get_weights()[0], w - 0.125 * first, rtol=1e-10)

plan = NetworkPlan()
operands = (Operand(plan.add_input((4,)), (4,)),)
plan.outputs = [plan.add_expression(Expression(operands, (), (Instruction("cube", (0,)),)), (4,), layer="cube")]
network = _core.Network("float64", plan)
network.bind([], [])
block = _core.Block(network, 6)
np.testing.assert_allclose(block.forward([x])[0], x**3, rtol=1e-14)
np.testing.assert_allclose(block.backward([x.copy()])[0], 3 * x**3, rtol=1e-14)
print(_core.instruction_set())
"""


def recipes() -> dict[str, list[tuple[str, str]]]:
    """Read the document: for every recipe its places, each a file or folder and what is said of it."""
    parts = re.split(r"^### Add ", DOCUMENT, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: re.findall(r"^\d+\. `([^`]+)`: (.*)$", part, flags=re.MULTILINE) for part in parts}


def test_every_recipe_is_short_and_is_followed() -> None:
    found = recipes()
    assert found.keys() == MOST_PLACES.keys() == ADDITIONS.keys()
    for name, places in found.items():
        assert 0 < len(places) <= MOST_PLACES[name], name
        for (file, _), place in zip(places, ADDITIONS[name], strict=True):
            assert place.file.startswith(file), (name, file)


@pytest.mark.parametrize("name", MOST_PLACES)
def test_the_words_of_a_recipe_stand_where_it_says(name: str) -> None:
    for file, what in recipes()[name]:
        path = ROOT / file
        assert path.exists(), file
        words = [word for word in re.findall(r"`([^`]+)`", what) if path.is_file()]
        for word in words if path.suffix != ".c" else words[:1]:
            assert word in path.read_text(encoding="utf-8") or word == "higher_is_better", (file, word)


def insert(tree: Path, addition: Insertion) -> None:
    path = tree / addition.file
    if not addition.anchor:
        own = path.suffix == ".c"
        source = (tree / "src/simd/portable.c").read_text(encoding="utf-8") if own else addition.text
        path.write_text(source.replace("INSTRUCTION_SET portable", "INSTRUCTION_SET everyday"), encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    assert addition.anchor in text, addition
    new = addition.anchor + addition.text if addition.after else addition.text + addition.anchor
    everywhere = addition.file.endswith("dispatch.c")  # a list for every processor
    path.write_text(text.replace(addition.anchor, new, -1 if everywhere else 1), encoding="utf-8")


def test_what_the_recipes_add_works(tmp_path: Path) -> None:
    if shutil.which(os.environ.get("CC", "cc").split()[0]) is None or importlib.util.find_spec("Cython") is None:
        pytest.skip("needs a C compiler and Cython")
    tree = tmp_path / "tree"
    left_out = shutil.ignore_patterns(".git", "build", "*.so", "*.pyd", "__pycache__", "tests", "benchmarks", "_core.c")
    shutil.copytree(ROOT, tree, ignore=left_out)
    for places in ADDITIONS.values():
        for place in places:
            insert(tree, place)
    build = [sys.executable, "setup.py", "build_ext", "--inplace"]
    flags = {**os.environ, "CNN_CORE_CFLAGS": "-O0", "PYTHONPATH": str(tree)}
    done = subprocess.run(build, cwd=tree, env=flags, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    for instruction_set in ("everyday", "portable"):
        environment = {**flags, "CNN_CORE_ISA": instruction_set}
        used = subprocess.run([sys.executable, "-c", USE], cwd=tree, env=environment, capture_output=True, text=True)
        assert used.returncode == 0, used.stderr[-3000:]
        assert used.stdout.strip() == instruction_set
