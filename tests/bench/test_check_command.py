"""`cxrbench check` as a CI job runs it: what it prints, writes, and exits with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cxrbench.bench.cli import main
from cxrbench.foundation.errors import UserError
from cxrbench.results.regression import Baseline

from ..results.stores import multi_label, put, single_label
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


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    check: Command, baseline: Path, tmp_path: Path, option: str
) -> None:
    code, _, said = check("run", "--baseline", "absent", "--store", "good", option, baseline / "report")
    assert (code, f"{option} {baseline}" in said, "is a file, not a folder" in said) == (2, True, True)
    code, _, said = check("run", "--baseline", "absent", "--store", "good", option, tmp_path)
    assert (code, "it is a folder; name a file" in said) == (2, True)


def test_the_verdict_is_shown_before_files_are_written(
    check: Command, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise UserError("cannot write: No space left on device")

    monkeypatch.setattr("cxrbench.results.regression.write_junit", full)
    code, out, said = check("run", "--baseline", baseline, "--store", "good", "--junit", "junit.xml")
    assert (code, "check passed: 1 cell" in out, "No space left" in said) == (2, True, True)


def test_a_replaced_baseline_is_named(check: Command, baseline: Path) -> None:
    code, out, _ = check("save", "--baseline", baseline, "--store", "good")
    assert (code, "replaces a baseline of 2 trials" in out) == (0, True)
    baseline.write_text("something else")
    code, out, _ = check("save", "--baseline", baseline, "--store", "good")
    assert (code, "replaces a file that cannot be read as a baseline" in out) == (0, True)
    assert "replaces" not in check("save", "--baseline", "new", "--store", "good")[1]


def test_a_margin_as_large_as_all_there_is_to_lose_is_warned_of(check: Command, baseline: Path) -> None:
    code, out, _ = check("save", "--baseline", "b", "--store", "good", "--margin", "0.4")
    assert (code, "in 1 of 1 cells the margin is as large as all there is to lose" in out) == (0, True)
    assert "scratch on chexpert frozen 100 %: 0." in out
    assert "chance 0.5000" in out
    assert "to lose" not in check("save", "--baseline", "b", "--store", "good", "--margin", "0.1")[1]


def test_two_settings_are_told_apart_by_settings(check: Command, tmp_path: Path) -> None:
    put(tmp_path / "two", multi_label(1.5, 0))
    put(tmp_path / "two", multi_label(1.5, 0), fingerprint="f" * 16, settings={"a": 1}, settings_hash="bbbbbbbb")
    code, _, said = check("save", "--baseline", "b", "--store", "two")
    assert (code, "choose one with --settings HASH" in said) == (1, True), said
    assert check("save", "--baseline", "b", "--store", "two", "--settings", "bbbbbbbb")[0] == 0


def test_names_in_brackets_are_shown_as_they_are(command: Command, check: Command, tmp_path: Path) -> None:
    for name in ("[/x]", "[a]", ":x:"):
        put(tmp_path / "s", multi_label(1.5, 0), encoder=name)
    code, out, _ = check("save", "--baseline", "n[/x].zip", "--store", "s", "--margin", "0.4")
    assert (code, out.startswith("n[/x].zip: 3 trials")) == (0, True)
    shown = [line.split()[0] for line in out.splitlines() if line.startswith(("[", ":"))]
    assert shown == [":x:", "[/x]", "[a]"]
    assert "  :x: on chexpert frozen 100 %: 0." in out
    code, out, _ = check("run", "--baseline", "n[/x].zip", "--store", "s")
    assert (code, [name in out for name in ("[/x]", "[a]", ":x:")]) == (0, [True] * 3)
    for place in ("s", "t[/x]"):
        put(tmp_path / place, multi_label(1.5, 0), encoder="[/x]")
        code, out, _ = command("ls", "records", "--store", place)
        assert (code, "[/x]" in out, f"records in {place}; n: replicates" in out) == (0, True, True)


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
        (("run", "--baseline", "good", "--store", "good"), "--baseline good: is a folder; name the file"),
        (("run", "--baseline", "broken", "--store", "good"), "--baseline broken: damaged"),
        (("run", "--baseline", "base.zip", "--store", "empty"), "--store empty: no such folder"),
        (("run", "--baseline", "base.zip", "--store", "foreign"), "none of the baseline's 2 trials is in it"),
        (("run", "--baseline", "base.zip", "--store", "changed"), "image_size (64 / 32)"),
        (("run", "--baseline", "base.zip", "--store", "good", "--data", "phantom"), "--data says how to run"),
        (("save", "--baseline", "b", "--store", "good", "--encoder", "scratsh"), "did you mean 'scratch'"),
        (("save", "--baseline", "b", "--store", "good", "--task", "chexpart"), "did you mean 'chexpert'"),
        (("save", "--baseline", "b", "--store", "good", "--settings", "a"), "--settings: unknown"),
        (("save", "--baseline", "b", "--store", "absent", "--margin", "inf"), "--margin inf: must be a number, 0 or"),
        (("save", "--baseline", "b", "--store", "absent", "--margin", "nan"), "--margin nan: must be a number, 0 or"),
        (("save", "--baseline", "b", "--store", "absent", "--margin", "-1"), "--margin -1: must be a number, 0 or"),
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
    command: Command, check: Command, chexpert: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
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
    kept = Baseline.read(Path("b"))
    older = [replace(each, record=replace(each.record, task_version=0)) for each in kept.trials]
    replace(kept, trials=tuple(older)).write(Path("older"))
    monkeypatch.setattr("cxrbench.bench.rerun.execute", lambda *_: pytest.fail("trials ran"))
    code, _, said = check("run", "--baseline", "older", "--rerun", "--data", chexpert, "--set", "image_size=32")
    assert (code, "task_version (0 / " in said, "or save a new baseline" in said) == (2, True, True), said


def test_predictions_of_another_trial_say_nothing_and_exit_with_2(
    baseline: Path, check: Command, tmp_path: Path
) -> None:
    (record, _) = (put(tmp_path / "new", multi_label(1.5, seed), replicate=seed) for seed in range(2))
    multi_label(0.1, 7).write(tmp_path / "new" / record.place / "predictions.parquet")
    code, _, said = check("run", "--baseline", baseline, "--store", "new")
    assert (code, said.count("not the predictions that its record.json was made of")) == (2, 1)


def test_a_choice_of_settings_leaves_other_tasks_in_the_baseline(check: Command, tmp_path: Path) -> None:
    for settings in ("aaaaaaaa", "bbbbbbbb"):
        put(tmp_path / "two", multi_label(1.5, 1), settings_hash=settings)
    put(tmp_path / "two", single_label(0.9, 1), "pediatric_pneumonia", settings_hash="cccccccc")
    code, out, _ = check("save", "--baseline", "two.zip", "--store", "two", "--settings", "aaaaaaaa")
    assert (code, "2 trials" in out) == (0, True)
