"""Ask other processors by the tests, under emulation: `python tests/matrix/platforms.py aarch64 s390x i386`.

Needs root, mmdebstrap, qemu-user-static and Debian's cross compilers (gcc-aarch64-linux-gnu and so on). A Debian system
of that processor is unpacked, with its Python and NumPy; the core is compiled for it here, and the tests run there. A
processor's system is kept in the folder `--systems`, a temporary one unless told.

`--objects` only compiles the C files and the core, with zig, for systems that cannot be run here: macOS, Windows, musl.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy

ROOT = Path(__file__).resolve().parents[2]
SUITE = "trixie"
LAUNCHER = "/usr/bin/emulated-python3"
PACKAGES = ("python3", "python3-numpy", "python3-scipy", "python3-pytest", "python3-hypothesis", "libpython3-dev")
FLAGS = ("-O2", "-std=c11", "-fno-math-errno", "-ffp-contract=off", "-fPIC", "-pthread")
INCLUDES = ("-Isrc", "-Isrc/simd", "-Isrc/threads")
# Kernels and training against independent truth; whole folders would take hours under emulation.
TESTS = (
    *("tests/native/test_kernels.py", "tests/native/test_matmul.py", "tests/native/test_random.py"),
    *("tests/activations", "tests/losses/test_losses.py", "tests/agreement/test_golden_optimizers.py"),
    *(
        "tests/agreement/test_recorded_files.py",
        "tests/foundation/test_model_file.py",
        "tests/models/test_predictor.py",
    ),
)
# What zig compiles for and NumPy has wheels for, but for Linux with glibc.
TARGETS = (
    "x86_64-linux-musl",
    "aarch64-linux-musl",
    "x86_64-macos",
    "aarch64-macos",
    "x86_64-windows",
    "aarch64-windows",
)


class Platform(NamedTuple):
    """Debian's name of a processor, its compiler's, the emulator's (None where this processor runs it), and flags."""

    debian: str
    compiler: str
    emulator: str | None
    flags: tuple[str, ...] = ()


# The flags are those of setup.py.
PLATFORMS = {
    "aarch64": Platform("arm64", "aarch64-linux-gnu", "qemu-aarch64-static"),
    "s390x": Platform("s390x", "s390x-linux-gnu", "qemu-s390x-static", ("-fexcess-precision=fast",)),
    "i386": Platform("i386", "i686-linux-gnu", None, ("-msse2", "-mfpmath=sse")),
}


