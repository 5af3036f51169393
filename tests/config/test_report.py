from __future__ import annotations

import os

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
import cnn_core.config.threads as number_of_threads
from cnn_core import config


@pytest.fixture
def threads():
    """Give the width back that the test found, with its origin."""
    before, origin = config.get_num_threads(), number_of_threads.origin()
    yield
    number_of_threads._set_width(before, origin)


def test_show_config_names_what_a_report_needs(capsys, threads):
    cnn_core.set_num_threads(3)
    cnn_core.show_config()
    shown = capsys.readouterr().out
    rows = {line[:16].strip(): line[17:] for line in shown.splitlines()}
    assert rows["cnn_core"] == cnn_core.__version__
    assert rows["NumPy"] == np.__version__
    assert rows["instruction set"].startswith(_core.instruction_set())
    assert all(name in rows["instruction set"] for name in _core.instruction_sets())
    assert rows["threads"].startswith("3 (from set_num_threads)")
    assert rows["CPUs"] == str(os.cpu_count())
    assert rows["floatx"] == "float32"


def test_show_config_tells_a_default_from_a_choice(capsys, threads):
    number_of_threads._set_width(2, "cgroup quota")
    cnn_core.show_config()
    assert "2 (from cgroup quota)" in capsys.readouterr().out


# The instruction set
