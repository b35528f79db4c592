"""A small phantom, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

SMALL = ("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", "image_size=32")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cxrbench.bench.cli", *(str(each) for each in arguments)]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all tests of this folder may fill."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def chexpert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom of CheXpert: 120 images of 64 pixels in the real layout."""
    from cxrbench.data.phantom.dataset import write_phantom_dataset

    root = tmp_path_factory.mktemp("phantom") / "chexpert"
    write_phantom_dataset("chexpert", root, 120, 64, rib_free=False)
    return root


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run cxrbench in an empty folder; standard output and error are kept apart."""

    def run(*arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        return subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout
        )

    return run
