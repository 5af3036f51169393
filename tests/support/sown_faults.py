"""A fault for every row of reliability.py, which its tests must find; `python tests/matrix --sow` sows them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """A text of a file, what stands there instead, and the tests to ask, where the row's own would take long."""

    path: str
    text: str
    instead: str
    tests: tuple[str, ...] = ()

    def sow(self, tree: Path) -> None:
        """Put the fault into a tree."""
        file = tree / self.path
        content = file.read_text(encoding="utf-8")
        if content.count(self.text) != 1:
            raise ValueError(f"{self.path} must hold the text once. Received: {content.count(self.text)} times")
        file.write_text(content.replace(self.text, self.instead), encoding="utf-8")

    @property
    def is_native(self) -> bool:
        """Whether the core must be built again."""
        return self.path.startswith("src/")


EPOCHS = "cnn_core/training/epochs.py"
COMPILED = "cnn_core/training/compiled.py"
MODEL_FILE = "cnn_core/foundation/model_file.py"
POOL = "src/threads/pool.c"

FAULTS = {
    "gradients": Fault(
        "src/simd/activations.template.c",
        "SLOPE_OF_A(tanh) { return (void)p, (1 - a) * (1 + a); }",
        "SLOPE_OF_A(tanh) { return (void)p, (1 - a) * (1 + 2 * a); }",
        ("tests/activations",),
    ),
    "optimizers": Fault(
        "src/simd/optimizers.template.c",
        "    t.w -= r.lr * t.s0 / (square_root(t.s1) + r.epsilon);\n    return t;\n}\n/* s2 = v_max",
        "    t.w -= r.lr * g / (square_root(t.s1) + r.epsilon);\n    return t;\n}\n/* s2 = v_max",
    ),
    "extreme logits": Fault(
        "src/simd/softmax.template.c",
        "    for (ptrdiff_t c = 0; c < n_cols; c++) largest = z[c] > largest ? z[c] : largest;\n",
        "    largest = 0;\n",
    ),
    "not finite": Fault(
        "cnn_core/foundation/validation/contents.py",
        " and _core.all_finite(x):\n        return x",
        ":\n        return x",
    ),
    "subnormals": Fault(
        POOL,
        "if (n_done == 0 && floating_mode() != job.floating_mode) set_floating_mode(job.floating_mode);",
        "if (n_done == 0) set_floating_mode(job.floating_mode | 0x8040u);",
    ),
    "determinism": Fault(
        COMPILED,
        "            self._seed = random_state.next_seed()\n        return self._seed",
        "            self._seed = random_state.next_seed()\n        return self._seed + _core.get_num_threads()",
    ),
    "input zoo": Fault(
        "cnn_core/foundation/validation/arrays.py",
        "if masked is not None and isinstance(x, masked.MaskedArray):",
        "if False:",
        ("tests/foundation/test_input_zoo.py",),
    ),
    "threads": Fault(
        POOL,
        "        job.task(job.context, end_of_share(owner) - position);",
        "        job.task(job.context, end_of_share(owner) - (owner > 0 ? 1 : position));",
    ),
    "released lock": Fault(
        "src/door/pass.pxi",
        "        with nogil:\n            if self.network.element_size == 4:\n                status = run_slice",
        "        if True:\n            if self.network.element_size == 4:\n                status = run_slice",
    ),
    "processes": Fault(POOL, "        watch_forks(start_over);\n", ""),
    "interrupts": Fault(
        EPOCHS,
        '            attributes["batches_seen"] = segment.native.step if segment.native.step > before else before\n'
        "            _finish(note)",
        '            attributes["batches_seen"] = before\n            _finish(note)',
    ),
    "short memory": Fault(
        EPOCHS,
        "    if not made:\n        diverged(model, native.last_loss",
        "    bytearray(4096)\n    if not made:\n        diverged(model, native.last_loss",
    ),
    "leaks": Fault(
        COMPILED,
        "        self._training = threading.RLock()\n",
        "        self._training = threading.RLock()\n"
        '        vars(threading).setdefault("kept", []).append(bytearray(999))\n',
        ("tests/long/test_leaks.py::test_cycles_leave_nothing[refusals]",),
    ),
    "saving": Fault(
        "cnn_core/foundation/replacement.py",
        "                yield descriptor\n                os.fsync(descriptor)",
        "                yield descriptor",
        ("tests/foundation/test_model_file.py",),
    ),
    "hostile files": Fault(
        MODEL_FILE, "    if at != size:", "    if at > size:", ("tests/foundation/test_model_file.py",)
    ),
    "fuzzing": Fault(
        "cnn_core/sklearn/perceptron/files.py",
        "    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:",
        "    except ValueError as error:",
        ("tests/whole/test_fuzzing.py::test_damaged_files_are_refused_or_work[perceptron]",),
    ),
    "no code in files": Fault(
        MODEL_FILE,
        "    version = metadata.get(FORMAT_KEY)\n",
        '    version = metadata.get(FORMAT_KEY)\n    eval("0")\n',
    ),
    "recorded files": Fault(MODEL_FILE, "    if int(version) > FORMAT:", "    if int(version) >= FORMAT:"),
    "import": Fault(
        "cnn_core/__init__.py", "from typing import TYPE_CHECKING\n", "import json\nfrom typing import TYPE_CHECKING\n"
    ),
    "sanitizers": Fault(
        "src/simd/packing.template.c",
        "    for (ptrdiff_t i = 0; i < n_rows; i++, y += y_row) {\n        const REAL *row = x + (order",
        "    for (ptrdiff_t i = 0; i <= n_rows; i++, y += y_row) {\n        const REAL *row = x + (order",
        ("tests/long/test_sanitizers.py::test_addresses_and_undefined_behaviour[tests/losses]",),
    ),
    "wheels": Fault(".ci/wheel_tools.txt", "twine==7.0.0", "twine", ("tests/matrix/test_wheels.py",)),
    "interpreters": Fault(COMPILED, "if not model._training.acquire(blocking=False):", "if False:"),
}
