"""Ask other interpreters and packages by the whole suite: `python tests/matrix/interpreters.py 3.13t 3.14 oldest`.

A row is a version of CPython, `t` behind it where it has no global lock; or `oldest`: the lower bound of every package
that pyproject.toml names, on the oldest Python. The wheel is built with the newest packages and installed with those
of the row; the suite runs in a copy of the tree, but for `tests/architecture`, which asks the tree itself.

An interpreter is looked for on PATH, among pyenv's, and in `--pythons`, a folder of prefixes. With `--system`, Debian's
own are asked there: a newer Debian, which mmdebstrap unpacks into that folder unless it is there (needs root). A row
whose interpreter is nowhere says so. `--pytest` hands other arguments to pytest, such as the tests of one folder.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from wheels import LEFT_OUT, ROOT, WheelError, project, run, test_requirements

DEBIAN = "forky"
OLDEST = "3.11"
ROWS = ("3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t", "oldest")
# What an unpacked system is told about the network, and where Python looks for the memory that processes share.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
MOUNTED = ("/proc", "/dev", "/sys")
# A test that takes ten minutes shows where all threads are.
WHOLE = ("-q", "--ignore", "tests/architecture", "-o", "faulthandler_timeout=600")
TELL = (
    "import sys; sys.path.insert(0, sys.argv[1]); import numpy, cnn_core; "
    "lock = getattr(sys, '_is_gil_enabled', lambda: True)(); "
    "print(sys.version.split()[0], '' if lock else 'without a global lock', 'NumPy', numpy.__version__)"
)


class Interpreter(NamedTuple):
    """A command that is Python, and the folder that it takes for the root of all files."""

    python: str
    root: Path = Path("/")

    def command(self, *words: object) -> list[str]:
        """Return a command of the machine that runs one of the interpreter's system."""
        if self.root == Path("/"):
            return [str(word) for word in words]
        mounts = " && ".join(f"mount --rbind {path} '{self.root}{path}'" for path in MOUNTED)
        return [
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'{mounts} && exec chroot "$@"',
            "sh",
            str(self.root),
            *map(str, words),
        ]


def prefixes(version: str, pythons: Path | None) -> Iterator[Path]:
    """Yield the folders that may hold an interpreter, the likeliest first."""
    if pythons is not None:
        yield from sorted(pythons.glob("*/bin"))
    yield from (Path(folder) for folder in os.environ["PATH"].split(os.pathsep))
    yield from sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version.rstrip('t')}*/bin"), reverse=True)


def find(version: str, pythons: Path | None) -> Interpreter | None:
    """Return this machine's interpreter of a version, None if it has none that answers."""
    for folder in prefixes(version, pythons):
        python = folder / f"python{version}"
        if python.exists() and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return Interpreter(str(python))
    return None


def unpack(version: str, system: Path) -> Interpreter | None:
    """Return the interpreter of a newer Debian, None if that has none of this version either."""
    if not (system / "usr").exists():
        packages = [f"python{one}-{part}" for one in ("3.13", "3.14", "3.15") for part in ("dev", "venv")]
        run("mmdebstrap", f"--include=gcc,ccache,libc6-dev,ca-certificates,{','.join(packages)}", DEBIAN, system)
    if not (system / "lib64").exists():  # where the loader is looked for
        (system / "lib64").symlink_to("usr/lib64")
    for path in map(Path, NETWORK):
        if path.exists():
            shutil.copy(path, system / path.relative_to("/"))
    python = f"/usr/bin/python{version}"
    return Interpreter(python, system) if (system / python[1:]).exists() else None


def bounds_as_versions(requirements: Sequence[str]) -> list[str]:
    """Turn lower bounds into the versions themselves."""
    return [re.sub(r">=([\d.]+)", r"==\1", requirement) for requirement in requirements]


