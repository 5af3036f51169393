from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
import cnn_core.config.threads as number_of_threads
from cnn_core import config

MOST = _core.max_threads()


@pytest.fixture
def threads():
    """Give the width back that the test found, with its origin."""
    before, origin = config.get_num_threads(), number_of_threads._origin
    yield
    number_of_threads._set_width(before, origin)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quota(root: Path, membership: str, files: dict[str, str]) -> float | None:
    write(root / "proc/self/cgroup", membership)
    for name, text in files.items():
        write(root / "sys/fs/cgroup" / name, text)
    return number_of_threads._cgroup_quota(str(root))


# The floating-point type


# The number of threads


@pytest.mark.parametrize("n", [1, 2, 3, MOST, np.int64(4)])
def test_set_num_threads_sets_the_width(threads, n):
    cnn_core.set_num_threads(n)
    assert cnn_core.get_num_threads() == n
    assert type(cnn_core.get_num_threads()) is int


@pytest.mark.parametrize("n", [0, -1, MOST + 1, 10**30])
def test_set_num_threads_refuses_numbers_out_of_range(threads, n):
    before = cnn_core.get_num_threads()
    with pytest.raises(ValueError, match=rf"`n` must be .* Received: n={str(n)[:5]}"):
        cnn_core.set_num_threads(n)
    assert cnn_core.get_num_threads() == before


@pytest.mark.parametrize("n", [2.0, "2", None, True])
def test_set_num_threads_refuses_what_is_no_integer(threads, n):
    with pytest.raises(TypeError, match="`n` must be an integer"):
        cnn_core.set_num_threads(n)


def default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpus: int, **environment: str) -> tuple[int, str]:
    monkeypatch.setattr(number_of_threads, "_usable_cpus", lambda: (cpus, "CPU affinity"))
    return number_of_threads._default_threads(environment, str(tmp_path))


def test_default_is_the_affinity_when_nothing_else_limits(tmp_path, monkeypatch):
    assert default(tmp_path, monkeypatch, 6) == (6, "CPU affinity")


def test_default_is_at_most_the_width_of_the_pool(tmp_path, monkeypatch):
    assert default(tmp_path, monkeypatch, MOST + 100) == (MOST, "the largest possible number")


@pytest.mark.parametrize(("text", "expected"), [("400000 100000", 4), ("150000 100000", 2), ("1000 100000", 1)])
def test_default_is_the_quota_rounded_up_when_that_is_less(tmp_path, monkeypatch, text, expected):
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    write(tmp_path / "sys/fs/cgroup/cpu.max", text)
    assert default(tmp_path, monkeypatch, 6) == (expected, "cgroup quota")
    assert default(tmp_path, monkeypatch, 6, OMP_NUM_THREADS="1")[0] == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("3", 3), ("3,2", 3), (" 5 ", 5), ("9", 6), ("0", 6), ("-2", 6), ("all", 6), ("", 6)]
)
def test_default_heeds_openmp_when_that_is_less_and_valid(tmp_path, monkeypatch, text, expected):
    assert default(tmp_path, monkeypatch, 6, OMP_NUM_THREADS=text)[0] == expected


def test_default_names_openmp_as_its_origin(tmp_path, monkeypatch):
    assert default(tmp_path, monkeypatch, 6, OMP_NUM_THREADS="2") == (2, "OMP_NUM_THREADS")


def test_own_variable_overrides_every_limit(tmp_path, monkeypatch):
    found = default(tmp_path, monkeypatch, 2, OMP_NUM_THREADS="1", CNN_CORE_NUM_THREADS="8")
    assert found == (8, "CNN_CORE_NUM_THREADS")
    assert default(tmp_path, monkeypatch, 2, CNN_CORE_NUM_THREADS="") == (2, "CPU affinity")


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "two", str(MOST + 1), "9" * 5000, "²"])
def test_own_variable_must_be_valid(tmp_path, monkeypatch, text):
    with pytest.raises(ValueError, match="CNN_CORE_NUM_THREADS must be an integer from 1 to"):
        default(tmp_path, monkeypatch, 2, CNN_CORE_NUM_THREADS=text)


