"""What all tests share: repeatable examples, and the type of the layers and models that a test creates.

Test modules say `import reference`, `import tolerances` and `from golden import Vectors`: pyproject.toml names the
folders in which these are found, tests/support and tests/agreement.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# These scripts import Keras, PyTorch and atheris, which the tests do without.
collect_ignore_glob = ["agreement/*/record_*.py", "agreement/*_scripts/*.py", "support/coverage_search.py"]

# No deadline and no random seed: a test depends neither on time nor on luck.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=50)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of the doors, and of ranks that fail, try more than by default, and the long tests run at all."""
    parser.addoption("--long", action="store_true", help="also run tests/long, which takes hours")
    parser.addoption("--kills", type=int, default=1, help="how many times a rank is killed at a random moment")
    parser.addoption("--rounds", type=int, default=1, help="how many times a training goes on after a rank has failed")
    parser.addoption(
        "--architectures", type=int, default=40, help="how many random architectures each door is tried with"
    )


@pytest.fixture
def n_architectures(request: pytest.FixtureRequest) -> int:
    """Return how many random architectures each door is tried with."""
    return int(request.config.getoption("--architectures"))


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive() -> Iterator[None]:
    """Take Ctrl-C back where the tests were started with it switched off, as nohup and `&` in scripts do.

    Tests interrupt themselves, and one that is not interrupted would not end.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def floatx(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make the test's parameter `dtype` the type of the layers and models that it creates."""
    from cnn_core import config

    before = config.floatx()
    config.set_floatx(request.getfixturevalue("dtype"))
    yield
    config.set_floatx(before)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start a browser, which all tests of pages share."""
    import browsing

    with browsing.chromium() as launched:
        yield launched


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open the page of what has `to_html`; at the end nothing must have been complained of or asked for."""
    import browsing

    opened: list[browsing.Page] = []

    def open_one(seen: Any, **options: Any) -> browsing.Page:
        opened.append(browsing.Page(browser, tmp_path / f"{len(opened)}.html", seen, **options))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()
