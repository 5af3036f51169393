"""Say what machine a measurement comes from. No names, no dates."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "sve")
KINDS = {"amx": "amx_bf16", "avx512": "avx512f", "avx2": "avx2", "neon": "asimd"}  # and its flag, the best first


def description() -> dict[str, Any]:
    """Return processor, instruction sets, cores, caches, memory, system and how busy the machine was."""
    return {
        "processor": processor_name(),
        "architecture": platform.machine(),
        "instruction_sets": instruction_sets(),
        "cores_available": len(available_cores()),
        "caches": caches(),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "compiler": first_line_of([os.environ.get("CC", "gcc"), "--version"]),
    }


def available_cores() -> list[int]:
    """List the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def processor_name() -> str:
    match = re.search(r"model name\s*:\s*(.+)", cpuinfo())
    return match.group(1) if match else platform.processor()


def instruction_sets() -> list[str]:
    match = re.search(r"(?:flags|Features)\s*:\s*(.+)", cpuinfo())
    flags = match.group(1).split() if match else []
    return [name for name in INSTRUCTION_SETS if name in flags]


def kind(instruction_set: str | None = None) -> str:
    """Return the kind of core that results are kept under: `instruction_set` where that is forced, else the best."""
    if instruction_set is not None:
        return instruction_set
    flags = instruction_sets()
    return next((name for name, flag in KINDS.items() if flag in flags), "portable")


def caches() -> dict[str, str]:
    """Return the sizes of the first core's caches, as Linux tells them."""
    result = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind = (folder / "level").read_text().strip(), (folder / "type").read_text().strip()
        result[f"L{level} {kind.lower()}"] = (folder / "size").read_text().strip()
    return result


def first_line_of(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "none"
