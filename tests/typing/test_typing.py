"""Type checkers see the package as its users do: what is right passes, and what is wrong does not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import cnn_core.foundation.names as names
from cnn_core import activations, constraints, initializers, losses, metrics, optimizers, regularizers
from cnn_core.activations.base import registry as of_activations
from cnn_core.foundation.serialization import Registry, snake_case
from cnn_core.foundation.suggestions import alphabetical
from cnn_core.initializers.base import registry as of_initializers
from cnn_core.losses.base import registry as of_losses
from cnn_core.metrics.base import registry as of_metrics
from cnn_core.optimizers.base import registry as of_optimizers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Names of several metrics, of which `compile` takes one by the shapes.
BY_SHAPES = {"acc", "accuracy", "ce", "crossentropy"}


def registry_of(module: object) -> Registry:
    found: Registry = vars(module)["_registry"]
    return found


@pytest.mark.parametrize(
    ("listed", "registry", "module"),
    [
        (names.ActivationName, of_activations, activations),
        (names.ConstraintName, registry_of(constraints), constraints),
        (names.InitializerName, of_initializers, initializers),
        (names.LossName, of_losses, losses),
        (names.MetricName, of_metrics, metrics),
        (names.OptimizerName, of_optimizers, optimizers),
        (names.RegularizerName, registry_of(regularizers), regularizers),
    ],
)
def test_the_names_for_checkers_are_those_of_the_registry(listed: object, registry: Registry, module: object) -> None:
    small = str.lower if module is optimizers else snake_case
    known = {*registry.names(), *map(small, registry.names())}
    found = get_args(listed)
    assert set(found) == known | (BY_SHAPES if module is metrics else set())
    assert [name.lower() for name in found] == [name.lower() for name in alphabetical(found)]


def mypy(script: str) -> str:
    pytest.importorskip("mypy")
    return told_by([sys.executable, "-m", "mypy", "--strict", "--no-incremental", script])


def pyright(script: str) -> str:
    program = shutil.which("pyright")
    if program is None:
        pytest.skip("needs pyright")
    return told_by([program, "--pythonpath", sys.executable, script])


def told_by(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def lines_with_errors(told: str) -> set[int]:
    return {int(line) for line in re.findall(r"_script\.py:(\d+)(?::\d+)?(?: -|:) error", told)}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_right_passes(checker: object) -> None:
    assert callable(checker)
    told = checker(str(HERE / "user_script.py"))
    assert lines_with_errors(told) == set(), told


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_wrong_is_refused_line_by_line(checker: object) -> None:
    assert callable(checker)
    script = HERE / "wrong_script.py"
    lines = script.read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert lines_with_errors(checker(str(script))) == wrong


def test_what_passes_the_checkers_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (HERE / "user_script.py").read_text(encoding="utf-8")
    exec(compile(text.replace("input()", "CHOSEN"), "user_script.py", "exec"), {"CHOSEN": "relu", "__name__": "script"})
