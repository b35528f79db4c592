"""Options and fixtures shared by all tests."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--realdata", metavar="DIR", help="folder with real radiographs: kermany/chest_xray and nih")
    parser.addoption("--include", metavar="FILE", action="append", default=[], help="plug-in file to test like ours")


def pytest_configure(config: pytest.Config) -> None:
    # A process started in the background of a script ignores Ctrl-C, and hands that on to those that tests start.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def realdata(request: pytest.FixtureRequest) -> Path:
    """Folder of real radiographs; tests that need it are skipped where it was not given."""
    folder = request.config.getoption("--realdata")
    if folder is None:
        pytest.skip("needs --realdata DIR")
    return Path(folder)
