"""Print how much room distributions take on disk, as JSON; run with the interpreter that they are installed for.

Usage: python installed.py DISTRIBUTION [DISTRIBUTION ...]
"""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import json
import re
import sys
from pathlib import Path


def main() -> None:
    names = sys.argv[1:]
    everything = closure(names)
    print(
        json.dumps(
            {
                "own": sum(size_of(name) for name in set(names)),
                "with_dependencies": sum(size_of(name) for name in everything),
                "distributions": sorted(everything),
            }
        )
    )


def closure(names: list[str]) -> set[str]:
    """Return the distributions and all that they require, extras left out."""
    found: set[str] = set()
    waiting = [normal(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += required_by(name)
    return found


def required_by(name: str) -> list[str]:
    """List the installed distributions that this one requires on this machine."""
    try:
        requirements = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    names = [normal(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in requirements if "extra ==" not in line]
    return [name for name in names if is_installed(name)]


def is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def size_of(name: str) -> int:
    """Return the bytes of a distribution's files without bytecode; if it is used in place, of its folder."""
    if is_installed(name):
        files = metadata.files(name) or []
        paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    else:
        spec = importlib.util.find_spec(name.replace("-", "_"))
        if spec is None or spec.origin is None:
            return 0
        paths = [path for path in Path(spec.origin).parent.rglob("*") if path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    main()
