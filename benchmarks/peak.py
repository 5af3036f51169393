"""Build and run the C loop that measures the machine's peak of fused multiply-adds in float32."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import threading
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("peak.c")
FLAGS_OF = {
    "native": ["-march=native"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mfma"],
}


def build(folder: Path, instruction_set: str) -> Path | None:
    """Compile the loop for "native", "avx2" or "avx512"; return the library, or None where there is no compiler."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None or platform.system() == "Windows":
        return None
    library = folder / f"peak_{instruction_set}.so"
    flags = ["-O2", "-ffp-contract=fast", "-shared", "-fPIC", *FLAGS_OF[instruction_set]]
    subprocess.run([*compiler.split(), *flags, str(SOURCE), "-o", str(library)], check=True)
    return library


class Work:
    """Do a fixed number of operations on each of a number of threads when called."""

    def __init__(self, loop: Loop, n_rounds: int, n_threads: int) -> None:
        self.loop = loop
        self.n_rounds = n_rounds
        self.n_threads = n_threads
        self.flops = n_threads * n_rounds * loop.run(1)

    def __call__(self) -> None:
        others = [threading.Thread(target=self.loop.run, args=(self.n_rounds,)) for _ in range(self.n_threads - 1)]
        for thread in others:
            thread.start()
        self.loop.run(self.n_rounds)
        for thread in others:
            thread.join()


class Loop:
    """Call the compiled loop, which does its rounds without the GIL."""

    def __init__(self, library: str) -> None:
        self.function = ctypes.CDLL(library).cnn_core_peak
        self.function.restype = ctypes.c_double
        self.function.argtypes = [ctypes.c_size_t, ctypes.POINTER(ctypes.c_float)]

    def run(self, n_rounds: int) -> float:
        """Do so many rounds; return the number of floating point operations."""
        sink = ctypes.c_float()
        return float(self.function(n_rounds, ctypes.byref(sink)))

    def prepared(self, seconds: float, n_threads: int) -> Work:
        """Return work that takes about `seconds`."""
        n_trial = 1_000_000
        begin = time.perf_counter()
        self.run(n_trial)
        n_rounds = max(n_trial, int(n_trial * seconds / (time.perf_counter() - begin)))
        return Work(self, n_rounds, n_threads)