def run(*command: object, **options: object) -> str:
    """Run a command and return what it prints, or end with it."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}")
    return done.stdout


def sources() -> list[Path]:
    """Return what is compiled: the generated core, which stands first because it takes longest, and the C files."""
    run(sys.executable, "setup.py", "build_ext", "--inplace", cwd=ROOT)  # a core of older sources is written again
    return [
        ROOT / "src" / "_core.c",
        *(path for path in sorted(ROOT.glob("src/*/*.c")) if not path.name.endswith(".template.c")),
    ]


def compile_all(compiler: Sequence[str], folder: Path, flags: Sequence[str], files: Sequence[Path]) -> list[Path]:
    """Compile files side by side into a folder."""

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        run(*compiler, *FLAGS, *INCLUDES, *flags, "-c", source, "-o", target, cwd=ROOT)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, files))


def unpack(platform: Platform, folder: Path, suite: str) -> Path:
    """Unpack a Debian system with Python; nothing of it is run."""
    system = folder / platform.debian
    if not system.exists():
        packages = f"--include={','.join(PACKAGES)}"
        run("mmdebstrap", "--variant=extract", f"--architectures={platform.debian}", packages, suite, system)
    # What the package base-files would do: the loader is looked for in /lib.
    for name in ("bin", "lib", "lib64", "sbin"):
        if (system / "usr" / name).exists() and not (system / name).exists():
            (system / name).symlink_to(f"usr/{name}")
    if platform.emulator is not None:
        shutil.copy(shutil.which(platform.emulator) or platform.emulator, system / "usr" / "bin")
        put_launcher(platform.emulator, system / LAUNCHER.lstrip("/"))
    return system


def put_launcher(emulator: str, target: Path) -> None:
    """Compile a program of this processor that runs Python under the emulator, for tests that start processes."""
    source = (
        "#include <unistd.h>\n"
        "int main(int n, char **words) {\n"
        "    char *all[n + 2];\n"
        f'    all[0] = "/usr/bin/{emulator}", all[1] = "/usr/bin/python3";\n'
        "    for (int i = 1; i <= n; i++) all[i + 1] = words[i];\n"
        "    return execv(all[0], all);\n"
        "}\n"
    )
    subprocess.run(["gcc", "-static", "-x", "c", "-", "-o", target], input=source, text=True, check=True)


def put_core(platform: Platform, system: Path) -> None:
    """Compile the core for a system and put the tree there."""
    (include,) = system.glob("usr/include/python3.*")
    headers = [include, system / "usr" / "include", *system.glob("usr/lib/python3/dist-packages/numpy/*core/include")]
    tree = system / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git", "*.so", "__pycache__", "_core.c"))
    cache = [found] if (found := shutil.which("ccache")) else []
    compiler = [*cache, f"{platform.compiler}-gcc"]
    with tempfile.TemporaryDirectory() as scratch:
        # The headers of the C library are the compiler's; Python's own come after them.
        flags = [*platform.flags, *(word for path in headers for word in ("-idirafter", str(path)))]
        objects = compile_all(compiler, Path(scratch), flags, sources())
        run(*compiler, "-shared", "-pthread", *objects, "-o", tree / "cnn_core" / "_core.so", "-lm")


def ask(platform: Platform, system: Path, tests: Sequence[str]) -> str:
    """Run the tests in the system, and return pytest's last line."""
    emulator = [f"/usr/bin/{platform.emulator}"] if platform.emulator else []
    (libraries,) = (path for path in (system / "usr" / "lib").glob("*-linux-gnu*") if (path / "blas").exists())
    # Unpacked is not installed: the system's choice of a BLAS has not been made.
    paths = ":".join(f"/usr/lib/{libraries.name}/{name}" for name in ("blas", "lapack"))
    program = (
        "import os, sys; sys.path.insert(0, '/tree'); os.chdir('/tree'); import numpy, platform, cnn_core, pytest; "
        f"sys.executable = {(LAUNCHER if platform.emulator else '/usr/bin/python3')!r}; "
        "print(platform.machine(), sys.byteorder, sys.version.split()[0], numpy.__version__, "
        "cnn_core._core.instruction_set()); "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', *sys.argv[1:]]))"
    )
    done = subprocess.run(
        [shutil.which("chroot") or "/usr/sbin/chroot", system, *emulator, "/usr/bin/python3", "-c", program, *tests],
        env={"LD_LIBRARY_PATH": paths, "PATH": "/usr/bin:/bin", "HOME": "/tmp", "OPENBLAS_NUM_THREADS": "1"},
        cwd=system / "tree",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, file=sys.stderr)
    summary = re.search(r"^(?:\d+ failed, )?\d+ passed.*$", done.stdout, flags=re.MULTILINE)
    if done.returncode != 0 or summary is None:
        raise SystemExit(f"{platform.debian}: {summary[0] if summary else 'the tests did not run'}")
    return summary[0]


def compile_objects(target: str) -> int:
    """Compile for a system that cannot be run here, and return how many files."""
    headers = [sysconfig.get_paths()["include"], numpy.get_include()]
    # Python's own headers are for this system: the core itself is compiled only where they fit.
    files = sources()[0 if "linux" in target else 1 :]
    flags = [f"-I{path}" for path in headers] if "linux" in target else []
    with tempfile.TemporaryDirectory() as folder:
        return len(compile_all([sys.executable, "-m", "ziglang", "cc", "-target", target], Path(folder), flags, files))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python tests/matrix/platforms.py", description=__doc__)
    parser.add_argument("platforms", nargs="*", metavar="platform", help=", ".join(PLATFORMS))
    parser.add_argument("--systems", type=Path, help="keep what is unpacked in this folder")
    parser.add_argument("--suite", default=SUITE, help=f"Debian's release (default: {SUITE})")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="other tests than the usual ones")
    parser.add_argument("--objects", action="store_true", help="compile for what cannot be run here")
    options = parser.parse_args(arguments)
    for target in TARGETS if options.objects else ():
        print(f"{target:20} {compile_objects(target)} files compiled", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.platforms:
            system = unpack(PLATFORMS[name], options.systems or Path(scratch), options.suite)
            put_core(PLATFORMS[name], system)
            print(f"{name:20} {ask(PLATFORMS[name], system, options.tests)}", flush=True)


if __name__ == "__main__":
    main()
