"""`cxrbench check` as a CI job runs it: what it prints, writes, and exits with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cxrbench.bench.cli import main

from ..results.stores import multi_label, put
from .conftest import SMALL

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run cxrbench in this process; exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cxrbench", *(str(each) for each in arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def check(command: Command) -> Command:
    """Run `cxrbench check`."""
    return partial(command, "check")


@pytest.fixture
def baseline(check: Command, tmp_path: Path) -> Path:
    """A baseline of two replicates with skill, from the store `good`."""
    for replicate in range(2):
        put(tmp_path / "good", multi_label(1.5, replicate), replicate=replicate, synthetic=True)
    code, out, _ = check("save", "--baseline", "base.zip", "--store", "good")
    assert code == 0
    assert "SYNTHETIC phantom data" in out
    assert "2 trials" in out
    assert "80 % at" in out
    return tmp_path / "base.zip"


def test_a_store_passes_against_its_own_baseline_and_writes_both_reports(check: Command, baseline: Path) -> None:
    code, out, _ = check(
        "run", "--baseline", baseline, "--store", "good", "--junit", "out/junit.xml", "--summary", "out/summary.md"
    )
    assert (code, "check passed: 1 cell: 1 passed" in out, "SYNTHETIC" in out) == (0, True, True)
    root = ElementTree.parse("out/junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "0")
    summary = Path("out/summary.md").read_text()
    assert summary.startswith("## cxrbench check: passed")
    assert "SYNTHETIC" in summary


def test_random_weights_fail(check: Command, baseline: Path, tmp_path: Path) -> None:
    for replicate in range(2):
        put(tmp_path / "random", multi_label(0.0, 10 + replicate), replicate=replicate, weights={"sha256": "random"})
    code, out, _ = check("run", "--baseline", baseline, "--store", "random", "--junit", "junit.xml")
    assert (code, "check failed: 1 cell: 1 regression" in out) == (1, True)
    assert ElementTree.parse("junit.xml").getroot().get("failures") == "1"


def test_a_missing_trial_fails(check: Command, baseline: Path, tmp_path: Path) -> None:
    put(tmp_path / "half", multi_label(1.5, 0), replicate=0)
    code, out, _ = check("run", "--baseline", baseline, "--store", "half")
    assert (code, "the store lacks replicate 1" in out) == (1, True)


def test_inconclusive_fails_unless_allowed(check: Command, tmp_path: Path) -> None:
    put(tmp_path / "good", multi_label(1.5, 0))
    put(tmp_path / "other", multi_label(1.5, 1))
    code, out, _ = check("save", "--baseline", "b", "--store", "good", "--margin", "0.0001")
    assert (code, "may fail without a change" in " ".join(out.split())) == (0, True)
    assert check("run", "--baseline", "b", "--store", "other")[0] == 1
    code, out, _ = check("run", "--baseline", "b", "--store", "other", "--allow-inconclusive")
    assert (code, "check passed: 1 cell: 1 inconclusive" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "--baseline", "absent", "--store", "good"), "--baseline absent: no such file"),
        (("run", "--baseline", "broken", "--store", "good"), "--baseline broken: damaged"),
        (("run", "--baseline", "base.zip", "--store", "empty"), "--store empty: no such folder"),
        (("run", "--baseline", "base.zip", "--store", "foreign"), "none of the baseline's 2 trials is in it"),
        (("run", "--baseline", "base.zip", "--store", "changed"), "image_size (64 / 32)"),
        (("run", "--baseline", "base.zip", "--store", "good", "--data", "phantom"), "--data says how to run"),
        (("save", "--baseline", "b", "--store", "good", "--encoder", "scratsh"), "did you mean 'scratch'"),
        (("save", "--baseline", "b", "--store", "good", "--task", "chexpart"), "did you mean 'chexpert'"),
        (("save", "--baseline", "b", "--store", "good", "--settings", "a"), "--settings: unknown"),
    ],
)
def test_where_nothing_can_be_said_it_exits_2_in_one_line(
    check: Command, baseline: Path, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    (tmp_path / "broken").write_bytes(baseline.read_bytes()[:500])
    put(tmp_path / "foreign", multi_label(1.5, 0), encoder="another")
    put(tmp_path / "changed", multi_label(1.5, 0), settings={"image_size": 32})
    code, _, said = check(*arguments)
    (line,) = [line for line in said.splitlines() if line.startswith("cxrbench: ")]
    assert code == 2
    assert named in line


def test_a_fresh_run_of_the_same_passes_and_other_settings_are_refused_before_it(
    command: Command, check: Command, chexpert: Path, cache: Path
) -> None:
    grid = (*SMALL, "--fractions", "50,100", "--replicates", "2", "--protocol", "frozen")
    assert command("run", *grid, "--data", chexpert, "--store", "s", "--cache", cache)[0] == 0
    assert check("save", "--baseline", "b", "--store", "s")[0] == 0
    again = ("run", "--baseline", "b", "--rerun", "--data", chexpert)
    code, out, said = check(*again, "--set", "image_size=32", "--junit", "junit.xml")
    assert (code, "check passed: 2 cells: 2 passed" in out) == (0, True), said
    code, _, said = check(*again, "--set", "image_size=48", "--cache", cache)
    assert (code, "image_size (32 / 48)" in said) == (2, True)
    code, _, said = check(*again, "--encoder", "other=x.pth")
    assert (code, "the baseline has no trials of it" in said) == (2, True)