def imported(statement: str, **environment: str) -> str:
    """Run a statement in a fresh interpreter, which sees the variables but not the test run's own."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {statement}"]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True).stdout.strip()


def test_import_sets_the_default_and_starts_no_thread():
    statement = "import cnn_core, cnn_core._core as c; print(c.get_num_threads(), c.threads_started())"
    assert imported(statement, CNN_CORE_NUM_THREADS="7") == "7 0"
    assert imported(statement, OMP_NUM_THREADS="1") == "1 0"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no CPU affinity")
def test_import_heeds_the_affinity():
    one = min(os.sched_getaffinity(0))
    statement = "import os; os.sched_setaffinity(0, [{}]); import cnn_core; print(cnn_core.get_num_threads())"
    assert imported(statement.format(one)) == "1"


def test_workers_of_joblib_share_the_cpus():
    pytest.importorskip("joblib")
    statement = (
        "import joblib; from cnn_core.config import get_num_threads; "
        "print(*joblib.Parallel(2, backend='loky')(joblib.delayed(get_num_threads)() for _ in range(2)), "
        "max(1, joblib.cpu_count() // 2))"
    )
    first, second, share = map(int, imported(statement).split())
    assert first <= share
    assert second <= share


def test_the_nanny_of_dask_gives_its_workers_one_thread():
    """It sets its workers' environment before they import anything."""
    pytest.importorskip("distributed")
    statement = (
        "import dask, distributed, os; "
        "os.environ.update({k: str(v) for k, v in dask.config.get('distributed.nanny.pre-spawn-environ').items()}); "
        "import cnn_core; print(cnn_core.get_num_threads())"
    )
    assert imported(statement) == "1"


def test_more_threads_than_cpus_change_no_bit(threads):
    x, w = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in ((300, 700), (700, 500)))
    cnn_core.set_num_threads(1)
    expected = _core.product(x, w)
    cnn_core.set_num_threads(min(MOST, 4 * (os.cpu_count() or 1)))
    np.testing.assert_array_equal(_core.product(x, w), expected)


# Control groups


def test_no_groups_no_quota(tmp_path):
    assert number_of_threads._cgroup_quota(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250000 100000\n", 2.5),
        ("max 100000\n", None),
        ("", None),
        ("100000\n", None),
        ("junk junk\n", None),
        ("5 0", None),
    ],
)
def test_version_2_reads_cpu_max(tmp_path, text, expected):
    assert quota(tmp_path, "0::/\n", {"cpu.max": text}) == expected


def test_version_2_takes_the_least_of_the_group_and_its_ancestors(tmp_path):
    files = {"a/b/c/cpu.max": "max 100000", "a/b/cpu.max": "300000 100000", "a/cpu.max": "400000 50000"}
    assert quota(tmp_path, "0::/a/b/c\n", files) == 3
    assert quota(tmp_path, "0::/a\n", {}) == 8


def test_version_2_in_a_container_that_sees_its_own_root_only(tmp_path):
    assert quota(tmp_path, "0::/system.slice/docker-1f.scope\n", {"cpu.max": "100000 100000"}) == 1
    assert quota(tmp_path, "0::/../other\n", {}) == 1


def test_version_2_does_not_read_groups_that_it_is_not_in(tmp_path):
    assert quota(tmp_path, "0::/a\n", {"b/cpu.max": "100000 100000"}) is None


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_version_1_divides_quota_by_period(tmp_path, controllers):
    files = {f"{controllers}/a/cpu.cfs_quota_us": "50000\n", f"{controllers}/a/cpu.cfs_period_us": "100000\n"}
    assert quota(tmp_path, f"7:memory:/a\n4:{controllers}:/a\n", files) == 0.5


def test_version_1_writes_minus_one_for_no_limit(tmp_path):
    files = {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert quota(tmp_path, "4:cpu:/\n", files) is None


def test_version_1_with_no_other_controller_than_cpuset_sets_no_quota(tmp_path):
    files = {"cpuset/cpu.cfs_quota_us": "1\n", "cpuset/cpu.cfs_period_us": "1\n"}
    assert quota(tmp_path, "4:cpuset:/\n", files) is None


def test_damaged_membership_is_passed_over(tmp_path):
    assert quota(tmp_path, "\n:::\nnonsense\n0::/a:b\n", {"a:b/cpu.max": "200000 100000"}) == 2


# What is shown


def test_every_available_instruction_set_can_be_selected():
    before = _core.instruction_set()
    try:
        for name in _core.instruction_sets():
            _core.select_instruction_set(name)
            assert _core.instruction_set() == name
    finally:
        _core.select_instruction_set(before)
    assert "portable" in _core.instruction_sets()


def test_unknown_instruction_set_is_refused():
    before = _core.instruction_set()
    with pytest.raises(ValueError, match="Received: 'mmx'"):
        _core.select_instruction_set("mmx")
    assert _core.instruction_set() == before
