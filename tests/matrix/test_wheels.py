"""The script that builds and checks wheels sees what is wrong with one, and the workflow takes what is pinned."""

from __future__ import annotations

import importlib.util
import re
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / "wheels.yml").read_text(encoding="utf-8")

specification = importlib.util.spec_from_file_location("wheels", ROOT / "tests" / "matrix" / "wheels.py")
assert specification is not None
assert specification.loader is not None
wheels = importlib.util.module_from_spec(specification)
specification.loader.exec_module(wheels)


def wheel_of(folder: Path, **files: bytes) -> Path:
    path = folder / "cnn_core-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_tools_are_pinned():
    lines = (ROOT / ".ci" / "wheel_tools.txt").read_text(encoding="utf-8").splitlines()
    tools = [line for line in lines if not line.startswith("#")]
    assert [line for line in tools if not re.fullmatch(r"[\w-]+==[\d.]+(; sys_platform == \"linux\")?", line)] == []
    assert {"auditwheel", "build", "check-wheel-contents", "cibuildwheel", "twine"} <= {
        line.partition("==")[0] for line in tools
    }


def test_workflow_installs_what_is_pinned_and_the_project_itself():
    installed = re.findall(r"pip install (.+)", WORKFLOW)
    allowed = r"-r \.ci/wheel_tools\.txt|-e \"\.\[[\w,]+\]\"( \"playwright>=[\d.]+\")?|torch --index-url \S+"
    assert installed
    assert [words for words in installed if not re.fullmatch(allowed, words)] == []


def test_workflow_builds_for_every_platform_and_checks_by_the_script():
    platforms = {"manylinux", "musllinux", "macosx", "win"}
    assert {name.partition("_")[0] for name in re.findall(r"platform: (\w+)", WORKFLOW)} == platforms
    assert "python tests/matrix/wheels.py --check dist" in WORKFLOW
    assert "attestations: true" in WORKFLOW


def test_every_processor_of_the_workflow_is_one_that_cibuildwheel_is_told_of():
    systems = {"manylinux": "linux", "musllinux": "linux", "macosx": "macos", "win": "windows"}
    told = wheels.project()["tool"]["cibuildwheel"]
    platforms = [name.partition("_")[::2] for name in re.findall(r"platform: (\w+)", WORKFLOW)]
    assert ("win", "arm64") in platforms
    assert [
        (system, processor)
        for system, processor in platforms
        if processor not in map(str.lower, told[systems[system]]["archs"])
    ] == []


def test_a_large_wheel_is_seen(tmp_path: Path):
    wheels.check_size(wheel_of(tmp_path, small=b""))
    with pytest.raises(wheels.WheelError, match="at most 2,000,000 are promised"):
        wheels.check_size(wheel_of(tmp_path, large=bytes(2_000_001)))


def test_a_library_too_many_is_seen(tmp_path: Path):
    pytest.importorskip("elftools", reason="auditwheel brings it")
    with pytest.raises(wheels.WheelError, match="one library, the core"):
        wheels.check_libraries(wheel_of(tmp_path, **{"cnn_core/_core.so": b"", "cnn_core.libs/libgomp.so.1": b""}))


def test_an_sdist_is_missed(tmp_path: Path):
    with pytest.raises(wheels.WheelError, match="an sdist and wheels"):
        wheels.check([wheel_of(tmp_path)])


def test_a_step_that_fails_ends_the_script(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="no such thing"):
        wheels.step("a step", wheels.run, sys.executable, "-c", "raise SystemExit('no such thing')")
    assert "FAILED" in capsys.readouterr().out


def test_tests_of_an_installed_wheel_exist():
    assert [name for name in [*wheels.test_sources(), *wheels.test_paths()] if name[0] != "-"
            and not (ROOT / name).exists()] == []  # fmt: skip
