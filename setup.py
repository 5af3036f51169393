"""Build the one extension module, cnn_core._core, from src/. Everything else about the package is in pyproject.toml.

The code for one instruction set is chosen at import, not here, so no flag names a CPU; and no flag lets the compiler
reorder floating-point operations, because the same seed must give the same bits everywhere.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
# CFLAGS come before our flags, because an environment's -O2 is no wish of the user's; these come after them.
LAST_FLAGS = os.environ.get("CNN_CORE_CFLAGS", "").split()

WARNINGS = ["-Wall", "-Wextra"]
GCC_FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-ffp-contract=off", "-fvisibility=hidden", "-pthread", "-g0"]
# Where a float would otherwise be computed in more than 32 bits: by the x87 unit, which rounds twice, and on s390x,
# where ISO C means double. Such a value is no element of a vector of floats, either.
FLOAT_FLAGS = {
    "linux-i386": ["-msse2", "-mfpmath=sse"],
    "linux-i686": ["-msse2", "-mfpmath=sse"],
    "linux-s390x": ["-fexcess-precision=fast"],
}
MSVC_FLAGS = ["/O2", "/std:c11", "/fp:precise"]
CLANG_CL_FLAGS = ["/O2", "/clang:-O3", "/clang:-fno-math-errno", "/clang:-ffp-contract=off"]

# A .pxd is cimported by its name alone, whichever floor it lies on.
CYTHON_PATH = ["src", *(f"src/{folder}" for folder in ("training", "operations", "plan", "numbers"))]
CYTHON_DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    # What objects share is behind critical sections, each object's own lock where there is no global one.
    "freethreading_compatible": True,
}


def files(*patterns: str) -> list[str]:
    """Return the files of src/ that match, relative to the root, in a fixed order."""
    return sorted(path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(f"src/{pattern}"))


# All C files but the templates, which others include.
C_SOURCES = [name for name in files("*/*.c") if not name.endswith(".template.c")]


def modified(path: str) -> float:
    """Return when a file was last written, 0 if it does not exist."""
    return Path(path).stat().st_mtime if Path(path).exists() else 0.0


class BuildCore(build_ext):
    """Compile the C files side by side, and only those whose source or headers have changed."""

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            self._choose_windows_compiler()
        else:
            floats = FLOAT_FLAGS.get(sysconfig.get_platform(), [])
            self._set_flags([*WARNINGS, *GCC_FLAGS, *floats, *LAST_FLAGS], self._unix_link_flags())
        self._compile_one_by_one = self.compiler.compile
        self.compiler.compile = self._compile_side_by_side
        super().build_extensions()

    def _choose_windows_compiler(self) -> None:
        """Prefer clang-cl, which has the instruction-set attributes that MSVC lacks."""
        self.compiler.initialize()
        clang = shutil.which("clang-cl")
        if clang is None:
            self._set_flags(MSVC_FLAGS, [])
        else:
            self.compiler.cc = clang
            self._set_flags(CLANG_CL_FLAGS, [])

    def _unix_link_flags(self) -> list[str]:
        # Who asked for debugging symbols keeps them.
        strip = sys.platform.startswith("linux") and not any(flag.startswith("-g") for flag in LAST_FLAGS)
        return ["-pthread", *(["-Wl,--strip-all"] if strip else [])]

    def _set_flags(self, compile_flags: list[str], link_flags: list[str]) -> None:
        for extension in self.extensions:
            extension.extra_compile_args = compile_flags
            extension.extra_link_args = link_flags

    def _compile_side_by_side(self, sources: list[str], output_dir: str | None = None, **options: Any) -> list[str]:
        headers_changed = max(map(modified, ["setup.py", *files("**/*.h", "**/*.template.c")]))

        def compile_one(source: str) -> str:
            (target,) = self.compiler.object_filenames([source], 0, output_dir)
            if self.force or modified(target) <= max(headers_changed, modified(source)):
                self._compile_one_by_one([source], output_dir=output_dir, **options)
            return target

        # The generated file takes longest and stands first.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_one, sources))


core = Extension(
    "cnn_core._core",
    sources=["src/_core.pyx", *C_SOURCES],
    include_dirs=["src", "src/simd", "src/threads", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    depends=["setup.py", *files("**/*.pxd", "**/*.pxi", "**/*.h", "**/*.template.c")],
)

setup(
    ext_modules=cythonize([core], include_path=CYTHON_PATH, compiler_directives=CYTHON_DIRECTIVES, annotate=False),
    cmdclass={"build_ext": BuildCore},
)
