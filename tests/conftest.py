"""Options and fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--realdata", metavar="DIR", help="folder with real radiographs: kermany/chest_xray and nih")
    parser.addoption("--include", metavar="FILE", action="append", default=[], help="plug-in file to test like ours")


@pytest.fixture(scope="session")
def realdata(request: pytest.FixtureRequest) -> Path:
    """Folder of real radiographs; tests that need it are skipped where it was not given."""
    folder = request.config.getoption("--realdata")
    if folder is None:
        pytest.skip("needs --realdata DIR")
    return Path(folder)