class Environment:
    """A virtual environment of a row, the wheel in it, and a copy of the tree beside it."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self.interpreter = interpreter
        self.seen = Path("/") / folder.relative_to(interpreter.root)  # as the interpreter sees the folder
        self.tree = folder / "tree"
        self.python = self.seen / "venv" / "bin" / "python"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns(*LEFT_OUT, "_core.c"))
        self.run(interpreter.python, "-m", "venv", self.seen / "venv")

    def run(self, *words: object) -> str:
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONNOUSERSITE": "1"}
        if self.interpreter.root != Path("/"):
            environment |= {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "TMPDIR": "/tmp",
                "CC": "ccache gcc",
            }
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            environment.pop(name, None)
        return run(*self.interpreter.command(*words), cwd="/", env=environment)

    def pip(self, *words: object) -> str:
        return self.run(self.python, "-m", "pip", *words)

    def build(self) -> None:
        """Build the wheel with the newest packages, and put its core into the tree."""
        self.pip("wheel", "--quiet", "--no-deps", "--wheel-dir", self.seen / "wheel", self.seen / "tree")
        (wheel,) = (self.tree.parent / "wheel").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith("cnn_core/_core.") and not name.endswith(".pyi"):
                    archive.extract(name, self.tree)

    def install(self, requirements: Sequence[str]) -> list[str]:
        """Install packages that have wheels for this interpreter, and return the others."""
        # All at once would have pip look through every version of all for one that has no wheel.
        limits = self.tree.parent / "constraints.txt"
        limits.write_text("\n".join(re.sub(r"\[.*?\]", "", one) for one in requirements), encoding="utf-8")
        missing = []
        for requirement in requirements:
            try:
                self.pip(
                    *("install", "--quiet", "--only-binary", ":all:", "--constraint", self.seen / limits.name),
                    requirement,
                )
            except WheelError:
                missing.append(requirement)
        return missing

    def test(self, arguments: Sequence[str]) -> str:
        """Run the suite in the tree, and return what it prints."""
        program = (
            "import os, sys, pytest; os.chdir(sys.argv[1]); sys.path.insert(0, os.getcwd()); "
            "os.environ['PYTHONPATH'] = os.getcwd(); sys.exit(pytest.main(sys.argv[2:]))"
        )
        return self.run(self.python, "-c", program, self.seen / "tree", *arguments)


def requirements_of(row: str) -> list[str]:
    """Return what a row installs: NumPy and what the tests need."""
    wanted = [*project()["project"]["dependencies"], *test_requirements()]
    return bounds_as_versions(wanted) if row == "oldest" else wanted


def ask(row: str, interpreter: Interpreter, folder: Path, arguments: Sequence[str]) -> bool:
    """Run the suite for a row, print its line, and return whether it passed."""
    start = time.perf_counter()
    missing, told, passed = [], "", False
    try:
        environment = Environment(interpreter, folder)
        environment.build()
        missing = environment.install(requirements_of(row))
        told = environment.run(environment.python, "-c", TELL, environment.seen / "tree").strip()
        output = environment.test(arguments)
        passed = True
    except WheelError as error:
        output = str(error)
    print(output, file=sys.stderr)
    summary = re.findall(
        r"^=* ?((?:\d+ \w+, )*\d+ (?:passed|failed|skipped|errors?)\b.*?)[ =]*$", output, flags=re.MULTILINE
    )
    line = summary[-1] if summary else "the suite did not run"
    without = f"; without {', '.join(missing)}" if missing else ""
    seconds = time.perf_counter() - start
    print(f"{row:8}{'passed' if passed else 'FAILED'}  {told}: {line}{without}{seconds:8.0f} s", flush=True)
    return passed


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python tests/matrix/interpreters.py", description=__doc__)
    parser.add_argument("rows", nargs="+", metavar="row", choices=ROWS, help=", ".join(ROWS))
    parser.add_argument("--pythons", type=Path, help="a folder of prefixes in which interpreters were installed")
    parser.add_argument("--folder", type=Path, help="keep the environments and trees in this folder")
    parser.add_argument("--system", type=Path, help="a folder for a newer Debian, whose interpreters are asked too")
    parser.add_argument(
        "--pytest", nargs=argparse.REMAINDER, default=WHOLE, help="other arguments for pytest; stands last"
    )
    options = parser.parse_args(arguments)
    held = True
    for row in options.rows:
        version = OLDEST if row == "oldest" else row
        interpreter = find(version, options.pythons) or (unpack(version, options.system) if options.system else None)
        if interpreter is None:
            print(f"{row:8}not tried: no python{version} is here", flush=True)
            continue
        with tempfile.TemporaryDirectory(dir=interpreter.root / "tmp") as scratch:
            # Inside a system, the same path.
            folder = interpreter.root / options.folder.absolute().relative_to("/") if options.folder else Path(scratch)
            held &= ask(row, interpreter, folder / row, options.pytest)
    sys.exit(not held)


if __name__ == "__main__":
    main()
