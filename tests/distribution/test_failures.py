"""A rank that fails, is interrupted or killed, leaves, or diverges: all end, with a message that says why.

`pytest tests/distribution --kills 20 --rounds 100` is the long form.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import failing_trainings
from ranks import needs_mpi, run, run_well

SCRIPT = Path(failing_trainings.__file__)
SECONDS = 60  # a hang shows as a failure


def failed(n: int, way: str, rank: int, epoch: int = 3) -> str:
    """Run a script in which a rank fails; return what all have written."""
    done = run(n, SCRIPT, way, rank, epoch, seconds=SECONDS)
    assert done.returncode != 0
    return done.stdout + done.stderr


@needs_mpi
@pytest.mark.parametrize(
    ("way", "message"), [("raise", "OSError: the disk is full"), ("interrupt", "KeyboardInterrupt")]
)
def test_what_one_rank_raises_ends_all(way, message):
    text = failed(2, way, 1)
    assert f"cnn_core: rank 1 ends all ranks: {message}\n" in text


@needs_mpi
def test_a_rank_that_is_killed_is_named(request):
    moments = random.Random(0)
    for _ in range(request.config.getoption("--kills")):
        rank = moments.randrange(3)
        text = failed(3, "kill", rank, moments.randrange(20))
        assert f"cnn_core: rank {rank} (process " in text
        assert text.count("was killed, and so all others end") == 1


@needs_mpi
def test_a_rank_that_leaves_does_not_keep_the_others_waiting():
    assert "has ended its script while this one is in `evaluate`, which all ranks must call" in failed(2, "alone", 0)


@needs_mpi
def test_ranks_may_go_on_after_a_failure_that_they_catch(request):
    for epoch in range(request.config.getoption("--rounds")):
        text = run_well(2, SCRIPT, "go on", 1, epoch)
        assert "rank 0: RankEndedError: Rank 1 has ended, and so do all others: OSError: the disk is full" in text
        assert "rank 1: OSError: the disk is full" in text
        first, second = re.findall(r"loss (\d[\d.e+-]*)", text)  # lines of two ranks may run into each other
        assert first == second


@needs_mpi
def test_a_loss_that_is_not_finite_stops_all_ranks():
    raised = run_well(2, SCRIPT, "diverge", 0, 0)
    first, second = re.findall(
        r"raised (The loss of batch \d+ is \w+ in epoch 1|A gradient of .*? overflows .*?) True", raised
    )
    assert first == second
    quiet = run_well(2, SCRIPT, "diverge quietly", 0, 0)
    assert quiet.count("stopped after 1") == 2
    assert quiet.count("Invalid loss, terminating training") == 1  # of the rank that shows things
