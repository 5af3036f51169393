"""The package's own seeds: fixed by one number, different for every caller, in every thread."""

from __future__ import annotations

import os
import threading
import warnings

import numpy as np
import pytest

import cnn_core.foundation.random_state as random_state


def draw(n):
    return [random_state.next_seed() for _ in range(n)]


def test_one_number_fixes_all_seeds():
    random_state.set_seed(5)
    first = draw(50)
    random_state.set_seed(5)
    assert draw(50) == first
    random_state.set_seed(6)
    assert not set(draw(50)) & set(first)


def test_seeds_are_what_every_seed_argument_takes():
    random_state.set_seed(None)
    assert all(0 <= seed < 2**63 for seed in draw(1000))
    assert len(set(draw(1000))) == 1000


def test_a_seed_that_is_left_out_moves_none_of_the_others():
    random_state.set_seed(5)
    first, _, third = draw(3)
    random_state.set_seed(5)
    assert draw(1) == [first]
    random_state.skip_seed()
    assert draw(1) == [third]


def test_seeds_are_those_of_numpy_s_spawned_sequences():
    random_state.set_seed(5)
    children = np.random.SeedSequence(5).spawn(4)
    assert draw(4) == [int(child.generate_state(1, np.uint64)[0]) // 2 for child in children]


def test_threads_get_seeds_of_their_own():
    random_state.set_seed(5)
    seeds: list[int] = []
    threads = [threading.Thread(target=lambda: seeds.extend(draw(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    random_state.set_seed(5)
    assert sorted(seeds) == sorted(draw(400))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_child_draws_seeds_although_the_parent_was_drawing_one():
    with warnings.catch_warnings(), random_state._lock:
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
        if child == 0:
            os._exit(0 if random_state._lock.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_generator_depends_on_its_seed_alone():
    first = random_state.generator(3).random(4)
    random_state.set_seed(1)
    np.testing.assert_array_equal(random_state.generator(3).random(4), first)
    assert (random_state.generator(4).random(4) != first).all()


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (2**64, ValueError), ("1", TypeError), (1.5, TypeError)])
def test_bad_seeds_are_refused(seed, error):
    with pytest.raises(error, match="`seed` must be"):
        random_state.set_seed(seed)
