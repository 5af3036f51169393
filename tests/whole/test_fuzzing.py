"""Files damaged at random load, or are refused by a ValueError; `tests/long/test_fuzzing.py` searches longer."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fuzzing import TARGETS, mutate, refuses

N_FILES = {"backup": 20}  # a training each, instead of 200


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_files_are_refused_or_work(name: str, record_property: Callable[[str, object], None]) -> None:
    target, draw, n_files = TARGETS[name], random.Random(name), N_FILES.get(name, 200)
    sound = target.make()
    assert not refuses(target, sound)
    refused = [refuses(target, mutate(sound, draw)) for _ in range(n_files)]
    assert sum(refused) > n_files / 2
    record_property("inputs", n_files)
