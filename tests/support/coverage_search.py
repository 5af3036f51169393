"""Let atheris search for a file that is neither loaded nor refused: `python coverage_search.py TARGET [-runs=...]`.

A script, because the package must be imported under atheris's eyes to be led by the code that each file reaches.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cnn_core"]):
    import fuzzing

    target = fuzzing.TARGETS[sys.argv[1]]
    sound = target.make()
    assert not fuzzing.refuses(target, sound)  # imports what is imported late


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    draw = random.Random(seed)
    return (atheris.Mutate(data, max_size) if draw.random() < 0.3 else fuzzing.mutate(data, draw))[:max_size]


with tempfile.TemporaryDirectory() as corpus:
    (Path(corpus) / "sound").write_bytes(sound)
    arguments = [sys.argv[0], corpus, *sys.argv[2:]]
    atheris.Setup(arguments, lambda data: fuzzing.refuses(target, data), custom_mutator=mutated)
    atheris.Fuzz()
