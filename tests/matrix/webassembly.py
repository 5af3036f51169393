"""Compile the portable kernels to WebAssembly and ask them by NumPy: `python tests/matrix/webassembly.py`.

Needs emcc (Debian's package emscripten) and node. The tests are those of tests/native/test_portable_kernels.py,
which skip WebAssembly where either is missing; here that is a failure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/native/test_portable_kernels.py"


def main() -> None:
    for program in ("emcc", "node"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is needed")
        print(subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
    raise SystemExit(subprocess.run([sys.executable, "-m", "pytest", "-q", "-k", "web", TESTS], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
