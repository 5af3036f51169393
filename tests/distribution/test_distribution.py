"""Trainings that ranks share, started by a real mpiexec, against the same on one process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import cnn_core.distribution as distribution
from ranks import assert_close, needs_mpi, of_case, trained
from shared_trainings import CASES

# float32, and sums in another order; L-BFGS makes more of them, and stops where it can improve no more.
TOLERANCE = {"all_rows_at_once": 1e-4}
FEW = "sgd,muon,weighted,all_rows_at_once,tiny_batches,evaluated"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return trained(tmp_path_factory, 0, "all")[0]


@pytest.fixture(scope="module")
def on_two(tmp_path_factory):
    return trained(tmp_path_factory, 2, "all")


@pytest.fixture(scope="module")
def in_order(tmp_path_factory):
    """By number of ranks, what a deterministic training gives; every case for one rank and for two."""
    cases = {1: "all", 2: "all", 3: FEW, 4: FEW}
    return {n: trained(tmp_path_factory, n, cases[n], "deterministic=True") for n in cases}


@needs_mpi
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_compute_what_one_process_does(alone, on_two, case):
    assert_close(of_case(on_two[0], case), of_case(alone, case), TOLERANCE.get(case, 1e-5))


@needs_mpi
@pytest.mark.parametrize("case", CASES)
def test_every_rank_ends_with_the_same(on_two, case):
    first, second = (of_case(results, case) for results in on_two)
    assert first.keys() == second.keys()
    assert all(np.array_equal(second[key], value) for key, value in first.items())


@needs_mpi
@pytest.mark.parametrize("case", CASES)
def test_the_deterministic_sum_is_the_same_on_any_number_of_ranks(in_order, case):
    expected = of_case(in_order[1][0], case)
    for n, ranks in in_order.items():
        for results in ranks:
            for key, value in of_case(results, case).items():
                assert value.tobytes() == expected[key].tobytes(), f"{key} on {n} ranks"


@needs_mpi
@pytest.mark.parametrize("case", CASES)
def test_the_deterministic_sum_is_right(alone, in_order, case):
    assert_close(of_case(in_order[2][0], case), of_case(alone, case), TOLERANCE.get(case, 1e-5))


def test_importing_loads_neither_mpi_nor_what_needs_it():
    code = (
        "import sys, cnn_core; cnn_core.distribution.distribution();"
        "print([n for n in sys.modules if n.startswith(('mpi4py', 'cnn_core.distribution.'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.split() == ["['cnn_core.distribution.current']"]


def test_only_a_distribution_can_be_set():
    with pytest.raises(TypeError, match=r"`value` must be a DataParallel or None. Received: value='data_parallel'"):
        distribution.set_distribution("data_parallel")
