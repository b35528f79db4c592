"""Somebody else's dataset, encoder and task, each in one file outside the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxrbench.results import Store

from .conftest import Cli

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "docs" / "plugins"


@pytest.fixture
def included(tmp_path: Path) -> list[str]:
    """`--include` options for copies of the example plug-ins, away from the repository."""
    options = []
    for file in sorted(PLUGINS.glob("*.py")):
        options += ["--include", str(shutil.copy(file, tmp_path))]
    assert len(options) == 6
    return options


def test_all_three_are_listed_and_run_like_ours(included: list[str], cache: Path, cli: Cli, tmp_path: Path) -> None:
    for kind, name in (("datasets", "hospital"), ("encoders", "thumbnail"), ("tasks", "nearest")):
        assert name in cli("ls", kind, *included).stdout
    run = ("run", "--encoder", "thumbnail", "--task", "nearest", "--data", "phantom:n=120,size=64", *included)
    done = cli(*run, "--set", "image_size=64", "--store", tmp_path / "store", "--cache", cache)
    assert done.returncode == 0, done.stderr
    (record,) = Store(tmp_path / "store").records()
    assert (record.encoder, record.task, record.synthetic) == ("thumbnail", "nearest", True)
    shown = cli("table", "--store", tmp_path / "store", *included)
    assert "thumbnail" in shown.stdout


def test_without_the_file_the_name_is_unknown(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "--encoder", "thumbnail", "--task", "chexpert", "--data", "phantom")
    assert (done.returncode, "unknown encoder 'thumbnail'" in done.stderr) == (2, True)


def test_they_pass_the_conformance_tests_that_ours_pass(included: list[str]) -> None:
    names = "hospital or thumbnail or nearest"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", names, "tests/conformance"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *_joined(included)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "3 passed" in done.stdout, done.stdout[-3000:]


def _joined(options: list[str]) -> list[str]:
    # As one word each: pytest takes a lone path for the place of its tests.
    return [f"--include={path}" for path in options[1::2]]
