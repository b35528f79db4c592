"""What the tests of training mark."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", 'slow: over ten seconds; leave out by -m "not slow"')
